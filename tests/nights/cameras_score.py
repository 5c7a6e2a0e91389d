"""Cameras, recorders, switches and zones against the truth."""

from __future__ import annotations

from collections.abc import Iterable

from device_drivers.simulation.nights import Lived
from device_drivers.simulation.truth import Mishap
from gateway.instants import MINUTE, SECOND, Instant
from gateway.rules.engine import Engine
from gateway.rules.findings import Found
from tests.nights.cases import Case
from tests.nights.score import Score, held_up, spans, wrong_between

GONE = ("camera_dead", "camera_hangs", "recorder_dead", "switch_dead")
BLINDED = (*GONE, "video_lost", "painted", "frozen")
EXPLAINS = {
    "offline": GONE,
    "loss": ("video_lost", *GONE),
    "blind": ("painted",),
    "frozen": ("frozen",),
    "service_dead": GONE,
    "unreachable": GONE,
    "not_recording": ("not_recording",),
}
"""What must really have been wrong for a state or an impairment to be no false accusation."""

SILENCE = 3 * 2 * MINUTE + 5 * MINUTE
"""A camera that is well and reachable is known to be so after at most this long: its timeout, and what reports are late."""
OFTEN = 10 * MINUTE
ENOUGH_S = 15 * 60


class CamerasScore(Score):
    """Watches the judging of one night of cameras."""

    def __init__(self, case: Case, night: Lived) -> None:
        super().__init__()
        self.case = case
        self.mishaps = night.world.truth.mishaps()
        self.cameras = {camera.id: camera for camera in case.estate.cameras}
        self.recorders = {recorder.id: recorder for recorder in case.estate.video_recorders}
        self.seen: dict[tuple[str, str], list[Instant]] = {}
        self._looked: Instant = 0
        self._states: dict[str, set[str]] = {}
        self._zones: dict[str, str] = {}

    def _above(self, camera: str) -> list[str | None]:
        """A camera and all that it needs to be heard and seen."""
        spec = self.cameras[camera]
        recorder = self.recorders.get(spec.recorder or "")
        return [camera, spec.recorder, spec.switch, None if recorder is None else recorder.switch]

    def causes(self, what: str, camera: str) -> list[Mishap]:
        return spans(self.mishaps, EXPLAINS.get(what, ()), self._above(camera))

    def _late(self, now: Instant) -> Instant:
        return round(held_up(self.mishaps, now, 2 * 3600) * SECOND)

    def __call__(self, now: Instant, found: Found, engine: Engine) -> None:
        names = [name for kind, name in found.touched if kind == "camera"]
        zones = [name for kind, name in found.touched if kind == "zone"]
        if now >= self._looked + OFTEN:
            self._looked = now
            names, zones = list(self.cameras), list(self.case.site.zones)
        since = now - SILENCE - self._late(now)
        for name in dict.fromkeys(names):
            view = engine.cameras.camera(name)
            assert view is not None
            states = {view.state, *view.impairments} - {"ok", "unknown", "impaired", "disabled"}
            for state in sorted(states):
                if state not in self._states.get(name, ()):
                    self.seen.setdefault((state, name), []).append(now)
                if not wrong_between(self.causes(state, name), since, now):
                    self.accuse(state, name, now)
            self._states[name] = states
        for name in dict.fromkeys(zones):
            zone = engine.cameras.zone(name)
            assert zone is not None
            if zone.state != self._zones.get(name):
                self.seen.setdefault((zone.state, name), []).append(now)
            self._zones[name] = zone.state
            if zone.state in ("blind", "degraded"):
                self._lost(name, zone.state, since, now)
        for signal in found.signals:
            if signal.action == "raise":
                self._told(signal.rule, signal.subject, now)

    def _lost(self, name: str, state: str, since: Instant, now: Instant) -> None:
        """A zone is said to be watched by too few: was it, at some moment lately?"""
        zone = self.case.site.zones[name]
        need = 1 if state == "blind" else zone.need
        broken = [
            camera
            for camera in zone.cameras
            if wrong_between(spans(self.mishaps, BLINDED, self._above(camera)), since, now)
        ]
        if state == "degraded" and len(zone.cameras) - len(broken) >= need:
            self.accuse("zone degraded", name, now)
        elif state == "blind" and len(zone.cameras) - len(broken) >= zone.need:
            self.accuse("zone blind", name, now)

    def _told(self, rule: str, subject: str, now: Instant) -> None:
        self.seen.setdefault((rule, subject), []).append(now)
        since = now - SILENCE - 10 * MINUTE - self._late(now)
        match rule:
            case "camera_offline" | "camera_impaired" | "recording_stopped":
                kinds = (*BLINDED, "not_recording")
                if not wrong_between(spans(self.mishaps, kinds, self._above(subject)), since, now):
                    self.accuse(rule, subject, now)
            case "device_offline":
                names = [subject, self.recorders[subject].switch]
                if not wrong_between(spans(self.mishaps, ("recorder_dead", "switch_dead"), names), since, now):
                    self.accuse(rule, subject, now)
            case "parent_fault":
                below = [each for each in self.cameras if subject in self._above(each)]
                fallen = [each for each in below if wrong_between(self.causes("offline", each), since, now)]
                own = spans(self.mishaps, ("switch_dead", "recorder_dead"), (subject,))
                if len(fallen) < 3 and not wrong_between(own, since, now):
                    self.accuse(rule, subject, now)
            case _:
                return

    def close(self, engine: Engine) -> None:
        """Count what was found, and why the rest was not."""
        for mishap in self.mishaps:
            for kind, targets in self._expected(mishap):
                ended = self.case.night.end if mishap.until is None else mishap.until
                times = [
                    at / SECOND
                    for target in targets
                    for at in self.seen.get(target, ())
                    if mishap.since <= at / SECOND <= ended + 3600
                ]
                if times:
                    self.hit(kind, min(times) - mishap.since)
                else:
                    self.overlooked[kind, self._why(mishap, ended)] += 1
        for camera in engine.cameras.cameras():
            self.well[f"cameras in the end {camera.state}"] += 1
        for zone in engine.cameras.zones():
            self.well[f"zones in the end {zone.state}"] += 1

    def _expected(self, mishap: Mishap) -> Iterable[tuple[str, list[tuple[str, str]]]]:
        subject = mishap.subject
        match mishap.kind:
            case "camera_dead":
                yield mishap.kind, [("offline", subject), ("loss", subject), ("unreachable", subject)]
            case "camera_hangs":
                yield mishap.kind, [("service_dead", subject), ("offline", subject)]
            case "video_lost":
                yield mishap.kind, [("loss", subject)]
            case "painted":
                yield mishap.kind, [("blind", subject)]
            case "frozen" | "not_recording":
                yield mishap.kind, [(mishap.kind, subject)]
            case "recorder_dead":
                yield mishap.kind, [("device_offline", subject), ("parent_fault", subject)]
            case "switch_dead":
                yield mishap.kind, [("parent_fault", subject)]
            case _:
                return

    def _why(self, mishap: Mishap, ended: float) -> str:
        first, last = round(mishap.since * SECOND), round(ended * SECOND)
        if ended - mishap.since < ENOUGH_S:
            return "too short"
        if mishap.kind in ("painted", "frozen") and not mishap.value:
            return "the camera does not notice it"
        above = self._above(mishap.subject) if mishap.subject in self.cameras else [mishap.subject]
        if mishap.subject in self.recorders:
            above.append(self.recorders[mishap.subject].switch)
        if wrong_between([each for each in spans(self.mishaps, GONE, above) if each is not mishap], first, last):
            return "what it is heard through, or all of it, had fallen"
        if mishap.kind in ("switch_dead", "recorder_dead"):
            below = [each for each in self.cameras if mishap.subject in self._above(each)]
            others = [
                each
                for each in spans(self.mishaps, GONE, [n for c in below for n in self._above(c)])
                if each is not mishap
            ]
            if wrong_between(others, first, last):
                return "parts of it had fallen before"
        if wrong_between(spans(self.mishaps, ("gateway_down", "link_down"), ("gateway", "mqtt")), first, last):
            return "the gateway was away"
        return "unexplained"
