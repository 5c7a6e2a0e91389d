"""rounds.md, What is known to be complete, and the verdicts of a visit that rest on it."""

from __future__ import annotations

from datetime import UTC, date, time

import pytest
from msgspec.structs import replace

from device_drivers import observations as seen
from gateway.instants import DAY, HOUR, MINUTE, moment
from gateway.site.model import Shift
from gateway.site.model import Visit as Stop
from tests.rules.walk import GARAGE, GATE, ROOF, YARD, Walk, clock, daily, estate, hhmm

WALL = {"visits": (Stop(checkpoint=ROOF),)}


def numbered(walk: Walk, *beats: tuple[str, int], boot: str = "b") -> None:
    for at, last in beats:
        walk.beat(at, device_now=at, last_seq=last, boot=boot)


# -- readers with sequence numbers ------------------------------------------------------------------------------------


def test_between_two_reports_with_every_number_here_silence_is_missed() -> None:
    walk = Walk()
    numbered(walk, ("21:50", 0), ("22:44", 0))
    walk.until("22:46")
    assert (walk.verdict(), walk.visit().cause) == ("pending", "awaiting_reader")
    numbered(walk, ("22:46", 0))
    assert (walk.verdict(), walk.visit().revision, hhmm(walk.visit().watermark)) == ("missed", 1, "22:46:00")


def test_a_missing_number_makes_it_unverifiable_and_its_arrival_judges_again() -> None:
    walk = Walk()
    numbered(walk, ("21:50", 0), ("22:50", 1))
    walk.until("23:15")
    assert (walk.verdict(), walk.visit().cause) == ("pending", "awaiting_reader")
    walk.until("23:16")
    assert (walk.verdict(), walk.visit().cause, walk.visit().revision) == ("unverifiable", "reader_gap", 1)
    walk.tap("wang", "22:06", "+1 01:00", boot="b", seq=1)
    assert (walk.verdict(), walk.visit().revision, walk.visit().marks) == ("on_time", 2, ("late_upload",))


def test_the_missing_number_may_turn_out_to_be_a_tap_outside() -> None:
    walk = Walk()
    numbered(walk, ("21:50", 0), ("22:50", 1))
    walk.until("23:16")
    walk.tap("wang", "22:48", "+1 01:00", boot="b", seq=1)
    assert (walk.verdict(), walk.visit().revision) == ("missed", 2)


def test_between_boots_nothing_is_complete() -> None:
    walk = Walk()
    numbered(walk, ("21:50", 0), ("22:10", 0))
    numbered(walk, ("22:12", 0), ("22:50", 0), boot="c")
    walk.until("23:16")
    assert (walk.verdict(), walk.visit().cause) == ("unverifiable", "reader_gap")


def test_a_restart_that_was_over_when_the_visit_opened_is_not_its_cause() -> None:
    walk = Walk()
    numbered(walk, ("21:50", 0))
    numbered(walk, ("21:55", 0), boot="c")
    walk.until("23:16")
    assert (walk.verdict(), walk.visit().cause) == ("unverifiable", "reader_offline")


def test_before_the_first_report_nothing_is_complete() -> None:
    walk = Walk()
    numbered(walk, ("21:56", 0), ("22:50", 0))
    walk.until("23:16")
    assert (walk.verdict(), walk.visit().cause, walk.visit().watermark) == ("unverifiable", "reader_offline", None)


def test_any_numbered_record_is_a_report() -> None:
    walk = Walk(rounds=(daily("night", "22:00"),))
    walk.tap("liu", "21:50", boot="b", seq=7)
    walk.tap("liu", "22:50", boot="b", seq=8)
    walk.until("22:51")
    assert walk.verdict() == "missed"


def test_the_interval_includes_both_ends() -> None:
    walk = Walk()
    numbered(walk, ("21:55", 0), ("22:45", 0))
    walk.until("22:45")
    assert walk.verdict() == "pending"
    walk.until("22:46")
    assert walk.verdict() == "missed"


def test_reports_more_than_sixty_seconds_ahead_complete_nothing() -> None:
    walk = Walk()
    numbered(walk, ("21:50", 0))
    walk.tap("liu", "22:50", "22:10", boot="b", seq=1)
    walk.until("23:16")
    assert walk.verdict() == "unverifiable"


