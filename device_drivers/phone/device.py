"""The phone's own side: a queue that numbers what it keeps, and forgets only what was said to be safe."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from device_drivers.phone.handover import MOST_RECORDS


class PhoneQueue:
    """What the page keeps in the browser.

    Args:
        boot: names this queue.
    """

    def __init__(self, boot: str = "b1") -> None:
        self.boot = boot
        self._last = 0
        self._kept: dict[int, dict[str, Any]] = {}

    def tap(self, at: datetime, tag: str) -> int:
        """A tag was read by its number."""
        return self._keep("tap", at, tag=tag)

    def link(self, at: datetime, url: str, via: str = "nfc") -> int:
        """An address was opened or scanned."""
        return self._keep("link", at, url=url, via=via)

    def incident(self, at: datetime, **said: Any) -> int:
        """The guard reports something."""
        return self._keep("incident", at, **said)

    def panic(self, at: datetime) -> int:
        """The guard calls for help."""
        return self._keep("panic", at, active=True)

    def hand_over(self, now: datetime, only: Iterable[int] | None = None) -> bytes:
        """The body to send: everything kept, or some of it (a call for help goes before what was kept earlier)."""
        chosen = list(self._kept) if only is None else [seq for seq in only if seq in self._kept]
        records = [self._kept[seq] for seq in chosen[:MOST_RECORDS]]
        return msgspec.json.encode(
            {"boot": self.boot, "now": _milliseconds(now), "last": self._last, "records": records}
        )

    def acknowledge(self, taken: Iterable[int]) -> None:
        """The gateway has these."""
        for seq in taken:
            self._kept.pop(seq, None)

    def __len__(self) -> int:
        return len(self._kept)

    def _keep(self, kind: str, at: datetime, **said: Any) -> int:
        self._last += 1
        self._kept[self._last] = {"seq": self._last, "kind": kind, "at": _milliseconds(at), **said}
        return self._last


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)
