"""What could not be read hides the time between what was read before it and after it, and no other."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.instants import DAY, MINUTE, SECOND
from gateway.rules.clocks import Clock
from gateway.rules.records import FIXED_WINDOW
from gateway.rules.unread import LIMIT, MARGIN, TRUE, Stamp, Unread

CLOCKS = [Clock(FIXED_WINDOW)]


def spans(unread: Unread) -> list[tuple[int, int]]:
    return list(unread.spans(CLOCKS))


def test_it_lies_between_what_was_read_before_and_after() -> None:
    unread = Unread()
    unread.read(Stamp(0, 100), CLOCKS)
    unread.miss(10 * MINUTE)
    assert spans(unread) == [(100, 10 * MINUTE + MARGIN)]
    assert unread.read(Stamp(0, 300), CLOCKS) is not None
    assert spans(unread) == [(100, 300)]


def test_of_a_backlog_behind_something_newer_it_may_be_what_came_before_the_first_that_can_be_read() -> None:
    unread = Unread()
    unread.read(Stamp(0, 60 * MINUTE), CLOCKS)
    unread.miss(60 * MINUTE + 1)
    assert unread.read(Stamp(0, 11 * MINUTE), CLOCKS, lambda: 9 * MINUTE) is not None
    assert unread.read(Stamp(0, 12 * MINUTE), CLOCKS, lambda: 11 * MINUTE) is None
    assert spans(unread) == [(9 * MINUTE, 11 * MINUTE), (60 * MINUTE, 60 * MINUTE + 1 + MARGIN)]


def test_a_record_that_came_late_shortens_nothing() -> None:
    unread = Unread()
    unread.read(Stamp(0, 5 * MINUTE), CLOCKS)
    unread.miss(6 * MINUTE)
    unread.read(Stamp(0, MINUTE), CLOCKS, lambda: 0)
    assert (5 * MINUTE, 6 * MINUTE + MARGIN) in spans(unread)
    unread.read(Stamp(0, 7 * MINUTE), CLOCKS)
    assert (5 * MINUTE, 6 * MINUTE + MARGIN) in spans(unread), "it was recorded before it came"


def test_more_of_it_in_a_row_is_one_span_up_to_the_last() -> None:
    unread = Unread()
    unread.read(Stamp(0, 100), CLOCKS)
    for minute in range(5):
        unread.miss(minute * MINUTE)
    assert spans(unread) == [(100, 4 * MINUTE + MARGIN)]


def test_what_was_handed_over_between_two_of_them_is_not_hidden() -> None:
    unread = Unread()
    unread.miss(DAY)
    unread.handed_over(Stamp(0, 2 * DAY), CLOCKS)
    unread.miss(3 * DAY)
    assert spans(unread)[1:] == [(2 * DAY, 3 * DAY + MARGIN)]
    assert spans(unread)[0][1] == DAY + MARGIN


def test_what_was_handed_over_is_read_too() -> None:
    unread = Unread()
    unread.read(Stamp(0, 100), CLOCKS)
    unread.handed_over(Stamp(0, 500), CLOCKS)
    unread.miss(1000)
    assert spans(unread)[0][0] == 500


def test_they_are_bounded_and_hide_no_less_for_it() -> None:
    unread = Unread()
    for n in range(3 * LIMIT):
        unread.read(Stamp(0, n * MINUTE), CLOCKS)
        unread.miss(n * MINUTE + SECOND)
    assert len(spans(unread)) == LIMIT
    assert spans(unread)[0][0] == 0
    unread.forget(10 * DAY)
    assert len(spans(unread)) == 1, "the last stands open"


EVENTS = st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=30)


@given(EVENTS, st.integers(0, 30))
def test_every_moment_at_which_it_may_have_been_recorded_is_hidden(events: list[tuple[bool, int]], cut: int) -> None:
    """In order of recording, each record readable or not, heard some minutes after it was made."""
    unread = Unread()
    lost: list[int] = []
    received = 0
    for turn, (readable, late) in enumerate(events):
        at = turn * MINUTE
        received = max(received, at + late * MINUTE)
        if readable:
            unread.read(Stamp(0, at), CLOCKS)
        else:
            unread.miss(received)
            lost.append(at)
        if turn == cut:
            state: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(unread.snapshot()))
            unread = Unread()
            unread.restore(state)
    for at in lost:
        assert any(low <= at <= high for low, high in spans(unread))


def test_a_time_that_is_known_is_all_that_is_hidden() -> None:
    unread = Unread()
    unread.hide(Stamp(TRUE, 500), Stamp(TRUE, 700))
    assert spans(unread) == [(500, 700)]
