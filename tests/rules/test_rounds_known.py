"""What is kept of a round says what is known of it: also a served visit's row follows when its record becomes complete."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.instants import HOUR, MINUTE, Instant
from gateway.rules.findings import Round, Visit
from gateway.site.model import Visit as Stop
from tests.rules.test_rounds_properties import SITE, START, nights
from tests.rules.walk import ROOF, Fed, Walk, clock, hhmm

NIGHT = "night@2026-11-22T22:00+08:00"
WALL: dict[str, Any] = {"visits": (Stop(checkpoint=ROOF),)}


class Kept(Walk):
    """A night of which rows are kept: each view as it was when something of it changed last."""

    def __init__(self, *arguments: Any, **said: Any) -> None:
        self.rows: dict[str, Round] = {}
        self.written: Counter[str] = Counter()
        super().__init__(*arguments, **said)

    def write(self) -> None:
        touched, self.found.touched = self.found.touched, {}
        for kind, name in touched:
            if kind == "round" and (view := self.rules.round(name)) is not None:
                self.rows[name] = view
                self.written[name] += 1

    def advance(self, now: str | Instant) -> None:
        until = clock(now) if isinstance(now, str) else now
        while (due := self.rules.deadline()) is not None and due <= until:
            self.rules.advance(due)
            self.write()
        self.rules.now = max(self.rules.now, until)

    def row(self) -> Visit:
        self.write()
        return self.rows[NIGHT].visits[0]


def test_a_served_visit_of_which_a_record_is_missing_is_known_once_it_came() -> None:
    walk = Kept()
    walk.beat("21:50", device_now="21:50", last_seq=0, boot="b")
    walk.tap("wang", "22:06", boot="b", seq=2)
    walk.beat("22:50", device_now="22:50", last_seq=2, boot="b")
    walk.advance("23:30")
    assert (walk.row().verdict, hhmm(walk.row().watermark)) == ("on_time", "-")
    walk.tap("li", "22:01", "23:31", boot="b", seq=1)
    walk.advance("23:32")
    assert (walk.row().verdict, hhmm(walk.row().watermark)) == ("on_time", "22:50:00")


def test_what_is_known_already_makes_no_row_for_each_heartbeat() -> None:
    walk = Kept()
    walk.alive("21:50", "22:05")
    walk.tap("wang", "22:06")
    walk.alive("22:07", "22:50")
    walk.advance("22:51")
    assert walk.row().watermark is not None
    written = walk.written[NIGHT]
    walk.alive("22:52", "22:59")
    assert walk.written[NIGHT] == written


def test_a_wand_that_served_the_route_is_waited_for_by_what_was_walked_with_another() -> None:
    """A portable reader that the route does not name is a witness from its first tap on: what came before it was known without it."""
    walk = Kept(route=WALL)
    walk.read(ROOF, "22:20")
    walk.sync("22:50")
    walk.advance("23:00")
    assert hhmm(walk.row().watermark) == "22:50:00"
    walk.read(ROOF, "22:05", "23:10", device="wand-2")
    walk.advance("23:11")
    assert walk.row() == walk.visit()


@settings(max_examples=60, deadline=None)
@given(nights(), st.frozensets(st.integers(0, 30), max_size=2))
def test_a_row_says_what_the_judge_says(feds: list[Fed], restarts: frozenset[int]) -> None:
    walk = Kept(SITE, started="21:00")
    for index, (observation, at, received) in enumerate(sorted(feds, key=lambda fed: fed[2])):
        if index in restarts and received > walk.rules.now:
            walk.rules.flush(walk.rules.now)
            walk.write()
            walk.reborn()
        walk.feed(observation, at, received)
    walk.advance(START + 26 * HOUR + MINUTE)
    walk.rules.flush(walk.rules.now)
    walk.write()
    for view in walk.rules.rounds(clock("21:00"), clock("23:59")):
        assert window_of(walk.rows[view.id]) == window_of(view)


def window_of(view: Round) -> list[Visit]:
    """Visits, each with what is known of its window: beyond it a row need not follow."""
    return [
        replace(each, watermark=None if each.watermark is None else min(each.watermark, each.closes))
        for each in view.visits
    ]
