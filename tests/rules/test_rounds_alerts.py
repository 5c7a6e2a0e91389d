"""rounds.md, Alerts: what is told of rounds, gaps and readers, and taken back."""

from __future__ import annotations

from msgspec.structs import replace

from device_drivers import observations as seen
from gateway.instants import HOUR, MINUTE
from gateway.site.model import Visit as Stop
from tests.rules.walk import GARAGE, GATE, ROOF, Walk, clock, daily, window

TWO = {"visits": (Stop(checkpoint=GATE, after=0), Stop(checkpoint=GARAGE))}
WALL = {"visits": (Stop(checkpoint=ROOF),)}


def test_a_round_is_not_started_when_its_first_due_and_tolerance_passed_and_the_record_is_complete() -> None:
    walk = Walk()
    walk.alive("21:50", "22:04")
    walk.until("22:05")
    assert walk.signals() == []
    walk.alive("22:05", "22:06")
    walk.until("22:06")
    assert walk.signals() == [("round_not_started", "raise")]
    assert (walk.last("round_not_started").raised, walk.last("round_not_started").subject) == (
        clock("22:05"),
        "night@2026-11-22T22:00+08:00",
    )


def test_a_round_whose_reader_is_silent_is_not_called_unstarted() -> None:
    walk = Walk()
    walk.alive("21:50", "22:01")
    walk.until("22:40")
    assert ("round_not_started", "raise") not in walk.signals()


def test_it_is_called_unstarted_when_no_witness_was_ever_heard() -> None:
    walk = Walk()
    walk.until("22:06")
    assert walk.signals() == [("round_not_started", "raise")]


def test_it_says_whether_the_witnesses_work_or_were_never_heard() -> None:
    unheard = Walk()
    unheard.until("22:06")
    assert set(unheard.last("round_not_started").details) == {"route", "start", "due", "unheard"}
    heard = Walk()
    heard.alive("21:50", "22:06")
    heard.until("22:06")
    assert set(heard.last("round_not_started").details) == {"route", "start", "due", "heard"}
    assert heard.last("round_not_started").details["heard"] == unheard.last("round_not_started").details["unheard"]


def test_the_first_tap_resolves_it() -> None:
    walk = Walk()
    walk.alive("21:50", "22:10")
    walk.tap("wang", "22:11")
    assert walk.signals("round_not_started") == [("round_not_started", "raise"), ("round_not_started", "resolve")]


def test_the_first_tap_is_told_with_its_own_time_however_late_it_is_handed_in() -> None:
    walk = Walk()
    walk.alive("21:50", "22:10")
    walk.tap("wang", "22:11", "22:30")
    walk.until("22:31")
    assert walk.last("round_not_started").action == "resolve"
    assert walk.last("round_not_started").details == {"ended": "2026-11-22T22:11:00+08:00"}


def test_a_first_tap_dated_a_moment_ahead_is_told_with_the_time_at_which_it_came() -> None:
    walk = Walk()
    walk.alive("21:50", "22:10")
    walk.tap("wang", "22:11:40", "22:11")
    walk.until("22:12")
    assert walk.last("round_not_started").details == {"ended": "2026-11-22T22:11:00+08:00"}


def test_a_tap_from_before_retracts_it() -> None:
    walk = Walk()
    walk.until("22:10")
    walk.tap("wang", "22:03", "22:11")
    assert walk.signals("round_not_started") == [("round_not_started", "raise"), ("round_not_started", "retract")]


def test_a_missed_round_replaces_it() -> None:
    walk = Walk()
    walk.alive("21:50", "22:46")
    walk.until("22:46")
    assert walk.signals() == [("round_not_started", "raise"), ("round_missed", "raise"), ("round_not_started", "merge")]
    assert walk.last("round_not_started").caused_by == "round_missed:night@2026-11-22T22:00+08:00"
    assert walk.last("round_missed").details["missed"] == [GATE]
    assert walk.last("round_missed").raised == clock("22:45")


def test_evidence_that_disproves_a_missed_round_retracts_it_and_what_it_replaced() -> None:
    walk = Walk()
    walk.alive("21:50", "22:46")
    walk.tap("wang", "22:04", "22:50")
    walk.until("22:51")
    assert walk.signals("round_missed")[-1] == ("round_missed", "retract")
    assert walk.signals("round_not_started")[-1] == ("round_not_started", "retract")


