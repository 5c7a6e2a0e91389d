"""From schedules to dated plans: pure functions of the site and a span of time (spec: rounds.md, The plan)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.instants import Instant, instant, moment
from gateway.site.clocks import wall_time
from gateway.site.model import DatedRound, DatedWindow, RoundRule, Route, Site, Visit
from gateway.site.public_holidays import is_holiday

_ONE_DAY = timedelta(days=1)

_MARGIN_DAYS = 2
"""A start lies at most this many days from the local date of its shift: one past midnight, one a zone that skipped a day."""

_EARLIEST, _LATEST = (instant(datetime(year, 1, 1, tzinfo=UTC)) for year in (1000, 9000))
"""Nothing is planned outside of these years, so that no date overflows, whatever a broken clock says."""


def plan_rounds(site: Site, since: Instant, until: Instant) -> list[DatedRound]:
    """Every dated round whose start is in [since, until), sorted by start, then id; no id twice.

    Of two entries that give one id the first in the file counts; the loader has refused them if they differ.
    """
    planned: dict[str, DatedRound] = {}
    for rule in site.rounds:
        for day in _days(site.zone_info, since, until, len(rule.starts)):
            if not applies(site, rule, day):
                continue
            for dated in dated_rounds(site, rule, day):
                if since <= dated.start < until:
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


def dated_rounds(site: Site, rule: RoundRule, day: date) -> list[DatedRound]:
    """The rounds of `rule` of the business date `day`, whether or not it applies on it; in the order of its starts."""
    route, zone = site.routes[rule.route], site.zone_info
    return [
        DatedRound(
            id=f"{rule.route}@{local_start(start, zone)}",
            route=rule.route,
            date=day,
            start=start,
            end=start + rule.lasts,
        )
        for start in _starts(rule, route, zone, day)
    ]


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
