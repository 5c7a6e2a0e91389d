"""In whatever order the records of a night come, the orders end alike (invariant 4)."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import msgspec
import pytest

from gateway.alerts.lifecycle import Refused
from gateway.instants import MINUTE, SECOND
from tests.work_orders.desk import LIU, WALL_F01, WALL_F06, WANG, Desk, clock

NIGHTS = 300
STEPS = (
    "report",
    "report",
    "fault",
    "assign",
    "assign",
    "arrive",
    "repair",
    "follow_up",
    "prioritise",
    "cancel",
    "ends",
)


def people(desk: Desk, chance: random.Random) -> None:
    """What people and sensors do in a night, at random."""
    at, known = clock("20:00"), list[str]()
    for _ in range(14):
        at += chance.randrange(1, 25) * MINUTE
        step, which, how = chance.choice(STEPS), chance.random(), chance.random()
        if step == "report":
            place = ("garage", "tower-1/f01", "tower-1/f03")[int(which * 3)]
            known.append(desk.report(at, place=place, urgency="emergency" if how < 0.6 else "ordinary"))
        elif step == "fault":
            known.append(desk.fault(at))
        elif step == "ends":
            desk.ends(at)
        elif known:
            details: dict[str, Any] = {
                "assign": {"to": "m-liu" if how < 0.7 else "g-wang"},
                "arrive": {"at": at - int(how * 10) * MINUTE, "person": "m-liu" if which < 0.5 else None},
                "follow_up": {"content": how < 0.5},
                "prioritise": {"urgency": "emergency" if how < 0.5 else "ordinary"},
            }.get(step, {})
            with contextlib.suppress(Refused):
                desk.do(at, step, known[int(which * len(known))], why="because", **details)


def outcome(seed: int, order: int) -> tuple[dict[str, Any], dict[str, bool]]:
    """What a night comes to if its taps are handed over in the morning in an order."""
    chance, desk = random.Random(seed), Desk()
    people(desk, chance)
    taps = []
    for number in range(10):
        at, device = (
            clock("20:00") + chance.randrange(300) * MINUTE + number * SECOND,
            chance.choice(["wand", "wand", "rdr"]),
        )
        tag = chance.choice([LIU, WANG] if device == "rdr" else [LIU, WANG, WALL_F01, WALL_F06, WALL_F01])
        taps.append((at, tag, device))
    random.Random(order).shuffle(taps)
    for at, tag, device in taps:
        desk.tap(at, tag, device, received="06:00")
    desk.at("06:30")
    shown = {each.id: msgspec.structs.replace(each, history=()) for each in (*desk.book.orders(), *desk.book.recent())}
    standing = {each.subject: True for each in desk.alerts.alerts(active=True) if each.rule == "work_order_late"}
    return shown, standing


@pytest.mark.parametrize("restarts", [False, True])
def test_a_log_in_heard_later_takes_back_what_an_earlier_one_seemed_to_prove(restarts):
    desk = Desk(restarts=restarts)
    order = desk.report("22:00", place="tower-1/f01", urgency="emergency")
    desk.do("22:05", "assign", order, to="m-liu")
    desk.at("22:40")
    desk.tap("22:00:10", LIU, "wand", received="23:00").tap("22:20", WALL_F01, "wand", received="23:00")
    assert (desk.order(order).state, desk.late()) == ("arrived", {order: "retracted"})
    desk.tap("22:15", WANG, "wand", received="23:00")
    assert (desk.order(order).state, desk.order(order).arrival, desk.order(order).punctual) == (
        "assigned",
        None,
        "late",
    )
    late = {each.id: each.state for each in desk.alerts.alerts() if each.rule == "work_order_late"}
    assert late == {f"work_order_late/{order}/1": "retracted", f"work_order_late/{order}/2": "open"}


def test_what_was_said_stays_when_a_tap_is_taken_back():
    desk = Desk()
    order = desk.report("22:00", place="tower-1/f01", urgency="emergency")
    desk.do("22:05", "assign", order, to="m-liu")
    desk.tap("22:00:10", LIU, "wand", received="22:21").tap("22:20", WALL_F01, "wand", received="22:21")
    desk.do("22:25", "repair", order)
    desk.tap("22:15", WANG, "wand", received="22:26")
    assert (desk.order(order).state, desk.order(order).arrival) == ("repaired", None)


def test_nobody_is_late_unheard_whose_arrival_a_log_in_takes_back_after_it_was_due():
    desk = Desk()
    order = desk.report("22:00", place="tower-1/f01", urgency="emergency")
    desk.do("22:05", "assign", order, to="m-liu")
    desk.tap("22:00:10", LIU, "wand", received="22:21").tap("22:20", WALL_F01, "wand", received="22:21")
    desk.tap("22:15", WANG, "wand", received="22:40")
    assert desk.at("22:41").late() == {order: "open"}
    desk.do("22:45", "arrive", order, at="22:28")
    assert (desk.order(order).punctual, desk.late()) == ("in_time", {order: "resolved"})


@pytest.mark.parametrize("part", range(10))
def test_whatever_the_order_in_which_taps_and_log_ins_are_handed_over(part):
    for seed in range(part, NIGHTS, 10):
        assert outcome(seed, 1) == outcome(seed, 2) == outcome(seed, 3), seed
