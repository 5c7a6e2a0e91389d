"""The journal's chain: its checkpoints, signed, for whoever wants to keep them elsewhere; and who is behind a number in histories."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.access.accounts import Accounts
from api.access.door import needs, origin_of, session_of
from api.answers import DEFAULT_LIMIT, Cursor, Limit, Page, answer, read_cursor, tagged, write_cursor
from api.openapi import REFUSED, many, one
from api.ports import GatewayPort
from api.problems import Denied
from api.shapes import AccountShape, ChainShape, CheckpointNote
from gateway.instants import moment
from gateway.journal.checkpoints import Checkpoint
from gateway.journal.notes import SigningError
from gateway.site.model import Site

_NOTE: dict[int | str, dict[str, Any]] = REFUSED | {
    200: {"description": "The signed note", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


def add(app: FastAPI, gateway: GatewayPort, accounts: Accounts) -> None:
    """Add `/chain`, its checkpoints, and `/accounts`."""
    site = gateway.site

    @app.get("/api/v1/chain", tags=["chain"], responses=one("ChainShape"), dependencies=[needs("evidence")])
    async def read_chain(request: Request) -> Response:
        """The key that signs, and the newest checkpoint."""
        latest = await gateway.checkpoints.latest()
        shown = None if latest is None else _shown(site, latest)
        try:
            key = await gateway.checkpoints.public_key()
        except SigningError as error:
            raise Denied(503, f"Nothing can be signed: {error}.") from error
        return answer(request, ChainShape(public_key=key, latest=shown))

    @app.get(
        "/api/v1/chain/checkpoints",
        tags=["chain"],
        responses=many("CheckpointNote"),
        dependencies=[needs("evidence")],
    )
    async def read_checkpoints(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response:
        """Checkpoints, newest first."""
        match read_cursor(cursor):
            case None:
                before = None
            case (int() as before,):
                pass
            case _:
                raise Denied(422, "cursor: expected the `next` of a page of this list.", "invalid")
        found = await gateway.checkpoints.page(before, limit + 1)
        after = write_cursor((found[limit - 1][0],)) if len(found) > limit else None
        return answer(request, Page(items=[_shown(site, each) for _, each in found[:limit]], next=after))

    @app.get(
        "/api/v1/chain/checkpoint",
        tags=["chain"],
        responses=_NOTE,
        dependencies=[needs("evidence")],
    )
    async def read_note(request: Request) -> Response:
        """The newest checkpoint as the text that `lamplighter verify --checkpoint` takes."""
        latest = await gateway.checkpoints.latest()
        if latest is None:
            raise Denied(404, "There is no checkpoint yet.")
        return tagged(request, latest.note.encode(), "text/plain; charset=utf-8")

    @app.post(
        "/api/v1/chain/checkpoints",
        tags=["chain"],
        responses=one("CheckpointNote") | REFUSED,
        dependencies=[needs("attest")],
    )
    async def make_checkpoint(request: Request) -> Response:
        """Sign the chain as it is now; where nothing was written since the newest checkpoint, that one is given."""
        who, origin = session_of(request).account.name, origin_of(request)
        await accounts.record(who, origin, "chain.checkpoint", site.id)
        try:
            made = await gateway.checkpoints.make("asked")
        except SigningError as error:
            await accounts.record(who, origin, "chain.checkpoint", site.id, outcome="failed", detail=str(error))
            raise Denied(503, f"Nothing can be signed: {error}.") from error
        return answer(request, _shown(site, made))

    @app.get("/api/v1/accounts", tags=["chain"], responses=many("AccountShape"), dependencies=[needs("names")])
    async def read_accounts(request: Request) -> Response:
        """What people are called whose number stands in histories (`by`, `who`); `called` null: the person was erased."""
        called = await accounts.called()
        return answer(request, Page(items=[AccountShape(id=name, called=called[name]) for name in sorted(called)]))


def _shown(site: Site, made: Checkpoint) -> CheckpointNote:
    at: datetime = moment(made.at, site.zone_info)
    return CheckpointNote(
        at=at, size=made.size, root=base64.b64encode(made.root).decode(), reason=made.reason, note=made.note
    )
