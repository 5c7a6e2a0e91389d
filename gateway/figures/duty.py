"""When a lamp was expected on over a period: by its plan, or as it was recorded (spec: lighting.md, Expected on)."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from gateway.figures.history import OUT, RECORDED, Seat
from gateway.figures.stretches import Stretch, common, minus, union
from gateway.figures.timeline import Timeline
from gateway.instants import Instant
from gateway.rules.spans import Plan, always, dusk_to_dawn, times
from gateway.rules.sun import HORIZON, Sun
from gateway.site.model import Expected, Site

_seat = msgspec.json.Decoder(Seat).decode


class Service(NamedTuple):
    """One lamp as long as its seat did not change: in the site in `present`, expected on in `due`."""

    seat: Seat
    present: list[Stretch]
    due: list[Stretch]


class Duties:
    """When the lamps of a site were expected on in a timeline's period."""

    def __init__(self, site: Site, timeline: Timeline) -> None:
        self._site = site
        self._timeline = timeline
        self._down = timeline.down()
        self._sun = Sun(site.latitude, site.longitude)
        self._planned: dict[Expected, list[Stretch]] = {}
        self._seats: dict[str, Seat] = {}

    def of(self, lamp: str) -> list[Service]:
        """One lamp's services, in order; none where it was not in the site, or taken out of service."""
        timeline = self._timeline
        idle = timeline.when("lamp", lamp, {"disabled", OUT})
        found = []
        for piece in timeline.pieces("seat", lamp):
            if piece.state == OUT:
                continue
            seat = self._seats.get(piece.detail)
            if seat is None:
                seat = self._seats[piece.detail] = _seat(piece.detail)
            present: list[Stretch] = [(piece.start, piece.end)]
            if idle:
                present = minus(present, idle)
            found.append(Service(seat, present, common(present, self._due(lamp, seat.expected))))
        return found

    def _due(self, lamp: str, expected: Expected) -> list[Stretch]:
        if expected.mode in RECORDED:
            on = self._timeline.when("duty", lamp, {"on"})
            return minus(on, self._down) if expected.mode == "motion" else on
        known = self._planned.get(expected)
        if known is None:
            known = self._planned[expected] = _on(self._plan(expected), self._timeline.since, self._timeline.until)
        return known

    def _plan(self, expected: Expected) -> Plan:
        if expected.mode == "always":
            return always()
        if expected.mode == "times" and expected.on is not None and expected.off is not None:
            return times(expected.on, expected.off, self._site.zone_info)
        return dusk_to_dawn(self._sun, HORIZON, expected.offset)


def _on(plan: Plan, since: Instant, until: Instant) -> list[Stretch]:
    """When a plan is on in [since, until)."""
    found, at = [], since
    while at < until:
        span = plan.span(at)
        end = min(span.known_until, until)
        if span.on:
            found.append((at, end))
        at = end
    return union(found)
