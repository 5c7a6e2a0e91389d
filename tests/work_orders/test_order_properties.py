"""Whatever people, sensors and readers do, in any order: the table is kept, and a restart of the process changes nothing."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.alerts.lifecycle import Refused
from gateway.instants import DAY, MINUTE, SECOND, instant
from gateway.work_orders.book import WorkOrders
from gateway.work_orders.lifecycle import TABLE
from tests.work_orders.desk import LIU, WALL_F01, WALL_F06, WANG, Desk, clock

SUBJECTS = st.sampled_from(
    [
        ("circuit_fault", "c-1"),
        ("lamp_failure", "lamp-f03"),
        ("camera_offline", "cam"),
        ("gateway_restarting", "riverside"),
    ]
)
WAITS = st.sampled_from([0, 0, 1, 30, 60, 300, 600, 601, 1200, 1800, 7200, 86_400, 7 * 86_400])
AGO = st.sampled_from([0, 0, 60, 600, 3600])
ACTIONS: list[tuple[str, dict[str, Any]]] = [
    ("assign", {"to": "m-liu"}), ("assign", {"to": "g-wang"}), ("arrive", {}), ("arrive", {"person": "m-liu"}), ("arrive", {"ago": 600}),
    ("repair", {}), ("repair", {"ago": 60}), ("verify", {}), ("follow_up", {"content": True}), ("follow_up", {"content": False}),
    ("follow_up", {"content": None}), ("close", {}), ("cancel", {}), ("prioritise", {"urgency": "emergency"}),
    ("prioritise", {"urgency": "ordinary"}), ("comment", {}),
]  # fmt: skip
STEPS = st.lists(
    st.tuples(
        WAITS,
        st.one_of(
            st.tuples(st.just("signal"), SUBJECTS, st.sampled_from(["raise"] * 3 + ["resolve", "resolve", "retract", "merge"])),
            st.tuples(st.just("do"), st.integers(1, 5), st.sampled_from(ACTIONS)),
            st.tuples(st.just("do"), st.integers(1, 5), st.sampled_from(ACTIONS)),
            st.tuples(st.just("report"), st.sampled_from(["tower-1/f03", "garage", None]), st.sampled_from(["everyday", "warranty"]), st.sampled_from(["emergency", "ordinary"])),
            st.tuples(st.just("tap"), st.sampled_from([("rdr", LIU), ("rdr", WANG), ("wand", LIU), ("wand", WANG), ("wand", WALL_F01), ("wand", WALL_F06)]), AGO),
            st.tuples(st.just("alert"), SUBJECTS, st.sampled_from(["ack", "resolve", "close"])),
            st.tuples(st.just("down")),
        ),
    ),
    max_size=30,
)  # fmt: skip

LEGAL = {(row.before, row.after) for row in TABLE}


def play(desk: Desk, steps: list[Any], *, idle: bool = False) -> Desk:
    """Play the steps, each so many seconds after the one before; then ten days pass."""
    now = clock("12:00")
    for wait, step in steps:
        if idle:
            for part in range(4):
                desk.at(now + wait * SECOND * part // 4)
        now += wait * SECOND
        match step:
            case ("signal", (rule, subject), action):
                cause = "circuit_fault:c-1" if action == "merge" and rule == "lamp_failure" else None
                desk.signal(
                    "resolve" if action == "merge" and cause is None else action, rule, subject, now, caused_by=cause
                )
            case ("do", number, (action, details)):
                known = sorted(desk.states())
                said = dict(details)
                if "ago" in said:
                    said["at"] = now - said.pop("ago") * SECOND
                if known:
                    with contextlib.suppress(Refused):
                        desk.do(now, action, known[-number % len(known)], why="because", **said)
            case ("report", place, area, urgency):
                desk.report(now, place=place, area=area, urgency=urgency)
            case ("tap", (device, tag), ago):
                desk.tap(now - ago * SECOND, tag, device, received=now)
            case ("alert", (rule, subject), action):
                for number in (1, 2, 3):
                    with contextlib.suppress(Refused):
                        desk.on_alert(now, action, f"{rule}/{subject}/{number}")
            case ("down",):
                desk.down(now - wait * SECOND, now)
    return desk.at(now + 10 * DAY)


def result(desk: Desk) -> bytes:
    return msgspec.json.encode((desk.entries, desk.signals, [*desk.book.orders(), *desk.book.recent()]))


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_a_restart_at_any_point_changes_nothing(steps):
    assert result(play(Desk(), steps)) == result(play(Desk(restarts=True), steps))


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_one_late_call_gives_the_same_as_many_punctual_ones(steps):
    steps = [step for step in steps if step[1][0] != "down"]
    assert result(play(Desk(), steps)) == result(play(Desk(), steps, idle=True))


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_history_runs_forward_along_the_table_and_every_row_holds_its_order(steps):
    desk = play(Desk(), steps)
    last: dict[str, Any] = {}
    for entry in desk.entries:
        before = last.get(entry.id)
        step = entry.item.history[-1]
        assert (step.before, step.after) in LEGAL
        assert step.before == (None if before is None else before.state)
        assert before is None or entry.at >= before.at
        assert (entry.state, instant(step.at), step.action) == (entry.item.state, entry.at, entry.action)
        last[entry.id] = entry
    for order in (*desk.book.orders(), *desk.book.recent()):
        assert last[order.id].item == order, "the newest row is what the book shows"


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_nobody_is_late_for_what_was_done_in_time_or_could_not_be_recorded(steps):
    desk = play(Desk(), steps)
    standing = {each.subject for each in desk.alerts.alerts(active=True) if each.rule == "work_order_late"}
    for order in (*desk.book.orders(), *desk.book.recent()):
        step = order.arrival if order.clock == "arrival" else order.repair
        if step is not None and step.at <= order.due and not order.reopened and not _reprioritised(order):
            assert order.punctual in {"in_time", "unknown"}, order
        if order.state in {"closed", "cancelled", "followed_up"}:
            assert order.id not in standing
        if order.punctual in {"in_time", "none", "unknown"}:
            assert order.id not in standing
        if order.arrival is not None and order.arrival.proved is not None:
            assert order.arrival.proved >= order.reported or order.reopened
        if order.repair is not None and order.repair.proved is not None:
            assert order.arrival is not None
            assert order.repair.proved >= order.arrival.at


def _reprioritised(order: Any) -> bool:
    return any(step.action == "prioritise" for step in order.history)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_a_fault_has_one_unmended_order(steps):
    desk = play(Desk(), steps)
    unmended = [
        (order.rule, order.subject)
        for order in desk.book.orders()
        if order.rule is not None and order.state in {"reported", "assigned", "arrived"} and order.reopened == 0
    ]
    assert len(unmended) == len(set(unmended))


def test_memory_is_bounded_by_the_open_ones_and_the_last_thousand():
    desk = Desk()
    at = clock("12:00")
    for number in range(1100):
        order = desk.report(at + number * MINUTE, place="garage")
        desk.do(at + number * MINUTE, "cancel", order, why="twice")
    assert (len(desk.book.orders()), len(desk.book.recent())) == (0, 1000)
    assert len(desk.entries) == 2200
    state = desk.book.snapshot()
    assert len(state["register"]["closed"]) < 2_000_000


def test_an_alert_held_silent_opens_its_order_after_a_restart():
    desk = Desk()
    desk.fault("02:00", "parent_fault", "panel-1")
    desk.fault("02:01", "device_offline", "cam", caused_by="parent_fault:panel-1")
    desk.reborn().ends("02:20", "parent_fault", "panel-1").at("02:31")
    assert "device_offline" in {each.rule for each in desk.book.orders()}


def test_a_relapse_after_a_restart_is_rework():
    desk = Desk()
    first = desk.fault("02:00")
    desk.do("02:10", "arrive", first)
    desk.do("02:20", "repair", first)
    desk.ends("02:22").at("02:40").reborn()
    assert desk.order(desk.fault("+3 02:00")).rework_of == first


def test_who_carries_a_wand_is_known_after_a_restart():
    desk = Desk()
    order = desk.report("02:00", place="tower-1/f03")
    desk.do("02:05", "assign", order, to="m-liu")
    desk.tap("02:06", LIU, "wand").reborn().tap("02:10", WALL_F01, "wand")
    assert desk.order(order).state == "arrived"


def test_a_state_that_holds_no_taps_far_from_orders_and_no_strangers_is_taken_up():
    desk = Desk()
    order = desk.report("02:00", place="garage")
    desk.do("02:05", "assign", order, to="m-liu")
    state = {name: part for name, part in desk.book.snapshot().items() if name not in {"recent", "strangers"}}
    desk.book.restore(state)
    assert desk.tap("02:10", LIU).order(order).state == "arrived"


def test_a_state_that_does_not_say_who_was_sent_before_is_taken_up():
    desk = Desk()
    order = desk.report("22:00", place="garage", urgency="emergency")
    desk.do("22:05", "assign", order, to="m-liu")
    desk.at("22:31")
    state = desk.book.snapshot()
    (case,) = msgspec.json.decode(state["register"]["open"])
    for name in ("sent", "stopped", "earlier"):
        del case[name]
    state["register"]["open"] = msgspec.json.encode([case])
    desk.book = WorkOrders(desk.site, 0)
    desk.book.restore(state)
    assert desk.order(order).lateness.person == "m-liu"
    desk.do("22:35", "assign", order, to="g-wang")
    desk.tap("22:20", LIU, received="22:40")
    assert (desk.order(order).arrival.person, desk.order(order).punctual) == ("m-liu", "in_time")


def test_a_fault_that_comes_and_goes_for_ever_takes_no_more_room():
    desk = Desk()
    order = desk.fault("02:00")
    desk.do("02:01", "assign", order, to="m-liu")
    for number in range(60):
        at = clock("02:05") + number * 30 * MINUTE
        desk.ends(at).fault(at + 20 * MINUTE)
    assert desk.newest() == order
    assert len(desk.order(order).alerts) == 20
    assert desk.order(order).alerts[-1] == "circuit_fault/c-1/61"
    assert len(desk.order(order).history) == 60
    assert len(desk.book._register._by_alert) == 20
