"""The protection map: each floor as a tile, its places marked by what protects them now, and what is in them as points.

A floor with a plan in the site file is drawn on it; what no plan shows stands in a diagram made here, a tile a building: rows of
floors, the highest on top, places as boxes. A place is as bad as the worst that is known of it, and a code stands beside its
colour as a letter and a pattern. *Now* means: zones and lamps as judged now, and how long ago somebody was there by the records
that are complete (cameras.md, Protection).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from api.console.languages import Language, say, word
from api.console.names import building_of, checkpoint_name, place_name
from api.console.room import SEVERITIES
from api.console.timeline import as_round, night_of, verdict_code
from api.ports import GatewayPort
from api.resources.rounds import rounds_between
from gateway.alerts.alert import Alert
from gateway.figures import walks
from gateway.figures.protection import UNWALKED_AFTER, longest_gap, protection
from gateway.figures.timeline import Timeline
from gateway.instants import DAY, SECOND, Duration, Instant, moment
from gateway.journal.rows import Condition
from gateway.rules.findings import Camera, Lamp, Visit, Zone
from gateway.site.model import Plan, Severity, Shape, Site
from gateway.site.plans import plan_windows

Code = Literal["blind", "dark", "unwalked", "degraded", "unknown", "watched", "unmeasured"]
CODES: tuple[Code, ...] = get_args(Code)
"""What is the matter with a place, the worst first; `watched`: all that can be told of it is well; `unmeasured`: nothing can."""

TROUBLE: frozenset[Code] = frozenset({"blind", "dark", "unwalked", "degraded"})

Kind = Literal["checkpoint", "lamp", "camera"]

_WALKED_FOR: Duration = 15 * SECOND
"""How long it holds who was where, unless something is told live."""
_CHECKPOINTS_AT_ONCE = 20
_TWO_HOURS = timedelta(microseconds=UNWALKED_AFTER)
_ROWS_DRAWN = 7
"""A diagram with more floors than these draws quiet ones that follow each other as one row."""
_POINTS_DRAWN = 5
_BOXES_DRAWN = 6

_ABOVE = re.compile(r"roof|top|penthouse|楼顶|屋顶|天台", re.IGNORECASE)
_GROUND = re.compile(r"lobby|ground|hall|大堂|大厅", re.IGNORECASE)
_BASEMENT = re.compile(r"^(?:b|-|u)(\d+)$", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)(?!.*\d)")


class Walk(NamedTuple):
    """When somebody was last at a checkpoint."""

    last: Instant | None


class PlaceState(msgspec.Struct, frozen=True, kw_only=True):
    """One place now.

    Attributes:
        codes: all that is the matter with it, the worst first; never empty.
        alerts: how many alerts stand there, `severity` the worst of them.
        last_walked: when somebody was last at one of its checkpoints, as far as memory knows.
    """

    id: str
    codes: tuple[Code, ...]
    alerts: int = 0
    severity: Severity | None = None
    last_walked: Instant | None = None

    @property
    def code(self) -> Code:
        return self.codes[0]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint, lamp or camera. `code`: tonight's last verdict, or its state; `bad`: worth a look."""

    kind: Kind
    id: str
    code: str
    says: str
    href: str
    bad: bool
    x: float = 0
    y: float = 0


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """A place as it is drawn. On a plan `points` is its outline (empty: `x`, `y` alone); in a diagram x, width are percent."""

    state: PlaceState
    name: str
    says: str
    href: str
    x: float
    y: float
    width: float = 0
    outline: str = ""
    points: Sequence[Point] = ()
    more: int = 0


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a diagram. `merged`: so many quiet floors in one row."""

    name: str
    patches: Sequence[Patch]
    merged: int = 0


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """One floor's plan, or one building's diagram. `alerts`, `severity`: of all in it."""

    key: str
    building: str
    name: str
    code: Code
    alerts: int
    severity: Severity | None
    trouble: bool
    plan: Plan | None = None
    patches: Sequence[Patch] = ()
    points: Sequence[Point] = ()
    floors: Sequence[Floor] = ()


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """One building to look at alone."""

    id: str
    name: str
    code: Code
    alerts: int


class PlanSection(msgspec.Struct, frozen=True, kw_only=True):
    """The map: tiles, the worst first; buildings in the order of the file."""

    tiles: Sequence[Tile]
    buildings: Sequence[Switch]
    counts: Mapping[Code, int]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the whole site at one moment, by id."""

    at: Instant
    latest: int
    places: Mapping[str, PlaceState]
    visits: Mapping[str, Sequence[Visit]]
    zones: Mapping[str, Zone]
    lamps: Mapping[str, Lamp]
    cameras: Mapping[str, Camera]
    alerts: Mapping[str, Sequence[Alert]]
    last: Mapping[str, Instant | None]


