"""Lamps, circuits and their sensors against the truth."""

from __future__ import annotations

from collections.abc import Iterable

from device_drivers.simulation.delivery import when
from device_drivers.simulation.nights import Lived
from device_drivers.simulation.truth import Mishap
from gateway.instants import MINUTE, SECOND, Instant
from gateway.rules.engine import Engine
from gateway.rules.findings import Found
from tests.nights.cases import Case
from tests.nights.score import Score, held_up, spans, wrong_between

DARK = ("lamp_dead", "circuit_dead", "panel_dead")
BURNING = ("lamp_stuck_on", "circuit_stuck_on")
EXPLAINS = {
    "lamp_failure": (*DARK, "lamp_cycling"),
    "no_trigger": (*DARK, "lamp_cycling"),
    "day_burner": (*BURNING, "lamp_cycling"),
    "cycling_failure": ("lamp_cycling",),
    "dim": ("lamp_dim", "lamp_cycling"),
    "control_gear_failure": ("lamp_reports",),
}
"""What must really have been wrong for a fault to be no false accusation."""

SEEN = 25 * MINUTE
"""A fault rests on samples of at most this long before it is found: two reports and what makes them late."""
OUTLIVES = 50 * MINUTE
"""A repaired lamp that is watched is well again after at most this long: three reports, and what an edge hides."""
OFTEN = 10 * MINUTE
ENOUGH_S = 35 * 60
"""Shorter troubles need not be found: two reports must fall into them, ten minutes apart."""


