"""Rounds, gaps and the taps that served nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs, session_of
from api.access.scope import part_seen
from api.answers import DEFAULT_LIMIT, Cursor, Limit, Moment, answer, at, page
from api.openapi import REFUSED, many, one
from api.ports import GatewayPort
from api.problems import Denied
from gateway.instants import DAY, SECOND, Instant, instant, parse_instant
from gateway.rules.findings import Round
from gateway.site.tags import masked

LONGEST_SPAN = 35 * DAY
"""A month and its edges: the cost of a question is bounded however old the journal is."""

AnyRound = Round | Mapping[str, Any]

_USED_FOR = SECOND
_SEEN = 16
"""Spans remembered."""
_seen: WeakKeyDictionary[GatewayPort, dict[tuple[Instant, Instant], tuple[int, Instant, list[AnyRound]]]] = (
    WeakKeyDictionary()
)


def add(app: FastAPI, gateway: GatewayPort) -> None:
    """Add `/rounds`, `/gaps` and `/unmatched`."""

    @app.get("/api/v1/rounds", tags=["rounds"], responses=many("Round"), dependencies=[needs("rounds", scoped=True)])
    async def read_rounds(
        request: Request,
        *,
        since: Moment = None,
        until: Moment = None,
        route: str | None = None,
        verdict: str | None = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """Rounds with start in [`since`, `until`), by start; without them, from 24 h ago to 24 h ahead."""
        now = gateway.now()
        begin = at(since, "since")
        end = at(until, "until")
        begin = begin if begin is not None else (end or now) - DAY
        end = end if end is not None else begin + 2 * DAY
        if not begin <= end <= begin + LONGEST_SPAN:
            raise Denied(422, "until: expected a time after `since`, at most 35 days later.", "invalid")
        found = [
            item
            for item in await rounds_between(part_seen(request).gateway, begin, end)
            if route in {None, value_of(item, "route")} and verdict in {None, value_of(item, "verdict")}
        ]
        return answer(request, page(found, lambda item: (start_of(item), id_of(item)), cursor, limit))

    @app.get(
        "/api/v1/rounds/{round_id:path}",
        tags=["rounds"],
        responses=one("Round") | REFUSED,
        dependencies=[needs("rounds", scoped=True)],
    )
    async def read_round(request: Request, round_id: str) -> Response:
        """One round with its visits."""
        found = await round_of(part_seen(request).gateway, round_id)
        if found is None:
            raise Denied(404, f"There is no round {round_id!r}.")
        return answer(request, found)

    @app.get("/api/v1/gaps", tags=["rounds"], responses=many("Gap"), dependencies=[needs("rounds", scoped=True)])
    async def read_gaps(
        request: Request,
        checkpoint: str | None = None,
        exceeded: bool | None = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """The largest gap of each checkpoint that has a `max_gap`, by window."""
        found = [
            gap
            for gap in part_seen(request).gateway.judgement.engine.rounds.gaps()
            if checkpoint in {None, gap.checkpoint} and exceeded in {None, gap.exceeded}
        ]
        return answer(request, page(found, lambda gap: (gap.checkpoint, instant(gap.window_start)), cursor, limit))

    @app.get("/api/v1/unmatched", tags=["rounds"], responses=many("Unmatched"), dependencies=[needs("evidence")])
    async def read_unmatched(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response:
        """Taps that served no round, and why: an unknown tag, the wrong guard, an odd time.

        Numbers of tags stand whole for who enrols or keeps them; else their last digits.
        """
        found = gateway.judgement.engine.rounds.unmatched()
        if not session_of(request).account.knows_tags:
            found = [msgspec.structs.replace(tap, tag=masked(tap.tag)) for tap in found]
        return answer(
            request, page(found, lambda tap: (instant(tap.at), tap.device, tap.tag, tap.reason), cursor, limit)
        )


async def rounds_between(gateway: GatewayPort, since: Instant, until: Instant) -> list[AnyRound]:
    """Rounds with start in [since, until), memory's and the journal's, memory's word first.

    A page asks for the same night several times, and so do all screens when something changed: what was found is used for a second, but no
    longer than until something is told.
    """
    seen = _seen.setdefault(gateway, {})
    version, now = gateway.events.latest, gateway.now()
    found = seen.get((since, until))
    if found is None or found[0] != version or not 0 <= now - found[1] < _USED_FOR:
        for key in [key for key, other in seen.items() if other[0] != version or len(seen) > _SEEN]:
            del seen[key]
        found = seen[since, until] = version, now, await _rounds_between(gateway, since, until)
    return list(found[2])


async def _rounds_between(gateway: GatewayPort, since: Instant, until: Instant) -> list[AnyRound]:
    living = gateway.judgement.engine.rounds.rounds(since, until)
    known = {item.id for item in living}
    past = [item for item in await gateway.archive.rounds(since, until) if item["id"] not in known]
    return [*past, *living]


async def round_of(gateway: GatewayPort, round_id: str) -> AnyRound | None:
    """One round, however old; None if there is none of that id."""
    living = gateway.judgement.engine.rounds.round(round_id)
    if living is not None:
        return living
    try:
        start = parse_instant(round_id.rpartition("@")[2])
    except (ValueError, OverflowError):
        return None
    return next((item for item in await gateway.archive.rounds(start, start + 1) if item["id"] == round_id), None)


def id_of(item: AnyRound) -> str:
    """A round's id."""
    return value_of(item, "id")


def start_of(item: AnyRound) -> Instant:
    """A round's start."""
    return instant(item.start) if isinstance(item, Round) else parse_instant(item["start"])


def value_of(item: AnyRound, key: str) -> str:
    """One text of a round."""
    value: str = getattr(item, key) if isinstance(item, Round) else item[key]
    return value
