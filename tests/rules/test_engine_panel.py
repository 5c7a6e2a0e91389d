"""One cause across trades: a panel that feeds circuits and cameras (spec: cameras.md, Parent fault; DESIGN.md, one cause)."""

from __future__ import annotations

import pytest

from device_drivers import observations as seen
from gateway.instants import MINUTE, moment
from gateway.site.model import Expected, Lamp
from tests.rules.night import EVENING, Night, camera, device, estate, heartbeat

LAMPS = {circuit: [f"{circuit}-{number}" for number in range(3)] for circuit in ("c-1", "c-2", "c-3")}


def site(*cameras):
    lamps = {
        name: Lamp(
            id=name, place="yard", circuit=circuit, fed_by=(f"plug-{name}", None), expected=Expected(mode="always")
        )
        for circuit, names in LAMPS.items()
        for name in names
    }
    plugs = [device(f"plug-{name}", kind="meter", expect_every=10 * MINUTE) for name in lamps]
    return estate(*plugs, *cameras, parents={"panel": {}}, circuits=dict.fromkeys(LAMPS, "panel"), lamps=lamps)


def burn(night: Night, minute: int, *, dark: tuple[str, ...] = ()) -> None:
    """Each plug tells what its lamp draws."""
    at = EVENING + minute * MINUTE
    for circuit, names in LAMPS.items():
        watts = 0.0 if circuit in dark else 20.0
        night.hear(
            at, *(seen.Power(device=f"plug-{name}", at=moment(at, night.site.zone_info), watts=watts) for name in names)
        )


@pytest.mark.parametrize("restored", [False, True])
def test_two_dark_circuits_are_one_alert_of_their_panel(restored):
    night = Night(site(), restart_always=restored)
    for minute in range(0, 30, 5):
        burn(night, minute)
    for minute in range(30, 60, 5):
        burn(night, minute, dark=("c-1", "c-2"))
    assert night.alerts() == ["parent_fault:panel"]
    assert night.engine.devices.down_cause("panel") == "panel"
    for circuit in ("c-1", "c-2"):
        assert [end for end in night.ends(f"circuit_fault:{circuit}") if "parent_fault:panel" not in end] == []
    for minute in range(60, 100, 5):
        burn(night, minute)
    assert night.alerts() == []
    assert {lamp.state for lamp in night.engine.lighting.lamps()} == {"ok"}


def test_one_dark_circuit_is_its_own_alert():
    night = Night(site())
    for minute in range(0, 30, 5):
        burn(night, minute)
    for minute in range(30, 60, 5):
        burn(night, minute, dark=("c-1",))
    assert night.alerts() == ["circuit_fault:c-1"]


def test_a_dark_circuit_and_two_silent_cameras_are_one_alert():
    cameras = [camera("east", power="panel"), camera("west", power="panel")]
    night = Night(site(*cameras))
    for minute in range(30):
        night.hear(EVENING + minute * MINUTE, heartbeat("east"), heartbeat("west"))
        if minute % 5 == 0:
            burn(night, minute)
    for minute in range(30, 90, 5):
        burn(night, minute, dark=("c-1", "c-2", "c-3"))
    assert night.alerts() == ["parent_fault:panel"]
    assert night.camera("east").startswith("unknown")
    assert night.camera("east").endswith("panel")
