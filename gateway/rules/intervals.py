"""Closed intervals of instants: sorted, disjoint lists of (first, last); both ends belong to them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from gateway.instants import Instant

Interval = tuple[Instant, Instant]

BEGINNING: Instant = -(2**60)
"""Before any instant a site will see."""
END: Instant = 2**60
"""After any instant a site will see."""


def merged(parts: Iterable[Interval]) -> list[Interval]:
    """The union of intervals; ones that share an end become one."""
    result: list[Interval] = []
    for first, last in sorted(parts):
        if result and first <= result[-1][1]:
            if last > result[-1][1]:
                result[-1] = (result[-1][0], last)
        else:
            result.append((first, last))
    return result


class Union:
    """The union of intervals that are added one after another, and taken back in the opposite order."""

    __slots__ = ("_before", "parts")

    def __init__(self) -> None:
        self.parts: list[Interval] = []
        self._before: list[tuple[int, Interval | None, list[Interval] | None]] = []
        """Of each interval: how many parts there were before it, and the last; or all of them, where it came out of order."""

    def add(self, first: Instant, last: Instant) -> None:
        parts = self.parts
        end = parts[-1] if parts else None
        if end is not None and first < end[0]:
            self._before.append((0, None, parts))
            self.parts = merged([*parts, (first, last)])
            return
        self._before.append((len(parts), end, None))
        if end is None or first > end[1]:
            parts.append((first, last))
        elif last > end[1]:
            parts[-1] = (end[0], last)

    def take_back(self) -> None:
        """Take back the interval that was added last."""
        count, end, parts = self._before.pop()
        if parts is not None:
            self.parts = parts
            return
        del self.parts[count:]
        if end is not None:
            self.parts[-1] = end


def clipped(parts: Iterable[Interval], first: Instant, last: Instant) -> list[Interval]:
    """What of `parts` lies in [first, last]."""
    return [(max(a, first), min(b, last)) for a, b in parts if a <= last and b >= first]


def without(parts: Sequence[Interval], holes: Iterable[Interval]) -> list[Interval]:
    """`parts` less the inside of `holes`. What remains keeps the holes' ends: an end alone proves nothing anyway."""
    result = list(parts)
    for low, high in holes:
        if low >= high:
            continue
        rest: list[Interval] = []
        for first, last in result:
            if last <= low or first >= high:
                rest.append((first, last))
                continue
            if first < low:
                rest.append((first, low))
            if last > high:
                rest.append((high, last))
        result = rest
    return result


def common(left: Sequence[Interval], right: Sequence[Interval]) -> list[Interval]:
    """The intersection of two sorted, disjoint lists."""
    result: list[Interval] = []
    i = j = 0
    while i < len(left) and j < len(right):
        first, last = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if first <= last:
            result.append((first, last))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return result


def reach(parts: Sequence[Interval], start: Instant) -> Instant | None:
    """The last instant that is joined to `start` without a break, None if `start` itself is not covered."""
    index = bisect_right(parts, (start, END)) - 1
    if index >= 0 and parts[index][1] >= start:
        return parts[index][1]
    return None


def covers(parts: Sequence[Interval], first: Instant, last: Instant) -> bool:
    """Whether all of [first, last] is in `parts`."""
    end = reach(parts, first)
    return end is not None and end >= last


def missing(parts: Sequence[Interval], first: Instant, last: Instant) -> list[Interval]:
    """What of [first, last] is not in `parts`, as closed intervals (their ends may touch what is there)."""
    result: list[Interval] = []
    at = first
    for low, high in parts:
        if high < first:
            continue
        if low > last:
            break
        if low > at:
            result.append((at, low))
        at = max(at, high)
    if at < last or not covers(parts, last, last):
        result.append((at, last))
    return result