def test_only_impossible_times_are_the_readers_clock() -> None:
    walk = Walk()
    walk.tap("liu", "-30 22:50", "22:10", boot="b", seq=1)
    walk.until("23:16")
    assert (walk.verdict(), walk.visit().cause) == ("unverifiable", "reader_clock")


# -- hand-overs -------------------------------------------------------------------------------------------------------


def test_a_wands_first_sync_end_completes_everything_before() -> None:
    walk = Walk(route=WALL)
    walk.until("23:00")
    assert (walk.verdict(), walk.visit().cause) == ("pending", "awaiting_reader")
    walk.sync("+1 06:00")
    assert (walk.verdict(), hhmm(walk.visit().watermark)) == ("missed", "06:00:00")


def test_a_wand_not_handed_in_is_awaited_for_a_day_and_then_unverifiable() -> None:
    walk = Walk(route=WALL)
    walk.until("+1 22:45")
    assert (walk.verdict(), walk.visit().cause) == ("pending", "awaiting_reader")
    walk.until("+1 22:46")
    assert (walk.verdict(), walk.visit().cause) == ("unverifiable", "no_reader")


def test_a_sync_end_up_to_before_the_close_settles_nothing() -> None:
    walk = Walk(route=WALL)
    walk.sync("22:44:59", "23:00")
    walk.until("23:00")
    assert (walk.verdict(), hhmm(walk.visit().watermark)) == ("pending", "22:44:59")


def test_a_sync_end_ahead_of_its_receipt_completes_nothing() -> None:
    walk = Walk(route=WALL)
    walk.sync("23:30", "22:50")
    walk.until("23:40")
    assert walk.verdict() == "pending"


def test_a_sync_end_reaches_back_to_one_ahead_of_its_receipt_and_no_further() -> None:
    walk = Walk(route=WALL)
    walk.sync("08:00", "06:00")  # its clock is two hours fast, so is all that it read
    walk.sync("06:20")  # somebody set it right
    walk.until("06:30")
    assert (walk.verdict(), walk.visit().watermark) == ("pending", None)
    walk.sync("+1 06:00")
    assert (walk.verdict(), walk.visit().watermark) == ("unverifiable", None)


def test_what_was_handed_over_before_one_ahead_of_its_receipt_stays_complete() -> None:
    walk = Walk(route=WALL)
    walk.sync("23:00")
    walk.sync("08:00", "06:00")
    walk.sync("06:20")
    assert (walk.verdict(), hhmm(walk.visit().watermark)) == ("missed", "23:00:00")


def test_a_sync_end_dated_more_than_seven_days_before_completes_nothing() -> None:
    walk = Walk(route=WALL)
    walk.sync("+1 06:00", "+8 06:00:01", at="+1 06:00")
    walk.until("+8 06:01")
    assert walk.verdict() == "unverifiable"


def test_a_sync_end_does_not_reach_across_a_missing_number() -> None:
    walk = Walk(route=WALL)
    walk.read("04FFFFFF", "21:50", boot="b", seq=1)
    walk.read("04FFFFFF", "23:00", boot="b", seq=3)
    walk.sync("23:10")
    assert walk.verdict() == "pending"
    walk.read("04FFFFFF", "22:10", "23:20", boot="b", seq=2)
    assert walk.verdict() == "missed"


def test_no_reader_is_no_longer_the_cause_once_one_is_heard() -> None:
    walk = Walk()
    walk.until("23:16")
    assert (walk.verdict(), walk.visit().cause) == ("unverifiable", "no_reader")
    walk.beat("23:40")
    walk.until("23:41")
    assert (walk.verdict(), walk.visit().cause, walk.visit().revision) == ("unverifiable", "reader_offline", 1)


# -- signs of life ----------------------------------------------------------------------------------------------------


def test_a_reader_that_lives_and_says_nothing_saw_nobody() -> None:
    walk = Walk()
    walk.alive("21:50", "22:44", every=3 * MINUTE)
    walk.alive("22:44", "22:47", every=3 * MINUTE)
    assert walk.verdict() == "missed"


def test_signs_more_than_three_times_expect_every_apart_prove_nothing_between() -> None:
    walk = Walk()
    walk.alive("21:50", "22:10")
    walk.alive("22:13:01", "22:50")
    walk.until("23:16")
    assert (walk.verdict(), walk.visit().cause) == ("unverifiable", "reader_offline")


