"""`lamplighter restore`: a journal made of a copy, in an empty data folder."""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC
from pathlib import Path

from api.commands.backup import Progress
from gateway.instants import moment
from gateway.journal.backup import restore


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.epilog = (
        "What was heard after the copy was made is not in it: the gateway treats that time as one in which it was down, so nobody is accused for it. "
        "Whoever was erased since the copy stands in it again: erase them again. Put the site's key file (keys/checkpoint.key) back beside it, "
        "or a new one is made and told in the audit history."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="a copy made by `lamplighter backup`")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="a folder without a journal [data]"
    )
    parser.add_argument(
        "--no-verify",
        action="store_true",
        help="do not recompute the chain first; also uses a copy that is not as it was written",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(parsed: argparse.Namespace) -> int:
    """Restore. 0: done."""
    now = time.time_ns() // 1000
    made = restore(
        parsed.file, parsed.data, now, check=not parsed.no_verify, progress=Progress("checked", quiet=parsed.json)
    )
    until = moment(made.until, UTC).isoformat(timespec="seconds")
    chain = "not checked" if made.checked is None else f"intact, {made.checked.size:,} leaves"
    if parsed.json:
        found = {"journal": str(made.path), "epoch": made.epoch, "until": until, "chain": chain}
        print(json.dumps(found, ensure_ascii=False))
    else:
        print(f"{made.path}: everything up to {until}; chain {chain}; new epoch {made.epoch}")
    return 0
