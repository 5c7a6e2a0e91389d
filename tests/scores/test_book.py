"""What people say of the score: marks, appeals and their decisions, publications, the year-end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from gateway.alerts.lifecycle import Refused
from gateway.books import BookOperation
from gateway.instants import DAY, instant
from gateway.scores.book import ScoreBook
from gateway.site.model import Person, Place, Site

NOW = instant(datetime(2026, 11, 26, tzinfo=UTC))
SITE = Site(
    id="s", name="S", timezone="Asia/Shanghai", latitude=0, longitude=0,
    people={"g-he": Person(id="g-he", name="He")}, places={"gate": Place(id="gate", name="Gate")},
)  # fmt: skip


class Desk:
    """A book, and who operates on it."""

    def __init__(self) -> None:
        self.book = ScoreBook(SITE)
        self.entries: list[Any] = []

    def do(
        self,
        action: str,
        subject: str | None = None,
        *,
        by: str = "chen",
        why: str = "as seen",
        now: int = NOW,
        **details,
    ):
        before = self.book.snapshot()
        try:
            item = self.book.operate(
                BookOperation(at=now, by=by, book="score", action=action, subject=subject, details=details, why=why)
            )
        except Refused:
            assert self.book.snapshot() == before, "what is refused changes nothing"
            assert self.book.drain().entries == []
            raise
        [entry] = self.book.drain().entries
        assert (entry.item, entry.by, entry.action) == (item, by, action)
        self.entries.append(entry)
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.book.snapshot()))
        self.book = ScoreBook(SITE)
        self.book.restore(state)
        assert self.book.snapshot() == state
        return item


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_points_are_taken_with_words_and_given_back_with_a_reason(desk):
    mark = desk.do("mark", item="inspection", points=2.5, person="g-he", place="gate", why="log not kept")
    assert (mark.id, mark.points, mark.words, mark.withdrawn) == ("mark-1", 2.5, "log not kept", None)
    mark = desk.do("withdraw", "mark-1", why="log was in the drawer")
    assert mark.withdrawn == "log was in the drawer"
    assert [entry.state for entry in desk.entries] == ["counted", "withdrawn"]
    assert [each.id for each in desk.book.marks()] == ["mark-1"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"item": "gone"}, {"points": 0}, {"points": 5.001}, {"points": -1}, {"points": float("nan")}, {"person": "g-who"}, {"place": "moon"},
        {"why": "  "}, {"why": "x" * 1001}, {"part": "year_end"}, {"other": 1},
        {"at": "2026-11-27T00:00:00+00:00"}, {"at": "2026-11-20T00:00:00"}, {"at": "2025-01-01T00:00:00+00:00"},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(desk, wrong):
    with pytest.raises(Refused):
        desk.do("mark", **({"item": "inspection", "points": 1} | wrong))


def test_the_year_end_has_its_own_table(desk):
    assert desk.do("mark", item="acceptance", points=12, part="year_end").part == "year_end"
    with pytest.raises(Refused):
        desk.do("mark", item="acceptance", points=12)


APPEAL = {"key": "visit_missed/night@1/2", "period": "2026-Q4", "points": 0.5, "revision": 1}


def test_an_appeal_is_decided_by_another_with_a_reason_and_once(desk):
    appeal = desk.do("appeal", by="he", why="I was there", **APPEAL)
    assert (appeal.state, appeal.why, appeal.revision) == ("open", "I was there", 1)
    for action, by, why in (
        ("accept", "he", "yes"),
        ("accept", "chen", " "),
        ("retract", "chen", "x"),
        ("fly", "chen", "x"),
    ):
        with pytest.raises(Refused):
            desk.do(action, "appeal-1", by=by, why=why)
    appeal = desk.do("accept", "appeal-1", by="chen", why="seen on camera")
    assert (appeal.state, appeal.decided_by, appeal.decision, appeal.why) == (
        "accepted",
        "chen",
        "seen on camera",
        "I was there",
    )
    with pytest.raises(Refused):
        desk.do("reject", "appeal-1", by="chen")
    with pytest.raises(Refused):
        desk.do("appeal", by="he", **APPEAL)


def test_after_a_rejection_a_new_appeal_may_bring_new_reasons(desk):
    desk.do("appeal", by="he", **APPEAL)
    desk.do("reject", "appeal-1", by="chen")
    assert desk.do("appeal", by="he", why="a witness", **APPEAL).id == "appeal-2"
    assert desk.do("retract", "appeal-2", by="he").state == "withdrawn"


def test_a_score_is_published_in_revisions_and_never_twice_the_same(desk):
    sheet = desk.do("publish", period="2026-Q4", revision=1, content="aa", document={"score": 99.5, "digest": "d"})
    assert (sheet.revision, sheet.score, sheet.digest) == (1, 99.5, "d")
    for revision, content in ((1, "bb"), (3, "bb"), (2, "aa")):
        with pytest.raises(Refused):
            desk.do("publish", period="2026-Q4", revision=revision, content=content, document={})
    assert desk.do("publish", period="2026-Q4", revision=2, content="bb", document={"score": 100.0}).revision == 2
    assert desk.book.revision("2026-Q4") == 2
    assert [entry.item.score for entry in desk.entries] == [99.5, 100.0]


def test_a_year_end_is_closed_and_opened_again_with_a_reason(desk):
    assert desk.do("close", "2026").closed
    assert desk.book.closed("2026")
    for action, year, why in (
        ("close", "2026", "x"),
        ("reopen", "2026", ""),
        ("close", "2026-Q4", "x"),
        ("close", "soon", "x"),
    ):
        with pytest.raises(Refused):
            desk.do(action, year, why=why)
    assert not desk.do("reopen", "2026", why="a form was missing").closed


def test_what_is_kept_is_bounded_and_nothing_that_counts_is_let_go(desk, monkeypatch):
    monkeypatch.setattr("gateway.scores.book.MOST_MARKS", 2)
    monkeypatch.setattr("gateway.scores.book.MOST_APPEALS", 2)
    desk.do("mark", item="inspection", points=1)
    desk.do("mark", item="inspection", points=1)
    with pytest.raises(Refused):
        desk.do("mark", item="inspection", points=1)
    desk.do("withdraw", "mark-1")
    desk.do("mark", item="inspection", points=1)
    assert [each.id for each in desk.book.marks()] == ["mark-2", "mark-3"]
    for name in ("a", "b"):
        desk.do("appeal", by="he", **(APPEAL | {"key": name}))
    desk.do("accept", "appeal-1")
    with pytest.raises(Refused):
        desk.do("appeal", by="he", **(APPEAL | {"key": "c"}))
    assert desk.do("appeal", by="he", now=NOW + 801 * DAY, **(APPEAL | {"key": "c"})).id == "appeal-3"
