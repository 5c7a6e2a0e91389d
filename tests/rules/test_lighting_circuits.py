"""Circuits: one fault for many lamps, and when one lamp's alert is told (lighting.md)."""

from __future__ import annotations

from typing import Any

from device_drivers import observations as seen
from gateway.rules.operations import DeviceOperation
from gateway.site.model import Device
from tests.rules.lit_night import Night, clock, lamp, site_of

NAMES = ("a", "b", "c", "d", "e")


def circuit_of(count: int = 5, **more: Any) -> Night:
    return Night(site_of(*(lamp(name, circuit="c", **more) for name in NAMES[:count])))


def all_say(told: Night, lux: float, *times: str, names: tuple[str, ...] = NAMES) -> Night:
    for at in times:
        for name in names:
            if name in told.site.lamps:
                told.lux(at, lux, name)
    return told


def dark(count: int = 5, failing: int = 5) -> Night:
    """Lit at 21:50; from 22:00 the first `failing` are dark."""
    told = circuit_of(count)
    all_say(told, 80.0, "21:50")
    for at in ("22:00", "22:10"):
        all_say(told, 80.0, at, names=NAMES[failing:])
        all_say(told, 0.5, at, names=NAMES[:failing])
    return told


def test_a_tripped_breaker_is_one_alert() -> None:
    told = dark()
    assert told.circuit() == ("faulty", "circuit_fault")
    assert {one[:2] for one in told.told()} == {("circuit_fault", "raise"), ("circuit_fault", "update")}
    assert told.found.signals[-1].details["lamps"] == list(NAMES)
    raised = told.signal("circuit_fault", "raise")
    assert raised.raised == clock("22:00")
    assert told.state("a") == ("faulty", "lamp_failure")


def test_three_of_five_are_enough_and_two_are_not() -> None:
    assert dark(5, 3).circuit() == ("faulty", "circuit_fault")
    assert dark(5, 2).circuit() == ("ok", None)
    assert dark(2, 2).circuit() == ("ok", None)


def test_lamps_of_which_nothing_is_known_count_on_neither_side() -> None:
    told = circuit_of(5)
    all_say(told, 0.5, "22:00", "22:10", names=NAMES[:3])
    assert told.circuit() == ("faulty", "circuit_fault")


def test_a_lamp_dark_before_the_window_counts_on_neither_side() -> None:
    told = circuit_of(4)
    all_say(told, 80.0, "20:00", "20:10", "20:20", names=("b", "c", "d"))
    told.unlit("20:00", "20:10", name="a")
    assert told.told("a") == [("lamp_failure", "raise", "20:10")]
    for at in ("20:30", "20:40"):
        all_say(told, 0.5, at, names=("b", "c", "d"))
    assert told.circuit() == ("faulty", "circuit_fault")
    assert told.signal("circuit_fault", "raise").details["lamps"] == ["b", "c", "d"]
    merged = told.signal("lamp_failure", "merge")
    assert (merged.subject, merged.caused_by) == ("a", "circuit_fault:c")


def test_onsets_further_apart_than_the_window_are_single_lamps() -> None:
    told = circuit_of(3)
    for name, first in zip(NAMES, ("20:00", "20:30", "21:00"), strict=False):
        hour, minute = int(first[:2]), int(first[3:])
        for step in (0, 10):
            told.unlit(f"{hour}:{minute + step:02}", name=name)
    assert told.circuit()[1] is None


def test_a_circuit_fault_ends_when_under_sixty_percent_are_still_dark() -> None:
    told = dark()
    told.lit("22:20", name="a").lit("22:20:01", name="b")
    assert told.circuit() == ("faulty", "circuit_fault")
    told.lit("22:20:02", name="c")
    assert told.circuit()[1] is None
    assert told.told("c")[-1] == ("circuit_fault", "resolve", "22:20")


def test_a_lamp_lit_and_dark_again_counts_by_its_last_sample() -> None:
    told = dark()
    told.lit("22:20", name="a").lit("22:20:01", name="b").unlit("22:21", name="a").lit("22:22", name="c")
    assert told.circuit() == ("faulty", "circuit_fault")


def test_after_its_end_lamps_are_judged_by_new_samples_alone() -> None:
    told = dark()
    for at, name in (("22:20", "a"), ("22:20:01", "b"), ("22:20:02", "c")):
        told.lit(at, name=name)
    assert {told.state(name) for name in NAMES} == {("unknown", "rejudging")}
    assert told.circuit() == ("unknown", None)
    told.lit("22:30", name="a").unlit("22:30", name="e")
    assert told.state("a") == ("ok", None)
    assert told.state("e") == ("unknown", "no_proof")
    assert told.circuit() == ("ok", None)
    told.unlit("22:40", name="e")
    assert told.state("e") == ("faulty", "lamp_failure")


def test_a_sample_older_than_the_end_does_not_count_for_the_fresh_start() -> None:
    told = dark()
    for at, name in (("22:20", "a"), ("22:20:01", "b"), ("22:20:02", "c")):
        told.lit(at, name=name)
    told.lux("22:15", 0.5, "e", received="22:25")
    assert told.state("e") == ("unknown", "rejudging")


