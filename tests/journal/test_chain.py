"""The chain as it is written: by every writer, in the row's own transaction, and from before it began."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import JournalError
from gateway.journal import chain
from gateway.journal.chain import KIND_OF, KINDS, encoded
from gateway.journal.merkle import Tree
from gateway.journal.store import Store, connect, connect_snapshot, migrations
from gateway.journal.verification import Checked, verify
from gateway.journal.writer import Batch, Writer
from tests.journal.chained import BEGAN, COLUMNS, insert

ENTRY = (20, 1, "work_order", "wo-1", "reported", b"{}")
AUDIT = "INSERT INTO audit (at, who, address, action, subject, outcome, detail) VALUES (?, 'u', 'local', 'a', 's', 'done', '')"


def checked(store: Store) -> Checked:
    connection = connect_snapshot(store.path)
    try:
        return verify(connection)
    finally:
        connection.close()


def leaves(store: Store) -> list[tuple[str, int]]:
    """Tables and numbers of the leaves, in order."""
    names = {kind.number: kind.table for kind in KINDS}
    return [(names[kind], seq) for kind, seq in store.writer.execute("SELECT kind, seq FROM leaf ORDER BY number")]


async def write(store: Store, *batches: Batch) -> None:
    writer = Writer(store.writer)
    try:
        for batch in batches:
            await writer.submit(batch)
    finally:
        await asyncio.to_thread(writer.close)


def batch_of(**rows: list[tuple[object, ...]]) -> Batch:
    batch = Batch()
    batch.rows = dict(rows)
    return batch


async def test_each_row_of_a_batch_is_a_leaf_and_so_is_each_audit_row_of_its_statements(tmp_path: Path) -> None:
    store = Store(tmp_path)
    batch = batch_of(
        visit_revision=[(10, 1, "r", 1, 1, "missed", b"{}"), (11, 1, "r", 1, 2, "late", b"{}")], entry=[ENTRY]
    )
    batch.statements += [(AUDIT, (1,)), (AUDIT, (2,))]
    evidence = batch_of(change=[(30, 1, "tap", "rdr", b"{}")])
    await write(store, batch, evidence)
    assert leaves(store) == [
        ("audit", 1),
        ("visit_revision", 10),
        ("visit_revision", 11),
        ("entry", 20),
        ("audit", 2),
        ("audit", 3),
    ]
    assert checked(store).intact
    store.close()


async def test_a_batch_that_fails_leaves_no_leaf(tmp_path: Path) -> None:
    store = Store(tmp_path)
    failing = batch_of(entry=[ENTRY])
    failing.statements.append(("INSERT INTO audit (at) VALUES (1)", ()))
    writer = Writer(store.writer)
    with pytest.raises(Exception, match="NOT NULL"):
        await writer.submit(failing)
    await writer.submit(batch_of(entry=[(21, *ENTRY[1:])]))
    await asyncio.to_thread(writer.close)
    assert leaves(store) == [("audit", 1), ("entry", 21)]
    assert checked(store).intact
    store.close()


async def test_a_fault_of_ours_is_told_and_nobody_waits_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise ValueError("a fault")

    store = Store(tmp_path)
    writer = Writer(store.writer)
    with monkeypatch.context() as patch:
        patch.setattr("gateway.journal.writer.extend", broken)
        with pytest.raises(JournalError, match="a fault"):
            await asyncio.wait_for(writer.submit(batch_of(entry=[ENTRY])), 5)
    await asyncio.wait_for(writer.submit(batch_of(entry=[ENTRY])), 5)
    await asyncio.to_thread(writer.close)
    assert checked(store).rows["entry"] == 1
    store.close()


async def test_two_writers_beside_each_other_make_one_chain(tmp_path: Path) -> None:
    """`lamplighter user` writes while the gateway runs."""
    store = Store(tmp_path)
    other = connect(store.path)
    for number in range(5):
        await write(store, batch_of(entry=[(20 + number, *ENTRY[1:])]))
        with other:
            other.execute(AUDIT, (number,))
            chain.extend(other)
    other.close()
    assert len(leaves(store)) == 11
    assert checked(store).intact
    store.close()


def before_the_chain(folder: Path, rows: int) -> None:
    """A journal of the version before, with so many rows of each table."""
    folder.mkdir()
    connection = connect(folder / "journal.db")
    for number, text in migrations():
        if "CREATE TABLE leaf" in text:
            break
        connection.execute(text)
        connection.execute(f"PRAGMA user_version = {number}")
    connection.execute("INSERT INTO meta VALUES ('epoch', 'before')")
    for seq in range(1, rows + 1):
        for table, columns in COLUMNS.items():
            row = {"seq": seq, "at": seq} | dict(columns)
            connection.execute(insert(table, row), tuple(row.values()))
    connection.close()


def test_rows_from_before_are_taken_in_once_and_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_CHUNK", 7)
    before_the_chain(tmp_path / "data", 30)
    store = Store(tmp_path / "data", lambda: BEGAN)
    found = checked(store)
    assert found.intact
    assert (found.size, found.before, found.begun) == (122, 120, BEGAN)
    begun, upgraded = store.writer.execute(
        "SELECT action, subject, detail FROM audit ORDER BY seq DESC LIMIT 2"
    ).fetchall()[::-1]
    assert begun == ("chain.begin", "before", "120 rows from before the chain were taken in")
    assert "the journal was brought from schema" in upgraded[2]
    store.close()
    again = Store(tmp_path / "data")
    assert checked(again).size == 122
    again.close()


def test_taking_in_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_CHUNK", 7)
    before_the_chain(tmp_path / "data", 30)
    extend, calls = chain.extend, []

    def stopped(connection: apsw.Connection, *words: object, **more: int) -> int:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return extend(connection, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(chain, "extend", stopped)
    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path / "data")
    monkeypatch.setattr(chain, "extend", extend)
    store = Store(tmp_path / "data")
    found = checked(store)
    assert found.intact
    assert (found.size, found.before) == (121, 120)
    store.close()


def test_rows_that_were_put_in_while_nobody_looked_are_noted_for_good(tmp_path: Path) -> None:
    Store(tmp_path).close()
    thief = connect(tmp_path / "journal.db")
    thief.execute(AUDIT, (1,))
    thief.close()
    store = Store(tmp_path)
    assert store.writer.execute("SELECT action, detail FROM audit ORDER BY seq DESC LIMIT 1").fetchone() == (
        "chain.strays",
        "1 rows stood without a leaf and were taken in",
    )
    found = checked(store)
    assert found.intact
    assert found.notes == ["found at the start (audit 3): 1 rows stood without a leaf and were taken in"]
    store.close()


def test_an_edge_that_is_gone_at_the_start_is_made_anew_and_noted(tmp_path: Path) -> None:
    Store(tmp_path).close()
    thief = connect(tmp_path / "journal.db")
    thief.execute("DELETE FROM chain")
    thief.close()
    store = Store(tmp_path)
    assert [action for (action,) in store.writer.execute("SELECT action FROM audit ORDER BY seq")] == [
        "chain.begin",
        "chain.edge",
    ]
    assert checked(store).intact
    store.close()


def test_a_journal_with_another_epoch_goes_on_and_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.writer.execute("UPDATE meta SET value = 'restored' WHERE key = 'epoch'")
    store.close()
    store = Store(tmp_path)
    found = checked(store)
    assert found.intact
    assert "another epoch since audit 2" in found.notes[0]
    store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chain SET size = size + 1",
        "UPDATE chain SET peaks = x'00'",
        "UPDATE chain SET size = 0, peaks = x''",
        "DELETE FROM chain",
        "DELETE FROM leaf WHERE number > 3",
        "DELETE FROM leaf WHERE number = 2",
    ],
)
async def test_meddling_with_the_chain_stops_no_evidence_and_shows_for_good(tmp_path: Path, statement: str) -> None:
    store = Store(tmp_path)
    await write(store, batch_of(entry=[(20 + number, *ENTRY[1:]) for number in range(5)]))
    for (name,) in store.writer.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        store.writer.execute(f"DROP TRIGGER {name}")
    store.writer.execute(statement)
    for number in range(3):
        batch = batch_of(entry=[(30 + number, *ENTRY[1:])])
        batch.log = [(40 + number, 1, "rdr", "tag_read", 1, "b", number, b"{}", None)]
        await write(store, batch)
    assert store.writer.execute("SELECT count(*) FROM log").get == 3
    assert store.writer.execute("SELECT count(*) FROM leaf WHERE kind = 3 AND seq >= 30").get == 3
    anew = store.writer.execute("SELECT count(*) FROM audit WHERE action = 'chain.edge'").get
    found = checked(store)
    if statement.endswith("number = 2"):
        assert "leaf_deleted" in {fault.what for fault in found.faults}, "the end still fits; verify tells of the gap"
    else:
        assert anew == 1, "once, not at each row"
        assert any("it was made anew" in note for note in found.notes)
    store.close()


def test_an_edge_gives_the_root_of_all_leaves(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in range(40):
        with store.writer:
            store.writer.execute(AUDIT, (number,))
            chain.extend(store.writer)
        whole = Tree()
        for (leaf,) in store.writer.execute("SELECT hash FROM leaf ORDER BY number"):
            whole.append(leaf)  # type: ignore[arg-type]
        size, peaks = store.writer.execute("SELECT size, peaks FROM chain").fetchall()[0]
        assert (size, peaks) == (whole.size, whole.pack())
    store.close()


integers = st.integers(-(2**63), 2**63 - 1)
texts = st.text(max_size=5)
rows = st.one_of(
    *(
        st.tuples(
            st.just(kind.table),
            st.tuples(
                *(
                    {"INTEGER": integers, "TEXT": texts.map(str.encode), "BLOB": st.binary(max_size=5)}[declared]
                    for _, declared in kind.columns
                )
            ),
        )
        for kind in KINDS
    )
)


@given(rows, rows)
def test_no_two_rows_share_their_bytes(
    one: tuple[str, tuple[object, ...]], other: tuple[str, tuple[object, ...]]
) -> None:
    first, second = (encoded(KIND_OF[table], row) for table, row in (one, other))  # type: ignore[arg-type]
    assert (first == second) == (one == other)


def test_the_bytes_of_a_row_are_as_documented() -> None:
    row = (7, -1, b"wo", "wo-1", None, b"\x00")
    assert encoded(KIND_OF["entry"], row) == (
        b"t\0\0\0\x05entry"
        b"i\0\0\0\x08\0\0\0\0\0\0\0\x07"
        b"i\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xff"
        b"t\0\0\0\x02wo"
        b"t\0\0\0\x04wo-1"
        b"n\0\0\0\0"
        b"b\0\0\0\x01\0"
    )
