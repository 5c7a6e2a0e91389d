"""Why a lamp or a circuit is judged as it is (gateway/explain/lamps.py, circuits.py), by example for each fault, state and cause."""

from __future__ import annotations

from typing import Any

import pytest

from device_drivers import observations as seen
from gateway.explain.circuits import explain_circuit
from gateway.explain.lamps import explain_lamp
from gateway.explain.wording_lights import CAUSES, CHECK, FAULTS
from gateway.instants import MINUTE
from gateway.rules.lamp_faults import GROUP_FAULTS, LAMP_FAULTS
from gateway.site.model import Circuit, Device, Parent
from tests.explain.told import Told, unused, used
from tests.rules.lit_night import clock, lamp, site_of

METER = Device(id="meter", driver="native", kind="power_meter", place="corridor")
PIR = Device(id="pir", driver="native", kind="motion_sensor", place="corridor")
OWN = Device(id="lamp", driver="native", kind="lamp", place="corridor")
MOTION = {"mode": "motion"}


def told(*, devices: tuple[Device, ...] = (), start: str = "20:00", **more: Any) -> Told:
    parents = more.pop("parents", {})
    return Told(site_of(lamp(**more), devices=devices, parents=parents), clock, start)


def row(*names: str, start: str = "20:00", **more: Any) -> Told:
    return Told(site_of(*(lamp(name, circuit="c", **more) for name in names)), clock, start)


# -- faults


def test_a_dark_lamp_is_explained_by_its_plan_its_samples_and_its_last_light():
    found = told().lit("22:00").unlit("22:10", "22:15", "22:20").why("lamp", "lamp")
    assert (found.result, found.cause) == ("faulty", "lamp_failure")
    assert found.rule == "lighting.md, lamp_failure, begins"
    assert used(found) == [("lux-lamp", "22:10", "first_of_run"), ("lux-lamp", "22:20", "last_of_run")]
    assert found.evidence[-1].value == {"lit": False, "lux": 0.5, "count": 3}
    assert found.expected["onset"] == found.evidence[0].at
    assert found.expected["last_lit"].strftime("%H:%M") == "22:00"
    assert found.sentence.en == (
        "Lamp lamp (c) is dark though it should burn: it should burn from dusk to dawn (16:53 to 11-23 06:28); lux-lamp "
        "reported 0.5 lux (unlit: under 20) 3 times in a row from 22:10 to 22:20. It was last seen lit at 22:00. Check the "
        "lamp and its wiring."
    )
    assert "该亮不亮" in found.sentence.zh
    assert "连续 3 次报告 0.5 lux（灭，不足 20）" in found.sentence.zh


def test_the_limits_and_the_sun_of_the_night_stand_with_it():
    expected = told().unlit("22:10", "22:20").why("lamp", "lamp").expected
    assert expected["mode"] == "dusk_to_dawn"
    assert expected["on"] is True
    assert (expected["lit_lux"], expected["lit_watts"]) == (20.0, 5.0)
    assert (expected["confirm_s"], expected["edge_s"]) == (600, 1200)
    sun = expected["sun"]
    assert (sun["dusk_degrees"], sun["dark_degrees"]) == (-0.833, -6.0)
    assert [f"{sun[name]:%H:%M}" for name in ("dusk", "dark_from", "dark_until", "dawn")] == [
        "16:52",
        "17:18",
        "06:01",
        "06:27",
    ]
    assert expected["on_from"] == sun["dusk"]


def test_an_offset_shows_in_the_times_of_the_plan():
    expected = (
        told(expected={"mode": "dusk_to_dawn", "offset": 30 * MINUTE}).unlit("22:10").why("lamp", "lamp").expected
    )
    assert (expected["on_from"] - expected["sun"]["dusk"]).total_seconds() == 1800
    assert (expected["sun"]["dawn"] - expected["on_until"]).total_seconds() == 1800
    assert expected["offset_s"] == 1800


def test_a_day_burner_is_explained():
    found = told(start="12:00").unlit("12:05").lit("12:15", "12:25").why("lamp", "lamp")
    assert found.cause == "day_burner"
    assert used(found) == [("lux-lamp", "12:15", "first_of_run"), ("lux-lamp", "12:25", "last_of_run")]
    assert "burns though it should not" in found.sentence.en
    assert "last seen unlit at 12:05" in found.sentence.en