def test_after_its_end_a_lamp_that_flickered_before_is_as_new() -> None:
    told = circuit_of(5)
    for minute in range(7):
        told.lux(f"21:{minute:02}", 80.0 if minute % 2 == 0 else 0.5, name="a")
    assert told.state("a") == ("faulty", "cycling_failure")
    all_say(told, 0.5, "21:10", "21:19", names=("b", "c", "d"))
    all_say(told, 0.5, "21:20", names=("b", "c", "d"))
    assert told.circuit() == ("faulty", "circuit_fault")
    all_say(told, 80.0, "21:25", names=("b", "c"))
    assert told.circuit()[1] is None
    assert told.state("a") == ("unknown", "rejudging")
    assert told.signal("cycling_failure", "resolve").why == "rejudging", "nobody saw it steady"
    assert told.lit("21:26", name="a").state("a") == ("ok", None)


def test_after_its_end_a_lamp_that_was_dim_is_as_new_and_found_dim_again_by_what_it_used_to_give() -> None:
    commanded = {"expected": {"mode": "commanded"}}
    told = Night(site_of(lamp("a", circuit="c", **commanded), *(lamp(name, circuit="c") for name in NAMES[1:])))
    for index in range(13):
        hour, minute = 13 + index // 3, index % 3 * 20
        told.lux(f"{hour}:{minute:02}", 1.0, "a").lux(f"{hour}:{minute + 9:02}", 101.0 if index < 10 else 51.0, "a")
    assert told.state("a") == ("faulty", "dim")
    all_say(told, 0.5, "21:10", "21:20", names=("b", "c", "d"))
    all_say(told, 80.0, "21:25", names=("b", "c"))
    assert told.state("a") == ("unknown", "rejudging")
    for minute in (30, 36, 42):
        assert told.view("a").faults == ()
        told.lux(f"21:{minute}", 1.0, "a").lux(f"21:{minute + 3}", 51.0, "a")
    assert told.state("a") == ("faulty", "dim")


def test_after_its_end_a_reported_fault_stands_on() -> None:
    own = Device(id="a", driver="native", kind="lamp")
    told = Night(site_of(*(lamp(name, circuit="c") for name in NAMES), devices=(own,)))
    told.say(seen.LampFault, "a", "21:00", fault="control_gear_failure")
    all_say(told, 0.5, "21:10", "21:20", names=("b", "c", "d"))
    all_say(told, 80.0, "21:25", names=("b", "c"))
    assert told.circuit()[1] is None
    assert told.state("a") == ("faulty", "control_gear_failure"), "its device has not said that it ended"


def test_while_it_stands_lamps_raise_no_failure_of_their_own() -> None:
    told = dark(5, 3)
    all_say(told, 0.5, "22:20", "22:30", names=("d", "e"))
    assert told.state("d") == ("faulty", "lamp_failure")
    assert {one[0] for one in told.told()} == {"circuit_fault"}


def test_a_single_failure_is_told_once_the_others_were_seen_lit() -> None:
    told = dark(5, 1)
    assert told.told() == [("lamp_failure", "raise", "22:10")]


def test_a_single_failure_waits_for_the_others() -> None:
    told = circuit_of(3)
    all_say(told, 80.0, "21:50", names=NAMES[:3])
    told.unlit("22:00", "22:10", name="a")
    assert told.state("a") == ("faulty", "lamp_failure")
    assert told.told() == []
    told.lit("22:11", name="b")
    assert told.told() == []
    told.lit("22:12", name="c")
    assert told.told() == [("lamp_failure", "raise", "22:12")]
    assert told.signal("lamp_failure", "raise").raised == clock("22:00")


def test_a_lamp_whose_sensor_falls_silent_is_waited_for_no_longer() -> None:
    told = circuit_of(3)
    all_say(told, 80.0, "21:50", names=NAMES[:3])
    told.unlit("22:00", "22:10", name="a")
    told.lit("22:19", name="b")
    told.wait("22:29:59")
    assert told.told() == [("lamp_failure", "raise", "22:20")]


def test_the_wait_is_bounded_while_the_other_sensor_lives() -> None:
    told = circuit_of(2)
    told.lit("21:50", name="a").lit("21:50", name="b")
    told.unlit("22:00", "22:10", name="a").unlit("22:18", name="b")
    told.wait("22:29:59")
    assert told.told() == []
    told.wait("22:30")
    assert told.told() == [("lamp_failure", "raise", "22:30")]


def test_a_failure_that_ends_before_it_is_told_is_never_told() -> None:
    told = circuit_of(2)
    told.lit("21:50", name="a").lit("21:50", name="b").unlit("22:00", "22:10", name="a").lit("22:15", name="a")
    told.lit("22:16", name="b").wait("23:00")
    assert told.told("a") == []


