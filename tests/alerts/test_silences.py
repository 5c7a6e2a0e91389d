"""Silences and maintenance windows: what is silent, from when to when, and what speaks afterwards."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.alerts import silences
from gateway.alerts.catalogue import CATALOGUE
from gateway.alerts.lifecycle import Refused
from gateway.instants import instant
from gateway.site.model import AlertRule
from tests.alerts.estate import ESTATE, Post, clock
from tests.alerts.watch import T0

LAMP = "lamp_failure/lamp-1/1"


def dark(post: Post | None = None) -> Post:
    return (post or Post()).signal("raise")


def test_a_silenced_alert_is_there_and_counted_and_tells_nobody():
    post = Post()
    name = post.silence("lamp", "lamp-1")
    dark(post).at(59)
    assert (post.alert(LAMP).state, post.alert(LAMP).suppressed, post.told(LAMP)) == ("open", name, [])
    assert [item.alerts for item in post.book.silences.standing()] == [1]


def test_at_the_end_of_a_silence_what_still_stands_speaks_from_the_first_step():
    post = Post()
    post.silence("lamp", "lamp-1")
    dark(post).at(71)
    assert post.steps() == [(60, "step 1: control-room"), (70, "step 2: captain")]
    assert post.alert(LAMP).suppressed is None
    assert [(row.by, row.why) for row in post.alert(LAMP).history][1] == ("clock", "silence_ended")


def test_what_ended_meanwhile_was_never_told_and_stays_so():
    post = Post()
    post.silence("lamp", "lamp-1")
    dark(post).at(30).signal("resolve").at(200)
    assert post.notices == []
    assert (post.alert(LAMP).state, post.alert(LAMP).suppressed) == ("closed", "silence/1")


def test_a_silence_stops_the_steps_of_what_was_told_already_and_the_next_level_follows_it():
    post = dark().at(5)
    post.silence("lamp", "lamp-1", 100)
    assert post.alert(LAMP).next_step is None
    assert post.at(104).told(LAMP) == ["control-room"]
    assert post.at(105).steps()[-1] == (105, "step 2: captain")


def test_whoever_was_told_before_the_silence_hears_of_the_end_in_it():
    post = dark().at(12)
    post.silence("lamp", "lamp-1", 100)
    post.at(20).signal("resolve")
    assert post.contacts("resolved") == ["control-room", "captain"]


def test_a_silence_ended_by_hand_lets_it_speak_at_once_and_says_by_whom():
    post = Post()
    name = post.silence("lamp", "lamp-1")
    dark(post).at(7)
    post.end(name)
    assert post.steps() == [(7, "step 1: control-room")]
    assert [row.by for row in post.alert(LAMP).history if row.why == "silence_ended"] == ["op"]
    assert post.states() == [("silence/1", "create", "active"), ("silence/1", "end", "ended")]
    item = post.entries[-1].item
    assert (item.ended_by, item.ended_why, instant(item.ended)) == ("op", "mended", post.now)


def test_an_exhausted_alert_repeats_its_last_step_after_a_silence():
    post = dark().at(115)
    assert post.alert(LAMP).exhausted
    post.silence("lamp", "lamp-1", 10)
    assert post.alert(LAMP).exhausted
    post.at(125)
    assert not post.alert(LAMP).exhausted
    assert post.steps()[-1] == (125, "step 3, repeat 1: manager")


def test_an_acknowledged_alert_stays_so_and_its_expiry_is_silent_until_the_silence_ends():
    post = dark().at(1)
    post.act("ack")
    post.silence("lamp", "lamp-1", 60)
    post.at(32)
    assert (post.alert(LAMP).state, post.told(LAMP)) == ("open", ["control-room"])
    assert post.at(61).steps()[-1] == (61, "step 2: captain")


def test_work_in_progress_is_not_told_at_the_end_of_a_silence():
    post = dark().at(1)
    post.act("start")
    post.silence("lamp", "lamp-1", 60)
    assert post.at(300).told(LAMP) == ["control-room"]


def test_two_silences_keep_it_silent_until_the_last_has_ended():
    post = Post()
    post.silence("lamp", "lamp-1", 30)
    post.silence("place", "tower-1", 90)
    dark(post)
    assert post.alert(LAMP).suppressed == "silence/2"
    post.at(31)
    assert post.told(LAMP) == []
    assert post.at(90).told(LAMP) == ["control-room"]


def test_when_the_longer_of_two_ends_by_hand_the_other_one_is_named():
    post = Post()
    post.silence("lamp", "lamp-1", 30)
    longer = post.silence("place", "tower-1", 90)
    dark(post)
    post.end(longer)
    assert (post.alert(LAMP).suppressed, post.told(LAMP)) == ("silence/1", [])


def test_a_cause_is_named_before_a_silence_and_the_silence_after_it():
    post = Post().signal("raise", rule="device_offline", subject="nvr-1")
    post.silence("device", "cam-1", 100)
    post.signal("raise", rule="camera_offline", subject="cam-1", caused_by="device_offline:nvr-1")
    child = "camera_offline/cam-1/1"
    assert post.alert(child).suppressed == "device_offline/nvr-1/1"
    post.at(1).signal("resolve", rule="device_offline", subject="nvr-1").at(12)
    assert post.alert(child).suppressed == "silence/1"
    assert post.told(child) == []
    assert post.at(100).told(child) == ["control-room"]


def test_a_silence_that_ends_first_leaves_it_to_the_cause():
    post = Post().signal("raise", rule="device_offline", subject="nvr-1")
    post.silence("device", "cam-1", 10)
    post.signal("raise", rule="camera_offline", subject="cam-1", caused_by="device_offline:nvr-1").at(20)
    assert post.alert("camera_offline/cam-1/1").suppressed == "device_offline/nvr-1/1"
    assert post.told("camera_offline/cam-1/1") == []


@pytest.mark.parametrize(
    ("on", "subject", "rule", "about"),
    [
        ("lamp", "lamp-1", "lamp_failure", "lamp-1"),
        ("place", "tower-1/f03", "lamp_failure", "lamp-1"),
        ("place", "tower-1", "lamp_failure", "lamp-1"),
        ("place", "garage", "zone_blind", "z-garage"),
        ("zone", "z-garage", "zone_blind", "z-garage"),
        ("checkpoint", "cp-garage", "gap_exceeded", "cp-garage@2026-11-22T22:00:00+08:00"),
        ("checkpoint", "cp-garage", "reader_offline", "rdr-1"),
        ("device", "cam-1", "camera_offline", "cam-1"),
        ("circuit", "c-1", "circuit_fault", "c-1"),
        ("parent", "panel-1", "parent_fault", "panel-1"),
        ("route", "night", "round_missed", "night@2026-11-22T23:00+08:00"),
    ],
)
def test_a_silence_means_its_subject_and_a_place_all_that_is_in_it(on, subject, rule, about):
    post = Post()
    post.silence(on, subject)
    post.signal("raise", rule=rule, subject=about)
    assert post.alert(f"{rule}/{about}/1").suppressed == "silence/1"


@pytest.mark.parametrize(
    ("on", "subject"),
    [
        ("place", "tower-1/f04"), ("place", "garage"), ("lamp", "lamp-2"), ("circuit", "c-1"), ("parent", "panel-1"), ("device", "cam-1"),
    ],
)  # fmt: skip
def test_a_silence_means_nothing_else(on, subject):
    post = Post()
    post.silence(on, subject)
    assert dark(post).told(LAMP) == ["control-room"]


def test_a_silence_of_a_rule_means_that_rule_only():
    post = Post()
    post.silence("lamp", "lamp-1", rule="dim")
    dark(post).signal("raise", rule="dim")
    assert post.alert(LAMP).suppressed is None
    assert post.alert("dim/lamp-1/1").suppressed == "silence/1"


def test_a_rule_may_be_silent_on_the_whole_site_but_not_everything():
    post = Post()
    post.silence("site", "riverside", rule="lamp_failure")
    assert dark(post).alert(LAMP).suppressed == "silence/1"
    with pytest.raises(Refused, match="name a rule"):
        post.silence("site", "riverside")


def test_a_rule_that_only_a_device_or_the_site_names_may_be_silent():
    alerting = replace(ESTATE.alerting, rules={**ESTATE.alerting.rules, "surge": AlertRule(severity="major")})
    post = Post(replace(ESTATE, alerting=alerting)).signal("raise", "earth_leak", "lamp-1")
    post.silence("lamp", "lamp-1", rule="earth_leak")
    post.silence("lamp", "lamp-1", rule="surge")
    assert post.alert("earth_leak/lamp-1/1").suppressed == "silence/1"


def test_a_call_for_help_is_never_silent():
    post = Post()
    post.silence("device", "wand-1")
    post.silence("place", "gate")
    post.quiet("maintenance", "device", "wand-1", until=60)
    post.signal("raise", rule="panic", subject="wand-1", place="gate")
    assert post.told("panic/wand-1/1") == ["control-room"]
    with pytest.raises(Refused, match="call for help"):
        post.silence("device", "wand-1", rule="panic")


def test_what_moved_out_of_a_silent_place_speaks():
    post = Post()
    post.silence("place", "tower-1")
    post.signal("raise", rule="incident", subject="wand-1@x", place="tower-1/f03")
    assert post.told("incident/wand-1@x/1") == []
    post.signal("raise", rule="incident", subject="wand-1@x", place="garage")
    assert post.told("incident/wand-1@x/1") == ["control-room"]


def test_one_that_re_opens_in_a_silence_is_silent_and_speaks_after_it():
    post = dark().at(1).signal("resolve").at(2)
    post.silence("lamp", "lamp-1", 60)
    dark(post.at(5))
    assert post.alert(LAMP).suppressed == "silence/1"
    assert post.at(62).steps()[-1] == (62, "step 1: control-room")


# Planned work


def test_a_window_begins_and_ends_by_time_alone_and_is_told_apart():
    post = Post()
    name = post.quiet("maintenance", "parent", "panel-1", since=30, until=90, why="new breaker", by="wang")
    dark(post)
    assert post.told(LAMP) == ["control-room"]
    post.at(31)
    assert post.alert(LAMP).suppressed == name == "maintenance/1"
    assert post.at(89).told(LAMP) == ["control-room", "captain"]
    post.at(90)
    assert post.alert(LAMP).suppressed is None
    assert post.told(LAMP) == ["control-room", "captain", "manager"]
    assert post.states() == [(name, "create", "planned"), (name, "begin", "active"), (name, "expire", "ended")]


def test_planned_work_reaches_what_is_fed_from_it_a_silence_does_not():
    for kind, suppressed in (("maintenance", "maintenance/1"), ("silence", None)):
        post = Post()
        post.quiet(kind, "parent", "panel-1", until=60)
        post.signal("raise", rule="camera_offline", subject="cam-1")
        assert post.alert("camera_offline/cam-1/1").suppressed == suppressed


def test_work_on_a_camera_does_not_hide_that_its_zone_is_blind():
    post = Post()
    post.quiet("maintenance", "device", "cam-1", until=60)
    post.signal("raise", rule="zone_blind", subject="z-garage")
    assert post.alert("zone_blind/z-garage/1").suppressed is None


@pytest.mark.parametrize("rule", sorted(silences.NOT_OF_WORK))
def test_planned_work_hides_nothing_that_people_report_or_owe(rule):
    post = Post()
    post.quiet("maintenance", "place", "garage", until=60)
    post.signal("raise", rule=rule, subject="x", place="garage")
    assert post.alert(f"{rule}/x/1").suppressed is None


def test_the_rules_that_planned_work_spares_are_known():
    assert {*silences.NOT_OF_WORK, *silences.NEVER_SILENT} <= set(CATALOGUE)


def test_planned_work_is_named_before_a_silence():
    post = Post()
    post.silence("lamp", "lamp-1", 600)
    post.quiet("maintenance", "lamp", "lamp-1", since=10, until=20)
    dark(post)
    assert post.alert(LAMP).suppressed == "silence/1"
    assert post.at(10).alert(LAMP).suppressed == "maintenance/1"
    assert post.at(20).alert(LAMP).suppressed == "silence/1"


def test_a_window_that_has_not_begun_is_called_off():
    post = Post()
    name = post.quiet("maintenance", "lamp", "lamp-1", since=30, until=90)
    post.end(name, "rain")
    assert dark(post).at(40).steps()[-1] == (30, "step 3: manager")
    assert post.states()[-1] == (name, "cancel", "cancelled")
    with pytest.raises(Refused, match="cancelled already"):
        post.end(name)


# Limits and refusals


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"on": "lamp", "subject": "lamp-9"}, "no lamp 'lamp-9'"),
        ({"on": "place", "subject": "tower"}, "no place 'tower'"),
        ({"on": "lamp", "subject": "lamp-1", "rule": "lamp_failur"}, "no rule 'lamp_failur' is known"),
        ({"on": "lamp", "subject": "lamp-1", "until": 0}, "later end"),
        ({"on": "lamp", "subject": "lamp-1", "until": 30 * 1440 + 1}, "at most 30 days"),
        ({"on": "lamp", "subject": "lamp-1", "why": "  "}, "needs a reason"),
        ({"on": "lamp", "subject": "lamp-1", "why": "x" * 501}, "needs a reason"),
        ({"on": "person", "subject": "g-wang"}, "this is no silence"),
        ({"on": "lamp", "subject": "lamp-1", "reason": "x"}, "this is no silence"),
        ({"kind": "maintenance", "on": "lamp", "subject": "lamp-1", "since": 366 * 1440, "until": 366 * 1440 + 5}, "within 365 days"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_changes_nothing(wish, told):
    post = Post()
    before = post.book.snapshot()
    with pytest.raises(Refused, match=told):
        post.quiet(**{"kind": "silence", "until": 60, **wish})
    assert (post.book.snapshot(), post.entries) == (before, [])


def test_exactly_thirty_days_are_allowed():
    assert Post().silence("lamp", "lamp-1", 30 * 1440) == "silence/1"


def test_their_number_is_bounded(monkeypatch):
    monkeypatch.setattr(silences, "STANDING_LIMIT", 2)
    post = Post()
    post.silence("lamp", "lamp-1", 5)
    post.silence("lamp", "lamp-2")
    with pytest.raises(Refused, match="2 silences and windows stand already"):
        post.silence("place", "garage")
    post.at(5)
    assert post.silence("place", "garage") == "silence/3"


def test_of_ended_ones_only_the_last_are_remembered(monkeypatch):
    monkeypatch.setattr(silences, "ENDED_KEPT", 1)
    post = Post()
    for _ in range(2):
        post.end(post.silence("lamp", "lamp-1"))
    with pytest.raises(Refused, match="no such silence stands"):
        post.end("silence/1")
    with pytest.raises(Refused, match="ended already"):
        post.end("silence/2")


def test_a_silence_cannot_be_begun_in_the_past():
    post = Post().at(30)
    post.quiet("maintenance", "lamp", "lamp-1", since=0, until=60)
    assert instant(post.entries[-1].item.since) == post.now


# Outages and restarts


def test_a_silence_that_ended_while_the_gateway_was_down_gives_one_step():
    post = Post()
    post.silence("lamp", "lamp-1", 60)
    dark(post).at(5).down_until(200)
    assert post.steps() == [(200, "step 1: control-room")]
    assert [(entry.action, entry.at) for entry in post.entries] == [("create", T0), ("expire", T0 + 60 * 60_000_000)]


def test_a_window_that_began_while_the_gateway_was_down_keeps_the_missed_step_silent():
    post = Post()
    post.quiet("maintenance", "lamp", "lamp-1", since=20, until=300)
    dark(post).at(5).down_until(200)
    assert post.told(LAMP) == ["control-room"]
    assert post.at(300).told(LAMP) == ["control-room", "captain"]


def test_a_window_that_came_and_went_while_the_gateway_was_down_changes_nothing_else():
    post = Post()
    post.quiet("maintenance", "lamp", "lamp-1", since=20, until=30)
    dark(post).at(5).down_until(200)
    assert post.steps()[1:] == [(200, "step 2: captain")]
    assert [entry.action for entry in post.entries] == ["create", "begin", "expire"]


def test_a_new_process_knows_them_all():
    post = Post()
    post.silence("lamp", "lamp-1", 60)
    post.quiet("maintenance", "lamp", "lamp-2", since=30, until=90)
    dark(post).reborn().at(31).signal("raise", subject="lamp-2")
    assert post.alert("lamp_failure/lamp-2/1").suppressed == "maintenance/1"
    assert post.silence("place", "garage") == "silence/2"
    assert post.at(60).steps() == [(60, "step 1: control-room")]


def test_times_are_told_with_the_offset_of_the_site():
    post = Post()
    post.quiet("maintenance", "lamp", "lamp-1", since=30, until=90)
    assert post.book.silences.standing()[0].since.isoformat() == clock(30)
