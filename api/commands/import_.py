"""`lamplighter import`: files that people bring (wand exports). Shows what it will do, asks, imports, and says what became of it."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from device_drivers.catalogue import DRIVERS
from device_drivers.conversation import Sheet
from device_drivers.driver import Reading, Reject
from device_drivers.errors import DecodeError, LamplighterError
from gateway.connections import file_imports
from gateway.errors import JournalError
from gateway.imports import FileRefusedError, ImportFolder, Order, Outcome, make_order, read_file
from gateway.journal.store import FILE, in_use
from gateway.runtime import Gateway
from gateway.site.load import load_site
from gateway.site.model import Site

_LOOK_EVERY_S = 0.1
_SHOWN = 10
"""Rejects that are printed one by one; `--json` has more, quarantine all."""

_MOST_BYTES = 256 * 1024 * 1024
"""Nothing larger is read into memory; drivers have their own, lower bounds."""


class _File(NamedTuple):
    """One file as it was read, before anything was asked."""

    order: Order
    data: bytes
    sheet: Sheet
    before: Outcome | None


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    files = sorted(name for name, driver in DRIVERS.items() if driver.file_decoder is not None)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what a wand's program exported")
    parser.add_argument("--driver", required=True, choices=files, help=f"who reads it: {', '.join(files)}")
    parser.add_argument("--site", required=True, type=Path, metavar="SITE", help="the site file")
    parser.add_argument("--device", default="", metavar="ID", help="whose rows those are that name no other device")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="where the journal is kept [data]"
    )
    parser.add_argument(
        "--clock",
        type=_clock,
        metavar="T",
        help="what the wand's own clock shows now, such as \"2026-05-01 06:10:30\" (site's zone): its times are corrected by it",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="print one JSON document (with --yes)")
    parser.add_argument(
        "--wait", type=float, default=120.0, metavar="S", help="how long to wait for a running gateway [120]"
    )


def run(parsed: argparse.Namespace) -> int:
    """Exit status: 0 all imported, 1 with rejected rows or still waiting, 2 nothing imported."""
    site, _ = load_site(parsed.site, secrets=False)
    folder = ImportFolder(parsed.data)
    files = [_read(path, parsed, site, folder) for path in parsed.files]
    if not parsed.json:
        for file in files:
            _show(file)
        if not (parsed.data / FILE).exists():
            print(f"There is no journal in {parsed.data} yet; a new one is begun.")
    if not any(isinstance(item, Reading) for file in files for item in file.sheet.found):
        raise FileRefusedError("nothing in it can be read; nothing was imported")
    if not parsed.yes and not _agreed(len(files)):
        print("Nothing was imported.", file=sys.stderr)
        return 2
    try:
        for file in files:
            folder.put(file.order, file.data)
    except OSError as error:
        raise FileRefusedError(f"{folder.path}: {error.strerror}; choose another folder with --data") from error
    outcomes = [_await(file.order, site, parsed, folder) for file in files]
    if parsed.json:
        print(msgspec.json.format(msgspec.json.encode(_document(files, outcomes))).decode())
    else:
        for file, outcome in zip(files, outcomes, strict=True):
            print(_said(file.order, outcome, parsed.data))
    if all(outcome is not None and outcome.state == "refused" for outcome in outcomes):
        return 2
    whole = all(outcome is not None and outcome.state == "done" and not outcome.rejected for outcome in outcomes)
    return 0 if whole else 1


def _read(path: Path, parsed: argparse.Namespace, site: Site, folder: ImportFolder) -> _File:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise FileRefusedError(f"{path}: {error.strerror}") from error
    if len(data) > _MOST_BYTES:
        raise FileRefusedError(f"{path}: larger than {_MOST_BYTES >> 20} MB; export a shorter time")
    now = datetime.now(UTC)
    shown = None if parsed.clock is None else _in_zone(parsed.clock, site)
    order = make_order(data, path.name, parsed.driver, parsed.device, now, shown)
    try:
        sheet = read_file(site, DRIVERS, order, data, now)
    except DecodeError as error:
        raise FileRefusedError(f"{path}: {error.reason}") from error
    return _File(order, data, sheet, folder.before(order))


def _clock(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a date and time such as 2026-05-01 06:10:30") from error


def _in_zone(clock: datetime, site: Site) -> datetime:
    return clock if clock.tzinfo is not None else clock.replace(tzinfo=site.zone_info)


# -- what a person sees


def _show(file: _File) -> None:
    print(f"{file.order.name} ({len(file.data):,} bytes)")
    if file.sheet.preview:
        for line in _table(file.sheet.preview):
            print(f"  {line}")
    for note in file.sheet.notes:
        print(f"  - {note}")
    counts = Counter(
        (item.observation.device, str(item.observation.__struct_config__.tag))
        for item in file.sheet.found
        if isinstance(item, Reading)
    )
    for (device, kind), count in sorted(counts.items()):
        print(f"  {device}: {count} {kind}")
    rejects = [item for item in file.sheet.found if isinstance(item, Reject)]
    if rejects:
        print(f"  {len(rejects)} rows cannot be read:")
        for reject in rejects[:_SHOWN]:
            print(f"    {reject.reason}")
        if len(rejects) > _SHOWN:
            print(f"    and {len(rejects) - _SHOWN} more")
    if file.before is not None:
        print(f"  imported before, at {file.before.received:%Y-%m-%d %H:%M} UTC; that does no harm")


def _table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [" | ".join(names), *(" | ".join(row.get(name, "") for name in names) for row in rows)]


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        raise FileRefusedError("nobody can be asked here; look at the preview, then say --yes")
    print(
        f"Import {'this file' if count == 1 else f'these {count} files'}? [y/N] ", end="", file=sys.stderr, flush=True
    )
    return sys.stdin.readline().strip().casefold() in {"y", "yes", "j", "是", "好"}


def _said(order: Order, outcome: Outcome | None, data: Path) -> str:
    if outcome is None:
        return f"{order.name}: waits in {ImportFolder(data).path}; a gateway takes it when it runs"
    if outcome.state == "refused":
        return f"{order.name}: refused: {outcome.reason}"
    rejected = f", {outcome.rejected} rows could not be read (see quarantine)" if outcome.rejected else ""
    return f"{order.name}: {outcome.new} new, {outcome.repeats} known already{rejected}"


def _document(files: Sequence[_File], outcomes: Sequence[Outcome | None]) -> dict[str, Any]:
    return {
        "files": [
            {
                "name": file.order.name,
                "state": "waiting" if outcome is None else outcome.state,
                "reason": "" if outcome is None else outcome.reason,
                "new": 0 if outcome is None else outcome.new,
                "repeats": 0 if outcome is None else outcome.repeats,
                "rejected": [item.reason for item in file.sheet.found if isinstance(item, Reject)],
                "notes": list(file.sheet.notes),
                "preview": list(file.sheet.preview),
            }
            for file, outcome in zip(files, outcomes, strict=True)
        ]
    }


# -- having it done


def _await(order: Order, site: Site, parsed: argparse.Namespace, folder: ImportFolder) -> Outcome | None:
    """Have the running gateway take it, or take it here if none runs; None if it still waits in the end."""
    until = time.monotonic() + parsed.wait
    while (outcome := folder.outcome(order)) is None:
        if not in_use(parsed.data):
            try:
                asyncio.run(_take(site, parsed.data))
            except JournalError:
                if not in_use(parsed.data):  # else one was started at this moment
                    raise
            except OSError as error:
                raise LamplighterError(f"{folder.path}: {error.strerror}; the file waits there") from error
        elif time.monotonic() > until:
            return None
        time.sleep(_LOOK_EVERY_S)
    return outcome


async def _take(site: Site, data: Path) -> None:
    async with Gateway(site, data) as gateway:
        await file_imports(site, data, gateway.intake).take_waiting()
