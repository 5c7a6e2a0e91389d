"""The protection map: of every place and hour how long it was blind, dark, unwalked, and all three (spec: cameras.md, Protection)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from gateway.figures.duty import Duties
from gateway.figures.history import NO_PATROL, OUT
from gateway.figures.stretches import Stretch, by_slot, common, length, minus, union
from gateway.figures.timeline import Piece, Timeline
from gateway.figures.walks import NOBODY, Walks
from gateway.instants import DAY, HOUR, MINUTE, SECOND, Duration, Instant, moment
from gateway.site.model import Checkpoint, Site
from gateway.site.plans import plan_windows

UNWALKED_AFTER: Duration = 2 * HOUR
"""How long without a tap is too long where no `max_gap` says otherwise (cameras.md, Protection)."""

Minutes = float | int | None


class Aspect(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that may be wrong, hour by hour from the map's `start`: minutes in which it was, and in which nobody knows.

    null: nothing at the place could have told in that hour. `total_min`, `unknown_total_min`: of the whole period.
    """

    minutes: Sequence[Minutes]
    unknown: Sequence[Minutes]
    total_min: float
    unknown_total_min: float


class PlaceProtection(msgspec.Struct, frozen=True, kw_only=True):
    """One place. An aspect is null where the place has nothing that could tell: no zone, no lamp, no checkpoint on a route.

    Attributes:
        blind: a zone of it blind.
        dark: a lamp of it faulty while expected on.
        unwalked: longer than `max_gap`, or 2 h, since a tap there by anyone who may serve.
        all_three: all of them at once; null where one of them is not measured.
    """

    place: str
    key: bool
    blind: Aspect | None
    dark: Aspect | None
    unwalked: Aspect | None
    all_three: Aspect | None


class _Found(NamedTuple):
    """When it was so, when nobody knows, and when anything was there to tell; the first two apart."""

    bad: list[Stretch]
    unknown: list[Stretch]
    measured: list[Stretch]


def longest_gap(site: Site) -> Duration:
    """How far before a period taps may matter to it."""
    return max([UNWALKED_AFTER, *(each.max_gap.at_most for each in site.checkpoints.values() if each.max_gap)])


def protection(site: Site, timeline: Timeline, walks: Mapping[str, Walks], hours: int) -> list[PlaceProtection]:
    """The map of all places of the site, by id; `hours` from the timeline's start on."""
    blind, dark, unwalked = _blind(site, timeline), _dark(site, timeline), _unwalked(site, timeline, walks)
    found = []
    for place in sorted(site.places):
        three = [each.get(place) for each in (blind, dark, unwalked)]
        aspects = [None if each is None else _aspect(each, timeline, hours) for each in (*three, _at_once(three))]
        found.append(
            PlaceProtection(
                place=place,
                key=site.places[place].key,
                blind=aspects[0],
                dark=aspects[1],
                unwalked=aspects[2],
                all_three=aspects[3],
            )
        )
    return found


def _blind(site: Site, timeline: Timeline) -> dict[str, _Found]:
    down = timeline.down()
    gathered: dict[str, list[_Found]] = {}
    for zone in timeline.ids("zone"):
        if (spec := site.zones.get(zone)) is None:
            continue
        states = timeline.by_state("zone", zone)
        present = union(part for state, parts in states.items() if state != OUT for part in parts)
        bad = minus(states.get("blind", []), down)
        well = minus(union([*states.get("covered", []), *states.get("degraded", [])]), down)
        zone_found = _Found(bad, minus(minus(present, well), bad), present)
        for place in site.places:  # a zone is of its place and of all that lies in it
            if place == spec.place or place.startswith(f"{spec.place}/"):
                gathered.setdefault(place, []).append(zone_found)
    return {place: _of_all(parts, timeline) for place, parts in gathered.items()}


def _dark(site: Site, timeline: Timeline) -> dict[str, _Found]:
    duties, down = Duties(site, timeline), timeline.down()
    gathered: dict[str, list[_Found]] = {}
    for lamp in timeline.ids("seat"):
        services = [service for service in duties.of(lamp) if service.seat.place in site.places]
        if not services:
            continue
        states = timeline.by_state("lamp", lamp)
        well = union([*states.get("ok", []), *states.get("off_duty", [])])
        faulty = states.get("faulty", [])
        if down:
            well, faulty = minus(well, down), minus(faulty, down)
        for service in services:
            bad = common(service.due, faulty) if faulty else []
            unknown = minus(minus(service.due, well), bad)
            gathered.setdefault(service.seat.place, []).append(_Found(bad, unknown, service.present))
    return {place: _of_all(parts, timeline) for place, parts in gathered.items()}


def _of_all(parts: Sequence[_Found], timeline: Timeline) -> _Found:
    """A place is as bad as its worst part; time before anything was there to tell is unknown."""
    measured = union(stretch for each in parts for stretch in each.measured)
    bad = union(stretch for each in parts for stretch in each.bad)
    unmeasured = minus([(timeline.since, timeline.until)], measured)
    unknown = union([*(stretch for each in parts for stretch in each.unknown), *unmeasured])
    return _Found(bad, minus(unknown, bad), measured)


