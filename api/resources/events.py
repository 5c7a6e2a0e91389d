"""Live events by Server-Sent Events: what changed, complete from any id on (WHATWG HTML §9.2)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Annotated

import msgspec
from fastapi import FastAPI, Header, Query, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from api.access.accounts import Account, Accounts, Session
from api.access.door import Again, needs, session_of
from api.access.roles import Right
from api.access.scope import EVENTS, Parts
from api.openapi import ERRORS
from api.ports import Event, GatewayPort
from api.problems import Denied
from api.resources.evidence import without_number
from gateway.instants import moment

HEARTBEAT_S = 10.0
"""A listener that hears nothing for 2.5 of these knows that its connection is dead."""
MOST_LISTENERS = 256
KEPT_FOR_HANDLERS = 64
"""Of them so many are kept for those who see to alerts, whoever else listens."""
_PATIENCE_S = 30.0
"""A listener whose connection takes nothing for so long is let go; it comes back with its last id."""

KINDS: dict[str, Right] = {
    "round": "rounds",
    "gap": "rounds",
    "lamp": "estate",
    "circuit": "estate",
    "camera": "estate",
    "zone": "estate",
    "device": "estate",
    "link": "estate",
    "alert": "alerts",
    "silence": "alerts",
    "duty": "alerts",
    "work_order": "alerts",
    "duty_check": "checks",
    "score": "score",
    "tap": "evidence",
    "observation": "evidence",
}
"""Who may hear what; a kind that does not stand here is heard by nobody."""


class Feed:
    """The listeners of one gateway. `closing.set()` ends them all."""

    def __init__(self, gateway: GatewayPort, accounts: Accounts, heartbeat_s: float = HEARTBEAT_S) -> None:
        self.gateway = gateway
        self.accounts = accounts
        self.heartbeat_s = heartbeat_s
        self.parts = Parts(gateway)
        self.closing = asyncio.Event()
        self._streams: list[EventStream] = []
        """Those that go on, the oldest first."""

    @property
    def listeners(self) -> int:
        """How many are connected."""
        return len(self._streams)

    def make_room(self, account: Account) -> None:
        """Have room for one more listener; if all are taken, the oldest of whoever holds many more than he goes.

        Raises:
            Denied: 503, there is none for him.
        """
        going_on = [stream for stream in self._streams if not stream.ending.is_set()]
        if len(going_on) < MOST_LISTENERS:
            return
        held = Counter(stream.account.name for stream in going_on)
        most, count = held.most_common(1)[0]
        own = held[account.name]
        leaving = None
        if count > own + 1:
            leaving = next(stream for stream in going_on if stream.account.name == most)
        elif account.may("handle") and sum(each.account.may("handle") for each in going_on) < KEPT_FOR_HANDLERS:
            leaving = next((stream for stream in going_on if not stream.account.may("handle")), None)
        if leaving is None:
            busy = f"{MOST_LISTENERS} listeners are connected already, your account holds {own}; try again in half a minute."
            raise Denied(503, busy, headers={"Retry-After": "30"})
        leaving.ending.set()

    def begins(self, stream: EventStream) -> None:
        """One more listener."""
        self._streams.append(stream)

    def is_over(self, stream: EventStream) -> None:
        """One listener less."""
        self._streams.remove(stream)

    def heartbeat(self) -> bytes:
        """A comment for intermediaries, and an event for pages: they cannot see comments."""
        now = moment(self.gateway.now(), self.gateway.site.zone_info)
        return b": alive\nevent: heartbeat\ndata: " + msgspec.json.encode({"at": now}) + b"\n\n"


class EventStream(Response):
    """One listener. Ends with its session, its connection or the gateway; a listener that takes nothing is let go."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, after: int | None, session: Session, again: Again) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._feed = feed
        self._after = after
        self.account = session.account
        self.ending = asyncio.Event()
        """Set: it leaves its place to another."""
        self._again = again
        self._changes = feed.accounts.changes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        feed = self._feed
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        feed.begins(self)
        tasks = [
            asyncio.create_task(self._tell(send), name="events"),
            asyncio.create_task(self._beat(send), name="event heartbeat"),
            asyncio.create_task(_gone(receive), name="event listener gone"),
            asyncio.create_task(feed.closing.wait(), name="event feed closing"),
            asyncio.create_task(self.ending.wait(), name="event listener leaving"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            feed.is_over(self)
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        if not any(isinstance(end, (OSError, TimeoutError)) for end in ends):
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, (OSError, TimeoutError)):
                raise end

    async def _tell(self, send: Send) -> None:
        async for event in self._feed.gateway.events.subscribe(self._after):
            if self._changes != self._feed.accounts.changes and not await self._still():
                return
            if may_hear(self.account, event.kind):
                data = self._feed.parts.of(self.account).event(event.kind, event.data)
                if data is not None:
                    await _send(send, encoded(event, known_to(self.account, event.kind, data)))

    async def _beat(self, send: Send) -> None:
        await _send(send, b"retry: 2000\n\n" + self._feed.heartbeat())
        while True:
            await asyncio.sleep(self._feed.heartbeat_s)
            if not await self._still():
                return
            await _send(send, self._feed.heartbeat())

    async def _still(self) -> bool:
        """Whether the session lasts; what it may hear is then what its account may now."""
        changes = self._feed.accounts.changes
        session = await self._again()
        if session is None:
            return False
        self.account, self._changes = session.account, changes
        return True


def add(app: FastAPI, feed: Feed) -> None:
    """Add `/events`."""

    @app.get(
        "/api/v1/events",
        tags=["events"],
        dependencies=[needs("rounds", scoped=True)],
        response_class=Response,
        responses=ERRORS
        | {200: {"description": _DESCRIPTION, "content": {"text/event-stream": {"example": _EXAMPLE}}}},
    )
    async def read_events(
        request: Request,
        after: Annotated[int | None, Query(ge=0, description="Events after this id; the header comes first.")] = None,
        last_event_id: Annotated[str | None, Header(max_length=20)] = None,
    ) -> Response:
        """What changes, as it changes, for as long as the session lasts."""
        if last_event_id:
            if not last_event_id.isdecimal():
                raise Denied(422, "Last-Event-ID: expected the id of an event of this gateway.", "invalid")
            after = int(last_event_id)
        feed.make_room(session_of(request).account)
        return EventStream(feed, after, session_of(request), request.state.again)


def may_hear(account: Account, kind: str) -> bool:
    """Whether `account` may hear events of `kind`."""
    right = KINDS.get(kind)
    return right is not None and account.may(right) and (account.places is None or kind in EVENTS)


def known_to(account: Account, kind: str, data: bytes) -> bytes:
    """What is told with an event that `account` may hear: without the numbers of tags, if it may not know them."""
    if account.knows_tags:
        return data
    match kind:
        case "tap":
            tap = msgspec.json.decode(data)
            return msgspec.json.encode(tap | {"observation": without_number(tap["observation"])})
        case "observation":
            return msgspec.json.encode(without_number(msgspec.json.decode(data)))
        case _:
            return data


def encoded(event: Event, data: bytes) -> bytes:
    """One event on the wire, with what its listener hears of it."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.kind.encode(), data)


async def _send(send: Send, body: bytes) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


_EXAMPLE = 'id: 42\nevent: lamp\ndata: {"id":"lamp-t1-f03","state":"faulty","fault":"lamp_failure"}\n\n'
_DESCRIPTION = (
    "One event for each thing that changed; `event` is its kind, `data` the thing as its resource shows it. "
    f"Kinds: {', '.join(KINDS)}. After a break send the last id as `Last-Event-ID`: nothing is skipped. "
    "`heartbeat` events carry no id and the server's time."
)
