"""From schedules to dated plans: pure functions of the site and a span of time (spec: rounds.md, The plan)."""

from __future__ import annotations

import hmac
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gateway.errors import LamplighterError
from gateway.instants import MINUTE, Duration, Instant, instant, moment
from gateway.site.clocks import wall_time
from gateway.site.model import DatedRound, DatedWindow, RoundRule, Route, Site, Visit
from gateway.site.public_holidays import is_holiday

_ONE_DAY = timedelta(days=1)

_MARGIN_DAYS = 2
"""A start lies at most this many days from the local date of its shift: one past midnight, one a zone that skipped a day."""

_EARLIEST, _LATEST = (instant(datetime(year, 1, 1, tzinfo=UTC)) for year in (1000, 9000))
"""Nothing is planned outside of these years, so that no date overflows, whatever a broken clock says."""

END: Instant = 2**60
"""After any instant of a plan."""


def plan_rounds(site: Site, since: Instant, until: Instant) -> list[DatedRound]:
    """Every dated round whose start is in [since, until), sorted by start, then id; no id twice.

    Of two entries that give one id the first in the file counts; the loader has refused them if they differ.
    """
    planned: dict[str, DatedRound] = {}
    for rule in site.rounds:
        for day in _days(site.zone_info, since, until, len(rule.starts) + (rule.jitter > 0)):
            if not applies(site, rule, day):
                continue
            for dated in dated_rounds(site, rule, day, since, until):
                planned.setdefault(dated.id, dated)
    return sorted(planned.values(), key=lambda dated: (dated.start, dated.id))


def plan_dates(site: Site, first: date, last: date) -> list[DatedRound]:
    """Every round of the business dates `first` to `last`, both included, sorted by start, then id; no id twice."""
    planned: dict[str, DatedRound] = {}
    for rule in site.rounds:
        for day in days_between(first, last):
            if applies(site, rule, day):
                for dated in dated_rounds(site, rule, day):
                    planned.setdefault(dated.id, dated)
    return sorted(planned.values(), key=lambda dated: (dated.start, dated.id))


def days_between(first: date, last: date) -> Iterator[date]:
    """The dates from `first` to `last`, both included."""
    yield from (first + timedelta(days=n) for n in range((last - first).days + 1))


def plan_windows(site: Site, since: Instant, until: Instant) -> list[DatedWindow]:
    """Every dated `max_gap` window whose start is in [since, until), sorted by start, then checkpoint.

    A window that the clock jumps over entirely has no length and is left out.
    """
    zone = site.zone_info
    windows = []
    for checkpoint in site.checkpoints.values():
        if (gap := checkpoint.max_gap) is None:
            continue
        for day in _days(zone, since, until, 1):
            start, end = _shift(zone, day, gap.since, gap.until)
            if since <= start < until and start < end:
                windows.append(DatedWindow(checkpoint=checkpoint.id, date=day, start=start, end=end))
    return sorted(windows, key=lambda window: (window.start, window.checkpoint))


def applies(site: Site, rule: RoundRule, day: date) -> bool:
    """Whether `rule` gives rounds of the business date `day`: weekday, validity and holidays."""
    if not applies_apart_from_holidays(rule, day):
        return False
    return rule.holidays == "also" or is_holiday(site.holidays, day) == (rule.holidays == "only")


def applies_apart_from_holidays(rule: RoundRule, day: date) -> bool:
    """Whether weekday and validity of `rule` allow the business date `day`."""
    return (
        day.weekday() in rule.days
        and (rule.valid_since is None or rule.valid_since <= day)
        and (rule.valid_until is None or day <= rule.valid_until)
    )


class Slot(NamedTuple):
    """One start as its entry says it, and how much later the round may start at most (`jitter`, as far as there is room)."""

    start: Instant
    room: Duration


class SeedMissingError(LamplighterError):
    """Random starts were asked for, and the seed that they follow from is not there."""

    def __init__(self) -> None:
        super().__init__(
            "the starts of rounds with `jitter` are not known without the seed that `site.jitter_seed` names"
        )


def dated_rounds(
    site: Site, rule: RoundRule, day: date, since: Instant = _EARLIEST, until: Instant = END
) -> list[DatedRound]:
    """The rounds of `rule` of the business date `day`, whether or not it applies on it, that start in [since, until); in the order of its starts.

    Raises:
        SeedMissingError: the entry has `jitter`, and the site's seed is not there.
    """
    if rule.jitter and site.jitter_seed is None:
        raise SeedMissingError
    near = [slot for slot in slots(site, rule, day) if slot.start < until and slot.start + slot.room >= since]
    return [dated for slot in near if since <= (dated := _dated(site, rule, day, slot)).start < until]


