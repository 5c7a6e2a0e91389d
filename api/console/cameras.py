"""The pages of cameras: all by zone with what proves them alive, one camera with its parents and outages, zones by night."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response
from markupsafe import Markup

from api.access.door import needs
from api.answers import tagged
from api.console import room
from api.console.charts import Bar, Caption, Cell, HeatRow, Part, Row, Stretch, Tone, band_chart, bar_chart, heat_map
from api.console.frame import Frame
from api.console.languages import Language, chosen, say, word
from api.console.lights import conditions_of, value_of
from api.console.names import place_name
from api.console.timeline import night_of
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.work_orders import book_of
from gateway.explain.cameras import explain_camera, explain_zone
from gateway.explain.explanation import Explanation
from gateway.figures.coverage import ZoneMinutes, zone_minutes
from gateway.figures.stretches import minus
from gateway.figures.timeline import Timeline
from gateway.instants import DAY, MINUTE, Duration, Instant, instant, moment
from gateway.journal.rows import Condition
from gateway.rules.findings import Camera, Zone
from gateway.site.model import Site

Level = Literal["reachable", "service", "picture", "recording"]
Proof = Literal["yes", "no", "unproven", "unreported"]

NIGHTS = 14
_OUTAGES_FOR: Duration = 30 * DAY
_OUTAGES_SHOWN = 100
_CHARTS = 12
"""Zones that have a chart of their own; of more a map of all is drawn."""
_KEPT: Duration = 5 * MINUTE
_NO_PICTURE = frozenset({"loss", "blind", "frozen", "moved"})

_TONES: Mapping[str, Tone] = {
    "seeing": "ok",
    "covered": "ok",
    "lost": "bad",
    "blind": "bad",
    "degraded": "warn",
    "unknown": "unknown",
    "disabled": "off",
    "absent": "none",
}


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """One level of proof of a camera: whether it stands now, and when it was last given."""

    level: Level
    proof: Proof
    at: datetime | None = None
    by: str | None = None
    """The impairment that speaks against it."""


class CameraRow(msgspec.Struct, frozen=True, kw_only=True):
    camera: Camera
    place: str
    levels: Sequence[Proven]


class ZoneRows(msgspec.Struct, frozen=True, kw_only=True):
    """One zone with its cameras; None: cameras of no zone."""

    zone: Zone | None
    name: str
    key: bool
    why: str | None
    cameras: Sequence[CameraRow]


class Above(msgspec.Struct, frozen=True, kw_only=True):
    """Something a camera hangs on. `depth`: 0 directly; `state` None: it cannot speak (a panel, a switch)."""

    id: str
    how: Literal["behind", "network", "power"]
    depth: int
    state: str | None
    cause: str | None
    down: bool


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """One time in which a camera saw nothing; `end` None: it goes on."""

    camera: str
    begin: datetime
    end: datetime | None
    minutes: float
    why: str


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/cameras`, `/cameras/ID` and the charts of zones and outages."""
    site = gateway.site
    kept = _Kept(gateway)

    @app.get("/cameras", include_in_schema=False, dependencies=[needs("estate")])
    async def read_cameras(request: Request) -> Response:
        language = chosen(request, site.language)
        zones = zones_with_cameras(gateway, language)
        counts: dict[str, int] = {}
        for camera in gateway.judgement.engine.cameras.cameras():
            counts[camera.state] = counts.get(camera.state, 0) + 1
        return frame.respond(request, "cameras_page.html", inner="cameras.html", zones=zones, counts=counts)

    @app.get("/charts/zones", include_in_schema=False, dependencies=[needs("estate")])
    async def read_zone_nights(request: Request) -> Response:
        """The charts alone: the page fetches them after itself, since they reckon a fortnight."""
        drawn = _zone_charts(site, await kept.nights(), chosen(request, site.language))
        return tagged(request, str(drawn).encode(), "text/html; charset=utf-8")

    @app.get("/charts/outages", include_in_schema=False, dependencies=[needs("estate")])
    async def read_outages(request: Request) -> Response:
        """The list of the last fortnight's outages alone."""
        found = await kept.outages()
        html = frame.render(request, "cameras_outages.html", outages=found[:_OUTAGES_SHOWN], count=len(found))
        return tagged(request, html.encode(), "text/html; charset=utf-8")

    @app.get("/cameras/{key:path}", include_in_schema=False, dependencies=[needs("estate")])
    async def read_camera(request: Request, key: str) -> Response:
        camera, device = gateway.judgement.engine.cameras.camera(key), site.devices.get(key)
        if camera is None or device is None:
            raise Denied(404, f"There is no camera {key!r}.")
        language = chosen(request, site.language)
        found = explain_camera(gateway.judgement, key, gateway.now())
        alerts = [alert for alert in gateway.judgement.alerts.alerts() if alert.subject == key]
        alerts.sort(key=lambda alert: alert.raised, reverse=True)
        zones = {zone.id: zone for zone in gateway.judgement.engine.cameras.zones()}
        chart, outages = await _outages_of(gateway, key, language)
        values: dict[str, Any] = {
            "camera": camera,
            "device": device,
            "place": place_name(site, device.place),
            "levels": levels(gateway, camera),
            "zones": [zones[spec.id] for spec in site.zones.values() if key in spec.cameras and spec.id in zones],
            "above": list(above(gateway, key)),
            "why": None if found is None else _sentence(found, language),
            "rule": None if found is None else found.rule,
            "evidence": [] if found is None else [(item, value_of(item, language)) for item in found.evidence[-40:]],
            "alerts": [room.alert_row(site, alert, language) for alert in alerts[:10]],
            "orders": [order for order in book_of(gateway).orders() if order.subject == key][:10],
            "chart": chart,
            "outages": outages,
        }
        if "panel" in request.query_params:
            return frame.respond(request, "camera.html", **values)
        return frame.respond(request, "cameras_page.html", inner="camera.html", **values)


