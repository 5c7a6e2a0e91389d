"""Marks of a visit and of a round: they warn and change no verdict (spec: rounds.md, Marks)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from gateway.instants import SECOND, Duration, Instant
from gateway.rules.points import Point
from gateway.rules.taps import Tap
from gateway.rules.visits import RoundState, Service, VisitState
from gateway.site.model import Checkpoint, Site

BURST: Duration = 20 * SECOND
BURST_PLACES = 3
SAME_MOMENT: Duration = 5 * SECOND
"""How far apart two readers must have read one person's tag where no `min_leg` says more."""

VISIT_MARKS = (
    "unassigned_guard",
    "other_reader",
    "second_person_missing",
    "clock_corrected",
    "clock_uncertain",
    "clock_ahead",
    "late_upload",
    "person_unknown",
    "counter_replayed",
    "counter_late",
    "counter_jumped",
)
"""In the order in which they are shown."""


def visit_marks(visit: VisitState, point: Point, site: Site) -> tuple[str, ...]:
    """All marks of one visit."""
    if visit.service is None:
        return ("second_person_missing",) if point.lone(visit) else ()
    found = set(visit.service.fit.marks)
    route = visit.round.route
    for tap in visit.service.taps:
        found |= tap.marks
        if tap.person is None:
            found.add("person_unknown")
        elif route.guards and tap.person not in route.guards and tap.person not in visit.round.stand_ins:
            found.add("unassigned_guard")
        if is_wand(site, tap.device) and tap.device not in route.readers:
            found.add("other_reader")
        if tap.received > visit.deadline:
            found.add("late_upload")
    return tuple(mark for mark in VISIT_MARKS if mark in found)


def is_wand(site: Site, device: str) -> bool:
    """A portable reader that a route should name; phones aside."""
    known = site.devices.get(device)
    return known is not None and known.portable and known.driver != "phone" and known.kind != "phone"


class Step(NamedTuple):
    """One tap that served, as it lies in the walk of its person or wand: of a pair each at its own time."""

    time: Instant
    position: int
    checkpoint: str


def _steps(visit: VisitState, service: Service, site: Site) -> Iterator[tuple[tuple[str, str], Step]]:
    """Who served a visit, persons and wands, with their taps."""
    for tap in service.taps:
        fit = service.fit if tap is service.taps[-1] else visit.fit(tap)
        step = Step(service.fit.time if fit is None else fit.time, visit.position, visit.checkpoint)
        if tap.person is not None:
            yield ("person", tap.person), step
        if is_wand(site, tap.device):
            yield ("wand", tap.device), step


def round_marks(state: RoundState, site: Site, points: Mapping[str, Point]) -> tuple[str, ...]:
    """All marks of one round."""
    served = [(visit, visit.service) for visit in state.visits if visit.service is not None]
    times = [service.fit.time for _, service in served]
    found = []
    if state.route.order == "listed" and any(later < earlier for earlier, later in pairwise(times)):
        found.append("out_of_order")
    walks = _walks(served, site)
    if any(_too_fast(walk, site) for walk in walks):
        found.append("too_fast")
    if any(_burst(walk) for walk in walks):
        found.append("burst")
    if any(time > state.end for time in times):
        found.append("over_long")
    if any(_elsewhere(visit, site, points) for visit, _ in served):
        found.append("same_moment_elsewhere")
    return tuple(found)


def _walks(served: Iterable[tuple[VisitState, Service]], site: Site) -> list[list[Step]]:
    """What each person and each wand served, by time."""
    by_who: dict[tuple[str, str], list[Step]] = {}
    for visit, service in served:
        for who, step in _steps(visit, service, site):
            by_who.setdefault(who, []).append(step)
    return [sorted(walk) for walk in by_who.values()]


def _too_fast(walk: Sequence[Step], site: Site) -> bool:
    for earlier, later in pairwise(walk):
        leg = min_leg(site, earlier.checkpoint, later.checkpoint)
        if leg is not None and later.time - earlier.time < leg:
            return True
    return False


def min_leg(site: Site, one: str, other: str) -> Duration | None:
    """The least honest walking time between two checkpoints, either way; None: not given."""
    for here, there in ((one, other), (other, one)):
        checkpoint = site.checkpoints.get(here)
        if checkpoint is not None and there in checkpoint.min_leg:
            return checkpoint.min_leg[there]
    return None


def _burst(walk: Sequence[Step]) -> bool:
    for index, first in enumerate(walk):
        places = {each.checkpoint for each in walk[index:] if each.time - first.time <= BURST}
        if len(places) >= BURST_PLACES:
            return True
    return False


def _elsewhere(visit: VisitState, site: Site, points: Mapping[str, Point]) -> bool:
    """Whether the tag of a person who served a visit was read at another place too soon before or after."""
    here = site.checkpoints.get(visit.checkpoint)
    if here is None or visit.service is None:
        return False
    for tap in visit.service.taps:
        if tap.device != here.reader:
            continue
        for there in site.checkpoints.values():
            if there.reader in {None, tap.device} or there.place == here.place or there.id not in points:
                continue
            times = _judged(tap, points[visit.checkpoint])
            if _same_moment(tap, times, points[there.id], min_leg(site, here.id, there.id), there):
                return True
    return False


def _judged(tap: Tap, point: Point) -> list[Instant]:
    """When a tap happened; if its clock is in doubt and it serves a visit, only by the offset that the visit was judged by."""
    if "clock_uncertain" in tap.marks:
        for visit in point.visits_between(tap.first, tap.last):
            if visit.service is not None and tap in visit.service.taps and (fit := visit.fit(tap)) is not None:
                offset = fit.time - fit.device_at
                return [each.time for each in tap.moments if each.time - each.read.at == offset]
    return [each.time for each in tap.moments]


def _same_moment(tap: Tap, times: Sequence[Instant], point: Point, leg: Duration | None, there: Checkpoint) -> bool:
    within = SAME_MOMENT if leg is None else leg
    for time in times:
        for other in point.taps_between(time - within, time + within):
            same_tag = other.person == tap.person and other.device == there.reader
            if same_tag and any(abs(each - time) < within for each in _judged(other, point)):
                return True
    return False