def test_an_incomplete_round_names_each_missed_visit_and_updates() -> None:
    stops = (Stop(checkpoint=GATE), Stop(checkpoint=GARAGE), Stop(checkpoint=ROOF))
    walk = Walk(route={"visits": stops})
    for device in ("rdr-gate", "rdr-garage"):
        walk.beat("21:50", device=device, device_now="21:50", last_seq=0, boot="b")
    walk.read(ROOF, "22:06")
    for device in ("rdr-gate", "rdr-garage"):
        walk.beat("22:50", device=device, device_now="22:50", last_seq=0, boot="b")
    assert walk.signals("round_incomplete") == [("round_incomplete", "raise")]
    assert walk.last("round_incomplete").details["missed"] == [GATE, GARAGE]
    walk.tap("wang", "22:06", "22:55", boot="a", seq=0)
    assert walk.signals("round_incomplete") == [("round_incomplete", "raise"), ("round_incomplete", "update")]
    assert walk.last("round_incomplete").details["missed"] == [GARAGE]


def test_an_unverifiable_round_asks_a_person_to_find_out() -> None:
    walk = Walk()
    walk.alive("21:50", "22:01")
    walk.until("23:16")
    assert walk.signals("round_unverifiable") == [("round_unverifiable", "raise")]
    assert walk.last("round_unverifiable").details["unverifiable"] == [GATE]
    walk.tap("wang", "22:06", "23:20")
    assert walk.signals("round_unverifiable")[-1] == ("round_unverifiable", "retract")


def test_an_unverifiable_round_that_stays_so_for_another_cause_is_told_with_that_one() -> None:
    walk = Walk()
    walk.until("23:16")
    assert walk.last("round_unverifiable").details["cause"] == ["no_reader"]
    walk.beat("23:20")
    walk.until("23:21")
    assert walk.visit().cause == "reader_offline"
    assert walk.signals("round_unverifiable") == [("round_unverifiable", "raise"), ("round_unverifiable", "update")]
    assert walk.last("round_unverifiable").details["cause"] == ["reader_offline"]


# -- readers ----------------------------------------------------------------------------------------------------------


def test_a_reader_silent_for_more_than_three_times_expect_every_is_offline_until_heard() -> None:
    walk = Walk(rounds=())
    walk.alive("21:50", "22:00")
    walk.until("22:03")
    assert walk.signals() == []
    walk.until("22:03:01")
    assert (walk.signals(), walk.last("reader_offline").raised) == ([("reader_offline", "raise")], clock("22:00"))
    walk.beat("22:10")
    assert walk.signals() == [("reader_offline", "raise"), ("reader_offline", "resolve")]


def test_a_reader_never_heard_is_not_offline() -> None:
    walk = Walk(rounds=())
    walk.until("23:00")
    assert walk.signals() == []


def test_after_a_restart_a_reader_has_one_time_of_grace() -> None:
    walk = Walk(rounds=())
    walk.alive("21:50", "22:00")
    walk.down("22:01", "22:30")
    walk.until("22:33")
    assert walk.signals() == []
    walk.down("22:32", "22:33")
    walk.until("22:33:01")
    assert walk.signals() == [("reader_offline", "raise")]


def test_a_wand_not_handed_in_by_the_deadline_is_offline_until_it_is() -> None:
    walk = Walk(route=WALL)
    walk.sync("21:50")
    walk.until("+1 22:46")
    assert ("reader_offline", "raise") in walk.signals()
    assert walk.last("reader_offline").subject == "wand-1"
    walk.sync("+1 22:47")
    assert walk.signals("reader_offline")[-1] == ("reader_offline", "resolve")


# -- gaps -------------------------------------------------------------------------------------------------------------


def gap(**said: object) -> Walk:
    return Walk(checkpoints={GATE: {"max_gap": window("22:00", "06:00", HOUR)}}, rounds=(), **said)


def test_a_gap_within_the_limit_is_the_largest_known() -> None:
    walk = gap()
    walk.alive("21:50", "22:40")
    walk.tap("wang", "22:41")
    walk.alive("22:42", "23:00")
    walk.until("23:00")
    assert (walk.gap().largest_s, walk.gap().exceeded, walk.gap().exceedances) == (41 * 60, False, ())


def test_a_gap_beyond_the_limit_is_open_until_a_tap_ends_it() -> None:
    walk = gap()
    walk.alive("21:50", "23:00")
    walk.until("23:00")
    assert walk.signals() == []
    walk.alive("23:01", "23:02")
    walk.until("23:02")
    assert (walk.signals("gap_exceeded"), walk.last("gap_exceeded").raised) == (
        [("gap_exceeded", "raise")],
        clock("23:00"),
    )
    assert walk.last("gap_exceeded").subject == "gate@2026-11-22T22:00:00+08:00"
    assert [(each.open, each.length_s) for each in walk.gap().exceedances] == [(True, 3720)]
    walk.tap("wang", "23:03")
    assert walk.signals("gap_exceeded")[-1] == ("gap_exceeded", "resolve")
    assert [(each.open, each.length_s) for each in walk.gap().exceedances] == [(False, 3780)]


