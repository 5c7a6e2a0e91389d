"""Tonight's rounds as a drawing: lanes by checkpoint, time from left to right, each visit where and when it was.

Across, everything is in percent of the drawing; down, in rem: the drawing then fits any width without distorting letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Any, Literal, get_args

import msgspec

from api.console.names import checkpoint_name, route_name
from api.resources.rounds import AnyRound
from gateway.instants import DAY, HOUR, MINUTE, Duration, Instant, instant, moment
from gateway.rules.findings import Round, Visit
from gateway.site.model import Site

LANE_REM = 1.9
HEAD_REM = 2.1
AXIS_REM = 1.5
_MOST_TICKS = 14
_WHOLE = 100
_GRAIN = 10 * MINUTE
_STEPS = (5 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, DAY)
"""Between two ticks."""


Span = Literal["night", "hours", "minutes"]
SPANS: tuple[Span, ...] = get_args(Span)
LENGTHS: dict[Span, Duration] = {"hours": 4 * HOUR, "minutes": 40 * MINUTE}
"""How much is drawn: the whole night, or so much around now (two thirds of it past)."""
_PAST = (2, 3)
_MOST_ROUNDS = 16
"""Rounds of one route beside each other that can still be told apart."""
_APART = 3.0
"""Percent of the drawing between the starts of two rounds, so that what is written at one does not cover the other."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One expected visit. `code` is its verdict, `awaiting` for one that waits for its reader's record."""

    x: float
    y: float
    opens_x: float
    opens_width: float
    code: str
    visit: Visit


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """One round: `marks` of the visits that lie within the drawing, `codes` of all; `crowded`: only what matters is drawn."""

    x: float
    width: float
    middle: float
    y: float
    height: float
    round: Round
    served: int
    marks: Sequence[Mark]
    codes: Sequence[str]
    crowded: bool


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One row: a route's head (`checkpoint` None) or a checkpoint of it."""

    y: float
    label: str
    route: str
    checkpoint: str | None


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """One full hour."""

    x: float
    label: str


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The whole drawing. `now` in percent, None outside of it."""

    bands: Sequence[Band]
    lanes: Sequence[Lane]
    ticks: Sequence[Tick]
    height: float
    now: float | None
    span: Span


def night_of(now: Instant, site: Site) -> tuple[Instant, Instant]:
    """The night that `now` belongs to: local noon to noon, so that a night is never cut at midnight."""
    local = moment(now, site.zone_info)
    noon = local.replace(hour=12, minute=0, second=0, microsecond=0)
    begin = noon if local >= noon else noon - timedelta(days=1)
    return instant(begin), instant(begin) + DAY


def as_round(item: AnyRound) -> Round:
    """A round of the journal in the rules' shape."""
    return item if isinstance(item, Round) else msgspec.convert(_plain(item), Round)


