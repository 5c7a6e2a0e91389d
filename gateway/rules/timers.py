"""Deadlines of many things in one heap; re-arming is cheap because outdated entries are dropped when they surface."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from heapq import heappop, heappush, heapreplace
from itertools import count
from typing import Generic, TypeVar

from gateway.instants import Instant

Key = TypeVar("Key", bound=Hashable)


class Timers(Generic[Key]):
    """At most one deadline a key."""

    __slots__ = ("_at", "_heap", "_order")

    def __init__(self) -> None:
        self._at: dict[Key, Instant] = {}
        self._heap: list[tuple[Instant, int, Key]] = []
        self._order = count()

    def set(self, key: Key, at: Instant | None) -> None:
        """Arm, re-arm, or (None) disarm the deadline of `key`."""
        if at is None:
            self._at.pop(key, None)
        elif self._at.get(key) != at:
            self._at[key] = at
            heappush(self._heap, (at, next(self._order), key))
            if len(self._heap) > 64 + 4 * len(self._at):
                self._heap = sorted((due, next(self._order), name) for name, due in self._at.items())

    def get(self, key: Key) -> Instant | None:
        return self._at.get(key)

    def next(self) -> Instant | None:
        """The earliest deadline, or None."""
        heap = self._heap
        while heap:
            at, _, key = heap[0]
            if self._at.get(key) == at:
                return at
            heappop(heap)
        return None

    def next_after(self, put_off: Callable[[Key], Instant | None]) -> Instant | None:
        """The earliest deadline, once those that have been put off since they were armed are moved on.

        Args:
            put_off: the deadline of a key as it is now; None: as armed.
        """
        heap = self._heap
        while (at := self.next()) is not None:
            key = heap[0][2]
            later = put_off(key)
            if later is None or later <= at:
                return at
            self._at[key] = later
            heapreplace(heap, (later, next(self._order), key))
        return None

    def due(self, now: Instant) -> Iterator[tuple[Instant, Key]]:
        """Take the deadlines up to and including `now`, earliest first; ones set meanwhile are included."""
        while (at := self.next()) is not None and at <= now:
            _, _, key = heappop(self._heap)
            del self._at[key]
            yield at, key


def earliest(*dues: Instant | None) -> Instant | None:
    """The earliest of several deadlines, or None."""
    return min((due for due in dues if due is not None), default=None)