class ProtectionMap:
    """Looks at a gateway; listeners that ask at the same time, of the same events, share one look."""

    def __init__(self, gateway: GatewayPort) -> None:
        self._gateway = gateway
        self._look: Look | None = None
        self._drawn: dict[Language, tuple[Look, PlanSection]] = {}
        self._looking = asyncio.Lock()
        self._lamps_at: dict[str, list[str]] = {}
        self._cameras_at: dict[str, list[str]] = {}
        self._checkpoints_at: dict[str, list[str]] = {}
        self.buildings: dict[str, list[str]] = {}
        site = gateway.site
        for place in site.places:
            self.buildings.setdefault(building_of(place), []).append(place)
        for lamp in site.lamps.values():
            self._lamps_at.setdefault(lamp.place, []).append(lamp.id)
        for device in site.devices.values():
            if device.kind == "camera" and device.place is not None:
                self._cameras_at.setdefault(device.place, []).append(device.id)
        for checkpoint in site.checkpoints.values():
            self._checkpoints_at.setdefault(checkpoint.place, []).append(checkpoint.id)

    async def look(self) -> Look:
        """The site as it is now."""
        async with self._looking:
            now, latest = self._gateway.now(), self._gateway.events.latest
            old = self._look
            if old is None or old.latest != latest or not 0 <= now - old.at < _WALKED_FOR:
                self._look = await self._fresh(now, latest)
            assert self._look is not None
            return self._look

    async def section(self, language: Language) -> PlanSection:
        """The map in words of `language`."""
        look = await self.look()
        known = self._drawn.get(language)
        if known is None or known[0] is not look:
            known = (look, _Drawing(self._gateway.site, look, language, self).section())
            self._drawn[language] = known
        return known[1]

    def inside(self, place: str) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
        """The checkpoints, lamps and cameras of one place."""
        return (
            self._checkpoints_at.get(place, ()),
            self._lamps_at.get(place, ()),
            self._cameras_at.get(place, ()),
        )

    async def _fresh(self, now: Instant, latest: int) -> Look:
        gateway, site, engine = self._gateway, self._gateway.site, self._gateway.judgement.engine
        zones = {zone.id: zone for zone in engine.cameras.zones()}
        lamps = {lamp.id: lamp for lamp in engine.lighting.lamps()}
        cameras = {camera.id: camera for camera in engine.cameras.cameras()}
        visits: dict[str, list[Visit]] = {}
        for found in await rounds_between(gateway, *night_of(now, site)):
            for visit in as_round(found).visits:
                visits.setdefault(visit.checkpoint, []).append(visit)
        told = [alert for alert in gateway.judgement.alerts.alerts(active=True) if alert.suppressed is None]
        alerts: dict[str, list[Alert]] = {}
        for alert in told:
            for place in places_of(site, alert):
                alerts.setdefault(place, []).append(alert)
        walked, last = await _walked(gateway, visits)
        codes: dict[str, set[Code]] = {place: set() for place in site.places}
        for zone in zones.values():
            if (spec := site.zones.get(zone.id)) is not None:
                for place in _within(site, spec.place):
                    codes[place].add("watched" if zone.state == "covered" else zone.state)
        for lamp_id, lamp in lamps.items():
            if (where := site.lamps.get(lamp_id)) is not None and where.place in codes:
                codes[where.place].add(_light(lamp))
        for place, code in walked.items():
            codes[place].add(code)
        return Look(
            at=now,
            latest=latest,
            places={
                place: _state(place, found, alerts.get(place, ()), self._checkpoints_at, last)
                for place, found in codes.items()
            },
            visits={name: sorted(found, key=lambda visit: visit.opens) for name, found in visits.items()},
            zones=zones,
            lamps=lamps,
            cameras=cameras,
            alerts=alerts,
            last=last,
        )


