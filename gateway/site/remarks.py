"""What clock changes and holidays did to the plan of one date, in sentences for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.instants import HOUR, MINUTE, SECOND, Instant, moment
from gateway.site.clocks import wall_time
from gateway.site.durations import written
from gateway.site.model import RoundRule, Site
from gateway.site.plans import applies, applies_apart_from_holidays, slots
from gateway.site.public_holidays import is_holiday


def remarks(site: Site, day: date) -> Iterator[str]:
    """What is unusual about the business date `day`, an entry of `rounds` named by its line."""
    zone = site.zone_info
    midnight = wall_time(day, time(0), zone).first
    change = clock_change(zone, midnight, wall_time(day + timedelta(days=1), time(0), zone).first)
    if change is not None:
        yield _changed(zone, change)
    holiday = is_holiday(site.holidays, day)
    for rule in site.rounds:
        if not applies_apart_from_holidays(rule, day):
            continue
        if holiday and rule.holidays != "also":
            verb = "walked, as only on holidays" if rule.holidays == "only" else "not walked, as never on holidays"
            yield f"a public holiday ({site.holidays}): {rule.route} of line {rule.line} is {verb}"
        if applies(site, rule, day):
            yield from _starts(site, rule, day)


def clock_change(zone: ZoneInfo, since: Instant, until: Instant) -> Instant | None:
    """The first instant in (since, until] at which the zone's offset differs from that at `since`, to the second."""

    def offset(at: Instant) -> timedelta | None:
        return moment(at, zone).utcoffset()

    before = offset(since)
    looked_at: list[Instant] = [*range(since, until, HOUR), until]
    stretch = next((at for at in looked_at if offset(at) != before), None)
    if stretch is None:
        return None
    low: Instant = max(since, stretch - HOUR)
    high: Instant = stretch
    while high - low > SECOND:
        middle = (low + high) // (2 * SECOND) * SECOND
        if offset(middle) == before:
            low = middle
        else:
            high = middle
    return high


def _changed(zone: ZoneInfo, change: Instant) -> str:
    before, after = moment(change - SECOND, zone) + timedelta(seconds=1), moment(change, zone)
    moved = _gap(before, after)
    way = "forward" if moved > 0 else "back"
    return f"the clock is put {way} by {written(abs(moved))} at {before:%H:%M} on {before.date()}: it then shows {after:%H:%M}"


def _gap(before: datetime, after: datetime) -> int:
    return round((after.replace(tzinfo=None) - before.replace(tzinfo=None)).total_seconds()) * SECOND


def _starts(site: Site, rule: RoundRule, day: date) -> Iterator[str]:
    """What became of the start times of an entry, if a clock change touched them."""
    route, zone = site.routes[rule.route], site.zone_info
    which = f"{rule.route} of line {rule.line}"
    if rule.since is not None and rule.until is not None and rule.every is not None:
        usual = -(-_nominal(rule.since, rule.until) // rule.every)
        if (count := len(slots(site, rule, day))) != usual:
            yield f"{which} has {count} rounds instead of {usual}, as the shift is shorter or longer in elapsed time"
        return
    before: time | None = None
    for clock in rule.starts:
        day += timedelta(days=before is not None and clock <= before)
        before = clock
        wall = wall_time(day, clock, zone)
        if not wall.exists:
            fate = f"walked at {moment(wall.first, zone):%H:%M}" if route.dst_gap == "shift_forward" else "dropped"
            yield f"{which}: {clock:%H:%M} does not exist on {day}: {fate} (`dst_gap: {route.dst_gap}`)"
        if wall.second is not None:
            fate = "walked at the first" if route.dst_overlap == "first" else "walked at both"
            yield f"{which}: {clock:%H:%M} exists twice on {day}: {fate} (`dst_overlap: {route.dst_overlap}`)"


def _nominal(since: time, until: time) -> int:
    """The length of a shift on a day without a clock change."""
    minutes = (until.hour * 60 + until.minute - since.hour * 60 - since.minute) % (24 * 60)
    return (minutes or 24 * 60) * MINUTE