def zones_with_cameras(gateway: GatewayPort, language: Language) -> list[ZoneRows]:
    """All zones, the worst first, with their cameras; then cameras of no zone."""
    site, engine = gateway.site, gateway.judgement.engine
    cameras = {camera.id: camera for camera in engine.cameras.cameras()}
    order = ("blind", "degraded", "unknown", "covered")
    found = []
    zoned: set[str] = set()
    for zone in engine.cameras.zones():
        spec = site.zones.get(zone.id)
        if spec is None:
            continue
        zoned.update(spec.cameras)
        why = explain_zone(gateway.judgement, zone.id, gateway.now()) if zone.state != "covered" else None
        found.append(
            ZoneRows(
                zone=zone,
                name=place_name(site, spec.place),
                key=site.places[spec.place].key,
                why=None if why is None else _sentence(why, language),
                cameras=[_row(gateway, cameras[name]) for name in spec.cameras if name in cameras],
            )
        )
    found.sort(key=lambda row: (order.index(row.zone.state), not row.key, row.zone.id) if row.zone else ())
    others = [_row(gateway, camera) for camera in cameras.values() if camera.id not in zoned]
    if others:
        found.append(ZoneRows(zone=None, name=say(language, "cameras.no_zone"), key=False, why=None, cameras=others))
    return found


def _row(gateway: GatewayPort, camera: Camera) -> CameraRow:
    device = gateway.site.devices.get(camera.id)
    return CameraRow(
        camera=camera,
        place=place_name(gateway.site, device.place if device else None),
        levels=levels(gateway, camera),
    )


def levels(gateway: GatewayPort, camera: Camera) -> list[Proven]:
    """What proves a camera alive, level by level, never mixed (cameras.md, Cameras): a ping proves no service, a heartbeat no video.

    Each level that lies above a proven one proves it too: a picture comes from a service, a service over the network. While a camera
    is unknown (its recorder is down, the gateway has just started), what it proved before proves nothing.
    """
    judge = gateway.judgement.engine.cameras.judge_of(camera.id)
    if judge is None or camera.state == "disabled":
        return [Proven(level=level, proof="unproven") for level in ("reachable", "service", "picture", "recording")]
    now, timeout, zone = gateway.judgement.now, judge.life.timeout or 0, gateway.site.zone_info
    filmed = judge.filmed or 0
    # Before its first sign of service, the first sign of life stands for one (CameraJudge.served): a ping, if it may have been one.
    pinged, first = judge.pinged or 0, judge.served or 0
    by_ping = 0 < first <= min(pinged, instant(camera.since) if camera.since else 0)
    served = max(0 if by_ping else first, filmed)
    reached = max(pinged, first, filmed)
    against: Mapping[Level, frozenset[str]] = {
        "reachable": frozenset({"unreachable"}),
        "service": frozenset({"service_dead"}),
        "picture": _NO_PICTURE,
    }

    def proven(level: Level, at: Instant) -> Proven:
        by = next((name for name in camera.impairments if name in against[level]), None)
        fresh = at > 0 and now - at <= timeout and camera.state != "unknown"
        proof: Proof = "no" if by is not None or camera.state == "offline" else "yes" if fresh else "unproven"
        return Proven(level=level, proof=proof, at=moment(at, zone) if at > 0 else None, by=by)

    stopped = "not_recording" in camera.impairments
    return [
        proven("reachable", reached),
        proven("service", served),
        proven("picture", filmed),
        Proven(
            level="recording",
            proof="no" if stopped else "unreported",
            by="not_recording" if stopped else None,
        ),
    ]


