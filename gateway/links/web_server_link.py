"""Devices that call us over HTTP: a small server on a port of its own, apart from the console.

A device gets its answer when what it said is on disk.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiohttp import web

from device_drivers.conversation import WebRequest, WebServed, WebServer
from gateway.errors import JournalError
from gateway.links.backoff import Backoff
from gateway.links.link import Receiver, Token
from gateway.links.listening import unopened
from gateway.links.standing import Clock, KeptLink, utc_now

LARGEST_BODY = 128 * 1024
"""Bytes; a larger one (a picture) is refused with 413."""

LONGEST_LINE = 8190
"""Bytes of the request line and of each header."""

LOOK_EVERY_S = 1.0
"""How often connections are looked at for those that take too long."""


class Limits(NamedTuple):
    """What callers may take up.

    Args:
        connections: in all.
        each_host: of one address.
        at_once: requests whose bodies are read at once, so that they need no more than 64 MiB.
        unfinished_s: how long a head, and then a body, may take to arrive.
        idle_s: how long a connection may say nothing between two requests.
    """

    connections: int = 2048
    each_host: int = 512
    at_once: int = 512
    unfinished_s: float = 15.0
    idle_s: float = 300.0


class WebServerLink(KeptLink):
    """A `Link` for all devices of a family that call us over HTTP.

    Args:
        name: for people.
        address: host and port to listen on; port 0: a free one, then in `port`.
        server: what answers.
        devices: ids of those that are heard here.
        receiver: gets what was said.
        clock: the wall clock.
        backoff: waits between attempts to open the port.
        limits: what callers may take up.
    """

    def __init__(
        self,
        name: str,
        address: tuple[str, int],
        server: WebServer,
        devices: Sequence[str],
        receiver: Receiver,
        *,
        clock: Clock = utc_now,
        backoff: Backoff | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(name, receiver, devices, clock=clock, backoff=backoff or Backoff())
        self.host, self.port = address
        self.limits = limits or Limits()
        self.doors: dict[asyncio.BaseTransport, _Door] = {}
        self.of_host: Counter[str] = Counter()
        self._server = server
        self._running = asyncio.Event()  # not paused
        self._running.set()
        self._room = asyncio.Semaphore(self.limits.at_once)

    def pause(self) -> None:
        """Let requests wait; their connections are bounded."""
        self._running.clear()

    def resume(self) -> None:
        """Take requests again."""
        self._running.set()

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Nothing: a request is acknowledged by its answer."""

    async def connect(self) -> None:
        server = web.Server(
            self._handle,
            request_factory=_request,
            access_log=None,
            keepalive_timeout=self.limits.idle_s,
            lingering_time=0,  # what is left of a refused request is not waited for
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )
        loop = asyncio.get_running_loop()
        try:
            listening = await loop.create_server(lambda: _Door(self, server()), self.host, self.port, backlog=1024)
        except (OSError, UnicodeError) as error:
            raise unopened(self.name, error) from error
        self.port = listening.sockets[0].getsockname()[1]
        try:
            self.standing.up()
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                now = loop.time()
                for door in list(self.doors.values()):
                    door.look(now)
        finally:
            listening.close()
            for transport in list(self.doors):
                if isinstance(transport, asyncio.Transport):
                    transport.abort()
            await server.shutdown(0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        door = self.doors.get(transport) if transport is not None else None
        if door is None:
            return web.Response(status=503)
        door.serving = True
        try:
            return await self._answer(request, door.peer)
        finally:
            door.served()

    async def _answer(self, request: web.BaseRequest, peer: tuple[str, int]) -> web.StreamResponse:
        await self._running.wait()
        async with self._room:
            try:
                async with asyncio.timeout(self.limits.unfinished_s):
                    body = await request.read()
            except TimeoutError:
                return _closing(408)
            except web.HTTPRequestEntityTooLarge:
                return _closing(413)
            received = self.clock()
            served = self._server.request(
                WebRequest(
                    method=request.method,
                    path=request.path,
                    headers={name.lower(): value for name, value in request.headers.items()},
                    body=body,
                    peer=peer,
                    received=received,
                )
            )
            del body
        if served.found:
            self.receiver.found(self, peer[0], served.found, received)
            try:
                await self.receiver.safe()
            except JournalError:
                return _closing(503)  # not on disk: the device keeps what it said, and the gateway stops by itself
        return _response(served)


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    """Aiohttp's request, with our bound on the body."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=LARGEST_BODY)


def _response(served: WebServed) -> web.Response:
    return web.Response(status=served.status, headers=dict(served.headers), body=served.body)


def _closing(status: int) -> web.Response:
    """A refusal after which what is left of the request is not waited for."""
    response = web.Response(status=status)
    response.force_close()
    return response


class _Door(asyncio.Protocol):
    """Stands before aiohttp's own protocol: admits connections, and ends those that take too long over a head."""

    def __init__(self, link: WebServerLink, inside: Any) -> None:
        self._link = link
        self._inside = inside
        self._transport: asyncio.Transport
        self._admitted = False
        self._since = 0.0
        self._idle = False  # nothing of a next request has come
        self.peer = ("", 0)
        self.serving = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        name = transport.get_extra_info("peername") or self.peer
        self.peer = (name[0], name[1])
        link = self._link
        host = self.peer[0]
        if len(link.doors) >= link.limits.connections or link.of_host[host] >= link.limits.each_host:
            transport.abort()
            return
        link.doors[transport] = self
        link.of_host[host] += 1
        self._admitted = True
        self._since = asyncio.get_running_loop().time()
        self._inside.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._admitted:
            return
        if self._idle:
            self._idle = False
            self._since = asyncio.get_running_loop().time()
        self._inside.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inside.eof_received() if self._admitted else None

    def pause_writing(self) -> None:
        self._inside.pause_writing()

    def resume_writing(self) -> None:
        self._inside.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._admitted:
            return
        host = self.peer[0]
        del self._link.doors[self._transport]
        self._link.of_host[host] -= 1
        if not self._link.of_host[host]:
            del self._link.of_host[host]
        self._inside.connection_lost(exc)

    def served(self) -> None:
        """A request was answered."""
        self.serving = False
        self._idle = True
        self._since = asyncio.get_running_loop().time()

    def look(self, now: float) -> None:
        """End it if the head of a request takes too long; idle connections are ended by aiohttp, bodies by their reader."""
        if not self.serving and not self._idle and now - self._since > self._link.limits.unfinished_s:
            self._transport.abort()