@pytest.mark.parametrize("kind", [seen.LinkStatus, seen.DeviceStatus])
def test_a_fallen_link_or_last_will_between_proves_nothing(kind: type) -> None:
    walk = Walk()
    walk.alive("21:50", "22:10")
    walk.say(kind, "rdr-gate", "22:10:30", **({"up": False} if kind is seen.LinkStatus else {"online": False}))
    walk.alive("22:11", "22:50")
    walk.until("23:16")
    assert walk.verdict() == "unverifiable"


def test_a_last_will_dated_when_the_reader_connected_breaks_its_record_when_it_comes() -> None:
    walk = Walk()
    walk.alive("21:00", "22:20")
    walk.say(seen.DeviceStatus, "rdr-gate", "21:00", "22:20:30", online=False)
    walk.alive("22:21", "22:50")
    walk.until("22:50")
    assert (walk.verdict(), walk.visit().cause, hhmm(walk.visit().watermark)) == (
        "pending",
        "awaiting_reader",
        "22:20:00",
    )


def test_a_gateway_down_meanwhile_proves_nothing() -> None:
    walk = Walk()
    walk.alive("21:50", "22:10")
    walk.down("22:10", "22:10:30")
    walk.alive("22:11", "22:50")
    walk.until("23:16")
    assert (walk.verdict(), walk.visit().cause) == ("unverifiable", "gateway_down")


def test_a_gateway_down_meanwhile_loses_nothing_behind_an_external_broker() -> None:
    walk = Walk(devices={"rdr-gate": {"external_broker": True}})
    walk.alive("21:50", "22:10")
    walk.down("22:10", "22:10:30")
    walk.alive("22:11", "22:50")
    assert walk.verdict() == "missed"


TRANSMITS = {"own_clock": False, "transmits_only": True}


def test_an_open_port_is_the_sign_of_life_of_a_reader_that_only_transmits() -> None:
    walk = Walk(devices={"rdr-gate": TRANSMITS})
    for minute in range(60):
        walk.say(seen.LinkStatus, "rdr-gate", f"21:{minute}" if minute < 60 else "22:00", up=True)
    for minute in range(46):
        walk.say(seen.LinkStatus, "rdr-gate", f"22:{minute:02}", up=True)
    walk.until("22:46")
    assert walk.verdict() == "missed"


def test_assumed_alive_may_be_switched_off() -> None:
    walk = Walk(devices={"rdr-gate": TRANSMITS | {"assume_alive": False}})
    for minute in range(46):
        walk.say(seen.LinkStatus, "rdr-gate", f"22:{minute:02}", up=True)
    walk.until("23:16")
    assert walk.verdict() == "unverifiable"


def test_a_link_is_no_sign_of_life_of_a_reader_that_speaks_itself() -> None:
    walk = Walk()
    for minute in range(46):
        walk.say(seen.LinkStatus, "rdr-gate", f"22:{minute:02}", up=True)
    walk.until("23:16")
    assert (walk.verdict(), walk.visit().cause) == ("unverifiable", "no_reader")


# -- witnesses --------------------------------------------------------------------------------------------------------


def test_every_wand_of_the_route_is_a_witness() -> None:
    walk = Walk(route=WALL | {"readers": ("wand-1", "wand-2")})
    walk.sync("23:00")
    assert walk.verdict() == "pending"
    walk.sync("23:01", device="wand-2")
    assert walk.verdict() == "missed"


def test_another_wand_that_served_the_route_lately_is_a_witness() -> None:
    walk = Walk(route=WALL, rounds=(daily("night", "21:00", "22:00", lasts=30 * MINUTE),), started="20:00")
    walk.read(ROOF, "21:05", device="wand-2")
    walk.sync("23:00")
    assert walk.verdict() == "pending"
    walk.sync("23:01", device="wand-2")
    assert walk.verdict() == "missed"


def test_a_phone_heard_lately_of_a_guard_of_the_route_is_a_witness() -> None:
    walk = Walk(route=WALL | {"guards": ("wang",)}, started="20:00")
    walk.read("04FFFFFF", "21:00", device="phone-1", person="wang")
    walk.sync("23:00")
    assert walk.verdict() == "pending"
    walk.sync("23:01", device="phone-1")
    assert walk.verdict() == "missed"


