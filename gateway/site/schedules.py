"""What rounds say of each other: two that would be one and differ (errors), visits that one tap could serve (warnings).

The dates looked at are a plain week, the first and last days of each entry's validity, and the days around the changes
of the clock; on other dates the same clock times meet in the same way. Holidays are taken as possible on any date.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from gateway.instants import Duration, Instant
from gateway.site.durations import written
from gateway.site.mistakes import Mistakes
from gateway.site.model import DatedRound, RoundRule, Site
from gateway.site.plans import applies_apart_from_holidays, dated_rounds, slots, visit_interval
from gateway.site.positions import Path

_PLAIN_WEEK = date(2026, 1, 5)
_WEEK_DAYS = 9
_CHANGES_FROM, _CHANGES_UNTIL = date(2026, 1, 1), date(2029, 1, 1)
_MAX_ROUNDS = 50_000
"""Denser schedules are examined up to here only."""


class _Dated(NamedTuple):
    """A round as it would be without jitter; it may start by `room` later."""

    round: DatedRound
    rule: int
    room: Duration


class _Interval(NamedTuple):
    opens: Instant
    closes: Instant
    dated: _Dated


def check_schedule(site: Site, paths: Sequence[Path], mistakes: Mistakes) -> None:
    """Check the rounds of a site.

    Args:
        site: its rounds name known routes.
        paths: where each of `site.rounds` stands.
        mistakes: takes what is found.
    """
    for rule, path in zip(site.rounds, paths, strict=True):
        _due_after_end(site, rule, path, mistakes)
    rounds = _sample(site)
    kept = _one_of_each(site, rounds, paths, mistakes)
    _overlaps(site, kept, paths, mistakes)


def _due_after_end(site: Site, rule: RoundRule, path: Path, mistakes: Mistakes) -> None:
    for number, visit in enumerate(site.routes[rule.route].visits, start=1):
        if visit.after is not None and visit.after > rule.lasts:
            mistakes.warning(
                (*path, "lasts"),
                f"found {written(rule.lasts)}, but visit {number} of {rule.route!r} is due {written(visit.after)} after "
                "the start: the round ends before it",
            )
            return


def _sample(site: Site) -> list[_Dated]:
    found: list[_Dated] = []
    for day in sorted(_days(site)):
        for index, rule in enumerate(site.rounds):
            if applies_apart_from_holidays(rule, day):
                steady = dated_rounds(site, msgspec.structs.replace(rule, jitter=0), day)
                rooms = (slot.room for slot in slots(site, rule, day))
                found += (_Dated(dated, index, room) for dated, room in zip(steady, rooms, strict=True))
        if len(found) > _MAX_ROUNDS:
            break
    return found


def _days(site: Site) -> Iterator[date]:
    firsts = {_PLAIN_WEEK}
    for rule in site.rounds:
        firsts |= {rule.valid_since} if rule.valid_since else set()
        firsts |= {rule.valid_until - timedelta(days=_WEEK_DAYS)} if rule.valid_until else set()
    days = {first + timedelta(days=n) for first in firsts for n in range(_WEEK_DAYS)}
    changes = _changes(site.zone_info)
    yield from days | {change + timedelta(days=n) for change in changes for n in (-1, 0, 1)}


def _changes(zone: ZoneInfo) -> Iterator[date]:
    """The dates on which the zone's offset changes."""
    at = datetime(_CHANGES_FROM.year, 1, 1, tzinfo=UTC)
    before = at.astimezone(zone).utcoffset()
    while at.date() < _CHANGES_UNTIL:
        at += timedelta(days=1)
        local = at.astimezone(zone)
        if local.utcoffset() != before:
            before = local.utcoffset()
            yield local.date()
            yield local.date() - timedelta(days=1)


def _one_of_each(site: Site, rounds: list[_Dated], paths: Sequence[Path], mistakes: Mistakes) -> list[_Dated]:
    first: dict[str, _Dated] = {}
    told: set[tuple[int, int]] = set()
    for one in rounds:
        other = first.setdefault(one.round.id, one)
        pair = (other.rule, one.rule)
        if other.round == one.round or pair in told or _never_together(site, other, one):
            continue
        told.add(pair)
        what = "end" if other.round.end != one.round.end else "business date"
        where = "it does itself" if one.rule == other.rule else f"the entry in {mistakes.place(paths[other.rule])} does"
        mistakes.error(
            paths[one.rule],
            f"gives the round {one.round.id} as {where}, but with another {what}; expected one of them, or both the same",
        )
    return list(first.values())


def _never_together(site: Site, one: _Dated, other: _Dated) -> bool:
    """Whether one of two rounds of the same date is walked on holidays only and the other never on them."""
    kinds = {site.rounds[one.rule].holidays, site.rounds[other.rule].holidays}
    return kinds == {"only", "never"} and one.round.date == other.round.date


def _overlaps(site: Site, rounds: list[_Dated], paths: Sequence[Path], mistakes: Mistakes) -> None:
    intervals: dict[str, list[_Interval]] = {}
    for one in rounds:
        route = site.routes[one.round.route]
        for visit in route.visits:
            opens, closes = visit_interval(route, visit, one.round)
            intervals.setdefault(visit.checkpoint, []).append(_Interval(opens, closes + one.room, one))
    told: set[tuple[int, int]] = set()
    for checkpoint, listed in intervals.items():
        listed.sort(key=lambda interval: interval[:2])
        for one, other in _pairs(listed):
            pair = (min(one.rule, other.rule), max(one.rule, other.rule))
            if pair in told or _never_together(site, one, other):
                continue
            told.add(pair)
            mistakes.warning(
                paths[pair[1]],
                f"a tap at {checkpoint!r} may serve {one.round.id} or {other.round.id}: their intervals "
                f"overlap ({_entries(pair, paths, mistakes)}); shorten `lasts`, `tolerance` or `band` to part them",
            )


def _entries(pair: tuple[int, int], paths: Sequence[Path], mistakes: Mistakes) -> str:
    return "both of this entry" if pair[0] == pair[1] else f"the other is of {mistakes.place(paths[pair[0]])}"


def _pairs(listed: list[_Interval]) -> Iterator[tuple[_Dated, _Dated]]:
    """The rounds of each interval and of the longest-lasting earlier one, of another round, that it overlaps."""
    longest: list[_Interval] = []
    for interval in listed:
        for earlier in longest:
            if earlier.dated.round.id != interval.dated.round.id and interval.opens <= earlier.closes:
                yield earlier.dated, interval.dated
        longest = _two_longest([*longest, interval])


def _two_longest(intervals: list[_Interval]) -> list[_Interval]:
    """The latest-closing interval, and the latest-closing one of another round."""
    first = max(intervals, key=lambda interval: interval.closes)
    others = [interval for interval in intervals if interval.dated.round.id != first.dated.round.id]
    return [first, max(others, key=lambda interval: interval.closes)] if others else [first]
