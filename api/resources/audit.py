"""The audit history: who did what, from where, and whether it was done."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from api.access.accounts import Accounts
from api.access.door import needs
from api.answers import DEFAULT_LIMIT, Cursor, Limit, Moment, Page, answer, at, row_cursor, write_cursor
from api.openapi import many
from api.ports import GatewayPort
from api.users import AuditShape
from gateway.instants import Instant, moment

Who = Annotated[str | None, Query(max_length=64, description="Only what this account or key did.")]
Action = Annotated[
    str | None,
    Query(max_length=64, description="Only this action; `account.` at the end with a dot: all that begin so."),
]
Subject = Annotated[str | None, Query(max_length=500, description="Only what was done to this.")]


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    """Add `/audit`."""

    @app.get("/api/v1/audit", tags=["audit"], responses=many("AuditShape"), dependencies=[needs("audit")])
    async def read_audit(
        request: Request,
        *,
        who: Who = None,
        action: Action = None,
        subject: Subject = None,
        since: Moment = None,
        until: Moment = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """What everybody did, newest first."""
        found = await read(
            gateway,
            accounts,
            who=who or None,
            action=action or None,
            subject=subject or None,
            since=at(since, "since"),
            until=at(until, "until"),
            before=row_cursor(cursor),
            limit=limit,
        )
        return answer(request, found)


async def read(
    gateway: GatewayPort,
    accounts: Accounts,
    *,
    who: str | None,
    action: str | None,
    subject: str | None,
    since: Instant | None,
    until: Instant | None,
    before: int | None,
    limit: int,
) -> Page[AuditShape]:
    """A page of the history, newest first; `before`: only rows with a lower number."""
    terms: list[tuple[str, object]] = [
        (sql, value)
        for sql, value in (
            ("seq < ?", before),
            ("who = ?", who),
            ("subject = ?", subject),
            ("at >= ?", since),
            ("at < ?", until),
        )
        if value is not None
    ]
    if action is not None and action.endswith("."):
        terms += [("action >= ?", action), ("action < ?", action[:-1] + "/")]
    elif action is not None:
        terms.append(("action = ?", action))
    where = " AND ".join(sql for sql, _ in terms) or "1"
    rows = await gateway.query(
        f"SELECT seq, at, who, address, action, subject, outcome, detail FROM audit WHERE {where}"  # noqa: S608
        " ORDER BY seq DESC LIMIT ?",
        (*(value for _, value in terms), limit + 1),
    )
    called = await accounts.called()
    shown = [
        AuditShape(
            row=seq,
            at=moment(when, gateway.site.zone_info),
            who=by,
            called=called.get(by),
            address=address,
            action=what,
            subject=on,
            outcome=outcome,
            detail=detail,
        )
        for seq, when, by, address, what, on, outcome, detail in rows[:limit]
    ]
    return Page(items=shown, next=write_cursor((shown[-1].row,)) if len(rows) > limit else None)
