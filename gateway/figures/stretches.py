"""Stretches of time: sorted lists of (start, end) apart from each other; the start belongs to it, the end does not.

So that the lengths of parts add up to the length of the whole, whatever the parts are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.instants import Duration, Instant

Stretch = tuple[Instant, Instant]


def union(parts: Iterable[Stretch]) -> list[Stretch]:
    """What is in any of the parts; touching ones become one, empty ones none."""
    result: list[Stretch] = []
    for start, end in sorted(parts):
        if start >= end:
            continue
        if result and start <= result[-1][1]:
            if end > result[-1][1]:
                result[-1] = (result[-1][0], end)
        else:
            result.append((start, end))
    return result


def common(left: Sequence[Stretch], right: Sequence[Stretch]) -> list[Stretch]:
    """What is in both."""
    result: list[Stretch] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            result.append((start, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return result


def minus(left: Sequence[Stretch], right: Sequence[Stretch]) -> list[Stretch]:
    """What is in the left but not in the right."""
    result: list[Stretch] = []
    j = 0
    for first, end in left:
        start = first
        while j < len(right) and right[j][1] <= start:
            j += 1
        k = j
        while k < len(right) and right[k][0] < end:
            if right[k][0] > start:
                result.append((start, right[k][0]))
            start = max(start, right[k][1])
            k += 1
        if start < end:
            result.append((start, end))
    return result


def length(parts: Iterable[Stretch]) -> Duration:
    """How long all of it is."""
    return sum(end - start for start, end in parts)


def by_slot(parts: Iterable[Stretch], start: Instant, width: Duration, slots: int) -> list[Duration]:
    """How much of it lies in each of `slots` slots, each `width` long, the first from `start` on."""
    result = [0] * slots
    limit = start + slots * width
    for first, last in parts:
        low, high = max(first, start), min(last, limit)
        while low < high:
            slot = (low - start) // width
            end = min(start + (slot + 1) * width, high)
            result[slot] += end - low
            low = end
    return result
