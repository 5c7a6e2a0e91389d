"""`lamplighter rejudge`: judge a stored period again by the site file as it is now. Shows what would change; writes only when told."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import msgspec

from device_drivers.errors import LamplighterError
from gateway.again import LATE, judged_again, of_rounds
from gateway.enrolment import enrolled_site
from gateway.instants import Instant, instant
from gateway.journal.reader import Reader
from gateway.journal.retention import KEPT_FROM
from gateway.journal.store import FILE, in_use
from gateway.judgement import Judgement
from gateway.rejudge import Comparison, Rewriting, Written, compare, document, stored_rounds, told_wrongly, write
from gateway.runtime import Gateway
from gateway.site.load import load_site
from gateway.site.model import Site

MOST_DAYS = 400
"""A year and its edges in one go."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--site", required=True, type=Path, metavar="SITE", help="the site file as it is now")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="where the journal is kept [data]"
    )
    parser.add_argument("--from", dest="since", required=True, type=_date, metavar="D", help="the first date")
    parser.add_argument("--to", dest="until", type=_date, metavar="D", help="the last date, included [today]")
    parser.add_argument(
        "--write", action="store_true", help="append the new verdicts as revisions (the gateway must be stopped)"
    )
    parser.add_argument(
        "--also-worse", action="store_true", help="with --write: also verdicts that are worse for a guard than before"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; a date such as 2026-01-31 is expected") from error


def run(parsed: argparse.Namespace) -> int:
    """Exit status: 0 nothing would change or all was written, 1 something would change or was left, 2 refused."""
    site, _ = load_site(parsed.site, secrets=False)
    since, until = _span(parsed, site)
    if not (parsed.data / FILE).exists():
        raise LamplighterError(f"there is no journal in {parsed.data}; name its folder with --data")
    if parsed.also_worse and not parsed.write:
        raise LamplighterError("--also-worse says what --write may do; give both, or neither")
    if parsed.write and in_use(parsed.data):
        raise LamplighterError(f"a gateway is using {parsed.data}; stop it, then say --write again")
    comparison, written = asyncio.run(_rejudge(site, parsed, since, until))
    if parsed.json:
        print(msgspec.json.format(msgspec.json.encode(document(comparison, written))).decode())
    else:
        _show(comparison, written)
    if written is not None:
        return 1 if written.withheld else 0
    return 1 if comparison.rounds else 0


def _span(parsed: argparse.Namespace, site: Site) -> tuple[Instant, Instant]:
    today = datetime.now(UTC).astimezone(site.zone_info).date()
    first: date = parsed.since
    last: date = parsed.until or max(today, first)
    if last < first or (last - first).days > MOST_DAYS:
        raise LamplighterError(f"--to {last} must be {first} or later, and at most {MOST_DAYS} days after it")
    if first.year < 1970 or last.year > 9000:
        raise LamplighterError("dates from 1970 to 9000 are expected")
    ends = (first, last + timedelta(days=1))
    since, until = (instant(datetime.combine(each, time(), site.zone_info).astimezone(UTC)) for each in ends)
    return since, until


async def _rejudge(
    site: Site, parsed: argparse.Namespace, since: Instant, until: Instant
) -> tuple[Comparison, Written | None]:
    reader = Reader(parsed.data / FILE)
    try:
        started = (await reader.query("SELECT max(value) FROM meta WHERE key IN ('started', ?)", (KEPT_FROM,)))[0][0]
        if started is None:
            raise IndexError("nothing was ever judged")
        advanced = (await reader.query("SELECT value FROM meta WHERE key = 'advanced'"))[0][0]
        last = min(until + LATE, int(advanced))
        now = enrolled_site(site, reader)
        again = judged_again(now, reader, started=int(started), since=since, until=last, wanted=of_rounds(now))
        comparison = await _compared(now, reader, again, since, min(until, last))
        if not parsed.write or not comparison.rounds:
            return comparison, Written(0, 0, 0) if parsed.write else None
        told = await told_wrongly(reader, [each.id for each in comparison.rounds], again)
        async with Gateway(site, parsed.data) as gateway:
            rewriting = Rewriting(
                gateway.intake, reader, gateway.judgement, again, by=f"uid {os.getuid()} (command line)", told=told
            )
            return comparison, await write(rewriting, comparison, also_worse=parsed.also_worse)
    except IndexError as error:
        raise LamplighterError(
            f"the journal in {parsed.data} has never been used; there is nothing to judge"
        ) from error
    finally:
        reader.close()


async def _compared(site: Site, reader: Reader, again: Judgement, since: Instant, until: Instant) -> Comparison:
    stored = await stored_rounds(reader, since, until)
    judged = [each for each in again.engine.rounds.rounds(since, until) if each.verdict != "scheduled"]
    return compare(site, stored, judged, since, until)


def _show(comparison: Comparison, written: Written | None) -> None:
    span = f"{comparison.since:%Y-%m-%d} to {comparison.until - timedelta(seconds=1):%Y-%m-%d}"
    print(f"{span}: {comparison.same} rounds as they were, {len(comparison.rounds)} otherwise")
    for change in comparison.rounds:
        print(f"{change.id}: {change.before} -> {change.after}")
        for visit in change.visits:
            before, after = (
                verdict + (f" ({cause})" if cause else "")
                for verdict, cause in ((visit.before, visit.cause_before), (visit.after, visit.cause_after))
            )
            print(f"  {visit.position}. {visit.checkpoint}: {before} -> {after}{'   WORSE' if visit.worse else ''}")
    for ids, what in (
        (comparison.unplanned, "planned by the site file now, not then; left out, since nobody was told to walk them"),
        (comparison.dropped, "not planned any more; their verdicts stay"),
        (comparison.other_plan, "with other checkpoints now; their verdicts stay"),
    ):
        if ids:
            print(f"{len(ids)} rounds {what}: {', '.join(ids[:3])}{' …' if len(ids) > 3 else ''}")
    if written is None:
        if comparison.rounds:
            print("Nothing was written. --write appends these verdicts as revisions.", file=sys.stderr)
        return
    print(f"Written: {written.rounds} rounds; {written.retracted} alerts retracted.")
    if written.withheld:
        print(
            f"{written.withheld} rounds were left, as they would be worse for a guard or need a tap that such a round keeps; "
            "--also-worse writes them, too."
        )
