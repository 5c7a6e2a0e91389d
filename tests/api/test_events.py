"""The live feed over a real server: complete from any id on, alive, ended when it must."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import pytest

from api.access.invitations import Invitations
from api.access.roles import Role
from api.app import create_app
from api.resources import events as module
from api.server import Listener, PortError, listen, serve
from gateway.instants import MINUTE
from tests.api.fake_gateway import FakeGateway


@pytest.fixture
async def served(app: Any) -> AsyncIterator[Listener]:
    listener = listen("127.0.0.1", 0)
    running = asyncio.create_task(serve(app, listener))
    yield listener
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.fixture
async def client(served: Listener, invitations: Invitations, gateway: FakeGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with entered(served, invitations, gateway, "operator") as entered_client:
        yield entered_client


@asynccontextmanager
async def entered(
    listener: Listener, invitations: Invitations, gateway: FakeGateway, role: Role
) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=listener.url, headers={"Origin": listener.url}, timeout=10) as client:
        token = invitations.login(f"test-{role}", role, gateway.now())
        assert (await client.get("/login/once", params={"token": token})).status_code == 303
        yield client


async def blocks(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """The blocks of a stream, as fields; comments under an empty name."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if not line:
            yield fields
            fields = {}
        else:
            name, _, value = line.partition(":")
            fields[name] = value.strip()


async def told(
    client: httpx.AsyncClient, count: int, after: int | None = None, **headers: str
) -> list[tuple[int, str]]:
    """The first `count` events after an id."""
    found: list[tuple[int, str]] = []
    params = {} if after is None else {"after": after}
    async with client.stream("GET", "/api/v1/events", params=params, headers=headers) as answer:
        assert answer.status_code == 200
        async with aclosing(blocks(answer)) as stream:
            async for block in stream:
                if "id" in block:
                    found.append((int(block["id"]), block["event"]))
                    if len(found) == count:
                        break
    return found


async def test_a_listener_hears_what_changes(client: httpx.AsyncClient, gateway: FakeGateway) -> None:
    async with client.stream("GET", "/api/v1/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        stream = blocks(answer)
        assert await anext(stream) == {"retry": "2000"}
        beat = await anext(stream)
        assert (beat["event"], beat[""]) == ("heartbeat", "alive")
        assert '"at":"2026-11-23T02:47:2' in beat["data"]
        gateway.events.publish("lamp", {"id": "lamp-1", "state": "faulty"})
        block = next_event = await anext(stream)
        while next_event["event"] == "heartbeat":
            block = next_event = await anext(stream)
        assert block == {"id": "1", "event": "lamp", "data": '{"id":"lamp-1","state":"faulty"}'}


async def test_resuming_skips_and_repeats_nothing(client: httpx.AsyncClient, gateway: FakeGateway) -> None:
    for number in range(50):
        gateway.events.publish("round", {"id": number})
    first = await told(client, 20, after=0)
    assert [key for key, _ in first] == list(range(1, 21))
    for number in range(50, 60):
        gateway.events.publish("round", {"id": number})
    rest = await told(client, 40, **{"Last-Event-ID": str(first[-1][0])})
    assert [key for key, _ in rest] == list(range(21, 61))


async def test_the_header_comes_before_the_parameter(client: httpx.AsyncClient, gateway: FakeGateway) -> None:
    for number in range(5):
        gateway.events.publish("zone", {"id": number})
    assert await told(client, 1, after=0, **{"Last-Event-ID": "3"}) == [(4, "zone")]


async def test_a_wrong_id_is_refused(client: httpx.AsyncClient) -> None:
    for wrong in ("x", "-1", "1e3"):
        assert (await client.get("/api/v1/events", headers={"Last-Event-ID": wrong})).status_code == 422


async def test_a_listener_hears_only_what_its_role_may(
    served: Listener, invitations: Invitations, gateway: FakeGateway
) -> None:
    for kind in ("alert", "tap", "lamp", "link", "novelty", "round", "observation", "gap"):
        gateway.events.publish(kind, {})
    async with entered(served, invitations, gateway, "guard") as guard:
        assert [kind for _, kind in await told(guard, 2, after=0)] == ["round", "gap"]
    async with entered(served, invitations, gateway, "viewer") as viewer:
        assert [kind for _, kind in await told(viewer, 5, after=0)] == ["alert", "lamp", "link", "round", "gap"]


async def test_the_stream_ends_with_the_session(client: httpx.AsyncClient, gateway: FakeGateway) -> None:
    async with client.stream("GET", "/api/v1/events") as answer:
        stream = blocks(answer)
        await anext(stream)
        await gateway.write([("DELETE FROM sessions", ())])
        gateway.ahead += MINUTE
        async for _ in stream:
            pass
    assert (await client.get("/api/v1/events")).status_code == 401


async def test_listeners_are_counted_and_bounded(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, app: Any
) -> None:
    monkeypatch.setattr(module, "MOST_LISTENERS", 1)
    async with client.stream("GET", "/api/v1/events") as answer:
        await anext(blocks(answer))
        busy = await client.get("/api/v1/events")
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "30")
        assert "lamplighter_event_listeners 1" in (await client.get("/metrics")).text
    async with asyncio.timeout(5):
        while "lamplighter_event_listeners 0" not in (await client.get("/metrics")).text:
            pass


