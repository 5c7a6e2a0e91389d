"""Clocks, arrival proved by a tap, repair proved by the sensor; statement and proof stay apart."""

from __future__ import annotations

import msgspec
import pytest

from device_drivers.observations import TagRead
from gateway.books import BookOperation
from gateway.instants import MINUTE, Instant, moment
from gateway.judgement import Judgement
from gateway.site.model import WorkOrders
from gateway.work_orders.proofs import Points
from tests.work_orders.desk import LIU, WALL_F01, WALL_F06, WANG, Desk, clock, site


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    ("place", "points"),
    [
        ("garage", ("cp-garage",)),
        ("garage/b2", ("cp-garage",)),
        ("tower-1/f03", ("cp-f01", "cp-f06")),
        ("tower-1", ("cp-f01", "cp-f06")),
        ("tower-1/f06", ("cp-f06",)),
        ("annexe", ()),
        (None, ()),
    ],
)
def test_the_nearest_points_of_the_same_building_prove_an_arrival(place, points):
    assert Points(site()).near(place) == points


# Arrival


def test_a_technicians_tag_at_the_place_is_his_arrival(desk):
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.do("02:05", "assign", order, to="m-liu")
    desk.tap("02:20", LIU)
    came = desk.order(order)
    assert (came.state, came.arrival.person, came.arrival.point, came.arrival.device) == (
        "arrived",
        "m-liu",
        "cp-garage",
        "rdr",
    )
    assert f"{came.arrival.proved:%H:%M}" == "02:20"
    assert came.arrival.stated is None
    assert came.history[-1].by == "tap:rdr"


def test_another_persons_tag_proves_nothing(desk):
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.do("02:05", "assign", order, to="m-liu")
    desk.tap("02:20", WANG).tap("02:21", "FFFFFFFF")
    assert desk.order(order).state == "assigned"


def test_a_tap_before_the_assignment_moves_nothing_but_proves_a_statement(desk):
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.tap("02:02", LIU)
    desk.do("02:05", "assign", order, to="m-liu")
    assert desk.order(order).state == "assigned"
    came = desk.do("02:12", "arrive", order, at="02:03").arrival
    assert (f"{came.stated:%H:%M}", f"{came.proved:%H:%M}") == ("02:03", "02:02")


def test_a_statement_without_a_tap_is_only_stated(desk):
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.do("02:10", "arrive", order, by="chen", person="m-liu")
    came = desk.order(order).arrival
    assert (f"{came.stated:%H:%M}", came.stated_by, came.proved, came.person) == ("02:10", "chen", None, "m-liu")


@pytest.mark.parametrize(
    ("tap", "proved"), [("02:00", True), ("01:59:59", False), ("02:20", True), ("02:20:01", False)]
)
def test_a_tap_from_the_report_until_the_tolerance_after_the_statement_proves_it(desk, tap, proved):
    desk.at("01:00")
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.do("02:10", "arrive", order, person="m-liu")
    desk.tap(tap, LIU, received="02:30")
    assert (desk.order(order).arrival.proved is not None) is proved


def test_a_wand_docked_in_the_morning_proves_it_later(desk):
    order = desk.report("02:00", place="tower-1/f03", urgency="emergency")
    desk.do("02:05", "assign", order, to="m-liu")
    desk.at("02:31")
    assert desk.late() == {order: "open"}
    desk.tap("01:55", LIU, "wand", received="06:00")
    desk.tap("02:20", WALL_F06, "wand", received="06:00")
    came = desk.order(order)
    assert (came.state, f"{came.arrival.proved:%H:%M}", f"{came.arrival.received:%H:%M}") == (
        "arrived",
        "02:20",
        "06:00",
    )
    assert came.punctual == "in_time"
    assert desk.late() == {order: "retracted"}, "who was told that nobody came is told that it was not so"


