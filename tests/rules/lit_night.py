"""A night on a small site, told by clock times: what the lighting rules make of it."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import msgspec

from device_drivers import observations as seen
from gateway.instants import DAY, HOUR, MINUTE, SECOND, Instant, moment, parse_instant
from gateway.rules.findings import Found, Lamp, Signal
from gateway.rules.lighting import Lighting
from gateway.site.model import Circuit, Device, Expected, Place, Site
from gateway.site.model import Lamp as LampSpec

MIDNIGHT = parse_instant("2026-11-23T00:00:00+08:00")
"""Sun at 31.2 N, 121.5 E around this night: dusk 16:53, below −6° from 17:19, above from 06:02, dawn 06:28."""


def clock(text: str) -> Instant:
    """ "22:10" or "22:10:05": from noon on the evening before midnight, else after it; "+1 02:00" a day later."""
    days, _, rest = text.rpartition(" ")
    hour, minute, second = (int(part) for part in f"{rest}:00".split(":")[:3])
    day = int(days or 0) - (1 if hour >= 12 else 0)
    return MIDNIGHT + day * DAY + hour * HOUR + minute * MINUTE + second * SECOND


class Liveness:
    """Which devices are down and through what, as told by the test."""

    def __init__(self) -> None:
        self.down: dict[str, str] = {}

    def down_cause(self, device: str) -> str | None:
        return self.down.get(device)

    def quiet_until(self) -> Instant | None:
        return None

    def shown_since(self, device: str) -> Instant | None:
        return None


def lamp(name: str = "lamp", **more: Any) -> LampSpec:
    """A lamp seen by `lux-NAME`, on from dusk to dawn, at an indoor place."""
    expected = more.pop("expected", {"mode": "dusk_to_dawn"})
    return LampSpec(
        **({"id": name, "place": "corridor", "seen_by": (f"lux-{name}",)} | more), expected=Expected(**expected)
    )


def site_of(*lamps: LampSpec, devices: tuple[Device, ...] = (), **more: Any) -> Site:
    named = {device for one in lamps for device in (*one.seen_by, *((one.fed_by[0],) if one.fed_by else ()))}
    every = {name: Device(id=name, driver="native", kind="sensor", place="corridor") for name in sorted(named)}
    circuits = {one.circuit: Circuit(id=one.circuit) for one in lamps if one.circuit}
    return Site(
        id="s",
        name="s",
        timezone="Asia/Shanghai",
        latitude=31.2,
        longitude=121.5,
        places={
            "corridor": Place(id="corridor", name="c"),
            "gate": Place(id="gate", name="g", daylight="outdoor"),
        },
        devices=every | {device.id: device for device in devices},
        lamps={one.id: one for one in lamps},
        **({"circuits": circuits} | more),
    )


class Night:
    """Drives the rules as the engine does; `restarts`: through a snapshot after every step."""

    def __init__(self, site: Site, start: str = "12:00", *, restarts: bool = False) -> None:
        self.site = site
        self.start = clock(start)
        self.found = Found()
        self.devices = Liveness()
        self.restarts = restarts
        self.rules = Lighting(site, self.found, self.devices, self.start)

    def again(self) -> None:
        """Stop the process and start it from its snapshot."""
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.rules.snapshot()))
        self.rules = Lighting(self.site, self.found, self.devices, self.start)
        self.rules.restore(state)

    def take(self, observation: seen.Observation, at: Instant, received: Instant) -> None:
        self.pass_to(received)
        self.rules.apply(observation, at, received)
        if self.restarts:
            self.again()

    def pass_to(self, now: Instant) -> None:
        while (due := self.rules.deadline()) is not None and due <= now:
            self.rules.advance(due)
            if self.restarts:
                self.again()

    def say(self, kind: type, device: str, at: str, *, received: str | None = None, **fields: Any) -> Night:
        when = clock(at)
        observation = kind(device=device, at=moment(when, UTC), **fields)
        self.take(observation, when, clock(received) if received else when)
        return self

    def lux(self, at: str, lux: float, name: str = "lamp", **more: Any) -> Night:
        return self.say(seen.LightLevel, f"lux-{name}", at, lux=lux, **more)

    def lit(self, *times: str, name: str = "lamp") -> Night:
        for at in times:
            self.lux(at, 80.0, name)
        return self

    def unlit(self, *times: str, name: str = "lamp") -> Night:
        for at in times:
            self.lux(at, 0.5, name)
        return self

    def watts(self, at: str, watts: float, device: str = "meter", **more: Any) -> Night:
        return self.say(seen.Power, device, at, watts=watts, **more)

    def word(self, at: str, device: str = "lamp", **more: Any) -> Night:
        return self.say(seen.LampState, device, at, **more)

    def motion(self, *times: str, device: str = "pir") -> Night:
        for at in times:
            self.say(seen.Motion, device, at)
        return self

    def wait(self, until: str) -> Night:
        self.pass_to(clock(until))
        self.rules.advance(clock(until))
        return self

    def restart(self, down_from: str, until: str) -> Night:
        self.rules.restarted(clock(down_from), clock(until))
        return self

    def fail(self, device: str, cause: str, at: str) -> Night:
        self.pass_to(clock(at))
        self.devices.down[device] = cause
        self.rules.devices_changed(frozenset({device}), clock(at))
        return self

    def mend(self, device: str, at: str) -> Night:
        self.pass_to(clock(at))
        del self.devices.down[device]
        self.rules.devices_changed(frozenset({device}), clock(at))
        return self

    def view(self, name: str = "lamp") -> Lamp:
        found = self.rules.lamp(name)
        assert found is not None
        return found

    def state(self, name: str = "lamp") -> tuple[str, str | None]:
        """The state, and the fault or the cause."""
        view = self.view(name)
        return view.state, view.fault or view.cause

    def circuit(self, name: str = "c") -> tuple[str, str | None]:
        found = self.rules.circuit(name)
        assert found is not None
        return found.state, found.fault

    def told(self, subject: str | None = None) -> list[tuple[str, str, str]]:
        """Signals as (rule, action, local time)."""
        return [
            (one.rule, one.action, moment(one.at, self.site.zone_info).strftime("%H:%M"))
            for one in self.found.signals
            if subject is None or one.subject == subject
        ]

    def signal(self, rule: str, action: str) -> Signal:
        return next(one for one in self.found.signals if (one.rule, one.action) == (rule, action))
