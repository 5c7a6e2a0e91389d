"""Single lamps: states, proofs, edges, faults (lighting.md)."""

from __future__ import annotations

from typing import Any

import pytest

from device_drivers import observations as seen
from gateway.instants import MINUTE, moment
from gateway.rules.operations import DeviceOperation
from gateway.site.model import Circuit, Device, Parent
from tests.rules.lit_night import Night, clock, lamp, site_of

PIR = Device(id="pir", driver="native", kind="motion_sensor", place="corridor")
MOTION = {"mode": "motion"}
SWITCHED = Device(id="lamp", driver="native", kind="lamp")
"""Says each command once, as it comes."""


def night(**more: Any) -> Night:
    devices = more.pop("devices", ())
    restarts = more.pop("restarts", False)
    return Night(site_of(lamp(**more), devices=devices), restarts=restarts)


# -- states


def test_never_heard_is_unknown() -> None:
    assert night().wait("22:00").state() == ("unknown", "never_heard")


def test_lit_at_night_is_ok_and_unlit_by_day_is_off_duty() -> None:
    assert night().lit("22:00").state() == ("ok", None)
    assert night().unlit("13:00").state() == ("off_duty", None)


def test_one_contrary_sample_leaves_the_state() -> None:
    assert night().lit("22:00").unlit("22:10").state() == ("ok", None)
    assert night().lit("22:00").unlit("22:10").view().lit is False


def test_first_sample_contrary_is_unknown_for_want_of_proof() -> None:
    assert night().unlit("22:00").state() == ("unknown", "no_proof")


def test_silence_of_exactly_the_limit_still_proves() -> None:
    told = night().lit("22:00")
    assert told.wait("22:30").state() == ("ok", None)
    assert told.wait("22:30:01").state() == ("unknown", "stale")
    assert told.view().since == moment(clock("22:30"), told.site.zone_info)
    assert told.view().lit is None


def test_silence_is_judged_after_fifteen_minutes_at_the_least() -> None:
    quick = Device(id="lux-lamp", driver="native", kind="sensor", expect_every=MINUTE)
    told = night(devices=(quick,)).lit("22:00")
    assert told.wait("22:15").state() == ("ok", None)
    assert told.wait("22:15:01").state() == ("unknown", "stale")


def test_dusk_without_a_sample_holds_the_state_for_an_hour() -> None:
    slow = Device(id="lux-lamp", driver="native", kind="sensor", expect_every=60 * MINUTE)
    told = night(devices=(slow,)).unlit("16:30")
    assert told.wait("17:52").state() == ("off_duty", None)
    assert told.wait("17:53").state() == ("unknown", "no_proof")
    assert told.lit("18:00").state() == ("ok", None)


def test_a_failed_parent_is_the_cause_until_the_sensor_is_heard_again() -> None:
    told = night().lit("22:00").fail("lux-lamp", "switch-b1", "22:05")
    assert told.state() == ("unknown", "switch-b1")
    assert told.mend("lux-lamp", "22:07").state() == ("unknown", "switch-b1")
    assert told.lit("22:10").state() == ("ok", None)


def test_a_failed_parent_that_came_back_gives_one_timeout_of_grace() -> None:
    told = night().lit("22:00").fail("lux-lamp", "switch-b1", "22:05").mend("lux-lamp", "22:07")
    assert told.wait("22:37").state() == ("unknown", "switch-b1")
    assert told.wait("22:37:01").state() == ("unknown", "stale")


def test_a_change_of_a_parent_reaches_the_sensors_below_it() -> None:
    sensor = Device(id="lux-lamp", driver="native", kind="sensor", network="switch-b1")
    told = Night(site_of(lamp(), devices=(sensor,), parents={"switch-b1": Parent(id="switch-b1")}))
    told.lit("22:00")
    told.devices.down["lux-lamp"] = "switch-b1"
    told.rules.devices_changed(frozenset({"switch-b1"}), clock("22:05"))
    assert told.state() == ("unknown", "switch-b1")


def test_a_sensor_offline_by_silence_alone_is_stale_not_failed() -> None:
    told = night().lit("22:00").fail("lux-lamp", "lux-lamp", "22:04")
    assert told.state() == ("ok", None)
    assert told.wait("22:31").state() == ("unknown", "stale")


def test_a_last_will_names_the_source() -> None:
    told = night().lit("22:00")
    told.devices.down["lux-lamp"] = "lux-lamp"
    told.say(seen.DeviceStatus, "lux-lamp", "22:05", online=False)
    assert told.state() == ("unknown", "lux-lamp")
    del told.devices.down["lux-lamp"]
    assert told.lit("22:10").state() == ("ok", None)


def test_a_last_will_counts_whatever_its_clock_says() -> None:
    told = night().lit("22:00")
    told.devices.down["lux-lamp"] = "lux-lamp"
    told.say(seen.DeviceStatus, "lux-lamp", "-20000 22:05", received="22:05", online=False)
    assert told.state() == ("unknown", "lux-lamp")


def test_after_a_restart_nothing_is_known_until_heard() -> None:
    told = night().lit("22:00").restart("22:01", "22:02")
    assert told.state() == ("unknown", "gateway_down")
    assert told.lit("22:10").state() == ("ok", None)


