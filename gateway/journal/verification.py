"""Checking a journal against its own chain, and against checkpoints kept elsewhere: reads only, in one pass, memory bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import apsw
import msgspec

from gateway.errors import JournalError
from gateway.instants import Instant
from gateway.journal.chain import KINDS, Kind, encoded
from gateway.journal.merkle import Tree, leaf_hash
from gateway.journal.notes import Note, NoteError, PublicKey, read_note
from gateway.journal.store import migrations

What = Literal[
    "changed", "deleted", "inserted", "reordered", "leaf_deleted", "rewritten", "truncated", "edge", "signature",
    "checkpoint", "epoch", "schema", "damaged", "view",
]  # fmt: skip

_TOLD = 100
"""So many faults are told of; the rest is counted."""

_BOOKS = ("silence", "duty", "work_order", "duty_check", "score")
"""As `gateway.books.BookName`."""
_VIEWS = (
    """SELECT f.kind, f.id, f.seq, f.body, h.seq, h.body FROM finding f LEFT JOIN alert_transition h
    ON h.seq = (SELECT max(seq) FROM alert_transition WHERE alert = f.id) WHERE f.kind = 'alert' ORDER BY f.id""",
    f"""SELECT f.kind, f.id, f.seq, f.body, h.seq, h.body FROM finding f LEFT JOIN entry h
    ON h.seq = (SELECT max(seq) FROM entry WHERE book = f.kind AND id = f.id) WHERE f.kind IN {_BOOKS} ORDER BY f.kind, f.id""",  # noqa: S608  own words
)
"""The newest views of alerts and items, each with the last row of its history."""

_PROGRESS = 20_000
_BEGUN = "chain.begin"
_EPOCH = "chain.epoch"
_BATCH = 2000


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it was written.

    `table`, `seq`, `at`: the row; where only a stretch is known (`rewritten`), its first row, and `until` is the last leaf's number.
    `leaf`: place in the tree.
    """

    what: What
    text: str
    table: str | None = None
    seq: int | None = None
    at: Instant | None = None
    leaf: int | None = None
    until: int | None = None


class Checked(msgspec.Struct, kw_only=True):
    """What was found. `intact`: nothing at all."""

    epoch: str = ""
    size: int = 0
    root: bytes = b""
    rows: dict[str, int] = msgspec.field(default_factory=dict)
    checkpoints: int = 0
    """In the journal, with the right root and a good signature."""
    outside: int = 0
    """Given ones that this journal continues."""
    covered: int = 0
    """Leaves up to the last good checkpoint of either sort."""
    keys: list[str] = msgspec.field(default_factory=list)
    """Verifier keys that the signatures were checked with."""
    begun: Instant | None = None
    before: int = 0
    """Rows from before the chain: what was done to them until then does not show."""
    notes: list[str] = msgspec.field(default_factory=list)
    """What is no fault but should be known."""
    faults: list[Fault] = msgspec.field(default_factory=list)
    more: int = 0

    @property
    def intact(self) -> bool:
        return not self.faults

    @property
    def first(self) -> Fault | None:
        """Of what has a place in the tree the one nearest to the beginning, else the first that was found."""
        placed = [fault for fault in self.faults if fault.leaf is not None and fault.what != "rewritten"]
        rewritten = [fault for fault in self.faults if fault.what == "rewritten"]
        return min(placed or rewritten, key=lambda fault: fault.leaf or 0, default=next(iter(self.faults), None))

    def fault(self, what: What, text: str, **where: Any) -> None:
        """One more."""
        if len(self.faults) < _TOLD:
            self.faults.append(Fault(what=what, text=text, **where))
        else:
            self.more += 1


class NotChainedError(JournalError):
    """The journal is of a version without a chain, or of a newer one."""


