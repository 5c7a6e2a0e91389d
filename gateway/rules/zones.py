"""Whether an area is watched (spec: cameras.md, Zones)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from gateway.instants import MINUTE, Instant, moment
from gateway.rules import findings
from gateway.rules.devices import Devices
from gateway.rules.findings import Found
from gateway.rules.standing import Details, Standing, key_of, listed
from gateway.rules.timers import Timers
from gateway.site.model import Severity, Site, Zone

Sight = Literal["seeing", "lost", "unknown", "disabled"]
"""What one camera gives a zone."""
ZoneState = Literal["covered", "degraded", "blind", "unknown"]

UNKNOWN_AFTER = 15 * MINUTE

ALERTS: Mapping[ZoneState, str] = {"blind": "zone_blind", "degraded": "zone_degraded", "unknown": "zone_unknown"}


class Watch(NamedTuple):
    """What a zone asks about one camera.

    Args:
        sight: what it gives now.
        began: since when by the evidence, if its cover is lost.
        covered_by: the parent's alert that explains why it is unknown, or None.
    """

    sight: Sight
    began: Instant
    covered_by: str | None


class Area(msgspec.Struct, kw_only=True):
    """One zone as it is now. `uncovered`: unknown since then without a parent's alert that says so."""

    zone: Zone
    counts: dict[str, int]
    state: ZoneState = "unknown"
    since: Instant
    uncovered: Instant | None = None


def judge(seeing: int, unknown: int, enabled: int, need: int) -> ZoneState:
    """The state of a zone by its cameras."""
    if enabled == 0:
        return "blind"
    if seeing >= need:
        return "covered"
    if seeing + unknown >= need:
        return "unknown"
    return "degraded" if seeing >= 1 else "blind"