def test_a_failure_already_told_is_merged_into_the_circuit() -> None:
    told = dark(5, 1)
    all_say(told, 0.5, "22:12", "22:22", names=("b", "c", "d"))
    assert [one for one in told.told() if one[1] != "update"] == [
        ("lamp_failure", "raise", "22:10"),
        ("circuit_fault", "raise", "22:22"),
        ("lamp_failure", "merge", "22:22"),
    ]


def test_lamps_burning_by_day_together_are_a_schedule_fault_until_dusk() -> None:
    told = circuit_of(3)
    all_say(told, 80.0, "13:00", "13:10")
    assert told.circuit() == ("faulty", "schedule_fault")
    assert told.told() == [("schedule_fault", "raise", "13:10")]
    all_say(told, 80.0, *(f"{hour}:{minute}" for hour in (14, 15, 16) for minute in ("00", "25", "50")))
    told.wait("16:53")
    assert told.circuit()[1] is None
    assert told.state("a") == ("unknown", "rejudging")
    assert told.told()[-1] == ("schedule_fault", "resolve", "16:52")
    assert told.signal("schedule_fault", "resolve").why == "expected on again", "nobody saw it mended"
    all_say(told, 80.0, "16:55")
    assert told.state("a") == ("ok", None)


def test_silence_never_makes_a_circuit_fault() -> None:
    told = circuit_of(5)
    all_say(told, 80.0, "22:00")
    told.wait("23:59")
    assert told.told() == []
    assert told.circuit() == ("unknown", None)


def test_a_restart_alone_accuses_nobody() -> None:
    told = circuit_of(5)
    all_say(told, 80.0, "22:00")
    told.restart("22:01", "23:00").wait("23:59")
    assert told.told() == []


def test_a_parent_speaks_for_its_circuits() -> None:
    told = dark()
    assert told.rules.circuit_dark_since("c") == clock("22:00")
    assert told.rules.circuit_last_sign("c") == clock("21:50")
    assert told.rules.circuit_known("c")
    told.rules.suppress(["c"], "parent_fault:panel", clock("22:15"))
    assert told.signal("circuit_fault", "merge").caused_by == "parent_fault:panel"
    told.rules.unsuppress(["c"], clock("22:20"))
    assert told.rules.circuit_dark_since("c") is None
    assert told.state("a") == ("unknown", "rejudging")
    all_say(told, 0.5, "22:30", "22:40")
    assert [one for one in told.told() if one[1] == "raise"][1:] == [("circuit_fault", "raise", "22:40")]


def test_a_suppressed_circuit_raises_nothing() -> None:
    told = circuit_of(5)
    all_say(told, 80.0, "21:50")
    told.rules.suppress(["c"], "parent_fault:panel", clock("22:00"))
    all_say(told, 0.5, "22:00", "22:10")
    assert told.circuit() == ("faulty", "circuit_fault")
    assert told.told() == []


def test_a_disabled_lamp_is_not_waited_for() -> None:
    out = Device(id="b", driver="native", kind="lamp", enabled=False)
    told = Night(site_of(lamp("a", circuit="c"), lamp("b", circuit="c"), devices=(out,)))
    told.lit("21:50", name="a").lit("21:50", name="b").unlit("22:00", "22:10", name="a")
    assert told.told() == [("lamp_failure", "raise", "22:10")]


def test_a_lamp_out_of_service_holds_no_circuit_fault() -> None:
    lamps = [lamp(name, circuit="c") for name in "abc"]
    told = Night(site_of(*lamps, devices=tuple(Device(id=name, driver="native", kind="lamp") for name in "abc")))
    for name in "abc":
        told.unlit("22:00", "22:10", name=name)
    assert told.circuit() == ("faulty", "circuit_fault")
    for name in "bc":
        told.rules.operate(DeviceOperation(at=clock("22:15"), by="chen", device=name, action="disable"))
    assert told.circuit() == ("faulty", "circuit_fault"), "the one that is left is dark"
    told.lit("22:20", name="a")
    assert told.circuit()[1] is None
    assert told.signal("circuit_fault", "resolve").why == "recovered"


def test_a_circuit_fault_whose_lamps_are_all_out_of_service_was_not_seen_mended() -> None:
    lamps = [lamp(name, circuit="c") for name in "abc"]
    told = Night(site_of(*lamps, devices=tuple(Device(id=name, driver="native", kind="lamp") for name in "abc")))
    for name in "abc":
        told.unlit("22:00", "22:10", name=name)
    for name in "abc":
        told.rules.operate(DeviceOperation(at=clock("22:15"), by="chen", device=name, action="disable"))
    assert told.circuit()[1] is None
    assert told.signal("circuit_fault", "resolve").why == "disabled"


def test_a_report_of_one_lamp_is_told_at_once() -> None:
    own = Device(id="a", driver="native", kind="lamp")
    told = Night(site_of(lamp("a", circuit="c"), lamp("b", circuit="c"), devices=(own,)))
    told.lit("21:50", name="b").say(seen.LampFault, "a", "22:00", fault="control_gear_failure")
    assert told.told("a") == [("control_gear_failure", "raise", "22:00")]
