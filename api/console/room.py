"""What the control room shows, section by section, read from the gateway at one moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from heapq import nsmallest

import msgspec

from api.console.languages import Language
from api.console.names import checkpoint_name, place_name
from api.console.timeline import Span, Timeline, as_round, draw, night_of
from api.ports import GatewayPort
from api.resources.rounds import rounds_between
from gateway.alerts import lifecycle, wording
from gateway.alerts.alert import Action, Alert, AlertState
from gateway.alerts.catalogue import rule_of
from gateway.alerts.silences import NEVER_SILENT
from gateway.instants import HOUR, Instant, instant, moment
from gateway.links.link import LinkState
from gateway.rules.findings import Camera, Circuit, DeviceState, Lamp, Round, Zone
from gateway.site.model import Severity, Site

SEVERITIES: tuple[Severity, ...] = ("critical", "major", "minor", "warning")
TOLD_SHOWN = 60
"""Alerts in the room's list; the page of all alerts has the rest, and the list says how many."""
QUIET_SHOWN = 30
_ENDED_SHOWN = 12
_ENDED_FOR = timedelta(hours=12)
_LAMPS_SHOWN = 48
TROUBLED_SHOWN = 12
_AHEAD = 12 * HOUR
"""The next visit is looked for so far."""
_CIRCUITS = ("faulty", "unknown", "ok")
_BAD_LAMPS = ("faulty", "unknown")

_BUTTONS: tuple[Action, ...] = ("ack", "start", "resolve", "close")
OFFERED: dict[AlertState, tuple[Action, ...]] = {
    state: tuple(
        action for action in _BUTTONS if any((row.before, row.trigger) == (state, action) for row in lifecycle.TABLE)
    )
    for state in lifecycle.STATES
}
"""The buttons of an alert by state: what the lifecycle table lets a person do."""


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as a row, in words."""

    alert: Alert
    title: str
    message: str
    name: str
    offered: tuple[Action, ...]
    may_silence: bool


class AlertsSection(msgspec.Struct, frozen=True, kw_only=True):
    """`told` are active and told to people; `quiet` active, but covered by another alert or a silence; `ended` of late.

    Args:
        told_all: so many there are, likewise `quiet_all` and `ended_all`; rows are the worst and newest of them.
        open_all: of `told_all` so many that nobody has acknowledged.
        touched: when any told alert last changed.
    """

    told: Sequence[AlertRow]
    told_all: int
    open_all: int
    touched: datetime | None
    quiet: Sequence[AlertRow]
    quiet_all: int
    ended: Sequence[AlertRow]
    ended_all: int


class NextVisit(msgspec.Struct, frozen=True, kw_only=True):
    """The next expected visit of a running or coming round."""

    round: Round
    name: str
    due: datetime
    passed: bool
    """It was due, and may still be walked until `until`."""
    until: datetime
    served: int


class RoundsSection(msgspec.Struct, frozen=True, kw_only=True):
    timeline: Timeline | None
    coming: NextVisit | None
    names: dict[str, str]


class ZoneRow(msgspec.Struct, frozen=True, kw_only=True):
    zone: Zone
    name: str
    key: bool
    cameras: Sequence[Camera]


class LightsSection(msgspec.Struct, frozen=True, kw_only=True):
    """Lamps and circuits that are not well, by place. `more`: so many lamps are not shown; `counts`: of all, by state."""

    lamps: Sequence[tuple[Lamp, str]]
    more: int
    counts: dict[str, int]
    circuits: Sequence[tuple[Circuit, int]]


class LinksSection(msgspec.Struct, frozen=True, kw_only=True):
    """Links, and the devices that are not well. `more`: so many of these are not shown."""

    links: Sequence[LinkState]
    troubled: Sequence[tuple[DeviceState, str]]
    more: int
    counts: dict[str, int]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The line of numbers on top."""

    alerts: dict[str, int]
    worst: Severity | None
    coming: NextVisit | None
    verdicts: dict[str, int]
    zones: dict[str, int]
    lamps: dict[str, int]
    links_up: int
    links: int


