"""A tap that two overlapping rounds could have: the one that does not get it is not accused while the other may be served anew."""

from __future__ import annotations

from gateway.instants import MINUTE
from gateway.site.model import Route
from gateway.site.model import Visit as Stop
from tests.rules.walk import GATE, Walk, daily

DUE = {"visits": (Stop(checkpoint=GATE, after=5 * MINUTE),)}
"""`night`: the gate from 21:55 to 22:15."""
ANY = Route(id="any", visits=(Stop(checkpoint=GATE),), band=0)
"""`any`: the gate from 22:00 to 22:30."""


def overlapping() -> Walk:
    walk = Walk(route=DUE, routes=(ANY,), rounds=(daily("night", "22:00"), daily("any", "22:00", lasts=30 * MINUTE)))
    walk.alive("21:30", "22:05")
    walk.tap("wang", "22:06")
    return walk


def test_a_visit_is_not_missed_while_the_round_that_has_its_tap_is_open() -> None:
    walk = overlapping()
    walk.alive("22:07", "22:29")
    walk.until("22:29:30")
    assert walk.verdict(route="any") == "on_time"
    assert (walk.verdict(), walk.visit().cause) == ("pending", "awaiting_reader")
    assert walk.signals("round_missed") == []


def test_the_second_tap_hands_the_first_one_on() -> None:
    walk = overlapping()
    walk.alive("22:07", "22:25")
    walk.tap("wang", "22:25:30")
    walk.alive("22:26", "22:40")
    walk.until("22:40")
    assert walk.verdict() == walk.verdict(route="any") == "on_time"
    assert "missed" not in [each.verdict for each in walk.revisions()]


def test_when_both_are_complete_and_one_tap_came_one_is_missed() -> None:
    walk = overlapping()
    walk.alive("22:07", "22:40")
    walk.until("22:40")
    assert {walk.verdict(), walk.verdict(route="any")} == {"missed", "on_time"}


def test_a_record_with_a_hole_in_the_other_round_leaves_it_unverifiable() -> None:
    walk = overlapping()
    walk.alive("22:07", "22:18")
    walk.until("+1 01:00")
    assert walk.verdict(route="any") == "on_time"
    assert (walk.verdict(), walk.visit().cause) == ("unverifiable", "reader_offline")


def test_a_restart_in_between_forgets_nothing_of_it() -> None:
    walk = overlapping()
    walk.alive("22:07", "22:20")
    walk.reborn()
    walk.alive("22:21", "22:40")
    walk.until("22:40")
    assert {walk.verdict(), walk.verdict(route="any")} == {"missed", "on_time"}
