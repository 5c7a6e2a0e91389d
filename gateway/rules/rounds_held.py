"""What is in memory of rounds: their frozen plans, the checkpoints' taps and visits, the readers' records, and what became of older ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from gateway.instants import Instant, instant
from gateway.rules.findings import Gap, Round, Unmatched
from gateway.rules.gaps import GapState
from gateway.rules.intervals import Interval, without
from gateway.rules.points import Point
from gateway.rules.records import Record
from gateway.rules.stand_ins import StandIns
from gateway.rules.taps import Loose, Read, Tap, enrolled
from gateway.rules.views import Corroborate, Views
from gateway.rules.visits import RoundState, VisitState
from gateway.rules.watches import Key
from gateway.rules.witnesses import Witnesses, known
from gateway.shelf import Shelf, Sorted
from gateway.site.model import Device, Route, Site


class Held(ABC):
    """All of it, found by id, checkpoint and reader; it decides nothing."""

    def __init__(self, site: Site, started: Instant, corroborate: Corroborate | None) -> None:
        self.site = site
        self.now = started
        self._zone = site.zone_info
        self._tags = enrolled(site)
        self._fixed = {place.reader: place.id for place in site.checkpoints.values() if place.reader is not None}
        self._tagged = frozenset(place.id for place in site.checkpoints.values() if place.tags)
        self._records: dict[str, Record] = {}
        self._downs: list[Interval] = []
        self._routes: dict[str, list[Route]] = {}
        """By the checkpoints that they hold."""
        for route in site.routes.values():
            for checkpoint in dict.fromkeys(visit.checkpoint for visit in route.visits):
                self._routes.setdefault(checkpoint, []).append(route)
        self._points: dict[str, Point] = {}
        self._touched: dict[str, None] = {}
        """Checkpoints whose taps or visits changed: what serves which is to be found anew."""
        self._rounds: dict[str, RoundState] = {}
        self._gaps: dict[Key, GapState] = {}
        self._gaps_of: dict[str, dict[Key, GapState]] = {}
        """The same by checkpoint."""
        self._unknown: dict[tuple[str, Read], Loose] = {}
        self._absent: dict[str, tuple[Instant, Any]] = {}
        """What is known of readers that were in the site once, by their snapshots, and since when they are not: they may come back."""
        self._guards = frozenset(person.id for person in site.people.values() if "guard" in person.roles)
        self.stand_ins = StandIns()
        self._witnesses = Witnesses(site, self._record, self.stand_ins)
        self._views = Views(site, self._points, self._of, corroborate)
        self._retired = Shelf(Round)
        self._retired_gaps: dict[Key, Gap] = {}
        self._retired_unmatched = Sorted(Unmatched, by_time)

    @abstractmethod
    def flush(self, now: Instant) -> None:
        """Judge all that is here, also what may wait a little."""

    def _point(self, checkpoint: str) -> Point:
        point = self._points.get(checkpoint)
        if point is None:
            point = self._points[checkpoint] = Point(self.site.people)
        return point

    def _changing(self, checkpoint: str) -> Point:
        """A point whose visits or taps are about to change."""
        self._touched[checkpoint] = None
        return self._point(checkpoint)

    def _record(self, device: str) -> Record:
        record = self._records.get(device)
        if record is None:
            described = self.site.devices.get(device) or Device(id=device, driver="native", kind="reader")
            record = self._records[device] = Record(described, self._fixed.get(device), self._downs)
        return record

    def _of(self, visit: VisitState) -> list[Record]:
        """The witnesses of a visit."""
        return self._witnesses.of(visit.checkpoint, (visit.round.route,), visit.closes)

    def _routes_with(self, checkpoint: str) -> list[Route]:
        return self._routes.get(checkpoint, [])

    def _complete_in(self, gap: GapState) -> tuple[list[Record], list[Interval]]:
        """Witnesses of a window over all routes that hold its checkpoint, and what they know together."""
        window = gap.window
        routes = self._routes_with(window.checkpoint)
        ends = min(window.end, self.now) if gap.patrol else window.end
        witnesses = self._witnesses.of(window.checkpoint, routes, ends) if routes else []
        complete = known(witnesses, window.start, window.end)
        return witnesses, without(complete, self._stricter(gap)) if gap.patrol else complete

    def _stricter(self, patrol: GapState) -> list[Interval]:
        """The checkpoint's own windows with a limit as strict as a patrol's: there they say it already."""
        own = (gap for gap in self._gaps_of[patrol.window.checkpoint].values() if not gap.patrol)
        return [(gap.window.start, gap.window.end) for gap in own if gap.at_most <= patrol.at_most]

    def _counts(self, checkpoint: str, tap: Tap) -> bool:
        """Whether a tap is by anyone who may serve a route that holds the checkpoint; who stands in may walk the last round of his shift to its end."""
        person = self.site.people.get(tap.person) if tap.person is not None else None
        if person is None:
            return True
        for route in self._routes_with(checkpoint):
            if person.id in route.guards or ("guard" in person.roles and route.accept_others):
                return True
            may = self._guards if route.accept_others or not route.guards else route.guards
            if person.id in self.stand_ins.of(may, tap.first, tap.last):
                return True
        return any(visit.refusal(person) is None for visit, _ in self._point(checkpoint).fits(tap))


def by_time(tap: Unmatched) -> tuple[Instant, str, str, str]:
    """The order in which taps that served nothing are shown: an hour that comes twice is two."""
    return instant(tap.at), tap.device, tap.tag, tap.reason


def taps_used(point: Point) -> set[Tap]:
    return {tap for visit in point.visits if visit.service is not None for tap in visit.service.taps}