def test_a_phone_of_somebody_else_is_none() -> None:
    walk = Walk(route=WALL | {"guards": ("wang",)}, started="20:00")
    walk.read("04FFFFFF", "21:00", device="phone-1", person="li")
    walk.sync("23:00")
    assert walk.verdict() == "missed"


def on_duty(*people: str, started: str = "-2 20:00") -> Walk:
    """Every night these people have the shift from 20:00 to 08:00."""
    shift = Shift(id="night", since=time(20), until=time(8), rotation=(people,), first=date(2026, 1, 1))
    return Walk(replace(estate(route=WALL), shifts={"night": shift}), started=started)


def test_the_silent_phone_of_a_guard_who_is_off_duty_holds_nothing_back() -> None:
    walk = on_duty("wang")
    walk.read("04FFFFFF", "-1 09:00", device="phone-1", person="li")
    walk.sync("23:00")
    assert walk.verdict() == "missed"


def test_the_silent_phone_of_the_guard_on_duty_is_awaited_for_days() -> None:
    walk = on_duty("wang")
    walk.read("04FFFFFF", "-1 09:00", device="phone-1", person="wang")
    walk.sync("23:00")
    assert walk.verdict() == "pending"
    walk.sync("23:01", device="phone-1")
    assert walk.verdict() == "missed"


def test_a_phone_heard_this_evening_is_awaited_though_the_calendar_does_not_name_its_guard() -> None:
    walk = on_duty("wang", started="20:00")
    walk.read("04FFFFFF", "21:30", device="phone-1", person="li")  # stands in tonight
    walk.sync("23:00")
    assert walk.verdict() == "pending"
    walk.read(ROOF, "22:05", "23:30", device="phone-1", person="li")
    assert walk.verdict() == "on_time"


def test_a_calendar_that_names_nobody_leaves_it_at_the_guards() -> None:
    walk = on_duty()
    walk.read("04FFFFFF", "-1 09:00", device="phone-1", person="li")
    walk.sync("23:00")
    assert walk.verdict() == "pending"


def test_with_no_witness_nothing_is_settled() -> None:
    walk = Walk(route=WALL | {"readers": ()})
    walk.until("+1 23:00")
    assert (walk.verdict(), walk.visit().cause, walk.visit().watermark) == ("unverifiable", "no_reader", None)


# -- verdicts ---------------------------------------------------------------------------------------------------------


def test_an_optional_visit_is_skipped() -> None:
    stops = (Stop(checkpoint=GARAGE), Stop(checkpoint=GATE, optional=True))
    walk = Walk(route={"visits": stops})
    walk.alive("21:50", "23:00")
    walk.tap("wang", "22:06", "23:00:30", device="rdr-garage")
    walk.until("23:01")
    assert ([visit.verdict for visit in walk.round().visits], walk.round().verdict) == (
        ["on_time", "skipped"],
        "completed",
    )


def test_a_stray_tap_by_a_clock_never_measured_forbids_to_accuse() -> None:
    walk = Walk()
    walk.tap("liu", "21:30", boot="b", seq=1)
    walk.tap("wang", "22:50", boot="b", seq=2)
    walk.until("22:51")
    assert (walk.verdict(), walk.visit().cause) == ("unverifiable", "reader_clock")


@pytest.mark.parametrize(("who", "at"), [("liu", "22:50"), ("wang", "23:45:01")])
def test_a_stray_tap_of_another_or_far_away_does_not(who: str, at: str) -> None:
    walk = Walk()
    walk.tap("liu", "21:30", boot="b", seq=1)
    walk.tap(who, at, boot="b", seq=2)
    walk.until("23:46")
    assert walk.verdict() == "missed"


def test_a_stray_tap_by_the_gateways_own_clock_does_not() -> None:
    walk = Walk(devices={"rdr-gate": {"own_clock": False}})
    walk.tap("liu", "21:30", boot="b", seq=1)
    walk.tap("wang", "22:50", boot="b", seq=2)
    walk.until("22:51")
    assert walk.verdict() == "missed"


def test_later_evidence_takes_a_missed_verdict_back() -> None:
    walk = Walk(route=WALL)
    walk.sync("23:00")
    assert walk.verdict() == "missed"
    walk.read("04FFFFFF", "21:50", "01:00", boot="b", seq=1)
    walk.beat("23:00", "01:00:30", device="wand-1", device_now="01:00:30", last_seq=3, boot="b")
    walk.until("02:00")
    assert (walk.verdict(), walk.visit().revision) == ("pending", 2)