def test_grace_after_a_restart_is_given_once() -> None:
    told = night().lit("22:00").restart("22:01", "22:02").restart("22:20", "22:21")
    assert told.wait("22:32").state() == ("unknown", "gateway_down")
    assert told.wait("22:32:01").state() == ("unknown", "stale")


def test_a_disabled_lamp_is_disabled_and_raises_nothing() -> None:
    out = Device(id="lamp", driver="native", kind="lamp", enabled=False)
    told = night(devices=(out,)).unlit("22:00", "22:10", "22:20")
    assert told.state() == ("disabled", None)
    assert told.told() == []


# -- lamp_failure, day_burner


def test_two_unlit_samples_confirm_a_failure_since_the_first() -> None:
    told = night().lit("21:50").unlit("22:00", "22:10")
    assert told.state() == ("faulty", "lamp_failure")
    raised = told.signal("lamp_failure", "raise")
    assert (raised.at, raised.raised) == (clock("22:10"), clock("22:00"))


def test_less_than_confirm_proves_nothing() -> None:
    assert night().lit("21:50").unlit("22:00", "22:09:59").state() == ("ok", None)


def test_lit_between_breaks_the_run() -> None:
    assert night().unlit("22:00").lit("22:05").unlit("22:10", "22:15").state() == ("ok", None)


def test_a_hole_longer_than_the_limit_breaks_the_run() -> None:
    assert night().unlit("22:00", "22:31").state() == ("unknown", "no_proof")
    assert night().unlit("22:00", "22:30").state() == ("faulty", "lamp_failure")


def test_unlit_within_the_edge_proves_no_fault_but_lit_proves_all_well() -> None:
    told = night().unlit("16:40", "16:55", "17:05", "17:10")
    assert told.state() == ("off_duty", None)
    assert told.lit("17:12").state() == ("ok", None)


def test_unlit_after_the_edge_counts_from_there() -> None:
    told = night().unlit("16:55", "17:05", "17:20", "17:30")
    assert told.signal("lamp_failure", "raise").raised == clock("17:20")


def test_one_lit_sample_ends_a_failure_at_once() -> None:
    told = night().unlit("22:00", "22:10").lit("22:20")
    assert told.state() == ("ok", None)
    assert told.told() == [("lamp_failure", "raise", "22:10"), ("lamp_failure", "resolve", "22:20")]


def test_a_failure_whose_evidence_went_stale_stays_unverified() -> None:
    told = night().unlit("22:00", "22:10").wait("23:00")
    assert told.state() == ("faulty", "lamp_failure")
    assert told.view().unverified
    assert not told.unlit("23:10").view().unverified


def test_a_failure_is_unverified_after_a_restart_and_told_once() -> None:
    told = night().unlit("22:00", "22:10").restart("22:11", "22:12")
    assert told.view().unverified
    told.unlit("22:20", "22:30")
    assert [one[:2] for one in told.told()] == [("lamp_failure", "raise")]


def test_a_short_restart_does_not_break_a_run() -> None:
    told = night().unlit("22:00").restart("22:03", "22:04").unlit("22:10")
    assert told.state() == ("faulty", "lamp_failure")


def test_after_a_failure_a_contrary_lamp_is_unknown() -> None:
    told = night(expected={"mode": "commanded"}, devices=(Device(id="lamp", driver="native", kind="lamp"),))
    told.word("21:59", commanded=True).unlit("22:00", "22:10").word("22:15", commanded=False).lit("22:20")
    assert told.state() == ("unknown", "no_proof")


def test_lit_by_day_is_a_day_burner_until_unlit() -> None:
    told = night().lit("13:00", "13:10")
    assert told.state() == ("faulty", "day_burner")
    assert told.unlit("13:20").state() == ("off_duty", None)


def test_a_day_burner_ends_when_it_is_expected_on_again() -> None:
    told = night().lit("16:00", "16:10", "16:20", "16:30", "16:40", "16:50").wait("16:53")
    assert told.state() == ("ok", None)
    assert told.told() == [("day_burner", "raise", "16:10"), ("day_burner", "resolve", "16:52")]


def test_light_outdoors_by_day_proves_nothing_but_life() -> None:
    told = night(place="gate").lit("12:30", "12:40", "12:50", "13:00").wait("13:10")
    assert told.state() == ("unknown", "no_proof")
    assert told.told() == []


def test_outdoors_a_night_is_proved_once_the_sun_is_low() -> None:
    told = night(place="gate").lit("17:10")
    assert told.state() == ("unknown", "no_proof")
    assert told.lit("17:21").state() == ("ok", None)


def test_outdoors_the_state_is_lost_an_hour_after_dawn_and_not_regained_at_dusk() -> None:
    told = night(place="gate").lit("05:50", "06:01", "06:20", "06:40", "07:00", "07:20")
    assert told.state() == ("ok", None)
    assert told.wait("07:29").state() == ("unknown", "no_proof")
    times = [f"+1 {hour:02}:{minute}" for hour in range(12, 16) for minute in ("00", "20", "40")]
    assert told.lit("07:45", "08:10", "08:35", *times, "+1 16:20", "+1 16:50").wait("+1 17:00").state() == (
        "unknown",
        "no_proof",
    )
    assert told.lit("+1 17:21").state() == ("ok", None)