def draw(site: Site, rounds: Sequence[Round], now: Instant, asked: Span | None = None) -> Timeline | None:
    """The drawing of these rounds; None if there are none.

    Args:
        site: for the order of routes and the names of checkpoints.
        rounds: tonight's.
        now: where the line stands.
        asked: how much to draw; None: as much as keeps the rounds of each route apart.
    """
    if not rounds:
        return None
    zone = site.zone_info
    span = asked or _fitting(rounds)
    window = _window(span, now)
    if window is not None:
        rounds = [item for item in rounds if instant(item.end) >= window[0] and instant(item.start) <= window[1]]
        if not rounds:
            return Timeline(bands=[], lanes=[], ticks=[], height=AXIS_REM, now=None, span=span)
    moments = [
        *(at for item in rounds for at in (item.start, item.end)),
        *(at for item in rounds for visit in item.visits for at in (visit.opens, visit.closes, visit.at) if at),
    ]
    begin, end = window or (instant(min(moments)) // _GRAIN * _GRAIN, -(-instant(max(moments)) // _GRAIN) * _GRAIN)

    def x(at: Instant) -> float:
        return round(100 * (at - begin) / (end - begin), 3)

    lanes, heads, rows = _lanes(site, rounds)
    starts: dict[str, list[float]] = {}
    for item in rounds:
        starts.setdefault(item.route, []).append(x(instant(item.start)))
    bands = [
        _band(item, x, heads, rows, crowded=_crowded(x(instant(item.start)), starts[item.route]))
        for item in sorted(rounds, key=lambda item: (item.start, item.id))
    ]
    step = next(step for step in _STEPS if end - begin <= _MOST_TICKS * step)
    # From the first full step on the site's clock, which need not be one of UTC.
    first = begin + (-instant(moment(begin, zone).replace(tzinfo=UTC))) % step
    ticks = [Tick(x=x(at), label=f"{moment(at, zone):%H:%M}") for at in range(first, end + 1, step)]
    return Timeline(
        bands=bands,
        lanes=lanes,
        ticks=ticks,
        height=lanes[-1].y + LANE_REM,
        now=x(now) if begin <= now <= end else None,
        span=span,
    )


def _crowded(start: float, starts: Sequence[float]) -> bool:
    """Whether a round of a route cannot be told apart from the others: they are too many, or one begins too near."""
    return len(starts) > _MOST_ROUNDS or sum(abs(start - other) < _APART for other in starts) > 1


def _fitting(rounds: Sequence[Round]) -> Span:
    """The longest span in which the rounds of each route keep apart."""
    starts: dict[str, list[Instant]] = {}
    for item in rounds:
        starts.setdefault(item.route, []).append(instant(item.start))
    for span in SPANS:
        length = LENGTHS.get(span)
        if all(_most_within(sorted(found), length) <= _MOST_ROUNDS for found in starts.values()):
            return span
    return SPANS[-1]


def _most_within(starts: list[Instant], length: Duration | None) -> int:
    """How many starts lie in the fullest stretch of `length`."""
    if length is None:
        return len(starts)
    most = left = 0
    for right, start in enumerate(starts):
        while start - starts[left] > length:
            left += 1
        most = max(most, right - left + 1)
    return most


def _window(span: Span, now: Instant) -> tuple[Instant, Instant] | None:
    if span == "night":
        return None
    length = LENGTHS[span]
    begin = now - length * _PAST[0] // _PAST[1]
    return begin, begin + length


def _lanes(site: Site, rounds: Sequence[Round]) -> tuple[list[Lane], dict[str, float], dict[tuple[str, str], float]]:
    order = {route: number for number, route in enumerate(site.routes)}
    lanes: list[Lane] = []
    heads: dict[str, float] = {}
    rows: dict[tuple[str, str], float] = {}
    y = AXIS_REM
    for route in sorted({item.route for item in rounds}, key=lambda route: (order.get(route, len(order)), route)):
        heads[route] = y
        lanes.append(Lane(y=y, label=route_name(site, route), route=route, checkpoint=None))
        y += HEAD_REM
        visits = [visit for item in rounds if item.route == route for visit in item.visits]
        for checkpoint in dict.fromkeys(visit.checkpoint for visit in visits):
            rows[route, checkpoint] = y
            lanes.append(Lane(y=y, label=checkpoint_name(site, checkpoint), route=route, checkpoint=checkpoint))
            y += LANE_REM
    return lanes, heads, rows


def _band(item: Round, x: Any, heads: dict[str, float], rows: dict[tuple[str, str], float], *, crowded: bool) -> Band:
    left, right = max(x(instant(item.start)), 0), min(x(instant(item.end)), _WHOLE)
    top = heads[item.route]
    bottom = max([rows[item.route, visit.checkpoint] + LANE_REM for visit in item.visits], default=top + HEAD_REM)
    marks = []
    for visit in item.visits:
        opens, closes = x(instant(visit.opens)), x(instant(visit.closes))
        where = visit.at or visit.due
        across = x(instant(where)) if where is not None else round((opens + closes) / 2, 3)
        if not 0 <= across <= _WHOLE:
            continue
        marks.append(
            Mark(
                x=across,
                y=rows[item.route, visit.checkpoint] + LANE_REM / 2,
                opens_x=max(opens, 0),
                opens_width=round(max(min(closes, _WHOLE) - max(opens, 0), 0), 3),
                code=verdict_code(visit),
                visit=visit,
            )
        )
    return Band(
        x=left,
        width=round(right - left, 3),
        middle=round((left + right) / 2, 3),
        y=top,
        height=round(bottom - top, 3),
        round=item,
        served=sum(visit.at is not None for visit in item.visits),
        marks=marks,
        codes=[verdict_code(visit) for visit in item.visits],
        crowded=crowded,
    )


def verdict_code(visit: Visit) -> str:
    """The verdict as it is shown: what only waits for a record is told apart from what is not due yet."""
    return "awaiting" if visit.verdict == "pending" and visit.cause == "awaiting_reader" else visit.verdict


def _plain(item: Any) -> Any:
    """A mapping of the journal as msgspec converts it."""
    return dict(item)
