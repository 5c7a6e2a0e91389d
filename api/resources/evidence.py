"""Observations as they came, and the bytes that could not be read: shown, and read again once what was wrong is mended."""

from __future__ import annotations

import base64
from collections import Counter
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from api.access.accounts import Accounts
from api.access.door import Needs, needs, origin_of, session_of
from api.answers import DEFAULT_LIMIT, Cursor, Limit, Moment, Page, answer, at, row_cursor, write_cursor
from api.openapi import REFUSED, many, one, takes
from api.ports import GatewayPort, LogRow, QuarantineRow
from api.problems import Denied
from api.resources.duty_checks import body_of
from api.shapes import AgainShape, QuarantineGroup, QuarantineShape, RereadWish
from gateway.instants import moment
from gateway.rereading import MOST, Rereading
from gateway.site.tags import masked

_SHOWN_BYTES = 4096
GROUPED = 1000
"""Of so many rows of the quarantine, the newest, it is counted where they came from and why they could not be read."""
_NAMED = 20
"""Rows that the audit history names; of more how many."""


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    """Add `/observations` and `/quarantine`."""
    zone = gateway.site.zone_info

    @app.get("/api/v1/observations", tags=["evidence"], responses=many("Observation"), dependencies=[needs("evidence")])
    async def read_observations(
        request: Request,
        *,
        device: str | None = None,
        kind: str | None = None,
        since: Moment = None,
        until: Moment = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """Observations, newest first; `since` and `until` are about when they were received.

        Numbers of tags stand whole for who enrols or keeps them; else their last digits.
        """
        rows = await gateway.archive.observations(
            device=device,
            kind=kind,
            since=at(since, "since"),
            until=at(until, "until"),
            before=row_cursor(cursor),
            limit=limit + 1,
        )
        whole = session_of(request).account.knows_tags
        shown = [observation_shape(row, zone, whole=whole) for row in rows[:limit]]
        return answer(request, Page(items=shown, next=_next([row.seq for row in rows], limit)))

    @app.get(
        "/api/v1/quarantine", tags=["evidence"], responses=many("QuarantineShape"), dependencies=[needs("evidence")]
    )
    async def read_quarantine(
        request: Request,
        source: Annotated[str | None, Query(max_length=500, description="Only from this link or device.")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """Bytes that could not be read, and why, newest first."""
        rows = await gateway.archive.quarantine(before=row_cursor(cursor), source=source, limit=limit + 1)
        shown = [quarantine_shape(row, zone) for row in rows[:limit]]
        return answer(request, Page(items=shown, next=_next([row.seq for row in rows], limit)))

    @app.get(
        "/api/v1/quarantine/groups",
        tags=["evidence"],
        responses=many("QuarantineGroup"),
        dependencies=[needs("evidence")],
    )
    async def read_groups(request: Request) -> Response:
        """Where the newest 1000 came from and why they could not be read, the most first."""
        return answer(request, Page(items=await quarantine_groups(gateway)))

    @app.post(
        "/api/v1/quarantine/reread/preview",
        tags=["evidence"],
        responses=one("Rereading") | REFUSED,
        dependencies=[needs("evidence")],
        openapi_extra=takes("RereadWish", {"rows": [4711, 4712]}),
    )
    async def preview(request: Request) -> Response:
        """What these rows would give by today's site file and drivers, and which verdicts that would change. Nothing is done."""
        said = await body_of(request, RereadWish)
        return answer(request, await gateway.rereadable(_few(said.rows)))

    @app.post(
        "/api/v1/quarantine/reread",
        tags=["evidence"],
        responses=one("Rereading") | REFUSED,
        dependencies=[needs("handle")],
        openapi_extra=takes("RereadWish", {"rows": [4711, 4712]}),
    )
    async def reread(request: Request) -> Response:
        """Read rows again: what is in them counts from now on, as of the time at which it arrived. The rows stay.

        Where a visit would be missed by it nothing is done; managers may say `also_worse`.
        """
        said = await body_of(request, RereadWish)
        if said.also_worse:
            Needs("assess").check(request)
        who = session_of(request).account.name
        done = await gateway.reread(_few(said.rows), who, also_worse=said.also_worse)
        await accounts.record(
            who,
            origin_of(request),
            "quarantine.reread",
            ", ".join(map(str, said.rows[:_NAMED])) + (" …" if len(said.rows) > _NAMED else ""),
            outcome="refused" if done.worse else "done",
            detail=_counted(done),
        )
        return answer(request, done)


def observation_shape(row: LogRow, zone: ZoneInfo, *, whole: bool) -> dict[str, Any]:
    """The observation as it was said, with what its envelope knew filled in.

    Args:
        whole: with the number of a tag; else its last digits.
    """
    said: dict[str, Any] = msgspec.json.decode(row.body)
    if not whole:
        said = without_number(said)
    known = {"row": row.seq, "kind": row.kind, "device": row.device, "at": moment(row.at, zone)}
    if row.heard is not None:
        return (
            known
            | said
            | {"device": row.device, "received": moment(row.heard, zone), "read": moment(row.received, zone)}
        )
    return known | said | {"device": row.device, "received": moment(row.received, zone)}


async def quarantine_groups(gateway: GatewayPort) -> list[QuarantineGroup]:
    """Where the newest rows came from and why they could not be read, the most first."""
    zone = gateway.site.zone_info
    return [
        QuarantineGroup(source=source, reason=reason, count=count, last=moment(last, zone))
        for source, reason, count, last in await gateway.archive.unreadable(GROUPED)
    ]


def without_number(said: dict[str, Any]) -> dict[str, Any]:
    """An observation with no more than the last digits of a tag's number."""
    return said | {"tag": masked(said["tag"])} if isinstance(said.get("tag"), str) else said


def _few(rows: list[int]) -> list[int]:
    if not 1 <= len(rows) <= MOST:
        raise Denied(422, f"rows: expected 1 to {MOST} rows of the quarantine.", "invalid")
    return rows


def _counted(done: Rereading) -> str:
    counts = Counter(each.outcome for each in done.rows)
    new = sum(each.new for each in done.rows)
    return f"{', '.join(f'{outcome} {count}' for outcome, count in sorted(counts.items()))}; {new} observations"


def quarantine_shape(row: QuarantineRow, zone: ZoneInfo) -> QuarantineShape:
    """One quarantine row; payloads are cut, their length is told."""
    payload = row.payload[:_SHOWN_BYTES]
    try:
        text: str | None = payload.decode()
    except UnicodeDecodeError:
        text = None
    topic = row.topic.decode(errors="backslashreplace") if isinstance(row.topic, bytes) else row.topic
    return QuarantineShape(
        row=row.seq,
        received=moment(row.received, zone),
        source=row.source,
        topic=topic,
        reason=row.reason,
        bytes=len(row.payload),
        payload=base64.b64encode(payload).decode(),
        text=text,
        retained=bool(row.retained),
        again=None
        if row.again is None
        else AgainShape(
            at=moment(row.again.at, zone),
            by=row.again.by,
            outcome=row.again.outcome,
            observations=row.again.observations,
            reason=row.again.reason,
        ),
    )


def _next(rows: list[int], limit: int) -> str | None:
    return write_cursor((rows[limit - 1],)) if len(rows) > limit else None
