"""Drives the rule modules as one: observations in, findings out, and the next deadline named.

Pure: time is an argument, nothing is read or written outside, nothing is awaited.

Order of one step. `apply` first advances to `received`, so every deadline up to it has fired; then devices (liveness,
links, parents), then the modules that the observation concerns, then causes. `advance(now)` fires all deadlines up to
and including `now`, each at its own nominal time, so that one late call gives the same as many punctual ones.

A deadline is the first instant at which something changes: a visit that may be served until `closes` has the deadline
`closes + 1` (microsecond), since intervals include both ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from device_drivers.observations import LightLevel, Observation, ReaderHeartbeat, TagRead
from gateway.clock import Doubt
from gateway.instants import Instant, instant
from gateway.rules.calls import Calls
from gateway.rules.cameras import Cameras
from gateway.rules.causes import Causes
from gateway.rules.compensation import Compensation
from gateway.rules.corroboration import Corroborations
from gateway.rules.counters import Counters
from gateway.rules.devices import Devices
from gateway.rules.findings import Found
from gateway.rules.intervals import END
from gateway.rules.life import Life
from gateway.rules.lighting import Lighting
from gateway.rules.operations import DeviceOperation
from gateway.rules.proofs import Source
from gateway.rules.reader_alerts import ReaderAlerts
from gateway.rules.rounds import Rounds
from gateway.rules.stand_ins import StandIn
from gateway.site.model import Site


class Timed(Protocol):
    """What changes by time alone."""

    def deadline(self) -> Instant | None:
        """The next own deadline."""


class Engine:
    """All rules of one site.

    Args:
        site: the checked model.
        started: the gateway's first start; silence before it proves nothing.
    """

    def __init__(self, site: Site, started: Instant) -> None:
        self.site = site
        self.now = started
        self.found = Found()
        self.devices = Devices(site, self.found, started)
        self.corroborations = Corroborations(site, self.devices)
        self.rounds = Rounds(site, self.found, started, self.corroborations.of)
        self.lighting = Lighting(site, self.found, self.devices, started)
        self.cameras = Cameras(site, self.found, self.devices, started)
        self.causes = Causes(site, self.found, self.devices, self.lighting, started)
        self.reader_alerts = ReaderAlerts(site, self.found, self.devices)
        self.calls = Calls(site, self.found)
        self.counters = Counters(site, self.found)
        self.compensation = Compensation(site, self.found, self.rounds, self.lighting, self.cameras)
        self._modules = (
            self.devices,
            self.rounds,
            self.lighting,
            self.cameras,
            self.causes,
            self.reader_alerts,
            self.calls,
            self.counters,
            self.corroborations,
            self.compensation,
        )
        self._dues: dict[Timed, Instant] = {module: 0 for module in self._modules if module is not self.rounds}
        """No deadline of each is earlier; it may be outdated, and is then found to be when time reaches it. 0: it is to be asked."""
        self._sensors: dict[str, tuple[Life, Source] | None] = {}
        """Devices that are nothing but light sensors with lamps: where their values go, found once."""
        self._due: Instant = 0
        """No deadline is earlier but `rounds.gathered`; it may be outdated, and is then found to be when time reaches it."""
        self._later: Instant = 0
        """The earliest of those of the modules, all but the rounds."""
        self._asked = False
        """The deadline was found to be true just now, and nothing happened since."""
        self._settle(started)

    def apply(self, observation: Observation, received: Instant, at: Instant | None = None) -> None:
        """Take one observation. `received` must not be before the last instant given; `at`, if known, spares its reading."""
        if received >= self._due or received >= self.rounds.gathered:
            self._asked = False
            self.advance(received)
        elif received > self.now:
            self.now = received
        if at is None:
            at = instant(observation.at)
        devices = self.devices
        device = observation.device
        if type(observation) is LightLevel:
            found = self._sensors[device] if device in self._sensors else self._sensor(device)
            if (
                found is not None
                and found[0].calm
                and self.lighting.undisturbed(found[1], observation.lux, at, received)
            ):
                found[0].last = received
                return
        elif type(observation) is ReaderHeartbeat and self.rounds.kept(observation, at, received):
            devices.apply(observation, at, received)
            self._expect_rounds()
            if devices.changed:
                self._settle(received)
            elif devices.woken:
                devices.woken = False
                self._expect(devices)
            return
        devices.apply(observation, at, received)
        if device in devices.reader_ids or type(observation) is TagRead:
            mark = self.counters.judge(observation, at, received) if type(observation) is TagRead else ""
            self.rounds.apply(observation, at, received, mark)
            self._expect_rounds()
            if self.found.signals:
                self._settle(received)
        if type(observation) in Lighting.KINDS:
            self.lighting.apply(observation, at, received)
            self._expect(self.lighting)
            if self.found.touched:
                self._settle(received)
        if device in self.cameras.concerned:
            self.cameras.apply(observation, at, received)
            self._expect(self.cameras)
            if self.found.signals or self.found.touched:
                self._settle(received)
        if type(observation) in Corroborations.KINDS:
            self.corroborations.apply(observation, at, received)
        elif device in self.corroborations.lights and type(observation) is LightLevel:
            self._light(device, at, received)
        if type(observation) in Calls.KINDS:
            self.calls.apply(observation, at, received)
        if devices.changed:
            self._settle(received)
        elif devices.woken:
            devices.woken = False
            self._expect(devices)

    def apply_late(self, observation: Observation, received: Instant, at: Instant, heard: Instant) -> None:
        """Take what arrived at `heard` and could not be read until now, `received`.

        What does not rest on the order of hearing takes it as if it had been read then: rounds, gaps, what was noticed at a tap; and a call
        for help is told even now. What was said long ago is no sign of life today, and nothing that a lamp or a camera is now.
        """
        self.advance(received)
        if observation.device in self.devices.reader_ids or type(observation) is TagRead:
            mark = self.counters.judge(observation, at, received) if type(observation) is TagRead else ""
            self.rounds.apply(observation, at, heard, mark, reread=True)
        if type(observation) in Corroborations.KINDS:
            self.corroborations.apply(observation, at, heard)
        if type(observation) in Calls.KINDS:
            self.calls.apply(observation, at, received)
        self._settle(received)

    def _light(self, device: str, at: Instant, received: Instant) -> None:
        if (source := self.lighting.source_of_light(device)) is not None:
            self.corroborations.light(source, at, received)

    def _sensor(self, device: str) -> tuple[Life, Source] | None:
        life, source = self.devices.life(device), self.lighting.source_of_light(device)
        plain = device not in self.devices.reader_ids and device not in self.cameras.concerned
        found = None
        if life is not None and source is not None and plain and life.channels is None:
            found = (life, source)
        if life is not None:
            self._sensors[device] = found
        return found

    def advance(self, now: Instant) -> None:
        """Let time pass up to `now`: fire every deadline up to and including it, in order."""
        asked, self._asked = self._asked, False
        while (first := min(self._due, self.rounds.gathered)) <= now:
            if first == self._due and not asked:
                first = min(self._refresh(first), self.rounds.gathered)
                if first > now:
                    break
            asked = False
            self.now = max(self.now, first)
            if first < self._due:
                self._judge_rounds()
            elif self._later > self.now:
                self._fire_rounds()
            else:
                self._fire()
        self.now = max(self.now, now)

    def _fire_rounds(self) -> None:
        """Let the rounds know that it is now: nobody else has a deadline, and who hears their signals is told."""
        self.rounds.advance(self.now)
        if self.found.signals or self.devices.changed:
            self._settle(self.now)
        else:
            self._due = min(self._later, self.rounds.timer() or END)

    def _fire(self) -> None:
        """Let every module know that it is now; cameras once all is known that falls at this instant."""
        for module in self._modules:
            if module is self.cameras and self.devices.changed:
                self._settle(self.now)
            if (own := module.deadline()) is not None and own <= self.now:
                module.advance(self.now)
        self._settle(self.now)

    def _judge_rounds(self) -> None:
        """Judge what evidence has marked: nobody but the rounds, and who hears their signals, is concerned."""
        self.rounds.judge(self.now)
        if self.found.signals:
            self._settle(self.now)
        if self.found.touched:
            self._expect_timer()

    def gather(self, now: Instant) -> None:
        """Judge what evidence has marked, if that is due by `now`; to be asked when nothing else is (`due`)."""
        if (gathered := self.rounds.gathered) <= now:
            self.now = max(self.now, gathered)
            self._judge_rounds()

    def due(self, now: Instant) -> bool:
        """Whether something may change by time alone up to `now`, evidence that waits to be judged (`gather`) left aside."""
        if now < self._due:
            return False
        self._asked = self._refresh(now) <= now
        return self._asked

    def deadline(self) -> Instant | None:
        """An instant before which nothing changes by time alone, or None; at it something may.

        It is kept from message to message, so it may be one that has been put off since; `advance` finds the true one.
        """
        due = min(self._due or self._refresh(self.now), self.rounds.gathered)
        return None if due >= END else due

    def restarted(self, down_from: Instant, now: Instant, doubt: Doubt | None = None) -> None:
        """The gateway was down from `down_from` until `now`: no timer fired between, nothing was heard.

        With `doubt` it was up: its clock was set, or may be wrong ("doubted": until this is called again). What it heard between is
        not known to be all of that time. Silence goes by the time that is lived through, which is never in doubt.
        """
        self.now = now
        doubted = doubt == "doubted"
        if doubt is not None:
            self.devices.time_is_set(now)
        for module in self._modules:
            if module is self.rounds or module is self.lighting or module is self.corroborations:
                module.restarted(down_from, now, doubted=doubted)
            else:
                module.restarted(down_from, now)
        self._settle(now)

    def operate(self, operation: DeviceOperation) -> None:
        """An operator's word about a device."""
        self.advance(operation.at)
        self.devices.operate(operation)
        self.lighting.operate(operation)
        self.cameras.operate(operation)
        self._settle(operation.at)

    def stands_in(self, agreed: StandIn, *, cancelled: bool = False) -> None:
        """People agreed that one stands in for another on a shift, or that it is off."""
        self.rounds.stands_in(agreed, cancelled=cancelled)
        self._settle(self.now)

    def stand_in(self, agreed: Sequence[StandIn]) -> None:
        """On shifts that are not over these stand in, and nobody else."""
        self.rounds.stand_in(agreed)
        self._settle(self.now)

    def _expect(self, module: Timed) -> None:
        """A module's deadline may be earlier now."""
        due = module.deadline()
        if due is not None and due < self._dues[module]:
            self._dues[module] = due
            self._later = min(self._later, due)
            self._due = min(self._due, due)

    def _expect_timer(self) -> None:
        due = self.rounds.timer()
        if due is not None and due < self._due:
            self._due = due

    def _expect_rounds(self) -> None:
        if self.rounds.woken:
            self.rounds.woken = False
            self._expect_timer()

    def _refresh(self, now: Instant) -> Instant:
        """Ask for the deadlines that time has reached."""
        if self._later <= now:
            dues = self._dues
            for module, known in dues.items():
                if known <= now:
                    due = module.deadline()
                    dues[module] = END if due is None else due
            self._later = min(dues.values())
        self._due = min(self._later, self.rounds.timer() or END)
        return self._due

    def plan_from(self, since: Instant) -> None:
        """Plan rounds and windows from `since` on, though the first evidence came later."""
        self.rounds.plan_from(since)
        self._expect_timer()

    def flush(self) -> None:
        """Judge what the evidence of the last instant touched, though more of that instant might follow."""
        if self.rounds.gathered != END:
            self._judge_rounds()
        else:
            self.rounds.judge(self.now)  # what time it is, for what is shown

    def conclude(self) -> None:
        """Nothing more will come: judge also what may wait a little."""
        self.rounds.flush(self.now)
        self._settle(self.now)

    def _settle(self, now: Instant) -> None:
        """Hand what changed below to what depends on it, until nothing changes."""
        devices = self.devices
        while True:
            watched = self._settle_causes(now)
            if watched:
                self.cameras.devices_changed(watched, now)
                self.corroborations.devices_changed(watched, now)
            if not devices.changed:
                break
        self.compensation.look(now)
        devices.woken = False
        self._ask_all()

    def _settle_causes(self, now: Instant) -> frozenset[str]:
        """Find what takes what with it, before anybody looks what is watched: a zone turns once. Gives all that changed."""
        devices, all_changed = self.devices, frozenset[str]()
        while True:
            changed = frozenset(devices.changed)
            devices.changed.clear()
            if changed:
                self.rounds.devices_changed(changed, now)
                self.lighting.devices_changed(changed, now)
            circuits = frozenset(name for kind, name in self.found.touched if kind == "circuit")
            self.causes.look(changed, circuits, now)
            self.reader_alerts.look(changed | devices.changed, now)
            all_changed |= changed
            if not devices.changed:
                return all_changed

    def _ask_all(self) -> None:
        """Whatever was known of deadlines is to be asked again."""
        self._dues = dict.fromkeys(self._dues, 0)
        self._due = self._later = 0

    def drain(self) -> Found:
        """What was found since the last call."""
        found = self.found
        taken = Found(signals=found.signals, revisions=found.revisions, touched=found.touched)
        found.signals, found.revisions, found.touched = [], [], {}
        return taken

    def snapshot(self) -> dict[str, Any]:
        """The whole state as builtins (what msgspec encodes)."""
        self.devices.judged_at = self.now
        return {"now": self.now} | {type(module).__name__: module.snapshot() for module in self._modules}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot. The site may have changed since: what is no longer in it is dropped."""
        self.now = state["now"]
        for module in self._modules:
            if (part := state.get(type(module).__name__)) is not None:
                module.restore(part)
        self._sensors.clear()
        self.devices.changed.clear()
        self._ask_all()