def test_who_carried_the_wand_may_be_heard_after_what_it_read(desk):
    order = desk.report("02:00", place="tower-1/f03")
    desk.do("02:10", "arrive", order, person="m-liu")
    desk.tap("02:08", WALL_F01, "wand", received="06:00")
    assert desk.order(order).arrival.proved is None
    desk.tap("01:55", LIU, "wand", received="06:01")
    assert f"{desk.order(order).arrival.proved:%H:%M}" == "02:08"


def test_a_phone_names_its_person_itself(desk):
    order = desk.report("02:00", place="tower-1/f03")
    desk.do("02:05", "assign", order, to="m-liu")
    desk.tap("02:09", WALL_F01, "phone", person="m-liu")
    assert desk.order(order).state == "arrived"


def test_a_tap_proves_the_arrival_of_an_order_that_is_closed_by_then(desk):
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.do("02:10", "arrive", order, person="m-liu")
    desk.do("02:30", "repair", order)
    desk.do("02:40", "close", order, why="picture is back")
    desk.tap("02:41", LIU, received="06:00").tap("02:09", LIU, received="06:00")
    assert f"{desk.order(order).arrival.proved:%H:%M}" == "02:09"
    assert desk.order(order).state == "closed"


def test_a_read_cannot_be_later_than_its_receipt(desk):
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.do("02:05", "assign", order, to="m-liu")
    desk.tap("04:00", LIU, received="02:20")
    assert f"{desk.order(order).arrival.proved:%H:%M}" == "02:20"


def test_many_guards_at_a_reader_do_not_crowd_out_the_technician(desk):
    order = desk.report("02:00", place="garage")
    desk.tap("02:04", LIU)
    for minute in range(300):
        desk.tap(clock("02:05") + minute * MINUTE, WANG)
    desk.do("08:00", "arrive", order, at="02:03", person="m-liu")
    assert f"{desk.order(order).arrival.proved:%H:%M}" == "02:04"


@pytest.mark.parametrize(("device", "tags"), [("rdr", (LIU,)), ("wand", (LIU, WALL_F01))])
def test_a_card_that_is_enrolled_later_proves_who_came(device, tags):
    enrolled = site()
    liu = msgspec.structs.replace(enrolled.people["m-liu"], tags=())
    judged = Judgement(msgspec.structs.replace(enrolled, people=enrolled.people | {"m-liu": liu}), clock("12:00"))
    judged.advance(clock("02:00"))
    said = {"personal": "k", "place": "garage" if device == "rdr" else "tower-1/f01", "urgency": "emergency"}
    report = BookOperation(at=clock("02:00"), by="chen", book="work_order", action="report", details=said)
    order = judged.operate(report).id
    sent = BookOperation(
        at=clock("02:02"), by="chen", book="work_order", action="assign", subject=order, details={"to": "m-liu"}
    )
    judged.operate(sent)
    for number, tag in enumerate(tags):
        at = clock("02:15") + number * MINUTE
        judged.apply(TagRead(device=device, at=moment(at, enrolled.zone_info), tag=tag), at)
    judged.advance(clock("02:40"))
    late = f"work_order_late/{order}/1"
    assert judged.alerts.alert(late).state == "open"
    judged.resite(enrolled)
    came = judged.books["work_order"].order(order)
    assert (came.state, came.arrival.person, came.punctual) == ("arrived", "m-liu", "in_time")
    assert judged.alerts.alert(late).state == "retracted"
    assert came.history[-1] in [entry.item.history[-1] for entry in judged.drain().entries]


