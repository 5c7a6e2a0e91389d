"""Callers that are slow, say nothing or are many: what each may take up, and who makes room for whom."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from fastapi import FastAPI, Response

from api.crowd import Crowd, Limits
from api.server import Listener, listen, serve
from api.tls import Certificate
from tests.api.test_tls import issue

LIMITS = Limits(connections=8, each_host=4, head_s=0.3, body_s=0.6, look_s=0.05)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n"
LARGE = 30_000_000
UNFINISHED = b"POST /login/password HTTP/1.1\r\nHost: here\r\nOrigin: http://here\r\nContent-Length: 9\r\n\r\n"


@asynccontextmanager
async def served(app: Any, **given: Any) -> AsyncIterator[Listener]:
    listener = listen("127.0.0.1", 0, tls="certificate" in given)
    running = asyncio.create_task(serve(app, listener, **({"limits": LIMITS} | given)))
    try:
        yield listener
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


class Caller:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def at(cls, listener: Listener, host: str = "127.0.0.1") -> Caller:
        return cls(*await asyncio.open_connection("127.0.0.1", listener.port, local_addr=(host, 0)))

    async def ended_after(self) -> float:
        """Seconds until the server closed it."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(5):
                await self.reader.read()
        except ConnectionError:
            pass
        return time.monotonic() - begun

    async def status(self) -> int:
        """Of a request; 0: there was no answer."""
        try:
            self.writer.write(HEALTH)
            async with asyncio.timeout(5):
                said = await self.reader.readuntil(b"\r\n")
                return int(said.split()[1])
        except (ConnectionError, asyncio.IncompleteReadError):
            return 0


@pytest.mark.parametrize(
    ("said", "least_s"),
    [(b"", 0.3), (b"GET /healthz HT", 0.3), (UNFINISHED, 0.6), (UNFINISHED + b"name", 0.6)],
    ids=["nothing", "half a head", "no body", "half a body"],
)
async def test_who_does_not_finish_a_request_is_let_go(app: Any, said: bytes, least_s: float) -> None:
    async with served(app) as listener:
        caller = await Caller.at(listener)
        caller.writer.write(said)
        assert least_s * 0.9 <= await caller.ended_after() < least_s + 2


async def test_who_begins_a_second_request_and_does_not_finish_it_is_let_go(app: Any) -> None:
    async with served(app) as listener:
        caller = await Caller.at(listener)
        assert await caller.status() == 200
        caller.writer.write(b"GET /healthz HT")
        assert await caller.ended_after() < 2


async def test_who_says_nothing_between_two_requests_may_stay(app: Any) -> None:
    async with served(app) as listener:
        caller = await Caller.at(listener)
        for _ in range(3):
            assert await caller.status() == 200
            rest = await caller.reader.readuntil(b"\r\n\r\n")
            await caller.reader.readexactly(
                int(next(line.split()[1] for line in rest.lower().splitlines() if b"content-length" in line))
            )
            await asyncio.sleep(0.5)  # longer than a head may take


@pytest.fixture
def large() -> FastAPI:
    """An application with a long answer."""
    app = FastAPI()
    app.state.closing = asyncio.Event()

    @app.get("/large")
    async def large() -> Response:
        return Response(bytes(LARGE))

    return app


@pytest.mark.parametrize("takes", [False, True], ids=["nothing", "a little at a time"])
async def test_who_asks_is_let_go_once_he_takes_nothing_of_the_answer(large: FastAPI, takes: bool) -> None:
    loop = asyncio.get_running_loop()
    async with served(large) as listener:
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            line.setblocking(False)
            await loop.sock_connect(line, ("127.0.0.1", listener.port))
            await loop.sock_sendall(line, b"GET /large HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
            begun = time.monotonic()
            taken = 0
            if not takes:
                await asyncio.sleep(2 * LIMITS.body_s)
            with suppress(ConnectionError):
                async with asyncio.timeout(20):
                    while piece := await loop.sock_recv(line, 65536):
                        taken += len(piece)
                        if taken < LARGE and takes and time.monotonic() - begun < 2 * LIMITS.body_s:
                            await asyncio.sleep(0.005)
            assert (taken > LARGE) == takes


async def test_a_handshake_that_never_ends_is_let_go(app: Any, tmp_path: Path) -> None:
    async with served(app, certificate=Certificate(*issue(tmp_path))) as listener:
        assert await (await Caller.at(listener)).ended_after() < 2


async def test_one_address_has_its_part_and_a_named_proxy_all(app: Any) -> None:
    for proxies, most in (((), 4), (("127.0.0.0/24",), 6)):
        async with served(app, proxies=proxies, limits=LIMITS._replace(head_s=30)) as listener:
            callers = [await Caller.at(listener) for _ in range(6)]
            assert sum(bool(status) for status in [await each.status() for each in callers]) == most
            assert await (await Caller.at(listener, "127.0.0.2")).status() == 200, "another is still let in"


async def test_in_a_full_house_whoever_has_waited_the_longest_makes_room(app: Any) -> None:
    async with served(app, limits=LIMITS._replace(head_s=30)) as listener:
        waiting = [await Caller.at(listener, f"127.0.0.{2 + number // 4}") for number in range(8)]
        await asyncio.sleep(0.1)
        caller = await Caller.at(listener)
        assert await caller.status() == 200
        assert await waiting[0].ended_after() < 2
        assert await waiting[1].status() == 200


@pytest.mark.parametrize("first", ["handshake", "request"])
def test_room_is_made_by_whoever_came_first_with_or_without_a_handshake(first: str) -> None:
    """Over TLS all others stand in their handshakes, and whoever has just ended his is no older than they."""
    crowd, turned = Crowd(LIMITS._replace(connections=1, each_host=9)), []
    door, knocking = Mock(), Mock()
    door.transport.abort.side_effect = lambda: turned.append("request")
    knocking.shutdown.side_effect = lambda _: turned.append("handshake")
    assert crowd.admit("127.0.0.1")
    crowd.waiting[door] = 1.0 if first == "request" else 2.0
    crowd.knocking[7] = (1.5, knocking)
    assert crowd.admit("127.0.0.2")
    assert turned == [first]


def test_the_count_comes_back() -> None:
    crowd = Crowd(LIMITS)
    with ExitStack() as stack:
        for _ in range(4):
            assert crowd.admit("10.0.0.1")
            stack.callback(crowd.leave, "10.0.0.1")
        assert not crowd.admit("10.0.0.1")
    assert crowd.in_all == 0
    assert not crowd.of_host


async def test_whoever_goes_away_in_the_middle_of_a_body_is_no_fault_of_ours(
    app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(app) as listener:
        caller = await Caller.at(listener)
        caller.writer.write(UNFINISHED + b"name")
        await caller.writer.drain()
        await asyncio.sleep(0.1)
        caller.writer.transport.abort()
        await asyncio.sleep(0.1)
    assert "Traceback" not in caplog.text
    assert "Exception" not in caplog.text