def above(gateway: GatewayPort, key: str, depth: int = 0, seen: frozenset[str] = frozenset()) -> Sequence[Above]:
    """What a device hangs on, the nearest first, up to the root."""
    site, devices = gateway.site, gateway.judgement.engine.devices
    thing = site.devices.get(key) or site.parents.get(key)
    found: list[Above] = []
    if thing is None or depth > len(site.parents) + len(site.devices):
        return found
    ways: tuple[Literal["behind", "network", "power"], ...] = ("behind", "network", "power")
    for how in ways:
        parent: str | None = getattr(thing, how)
        if parent is None or parent in seen:
            continue
        state = devices.device(parent)
        found.append(
            Above(
                id=parent,
                how=how,
                depth=depth,
                state=None if state is None else state.state,
                cause=None if state is None else state.cause,
                down=devices.down_cause(parent) is not None,
            )
        )
        found += above(gateway, parent, depth + 1, seen | {parent})
    return found


def _sentence(found: Explanation, language: Language) -> str:
    return found.sentence.zh if language == "zh_CN" else found.sentence.en


# ---- over time


class _Kept:
    """Zones by night and outages of all cameras; each is reckoned at most once in 5 min."""

    def __init__(self, gateway: GatewayPort) -> None:
        self._gateway = gateway
        self._nights: tuple[Instant, list[tuple[datetime, list[ZoneMinutes]]]] | None = None
        self._outages: tuple[Instant, list[Outage]] | None = None
        self._reckoning = asyncio.Lock()

    async def nights(self) -> list[tuple[datetime, list[ZoneMinutes]]]:
        """The minutes of each zone in the last 14 nights, noon to noon, tonight's so far."""
        async with self._reckoning:
            now = self._gateway.judgement.now
            if self._nights is None or not 0 <= now - self._nights[0] < _KEPT:
                self._nights = (now, await self._reckon_nights(now))
            return self._nights[1]

    async def outages(self) -> list[Outage]:
        """When cameras saw nothing in the last 14 nights, the newest first."""
        async with self._reckoning:
            now = self._gateway.judgement.now
            if self._outages is None or not 0 <= now - self._outages[0] < _KEPT:
                since = night_of(now, self._gateway.site)[0] - (NIGHTS - 1) * DAY
                rows = await self._gateway.archive.conditions(("gateway", "camera"), since, now)
                found = (
                    [] if rows is None else await asyncio.to_thread(outages_in, self._gateway.site, rows, since, now)
                )
                self._outages = (now, found)
            return self._outages[1]

    async def _reckon_nights(self, now: Instant) -> list[tuple[datetime, list[ZoneMinutes]]]:
        site = self._gateway.site
        local = moment(night_of(now, site)[0], site.zone_info)
        begins = [local - timedelta(days=number) for number in range(NIGHTS - 1, -1, -1)]
        first = night_of(now, site)[0] - (NIGHTS - 1) * DAY
        rows = await self._gateway.archive.conditions(("gateway", "zone"), first, now)
        if rows is None:
            return [(begin, []) for begin in begins]

        def reckon(rows: Sequence[Condition]) -> list[tuple[datetime, list[ZoneMinutes]]]:
            found = []
            for number, begin in enumerate(begins):
                start = first + number * DAY
                found.append((begin, zone_minutes(site, Timeline(rows, start, min(start + DAY, now)))))
            return found

        return await asyncio.to_thread(reckon, rows)


def outages_in(
    site: Site, rows: Sequence[Condition], since: Instant, until: Instant, only: str | None = None
) -> list[Outage]:
    """When cameras were known to see nothing, the newest first; the gateway's own stops are none of theirs."""
    timeline = Timeline(rows, since, until)
    down, zone = timeline.down(), site.zone_info
    found = []
    for camera in timeline.ids("camera"):
        if only is not None and camera != only:
            continue
        for piece in timeline.pieces("camera", camera):
            if piece.state != "lost":
                continue
            for begin, end in minus([(piece.start, piece.end)], down):
                found.append(
                    Outage(
                        camera=camera,
                        begin=moment(begin, zone),
                        end=None if end >= until else moment(end, zone),
                        minutes=(end - begin) / MINUTE,
                        why=piece.detail,
                    )
                )
    return sorted(found, key=lambda outage: (outage.begin, outage.camera), reverse=True)


