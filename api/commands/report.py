"""`lamplighter report`: the report of a shift, a day, a week or a month, from the journal; the gateway may run or be stopped."""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec

from api.console.languages import Language
from api.reports.document import Report
from api.reports.gather import gather
from api.reports.periods import period
from api.reports.tables import Reader as Whose
from api.reports.tables import Table, tables, title
from api.resources.reports import notes
from device_drivers.errors import LamplighterError
from gateway.archive import Archive
from gateway.enrolment import enrolled_site
from gateway.instants import instant
from gateway.journal.reader import Reader
from gateway.journal.store import FILE
from gateway.site.load import load_site
from gateway.site.model import Site
from gateway.whole_file import write_whole

_CONDITIONS_AT_ONCE = 5_000_000


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("period", help="day:2026-11-25, week:2026-W48, month:2026-11 or shift:ID:2026-11-25")
    parser.add_argument("--site", required=True, type=Path, metavar="SITE", help="the site file")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="where the journal is kept [data]"
    )
    parser.add_argument("--excel", type=Path, metavar="FILE", help="write a workbook, one sheet a table")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--language", choices=get_args(Language), help="of tables and workbook [the site's]")
    parser.add_argument("--without-names", action="store_true", help="ids in place of people's names")


def run(parsed: argparse.Namespace) -> int:
    """Exit status: 0 done, 2 no such period or no journal."""
    site, _ = load_site(parsed.site, secrets=False)
    if not (parsed.data / FILE).exists():
        raise LamplighterError(f"there is no journal in {parsed.data}; name its folder with --data")
    site, report = asyncio.run(_report(site, parsed.data, parsed.period))
    if parsed.json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    whose = Whose(parsed.language or site.language, not parsed.without_names)
    shown, heading = tables(site, report, whose), title(site, report, whose.language)
    below = notes(site, report, whose.language)
    if parsed.excel is not None:
        try:
            from api.reports import excel  # noqa: PLC0415  openpyxl takes a moment to load

            write_whole(parsed.excel, excel.workbook(heading, shown, below))
        except OSError as error:
            raise LamplighterError(f"cannot write {parsed.excel}: {error.strerror or error}") from error
        print(f"{parsed.excel}: {len(shown)} sheets", file=sys.stderr)
    if not parsed.json and parsed.excel is None:
        print(heading)
        print("\n".join(below))
        for table in shown:
            _show(table)
    return 0


async def _report(site: Site, data: Path, name: str) -> tuple[Site, Report]:
    """With the site as it is by what was enrolled."""
    asked = period(site, name)
    reader = Reader(data / FILE)
    try:
        site = enrolled_site(site, reader)
        return site, await gather(site, Archive(reader), asked, instant(datetime.now(UTC)))
    finally:
        reader.close()


def _show(table: Table) -> None:
    print(f"\n== {table.title}")
    print(" | ".join(column.heading for column in table.columns))
    for row in table.rows:
        print(" | ".join(_text(cell, column.sort) for cell, column in zip(row, table.columns, strict=True)))


def _text(cell: object, sort: str) -> str:
    match cell:
        case None:
            return "-"
        case datetime():
            return cell.strftime("%H:%M" if sort == "clock" else "%m-%d %H:%M")
        case float() if sort == "percent":
            return f"{cell:.2%}"
        case _:
            return str(cell)
