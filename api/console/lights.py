"""The pages of lights: all by building and floor, each circuit, one lamp with what it is judged by; and the intact rate by day."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response
from markupsafe import Markup

from api.access.door import needs
from api.answers import tagged
from api.console import room
from api.console.charts import Bar, Caption, Level, Line, Part, Row, Stretch, Tone, bar_chart, line_chart
from api.console.frame import Frame
from api.console.languages import Language, chosen, say, word
from api.console.names import building_of, place_name
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.work_orders import book_of
from gateway.explain.circuits import explain_circuit
from gateway.explain.explanation import Explanation, Item
from gateway.explain.lamps import explain_lamp
from gateway.figures.duty import Duties
from gateway.figures.history import REACH
from gateway.figures.lamps import TARGETS, LampRate, lamp_rates
from gateway.figures.timeline import Timeline
from gateway.instants import DAY, MINUTE, Duration, Instant, instant, moment
from gateway.journal.rows import Condition
from gateway.rules.findings import Circuit, DeviceState, Lamp
from gateway.site import model

Show = Literal["all", "faulty", "unknown", "unproven"]
Span = Literal["day", "week"]

_SPANS: Mapping[Span, tuple[Duration, int]] = {"day": (DAY, 288), "week": (7 * DAY, 336)}
"""How long a chart reaches back, and in how many points at most."""
_DAYLIGHT = 15
"""A chart of light ends at so many times the threshold: where the sun shines in, a lamp's light would be a flat line."""
_DAYS = 14
_EXPLAINED = 100
"""Of so many lamps of a list it is said in a sentence why; of more only in a word."""
_CELLS = 60
_FLOORS = 12
_ROWS = 400
_TO_SEE = frozenset({"faulty", "unknown", "disabled"})
ROWS_A_BUILDING = 5
"""On the page of all lamps so many of a building have a row; whatever is faulty has one beside them."""
_RATE_KEPT: Duration = 5 * MINUTE
_UNPROVEN = frozenset({"no_proof", "never_heard"})

_TONES: Mapping[str, Tone] = {
    "ok": "lamp",
    "off_duty": "off",
    "faulty": "bad",
    "unknown": "unknown",
    "disabled": "none",
    "absent": "none",
}


class LampRow(msgspec.Struct, frozen=True, kw_only=True):
    """One lamp in a list. `why`: a sentence; `proved_by`: the devices that can prove something about it."""

    lamp: Lamp
    place: str
    circuit: str | None
    why: str | None


class FloorRows(msgspec.Struct, frozen=True, kw_only=True):
    """The lamps of one place: all as cells, those to be looked at as rows. `more`: so many cells are left out."""

    place: str
    name: str
    cells: Sequence[Lamp]
    rows: Sequence[LampRow]
    more: int


class BuildingRows(msgspec.Struct, frozen=True, kw_only=True):
    """`more`: so many lamps that are to be looked at have no row here."""

    id: str
    name: str
    counts: Mapping[str, int]
    floors: Sequence[FloorRows]
    more: int


class CircuitRow(msgspec.Struct, frozen=True, kw_only=True):
    circuit: Circuit
    panel: str | None
    counts: Mapping[str, int]


