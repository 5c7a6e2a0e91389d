"""How often the same complaint about the same caller is kept: quarantine is for people, not for floods.

A scanner on the network, or a camera with a wrong password, would otherwise fill the journal.
"""

from __future__ import annotations

from datetime import datetime, timedelta

AGAIN_AFTER = timedelta(minutes=10)
"""A complaint that lasts is kept again after this."""

_MOST = 1024
"""Complaints remembered; beyond that the oldest is forgotten."""

_A_MINUTE = 10
"""New complaints kept in a minute, whoever they are about; what is beyond is counted and told with the next one."""


class Complaints:
    """Which complaints have been kept lately."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], datetime] = {}
        self._minute: datetime | None = None
        self._count = 0
        self._untold = 0

    def keep(self, caller: str, reason: str, now: datetime) -> str | None:
        """The reason as it is to be kept, or None if it was kept lately.

        Args:
            caller: who it is about (an address).
            reason: what is wrong, without anything that changes from message to message.
            now: the time of the message, aware.
        """
        key = caller, reason
        last = self._kept.get(key)
        if last is not None and timedelta(0) <= now - last < AGAIN_AFTER:
            return None
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._count = minute, 0
        if self._count >= _A_MINUTE:
            self._untold += 1
            return None
        self._count += 1
        self._kept.pop(key, None)
        if len(self._kept) >= _MOST:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = now
        untold, self._untold = self._untold, 0
        return f"{reason} (and {untold} other complaints of late that were not kept)" if untold else reason
