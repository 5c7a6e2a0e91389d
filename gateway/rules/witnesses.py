"""Who would have recorded a tap: the readers whose complete records settle a visit (spec: rounds.md, Witnesses)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gateway.instants import DAY, HOUR, Duration, Instant
from gateway.rules.intervals import Interval, common, covers, reach
from gateway.rules.records import Record
from gateway.site.model import Route, Site
from gateway.site.shifts import on_shift

RECENTLY: Duration = 7 * DAY
"""A portable reader that served a route, or a phone heard, this long before a visit closes is a witness of it."""
SHIFT: Duration = 12 * HOUR
"""Whoever had a shift, or whose phone was heard, this long before a visit closes may have walked it (ours)."""
_HOURS = 4096
"""Hours for which it is remembered who was on duty."""


class Witnesses:
    """Finds witnesses, and what they know together.

    Args:
        record: gives the evidence of a reader of the site, by id.
        phones: all phones of the site.
    """

    def __init__(self, site: Site, record: Callable[[str], Record]) -> None:
        self._site = site
        self._record = record
        self._phones = [
            device.id for device in site.devices.values() if device.driver == "phone" or device.kind == "phone"
        ]
        self._guards = frozenset(person.id for person in site.people.values() if "guard" in person.roles)
        self._duty: dict[Instant, frozenset[str] | None] = {}
        self._served: dict[str, dict[tuple[str, str, int], tuple[Instant, tuple[str, ...]]]] = {}

    def served(
        self, route: Route, visit: tuple[str, str, int], time: Instant | None, devices: tuple[str, ...] = ()
    ) -> bool:
        """Readers (of a pair, both) served a visit of a route at `time` (None: nothing serves it now).

        Returns:
            Whether that made another witness.
        """
        services = self._served.setdefault(route.id, {})
        before = services.pop(visit, None)
        others = tuple(device for device in devices if self._is_other(route, device))
        if time is None or not others:
            return before is not None
        services[visit] = (time, others)
        return before != (time, others)

    def _is_other(self, route: Route, device: str) -> bool:
        """Whether a device is a portable reader that the route does not name."""
        known = self._site.devices.get(device)
        return known is not None and known.portable and device not in route.readers

    def forget(self, before: Instant) -> None:
        """Drop services from before an instant."""
        for services in self._served.values():
            for visit in [visit for visit, (time, _) in services.items() if time < before]:
                del services[visit]

    def of(self, checkpoint: str, routes: Iterable[Route], closes: Instant) -> list[Record]:
        """The witnesses of a checkpoint for routes, at a visit that closes (or a window that ends) at `closes`."""
        place = self._site.checkpoints.get(checkpoint)
        if place is None:
            return []
        ids: dict[str, None] = {}
        if place.reader is not None:
            ids[place.reader] = None
        if place.tags:
            for route in routes:
                ids |= dict.fromkeys(reader for reader in route.readers if reader in self._site.devices)
                ids |= dict.fromkeys(self._others(route, closes))
                ids |= dict.fromkeys(self._phones_of(route, closes))
        return [self._record(each) for each in ids]

    def _others(self, route: Route, closes: Instant) -> Iterator[str]:
        for time, devices in self._served.get(route.id, {}).values():
            if closes - RECENTLY <= time <= closes:
                yield from devices

    def _phones_of(self, route: Route, closes: Instant) -> Iterator[str]:
        """Phones of the guards on duty: by the duty calendar; without one the route's guards, none named: all guards.

        Who stands in tonight is not in the calendar: a phone heard within `SHIFT` before is awaited whatever it says.
        """
        guards = frozenset(route.guards) or self._guards
        on_duty = self._on_duty(closes)
        for phone in self._phones:
            record = self._record(phone)
            if record.persons.isdisjoint(guards) and (on_duty is None or record.persons.isdisjoint(on_duty)):
                continue
            here = on_duty is None or not record.persons.isdisjoint(on_duty)
            if record.heard_between(closes - (RECENTLY if here else SHIFT), closes):
                yield phone

    def _on_duty(self, closes: Instant) -> frozenset[str] | None:
        """Who has a shift in the last hours before an instant; None: there is no calendar, or it names nobody."""
        if not self._site.shifts:
            return None
        hour = closes - closes % HOUR
        if hour not in self._duty:
            if len(self._duty) >= _HOURS:
                self._duty.clear()
            people = {
                person
                for back in range(SHIFT // HOUR + 1)
                for shift in on_shift(self._site, hour - back * HOUR)
                for person in shift.people
            }
            people |= {person for shift in on_shift(self._site, hour + HOUR) for person in shift.people}
            self._duty[hour] = frozenset(people) or None
        return self._duty[hour]


def settled(witnesses: Iterable[Record], first: Instant, last: Instant) -> bool:
    """Whether [first, last] is complete for every witness; with none, never."""
    found = list(witnesses)
    return bool(found) and all(covers(record.complete(), first, last) for record in found)


def watermark(witnesses: Iterable[Record], opens: Instant, now: Instant) -> Instant | None:
    """The latest w in [opens, now] with [opens, w] complete for every witness, else None."""
    ends = [reach(record.complete(), opens) for record in witnesses]
    if not ends or opens > now or None in ends:
        return None
    return min(now, *(end for end in ends if end is not None))


def known(witnesses: Iterable[Record], first: Instant, last: Instant) -> list[Interval]:
    """What of [first, last] is complete for every witness; with none, nothing."""
    parts: list[Interval] | None = None
    for record in witnesses:
        parts = common([(first, last)] if parts is None else parts, record.complete())
    return parts or []
