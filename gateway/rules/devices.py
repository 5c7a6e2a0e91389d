"""Liveness of any device: signs of life, silence, links, gateway restarts, parents (spec: cameras.md, Any device).

Signs of life count in gateway time (`received`): a device's clock may be wrong, its silence is heard here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from device_drivers import observations as seen
from device_drivers.observations import Observation
from gateway.instants import Instant, moment
from gateway.rules.device_alerts import DeviceAlerts
from gateway.rules.falls import Fall, Falls
from gateway.rules.findings import DeviceState, Found
from gateway.rules.life import LINK, Life, Side, State, life_of
from gateway.rules.lineage import BROKER, Lineage
from gateway.rules.operations import DeviceOperation
from gateway.rules.starts import Starts
from gateway.rules.timers import Timers, earliest
from gateway.site.model import Device, Site

READER_KINDS = ("reader", "wand", "phone")
"""Their silence is told by `reader_offline` (rounds.md, Alerts)."""


def reader_ids(site: Site) -> frozenset[str]:
    """Readers, fixed and portable."""
    return frozenset(device.id for device in site.devices.values() if device.portable or device.kind in READER_KINDS)


class Devices:
    """All devices of a site.

    Attributes:
        changed: devices and parents whose state, cause, root or telling changed; the engine takes and clears them.
        woken: a deadline may have come nearer.
        judged_at: when anything was last judged.
        reader_ids: readers, fixed and portable.
        lineage: who hangs below whom.
    """

    def __init__(self, site: Site, found: Found, started: Instant) -> None:
        self.site = site
        self.found = found
        self.changed: set[str] = set()
        self.woken = False
        self.lineage = Lineage(site)
        self.reader_ids = reader_ids(site)
        self._zone = site.zone_info
        self.judged_at = started
        self._starts = Starts(started)
        self._not_started = False
        self._falls = Falls(self.lineage)
        self._silence: Timers[str] = Timers()
        self._lives = {device.id: life_of(device, started) for device in site.devices.values()}
        if self.lineage.broker:
            self._lives[BROKER] = life_of(Device(id=BROKER, driver="", kind=LINK), started)
        for device in site.devices.values():
            if device.behind in self._lives and device.channel is not None:
                above = self._lives[device.behind]
                above.channels = {**(above.channels or {}), str(device.channel): device.id}
        self._alerts = DeviceAlerts(site, found, self.lineage, self.reader_ids, self._starts)
        self._special: dict[type, Callable[[Life, Any, Instant], None]] = {
            seen.DeviceStatus: self._status,
            seen.Reachable: self._probe,
            seen.LinkStatus: self._link,
            seen.CameraHeartbeat: self._heartbeat,
            seen.StorageFault: self._storage,
        }
        for life in self._lives.values():
            self._alerts.tell(life, started)

    def apply(self, observation: Observation, at: Instant, received: Instant) -> None:  # noqa: ARG002
        """Take one observation; `at`, its device time, proves nothing about life."""
        life = self._lives.get(observation.device)
        if life is None:
            return
        special = self._special.get(type(observation))
        if special is not None:
            special(life, observation, received)
            return
        if life.calm:
            life.last = received
        else:
            self._heard(life, received)
        if life.channels is not None:
            channel = self._channel(life, observation)
            if channel is not None:
                self._heard(channel, received)

    def advance(self, now: Instant) -> None:
        """Fire own deadlines up to and including `now`."""
        self.judged_at = now
        if self._starts.advance(now):
            self._alerts.restarting(now)
            self._judge_all(now)
        silent: list[Life] = []
        for name in sorted(key for _, key in self._silence.due(now)):
            life = self._lives[name]
            ends = self._ends(name)
            if ends is None:
                continue
            if ends > now:
                self._silence.set(name, ends)
            else:
                silent.append(life)
        self._judge(silent, now)
        for name in self._alerts.due(now):
            self._tell(self._lives[name], now)

    def deadline(self) -> Instant | None:
        """The next own deadline."""
        return earliest(self._silence.next_after(self._ends), self._alerts.timers.next(), self._starts.deadline())

    def _ends(self, name: str) -> Instant | None:
        """From when its silence is too long."""
        life = self._lives[name]
        reference = life.reference
        return None if reference is None or life.timeout is None else reference + life.timeout + 1

    def time_is_set(self, now: Instant) -> None:
        """The gateway's clock was set, or may be wrong; what `restarted` is told next was no start."""
        self._starts.last = now
        self._not_started = True

    def restarted(self, down_from: Instant, now: Instant) -> None:  # noqa: ARG002
        """The gateway started again: what was heard before has one timeout of grace, unless it was given already."""
        if not self._not_started:
            self._starts.start(now)
        self._not_started = False
        self._alerts.restarting(now)
        for life in self._lives.values():
            if life.timeout is not None:
                self._forgive(life, now, "gateway_down")
        self._judge_all(now)

    def operate(self, operation: DeviceOperation) -> None:
        """An operator disables or enables a device, or ends a fault that it reports."""
        life = self._lives.get(operation.device)
        if life is None:
            return
        now = operation.at
        if operation.action == "clear":
            life.faults = {
                name: since for name, since in life.faults.items() if name.partition(":")[0] != operation.impairment
            }
        else:
            life.said = operation.action == "enable"
            if life.said and not life.enabled:
                life.enabled_at = now
                reference = life.reference
                if reference is not None and life.timeout is not None and now > reference + life.timeout:
                    self._forgive(life, now, "rejudging")
            life.enabled = life.said
        self._judge([life], now)

    # What others ask

    def down_cause(self, device: str) -> str | None:
        """The topmost thing that is down and takes `device` (or parent) with it, itself included; None if it is up.

        A device that was heard after that thing fell is not taken along.
        """
        life = self._lives.get(device)
        if life is None:
            return self._falls.root(device)
        if life.suppressor is not None:
            return life.suppressor
        return device if life.fall is not None else None

    def shown_since(self, device: str) -> Instant | None:
        """Since when a device is what it is shown to be; None: it is none of the site's."""
        life = self._lives.get(device)
        return None if life is None else life.since

    def life(self, device: str) -> Life | None:
        """What is known of a device's life; to be read only."""
        return self._lives.get(device)

    def root(self, node: str) -> str | None:
        """The topmost node that is down above `node`, or itself; whether or not it was heard since."""
        return self._falls.root(node)

    def told(self, root: str | None) -> str | None:
        """The open alert (`rule:subject`) of a thing that is down, or None."""
        return None if root is None else self._alerts.told.get(root)

    @property
    def restarting(self) -> bool:
        """Whether the gateway keeps restarting, so that absence proves nothing."""
        return self._starts.proves_nothing

    def held_since(self, since: Instant) -> Instant:
        """From when the hold of what lasts since `since` counts: from the last start at the earliest.

        What fell due while the gateway was down is not told at its start: a restart accuses nobody.
        """
        return max(since, self._starts.last)

    def quiet_until(self) -> Instant | None:
        """Until when no alert of absence is told, because the gateway keeps restarting; None: it does not."""
        return self._starts.deadline()

    def channel_of(self, device: str, channel: int | str) -> str | None:
        """The device that is one channel of another (of an NVR), or None."""
        life = self._lives.get(device)
        return None if life is None or life.channels is None else life.channels.get(str(channel))

    def fault(self, parent: str, fall: Fall | None, now: Instant) -> None:
        """A parent fault was found on `parent`, took in another device, or ended (None)."""
        life = self._lives.get(parent)
        if life is not None and life.fall is not None and fall is not None:
            return
        if life is not None and life.fall is not None:
            fall = life.fall
        self._judge(self._affected(parent, fall), now)

    def faults(self, falls: Mapping[str, Fall], now: Instant) -> None:
        """Take up the parent faults of a snapshot: all of them are known before anything below them is judged."""
        affected: dict[str, Life] = {}
        for parent, fall in falls.items():
            life = self._lives.get(parent)
            if life is None or life.fall is None:
                affected |= {each.device.id: each for each in self._affected(parent, fall)}
        self._judge(affected.values(), now)

    def taken_in(self, device: str, now: Instant) -> None:
        """A parent fault that stands took in another device."""
        if (life := self._lives.get(device)) is not None:
            self._judge([life], now)

    def announce(self, node: str, alert: str | None, now: Instant) -> None:
        """The alert of a thing that is down was raised (`rule:subject`) or ended: what hangs below is told of in it."""
        self._alerts.announce(node, alert)
        self._below_told(node, now)

    def devices(self) -> list[DeviceState]:
        """All devices, by id."""
        return [self._view(self._lives[name]) for name in sorted(self.site.devices)]

    def device(self, device_id: str) -> DeviceState | None:
        life = self._lives.get(device_id)
        return None if life is None or device_id not in self.site.devices else self._view(life)

    def snapshot(self) -> Any:
        return {
            "at": self.judged_at,
            "starts": self._starts.snapshot(),
            "alerts": self._alerts.snapshot(),
            "lives": {name: life.snapshot() for name, life in self._lives.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot. A device that the site did not have then is enrolled at the snapshot's instant."""
        at: Instant = state["at"]
        self.judged_at = at
        self._starts.restore(state["starts"])
        self._falls = Falls(self.lineage)
        self._silence = Timers()
        for name, life in list(self._lives.items()):
            known = state["lives"].get(name)
            if known is None:
                self._lives[name] = fresh = life_of(life.device, at)
                fresh.channels = life.channels
                continue
            life.restore(known)
            life.enabled = life.device.enabled if life.said is None else life.said
            life.fall = self._fall(life)
            if life.fall is not None:
                self._falls.put(name, life.fall)
        self._alerts.restore(state["alerts"], at, self._lives)
        for life in self._lives.values():
            self._arm(life)
            self._alerts.tell(life, at)

    # Signs

    def _heard(self, life: Life, received: Instant, *, ping: bool = False) -> None:
        """A sign of life; a ping does not disprove a last will."""
        life.last = received
        if life.calm:
            return
        if not ping:
            life.will = None
        life.grace = None
        life.suppressor = None
        self._judge([life], received)

    def _channel(self, life: Life, observation: Any) -> Life | None:
        channel = getattr(observation, "channel", None)
        if channel is None or life.channels is None:
            return None
        return self._lives.get(life.channels.get(str(channel), ""))

    def _status(self, life: Life, status: seen.DeviceStatus, received: Instant) -> None:
        about = life
        if status.channel is not None and life.channels is not None:
            self._heard(life, received)
            channel = self._channel(life, status)
            if channel is None:
                return
            about = channel
        if status.online:
            self._heard(about, received)
        elif about.will is None:
            about.will = received
            self._judge([about], received)

    def _probe(self, life: Life, probe: seen.Reachable, received: Instant) -> None:
        if not probe.ok:
            return
        ping = probe.level == "network"
        self._heard(life, received, ping=ping)
        channel = self._channel(life, probe)
        if channel is not None:
            self._heard(channel, received, ping=ping)

    def _link(self, life: Life, link: seen.LinkStatus, received: Instant) -> None:
        if not link.up:
            if life.link_down is None:
                life.link_down = received
                self._alerts.reason(life.device.id, link.reason)
                self._judge([life], received)
            return
        fell, life.link_down = life.link_down, None
        if life.device.transmits_only:
            self._heard(life, received)
        elif fell is not None:
            if life.last is None or life.last <= fell:
                life.will = None
                self._forgive(life, received, "rejudging")
            self._judge([life], received)

    def _heartbeat(self, life: Life, beat: seen.CameraHeartbeat, received: Instant) -> None:
        if beat.channel is None or life.channels is None:
            self._reports(life, "reported_fault", beat.status == "fault", received)
        self._heard(life, received)
        if (channel := self._channel(life, beat)) is not None:
            self._heard(channel, received)

    def _storage(self, life: Life, fault: seen.StorageFault, received: Instant) -> None:
        if fault.channel is None or life.channels is None:
            self._reports(life, f"storage_fault:{fault.what}", fault.active, received)
        self._heard(life, received)
        if (channel := self._channel(life, fault)) is not None:
            self._heard(channel, received)

    def _reports(self, life: Life, name: str, active: bool, received: Instant) -> None:
        if life.device.kind == "camera" or (name in life.faults) == active:
            return
        if active:
            life.faults = life.faults | {name: received}
        else:
            life.faults = {each: since for each, since in life.faults.items() if each != name}
        life.calm = False

    # Judging

    def _forgive(self, life: Life, now: Instant, why: str) -> None:
        """One timeout of grace from now, unless it was given since the last sign of life."""
        if life.last is not None and life.grace is None:
            life.grace, life.grace_why = now, why
            life.forgiven = now

    def _judge_all(self, now: Instant) -> None:
        self._judge(self._lives.values(), now)

    def _judge(self, lives: Iterable[Life], now: Instant) -> None:
        """Judge devices again, then whatever hangs below those that fell or came back."""
        self.judged_at = now
        self.woken = True
        waiting = deque(lives)
        while waiting:
            life = waiting.popleft()
            before = life.fall
            self._judge_one(life, now)
            if life.fall != before:
                waiting += self._affected(life.device.id, life.fall)

    def _affected(self, node: str, fall: Fall | None) -> list[Life]:
        affected = self._falls.put(node, fall)
        self.changed.update(affected)
        return [self._lives[each] for each in affected if each != node and each in self._lives]

    def _judge_one(self, life: Life, now: Instant) -> None:
        device = life.device
        suppressor = (
            self._falls.above(self.lineage.parents.get(device.id, ()), device.id, life.last) if life.enabled else None
        )
        if suppressor is None and life.suppressor is not None:
            life.will = None
            self._forgive(life, now, "rejudging")
        moved = suppressor != life.suppressor
        life.suppressor = suppressor
        own, own_cause, nominal = self._own(life, now)
        turned = (own, own_cause) != (life.own, life.own_cause)
        if turned:
            if own != life.own:
                life.own_since = nominal if now <= nominal + 1 else now
            life.own, life.own_cause = own, own_cause
            life.fall = self._fall(life)
        state: State = own if suppressor is None else "unknown"
        cause = own_cause if suppressor is None else suppressor
        if state != life.state:
            life.state = state
            life.since = life.own_since if turned and own == state else self._since(life, suppressor, now)
            life.began = self._began(life)
        if moved or turned or cause != life.cause:
            life.cause = cause
            self.changed.add(device.id)
            if device.kind != LINK:
                self.found.touched["device", device.id] = None
        life.calm = own == "ok" and suppressor is None and life.grace is None and life.link_down is None
        self._arm(life)
        self._tell(life, now)

    def _own(self, life: Life, now: Instant) -> tuple[State, str | None, Instant]:
        """State and cause on its own evidence alone, and when that began if it began by itself."""
        if not life.enabled:
            return "disabled", None, now
        last = life.last
        if life.link_down is not None and (last is None or last <= life.link_down):
            return "unknown", "link_down", life.link_down
        if life.will is not None:
            return "offline", None, life.will
        if last is None:
            return "unknown", "never_heard", now
        if self.restarting and last < self._starts.last:
            return "unknown", "gateway_restarting", now
        if life.grace is not None:
            if life.timeout is None or now <= life.grace + life.timeout:
                return "unknown", life.grace_why, now
            return "offline", None, life.grace + life.timeout
        if life.timeout is not None and now > last + life.timeout:
            return "offline", None, last + life.timeout
        return "ok", None, now

    def _fall(self, life: Life) -> Fall | None:
        if life.own == "offline":
            return Fall(life.own_since)
        if life.own_cause == "link_down":
            return Fall(life.link_down or life.own_since)
        return None

    def _since(self, life: Life, suppressor: str | None, now: Instant) -> Instant:
        """When a device fell with what is above it: at the timeout's end, which is found an instant later."""
        above = None if suppressor is None else self._lives.get(suppressor)
        ends = (life.own_since, None if above is None or above.fall is None else above.fall.at)
        return now - 1 if now - 1 in ends else now

    def _began(self, life: Life) -> Instant:
        """When the shown state began by the evidence: silence at the last sign of life."""
        if life.state != "offline":
            return life.since
        if life.will is not None:
            return life.will
        return life.since if life.last is None else life.last

    def _arm(self, life: Life) -> None:
        """Look at its silence when the timeout ends; what was heard meanwhile is seen then, and the timer set anew."""
        reference = life.reference
        if life.timeout is None or reference is None or life.own in ("offline", "disabled"):
            self._silence.set(life.device.id, None)
        elif self._silence.get(life.device.id) is None and reference + life.timeout >= self.judged_at:
            self._silence.set(life.device.id, reference + life.timeout + 1)

    def _tell(self, life: Life, now: Instant) -> None:
        """Raise and end its alerts; if it is a thing that others hang below, they are told of in it."""
        before = self._alerts.told.get(life.device.id)
        self._alerts.tell(life, now)
        if self._alerts.told.get(life.device.id) != before:
            self._below_told(life.device.id, now)

    def _below_told(self, node: str, now: Instant) -> None:
        self.changed.add(node)
        for each in self.lineage.below(node):
            self.changed.add(each)
            if (life := self._lives.get(each)) is not None:
                self._tell(life, now)

    def _view(self, life: Life) -> DeviceState:
        return DeviceState(
            id=life.device.id,
            state=life.state,
            cause=life.cause,
            since=moment(life.since, self._zone),
            last_heard=None if life.last is None else moment(life.last, self._zone),
        )

    def side(self, device: str) -> Side:
        """On which side of a parent's share a device counts."""
        life = self._lives.get(device)
        return "neither" if life is None else life.side