def alert_row(site: Site, alert: Alert, language: Language) -> AlertRow:
    """An alert in words of `language`."""
    rule = rule_of(alert.rule)
    return AlertRow(
        alert=alert,
        title=rule.title_zh if language == "zh_CN" else rule.title_en,
        message=wording.message(site, alert.rule, alert.subject, alert.details, language),
        name=wording.name(site, alert.subject, language),
        offered=OFFERED[alert.state],
        may_silence=alert.state in lifecycle.ACTIVE and alert.rule not in NEVER_SILENT,
    )


def alerts_section(gateway: GatewayPort, language: Language) -> AlertsSection:
    """Active alerts, the worst first, then the newest; and what ended of late.

    Of more than can be read the worst are shown, of those what nobody has acknowledged before the rest, and the newest.
    """
    site = gateway.site
    alerts = gateway.judgement.alerts.alerts()
    active = [alert for alert in alerts if alert.state in lifecycle.ACTIVE]
    told = [alert for alert in active if alert.suppressed is None]
    quiet = [alert for alert in active if alert.suppressed is not None]
    since = moment(gateway.now(), site.zone_info) - _ENDED_FOR
    ended = [
        alert
        for alert in alerts
        if alert.state not in lifecycle.ACTIVE and alert.suppressed is None and alert.updated >= since
    ]
    ended.sort(key=lambda alert: alert.updated, reverse=True)
    shown = nsmallest(TOLD_SHOWN, told, key=_to_be_seen)

    def rows(found: Sequence[Alert]) -> list[AlertRow]:
        return [alert_row(site, alert, language) for alert in found]

    return AlertsSection(
        told=rows(sorted(shown, key=_worst_first)),
        told_all=len(told),
        open_all=sum(alert.state == "open" for alert in told),
        touched=max((alert.updated for alert in told), default=None),
        quiet=rows(nsmallest(QUIET_SHOWN, quiet, key=_worst_first)),
        quiet_all=len(quiet),
        ended=rows(ended[:_ENDED_SHOWN]),
        ended_all=len(ended),
    )


def _worst_first(alert: Alert) -> tuple[int, Instant, str]:
    return SEVERITIES.index(alert.severity), -instant(alert.raised), alert.id


def _to_be_seen(alert: Alert) -> tuple[int, bool, Instant, str]:
    """By when it was found: evidence that comes late begins early, and is new all the same."""
    return SEVERITIES.index(alert.severity), alert.state != "open", -instant(alert.detected), alert.id


async def rounds_section(gateway: GatewayPort, span: Span | None) -> RoundsSection:
    """Tonight's rounds; of the drawing as much as `span` says."""
    site, now = gateway.site, gateway.now()
    tonight = await _tonight(gateway)
    names = {checkpoint: checkpoint_name(site, checkpoint) for checkpoint in site.checkpoints}
    return RoundsSection(timeline=draw(site, tonight, now, span), coming=await _coming(gateway, tonight), names=names)


def zones_section(gateway: GatewayPort) -> list[ZoneRow]:
    """Zones, the worst first."""
    site = gateway.site
    cameras = {camera.id: camera for camera in gateway.judgement.engine.cameras.cameras()}
    order = ("blind", "degraded", "unknown", "covered")
    rows = []
    for zone in gateway.judgement.engine.cameras.zones():
        defined = site.zones.get(zone.id)
        place = site.places.get(defined.place) if defined else None
        rows.append(
            ZoneRow(
                zone=zone,
                name=place_name(site, defined.place) if defined else zone.id,
                key=bool(place and place.key),
                cameras=[cameras[name] for name in (defined.cameras if defined else ()) if name in cameras],
            )
        )
    return sorted(rows, key=lambda row: (order.index(row.zone.state), not row.key, row.zone.id))