def test_no_trigger_names_the_three_motions_and_what_was_seen_after_each():
    night = told(expected=MOTION, devices=(PIR,))
    for minute in (10, 20, 30):
        night.say(seen.Motion, "pir", f"22:{minute}").unlit(f"22:{minute}:30")
    found = night.wait("22:40").why("lamp", "lamp")
    assert found.cause == "no_trigger"
    assert used(found) == [
        (device, f"22:{minute}{second}", why)
        for minute in (10, 20, 30)
        for device, second, why in (("pir", "", "motion"), ("lux-lamp", ":30", "unlit_after_motion"))
    ]
    assert "22:10, 22:20, 22:30" in found.sentence.en
    assert "5 秒到 1 分钟" in found.sentence.zh
    assert found.expected["hold_s"] == 60
    assert found.expected["motion_sensors"] == ["pir"]


def test_cycling_names_its_changes():
    night = told()
    for minute in range(0, 7, 2):
        night.lit(f"22:{minute:02}").unlit(f"22:{minute + 1:02}")
    found = night.why("lamp", "lamp")
    assert found.cause == "cycling_failure"
    assert [why for _, _, why in used(found)] == ["change"] * 6
    assert "6 changes from 22:01 to 22:06" in found.sentence.en


def test_dim_tells_the_steps_and_the_usual_one():
    night = told(expected={"mode": "commanded"}, devices=(OWN,))
    for index in range(13):
        lux = 101.0 if index < 10 else 50.0
        at = f"22:{index * 4:02}"
        night.say(seen.LampState, "lamp", at, commanded=True).lux(1.0, at).lux(lux, f"{at}:30")
        night.say(seen.LampState, "lamp", f"22:{index * 4 + 2:02}", commanded=False).lux(1.0, f"22:{index * 4 + 2:02}")
    found = night.why("lamp", "lamp")
    assert found.cause == "dim"
    assert [item.value for item in found.evidence if item.used] == [{"step_lux": 49.0}] * 3
    assert "49, 49, 49 lux, less than 60 % of the usual 100 lux" in found.sentence.en


def test_a_reported_fault_tells_who_said_so_and_until_when():
    night = told(devices=(OWN,))
    night.say(seen.LampFault, "lamp", "22:00", fault="relay_failure", active=True, expires_s=900)
    found = night.why("lamp", "lamp")
    assert (found.cause, found.rule) == ("relay_failure", "lighting.md, reported, begins")
    assert used(found) == [("lamp", "22:00", "reported")]
    assert found.expected["expires"].strftime("%H:%M") == "22:15"
    assert "has reported relay failure since 22:00 (over at 22:15 unless repeated)" in found.sentence.en


def test_a_fault_without_a_name_of_ours_is_told_as_the_device_says_it():
    found = told(devices=(OWN,)).say(seen.LampFault, "lamp", "22:00", fault="smoke", active=True).why("lamp", "lamp")
    assert "报告smoke" in found.sentence.zh


def test_of_several_faults_the_first_is_told_and_the_others_are_its_parts():
    night = told(devices=(OWN,)).say(seen.LampFault, "lamp", "22:00", fault="relay_failure", active=True)
    found = night.unlit("22:10", "22:20").why("lamp", "lamp")
    assert found.cause == "lamp_failure"
    assert [part.cause for part in found.parts] == ["relay_failure"]
    assert found.sentence.en.endswith("Also: relay failure.")
    assert found.expected["faults"] == ["lamp_failure", "relay_failure"]


def test_a_fault_whose_evidence_went_stale_says_that_it_cannot_be_verified():
    found = told().unlit("22:00", "22:10").wait("23:00").why("lamp", "lamp")
    assert (found.cause, found.marks) == ("lamp_failure", ("unverified",))
    assert "cannot be verified now: lux-lamp was last heard at 22:10" in found.sentence.en


