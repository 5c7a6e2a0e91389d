"""Who is on which shift at an instant, as the site file says: weekdays, turns of a rotation, exceptions by date.

What people agree among themselves for one night is not here: `gateway.alerts.duty` and `gateway.rules.stand_ins` add it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Protocol

import msgspec
from msgspec.structs import replace

from gateway.instants import Instant, moment
from gateway.site.clocks import wall_time
from gateway.site.model import Shift, Site


class DatedShift(msgspec.Struct, frozen=True, kw_only=True):
    """One dated shift: who is on it, by id, in the order of the file; and who of them leads it.

    Args:
        date: local date on which it begins.
        start, end: instants; `end` does not belong to it.
    """

    shift: str
    date: date
    start: Instant
    end: Instant
    people: tuple[str, ...]
    captains: tuple[str, ...] = ()


class Exchange(Protocol):
    """Who is away from one dated shift, and who is there instead."""

    @property
    def shift(self) -> str: ...
    @property
    def date(self) -> date: ...
    @property
    def away(self) -> str | None: ...
    @property
    def instead(self) -> str | None: ...


def after_swap(shift: DatedShift, swap: Exchange) -> DatedShift:
    """A shift after one swap, if it is of this shift and of somebody who is on it. Who stands in for who leads it leads it."""
    if (swap.shift, swap.date) != (shift.shift, shift.date) or (swap.away or "") not in (*shift.people, ""):
        return shift
    people = [person for person in shift.people if person != swap.away]
    captains = [person for person in shift.captains if person != swap.away]
    if swap.instead is not None and swap.instead not in people:
        people.append(swap.instead)
        if swap.away in shift.captains:
            captains.append(swap.instead)
    return replace(shift, people=tuple(people), captains=tuple(captains))


def on_shift(site: Site, at: Instant) -> list[DatedShift]:
    """The shifts that run at `at`, in the order of the file."""
    today = moment(at, site.zone_info).date()
    return [
        dated
        for shift in site.shifts.values()
        for day in (today - timedelta(days=1), today)
        if (dated := dated_shift(site, shift, day)) is not None and dated.start <= at < dated.end
    ]


def dated_shift(site: Site, shift: Shift, day: date) -> DatedShift | None:
    """The shift that begins on `day`; None if none does. One without people is nobody's, but it runs."""
    people = _people(shift, day)
    if people is None:
        return None
    zone = site.zone_info
    last = day if shift.until > shift.since else day + timedelta(days=1)
    start, end = wall_time(day, shift.since, zone).first, wall_time(last, shift.until, zone).first
    return DatedShift(
        shift=shift.id, date=day, start=start, end=end, people=people, captains=tuple(_leading(site, shift, people))
    )


def _people(shift: Shift, day: date) -> tuple[str, ...] | None:
    if day in shift.exceptions:
        return shift.exceptions[day]
    if day < shift.first or day.weekday() not in shift.days:
        return None
    return shift.rotation[(day - shift.first).days // shift.turn_days % len(shift.rotation)]


def _leading(site: Site, shift: Shift, people: tuple[str, ...]) -> Iterator[str]:
    """Who is named as the shift's captain, else whoever has the role."""
    named = [person for person in people if person in shift.captains]
    if named:
        yield from named
        return
    for person in people:
        known = site.people.get(person)
        if known is not None and "captain" in known.roles:
            yield person