def _unwalked(site: Site, timeline: Timeline, walks: Mapping[str, Walks]) -> dict[str, _Found]:
    """By taps and records of all checkpoints of a place together: somebody was there, whichever he tapped."""
    routed = {visit.checkpoint for route in site.routes.values() for visit in route.visits}
    by_place: dict[str, list[Checkpoint]] = {}
    for checkpoint in site.checkpoints.values():
        if checkpoint.id in routed:
            by_place.setdefault(checkpoint.place, []).append(checkpoint)
    windows: dict[str, list[Stretch]] = {}
    for window in plan_windows(site, timeline.since - 2 * DAY, timeline.until):
        windows.setdefault(window.checkpoint, []).append((window.start, window.end))
    whole: list[Stretch] = [(timeline.since, timeline.until)] if timeline.until > timeline.since else []
    found = {}
    for place, checkpoints in by_place.items():
        known = [walks.get(checkpoint.id, NOBODY) for checkpoint in checkpoints]
        taps = sorted({tap for each in known for tap in each.taps})
        complete = known[0].complete
        for each in known[1:]:
            complete = common(complete, each.complete)
        bad: list[Stretch] = []
        walked: list[Stretch] = []
        patrols = [piece for each in checkpoints for piece in timeline.pieces("patrol", each.id)]
        for limit, when in _limits(checkpoints, windows, patrols, whole):
            visited = union((tap, tap + limit) for tap in taps)
            silent = minus(union((start + limit, end) for start, end in complete), visited)
            bad += common(when, silent)
            walked += common(when, visited)
        bad = union(bad)
        found[place] = _Found(bad, minus(minus(whole, union(walked)), bad), whole)
    return found


def _limits(
    checkpoints: Iterable[Checkpoint],
    windows: Mapping[str, list[Stretch]],
    patrols: Iterable[Piece],
    whole: list[Stretch],
) -> list[tuple[Duration, list[Stretch]]]:
    """Which gap is too long when: the least of a place's checkpoints at each time."""
    wanted: dict[Duration, list[Stretch]] = {}
    for checkpoint in checkpoints:
        inside = common(whole, union(windows.get(checkpoint.id, [])))
        if checkpoint.max_gap is not None:
            wanted.setdefault(checkpoint.max_gap.at_most, []).extend(inside)
        wanted.setdefault(UNWALKED_AFTER, []).extend(minus(whole, inside))
    for start, end, state, _ in patrols:
        if state != NO_PATROL:
            wanted.setdefault(int(state), []).append((start, end))
    left, found = whole, []
    for limit in sorted(wanted):
        when = common(left, union(wanted[limit]))
        left = minus(left, when)
        found.append((limit, when))
    return found


def _at_once(three: Sequence[_Found | None]) -> _Found | None:
    """All at once; unknown where none is known to be well and one is unknown."""
    parts = [each for each in three if each is not None]
    if len(parts) < len(three):
        return None
    bad, maybe, measured = parts[0].bad, union([*parts[0].bad, *parts[0].unknown]), parts[0].measured
    for each in parts[1:]:
        bad = common(bad, each.bad)
        maybe = common(maybe, union([*each.bad, *each.unknown]))
        measured = common(measured, each.measured)
    return _Found(bad, minus(maybe, bad), measured)


def _aspect(found: _Found, timeline: Timeline, hours: int) -> Aspect:
    start = timeline.since
    told: Sequence[Duration] | None = None
    unknown = found.unknown
    if found.measured != [(start, timeline.until)]:
        told = by_slot(found.measured, start, HOUR, hours)
        silent = union((start + slot * HOUR, start + (slot + 1) * HOUR) for slot in range(hours) if not told[slot])
        unknown = minus(unknown, silent)
    return Aspect(
        minutes=_hourly(found.bad, told, start, hours),
        unknown=_hourly(unknown, told, start, hours),
        total_min=_minutes(length(found.bad)),
        unknown_total_min=_minutes(length(unknown)),
    )


def _hourly(parts: Sequence[Stretch], told: Sequence[Duration] | None, start: Instant, hours: int) -> Sequence[Minutes]:
    """Minutes hour by hour; null where nothing was there to tell."""
    found = [_minutes(part) for part in by_slot(parts, start, HOUR, hours)] if parts else [0] * hours
    return found if told is None else [each if told[slot] else None for slot, each in enumerate(found)]


def _minutes(duration: Duration) -> float | int:
    """Minutes, to a hundredth: a map shows no more, and whole ones cost little to send."""
    if not duration:
        return 0
    whole, rest = divmod(duration, MINUTE)
    return whole if not rest else round(duration / MINUTE, 2)


def first_hour(site: Site, since: Instant) -> Instant:
    """The start of the local hour that holds `since`."""
    local = moment(since, site.zone_info)
    return since - (local.minute * MINUTE + local.second * SECOND + local.microsecond)