def test_cards_that_nobody_knows_do_not_crowd_out_the_technician(desk):
    order = desk.report("02:00", place="garage")
    desk.tap("02:04", LIU)
    for number in range(300):
        desk.tap(clock("02:05") + number * MINUTE, f"{number:08X}")
    desk.do("08:00", "arrive", order, at="02:03", person="m-liu")
    assert f"{desk.order(order).arrival.proved:%H:%M}" == "02:04"
    assert len(desk.book.snapshot()["strangers"]["cp-garage"]) < 30_000


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(
    ("device", "tags", "place"), [("rdr", (LIU,), "garage"), ("wand", (LIU, WALL_F01), "tower-1/f01")]
)
def test_a_tap_between_the_report_and_its_writing_down_proves_an_arrival(device, tags, place, restarts):
    desk = Desk(restarts=restarts)
    for number, tag in enumerate(tags):
        desk.tap(clock("22:09") + number * MINUTE, tag, device)
    order = desk.report("22:30", place=place, urgency="emergency", at="22:00")
    desk.do("22:31", "assign", order, to="m-liu")
    came = desk.do("22:45", "arrive", order, at="22:40")
    assert came.arrival.proved is not None
    assert came.punctual == "in_time"
    other = desk.report("22:50", place=place, urgency="emergency", at="22:11")
    desk.do("22:51", "assign", other, to="m-liu")
    assert desk.do("22:52", "arrive", other, at="22:40").arrival.proved is None, "it was before the report"


def test_of_taps_far_from_any_order_only_the_last_ones_of_technicians_are_kept(desk):
    for minute in range(2100):
        desk.tap(clock("12:00") + minute * MINUTE, LIU).tap(clock("12:00") + minute * MINUTE, WANG)
    state = msgspec.json.decode(desk.book.snapshot()["recent"])
    assert (len(state), {person for _, _, _, person, _ in state}) == (2000, {"m-liu"})


@pytest.mark.parametrize("said", ["02:35", "02:20"])
def test_a_proved_arrival_stays_proved_however_often_the_technician_taps_after_it(desk, said):
    order = desk.report("02:00", place="garage", urgency="emergency")
    desk.do("02:05", "assign", order, to="m-liu")
    desk.tap("02:20", LIU)
    desk.do("02:50", "arrive", order, at=said)
    for minute in range(40):
        desk.tap(clock("03:00") + minute * MINUTE, LIU)
    came = desk.order(order)
    assert (f"{came.arrival.proved:%H:%M}", came.punctual) == ("02:20", "in_time")
    assert "tap_withdrawn" not in [step.action for step in came.history]


# Repair


def test_a_repair_is_proved_by_the_end_that_the_sensor_sees(desk):
    order = desk.fault("02:00")
    desk.do("02:10", "arrive", order)
    desk.do("02:20", "repair", order)
    assert desk.order(order).repair.proved is None
    desk.ends("02:22")
    done = desk.order(order).repair
    assert (f"{done.stated:%H:%M}", f"{done.proved:%H:%M}", done.alert) == ("02:20", "02:22", "circuit_fault/c-1/1")
    desk.at("02:31:59")
    assert desk.order(order).state == "repaired"
    desk.at("02:32")
    assert desk.order(order).state == "closed", "the sensor has held it, there is nobody to ask"


def test_the_sensor_alone_proves_a_repair_that_nobody_recorded(desk):
    order = desk.fault("02:00")
    desk.do("02:10", "arrive", order)
    desk.ends("02:22").at("02:32")
    done = desk.order(order)
    assert (done.state, done.repair.stated, f"{done.repair.proved:%H:%M}") == ("repaired", None, "02:22")
    done = desk.do("03:00", "repair", order, at="02:21")
    assert (done.state, f"{done.repair.stated:%H:%M}", f"{done.repair.at:%H:%M}") == ("closed", "02:21", "02:21")


def test_an_end_that_comes_back_proves_nothing(desk):
    order = desk.fault("02:00")
    desk.do("02:10", "arrive", order)
    desk.do("02:20", "repair", order)
    desk.ends("02:22").fault("02:30")
    assert (desk.order(order).repair.proved, desk.order(order).fault) == (None, "standing")
    desk.at("02:49:59")
    assert not desk.order(order).repair.contradicted
    desk.at("02:50")
    assert desk.order(order).repair.contradicted