def lights_section(gateway: GatewayPort) -> LightsSection:
    """Lamps that are faulty or of which nothing is known, and circuits likewise."""
    site = gateway.site
    lighting = gateway.judgement.engine.lighting
    fed = Counter(lamp.circuit for lamp in site.lamps.values())
    lamps = [lamp for lamp in lighting.lamps() if lamp.id in site.lamps]
    bad = [(lamp, place_name(site, site.lamps[lamp.id].place)) for lamp in lamps if lamp.state in _BAD_LAMPS]
    bad.sort(key=lambda pair: (_BAD_LAMPS.index(pair[0].state), site.lamps[pair[0].id].place, pair[0].id))
    circuits = sorted(
        ((circuit, fed[circuit.id]) for circuit in lighting.circuits() if circuit.state != "ok"),
        key=lambda pair: (_CIRCUITS.index(pair[0].state), pair[0].id),
    )
    return LightsSection(
        lamps=bad[:_LAMPS_SHOWN],
        more=max(0, len(bad) - _LAMPS_SHOWN),
        counts=dict(Counter(lamp.state for lamp in lamps)),
        circuits=circuits,
    )


def links_section(gateway: GatewayPort) -> LinksSection:
    """Links, and devices that are offline or unknown; a phone that nothing was tapped with yet is no trouble."""
    site = gateway.site
    devices = [each for each in gateway.judgement.engine.devices.devices() if not _unused_phone(site, each)]
    troubled = []
    for device in devices:
        defined = site.devices.get(device.id)
        if device.state in {"offline", "unknown"} and defined is not None:
            troubled.append((device, place_name(site, defined.place)))
    troubled.sort(key=lambda pair: (pair[0].state != "offline", pair[0].id))
    return LinksSection(
        links=sorted(gateway.links(), key=lambda link: (link.up, link.name)),
        troubled=troubled[:TROUBLED_SHOWN],
        more=max(0, len(troubled) - TROUBLED_SHOWN),
        counts=dict(Counter(device.state for device in devices)),
    )


def _unused_phone(site: Site, device: DeviceState) -> bool:
    defined = site.devices.get(device.id)
    return defined is not None and defined.kind == "phone" and device.cause == "never_heard"


async def summary(gateway: GatewayPort) -> Summary:
    """The numbers on top."""
    engine = gateway.judgement.engine
    told = [alert for alert in gateway.judgement.alerts.alerts(active=True) if alert.suppressed is None]
    severities: Counter[str] = Counter(alert.severity for alert in told)
    tonight = await _tonight(gateway)
    links = gateway.links()
    return Summary(
        alerts=dict(severities),
        worst=next((severity for severity in SEVERITIES if severities[severity]), None),
        coming=await _coming(gateway, tonight),
        verdicts=dict(Counter(item.verdict for item in tonight)),
        zones=dict(Counter(zone.state for zone in engine.cameras.zones())),
        lamps=dict(Counter(lamp.state for lamp in engine.lighting.lamps())),
        links_up=sum(link.up for link in links),
        links=len(links),
    )


async def _tonight(gateway: GatewayPort) -> list[Round]:
    return [as_round(item) for item in await rounds_between(gateway, *night_of(gateway.now(), gateway.site))]


async def _coming(gateway: GatewayPort, tonight: Sequence[Round]) -> NextVisit | None:
    """The open visit that is due next, of tonight or of a round that starts within 12 h."""
    now = moment(gateway.now(), gateway.site.zone_info)
    _, noon = night_of(gateway.now(), gateway.site)
    horizon = gateway.now() + _AHEAD
    ahead: list[Round] = []
    if horizon > noon:
        later = [as_round(item) for item in await rounds_between(gateway, noon, noon + _AHEAD)]
        ahead = [item for item in later if instant(item.start) < horizon]
    waiting = [
        (visit.due or item.start, item, visit)
        for item in [*tonight, *ahead]
        for visit in item.visits
        if visit.verdict == "pending" and visit.closes >= now
    ]
    if not waiting:
        return None
    due, found, visit = min(waiting, key=lambda entry: (entry[0], entry[1].id, entry[2].position))
    return NextVisit(
        round=found,
        name=checkpoint_name(gateway.site, visit.checkpoint),
        due=due,
        passed=due <= now,
        until=visit.closes,
        served=sum(other.at is not None for other in found.visits),
    )