class LightsScore(Score):
    """Watches the judging of one night of lamps."""

    def __init__(self, case: Case, night: Lived) -> None:
        super().__init__()
        self.case = case
        self.world = night.world
        self.mishaps = night.world.truth.mishaps()
        self.lamps = {lamp.id: lamp for lamp in case.estate.lamps}
        self.sources = {
            lamp.id: [
                *(each.id for each in case.estate.light_sensors if each.lamp == lamp.id),
                *(each.id for each in case.estate.plugs if each.lamp == lamp.id),
                *(each.id for each in case.estate.lamp_controllers if each.id == lamp.id),
            ]
            for lamp in case.estate.lamps
        }
        self.watchers = {lamp: each.id for each in case.estate.motion_sensors for lamp in each.lamps}
        self.seen: dict[tuple[str, str], list[Instant]] = {}
        """When a fault was first seen to stand, by (fault, lamp or circuit)."""
        self._standing: set[tuple[str, str]] = set()
        self._looked: Instant = 0

    def causes(self, fault: str, lamp: str) -> list[Mishap]:
        """What could really be wrong with a lamp so that it has this fault."""
        spec = self.lamps[lamp]
        return spans(self.mishaps, EXPLAINS.get(fault, ()), (lamp, spec.circuit, spec.panel))

    def __call__(self, now: Instant, found: Found, engine: Engine) -> None:
        names = [name for kind, name in found.touched if kind == "lamp"]
        if now >= self._looked + OFTEN:
            self._looked = now
            names = list(self.lamps)
        for name in dict.fromkeys(names):
            view = engine.lighting.lamp(name)
            assert view is not None
            standing = {(fault, name) for fault in view.faults}
            if view.faults:
                assert view.state == "faulty", view
            else:
                assert view.state != "faulty", view
            for fault, _ in sorted(standing):
                self._faulty(fault, name, now, begins=(fault, name) not in self._standing)
            self._standing = {each for each in self._standing if each[1] != name} | standing
        for signal in found.signals:
            if signal.action == "raise" and signal.rule in ("circuit_fault", "schedule_fault", "sensor_stuck"):
                self._raised(signal.rule, signal.subject, now)
            elif signal.action == "raise" and signal.rule == "parent_fault":
                self.seen.setdefault(("panel", signal.subject), []).append(now)
                if not wrong_between(spans(self.mishaps, ("panel_dead",), (signal.subject,)), now - 90 * MINUTE, now):
                    circuits = {each.circuit for each in self.lamps.values() if each.panel == signal.subject}
                    if not spans(self.mishaps, ("circuit_dead",), circuits):
                        self.accuse("parent_fault", signal.subject, now)

    def _faulty(self, fault: str, lamp: str, now: Instant, *, begins: bool) -> None:
        causes = self.causes(fault, lamp)
        late = round(held_up(self.mishaps, now, 3 * 3600) * SECOND)
        if begins:
            self.seen.setdefault((fault, lamp), []).append(now)
            long = 8 * 60 * MINUTE if fault in ("dim", "no_trigger") else SEEN
            if wrong_between(causes, now - long - late, now):
                return
            self.accuse(fault, lamp, now, self._lied(lamp, now - long - late, now))
        else:
            self._outlived(fault, lamp, now, causes, late)

    def _outlived(self, fault: str, lamp: str, now: Instant, causes: list[Mishap], late: Instant) -> None:
        """Whether a fault stands though its end must have been seen."""
        since = now - OUTLIVES - late
        if fault in ("dim", "no_trigger") or wrong_between(causes, since, now):
            return
        blind = [each for each in self.mishaps if each.kind in ("sensor_silent", "sensor_stuck")]
        if wrong_between(spans(blind, ("sensor_silent", "sensor_stuck"), self.sources[lamp]), since - 60 * MINUTE, now):
            return
        spec = self.lamps[lamp]
        if fault == "control_gear_failure":
            self.accuse(f"{fault} outlived its end", lamp, now)
            return
        wanted = fault in ("lamp_failure", "cycling_failure")
        for step in range(6):
            at = when((since + step * (now - since) // 5) / SECOND)
            if spec.mode in ("motion", "commanded") or self.world.truth.switched_on(spec, at) != wanted:
                return
            if spec.outdoor and not self.world.truth.dark(at):
                return
        if any(each.kind == "delayed" and each.touches(since / SECOND, now / SECOND) for each in self.mishaps):
            return
        self.accuse(f"{fault} outlived its repair", lamp, now)

    def _lied(self, lamp: str, since: Instant, now: Instant) -> str:
        stuck = spans(self.mishaps, ("sensor_stuck",), self.sources[lamp])
        if wrong_between(stuck, since - 3 * 60 * MINUTE, now):
            return "its sensor was stuck"
        return ""

    def _raised(self, rule: str, subject: str, now: Instant) -> None:
        self.seen.setdefault((rule, subject), []).append(now)
        late = round(held_up(self.mishaps, now, 3 * 3600) * SECOND)
        since = now - 70 * MINUTE - late
        if rule == "sensor_stuck":
            if not wrong_between(spans(self.mishaps, ("sensor_stuck",), (subject,)), since, now):
                self.accuse(rule, subject, now)
            return
        lamps = [each for each in self.lamps.values() if each.circuit == subject]
        single = "lamp_failure" if rule == "circuit_fault" else "day_burner"
        whole = DARK[1:] if rule == "circuit_fault" else BURNING[1:]
        if wrong_between(spans(self.mishaps, whole, (subject, lamps[0].panel)), since, now):
            return
        broken = [each.id for each in lamps if wrong_between(self.causes(single, each.id), since, now)]
        lied = [each.id for each in lamps if self._lied(each.id, since, now)]
        if len(broken) < 3:
            beyond = "sensors were stuck" if len({*broken, *lied}) >= 3 else ""
            self.accuse(rule, subject, now, beyond)

    def close(self, engine: Engine) -> None:
        """Count what was found, and why the rest was not."""
        for mishap in self.mishaps:
            for kind, targets in self._expected(mishap):
                ended = self.case.night.end if mishap.until is None else mishap.until
                times = [
                    at / SECOND
                    for target in targets
                    for at in self.seen.get(target, ())
                    if mishap.since <= at / SECOND <= ended + 3600 * 2
                ]
                if times:
                    self.hit(kind, min(times) - mishap.since)
                else:
                    self.overlooked[kind, self._why(mishap, ended)] += 1
        for lamp in engine.lighting.lamps():
            self.well[f"lamps in the end {lamp.state}"] += 1

    def _expected(self, mishap: Mishap) -> Iterable[tuple[str, list[tuple[str, str]]]]:
        subject = mishap.subject
        match mishap.kind:
            case "lamp_dead":
                fault = "no_trigger" if self.lamps[subject].mode == "motion" else "lamp_failure"
                yield mishap.kind, [(fault, subject)]
            case "lamp_stuck_on":
                yield mishap.kind, [("day_burner", subject)]
            case "lamp_cycling":
                yield mishap.kind, [(fault, subject) for fault in ("cycling_failure", "lamp_failure", "day_burner")]
            case "lamp_dim":
                yield mishap.kind, [("dim", subject)]
            case "lamp_reports":
                yield mishap.kind, [("control_gear_failure", subject)]
            case "circuit_dead" | "circuit_stuck_on":
                rule = "circuit_fault" if mishap.kind == "circuit_dead" else "schedule_fault"
                single = "lamp_failure" if mishap.kind == "circuit_dead" else "day_burner"
                lamps = [each.id for each in self.lamps.values() if each.circuit == subject]
                yield mishap.kind, [(rule, subject), *((single, lamp) for lamp in lamps)]
            case "panel_dead":
                circuits = sorted(
                    {each.circuit for each in self.lamps.values() if each.panel == subject and each.circuit}
                )
                yield mishap.kind, [("panel", subject), *(("circuit_fault", each) for each in circuits)]
            case "sensor_stuck":
                yield mishap.kind, [("sensor_stuck", subject)]
            case _:
                return

    def _why(self, mishap: Mishap, ended: float) -> str:
        if ended - mishap.since < ENOUGH_S:
            return "too short"
        if mishap.kind == "sensor_stuck":
            return "less than 24 h, or nothing else saw its lamp change"
        if mishap.kind == "lamp_dim":
            return "fewer than 10 switchings before it or 3 after it"
        lamps = [each for each in self.lamps.values() if mishap.subject in (each.id, each.circuit, each.panel)]
        wanted = mishap.kind in (*DARK, "lamp_cycling")
        enough = False
        for lamp in lamps:
            times = [mishap.since + 600 * step for step in range(int((ended - mishap.since) // 600))]
            shown = [
                self.world.truth.switched_on(lamp, when(at)) == wanted
                and (not lamp.outdoor or self.world.truth.dark(when(at)))
                for at in times
                if lamp.mode in ("always", "dusk_to_dawn", "times")
            ]
            enough = enough or sum(shown) > 5
        if not enough:
            return "not while it could show"
        silent = spans(
            self.mishaps, ("sensor_silent", "sensor_stuck"), [s for lamp in lamps for s in self.sources[lamp.id]]
        )
        if wrong_between(silent, round(mishap.since * SECOND), round(ended * SECOND)):
            return "its sensor was silent or stuck"
        broken = [
            each for each in self.mishaps if each is not mishap and each.kind in (*DARK, *BURNING, "lamp_cycling")
        ]
        names = {name for lamp in lamps for name in (lamp.id, lamp.circuit, lamp.panel)}
        if wrong_between(
            [each for each in broken if each.subject in names], round(mishap.since * SECOND), round(ended * SECOND)
        ):
            return "something else was wrong with it too"
        if wrong_between(
            spans(self.mishaps, ("gateway_down", "link_down"), ("gateway", "mqtt")),
            round(mishap.since * SECOND),
            round(ended * SECOND),
        ):
            return "the gateway was away"
        return "unexplained"
