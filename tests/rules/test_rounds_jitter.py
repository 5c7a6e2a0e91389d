"""Random starts and a change of the seed: a round that may have opened keeps its start, and none is doubled or lost."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from gateway.instants import HOUR, MINUTE
from gateway.site.model import Site
from tests.rules.walk import Walk, clock, estate, hourly


def site(seed: str, jitter: int = 15) -> Site:
    rule = msgspec.structs.replace(hourly("night", "22:00", "02:00", lasts=20 * MINUTE), jitter=jitter * MINUTE)
    return msgspec.structs.replace(estate(rounds=(rule,)), jitter_seed=seed)


def planned(walk: Walk) -> dict[int, list[str]]:
    """Ids of tonight's rounds by the hour, counted from 22:00, that they are of."""
    found: dict[int, list[str]] = {}
    for view in walk.rules.rounds(clock("22:00"), clock("02:00")):
        at = (view.start.timestamp() * 1_000_000 - clock("22:00")) // HOUR
        found.setdefault(int(at), []).append(view.id)
    return found


@pytest.mark.parametrize("minute", range(50, 75, 2))
@pytest.mark.parametrize("after", [("another", 15), ("seed", 0), ("third", 40)])
def test_another_seed_or_limit_neither_doubles_nor_drops_nor_moves_a_round_that_may_have_opened(minute, after):
    walk = Walk(site("seed"))
    before = planned(walk)
    now = f"{22 + minute // 60}:{minute % 60:02}"
    walk.until(now)
    walk.reborn(site(*after))
    now_planned = planned(walk)
    assert [len(now_planned[hour]) for hour in range(4)] == [1, 1, 1, 1]
    assert now_planned[0] == before[0]
    if clock(now) >= clock("22:55"):
        assert now_planned[1] == before[1]
    assert {now_planned[hour][0] for hour in (2, 3)} == {planned(Walk(site(*after)))[hour][0] for hour in (2, 3)}


def test_a_round_is_judged_by_its_random_start():
    walk = Walk(site("seed"))
    [name] = planned(walk)[1]
    start = walk.rules.round(name).start
    assert start != start.replace(minute=0)
    walk.alive("21:50", "23:59")
    view = walk.rules.round(name)
    assert view.verdict == "missed"
    assert (view.visits[0].opens, view.end) == (start - timedelta(minutes=5), start + timedelta(minutes=20))
