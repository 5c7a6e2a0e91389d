"""Which stretch of time a report is about: `day:2026-11-25`, `week:2026-W48`, `month:2026-11`, `shift:night:2026-11-25`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple, assert_never, get_args
from zoneinfo import ZoneInfo

from gateway.errors import LamplighterError
from gateway.instants import Instant, instant, moment
from gateway.site.model import Site

Kind = Literal["shift", "day", "week", "month"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_DAY_BEGINS = time(8)
"""A watchman's day runs from morning to morning, so that a night is in one report."""

_EXPECTED = "expected day:2026-11-25, week:2026-W48, month:2026-11 or shift:ID:2026-11-25"
_FORMS: dict[Kind, re.Pattern[str]] = {
    "day": re.compile(r"day:(\d{4}-\d\d-\d\d)"),
    "week": re.compile(r"week:(\d{4})-W(\d\d)"),
    "month": re.compile(r"month:(\d{4})-(\d\d)"),
    "shift": re.compile(r"shift:([\w.-]+):(\d{4}-\d\d-\d\d)"),
}


class NoSuchPeriodError(LamplighterError):
    """A name that stands for no period of this site; the message says what was expected."""


class Period(NamedTuple):
    """A report's stretch of time [since, until); `id` names it, `first` and `last` are its local dates (of a shift: its start)."""

    id: str
    kind: Kind
    since: Instant
    until: Instant
    first: date
    last: date
    shift: str | None = None


def period(site: Site, name: str) -> Period:
    """The period of that name. Days, weeks (ISO 8601) and months run from 08:00 to 08:00, site time.

    Raises:
        NoSuchPeriodError: no such form, date or shift.
    """
    for kind, form in _FORMS.items():
        if found := form.fullmatch(name):
            try:
                return _period(site, kind, found.groups())
            except (ValueError, OverflowError) as error:
                raise NoSuchPeriodError(f"{name!r}: {error}; {_EXPECTED}") from None
    raise NoSuchPeriodError(f"{name!r} is no period; {_EXPECTED}")


def latest(site: Site, kind: Kind, now: Instant) -> Iterator[Period]:
    """The periods of a kind that ended last before or at `now`: of a shift one for each shift, else one."""
    today = moment(now, site.zone_info).date()
    for shift in site.shifts if kind == "shift" else (None,):
        for back in range(3):
            name = _back(kind, shift, today, back)
            if (found := period(site, name)).until <= now:
                yield found
                break


def running(site: Site, now: Instant) -> Iterator[Period]:
    """The week and the month that hold `now`."""
    today = moment(now, site.zone_info).date()
    for kind in ("week", "month"):
        spans = (period(site, _back(kind, None, today, back)) for back in range(2))
        yield next(found for found in spans if found.since <= now)


def _back(kind: Kind, shift: str | None, today: date, back: int) -> str:
    """The name of the period of a kind that holds the date `today`, or of the one so many before it."""
    match kind:
        case "day":
            return f"day:{today - timedelta(days=back)}"
        case "shift":
            return f"shift:{shift}:{today - timedelta(days=back)}"
        case "week":
            return _week(today - timedelta(weeks=back))
        case "month":
            return _month(today, back)
        case _:
            assert_never(kind)


def _period(site: Site, kind: Kind, parts: tuple[str, ...]) -> Period:
    zone = site.zone_info
    begins = ends = _DAY_BEGINS
    shift = None
    match kind:
        case "day":
            first = date.fromisoformat(parts[0])
            after = first + timedelta(days=1)
        case "week":
            first = date.fromisocalendar(int(parts[0]), int(parts[1]), 1)
            after = first + timedelta(weeks=1)
        case "month":
            first = date(int(parts[0]), int(parts[1]), 1)
            after = (first + timedelta(days=31)).replace(day=1)
        case "shift":
            shift = parts[0]
            if shift not in site.shifts:
                known = ", ".join(site.shifts) or "none"
                raise ValueError(f"the site has no shift {shift!r} (it has: {known})")
            begins, ends = site.shifts[shift].since, site.shifts[shift].until
            first = date.fromisoformat(parts[1])
            after = first + timedelta(days=1) if ends <= begins else first
    if not 1970 < first.year < 9000:
        raise ValueError("years 1971 to 8999 are known")
    name = ":".join((kind, *([shift] if shift else []), _named(kind, first)))
    last = first if shift else after - timedelta(days=1)
    return Period(name, kind, _at(first, begins, zone), _at(after, ends, zone), first, last, shift)


def _named(kind: Kind, first: date) -> str:
    match kind:
        case "week":
            return _week(first).removeprefix("week:")
        case "month":
            return f"{first:%Y-%m}"
        case _:
            return first.isoformat()


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"week:{year}-W{week:02}"


def _month(day: date, back: int) -> str:
    for _ in range(back):
        day = day.replace(day=1) - timedelta(days=1)
    return f"month:{day:%Y-%m}"


def _at(day: date, clock: time, zone: ZoneInfo) -> Instant:
    return instant(datetime.combine(day, clock, zone).astimezone(UTC))