def test_by_day_the_samples_of_the_night_still_stand_as_its_proof():
    found = told().unlit("22:00", "22:10", "+1 07:30").why("lamp", "lamp")
    assert used(found) == [("lux-lamp", "22:00", "first_of_run"), ("lux-lamp", "22:10", "last_of_run")]
    assert found.expected["at"] == found.evidence[0].at, "the plan shown is that of the night it rests on"


def test_every_fault_of_the_table_has_words():
    assert {*FAULTS} == {*LAMP_FAULTS} | {each.name for each in GROUP_FAULTS}
    assert {*CHECK} <= {*FAULTS}


# -- states


def test_a_lamp_that_burns_as_it_should_is_explained():
    found = told().lit("22:00").why("lamp", "lamp")
    assert (found.result, found.rule) == ("ok", "lighting.md, State, ok")
    assert used(found) == [("lux-lamp", "22:00", "last_proof")]
    assert "reported 80 lux (lit: 20 or more) at 22:00" in found.sentence.en


def test_a_lamp_off_duty_is_explained():
    found = told(start="12:00").unlit("12:00").why("lamp", "lamp")
    assert (found.result, found.rule) == ("off_duty", "lighting.md, State, off_duty")
    assert found.expected["on"] is False
    assert found.expected["on_from"].strftime("%d %H:%M") == "22 16:52", "the night to come"


def test_one_contrary_sample_does_not_count_yet():
    found = told().lit("22:00").unlit("22:10").why("lamp", "lamp")
    assert found.result == "ok"
    assert "until proved otherwise" in found.sentence.en
    assert "So far 1 such reading; a fault takes at least 2, 10 min apart." in found.sentence.en


def test_a_sample_within_an_edge_is_shown_as_not_used():
    found = told(start="12:00").unlit("16:40").wait("16:55").unlit("17:00").why("lamp", "lamp")
    assert "within 20 min of a planned change and proves no fault" in found.sentence.en


def test_a_lamp_out_of_service_is_explained():
    site_lamp = Device(id="lamp", driver="native", kind="lamp", place="corridor", enabled=False)
    found = told(devices=(site_lamp,)).why("lamp", "lamp")
    assert (found.result, found.rule) == ("disabled", "cameras.md, Any device, disabled")


# -- why nothing is known


def test_never_heard():
    found = told().why("lamp", "lamp")
    assert (found.result, found.cause) == ("unknown", "never_heard")
    assert found.expected["sources"][0] | {"heard": 0} == {
        "device": "lux-lamp",
        "rank": "lux",
        "expect_every_s": 600,
        "holds_s": 1800,
        "usable": False,
        "heard": 0,
        "why": "never_heard",
        "since": None,
    }
    assert "That is no fault." in found.sentence.en
    (witness,) = found.witnesses
    assert [piece.why for piece in witness.missing] == ["never_heard"]
    assert witness.last_heard is None


def test_stale_since_when():
    found = told().lit("22:00").wait("23:00").why("lamp", "lamp")
    assert found.cause == "stale"
    source = found.expected["sources"][0]
    assert (source["why"], source["since"].strftime("%H:%M")) == ("stale", "22:30")
    assert found.witnesses[0].missing[0].since.strftime("%H:%M") == "22:30"
    assert "last heard at 22:00, longer ago than the 30 min" in found.sentence.en


def test_what_fell_above_its_source_is_named():
    sensor = Device(id="lux-lamp", driver="native", kind="lux_sensor", behind="hub", expect_every=10 * MINUTE)
    hub = Device(id="hub", driver="native", kind="hub", expect_every=MINUTE)
    night = told(devices=(sensor, hub)).say(seen.DeviceStatus, "hub", "21:59", online=True).lit("22:00")
    found = night.say(seen.DeviceStatus, "hub", "22:05", online=False).why("lamp", "lamp")
    assert found.cause == "hub"
    assert "hub is down, so that lux-lamp cannot be heard" in found.sentence.en
    assert found.witnesses[0].missing[0].why == "hub"


def test_a_source_that_said_it_goes_down_is_named_itself():
    sensor = Device(id="lux-lamp", driver="native", kind="lux_sensor", expect_every=10 * MINUTE)
    night = told(devices=(sensor,)).lit("22:00").say(seen.DeviceStatus, "lux-lamp", "22:05", online=False)
    assert "lux-lamp said that it goes down" in night.why("lamp", "lamp").sentence.en


