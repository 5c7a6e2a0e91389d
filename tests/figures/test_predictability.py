"""How well an outsider could time the guard."""

from __future__ import annotations

import random
from itertools import pairwise
from math import log2

import pytest

from gateway.figures.predictability import LEAST, NIGHTS, Predictability, entropy, nights, predictability
from gateway.figures.walks import Walks
from gateway.instants import DAY, HOUR, MINUTE, moment
from gateway.site.model import Checkpoint
from tests.figures.rows import clock, site

NOW = clock("+1 13:00")
SITE = site()
SPANS = nights(SITE, NOW)
WHOLE = [(SPANS[0][0], SPANS[-1][1])]


def score(taps, complete=WHOLE) -> Predictability:
    (found,) = predictability(SITE, {"cp": Walks(sorted(taps), complete)}, NOW)
    return found


def nightly(offset) -> list[int]:
    """Taps of eight rounds each night, `offset(night, round)` after the hour."""
    return [
        start + 10 * HOUR + number * HOUR + offset(night, number)
        for night, (start, _) in enumerate(SPANS)
        for number in range(8)
    ]


def test_fourteen_nights_from_noon_to_noon_that_are_over() -> None:
    assert len(SPANS) == NIGHTS
    assert all(before[1] == after[0] for before, after in pairwise(SPANS))
    assert [moment(at, SITE.zone_info).hour for span in SPANS for at in span] == [12] * 28
    assert SPANS[-1][1] <= NOW < SPANS[-1][1] + DAY


def test_who_comes_on_the_minute_scores_nothing() -> None:
    found = score(nightly(lambda night, number: 7 * MINUTE))
    assert (found.visits, found.intervals, found.bits, found.share) == (112, 98, 0, 0)
    assert found.random_bits is not None
    assert found.random_bits > 2


def test_who_comes_at_random_scores_as_a_random_walker_does() -> None:
    chance = random.Random(5)
    found = score(nightly(lambda night, number: int(chance.random() * 40 * MINUTE)))
    assert found.share == pytest.approx(1, abs=0.12)


def test_two_equally_frequent_times_are_one_bit() -> None:
    assert entropy([60 * MINUTE, 61 * MINUTE, 30 * MINUTE, 31 * MINUTE]) == 1
    assert entropy([MINUTE]) == 0
    assert entropy([5 * MINUTE * n for n in range(8)]) == log2(8)


def test_too_few_times_say_nothing() -> None:
    found = score(nightly(lambda night, number: 0)[: LEAST // 7 * 8])
    assert found.intervals < LEAST
    assert (found.bits, found.random_bits, found.share) == (None, None, None)


def test_a_time_over_which_the_record_has_a_hole_does_not_count() -> None:
    hole = SPANS[3][0] + 12 * HOUR + 30 * MINUTE
    complete = [(WHOLE[0][0], hole), (hole + MINUTE, WHOLE[0][1])]
    found = score(nightly(lambda night, number: 0), complete)
    assert (found.visits, found.intervals) == (112, 97)
    assert score(nightly(lambda night, number: 0), []).bits is None


def test_taps_together_are_one_visit_and_the_day_between_two_nights_is_no_time_between_visits() -> None:
    taps = nightly(lambda night, number: 0)
    found = score([*taps, *(tap + 2 * MINUTE for tap in taps)])
    assert (found.visits, found.intervals) == (112, 98)


def test_the_same_question_has_the_same_answer_and_the_plan_decides_the_walker() -> None:
    taps = nightly(lambda night, number: number * MINUTE)
    assert score(taps) == score(taps)
    routed = {"night": SITE.routes["night"]}
    other = site(
        checkpoints={name: Checkpoint(id=name, place="a", reader="rdr") for name in ("cp", "never")}, routes=routed
    )
    found = predictability(other, {"cp": Walks(taps, WHOLE)}, NOW)
    assert [(each.checkpoint, each.random_bits) for each in found] == [("cp", score(taps).random_bits)]
    unplanned = predictability(site(rounds=()), {"cp": Walks(taps, WHOLE)}, NOW)[0]
    assert (unplanned.bits, unplanned.random_bits, unplanned.share) == (score(taps).bits, None, None)
