"""Assessment periods: a month, a quarter, a year, by the site's clock."""

from __future__ import annotations

import re
from datetime import date, time
from typing import Literal

import msgspec

from gateway.instants import Instant
from gateway.site.clocks import wall_time
from gateway.site.model import Site

_QUARTER = re.compile(r"(\d{4})-Q([1-4])")
_MONTH = re.compile(r"(\d{4})-(\d\d)")
_YEAR = re.compile(r"\d{4}")


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """`2026-11`, `2026-Q4` or `2026`: [since, until)."""

    id: str
    kind: Literal["month", "quarter", "year"]
    since: Instant
    until: Instant


def period_of(site: Site, text: str) -> Period:
    """The period that a text names.

    Raises:
        ValueError: it names none.
    """
    if (found := _QUARTER.fullmatch(text)) is not None:
        year, first, months = int(found[1]), 3 * int(found[2]) - 2, 3
        kind: Literal["month", "quarter", "year"] = "quarter"
    elif (found := _MONTH.fullmatch(text)) is not None and 1 <= int(found[2]) <= 12:
        year, first, months, kind = int(found[1]), int(found[2]), 1, "month"
    elif _YEAR.fullmatch(text):
        year, first, months, kind = int(text), 1, 12, "year"
    else:
        raise ValueError("expected a quarter such as 2026-Q4, a month such as 2026-11, or a year such as 2026")
    if not 1970 <= year <= 2999:
        raise ValueError("expected a year from 1970 to 2999")
    over = first + months > 12
    ends = date(year + over, (first + months - 1) % 12 + 1, 1)
    return Period(id=text, kind=kind, since=_begin(site, date(year, first, 1)), until=_begin(site, ends))


def quarter_of(day: date) -> str:
    """The quarter in which a date lies."""
    return f"{day.year}-Q{(day.month + 2) // 3}"


def due_of(period: str) -> date | None:
    """When a quarter's inspection is due: early in the month after it (the 5th; DOMAIN.md §2), as the year's last one; None: no quarter."""
    found = _QUARTER.fullmatch(period)
    if found is None:
        return None
    year, month = int(found[1]), 3 * int(found[2]) + 1
    return date(year + (month > 12), (month - 1) % 12 + 1, 5)


def _begin(site: Site, day: date) -> Instant:
    return wall_time(day, time(0), site.zone_info).first