def _state(
    place: str,
    found: set[Code],
    alerts: Sequence[Alert],
    checkpoints: Mapping[str, Sequence[str]],
    last: Mapping[str, Instant | None],
) -> PlaceState:
    known = [at for name in checkpoints.get(place, ()) if (at := last.get(name)) is not None]
    return PlaceState(
        id=place,
        codes=worst_first(found),
        alerts=len(alerts),
        severity=_worst(alert.severity for alert in alerts),
        last_walked=max(known, default=None),
    )


def worst_first(found: Iterable[Code]) -> tuple[Code, ...]:
    """Codes in the order of their weight; what is well is only said where nothing else is."""
    known = frozenset(found)
    codes = [code for code in CODES if code in known]
    grave = tuple(code for code in codes if code not in {"watched", "unmeasured"})
    return grave or (("watched",) if "watched" in codes else ("unmeasured",))


def places_of(site: Site, alert: Alert) -> Sequence[str]:
    """Where an alert belongs on the map: its place, or the places of what it is about; nowhere: a whole route, a link."""
    if alert.place is not None and alert.place in site.places:
        return (alert.place,)
    subject = alert.subject.partition("@")[0]
    found: Iterable[str | None] = ()
    if subject in site.circuits:
        found = (lamp.place for lamp in site.lamps.values() if lamp.circuit == subject)
    else:
        sections: tuple[Mapping[str, Any], ...] = (site.lamps, site.zones, site.checkpoints, site.devices)
        found = (section[subject].place for section in sections if subject in section)
    return sorted({place for place in found if place is not None and place in site.places})


def _light(lamp: Lamp) -> Code:
    """What a lamp says of its place: dark only while it should burn."""
    if lamp.state == "disabled":
        return "unmeasured"
    if lamp.expected_on is False:
        return "watched"
    return {"faulty": "dark", "unknown": "unknown"}.get(lamp.state, "watched")  # type: ignore[return-value]


async def _walked(
    gateway: GatewayPort, visits: Mapping[str, Sequence[Visit]]
) -> tuple[dict[str, Code], dict[str, Instant | None]]:
    """Of each place that is to be walked now whether it was too long since somebody was there; and each one's last tap.

    To be walked: a `max_gap` window has been open for as long as it allows, a compensating patrol is on, or rounds have come by for
    2 h and still do. Where nobody was to come, as by day or before the first round, nobody is missed.
    """
    engine, now = gateway.judgement.engine, gateway.judgement.now
    site = msgspec.structs.replace(gateway.site, zones={}, lamps={})
    found: list[Condition] = []
    for number, day in enumerate(walks.living(engine, now - longest_gap(site), now)):
        found.append(day)
        if number % _CHECKPOINTS_AT_ONCE == 0:
            await asyncio.sleep(0)
    known = walks.read(found)
    patrols = [
        Condition(now, now - SECOND, "patrol", checkpoint, str(limit), "")
        for checkpoint, limit in engine.compensation.limits().items()
    ]
    open_now = {
        window.checkpoint
        for window in plan_windows(site, now - DAY, now + SECOND)
        if (gap := site.checkpoints[window.checkpoint].max_gap) and window.start + gap.at_most <= now < window.end
    }
    long_ago = moment(now - UNWALKED_AFTER, site.zone_info)
    due = {
        name
        for name, each in visits.items()
        if any(visit.opens <= long_ago for visit in each)
        and any(visit.closes >= long_ago and visit.opens <= long_ago + _TWO_HOURS for visit in each)
    }
    asked = {
        site.checkpoints[name].place
        for name in open_now | due | set(engine.compensation.limits())
        if name in site.checkpoints
    }
    states: dict[str, Code] = {}
    for place in protection(site, Timeline(patrols, now - SECOND, now), known, 1):
        if place.place in asked and (aspect := place.unwalked) is not None:
            late: Code = "unwalked" if aspect.total_min else "unknown" if aspect.unknown_total_min else "watched"
            states[place.place] = late
    return states, {name: (walk.taps[-1] if walk.taps else None) for name, walk in known.items()}