@pytest.mark.parametrize("why", ["expected on again", "disabled", "removed", "timeout", "operator", "rejudging"])
def test_an_end_that_no_sensor_saw_proves_no_repair(why):
    desk = Desk(restarts=True)
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.do("02:10", "arrive", order)
    desk.ends("02:22", "camera_impaired", "cam", why=why).at("03:00")
    found = desk.order(order)
    assert (found.state, found.repair, found.fault) == ("arrived", None, "ended_unseen")
    desk.do("03:10", "repair", order)
    done = desk.at("04:00").order(order)
    assert (done.state, done.repair.proved, done.repair.contradicted) == ("repaired", None, False), (
        "said, and not denied"
    )


def test_a_sensor_that_sees_the_fault_again_after_an_end_it_did_not_see_denies_the_repair(desk):
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.do("02:10", "arrive", order)
    desk.do("02:20", "repair", order)
    desk.ends("02:22", "camera_impaired", "cam", why="timeout").fault("02:25", "camera_impaired", "cam")
    desk.at("02:55")
    assert (desk.order(order).fault, desk.order(order).repair.contradicted) == ("standing", True)
    desk.ends("03:00", "camera_impaired", "cam", why="cleared")
    assert f"{desk.order(order).repair.proved:%H:%M}" == "03:00"


def test_an_end_that_no_sensor_saw_before_anybody_came_needs_nobody(desk):
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.ends("02:22", "camera_impaired", "cam", why="timeout").at("02:33")
    assert (desk.order(order).state, desk.order(order).reason) == ("cancelled", "ended_by_itself")


def test_a_lamp_that_burns_by_day_keeps_its_order_over_the_night_in_which_nobody_sees_it():
    desk = Desk(restarts=True)
    order = desk.fault("06:50", "schedule_fault")
    desk.ends("+1 17:00", "schedule_fault", why="expected on again").at("+1 18:00")
    night = desk.order(order)
    assert (night.state, night.fault, night.punctual) == ("reported", "ended_unseen", "none")
    assert desk.fault("+1 06:55", "schedule_fault") == order
    day = desk.at("+1 06:56").order(order)
    assert (day.fault, f"{day.due:%d %H:%M}", day.punctual) == ("standing", "28 06:50", "late")
    assert desk.late() == {order: "open"}


def test_a_lamp_that_burns_by_day_no_more_after_a_night_makes_nobody_late():
    desk = Desk(restarts=True)
    order = desk.fault("06:50", "schedule_fault")
    desk.ends("+1 17:00", "schedule_fault", why="expected on again").at("+5 12:00")
    assert (desk.order(order).state, desk.order(order).punctual, desk.late()) == ("reported", "none", {})


def test_who_comes_in_the_night_to_a_lamp_that_burns_by_day_is_awaited_until_its_repair():
    desk = Desk(restarts=True)
    order = desk.fault("06:50", "schedule_fault")
    desk.ends("+1 17:00", "schedule_fault", why="expected on again").do("+1 18:00", "arrive", order)
    assert (desk.order(order).fault, desk.order(order).repair) == ("ended_unseen", None)
    desk.fault("+1 06:45", "schedule_fault")
    desk.at("+1 06:51")
    assert desk.late() == {order: "open"}
    desk.ends("+1 07:00", "schedule_fault").at("+1 07:11")
    assert (desk.order(order).state, f"{desk.order(order).repair.proved:%H:%M}") == ("repaired", "07:00")


def test_a_repair_that_is_only_said_is_contradicted_by_its_sensor(desk):
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.do("02:10", "arrive", order)
    desk.do("02:20", "repair", order)
    desk.at("02:49:59")
    assert not desk.order(order).repair.contradicted
    desk.at("02:50")
    assert (desk.order(order).repair.contradicted, desk.order(order).punctual) == (True, "unknown")
    desk.ends("09:00", "camera_impaired", "cam")
    done = desk.order(order)
    assert (done.repair.contradicted, f"{done.repair.at:%H:%M}") == (False, "09:00"), (
        "it was not mended when it was said"
    )


