"""Proofs as files that can be checked without the journal: that one row stands in the chain, that one checkpoint continues another."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import apsw
import msgspec

from gateway.errors import JournalError
from gateway.journal.chain import KIND_OF, Kind, Value, encoded
from gateway.journal.merkle import (
    RangeHash,
    Tree,
    consistency_proof,
    continues,
    includes,
    inclusion_proof,
    leaf_hash,
)
from gateway.journal.notes import Note, NoteError, PublicKey, read_note


class ProofError(JournalError):
    """No proof can be made or read; the text says why."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is needed but the public key.

    Attributes:
        table, row: the row itself, by column; bytes as text where they are UTF-8, else in Base64 after `base64:`.
        leaf: its place in the tree; `path`: hashes from it to the root, in Base64.
        checkpoint: the signed note of the tree it stands in.
    """

    table: str
    row: dict[str, int | str | None]
    leaf: int
    path: list[str]
    checkpoint: str


class Continuation(msgspec.Struct, frozen=True, kw_only=True):
    """That one checkpoint continues another: signed notes, and hashes in Base64."""

    older: str
    newer: str
    path: list[str]


def prove(connection: apsw.Connection, table: str, seq: int, note: Note | None = None, text: str = "") -> Proof:
    """The proof for a row, in the tree of `note` (whose whole text is `text`) or of the first stored checkpoint that covers it.

    Raises:
        ProofError: there is no such row, it has no leaf, or no checkpoint covers it.
    """
    kind = KIND_OF.get(table)
    if kind is None:
        raise ProofError(f"the rows of {table!r} are not in the chain; expected one of {', '.join(KIND_OF)}")
    run = connection.execute
    row = run(f"SELECT {kind.select} FROM {table} WHERE seq = ?", (seq,)).fetchone()  # noqa: S608
    number = run("SELECT number FROM leaf WHERE kind = ? AND seq = ?", (kind.number, seq)).get
    if row is None or number is None:
        raise ProofError(f"there is no {table} {seq} in the chain")
    assert isinstance(number, int)
    if note is None:
        found = run("SELECT note FROM checkpoint WHERE size > ? ORDER BY size LIMIT 1", (number,)).get
        if found is None:
            raise ProofError(f"no checkpoint covers {table} {seq} yet; ask for one, or wait for the next")
        text = str(found)
        note = read_note(text)
    if number >= note.size:
        raise ProofError(f"{table} {seq} was written after that checkpoint")

    path = inclusion_proof(number, note.size, _root_of(connection))
    if not includes(leaf_hash(encoded(kind, row)), number, note.size, path, note.root):
        raise ProofError(
            f"{table} {seq} is not what the checkpoint covers: check the journal with `lamplighter verify`"
        )
    return Proof(
        table=table,
        row={name: _shown(declared, value) for (name, declared), value in zip(kind.columns, row, strict=True)},
        leaf=number,
        path=[base64.b64encode(step).decode() for step in path],
        checkpoint=text,
    )


def prove_continuation(connection: apsw.Connection, older: str, newer: str | None) -> Continuation:
    """The proof that the checkpoint `newer` (None: the newest stored one) continues the checkpoint `older`.

    Raises:
        ProofError: it does not, or there is none.
    """
    first = read_note(older)
    if newer is None:
        stored = connection.execute("SELECT note FROM checkpoint ORDER BY seq DESC LIMIT 1").get
        if stored is None:
            raise ProofError("there is no checkpoint in the journal yet")
        newer = str(stored)
    second = read_note(newer)
    if not 0 < first.size <= second.size:
        raise ProofError(f"a checkpoint over {second.size} rows cannot continue one over {first.size}")
    path = consistency_proof(first.size, second.size, _root_of(connection))
    if not continues(first.size, first.root, second.size, second.root, path):
        raise ProofError(
            "this journal does not continue both checkpoints: check it with `lamplighter verify --checkpoint`"
        )
    return Continuation(older=older, newer=newer, path=[base64.b64encode(step).decode() for step in path])


def check_continuation(proof: Continuation, keys: list[PublicKey], checkpoint: Note | None = None) -> str | None:
    """What is wrong with a proof; None: it holds. Arguments as of `check`; `checkpoint` must be one of the two."""
    try:
        older, newer = read_note(proof.older), read_note(proof.newer)
        path = [base64.b64decode(step, validate=True) for step in proof.path]
    except (NoteError, ValueError, binascii.Error) as error:
        return f"the proof cannot be read: {error}"
    if checkpoint is not None and checkpoint.text not in {older.text, newer.text}:
        return (
            f"the proof is of other checkpoints than the one given (over {checkpoint.size} rows of {checkpoint.origin})"
        )
    if keys and not (older.signer(keys) and newer.signer(keys)):
        return "a checkpoint of it is not signed by a key that you trust"
    if not continues(older.size, older.root, newer.size, newer.root, path):
        return "the newer checkpoint does not continue the older one: the journal was changed or cut off between them"
    return None


def check(proof: Proof, keys: list[PublicKey], checkpoint: Note | None = None) -> str | None:
    """What is wrong with a proof; None: it holds.

    Args:
        proof: as it was read.
        keys: those whose signatures count; none: signatures are not looked at.
        checkpoint: one kept elsewhere, which must be the proof's own.
    """
    try:
        note = read_note(proof.checkpoint)
        kind = KIND_OF[proof.table]
        row = _row(kind, proof.row)
        path = [base64.b64decode(step, validate=True) for step in proof.path]
    except (NoteError, KeyError, ValueError, OverflowError, binascii.Error) as error:
        return f"the proof cannot be read: {error}"
    if checkpoint is not None and (checkpoint.origin, checkpoint.size, checkpoint.root) != (
        note.origin,
        note.size,
        note.root,
    ):
        return (
            f"the proof is for the checkpoint over {note.size} rows of {note.origin}, not for the one given (over {checkpoint.size} "
            f"rows of {checkpoint.origin}); make one for that with `--proof {proof.table} {row[0]!r} --checkpoint`"
        )
    if keys and (checkpoint or note).signer(keys) is None:
        return "the checkpoint is not signed by a key that you trust"
    if not includes(leaf_hash(encoded(kind, row)), proof.leaf, note.size, path, note.root):
        return "the row is not in the tree of the checkpoint: it was changed, or is of another journal"
    return None


def _root_of(connection: apsw.Connection) -> RangeHash:
    def root_of(low: int, high: int) -> bytes:
        tree = Tree()
        sql = "SELECT hash FROM leaf WHERE number >= ? AND number < ? ORDER BY number"
        for (leaf,) in connection.execute(sql, (low, high)):
            tree.append(leaf)
        return tree.root()

    return root_of


def _shown(declared: str, value: Any) -> int | str | None:
    if value is None or declared == "INTEGER":
        return value  # type: ignore[no-any-return]
    try:
        text = bytes(value).decode()
    except UnicodeDecodeError:
        text = ""
    if text.encode() == value and not text.startswith(_BASE64):
        return text
    return _BASE64 + base64.b64encode(value).decode()


_BASE64 = "base64:"


def _row(kind: Kind, shown: dict[str, int | str | None]) -> list[Value]:
    row: list[Value] = []
    for name, declared in kind.columns:
        value = shown[name]
        if isinstance(value, int) != (declared == "INTEGER") and value is not None:
            raise ValueError(f"{name}: expected {declared}")
        if isinstance(value, str) and value.startswith(_BASE64):
            row.append(base64.b64decode(value.removeprefix(_BASE64), validate=True))
        else:
            row.append(value)
    return row
