"""A round is forgotten before the taps that served it: they served it all the same."""

from __future__ import annotations

import pytest

from gateway.instants import HOUR
from gateway.rules.rounds import KEPT
from gateway.site.model import Route
from gateway.site.model import Visit as Stop
from tests.rules.walk import GATE, ROOF, WALL, Walk, daily

DAYS = KEPT // (24 * HOUR)


@pytest.mark.parametrize("restarted", [False, True])
def test_its_taps_are_not_shown_as_if_they_had_served_nothing(restarted: bool) -> None:
    walk = Walk()
    walk.alive("21:50", "22:50")
    walk.tap("wang", "22:10")
    walk.until(f"+{DAYS + 1} 12:00")
    assert walk.rules.round("night@2026-11-22T22:00+08:00") is None
    if restarted:
        walk.reborn()
    assert walk.reasons() == []
    walk.tap("li", f"+{DAYS + 1} 12:10")
    walk.until(f"+{DAYS + 1} 12:20")
    assert walk.reasons() == ["no_round"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_tap_that_served_nothing_keeps_the_reason_why(restarted: bool) -> None:
    walk = Walk(route={"guards": ("wang",), "accept_others": False})
    walk.alive("21:50", "22:50")
    walk.tap("li", "22:05")
    walk.tap("wang", "22:10")
    walk.tap("wang", "22:20")
    walk.tap("wang", "20:00")
    reasons = ["no_round", "wrong_guard", "already_served"]
    walk.until("23:30")
    assert walk.reasons() == reasons
    if restarted:
        walk.reborn()
    walk.until(f"+{DAYS + 1} 12:00")
    assert walk.rules.round("night@2026-11-22T22:00+08:00") is None
    if restarted:
        walk.reborn()
    assert walk.reasons() == reasons
    walk.until(f"+{DAYS + 30} 12:00")
    assert walk.reasons() == []


@pytest.mark.parametrize("restarted", [False, True])
def test_its_tap_serves_no_other_round_that_is_not_forgotten_yet(restarted: bool) -> None:
    late = Route(id="late", visits=(Stop(checkpoint=GATE),), readers=("wand-1",), evidence_deadline=24 * HOUR)
    walk = Walk(
        route={"evidence_deadline": HOUR}, routes=(late,), rounds=(daily("night", "22:00"), daily("late", "22:10"))
    )
    walk.alive("21:50", "23:00")
    walk.tap("wang", "22:20")
    walk.until("23:30")
    assert {walk.verdict(), walk.verdict(start="22:10", route="late")} == {"on_time", "missed"}
    before = walk.verdict(start="22:10", route="late")
    if restarted:
        walk.reborn()
    walk.until(f"+{DAYS} 11:00")
    assert walk.rules.round("night@2026-11-22T22:00+08:00") is None
    walk.until(f"+{DAYS + 1} 20:00")
    if restarted:
        walk.reborn()
    assert walk.verdict(start="22:10", route="late") == before


@pytest.mark.parametrize("heard", [False, True])
def test_what_might_have_been_handed_its_tap_is_not_missed_when_it_is_forgotten(heard: bool) -> None:
    stop = (Stop(checkpoint=ROOF),)
    late = Route(id="late", visits=stop, readers=("wand-1",), evidence_deadline=24 * HOUR)
    walk = Walk(
        route={"visits": stop, "readers": ("wand-1", "wand-2"), "evidence_deadline": HOUR},
        routes=(late,),
        rounds=(daily("night", "22:00"), daily("late", "22:10")),
    )
    walk.read(WALL[ROOF], "22:20", "06:00", device="wand-1")
    walk.sync("06:00")
    walk.until("+1 23:30")
    assert (walk.verdict(), walk.verdict(start="22:10", route="late")) == ("on_time", "unverifiable")
    walk.until(f"+{DAYS} 11:00")
    assert walk.rules.round("night@2026-11-22T22:00+08:00") is None
    if heard:
        walk.sync(f"+{DAYS} 11:10", device="wand-1")
        walk.until(f"+{DAYS} 11:20")
    walk.reborn()
    assert walk.verdict(start="22:10", route="late") == "unverifiable"
