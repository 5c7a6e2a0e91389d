"""Whoever has the file can change it; `verify` says what and where."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from gateway.journal.chain import KINDS
from gateway.journal.notes import Key
from gateway.journal.store import connect
from tests.journal.chained import COLUMNS, STEP, Made, Thief, insert, make

TABLES = ["visit_revision", "alert_transition", "entry", "audit", "checkpoint"]
WORDS = {
    "visit_revision": ("verdict", "on_time"),
    "alert_transition": ("state", "closed"),
    "entry": ("body", b'{"cost":1}'),
    "audit": ("who", "somebody"),
    "checkpoint": ("reason", "asked"),
}
"""What is worth changing in each."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("chain") / "data")


@pytest.fixture
def made(original: Made, tmp_path: Path) -> Made:
    shutil.copytree(original.folder, tmp_path / "data")
    copy = Made(tmp_path / "data")
    copy.printed = list(original.printed)
    return copy


@pytest.fixture
def thief(made: Made) -> Iterator[Thief]:
    return Thief(made)


def leaf_of(thief: Thief, table: str, seq: int) -> int:
    kind = next(kind for kind in KINDS if kind.table == table)
    number = thief.run("SELECT number FROM leaf WHERE kind = ? AND seq = ?", (kind.number, seq)).get
    assert isinstance(number, int)
    return number


def test_an_untouched_journal_is_intact_and_continues_every_printed_checkpoint(made: Made) -> None:
    found = made.check(*made.printed, trusted=[made.key.public])
    assert found.faults == []
    assert found.size == 1 + 5 * len(COLUMNS) + 4
    assert found.rows == {"visit_revision": 5, "alert_transition": 5, "entry": 5, "audit": 6, "checkpoint": 4}
    assert (found.checkpoints, found.outside) == (4, 4)
    assert found.covered == 1 + 4 * len(COLUMNS) + 3


@pytest.mark.parametrize("table", TABLES)
def test_a_changed_row_is_named(made: Made, thief: Thief, table: str) -> None:
    seq = thief.seqs(table)[2]
    column, value = WORDS[table]
    at = thief.run(f"SELECT at FROM {table} WHERE seq = ?", (seq,)).get
    leaf = leaf_of(thief, table, seq)
    thief.run(f"UPDATE {table} SET {column} = ? WHERE seq = ?", (value, seq))
    thief.gone()
    first = made.check().first
    assert first is not None
    assert (first.what, first.table, first.seq, first.at, first.leaf) == ("changed", table, seq, at, leaf)


@pytest.mark.parametrize("table", TABLES)
def test_every_column_counts(made: Made, thief: Thief, table: str) -> None:
    kind = next(kind for kind in KINDS if kind.table == table)
    seq = thief.seqs(table)[2]
    row = thief.run(f"SELECT * FROM {table} WHERE seq = ?", (seq,)).fetchone()
    assert row is not None
    named = list(thief.run(f"SELECT name FROM pragma_table_info('{table}') ORDER BY cid"))
    assert [name for (name,) in named] == [name for name, _ in kind.columns], "a column that is no part of the leaf"
    for (column, declared), old in zip(kind.columns[1:], row[1:], strict=True):
        value = {"INTEGER": 7, "TEXT": "other", "BLOB": b"other"}[declared]
        thief.run(f"UPDATE {table} SET {column} = ? WHERE seq = ?", (value, seq))
        found = made.check()
        assert ("changed", table, seq) in [(fault.what, fault.table, fault.seq) for fault in found.faults], column
        thief.run(f"UPDATE {table} SET {column} = ? WHERE seq = ?", (old, seq))
    thief.gone()
    assert made.check().intact


@pytest.mark.parametrize("table", TABLES)
def test_a_deleted_row_is_named(made: Made, thief: Thief, table: str) -> None:
    seq = thief.seqs(table)[2]
    leaf = leaf_of(thief, table, seq)
    thief.run(f"DELETE FROM {table} WHERE seq = ?", (seq,))
    thief.gone()
    first = made.check().first
    assert first is not None
    assert (first.what, first.table, first.seq, first.leaf) == ("deleted", table, seq, leaf)
    assert first.at is not None, "about when it was is known from the row before"


@pytest.mark.parametrize("table", TABLES)
def test_a_row_slipped_in_is_named(made: Made, thief: Thief, table: str) -> None:
    seqs = thief.seqs(table)
    row = dict(
        zip(
            [name for name, _ in next(kind for kind in KINDS if kind.table == table).columns],
            thief.run(f"SELECT * FROM {table} WHERE seq = ?", (seqs[2],)).fetchone() or (),
            strict=True,
        )
    ) | {"seq": seqs[2] + 1}
    thief.run(insert(table, row), tuple(row.values()))
    thief.gone()
    first = made.check().first
    assert first is not None
    assert (first.what, first.table, first.seq) == ("inserted", table, seqs[2] + 1)


