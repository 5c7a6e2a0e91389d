"""Pages about who was where and when: largest gaps by checkpoint, the map of hours and places, and how well the guard can be timed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs
from api.console.charts import Bar, Caption, Cell, HeatRow, Level, Part, bar_chart, heat_map
from api.console.frame import Frame
from api.console.languages import Language, chosen, say
from api.console.names import checkpoint_name
from api.console.timeline import night_of
from api.ports import GatewayPort
from api.problems import Denied
from api.resources.figures import reckon_over, walked_days
from gateway.figures import walks
from gateway.figures.predictability import nights, predictability
from gateway.figures.walks import NOBODY, Walks
from gateway.instants import DAY, HOUR, MINUTE, SECOND, Instant, instant, moment, told_s
from gateway.rules.findings import Gap
from gateway.rules.intervals import covers
from gateway.site.clocks import wall_time
from gateway.site.model import Site

DAYS = (7, 30)
NIGHTS = (14, 30)
_NIGHT_HOURS = 24
_MOST_BARS = 40
_LEVELS = 3


class GapRow(msgspec.Struct, frozen=True, kw_only=True):
    """The largest gap of a checkpoint over some days. `largest_s` None: nothing is known of it; `when` and `night`: of one too long."""

    checkpoint: str
    name: str
    limit_s: float | None
    largest_s: float | None
    when: str
    night: date | None
    exceeded: int
    open: bool


class _Window(msgspec.Struct, frozen=True, kw_only=True):
    """What matters of one window, wherever it is kept."""

    checkpoint: str
    largest_s: float
    exceedances: Sequence[tuple[datetime, datetime, float, bool]]


def add(app: FastAPI, gateway: GatewayPort, frame: Frame) -> None:
    """Add `/rounds/gaps`, `/rounds/map` and `/rounds/timing`. To be called before what answers `/rounds/ID`."""
    site = gateway.site

    @app.get("/rounds/gaps", include_in_schema=False, dependencies=[needs("rounds")])
    async def gaps_page(request: Request, days: int = 7) -> Response:
        _check(days, DAYS, "days")
        language = chosen(request, site.language)
        rows = await gap_rows(gateway, days)
        return frame.respond(
            request,
            "alone.html",
            inner="gaps.html",
            rows=rows,
            days=days,
            chart=_gap_chart(rows, language) if rows else None,
            length=lambda length_s: length_of(length_s, language),
        )

    @app.get("/rounds/map", include_in_schema=False, dependencies=[needs("rounds")])
    async def map_page(request: Request, count: int = 14) -> Response:
        _check(count, NIGHTS, "count")
        language = chosen(request, site.language)
        spans = _spans(site, gateway.judgement.now, count)
        walked = walks.read(await walked_days(gateway, spans[0][0], spans[-1][1]))
        drawn = await asyncio.to_thread(_hours, site, walked, spans, language)
        return frame.respond(request, "alone.html", inner="rounds_map.html", count=count, chart=drawn)

    @app.get("/rounds/timing", include_in_schema=False, dependencies=[needs("evidence")])
    async def timing_page(request: Request) -> Response:
        now = gateway.judgement.now
        spans = nights(site, now)
        walked = walks.read(await walked_days(gateway, spans[0][0], spans[-1][1]))
        _, found = await reckon_over(
            gateway, ("gateway",), spans[0][0], spans[-1][1], lambda _: predictability(site, walked, now)
        )
        rows = [(checkpoint_name(site, each.checkpoint), each) for each in found]
        return frame.respond(request, "alone.html", inner="rounds_timing.html", rows=rows)


def _check(value: int, choices: Sequence[int], name: str) -> None:
    if value not in choices:
        raise Denied(422, f"{name}: expected one of {', '.join(map(str, choices))}.", "invalid")


async def gap_rows(gateway: GatewayPort, days: int) -> list[GapRow]:
    """The largest gap of each checkpoint that has a limit, over so many days up to now; the largest first."""
    site, now = gateway.site, gateway.now()
    since = now - days * DAY
    windows: dict[str, _Window] = {}
    for item in await gateway.archive.gaps(since - DAY, now):
        windows[f"{item['checkpoint']}@{item['window_start']}"] = _stored(item)
    for gap in gateway.judgement.engine.rounds.gaps():
        if since - DAY <= instant(gap.window_start) < now:
            windows[f"{gap.checkpoint}@{gap.window_start.isoformat()}"] = _living(gap)
    by_checkpoint: dict[str, list[_Window]] = {}
    for window in windows.values():
        by_checkpoint.setdefault(window.checkpoint, []).append(window)
    rows = [
        _gap_row(site, name, by_checkpoint.get(name, ()), now)
        for name, checkpoint in site.checkpoints.items()
        if checkpoint.max_gap is not None or name in by_checkpoint
    ]
    return sorted(rows, key=lambda row: (-row.exceeded, -(row.largest_s or -1), row.checkpoint))


def _gap_row(site: Site, name: str, windows: Sequence[_Window], now: Instant) -> GapRow:
    known = site.checkpoints.get(name)
    limit = None if known is None or known.max_gap is None else known.max_gap.at_most / SECOND
    pieces = [piece for window in windows for piece in window.exceedances]
    longest = max(pieces, key=lambda piece: piece[2], default=None)
    largest = max((window.largest_s for window in windows), default=None)
    standing = any(piece[3] and now - instant(piece[1]) < DAY for piece in pieces)
    return GapRow(
        checkpoint=name,
        name=checkpoint_name(site, name),
        limit_s=limit,
        largest_s=largest,
        when="" if longest is None else span_of(site, longest[0], longest[2]),
        night=None if longest is None else moment(night_of(instant(longest[0]), site)[0], site.zone_info).date(),
        exceeded=len(pieces),
        open=standing,
    )


def _stored(item: Mapping[str, Any]) -> _Window:
    return _Window(
        checkpoint=item["checkpoint"],
        largest_s=item["largest_s"],
        exceedances=[
            (datetime.fromisoformat(each["from"]), datetime.fromisoformat(each["to"]), each["length_s"], each["open"])
            for each in item["exceedances"]
        ],
    )


def _living(gap: Gap) -> _Window:
    return _Window(
        checkpoint=gap.checkpoint,
        largest_s=gap.largest_s,
        exceedances=[(each.since, each.until, each.length_s, each.open) for each in gap.exceedances],
    )


def _gap_chart(rows: Sequence[GapRow], language: Language) -> Any:
    shown = [row for row in rows if row.largest_s is not None][:_MOST_BARS]
    minutes = say(language, "gaps.minutes")
    bars = [
        Bar(
            label=row.name,
            parts=(
                Part(
                    (row.largest_s or 0) / 60,
                    "bad" if row.exceeded else "info",
                    say(language, "gaps.over" if row.exceeded else "gaps.within"),
                ),
            ),
            says=f"{say(language, 'gaps.over' if row.exceeded else 'gaps.within')} {length_of(row.largest_s or 0, language)}",
        )
        for row in shown
    ]
    limits = sorted({row.limit_s for row in shown if row.limit_s is not None})[:_LEVELS]
    caption = Caption(
        title=say(language, "gaps.chart"),
        says=say(language, "gaps.chart_says"),
        table=say(language, "gaps.table"),
        head=(say(language, "gaps.checkpoint"), say(language, "gaps.largest")),
    )
    levels = [Level(each / 60, f"{say(language, 'gaps.limit')} {length_of(each, language)}") for each in limits]
    names = [(say(language, "gaps.within"), "info"), (say(language, "gaps.over"), "bad")]
    return bar_chart(caption, bars, unit=minutes, levels=levels, names=names)  # type: ignore[arg-type]


def length_of(length_s: float, language: Language) -> str:
    """A length in minutes, and in seconds where there are any: never rounded so that it would contradict its limit."""
    minutes, rest = divmod(told_s(length_s), 60)
    shown = f"{minutes} {say(language, 'gaps.minutes')}"
    return f"{shown} {rest} {say(language, 'gaps.seconds')}" if rest else shown


def span_of(site: Site, since: datetime, length_s: float) -> str:
    """A stretch from its beginning to its end, as far apart as `length_of` says: with seconds and the date where they matter."""
    begin = instant(since) // SECOND * SECOND
    first, last = (moment(at, site.zone_info) for at in (begin, begin + told_s(length_s) * SECOND))
    clock = "%H:%M:%S" if first.second or last.second else "%H:%M"
    return f"{first:%m-%d {clock}}–{last:{clock if last.date() == first.date() else f'%m-%d {clock}'}}"


def _spans(site: Site, now: Instant, count: int) -> list[tuple[Instant, Instant]]:
    """The last nights that are over and the running one, noon to noon, the oldest first."""
    tonight, _ = night_of(now, site)
    last = moment(tonight, site.zone_info).date()
    noons = [
        wall_time(last - timedelta(days=back), time(12), site.zone_info).first for back in range(count - 1, -2, -1)
    ]
    return list(pairwise(noons))


def _hours(
    site: Site, walked: Mapping[str, Walks], spans: Sequence[tuple[Instant, Instant]], language: Language
) -> Any:
    """In how many nights somebody came, by checkpoint and hour of the night."""
    routed = {visit.checkpoint for route in site.routes.values() for visit in route.visits}
    names = [name for name in site.checkpoints if name in routed]
    if not names:
        return None
    found = {name: [_nights(walked.get(name, NOBODY), spans, hour) for hour in range(_NIGHT_HOURS)] for name in names}
    used = [hour for hour in range(_NIGHT_HOURS) if any(found[name][hour][0] for name in names)]
    hours = range(used[0], used[-1] + 1) if used else range(10, 18)
    rows = [
        HeatRow(
            label=checkpoint_name(site, name),
            cells=[_cell(*found[name][hour], hour=(hour + 12) % 24, language=language) for hour in hours],
        )
        for name in names
    ]
    caption = Caption(
        title=say(language, "map.title"),
        says=say(language, "map.says", nights=len(spans)),
        table=say(language, "gaps.table"),
        head=(say(language, "gaps.checkpoint"),),
    )
    return heat_map(caption, [f"{(hour + 12) % 24:02}" for hour in hours], rows, most=len(spans))


def _nights(of: Walks, spans: Sequence[tuple[Instant, Instant]], hour: int) -> tuple[int, int]:
    """Nights with a tap in that hour of the night, and nights of which one can say (a tap, or a record complete for all of it)."""
    came = known = 0
    for start, _ in spans:
        low, high = start + hour * HOUR, start + (hour + 1) * HOUR
        there = any(low <= tap < high for tap in of.taps)
        came += there
        known += there or covers(of.complete, low, high - MINUTE)
    return came, known


def _cell(came: int, known: int, *, hour: int, language: Language) -> Cell:
    if not known:
        return Cell(None, say(language, "map.unknown", hour=hour))
    return Cell(came, say(language, "map.cell", hour=hour, count=came, known=known))