def test_an_alert_closed_by_hand_speaks_no_more_against_a_repair(desk):
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.do("02:10", "arrive", order)
    desk.do("02:20", "repair", order)
    desk.on_alert("02:21", "resolve", "camera_impaired/cam/1").on_alert("02:22", "close", "camera_impaired/cam/1")
    desk.at("04:00")
    assert (desk.order(order).fault, desk.order(order).repair.contradicted) == ("closed_by_hand", False)


def test_an_alert_resolved_by_hand_is_no_proof_but_the_sensor_may_still_give_one(desk):
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.do("02:10", "arrive", order)
    desk.do("02:20", "repair", order)
    desk.on_alert("02:21", "resolve", "camera_impaired/cam/1")
    assert desk.order(order).repair.proved is None
    desk.ends("02:40", "camera_impaired", "cam")
    assert f"{desk.order(order).repair.proved:%H:%M}" == "02:40"


def test_a_disproved_alert_takes_its_order_away(desk):
    order = desk.fault("02:00")
    desk.ends("02:10", action="retract")
    assert (desk.order(order).state, desk.order(order).reason) == ("cancelled", "disproved")


# Clocks


def test_an_emergency_that_nobody_came_for_is_told_once_and_ends_with_the_arrival(desk):
    order = desk.fault("02:00")
    desk.at("02:30")
    assert desk.late() == {}
    desk.at("02:30:01")
    assert desk.late() == {order: "open"}
    assert desk.order(order).punctual == "late"
    desk.do("02:40", "arrive", order)
    assert desk.late() == {order: "resolved"}
    assert desk.order(order).punctual == "late"
    alert = desk.alerts.alert(f"work_order_late/{order}/1")
    assert alert.severity == "major"
    assert "02:30" in alert.message


def test_an_arrival_on_the_last_second_is_in_time(desk):
    order = desk.fault("02:00")
    desk.do("02:30", "arrive", order)
    assert (desk.order(order).punctual, desk.late()) == ("in_time", {})
    other = desk.fault("03:00", "parent_fault", "panel")
    desk.do("03:40", "arrive", other, at="03:30")
    assert desk.order(other).punctual == "in_time", "it was written down late; the alert told so meanwhile"


def test_an_ordinary_repair_is_due_in_a_day(desk):
    order = desk.report("09:00")
    desk.do("09:10", "arrive", order)
    desk.at("+1 09:01")
    assert desk.late() == {order: "open"}
    assert desk.alerts.alert(f"work_order_late/{order}/1").severity == "minor"
    desk.do("+1 10:00", "repair", order)
    assert (desk.late(), desk.order(order).punctual) == ({order: "resolved"}, "late")


@pytest.mark.parametrize("action", ["cancel", "prioritise"])
def test_a_late_order_that_is_cancelled_or_lowered_stays_late_but_rings_no_more(desk, action):
    order = desk.fault("02:00")
    desk.do("02:40", action, order, why="wrong floor", **({"urgency": "ordinary"} if action == "prioritise" else {}))
    assert desk.late() == {order: "resolved"}
    assert desk.order(order).punctual == "late"


def test_an_outage_at_the_due_time_accuses_nobody(desk):
    order = desk.fault("02:00")
    desk.down("02:25", "05:00")
    excused = desk.order(order)
    assert (f"{excused.due:%H:%M}", excused.excused, excused.punctual, desk.late()) == ("02:30", True, "running", {})
    desk.at("05:09:59")
    assert desk.late() == {}
    desk.do("05:09:59", "arrive", order)
    assert (desk.order(order).punctual, desk.late()) == ("unknown", {})


def test_an_arrival_in_the_outage_written_down_after_it_counts_as_it_was(desk):
    order = desk.fault("02:00")
    desk.down("02:05", "05:00")
    desk.do("05:03", "arrive", order, at="02:20")
    assert desk.order(order).punctual == "in_time"