def test_always_has_no_edges() -> None:
    told = night(expected={"mode": "always"}).unlit("16:45", "16:55")
    assert told.state() == ("faulty", "lamp_failure")


def test_offset_moves_both_ends() -> None:
    told = night(expected={"mode": "dusk_to_dawn", "offset": 60 * MINUTE}).unlit("17:00")
    assert (told.view().expected_on, told.state()) == (False, ("off_duty", None))
    assert told.wait("17:53").view().expected_on is True


def test_commanded_follows_the_last_command() -> None:
    own = Device(id="lamp", driver="native", kind="lamp")
    told = night(expected={"mode": "commanded"}, devices=(own,), seen_by=())
    assert told.word("13:00", on=True).view().expected_on is None
    told.word("13:05", on=True, commanded=True)
    assert told.state() == ("ok", None)
    told.word("13:10", on=False, commanded=True).word("13:20", on=False)
    assert told.state() == ("faulty", "lamp_failure")


def test_a_sample_handed_in_late_is_judged_by_its_own_time() -> None:
    told = night().lux("16:00", 0.5, received="22:00").lux("16:10", 0.5, received="22:01")
    assert told.told() == []


def test_a_clock_ahead_is_judged_when_it_was_received() -> None:
    told = night().lux("+1 02:00", 0.5, received="22:00").lux("+1 02:10", 0.5, received="22:09")
    assert told.told() == []
    assert told.lux("+1 02:20", 0.5, received="22:10").signal("lamp_failure", "raise").raised == clock("22:00")


@pytest.mark.parametrize("lost", ["-8 22:00", "-20000 22:00", "-730000 22:00"])
def test_a_lost_clock_shows_life_and_nothing_else(lost: str) -> None:
    told = night().lit("22:00").lux(lost, 0.5, received="22:20")
    assert told.view().lit is True
    assert told.wait("22:50").state() == ("ok", None)


def test_the_same_observation_again_is_no_second_sample() -> None:
    told = night(confirm=0).unlit("22:00", "22:00", "22:00")
    assert told.state() == ("unknown", "no_proof")


# -- proofs


METER = Device(id="meter", driver="native", kind="meter")


def test_power_beats_lux_while_it_is_fresh() -> None:
    told = night(fed_by=("meter", None)).watts("22:00", 18.0).unlit("22:01", "22:11", "22:21")
    assert told.view().lit is True
    assert told.state() == ("ok", None)


def test_power_older_than_three_times_its_span_is_beaten() -> None:
    told = night(fed_by=("meter", None)).watts("22:00", 18.0).unlit("22:31")
    assert told.view().lit is False


def test_power_heard_after_a_newer_word_beats_it_too() -> None:
    own = Device(id="lamp", driver="native", kind="lamp")
    told = night(fed_by=("meter", None), devices=(own,))
    told.word("22:02", on=False).watts("22:00", 18.0, received="22:02:10")
    assert (told.state(), told.view().lit) == (("ok", None), True), "two minutes older, and better"
    told.word("22:33", on=False)
    assert told.view().lit is False, "older by more than three times its span"


def test_what_a_beaten_source_no_longer_says_is_no_proof_once_the_better_one_is_silent() -> None:
    own = Device(id="lamp", driver="native", kind="sensor", expect_every=10 * MINUTE)
    told = night(devices=(own,)).word("22:00", on=True).unlit("22:05").word("22:10", on=False).word("22:30", on=False)
    assert told.state() == ("ok", None), "one contrary sample"
    told.wait("22:36")
    assert told.view().lit is None, "it took back at 22:10 that it burns"
    told.word("22:40", on=False).word("22:50", on=False)
    assert told.state() == ("faulty", "lamp_failure")


def test_a_fault_is_not_verified_by_what_a_beaten_source_took_back() -> None:
    own = Device(id="lamp", driver="native", kind="sensor", expect_every=10 * MINUTE)
    told = night(devices=(own,)).word("22:00", on=True).unlit("22:05").word("22:10", on=False).unlit("22:15")
    assert told.state() == ("faulty", "lamp_failure")
    told.word("22:40", on=False).wait("22:46")
    assert told.view().unverified


def test_lux_beats_the_lamps_own_word() -> None:
    own = Device(id="lamp", driver="native", kind="lamp")
    told = night(devices=(own,)).unlit("22:00").word("22:05", on=True).unlit("22:10")
    assert told.state() == ("faulty", "lamp_failure")


def test_five_watts_are_lit() -> None:
    assert night(fed_by=("meter", None)).watts("22:00", 5.0).state() == ("ok", None)
    assert night(fed_by=("meter", None)).watts("22:00", 4.9).view().lit is False


def test_another_channel_of_the_meter_proves_nothing() -> None:
    told = night(fed_by=("meter", 2), seen_by=())
    told.watts("22:00", 40.0, channel=1).watts("22:01", 40.0)
    assert told.state() == ("unknown", "never_heard")
    assert told.watts("22:02", 40.0, channel="2").state() == ("ok", None)


