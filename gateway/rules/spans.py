"""Plans as spans: at any instant, on or off, since when and until when; kept, so that asking again costs little."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, tzinfo

import msgspec

from gateway.instants import DAY, Duration, Instant, instant, moment
from gateway.rules.sun import Sun
from gateway.site.clocks import wall_time

Intervals = Callable[[Instant, Instant], list[tuple[Instant, Instant]]]
"""Gives the on-intervals [start, end) that overlap [lo, hi], sorted and apart."""

_REACH = 2 * DAY
_KEPT = 6
_FIRST = instant(datetime(2, 1, 1, tzinfo=UTC))
_LAST = instant(datetime(9998, 12, 31, tzinfo=UTC))


class Span(msgspec.Struct, frozen=True):
    """A stretch without change. `since` and `until` are changes, None if there is none within two days.

    The answer is the same for every instant in [`known_from`, `known_until`).
    """

    on: bool
    since: Instant | None
    until: Instant | None
    known_from: Instant
    known_until: Instant


class Plan:
    """When something is on.

    Args:
        intervals: the on-intervals of any stretch of time.
    """

    __slots__ = ("_intervals", "_kept")

    def __init__(self, intervals: Intervals) -> None:
        self._intervals = intervals
        self._kept: list[Span] = []

    def span(self, at: Instant) -> Span:
        """The stretch that holds `at` (of the years 2 to 9998; further off the nearest is taken)."""
        for kept in self._kept:
            if kept.known_from <= at < kept.known_until:
                return kept
        found = self._find(min(max(at, _FIRST), _LAST))
        self._kept.insert(0, found)
        del self._kept[_KEPT:]
        return found

    def _find(self, at: Instant) -> Span:
        lo, hi = at - _REACH, at + _REACH
        on, since, until = False, lo, hi
        for start, end in self._intervals(lo, hi):
            if end <= at:
                since = max(since, end)
            elif start <= at:
                on, since, until = True, max(lo, start), min(hi, end)
            else:
                until = min(until, start)
                break
        began, ends = since > lo, until < hi
        return Span(
            on,
            since if began else None,
            until if ends else None,
            since if began else at,
            until if ends else at + DAY,
        )


def always() -> Plan:
    """On for ever."""
    return Plan(lambda lo, hi: [(lo, hi)])


def sun_below(sun: Sun, degrees: float) -> Plan:
    """While the sun is below `degrees`."""
    return Plan(lambda lo, hi: sun.nights(degrees, lo, hi))


def dusk_to_dawn(sun: Sun, degrees: float, offset: Duration) -> Plan:
    """From dusk + `offset` to dawn − `offset` (lighting.md, Expected on); a night shorter than that has no on."""

    def intervals(lo: Instant, hi: Instant) -> list[tuple[Instant, Instant]]:
        nights = sun.nights(degrees, lo - 2 * DAY, hi + 2 * DAY)
        return _apart([(start + offset, end - offset) for start, end in nights])

    return Plan(intervals)


def times(on: time, off: time, zone: tzinfo) -> Plan:
    """Daily from `on` to `off`, clock times in `zone`; `off` not later than `on` is next day."""
    overnight = timedelta(days=1 if off <= on else 0)

    def intervals(lo: Instant, hi: Instant) -> list[tuple[Instant, Instant]]:
        day, last = moment(lo - 2 * DAY, zone).date(), moment(hi + DAY, zone).date()
        found = []
        while day <= last:
            found.append((wall_time(day, on, zone).first, wall_time(day + overnight, off, zone).first))
            day += timedelta(days=1)
        return _apart(found)

    return Plan(intervals)


def _apart(intervals: list[tuple[Instant, Instant]]) -> list[tuple[Instant, Instant]]:
    """Without empty intervals, and with touching ones joined."""
    joined: list[tuple[Instant, Instant]] = []
    for start, end in intervals:
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