def test_after_an_outage_an_order_is_not_forgotten(desk):
    order = desk.fault("02:00")
    desk.down("02:10", "05:00")
    desk.at("05:19:59")
    assert desk.late() == {}, "of its 30 min 20 were left"
    desk.at("05:21")
    assert (desk.late(), desk.order(order).punctual) == ({order: "open"}, "late")


def test_an_outage_before_the_due_time_excuses_nothing(desk):
    order = desk.fault("02:00")
    desk.down("02:05", "02:10")
    desk.at("02:31")
    assert (desk.late(), desk.order(order).excused) == ({order: "open"}, False)


def test_the_sensor_could_not_show_a_repair_during_an_outage(desk):
    order = desk.fault("02:00")
    desk.do("02:10", "arrive", order)
    desk.do("02:20", "repair", order)
    desk.down("02:40", "05:00")
    desk.at("05:29:59")
    assert not desk.order(order).repair.contradicted
    desk.at("05:30")
    assert desk.order(order).repair.contradicted


def test_a_fault_that_returns_before_anybody_came_starts_the_clock_again(desk):
    order = desk.fault("02:00")
    desk.do("02:01", "assign", order, to="m-liu")
    desk.ends("02:10")
    desk.fault("02:19")
    assert f"{desk.order(order).due:%H:%M}" == "02:49"
    desk.at("02:50")
    assert desk.late() == {order: "open"}


def test_a_late_order_opens_no_order(desk):
    order = desk.fault("02:00")
    desk.at("03:00")
    assert desk.states() == {order: "reported"}


def instants(desk: Desk) -> list[Instant]:
    return [entry.at for entry in desk.entries]


def test_rows_run_forward_and_each_holds_the_order_after_it(desk):
    order = desk.fault("02:00")
    desk.do("02:05", "assign", order, to="m-liu")
    desk.tap("02:20", WALL_F01, "wand").do("02:40", "arrive", order)
    desk.do("02:50", "repair", order)
    desk.ends("02:51").at("03:30")
    assert instants(desk) == sorted(instants(desk))
    assert desk.entries[-1].item == desk.order(order)
    assert [entry.state for entry in desk.entries][-1] == "closed"


def test_an_evidence_file_without_any_step_of_people_accuses_nobody():
    desk = Desk()
    desk.book.attended = False
    order = desk.fault("02:00")
    desk.at("03:00")
    assert (desk.late(), desk.order(order).punctual) == ({}, "running")
    other = desk.fault("03:00", "parent_fault", "panel")
    desk.do("03:01", "assign", other, to="m-liu")
    desk.at("04:00")
    assert desk.late() == {other: "open"}


def test_a_sensor_that_cannot_speak_contradicts_nobody(desk):
    order = desk.fault("02:00", "lamp_failure", "lamp-f03")
    desk.do("09:50", "arrive", order)
    desk.do("10:00", "repair", order)
    desk.mute.add("lamp-f03")
    desk.at("+1 17:20")
    assert not desk.order(order).repair.contradicted, "by day nobody sees whether a lamp burns"
    desk.mute.clear()
    desk.at("+1 17:59")
    assert not desk.order(order).repair.contradicted, "it has not had its 30 min yet"
    desk.at("+1 18:00")
    assert desk.order(order).repair.contradicted


def test_a_repair_by_day_that_the_evening_proves_was_made_when_it_was_said(desk):
    order = desk.fault("02:00", "lamp_failure", "lamp-f03")
    desk.do("09:50", "arrive", order)
    desk.do("10:00", "repair", order)
    desk.mute.add("lamp-f03")
    desk.at("+1 17:20").mute.clear()
    desk.ends("+1 17:31", "lamp_failure", "lamp-f03").at("+1 18:10")
    done = desk.order(order)
    assert (done.state, f"{done.repair.at:%H:%M}", f"{done.repair.proved:%H:%M}") == ("closed", "10:00", "17:31")