@pytest.mark.parametrize("lux", [float("nan"), -1.0])
def test_what_is_not_a_number_or_less_than_no_light_proves_nothing(lux: float) -> None:
    assert night().lux("22:00", lux).state() == ("unknown", "never_heard")


@pytest.mark.parametrize("lux", [float("nan"), -1.0])
def test_a_failed_reading_keeps_nothing_alive(lux: float) -> None:
    told = night().unlit("13:00", "13:05", "13:10")
    source = told.rules.source_of_light("lux-lamp")
    assert source is not None
    assert not told.rules.undisturbed(source, lux, clock("13:11"), clock("13:11"))
    assert told.rules.undisturbed(source, 0.5, clock("13:11"), clock("13:11"))


def test_another_device_may_speak_for_a_lamp() -> None:
    hub = Device(id="hub", driver="native", kind="hub")
    told = night(devices=(hub,), seen_by=()).word("22:00", device="hub", lamp="lamp", on=True)
    assert told.state() == ("ok", None)
    told.again()
    assert told.wait("22:31").state() == ("unknown", "stale")


# -- motion


def test_motion_lamp_is_expected_for_hold_after_motion() -> None:
    told = night(expected=MOTION, devices=(PIR,)).unlit("21:59").motion("22:00")
    assert told.view().expected_on is True
    assert told.wait("22:01:01").view().expected_on is False
    assert told.state() == ("off_duty", None)


def test_a_dark_motion_lamp_is_no_lamp_failure() -> None:
    told = night(expected=MOTION, devices=(PIR,)).motion("22:00", "22:10").unlit("22:00:30", "22:10:30")
    assert told.told() == []


def test_lit_long_after_the_last_motion_is_a_day_burner() -> None:
    told = night(expected=MOTION, devices=(PIR,)).motion("22:00").lit("22:02", "22:10")
    assert told.told() == []
    assert told.lit("22:20").state() == ("faulty", "day_burner")
    assert told.signal("day_burner", "raise").raised == clock("22:10")
    assert told.motion("22:30").state() == ("faulty", "day_burner")
    assert told.unlit("22:40").state() == ("off_duty", None)


def test_motion_between_starts_the_run_anew() -> None:
    told = night(expected=MOTION, devices=(PIR,)).motion("22:00").lit("22:10").motion("22:12").lit("22:20")
    assert told.told() == []


def test_burning_without_a_word_from_the_motion_sensor_accuses_nobody() -> None:
    assert night(expected=MOTION, devices=(PIR,)).lit("22:00", "22:10", "22:20").told() == []


def test_burning_while_the_motion_sensor_is_down_accuses_nobody() -> None:
    told = night(expected=MOTION, devices=(PIR,)).motion("22:00").fail("pir", "switch-b1", "22:05")
    told.lit("22:10", "22:20", "22:30").mend("pir", "22:31").lit("22:40", "22:50")
    assert told.told() == []
    assert told.motion("22:55").lit("23:00", "23:10").state() == ("faulty", "day_burner")


def test_three_motions_without_light_are_no_trigger() -> None:
    told = night(expected=MOTION, devices=(PIR,))
    for at in ("22:00", "22:10", "22:20"):
        told.motion(at).unlit(f"{at}:30")
    assert told.wait("22:25").state() == ("faulty", "no_trigger")
    assert told.signal("no_trigger", "raise").raised == clock("22:00")
    assert told.motion("22:30").lit("22:30:10").state() == ("ok", None)


def test_motions_within_hold_are_one_and_unseen_ones_do_not_count() -> None:
    told = night(expected=MOTION, devices=(PIR,))
    told.motion("22:00").unlit("22:00:30").motion("22:00:50", "22:01:40").unlit("22:01:50")
    told.motion("22:10").motion("22:20").unlit("22:20:30")
    assert told.wait("22:30").told() == []


def test_one_lit_answer_breaks_the_succession() -> None:
    told = night(expected=MOTION, devices=(PIR,))
    for at in ("22:00", "22:10"):
        told.motion(at).unlit(f"{at}:30")
    told.motion("22:20").lit("22:20:10").motion("22:30").unlit("22:30:30")
    assert told.wait("22:40").told() == []


# -- cycling, dim, reported, stuck


def minutes(first: int, count: int, step: int = 1) -> list[str]:
    return [f"22:{first + index * step:02}" for index in range(count)]


def test_six_changes_within_ten_minutes_are_cycling() -> None:
    told = night()
    for index, at in enumerate(minutes(0, 7)):
        (told.lit if index % 2 == 0 else told.unlit)(at)
    assert told.state() == ("faulty", "cycling_failure")
    assert told.signal("cycling_failure", "raise").raised == clock("22:01")
    told.lit(*minutes(7, 9))
    assert told.state() == ("faulty", "cycling_failure")
    assert told.lit("22:16").state() == ("ok", None)


def test_a_change_over_a_restart_is_no_steadiness() -> None:
    told = night()
    for index, at in enumerate(minutes(0, 7)):
        (told.lit if index % 2 == 0 else told.unlit)(at)
    told.restart("22:08", "22:16").unlit("22:17")
    assert told.state() == ("faulty", "cycling_failure"), "it was lit when it was seen last"
    told.unlit("22:22").restart("22:23", "22:24").unlit("22:27")
    assert told.view().faults == ("lamp_failure",), "ten minutes in which it said the same"


