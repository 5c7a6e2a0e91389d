"""A repeat is one observation, however it comes again."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.instants import DAY
from gateway.journal.rows import LogRow
from gateway.repeats import Repeats


class Log:
    """The journal's answer, kept in a list."""

    def __init__(self) -> None:
        self.rows: list[LogRow] = []
        self.asked = 0

    def find(self, device: str, order: int) -> Sequence[LogRow]:
        self.asked += 1
        return [row for row in self.rows if row.device == device and (row.at if row.n is None else row.n) == order]

    def add(self, device: str, at: int, boot: str | None, n: int | None, body: bytes, *, received: int = 20) -> None:
        self.rows.append(LogRow(len(self.rows) + 1, received, device, "tag_read", at, boot, n, body))


def test_a_rising_count_never_asks_the_journal() -> None:
    log = Log()
    repeats = Repeats(log.find, whole=True)
    assert all(repeats.numbered("a", "b1", n, b"x") == "new" for n in range(1, 1000))
    assert log.asked == 0
    assert repeats.take_due() == [("a", "b1", 999)]


def test_what_was_overtaken_is_new_without_asking_the_journal() -> None:
    log = Log()
    repeats = Repeats(log.find, whole=True)
    assert repeats.numbered("a", "b1", 1, b"x") == "new"
    assert repeats.numbered("a", "b1", 900, b"tap") == "new"
    assert all(repeats.numbered("a", "b1", n, b"x") == "new" for n in range(2, 900))
    assert log.asked == 0
    assert repeats.numbered("a", "b1", 900, b"tap") == "repeat"
    assert repeats.take_due() == [("a", "b1", 900)]


def test_beyond_what_is_remembered_of_a_gap_the_journal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.repeats._AHEAD", 3)
    monkeypatch.setattr("gateway.repeats._LATELY", 1)
    log = Log()
    repeats = Repeats(log.find, whole=True)
    for n in (1, *range(10, 20)):
        assert repeats.numbered("a", "b1", n, b"x") == "new"
        log.add("a", n, "b1", n, b"x")
        repeats.handed_over()
    assert [repeats.numbered("a", "b1", n, b"x") for n in (15, 9, 19, 9)] == ["repeat", "new", "repeat", "repeat"]


def test_a_boot_that_comes_again_after_many_others_is_compared_record_by_record() -> None:
    log = Log()
    repeats = Repeats(log.find, whole=True)
    boots = [(f"b{boot}", n) for boot in range(6) for n in range(1, 4)]
    for boot, n in boots:
        assert repeats.numbered("a", boot, n, b"x") == "new"
        log.add("a", n, boot, n, b"x")
    assert [repeats.numbered("a", boot, n, b"x") for boot, n in boots] == ["repeat"] * len(boots)


def test_the_same_key_with_the_same_content_is_a_repeat_and_with_another_a_conflict() -> None:
    repeats = Repeats(Log().find, whole=True)
    assert repeats.numbered("a", "b1", 5, b"x") == "new"
    assert repeats.numbered("a", "b1", 5, b"x") == "repeat"
    assert repeats.numbered("a", "b1", 5, b"y") == "conflict"
    assert repeats.numbered("a", "b2", 5, b"x") == "new"


def test_a_missing_record_holds_the_acknowledged_point_until_it_comes() -> None:
    repeats = Repeats(Log().find, whole=True)
    for n in (1, 2, 4, 5):
        repeats.numbered("a", "b1", n, b"x")
    assert repeats.take_due() == [("a", "b1", 2)]
    assert repeats.numbered("a", "b1", 3, b"x") == "new"
    assert repeats.take_due() == [("a", "b1", 5)]


def test_a_device_is_told_nothing_of_a_boot_that_is_known_by_what_overtook() -> None:
    repeats = Repeats(Log().find, whole=True)
    assert repeats.numbered("a", "b1", 10, b"x", overtakes=True) == "new"
    assert repeats.numbered("a", "b1", 12, b"x", overtakes=True) == "new"
    repeats.tell_all()
    assert repeats.take_due() == []
    assert [repeats.numbered("a", "b1", n, b"x") for n in (7, 8)] == ["new", "new"]
    assert repeats.take_due() == [("a", "b1", 8)]
    assert [repeats.numbered("a", "b1", n, b"x") for n in (9, 10, 11, 12)] == ["new", "repeat", "new", "repeat"]
    assert repeats.take_due() == [("a", "b1", 12)]


def test_nor_of_one_that_is_known_from_the_tail_until_a_record_comes_in_turn() -> None:
    def again() -> Repeats:
        repeats = Repeats(log.find, whole=True)
        for row in log.rows:
            repeats.learn(row)
        return repeats

    log = Log()
    for n in (10, 11, 12):
        log.add("a", n, "b1", n, b"x")
    repeats = again()
    repeats.tell_all()
    assert repeats.take_due() == []
    assert repeats.numbered("a", "b1", 13, b"x") == "new"  # behind all that waited
    assert repeats.take_due() == [("a", "b1", 13)]
    repeats = again()
    assert repeats.numbered("a", "b1", 11, b"x") == "repeat"
    assert repeats.take_due() == [("a", "b1", 12)]
    repeats = again()
    assert repeats.numbered("a", "b1", 5, b"x") == "new"
    assert repeats.take_due() == [("a", "b1", 5)]