@pytest.mark.parametrize("table", TABLES)
def test_two_rows_that_changed_places_are_named(made: Made, thief: Thief, table: str) -> None:
    one, other = thief.seqs(table)[1:3]
    thief.run(f"UPDATE {table} SET seq = -1 WHERE seq = ?", (one,))
    thief.run(f"UPDATE {table} SET seq = ? WHERE seq = ?", (one, other))
    thief.run(f"UPDATE {table} SET seq = ? WHERE seq = -1", (other,))
    thief.gone()
    found = made.check()
    changed = [(fault.table, fault.seq) for fault in found.faults if fault.what == "changed"]
    assert changed == [(table, one), (table, other)]
    assert found.first is not None
    assert found.first.seq == one


@pytest.mark.parametrize("table", TABLES)
def test_a_table_cut_off_is_named_from_its_first_missing_row(made: Made, thief: Thief, table: str) -> None:
    seqs = thief.seqs(table)
    thief.run(f"DELETE FROM {table} WHERE seq >= ?", (seqs[-2],))
    thief.run("UPDATE sqlite_sequence SET seq = (SELECT max(seq) FROM audit) WHERE name = 'audit'")
    thief.gone()
    found = made.check()
    assert [fault.seq for fault in found.faults if fault.what == "deleted"] == seqs[-2:]
    assert found.first is not None
    assert (found.first.table, found.first.seq) == (table, seqs[-2])


def test_rows_cut_off_with_their_leaves_are_told_by_a_checkpoint_of_the_journal(made: Made, thief: Thief) -> None:
    """The last checkpoint's row stands before what it was followed by, but after what it covers."""
    keep = thief.run("SELECT * FROM checkpoint ORDER BY seq DESC LIMIT 1").fetchone()
    assert keep is not None
    thief.cut(12)
    thief.run("INSERT INTO checkpoint VALUES (?,?,?,?,?,?)", keep)
    thief.gone()
    found = made.check()
    assert [fault.leaf for fault in found.faults if fault.what == "truncated"] == [12, 12]
    assert any("but a checkpoint tells of 20" in fault.text for fault in found.faults)


def test_an_end_cut_off_with_everything_that_tells_of_it_is_told_by_a_printed_checkpoint_only(
    made: Made, thief: Thief
) -> None:
    thief.cut(12)
    thief.run("UPDATE sqlite_sequence SET seq = (SELECT max(seq) FROM audit) WHERE name = 'audit'")
    thief.gone()
    assert made.check().intact
    first = made.check(made.printed[-1]).first
    assert first is not None
    assert (first.what, first.leaf) == ("truncated", 12)
    assert "the chain ends after 12 rows, but a checkpoint tells of 20: the last 8 were cut off" in first.text
    assert made.check(made.printed[0]).intact, "what that one covers is still there"


def test_audit_rows_cut_off_are_told_by_their_counter(made: Made, thief: Thief) -> None:
    last = thief.seqs("audit")[-1]
    thief.cut(leaf_of(thief, "audit", last))
    thief.gone()
    found = made.check()
    assert [(fault.what, fault.table) for fault in found.faults] == [("truncated", "audit")]


@pytest.mark.parametrize("table", ["visit_revision", "alert_transition", "entry", "audit"])
def test_a_change_with_all_leaves_made_anew_is_told_by_the_next_checkpoint(
    made: Made, thief: Thief, table: str
) -> None:
    seq = thief.seqs(table)[2]
    leaf = leaf_of(thief, table, seq)
    thief.run(f"UPDATE {table} SET {WORDS[table][0]} = ? WHERE seq = ?", (WORDS[table][1], seq))
    thief.make_anew()
    thief.gone()
    found = made.check()
    assert [fault.what for fault in found.faults] == ["rewritten"]
    fault = found.faults[0]
    assert fault.leaf is not None
    assert fault.until is not None
    assert fault.leaf <= leaf <= fault.until < fault.leaf + STEP
    assert found.covered == fault.leaf, "up to there a checkpoint fits"


def test_with_the_key_all_can_be_made_anew_and_only_a_printed_checkpoint_shows_it(made: Made, thief: Thief) -> None:
    seq = thief.seqs("visit_revision")[2]
    leaf = leaf_of(thief, "visit_revision", seq)
    thief.run("UPDATE visit_revision SET verdict = 'on_time' WHERE seq = ?", (seq,))
    thief.make_anew(key=made.key)
    thief.gone()
    assert made.check(trusted=[made.key.public]).intact
    found = made.check(*made.printed)
    assert [fault.what for fault in found.faults] == ["rewritten"]
    assert found.faults[0].leaf is not None
    assert found.faults[0].until is not None
    assert found.faults[0].leaf <= leaf <= found.faults[0].until


def test_with_another_key_the_one_that_was_noted_tells(made: Made, thief: Thief, tmp_path: Path) -> None:
    other = Key.open(tmp_path / "other.key", "lamplighter/s")
    thief.run("UPDATE visit_revision SET verdict = 'on_time' WHERE seq = ?", (thief.seqs("visit_revision")[2],))
    thief.make_anew(key=other)
    thief.run(
        "INSERT INTO audit (at, who, address, action, subject, outcome, detail) VALUES (1, 'gateway', 'local', 'checkpoint.key', ?, 'done', '')",
        (str(other.public),),
    )
    thief.gone()
    assert {fault.what for fault in made.check(trusted=[made.key.public]).faults} >= {"signature"}