def test_exactly_the_limit_is_not_beyond_it() -> None:
    walk = gap()
    walk.alive("21:50", "22:59")
    walk.tap("wang", "23:00")
    assert (walk.gap().largest_s, walk.gap().exceeded) == (3600, False)


def test_only_what_is_known_to_be_complete_counts_and_each_piece_by_itself() -> None:
    walk = gap()
    walk.alive("21:50", "22:50")
    walk.alive("22:55", "23:40")
    walk.until("23:40")
    assert (walk.gap().largest_s, walk.gap().exceeded) == (50 * 60, False)
    walk.alive("23:41", "23:56")
    assert (walk.gap().largest_s, walk.gap().exceeded) == (61 * 60, True)


def test_a_late_tap_that_splits_a_piece_retracts_its_alert() -> None:
    walk = gap()
    walk.alive("21:50", "23:02")
    walk.tap("wang", "22:30", "23:03")
    walk.until("23:04")
    assert walk.signals("gap_exceeded") == [("gap_exceeded", "raise"), ("gap_exceeded", "retract")]


def test_a_tap_by_somebody_who_may_not_serve_ends_no_gap() -> None:
    walk = gap()
    walk.alive("21:50", "22:30")
    walk.tap("liu", "22:31")
    walk.alive("22:32", "23:02")
    assert walk.gap().largest_s == 62 * 60


def test_at_the_end_of_the_window_an_open_gap_ends() -> None:
    walk = gap()
    walk.alive("21:50", "06:03")
    walk.until("06:03")
    assert [each.open for each in walk.gap().exceedances] == [False]
    assert walk.gap().largest_s == 8 * 3600
    assert [action for _, action in walk.signals("gap_exceeded")] == ["raise", "update", "resolve", "update"]
    assert walk.last("gap_exceeded").details["length"] == 8 * 3600


def test_a_checkpoint_of_no_route_has_no_witness_and_no_gap() -> None:
    walk = Walk(checkpoints={GARAGE: {"max_gap": window("22:00", "06:00", HOUR)}}, rounds=())
    walk.alive("21:50", "23:30", device="rdr-garage")
    assert walk.gap().largest_s == 0


def test_rounds_of_two_shifts_are_told_apart() -> None:
    walk = Walk(rounds=(daily("night", "22:00", "23:00"),), route={"tolerance": 5 * MINUTE})
    walk.alive("21:50", "23:50")
    walk.until("23:50")
    missed = [each.subject for each in walk.found.signals if each.rule == "round_missed"]
    assert missed == ["night@2026-11-22T22:00+08:00", "night@2026-11-22T23:00+08:00"]


def test_an_ended_gap_is_told_with_its_final_length() -> None:
    walk = gap()
    walk.alive("21:50", "23:02")
    walk.tap("wang", "23:03")
    assert [action for _, action in walk.signals("gap_exceeded")] == ["raise", "update", "resolve"]
    assert [each.details["length"] for each in walk.found.signals if each.action == "update"] == [3780]


def test_a_late_tap_that_shortens_an_ended_gap_is_told_with_the_length_that_is_left() -> None:
    walk = gap()
    walk.alive("21:50", "00:30")
    walk.tap("wang", "00:31")
    walk.tap("wang", "22:50", "00:40")
    walk.until("00:41")
    assert [action for _, action in walk.signals("gap_exceeded")] == ["raise", "update", "resolve", "update"]
    details = walk.last("gap_exceeded").details
    assert (details["from"], details["length"]) == ("2026-11-22T22:50:00+08:00", 101 * 60)


def test_an_ended_gap_whose_record_is_complete_only_later_is_told_with_the_length_that_it_then_has() -> None:
    walk = gap()
    walk.alive("21:50", "05:59")
    walk.advance("06:00")
    assert walk.last("gap_exceeded").action == "resolve"
    walk.beat("06:01")
    walk.until("06:02")
    told = walk.last("gap_exceeded")
    assert (told.action, told.details["length"], told.details["ended"]) == (
        "update",
        8 * 3600,
        "2026-11-23T06:00:00+08:00",
    )
    walk.alive("06:03", "06:30")
    assert [action for _, action in walk.signals("gap_exceeded")] == ["raise", "update", "resolve", "update"]


