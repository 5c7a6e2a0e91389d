"""Observations as they came, and the bytes that could not be read."""

from __future__ import annotations

import base64
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.door import needs
from api.answers import DEFAULT_LIMIT, Cursor, Limit, Moment, Page, answer, at, row_cursor, write_cursor
from api.openapi import many
from api.ports import GatewayPort, LogRow, QuarantineRow
from api.shapes import QuarantineShape
from gateway.instants import moment

_SHOWN_BYTES = 4096


def add(app: FastAPI, gateway: GatewayPort) -> None:
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
        """Observations, newest first; `since` and `until` are about when they were received."""
        rows = await gateway.observations(
            device=device,
            kind=kind,
            since=at(since, "since"),
            until=at(until, "until"),
            before=row_cursor(cursor),
            limit=limit + 1,
        )
        shown = [observation_shape(row, zone) for row in rows[:limit]]
        return answer(request, Page(items=shown, next=_next([row.seq for row in rows], limit)))

    @app.get(
        "/api/v1/quarantine", tags=["evidence"], responses=many("QuarantineShape"), dependencies=[needs("evidence")]
    )
    async def read_quarantine(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response:
        """Bytes that could not be read, and why, newest first."""
        rows = await gateway.quarantine(before=row_cursor(cursor), limit=limit + 1)
        shown = [quarantine_shape(row, zone) for row in rows[:limit]]
        return answer(request, Page(items=shown, next=_next([row.seq for row in rows], limit)))


def observation_shape(row: LogRow, zone: ZoneInfo) -> dict[str, Any]:
    """The observation as it was said, with what its envelope knew filled in."""
    said: dict[str, Any] = msgspec.json.decode(row.body)
    known = {"row": row.seq, "kind": row.kind, "device": row.device, "at": moment(row.at, zone)}
    return known | said | {"device": row.device, "received": moment(row.received, zone)}


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
    )


def _next(rows: list[int], limit: int) -> str | None:
    return write_cursor((rows[limit - 1],)) if len(rows) > limit else None
