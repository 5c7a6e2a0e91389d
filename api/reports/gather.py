"""From the journal to a report. Reads only: with the gateway running or stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from api.reports.document import VERDICTS, AlertLine, Counts, Digest, GapLine, Report, RoundLine, VisitLine
from api.reports.periods import NoSuchPeriodError, Period
from gateway.figures.coverage import camera_rates, zone_minutes
from gateway.figures.lamps import lamp_rates
from gateway.figures.timeline import Timeline
from gateway.instants import DAY, Duration, Instant, instant, moment
from gateway.journal.rows import Condition
from gateway.rules.findings import Gap, Round
from gateway.site.model import Site

LATE: Duration = 7 * DAY
"""So long after a visit evidence may still change its verdict (rounds.md)."""
_ACTIVE = ("open", "acknowledged", "in_progress")
_PAGE = 500
_CONDITIONS = ("gateway", "lamp", "seat", "duty", "camera", "zone")

_rounds = msgspec.json.Decoder(Round)
_gaps = msgspec.json.Decoder(Gap)


class Source(Protocol):
    """The journal, as far as a report needs it."""

    async def query(self, sql: str, params: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        """Rows of one SELECT."""
        ...

    async def conditions(self, kinds: Sequence[str], since: Instant, until: Instant) -> Sequence[Condition] | None:
        """What subjects of `kinds` were in [since, until), each subject's in order; None: too many rows."""
        ...


async def gather(site: Site, source: Source, asked: Period, now: Instant, digest: Digest | None = None) -> Report:
    """The report of a period as it is known now.

    Raises:
        NoSuchPeriodError: it has not begun, or so much happened in it that one report cannot hold it.
    """
    found = await source.query("SELECT value FROM meta WHERE key = 'advanced'", ())
    judged = int(found[0][0]) if found else 0
    if asked.since > judged:
        raise NoSuchPeriodError(
            f"{asked.id} has not begun, or was never watched: judged up to {moment(judged, site.zone_info):%Y-%m-%d %H:%M}"
        )
    until = min(asked.until, judged)
    rounds = [_rounds.decode(body) for body in await _findings(source, "round", asked)]
    gaps = [_gaps.decode(body) for body in await _findings(source, "gap", asked)]
    alerts = [msgspec.json.decode(body) for body in await _findings(source, "alert", asked)]
    marks = ",".join("?" * len(_ACTIVE))
    standing = await source.query(
        f"SELECT body FROM finding WHERE kind = 'alert' AND json_extract(body, '$.state') IN ({marks}) ORDER BY start, id",  # noqa: S608
        _ACTIVE,
    )
    rows = await source.conditions(_CONDITIONS, asked.since, until)
    if rows is None:
        raise NoSuchPeriodError(f"{asked.id}: too much happened for one report; ask for a shorter period")
    timeline, lamps, cameras, zones = await asyncio.to_thread(_estate, site, rows, asked.since, until)
    zone = site.zone_info
    known = timeline.recorded_from()
    total = Counts()
    lines = [_round(each, total) for each in rounds]
    return Report(
        id=asked.id,
        kind=asked.kind,
        site=site.id,
        since=moment(asked.since, zone),
        until=moment(asked.until, zone),
        made=moment(now, zone),
        judged=moment(judged, zone),
        late_until=moment(asked.until + LATE, zone),
        final=judged >= asked.until + LATE,
        visits=total,
        rounds=tuple(lines),
        exceptions=tuple(_exceptions(rounds)),
        gaps=tuple(_gap(each) for each in gaps if each.largest_s > 0),
        known_from=None if known is None else moment(known, zone),
        lamps=tuple(lamps),
        cameras=tuple(cameras),
        zones=tuple(zones),
        alerts=tuple(_alert(each) for each in alerts),
        standing=tuple(_alert(msgspec.json.decode(row[0])) for row in standing),
        repairs=tuple(await _items(source, "work_order", asked, ("closed", "cancelled"))),
        checks=tuple(await _items(source, "duty_check", asked, None)),
        digest=digest,
    )