def test_what_is_told_late_makes_nobody_steady() -> None:
    told = night()
    for index, at in enumerate(minutes(0, 7)):
        (told.lit if index % 2 == 0 else told.unlit)(at)
    told.lux("21:50", 0.5, received="22:06:30").unlit("22:07")
    assert "cycling_failure" in told.view().faults, "a minute after its last change"


def test_while_the_controller_is_silent_nobody_knows_what_it_commanded() -> None:
    own = Device(id="lamp", driver="native", kind="lamp", expect_every=10 * MINUTE)
    told = night(expected={"mode": "commanded"}, devices=(own,))
    told.word("13:00", on=False, commanded=False).unlit("13:05")
    told.lit("13:10", "13:20", "13:35")
    assert told.view().faults == ()
    told.word("13:36", on=True, commanded=True).lit("13:45")
    assert told.state() == ("ok", None)


def test_a_controller_that_repeats_its_command_lets_a_lamp_be_accused() -> None:
    own = Device(id="lamp", driver="native", kind="lamp", expect_every=10 * MINUTE)
    told = night(expected={"mode": "commanded"}, devices=(own,))
    told.word("13:00", commanded=False).lit("13:05").word("13:10", commanded=False).lit("13:15")
    assert told.state() == ("faulty", "day_burner")


def test_an_older_word_against_a_fault_does_not_verify_it() -> None:
    own = Device(id="lamp", driver="native", kind="lamp", expect_every=60 * MINUTE)
    told = night(expected={"mode": "always"}, devices=(own,))
    told.word("22:00", on=True).unlit("22:05", "22:16")
    assert (told.view().faults, told.view().unverified) == (("lamp_failure",), False)
    told.wait("22:50")
    assert (told.view().faults, told.view().unverified) == (("lamp_failure",), True), "nobody says so any more"
    assert told.unlit("22:51").view().unverified is False


def test_what_was_seen_before_it_was_called_for_accuses_no_lamp_after_it() -> None:
    told = night(expected={"mode": "commanded"}, devices=(SWITCHED,))
    told.word("13:00", on=False, commanded=False).lit("13:05").word("13:06", on=True, commanded=True)
    told.word("13:16", on=False, commanded=False).lit("13:17")
    assert told.view().faults == (), "once since it was switched off, and it may just have gone out"
    assert told.lit("13:28").state() == ("faulty", "day_burner")


def test_nor_do_two_noons_with_a_night_between() -> None:
    slow = Device(id="lux-lamp", driver="native", kind="lux_sensor", place="corridor", expect_every=24 * 60 * MINUTE)
    told = night(devices=(slow,)).lit("-1 12:30", "12:30")
    assert told.view().faults == ()
    assert told.lit("12:45").state() == ("faulty", "day_burner")


def test_a_dead_lamp_that_is_switched_often_is_found() -> None:
    told = night(expected={"mode": "commanded"}, devices=(SWITCHED,))
    told.word("13:00", on=True, commanded=True).unlit("13:05").word("13:06", on=False, commanded=False)
    told.word("13:10", on=True, commanded=True).unlit("13:16")
    assert told.state() == ("faulty", "lamp_failure")


def test_changes_after_a_command_are_no_cycling() -> None:
    told = night(devices=(PIR,))
    for index, at in enumerate(minutes(0, 8)):
        (told.lit if index % 2 == 0 else told.unlit)(at)
        if index == 4:
            told.motion("22:04:30")
    assert told.told() == []


def test_the_change_that_was_commanded_is_none_of_the_six() -> None:
    told = night(expected={"mode": "commanded"}, devices=(Device(id="lamp", driver="native", kind="lamp"),))
    told.word("22:00", commanded=True).lit("22:01").word("22:01:30", commanded=False).unlit("22:02")
    told.lit("22:03").unlit("22:04").lit("22:05").unlit("22:06").lit("22:07")
    assert told.view().faults == (), "five of six changes are its own"
    assert told.unlit("22:08").view().faults == ("cycling_failure",)


def test_nor_is_it_where_the_command_is_heard_after_what_it_did() -> None:
    told = night(expected={"mode": "commanded"}, devices=(Device(id="lamp", driver="native", kind="lamp"),))
    told.word("22:00", commanded=True).lit("22:01").unlit("22:02")
    told.word("22:01:30", commanded=False, received="22:02:10")
    told.lit("22:03").unlit("22:04").lit("22:05").unlit("22:06").lit("22:07")
    assert told.view().faults == (), "five of six changes are its own"
    assert told.unlit("22:08").view().faults == ("cycling_failure",)


def test_motion_explains_nothing_once_the_lamp_was_seen_steady_after_it() -> None:
    told = night(devices=(PIR,))
    told.lit("22:00").motion("22:00:30").lit("22:01")
    for index, at in enumerate(minutes(2, 6)):
        (told.unlit if index % 2 == 0 else told.lit)(at)
    assert told.view().faults == ("cycling_failure",), "it was seen steady after the motion"