@asynccontextmanager
async def listening(client: httpx.AsyncClient, count: int = 1) -> AsyncIterator[list[asyncio.Task[None]]]:
    """So many streams of a client; each task ends with its stream."""

    async def listen_on(opened: asyncio.Event) -> None:
        async with client.stream("GET", "/api/v1/events") as answer:
            assert answer.status_code == 200
            async for _ in answer.aiter_lines():
                opened.set()

    running = []
    for number in range(count):
        opened = asyncio.Event()
        running.append(asyncio.create_task(listen_on(opened), name=f"listener {number}"))
        await asyncio.wait_for(opened.wait(), 5)
    yield running
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_one_account_cannot_keep_the_control_room_from_listening(
    served: Listener, invitations: Invitations, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LISTENERS", 4)
    async with (
        entered(served, invitations, gateway, "guard") as guard,
        entered(served, invitations, gateway, "operator") as operator,
        listening(guard, 4) as taken,
        listening(operator) as heard,
    ):
        await asyncio.wait_for(taken[0], 5)  # its oldest ends
        assert [task.done() for task in taken[1:]] == [False] * 3
        refused = await guard.get("/api/v1/events")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        assert "your account holds 3" in refused.json()["detail"]
        assert not heard[0].done()


async def test_many_accounts_cannot_either(
    served: Listener, invitations: Invitations, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LISTENERS", 2)
    monkeypatch.setattr(module, "KEPT_FOR_HANDLERS", 1)
    async with (
        entered(served, invitations, gateway, "guard") as guard,
        entered(served, invitations, gateway, "viewer") as viewer,
        entered(served, invitations, gateway, "operator") as operator,
        entered(served, invitations, gateway, "manager") as manager,
        listening(guard) as first,
        listening(viewer) as second,
        listening(operator),
    ):
        await asyncio.wait_for(first[0], 5)
        assert (await manager.get("/api/v1/events")).status_code == 503, "one is kept for them, and it is taken"
        assert not second[0].done()


async def test_stopping_the_server_ends_the_streams(gateway: FakeGateway, invitations: Invitations) -> None:
    app = create_app(gateway, invitations=invitations)
    listener = listen("127.0.0.1", 0)
    running = asyncio.create_task(serve(app, listener))
    async with entered(listener, invitations, gateway, "viewer") as viewer, asyncio.timeout(5):
        async with viewer.stream("GET", "/api/v1/events") as answer:
            stream = blocks(answer)
            await anext(stream)
            running.cancel()
            async for _ in stream:
                pass
        with pytest.raises(asyncio.CancelledError):
            await running
    again = listen("127.0.0.1", listener.port)
    again.close()


async def test_a_port_in_use_is_told_before_anything_starts() -> None:
    taken = listen("127.0.0.1", 0)
    try:
        with pytest.raises(PortError, match=rf"127\.0\.0\.1 port {taken.port}: the port is in use.*--port"):
            listen("127.0.0.1", taken.port)
    finally:
        taken.close()


@pytest.mark.parametrize(("host", "port"), [("203.0.113.7", 0), ("no such host", 0), ("127.0.0.1", 70000)])
def test_an_address_that_cannot_be_had_is_told(host: str, port: int) -> None:
    with pytest.raises(PortError, match="cannot listen on"):
        listen(host, port)
