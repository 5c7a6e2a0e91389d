"""`lamplighter backup`: a hot copy of the journal in one file, also while the gateway runs."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from gateway.errors import JournalError
from gateway.instants import moment
from gateway.journal.backup import backup
from gateway.whole_file import make_folder

_NAME = "journal-%Y%m%dT%H%M%SZ.db"
_HALF_FOR_S = 24 * 3600
"""A copy that nothing was added to for so long was killed."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.epilog = (
        "The copy is whole at one instant, checked, and appears under its name only when it is on disk. Keys and passwords of the data folder "
        "are not in it: keep them elsewhere. `lamplighter restore` makes a journal of it."
    )
    parser.add_argument(
        "to",
        metavar="TO",
        help="a new file, or a folder in which one is made, named after the time; with --keep or a slash at its end it is a folder",
    )
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="where the journal is kept [data]"
    )
    parser.add_argument(
        "--keep",
        type=_count,
        metavar="N",
        help="of the copies that this command made in the folder TO keep only the newest N",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of at least 1")
    return int(text)


def run(parsed: argparse.Namespace) -> int:
    """Copy. 0: done.

    Raises:
        JournalError: the folder cannot be made, or the copy.
    """
    to = Path(parsed.to)
    folder = to.is_dir() or parsed.keep is not None or parsed.to.endswith("/")
    if folder:
        try:
            make_folder(to, mode=0o700)
        except OSError as error:
            raise JournalError(f"cannot use the folder {to}: {error.strerror or error}") from error
        _forget_halves(to)
    target = to / datetime.now(UTC).strftime(_NAME) if folder else to
    made = backup(parsed.data, target, Progress("copied", quiet=parsed.json))
    gone = _forget(to, parsed.keep) if folder and parsed.keep else []
    until = moment(made.until, UTC).isoformat(timespec="seconds")
    if parsed.json:
        found = {
            "file": str(made.path),
            "bytes": made.size,
            "rows": made.rows,
            "until": until,
            "deleted": [str(each) for each in gone],
        }
        print(json.dumps(found, ensure_ascii=False))
        return 0
    print(f"{made.path}: {made.rows:,} rows, {made.size / 2**20:.1f} MiB, everything up to {until}")
    for each in gone:
        print(f"{each}: deleted")
    return 0


def _forget_halves(folder: Path) -> None:
    """Take away what copies that were killed left; of one that may be under way, nothing."""
    for each in folder.glob("journal-????????T??????Z.db.part*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - each.stat().st_mtime > _HALF_FOR_S:
                each.unlink()


def _forget(folder: Path, keep: int) -> list[Path]:
    gone = sorted(folder.glob("journal-????????T??????Z.db"))[:-keep]
    for each in gone:
        each.unlink()
    return gone


class Progress:
    """Shows on a terminal how far long work is."""

    def __init__(self, word: str, *, quiet: bool) -> None:
        self._word = word
        self._shown = not quiet and sys.stderr.isatty()

    def __call__(self, done: int, of: int) -> None:
        """So much is done."""
        if self._shown:
            print(
                f"\r{self._word} {done / max(of, 1):.0%}", end="\n" if done >= of else "", file=sys.stderr, flush=True
            )
