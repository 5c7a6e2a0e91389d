"""Reminders of lasting camera faults (cameras.md, Alerts: at 1 h and 1 day), told by the book of alerts."""

from __future__ import annotations

import pytest

from gateway.alerts.catalogue import CATALOGUE, rule_of
from gateway.instants import DAY, HOUR, MINUTE
from tests.alerts.watch import T0, Watch

CAMERA = "camera_offline/cam-1/1"
LOST = ("camera_offline", "cam-1")


def reminders(watch: Watch) -> list[tuple[float, str]]:
    """(minute, whom) of every reminder; the times are those of the history's rows, as a notice gathers for some seconds."""
    rows = [row for row in watch.rows if row.transition.why.startswith("reminder")]
    at = [round((row.transition.at.timestamp() * 1e6 - T0) / MINUTE) for row in rows]
    notices = [notice for notice in watch.notices if notice.kind == "reminder"]
    keys = dict.fromkeys(notice.key.rpartition("/")[0] for notice in notices)
    assert len(keys) == len(at)
    return [
        (minute, notice.contact)
        for minute, key in zip(at, keys, strict=True)
        for notice in notices
        if notice.key.rpartition("/")[0] == key
    ]


def lost() -> Watch:
    return Watch().signal("raise", *LOST, raised=T0 - 5 * MINUTE)


def test_whoever_was_told_is_reminded_once_at_1_h_and_once_at_1_day():
    everybody = ["control-room", "captain", "manager"]
    assert reminders(lost().at(59.9)) == []
    assert reminders(lost().at(60)) == [(60, who) for who in everybody]
    assert reminders(lost().at(3 * 1440)) == [(at, who) for at in (60, 1440) for who in everybody]


@pytest.mark.parametrize("rule", ["camera_offline", "camera_impaired", "recording_stopped", "zone_blind"])
def test_alerts_of_cameras_are_reminded_of(rule):
    watch = Watch().signal("raise", rule, "cam-1").at(2 * 1440)
    assert {minute for minute, _ in reminders(watch)} == {60, 1440}


def test_other_alerts_are_not_reminded_of():
    assert reminders(Watch().signal("raise").at(3 * 1440)) == []


def test_only_those_who_were_told_are_reminded():
    watch = lost().at(5)
    watch.act("start", CAMERA)
    assert reminders(watch.at(2 * 1440)) == [(60, "control-room"), (1440, "control-room")]


def test_an_acknowledged_alert_is_reminded_of_too():
    watch = lost().at(40)
    watch.act("ack", CAMERA)
    watch.at(60)
    assert watch.alert(CAMERA).state == "acknowledged"
    assert [minute for minute, _ in reminders(watch)] == [60, 60, 60]
    assert "已确认" in watch.notices[-1].body


@pytest.mark.parametrize("action", ["resolve", "retract", "merge"])
def test_nobody_is_reminded_of_what_is_over(action):
    assert reminders(lost().at(50).signal(action, *LOST).at(3 * 1440)) == []


def test_nobody_is_reminded_of_what_was_resolved_by_hand():
    watch = lost().at(50)
    watch.act("resolve", CAMERA, why="repaired")
    assert reminders(watch.at(3 * 1440)) == []


def test_once_it_opens_again_the_hour_begins_anew():
    watch = lost().at(50).signal("resolve", *LOST).at(55).signal("raise", *LOST)
    assert [minute for minute, who in reminders(watch.at(300)) if who == "control-room"] == [115]


def test_a_restart_of_the_process_repeats_no_reminder():
    watch = lost().at(60).reborn().at(3 * 1440)
    assert [minute for minute, who in reminders(watch) if who == "captain"] == [60, 1440]


def test_after_an_outage_one_reminder_stands_for_all_that_were_missed():
    watch = lost().at(1).down_until(2 * 1440)
    assert reminders(watch) == [(2880, "control-room")]
    assert [notice.contact for notice in watch.notices if notice.kind == "escalated"] == ["captain"]
    assert reminders(watch.at(5 * 1440)) == [(2880, "control-room")]


def test_an_outage_over_the_first_reminder_leaves_the_second_at_its_time():
    watch = lost().at(50).down_until(90).at(3 * 1440)
    assert sorted({minute for minute, _ in reminders(watch)}) == [90, 1440]


def test_whoever_hears_of_the_next_step_at_that_moment_is_not_reminded_besides():
    watch = lost().at(35).down_until(70)
    told = [(notice.contact, notice.kind) for notice in watch.notices if notice.kind in {"escalated", "reminder"}][-3:]
    assert told == [("manager", "escalated"), ("control-room", "reminder"), ("captain", "reminder")]


def test_a_state_in_which_more_reminders_were_to_come_than_the_rule_has_now_is_taken_up(monkeypatch):
    watch = lost().at(60)
    monkeypatch.setitem(CATALOGUE, "camera_offline", rule_of("camera_offline")._replace(reminders=(HOUR,)))
    assert [minute for minute, who in reminders(watch.reborn().at(3 * 1440)) if who == "captain"] == [60]


def test_what_is_kept_silent_by_its_cause_is_not_reminded_of():
    watch = Watch().signal("raise", "link_down", "nvr-1").signal("raise", *LOST, caused_by="link_down:nvr-1")
    assert reminders(watch.at(3 * 1440)) == []


def test_while_the_gateway_keeps_restarting_nobody_is_reminded_of_an_absence():
    watch = lost().at(40)
    watch.act("start", CAMERA)
    watch.signal("raise", "gateway_restarting", "riverside").at(90)
    assert reminders(watch) == []
    watch.signal("resolve", "gateway_restarting", "riverside").at(3 * 1440)
    assert {minute for minute, _ in reminders(watch)} == {1440}


def test_a_reminder_says_how_long_it_has_lasted():
    watch = lost().at(60)
    notice = next(notice for notice in watch.notices if notice.kind == "reminder")
    assert notice.title == "次要报警仍未恢复：摄像机离线 · 御溪花园"
    assert "已持续 1小时5分" in notice.body
    assert notice.due - T0 in range(HOUR, DAY)
