"""The lifecycle table of alerts.md, row by row, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

import gateway.alerts
from gateway.alerts import lifecycle
from gateway.alerts.lifecycle import STATES, TABLE, Refused
from gateway.site.model import Alerting
from tests.alerts.watch import SITE, Watch

ID = "lamp_failure/lamp-1/1"


def watch_in(state: str) -> Watch:
    """A watch whose first alert is in `state`, at minute 0 or later."""
    watch = Watch().signal("raise")
    match state:
        case "acknowledged":
            watch.act("ack")
        case "in_progress":
            watch.act("start")
        case "resolved":
            watch.signal("resolve")
        case "closed":
            watch.signal("resolve").at(10)
        case "retracted":
            watch.signal("retract")
    assert watch.alert().state == state
    return watch


def states(watch: Watch) -> list[tuple[str | None, str]]:
    return [
        (row.transition.before, row.transition.after)
        for row in watch.rows
        if row.transition.before != row.transition.after
    ]


def test_the_readme_shows_the_diagram_of_the_table():
    page = (Path(gateway.alerts.__file__).parent / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"```mermaid\n(.*?)\n```", page, re.DOTALL)
    assert shown == [lifecycle.diagram()]


def test_each_trigger_leads_from_a_state_to_one_state():
    assert len({(row.before, row.trigger) for row in TABLE}) == len(TABLE)


def test_nothing_leaves_a_final_state():
    assert {row.after for row in TABLE if row.before == "closed"} == {"closed"}
    assert {row.after for row in TABLE if row.before == "retracted"} == {"retracted"}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ["ack", "start", "resolve", "close"])
def test_a_person_may_do_what_the_table_says_and_nothing_else(state, action):
    legal = {(row.before, row.trigger): row.after for row in TABLE if row.by == "person"}
    watch = watch_in(state)
    before, rows, notices = watch.alert(), len(watch.rows), len(watch.notices)
    if (state, action) in legal:
        assert watch.act(action, why="done").state == legal[state, action]
        assert watch.rows[-1].transition.by == "wang"
        return
    with pytest.raises(Refused) as caught:
        watch.act(action)
    assert caught.value.status == "illegal"
    assert state in caught.value.reason
    assert (watch.alert(), len(watch.rows), len(watch.notices)) == (before, rows, notices)


def test_an_unknown_alert_is_refused_as_unknown():
    with pytest.raises(Refused) as caught:
        Watch().act("ack")
    assert caught.value.status == "unknown"


def test_an_alert_is_found_by_rule_and_subject_its_last_occurrence():
    from gateway.alerts.alert import Operation

    watch = watch_in("closed").at(30).signal("raise")
    found = watch.book.operate(Operation(at=watch.now, by="w", action="ack", rule="lamp_failure", subject="lamp-1"))
    assert (found.id, found.occurrence) == ("lamp_failure/lamp-1/2", 2)


def test_the_id_is_rule_subject_and_occurrence():
    watch = Watch().signal("raise", rule="round_missed", subject="night@2026-11-22T23:00+08:00")
    assert watch.book.alerts()[0].id == "round_missed/night@2026-11-22T23:00+08:00/1"


def test_a_repeat_updates_and_writes_a_row_only_if_people_see_a_change():
    watch = Watch().signal("raise", details={"lux": 0.5}).at(1)
    rows = len(watch.rows)
    watch.signal("raise", details={"lux": 0.5})
    assert len(watch.rows) == rows
    assert watch.alert().updated > watch.alert().detected
    watch.at(2).signal("raise", details={"lux": 0.25})
    assert len(watch.rows) == rows + 1
    assert "0.25 lx" in watch.alert().message
    assert watch.alert().id == ID


def test_an_update_of_what_was_never_raised_changes_nothing():
    watch = Watch().signal("update").signal("resolve").signal("retract").signal("merge")
    assert watch.rows == []
    assert watch.book.alerts() == []


def test_again_within_ten_minutes_re_opens_the_same_alert():
    watch = watch_in("resolved").at(9.99).signal("raise")
    assert (watch.alert().state, watch.alert().occurrence) == ("open", 1)
    assert ("resolved", "open") in states(watch)


def test_again_after_ten_minutes_is_a_new_occurrence():
    watch = watch_in("resolved").at(10).signal("raise")
    assert watch.alert().state == "closed"
    assert watch.alert("lamp_failure/lamp-1/2").state == "open"


def test_an_end_the_sensor_saw_closes_ten_minutes_later():
    watch = watch_in("resolved").at(9.99)
    assert watch.alert().state == "resolved"
    watch.at(10)
    assert (watch.alert().state, watch.alert().history[-1].by) == ("closed", "clock")


def test_resolved_by_hand_waits_for_a_person_or_for_the_sensor():
    watch = watch_in("open")
    watch.act("resolve", why="bulb changed")
    assert watch.alert().history[-1].why == "bulb changed"
    watch.at(600)
    assert watch.alert().state == "resolved"
    watch.signal("resolve").at(610)
    assert watch.alert().state == "closed"


def test_resolved_by_hand_and_still_dark_half_an_hour_later_is_a_new_occurrence():
    watch = watch_in("open")
    watch.act("resolve", why="bulb changed")
    watch.at(30).signal("raise")
    assert [alert.state for alert in watch.book.alerts()] == ["open", "resolved"]


def test_an_acknowledgement_expires_after_thirty_minutes():
    watch = watch_in("acknowledged").at(29.99)
    assert watch.alert().state == "acknowledged"
    watch.at(30)
    assert watch.alert().state == "open"


def test_work_that_has_started_does_not_expire():
    watch = watch_in("in_progress").at(24 * 60)
    assert watch.alert().state == "in_progress"


def test_disproved_is_not_ended():
    watch = watch_in("resolved").signal("retract")
    assert watch.alert().state == "retracted"
    assert watch.at(60).alert().state == "retracted"


def test_what_is_disproved_after_closing_stays_closed_and_is_told_once():
    watch = watch_in("closed").signal("retract").signal("retract")
    assert watch.alert().state == "closed"
    assert watch.alert().history[-1].why == "disproved"
    assert watch.contacts("retracted") == ["control-room"]


def test_a_comment_changes_no_state_and_needs_a_text():
    watch = watch_in("open")
    assert watch.act("comment", why="rang the guard").state == "open"
    assert watch.alert().history[-1].why == "rang the guard"
    with pytest.raises(Refused):
        watch.act("comment", why="  ")


def test_raised_is_when_it_began_and_detected_when_it_was_found():
    watch = Watch().at(10)
    watch.signal("raise", raised=watch.now - 600_000_000)
    assert (watch.alert().detected - watch.alert().raised).total_seconds() == 600


def test_newest_first_and_active_only():
    watch = Watch().signal("raise", subject="a").at(1).signal("raise", subject="b").at(2).signal("raise", subject="c")
    watch.signal("resolve", subject="b")
    assert [alert.subject for alert in watch.book.alerts()] == ["c", "b", "a"]
    assert [alert.subject for alert in watch.book.alerts(active=True)] == ["c", "a"]


def test_who_was_told_is_told_that_it_was_disproved_however_much_happened_since():
    watch = Watch()
    watch.signal("raise", "round_missed", "r@1")
    watch.act("resolve", "round_missed/r@1/1", why="warned")
    watch.act("close", "round_missed/r@1/1", why="warned")
    for number in range(1200):
        watch.signal("raise", "device_offline", f"d-{number}").signal("resolve", "device_offline", f"d-{number}")
    watch.at(24 * 60).reborn()
    before = len(watch.notices)
    watch.signal("retract", "round_missed", "r@1")
    assert [each.kind for each in watch.notices[before:]] == ["retracted"]


def test_a_second_call_while_somebody_sees_to_the_first_is_told():
    watch = Watch()
    watch.signal("raise", "panic", "btn")
    watch.act("ack", "panic/btn/1")
    watch.act("start", "panic/btn/1")
    before = len(watch.notices)
    watch.at(0.2).signal("raise", "panic", "btn")
    assert len(watch.notices) == before, "a button that is pressed twice in a row"
    watch.at(180).signal("raise", "panic", "btn")
    assert [each.kind for each in watch.notices[before:]] == ["raised"]
    assert watch.alert("panic/btn/1").state == "in_progress"


def test_a_call_pressed_again_and_again_is_told_each_time_that_the_last_telling_is_a_minute_ago():
    watch = Watch().signal("raise", "panic", "btn")
    watch.act("ack", "panic/btn/1")
    watch.act("start", "panic/btn/1")
    told = []
    for press in range(1, 7):
        before = len(watch.notices)
        watch.at(press * 0.75).reborn().signal("raise", "panic", "btn")
        told.append([each.contact for each in watch.notices[before:]])
    assert told == [[], ["control-room"]] * 3


def test_a_call_that_comes_again_when_nobody_took_the_first_begins_its_escalation_anew():
    watch = Watch().signal("raise", "panic", "btn").at(200)
    assert watch.alert("panic/btn/1").exhausted
    before = len(watch.notices)
    watch.at(24 * 60).reborn().signal("raise", "panic", "btn")
    again = watch.alert("panic/btn/1")
    assert (again.exhausted, again.level, again.history[-2].why) == (False, 1, "called_again")
    watch.at(24 * 60 + 200)
    told = [each.contact for each in watch.notices[before:]]
    assert told == ["control-room", "captain", *["manager"] * 4]
    assert watch.alert("panic/btn/1").exhausted


def test_a_call_pressed_again_and_again_of_which_nobody_is_told_gets_one_row_a_minute():
    watch = Watch(replace(SITE, alerting=Alerting())).signal("raise", "panic", "btn")
    watch.act("start", "panic/btn/1")
    for press in range(1, 130):
        watch.at(press / 60).signal("raise", "panic", "btn")
    rows = [row.transition.why for row in watch.rows]
    assert rows.count("called_again") == 3
