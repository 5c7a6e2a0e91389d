"""`lamplighter replay`: judge an evidence file, JSON out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import IO, Any

import msgspec

from device_drivers.errors import LamplighterError
from gateway.explain.document import explanations
from gateway.instants import DAY, Instant, moment, parse_instant
from gateway.replay import Later, replay_lines
from gateway.site.load import load_site


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", required=True, type=Path, metavar="SITE", help="the site file")
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="evidence, one JSON object a line; - for standard input"
    )
    parser.add_argument(
        "--from", dest="since", type=_time, metavar="T", help="print rounds and windows starting at or after T"
    )
    parser.add_argument("--until", type=_time, metavar="T", help="go on to T at the end")
    parser.add_argument(
        "--explain", action="store_true", help="say of each thing why it is judged so, as `explanations`"
    )
    parser.add_argument("--json", action="store_true", help="JSON is what is always printed")


def _time(text: str) -> Instant:
    try:
        at = parse_instant(text)
        moment(at + DAY, UTC)  # also to be told in every time zone
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{error}: an RFC 3339 time with offset is expected") from error
    return at


def _write(document: Mapping[str, Any], out: IO[bytes]) -> None:
    """JSON, indented by one, item by item: the whole text of a year would be twice in memory beside what it says."""
    before = b"{\n "
    for name, value in document.items():
        out.write(before + msgspec.json.encode(name) + b": ")
        if isinstance(value, Later | Sequence) and not isinstance(value, str):
            mark = begin = b"[\n  "
            for item in value:
                out.write(mark + _indented(item, b"  "))
                mark = b",\n  "
            out.write(b"[]" if mark == begin else b"\n ]")
        else:
            out.write(_indented(value, b" "))
        before = b",\n "
    out.write(b"\n}\n")


def _indented(item: Any, by: bytes) -> bytes:
    return msgspec.json.format(msgspec.json.encode(item), indent=1).replace(b"\n", b"\n" + by)


def run(parsed: argparse.Namespace) -> int:
    """Exit status 1: some lines could not be read (they are listed under `rejected`)."""
    site, _ = load_site(parsed.site, secrets=False)
    judge = partial(
        replay_lines, site, since=parsed.since, until=parsed.until, explain=explanations if parsed.explain else None
    )
    try:
        if str(parsed.file) == "-":
            found = judge(sys.stdin.buffer)
        else:
            with parsed.file.open("rb") as lines:
                found = judge(lines)
    except OSError as error:
        raise LamplighterError(f"{parsed.file}: {error.strerror}; give a readable evidence file") from error
    _write(found.parts, sys.stdout.buffer)
    if not found.rejected:
        return 0
    first = min(found.rejected, key=lambda each: each.line)
    many = f"{len(found.rejected)} lines" if len(found.rejected) > 1 else "1 line"
    print(f"{parsed.file}: {many} could not be read; line {first.line}: {first.reason}", file=sys.stderr)
    return 1