def _within(site: Site, place: str) -> list[str]:
    """A place and all that lies in it."""
    return [other for other in site.places if other == place or other.startswith(f"{place}/")]


def _worst(severities: Iterable[Severity]) -> Severity | None:
    found = set(severities)
    return next((severity for severity in SEVERITIES if severity in found), None)


class _Drawing:
    """One look as tiles."""

    def __init__(self, site: Site, look: Look, language: Language, seen: ProtectionMap) -> None:
        self.site = site
        self.look = look
        self.language = language
        self.seen = seen

    def section(self) -> PlanSection:
        tiles = [self._plan_tile(plan) for plan in self.site.plans.values()]
        drawn = {shape.id for plan in self.site.plans.values() for shape in plan.shapes if shape.kind == "place"}
        drawn |= set(self.site.plans)
        for building, places in self.seen.buildings.items():
            if any(self._alone(place, drawn) for place in places):
                tiles.append(self._diagram_tile(building, places))
        order = {building: number for number, building in enumerate(self.seen.buildings)}
        tiles.sort(
            key=lambda tile: (
                not tile.trouble,
                _rank(tile.severity),
                CODES.index(tile.code),
                order.get(tile.building, 0),
                tile.plan is None,
                tile.key,
            )
        )
        switches = []
        for building, places in self.seen.buildings.items():
            merged = merge(building, [self.look.places[place] for place in places])
            switches.append(
                Switch(
                    id=building,
                    name=place_name(self.site, building) or building,
                    code=merged.code,
                    alerts=merged.alerts,
                )
            )
        counts: dict[Code, int] = {}
        for state in self.look.places.values():
            counts[state.code] = counts.get(state.code, 0) + 1
        return PlanSection(tiles=tiles, buildings=switches, counts=counts)

    def _alone(self, place: str, drawn: set[str]) -> bool:
        """Whether a place that something can be told of is drawn on no plan."""
        return place not in drawn and self._measured(place)

    def _measured(self, place: str) -> bool:
        return self.look.places[place].code != "unmeasured" or any(self.seen.inside(place))

    # ---- plans

    def _plan_tile(self, plan: Plan) -> Tile:
        drawn = [shape for shape in plan.shapes if shape.kind == "place"]
        patches = [self._outlined(shape, {other.id for other in drawn}) for shape in drawn]
        points = [
            self._point(shape.kind, shape.id, *shape.points[0])
            for shape in plan.shapes
            if shape.kind != "place" and shape.points
        ]
        states = [patch.state for patch in patches]
        inside = [self.look.places[place] for place in _within(self.site, plan.place)]
        merged = merge(plan.place, [*states, *inside])
        return Tile(
            key=f"plan {plan.place}",
            building=building_of(plan.place),
            name=place_name(self.site, plan.place),
            code=merged.code,
            alerts=merged.alerts,
            severity=merged.severity,
            trouble=merged.code in TROUBLE or merged.alerts > 0,
            plan=plan,
            patches=patches,
            points=points,
        )

    def _outlined(self, shape: Shape, drawn: set[str]) -> Patch:
        """A place on a plan, with all in it that the plan does not draw apart."""
        apart = [other for other in drawn if other.startswith(f"{shape.id}/")]
        inside = [
            self.look.places[place]
            for place in _within(self.site, shape.id)
            if not any(place == other or place.startswith(f"{other}/") for other in apart)
        ]
        x = sum(point[0] for point in shape.points) / len(shape.points)
        y = sum(point[1] for point in shape.points) / len(shape.points)
        outline = " ".join(f"{a:g},{b:g}" for a, b in shape.points) if len(shape.points) > 1 else ""
        name = self.site.places[shape.id].name
        return self._patch(merge(shape.id, inside), name=name, x=x, y=y, outline=outline)

    # ---- diagrams

    def _diagram_tile(self, building: str, places: Sequence[str]) -> Tile:
        by_floor: dict[str, list[str]] = {}
        for place in places:
            if self._measured(place):
                by_floor.setdefault("/".join(place.split("/")[:2]), []).append(place)
        order = {floor: number for number, floor in enumerate(by_floor)}
        floors = sorted(by_floor, key=lambda floor: (-level(floor), order[floor]))
        rows = [self._floor(building, floor, by_floor[floor]) for floor in floors]
        merged = merge(building, [self.look.places[place] for place in places])
        return Tile(
            key=f"building {building}",
            building=building,
            name=place_name(self.site, building) or building,
            code=merged.code,
            alerts=merged.alerts,
            severity=merged.severity,
            trouble=merged.code in TROUBLE or merged.alerts > 0,
            floors=self._short(rows),
        )

    def _floor(self, building: str, floor: str, places: Sequence[str]) -> Floor:
        drawn = sorted(places, key=lambda place: (_weight(self.look.places[place]), place))[:_BOXES_DRAWN]
        kept = [place for place in places if place in drawn]
        width = 100 / len(kept)
        patches = []
        for number, place in enumerate(kept):
            points = self._points(place)
            patches.append(
                self._patch(
                    self.look.places[place],
                    x=round(number * width, 2),
                    y=0,
                    width=round(width, 2),
                    name=self._short_name(building, place),
                    points=points[:_POINTS_DRAWN],
                    more=max(0, len(points) - _POINTS_DRAWN),
                )
            )
        return Floor(name=self._short_name(building, floor), patches=patches)

    def _short(self, rows: Sequence[Floor]) -> Sequence[Floor]:
        """All rows where they are few; else quiet ones that follow each other as one."""
        if len(rows) <= _ROWS_DRAWN:
            return rows
        found: list[Floor] = []
        run: list[Floor] = []
        for row in [*rows, None]:
            quiet = row is not None and all(_weight(patch.state) >= CODES.index("watched") for patch in row.patches)
            if row is not None and quiet:
                run.append(row)
                continue
            if len(run) > 1:
                name = f"{run[-1].name} – {run[0].name}"
                found.append(Floor(name=name, patches=[], merged=len(run)))
            else:
                found += run
            run = []
            if row is not None:
                found.append(row)
        return found

    def _points(self, place: str) -> list[Point]:
        """What is in a place, what is not well first."""
        checkpoints, lamps, cameras = self.seen.inside(place)
        named: list[tuple[Kind, str]] = [
            *(("checkpoint", each) for each in checkpoints),
            *(("camera", each) for each in cameras),
            *(("lamp", each) for each in lamps),
        ]
        found = [self._point(kind, name) for kind, name in named]
        return sorted(found, key=lambda point: not point.bad)

    # ---- parts

    def _patch(self, state: PlaceState, *, name: str | None = None, **more: Any) -> Patch:
        name = name or place_name(self.site, state.id)
        words = [word(self.language, "protection", code) for code in state.codes]
        if state.alerts:
            words.append(say(self.language, "plan.alerts", count=state.alerts))
        comma = say(self.language, "list.comma")
        return Patch(
            state=state,
            name=name,
            says=say(self.language, "plan.says", name=place_name(self.site, state.id), state=comma.join(words)),
            href=f"/places/{state.id}",
            **more,
        )

    def _point(self, kind: Any, name: str, x: float = 0, y: float = 0) -> Point:
        match kind:
            case "checkpoint":
                visits = [each for each in self.look.visits.get(name, ()) if verdict_code(each) != "pending"]
                code = verdict_code(visits[-1]) if visits else "pending"
                called, group = checkpoint_name(self.site, name), "verdict"
                place = self.site.checkpoints[name].place
                href, bad = f"/places/{place}", code in {"missed", "late", "early"}
            case "lamp":
                lamp = self.look.lamps.get(name)
                code = "unknown" if lamp is None else lamp.state
                called, group, href, bad = name, "lamp", f"/lights/{name}", code in {"faulty", "unknown"}
            case _:
                camera = self.look.cameras.get(name)
                code = "unknown" if camera is None else camera.state
                called, group, href = name, "camera", f"/cameras/{name}"
                bad = code not in {"ok", "disabled"}
        says = f"{called} · {word(self.language, group, code)}"
        return Point(kind=kind, id=name, code=code, says=says, href=href, bad=bad, x=x, y=y)

    def _short_name(self, building: str, place: str) -> str:
        """A place without the building's name before it."""
        name = place_name(self.site, place)
        return name.removeprefix(place_name(self.site, building)).strip() or name


