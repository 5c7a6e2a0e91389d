"""A reader that gave a number twice: what it recorded between the two is not known to be here, whatever comes after."""

from __future__ import annotations

from datetime import UTC

import msgspec
import pytest

from device_drivers import observations as seen
from gateway.instants import moment
from gateway.rules.lacks import lacks
from gateway.site.model import Visit as Stop
from tests.rules.walk import ROOF, Walk, clock


def used_twice(walk: Walk, first: str, again: str, received: str, device: str = "rdr-gate") -> None:
    """The gateway's word that a number first used at `first` was used again at `again`."""
    at = clock(again)
    said = seen.LinkStatus(
        device=device, boot="a", at=moment(at, UTC), since=moment(clock(first), UTC), up=True, cut=True
    )
    walk.feed(said, at, clock(received))


def judged(*, restarted: bool = False, boots: tuple[str, ...] = ("a", "b")) -> tuple[str, str | None]:
    walk = Walk()
    walk.alive("21:50", "22:20", boot="a", last_seq=1)
    used_twice(walk, "22:05", "22:20", "22:20:30")
    walk.alive("22:21", "22:45", boot=boots[0], last_seq=1)
    if restarted:
        walk.reborn()
    walk.alive("22:46", "23:00", boot=boots[1], last_seq=1)
    walk.until("23:30")
    return walk.verdict(), walk.visit().cause


def test_what_it_said_under_the_number_before_is_not_held_against_anybody() -> None:
    assert judged(boots=("a", "a")) == ("unverifiable", "reader_gap")


def test_nor_is_it_once_the_reader_has_restarted() -> None:
    assert judged() == ("unverifiable", "reader_gap")
    assert judged(restarted=True) == ("unverifiable", "reader_gap")


def test_nor_where_the_word_of_it_is_the_first_that_is_known_of_the_reader() -> None:
    """It was enrolled between the two uses of the number."""
    walk = Walk(route={"visits": (Stop(checkpoint=ROOF),)})
    used_twice(walk, "22:05", "22:20", "22:20:30", device="wand-1")
    walk.beat("22:21", device="wand-1", boot="a", seq=2, device_now="22:21")
    walk.sync("22:50", boot="a", seq=3, device_now="22:50")
    walk.until("+1 23:00")
    assert (walk.verdict(), walk.visit().cause) == ("unverifiable", "reader_gap")


def test_it_is_said_why_nothing_is_known_of_that_time() -> None:
    walk = Walk()
    walk.alive("21:50", "22:20", boot="a", last_seq=1)
    used_twice(walk, "22:05", "22:20", "22:20:30")
    walk.alive("22:21", "22:45", boot="a", last_seq=1)
    walk.until("22:45")
    reader, now = walk.rules._record("rdr-gate"), walk.rules.now
    found = lacks(reader, (), clock("22:00"), clock("22:40"), now)
    assert [(each.start, each.end, each.why) for each in found] == [(clock("22:05"), clock("22:20"), "unreadable")]


@pytest.mark.parametrize(("first", "again"), [("-20 22:10", "21:55"), ("+900 22:10", "+900 22:10")])
def test_nor_where_its_clock_was_far_off_as_it_gave_the_number_again(first: str, again: str) -> None:
    """A tap at 22:10 whose date cannot be: it may have been made at any time since the report before."""
    walk = Walk()
    walk.alive("21:50", "22:09", boot="a", last_seq=1)
    used_twice(walk, first, again, "22:10")
    walk.alive("22:11", "23:00", boot="a", last_seq=1)
    walk.until("23:30")
    assert (walk.verdict(), walk.visit().cause) == ("unverifiable", "reader_gap")


def test_a_clock_that_was_far_ahead_once_does_not_hide_what_comes_later() -> None:
    walk = Walk()
    walk.alive("21:30", "21:40", boot="a", last_seq=1)
    used_twice(walk, "21:35", "+900 22:10", "21:41")
    walk.alive("21:42", "23:00", boot="a", last_seq=1)
    walk.until("23:30")
    assert walk.verdict() == "missed"


def test_a_reader_that_always_gives_the_same_number_fills_no_memory() -> None:
    walk = Walk()
    walk.alive("21:50", "21:51", boot="a", last_seq=1)

    def again(times: int) -> int:
        for n in range(times):
            used_twice(walk, "21:50", f"+{n % 900} {n % 24}:{n % 60}", "22:00")
        return len(msgspec.msgpack.encode(walk.rules.snapshot()))

    few = again(300)
    assert again(1000) <= few + 100
