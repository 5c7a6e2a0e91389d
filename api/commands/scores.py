"""`lamplighter scores rank`: rank several sites by their exported score documents; who fails the year."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import msgspec

from device_drivers.errors import LamplighterError
from gateway.scores.document import FORMAT, ScoreDocument
from gateway.scores.ranking import Ranked, RankingError, rank

MOST_BYTES = 64 * 1024 * 1024
"""A year of a large site is far below this."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    ranked = actions.add_parser("rank", help="rank sites by score documents of one period")
    ranked.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="score documents, one a site, as GET /api/v1/scores?period=2026 gives them",
    )
    ranked.add_argument("--json", action="store_true", help="print the ranking as a JSON list")


def run(parsed: argparse.Namespace) -> int:
    """Print the ranking, best first. Exit status: 0; 1 if a site fails the year; 2 if the documents cannot be ranked."""
    documents = [_read(path) for path in parsed.files]
    try:
        found = rank(documents)
    except RankingError as error:
        raise LamplighterError(str(error)) from error
    if parsed.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
    else:
        for line in _table(found):
            print(line)
    return int(any(each.fails for each in found))


def _read(path: Path) -> ScoreDocument:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise LamplighterError(f"{path}: longer than any score document")
        document = msgspec.json.decode(path.read_bytes(), type=ScoreDocument)
    except OSError as error:
        raise LamplighterError(f"{path}: cannot be read ({error.strerror}); expected a score document") from error
    except msgspec.DecodeError as error:
        raise LamplighterError(f"{path}: {error}; expected a score document as /api/v1/scores gives it") from error
    if document.format != FORMAT:
        raise LamplighterError(f"{path}: format {document.format}; expected {FORMAT}")
    return document


def _table(found: list[Ranked]) -> Iterable[str]:
    yield f"{'rank':>4}  {'score':>7}  {'period':8} {'':28} site"
    for each in found:
        if each.fails:
            remark = "FAILED: among the last three and below the pass mark"
        elif each.below:
            remark = "below the pass mark"
        else:
            remark = "" if each.settled else "not settled yet"
        yield f"{each.rank:>4}  {each.score:>7.3f}  {each.period:8} {remark:28} {each.name} ({each.site})"
