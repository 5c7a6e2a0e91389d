"""Why a visit, a round or a gap is judged so: one example for each verdict, cause and mark, in words and in data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from device_drivers import observations as seen
from gateway.explain import wording_rounds
from gateway.explain.explanation import Explanation
from gateway.explain.rounds import explain_round
from gateway.instants import HOUR, MINUTE, instant
from gateway.rules import findings, lacks, verdicts
from gateway.rules.intervals import covers
from gateway.rules.marks import VISIT_MARKS
from gateway.site.model import Visit as Stop
from tests.explain.patrol import ROUND, Patrol
from tests.rules.walk import CARDS, GARAGE, GATE, MIDNIGHT, ROOF, WALL, clock, daily, hhmm, window

DUE = {"route": {"visits": (Stop(checkpoint=GATE, after=10 * MINUTE),)}}
"""The gate is due at 22:10: on time 22:05–22:15, open 22:00–22:20."""
ON_ROOF = {"route": {"visits": (Stop(checkpoint=ROOF, after=10 * MINUTE),)}}


def times(pieces: Any) -> list[str]:
    return [f"{hhmm(piece.since)[:5]}-{hhmm(piece.until)[:5]} {piece.why}{piece.numbers}".strip() for piece in pieces]


# -- verdicts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "verdict", "zh", "en"),
    [
        ("22:10:30", "on_time", "wang 22:10:30 在读卡器 rdr-gate 打卡，在准时范围 22:05–22:15 内，判为准时。", "so it is on time."),
        ("22:02", "early", "wang 22:02 在读卡器 rdr-gate 打卡，比准时范围 22:05–22:15 早 3 分钟，判为早到。", "3 min before 22:05–22:15, so it is early."),
        ("22:18", "late", "wang 22:18 在读卡器 rdr-gate 打卡，比准时范围 22:05–22:15 晚 3 分钟，判为迟到。", "3 min after 22:05–22:15, so it is late."),
    ],
)  # fmt: skip
def test_a_tap_serves(at: str, verdict: str, zh: str, en: str) -> None:
    patrol = Patrol(**DUE)
    patrol.tap("wang", at)
    why = patrol.because("22:30")
    assert (why.result, why.cause, why.rule) == (verdict, None, "rounds.md, Verdicts of a visit, 1")
    assert why.sentence.zh == f"22:10 应到巡更点「gate」：{zh}"
    assert why.sentence.en.endswith(en)
    (item,) = why.evidence
    assert (item.used, item.why, item.value, item.judged_at) == (True, "served", {"person": "wang"}, None)


def test_what_was_expected_is_told_with_its_limits() -> None:
    patrol = Patrol(**DUE)
    expected = patrol.because("22:01").expected
    shown = {key: hhmm(value)[:5] if isinstance(value, datetime) else value for key, value in expected.items()}
    assert shown == {
        "checkpoint": GATE, "position": 1, "due": "22:10", "opens": "22:00", "on_time_from": "22:05",
        "on_time_until": "22:15", "closes": "22:20", "evidence_deadline": "22:50", "tolerance_s": 300, "band_s": 300,
        "guards": [], "accept_others": True, "optional": False, "two_person": False,
    }  # fmt: skip


def test_before_it_opens_and_while_it_is_open() -> None:
    patrol = Patrol(**DUE)
    why = patrol.because("21:50")
    assert (why.result, why.rule) == ("pending", "rounds.md, Verdicts of a visit, 2")
    assert why.sentence.zh == "22:10 应到巡更点「gate」：从 22:00 起打卡才算，时间未到。"
    assert patrol.because("22:12").sentence.zh == (
        "22:10 应到巡更点「gate」：打卡到 22:20 为止都算，目前无人打卡，还不下结论。"
    )


def test_missed_names_whose_record_is_complete() -> None:
    patrol = Patrol(**DUE)
    patrol.alive("21:50", "22:25")
    why = patrol.because("22:25")
    assert (why.result, why.rule) == ("missed", "rounds.md, Verdicts of a visit, 3")
    assert why.sentence.zh == "22:10 应到巡更点「gate」：读卡器 rdr-gate 在 22:00–22:20 记录完整，无人打卡，判为漏检。"
    assert why.sentence.en == (
        "Due at gate at 22:10: the record of reader rdr-gate is complete for 22:00–22:20 and nobody tapped, so it is missed."
    )
    (witness,) = why.witnesses
    assert (witness.device, times(witness.complete), witness.missing) == ("rdr-gate", ["22:00-22:20"], ())
    assert hhmm(witness.last_heard) == "22:25:00"


def test_a_visit_between_two_times_says_both() -> None:
    patrol = Patrol()
    patrol.alive("21:50", "22:50")
    assert patrol.because("22:50").sentence.zh.startswith("22:00–22:40 之间应到巡更点「gate」：")


def test_optional_is_skipped_and_not_called_missed() -> None:
    patrol = Patrol(
        route={"visits": (Stop(checkpoint=GARAGE), Stop(checkpoint=GATE, after=10 * MINUTE, optional=True))}
    )
    patrol.alive("21:50", "22:25")
    why = patrol.because("22:25", position=2)
    assert (why.result, why.rule) == ("skipped", "rounds.md, Verdicts of a visit, 3")
    assert "可去可不去" in why.sentence.zh
    assert "missed" not in why.sentence.en


def test_awaited_says_whose_record_and_until_when() -> None:
    patrol = Patrol(**ON_ROOF)
    patrol.sync("22:04")
    why = patrol.because("22:30")
    assert (why.result, why.cause, why.rule) == ("pending", "awaiting_reader", "rounds.md, Verdicts of a visit, 4")
    assert why.sentence.zh == (
        "22:10 应到巡更点「roof」：到 22:20 无人打卡，但巡更棒 wand-1 22:04 以后的记录还没有交回，"
        "先等记录，最迟等到 11-23 22:20，不判漏检。"
    )
    (witness,) = why.witnesses
    assert (times(witness.complete), times(witness.missing)) == (["22:00-22:04"], ["22:04-22:20 not_handed_in"])


# -- causes -----------------------------------------------------------------------------------------------------------


def gateway_down(patrol: Patrol) -> None:
    patrol.alive("21:50", "22:05")
    patrol.down("22:05:10", "22:08")
    patrol.alive("22:08:10", "22:55")


def number_missing(patrol: Patrol) -> None:
    for at, last in (("21:50", 0), ("22:05", 0), ("22:15", 3), ("22:55", 3)):
        patrol.beat(at, device_now=at, last_seq=last, boot="b")
    patrol.tap("liu", "22:06", boot="b", seq=2)


def restarted(patrol: Patrol) -> None:
    for at, boot in (("21:50", "a"), ("22:05", "a"), ("22:12", "b"), ("22:55", "b")):
        patrol.beat(at, device_now=at, last_seq=0, boot=boot)


def silent(patrol: Patrol) -> None:
    patrol.alive("21:50", "22:05")
    patrol.alive("22:15", "22:55")


def link_down(patrol: Patrol) -> None:
    patrol.alive("21:50", "22:05")
    patrol.say(seen.LinkStatus, "rdr-gate", "22:05:10", up=False)
    patrol.say(seen.LinkStatus, "rdr-gate", "22:06", up=True)
    patrol.alive("22:07", "22:55")


def offline(patrol: Patrol) -> None:
    patrol.alive("21:50", "22:05")
    patrol.say(seen.DeviceStatus, "rdr-gate", "22:05:10", online=False)
    patrol.alive("22:07", "22:55")


def late_begin(patrol: Patrol) -> None:
    patrol.alive("22:05", "22:55")


def never(patrol: Patrol) -> None:
    patrol.alive("21:50", "22:55", device="rdr-garage")


def impossible(patrol: Patrol) -> None:
    for minute in range(50):
        patrol.beat(f"+2 0{minute // 10}:{minute % 10}0", f"22:{minute:02}")


def jumping_clock(patrol: Patrol) -> None:
    for at in ("21:50", "21:51"):
        patrol.beat(at, device_now=at, last_seq=0, boot="b")
    patrol.beat("22:20", "22:25", device_now="22:20", last_seq=0, boot="b")
    patrol.beat("22:50", "22:55", device_now="22:50", last_seq=0, boot="b")


@pytest.mark.parametrize(
    ("story", "cause", "missing", "words"),
    [
        (gateway_down, "gateway_down", ["22:05-22:05 gateway_down", "22:05-22:08 gateway_down", "22:08-22:08 gateway_down"], "网关在 22:05:10–22:08 停机"),
        (number_missing, "reader_gap", ["22:05-22:06 number_missing1", "22:06-22:15 number_missing3"], "缺 1 号记录"),
        (restarted, "reader_gap", ["22:05-22:12 restarted"], "读卡器 rdr-gate 在 22:05–22:12 重启过"),
        (silent, "reader_offline", ["22:05-22:15 silent"], "读卡器 rdr-gate 在 22:05–22:15 没有信号"),
        (link_down, "reader_offline", ["22:05-22:07 link_down"], "读卡器 rdr-gate 的线路在 22:05–22:07 断开"),
        (offline, "reader_offline", ["22:05-22:07 offline"], "读卡器 rdr-gate 在 22:05–22:07 离线"),
        (late_begin, "reader_offline", ["22:00-22:05 before_first"], "还没有开始上报"),
        (never, "no_reader", ["22:00-22:20 never_heard"], "从未收到过读卡器 rdr-gate 的信号"),
        (impossible, "reader_clock", ["22:00-22:20 impossible_times"], "报来的时间都不可能是真的"),
        (jumping_clock, "reader_offline", ["22:00-22:20 clock_uncertain"], "时钟前后对不上"),
    ],
)  # fmt: skip
def test_unverifiable_says_what_is_missing_and_why(
    story: Callable[[Patrol], None], cause: str, missing: list[str], words: str
) -> None:
    patrol = Patrol(**DUE)
    story(patrol)
    why = patrol.because("22:56")
    assert (why.result, why.cause, why.rule) == ("unverifiable", cause, "rounds.md, Verdicts of a visit, 5")
    (witness,) = why.witnesses
    assert times(witness.missing) == missing
    assert words in why.sentence.zh
    assert why.sentence.zh.endswith("到期限 22:50 仍不能证明，判为无法核实，不算漏检。")


def test_a_lost_clock_is_named() -> None:
    patrol = Patrol(**ON_ROOF)
    patrol.sync("21:58")
    patrol.read(ROOF, "-9 22:10", "22:40")
    patrol.sync("22:40", boot=None)
    why = patrol.because("22:41")
    (item,) = why.evidence
    assert (item.used, item.why) == (False, "clock_lost")
    assert [piece.why for piece in why.witnesses[0].missing] == ["clock_lost"]
    assert "日期不可信" in why.sentence.zh


def test_a_stray_tap_of_a_clock_never_measured_is_named() -> None:
    patrol = Patrol(**DUE)
    patrol.alive("21:50", "22:25")
    patrol.tap("wang", "22:40")
    why = patrol.because("22:41")
    assert (why.result, why.cause, why.rule) == (
        "unverifiable",
        "reader_clock",
        "rounds.md, Verdicts of a visit, 3 and 5",
    )
    assert "读卡器 rdr-gate 有 wang 22:40 的打卡，其时钟从未校过，可能就是这一次" in why.sentence.zh
    assert why.evidence[0].why == "no_round"


def test_nothing_that_could_prove_it() -> None:
    patrol = Patrol(route={"visits": (Stop(checkpoint="cellar", after=10 * MINUTE),)}, checkpoints={"cellar": {}})
    why = patrol.because("+1 22:56")  # a tag may be put up there, and its reads handed in a day later
    assert (why.result, why.cause, why.witnesses) == ("unverifiable", "no_reader", ())
    assert "没有能作证的读卡器" in why.sentence.zh


def test_a_reader_whose_silence_is_never_proof() -> None:
    said = {"transmits_only": True, "assume_alive": False}
    patrol = Patrol(devices={"rdr-gate": said}, **DUE)
    patrol.tap("liu", "21:50")
    why = patrol.because("22:56")
    assert [piece.why for piece in why.witnesses[0].missing] == ["proves_nothing"]


def test_a_reader_that_only_transmits_is_called_an_assumption() -> None:
    patrol = Patrol(devices={"rdr-gate": {"transmits_only": True}}, **DUE)
    for minute in range(50, 60):
        patrol.say(seen.LinkStatus, "rdr-gate", f"21:{minute}", up=True)
    for minute in range(30):
        patrol.say(seen.LinkStatus, "rdr-gate", f"22:{minute:02}", up=True)
    why = patrol.because("22:30")
    assert (why.result, why.witnesses[0].assumed) == ("missed", True)
    assert "推定" in why.sentence.zh


# -- taps that do not serve, and marks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "said", "reason", "words"),
    [
        ("liu", {}, "not_a_guard", "liu 22:08 打过卡，但不是保安"),
        ("li", {"guards": ("wang",), "accept_others": False}, "wrong_guard", "本线路只认指定人员"),
        ("FFFF0001", {}, "unknown_tag", "读到一张未登记的卡"),
    ],
)
def test_who_tapped_and_does_not_count_is_named(who: str, said: dict[str, Any], reason: str, words: str) -> None:
    patrol = Patrol(route={**DUE["route"], **said})
    patrol.alive("21:50", "22:07")
    patrol.tap(who, "22:08")
    patrol.alive("22:09", "22:25")
    why = patrol.because("22:25")
    assert (why.result, [(item.used, item.why) for item in why.evidence]) == ("missed", [(False, reason)])
    assert words in why.sentence.zh


def test_a_tap_at_the_wrong_time_is_named_with_the_window() -> None:
    patrol = Patrol(**DUE)
    patrol.beat("21:50", device_now="21:50", last_seq=0, boot="b")
    patrol.tap("wang", "22:22", boot="b", seq=1)
    patrol.beat("22:25", device_now="22:25", last_seq=1, boot="b")
    why = patrol.because("22:26")
    assert why.result == "missed"
    assert "wang 22:22 打过卡，但不在 22:00–22:20 内" in why.sentence.zh


def test_a_tap_that_serves_another_round_is_named_with_it() -> None:
    patrol = Patrol(**DUE, rounds=(daily("night", "22:00", "22:10"),))
    patrol.alive("21:50", "22:13")
    patrol.tap("wang", "22:20")
    patrol.alive("22:21", "22:50")
    first, second = patrol.because("23:01"), patrol.why(round_id="night@2026-11-22T22:10+08:00").parts[0]
    assert (first.result, second.result) == ("unverifiable", "on_time")
    assert first.evidence[0].why == "served_other"
    assert first.evidence[0].value["visit"] == "night@2026-11-22T22:10+08:00#1"
    assert "线路 night 22:10 那一轮" in first.sentence.zh


def test_two_persons() -> None:
    two = {GATE: {"two_person": True}}
    patrol = Patrol(checkpoints=two, **DUE)
    patrol.tap("wang", "22:08")
    patrol.tap("li", "22:09")
    why = patrol.because("22:25")
    assert "wang 22:08 在读卡器 rdr-gate、li 22:09 在读卡器 rdr-gate 打卡" in why.sentence.zh
    assert [item.used for item in why.evidence] == [True, True]
    patrol = Patrol(checkpoints=two, **DUE)
    patrol.alive("21:50", "22:07")
    patrol.tap("wang", "22:08")
    patrol.alive("22:09", "22:25")
    why = patrol.because("22:25")
    assert (why.result, why.marks) == ("missed", ("second_person_missing",))
    assert "只有 wang 22:08 一人打卡，须两人在 2 分钟内先后打卡" in why.sentence.zh


def mark_unassigned(patrol: Patrol) -> None:
    patrol.tap("li", "22:10")


def mark_unknown(patrol: Patrol) -> None:
    patrol.read(ROOF, "22:10", "22:11")


def mark_other_reader(patrol: Patrol) -> None:
    patrol.tap("wang", "22:09", device="wand-2")
    patrol.read(ROOF, "22:10", "22:11", device="wand-2")


def mark_late_upload(patrol: Patrol) -> None:
    patrol.tap("wang", "22:09", "+2 09:00", device="wand-1")
    patrol.read(ROOF, "22:10", "+2 09:00", device="wand-1")


def mark_ahead(patrol: Patrol) -> None:
    patrol.tap("wang", "23:40", "22:10")


def mark_corrected(patrol: Patrol) -> None:
    for at, received in (("21:48", "21:50"), ("22:28", "22:30")):
        patrol.beat(at, received, device_now=at, last_seq=0, boot="b")
    patrol.tap("wang", "22:08", "22:31", boot="b")


def mark_uncertain(patrol: Patrol) -> None:
    patrol.beat("21:50", device_now="21:50", last_seq=0, boot="b")
    patrol.tap("wang", "22:10", "22:11", boot="b")
    patrol.beat("22:28", "22:31", device_now="22:28", last_seq=0, boot="b")


@pytest.mark.parametrize(
    ("story", "said", "mark", "words", "now"),
    [
        (mark_unassigned, {"visits": DUE["route"]["visits"], "guards": ("wang",)}, "unassigned_guard", "不在本线路名单上", "22:40"),
        (mark_unknown, ON_ROOF["route"], "person_unknown", "不知道是谁打的卡", "22:40"),
        (mark_other_reader, ON_ROOF["route"], "other_reader", "不是本线路的巡更棒", "22:40"),
        (mark_late_upload, ON_ROOF["route"], "late_upload", "在期限之后才交来", "+2 09:01"),
        (mark_ahead, DUE["route"], "clock_ahead", "按收到的时间算", "22:40"),
        (mark_corrected, DUE["route"], "clock_corrected", "时间已按校时更正", "22:40"),
        (mark_uncertain, DUE["route"], "clock_uncertain", "按对保安有利的时间算", "22:40"),
    ],
)  # fmt: skip
def test_a_mark_is_told_in_words(
    story: Callable[[Patrol], None], said: dict[str, Any], mark: str, words: str, now: str
) -> None:
    patrol = Patrol(route=said)
    story(patrol)
    why = patrol.because(now)
    assert why.result == "on_time"
    assert mark in why.marks
    assert words in why.sentence.zh


def test_the_clock_of_a_tap_is_shown_with_its_measures() -> None:
    patrol = Patrol(**DUE)
    mark_corrected(patrol)
    (corrected,) = patrol.because("22:40").clocks
    assert (corrected.device, corrected.offset_s, corrected.mark) == ("rdr-gate", 120, "clock_corrected")
    assert [(hhmm(each["at"]), each["offset_s"]) for each in corrected.measures] == [
        ("21:48:00", 120),
        ("22:28:00", 120),
    ]
    item = patrol.because().evidence[0]
    assert (hhmm(item.at), hhmm(item.judged_at), hhmm(item.received)) == ("22:08:00", "22:10:00", "22:31:00")


def test_the_clock_of_a_witness_is_shown_with_its_measures() -> None:
    patrol = Patrol(**DUE)
    jumping_clock(patrol)
    (clock_of,) = patrol.because("22:56").clocks
    assert (clock_of.device, clock_of.mark) == ("rdr-gate", "clock_uncertain")
    assert [each["offset_s"] for each in clock_of.measures] == [0, 300]


def test_what_else_was_noticed_is_told() -> None:
    patrol = Patrol(devices={"pir": {"kind": "motion_sensor", "place": GATE}}, **DUE)
    patrol.say(seen.Motion, "pir", "22:10:10")
    patrol.tap("wang", "22:10:30")
    why = patrol.because("22:30")
    assert why.corroboration is not None
    assert (why.corroboration.result, [item.device for item in why.corroboration.by]) == ("supported", ["pir"])
    assert "pir 也有动静" in why.sentence.zh
    assert patrol.visit().corroboration is not None


# -- rounds, names, gaps ----------------------------------------------------------------------------------------------


def test_a_round_counts_its_points_and_names_the_missed() -> None:
    patrol = Patrol(
        route={"visits": (Stop(checkpoint=GATE, after=10 * MINUTE), Stop(checkpoint=GARAGE, after=15 * MINUTE))}
    )
    patrol.alive("21:50", "22:31", device="rdr-garage")
    patrol.tap("wang", "22:10")
    why = patrol.why("22:31")
    assert (why.result, why.rule) == ("incomplete", "rounds.md, Verdicts of a visit, Round")
    assert why.sentence.zh == "线路 night 22:00–22:40：应到 2 点，准时 1，漏检 1（garage），判为不完整。"
    assert why.sentence.en == "Round night 22:00–22:40: 1 on time, 1 missed (garage) of 2 points: incomplete."
    assert [part.id for part in why.parts] == [f"{ROUND}#1", f"{ROUND}#2"]


def test_people_are_called_by_name_only_where_names_may_be_known() -> None:
    base = Patrol().site
    people = {**base.people, "wang": msgspec.structs.replace(base.people["wang"], name="王强")}
    patrol = Patrol(msgspec.structs.replace(base, people=people))
    patrol.tap("wang", "22:10")
    assert "王强 22:10" in patrol.why("22:50").parts[0].sentence.zh
    hidden = msgspec.json.encode(patrol.why(named=False)).decode()
    assert "王强" not in hidden
    assert "wang 22:10" in hidden


def test_no_tag_number_is_ever_told() -> None:
    patrol = Patrol(route={"visits": (Stop(checkpoint=GATE), Stop(checkpoint=ROOF))})
    patrol.tap("wang", "22:10")
    patrol.tap("DEADBEEF", "22:11")
    patrol.read(ROOF, "22:12")
    text = msgspec.json.encode(patrol.why("22:50")).decode()
    assert not [number for number in (*CARDS.values(), *WALL.values(), "DEADBEEF") if number in text]


def test_an_unknown_round_has_no_explanation() -> None:
    patrol = Patrol()
    assert explain_round(patrol.judge, "night@2020-01-01T22:00+08:00", patrol.judge.now) is None


def test_a_gap_names_the_pieces_that_are_too_long_and_what_does_not_count() -> None:
    patrol = Patrol(checkpoints={GATE: {"max_gap": window("22:00", "02:00", HOUR)}})
    patrol.alive("21:50", "22:30")
    patrol.tap("wang", "22:30")
    patrol.alive("22:31", "23:50")
    patrol.until("+0 01:00")
    why = patrol.why_gap("gate@2026-11-22T22:00:00+08:00")
    assert (why.kind, why.result, why.rule) == ("gap", "exceeded", "rounds.md, Largest gap")
    assert why.sentence.zh == (
        "巡更点「gate」22:00–02:00 每 1 小时内须有人到：22:30–23:50（80 分钟）无人到，读卡器记录完整，判为超时。"
        "另外，读卡器 rdr-gate 在 23:50–01:00 没有信号，这些时间不算。"
    )
    assert [(hhmm(item.at), item.used) for item in why.evidence] == [("22:30:00", True)]
    assert why.expected["largest_s"] == 80 * 60


# -- what always holds ------------------------------------------------------------------------------------------------

_steps = st.lists(
    st.tuples(
        st.sampled_from(["beat", "numbered", "tap", "stranger", "wall", "sync", "late sync", "link", "down", "wait"]),
        st.integers(1, 900),
        st.integers(0, 3),
    ),
    max_size=25,
)


def spell(at: int) -> str:
    """An instant of that night as `clock` reads it."""
    seconds = (at - MIDNIGHT) // 1_000_000 % 86_400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def play(patrol: Patrol, steps: Any, explain: Callable[[Patrol], Any] | None = None) -> None:
    """Act out steps from 21:45 on, each some seconds after the one before; `explain` is asked after each."""
    now, seq = clock("21:45"), 0
    for what, seconds, number in steps:
        now += seconds * 1_000_000
        at, boot = spell(now), "ab"[number % 2]
        match what:
            case "beat":
                patrol.beat(at)
            case "numbered":
                patrol.beat(at, device="rdr-garage", device_now=at, last_seq=number + seq, boot=boot)
            case "tap":
                seq += 1
                patrol.tap("wang", at, device=("rdr-gate", "rdr-garage")[number % 2])
            case "stranger":
                patrol.tap("liu", at)
            case "wall":
                patrol.read(ROOF, spell(now - number * 50_000_000), at)
            case "sync":
                patrol.sync(spell(now - number * 60_000_000), at)
            case "late sync":
                patrol.sync(at, device_now=spell(now - number * 40_000_000))
            case "link":
                patrol.say(seen.LinkStatus, "rdr-gate", at, up=bool(number % 2))
            case "down":
                patrol.judge.restarted(patrol.judge.now, max(now, patrol.judge.now))
            case _:
                patrol.advance(now)
        if explain is not None:
            explain(patrol)


def state(patrol: Patrol) -> Any:
    """What is remembered, but for measures of clocks: of those that are worked in together and agree only the outer two are kept."""
    found = msgspec.msgpack.decode(patrol.judge.snapshot())
    for record in found["engine"]["Rounds"]["records"].values():
        del record["measures"]
    return found


def new_patrol() -> Patrol:
    stops = (Stop(checkpoint=GATE, after=5 * MINUTE), Stop(checkpoint=GARAGE, after=9 * MINUTE), Stop(checkpoint=ROOF))
    return Patrol(route={"visits": stops}, rounds=(daily("night", "22:00", "22:20"),))


@settings(max_examples=80, deadline=None)
@given(_steps)
@example([("wall", 1, 0), ("numbered", 1, 0), ("beat", 1, 0), ("down", 1, 0)])  # records were made in another order
def test_explaining_changes_nothing(steps: Any) -> None:
    asked, silent = new_patrol(), new_patrol()
    play(asked, steps, lambda patrol: patrol.why())
    play(silent, steps)
    assert state(asked) == state(silent)
    for patrol in (asked, silent):
        patrol.until("+1 23:00")
    assert asked.judge.drain() == silent.judge.drain()
    assert asked.rules.rounds() == silent.rules.rounds()
    assert state(asked) == state(silent)


def holds(patrol: Patrol, why: Explanation) -> None:
    """What an explanation claims is what the judge holds."""
    state = patrol.rules.state(why.id)
    assert state is not None
    for visit, part in zip(state.visits, why.parts, strict=True):
        records = {record.id: record for record in patrol.rules.witnesses(visit)}
        assert [witness.device for witness in part.witnesses] == list(records)
        until = min(visit.closes, patrol.judge.now)
        for witness in part.witnesses:
            complete = records[witness.device].complete()
            spans = sorted((instant(p.since), instant(p.until)) for p in (*witness.complete, *witness.missing))
            for piece in witness.complete:
                assert covers(complete, instant(piece.since), instant(piece.until))
            for piece in witness.missing:
                assert piece.why
                assert not covers(complete, instant(piece.since), instant(piece.until))
            if until > visit.opens:
                reached = visit.opens
                for low, high in spans:
                    assert low <= reached, "every moment is complete or missing"
                    reached = max(reached, high)
                assert reached == until
        assert (part.result, part.cause) == (visit.verdict, visit.cause)
        if part.result == "missed":
            assert not any(witness.missing for witness in part.witnesses)
            assert part.rule.endswith(", 3")
        if part.cause in {"gateway_down", "reader_gap", "no_reader"}:
            reasons = {piece.why for witness in part.witnesses for piece in witness.missing}
            wanted = {"gateway_down": {"gateway_down"}, "reader_gap": {"number_missing", "restarted"}}
            # a record that is whole itself waits for another round's, and says so
            assert reasons & wanted.get(part.cause, reasons) if reasons else "要等那一轮有结论" in part.sentence.zh
        assert [item.key for item in part.evidence if item.used] or visit.service is None
        assert part.sentence.zh.endswith("。")
        assert part.sentence.en.endswith(".")


@settings(max_examples=150, deadline=None)
@given(_steps)
@example(
    [*[("beat", 1, 0)] * 6, ("beat", 894, 0), *[("beat", 900, 0)] * 2, ("wall", 900, 0), ("down", 1, 0)]
)  # not down in its own window
@example(
    [
        *[("beat", 1, 0)] * 4,
        ("beat", 597, 0),
        *[("beat", 900, 0)] * 2,
        ("wall", 900, 0),
        ("sync", 299, 0),
        ("down", 1, 0),
    ]
)
def test_every_stretch_that_is_told_is_as_the_judge_holds_it(steps: Any) -> None:
    patrol = new_patrol()
    play(patrol, steps)
    for now in ("22:12", "22:35", "23:30", "+2 00:00"):
        if clock(now) >= patrol.judge.now:
            holds(patrol, patrol.why(now))


def test_every_code_has_words() -> None:
    assert set(get_args(lacks.Why)) == set(wording_rounds._LACKS)
    assert set(get_args(verdicts.Cause)) - {"awaiting_reader", "reader_offline"} == set(wording_rounds._OF_CAUSE)
    assert set(VISIT_MARKS) | ROUND_MARKS == set(wording_rounds._MARKS)
    assert set(get_args(findings.Verdict)) == set(wording_rounds._VERDICTS)
    assert set(get_args(findings.RoundVerdict)) == set(wording_rounds._ROUNDS)


ROUND_MARKS = {"out_of_order", "too_fast", "burst", "over_long", "same_moment_elsewhere"}


@pytest.mark.parametrize(
    ("taps", "marks", "words"),
    [
        ([("rdr-garage", "22:05"), ("rdr-gate", "22:06")], {"out_of_order"}, "没有按规定顺序"),
        ([("rdr-gate", "22:05"), ("rdr-garage", "22:05:20")], {"too_fast", "same_moment_elsewhere"}, "比最短时间还快"),
        ([("rdr-gate", "22:05"), ("rdr-garage", "22:42")], {"over_long"}, "本轮结束之后才到"),
        (
            [("rdr-gate", "22:05"), ("rdr-garage", "22:05:03")],
            {"too_fast", "same_moment_elsewhere"},
            "几乎同时在另一处",
        ),
    ],
)
def test_a_mark_of_a_round_is_told_in_words(taps: list[tuple[str, str]], marks: set[str], words: str) -> None:
    stops = (Stop(checkpoint=GATE), Stop(checkpoint=GARAGE))
    patrol = Patrol(route={"visits": stops, "order": "listed"}, checkpoints={GATE: {"min_leg": {GARAGE: MINUTE}}})
    for device, at in taps:
        patrol.tap("wang", at, device=device)
    why = patrol.why("23:00")
    assert set(why.marks) == marks
    assert words in why.sentence.zh


def test_a_round_without_a_verdict_yet() -> None:
    patrol = Patrol()
    assert patrol.why("21:30").sentence.zh == "线路 night 22:00–22:40：应到 1 点，待定 1，尚未开始。"
    assert patrol.why("22:10").sentence.zh == "线路 night 22:00–22:40：应到 1 点，待定 1，进行中，未下结论。"


def test_a_patrol_until_a_repair_has_no_end_yet() -> None:
    patrol = Patrol()
    patrol.alive("21:50", "22:40")
    patrol.rules.begin_patrol(GATE, 30 * MINUTE, clock("22:00"))
    patrol.until("22:40")
    (gap,) = patrol.rules.gaps()
    why = patrol.why_gap(patrol.rules.gap_id(gap))
    assert (why.result, why.expected["window_end"]) == ("exceeded", None)
    assert why.sentence.zh == (
        "巡更点「gate」22:00 起到修复证实为止 每 30 分钟内须有人到：22:00–22:40（至今 40 分钟）无人到，读卡器记录完整，判为超时。"
    )
