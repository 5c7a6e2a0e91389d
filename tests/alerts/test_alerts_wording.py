"""What people read at three in the morning, over the whole catalogue."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

import gateway.alerts
from gateway.alerts.catalogue import CATALOGUE, ROWS, rule_of
from gateway.alerts.wording import CODES, message, name
from gateway.instants import MINUTE
from gateway.site.model import Circuit, Parent, Place
from tests.alerts.watch import SITE, T0, Watch

ROUND = "night@2026-11-22T23:00+08:00"
ENGLISH = replace(SITE, language="en")


def test_each_rule_stands_once():
    assert len(CATALOGUE) == len(ROWS)


def test_the_readme_lists_the_catalogue():
    page = (Path(gateway.alerts.__file__).parent / "README.md").read_text(encoding="utf-8")
    for row in ROWS:
        assert f"| `{row.id}` | {row.severity} | {row.basis} | {row.work_order or '–'} |" in page


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_a_message_is_whole_with_no_details_and_with_all(row):
    keys = set(re.findall(r"\{(\w+)\}", row.text_zh + row.text_en))
    full = dict.fromkeys(keys - {"name", "thing", "rule"}, "X")
    for language in ("zh_CN", "en"):
        for details in ({}, full):
            text = message(SITE, row.id, "lamp-1", details, language)
            assert not re.search(r"[\[\]{}—]", text), text
            assert "lamp-1" in text or "网关" in text or "gateway" in text
            assert text.count("X") >= (len(full) if details and language == "zh_CN" else 0)


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_both_languages_say_the_same_details(row):
    chinese, english = (set(re.findall(r"\{(\w+)\}", text)) for text in (row.text_zh, row.text_en))
    assert chinese == english


def test_what_could_not_be_verified_accuses_nobody():
    row = rule_of("round_unverifiable")
    assert not re.search(r"漏检|未到|missed|skipped|guard", row.text_zh + row.text_en)
    assert "不计入考核" in row.text_zh


def test_a_missed_round_names_route_time_points_and_their_place():
    watch = Watch().signal(
        "raise", rule="round_missed", subject=ROUND, details={"missed": ["lamp-1", "cp-9"], "route": "night"}
    )
    assert watch.alert(f"round_missed/{ROUND}/1").message == (
        "线路 night 11-22 23:00 整轮无有效打点，读卡器记录完整。漏检点：1号楼 3层（lamp-1）、cp-9。"
    )


@pytest.mark.parametrize("rule", ["round_not_started", "round_missed", "gap_exceeded"])
def test_a_time_without_a_tap_is_not_said_to_be_without_a_read(rule):
    row = rule_of(rule)
    assert "无有效打点" in row.text_zh, "a card that nobody has enrolled may have been read"
    assert re.search(r"no tap (that )?counts", row.text_en)


def test_times_are_on_the_sites_clock_and_durations_in_words():
    details = {"from": "2026-11-22T16:00:00+00:00", "length": 5400, "at_most": 3600}
    assert "11-23 00:00 起已 1小时30分" in message(SITE, "gap_exceeded", "cp", details, "zh_CN")
    assert "1 h 30 min since 11-23 00:00 (allowed: 1 h)" in message(SITE, "gap_exceeded", "cp", details, "en")


def test_a_gap_says_once_when_it_began():
    piece = "gate@2026-11-22T16:00:00+00:00"
    details = {"from": "2026-11-22T16:00:00+00:00", "length": 5400, "at_most": 3600}
    for language in ("zh_CN", "en"):
        assert message(SITE, "gap_exceeded", piece, details, language).count("00:00") == 1


def test_codes_are_said_in_words():
    text = message(SITE, "camera_impaired", "cam-1", {"impairments": ["loss", "blind"]}, "zh_CN")
    assert "视频丢失、遮挡" in text
    assert all(all(said) for said in CODES.values())


def test_long_lists_are_cut_and_counted():
    text = message(SITE, "parent_fault", "panel", {"children": [f"c{n}" for n in range(50)]}, "zh_CN")
    assert "c5 等 50 个" in text
    assert "c6" not in text


def test_a_place_is_named_by_its_path_of_names():
    assert name(SITE, "tower-1/f03", "zh_CN") == "1号楼 3层"
    assert name(SITE, "riverside", "zh_CN") == "御溪花园"
    assert name(SITE, "nobody-knows", "en") == "nobody-knows"


def test_a_thing_is_named_by_where_it_is_and_then_by_its_id():
    assert name(SITE, "lamp-1", "zh_CN") == "1号楼 3层（lamp-1）"
    assert name(SITE, "lamp-1", "en") == "1号楼 3层 (lamp-1)"


def test_a_place_that_says_what_it_lies_in_is_not_named_twice():
    lobby = Place(id="tower-1/f03", name="1号楼3层")
    assert name(replace(SITE, places={**SITE.places, "tower-1/f03": lobby}), "lamp-1", "en") == "1号楼3层 (lamp-1)"


def test_a_fault_the_catalogue_does_not_know_is_still_told():
    text = message(SITE, "lens_cracked", "lamp-1", {}, "en")
    assert "lens_cracked" in text
    assert rule_of("lens_cracked").severity == "minor"


@pytest.mark.parametrize(
    ("site", "title", "withdrawn"),
    [
        (SITE, "重要报警：巡更漏检 · 御溪花园", "现予撤回"),
        (ENGLISH, "Major: Round missed · 御溪花园", "it is withdrawn"),
    ],
)
def test_notices_speak_the_sites_language(site, title, withdrawn):
    watch = (
        Watch(site)
        .signal("raise", rule="round_missed", subject=ROUND)
        .signal("retract", rule="round_missed", subject=ROUND)
    )
    assert watch.notices[0].title == title
    assert withdrawn in watch.notices[-1].body


@pytest.mark.parametrize(
    ("site", "closing"),
    [
        (SITE, "11-22 22:00 开始，11-22 22:30 结束（系统判定）。"),
        (ENGLISH, "Began 11-22 22:00, ended 11-22 22:30 (as the system judged)."),
    ],
)
def test_who_hears_late_that_something_ended_hears_when_it_did(site, closing):
    raised, details = T0 - 60 * MINUTE, {"from": "2026-11-22T21:00:00+08:00"}
    ended = details | {"ended": "2026-11-22T22:30:00+08:00"}
    watch = Watch(site).signal(
        "raise", "gap_exceeded", "gate@2026-11-22T21:00:00+08:00", raised=raised, details=details
    )
    watch.at(90).signal("resolve", "gap_exceeded", "gate@2026-11-22T21:00:00+08:00", details=ended)
    assert watch.notices[-1].kind == "resolved"
    assert watch.notices[-1].body.splitlines()[-1] == closing


def test_an_escalated_notice_says_that_nobody_answered():
    watch = Watch().signal("raise").at(10)
    assert "第 2 级" in watch.notices[-1].title
    assert "至今无人确认" in watch.notices[-1].body


def test_each_contact_is_told_in_its_own_language():
    contacts = dict(SITE.alerting.contacts)
    contacts["captain"] = replace(contacts["captain"], language="en")
    site = replace(SITE, alerting=replace(SITE.alerting, contacts=contacts))
    watch = Watch(site).signal("raise").at(10).at(11).signal("retract", why="the lamp is lit")
    said = {(each.contact, each.kind): f"{each.title}\n{each.body}" for each in watch.notices}
    assert "撤回" in said["control-room", "retracted"]
    for kind in ("escalated", "retracted"):
        text = said["captain", kind].replace(SITE.name, "").replace("1号楼 3层", "")
        assert not re.search(r"[\u4e00-\u9fff]", text), text
    assert "Withdrawn" in said["captain", "retracted"]


def test_a_route_that_has_a_name_is_called_by_it():
    night = replace(SITE.routes["night"], name="夜间巡更")
    named = replace(SITE, routes=SITE.routes | {"night": night})
    assert name(named, ROUND, "zh_CN") == "线路 夜间巡更 11-22 23:00"
    assert name(replace(named, language="en"), ROUND, "en") == "round 夜间巡更 11-22 23:00"


@pytest.mark.parametrize(
    ("length_s", "said"), [(7200.3, "2小时1秒"), (7199.6, "2小时"), (7200.0000000001, "2小时"), (59.2, "1分")]
)
def test_a_length_reads_as_more_than_its_limit_exactly_if_it_is_more(length_s: float, said: str) -> None:
    details = {"from": "2026-11-25T02:00:00+08:00", "length": length_s, "at_most": 7200}
    told = message(SITE, "gap_exceeded", "cp", details, "zh_CN")
    assert f"已 {said}（" in told


def test_a_circuit_and_a_panel_are_called_by_their_names_where_they_have_one():
    named = replace(
        SITE,
        parents={"panel-1": Parent(id="panel-1", name="1号楼配电箱"), "switch-1": Parent(id="switch-1")},
        circuits={"c-1": Circuit(id="c-1", name="1号楼楼道")},
    )
    assert name(named, "c-1", "zh_CN") == "1号楼楼道（c-1）"
    assert name(named, "panel-1", "en") == "1号楼配电箱 (panel-1)"
    assert name(named, "switch-1", "en") == "switch-1"