class Zones:
    """All zones of a site.

    Attributes:
        retell: cameras whose alerts must be looked at again, because a zone's alert began or ended.
        timers: when a zone's alert may fall due.
    """

    def __init__(
        self,
        site: Site,
        found: Found,
        started: Instant,
        watch: Callable[[str], Watch],
        devices: Devices,
    ) -> None:
        self._site = site
        self._clock = site.zone_info
        self._found = found
        self._watch = watch
        self._devices = devices
        self._standing = Standing(site, found)
        self._areas: dict[str, Area] = {}
        self._of: dict[str, list[Area]] = {}
        self.retell: set[str] = set()
        self.timers: Timers[str] = Timers()
        for zone in site.zones.values():
            area = Area(zone=zone, counts={"seeing": 0, "lost": 0, "unknown": 0, "disabled": 0}, since=started)
            area.uncovered = started
            self._areas[zone.id] = area
            for camera in zone.cameras:
                self._of.setdefault(camera, []).append(area)

    def begin(self, started: Instant) -> None:
        """Count the cameras as they are at the beginning."""
        for area in self._areas.values():
            self._count(area)
            area.state = self._state(area)
            self._tell(area, started)

    def _count(self, area: Area) -> None:
        area.counts = {"seeing": 0, "lost": 0, "unknown": 0, "disabled": 0}
        for camera in area.zone.cameras:
            area.counts[self._watch(camera).sight] += 1

    def turn(self, camera: str, before: Sight, after: Sight, since: Instant) -> None:
        """A camera gives its zones something else, since `since`."""
        for area in self._of.get(camera, ()):
            area.counts[before] -= 1
            area.counts[after] += 1
            state = self._state(area)
            if state != area.state:
                area.state, area.since = state, since
                area.uncovered = since
            self._found.touched["zone", area.zone.id] = None

    def look(self, camera: str, now: Instant) -> None:
        """Tell of the zones of a camera that changed."""
        for area in self._of.get(camera, ()):
            self._tell(area, now)

    def advance(self, now: Instant) -> None:
        for zone in sorted(key for _, key in self.timers.due(now)):
            self._tell(self._areas[zone], now)

    def blind_alert(self, camera: str) -> str | None:
        """The open `zone_blind` that tells of this camera, or None."""
        for area in self._of.get(camera, ()):
            if ("zone_blind", area.zone.id) in self._standing:
                return key_of("zone_blind", area.zone.id)
        return None

    def _state(self, area: Area) -> ZoneState:
        counts = area.counts
        enabled = counts["seeing"] + counts["lost"] + counts["unknown"]
        return judge(counts["seeing"], counts["unknown"], enabled, area.zone.need)

    def _tell(self, area: Area, now: Instant) -> None:
        zone = area.zone.id
        blind = ("zone_blind", zone) in self._standing
        match area.state:
            case "covered":
                for rule in ALERTS.values():
                    self._standing.end(rule, zone, now, "covered")
                self.timers.set(zone, None)
            case "unknown":
                self._tell_unknown(area, now)
            case state:
                self._tell_known(area, ALERTS[state], now)
        if blind != (("zone_blind", zone) in self._standing):
            self.retell.update(area.zone.cameras)

    def _tell_unknown(self, area: Area, now: Instant) -> None:
        zone = area.zone.id
        watched = [self._watch(camera) for camera in area.zone.cameras]
        causes = [each.covered_by for each in watched if each.sight == "unknown"]
        into = causes[0] if causes and all(causes) else None
        if into is not None:
            area.uncovered = None
            for rule in ALERTS.values():
                self._standing.merge(rule, zone, now, into)
            self.timers.set(zone, None)
            return
        if area.uncovered is None:
            area.uncovered = now
        due = max(area.uncovered + UNKNOWN_AFTER, self._devices.quiet_until() or 0)
        if due > now:
            self.timers.set(zone, due)
        else:
            self.timers.set(zone, None)
            self._start(area, "zone_unknown", min(area.uncovered, self._began(area)), now)

    def _tell_known(self, area: Area, rule: str, now: Instant) -> None:
        zone = area.zone.id
        self._standing.end("zone_unknown", zone, now, area.state)
        other = "zone_degraded" if rule == "zone_blind" else "zone_blind"
        if rule == "zone_degraded":
            self._standing.end(other, zone, now, "seeing")
        due = self._devices.held_since(area.since) + self._site.hold
        if (rule, zone) not in self._standing and due > now:
            self.timers.set(zone, due)
            return
        self.timers.set(zone, None)
        self._start(area, rule, self._began(area), now)
        if rule == "zone_blind":
            self._standing.merge(other, zone, now, key_of(rule, zone))

    def _start(self, area: Area, rule: str, raised: Instant, now: Instant) -> None:
        zone = area.zone
        wanted: tuple[Sight, ...] = ("unknown",) if rule == "zone_unknown" else ("lost", "unknown", "disabled")
        cameras = [camera for camera in zone.cameras if self._watch(camera).sight in wanted]
        details: Details = {"cameras": listed(cameras), "ok": area.counts["seeing"], "need": zone.need}
        if area.counts["disabled"] == len(zone.cameras):
            details["reason"] = "no_enabled_camera"
        severity: Severity | None = None
        if rule == "zone_blind":
            severity = "critical" if self._site.places[zone.place].key else "major"
        self._standing.start(rule, zone.id, at=now, raised=raised, details=details, severity=severity, place=zone.place)

    def _began(self, area: Area) -> Instant:
        """When a zone became what it is by the evidence: when the last camera that it needed for more was lost, or no longer known."""
        watched = [self._watch(camera) for camera in area.zone.cameras]
        enabled = sum(each.sight != "disabled" for each in watched)
        counted = ("lost",) if area.state == "degraded" else ("lost", "unknown")
        began = sorted(each.began for each in watched if each.sight in counted)
        if not began:
            return area.since
        needed = len(began) if area.state == "blind" else enabled - area.zone.need + 1
        return min(area.since, began[max(0, min(needed, len(began)) - 1)])

    def zones(self) -> list[findings.Zone]:
        """All zones, by id."""
        return [self._view(self._areas[zone]) for zone in sorted(self._areas)]

    def zone(self, zone_id: str) -> findings.Zone | None:
        area = self._areas.get(zone_id)
        return None if area is None else self._view(area)

    def area(self, zone_id: str) -> Area | None:
        """What is known of a zone; to be read only."""
        return self._areas.get(zone_id)

    def due(self, area: Area) -> Instant | None:
        """When the alert of its state is told, or was; None: its state deserves none, or a parent's alert covers it."""
        if area.state == "covered":
            return None
        if area.state == "unknown":
            return None if area.uncovered is None else area.uncovered + UNKNOWN_AFTER
        return self._devices.held_since(area.since) + self._site.hold

    def alert_of(self, zone_id: str) -> str | None:
        """The open alert (`rule:subject`) of a zone, or None."""
        return next((key_of(rule, zone_id) for rule in ALERTS.values() if (rule, zone_id) in self._standing), None)

    def _view(self, area: Area) -> findings.Zone:
        return findings.Zone(
            id=area.zone.id,
            state=area.state,
            since=moment(area.since, self._clock),
            ok=area.counts["seeing"],
            need=area.zone.need,
        )

    def snapshot(self) -> dict[str, Any]:
        areas = {zone: [area.state, area.since, area.uncovered] for zone, area in self._areas.items()}
        return {"areas": areas, "standing": self._standing.snapshot()}

    def restore(self, state: Mapping[str, Any], at: Instant) -> None:
        """Take up a snapshot; the cameras have taken up theirs already."""
        self.timers = Timers()
        self._standing.restore(state["standing"], at, self._areas.__contains__)
        for zone, area in self._areas.items():
            if (known := state["areas"].get(zone)) is not None:
                area.state, area.since, area.uncovered = known
            self._count(area)
            judged = self._state(area)
            if judged != area.state or known is None:
                area.state, area.since, area.uncovered = judged, at, at
            self._tell(area, at)
