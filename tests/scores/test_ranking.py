"""Who fails the year: among the last three, and below 60."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.scores.document import RestsOn, ScoreDocument, sealed
from gateway.scores.ranking import RankingError, rank


def document(site: str, score: float | None, period: str = "2026") -> ScoreDocument:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return sealed(
        ScoreDocument(
            site=site, name=site, period=period, since=at, until=at, judged_to=at, settled=True, score=score, pass_mark=60, items=(),
            rests_on=RestsOn(known_from=None),
        )
    )  # fmt: skip


def ranked(*scores: float, period: str = "2026"):
    return rank([document(f"s{index}", score, period) for index, score in enumerate(scores)])


def test_a_site_fails_only_if_it_is_among_the_last_three_and_below_60():
    found = ranked(90, 59.9, 55, 50, 40, 95)
    assert [(each.site, each.rank, each.fails) for each in found] == [
        ("s5", 1, False), ("s0", 2, False), ("s1", 3, False), ("s2", 4, True), ("s3", 5, True), ("s4", 6, True),
    ]  # fmt: skip
    assert [each.fails for each in ranked(60, 60.0, 59.999)] == [False, False, True]
    assert not any(each.fails for each in ranked(90, 80, 70, 60))


def test_equal_scores_share_a_place():
    found = ranked(90, 50, 50, 50, 50)
    assert [each.rank for each in found] == [1, 2, 2, 2, 2]
    assert [each.among_last for each in found] == [False, True, True, True, True]


def test_a_quarter_is_ranked_and_never_failed():
    assert [each.fails for each in ranked(10, 20, period="2026-Q3")] == [False, False]


def test_what_cannot_be_ranked_is_refused():
    good = document("a", 90.0)
    for others, told in (
        ([document("b", 80.0, "2025")], "different periods"),
        ([document("a", 80.0)], "stands there twice"),
        ([document("b", None)], "no score yet"),
        ([msgspec.structs.replace(document("b", 50.0), score=61.0)], "changed after it was made"),
    ):
        with pytest.raises(RankingError, match=told):
            rank([good, *others])


@given(st.lists(st.floats(0, 100), min_size=1, max_size=12), st.randoms())
def test_the_order_of_files_does_not_matter_and_nobody_above_60_fails(scores, random):
    documents = [document(f"s{index:02}", score) for index, score in enumerate(scores)]
    found = rank(documents)
    random.shuffle(documents)
    assert rank(documents) == found
    for each in found:
        better_than = sum(other.score < each.score for other in found)
        assert each.fails == (each.score < 60 and better_than < 3)
