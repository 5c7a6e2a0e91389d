"""Who is told, when, and who is not: escalation, outages, inhibition, grouping."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.alerts import cases
from gateway.instants import MINUTE, SECOND
from gateway.site.model import Alerting, AlertRule, Parent
from tests.alerts.watch import SITE, T0, Watch

RESTARTS = {"rule": "gateway_restarting", "subject": "riverside"}


def test_steps_fire_at_their_times_the_last_repeats_three_times_then_exhausted():
    watch = Watch().signal("raise").at(24 * 60)
    assert watch.steps() == [
        (0, "step 1: control-room"),
        (10, "step 2: captain"),
        (30, "step 3: manager"),
        (50, "step 3, repeat 1: manager"),
        (70, "step 3, repeat 2: manager"),
        (90, "step 3, repeat 3: manager"),
        (110, "exhausted"),
    ]
    assert watch.alert().exhausted
    assert watch.alert().next_step is None


def test_the_steps_still_to_come_are_rows_with_their_times():
    watch = Watch().signal("raise").at(12)
    assert [((step.due - T0) / MINUTE, step.level, step.repeat) for step in watch.book.steps(watch.alert().id)] == [
        (30, 3, 0),
        (50, 3, 1),
        (70, 3, 2),
        (90, 3, 3),
    ]
    assert watch.alert().next_step.timestamp() * 1e6 == T0 + 30 * MINUTE


def test_an_acknowledgement_stops_them_and_its_expiry_takes_the_next_level():
    watch = Watch().signal("raise").at(5)
    watch.act("ack")
    assert watch.alert().next_step is None
    watch.at(40)
    assert watch.steps() == [(0, "step 1: control-room"), (35, "step 2: captain")]
    watch.at(55)
    assert watch.steps()[-1] == (55, "step 3: manager")


def test_work_started_stops_them():
    watch = Watch().signal("raise").at(5)
    watch.act("start")
    assert watch.at(600).steps() == [(0, "step 1: control-room")]


def test_a_lapsed_acknowledgement_of_an_exhausted_alert_tells_the_last_step_again():
    watch = Watch().signal("raise").at(120)
    watch.act("ack")
    assert not watch.alert().exhausted
    assert watch.at(150).steps()[-1] == (150, "step 3, repeat 1: manager")


def test_the_site_names_policy_and_severity_of_a_rule():
    watch = Watch().signal("raise", rule="day_burner", severity="warning")
    assert watch.alert("day_burner/lamp-1/1").severity == "major"
    assert watch.notices == []
    assert watch.at(5).contacts("raised") == ["captain"]


def test_the_signal_raises_the_severity_above_the_catalogue():
    watch = Watch().signal("raise", rule="zone_blind", subject="z", severity="critical")
    assert watch.alert("zone_blind/z/1").severity == "critical"


def test_a_site_without_policies_shows_alerts_and_tells_nobody():
    watch = Watch(replace(SITE, alerting=Alerting())).signal("raise").at(600)
    assert watch.notices == []
    assert (watch.alert().state, watch.alert().next_step, watch.alert().exhausted) == ("open", None, False)


def test_the_end_is_told_to_all_who_were_told_and_to_nobody_else():
    watch = Watch().signal("raise").at(12).signal("resolve")
    assert watch.contacts("resolved") == ["control-room", "captain"]


def test_the_end_of_a_re_opened_alert_is_told_to_those_told_since():
    watch = Watch().signal("raise").at(12).signal("resolve").at(15).signal("raise").at(16).signal("resolve")
    assert watch.contacts("resolved") == ["control-room", "captain", "control-room"]


def test_a_retraction_is_told_to_all_who_were_ever_told():
    watch = Watch().signal("raise").at(12).signal("resolve").at(15).signal("raise").signal("retract")
    assert watch.contacts("retracted") == ["control-room", "captain"]


def test_resolved_by_hand_is_told_too_and_says_by_whom():
    watch = Watch().signal("raise")
    watch.act("resolve", why="done")
    (notice,) = [notice for notice in watch.notices if notice.kind == "resolved"]
    assert "wang" in notice.body


# Outages


def test_after_an_outage_one_catch_up_step_fires_not_all():
    watch = Watch().signal("raise").at(5).down_until(200)
    assert watch.steps() == [(0, "step 1: control-room"), (200, "step 2: captain")]
    assert watch.at(220).steps()[-1] == (220, "step 3: manager")


def test_an_outage_without_a_missed_step_changes_nothing():
    watch = Watch().signal("raise").at(5).down_until(8)
    assert watch.steps() == [(0, "step 1: control-room")]
    assert watch.at(10).steps()[-1] == (10, "step 2: captain")


def test_an_acknowledgement_that_lapsed_in_an_outage_gives_one_step():
    watch = Watch().signal("raise").at(5)
    watch.act("ack")
    watch.down_until(200)
    assert watch.steps()[1:] == [(200, "step 2: captain")]


def test_an_end_seen_before_an_outage_is_verified_by_ten_minutes_after_it():
    watch = Watch().signal("raise").at(1).signal("resolve").down_until(60)
    assert watch.alert().state == "resolved"
    assert watch.at(69).alert().state == "resolved"
    assert watch.at(70).alert().state == "closed"


def test_a_restart_of_the_process_alone_repeats_no_notice():
    watch = Watch().signal("raise").at(12)
    keys = [notice.key for notice in watch.notices]
    watch.reborn().at(13).signal("raise").at(29)
    assert [notice.key for notice in watch.notices] == keys


# Inhibition


def child(watch: Watch, **more: object) -> Watch:
    return watch.signal("raise", rule="camera_offline", subject="cam-1", **more)


def test_what_is_caused_by_another_alert_tells_nobody_and_names_it():
    watch = Watch().signal("raise", rule="device_offline", subject="nvr-1")
    child(watch, caused_by="device_offline:nvr-1").at(600)
    alert = watch.alert("camera_offline/cam-1/1")
    assert alert.caused_by == alert.suppressed == "device_offline/nvr-1/1"
    assert {notice.alert for notice in watch.notices} == {"device_offline/nvr-1/1"}


def test_merged_alerts_stop_telling_and_those_told_hear_where_it_went():
    watch = child(Watch()).at(1).signal("raise", rule="device_offline", subject="nvr-1")
    watch.signal("merge", rule="camera_offline", subject="cam-1", caused_by="device_offline:nvr-1").at(9)
    alert = watch.alert("camera_offline/cam-1/1")
    assert (alert.state, alert.suppressed, alert.caused_by) == ("resolved", "merged", "device_offline/nvr-1/1")
    assert watch.contacts("merged") == ["control-room"]
    assert "nvr-1" in next(notice.body for notice in watch.notices if notice.kind == "merged")


def test_a_cause_that_comes_after_its_child_is_the_same_alert():
    watch = child(Watch(), caused_by="device_offline:nvr-1").signal("raise", rule="device_offline", subject="nvr-1")
    assert watch.alert("camera_offline/cam-1/1").caused_by == watch.alert("device_offline/nvr-1/1").id
    assert watch.at(60).alert("camera_offline/cam-1/1").suppressed == "device_offline/nvr-1/1"


def test_a_cause_that_never_comes_silences_for_ten_minutes_only():
    watch = child(Watch(), caused_by="device_offline:nvr-1").at(9.9)
    assert watch.notices == []
    assert watch.at(10).contacts("raised") == ["control-room"]
    assert watch.alert("camera_offline/cam-1/1").suppressed is None


def test_when_the_cause_is_over_what_is_still_open_speaks():
    watch = Watch().signal("raise", rule="device_offline", subject="nvr-1")
    child(watch, caused_by="device_offline:nvr-1")
    watch.at(20).signal("resolve", rule="device_offline", subject="nvr-1").at(29)
    assert watch.alert("camera_offline/cam-1/1").suppressed is not None
    watch.at(30)
    assert watch.alert("camera_offline/cam-1/1").suppressed is None
    assert [notice.kind for notice in watch.notices if notice.alert == "camera_offline/cam-1/1"] == ["raised"]


def test_a_cause_that_a_person_closes_before_its_sensor_has_held_the_end_silences_no_longer():
    watch = Watch().signal("raise", rule="device_offline", subject="nvr-1")
    child(watch, caused_by="device_offline:nvr-1").at(20)
    watch.signal("resolve", rule="device_offline", subject="nvr-1").at(21)
    watch.act("close", "device_offline/nvr-1/1")
    alert = watch.alert("camera_offline/cam-1/1")
    assert (alert.suppressed, alert.level, alert.history[-2].why) == (None, 1, "cause_ended")


def test_a_cause_resolved_by_hand_silences_for_ten_minutes_more():
    watch = Watch().signal("raise", rule="device_offline", subject="nvr-1")
    child(watch, caused_by="device_offline:nvr-1").at(20)
    watch.act("resolve", "device_offline/nvr-1/1", why="looks fine")
    assert watch.at(29).alert("camera_offline/cam-1/1").suppressed is not None
    assert watch.at(30).alert("camera_offline/cam-1/1").suppressed is None


def test_raised_again_without_a_cause_it_speaks_at_once():
    watch = Watch().signal("raise", rule="device_offline", subject="nvr-1")
    child(watch, caused_by="device_offline:nvr-1").at(5)
    child(watch)
    assert [notice.kind for notice in watch.notices if notice.alert == "camera_offline/cam-1/1"] == ["raised"]


def test_while_the_gateway_keeps_restarting_absence_is_silent_and_presence_is_not():
    watch = Watch().signal("raise", **RESTARTS)
    child(watch).signal("raise", rule="panic", subject="wand-1")
    told = {notice.alert for notice in watch.notices}
    assert told == {"gateway_restarting/riverside/1", "panic/wand-1/1"}
    assert watch.alert("camera_offline/cam-1/1").suppressed == "gateway_restarting/riverside/1"
    watch.at(60).signal("resolve", **RESTARTS)
    assert "camera_offline/cam-1/1" in {notice.alert for notice in watch.notices}


def test_an_absence_already_told_escalates_no_further_while_the_gateway_keeps_restarting():
    watch = child(Watch()).at(5).signal("raise", **RESTARTS).at(40)
    assert [n.contact for n in watch.notices if n.alert == "camera_offline/cam-1/1"] == ["control-room"]
    watch.signal("resolve", **RESTARTS)
    assert [n.contact for n in watch.notices if n.alert == "camera_offline/cam-1/1"] == ["control-room", "captain"]


# Grouping


def due(watch: Watch) -> list[float]:
    return [(notice.due - T0) / SECOND for notice in watch.notices if notice.kind == "raised"]


def raised(watch: Watch, second: float, subject: str, **more: object) -> None:
    watch.at(second / 60).signal("raise", subject=subject, **more)


def test_notices_of_a_policy_within_ten_seconds_are_due_together_then_once_a_minute():
    watch = Watch()
    for second in (0, 3, 10, 11, 30, 69, 71, 200):
        raised(watch, second, f"lamp-{second}")
    assert due(watch) == [10, 10, 10, 70, 70, 70, 130, 210]


def test_a_call_for_help_waits_for_nothing():
    watch = Watch()
    raised(watch, 0, "lamp-1")
    raised(watch, 2, "wand-1", rule="panic")
    raised(watch, 3, "wand-2", rule="panic")
    raised(watch, 20, "wand-3", rule="panic")
    assert due(watch) == [10, 2, 12, 22]


def test_the_cause_of_many_is_told_at_once_and_a_second_one_ten_seconds_later():
    parents = {name: Parent(id=name) for name in ("switch-1", "panel-1")}
    watch = Watch(replace(SITE, parents=parents))
    raised(watch, 0, "lamp-1")
    raised(watch, 2, "switch-1", rule="parent_fault")
    raised(watch, 3, "panel-1", rule="parent_fault")
    raised(watch, 4, "wand-1", rule="panic")
    watch.at(1).signal("resolve", subject="switch-1", rule="parent_fault")
    assert due(watch) == [10, 2, 12, 4]
    assert [(notice.due - T0) / SECOND for notice in watch.notices if notice.kind == "resolved"] == [70]


def test_policies_are_grouped_apart():
    watch = Watch()
    raised(watch, 0, "lamp-1")
    raised(watch, 5, "lamp-1", rule="day_burner")
    watch.at(6)
    assert due(watch) == [10, 5 + 300 + 10]


# Bounds


def test_final_alerts_are_forgotten_beyond_the_limit_and_their_count_is_not(monkeypatch):
    monkeypatch.setattr(cases, "FINAL_LIMIT", 3)
    watch = Watch()
    for number in range(5):
        watch.signal("raise", subject=f"lamp-{number}").signal("retract", subject=f"lamp-{number}")
    assert len(watch.book.alerts()) == 3
    watch.signal("raise", subject="lamp-0")
    assert watch.alert("lamp_failure/lamp-0/2").state == "open"


def test_beyond_the_limit_of_live_alerts_the_oldest_is_closed_and_says_why(monkeypatch):
    monkeypatch.setattr(cases, "LIVE_LIMIT", 3)
    watch = Watch()
    for number in range(5):
        watch.signal("raise", subject=f"lamp-{number}")
    assert len(watch.book.alerts(active=True)) == 3
    closed = watch.alert("lamp_failure/lamp-0/1")
    assert (closed.state, closed.history[-1].why) == ("closed", "limit_of_alerts")


def test_the_limit_closes_no_call_for_help_that_nobody_has_taken(monkeypatch):
    monkeypatch.setattr(cases, "LIVE_LIMIT", 3)
    watch = Watch().signal("raise", "panic", "btn").signal("raise", "reader_offline", "rdr", severity="critical")
    for number in range(5):
        watch.at(number).signal("raise", "incident", f"btn@{number}")
    assert len(watch.book.alerts(active=True)) == 3
    assert (watch.alert("panic/btn/1").state, watch.alert("reader_offline/rdr/1").state) == ("open", "open")
    assert watch.alert("incident/btn@3/1").history[-1].why == "limit_of_alerts"
    watch.act("ack", "panic/btn/1")
    watch.signal("raise", "incident", "btn@5")
    assert watch.alert("panic/btn/1").state == "closed", "somebody has taken it: then it is the oldest"


def test_where_all_are_critical_and_open_calls_for_help_stay_longest_and_memory_stays_bounded(monkeypatch):
    monkeypatch.setattr(cases, "LIVE_LIMIT", 3)
    watch = Watch().signal("raise", "panic", "btn-0")
    for number in range(4):
        watch.signal("raise", "reader_offline", f"rdr-{number}", severity="critical")
    assert watch.alert("reader_offline/rdr-0/1").state == "closed"
    for number in range(1, 5):
        watch.signal("raise", "panic", f"btn-{number}")
    assert [each.id for each in watch.book.alerts(active=True)] == ["panic/btn-2/1", "panic/btn-3/1", "panic/btn-4/1"]


def test_a_long_history_keeps_its_beginning_and_its_end_in_memory():
    watch = Watch().signal("raise")
    for number in range(200):
        watch.at(number / 60).signal("update", details={"lux": number})
    history = watch.alert().history
    assert len(history) == 100
    assert history[0].before is None
    assert len(watch.rows) > 200


def test_an_alert_that_stood_without_a_policy_follows_the_one_that_the_site_has_after_a_restart():
    without = replace(SITE, alerting=replace(SITE.alerting, policies={}))
    watch = Watch(without).signal("raise").at(60)
    assert not watch.notices
    watch.site = SITE
    watch.reborn().down_until(61)
    assert [notice.contact for notice in watch.notices] == ["control-room"]
    watch.at(71)
    assert [notice.contact for notice in watch.notices] == ["control-room", "captain"]


def test_an_alert_whose_policy_is_gone_goes_on_with_the_one_that_the_site_has():
    watch = Watch().signal("raise", rule="day_burner").at(3)
    assert not watch.notices
    default = {"default": SITE.alerting.policies["default"]}
    watch.site = replace(SITE, alerting=replace(SITE.alerting, policies=default, rules={}))
    watch.reborn().down_until(4).at(30)
    assert [notice.contact for notice in watch.notices] == ["control-room", "captain"]


@pytest.mark.parametrize("policies", [{}, {"night": SITE.alerting.policies["default"]}])
def test_an_alert_that_comes_back_after_the_site_has_other_policies_tells_whom_they_name(policies):
    other = replace(
        SITE, alerting=replace(SITE.alerting, policies=policies, rules={"panic": AlertRule(policy="night")})
    )
    watch = Watch(other).signal("raise", rule="panic", subject="wand-1").at(1)
    watch.signal("resolve", rule="panic", subject="wand-1")
    watch.site = SITE
    watch.reborn().down_until(4)
    watch.signal("raise", rule="panic", subject="wand-1").at(14)
    told = [notice.contact for notice in watch.notices if notice.kind in {"raised", "escalated"}]
    assert told[-2:] == ["control-room", "captain"]