def _zone_charts(site: Site, nights: Sequence[tuple[datetime, list[ZoneMinutes]]], language: Language) -> Markup:
    """Each zone's bad minutes by night; of very many zones the blind ones as a map."""
    by_zone: dict[str, list[tuple[datetime, ZoneMinutes]]] = {}
    for begin, zones in nights:
        for zone in zones:
            by_zone.setdefault(zone.id, []).append((begin, zone))
    names = [(word(language, "zone", code), _TONES[code]) for code in ("blind", "degraded", "unknown")]
    labels = [f"{begin:%m-%d}" for begin, _ in nights]

    def caption(title: str, minutes: float) -> Caption:
        return Caption(
            title=title,
            says=say(language, "cameras.nights_says", name=title, nights=NIGHTS, minutes=f"{minutes:.0f}"),
            table=say(language, "chart.table"),
            head=[say(language, "chart.night"), say(language, "chart.minutes")],
        )

    if len(by_zone) > _CHARTS:
        rows = []
        for zone_id, found in by_zone.items():
            known = {f"{begin:%m-%d}": minutes for begin, minutes in found}
            rows.append(HeatRow(zone_id, [_night_cell(label, known.get(label), language) for label in labels]))
        title = say(language, "cameras.blind_minutes")
        return heat_map(caption(title, _blind_in(nights)), labels, rows)
    drawn = []
    for zone_id, found in by_zone.items():
        spec = site.zones.get(zone_id)
        title = f"{zone_id} · {place_name(site, spec.place)}" if spec else zone_id
        bars = []
        for begin, minutes in found:
            recorded = minutes.covered_min + minutes.degraded_min + minutes.blind_min + minutes.unknown_min
            parts = (
                Part(round(minutes.blind_min), "bad", word(language, "zone", "blind")),
                Part(round(minutes.degraded_min), "warn", word(language, "zone", "degraded")),
                Part(round(minutes.unknown_min), "unknown", word(language, "zone", "unknown")),
            )
            bars.append(Bar(f"{begin:%m-%d}", parts if recorded else ()))
        blind = sum(minutes.blind_min for _, minutes in found)
        drawn.append(bar_chart(caption(title, blind), bars, unit=say(language, "chart.min"), names=names))
    return Markup('<div class="zone-charts">{}</div>').format(Markup().join(drawn))


def _blind_in(nights: Sequence[tuple[datetime, list[ZoneMinutes]]]) -> float:
    return sum(zone.blind_min for _, zones in nights for zone in zones)


def _night_cell(label: str, minutes: ZoneMinutes | None, language: Language) -> Cell:
    if minutes is None or not minutes.covered_min + minutes.degraded_min + minutes.blind_min:
        return Cell(None, f"{label} {word(language, 'zone', 'unknown')}")
    return Cell(round(minutes.blind_min), f"{label} {minutes.blind_min:.0f} {say(language, 'chart.min')}")


async def _outages_of(gateway: GatewayPort, key: str, language: Language) -> tuple[Markup, list[Outage]]:
    """What a camera and its zones were over the last 30 days, and its outages."""
    site, until = gateway.site, gateway.judgement.now
    since = until - _OUTAGES_FOR
    mine = {zone.id for zone in site.zones.values() if key in zone.cameras}
    own = await conditions_of(gateway, [("camera", key), *(("zone", zone) for zone in sorted(mine))], since, until)
    timeline = Timeline(own, since, until)
    drawn = []
    for kind, name in [("camera", key), *(("zone", zone) for zone in sorted(mine))]:
        pieces = timeline.pieces(kind, name)
        group = "sight" if kind == "camera" else "zone"
        drawn.append(
            Row(
                name,
                [
                    Stretch(
                        piece.start,
                        piece.end,
                        _TONES.get(piece.state, "none"),
                        f"{word(language, group, piece.state)} {moment(piece.start, site.zone_info):%m-%d %H:%M} – "
                        f"{moment(piece.end, site.zone_info):%m-%d %H:%M}",
                    )
                    for piece in pieces
                ],
            )
        )
    outages = outages_in(site, own, since, until, key)
    caption = Caption(
        title=say(language, "camera.month"),
        says=say(
            language,
            "camera.month_says",
            name=key,
            count=len(outages),
            minutes=f"{sum(outage.minutes for outage in outages):.0f}",
        ),
        table=say(language, "chart.table"),
        head=[say(language, "chart.what"), say(language, "chart.stretch")],
    )
    names: list[tuple[str, Tone]] = [
        (word(language, "sight", "seeing"), "ok"),
        (word(language, "sight", "lost"), "bad"),
        (word(language, "zone", "degraded"), "warn"),
        (word(language, "sight", "unknown"), "unknown"),
    ]
    chart = band_chart(caption, drawn, begin=since, end=until, zone=site.zone_info, names=names)
    return chart, outages[:_OUTAGES_SHOWN]