def test_three_weak_switch_ons_are_dim_and_three_full_ones_end_it() -> None:
    told = night(expected={"mode": "commanded"})

    def switch_on(minute: int, lux: float) -> None:
        told.lux(f"22:{minute:02}", 1.0).lux(f"22:{minute:02}:30", lux)

    for index in range(10):
        told.lux(f"{12 + index // 3}:{index % 3 * 20:02}", 1.0).lux(f"{12 + index // 3}:{index % 3 * 20 + 9:02}", 101.0)
    for minute in (0, 12, 24):
        switch_on(minute, 60.0)
    assert told.state() == ("faulty", "dim")
    assert told.signal("dim", "raise").raised == clock("22:00:30")
    for minute in (36, 47, 58):
        switch_on(minute, 90.0)
    assert told.view().fault is None


def test_reported_faults_stand_until_withdrawn_and_come_after_judged_ones() -> None:
    own = Device(id="lamp", driver="native", kind="lamp")
    told = night(devices=(own,)).say(seen.LampFault, "lamp", "21:00", fault="relay_failure").unlit("22:00", "22:10")
    assert told.view().faults == ("lamp_failure", "relay_failure")
    told.say(seen.LampFault, "lamp", "22:20", fault="relay_failure", active=False)
    assert told.view().faults == ("lamp_failure",)
    assert ("relay_failure", "resolve", "22:20") in told.told()


def test_a_report_without_end_expires_after_its_last_repeat() -> None:
    own = Device(id="lamp", driver="native", kind="lamp")
    told = night(devices=(own,))
    for at in ("22:00", "22:00:40"):
        told.say(seen.LampFault, "lamp", at, fault="thermal_shutdown", expires_s=60)
    assert told.wait("22:01:39").state() == ("faulty", "thermal_shutdown")
    assert told.wait("22:01:40").view().fault is None
    assert told.signal("thermal_shutdown", "resolve").why == "timeout"


def test_a_report_that_fell_due_while_the_gateway_was_down_is_waited_for_once_more() -> None:
    own = Device(id="lamp", driver="native", kind="lamp")
    told = night(devices=(own,)).say(seen.LampFault, "lamp", "22:00", fault="thermal_shutdown", expires_s=60)
    told.restart("22:00:30", "22:10")
    assert told.wait("22:10:59").view().fault == "thermal_shutdown"
    assert told.wait("22:11").view().fault is None


def test_what_a_device_reported_ends_when_it_is_no_longer_in_the_site() -> None:
    hub = Device(id="hub", driver="native", kind="hub")
    told = night(devices=(hub,)).say(seen.LampFault, "hub", "21:00", fault="relay_failure", lamp="lamp").lit("21:05")
    assert told.state() == ("faulty", "relay_failure")
    told.site = site_of(lamp())
    told.again()
    assert told.state() == ("ok", None), "nobody could ever say that it ended"
    assert told.signal("relay_failure", "resolve").why == "removed"


def test_what_was_told_of_a_lamp_ends_when_it_is_no_longer_in_the_site() -> None:
    told = Night(site_of(lamp("a"), lamp("b"))).lit("21:00", name="a").lit("21:00", name="b")
    told.unlit("22:00", "22:10", name="a").lit("22:10", name="b")
    assert told.told("a") == [("lamp_failure", "raise", "22:10")]
    told.site = site_of(lamp("b"))
    told.again()
    assert told.told("a")[1:] == [("lamp_failure", "resolve", "22:10")]
    assert told.signal("lamp_failure", "resolve").why == "removed"
    assert told.lit("22:15", name="b").told("b") == []


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_told_of_a_circuit_ends_when_it_is_no_longer_in_the_site(kept: bool) -> None:
    names = ("a", "b", "d")
    told = Night(site_of(*(lamp(name, circuit="c") for name in names)))
    for at, lux in (("21:00", 80.0), ("21:10", 80.0), ("22:00", 0.5), ("22:10", 0.5)):
        for name in names:
            told.lux(at, lux, name=name)
    assert told.told("c") == [("circuit_fault", "raise", "22:10")]
    told.site = site_of(*(lamp(name) for name in names if kept or name == "a"))
    told.again()
    assert told.told("c")[1:] == [("circuit_fault", "resolve", "22:10")]
    assert told.signal("circuit_fault", "resolve").why == "removed"
    told.unlit("22:20", "22:30", name="a")
    assert ("lamp_failure", "raise") in [(rule, action) for rule, action, _ in told.told("a")]


@pytest.mark.parametrize(("left", "why"), [((), "removed"), (("a",), "recovered")])
def test_a_circuits_fault_ends_when_a_new_site_file_leaves_none_of_its_dark_lamps_in_it(left, why) -> None:
    names = ("a", "b", "d", "e")
    told = Night(site_of(*(lamp(name, circuit="c") for name in names)))
    for at, lux in (("21:00", 80.0), ("21:10", 80.0), ("22:00", 0.5), ("22:10", 0.5)):
        for name in names:
            told.lux(at, lux, name=name)
    assert [action for _, action, _ in told.told("c")] == ["raise", "update"]
    told.lit("22:20", name="a")
    circuits = {"c": Circuit(id="c"), "other": Circuit(id="other")}
    lamps = [lamp(name, circuit="c" if name in left else "other") for name in names]
    told.site = site_of(*lamps, circuits=circuits)
    told.again()
    assert told.told("c")[2:] == [("circuit_fault", "resolve", "22:20")]
    assert told.signal("circuit_fault", "resolve").why == why
    assert told.circuit() == ("unknown", None)


