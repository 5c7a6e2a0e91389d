"""The chain: each row that nobody may quietly change is a leaf of one hash tree, written in the row's own transaction."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from typing import NamedTuple

import apsw

from gateway.instants import Instant
from gateway.journal.merkle import WIDTH, Tree, leaf_hash

_LOST = bytes(WIDTH)
"""Stands for a leaf that is gone where the edge must be made anew."""
_CHUNK = 5000
"""Rows taken in at once when a journal from before the chain is opened: bounds memory and the write-ahead log."""


class Kind(NamedTuple):
    """A table whose rows are leaves. A column added later makes a new number: what is hashed here stays as it is.

    `columns`: name and type; the first is the key, `seq`. `at` is among them.
    """

    number: int
    table: str
    columns: tuple[tuple[str, str], ...]

    @property
    def select(self) -> str:
        """The columns as they are hashed: text as bytes, so that what is no text can be read, too."""
        return ", ".join(f"CAST({name} AS BLOB)" if kind == "TEXT" else name for name, kind in self.columns)


KINDS = (
    Kind(1, "visit_revision", (
        ("seq", "INTEGER"), ("at", "INTEGER"), ("round", "TEXT"), ("position", "INTEGER"), ("revision", "INTEGER"),
        ("verdict", "TEXT"), ("body", "BLOB"),
    )),
    Kind(2, "alert_transition", (
        ("seq", "INTEGER"), ("at", "INTEGER"), ("alert", "TEXT"), ("state", "TEXT"), ("body", "BLOB"),
    )),
    Kind(3, "entry", (
        ("seq", "INTEGER"), ("at", "INTEGER"), ("book", "TEXT"), ("id", "TEXT"), ("state", "TEXT"), ("body", "BLOB"),
    )),
    Kind(4, "audit", (
        ("seq", "INTEGER"), ("at", "INTEGER"), ("who", "TEXT"), ("address", "TEXT"), ("action", "TEXT"), ("subject", "TEXT"),
        ("outcome", "TEXT"), ("detail", "TEXT"),
    )),
    Kind(5, "checkpoint", (
        ("seq", "INTEGER"), ("at", "INTEGER"), ("size", "INTEGER"), ("root", "BLOB"), ("reason", "TEXT"), ("note", "TEXT"),
    )),
)  # fmt: skip

KIND_OF = {kind.table: kind for kind in KINDS}
CHAINED = frozenset(KIND_OF)

_MARKS = {"INTEGER": b"i", "TEXT": b"t", "BLOB": b"b"}

Value = int | bytes | str | None


def encoded(kind: Kind, row: Iterable[Value]) -> bytes:
    """A row's bytes: the table's name, then each column's type and length and value; no two rows share them.

    Each part is a mark (`n` NULL, `i` integer, `t` text, `b` bytes), the length as four bytes, the first being the highest, and the
    value: integers as eight bytes in two's complement, the first being the highest, text as UTF-8. The name is such a part, too.
    """
    name = kind.table.encode()
    parts = [b"t", len(name).to_bytes(4, "big"), name]
    for (_, declared), value in zip(kind.columns, row, strict=True):
        if value is None:
            parts.append(b"n\0\0\0\0")
        elif isinstance(value, int):
            parts += b"i\0\0\0\x08", value.to_bytes(8, "big", signed=True)
        else:
            data = value.encode() if isinstance(value, str) else value
            parts += _MARKS[declared], len(data).to_bytes(4, "big"), data
    return b"".join(parts)


_AFTER = {
    kind.number: f"SELECT {kind.select} FROM {kind.table} WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
    for kind in KINDS
}


def extend(connection: apsw.Connection, tables: Iterable[str] = CHAINED, limit: int = -1) -> int:
    """Make leaves of all rows of `tables` that were inserted since the last time; gives how many.

    Called inside the transaction that inserted them, by every writer of these tables. `limit`: of each table no more than so
    many; -1: all.
    """
    run = connection.execute
    found: list[tuple[int, int, bytes]] = []
    for kind in KINDS:
        if kind.table not in tables:
            continue
        last = run("SELECT coalesce(max(seq), -9223372036854775808) FROM leaf WHERE kind = ?", (kind.number,)).get
        rows = run(_AFTER[kind.number], (last, limit)).fetchall()
        found += [(kind.number, row[0], leaf_hash(encoded(kind, row))) for row in rows]  # type: ignore[arg-type, misc]
    if not found:
        return 0
    tree, anew = _edge(connection)
    first = tree.size
    for _, _, leaf in found:
        tree.append(leaf)
    numbered = [(first + place, *leaf) for place, leaf in enumerate(found)]
    connection.executemany("INSERT INTO leaf VALUES (?, ?, ?, ?)", numbered)
    run("UPDATE chain SET size = ?, peaks = ?", (tree.size, tree.pack()))
    return len(found) + (extend(connection, ("audit",)) if anew else 0)


def _edge(connection: apsw.Connection) -> tuple[Tree, bool]:
    """The tree as it is, and whether its edge was made anew. One whose edge does not fit its leaves was meddled with: it is made anew, so that rows can be written all the same.

    That it did not fit shows for good: in the audit history, and by the checkpoints.
    """
    run = connection.execute
    size = int(run("SELECT coalesce(max(number), -1) + 1 FROM leaf").get)
    stored = run("SELECT size, peaks, epoch FROM chain").fetchall()
    with contextlib.suppress(ValueError, IndexError):
        tree = Tree.unpack(stored[0][0], stored[0][1])  # type: ignore[arg-type]
        if tree.size == size:
            return tree, False
    tree = Tree()
    for number, leaf in run("SELECT number, hash FROM leaf WHERE number >= 0 ORDER BY number"):
        while tree.size < number:
            tree.append(_LOST)
        tree.append(leaf if len(leaf) == WIDTH else _LOST)
    epoch = stored[0][2] if stored else run("SELECT value FROM meta WHERE key = 'epoch'").get
    run("INSERT OR REPLACE INTO chain VALUES (1, ?, ?, ?)", (tree.size, tree.pack(), epoch))
    said = f"{stored[0][0]} leaves" if stored else "nothing"
    detail = f"the right edge told of {said}, there were {size}; it was made anew"
    _note(connection, time.time_ns() // 1000, "chain.edge", str(epoch), detail)
    return tree, True


def begin(connection: apsw.Connection, epoch: str, now: Instant) -> None:
    """Bring the chain of a journal that nobody else writes up to date, and note in the audit history what was not as it should be.

    Rows from before the chain are taken in, a chunk a transaction; rows that stand without a leaf later on were written by somebody
    else; another epoch means that the journal was restored.
    """
    if not connection.execute("SELECT EXISTS (SELECT 1 FROM chain)").get:
        with connection:
            _edge(connection)
            extend(connection, ("audit",))
    told = connection.execute("SELECT epoch FROM chain").get
    if told == epoch and not _strays(connection):
        return
    taken = 0
    while True:
        with connection:
            count = extend(connection, limit=_CHUNK)
            taken += count
            if count:
                continue
            if told is None:
                size = connection.execute("SELECT size FROM chain").get
                _note(connection, now, "chain.begin", epoch, f"{size} rows from before the chain were taken in")
            elif taken:
                _note(connection, now, "chain.strays", epoch, f"{taken} rows stood without a leaf and were taken in")
            if told is not None and told != epoch:
                _note(connection, now, "chain.epoch", epoch, f"follows the epoch {told}")
            connection.execute("UPDATE chain SET epoch = ?", (epoch,))
            extend(connection, ("audit",))
            return


def note(connection: apsw.Connection, now: Instant, action: str, subject: str, detail: str) -> None:
    """Add a row of the gateway's own to the audit history and the chain, in a transaction of its own."""
    with connection:
        _note(connection, now, action, subject, detail)
        extend(connection, ("audit",))


def _strays(connection: apsw.Connection) -> bool:
    return any(
        connection.execute(
            f"SELECT EXISTS (SELECT 1 FROM {kind.table} WHERE seq > "  # noqa: S608
            "(SELECT coalesce(max(seq), -9223372036854775808) FROM leaf WHERE kind = ?))",
            (kind.number,),
        ).get
        for kind in KINDS
    )


def _note(connection: apsw.Connection, now: Instant, action: str, epoch: str, detail: str) -> None:
    sql = "INSERT INTO audit (at, who, address, action, subject, outcome, detail) VALUES (?, 'gateway', 'local', ?, ?, 'done', ?)"
    connection.execute(sql, (now, action, epoch, detail))