def test_what_the_tail_told_below_its_first_record_is_no_news() -> None:
    log = Log()
    for n in (12, 7, 8, 9):  # the last one overtook
        log.add("a", n, "b1", n, b"x")
    repeats = Repeats(log.find, whole=True)
    for row in log.rows:
        repeats.learn(row)
    answers = [repeats.numbered("a", "b1", n, b"x") for n in range(7, 13)]
    assert answers == ["repeat", "repeat", "repeat", "new", "new", "repeat"]
    assert repeats.take_due() == [("a", "b1", 12)]


def test_several_facts_of_one_instant_are_several() -> None:
    repeats = Repeats(Log().find, whole=True)
    assert repeats.unnumbered("a", "light_level", 10, b"1", 20) == "new"
    assert repeats.unnumbered("a", "power", 10, b"2", 20) == "new"
    assert repeats.unnumbered("a", "power", 10, b"2", 20) == "repeat"


AHEAD = st.builds(lambda days, rest: days * DAY + rest, st.integers(2, 4), st.integers(0, 3))
"""Dated by a clock that is days ahead; some of it is later dated rightly."""

records = st.tuples(
    st.sampled_from("ab"),
    st.sampled_from(["b1", "b2", "b3", "b4", None]),
    st.integers(1, 12) | AHEAD,
    st.sampled_from([b"x", b"y"]),
    st.sampled_from([5, 2 * DAY, 4 * DAY]),
)


@settings(max_examples=400)
@given(st.lists(records, max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_exactly_the_first_of_each_key_is_new_with_a_restart_anywhere(sent, snapshot_at, restart_at) -> None:
    log = Log()
    repeats = Repeats(log.find, whole=True)
    first: dict[object, bytes] = {}
    now = 0
    for position, (device, boot, n, body, later) in enumerate(sent):
        now = max(now, later)
        if position == min(snapshot_at, restart_at):
            state, seq = msgspec.msgpack.decode(msgspec.msgpack.encode(repeats.snapshot())), len(log.rows)
        if position == restart_at:
            repeats = Repeats(log.find, whole=True)
            repeats.restore(state)
            for row in log.rows[seq:]:
                repeats.learn(row)
        if boot is None:
            key: object = (device, n, body)
            answer = repeats.unnumbered(device, "tag_read", n, body, now)
            wanted = "repeat" if key in first else "new"
        else:
            key = (device, boot, n)
            answer = repeats.numbered(device, boot, n, body)
            wanted = "new" if key not in first else "repeat" if first[key] == body else "conflict"
        assert answer == wanted
        if answer == "new":
            first[key] = body
            log.add(device, n, boot, None if boot is None else n, body, received=now)


def test_a_clock_that_was_far_ahead_once_has_not_every_later_record_looked_for() -> None:
    log = Log()
    repeats = Repeats(log.find, whole=True)
    ahead = 4000 * DAY
    for n in range(1, 2000):
        at = ahead + n if n in {50, 51, 900} else n
        assert repeats.unnumbered("a", "tag_read", at, b"x", n) == "new"
        log.add("a", at, None, None, b"x", received=n)
        repeats.handed_over()
        if n in {60, 1000}:
            state = repeats.snapshot()
            repeats = Repeats(log.find, whole=True)
            repeats.restore(state)
    assert log.asked == 0
    assert repeats.unnumbered("a", "tag_read", ahead + 51, b"x", 3000) == "repeat"
    assert repeats.unnumbered("a", "tag_read", 1999, b"x", 3000) == "repeat"


def test_what_is_not_in_the_journal_yet_is_known_however_much_it_is() -> None:
    repeats = Repeats(Log().find, whole=True)
    assert all(repeats.numbered("a", "b1", n, b"x") == "new" for n in range(1, 30_000))
    repeats.handed_over()
    assert all(repeats.numbered("a", "b1", n, b"x") == "new" for n in range(30_000, 60_000))
    assert repeats.numbered("a", "b1", 1, b"x") == "repeat"
    assert repeats.numbered("a", "b1", 59_999, b"x") == "repeat"


def test_an_unwritten_record_without_number_is_known_after_a_later_one() -> None:
    repeats = Repeats(Log().find, whole=True)
    assert repeats.unnumbered("a", "light_level", 10, b"1", 20) == "new"
    assert repeats.unnumbered("a", "light_level", 11, b"2", 20) == "new"
    assert repeats.unnumbered("a", "light_level", 10, b"1", 20) == "repeat"


def test_of_devices_that_are_not_the_sites_only_the_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.repeats.STRANGERS", 100)
    log = Log()
    repeats = Repeats(log.find, whole=True, of_site="known".__eq__)
    for n in range(1000):
        for boot, seq in (("b", 1), (None, None)):
            name = f"stranger-{n}-{boot}"
            if boot is None:
                assert repeats.unnumbered(name, "tag_read", 5, b"x", 20) == "new"
            else:
                assert repeats.numbered(name, boot, seq, b"x") == "new"
            log.add(name, 5, boot, seq, b"x")
    assert repeats.numbered("known", "b", 1, b"x") == "new"
    state = repeats.snapshot()
    assert len(state["runs"]) + len(state["last"]) == 101
    again = Repeats(log.find, whole=True, of_site="known".__eq__)
    again.restore(state)
    for each in (repeats, again):
        assert each.numbered("stranger-1-b", "b", 1, b"x") == "repeat"
        assert each.unnumbered("stranger-1-None", "tag_read", 5, b"x", 20) == "repeat"