def test_a_changed_checkpoint_is_named_with_what_it_no_longer_fits(made: Made, thief: Thief) -> None:
    seq = thief.seqs("checkpoint")[1]
    thief.run("UPDATE checkpoint SET root = ? WHERE seq = ?", (b"\0" * 32, seq))
    thief.gone()
    faults = {(fault.what, fault.table, fault.seq) for fault in made.check().faults}
    assert faults == {("changed", "checkpoint", seq), ("checkpoint", "checkpoint", seq)}


def test_a_leaf_made_to_fit_a_changed_row_does_not_fit_the_edge(made: Made, thief: Thief) -> None:
    """Without the edge made anew, too."""
    edge = thief.run("SELECT size, peaks FROM chain").fetchall()[0]
    thief.run("UPDATE visit_revision SET verdict = 'on_time' WHERE seq = ?", (thief.seqs("visit_revision")[-1],))
    thief.make_anew()
    thief.run("UPDATE chain SET size = ?, peaks = ?", edge)
    thief.gone()
    assert [fault.what for fault in made.check().faults] == ["edge"]


def test_a_leaf_taken_out_is_named_with_its_row(made: Made, thief: Thief) -> None:
    seq = thief.seqs("entry")[2]
    number = leaf_of(thief, "entry", seq)
    thief.run("DELETE FROM leaf WHERE number = ?", (number,))
    thief.gone()
    found = made.check()
    assert {(fault.what, fault.table, fault.seq) for fault in found.faults} >= {
        ("leaf_deleted", None, None),
        ("inserted", "entry", seq),
    }
    assert found.first is not None
    assert found.first.leaf == number


def test_leaves_in_another_order_are_named(made: Made, thief: Thief) -> None:
    one, other = (leaf_of(thief, "audit", seq) for seq in thief.seqs("audit")[2:4])
    thief.run("UPDATE leaf SET number = -1 WHERE number = ?", (one,))
    thief.run("UPDATE leaf SET number = ? WHERE number = ?", (one, other))
    thief.run("UPDATE leaf SET number = ? WHERE number = -1", (other,))
    thief.gone()
    found = made.check()
    assert "reordered" in {fault.what for fault in found.faults}
    assert found.first is not None
    assert found.first.leaf == one


def test_text_that_is_no_text_is_a_change_and_not_a_breakdown(made: Made, thief: Thief) -> None:
    seq = thief.seqs("audit")[2]
    thief.run("UPDATE audit SET who = CAST(x'ff00fe' AS TEXT) WHERE seq = ?", (seq,))
    thief.gone()
    found = made.check()
    assert [(fault.what, fault.seq) for fault in found.faults] == [("changed", seq)]


@pytest.mark.parametrize("chain_too", [False, True])
def test_another_epoch_is_told(made: Made, thief: Thief, *, chain_too: bool) -> None:
    thief.run("UPDATE meta SET value = 'another' WHERE key = 'epoch'")
    if chain_too:
        thief.run("UPDATE chain SET epoch = 'another'")
    thief.gone()
    assert [fault.what for fault in made.check().faults] == ["epoch"]


def test_missing_and_weakened_triggers_are_told(made: Made) -> None:
    connection = connect(made.path)
    connection.execute("DROP TRIGGER entry_is_never_shortened")
    connection.execute("DROP TRIGGER audit_is_never_changed")
    connection.execute("CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit BEGIN SELECT 1; END")
    connection.close()
    assert [(fault.what, fault.text.partition(":")[0]) for fault in made.check().faults] == [
        ("schema", "the trigger audit_is_never_changed is not as this program made it"),
        ("schema", "the trigger entry_is_never_shortened is missing"),
    ]


def test_a_column_that_was_added_is_told(made: Made) -> None:
    connection = connect(made.path)
    connection.execute("ALTER TABLE visit_revision ADD COLUMN remark TEXT")
    connection.close()
    assert "schema" in {fault.what for fault in made.check().faults}


@pytest.mark.parametrize("table", [*TABLES, "leaf"])
def test_nothing_is_changed_or_shortened_by_an_ordinary_statement(made: Made, table: str) -> None:
    connection = connect(made.path)
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET seq = seq + 1000000"):
        with pytest.raises(apsw.ConstraintError, match="append-only"):
            connection.execute(statement)
    connection.close()
    assert made.check().intact


def test_a_damaged_file_is_told(made: Made) -> None:
    connection = connect(made.path)
    page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'visit_revision'").get
    assert isinstance(page, int)
    connection.close()
    data = bytearray(made.path.read_bytes())
    data[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    made.path.write_bytes(data)
    faults = made.check().faults
    assert "damaged" in {fault.what for fault in faults}


def test_a_checkpoint_of_another_journal_is_not_this_ones(made: Made, tmp_path: Path) -> None:
    other = make(tmp_path / "other")
    found = made.check(other.printed[0], trusted=[made.key.public, other.key.public])
    assert {"rewritten", "epoch"} <= {fault.what for fault in found.faults}