def merge(place: str, states: Sequence[PlaceState]) -> PlaceState:
    """Several places as one: as bad as the worst; an alert that stands at several of them counts once a place."""
    return PlaceState(
        id=place,
        codes=worst_first(code for state in states for code in state.codes),
        alerts=sum(state.alerts for state in {state.id: state for state in states}.values()),
        severity=_worst(state.severity for state in states if state.severity is not None),
        last_walked=max((state.last_walked for state in states if state.last_walked is not None), default=None),
    )


def level(floor: str) -> float:
    """How high a floor lies, by its id: `roof` above all, `f12` 12, `lobby` the ground, `b2` below it; others at the ground."""
    own = floor.partition("/")[2]
    if not own:
        return 0.25
    if _ABOVE.search(own):
        return 1000
    if (below := _BASEMENT.match(own)) is not None:
        return -float(below[1])
    if (number := _NUMBER.search(own)) is not None:
        return float(number[1])
    return 0.5 if _GROUND.search(own) else 0


def _weight(state: PlaceState) -> int:
    return -1 if state.alerts else CODES.index(state.code)


def _rank(severity: Severity | None) -> int:
    return len(SEVERITIES) if severity is None else SEVERITIES.index(severity)


class ZoneLine(NamedTuple):
    zone: Zone
    name: str