def test_a_source_out_of_service():
    found = told().lit("22:00").operate("22:05", "disable", "lux-lamp").why("lamp", "lamp")
    assert found.expected["sources"][0]["why"] == "disabled"
    assert "lux-lamp is out of service" in found.sentence.en


def test_not_heard_since_the_gateways_start():
    found = told().lit("22:00").restart("22:05").why("lamp", "lamp")
    assert found.cause == "gateway_down"
    assert "has not been heard again since the gateway's start" in found.sentence.en


def test_a_stuck_sensor_tells_its_value_and_since_when():
    night = told(fed_by=("meter", None), devices=(METER,), start="12:00")
    for hour in range(12, 37):
        at = f"{hour % 24:02}" if hour != 36 else "+1 12"
        night.lux(7.0, f"{at}:00").say(seen.Power, "meter", f"{at}:05", watts=20.0 if 17 <= hour < 30 else 0.0)
    night.lux(7.0, "+1 12:30")
    found = night.why("lamp", "lamp")
    stuck = found.expected["sources"][1]
    assert (stuck["rank"], stuck["why"]) == ("lux", "sensor_stuck")
    assert found.result == "off_duty", "its meter still proves it"
    assert ("lux-lamp", "12:30", "sensor_stuck") in unused(found)
    assert found.witnesses[0].missing[0].why == "sensor_stuck"


def test_outdoor_light_by_day_is_shown_as_not_used():
    found = told(place="gate", start="12:00").lux(5000.0, "12:00").why("lamp", "lamp")
    assert (found.cause, unused(found)) == ("no_proof", [("lux-lamp", "12:00", "daylight")])
    assert found.evidence[0].value == {"lit": True, "lux": 5000.0}
    assert found.expected["daylight"] == "outdoor"
    assert found.expected["sources"][0]["usable"] is True, "that it spoke shows that it lives"
    assert "while the sun is above −6°" in found.sentence.en


def test_nothing_commanded():
    found = told(expected={"mode": "commanded"}).lit("22:00").why("lamp", "lamp")
    assert (found.result, found.cause) == ("unknown", "no_proof")
    assert "nobody has told it to burn or not" in found.sentence.en


def test_a_command_is_told_with_its_time():
    night = told(expected={"mode": "commanded"}, devices=(OWN,)).say(seen.LampState, "lamp", "22:00", commanded=True)
    found = night.unlit("22:10", "22:20").why("lamp", "lamp")
    assert "it was told at 22:00: on" in found.sentence.en
    assert [each["on"] for each in found.expected["commands"]] == [True]


def test_worse_proof_is_shown_as_beaten():
    night = told(fed_by=("meter", None), devices=(METER,)).say(seen.Power, "meter", "22:00", watts=18.0).unlit("22:01")
    found = night.why("lamp", "lamp")
    assert used(found) == [("meter", "22:00", "last_proof")]
    assert unused(found) == [("lux-lamp", "22:01", "beaten")]
    assert [source["rank"] for source in found.expected["sources"]] == ["power", "lux"]
    assert "meter reported 18 W (lit: 5 or more) at 22:00" in found.sentence.en


def test_every_cause_of_a_silent_source_has_words():
    assert {*CAUSES} == {"never_heard", "stale", "sensor_stuck", "gateway_down", "disabled", "itself", "failed"}


# -- circuits


