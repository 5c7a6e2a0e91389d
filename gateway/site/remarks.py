"""What clock changes and holidays did to the plan of one date, in sentences for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gateway.instants import HOUR, MINUTE, SECOND, Duration, Instant, moment
from gateway.site.clocks import wall_time
from gateway.site.durations import written
from gateway.site.model import RoundRule, Site
from gateway.site.plans import applies, applies_apart_from_holidays, slots
from gateway.site.public_holidays import holiday_name


class Remark(NamedTuple):
    """One thing that a clock change or a holiday did.

    Args:
        code: `clock_change`; of an entry of `rounds`: `fewer_rounds`, `more_rounds`, `moved`, `dropped`, `first_of_two`, `doubled`,
            `holiday_left_out`, `holiday_added`.
        text: the same for a person, an entry named by its line.
        rule: the entry; None: the whole date.
        starts: the starts that it made what they are, before any jitter; none: all of the entry, or none is left.
        moved: by how much they were put forward.
    """

    code: str
    text: str
    rule: RoundRule | None = None
    starts: tuple[Instant, ...] = ()
    moved: Duration = 0


def remarks(site: Site, day: date) -> Iterator[Remark]:
    """What is unusual about the business date `day`."""
    zone = site.zone_info
    midnight = wall_time(day, time(0), zone).first
    change = clock_change(zone, midnight, wall_time(day + timedelta(days=1), time(0), zone).first)
    if change is not None:
        yield Remark("clock_change", _changed(zone, change))
    holiday = holiday_name(site.holidays, day)
    for rule in site.rounds:
        if not applies_apart_from_holidays(rule, day):
            continue
        if holiday is not None and rule.holidays != "also":
            added = rule.holidays == "only"
            verb = "walked, as only on holidays" if added else "not walked, as never on holidays"
            text = f"a public holiday ({site.holidays}): {rule.route} of line {rule.line} is {verb} ({holiday})"
            yield Remark("holiday_added" if added else "holiday_left_out", text, rule)
        if applies(site, rule, day):
            yield from _starts(site, rule, day)


def hours_of(site: Site, day: date) -> float:
    """How many hours a local date has: 24, but for those on which the clock is put forward or back."""
    first, last = (wall_time(each, time(0), site.zone_info).first for each in (day, day + timedelta(days=1)))
    return (last - first) / HOUR


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


def _starts(site: Site, rule: RoundRule, day: date) -> Iterator[Remark]:
    """What became of the start times of an entry, if a clock change touched them."""
    route, zone = site.routes[rule.route], site.zone_info
    which = f"{rule.route} of line {rule.line}"
    if rule.since is not None and rule.until is not None and rule.every is not None:
        yield from _ends(site, rule, day)
        usual = -(-_nominal(rule.since, rule.until) // rule.every)
        if (count := len(slots(site, rule, day))) != usual:
            code = "fewer_rounds" if count < usual else "more_rounds"
            text = f"{which} has {count} rounds instead of {usual}, as the shift is shorter or longer in elapsed time"
            yield Remark(code, text, rule)
        return
    before: time | None = None
    for clock in rule.starts:
        day += timedelta(days=before is not None and clock <= before)
        before = clock
        wall = wall_time(day, clock, zone)
        if not wall.exists:
            kept = route.dst_gap == "shift_forward"
            fate = f"walked at {moment(wall.first, zone):%H:%M}" if kept else "dropped"
            text = f"{which}: {clock:%H:%M} does not exist on {day}: {fate} (`dst_gap: {route.dst_gap}`)"
            starts: tuple[Instant, ...] = (wall.first,) if kept else ()
            yield Remark(
                "moved" if kept else "dropped", text, rule, starts, _moved(wall.first, clock, zone) if kept else 0
            )
        if wall.second is not None:
            both = route.dst_overlap == "both"
            fate = "walked at both" if both else "walked at the first"
            text = f"{which}: {clock:%H:%M} exists twice on {day}: {fate} (`dst_overlap: {route.dst_overlap}`)"
            starts = (wall.first, wall.second) if both else (wall.first,)
            yield Remark("doubled" if both else "first_of_two", text, rule, starts)


def _ends(site: Site, rule: RoundRule, day: date) -> Iterator[Remark]:
    """What a clock change made of `from` and `to` of a shift."""
    assert rule.since is not None
    assert rule.until is not None
    zone, which = site.zone_info, f"{rule.route} of line {rule.line}"
    last = day + timedelta(days=rule.until <= rule.since)
    for key, on, clock, verb in (("from", day, rule.since, "begins"), ("to", last, rule.until, "ends")):
        wall = wall_time(on, clock, zone)
        if not wall.exists:
            text = (
                f"{which}: `{key}` {clock:%H:%M} does not exist on {on}: it {verb} at {moment(wall.first, zone):%H:%M}"
            )
            yield Remark("moved", text, rule, (wall.first,) if key == "from" else (), _moved(wall.first, clock, zone))
        if wall.second is not None:
            text = f"{which}: `{key}` {clock:%H:%M} exists twice on {on}: it {verb} at the first"
            yield Remark("first_of_two", text, rule, (wall.first,) if key == "from" else ())


def _moved(start: Instant, clock: time, zone: ZoneInfo) -> Duration:
    """By how much a start that does not exist was put forward."""
    shown = moment(start, zone)
    return round((shown.replace(tzinfo=None) - datetime.combine(shown.date(), clock)).total_seconds()) * SECOND


def _nominal(since: time, until: time) -> int:
    """The length of a shift on a day without a clock change."""
    minutes = (until.hour * 60 + until.minute - since.hour * 60 - since.minute) % (24 * 60)
    return (minutes or 24 * 60) * MINUTE
