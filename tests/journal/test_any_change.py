"""Whatever single value is changed, in the rows or in the chain itself: `verify` never says intact, and never breaks down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.chain import CHAINED, KINDS
from gateway.journal.store import connect
from gateway.journal.verification import verify
from tests.journal.chained import Made, make

COLUMNS = {kind.table: kind.columns for kind in KINDS} | {
    "leaf": (("number", "INTEGER"), ("kind", "INTEGER"), ("seq", "INTEGER"), ("hash", "BLOB")),
    "chain": (("size", "INTEGER"), ("peaks", "BLOB"), ("epoch", "TEXT")),
    "meta": (("value", "TEXT"),),
}
VALUES = {
    "INTEGER": st.one_of(st.integers(-3, 60), st.integers(-(2**63), 2**63 - 1)),
    "TEXT": st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=6),
    "BLOB": st.one_of(st.binary(max_size=40), st.binary(min_size=32, max_size=32)),
}

changes = st.sampled_from(sorted(COLUMNS)).flatmap(
    lambda table: st.tuples(
        st.just(table),
        st.sampled_from(COLUMNS[table]).flatmap(lambda column: st.tuples(st.just(column[0]), VALUES[column[1]])),
        st.integers(0, 24),
    )
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Made, apsw.Connection]]:
    """A journal without what keeps it from being changed; each example is taken back."""
    made = make(tmp_path_factory.mktemp("any") / "data")
    connection = connect(made.path)
    yield made, connection
    connection.close()


def checked(made: Made, connection: apsw.Connection) -> Any:
    found = verify(connection, trusted=[made.key.public])
    return [fault for fault in found.faults if fault.what != "schema"]


@given(change=changes)
def test_no_change_of_a_single_value_goes_unseen(
    opened: tuple[Made, apsw.Connection], change: tuple[str, tuple[str, Any], int]
) -> None:
    made, connection = opened
    table, (column, value), place = change
    run = connection.execute
    run("BEGIN")
    try:
        for (name,) in run("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            run(f"DROP TRIGGER {name}")
        key = {"meta": "key", "leaf": "number", "chain": "id"}.get(table, "seq")
        where = "WHERE key = 'epoch'" if table == "meta" else ""
        keys = [row[0] for row in run(f"SELECT {key} FROM {table} {where} ORDER BY 1")]
        chosen = keys[place % len(keys)]
        old = run(f"SELECT {column} FROM {table} WHERE {key} = ?", (chosen,)).get
        try:
            run(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (value, chosen))
        except apsw.ConstraintError:
            return  # such a row or leaf is there already
        faults = checked(made, connection)
        assert bool(faults) == (value != old), (table, column, chosen, old, value)
        if table in CHAINED and value != old and column != "seq":
            assert ("changed", table, chosen) in [(fault.what, fault.table, fault.seq) for fault in faults]
    finally:
        run("ROLLBACK")


@given(places=st.sets(st.integers(0, 24), min_size=1, max_size=24), table=st.sampled_from([*sorted(CHAINED), "leaf"]))
def test_no_rows_taken_out_go_unseen(opened: tuple[Made, apsw.Connection], places: set[int], table: str) -> None:
    made, connection = opened
    run = connection.execute
    run("BEGIN")
    try:
        for (name,) in run("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            run(f"DROP TRIGGER {name}")
        keys = [row[0] for row in run(f"SELECT rowid FROM {table} ORDER BY 1")]
        gone = sorted({keys[place % len(keys)] for place in places})
        for key in gone:
            run(f"DELETE FROM {table} WHERE rowid = ?", (key,))
        faults = checked(made, connection)
        if table == "leaf":
            assert "inserted" in {fault.what for fault in faults}
        else:
            assert [fault.seq for fault in faults if fault.what == "deleted"] == gone
    finally:
        run("ROLLBACK")