def verify(
    connection: apsw.Connection,
    *,
    trusted: Sequence[PublicKey] | None = None,
    published: Sequence[PublicKey] = (),
    outside: Sequence[Note] = (),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Checked:
    """Recompute every leaf from its row, the tree over them, and every checkpoint's root and signature.

    Args:
        connection: reads only; one view of the journal is kept throughout, also while a gateway writes.
        trusted: the only keys whose signatures count; None: those that the journal itself names.
        published: keys beside the journal, for when `trusted` is None.
        outside: checkpoints kept elsewhere: this journal must continue each of them.
        progress: told of leaves done and of all.

    Raises:
        NotChainedError: there is nothing to check by.
    """
    check = _Check(connection, trusted, published, outside, progress)
    check.run()
    return check.found


class _Rows:
    """One table's rows in order of their key, and the next one."""

    def __init__(self, connection: apsw.Connection, kind: Kind) -> None:
        self.kind = kind
        self.count = 0
        self.last: Any = None
        self._rows: Iterator[Any] = iter(
            connection.execute(f"SELECT {kind.select} FROM {kind.table} ORDER BY seq")  # noqa: S608
        )
        self.row: Any = next(self._rows, None)

    def step(self) -> Any:
        """The row, and on to the next."""
        self.last, self.row = self.row, next(self._rows, None)
        self.count += 1
        return self.last


class _Check:
    def __init__(
        self,
        connection: apsw.Connection,
        trusted: Sequence[PublicKey] | None,
        published: Sequence[PublicKey],
        outside: Sequence[Note],
        progress: Callable[[int, int], None],
    ) -> None:
        self._run = connection.execute
        self._connection = connection
        self._trusted = trusted
        self._keys: list[PublicKey] = list(trusted if trusted is not None else published)
        self._outside = sorted(outside, key=lambda note: note.size)
        self._progress = progress
        self._tree = Tree()
        self._epochs: list[str] = []
        self._good = 0
        """Leaves that a good checkpoint covers, and those that one kept elsewhere does."""
        self._good_outside = 0
        self._rewritten = False
        """A root did not fit; likewise that leaves are missing: then the roots that follow cannot fit either."""
        self._broken = False
        self._origins: set[str] = set()
        self.found = Checked()

    def run(self) -> None:
        found = self.found
        _check_version(self._run("PRAGMA user_version").get)
        try:
            with self._connection:  # one view of the journal throughout
                self._check_schema()
                found.epoch = str(self._run("SELECT value FROM meta WHERE key = 'epoch'").get)
                self._gather_keys()
                self._walk()
                self._check_edge()
                self._check_epochs()
                self._check_views()
        except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError) as error:
            found.fault("damaged", f"the file is damaged and could not be read to its end: {error}")
        found.size, found.root = self._tree.size, self._tree.root()
        found.covered = self._good
        found.keys = [str(key) for key in self._keys]

    # -- what holds the rows

    def _check_schema(self) -> None:
        """The tables of the chain and what keeps them append-only must be as the migrations made them."""
        tables = {"leaf", "chain", *(kind.table for kind in KINDS)}
        expected = _objects(_fresh(self._run("PRAGMA user_version").get), tables)
        actual = _objects(self._connection, tables)
        for name in sorted(expected.keys() | actual.keys()):
            if name not in actual:
                self.found.fault("schema", f"{name} is missing: what it kept from being changed could be changed")
            elif name not in expected:
                self.found.fault("schema", f"{name} is not of this program")
            elif expected[name] != actual[name]:
                self.found.fault("schema", f"{name} is not as this program made it")

    def _gather_keys(self) -> None:
        """Keys that the audit history names; each of these rows is checked as a leaf, too."""
        if self._trusted is not None:
            return
        for (text,) in self._run("SELECT subject FROM audit WHERE action = 'checkpoint.key' ORDER BY seq"):
            try:
                key = PublicKey.parse(str(text))
            except NoteError:
                continue
            if key not in self._keys:
                self._keys.append(key)

    # -- the walk along the leaves

    def _walk(self) -> None:
        tables = {kind.number: _Rows(self._connection, kind) for kind in KINDS}
        total = self._run("SELECT count(*) FROM leaf").get
        marks = self._marks()
        mark = next(marks, None)
        expected = 0
        for number, kind, seq, stored in self._run("SELECT number, kind, seq, hash FROM leaf ORDER BY number"):
            while mark is not None and mark[0] <= self._tree.size:
                self._check_mark(*mark)
                mark = next(marks, None)
            if number != expected:
                self._gap(expected, number)
            expected = number + 1
            rows = tables.get(kind)
            if rows is None:
                self._broken = True
                self.found.fault("reordered", f"leaf {number} is of no table of the chain", leaf=number)
            else:
                self._check_row(rows, number, seq, stored)
            self._tree.append(stored if len(stored) == 32 else leaf_hash(stored))
            if number % _PROGRESS == 0:
                self._progress(self._tree.size, total)
        while mark is not None and mark[0] <= self._tree.size:
            self._check_mark(*mark)
            mark = next(marks, None)
        for rows in tables.values():
            while rows.row is not None:
                self._inserted(rows, expected)
            self.found.rows[rows.kind.table] = rows.count
        if mark is not None:
            self._truncated(mark, marks)
        self._check_audit_count()
        self._progress(total, total)

    def _gap(self, first: int, after: int) -> None:
        self._broken = True
        count = after - first
        self.found.fault(
            "leaf_deleted", f"{count} {'leaf is' if count == 1 else 'leaves are'} missing from the chain", leaf=first
        )

    def _check_row(self, rows: _Rows, number: int, seq: int, stored: bytes) -> None:
        table = rows.kind.table
        while rows.row is not None and rows.row[0] < seq:
            self._inserted(rows, number)
        if rows.row is None or rows.row[0] > seq:
            what: What = "reordered" if rows.last is not None and rows.last[0] >= seq else "deleted"
            text = (
                "the leaf stands behind that of a later row"
                if what == "reordered"
                else "the row is gone; it was between those of the times before and after it"
            )
            at = rows.last[1] if rows.last is not None else rows.row[1] if rows.row is not None else None
            self.found.fault(what, text, table=table, seq=seq, at=at, leaf=number)
            return
        row = rows.step()
        if leaf_hash(encoded(rows.kind, row)) != stored:
            self.found.fault(
                "changed", "the row is not the one that was written", table=table, seq=seq, at=row[1], leaf=number
            )
        elif table == "audit":
            self._note_audit(row, number)

    def _inserted(self, rows: _Rows, number: int) -> None:
        row = rows.step()
        self.found.fault(
            "inserted", "the row has no leaf: it was not written by the gateway, or its leaf was removed",
            table=rows.kind.table, seq=row[0], at=row[1], leaf=number,
        )  # fmt: skip

    def _note_audit(self, row: Any, number: int) -> None:
        action, epoch = bytes(row[4]), bytes(row[5]).decode("utf-8", "replace")
        if row[2] != b"gateway" or not action.startswith(b"chain."):
            return
        if action == _BEGUN.encode() and not self._epochs:
            self._epochs.append(epoch)
            self.found.begun, self.found.before = row[1], number
        elif action == _EPOCH.encode():
            self._epochs.append(epoch)
            self.found.notes.append(f"another epoch since {_row_name(row)}: restored, or told another by somebody")
        else:
            text = bytes(row[7]).decode("utf-8", "replace")
            self.found.notes.append(f"found at the start ({_row_name(row)}): {text}")

    # -- checkpoints

    def _marks(self) -> Iterator[tuple[int, Note | None, Any]]:
        """All checkpoints by size: (size, note, row of the journal or None)."""
        stored = iter(self._run("SELECT size, seq, at, root, CAST(note AS BLOB) FROM checkpoint ORDER BY size, seq"))
        outside = iter(self._outside)
        row, note = next(stored, None), next(outside, None)
        while row is not None or note is not None:
            if row is not None and (note is None or int(row[0]) <= note.size):
                yield int(row[0]), None, row
                row = next(stored, None)
            elif note is not None:
                yield note.size, note, None
                note = next(outside, None)

    def _check_mark(self, size: int, note: Note | None, row: Any) -> None:
        where: dict[str, Any] = {}
        if note is None:
            where = {"table": "checkpoint", "seq": row[1], "at": row[2]}
            try:
                note = read_note(bytes(row[4]).decode("utf-8", "replace"))
            except NoteError as error:
                self.found.fault("checkpoint", f"the stored checkpoint cannot be read: {error}", **where)
                return
            if (note.size, note.root, note.at) != (size, row[3], row[2]):
                self.found.fault("checkpoint", "the stored checkpoint's note says other than its row", **where)
                return
        name = "a checkpoint of the journal" if row is not None else "the checkpoint given"
        signer = note.signer(self._keys)
        if signer is None:
            told = "no key that you trust" if self._trusted is not None else "no key that this journal names"
            self.found.fault("signature", f"{name} over {size} rows is signed by {told}", **where)
        self._origins.add(note.origin)
        if note.root != self._tree.root():
            if row is None:
                self._good = self._good_outside  # those of the journal were made anew as well
            self._stretch(size, name)
        elif not self._rewritten and signer is not None:
            self._good = size
            if row is not None:
                self.found.checkpoints += 1
            else:
                self._good_outside = size
                self.found.outside += 1

    def _stretch(self, size: int, name: str) -> None:
        """The leaves up to `size` are others than those that were signed; those up to the last good checkpoint are not."""
        if self._rewritten or self._broken:
            return  # what follows from it
        self._rewritten = True
        first = self._run("SELECT number, kind, seq FROM leaf WHERE number >= ? ORDER BY number LIMIT 1", (self._good,))
        number, kind, seq = first.fetchone() or (self._good, 0, None)
        table = next((each.table for each in KINDS if each.number == kind), None)
        at = None if table is None else self._run(f"SELECT at FROM {table} WHERE seq = ?", (seq,)).get  # noqa: S608
        self.found.fault(
            "rewritten",
            f"among the rows of leaves {number} to {size - 1} at least one was changed, and leaves were made anew to fit: "
            f"{name} over {size} rows has another root",
            table=table, seq=seq, at=at, leaf=number, until=size - 1,
        )  # fmt: skip

    def _truncated(self, mark: tuple[int, Note | None, Any], marks: Iterator[tuple[int, Note | None, Any]]) -> None:
        largest, note, row = mark
        for largest, note, row in marks:  # noqa: B007  the last one is the largest
            pass
        at = row[2] if row is not None else note.at if note is not None else None
        missing = largest - self._tree.size
        self.found.fault(
            "truncated",
            f"the chain ends after {self._tree.size} rows, but a checkpoint tells of {largest}: the last {missing} were cut off",
            at=at, leaf=self._tree.size,
        )  # fmt: skip

    def _check_audit_count(self) -> None:
        given = self._run("SELECT seq FROM sqlite_sequence WHERE name = 'audit'").get or 0
        last, at = self._run("SELECT coalesce(max(seq), 0), max(at) FROM audit").fetchall()[0]
        if given > last:  # type: ignore[operator]
            self.found.fault(
                "truncated", f"rows up to {given} were written to the history of audit, but it ends with {last}",
                table="audit", seq=last + 1, at=at, leaf=self._tree.size,  # type: ignore[operator]
            )  # fmt: skip

    # -- the rest

    def _check_views(self) -> None:
        """What pages, ledger and reports show of an alert or an item is what the last row of its history says."""
        for statement in _VIEWS:
            for kind, name, seq, body, last, history in self._run(statement):
                if last is None:
                    self.found.fault("view", f"{kind} {name} is shown, but has no history", table="finding", seq=seq)
                elif last != seq or not (
                    history.startswith(b'{"alert":%b,"transition":' % body)
                    if kind == "alert"
                    else history.endswith(b',"item":%b}' % body)
                ):
                    self.found.fault(
                        "view", f"{kind} {name} is shown otherwise than its history says (row {last})", table="finding", seq=seq
                    )  # fmt: skip

    def _check_edge(self) -> None:
        rows = self._run("SELECT size, peaks FROM chain").fetchall()
        if rows != [(self._tree.size, self._tree.pack())]:
            said = rows[0][0] if rows else "nothing"
            self.found.fault(
                "edge",
                f"the chain's right edge (of {said} leaves) does not fit its {self._tree.size} leaves: leaves were changed, "
                f"added or cut off",
            )

    def _check_epochs(self) -> None:
        epoch, told = self.found.epoch, self._run("SELECT epoch FROM chain").get
        if not self._epochs:
            self.found.fault("epoch", "the row that tells of the chain's beginning is missing")
        elif self._epochs[-1] != epoch or told != epoch:
            self.found.fault("epoch", f"the journal says that its epoch is {epoch!r}, its chain {self._epochs[-1]!r}")
        for origin in sorted(self._origins):
            if origin.rpartition("/")[2] not in self._epochs:
                self.found.fault("epoch", f"a checkpoint is of another journal ({origin})")


def _row_name(row: Any) -> str:
    return f"audit {row[0]}"


def _check_version(version: int) -> None:
    chained = next(number for number, text in migrations() if "CREATE TABLE leaf" in text)
    if version < chained:
        raise NotChainedError("this journal has no chain yet; start the gateway of this version on it once")
    if version > migrations()[-1][0]:
        raise NotChainedError("this journal was written by a newer version; check it with that one, or a newer one")


def _fresh(version: int) -> apsw.Connection:
    made = apsw.Connection(":memory:")
    for number, text in migrations():
        if number <= version:
            made.execute(text)
    return made


def _objects(connection: apsw.Connection, tables: set[str]) -> dict[str, str]:
    """Tables, indexes and triggers on `tables`, by name, as SQL."""
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {f"the {kind} {name}": str(sql) for kind, name, table, sql in rows if table in tables}