def test_a_late_tap_that_shortens_an_open_gap_is_told_with_its_later_beginning() -> None:
    walk = gap()
    walk.alive("21:50", "00:10")
    walk.tap("wang", "22:50", "00:11")
    walk.until("00:12")
    assert [action for _, action in walk.signals("gap_exceeded")] == ["raise", "update"]
    assert walk.last("gap_exceeded").details["from"] == "2026-11-22T22:50:00+08:00"
    assert [each.open for each in walk.gap().exceedances] == [True]


def test_the_end_of_a_gap_is_told_with_the_time_of_its_tap_not_with_that_of_its_report() -> None:
    walk = gap()
    walk.beat("21:50", boot="a", last_seq=0)
    walk.tap("wang", "23:30", "06:30", boot="a", seq=1)
    walk.until("06:31")
    assert [action for _, action in walk.signals("gap_exceeded")] == ["raise", "resolve"]
    told = [each for each in walk.found.signals if each.rule == "gap_exceeded" and each.action == "raise"]
    assert told[0].details["ended"] == "2026-11-22T23:30:00+08:00"


def test_a_fallen_link_is_no_sign_of_life_of_a_silent_reader() -> None:
    walk = Walk(rounds=())
    walk.alive("21:50", "22:00")
    walk.until("22:04")
    walk.say(seen.LinkStatus, "rdr-gate", "22:05", up=False)
    walk.say(seen.DeviceStatus, "rdr-gate", "22:06", online=False)
    walk.until("22:20")
    assert walk.signals() == [("reader_offline", "raise")]


def test_the_alert_of_a_reader_that_the_site_has_no_more_ends_and_is_told_again_if_it_comes_back_silent() -> None:
    walk = Walk(rounds=())
    walk.alive("21:50", "22:00")
    walk.until("22:05")
    with_it = walk.site
    without = {name: device for name, device in with_it.devices.items() if name != "rdr-gate"}
    points = {
        name: replace(each, reader=None) if each.reader == "rdr-gate" else each
        for name, each in with_it.checkpoints.items()
    }
    for until in ("22:10", "22:30"):
        walk.reborn(replace(with_it, devices=without, checkpoints=points))
        walk.until(until)
        assert walk.signals() == [("reader_offline", "raise"), ("reader_offline", "resolve")]
        assert walk.found.signals[-1].why == "removed"
    walk.reborn(with_it)
    walk.until("22:40")
    assert walk.signals()[2:] == [("reader_offline", "raise")]


def test_a_second_piece_beyond_a_hole_is_told_of_when_it_is_too_long_not_when_the_window_ends() -> None:
    walk = gap()
    walk.beat("21:50", boot="a", last_seq=0)
    walk.beat("23:20", boot="a", last_seq=0)
    walk.beat("23:25", boot="a", last_seq=1)
    walk.beat("00:20", boot="a", last_seq=1)
    walk.until("00:20")
    assert walk.signals("gap_exceeded") == [("gap_exceeded", "raise")]
    walk.beat("00:26", boot="a", last_seq=1)
    walk.until("00:26")
    assert walk.signals("gap_exceeded") == [("gap_exceeded", "raise"), ("gap_exceeded", "raise")]
    assert (walk.last("gap_exceeded").subject, walk.last("gap_exceeded").raised) == (
        "gate@2026-11-22T23:25:00+08:00",
        clock("00:25"),
    )


def test_a_tap_dated_a_moment_ahead_ends_a_gap_at_that_moment() -> None:
    walk = gap()
    walk.alive("21:50", "23:02")
    walk.tap("wang", "23:03:20", "23:03")
    walk.until("23:03:10")
    assert walk.signals("gap_exceeded") == [("gap_exceeded", "raise")]
    walk.until("23:03:20")
    assert walk.signals("gap_exceeded")[-1] == ("gap_exceeded", "resolve")


def test_a_round_that_had_closed_before_the_gateway_came_is_not_told_of_as_not_started() -> None:
    walk = Walk(started="22:50", route={"visits": (Stop(checkpoint=ROOF),)}, rounds=(daily("night", "22:00", "22:40"),))
    walk.rules.plan_from(clock("21:00"))
    walk.until("22:51")
    assert [signal.subject for signal in walk.found.signals if signal.rule == "round_not_started"] == [
        "night@2026-11-22T22:40+08:00"
    ]


def test_a_gap_is_over_at_the_very_end_of_its_window() -> None:
    walk = gap()
    walk.alive("21:50", "05:59")
    walk.advance("06:00")
    assert [(signal.action, signal.at) for signal in walk.found.signals if signal.rule == "gap_exceeded"][-1] == (
        "resolve",
        clock("06:00"),
    )
