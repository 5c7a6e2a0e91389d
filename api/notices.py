"""Who was told what, when and with which result: shapes, and how they are read from the journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from api.access.accounts import Account
from api.ports import GatewayPort
from gateway.instants import moment
from gateway.site.model import Contact, Site

State = Literal["waiting", "held", "retrying", "sent", "given_up", "not_told"]
How = Literal["webhook", "message", "console", "gone"]


class NoticeAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt; `said`: the receiver's words, or what went wrong."""

    at: datetime
    ok: bool
    said: str


class NoticeShape(msgspec.Struct, frozen=True, kw_only=True):
    """One notice to one contact.

    `alert` null: it belongs to none. `how` the contact is told by today's site file (`gone`: it is no longer in it). `held`: why it
    waits (quiet, limit, asked, behind) or was not told (withdrawn, over, never_told). `next_try` null: nothing more is tried. `body` null:
    the reader may not see people's names.
    """

    id: int
    key: str
    contact: str
    how: How
    alert: str | None
    kind: str
    state: State
    held: str | None
    created: datetime
    next_try: datetime | None
    title: str
    body: str | None
    attempts: Sequence[NoticeAttempt]


class ContactTest(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a test message."""

    contact: str
    ok: bool
    said: str


STATE_OF = """CASE WHEN next_try IS NOT NULL
    THEN CASE WHEN held IS NOT NULL THEN 'held' WHEN attempts > 0 THEN 'retrying' ELSE 'waiting' END
    WHEN held IS NOT NULL THEN 'not_told'
    WHEN EXISTS (SELECT 1 FROM notice_attempt AS made WHERE made.notice = notice.seq AND made.ok) THEN 'sent'
    ELSE 'given_up' END"""
_ALERT = "EXISTS (SELECT 1 FROM alert_transition AS t WHERE t.alert = notice.alert)"
_COLUMNS = f"seq, key, contact, {_ALERT}, alert, kind, {STATE_OF}, held, created, next_try, title, body"
_SECRET = "kind = 'raised' AND alert LIKE 'duty\\_check/%' ESCAPE '\\'"  # noqa: S105  where a duty check is told in advance


async def notices(
    gateway: GatewayPort, wanted: dict[str, str | int | None], limit: int, account: Account
) -> list[NoticeShape]:
    """Notices newest first.

    Args:
        gateway: whose.
        wanted: conditions of SQL and their values; None: any.
        limit: at most so many.
        account: whose, who is to see them.
    """
    terms = {term: value for term, value in wanted.items() if value is not None}
    where = " AND ".join([*terms, "1" if account.may("checks") else f"NOT ({_SECRET})"])
    sql = f"SELECT {_COLUMNS} FROM notice WHERE {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608
    rows = await gateway.query(sql, (*terms.values(), limit))
    marks = ",".join("?" * len(rows))
    tries: dict[int, list[NoticeAttempt]] = {}
    zone = gateway.site.zone_info
    made = f"SELECT notice, at, ok, detail FROM notice_attempt WHERE notice IN ({marks}) ORDER BY id"  # noqa: S608
    for notice, at, ok, detail in await gateway.query(made, tuple(row[0] for row in rows)):
        tries.setdefault(notice, []).append(NoticeAttempt(at=moment(at, zone), ok=bool(ok), said=detail))
    return [_shape(gateway.site, row, tries.get(row[0], ()), account) for row in rows]


def _shape(site: Site, row: tuple[Any, ...], attempts: Sequence[NoticeAttempt], account: Account) -> NoticeShape:
    seq, key, contact, of_alert, alert, kind, state, held, created, next_try, title, body = row
    return NoticeShape(
        id=seq,
        key=key,
        contact=contact,
        how=_how(site.alerting.contacts.get(contact)),
        alert=alert if of_alert else None,
        kind=kind,
        state=state,
        held=held,
        created=moment(created, site.zone_info),
        next_try=None if next_try is None else moment(next_try, site.zone_info),
        title=title,
        body=body if account.may("names") else None,
        attempts=attempts,
    )


def _how(contact: Contact | None) -> How:
    if contact is None:
        return "gone"
    if contact.webhook is not None:
        return "webhook"
    return "message" if contact.url is not None else "console"