def _estate(site: Site, rows: Sequence[Condition], since: Instant, until: Instant) -> tuple[Timeline, Any, Any, Any]:
    timeline = Timeline(rows, since, until)
    return (
        timeline,
        [*lamp_rates(site, timeline, "site"), *lamp_rates(site, timeline, "building")],
        [*camera_rates(site, timeline, "site"), *camera_rates(site, timeline, "zone")],
        zone_minutes(site, timeline),
    )


async def _findings(source: Source, kind: str, asked: Period) -> list[bytes]:
    """The newest views of a kind whose start is in the period, by start, page by page."""
    found: list[bytes] = []
    start, last = asked.since, ""
    while True:
        rows = await source.query(
            "SELECT start, id, body FROM finding WHERE kind = ? AND (start > ? OR (start = ? AND id > ?)) AND start < ? "
            "ORDER BY start, id LIMIT ?",
            (kind, start, start, last, asked.until, _PAGE),
        )
        found += [row[2] for row in rows]
        if len(rows) < _PAGE:
            return found
        start, last = rows[-1][0], rows[-1][1]


async def _items(source: Source, book: str, asked: Period, final: tuple[str, ...] | None) -> list[Mapping[str, Any]]:
    """Items of a book that began in the period; with `final` also earlier ones that are in none of these states yet."""
    found = dict.fromkeys(await _findings(source, book, asked))
    if final is not None:
        marks = ",".join("?" * len(final))
        rows = await source.query(
            f"SELECT body FROM finding WHERE kind = ? AND start < ? AND json_extract(body, '$.state') NOT IN ({marks}) "  # noqa: S608
            "ORDER BY start, id",
            (book, asked.since, *final),
        )
        found = {row[0]: None for row in rows} | found
    items = (msgspec.json.decode(body) for body in found)
    return [item for item in items if item.get("kind") != "plan"]  # of a week of duty checks: no check itself


def _round(found: Round, total: Counts) -> RoundLine:
    counts = Counts()
    for visit in found.visits:
        counts.add(visit.verdict)
        total.add(visit.verdict)
    people = {visit.person for visit in found.visits if visit.person is not None}
    return RoundLine(
        id=found.id,
        route=found.route,
        start=found.start,
        end=found.end,
        verdict=found.verdict,
        visits=counts,
        people=tuple(sorted(people)),
        marks=found.marks,
    )


def _exceptions(rounds: Sequence[Round]) -> list[VisitLine]:
    shown = frozenset(VERDICTS) - {"on_time", "skipped", "pending"}
    return [
        VisitLine(
            round=each.id,
            checkpoint=visit.checkpoint,
            position=visit.position,
            due=visit.due,
            opens=visit.opens,
            closes=visit.closes,
            verdict=visit.verdict,
            revision=visit.revision,
            at=visit.at,
            deviation_s=visit.deviation_s,
            person=visit.person,
            cause=visit.cause,
            marks=visit.marks,
        )
        for each in rounds
        for visit in each.visits
        if visit.verdict in shown
    ]


def _gap(found: Gap) -> GapLine:
    return GapLine(
        checkpoint=found.checkpoint,
        window_start=found.window_start,
        window_end=found.window_end,
        largest_s=found.largest_s,
        exceeded=found.exceeded,
    )


def _alert(found: Mapping[str, Any]) -> AlertLine:
    opened = datetime.fromisoformat(found["detected"])
    answered = next((row for row in found["history"] if row["to"] in ("acknowledged", "in_progress")), None)
    ended = next(
        (
            row
            for row in reversed(found["history"])
            if row["to"] in ("resolved", "retracted") and row["from"] != row["to"]
        ),
        None,
    )
    at = None if answered is None else datetime.fromisoformat(answered["at"])
    return AlertLine(
        id=found["id"],
        rule=found["rule"],
        subject=found["subject"],
        place=found.get("place"),
        severity=found["severity"],
        state=found["state"],
        raised=datetime.fromisoformat(found["raised"]),
        answered=at,
        answered_by=None if answered is None else answered["by"],
        answered_s=None if at is None else (instant(at) - instant(opened)) / 1_000_000,
        ended=None if ended is None or found["state"] in _ACTIVE else datetime.fromisoformat(ended["at"]),
        suppressed=found.get("suppressed"),
        exhausted=found.get("exhausted", False),
        message=found["message"],
        details=found.get("details") or {},
    )