def test_the_first_verdict_after_pending_is_revision_one_and_each_change_one_more() -> None:
    walk = Walk()
    walk.alive("21:50", "22:46")
    walk.until("22:46")
    walk.tap("wang", "22:06", "22:47")
    found = [(each.revision, each.before, each.verdict, each.reason) for each in walk.revisions()]
    assert found == [(1, "pending", "missed", "settled"), (2, "missed", "on_time", "served")]
    assert walk.revisions()[1].evidence == (f"rdr-gate/tag_read/{clock('22:06')}",)


def test_a_verdict_already_there_when_first_judged_is_revision_one() -> None:
    walk = Walk(started="+1 23:00")
    walk.rules.plan_from(clock("21:00"))
    walk.until("+1 23:00")
    assert (walk.verdict(), walk.visit().revision) == ("unverifiable", 1)


def test_a_round_goes_from_scheduled_to_in_progress_at_its_start_or_first_tap() -> None:
    walk = Walk()
    walk.until("21:59:59")
    assert walk.round().verdict == "scheduled"
    walk.until("22:00")
    assert walk.round().verdict == "in_progress"
    walk = Walk(route={"visits": (Stop(checkpoint=GATE), Stop(checkpoint=GARAGE))})
    walk.tap("wang", "21:56")
    assert walk.round().verdict == "in_progress"


def test_some_missed_and_some_unverifiable_is_incomplete() -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=GATE), Stop(checkpoint=GARAGE))})
    walk.alive("21:50", "23:30")
    walk.until("23:30")
    assert [visit.verdict for visit in walk.round().visits] == ["missed", "unverifiable"]
    assert walk.round().verdict == "incomplete"


def test_the_plan_of_a_round_is_frozen_when_its_first_visit_opens() -> None:
    from tests.rules.walk import estate

    longer = estate(route={"band": 20 * MINUTE}, rounds=(daily("night", "22:00", "23:30"),))
    walk = Walk()
    walk.until("21:56")
    walk.reborn(longer)
    assert hhmm(walk.visit().closes) == "22:45:00"
    assert hhmm(walk.visit(start="23:30").closes) == "00:30:00"


def test_a_round_not_yet_open_follows_the_new_site_file() -> None:
    from tests.rules.walk import estate

    walk = Walk()
    walk.until("21:54")
    walk.reborn(estate(route={"band": 4 * MINUTE}))
    assert hhmm(walk.visit().closes) == "22:44:00"


def test_memory_of_old_nights_is_given_up_but_a_replay_keeps_them() -> None:
    walk = Walk()
    walk.rules.plan_from(clock("20:00"))
    walk.tap("wang", "22:06")
    walk.until("+20 12:00")
    kept = walk.rules.rounds(clock("20:00"), clock("+1 12:00"))
    assert [each.verdict for each in kept] == ["completed"]
    live = Walk()
    live.tap("wang", "22:06")
    live.until("+20 12:00")
    assert live.rules.rounds(clock("20:00"), clock("20:00") + DAY - HOUR) == []


def test_a_phone_that_hands_over_an_earlier_read_was_there_and_is_awaited() -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=ROOF),)})
    walk.sync("22:50")
    walk.until("22:51")
    assert walk.verdict() == "missed"
    walk.read(YARD, "22:30", "23:30", device="phone-1", person="wang")
    walk.until("23:31")
    assert walk.verdict() == "pending"


def test_runs_of_numbers_are_let_go_with_the_reports_they_belong_to() -> None:
    """A reader of which every other record is lost makes one run a record."""
    walk = Walk()
    n, at, sizes = 0, clock("21:00"), []
    for _ in range(40):
        for _ in range(180):
            n, at = n + 2, at + 8 * MINUTE
            now = moment(at, UTC)
            walk.feed(seen.ReaderHeartbeat(device="rdr-gate", at=now, boot="a", seq=n, device_now=now), at, at)
        walk.rules.flush(at)
        sizes.append(len(walk.rules.snapshot()["records"]["rdr-gate"]["trails"][0][1]))
    assert sizes[-1] <= 13 * 180
    assert sizes[-1] < sizes[14] * 1.1
