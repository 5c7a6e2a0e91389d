"""rounds.md, Clocks: what a device's own time is worth."""

from __future__ import annotations

from datetime import UTC

import pytest

from device_drivers import observations as seen
from gateway.instants import MINUTE, SECOND, moment
from gateway.site.model import Visit as Stop
from tests.rules.test_rounds_restart import changed
from tests.rules.walk import CARDS, GATE, ROOF, YARD, Walk, clock, hhmm

START = clock("15:00")

DUE = {"visits": (Stop(checkpoint=GATE, after=10 * MINUTE),)}
WALLS = {"visits": (Stop(checkpoint=ROOF), Stop(checkpoint=YARD))}


def test_between_two_measures_that_agree_the_lesser_offset_counts() -> None:
    walk = Walk(route=DUE)
    walk.beat("22:00", "22:02:00", device_now="22:00", last_seq=0, boot="b")
    walk.tap("wang", "22:07", "22:09:01", boot="b", seq=1)
    walk.beat("22:10", "22:12:03", device_now="22:10", last_seq=1, boot="b")
    visit = walk.visit()
    assert (hhmm(visit.at), hhmm(visit.device_at), visit.marks) == ("22:09:00", "22:07:00", ("clock_corrected",))


def test_a_tap_after_its_clock_was_set_back_is_judged_by_what_is_measured_later() -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=GATE, after=22 * MINUTE),)})
    for at in ("22:00", "22:04", "22:08", "22:12", "22:16"):
        walk.beat(at, device_now=at, last_seq=0, boot="b")
    walk.tap("wang", "22:07", "22:22", boot="b", seq=1)
    assert walk.verdict() == "pending"
    walk.beat("22:09", "22:24", device_now="22:09", last_seq=1, boot="b")
    assert (walk.verdict(), walk.visit().marks) == ("on_time", ("clock_corrected", "clock_uncertain"))


def test_a_clock_set_back_later_takes_no_tap_away() -> None:
    """Of two heartbeats with one `last_seq` the one received first is next after the tap, whatever they show."""
    walk = Walk(route=DUE)
    walk.beat("22:00", device_now="22:00", last_seq=0, boot="b")
    walk.tap("wang", "22:09", boot="b", seq=1)
    walk.beat("22:15", device_now="22:15", last_seq=1, boot="b")
    walk.beat("22:30", device_now="22:30", last_seq=1, boot="b")
    again = {"22:04": "23:34", "22:08": "23:38", "22:12": "23:42", "22:16": "23:46", "22:40": "00:10"}
    for shown, at in again.items():
        walk.beat(shown, at, device_now=shown, last_seq=1, boot="b")
    walk.until("00:30")
    assert (walk.verdict(), walk.visit().marks) == ("on_time", ())
    assert "missed" not in [each.verdict for each in walk.revisions()]


def test_an_offset_of_at_most_five_seconds_is_none() -> None:
    walk = Walk(route=DUE)
    walk.beat("22:00", "22:00:05", device_now="22:00", last_seq=0, boot="b")
    walk.tap("wang", "22:07", boot="b", seq=1)
    assert (hhmm(walk.visit().at), walk.visit().marks) == ("22:07:00", ())


def test_an_offset_of_six_seconds_is_applied_and_not_marked() -> None:
    walk = Walk(route=DUE)
    walk.beat("22:00", "22:00:06", device_now="22:00", last_seq=0, boot="b")
    walk.tap("wang", "22:07", boot="b", seq=1)
    assert (hhmm(walk.visit().at), walk.visit().marks) == ("22:07:06", ())


def test_near_a_boundary_a_corrected_time_gets_the_better_class() -> None:
    walk = Walk(route=DUE)
    walk.beat("22:00", "22:00:06", device_now="22:00", last_seq=0, boot="b")
    walk.tap("wang", "22:14:56", boot="b", seq=1)
    visit = walk.visit()
    assert (visit.verdict, hhmm(visit.at), visit.marks) == ("on_time", "22:15:02", ("clock_uncertain",))


def test_three_seconds_beyond_a_boundary_is_beyond_it() -> None:
    walk = Walk(route=DUE)
    walk.beat("22:00", "22:00:06", device_now="22:00", last_seq=0, boot="b")
    walk.tap("wang", "22:14:57", boot="b", seq=1)
    assert (walk.visit().verdict, walk.visit().marks) == ("late", ())


def test_an_uncorrected_time_has_sharp_boundaries() -> None:
    walk = Walk(route=DUE)
    walk.beat("22:00", "22:00:01", device_now="22:00", last_seq=0, boot="b")
    walk.tap("wang", "22:15:01", boot="b", seq=1)
    assert (walk.visit().verdict, walk.visit().marks) == ("late", ())