def test_an_end_in_the_moment_of_the_arrival_is_a_repair_one_before_it_is_not(desk):
    order = desk.fault("02:00")
    desk.do("02:01", "assign", order, to="m-liu")
    desk.ends("02:10")
    desk.do("02:15", "arrive", order, at="02:10")
    assert desk.order(order).fault == "ended"
    other = desk.fault("03:00", "parent_fault", "panel")
    desk.do("03:01", "assign", other, to="m-liu")
    desk.ends("03:09:59", "parent_fault", "panel")
    desk.do("03:15", "arrive", other, at="03:10")
    assert desk.order(other).fault == "ended_by_itself"


# Clocks that run no more


def lowered(desk: Desk, order: str) -> None:
    desk.do("22:45", "prioritise", order, urgency="ordinary", why="can wait")


def reopened(desk: Desk, order: str) -> None:
    desk.do("22:50", "arrive", order)
    desk.do("22:55", "repair", order)
    desk.do("23:00", "follow_up", order, content=False)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("change", [lowered, reopened])
def test_a_wand_docked_later_acquits_of_a_clock_that_runs_no_more(change, restarts):
    desk = Desk(restarts=restarts)
    order = desk.report("22:00", place="tower-1/f01", urgency="emergency")
    desk.do("22:05", "assign", order, to="m-liu")
    desk.at("22:40")
    assert desk.late() == {order: "open"}
    change(desk, order)
    assert desk.order(order).punctual == "late"
    desk.tap("22:00:10", LIU, "wand", received="23:20").tap("22:20", WALL_F01, "wand", received="23:20")
    assert desk.order(order).punctual == "running", "the clock that runs now"
    late = desk.alerts.alert(f"work_order_late/{order}/1")
    assert late is not None
    assert (late.state, late.history[-1].why) == ("closed", "proved_in_time"), (
        "whoever was told is told that it was not so"
    )
    assert desk.entries[-1].item == desk.order(order)


@pytest.mark.parametrize("change", [lowered, reopened])
def test_who_came_too_late_stays_late_after_the_clock_has_changed(desk, change):
    order = desk.report("22:00", place="tower-1/f01", urgency="emergency")
    desk.do("22:05", "assign", order, to="m-liu")
    desk.at("22:40")
    change(desk, order)
    desk.tap("22:00:10", LIU, "wand", received="23:20").tap("22:31", WALL_F01, "wand", received="23:20")
    assert desk.order(order).punctual == "late"
    assert desk.late() == {order: "closed"}


def test_what_is_proved_of_the_first_clock_takes_nothing_back_of_the_second(desk):
    order = desk.report("22:00", place="tower-1/f01", urgency="emergency")
    desk.do("22:05", "assign", order, to="m-liu")
    desk.at("22:40")
    reopened(desk, order)
    desk.do("23:05", "assign", order, to="m-liu")
    desk.at("23:40")
    desk.tap("22:00:10", LIU, "wand", received="06:00").tap("22:20", WALL_F01, "wand", received="06:00")
    found = {each.id: each.state for each in desk.alerts.alerts() if each.rule == "work_order_late"}
    assert found == {f"work_order_late/{order}/1": "closed", f"work_order_late/{order}/2": "open"}
    withdrawn = desk.alerts.alert(f"work_order_late/{order}/1")
    assert withdrawn is not None
    assert withdrawn.history[-1].why == "proved_in_time"
    assert desk.order(order).punctual == "late"


def test_of_an_order_that_is_reopened_for_ever_the_worst_cycle_is_not_forgotten():
    desk = Desk()
    order = desk.report("22:00", place="tower-1/f01", urgency="emergency")
    at = clock("22:31")
    for number in range(15):
        desk.do(at, "arrive", order, person="m-liu")
        desk.do(at, "repair", order)
        desk.do(at, "follow_up", order, content=False)
        at += MINUTE if number else 0
    assert desk.order(order).punctual == "late"
    assert len(desk.book._register.find(order).earlier) == 10


