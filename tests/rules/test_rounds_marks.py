"""rounds.md, Marks of a round: they warn and change no verdict."""

from __future__ import annotations

import pytest

from gateway.instants import MINUTE, SECOND
from gateway.site.model import Visit as Stop
from tests.rules.walk import GARAGE, GATE, ROOF, YARD, Walk

ALL = {"visits": (Stop(checkpoint=GATE), Stop(checkpoint=GARAGE), Stop(checkpoint=ROOF))}


def gate_and_garage(**said: object) -> Walk:
    return Walk(route={"visits": (Stop(checkpoint=GATE), Stop(checkpoint=GARAGE))} | said)


@pytest.mark.parametrize(("order", "marks"), [("listed", ("out_of_order",)), ("any", ())])
def test_out_of_order_is_marked_where_the_order_is_listed(order: str, marks: tuple[str, ...]) -> None:
    walk = gate_and_garage(order=order)
    walk.tap("wang", "22:06", device="rdr-garage")
    walk.tap("wang", "22:16")
    assert (walk.round().marks, walk.round().verdict) == (marks, "completed")


@pytest.mark.parametrize(("at", "marks"), [("22:07:59", ("too_fast",)), ("22:08", ())])
def test_faster_than_an_honest_walk_is_marked_either_way(at: str, marks: tuple[str, ...]) -> None:
    walk = Walk(
        route={"visits": (Stop(checkpoint=GATE), Stop(checkpoint=GARAGE))},
        checkpoints={GARAGE: {"min_leg": {GATE: 2 * MINUTE}}},
    )
    walk.tap("wang", "22:06", device="rdr-garage")
    walk.tap("wang", at)
    assert tuple(mark for mark in walk.round().marks if mark == "too_fast") == marks


def test_two_persons_are_not_too_fast() -> None:
    walk = Walk(
        route={"visits": (Stop(checkpoint=GATE), Stop(checkpoint=GARAGE))},
        checkpoints={GARAGE: {"min_leg": {GATE: 2 * MINUTE}}},
    )
    walk.tap("wang", "22:06", device="rdr-garage")
    walk.tap("li", "22:06:10")
    assert walk.round().marks == ()


def test_three_checkpoints_within_twenty_seconds_by_one_wand_are_a_burst() -> None:
    third = {"attic": {"tags": ("04A1B2C3D4E5F8",)}}
    stops = (Stop(checkpoint=ROOF), Stop(checkpoint=YARD), Stop(checkpoint="attic"))
    walk = Walk(route={"visits": stops}, checkpoints=third)
    walk.read(ROOF, "22:06:00")
    walk.read(YARD, "22:06:10")
    walk.read("04A1B2C3D4E5F8", "22:06:20")
    assert walk.round().marks == ("burst",)
    walk = Walk(route={"visits": stops}, checkpoints=third)
    walk.read(ROOF, "22:06:00")
    walk.read(YARD, "22:06:10")
    walk.read("04A1B2C3D4E5F8", "22:06:21")
    assert walk.round().marks == ()


def test_a_visit_served_after_the_end_makes_the_round_over_long() -> None:
    walk = Walk()
    walk.tap("wang", "22:40:01")
    assert (walk.verdict(), walk.round().marks) == ("late", ("over_long",))


@pytest.mark.parametrize(
    ("at", "leg", "marked"), [("22:06:04", None, True), ("22:06:05", None, False), ("22:06:29", 30, True)]
)
def test_one_card_at_two_places_at_one_moment_is_marked(at: str, leg: int | None, marked: bool) -> None:
    legs = {GARAGE: {"min_leg": {GATE: leg * SECOND}}} if leg else {}
    walk = Walk(checkpoints=legs)
    walk.tap("wang", "22:06")
    walk.tap("wang", at, device="rdr-garage")
    assert ("same_moment_elsewhere" in walk.round().marks) is marked


def test_an_honest_round_has_no_marks() -> None:
    walk = Walk(route=ALL)
    walk.tap("wang", "22:01")
    walk.tap("wang", "22:06", device="rdr-garage")
    walk.tap("wang", "22:07", device="wand-1")
    walk.read(ROOF, "22:12")
    assert (walk.round().verdict, walk.round().marks) == ("completed", ())
    assert [visit.marks for visit in walk.round().visits] == [(), (), ()]


def test_a_mark_of_either_of_a_pair_counts() -> None:
    walk = Walk(route={"guards": ("li",)}, checkpoints={GATE: {"two_person": True}})
    walk.tap("wang", "22:06")
    walk.tap("li", "22:07")
    assert (walk.visit().person, walk.visit().marks) == ("li", ("unassigned_guard",))


def test_guards_whose_clock_was_doubtful_are_not_out_of_order_where_the_same_taps_can_serve_in_order() -> None:
    stops = tuple(Stop(checkpoint=GATE, after=after * MINUTE) for after in (1, 15, 15))
    walk = Walk(route={"visits": stops, "tolerance": 5 * MINUTE, "band": 5 * MINUTE, "order": "listed"})
    walk.beat("22:00", device_now="22:00", last_seq=0, boot="b")
    walk.tap("wang", "22:02:30", boot="b", seq=1)
    walk.tap("li", "22:03:16", "22:23:16", boot="b", seq=2)
    walk.tap("chen", "22:06", "22:26", boot="b", seq=3)
    walk.beat("22:10", "22:30", device_now="22:10", last_seq=3, boot="b")
    walk.until("22:40")
    served = [(each.verdict, each.person) for each in walk.round().visits]
    assert served == [("on_time", "wang"), ("early", "chen"), ("late", "li")]
    assert "out_of_order" not in walk.round().marks


@pytest.mark.parametrize(("elsewhere", "marks"), [("22:06", ("same_moment_elsewhere",)), ("22:26", ())])
def test_of_two_doubtful_times_a_card_was_elsewhere_at_the_same_moment_only_by_the_one_its_visit_was_judged_at(
    elsewhere: str, marks: tuple[str, ...]
) -> None:
    walk = gate_and_garage()
    walk.beat("22:00", device_now="22:00", last_seq=0, boot="b")
    walk.tap("wang", "22:06", "22:26:01", boot="b", seq=1)
    walk.beat("22:10", "22:30", device_now="22:10", last_seq=1, boot="b")
    walk.tap("wang", elsewhere, device="rdr-garage", received="22:31")
    walk.until("22:40")
    assert [each.verdict for each in walk.round().visits] == ["on_time", "on_time"]
    assert walk.visit().at is not None
    assert walk.visit().at.strftime("%H:%M") == "22:06"
    assert walk.round().marks == marks
