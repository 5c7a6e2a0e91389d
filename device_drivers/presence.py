"""Tags in a reader's field, and the reader's own life: what every reader that repeats itself, or is polled, has to tell once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from device_drivers.driver import Reading
from device_drivers.observations import DeviceStatus, TagRead

LIFE_EVERY = timedelta(seconds=20)
"""How often a polled reader that answers says that it is online: a third of what a fixed reader may be silent (60 s)."""

SILENT_AFTER = 3
"""Rounds without an answer after which a polled reader is offline. What a dead reader did not read must not count as missed, so
this is told long before its silence would be."""

_MOST_PRESENT = 16
"""Tags in the field at once; beyond that the one seen longest ago is forgotten."""

_NEVER_BACK = timedelta(0)


class Presence:
    """Which tags are in the field.

    Args:
        gone_after: a tag not seen for longer has left, and the next time it is seen is another presentation.
    """

    def __init__(self, gone_after: timedelta) -> None:
        self._gone_after = gone_after
        self._last: dict[str, datetime] = {}

    def arrives(self, tag: str, at: datetime) -> bool:
        """Note that `tag` is there at `at`; whether it has just come. A clock set back gives a second read, not a lost one."""
        last = self._last.pop(tag, None)
        if last is None and len(self._last) >= _MOST_PRESENT:
            del self._last[next(iter(self._last))]
        self._last[tag] = at
        return last is None or not _NEVER_BACK <= at - last <= self._gone_after

    def clear(self) -> None:
        """The line was cut: who is there now is not known."""
        self._last.clear()


class PolledReader:
    """What a polled reader tells: a read for each presentation, that it lives, and that it does not.

    Args:
        device: the reader's id.
        gone_after: as in `Presence`.
    """

    def __init__(self, device: str, gone_after: timedelta) -> None:
        self._device = device
        self._presence = Presence(gone_after)
        self._told: datetime | None = None  # when it was last told to be online
        self._offline = False
        self._silent = 0

    def answered(
        self, at: datetime, tags: Sequence[str] = (), *, method: Literal["rfid", "nfc"] = "rfid"
    ) -> list[Reading]:
        """It answered, and these tags are there."""
        found: list[Reading] = []
        self._silent = 0
        if self._offline or self._told is None or not _NEVER_BACK <= at - self._told < LIFE_EVERY:
            self._told, self._offline = at, False
            found.append(Reading(DeviceStatus(device=self._device, at=at, online=True)))
        found += [
            Reading(TagRead(device=self._device, at=at, tag=tag, method=method))
            for tag in tags
            if self._presence.arrives(tag, at)
        ]
        return found

    def silent(self, at: datetime, reason: str = "no answer", *, after: int = SILENT_AFTER) -> list[Reading]:
        """It did not answer in a round, or could not have read a tag; told once, when this was so in `after` rounds."""
        self._silent += 1
        if self._offline or self._silent < after:
            return []
        self._offline = True
        return [Reading(DeviceStatus(device=self._device, at=at, online=False, reason=reason))]

    def lost(self) -> None:
        """The line was cut."""
        self._presence.clear()
        self._told = None
        self._silent = 0