# Sent to another


def sent_twice(desk: Desk) -> str:
    """Liu is sent at 22:05; nobody knows of him at 22:35, and Wang is sent."""
    order = desk.report("22:00", place="tower-1/f01", urgency="emergency")
    desk.do("22:05", "assign", order, to="m-liu")
    desk.do("22:35", "assign", order, to="g-wang", why="liu does not answer")
    assert desk.late() == {order: "open"}
    return order


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("stated", [False, True])
def test_the_late_wand_of_who_was_sent_first_proves_that_he_came_in_his_time(stated, restarts):
    desk = Desk(restarts=restarts)
    order = sent_twice(desk)
    if stated:
        desk.do("22:46", "arrive", order, at="22:45")
        desk.tap("22:46", WALL_F01, "phone", person="g-wang", received="22:47")
    desk.tap("22:00:10", LIU, "wand", received="22:50").tap("22:20", WALL_F01, "wand", received="22:50")
    came = desk.order(order)
    assert (f"{came.arrival.at:%H:%M}", came.arrival.person, came.arrival.device) == ("22:20", "m-liu", "wand")
    assert (came.state, came.punctual, came.lateness) == ("arrived", "in_time", None)
    assert desk.late() == {order: "retracted"}


@pytest.mark.parametrize("tap", ["22:04", "22:36"])
def test_a_tap_of_his_before_or_after_the_time_in_which_he_was_sent_proves_nothing(desk, tap):
    order = sent_twice(desk)
    desk.do("22:46", "arrive", order, at="22:45")
    desk.tap("22:00:10", LIU, "wand", received="23:00").tap(tap, WALL_F01, "wand", received="23:00")
    assert (desk.order(order).arrival.proved, desk.order(order).punctual) == (None, "late")


def test_a_lateness_is_of_whoever_was_sent_when_it_fell_due(desk):
    order = sent_twice(desk)
    desk.do("22:46", "arrive", order, at="22:45")
    late = desk.order(order).lateness
    assert (late.step, f"{late.due:%H:%M}", f"{late.done:%H:%M}", late.person) == ("arrival", "22:30", "22:45", "m-liu")
    assert desk.order(order).assignee == "g-wang"


def test_a_lateness_is_nobodys_who_was_sent_after_it(desk):
    order = desk.report("22:00", place="tower-1/f01", urgency="emergency")
    desk.do("22:31", "assign", order, to="m-liu")
    late = desk.order(order).lateness
    assert (late.step, late.done, late.person) == ("arrival", None, None)


def test_a_lateness_stays_that_of_the_clock_that_ran_out(desk):
    order = sent_twice(desk)
    desk.do("22:40", "prioritise", order, urgency="ordinary", why="can wait")
    desk.do("22:46", "arrive", order, at="22:45")
    desk.do("23:00", "repair", order)
    late = desk.order(order).lateness
    assert (desk.order(order).clock, late.step, f"{late.due:%H:%M}", late.person) == (
        "repair",
        "arrival",
        "22:30",
        "m-liu",
    )


def test_the_alert_of_an_arrival_proved_in_time_ends_also_where_it_began_with_the_repair_that_was_late_before():
    desk = Desk(site(work_orders=WorkOrders(emergency_arrive_within=5 * MINUTE)))
    order = desk.fault("02:00", "camera_impaired", "cam")
    desk.do("02:05", "assign", order, to="m-liu")
    desk.do("+1 03:00", "prioritise", order, urgency="emergency", why="a thief was seen")
    desk.at("+1 03:06")
    assert desk.late() == {order: "open"}
    desk.tap("+1 03:04", LIU, received="+1 03:20")
    assert desk.late() == {order: "resolved"}
    assert (desk.order(order).punctual, desk.order(order).lateness.step) == ("late", "repair")
