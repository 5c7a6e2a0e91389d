"""Work orders: how they come to be, their way to the end, and what is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.alerts.lifecycle import Refused
from gateway.books import BookOperation
from gateway.work_orders.lifecycle import STATES, TABLE, after, diagram
from tests.work_orders.desk import LIU, WALL_F01, Desk

README = Path(__file__).parents[2] / "gateway/work_orders/README.md"


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_readme_shows_the_diagram_of_the_table():
    assert f"```mermaid\n{diagram()}\n```" in README.read_text(encoding="utf-8")


def test_every_state_but_the_first_is_reached_and_the_last_ones_are_never_left():
    assert {row.after for row in TABLE} == set(STATES)
    assert {row.after for row in TABLE if row.before in {"closed", "cancelled"}} == {"closed", "cancelled"}


def test_an_alert_opens_an_order_as_its_rule_says(desk):
    order = desk.order(desk.fault("02:00"))
    assert (order.id, order.state, order.urgency, order.source) == ("20261127-001", "reported", "emergency", "rule")
    assert (order.rule, order.subject, order.place) == ("circuit_fault", "c-1", "tower-1")
    assert order.alerts == ("circuit_fault/c-1/1",)
    assert f"{order.due:%H:%M}" == "02:30"
    ordinary = desk.order(desk.fault("02:05", "camera_impaired", "cam"))
    assert (ordinary.urgency, ordinary.place, f"{ordinary.due:%d %H:%M}") == ("ordinary", "garage/b2", "28 02:05")


def test_the_site_may_say_that_a_rule_opens_none(desk):
    assert desk.fault("02:00", "day_burner", "lamp-f01") == ""
    assert desk.fault("02:00", "round_missed", "night") == ""


def test_numbers_run_by_the_sites_day(desk):
    numbers = [desk.report("23:59"), desk.report("00:00"), desk.report("00:01"), desk.report("+1 09:00")]
    assert numbers == ["20261126-001", "20261127-001", "20261127-002", "20261128-001"]


def test_one_order_a_fault_not_one_an_alert(desk):
    first = desk.fault("02:00")
    desk.ends("02:02").fault("02:05")
    assert desk.states() == {first: "reported"}
    desk.do("02:06", "assign", first, to="m-liu")
    desk.ends("02:10").at("02:30")
    assert desk.fault("02:40") == first, "a new occurrence of a fault that nobody has mended"
    assert desk.order(first).alerts == ("circuit_fault/c-1/1", "circuit_fault/c-1/2")
    assert desk.order(first).fault == "standing"


def test_a_suppressed_alert_opens_none_until_it_speaks(desk):
    desk.fault("02:00", "parent_fault", "panel-1")
    desk.fault("02:01", "device_offline", "cam", caused_by="parent_fault:panel-1")
    assert [each.rule for each in desk.book.orders()] == ["parent_fault"]
    desk.ends("02:20", "parent_fault", "panel-1").at("02:31")
    assert "device_offline" in {each.rule for each in desk.book.orders()}


def test_a_merged_alerts_order_goes_into_its_causes(desk):
    lamp = desk.fault("02:00", "lamp_failure", "lamp-f03")
    desk.signal("merge", "lamp_failure", "lamp-f03", "02:05", caused_by="circuit_fault:c-1")
    assert (desk.order(lamp).state, desk.order(lamp).reason) == ("cancelled", "merged")
    assert desk.order(lamp).merged_into == "circuit_fault/c-1/1"
    circuit = desk.fault("02:05")
    assert desk.order(circuit).joined == (lamp,)
    assert desk.order(lamp).merged_into == circuit
    other = desk.fault("02:06", "lamp_failure", "lamp-f06")
    desk.signal("merge", "lamp_failure", "lamp-f06", "02:07", caused_by="circuit_fault:c-1")
    assert (desk.order(other).merged_into, desk.order(circuit).joined) == (circuit, (lamp, other))


def test_an_order_that_somebody_came_for_is_not_taken_away(desk):
    lamp = desk.fault("02:00", "lamp_failure", "lamp-f03")
    desk.do("02:04", "arrive", lamp)
    desk.signal("merge", "lamp_failure", "lamp-f03", "02:05", caused_by="circuit_fault:c-1")
    assert (desk.order(lamp).state, desk.order(lamp).fault) == ("arrived", "merged")


@pytest.mark.parametrize("mended", [False, True])
def test_an_order_whose_fault_stands_by_itself_again_is_part_of_no_other(desk, mended):
    lamp = desk.fault("02:00", "lamp_failure", "lamp-f03")
    desk.do("02:04", "arrive", lamp)
    if mended:
        desk.do("02:05", "repair", lamp)
    desk.signal("raise", "lamp_failure", "lamp-f03", "02:06", caused_by="circuit_fault:c-1")
    assert (desk.order(lamp).fault, desk.order(lamp).merged_into) == ("merged", "circuit_fault/c-1/1")
    desk.at("02:30")
    assert (desk.order(lamp).fault, desk.order(lamp).merged_into) == ("standing", None)
    circuit = desk.fault("02:40")
    assert desk.order(circuit).joined == ()


def test_a_restarting_gateway_takes_no_order_away(desk):
    order = desk.fault("02:00", "camera_offline", "cam")
    desk.fault("02:01", "gateway_restarting", "riverside")
    desk.fault("02:02", "camera_offline", "cam")
    assert desk.order(order).state == "reported"


def test_what_ends_by_itself_before_anybody_was_sent_is_cancelled_once_the_sensor_has_held_it(desk):
    order = desk.fault("02:00")
    desk.ends("02:04")
    assert (desk.order(order).state, desk.order(order).fault) == ("reported", "ended_by_itself")
    desk.at("02:13:59")
    assert desk.order(order).state == "reported"
    desk.at("02:14")
    assert (desk.order(order).state, desk.order(order).reason) == ("cancelled", "ended_by_itself")
    assert desk.order(order).punctual == "none"


def test_somebody_who_was_sent_decides_himself_about_a_fault_that_ended(desk):
    order = desk.fault("02:00")
    desk.do("02:03", "assign", order, to="m-liu")
    desk.ends("02:04").at("03:00")
    assert (desk.order(order).state, desk.order(order).fault, desk.late()) == ("assigned", "ended_by_itself", {})
    desk.do("03:00", "arrive", order)
    desk.do("03:05", "repair", order)
    assert desk.order(order).repair.proved is None
    assert desk.order(order).fault == "ended_by_itself"


def test_a_report_goes_its_whole_way_with_time_and_person(desk):
    order = desk.report("09:00", area="everyday")
    desk.do("09:05", "assign", order, to="m-liu", by="chen")
    desk.do("09:30", "arrive", order, by="m-liu")
    desk.do("10:00", "repair", order, by="m-liu", why="fuse replaced")
    desk.do("+1 10:00", "follow_up", order, content=True, personal="k2", by="lin")
    desk.do("+1 10:01", "close", order, by="lin")
    done = desk.order(order)
    assert [(f"{step.at:%d %H:%M}", step.before, step.after, step.by, step.why) for step in done.history] == [
        ("27 09:00", None, "reported", "chen", ""),
        ("27 09:05", "reported", "assigned", "chen", "m-liu"),
        ("27 09:30", "assigned", "arrived", "m-liu", ""),
        ("27 10:00", "arrived", "repaired", "m-liu", "fuse replaced"),
        ("28 10:00", "repaired", "followed_up", "lin", ""),
        ("28 10:01", "followed_up", "closed", "lin", ""),
    ]
    assert (done.owner, done.personal, done.punctual) == ("chen", "k1", "in_time")
    assert (done.follow_ups[0].by, done.follow_ups[0].content, done.follow_ups[0].personal) == ("lin", True, "k2")


def test_whoever_acts_first_owns_an_order_to_the_end(desk):
    order = desk.fault("02:00")
    assert desk.order(order).owner is None
    desk.do("02:01", "assign", order, to="m-liu", by="chen")
    desk.do("02:20", "arrive", order, by="m-liu")
    assert desk.order(order).owner == "chen"


REFUSED = [
    ("assign", {"to": "m-liu"}, "closed"),
    ("arrive", {}, "repaired"),
    ("repair", {}, "reported"),
    ("repair", {}, "assigned"),
    ("follow_up", {"content": True}, "arrived"),
    ("close", {}, "arrived"),
    ("cancel", {}, "repaired"),
    ("prioritise", {"urgency": "emergency"}, "repaired"),
    ("verify", {}, "arrived"),
    ("explode", {}, "reported"),
    ("assign", {}, "reported"),
    ("assign", {"to": " "}, "reported"),
    ("assign", {"to": "m-liu", "phone": "139"}, "reported"),
    ("cancel", {}, "reported"),
    ("comment", {}, "reported"),
    ("arrive", {"at": "03:00"}, "reported"),
    ("arrive", {"at": "01:00"}, "reported"),
    ("repair", {"at": "02:05"}, "arrived"),
    ("arrive", {}, "arrived"),
    ("repair", {}, "repaired"),
    ("close", {}, "repaired"),
    ("verify", {}, "repaired"),
    ("prioritise", {"urgency": "ordinary"}, "reported"),
    ("prioritise", {"urgency": "at once"}, "reported"),
]


def brought_to(desk: Desk, state: str) -> str:
    order = desk.report("02:00")
    steps = {"assigned": ("assign", {"to": "m-liu"}), "arrived": ("arrive", {}), "repaired": ("repair", {}), "closed": ("close", {"why": "x"})}  # fmt: skip
    for name, (action, details) in steps.items():
        if state == "reported":
            break
        if name == "closed":
            desk.do("02:25", "follow_up", order, content=True)
        desk.do("02:10", action, order, **details)
        if name == state:
            break
    return order


@pytest.mark.parametrize(("action", "details", "state"), REFUSED)
def test_what_may_not_be_is_refused_and_changes_nothing(desk, action, details, state):
    order = brought_to(desk, state)
    assert desk.order(order).state == state
    before, told = desk.book.snapshot(), len(desk.entries)
    with pytest.raises(Refused):
        desk.do("02:30", action, order, **details)
    after_it = desk.book.snapshot()
    assert {**before, "now": 0} == {**after_it, "now": 0}
    assert len(desk.entries) == told


def test_an_unknown_order_place_or_earlier_order_is_told_apart(desk):
    for action, details in (("assign", {"to": "x"}), ("report", {"personal": "k", "place": "moon"}), ("report", {"personal": "k", "again_of": "20260101-001"})):  # fmt: skip
        with pytest.raises(Refused) as refusal:
            desk.do("02:00", action, None if action == "report" else "20260101-001", **details)
        assert refusal.value.status == "unknown"


@pytest.mark.parametrize(("state", "trigger"), [(None, "assign"), ("closed", "cancel"), ("cancelled", "arrive")])
def test_the_table_refuses_in_words(state, trigger):
    with pytest.raises(Refused, match="the work order is"):
        after(state, trigger)


def test_an_order_by_hand_of_an_alert_without_one(desk):
    desk.fault("02:00", "round_missed", "night")
    said = {"alert": "round_missed/night/1", "rule": "round_missed", "subject": "night", "what": "整轮无打点"}
    order = desk.do("02:10", "open", urgency="emergency", place="garage", **said)
    assert (order.source, order.owner, order.fault, order.place) == ("alert", "chen", "standing", "garage")
    with pytest.raises(Refused, match=order.id):
        desk.do("02:11", "open", **said)


def test_no_second_order_is_opened_of_an_alert_whose_first_one_is_not_over(desk):
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.do("02:10", "arrive", order)
    desk.do("02:15", "repair", order)
    details = {"alert": "camera_impaired/cam/1", "rule": "camera_impaired", "subject": "cam", "standing": True}
    with pytest.raises(Refused, match=order):
        desk.do("02:16", "open", None, **details)
    desk.ends("02:20", "camera_impaired", "cam").at("02:30")
    assert (desk.order(order).state, desk.order(order).reworked) == ("closed", False)
    assert desk.do("02:40", "open", None, **details).id != order


def test_what_the_builder_repaired_is_looked_at_before_it_is_called_good(desk):
    order = desk.report("09:00", area="warranty")
    desk.do("09:10", "assign", order, to="builder")
    desk.do("09:40", "arrive", order, person="builder")
    desk.do("10:00", "repair", order)
    with pytest.raises(Refused, match="own engineer"):
        desk.do("10:30", "follow_up", order, content=True)
    desk.do("10:40", "verify", order, by="m-liu")
    assert desk.order(order).verified.by == "m-liu"
    assert desk.do("10:50", "follow_up", order, content=True).state == "followed_up"


def test_not_content_reopens_and_the_clock_begins_anew(desk):
    order = brought_to(desk, "repaired")
    again = desk.do("08:00", "follow_up", order, content=False, personal="k9")
    assert (again.state, again.reopened, again.assignee, again.arrival, again.repair) == (
        "reopened",
        1,
        None,
        None,
        None,
    )
    assert f"{again.due:%d %H:%M}" == "28 08:00"
    desk.do("09:00", "assign", order, to="m-liu")
    desk.do("09:30", "arrive", order)
    assert desk.do("10:00", "repair", order).state == "repaired"


def test_nobody_reached_is_recorded_and_allows_closing_with_a_reason(desk):
    order = brought_to(desk, "repaired")
    with pytest.raises(Refused, match="ask the reporter"):
        desk.do("08:00", "close", order, why="done")
    assert desk.do("08:00", "follow_up", order, content=None).state == "repaired"
    with pytest.raises(Refused, match="with a reason"):
        desk.do("08:01", "close", order)
    assert desk.do("08:01", "close", order, why="called three times").state == "closed"


def test_a_follow_up_is_due_a_day_after_the_repair_of_a_report(desk):
    order = brought_to(desk, "repaired")
    assert f"{desk.order(order).follow_up_due:%d %H:%M}" == "28 02:10"
    circuit = desk.fault("03:00")
    desk.do("03:05", "arrive", circuit)
    assert desk.do("03:10", "repair", circuit).follow_up_due is None


def test_the_same_fault_within_seven_days_of_the_repair_is_rework(desk):
    first = desk.fault("02:00")
    desk.do("02:10", "arrive", first)
    desk.do("02:20", "repair", first)
    desk.ends("02:22").at("02:40")
    assert desk.order(first).state == "closed"
    second = desk.fault("+7 02:20")
    assert (desk.order(second).rework_of, desk.order(first).reworked_by) == (first, second)
    desk.do("+7 02:30", "arrive", second)
    desk.do("+7 02:40", "repair", second)
    desk.ends("+7 02:41").at("+7 03:00")
    third = desk.fault("+14 02:40:01")
    assert desk.order(third).rework_of is None


def brought_home(desk):
    order = desk.fault("02:00")
    desk.do("02:10", "arrive", order)
    desk.do("02:20", "repair", order)
    desk.ends("02:22").at("02:40")
    return order


def test_a_late_tap_at_an_earlier_order_leaves_the_last_repair_the_last(desk):
    desk.report("01:00", place="tower-1/f01")
    first = desk.fault("02:00", "lamp_failure", "lamp-f01")
    desk.do("02:10", "arrive", first, person="m-liu")
    desk.do("02:20", "repair", first)
    desk.ends("02:22", "lamp_failure", "lamp-f01").at("02:40")
    second = desk.fault("+6 02:00", "lamp_failure", "lamp-f01")
    desk.do("+6 02:10", "arrive", second)
    desk.do("+6 02:20", "repair", second)
    desk.ends("+6 02:22", "lamp_failure", "lamp-f01").at("+6 02:40")
    desk.tap("02:01", LIU, "wand", received="+6 03:00").tap("02:10", WALL_F01, "wand", received="+6 03:00")
    assert desk.order(first).arrival.proved is not None
    assert desk.order(desk.fault("+8 02:00", "lamp_failure", "lamp-f01")).rework_of == second


@pytest.mark.parametrize("how", ["retract", "merge"])
def test_what_never_came_back_is_no_rework(desk, how):
    first = brought_home(desk)
    second = desk.fault("+3 02:00")
    assert desk.order(first).reworked
    cause = {"caused_by": "parent_fault:panel-1"} if how == "merge" else {}
    desk.signal(how, "circuit_fault", "c-1", "+3 02:10", **cause)
    assert desk.order(second).state == "cancelled"
    assert (desk.order(first).reworked, desk.order(first).reworked_by, desk.order(second).rework_of) == (
        False,
        None,
        None,
    )
    third = desk.fault("+4 02:00")
    assert (desk.order(first).reworked_by, desk.order(third).rework_of) == (third, first)


@pytest.mark.parametrize("how", ["retract", "merge"])
def test_what_is_no_rework_after_all_stands_so_in_the_journal_too(desk, how):
    brought_home(desk)
    order = desk.fault("+3 02:00")
    desk.signal(how, "circuit_fault", "c-1", "+3 02:10", caused_by="parent_fault:panel-1" if how == "merge" else None)
    assert [entry.item for entry in desk.entries if entry.id == order][-1] == desk.order(order)


def test_a_fault_that_is_disproved_after_its_order_was_closed_counts_against_nobody(desk):
    order = desk.fault("01:00")
    desk.do("01:40", "arrive", order)
    desk.do("01:45", "repair", order)
    desk.ends("01:45").at("02:00")
    assert (desk.order(order).state, desk.order(order).punctual) == ("closed", "late")
    desk.signal("retract", "circuit_fault", "c-1", "09:00")
    assert (desk.order(order).state, desk.order(order).fault) == ("closed", "disproved")
    assert desk.order(desk.fault("+2 01:00")).rework_of is None, "there was nothing that could come back"


def test_a_resident_who_reports_the_same_again_is_linked_by_the_desk(desk):
    first = brought_to(desk, "repaired")
    assert desk.order(desk.report("+3 09:00", again_of=first)).rework_of == first
    assert desk.order(desk.report("+8 09:00", again_of=first)).rework_of is None


def test_a_fault_of_another_subject_is_no_rework(desk):
    first = desk.fault("02:00", "lamp_failure", "lamp-f01")
    desk.do("02:10", "arrive", first)
    desk.do("02:20", "repair", first)
    assert desk.order(desk.fault("03:00", "lamp_failure", "lamp-f03")).rework_of is None


def test_urgency_can_be_raised_and_the_new_clock_begins_then(desk):
    order = desk.report("09:00")
    raised = desk.do("11:00", "prioritise", order, urgency="emergency", why="water comes through the ceiling")
    assert (raised.clock, f"{raised.due:%H:%M}") == ("arrival", "11:30")
    lowered = desk.do("11:10", "prioritise", order, urgency="ordinary", why="tap is shut")
    assert (lowered.clock, f"{lowered.due:%d %H:%M}") == ("repair", "28 09:00")


@pytest.mark.parametrize("agreed", ["9999-12-31T23:59:59Z", "2027-11-27T09:00:00.000001+08:00"])
def test_a_time_agreed_that_no_calendar_reaches_is_refused_and_changes_nothing(desk, agreed):
    desk.at("09:00")
    before = desk.book.snapshot()
    report = BookOperation(
        at=desk.now, by="chen", book="work_order", action="report", subject=None,
        details={"personal": "k1", "agreed": agreed},
    )  # fmt: skip
    with pytest.raises(Refused, match="within 365 days"):
        desk.book.operate(report)
    assert (desk.book.snapshot(), desk.book.orders()) == (before, [])
    year = {"personal": "k1", "agreed": "2027-11-27T09:00:00+08:00"}
    desk.book.operate(msgspec.structs.replace(report, details=year))


def test_what_becomes_an_emergency_does_not_wait_for_the_time_agreed(desk):
    order = desk.report("09:00", agreed="+2 10:00")
    raised = desk.do("11:00", "prioritise", order, urgency="emergency", why="water comes through the ceiling")
    assert f"{raised.due:%d %H:%M}" == "27 11:30"
    desk.at("11:31")
    assert desk.late() == {order: "open"}
    other = desk.report("12:00", agreed="+2 10:00")
    desk.do("12:01", "prioritise", other, urgency="emergency", why="water comes through the ceiling")
    lowered = desk.do("12:02", "prioritise", other, urgency="ordinary", why="another flat")
    assert f"{lowered.due:%d %H:%M}" == "30 10:00", "he is not at home before"


def test_the_time_agreed_with_the_resident_moves_the_clock(desk):
    order = desk.report("09:00", agreed="+2 10:00")
    assert f"{desk.order(order).due:%d %H:%M}" == "30 10:00"


def taken_up(desk: Desk, order: str, when: str) -> Desk:
    """Another desk, whose book has the order as it was shown last, from the journal alone."""
    other = Desk(desk.site).at(when)
    other.book.take_up(desk.order(order))
    return other


def reopened(desk: Desk) -> str:
    """An order whose first cycle was late, through m-liu; reopened at 02:00, and due again at 02:30."""
    order = desk.report("00:00", urgency="emergency")
    desk.do("00:05", "assign", order, to="m-liu")
    desk.do("01:00", "arrive", order)
    desk.do("01:10", "repair", order)
    desk.do("02:00", "follow_up", order, content=False)
    return order


def test_an_order_taken_up_from_the_journal_holds_nobody_late_for_a_clock_that_still_runs():
    desk = Desk()
    order = reopened(desk)
    desk.do("02:01", "assign", order, to="g-wang")
    other = taken_up(desk, order, "02:05")
    assert other.order(order).lateness == desk.order(order).lateness
    assert other.order(order).lateness.person == "m-liu"
    for each in (desk, other):
        each.do("02:20", "arrive", order)
        each.do("02:25", "repair", order)
        each.do("03:00", "follow_up", order, content=True)
        done = each.do("03:01", "close", order)
        assert (done.punctual, done.lateness.person, f"{done.lateness.due:%H:%M}") == ("late", "m-liu", "00:30")


def test_an_order_taken_up_from_the_journal_is_late_when_its_own_clock_runs_out():
    desk = Desk()
    order = desk.report("00:00", urgency="emergency")
    desk.do("00:05", "assign", order, to="m-liu")
    other = taken_up(desk, order, "00:10")
    assert (other.order(order).punctual, other.late()) == ("running", {})
    other.at("00:31")
    assert (other.order(order).lateness.person, other.late()) == ("m-liu", {order: "open"})
    again = taken_up(other, order, "00:40").at("01:30")
    assert again.order(order).lateness == other.order(order).lateness


def test_whoever_was_sent_before_an_order_was_reopened_answers_for_nothing_after_it_was_taken_up():
    desk = Desk()
    order = desk.report("00:00", urgency="emergency")
    desk.do("00:05", "assign", order, to="m-liu")
    desk.do("00:20", "arrive", order)
    desk.do("00:30", "repair", order)
    desk.do("02:00", "follow_up", order, content=False)
    desk.do("02:40", "assign", order, to="g-wang")
    assert (desk.order(order).punctual, desk.order(order).lateness.person) == ("late", None)
    assert taken_up(desk, order, "02:45").order(order).lateness == desk.order(order).lateness


def test_a_tap_before_an_order_was_reopened_proves_nothing_after_it_was_taken_up():
    desk = Desk()
    order = reopened(desk)
    desk.do("02:01", "assign", order, to="m-liu")
    other = taken_up(desk, order, "02:05")
    for each in (desk, other):
        each.tap("00:58", LIU, "wand", received="02:06").tap("00:59", WALL_F01, "wand", received="02:06")
        assert each.order(order).state == "assigned"


def test_what_an_engineer_saw_is_kept_when_an_order_is_taken_up():
    desk = Desk()
    order = desk.report("00:00", area="warranty")
    desk.do("00:05", "arrive", order)
    desk.do("00:10", "repair", order)
    desk.do("00:20", "verify", order)
    assert taken_up(desk, order, "00:30").order(order).verified == desk.order(order).verified


@pytest.mark.parametrize(("late_tap", "punctual"), [(False, "late"), (True, "in_time")])
def test_a_wand_docked_after_an_order_was_taken_up_acquits_of_a_clock_before_the_one_that_runs(late_tap, punctual):
    desk = Desk()
    order = reopened(desk)
    desk.do("02:01", "assign", order, to="m-liu")
    other = taken_up(desk, order, "02:05")
    for each in (desk, other):
        if late_tap:
            each.tap("00:18", LIU, "wand", received="02:06").tap("00:19", WALL_F01, "wand", received="02:06")
        each.do("02:20", "arrive", order)
        each.do("02:25", "repair", order)
        assert each.order(order).punctual == punctual
