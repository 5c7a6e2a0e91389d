"""Lamps and circuits: what is heard goes to whom it concerns, what follows is told (spec: lighting.md; see lighting.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from device_drivers import observations as seen
from device_drivers.observations import Observation
from gateway.instants import DAY, MINUTE, SECOND, Duration, Instant, moment
from gateway.rules import lamp_faults as table
from gateway.rules.circuits import CircuitJudge, CircuitMemory
from gateway.rules.companies import Companies
from gateway.rules.devices import Devices
from gateway.rules.findings import Circuit, Found, Lamp
from gateway.rules.lamp_alerts import LampAlerts
from gateway.rules.lamps import LampJudge, LampMemory
from gateway.rules.operations import DeviceOperation
from gateway.rules.proofs import Rank, Sight, Source
from gateway.rules.sources import Sources
from gateway.rules.spans import Plan, always, dusk_to_dawn, sun_below, times
from gateway.rules.sun import DARK, HORIZON, Sun
from gateway.rules.timers import Timers
from gateway.site.model import Lamp as LampSpec
from gateway.site.model import Site

WATCHER = "motion_sensor"
"""The kind of device whose failure means that nobody can say whether somebody came."""

CLOCK_AHEAD: Duration = MINUTE
CLOCK_LOST: Duration = 7 * DAY
"""As rounds.md has it: dated later than that after `received` it is judged at `received`; earlier before, not at all."""

STATUS = (seen.DeviceStatus, seen.LinkStatus)

TimerKey = tuple[str, str]
"""What is due (`source`, `plan`, `hold`, `walk`, `tell`, `report`, `unknown`) and of whom."""

_AFTER_END = frozenset({"source", "hold", "walk"})
"""Timers that ring 1 µs after an end that still counts: what changes then is shown since that end."""


class Lighting:
    """Lamps and circuits of one site.

    Args:
        site: the checked model.
        found: where signals and touched views go.
        devices: says which source is down, and why.
        started: the gateway's first start.
    """

    KINDS: ClassVar[frozenset[type]] = frozenset(
        {seen.LightLevel, seen.Motion, seen.LampState, seen.Power, seen.LampFault, seen.DeviceStatus, seen.LinkStatus}
    )

    def __init__(self, site: Site, found: Found, devices: Devices, started: Instant) -> None:
        self.site = site
        self.found = found
        self._devices = devices
        self._now = started
        self._late: Duration = 0
        self._zone = site.zone_info
        self._timers: Timers[TimerKey] = Timers()
        self._sun = Sun(site.latitude, site.longitude)
        self._dark = sun_below(self._sun, DARK)
        self._plans: dict[str, tuple[Plan, list[LampJudge]]] = {}
        self._lamps: dict[str, LampJudge] = {}
        self._circuits = {name: CircuitJudge(name, started) for name in site.circuits}
        self._alerts = LampAlerts(site, found, self._timers)
        self._sources = Sources(site, devices, self._alerts, self._timers, self._settle)
        self._lux = self._sources.lux
        self._companies = Companies(site, devices, self._alerts, self._timers)
        self._by_place: dict[str, list[LampJudge]] = {}
        self._fed: dict[str, list[LampJudge]] = {}
        for spec in site.lamps.values():
            self._enrol(spec, started)
        self._watchers = {
            device.id for device in site.devices.values() if device.kind == WATCHER and device.place in self._by_place
        }
        for device in self._watchers:
            self._sources.adopt(device)
        for circuit in self._circuits.values():
            circuit.shown = self._circuit_shown(circuit)

    # -- building --------------------------------------------------------------------------------------------------

    def _enrol(self, spec: LampSpec, started: Instant) -> None:
        """Set up one lamp with the sources that the site file names."""
        indoor = spec.place not in self.site.places or self.site.places[spec.place].daylight == "indoor"
        dark = None if indoor else self._dark
        key, plan = self._plan_of(spec)
        lamp = LampJudge(spec, plan, dark, started)
        lamp.disabled = not self._sources.enabled(spec.id)
        self._lamps[spec.id] = lamp
        if plan is not None:
            self._plans[key][1].append(lamp)
            self._arm_plan(key, plan, started)
        self._by_place.setdefault(spec.place, []).append(lamp)
        if spec.circuit:
            self._circuits[spec.circuit].lamps.append(lamp)
        self._companies.enrol(lamp, started)
        if lamp.disabled:
            lamp.memory.state, lamp.memory.cause = "disabled", None
        if spec.fed_by is not None:
            device, channel = spec.fed_by
            self._fed.setdefault(device, []).append(lamp)
            self._sources.look(
                lamp, self._sources.source(device, Rank.POWER, None if channel is None else str(channel))
            )
        for device in spec.seen_by:
            self._sources.look(lamp, self._sources.source(device, Rank.LUX))
        if spec.id in self.site.devices:
            self._sources.look(lamp, self._sources.source(spec.id, Rank.WORD))
        lamp.settle(started)
        lamp.shown = self._lamp_shown(lamp)

    def _plan_of(self, spec: LampSpec) -> tuple[str, Plan | None]:
        """The plan of a lamp, shared by all with the same; None where no clock says."""
        expected = spec.expected
        key = f"{expected.mode}|{expected.offset}|{expected.on}|{expected.off}"
        if expected.mode in ("commanded", "motion"):
            return key, None
        if key not in self._plans:
            if expected.mode == "always":
                plan = always()
            elif expected.mode == "times" and expected.on is not None and expected.off is not None:
                plan = times(expected.on, expected.off, self._zone)
            else:
                plan = dusk_to_dawn(self._sun, HORIZON, expected.offset)
            self._plans[key] = (plan, [])
        return key, self._plans[key][0]

    # -- what is heard ---------------------------------------------------------------------------------------------

    def apply(self, observation: Observation, at: Instant, received: Instant) -> None:
        """Take one observation; `at` is its device time."""
        self._now = received
        if not received - CLOCK_LOST <= at <= received + CLOCK_AHEAD:
            if at < received and type(observation) not in STATUS:
                self._live(observation, received)
                return
            at = received
        if type(observation) is seen.LightLevel:
            source = self._lux.get(observation.device)
            if source is not None:
                self._light(source, observation.lux, at, received)
            return
        if observation.device not in self.site.devices:
            return
        match observation:
            case seen.Power(watts=watts, channel=channel) if watts is not None and watts == watts:  # noqa: PLR0124
                self._feed(observation.device, watts, channel, at, received)
            case seen.LampState():
                self._word(observation, at, received)
            case seen.Motion():
                self._motion(observation, at, received)
            case seen.LampFault():
                self._report(observation, at, received)
            case seen.DeviceStatus(online=ok, channel=None) | seen.LinkStatus(up=ok):
                said_down = self._sources.said_down
                (said_down.discard if ok else said_down.add)(observation.device)
                self._recheck(observation.device, received)
            case _:
                pass

    def _live(self, observation: Observation, now: Instant) -> None:
        """What it says is too old to say anything of a lamp; that it spoke shows that its device lives."""
        for source in self._sources.of(observation.device):
            spoke = (source.rank == Rank.LUX) == isinstance(observation, seen.LightLevel)
            if spoke and source.enabled:
                self._sources.hear(source, now)

    def source_of_light(self, device: str) -> Source | None:
        """The light sensor of that name, if lamps are seen by it."""
        return self._lux.get(device)

    def undisturbed(self, source: Source, lux: float, at: Instant, now: Instant) -> bool:
        """Take a lux value that changes nothing, as nearly all do; False: it was not taken, and must be applied."""
        if not (source.live and source.enabled and lux >= 0) or source.watched:
            return False
        if not now - CLOCK_LOST <= at <= now + CLOCK_AHEAD:
            return False
        for sight in source.sights:
            if not sight.calm_from <= at < sight.calm_until or (lux >= sight.lit_lux) is not sight.memory.lit:
                return False
        self._now = now
        source.memory.heard = now
        for sight in source.sights:
            memory = sight.memory
            memory.at = at
            memory.value = lux
            sight.lamp.memory.last = at
        return True

    def _light(self, source: Source, lux: float, at: Instant, now: Instant) -> None:
        """One lux value: the busiest path, so a sample that changes nothing is done in a few comparisons."""
        if not (lux >= 0 and source.enabled):  # not a number, or less than no light: a failed reading
            return
        if source.watched:
            self._sources.watch(source, lux, at, now)
        if not source.live:
            self._sources.hear(source, now)
        source.memory.heard = now
        for sight in source.sights:
            if sight.calm_from <= at < sight.calm_until and (lux >= sight.lit_lux) is sight.memory.lit:
                sight.memory.at = at
                sight.memory.value = lux
                sight.lamp.memory.last = at
            elif not sight.needs_dark or self._dark.span(at).on:
                self._prove(sight, lux >= sight.lit_lux, at, now, lux)
            else:
                memory = sight.memory
                memory.by_day, memory.day_lux = at, lux

    def _feed(self, device: str, watts: float, channel: int | str | None, at: Instant, now: Instant) -> None:
        """Power on one channel; without one, or where the site names none of that device, all of it."""
        source = self._sources.power(device, channel)
        if source is None and device in self._lamps:
            source = self._sources.source(device, Rank.POWER)
            self._sources.look(self._lamps[device], source)
        if source is None or not source.enabled:
            return
        self._sources.hear(source, now)
        for sight in source.sights:
            self._prove(sight, watts >= sight.lamp.spec.lit_watts, at, now, watts)

    def _word(self, observation: seen.LampState, at: Instant, now: Instant) -> None:
        """What a lamp says of itself, or another device of it."""
        sight = self._own_sight(observation.device, observation.lamp, now)
        if sight is None:
            return
        if observation.commanded is not None:
            speaker = self.site.devices[observation.device]
            sight.lamp.command(at, observation.commanded, promised=speaker.expect_every is not None)
        if observation.on is not None:
            self._prove(sight, observation.on, at, now)
        self._settle(sight.lamp, now)

    def _own_sight(self, device: str, name: str | None, now: Instant) -> Sight | None:
        """The sight of a lamp through what is said of it; its source has just been heard."""
        lamp = self._lamps.get(name or device)
        if lamp is None or lamp.disabled or not self._sources.enabled(device):
            return None
        sight = self._sources.look(lamp, self._sources.source(device, Rank.WORD))
        self._sources.hear(sight.source, now)
        return sight

    def _motion(self, observation: seen.Motion, at: Instant, now: Instant) -> None:
        """Motion counts for the lamps of its sensor's place."""
        place = self.site.devices[observation.device].place
        if not self._sources.enabled(observation.device) or place is None:
            return
        for lamp in self._by_place.get(place, ()):
            lamp.watch(at)
            if not observation.active:
                continue
            lamp.move(at, now)
            if lamp.mode == "motion":
                over = at + lamp.spec.expected.hold + 1
                self._timers.set(("hold", lamp.id), max(over, self._timers.get(("hold", lamp.id)) or over))
                self._arm_walk(lamp)
                self._settle(lamp, now)

    def _report(self, observation: seen.LampFault, at: Instant, now: Instant) -> None:
        """A fault that is reported, not judged; without a lamp's name it is of the lamp itself, or of the one it feeds."""
        name = observation.lamp
        fed = self._fed.get(observation.device, ())
        if name is None and observation.device not in self._lamps and len(fed) == 1:
            name = fed[0].id
        sight = self._own_sight(observation.device, name, now)
        if sight is None:
            return
        if observation.active:
            expires = observation.expires_s
            lasts = None if expires is None else round(expires * SECOND)
            sight.lamp.report(observation.fault, at, now, lasts, observation.device)
        else:
            sight.lamp.withdraw(observation.fault, "cleared")
        self._settle(sight.lamp, now)

    def _prove(self, sight: Sight, lit: bool, at: Instant, now: Instant, value: float | None = None) -> None:
        """Take one sample that says lit or unlit; `value`: lux or watts."""
        lamp = sight.lamp
        if sight.calm_from <= at < sight.calm_until and lit is sight.memory.lit:
            sight.memory.at = lamp.memory.last = at
            sight.memory.value = value or 0.0
            return
        if lamp.disabled or not sight.source.live:
            why = "sensor_stuck" if sight.source.cause() == "sensor_stuck" else "source_down"
            sight.put_aside(why, lit, at, value)
            return
        if lamp.prove(sight, lit, at, value) and lamp.spec.circuit:
            self._circuits[lamp.spec.circuit].seen(lamp, lit)
        self._settle(lamp, now, at)

    # -- sources that fail ------------------------------------------------------------------------------------------

    def devices_changed(self, devices: frozenset[str], now: Instant) -> None:
        """The named devices (or parents) went down or came back."""
        self._now = now
        for device in self._sources.below(devices):
            self._late = int(self._devices.shown_since(device) == now - 1)  # found an instant after a timeout's end
            self._recheck(device, now)
        self._late = 0

    def _recheck(self, device: str, now: Instant) -> None:
        """Ask again whether a device is down, as a source and as one that sees who comes."""
        if device in self._watchers and self._devices.down_cause(device) is not None:
            for lamp in self._by_place[self.site.devices[device].place or ""]:
                lamp.unwatch()
        self._sources.recheck(device, now)

    def restarted(
        self,
        down_from: Instant,  # noqa: ARG002 - what was known then is in the state
        now: Instant,
        *,
        doubted: bool = False,
    ) -> None:
        """The gateway was down until `now`: what was not heard since proves nothing yet.

        `doubted`: nobody knows what time it is, so nobody knows what should burn; what lamps report of themselves counts.
        """
        self._now = now
        self._sources.restarted(now, doubted=doubted)
        for circuit in self._circuits.values():
            circuit.memory.restarted = now
        for lamp in self._lamps.values():
            lamp.resume(now)
        for lamp in self._lamps.values():
            self._settle(lamp, now)

    def operate(self, operation: DeviceOperation) -> None:
        """An operator ends a fault that a lamp, or another device of it, reported, or takes either out of service."""
        self._now = operation.at
        name, lamp = operation.device, self._lamps.get(operation.device)
        if operation.action == "clear":
            for each in [lamp] if lamp is not None else list(self._lamps.values()):
                report = each.memory.reports.get(operation.impairment or "")
                if report is not None and (each is lamp or report.source == name):
                    each.withdraw(operation.impairment or "", "operator")
                    self._settle(each, operation.at)
            return
        enable = operation.action == "enable"
        self._sources.operate(name, enable=enable, now=operation.at)
        if lamp is not None and lamp.disabled is enable:
            lamp.serve(enable)
            self._settle(lamp, operation.at)

    # -- what follows ----------------------------------------------------------------------------------------------

    def _settle(self, lamp: LampJudge, now: Instant, proved: Instant | None = None) -> None:
        """Bring one lamp, and its circuit, up to date; `proved`: the time of the sample that asks for it."""
        self._uncalm(lamp)
        lamp.pass_time(now)
        self._restate(lamp, now)
        memory = lamp.memory
        if memory.reports:
            ends = [report.until for report in memory.reports.values() if report.until is not None]
            self._timers.set(("report", lamp.id), min(ends, default=None))
        circuit = self._circuits.get(lamp.spec.circuit) if lamp.spec.circuit else None
        if circuit is None:
            self._alerts.tell(lamp, None, now)
        else:
            self._judge(circuit, now, proved)
        if not (memory.faults or memory.reports):
            self._calm(lamp, circuit)

    def _restate(self, lamp: LampJudge, now: Instant) -> None:
        """Judge a lamp's state; count it, and mark its view if that changed."""
        before = lamp.memory.state
        since = now - self._late
        if lamp.settle(now, since):
            self._companies.count(lamp, before, since)
        shown = self._lamp_shown(lamp)
        if shown == lamp.shown:
            return
        lamp.shown = shown
        self.found.touched["lamp", lamp.id] = None
        if lamp.spec.circuit:
            circuit = self._circuits[lamp.spec.circuit]
            circuit.stirred = True
            circuit.note(lamp)

    def _judge(self, circuit: CircuitJudge, now: Instant, proved: Instant | None) -> None:
        """Look whether the circuit as a whole failed or recovered, then tell what is to be told."""
        if proved is not None and not circuit.stirred and not circuit.waits:
            return
        circuit.stirred = False
        standing = circuit.memory.standing
        if standing or circuit.troubled:
            for row in table.GROUP_FAULTS:
                if (known := standing.get(row.name)) is None:
                    if (new := circuit.find(row, now)) is not None:
                        standing[row.name] = new
                elif circuit.grow(row, known):
                    self._alerts.update(circuit, row.name, known, now)
                elif circuit.over(row, known, now):
                    self._end_group(circuit, row, now, now if proved is None else proved)
            self._alerts.tell_circuit(circuit, now)
            for name in sorted(circuit.troubled):
                lamp = circuit.troubled[name]
                self._alerts.tell(lamp, circuit, now)
                circuit.note(lamp)
        circuit.waits = circuit.waiting()
        busy = bool(standing) or circuit.waits
        if busy and not circuit.busy:
            for lamp in circuit.lamps:
                self._uncalm(lamp)
        circuit.busy = busy
        shown = self._circuit_shown(circuit)
        if shown != circuit.shown:
            if shown[0] != circuit.shown[0]:
                circuit.memory.since = now - self._late
                circuit.memory.state = self._circuit_state(circuit)
            circuit.shown = shown
            self.found.touched["circuit", circuit.id] = None

    def _end_group(self, circuit: CircuitJudge, row: table.GroupFault, now: Instant, since: Instant) -> None:
        """The circuit is well again: its lamps are judged as if new, by samples since `since`."""
        known = circuit.memory.standing.pop(row.name)
        if known.told:
            self._alerts.signal(row.name, circuit.id, "resolve", now, why=circuit.why_over(row, known))
        for lamp in circuit.lamps:
            lamp.start_anew(since)
            self._restate(lamp, now)

    def _calm(self, lamp: LampJudge, circuit: CircuitJudge | None) -> None:
        """Say until when samples like the last change nothing, so that they cost nothing."""
        if len(lamp.sights) != 1 or lamp.plan is None or (circuit is not None and circuit.busy):
            return
        sight, memory = lamp.sights[0], lamp.memory
        if memory.run is not None or not sight.source.live or sight.memory.lit is None:
            return
        span = lamp.plan.span(sight.memory.at)
        if sight.memory.lit is not span.on or memory.state != ("ok" if span.on else "off_duty"):
            return
        sight.calm_from, sight.calm_until = span.known_from, span.known_until
        if memory.judged_from is not None:
            sight.calm_from = max(sight.calm_from, memory.judged_from)
        if sight.needs_dark:
            night = self._dark.span(sight.memory.at)
            sight.calm_from = max(sight.calm_from, night.known_from)
            sight.calm_until = min(sight.calm_until, night.known_until) if night.on else 0

    @staticmethod
    def _uncalm(lamp: LampJudge) -> None:
        for sight in lamp.sights:
            sight.calm_until = 0

    # -- time ------------------------------------------------------------------------------------------------------

    def deadline(self) -> Instant | None:
        """The next own deadline."""
        return self._timers.next_after(self._sources.put_off)

    def advance(self, now: Instant) -> None:
        """Fire own deadlines up to and including `now`."""
        while (due := self._timers.next()) is not None and due <= now:
            self._now = max(self._now, due)
            for key in sorted(key for _, key in self._timers.due(due)):
                self._late = int(key[0] in _AFTER_END and due == self._now)
                self._fire(key, self._now)
            self._late = 0
        self._now = max(self._now, now)

    def _fire(self, key: TimerKey, now: Instant) -> None:
        what, name = key
        match what:
            case "source":
                self._sources.fire(name, now)
            case "plan":
                plan, lamps = self._plans[name]
                self._arm_plan(name, plan, now)
                for lamp in lamps:
                    self._settle(lamp, now)
            case "unknown":
                self._companies.tell(name, self._circuits.get(name.removeprefix("circuit|")), now)
            case "walk":
                self._lamps[name].finish_walk()
                self._settle(self._lamps[name], now)
            case _:
                self._settle(self._lamps[name], now)

    def _arm_plan(self, key: str, plan: Plan, now: Instant) -> None:
        """A plan matters at its changes and 1 h after each (lighting.md, State)."""
        due = plan.span(now).known_until
        if (change := plan.span(now - table.NO_PROOF_AFTER_EDGE).until) is not None:
            due = min(due, change + table.NO_PROOF_AFTER_EDGE)
        self._timers.set(("plan", key), max(due, now + 1))

    def _arm_walk(self, lamp: LampJudge) -> None:
        walk = lamp.memory.walk
        self._timers.set(("walk", lamp.id), None if walk is None else walk.closes + 1)

    # -- for causes ------------------------------------------------------------------------------------------------

    def circuit_dark_since(self, circuit_id: str) -> Instant | None:
        """When its standing `circuit_fault` began by the evidence; None: none stands."""
        known = self._circuits[circuit_id].memory.standing.get("circuit_fault")
        return known.onset if known is not None else None

    def circuit_last_sign(self, circuit_id: str) -> Instant | None:
        """When a lamp of its standing `circuit_fault` was last seen lit before it fell; None: none stands."""
        known = self._circuits[circuit_id].memory.standing.get("circuit_fault")
        return known.last_sign if known is not None else None

    def circuit_known(self, circuit_id: str) -> bool:
        """Whether anything is known of its lamps."""
        state: str = self._circuit_state(self._circuits[circuit_id])
        return state != "unknown"

    def suppress(self, circuit_ids: Iterable[str], caused_by: str, now: Instant) -> None:
        """A parent's alert (`caused_by`: `rule:subject`) speaks for these circuits: theirs are merged into it."""
        for name in sorted(circuit_ids):
            circuit = self._circuits[name]
            circuit.memory.suppressed = caused_by
            self._retell(circuit, now)

    def unsuppress(self, circuit_ids: Iterable[str], now: Instant) -> None:
        """The parent is well again: what it spoke for is forgotten, and judged by new samples alone."""
        for name in sorted(circuit_ids):
            circuit = self._circuits[name]
            if circuit.memory.suppressed is None:
                continue
            circuit.memory.suppressed = None
            dark = any("lamp_failure" in lamp.memory.faults for lamp in circuit.lamps)
            if circuit.memory.standing.pop("circuit_fault", None) is not None or dark:
                for lamp in circuit.lamps:
                    lamp.start_anew(now)
                    self._restate(lamp, now)
            self._retell(circuit, now)

    def _retell(self, circuit: CircuitJudge, now: Instant) -> None:
        if circuit.lamps:
            self._settle(circuit.lamps[0], now)

    # -- views -----------------------------------------------------------------------------------------------------

    def _lamp_shown(self, lamp: LampJudge) -> tuple[object, ...]:
        memory = lamp.memory
        return (
            memory.state,
            memory.cause,
            lamp.faults(),
            len(memory.faults),
            lamp.unverified(),
            lamp.expected_now(self._now),
            lamp.lit(self._now),
        )

    def judge_of(self, lamp_id: str) -> LampJudge | None:
        """What is known of a lamp; to be read only."""
        return self._lamps.get(lamp_id)

    def circuit_judge(self, circuit_id: str) -> CircuitJudge | None:
        """What is known of a circuit; to be read only."""
        return self._circuits.get(circuit_id)

    def watchers(self, place: str) -> list[str]:
        """The motion sensors of a place, by id."""
        return sorted(device for device in self._watchers if self.site.devices[device].place == place)

    def lamps(self) -> list[Lamp]:
        """All lamps, by id."""
        return [self._view(self._lamps[name]) for name in sorted(self._lamps)]

    def lamp(self, lamp_id: str) -> Lamp | None:
        """One lamp as judged now."""
        lamp = self._lamps.get(lamp_id)
        return None if lamp is None else self._view(lamp)

    def _view(self, lamp: LampJudge) -> Lamp:
        memory, faults = lamp.memory, lamp.faults()
        return Lamp(
            id=lamp.id,
            state=memory.state,
            fault=faults[0] if faults else None,
            faults=faults,
            unverified=lamp.unverified(),
            cause=memory.cause,
            since=moment(memory.since, self._zone),
            expected_on=lamp.expected_now(self._now),
            lit=lamp.lit(self._now),
        )

    def _circuit_state(self, circuit: CircuitJudge) -> Any:
        if circuit.memory.standing:
            return "faulty"
        return "ok" if self._companies.known(circuit.id) else "unknown"

    def _circuit_shown(self, circuit: CircuitJudge) -> tuple[object, ...]:
        return (self._circuit_state(circuit), circuit.fault())

    def circuits(self) -> list[Circuit]:
        """All circuits, by id."""
        return [found for name in sorted(self._circuits) if (found := self.circuit(name)) is not None]

    def circuit(self, circuit_id: str) -> Circuit | None:
        """One circuit as judged now."""
        circuit = self._circuits.get(circuit_id)
        if circuit is None:
            return None
        return Circuit(
            id=circuit_id,
            state=circuit.memory.state,
            fault=circuit.fault(),
            since=moment(circuit.memory.since, self._zone),
        )

    # -- restarts of the process -----------------------------------------------------------------------------------

    def _timer_keys(self) -> Iterable[TimerKey]:
        yield from (("source", name) for name in self._sources.keys())  # noqa: SIM118 - not a mapping
        yield from (("plan", name) for name in self._plans)
        yield from (("unknown", name) for name in self._companies.names())
        for kind in ("hold", "walk", "tell", "report"):
            yield from ((kind, name) for name in self._lamps)

    def snapshot(self) -> Any:
        """The whole state as builtins."""
        timers = [[*key, at] for key in self._timer_keys() if (at := self._timers.get(key)) is not None]
        return msgspec.to_builtins(
            {
                "now": self._now,
                "timers": timers,
                "lamps": {name: lamp.memory for name, lamp in self._lamps.items()},
                "circuits": {name: circuit.memory for name, circuit in self._circuits.items()},
                "companies": self._companies.snapshot(),
            }
            | self._sources.snapshot()
        )

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot. Lamps, sources and circuits no longer in the site are dropped, and their alerts end; new ones start as new."""
        self._now = state["now"]
        self._sources.restore(state, self._lamps, self._now)
        for name, memory in state["lamps"].items():
            seen = msgspec.convert(memory, LampMemory)
            if (lamp := self._lamps.get(name)) is not None:
                lamp.memory = seen
                lamp.disabled = not self._sources.enabled(name)
            else:
                self._alerts.removed(name, seen.told, self._now)
        for name, memory in state["circuits"].items():
            known = msgspec.convert(memory, CircuitMemory)
            if name in self._circuits:
                self._circuits[name].memory = known
            else:
                told = [rule for rule, standing in known.standing.items() if standing.told]
                self._alerts.removed(name, told, self._now)
        self._companies.restore(state["companies"], self._now)
        self._restore_timers(state)
        for lamp in self._lamps.values():
            lamp.shown = self._lamp_shown(lamp)
        for circuit in self._circuits.values():
            for lamp in circuit.lamps:
                circuit.note(lamp)
            circuit.waits = circuit.waiting()
            circuit.busy = bool(circuit.memory.standing) or circuit.waits
            circuit.shown = self._circuit_shown(circuit)
        self._drop_reports()
        for circuit in self._circuits.values():
            if circuit.bereft():
                self._judge(circuit, self._now, None)

    def _drop_reports(self) -> None:
        """What a device reported that the site no longer has is over: nothing could ever end it."""
        for lamp in self._lamps.values():
            gone = [name for name, one in lamp.memory.reports.items() if one.source not in self.site.devices]
            for name in gone:
                lamp.withdraw(name, "removed")
            if gone:
                self._settle(lamp, self._now)

    def _restore_timers(self, state: Mapping[str, Any]) -> None:
        """What was armed is armed again; what the snapshot does not know keeps what it started with."""
        known = {
            *(("source", name) for name in state["sources"]),
            *(("unknown", name) for name in state["companies"]),
            *((kind, name) for kind in ("hold", "walk", "tell", "report") for name in state["lamps"]),
        }
        armed = {(kind, name): at for kind, name, at in state["timers"]}
        for key in list(self._timer_keys()):
            if key in known or key in armed:
                self._timers.set(key, armed.get(key))
            elif key[0] == "plan":
                self._arm_plan(key[1], self._plans[key[1]][0], self._now)