def test_measures_that_disagree_judge_by_the_better_class() -> None:
    walk = Walk(route=DUE)
    walk.beat("22:00", "22:00", device_now="22:00", last_seq=0, boot="b")
    walk.tap("wang", "22:02", "22:12:02", boot="b", seq=1)
    walk.beat("22:03", "22:13", device_now="22:03", last_seq=1, boot="b")
    visit = walk.visit()
    assert (visit.verdict, hhmm(visit.at), visit.marks) == (
        "on_time",
        "22:12:00",
        ("clock_corrected", "clock_uncertain"),
    )


def test_between_measures_that_disagree_nothing_is_complete() -> None:
    walk = Walk(route=DUE)
    walk.beat("21:50", "21:50", device_now="21:50", last_seq=0, boot="b")
    walk.beat("22:10", "22:20:30", device_now="22:10", last_seq=0, boot="b")
    walk.beat("22:20", "22:30:30", device_now="22:20", last_seq=0, boot="b")
    walk.until("23:00")
    assert (walk.verdict(), walk.visit().cause) == ("unverifiable", "reader_offline")


def test_one_measure_of_more_than_sixty_seconds_is_taken_or_not_whichever_serves_better() -> None:
    walk = Walk(route=DUE)
    walk.beat("21:50", "22:00", device_now="21:50", last_seq=0, boot="b")
    walk.tap("wang", "22:00", "22:10", boot="b", seq=1)
    assert (walk.verdict(), hhmm(walk.visit().at), "clock_uncertain" in walk.visit().marks) == (
        "on_time",
        "22:10:00",
        True,
    )
    other = Walk(route=DUE)
    other.beat("21:50", "22:00", device_now="21:50", last_seq=0, boot="b")
    other.tap("wang", "22:09", "22:19", boot="b", seq=1)
    assert (other.verdict(), hhmm(other.visit().at), other.visit().marks) == (
        "on_time",
        "22:09:00",
        ("clock_uncertain",),
    )


def test_a_hand_over_after_an_outage_measures_no_clock() -> None:
    walk = Walk(route=DUE)
    walk.beat("21:59", "21:59", device_now="21:59", last_seq=0, boot="b")
    walk.tap("wang", "22:10", "22:40", boot="b", seq=1)
    walk.beat("22:11", "22:40:01", device_now="22:11", last_seq=1, boot="b")
    walk.beat("22:40:02", "22:40:02", device_now="22:40:02", last_seq=1, boot="b")
    assert (hhmm(walk.visit().at), walk.visit().marks) == ("22:10:00", ())


def test_a_measure_counts_for_its_own_boot_only() -> None:
    walk = Walk(route=DUE)
    walk.beat("22:00", "22:03", device_now="22:00", last_seq=0, boot="a")
    walk.tap("wang", "22:10", boot="b", seq=1)
    assert (hhmm(walk.visit().at), walk.visit().marks) == ("22:10:00", ())


def test_a_measure_reaches_a_day_at_a_fixed_reader_and_seven_at_a_portable_one() -> None:
    fixed = Walk(route=DUE, started="-2 12:00")
    fixed.beat("-1 23:00", "-1 23:00:30", device_now="-1 23:00", last_seq=0, boot="b")
    fixed.tap("wang", "22:09", boot="b", seq=1)
    assert fixed.visit().at.second == 30
    fixed = Walk(route=DUE, started="-2 12:00")
    fixed.beat("-1 21:00", "-1 21:00:30", device_now="-1 21:00", last_seq=0, boot="b")
    fixed.tap("wang", "22:09", boot="b", seq=1)
    assert fixed.visit().at.second == 0
    wand = Walk(route=WALLS, started="-2 12:00")
    wand.sync("-2 21:00", "-2 21:00:30", device_now="-2 21:00")
    wand.read(ROOF, "22:09")
    assert wand.visit().at.second == 30


def test_a_time_ahead_of_its_receipt_is_judged_at_its_receipt() -> None:
    walk = Walk(route=DUE)
    walk.tap("wang", "22:30", "22:10", boot="b", seq=1)
    visit = walk.visit()
    assert (visit.verdict, hhmm(visit.at), hhmm(visit.device_at), visit.marks) == (
        "on_time", "22:10:00", "22:30:00", ("clock_ahead",),
    )  # fmt: skip


@pytest.mark.parametrize(("received", "marks"), [("22:09", ()), ("22:08:59", ("clock_ahead",))])
def test_ahead_is_more_than_sixty_seconds(received: str, marks: tuple[str, ...]) -> None:
    walk = Walk(route=DUE)
    walk.tap("wang", "22:10", received)
    assert walk.visit().marks == marks


def test_a_lost_clock_leaves_the_record_incomplete_since_the_hand_over_before() -> None:
    walk = Walk(route=WALLS)
    walk.sync("21:50")
    walk.read(ROOF, "-20 22:10", "23:00")
    walk.sync("23:00", "23:00:01")
    walk.sync("23:30", "23:30")
    walk.until("+1 23:50")
    assert walk.reasons() == ["clock_lost"]
    assert [visit.verdict for visit in walk.round().visits] == ["unverifiable", "unverifiable"]