def slots(site: Site, rule: RoundRule, day: date) -> list[Slot]:
    """The starts of `rule` of the business date `day` before any jitter, in their order, and the room that each has.

    The room is in whole minutes, at most `jitter`, and so that the round still starts before the end of its shift and ends
    before the entry's next one begins, however the clock is changed between.
    """
    route, zone = site.routes[rule.route], site.zone_info
    starts = list(_starts(rule, route, zone, day))
    if not rule.jitter:
        return [Slot(start, 0) for start in starts]
    reach = sum(later <= earlier for earlier, later in pairwise(rule.starts))
    around = days_between(day - reach * _ONE_DAY, day + (reach + 1) * _ONE_DAY)
    all_starts = sorted({start for each in around for start in _starts(rule, route, zone, each)})
    over = END if rule.since is None or rule.until is None else _shift(zone, day, rule.since, rule.until)[1]
    return [Slot(start, _room(rule, start, over, all_starts)) for start in starts]


def _room(rule: RoundRule, start: Instant, over: Instant, all_starts: Sequence[Instant]) -> Duration:
    index = bisect_right(all_starts, start)
    following = all_starts[index] if index < len(all_starts) else END
    room = min(rule.jitter, over - 1 - start, following - rule.lasts - start)
    return max(0, room) // MINUTE * MINUTE


def _dated(site: Site, rule: RoundRule, day: date, slot: Slot) -> DatedRound:
    zone = site.zone_info
    shift = jitter_of(site, f"{rule.route}@{local_start(slot.start, zone)}", slot.room) if slot.room else 0
    start = slot.start + shift
    return DatedRound(
        id=f"{rule.route}@{local_start(start, zone)}",
        route=rule.route,
        date=day,
        start=start,
        end=start + rule.lasts,
        shift=shift,
    )


def jitter_of(site: Site, usual_id: str, room: Duration) -> Duration:
    """How much later a round starts: whole minutes from 0 to `room`, both included, that follow from the seed alone.

    It is the first 8 bytes of HMAC-SHA256 (key: the seed as UTF-8; message: `SITE|ROUND`, ids as UTF-8, the round's as it would be
    without jitter), as a big-endian number, modulo the minutes of `room` + 1.
    """
    assert site.jitter_seed is not None
    digest = hmac.digest(site.jitter_seed.encode(), f"{site.id}|{usual_id}".encode(), "sha256")
    return int.from_bytes(digest[:8], "big") % (room // MINUTE + 1) * MINUTE


def visit_interval(route: Route, visit: Visit, dated: DatedRound) -> tuple[Instant, Instant]:
    """`opens` and `closes` of an expected visit: the interval, both ends included, in which a tap serves it."""
    if visit.after is None:
        return dated.start - route.band, dated.end + route.band
    due, reach = dated.start + visit.after, route.tolerance + route.band
    return due - reach, due + reach


def local_start(start: Instant, zone: ZoneInfo) -> str:
    """A start as it stands in a round's id: local, with UTC offset, seconds only where there are any."""
    local = moment(start, zone)
    return local.isoformat(timespec="seconds" if local.second else "minutes")


def _starts(rule: RoundRule, route: Route, zone: ZoneInfo, day: date) -> Iterator[Instant]:
    if rule.since is None or rule.until is None or rule.every is None:
        yield from _listed_starts(rule, route, zone, day)
        return
    start, end = _shift(zone, day, rule.since, rule.until)
    yield from range(start, end, rule.every)


def _shift(zone: ZoneInfo, day: date, since: time, until: time) -> tuple[Instant, Instant]:
    """Both ends of a shift; `until` not later than `since` is on the next day."""
    last = day + _ONE_DAY if until <= since else day
    return wall_time(day, since, zone).first, wall_time(last, until, zone).first


def _listed_starts(rule: RoundRule, route: Route, zone: ZoneInfo, day: date) -> Iterator[Instant]:
    before: time | None = None
    for clock in rule.starts:
        if before is not None and clock <= before:
            day += _ONE_DAY
        before = clock
        wall = wall_time(day, clock, zone)
        if wall.exists or route.dst_gap == "shift_forward":
            yield wall.first
        if wall.second is not None and route.dst_overlap == "both":
            yield wall.second


def _days(zone: ZoneInfo, since: Instant, until: Instant, reach: int) -> Iterator[date]:
    """The business dates that may have a start in [since, until); `reach`: days that a shift may go on for."""
    first = moment(max(since, _EARLIEST), zone).date() - timedelta(days=_MARGIN_DAYS + reach)
    return days_between(first, moment(min(until, _LATEST), zone).date() + _ONE_DAY)
