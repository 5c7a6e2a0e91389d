"""Who was told what, when and with which result; and whether a contact is reached."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from api.access.accounts import Accounts
from api.access.door import needs, origin_of, session_of
from api.answers import DEFAULT_LIMIT, Cursor, Limit, Page, answer, row_cursor, write_cursor
from api.notices import STATE_OF, ContactTest, State, notices
from api.openapi import REFUSED, many, one
from api.ports import GatewayPort
from api.problems import Denied
from gateway.instants import SECOND, Instant
from gateway.outbox.notifiers import notifier
from gateway.outbox.trial import attempt, trial_message

TEST_EVERY_S = 10
"""A contact is not tested again before this: a test is a message to a person."""


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    """Add `/notices`, and the test of a contact."""
    site = gateway.site
    tested: dict[str, Instant] = {}

    @app.get("/api/v1/notices", tags=["notices"], responses=many("NoticeShape"), dependencies=[needs("alerts")])
    async def read_notices(
        request: Request,
        *,
        alert: str | None = None,
        contact: str | None = None,
        state: Annotated[State | None, Query(description="Only those in this state.")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Response:
        """Notices with every attempt, newest first. What is told of duty checks in advance only to those who may see all of them."""
        account = session_of(request).account
        wanted = {"alert = ?": alert, "contact = ?": contact, f"{STATE_OF} = ?": state, "seq < ?": row_cursor(cursor)}
        found = await notices(gateway, wanted, limit + 1, account)
        shown = found[:limit]
        token = write_cursor((shown[-1].id,)) if len(found) > limit else None
        return answer(request, Page(items=shown, next=token))

    @app.post(
        "/api/v1/contacts/{contact_id}/test",
        tags=["notices"],
        responses=one("ContactTest") | REFUSED,
        dependencies=[needs("notify")],
    )
    async def test_contact(request: Request, contact_id: str) -> Response:
        """Send a contact a message that says it is a test; the answer says whether it was taken."""
        contact = site.alerting.contacts.get(contact_id)
        if contact is None:
            raise Denied(404, f"There is no contact {contact_id!r}.")
        now = gateway.now()
        wait = TEST_EVERY_S - (now - tested[contact_id]) // SECOND if contact_id in tested else 0
        if wait > 0:
            raise Denied(429, f"{contact_id} was tested just now; try again in {wait} s.")
        tested[contact_id] = now
        session = session_of(request)
        message = trial_message(site, contact_id, session.account.name, now)
        found = await attempt(notifier(contact, site, gateway.now), message, contact_id)
        outcome = "done" if found.ok else "failed"
        await accounts.record(
            session.account.name, origin_of(request), "contact.test", contact_id, outcome=outcome, detail=found.said
        )
        return answer(request, ContactTest(contact=contact_id, ok=found.ok, said=found.said))
