"""A small journal with a chain and checkpoints, and what somebody with the file in hand can do to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw

from gateway.instants import MINUTE
from gateway.journal import chain
from gateway.journal.checkpoints import KEY_FILE, KEYS
from gateway.journal.merkle import Tree, leaf_hash
from gateway.journal.notes import Key, Note, PublicKey, origin_of, read_note, text_of
from gateway.journal.store import Store, connect, connect_snapshot
from gateway.journal.verification import Checked, verify

BEGAN = 1_795_700_000_000_000
STEP = 10
"""Numbers between rows are left free, so that a row can be slipped in."""

COLUMNS = {
    "visit_revision": (("round", "night@1"), ("position", 3), ("revision", 1), ("verdict", "missed"), ("body", b"{}")),
    "alert_transition": (("alert", "round_missed/night@1/1"), ("state", "open"), ("body", b'{"a":1}')),
    "entry": (("book", "work_order"), ("id", "wo-1"), ("state", "reported"), ("body", b"{}")),
    "audit": (
        ("who", "u-1"), ("address", "127.0.0.1"), ("action", "alert.ack"), ("subject", "x"), ("outcome", "done"),
        ("detail", ""),
    ),
}  # fmt: skip
"""Rows of each table, without number and time."""


class Made:
    """The journal's folder, and the checkpoints that were printed when they were made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.printed: list[str] = []
        self._seq = 0
        self.key = Key.open(folder / KEYS / KEY_FILE, "lamplighter/s")

    @property
    def path(self) -> Path:
        return self.folder / "journal.db"

    def write(self, connection: apsw.Connection, table: str, **values: Any) -> int:
        """One row as the gateway writes it."""
        self._seq += STEP
        row = {"seq": self._seq, "at": BEGAN + self._seq * MINUTE} | dict(COLUMNS.get(table, ())) | values
        with connection:
            connection.execute(insert(table, row), tuple(row.values()))
            chain.extend(connection)
        return self._seq

    def checkpoint(self, connection: apsw.Connection) -> str:
        """A checkpoint of now, stored and printed."""
        epoch, size, peaks = connection.execute("SELECT epoch, size, peaks FROM chain").fetchall()[0]
        root, at = Tree.unpack(size, peaks).root(), BEGAN + (self._seq + STEP) * MINUTE
        note = self.key.sign(text_of(origin_of("s", epoch), size, root, at))
        self.write(connection, "checkpoint", at=at, size=size, root=root, reason="time", note=note)
        self.printed.append(note)
        return note

    def check(self, *outside: str, trusted: list[PublicKey] | None = None) -> Checked:
        """What verify says."""
        connection = connect_snapshot(self.path)
        try:
            notes: list[Note] = [read_note(text) for text in outside]
            return verify(connection, trusted=trusted, published=[self.key.public], outside=notes)
        finally:
            connection.close()


def insert(table: str, row: dict[str, Any]) -> str:
    """The statement for a row."""
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"


def make(folder: Path, rounds: int = 4) -> Made:
    """`rounds` times a row of each table and a checkpoint, then a row of each that no checkpoint covers."""
    made = Made(folder)
    Store(folder, lambda: BEGAN).close()
    connection = connect(made.path)
    for number in range(rounds + 1):
        for table in COLUMNS:
            made.write(connection, table)
        if number < rounds:
            made.checkpoint(connection)
    connection.close()
    return made


class Thief:
    """Somebody who can write the file: takes the triggers off, changes what he likes, and puts them on again."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.connection = connect(made.path)
        self.run = self.connection.execute
        self._triggers = self.run("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in self._triggers:
            self.run(f"DROP TRIGGER {name}")

    def gone(self) -> None:
        """Leave no trace of the triggers."""
        for _, sql in self._triggers:
            self.run(sql)
        self.connection.close()

    def seqs(self, table: str) -> list[int]:
        return [seq for (seq,) in self.run(f"SELECT seq FROM {table} ORDER BY seq")]

    def make_anew(self, *, key: Key | None = None) -> None:
        """Leaves and edge anew, in their order; with the key the checkpoints as well, signed."""
        order = self.run("SELECT kind, seq FROM leaf ORDER BY number").fetchall()
        self.run("DELETE FROM leaf")
        tree = Tree()
        for number, seq in order:
            kind = next(kind for kind in chain.KINDS if kind.number == number)
            if key is not None and kind.table == "checkpoint":
                epoch = self.run("SELECT epoch FROM chain").get
                at = self.run("SELECT at FROM checkpoint WHERE seq = ?", (seq,)).get
                size = self.run("SELECT size FROM checkpoint WHERE seq = ?", (seq,)).get
                known = self.run("SELECT hash FROM leaf WHERE number < ? ORDER BY number", (size,))
                older = Tree()
                for (leaf,) in known:
                    older.append(leaf)
                note = key.sign(text_of(origin_of("s", epoch), older.size, older.root(), at))
                self.run("UPDATE checkpoint SET root = ?, note = ? WHERE seq = ?", (older.root(), note, seq))
            row = self.run(f"SELECT {kind.select} FROM {kind.table} WHERE seq = ?", (seq,)).fetchone()
            if row is None:
                continue
            leaf = leaf_hash(chain.encoded(kind, row))
            self.run("INSERT INTO leaf VALUES (?, ?, ?, ?)", (tree.size, number, seq, leaf))
            tree.append(leaf)
        self.run("UPDATE chain SET size = ?, peaks = ?", (tree.size, tree.pack()))

    def cut(self, size: int) -> None:
        """Leaves and rows from leaf `size` on are gone, and the edge fits."""
        for kind in chain.KINDS:
            self.run(
                f"DELETE FROM {kind.table} WHERE seq IN (SELECT seq FROM leaf WHERE kind = ? AND number >= ?)",
                (kind.number, size),
            )
        self.run("DELETE FROM leaf WHERE number >= ?", (size,))
        tree = Tree()
        for (leaf,) in self.run("SELECT hash FROM leaf ORDER BY number"):
            tree.append(leaf)
        self.run("UPDATE chain SET size = ?, peaks = ?", (tree.size, tree.pack()))