class VisitLine(NamedTuple):
    visit: Visit
    code: str


class CheckpointLine(NamedTuple):
    """A checkpoint on a place's page: its last tap, how long that may be ago now, and tonight's visits."""

    id: str
    name: str
    last: datetime | None
    limit_min: int | None
    visits: Sequence[VisitLine]


class PlacePage(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one place now."""

    id: str
    name: str
    key: bool
    state: PlaceState
    parts: Sequence[tuple[str, PlaceState]]
    zones: Sequence[ZoneLine]
    lamps: Sequence[Lamp]
    cameras: Sequence[Camera]
    checkpoints: Sequence[CheckpointLine]
    alerts: Sequence[Alert]


def place_page(gateway: GatewayPort, seen: ProtectionMap, look: Look, place: str) -> PlacePage:
    """One place, with what lies directly in it."""
    site, zone = gateway.site, gateway.site.zone_info
    inside = _within(site, place)
    limits = gateway.judgement.engine.compensation.limits()
    checkpoints, lamps, cameras = seen.inside(place)
    lines = []
    for name in checkpoints:
        spec, last = site.checkpoints[name], look.last.get(name)
        limit = limits.get(name) or (spec.max_gap.at_most if spec.max_gap else UNWALKED_AFTER)
        lines.append(
            CheckpointLine(
                id=name,
                name=checkpoint_name(site, name),
                last=None if last is None else moment(last, zone),
                limit_min=limit // (60 * SECOND),
                visits=[VisitLine(visit, verdict_code(visit)) for visit in look.visits.get(name, ())],
            )
        )
    alerts = {alert.id: alert for other in inside for alert in look.alerts.get(other, ())}
    return PlacePage(
        id=place,
        name=place_name(site, place),
        key=site.places[place].key,
        state=merge(place, [look.places[other] for other in inside]),
        parts=[(place_name(site, other), look.places[other]) for other in inside if other != place],
        zones=[
            ZoneLine(found, place_name(site, spec.place))
            for spec in site.zones.values()
            if (spec.place in inside or place.startswith(f"{spec.place}/"))
            and (found := look.zones.get(spec.id)) is not None
        ],
        lamps=[look.lamps[name] for name in lamps if name in look.lamps],
        cameras=[look.cameras[name] for name in cameras if name in look.cameras],
        checkpoints=lines,
        alerts=sorted(alerts.values(), key=lambda alert: (SEVERITIES.index(alert.severity), alert.id)),
    )
