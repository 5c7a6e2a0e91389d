"""What rests on a reader's record: the visits and windows that are judged by its completeness, each over a span of true time."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import TypeAlias

from gateway.instants import Instant
from gateway.rules.intervals import BEGINNING, END, Interval

Key: TypeAlias = tuple[str, str, int]
"""What has a deadline or rests on a record: (kind, id, position or start); of kind `gap`: a window for a largest gap."""


class Watches:
    """The spans, by key."""

    __slots__ = ("_by_end", "gaps", "spans", "to")

    def __init__(self) -> None:
        self.spans: dict[Key, Interval] = {}
        self.gaps: dict[Key, None] = {}
        """Those of them that are windows for a largest gap."""
        self.to: Instant = BEGINNING
        """No span ever ended later."""
        self._by_end: list[tuple[Instant, Key]] = []

    def put(self, key: Key, span: Interval) -> None:
        """Something rests on the record over a span, and over no other."""
        before = self.spans.get(key)
        if before is None or before[1] != span[1]:
            self.drop(key)
            insort(self._by_end, (span[1], key))
        self.spans[key] = span
        if key[0] == "gap":
            self.gaps[key] = None
        self.to = max(self.to, span[1])

    def drop(self, key: Key) -> None:
        """It rests on the record no longer."""
        before = self.spans.pop(key, None)
        if before is not None:
            del self._by_end[bisect_left(self._by_end, (before[1], key))]
            self.gaps.pop(key, None)

    def touching(self, first: Instant, last: Instant = END) -> Iterator[Key]:
        """What rests on the record over a time that touches [first, last], by its end."""
        for index in range(bisect_left(self._by_end, (first,)), len(self._by_end)):
            key = self._by_end[index][1]
            if self.spans[key][0] <= last:
                yield key
