"""Who would have recorded a tap: the readers whose complete records settle a visit (spec: rounds.md, Witnesses)."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any

from gateway.instants import DAY, HOUR, Duration, Instant
from gateway.rules.intervals import Interval, common, covers, reach
from gateway.rules.records import Record
from gateway.rules.stand_ins import StandIns
from gateway.site.model import Route, Site
from gateway.site.shifts import on_shift

RECENTLY: Duration = 7 * DAY
"""A portable reader that served a route, or a phone heard, this long before a visit closes is a witness of it."""
SHIFT: Duration = 12 * HOUR
"""Whoever had a shift, or whose phone was heard, this long before a visit closes may have walked it (ours)."""
_HOURS = 4096
"""Hours for which it is remembered who was on duty."""


VisitKey = tuple[str, str, int]
Service = tuple[Instant, tuple[str, ...]]
"""When a visit was served, and by which readers (of a pair, both)."""


class Witnesses:
    """Finds witnesses, and what they know together.

    Args:
        record: gives the evidence of a reader of the site, by id.
        stand_ins: who stands in for whom.
    """

    def __init__(self, site: Site, record: Callable[[str], Record], stand_ins: StandIns) -> None:
        self._site = site
        self._record = record
        self._stand_ins = stand_ins
        self._phones = [
            device.id for device in site.devices.values() if device.driver == "phone" or device.kind == "phone"
        ]
        self._guards = frozenset(person.id for person in site.people.values() if "guard" in person.roles)
        self._duty: dict[Instant, frozenset[str] | None] = {}
        self._served: dict[str, dict[VisitKey, Service]] = {}
        """By route and visit: when it was served, and by which portable readers that the route does not name."""
        self._named: dict[str, dict[VisitKey, Service]] = {}
        """The same by those that it names: after a change of the site file it may not."""

    def served(
        self, route: Route, visit: tuple[str, str, int], time: Instant | None, devices: tuple[str, ...] = ()
    ) -> Interval | None:
        """Readers (of a pair, both) served a visit of a route at `time` (None: nothing serves it now).

        Returns:
            When visits of the route close that have other witnesses by that; None: none has.
        """
        before = self._served.setdefault(route.id, {}).pop(visit, None)
        self._named.setdefault(route.id, {}).pop(visit, None)
        after = self._note(route, visit, time, devices) if time is not None else None
        if before == after:
            return None
        times = [service[0] for service in (before, after) if service is not None]
        return min(times), max(times) + RECENTLY

    def _note(self, route: Route, visit: VisitKey, time: Instant, devices: Sequence[str]) -> Service | None:
        """Keep who served; gives what of it makes other witnesses."""
        portable = [each for each in devices if (known := self._site.devices.get(each)) is not None and known.portable]
        others = tuple(each for each in portable if each not in route.readers)
        if len(others) < len(portable):
            named = tuple(each for each in portable if each in route.readers)
            self._named.setdefault(route.id, {})[visit] = (time, named)
        if not others:
            return None
        service = self._served.setdefault(route.id, {})[visit] = (time, others)
        return service

    def snapshot(self, but: Container[str]) -> Any:
        """The services by portable readers, without the rounds `but`, of which they are found anew: those gone still make witnesses of later ones."""
        return [
            [route, visit, time, devices]
            for kept in (self._served, self._named)
            for route, services in kept.items()
            for visit, (time, devices) in services.items()
            if visit[1] not in but
        ]

    def restore(self, state: Any) -> None:
        """Take up a snapshot, made by this site or another: whom a route names is asked of the site as it is now."""
        self._served, self._named = {}, {}
        found: dict[tuple[str, VisitKey], tuple[Instant, list[str]]] = {}
        for route, visit, time, devices in state:
            if route in self._site.routes:
                found.setdefault((route, (visit[0], visit[1], visit[2])), (time, []))[1].extend(devices)
        for (route, key), (time, devices) in found.items():
            self._note(self._site.routes[route], key, time, devices)

    def forget(self, before: Instant) -> None:
        """Drop services from before an instant."""
        for services in (*self._served.values(), *self._named.values()):
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
        """Phones of the guards on duty: by the duty calendar and who stands in; without one the route's guards, none named: all guards.

        Not every swap is written down: a guard's phone heard within `SHIFT` before is awaited whatever the calendar says, also where
        the route names other guards.
        """
        on_duty = self._on_duty(closes)
        guards = frozenset(route.guards) or self._guards
        if on_duty is not None:
            guards |= self._guards
        for phone in self._phones:
            record = self._record(phone)
            if record.persons.isdisjoint(guards) and (on_duty is None or record.persons.isdisjoint(on_duty)):
                continue
            here = on_duty is None or not record.persons.isdisjoint(on_duty)
            if record.heard_between(closes - (RECENTLY if here else SHIFT), closes):
                yield phone

    def duty_changed(self) -> None:
        """Somebody stands in now, or no longer."""
        self._duty.clear()

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
                for person in self._stand_ins.people(shift)
            }
            people |= {
                person for shift in on_shift(self._site, hour + HOUR) for person in self._stand_ins.people(shift)
            }
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