def test_a_dark_circuit_tells_its_lamps_their_onsets_the_window_and_the_share():
    night = row("a", "b", "d", "e")
    for name in ("a", "b", "d", "e"):
        night.lit("22:00", name=name)
    for minute, name in enumerate(("a", "b", "d")):
        night.unlit(f"22:1{minute}", name=name)
    night.lit("22:15", name="e")
    for minute, name in enumerate(("a", "b", "d")):
        night.unlit(f"22:2{minute}", name=name)
    found = night.why("circuit", "c")
    assert (found.result, found.cause, found.rule) == ("faulty", "circuit_fault", "lighting.md, circuit_fault, begins")
    expected = found.expected
    assert {name: f"{at:%H:%M}" for name, at in expected["failing"].items()} == {
        "a": "22:10",
        "b": "22:11",
        "d": "22:12",
    }
    assert (expected["well"], expected["neither"], expected["share_percent"]) == (["e"], {}, 75.0)
    assert (expected["window_s"], expected["span_s"]) == (1200, 120)
    assert [part.id for part in found.parts] == ["a", "b", "d", "e"]
    assert used(found)[0] == ("lux-a", "22:10", "first_of_run")
    assert "3 lamps (a, b, d) went dark from 22:10 to 22:12" in found.sentence.en
    assert "75 % of the 4" in found.sentence.en
    member = night.why("lamp", "a")
    assert 'The alert "Circuit fault: c" tells of it. Look at the breaker' in member.sentence.en
    assert member.expected["alert"] == {"told": False, "told_by": "circuit_fault:c"}


def test_who_counts_on_neither_side_is_told_with_the_reason():
    night = row("a", "b", "d", "old", "mute")
    night.lit("20:10", name="old").unlit("20:30", "20:40", name="old")
    for at in ("22:00",):
        for name in ("a", "b", "d"):
            night.lit(at, name=name)
    for at in ("22:10", "22:20"):
        night.unlit(at, name="old")
        for name in ("a", "b", "d"):
            night.unlit(at, name=name)
    found = night.why("circuit", "c")
    assert found.expected["neither"] == {"mute": "unknown", "old": "other_time"}
    assert "old (failed at another time)" in found.sentence.en
    assert "mute（状态不明）" in found.sentence.zh


def test_a_circuit_that_burns_by_day_is_explained():
    night = row("a", "b", "d", start="12:00")
    for at in ("12:10", "12:20"):
        for name in ("a", "b", "d"):
            night.lit(at, name=name)
    found = night.why("circuit", "c")
    assert found.cause == "schedule_fault"
    assert "定时" in found.sentence.zh or "时控器" in found.sentence.zh


def test_a_well_circuit_with_one_dark_lamp_tells_what_is_missing_for_a_fault_of_the_whole():
    night = row("a", "b", "d").lit("22:00", name="b").lit("22:00", name="d").unlit("22:10", "22:20", name="a")
    found = night.why("circuit", "c")
    assert (found.result, found.cause) == ("ok", None)
    assert "1 went dark together, 33.3 %" in found.sentence.en
    assert found.expected["circuit_fault"]["well"] == ["b", "d"]
    assert night.why("lamp", "a").expected["alert"]["waits_for"] == "circuit", "the others were not seen since"


def test_a_circuit_of_which_nothing_is_known_tells_why():
    found = row("a", "b").why("circuit", "c")
    assert found.result == "unknown"
    assert "never_heard" in found.sentence.en


def test_a_lamp_of_a_recovered_circuit_waits_for_its_own_sample():
    night = row("a", "b", "d")
    for at in ("22:10", "22:20"):
        for name in ("a", "b", "d"):
            night.unlit(at, name=name)
    night.lit("22:30", name="a").lit("22:31", name="b")
    found = night.why("lamp", "d")
    assert (found.result, found.cause) == ("unknown", "rejudging")
    assert "its circuit has just recovered" in found.sentence.en


def test_a_panel_that_speaks_for_its_circuit_is_named():
    names = ("a", "b", "d")
    lamps = [lamp(f"{circuit}{name}", circuit=circuit) for circuit in ("c1", "c2") for name in names]
    circuits = {name: Circuit(id=name, panel="panel") for name in ("c1", "c2")}
    night = Told(site_of(*lamps, circuits=circuits, parents={"panel": Parent(id="panel")}), clock, "20:00")
    for at in ("22:10", "22:20"):
        for each in lamps:
            night.unlit(at, name=each.id)
    found = night.wait("22:24").why("circuit", "c1")
    assert found.expected["told_by"] == "parent_fault:panel"
    assert "(panel panel)" in found.sentence.en
    assert 'The alert "Common cause: panel" tells of it.' in found.sentence.en


@pytest.mark.parametrize("explain", [explain_lamp, explain_circuit])
def test_what_the_site_does_not_have_is_not_explained(explain):
    night = told()
    assert explain(night.judge, "nothing", night.judge.now) is None