def test_a_tap_handed_in_late_is_marked() -> None:
    walk = Walk()
    walk.tap("wang", "22:06", "23:15:01")
    assert walk.visit().marks == ("late_upload",)
    walk = Walk()
    walk.tap("wang", "22:06", "23:15")
    assert walk.visit().marks == ()


def test_times_of_the_gateways_own_need_no_clock() -> None:
    walk = Walk(route=DUE, devices={"rdr-gate": {"own_clock": False}})
    walk.tap("wang", "22:10")
    assert walk.visit().marks == ()


def test_a_correction_that_arrives_later_changes_the_verdict() -> None:
    walk = Walk(route=DUE)
    walk.tap("wang", "22:14", boot="b", seq=1)
    assert walk.verdict() == "on_time"
    walk.beat("22:15", "22:15:50", device_now="22:15", last_seq=1, boot="b")
    assert (walk.verdict(), hhmm(walk.visit().at)) == ("on_time", "22:14:50")
    walk.tap("li", "22:20", "22:20:50", boot="b", seq=2)
    walk.beat("22:25", "22:25:50", device_now="22:25", last_seq=2, boot="b")
    assert (walk.verdict(), hhmm(walk.visit().at), walk.visit().person) == ("on_time", "22:14:50", "wang")


def test_a_measure_that_contradicts_one_of_the_same_reading_takes_a_missed_visit_back() -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=ROOF),)})
    walk.sync("22:45:40", "22:45:41", device_now="22:45:10")
    walk.until("22:46")
    assert walk.verdict() == "missed"
    walk.sync("22:47:10", "22:47:11", device_now="22:45:10")
    walk.until("22:48")
    assert walk.verdict() == "pending"


def test_a_measure_that_contradicts_what_completed_the_record_takes_a_missed_visit_back_at_once() -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=ROOF),)})
    walk.sync("22:10", "22:10:01")
    walk.sync("22:45:40", "22:45:41", device_now="22:45:10")
    walk.until("22:46")
    assert walk.verdict() == "missed"
    walk.sync("22:47:20", "22:47:21", device_now="22:45:20")
    walk.until("22:48")
    assert walk.verdict() == "pending"


def test_a_measure_that_makes_a_hand_over_count_again_settles_what_it_reaches_at_once() -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=ROOF),)})
    walk.sync("22:45:10", "22:45:11", device_now="22:44:40")
    walk.sync("22:47:20", "22:47:21", device_now="22:45:20")
    walk.until("22:47:25")
    assert walk.verdict() == "pending"
    walk.sync("22:47:30", "22:47:31", device_now="22:47:30")
    walk.until("22:48")
    assert walk.verdict() == "missed"


def test_a_clock_that_its_own_numbers_show_to_be_set_back_completes_nothing_until_it_is_measured() -> None:
    """A wand is set back by two hours after it was measured, and handed in with a clock that was lost: its taps fit no round."""
    walk = Walk(route={"visits": (Stop(checkpoint=ROOF),)})
    walk.sync("20:30", boot="a", seq=1, device_now="20:30")
    walk.read(ROOF, "20:05", "06:00", boot="a", seq=2)  # at 22:05, two hours slow
    walk.read(YARD, "23:30", "06:00", boot="a", seq=3)
    walk.until("06:01")
    assert walk.verdict() == "pending"
    walk.until("+1 23:00")
    assert walk.verdict() == "unverifiable"


def test_a_clock_that_was_set_back_and_measured_since_is_judged_by_its_measures() -> None:
    walk = Walk(route={"visits": (Stop(checkpoint=ROOF),)})
    walk.sync("20:30", boot="a", seq=1, device_now="20:30")
    walk.read(ROOF, "20:05", "06:00", boot="a", seq=2)
    walk.sync("04:00", "06:00", boot="a", seq=3, device_now="04:00")
    walk.until("06:01")
    assert walk.verdict() == "on_time"


def test_a_measure_that_counts_no_more_moves_no_tap() -> None:
    """Handed over out of order: the one between the one that goes and the one that comes is not the one before both."""
    walk = Walk()

    def beat(at: int, received: int) -> None:
        now = moment(START + at * SECOND, UTC)
        walk.feed(
            seen.ReaderHeartbeat(device="rdr-gate", at=now, device_now=now),
            START + at * SECOND,
            START + received * SECOND,
        )
        walk.rules.flush(walk.rules.now)

    def moments() -> list[tuple[int, ...]]:
        return [tuple(each.time for each in tap.moments) for tap in walk.rules.point(GATE).taps]

    beat(28706, 29098)
    tapped = START + 26898 * SECOND
    walk.feed(
        seen.TagRead(device="rdr-gate", at=moment(tapped, UTC), tag=CARDS["wang"]), tapped, START + 29099 * SECOND
    )
    beat(28505, 29101)
    beat(28906, 29101)
    before = moments()
    walk.reborn(changed(walk.site))
    assert moments() == before
