"""`lamplighter export`: evidence of the journal as an evidence file, for `replay` and for anybody who wants to judge for himself."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import msgspec

from device_drivers.errors import LamplighterError
from gateway.instants import Instant, instant, moment
from gateway.journal.store import FILE, connect_snapshot
from gateway.whole_file import whole_file

_AT_ONCE = 5000


class ExportError(LamplighterError):
    """It cannot be exported; the text says why."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.epilog = (
        "One JSON object a line, in the order of receipt: observations as they were decoded, starts, people's actions, and how late it was at the end. "
        "`lamplighter replay --site S FILE` judges it. Times of receipt: from --from on, before --until; swaps of shifts that stood at --from come first."
    )
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="where the journal is kept [data]"
    )
    parser.add_argument(
        "--from", dest="since", metavar="T", help="first time of receipt, RFC 3339 with offset [all that is kept]"
    )
    parser.add_argument("--until", metavar="T", help="end, likewise [now]")
    parser.add_argument(
        "--device", action="append", default=[], metavar="ID", help="only this device; may be given again"
    )
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="a new file [standard output]")


def run(parsed: argparse.Namespace) -> int:
    """Export. 0: done."""
    since, until = _time(parsed.since, "--from"), _time(parsed.until, "--until")
    path = parsed.data / FILE
    if not path.is_file():
        raise ExportError(f"there is no journal in {parsed.data}; give its folder with --data")
    if parsed.output and parsed.output.exists():
        raise ExportError(f"cannot write {parsed.output}: it exists already")
    journal = connect_snapshot(path)
    count = enrolled = 0
    try:
        # The file has its name only once it is whole; the view of the journal is one throughout, also while a gateway writes.
        with journal, whole_file(parsed.output) if parsed.output else nullcontext(sys.stdout.buffer) as out:
            for line in _lines(journal, since, until, frozenset(parsed.device)):
                out.write(line)
                count += 1
            enrolled = _enrolled(journal)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ExportError(f"cannot write {parsed.output or 'the output'}: {error.strerror or error}") from error
    except apsw.Error as error:
        raise ExportError(f"{path} cannot be read: {error}") from error
    finally:
        journal.close()
    print(f"{count:,} lines", file=sys.stderr)
    if enrolled:
        print(
            f"{enrolled} people, tags and phones were enrolled on the console and are not in an evidence file: "
            "`replay` knows only those that its site file names",
            file=sys.stderr,
        )
    return 0


def _lines(
    journal: apsw.Connection, since: Instant | None, until: Instant | None, devices: frozenset[str]
) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    last = 0 if since is None else _before(journal, since)
    if since is not None and not devices:
        for line in _agreed(journal, since):
            yield encode(line) + b"\n"
    while True:
        sql = "SELECT seq, received, device, kind, body FROM log WHERE seq > ? ORDER BY seq LIMIT ?"
        rows: list[tuple[Any, ...]] = journal.execute(sql, (last, _AT_ONCE)).fetchall()
        if not rows:
            break
        last = rows[-1][0]
        for _, received, device, kind, body in rows:
            if (since is not None and received < since) or (devices and device not in devices and kind != "restart"):
                continue
            if until is not None and received >= until:
                return
            for line in _said(received, device, kind, body):
                yield encode(line) + b"\n"
    judged = journal.execute("SELECT value FROM meta WHERE key = 'advanced'").get
    if judged is not None:
        yield encode({"kind": "advance", "at": _utc(int(judged))}) + b"\n"


def _said(received: Instant, device: str, kind: str, body: bytes) -> Iterator[dict[str, Any]]:
    """The lines of an evidence file that a row of the log is; none: a rejudging, which judges the same evidence again."""
    if kind == "rejudge":
        return
    said: dict[str, Any] = msgspec.json.decode(body)
    if kind == "restart":
        yield {"kind": "advance", "at": _utc(said["since"])}  # until then it had judged
        yield {"kind": "restart", "at": _utc(received)} | ({"clock": said["clock"]} if "clock" in said else {})
    elif kind == "operator":
        yield said
    else:
        yield said | {"device": device, "received": _utc(received)}


def _agreed(journal: apsw.Connection, since: Instant) -> Iterator[dict[str, Any]]:
    """Who was to stand in for whom by what had been agreed before: who walks the night is judged by it."""
    if not journal.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'entry')").get:
        return
    lines: dict[str, dict[str, Any]] = {}
    rows = journal.execute(
        "SELECT id, at, state, body FROM entry WHERE book = 'duty' AND at < ? ORDER BY seq", (since,)
    )
    for swap, at, state, body in rows:
        if state != "agreed":
            lines.pop(swap, None)
            continue
        said = msgspec.json.decode(body)
        details = {name: said["item"].get(name) for name in ("shift", "date", "away", "instead")}
        lines[swap] = {"kind": "operator", "at": _utc(at), "by": said["by"], "book": "duty", "action": "create"} | {
            "details": details,
            "why": said["why"],
        }
    yield from lines.values()


def _enrolled(journal: apsw.Connection) -> int:
    """How many enrolments count; of a journal from before there were any: none."""
    if not journal.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'enrolment')").get:
        return 0
    sql = "SELECT count(*) FROM enrolment WHERE body IS NOT NULL AND seq IN (SELECT max(seq) FROM enrolment GROUP BY kind, subject)"
    return int(journal.execute(sql).get)


def _before(journal: apsw.Connection, since: Instant) -> int:
    """A `seq` up to which every row was received earlier, found by halving: `received` never falls."""
    low, high = 0, int(journal.execute("SELECT coalesce(max(seq), 0) FROM log").get)
    while low < high:
        middle = (low + high + 1) // 2
        row: Instant | None = journal.execute(
            "SELECT received FROM log WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,)
        ).get
        if row is not None and row < since:
            low = middle
        else:
            high = middle - 1
    return low


def _utc(at: Instant) -> str:
    return moment(at, UTC).isoformat()


def _time(text: str | None, option: str) -> Instant | None:
    if text is None:
        return None
    found: datetime | None = None
    with contextlib.suppress(ValueError):
        found = datetime.fromisoformat(text)
    if found is None or found.tzinfo is None:
        raise ExportError(
            f"{option}: {text!r} is no time; expected RFC 3339 with offset, such as 2026-11-26T22:00:00+08:00"
        )
    return instant(found)
