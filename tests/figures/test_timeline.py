"""A later row overrides earlier ones from its `since` on, whatever part of the journal is read."""

from __future__ import annotations

import tempfile
from pathlib import Path

import apsw
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.figures.stretches import length
from gateway.figures.timeline import Timeline
from gateway.journal.reader import Reader
from gateway.journal.rows import Condition
from gateway.journal.store import migrations

REACH = 8
_facts = st.lists(
    st.tuples(
        st.integers(0, 6),  # how much later it was found than the one before
        st.integers(0, REACH),  # how far back it reaches
        st.sampled_from(["lamp", "zone"]),
        st.sampled_from("ab"),
        st.sampled_from("xyz"),
    ),
    max_size=30,
)


def rows_of(facts) -> list[Condition]:
    found, rows = 0, []
    for later, back, kind, name, state in facts:
        found += later
        rows.append(Condition(found, max(0, found - back), kind, name, state, ""))
    return rows


def state_at(rows: list[Condition], kind: str, name: str, at: int) -> str | None:
    known = [row.state for row in rows if (row.kind, row.id) == (kind, name) and row.since <= at]
    return known[-1] if known else None


def states(timeline: Timeline, kind: str, name: str) -> dict[int, str]:
    return {at: piece.state for piece in timeline.pieces(kind, name) for at in range(piece.start, piece.end)}


@given(_facts, st.integers(0, 40), st.integers(0, 40))
def test_the_last_row_that_began_by_then_says_what_was(facts, since, span):
    rows = rows_of(facts)
    timeline = Timeline(rows, since, since + span)
    for name in "ab":
        expected = {
            at: said for at in range(since, since + span) if (said := state_at(rows, "lamp", name, at)) is not None
        }
        assert states(timeline, "lamp", name) == expected
        assert sum(map(length, timeline.by_state("lamp", name).values())) == len(expected)


@settings(max_examples=60, deadline=None)
@given(_facts, st.integers(0, 60), st.integers(0, 30))
def test_the_rows_that_are_read_for_a_period_say_the_same_as_all_of_them(facts, since, span):
    rows = rows_of(facts)
    until = since + span
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        store = apsw.Connection(str(path))
        for _, text in migrations():
            store.execute(text)
        store.executemany(
            "INSERT INTO condition VALUES (?,?,?,?,?,?,?)", [(seq, *row) for seq, row in enumerate(rows, start=1)]
        )
        reader = Reader(path)
        read = reader._conditions(("lamp", "zone"), since, until, until + REACH, 1000)
        last = {(row.kind, row.id): row for row in rows}
        assert {(row.kind, row.id): row for row in reader.last_conditions()} == last
        reader.close()
        store.close()
    assert read is not None
    whole, part = Timeline(rows, since, until), Timeline(read, since, until)
    for kind in ("lamp", "zone"):
        for name in "ab":
            assert part.pieces(kind, name) == whole.pieces(kind, name)


def test_a_time_down_is_found_however_long_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = apsw.Connection(str(path))
    for _, text in migrations():
        store.execute(text)
    facts = [(0, 0, "up"), (900, 100, "down"), (900, 900, "up")]
    for seq, (found, since, state) in enumerate(facts, start=1):
        store.execute("INSERT INTO condition VALUES (?,?,?,'gateway','',?,'')", (seq, found, since, state))
    reader = Reader(path)
    rows = reader._conditions(("gateway",), 200, 300, 300 + REACH, 10)
    reader.close()
    assert rows is not None
    timeline = Timeline(rows, 200, 300)
    assert timeline.down() == [(200, 300)]
    assert timeline.recorded_from() == 0


def test_a_fault_found_after_a_period_but_begun_in_it_counts_in_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = apsw.Connection(str(path))
    for _, text in migrations():
        store.execute(text)
    for seq, (found, since, state) in enumerate([(0, 0, "ok"), (105, 95, "faulty"), (106, 104, "ok")], start=1):
        store.execute("INSERT INTO condition VALUES (?,?,?,'lamp','a',?,'')", (seq, found, since, state))
    reader = Reader(path)
    rows = reader._conditions(("lamp",), 50, 100, 100 + REACH, 10)
    reader.close()
    assert rows is not None
    assert Timeline(rows, 50, 100).by_state("lamp", "a") == {"ok": [(50, 95)], "faulty": [(95, 100)]}
