"""Counters of signed tags: a copy is marked and told, and nothing that was never seen accuses anybody."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from device_drivers import observations as seen
from gateway.alerts.wording import message
from gateway.instants import SECOND, moment
from gateway.rules.counters import FIRSTS, JUMP, RUNS, Counters, Counts, First
from gateway.rules.engine import Engine
from gateway.rules.findings import Found, Signal
from gateway.site.model import Site
from gateway.site.model import Visit as Stop
from gateway.site.tags import masked
from tests.rules.walk import ROOF, WALL, clock, estate

PHONES = {
    "phone-1": {"driver": "ntag424", "kind": "phone", "portable": True, "own_clock": False},
    "phone-2": {"driver": "ntag424", "kind": "phone", "portable": True, "own_clock": False},
}
SITE = estate(route={"visits": (Stop(checkpoint=ROOF),)}, devices=PHONES)
TAG = WALL[ROOF]


class Roof:
    """The engine, and taps of the signed tag on the roof."""

    def __init__(self, site: Site = SITE) -> None:
        self.site = site
        self.engine = Engine(site, clock("21:00"))
        self.signals: list[Signal] = []

    def tap(self, counter: int | None, at: str, *, device: str = "phone-1", tag: str = TAG, **said: Any) -> None:
        when = clock(at)
        read = seen.TagRead(
            device=device, at=moment(when, self.site.zone_info), tag=tag, counter=counter, **{"method": "sun"} | said
        )
        self.engine.apply(read, when)
        self.signals += [each for each in self.engine.drain().signals if each.rule == "tag_cloned"]

    def restart(self) -> None:
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.engine.snapshot()))
        self.engine = Engine(self.site, clock("21:00"))
        self.engine.restore(state)

    def marks(self, until: str = "23:00") -> tuple[str, ...]:
        self.engine.advance(clock(until))
        return next(iter(self.engine.rounds.rounds())).visits[0].marks

    def verdict(self) -> str:
        return next(iter(self.engine.rounds.rounds())).visits[0].verdict

    def told(self) -> list[tuple[str, Any]]:
        return [(signal.subject, signal.details["reason"]) for signal in self.signals]


def test_a_rising_counter_says_nothing() -> None:
    roof = Roof()
    for turn, counter in enumerate((5, 6, 8, 30)):
        roof.tap(counter, f"22:{10 + turn}")
    assert roof.told() == []
    assert not {"counter_replayed", "counter_late", "counter_jumped"} & set(roof.marks())


def test_a_code_shown_again_is_marked_and_told_and_still_counts() -> None:
    roof = Roof()
    roof.tap(7, "21:10")
    roof.tap(7, "22:10", device="phone-2")
    assert roof.told() == [(ROOF, "counter_replayed")]
    assert roof.signals[0].details == {
        "reason": "counter_replayed", "device": "phone-2", "tag": masked(TAG), "counter": 7, "first": "phone-1",
    }  # fmt: skip
    assert roof.signals[0].place == ROOF
    assert "counter_replayed" in roof.marks()
    assert roof.verdict() == "on_time"


def test_the_first_code_of_a_night_shown_again_hours_later_by_the_same_phone_is_a_replay() -> None:
    roof = Roof()
    roof.tap(7, "22:10")
    roof.tap(7, "02:10")
    assert roof.told() == [(ROOF, "counter_replayed")]


def test_a_page_loaded_twice_is_the_same_tap() -> None:
    roof = Roof()
    roof.tap(7, "22:10:00")
    roof.tap(7, "22:11:00")
    assert roof.told() == []
    roof.tap(7, "22:11:01")
    assert roof.told() == [(ROOF, "counter_replayed")]


def test_another_person_on_the_same_device_is_no_repeat() -> None:
    roof = Roof()
    roof.tap(7, "22:10:00", person="wang")
    roof.tap(7, "22:10:05", person="li")
    assert roof.told() == [(ROOF, "counter_replayed")]


def test_a_lower_code_never_seen_is_late_and_nobody_is_told() -> None:
    roof = Roof()
    roof.tap(9, "21:50")
    roof.tap(8, "22:10", device="phone-2")
    assert roof.told() == []
    assert "counter_late" in roof.marks()


def test_a_late_code_shown_again_is_a_replay() -> None:
    roof = Roof()
    for counter, at in ((9, "21:50"), (8, "22:10"), (8, "22:15")):
        roof.tap(counter, at)
    assert roof.told() == [(ROOF, "counter_replayed")]


def test_just_so_many_unheard_readings_are_no_jump_and_one_more_is() -> None:
    roof = Roof()
    roof.tap(1, "22:01")
    roof.tap(1 + JUMP + 1, "22:02")
    assert roof.told() == []
    roof.tap(1 + JUMP + 1 + JUMP + 2, "22:10")
    assert roof.told() == [(ROOF, "counter_jumped")]
    assert (roof.signals[0].severity, roof.signals[0].details["missing"]) == ("warning", JUMP + 1)


def test_a_jump_after_a_replay_does_not_play_the_alert_down() -> None:
    roof = Roof()
    for counter, at in ((1, "22:01"), (1, "22:10"), (900, "22:20")):
        roof.tap(counter, at)
    assert [signal.severity for signal in roof.signals] == [None, None]


def test_a_restart_forgets_nothing() -> None:
    roof = Roof()
    roof.tap(7, "22:10:00")
    roof.restart()
    roof.tap(7, "22:10:30")
    assert roof.told() == []
    roof.tap(7, "22:40")
    roof.tap(6, "22:41")
    assert roof.told() == [(ROOF, "counter_replayed")]


def test_a_tag_that_is_not_enrolled_and_a_count_that_is_not_signed_prove_nothing() -> None:
    roof = Roof()
    for _ in range(2):
        roof.tap(7, "22:10", tag="04FFFFFFFFFFFF", device="phone-2")
        roof.tap(7, "22:20", method="nfc")
        roof.tap(None, "22:30")
    assert roof.told() == []


def test_a_guards_signed_card_is_watched_too() -> None:
    roof = Roof(estate(devices={**PHONES, "rdr-gate": {"kind": "reader"}}))
    roof.tap(3, "22:10", tag="007B3972", device="rdr-gate")
    roof.tap(3, "22:20", tag="007B3972", device="rdr-garage")
    assert roof.told() == [("wang", "counter_replayed")]


def test_the_alert_is_worded_in_both_languages() -> None:
    roof = Roof()
    roof.tap(7, "21:10")
    roof.tap(7, "22:10", device="phone-2")
    said = roof.signals[0]
    english = message(SITE, said.rule, said.subject, said.details, "en")
    assert "the same count was shown again (count 7, handed over by phone-2), first by phone-1." in english
    chinese = message(SITE, said.rule, said.subject, said.details, "zh_CN")
    assert "同一计数再次出现（计数 7，由 phone-2 上传），该计数首次由 phone-1 上传。" in chinese
    assert "{" not in english + chinese


# -- whatever comes, in whatever order

COUNTERS = st.lists(st.integers(0, 2**24 - 1), unique=True, max_size=80)


def first(at: int) -> First:
    return First("phone-1", "", at)


@given(counters=COUNTERS)
def test_counts_that_differ_are_never_a_replay_in_any_order(counters: list[int]) -> None:
    counts = Counts()
    marks = [counts.take(counter, first(at * 3600 * SECOND))[0] for at, counter in enumerate(counters)]
    assert "counter_replayed" not in marks
    top = -1
    for turn, (counter, mark) in enumerate(zip(counters, marks, strict=True)):
        assert (mark == "counter_late") == (counter < top)
        assert (mark == "counter_jumped") == (turn > 0 and counter - top - 1 > JUMP)
        top = max(top, counter)


@given(counters=COUNTERS, data=st.data())
def test_every_count_shown_again_later_is_a_replay(counters: list[int], data: st.DataObject) -> None:
    counts = Counts()
    for counter in counters:
        counts.take(counter, first(0))
    if counters:
        again = data.draw(st.sampled_from(counters))
        assert counts.take(again, first(10**12))[0] == "counter_replayed"


@given(taps=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 300)), max_size=60), cut=st.integers(0, 60))
def test_a_snapshot_anywhere_changes_nothing(taps: list[tuple[int, int]], cut: int) -> None:
    site, whole, broken = SITE, Found(), Found()
    one, other = Counters(site, whole), Counters(site, broken)
    for turn, (counter, at) in enumerate(taps):
        if turn == cut:
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(other.snapshot()))
            other = Counters(site, broken)
            other.restore(state)
        when = clock("22:00") + at * SECOND
        read = seen.TagRead(device="phone-1", at=moment(when, site.zone_info), tag=TAG, method="sun", counter=counter)
        assert one.judge(read, when, when) == other.judge(read, when, when)
    assert whole.signals == broken.signals
    assert one.snapshot() == other.snapshot()


def test_what_is_remembered_of_a_tag_is_bounded_and_what_is_forgotten_accuses_nobody() -> None:
    counts = Counts()
    for counter in range(0, 20 * RUNS, 2):
        counts.take(counter, first(counter))
    assert (len(counts.runs), len(counts.firsts)) == (RUNS, FIRSTS)
    assert counts.take(0, first(10**12))[0] == "counter_late"


@given(counters=st.lists(st.integers(0, 60), max_size=120))
def test_runs_are_what_was_seen_in_order_and_never_touch(counters: list[int]) -> None:
    counts = Counts()
    for counter in counters:
        counts.take(counter, first(0))
    held = [number for low, high in counts.runs for number in range(low, high + 1)]
    assert held == sorted(set(counters))
    assert all(below[1] + 1 < above[0] for below, above in zip(counts.runs, counts.runs[1:], strict=False))