class LightsPage(msgspec.Struct, frozen=True, kw_only=True):
    """What `/lights` shows."""

    show: Show
    counts: Mapping[Show, int]
    states: Mapping[str, int]
    buildings: Sequence[BuildingRows]
    circuits: Sequence[CircuitRow]
    circuit: CircuitRow | None
    why: str | None
    rows: Sequence[LampRow]
    more: int


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A device that proves something about a lamp. `rank`: power, lux or word."""

    device: str
    rank: str
    usable: bool
    why: str | None
    heard: datetime | None
    state: DeviceState | None


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/lights`, `/lights/ID` and the chart of the intact rate."""
    site = gateway.site
    rates = _Rates(gateway)

    @app.get("/lights", include_in_schema=False, dependencies=[needs("estate")])
    async def read_lights(
        request: Request,
        show: Show = "all",
        circuit: Annotated[str | None, Query(max_length=100)] = None,
        building: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Response:
        if circuit is not None and circuit not in site.circuits:
            raise Denied(404, f"There is no circuit {circuit!r}.")
        page = lights_page(gateway, chosen(request, site.language), show, circuit, building)
        return frame.respond(request, "lights_page.html", inner="lights.html", page=page, building=building)

    @app.get("/charts/lights", include_in_schema=False, dependencies=[needs("estate")])
    async def read_intact(request: Request) -> Response:
        """The chart alone: a page fetches it after itself, since it reckons a fortnight."""
        language = chosen(request, site.language)
        drawn = _intact_chart(await rates.days(), language)
        return tagged(request, str(drawn).encode(), "text/html; charset=utf-8")

    @app.get("/lights/{key:path}", include_in_schema=False, dependencies=[needs("estate")])
    async def read_lamp(request: Request, key: str, span: Span = "day") -> Response:
        spec, lamp = site.lamps.get(key), gateway.judgement.engine.lighting.lamp(key)
        if spec is None or lamp is None:
            raise Denied(404, f"There is no lamp {key!r}.")
        language = chosen(request, site.language)
        found = explain_lamp(gateway.judgement, key, gateway.now())
        device = site.devices.get(key)
        alerts = [alert for alert in gateway.judgement.alerts.alerts() if alert.subject in {key, spec.circuit}]
        alerts.sort(key=lambda alert: alert.raised, reverse=True)
        orders = [
            order
            for order in [*book_of(gateway).orders(), *book_of(gateway).recent()]
            if order.subject in {key, spec.circuit} and order.subject is not None
        ]
        values: dict[str, Any] = {
            "lamp": lamp,
            "spec": spec,
            "place": place_name(site, spec.place),
            "why": None if found is None else _sentence(found, language),
            "rule": None if found is None else found.rule,
            "evidence": [] if found is None else [(item, value_of(item, language)) for item in found.evidence[-40:]],
            "sources": _sources(gateway, found),
            "device": None if device is None else gateway.judgement.engine.devices.device(key),
            "alerts": [room.alert_row(site, alert, language) for alert in alerts[:10]],
            "orders": list({order.id: order for order in orders}.values())[:10],
            "span": span,
            "charts": await _charts(gateway, spec, language, span),
        }
        if "panel" in request.query_params:
            return frame.respond(request, "lamp.html", **values)
        return frame.respond(request, "lights_page.html", inner="lamp.html", **values)


def lights_page(
    gateway: GatewayPort, language: Language, show: Show, circuit: str | None, building: str | None
) -> LightsPage:
    """All lamps, or those of a circuit or building, with what is to be looked at in a row of its own."""
    site, lighting = gateway.site, gateway.judgement.engine.lighting
    lamps = [lamp for lamp in lighting.lamps() if lamp.id in site.lamps]
    wanted = [
        lamp
        for lamp in lamps
        if (circuit is None or site.lamps[lamp.id].circuit == circuit)
        and (building is None or building_of(site.lamps[lamp.id].place) == building)
    ]
    shown = [lamp for lamp in wanted if is_shown(lamp, show)]
    explained = 0

    def row(lamp: Lamp) -> LampRow:
        nonlocal explained
        why = None
        if lamp.state in {"faulty", "unknown"} and explained < _EXPLAINED:
            explained += 1
            found = explain_lamp(gateway.judgement, lamp.id, gateway.now())
            why = None if found is None else _sentence(found, language)
        spec = site.lamps[lamp.id]
        return LampRow(lamp=lamp, place=place_name(site, spec.place), circuit=spec.circuit, why=why)

    listed = circuit is not None or show != "all"
    rows = [row(lamp) for lamp in sorted(shown, key=_order(site))[:_ROWS]] if listed else []
    circuits = _circuits(site, lighting.circuits(), lamps)
    chosen_circuit = next((each for each in circuits if each.circuit.id == circuit), None)
    why = None
    if circuit is not None and (found := explain_circuit(gateway.judgement, circuit, gateway.now())) is not None:
        why = _sentence(found, language)
    return LightsPage(
        show=show,
        counts={
            each: sum(is_shown(lamp, each) for lamp in wanted) for each in ("all", "faulty", "unknown", "unproven")
        },
        states=Counter(lamp.state for lamp in wanted),
        buildings=[] if listed else _buildings(site, shown, row, short=len(shown) > _ROWS, whole=building is not None),
        circuits=[each for each in circuits if circuit is None and (building is None or _feeds(site, each, building))],
        circuit=chosen_circuit,
        why=why,
        rows=rows,
        more=max(0, len(shown) - _ROWS) if listed else 0,
    )


def is_shown(lamp: Lamp, show: Show) -> bool:
    """Whether a filter lets a lamp through. Not proven: nothing proves anything of it, or its fault cannot be verified now."""
    match show:
        case "all":
            return True
        case "faulty" | "unknown":
            return lamp.state == show
        case "unproven":
            return lamp.unverified or (lamp.state == "unknown" and lamp.cause in _UNPROVEN)


def _order(site: model.Site) -> Any:
    order = ("faulty", "unknown", "disabled", "ok", "off_duty")
    return lambda lamp: (order.index(lamp.state), site.lamps[lamp.id].place, lamp.id)


def _buildings(site: model.Site, lamps: Sequence[Lamp], row: Any, *, short: bool, whole: bool) -> list[BuildingRows]:
    """Lamps by building and floor, those to be looked at in rows.

    Args:
        short: only those to be looked at, and of a building at most so many floors.
        whole: all of those to be looked at, not the faulty and a few others.
    """
    by_place: dict[str, list[Lamp]] = {}
    for lamp in lamps:
        by_place.setdefault(site.lamps[lamp.id].place, []).append(lamp)
    order = {place: number for number, place in enumerate(site.places)}
    buildings: dict[str, list[str]] = {}
    for place in sorted(by_place, key=lambda place: order.get(place, len(order))):
        buildings.setdefault(building_of(place), []).append(place)
    found = []
    for building, places in buildings.items():
        called = place_name(site, building)
        to_see = [lamp for place in places for lamp in by_place[place] if lamp.state in _TO_SEE]
        to_see.sort(key=_order(site))
        faulty = sum(lamp.state == "faulty" for lamp in to_see)
        in_rows = {lamp.id for lamp in (to_see if whole else to_see[: max(faulty, ROWS_A_BUILDING)])}
        floors: list[FloorRows] = []
        for place in places:
            here = sorted(by_place[place], key=lambda lamp: lamp.id)
            bad = [lamp for lamp in here if lamp.id in in_rows]
            if short and (not bad or len(floors) == _FLOORS):
                continue
            name = place_name(site, place)
            floors.append(
                FloorRows(
                    place=place,
                    name=name.removeprefix(called).strip() or name,
                    cells=[] if short else here[:_CELLS],
                    rows=[row(lamp) for lamp in bad[:_CELLS]],
                    more=max(0, len(here) - _CELLS) if not short else 0,
                )
            )
        counts: Counter[str] = Counter(lamp.state for place in places for lamp in by_place[place])
        more = len(to_see) - len(in_rows)
        found.append(BuildingRows(id=building, name=called or building, counts=counts, floors=floors, more=more))
    return found


def _circuits(site: model.Site, circuits: Sequence[Circuit], lamps: Sequence[Lamp]) -> list[CircuitRow]:
    fed: dict[str, Counter[str]] = {}
    for lamp in lamps:
        if (name := site.lamps[lamp.id].circuit) is not None:
            fed.setdefault(name, Counter())[lamp.state] += 1
    order = ("faulty", "unknown", "ok")
    return [
        CircuitRow(circuit=circuit, panel=site.circuits[circuit.id].panel, counts=fed.get(circuit.id, Counter()))
        for circuit in sorted(circuits, key=lambda circuit: (order.index(circuit.state), circuit.id))
        if circuit.id in site.circuits
    ]


def _feeds(site: model.Site, row: CircuitRow, building: str) -> bool:
    return any(lamp.circuit == row.circuit.id and building_of(lamp.place) == building for lamp in site.lamps.values())


def _sentence(found: Explanation, language: Language) -> str:
    return found.sentence.zh if language == "zh_CN" else found.sentence.en


def value_of(item: Item, language: Language) -> str:
    """What a piece of evidence said, with its unit."""
    said = []
    for key, value in item.value.items():
        match key, value:
            case (("lux" | "step_lux"), float() | int()):
                said.append(f"{value:g} lx")
            case "watts", float() | int():
                said.append(f"{value:g} W")
            case (("lit" | "on"), bool()):
                said.append(say(language, "lamp.lit" if value else "lamp.unlit"))
            case "fault", str():
                said.append(word(language, "fault", value))
            case "count", int():
                said.append(f"×{value}")
            case _:
                pass
    return " · ".join(dict.fromkeys(said))


def _sources(gateway: GatewayPort, found: Explanation | None) -> list[SourceRow]:
    """What can prove something about a lamp, and whether it does now."""
    rows = []
    for source in found.expected.get("sources", []) if found is not None else []:
        rows.append(
            SourceRow(
                device=source["device"],
                rank=source["rank"],
                usable=source["usable"],
                why=source.get("why"),
                heard=source.get("heard"),
                state=gateway.judgement.engine.devices.device(source["device"]),
            )
        )
    return rows


# ---- charts


async def _charts(gateway: GatewayPort, spec: model.Lamp, language: Language, span: Span) -> list[Markup]:
    """What sensors and meters measured, against what lit means, above what was judged and what was expected."""
    until = gateway.judgement.now
    length, most = _SPANS[span]
    since = until - length
    strips = await _strips(gateway, spec, language, since, until)
    asked: list[tuple[str, str, str | None, str, float, str]] = [
        (device, "lux", None, "lx", spec.lit_lux, say(language, "lamp.lux", device=device)) for device in spec.seen_by
    ]
    if spec.fed_by is not None:
        device, channel = spec.fed_by
        name = None if channel is None else str(channel)
        asked.append((device, "watts", name, "W", spec.lit_watts, say(language, "lamp.power", device=device)))
    drawn = []
    for device, quantity, channel, unit, limit, title in asked:
        samples = await gateway.samples(device, quantity, since, until, max_points=most, channel=channel)
        if samples is None:
            continue
        spec_of = gateway.site.devices.get(device)
        every = (spec_of.expect_every if spec_of else None) or 10 * MINUTE
        points: list[tuple[Instant, float | None]] = []
        for before, sample in pairwise([None, *samples]):
            assert sample is not None
            if before is not None and sample.at - before.at > max(3 * every, 15 * MINUTE) + length // most:
                points.append((before.at + 1, None))
            points.append((sample.at, round(sample.mean, 1)))
        begin, end = (moment(at, gateway.site.zone_info) for at in (since, until))
        caption = Caption(
            title=title,
            says=say(
                language,
                "lamp.chart_says",
                since=f"{begin:%m-%d %H:%M}",
                until=f"{end:%m-%d %H:%M}",
                count=len(samples),
                least=f"{min((each.least for each in samples), default=0):g}",
                most=f"{max((each.greatest for each in samples), default=0):g}",
                unit=unit,
            ),
            table=say(language, "chart.table"),
            head=[say(language, "chart.time"), unit],
        )
        drawn.append(
            line_chart(
                caption,
                [Line(title, "lamp", points)],
                begin=since,
                end=until,
                zone=gateway.site.zone_info,
                unit=unit,
                most=limit * _DAYLIGHT if quantity == "lux" else None,
                levels=[Level(limit, say(language, "lamp.level", limit=f"{limit:g} {unit}"))],
                strips=strips,
            )
        )
    return drawn


async def _strips(
    gateway: GatewayPort, spec: model.Lamp, language: Language, since: Instant, until: Instant
) -> list[Row]:
    """Two strips: as what the lamp was judged, and when it was expected on."""
    own = await conditions_of(gateway, [("lamp", spec.id), ("seat", spec.id), ("duty", spec.id)], since, until)
    zone = gateway.site.zone_info

    def spoken(begin: Instant, end: Instant, what: str) -> str:
        return f"{what} {moment(begin, zone):%m-%d %H:%M} – {moment(end, zone):%m-%d %H:%M}"

    timeline = Timeline(own, since, until)
    judged = [
        Stretch(
            piece.start,
            piece.end,
            _TONES.get(piece.state, "none"),
            spoken(piece.start, piece.end, word(language, "lamp", piece.state)),
        )
        for piece in timeline.pieces("lamp", spec.id)
    ]
    due = [
        Stretch(begin, end, "info", spoken(begin, end, say(language, "lamp.expected")))
        for service in Duties(gateway.site, timeline).of(spec.id)
        for begin, end in service.due
    ]
    return [Row(say(language, "lamp.judged"), judged), Row(say(language, "lamp.expected"), due)]


_OF_ONE = """SELECT found, since, kind, id, state, detail FROM (
SELECT * FROM (SELECT * FROM condition WHERE kind = ?1 AND id = ?2 AND found <= ?3 ORDER BY found DESC, seq DESC LIMIT 1)
UNION ALL
SELECT * FROM (SELECT * FROM condition WHERE kind = ?1 AND id = ?2 AND found > ?3 AND found <= ?4 AND since < ?5 ORDER BY found, seq LIMIT ?6)
) ORDER BY seq"""
"""A subject's last row found by an instant, and those found later, by the index on (kind, id, found)."""
_MOST_CONDITIONS = 20_000
_EVER: Instant = -(1 << 62)


async def conditions_of(
    gateway: GatewayPort, subjects: Sequence[tuple[str, str]], since: Instant, until: Instant
) -> list[Condition]:
    """What a few subjects (kind, id) were in [since, until), with the gateway's own stops; the cost is that of their own rows."""
    found: list[Condition] = []
    for kind, subject, begin in [("gateway", "", _EVER), *((kind, subject, since) for kind, subject in subjects)]:
        rows = await gateway.query(_OF_ONE, (kind, subject, begin, until + REACH, until, _MOST_CONDITIONS))
        found += [Condition(*row) for row in rows]
    return found


class _Rates:
    """The intact rate of the site by day; reckoned at most once in 5 min, since it reads a fortnight."""

    def __init__(self, gateway: GatewayPort) -> None:
        self._gateway = gateway
        self._kept: tuple[Instant, list[tuple[datetime, LampRate | None]]] | None = None
        self._reckoning = asyncio.Lock()

    async def days(self) -> list[tuple[datetime, LampRate | None]]:
        """The last 14 local days, today's so far; None: nothing is recorded of a day."""
        async with self._reckoning:
            now = self._gateway.judgement.now
            if self._kept is None or not 0 <= now - self._kept[0] < _RATE_KEPT:
                self._kept = (now, await self._reckon(now))
            return self._kept[1]

    async def _reckon(self, now: Instant) -> list[tuple[datetime, LampRate | None]]:
        site = self._gateway.site
        today = moment(now, site.zone_info).replace(hour=0, minute=0, second=0, microsecond=0)
        days = [today - timedelta(days=number) for number in range(_DAYS - 1, -1, -1)]
        kinds = ("gateway", "lamp", "seat", "duty")
        rows = await self._gateway.archive.conditions(kinds, instant(days[0]), now)
        if rows is None:
            return [(day, None) for day in days]

        def reckon(rows: Sequence[Condition]) -> list[tuple[datetime, LampRate | None]]:
            found: list[tuple[datetime, LampRate | None]] = []
            for day in days:
                begin, end = instant(day), min(instant(day + timedelta(days=1)), now)
                rates = lamp_rates(site, Timeline(rows, begin, end), "site") if end > begin else []
                found.append((day, rates[0] if rates else None))
            return found

        return await asyncio.to_thread(reckon, rows)


def _intact_chart(days: Sequence[tuple[datetime, LampRate | None]], language: Language) -> Markup:
    """Percent by day, against the targets of the service levels."""
    bars = []
    for day, rate in days:
        if rate is None or rate.rate is None:
            bars.append(Bar(f"{day:%m-%d}", (), says=say(language, "lights.rate_unknown")))
            continue
        percent = 100 * rate.rate
        tone: Tone = "ok" if rate.level == 1 else "warn" if rate.level is not None else "bad"
        unknown = 100 * (rate.unknown_share or 0)
        bars.append(
            Bar(
                f"{day:%m-%d}",
                (Part(percent, tone, say(language, "lights.rate")),),
                says=say(language, "lights.rate_says", rate=f"{percent:.1f}", unknown=f"{unknown:.1f}"),
            )
        )
    known = [rate.rate for _, rate in days if rate is not None and rate.rate is not None]
    caption = Caption(
        title=say(language, "lights.rate_title", days=_DAYS),
        says=say(
            language,
            "lights.rate_chart",
            least=f"{100 * min(known, default=0):.1f}",
            days=len(known),
        ),
        table=say(language, "chart.table"),
        head=[say(language, "chart.day"), say(language, "lights.rate")],
    )
    levels = [
        Level(100 * target, say(language, "lights.level", level=number, percent=f"{100 * target:g}"))
        for number, target in enumerate(TARGETS, 1)
    ]
    return bar_chart(caption, bars, unit="%", most=100, levels=levels)
