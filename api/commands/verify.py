"""`lamplighter verify`: whether anything in the journal was changed, cut off or slipped in, offline; also while the gateway runs."""

from __future__ import annotations

import argparse
import base64
import json
import sys
import time
from datetime import UTC
from pathlib import Path
from typing import Any

import apsw
import msgspec

from device_drivers.errors import LamplighterError
from gateway.instants import Instant, moment
from gateway.journal.checkpoints import KEYS, PUBLIC_FILE
from gateway.journal.notes import Note, PublicKey, read_notes
from gateway.journal.proofs import Continuation, Proof, check, check_continuation, prove, prove_continuation
from gateway.journal.store import FILE, connect_snapshot
from gateway.journal.verification import Checked, Fault, verify

_BIGGEST = 64 * 1024 * 1024
_SHOWN = 20


class VerifyError(LamplighterError):
    """It cannot be checked; the text says why."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.epilog = (
        "Exit status: 0 intact, 1 not intact, 2 wrong use. Whoever has the journal's key and its file can make both anew: only a checkpoint "
        "that was kept elsewhere (printed, sent with a report, `chain: {to: …}` of the site file) shows that. Give it with --checkpoint."
    )
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="where the journal is kept [data]"
    )
    parser.add_argument(
        "--checkpoint", type=Path, action="append", default=[], metavar="FILE",
        help="one or more checkpoints kept elsewhere; the journal must continue each of them",
    )  # fmt: skip
    parser.add_argument(
        "--public-key", nargs="?", const="", metavar="FILE",
        help="file with the only keys whose signatures count; without FILE: print the journal's own",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument(
        "--proof", nargs=2, metavar=("TABLE", "SEQ"), help="print the proof that this row is in the journal's chain"
    )
    parser.add_argument(
        "--continues", type=Path, metavar="FILE",
        help="print the proof that the newest checkpoint (with --checkpoint: that one) continues the one in FILE",
    )  # fmt: skip
    parser.add_argument("--check-proof", type=Path, metavar="FILE", help="check such a proof; needs no journal")


def run(parsed: argparse.Namespace) -> int:
    """Check. 0: intact, 1: not."""
    if sum(map(bool, (parsed.proof, parsed.continues, parsed.check_proof))) > 1:
        raise VerifyError("--proof, --continues and --check-proof: only one of them at once")
    notes = [note for path in parsed.checkpoint for note in _notes(path)]
    if parsed.check_proof:
        return _check_proof(parsed, notes)
    try:
        journal = _open(parsed.data)
    except (apsw.NotADBError, apsw.CorruptError) as error:
        print(f"NOT INTACT: {parsed.data / FILE} is damaged and cannot be read: {error}")
        return 1
    try:
        if parsed.public_key == "":
            print("\n".join(map(str, _published(parsed.data))) or "no key yet: no checkpoint was made")
            return 0
        if parsed.proof or parsed.continues:
            return _prove(parsed, journal, notes)
        trusted = _keys(parsed.public_key) if parsed.public_key else None
        found = verify(
            journal, trusted=trusted, published=_published(parsed.data), outside=notes, progress=_Progress(parsed.json)
        )
    finally:
        journal.close()
    if parsed.json:
        print(json.dumps(_document(found, len(notes)), ensure_ascii=False, indent=2))
    else:
        _print(found, notes, trusted=trusted is not None)
    return 0 if found.intact else 1


def _prove(parsed: argparse.Namespace, journal: apsw.Connection, notes: list[Note]) -> int:
    """Print a proof."""
    if len(notes) > 1:
        raise VerifyError("--checkpoint: expected a file with one checkpoint")
    text = _text(parsed.checkpoint[0]) if notes else None
    proof: Proof | Continuation
    if parsed.continues:
        proof = prove_continuation(journal, _text(parsed.continues), text)
    else:
        table, seq = parsed.proof
        if not seq.isdigit():
            raise VerifyError(f"--proof: {seq!r} is no number of a row")
        proof = prove(journal, table, int(seq), notes[0] if notes else None, text or "")
    print(json.dumps(msgspec.to_builtins(proof), ensure_ascii=False, indent=2))
    return 0


def _check_proof(parsed: argparse.Namespace, notes: list[Note]) -> int:
    if len(notes) > 1:
        raise VerifyError("--check-proof: expected a file with one checkpoint")
    keys = _keys(parsed.public_key) if parsed.public_key else []
    given = notes[0] if notes else None
    data = _read(parsed.check_proof)
    try:
        if b'"older"' in data:
            continuation = msgspec.json.decode(data, type=Continuation)
            wrong = check_continuation(continuation, keys, given)
            where, shown = (
                "continuation",
                f"nothing was changed between\n\n{continuation.older}\nand\n\n{continuation.newer}",
            )
        else:
            proof = msgspec.json.decode(data, type=Proof)
            wrong = check(proof, keys, given)
            where = f"{proof.table} {proof.row.get('seq')}"
            row = json.dumps(proof.row, ensure_ascii=False, indent=2)
            shown = f"so it stood in the journal when the checkpoint was made:\n{row}"
    except msgspec.DecodeError as error:
        raise VerifyError(f"{parsed.check_proof} is no proof: {error}") from error
    if parsed.json:
        print(
            json.dumps(
                {"holds": wrong is None, "signed": bool(keys) and wrong is None, "why": wrong}, ensure_ascii=False
            )
        )
    elif wrong is not None:
        print(f"{where}: does NOT hold: {wrong}")
    else:
        print(f"{where}: holds; {shown}")
        if not keys:
            print(
                "The signature was not looked at: give the key with --public-key FILE, or compare the checkpoint with one you kept."
            )
    return 0 if wrong is None else 1


class _Progress:
    """A line on the terminal, not more than three times a second."""

    def __init__(self, silent: bool) -> None:
        self._silent = silent or not sys.stderr.isatty()
        self._next = 0.0
        self._shown = False

    def __call__(self, done: int, total: int) -> None:
        if self._silent:
            return
        if done >= total:
            if self._shown:
                print("\r\033[K", end="", file=sys.stderr, flush=True)
        elif (now := time.monotonic()) >= self._next:
            self._next, self._shown = now + 0.3, True
            print(f"\r{done:,} of {total:,} rows", end="", file=sys.stderr, flush=True)


def _print(found: Checked, notes: list[Note], *, trusted: bool) -> None:
    rows = ", ".join(f"{count:,} {table}" for table, count in found.rows.items())
    print(f"{found.size:,} rows in the chain ({rows}), journal {found.epoch}")
    print(f"root {base64.b64encode(found.root).decode()}")
    if found.before:
        print(
            f"{found.before:,} of them are from before {_time(found.begun)}, when the chain began: what was done to them until then "
            "does not show"
        )
    for note in found.notes:
        print(f"note: {note}")
    if found.intact:
        print(f"intact: {found.checkpoints} checkpoints of the journal fit, the last over {found.covered:,} rows")
        if notes:
            print(f"{found.outside} of {len(notes)} given checkpoints are beginnings of this journal")
        else:
            print(
                "Whoever has the key and the file could have made all of this anew; a checkpoint kept elsewhere shows that (--checkpoint)."
            )
        if not trusted:
            print(
                "The signatures were checked with the keys that the journal itself names; give the one you noted with --public-key."
            )
        return
    first = found.first
    assert first is not None
    print(f"NOT INTACT. First: {_told(first)}")
    for fault in [fault for fault in found.faults if fault is not first][:_SHOWN]:
        print(f"  {_told(fault)}")
    rest = len(found.faults) - 1 - _SHOWN + found.more
    if rest > 0:
        print(f"  … and {rest} more (--json lists {len(found.faults)})")
    if found.covered:
        print(f"Up to row {found.covered:,} of the chain a good checkpoint covers the hashes.")


def _told(fault: Fault) -> str:
    where = "" if fault.table is None else f"{fault.table} {fault.seq}, "
    when = "" if fault.at is None else f"{_time(fault.at)}, "
    leaf = "" if fault.leaf is None else f" (leaf {fault.leaf})"
    return f"{where}{when}{fault.what}: {fault.text}{leaf}"


def _document(found: Checked, given: int) -> dict[str, Any]:
    return {
        "intact": found.intact,
        "epoch": found.epoch,
        "size": found.size,
        "root": base64.b64encode(found.root).decode(),
        "rows": found.rows,
        "from_before_the_chain": found.before,
        "begun": _iso(found.begun),
        "checkpoints": found.checkpoints,
        "given": given,
        "given_good": found.outside,
        "covered": found.covered,
        "keys": found.keys,
        "notes": found.notes,
        "first": _fault(found.first) if found.first is not None else None,
        "faults": [_fault(fault) for fault in found.faults],
        "more": found.more,
    }


def _fault(fault: Fault) -> dict[str, Any]:
    return {key: value for key, value in msgspec.to_builtins(fault).items() if value is not None} | (
        {} if fault.at is None else {"at": _iso(fault.at)}
    )


def _iso(at: Instant | None) -> str | None:
    return None if at is None else moment(at, UTC).isoformat()


def _time(at: Instant | None) -> str:
    """In this machine's time."""
    return "" if at is None else moment(at, UTC).astimezone().isoformat(sep=" ", timespec="seconds")


def _open(data: Path) -> apsw.Connection:
    if not (data / FILE).exists():
        raise VerifyError(f"there is no journal in {data}; name its folder with --data")
    try:
        return connect_snapshot(data / FILE)
    except (apsw.NotADBError, apsw.CorruptError):
        raise
    except apsw.Error as error:
        raise VerifyError(f"{data / FILE} cannot be opened: {error}") from error


def _published(data: Path) -> list[PublicKey]:
    path = data / KEYS / PUBLIC_FILE
    return _keys(path) if path.exists() else []


def _keys(path: str | Path) -> list[PublicKey]:
    lines = _read(Path(path)).decode("utf-8", "replace").splitlines()
    found = [PublicKey.parse(line) for line in lines if line.strip()]
    if not found:
        raise VerifyError(f"{path} holds no key")
    return found


def _notes(path: Path) -> list[Note]:
    return read_notes(_text(path))


def _text(path: Path) -> str:
    return _read(path).decode("utf-8", "replace")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_BIGGEST + 1)
    except OSError as error:
        raise VerifyError(f"{path}: {error.strerror or error}") from error
    if len(data) > _BIGGEST:
        raise VerifyError(f"{path} is larger than 64 MiB")
    return data
