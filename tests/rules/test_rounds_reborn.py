"""A verdict is what the evidence says: judged anew, by the same site or another that says the same, it is the same.

What decides is all kept: who served a route in the week before, also of rounds that are forgotten; a phone that was heard late; what a
device proved that was out of the site for a while.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from device_drivers import observations as seen
from gateway.instants import DAY, MINUTE, Instant, moment
from gateway.rules.verdicts import ENDED_VERDICTS
from gateway.site.model import Visit as Stop
from tests.rules.test_rounds_restart import changed
from tests.rules.walk import ROOF, WALL, YARD, Fed, Walk, clock, window

PHONE: dict[str, Any] = {"phone-1": {"settings": {"person": "wang"}}}
ROOF_ALONE: dict[str, Any] = {"visits": (Stop(checkpoint=ROOF),)}
YARD_ALONE: dict[str, Any] = {"visits": (Stop(checkpoint=YARD),), "guards": ("wang",)}
BOTH: dict[str, Any] = {"visits": (Stop(checkpoint=ROOF), Stop(checkpoint=YARD)), "guards": ("wang",)}


def verdicts(walk: Walk) -> dict[str, Any]:
    """With up to when each is known. (Why one cannot be verified is said as of when it was judged.)"""
    return {
        each.id: [(visit.verdict, visit.watermark) for visit in each.visits]
        for each in walk.rules.rounds()
        if each.verdict in ENDED_VERDICTS or each.verdict == "in_progress"
    }


def test_a_spare_wand_that_served_a_round_which_is_forgotten_is_a_witness_still() -> None:
    walk = Walk(route=ROOF_ALONE)
    walk.read(ROOF, "22:05", device="wand-2")
    for day in range(11):
        walk.sync(f"+{day} 23:50")
        walk.until(f"+{day} 23:55")
    walk.until("+11 00:10")
    night = "+5 22:00"
    assert walk.verdict(start=night) == "unverifiable"
    before = verdicts(walk)
    assert "night@2026-11-22T22:00+08:00" not in before, "the round that wand-2 served must be forgotten by now"
    walk.reborn(changed(walk.site))
    assert verdicts(walk) == before
    assert walk.verdict(start=night) == "unverifiable"


def test_a_wand_that_the_route_no_longer_names_served_it_all_the_same() -> None:
    walk = Walk(route=ROOF_ALONE | {"readers": ("wand-1", "wand-2")})
    walk.read(ROOF, "22:05", device="wand-2")
    for day in range(11):
        walk.sync(f"+{day} 23:50")
        walk.until(f"+{day} 23:55")
    walk.until("+11 00:10")
    route = replace(walk.site.routes["night"], readers=("wand-1",))
    walk.reborn(changed(walk.site, routes={"night": route}))
    assert walk.verdict(start="+5 22:00") == "unverifiable"


@pytest.mark.parametrize("received", ["08:00", "+2 08:00"])
@pytest.mark.parametrize("reborn", [False, True])
def test_a_phone_heard_late_is_a_witness_of_what_it_may_have_seen(received: str, reborn: bool) -> None:
    walk = Walk(route=YARD_ALONE, devices=PHONE)
    walk.sync("23:00")
    walk.until("23:30")
    assert walk.verdict() == "missed"
    walk.until(received)
    walk.read("04DEADBEEF", "22:10", received, device="phone-1", boot="b", seq=1, person="wang")
    walk.beat(received, device="phone-1", boot="b", last_seq=2, device_now=received)  # one is on the phone still
    walk.until(f"{received}:30")
    if reborn:
        walk.reborn(changed(walk.site))
    assert walk.verdict() in {"pending", "unverifiable"}


def test_a_device_that_was_out_of_the_site_for_a_while_is_what_it_was() -> None:
    walk = Walk(route=YARD_ALONE, devices=PHONE)
    walk.beat("22:10", device="phone-1", boot="b", last_seq=5, device_now="22:10")
    walk.sync("23:00")
    walk.until("23:30")
    assert walk.verdict() == "pending"
    whole = walk.site
    walk.reborn(changed(whole, devices={name: each for name, each in whole.devices.items() if name != "phone-1"}))
    walk.until("23:31")
    assert walk.verdict() == "missed"
    walk.reborn()  # twice: what is absent is handed on from state to state
    walk.reborn(whole)
    walk.until("23:32")
    assert walk.verdict() == "pending"


def test_what_an_absent_device_proved_is_not_kept_for_good() -> None:
    walk = Walk(route=YARD_ALONE, devices=PHONE)
    walk.beat("22:10", device="phone-1", boot="b", last_seq=5, device_now="22:10")
    site = changed(walk.site, devices={name: each for name, each in walk.site.devices.items() if name != "phone-1"})
    walk.reborn(site)
    assert walk.rules.snapshot()["absent"]
    walk.until("+10 22:00")
    assert not walk.rules.snapshot()["absent"]


@pytest.mark.parametrize("who", ["wand-2", "phone-1"])
def test_a_gap_is_retracted_when_somebody_turns_out_to_have_been_a_witness(who: str) -> None:
    walk = Walk(route=BOTH, checkpoints={YARD: {"max_gap": window("22:00", "23:00", 20 * MINUTE)}}, devices=PHONE)
    walk.sync("23:30")
    walk.until("23:40")
    assert walk.signals("gap_exceeded")[:1] == [("gap_exceeded", "raise")]
    said = {"boot": "b", "seq": 1, "person": "wang"} if who == "phone-1" else {}
    walk.read(ROOF, "22:05", "23:45", device=who, **said)
    walk.until("23:50")
    assert not walk.rules.gaps()[0].exceeded
    assert walk.signals("gap_exceeded")[-1] == ("gap_exceeded", "retract")


DAYS = 17
EVENTS = st.lists(
    st.tuples(
        st.integers(0, DAYS - 1),
        st.integers(0, 59),
        st.sampled_from(["wand-1", "wand-2", "phone-1"]),
        st.sampled_from(["roof", "yard", "stranger", "done", "waits", "unread"]),
        st.sampled_from([0, 0, 10, 60 * 9, 60 * 50]),
    ),
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.booleans())
def test_judged_anew_from_what_is_kept_nothing_is_otherwise(events: list[Any], calm: bool) -> None:
    walk = Walk(route=BOTH, devices=PHONE)
    arrivals = []
    for day, minute, device, what, late in events:
        at = clock("21:50") + day * DAY + minute * MINUTE
        arrivals.append((at + late * MINUTE, at, device, what))
    if calm:
        arrivals += [(clock("23:50") + day * DAY, clock("23:50") + day * DAY, "wand-1", "done") for day in range(DAYS)]
    for seq, (received, at, device, what) in enumerate(sorted(arrivals), start=1):
        walk.feed(*said(device, what, at, received, seq))
    walk.advance(clock("12:00") + DAYS * DAY)
    walk.rules.flush(walk.rules.now)
    before = verdicts(walk)
    walk.reborn(changed(walk.site))
    assert verdicts(walk) == before


def said(device: str, what: str, at: Instant, received: Instant, seq: int) -> Fed:
    when = moment(at, UTC)
    phone = device == "phone-1"
    numbered: dict[str, Any] = {"boot": "b", "seq": seq} if phone else {}
    who: dict[str, Any] = {"person": "wang"} if phone else {}
    observation: seen.Observation
    match what:
        case "roof" | "yard" | "stranger":
            tag = "04DEADBEEF" if what == "stranger" else WALL[what]
            observation = seen.TagRead(device=device, at=when, tag=tag, **numbered, **who)
        case "unread":
            observation = seen.LinkStatus(device=device, at=moment(received, UTC), up=True, cut=True)
        case _ if phone:
            ahead = 0 if what == "done" else 2
            observation = seen.ReaderHeartbeat(device=device, at=when, boot="b", last_seq=seq + ahead, device_now=when)
        case _:
            observation = seen.SyncEnd(device=device, at=when, complete_to=when)
    return observation, at if what != "unread" else received, received
