"""What else was noticed at the place of a tap: it supports or leaves alone, and changes no verdict."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_drivers import observations as seen
from gateway.instants import MINUTE, SECOND, moment
from gateway.rules.corroboration import SPANS, Sensor
from gateway.rules.engine import Engine
from gateway.rules.findings import Visit
from gateway.site.model import Expected, Lamp
from tests.rules.walk import CARDS, GARAGE, GATE, clock, estate


def site(**more: Any) -> Any:
    """The gate with a reader, a motion sensor, a camera and a light sensor that watches a lamp that waits for motion."""
    base = estate(
        devices={
            "pir": {"kind": "motion_sensor", "place": GATE},
            "cam": {"kind": "camera", "place": GATE, "expect_every": MINUTE, "behind": "nvr", "channel": 1},
            "nvr": {"kind": "nvr", "place": "hut"},
            "lux": {"kind": "lux_sensor", "place": GATE, "expect_every": MINUTE},
            "pir-garage": {"kind": "motion_sensor", "place": GARAGE},
        }
    )
    lamp = Lamp(id="lamp", place=GATE, seen_by=("lux",), expected=Expected(mode="motion"), lit_lux=20)
    return msgspec.structs.replace(base, lamps={"lamp": lamp}, **more)


class Gate:
    """An engine told of the gate by clock times."""

    def __init__(self, started: str = "21:00") -> None:
        self.site = site()
        self.engine = Engine(self.site, clock(started))

    def hear(self, kind: type, device: str, at: str, received: str | None = None, **said: Any) -> None:
        when = moment(clock(at), self.site.zone_info)
        self.engine.apply(kind(device=device, at=when, **said), clock(received or at))

    def motion(self, at: str, device: str = "pir", **said: Any) -> None:
        self.hear(seen.Motion, device, at, **said)

    def tap(self, at: str, received: str | None = None) -> None:
        self.hear(seen.TagRead, "rdr-gate", at, received, tag=CARDS["wang"])

    def visit(self, now: str) -> Visit:
        self.engine.advance(clock(now))
        self.engine.flush()
        found = self.engine.rounds.round("night@2026-11-22T22:00+08:00")
        assert found is not None
        return found.visits[0]

    def said(self, now: str = "22:30") -> tuple[str, tuple[str, ...]] | None:
        found = self.visit(now).corroboration
        return None if found is None else (found.result, found.by)

    def reborn(self) -> None:
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.engine.snapshot()))
        self.engine = Engine(self.site, 0)
        self.engine.restore(state)


@pytest.mark.parametrize(("motion", "result"), [("22:09", "supported"), ("22:11", "supported"), ("22:11:01", "silent")])
def test_motion_within_a_minute_supports(motion: str, result: str) -> None:
    gate = Gate()
    gate.motion("21:30")
    gate.motion("21:31", active=False)
    for at in sorted([("22:10", "tap"), (motion, "motion")]):
        gate.tap(at[0]) if at[1] == "tap" else gate.motion(at[0])
    assert gate.said() == (result, ("pir",))


def test_motion_that_still_goes_on_supports_and_one_that_ended_does_not() -> None:
    gate = Gate()
    gate.motion("22:05")
    gate.tap("22:08")
    assert gate.said() == ("supported", ("pir",))
    gate = Gate()
    gate.motion("22:05")
    gate.motion("22:05:30", active=False)
    gate.tap("22:08")
    assert gate.said() == ("silent", ("pir",))


def test_a_sensor_that_says_again_and_again_that_nobody_is_there_saw_nobody() -> None:
    gate = Gate()
    gate.motion("22:00")
    for at in ("22:01", "22:04", "22:07", "22:10"):
        gate.motion(at, active=False)
    gate.tap("22:08")
    assert gate.said() == ("silent", ("pir",))


@pytest.mark.parametrize("later", [("22:09", False), ("22:20", False), ("22:20", True)])
def test_motion_that_supported_a_tap_supports_it_still_once_more_is_said_of_it(later: tuple[str, bool]) -> None:
    gate = Gate()
    gate.motion("21:58")
    gate.tap("22:05")
    assert gate.said("22:07") == ("supported", ("pir",))
    gate.motion(later[0], active=later[1])
    assert gate.said() == ("supported", ("pir",))


def test_motion_goes_on_until_it_is_said_to_have_ended_however_long_that_is() -> None:
    gate = Gate()
    gate.motion("21:40")
    gate.tap("22:05")
    gate.motion("22:20", active=False)
    assert gate.said() == ("supported", ("pir",))


def test_motion_whose_end_may_have_gone_unheard_lasts_ten_minutes() -> None:
    gate = Gate()
    gate.motion("21:40")
    gate.engine.restarted(clock("21:41"), clock("21:45"))
    gate.tap("22:05")
    gate.motion("22:20", active=False)
    assert gate.said() == ("silent", ("pir",))


def test_without_a_sensor_that_ever_spoke_there_is_none() -> None:
    gate = Gate()
    gate.motion("22:10", device="pir-garage")
    gate.tap("22:10")
    assert gate.said() == ("no sensor", ())


def test_it_is_not_known_before_a_minute_has_passed_and_changes_no_verdict() -> None:
    gate = Gate()
    gate.motion("21:30")
    gate.motion("21:31", active=False)
    gate.tap("22:10")
    assert gate.said("22:11") is None
    assert gate.said("22:11:01") == ("silent", ("pir",))
    assert gate.visit("22:12").verdict == "on_time"


def test_an_unserved_visit_has_none() -> None:
    gate = Gate()
    gate.motion("22:10")
    assert gate.visit("22:30").corroboration is None


def test_a_camera_of_the_place_supports_by_motion_and_by_its_picture() -> None:
    gate = Gate()
    gate.hear(seen.VideoState, "nvr", "22:09:30", channel=1, state="blind")
    gate.tap("22:10")
    assert gate.said() == ("supported", ("cam",))
    gate = Gate()
    gate.motion("22:10:20", device="cam")
    gate.hear(seen.VideoState, "nvr", "22:09:30", channel=1, state="loss")
    gate.tap("22:10:30")
    assert gate.said() == ("supported", ("cam",))


def test_a_lost_picture_is_nobody() -> None:
    gate = Gate()
    gate.hear(seen.VideoState, "nvr", "22:09:30", channel=1, state="loss")
    gate.tap("22:10")
    assert gate.said() == ("no sensor", ())


def test_light_that_goes_on_supports_and_light_that_stays_out_is_silent() -> None:
    for lux, result in ((90.0, "supported"), (1.0, "silent")):
        gate = Gate()
        for minute in range(30, 60):
            gate.hear(seen.LightLevel, "lux", f"21:{minute}", lux=1.0)
        for minute in range(10):
            gate.hear(seen.LightLevel, "lux", f"22:0{minute}", lux=1.0)
        gate.hear(seen.LightLevel, "lux", "22:10", lux=lux)
        gate.tap("22:10:20")
        gate.hear(seen.LightLevel, "lux", "22:11", lux=lux)
        assert gate.said("22:12") == (result, ("lux",))


def test_light_that_burnt_already_says_nothing() -> None:
    gate = Gate()
    gate.hear(seen.LightLevel, "lux", "21:58", lux=1.0)
    gate.hear(seen.LightLevel, "lux", "21:59", lux=90.0)
    for minute in range(20):
        gate.hear(seen.LightLevel, "lux", f"22:{minute:02}", lux=90.0)
    gate.tap("22:19:30")
    assert gate.said("22:21") is None


def test_a_sensor_that_is_down_and_a_gateway_that_was_down_say_nothing() -> None:
    gate = Gate()
    gate.motion("21:30", device="cam")
    gate.motion("21:31", device="cam", active=False)
    gate.hear(seen.DeviceStatus, "cam", "22:00", online=False)
    gate.tap("22:10")
    assert gate.said() is None
    gate = Gate()
    gate.motion("21:30")
    gate.motion("21:31", active=False)
    gate.engine.restarted(clock("22:05"), clock("22:09:30"))
    gate.tap("22:10")
    assert gate.said() is None


def test_a_tap_handed_in_late_meets_what_was_noticed_then() -> None:
    gate = Gate()
    gate.motion("22:10:10")
    gate.motion("22:11", active=False)
    gate.tap("22:10", "+1 09:00")
    assert gate.said("+1 09:02") == ("supported", ("pir",))


def test_a_restart_of_the_process_forgets_nothing() -> None:
    gate = Gate()
    gate.motion("21:30")
    gate.motion("22:10:10")
    gate.reborn()
    gate.motion("22:12", active=False)
    gate.tap("22:12:30")
    gate.reborn()
    assert gate.said() == ("supported", ("pir",))


def test_what_is_kept_is_bounded_and_what_is_dropped_is_not_called_silent() -> None:
    sensor = Sensor("pir", "motion", 0)
    for number in range(SPANS + 5):
        sensor.note(number * 10 * MINUTE, active=True)
        sensor.note(number * 10 * MINUTE + SECOND, active=False)
    assert len(sensor.starts) == SPANS
    assert not sensor.would_have(4 * 10 * MINUTE - SECOND, 4 * 10 * MINUTE + SECOND)
    assert sensor.would_have(6 * 10 * MINUTE, 6 * 10 * MINUTE + SECOND)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 2000), min_size=1, max_size=40), st.integers(0, 2000), st.randoms(use_true_random=False))
def test_a_look_finds_exactly_what_lies_in_it_in_whatever_order_it_came(times: list[int], at: int, random: Any) -> None:
    sensor = Sensor("pir", "motion", -10_000 * SECOND)
    random.shuffle(times)
    for each in times:
        sensor._add(each * SECOND, each * SECOND)
    first, last = (at - 60) * SECOND, (at + 60) * SECOND
    assert (sensor.noticed(first, last) is not None) == any(first <= each * SECOND <= last for each in times)