def test_what_was_told_of_a_sensor_ends_when_no_lamp_is_seen_by_it_any_more() -> None:
    told = night(fed_by=("meter", None), devices=(METER,))
    for hour in range(12, 24):
        told.lux(f"{hour}:00", 7.0).watts(f"{hour}:05", 0.0 if hour < 17 else 20.0)
    for hour in range(13):
        told.lux(f"{'+1 ' if hour == 12 else ''}{hour:02}:00", 7.0)
    told.site = site_of(lamp(seen_by=(), fed_by=("meter", None)), devices=(METER,))
    told.again()
    assert told.told("lux-lamp") == [("sensor_stuck", "raise", "12:00"), ("sensor_stuck", "resolve", "12:00")]
    assert told.signal("sensor_stuck", "resolve").why == "removed"


def test_what_was_told_of_unknown_lamps_ends_when_they_are_no_longer_in_the_site() -> None:
    told = Night(site_of(lamp("a"), lamp("b"))).wait("+1 12:00")
    told.site = site_of(lamp("e", place="yard"))
    told.again()
    assert told.told("corridor")[1:] == [("lamps_unknown", "resolve", "12:00")]
    assert told.signal("lamps_unknown", "resolve").why == "removed"


def test_an_operator_clears_a_report() -> None:
    own = Device(id="lamp", driver="native", kind="lamp")
    told = night(devices=(own,)).say(seen.LampFault, "lamp", "22:00", fault="emergency_battery")
    operation = {"by": "op", "action": "clear", "device": "lamp", "impairment": "emergency_battery"}
    told.rules.operate(DeviceOperation(at=clock("22:05"), **operation))
    assert told.view().fault is None


def test_an_operator_clears_what_a_hub_reported_of_its_lamps() -> None:
    hub = Device(id="hub", driver="native", kind="hub")
    told = night(devices=(hub,)).say(seen.LampFault, "hub", "22:00", fault="relay_failure", lamp="lamp")
    operation = {"by": "op", "action": "clear", "device": "hub", "impairment": "relay_failure"}
    told.rules.operate(DeviceOperation(at=clock("22:05"), **operation))
    assert told.told() == [("relay_failure", "raise", "22:00"), ("relay_failure", "resolve", "22:05")]


def test_while_the_best_source_fails_the_state_holds_until_another_spoke() -> None:
    told = night(fed_by=("meter", None)).watts("22:00", 18.0).lux("22:20", 80.0).wait("22:31")
    assert told.state() == ("ok", None)
    assert told.lit("22:32").view().lit is True


def test_a_sensor_that_never_changes_while_its_lamp_does_is_stuck() -> None:
    told = night(fed_by=("meter", None), devices=(METER,))
    for hour in range(12, 24):
        told.lux(f"{hour}:00", 7.0).watts(f"{hour}:05", 0.0 if hour < 17 else 20.0)
    for hour in range(13):
        told.lux(f"{'+1 ' if hour == 12 else ''}{hour:02}:00", 7.0)
    assert told.told("lux-lamp") == [("sensor_stuck", "raise", "12:00")]
    assert told.signal("sensor_stuck", "raise").raised == clock("12:00")
    assert told.wait("+1 12:10").state()[1] in ("sensor_stuck", "stale")
    told.lux("+1 12:20", 8.0)
    assert told.told("lux-lamp")[-1] == ("sensor_stuck", "resolve", "12:20")


def test_a_steady_value_alone_is_no_stuck_sensor() -> None:
    told = night(fed_by=("meter", None), devices=(METER,))
    for hour in [*range(12, 24), *range(12)]:
        told.lux(f"{hour:02}:00", 7.0)
    assert told.told("lux-lamp") == []


# -- unknown for a day


def test_a_day_of_unknown_lamps_is_one_warning() -> None:
    told = Night(site_of(lamp("a"), lamp("b")))
    assert told.wait("11:59").told() == []
    assert told.wait("+1 12:00").told("corridor") == [("lamps_unknown", "raise", "12:00")]
    assert told.lit("+1 20:00", name="a").told("corridor")[-1] == ("lamps_unknown", "resolve", "20:00")


@pytest.mark.parametrize("restarts", [False, True])
def test_views_are_marked_when_they_change_and_not_otherwise(restarts: bool) -> None:
    told = night(restarts=restarts).lit("22:00")
    told.found.touched.clear()
    told.lit("22:10")
    assert told.found.touched == {}
    told.unlit("22:20")
    assert ("lamp", "lamp") in told.found.touched


