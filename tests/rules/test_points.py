"""What serves a visit that stands by itself is found by a shorter way: it must be what the way for all visits finds."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.instants import MINUTE
from gateway.rules.points import Point
from gateway.site.model import Visit as Stop
from tests.rules.walk import GATE, Walk, daily

WHO = st.sampled_from(["wang", "li", "chen", "liu", "unknown-card"])
EDGES = ("21:50:00", "21:54:57", "21:54:58", "21:55:00", "22:00:00", "22:40:00", "22:40:02", "22:40:03", "22:45:00")
AT = st.sampled_from(EDGES) | st.builds("22:{:02}:{:02}".format, st.integers(0, 45), st.integers(0, 3))
TAPS = st.lists(st.tuples(WHO, AT), min_size=1, max_size=6)
ROUTES = st.fixed_dictionaries(
    {
        "guards": st.sampled_from([(), ("wang",), ("wang", "li")]),
        "accept_others": st.sampled_from([True, True, False]),
        "visits": st.sampled_from([(Stop(checkpoint=GATE),), (Stop(checkpoint=GATE, after=20 * MINUTE),)]),
        "tolerance": st.sampled_from([0, 5 * MINUTE]),
    }
)
OFFSETS = st.sampled_from([0, 1, 30])
"""Seconds by which the reader's clock is ahead of what it is corrected by: corrected times are not sharp at the edges."""


def night(route: dict[str, object], taps: list[tuple[str, str]], ahead: int, starts: tuple[str, ...]) -> list[object]:
    walk = Walk(route=route, rounds=[daily("night", *starts)])
    for number, (who, at) in enumerate(sorted(taps, key=lambda tap: tap[1]), start=1):
        walk.beat(at, at, device_now=f"{at[:6]}{min(59, int(at[6:]) + ahead):02}", last_seq=number - 1, boot="b")
        walk.tap(who, at, seq=number, boot="b")
    walk.alive("23:10", "23:40", last_seq=len(taps), boot="b")
    walk.until("23:50")
    return [*(walk.visit(start=start) for start in starts), *walk.unmatched()]


@settings(max_examples=200)
@given(ROUTES, TAPS, OFFSETS)
def test_a_visit_by_itself_is_served_as_one_of_many_is(
    route: dict[str, object], taps: list[tuple[str, str]], ahead: int
) -> None:
    found = night(route, taps, ahead, ("22:00",))
    with patch.object(Point, "_by_itself", return_value=False):
        assert night(route, taps, ahead, ("22:00",)) == found


@settings(max_examples=200)
@given(ROUTES, TAPS, OFFSETS)
def test_visits_near_each_other_are_never_taken_one_by_one(
    route: dict[str, object], taps: list[tuple[str, str]], ahead: int
) -> None:
    starts = ("22:00", "22:10")
    found = night(route, taps, ahead, starts)
    with patch.object(Point, "_by_itself", return_value=False):
        assert night(route, taps, ahead, starts) == found
