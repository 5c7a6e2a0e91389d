"""Lighting with the real devices and causes beside it: why a lamp is unknown, and who speaks for a circuit."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from device_drivers import observations as seen
from gateway.instants import MINUTE, SECOND, Instant, moment
from gateway.rules.engine import Engine
from gateway.site.model import Circuit, Device, Parent, Site
from tests.rules.lit_night import clock, lamp, site_of


def sensor(name: str, **more: Any) -> Device:
    return Device(id=f"lux-{name}", driver="native", kind="lux_sensor", expect_every=10 * MINUTE, **more)


def engine_of(site: Site) -> Engine:
    return Engine(site, clock("20:00"))


def hear(engine: Engine, kind: type, device: str, at: Instant, **fields: Any) -> None:
    engine.apply(kind(device=device, at=moment(at, UTC), **fields), at)


def state(engine: Engine, name: str) -> tuple[str, str | None]:
    view = engine.lighting.lamp(name)
    assert view is not None
    return view.state, view.cause


def one_lamp() -> Engine:
    return engine_of(site_of(lamp("a"), devices=(sensor("a"),)))


def test_a_silent_sensor_leaves_its_lamp_stale() -> None:
    engine = one_lamp()
    hear(engine, seen.LightLevel, "lux-a", clock("22:00"), lux=80.0)
    engine.advance(clock("22:30"))
    assert state(engine, "a") == ("ok", None)
    engine.advance(clock("22:31"))
    assert state(engine, "a") == ("unknown", "stale")


def test_a_last_will_and_a_link_name_the_sensor() -> None:
    for kind, fields in ((seen.DeviceStatus, {"online": False}), (seen.LinkStatus, {"up": False})):
        engine = one_lamp()
        hear(engine, seen.LightLevel, "lux-a", clock("22:00"), lux=80.0)
        hear(engine, kind, "lux-a", clock("22:05"), **fields)
        assert state(engine, "a") == ("unknown", "lux-a")
        hear(engine, seen.LightLevel, "lux-a", clock("22:10"), lux=80.0)
        assert state(engine, "a") == ("ok", None)


def test_a_fallen_parent_is_the_cause() -> None:
    devices = tuple(sensor(name, network="switch") for name in "abc")
    engine = engine_of(
        site_of(*(lamp(name) for name in "abc"), devices=devices, parents={"switch": Parent(id="switch")})
    )
    for name in "abc":
        hear(engine, seen.LightLevel, f"lux-{name}", clock("22:00"), lux=80.0)
    engine.advance(clock("22:40"))
    assert {state(engine, name) for name in "abc"} == {("unknown", "switch")}
    assert not [one for one in engine.drain().signals if one.rule == "lamp_failure"]


def test_a_dead_panel_speaks_for_its_circuits() -> None:
    names = "abcdef"
    circuits = {name: Circuit(id=name, panel="panel") for name in ("c1", "c2")}
    lamps = [lamp(name, circuit="c1" if name < "d" else "c2") for name in names]
    site = site_of(*lamps, devices=tuple(map(sensor, names)), circuits=circuits, parents={"panel": Parent(id="panel")})
    engine = engine_of(site)
    for at, lux in (("22:00", 80.0), ("22:10", 0.5), ("22:20", 0.5)):
        for place, name in enumerate(names):
            hear(engine, seen.LightLevel, f"lux-{name}", clock(at) + place * SECOND, lux=lux)
    engine.advance(clock("22:30"))
    told = [(one.rule, one.subject, one.action) for one in engine.drain().signals if one.action != "update"]
    assert ("parent_fault", "panel", "raise") in told
    assert {one for one in told if one[2] == "merge"} == {
        ("circuit_fault", "c1", "merge"),
        ("circuit_fault", "c2", "merge"),
    }
    assert not [one for one in told if one[0] == "lamp_failure"]