def test_two_sensors_that_see_the_same_three_changes_see_three() -> None:
    told = night(seen_by=("lux-lamp", "lux-other"))
    for minute, lux in enumerate((80.0, 0.5, 80.0, 0.5)):
        for name in ("lamp", "other"):
            told.lux(f"22:{minute:02}", lux, name)
    assert told.view().faults == ()
    for minute, lux in enumerate((80.0, 0.5, 80.0), start=4):
        told.lux(f"22:{minute:02}", lux)
    assert told.view().faults == ("cycling_failure",), "six of one sensor are six"


def test_late_changes_from_before_a_command_are_not_added_to_those_after_it() -> None:
    told = night(devices=(Device(id="lamp", driver="native", kind="lamp", place="corridor"),))
    told.lit("22:00").word("22:05", commanded=True)
    told.unlit("22:06").lit("22:07").unlit("22:08")
    for at, lux in (("22:01", 80.0), ("22:02", 0.5), ("22:03", 80.0)):
        told.lux(at, lux, received="22:09")
    assert told.view().faults == ()


BUSY = [f"22:30:{second:02}" for second in range(0, 60, 5)]
"""Motions, more than are remembered."""


def test_light_from_before_the_motions_remembered_accuses_nobody() -> None:
    told = night(expected=MOTION, devices=(PIR,)).motion("21:00", "22:00", "22:10", "22:20", *BUSY)
    for at in ("22:01", "22:11", "22:21"):
        told.lux(at, 80.0, received="22:31")
    assert told.told() == []


def test_light_from_before_the_motion_sensors_first_word_accuses_nobody() -> None:
    told = night(expected=MOTION, devices=(PIR,)).motion("22:30")
    for at in ("22:00", "22:10", "22:20"):
        told.lux(at, 80.0, received="22:31")
    assert told.told() == []


def test_light_from_while_the_motion_sensor_was_down_accuses_nobody_afterwards() -> None:
    told = night(expected=MOTION, devices=(PIR,)).motion("22:00").fail("pir", "switch-b1", "22:05")
    told.mend("pir", "22:31").motion("22:35")
    for at in ("22:10", "22:20", "22:30"):
        told.lux(at, 80.0, received="22:36")
    assert told.told() == []


def test_light_from_while_the_gateway_was_down_accuses_nobody() -> None:
    told = night(expected=MOTION, devices=(PIR,)).motion("21:00").wait("22:00").restart("22:00", "22:30")
    for at in ("22:05", "22:15", "22:25"):
        told.lux(at, 80.0, received="22:31")
    assert told.told() == [], "whoever came meanwhile may not have been heard yet"
    assert told.lit("22:35", "22:45").state() == ("faulty", "day_burner")


CONTROLLER = Device(id="ctl", driver="native", kind="controller", place="corridor")


def test_a_controller_that_only_repeats_its_command_keeps_no_lamp_well_whose_sensor_is_dead() -> None:
    told = night(expected={"mode": "commanded"}, devices=(CONTROLLER,)).word(
        "22:00", "ctl", lamp="lamp", commanded=True
    )
    told.lit("22:01")
    for minute in (10, 20, 30, 40):
        told.word(f"22:{minute}", "ctl", lamp="lamp", commanded=True)
    assert told.state() == ("unknown", "stale")
    assert told.lit("22:41").state() == ("ok", None)


def test_a_hub_that_only_reports_faults_keeps_no_lamp_well_whose_sensor_is_dead() -> None:
    told = night(devices=(CONTROLLER,)).lit("22:00")
    for at in ("22:20", "22:40"):
        told.say(seen.LampFault, "ctl", at, lamp="lamp", fault="relay_failure", active=False)
    assert told.state() == ("unknown", "stale")


def test_a_lamp_of_which_only_faults_are_reported_is_unknown_for_want_of_proof() -> None:
    told = night(seen_by=(), devices=(CONTROLLER,))
    told.say(seen.LampFault, "ctl", "22:00", lamp="lamp", fault="relay_failure", active=False)
    assert told.state() == ("unknown", "no_proof")


def test_taking_a_lamp_into_service_that_is_in_service_forgets_no_fault() -> None:
    told = (
        night(devices=(SWITCHED,)).say(seen.LampFault, "lamp", "21:00", fault="relay_failure").unlit("22:00", "22:10")
    )
    told.rules.operate(DeviceOperation(at=clock("22:20"), by="chen", action="enable", device="lamp"))
    assert told.view().faults == ("lamp_failure", "relay_failure")
    assert [action for _, action, _ in told.told()] == ["raise", "raise"]


def test_back_in_service_a_lamp_is_judged_by_new_samples() -> None:
    own = Device(id="lamp", driver="native", kind="lamp", place="corridor")
    told = night(expected={"mode": "always"}, devices=(own,)).lit("12:00")
    told.rules.operate(DeviceOperation(at=clock("12:05"), by="op", action="disable", device="lamp"))
    told.unlit("12:10", "12:20", "12:30", "12:40", "12:50")
    told.rules.operate(DeviceOperation(at=clock("12:55"), by="op", action="enable", device="lamp"))
    assert told.state() == ("unknown", "no_proof"), "how it was before says nothing of how it is"
    assert told.unlit("13:00").told() == [], "and one sample of now is no run with those of before"
    assert told.lit("13:05").state() == ("ok", None)
