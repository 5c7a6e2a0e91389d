"""`lamplighter plan`: print the dated rounds of a site, and what clock changes and holidays did to them."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from device_drivers.errors import LamplighterError
from gateway.instants import moment
from gateway.site.load import load_site
from gateway.site.model import DatedRound, Site
from gateway.site.plans import days_between, plan_dates
from gateway.site.remarks import remarks

MOST_DAYS = 3660
"""Ten years; more is a slip of the pen."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("site", type=Path, metavar="SITE", help="the site file")
    parser.add_argument("--from", dest="since", type=_date, metavar="D", help="the first business date [today]")
    parser.add_argument("--to", dest="until", type=_date, metavar="D", help="the last business date [the first]")
    parser.add_argument("--json", action="store_true", help="print the rounds as a JSON list")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; a date such as 2026-01-31 is expected") from error


def run(parsed: argparse.Namespace) -> int:
    """Print the plan of the business dates from D to D, both included. Exit status: 0, or 2 where that cannot be."""
    site, _ = load_site(parsed.site, secrets=False)
    first: date = parsed.since or datetime.now(UTC).astimezone(site.zone_info).date()
    last: date = parsed.until or first
    if last < first or (last - first).days > MOST_DAYS:
        raise LamplighterError(f"--to {last} must be {first} or later, and at most {MOST_DAYS} days after it")
    if first.year < 1970 or last.year > 9000:
        raise LamplighterError("dates from 1970 to 9000 are expected")
    planned = plan_dates(site, first, last)
    if parsed.json:
        print(msgspec.json.format(msgspec.json.encode([_item(site, dated) for dated in planned])).decode())
        return 0
    _print_table(site, planned)
    for day in days_between(first, last):
        for remark in remarks(site, day):
            print(f"{day}: {remark}")
    return 0


def _item(site: Site, dated: DatedRound) -> dict[str, str]:
    return {
        "id": dated.id,
        "route": dated.route,
        "date": dated.date.isoformat(),
        "start": moment(dated.start, site.zone_info).isoformat(),
        "end": moment(dated.end, site.zone_info).isoformat(),
    }


_TITLES = ("date", "route", "start", "end")


def _print_table(site: Site, planned: list[DatedRound]) -> None:
    rows = [_TITLES, *(_row(site, dated) for dated in planned)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    dates = len({dated.date for dated in planned})
    print(
        f"{len(planned)} round{'s'[: len(planned) != 1]} on {dates} date{'s'[: dates != 1]}, times in {site.timezone}"
    )


def _row(site: Site, dated: DatedRound) -> tuple[str, ...]:
    start, end = (moment(at, site.zone_info).isoformat(sep=" ", timespec="minutes") for at in (dated.start, dated.end))
    return f"{dated.date:%Y-%m-%d %a}", dated.route, start, end
