"""Devices that call us over UDP and TCP (SIP): one port, one server for all of a family.

A device gets its answer when what it said is on disk, in the order in which it was said.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from device_drivers.conversation import Caller, CallServer, Served
from gateway.errors import LinkError
from gateway.links.backoff import Backoff
from gateway.links.link import Receiver, Token
from gateway.links.listening import unopened
from gateway.links.standing import Clock, KeptLink, utc_now

LARGEST_DATAGRAM = 65_535

DATAGRAMS_AT_ONCE = 64
"""Datagrams read before the loop does something else."""

LOOK_EVERY_S = 1.0
"""How often connections are looked at for those that take too long."""

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Bytes that the kernel is asked to keep of datagrams: 1,000 cameras that all register at once, while a commit lasts."""

FREE_PORTS_TRIED = 16
"""Free ports tried until one is found of which both halves are, before the link is told as down."""


class Limits(NamedTuple):
    """What callers may take up.

    Args:
        connections: TCP connections in all.
        each_host: of one address; a whole estate may stand behind one router.
        held: bytes of unfinished messages of all connections together.
        unwritten: bytes that a device does not take from its connection.
        waiting: calls whose answers wait for the disk; then nothing more is read.
        unfinished_s: how long a message, or the first one of a connection, may take to arrive.
        idle_s: how long a connection may say nothing.
    """

    connections: int = 2048
    each_host: int = 512
    held: int = 32 * 1024 * 1024
    unwritten: int = 256 * 1024
    waiting: int = 4096
    unfinished_s: float = 15.0
    idle_s: float = 900.0


class CallLink(KeptLink):
    """A `Link` for all devices of a family that call us.

    Args:
        name: for people.
        host, port: where to listen, UDP and TCP alike; port 0: a free one, then in `port`.
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
        server: CallServer,
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
        self.server = server
        self._paused = False
        self._full = False
        self._datagrams: _Datagrams | None = None
        self.connections: set[_Connection] = set()
        self.held = 0
        self._of_host: Counter[str] = Counter()
        self._waiting: list[tuple[_Datagrams | _Connection, Any, Sequence[bytes]]] = []
        self._news = asyncio.Event()
        self._broken: LinkError | None = None

    @property
    def reading(self) -> bool:
        """Whether anything more may be read: neither paused, nor too many answers waiting."""
        return not self._paused and not self._full

    def pause(self) -> None:
        """Stop reading: datagrams stay in the kernel, which drops what it cannot keep; devices send those again."""
        self._paused = True
        self._watch()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        self._watch()

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Nothing: what was said is acknowledged by its answer."""

    # -- what the sockets call

    def served(
        self, source: _Datagrams | _Connection, back: Any, peer: str, served: Served, received: datetime
    ) -> None:
        """Hand over what a call brought; its answers wait for the disk."""
        if served.found:
            self.receiver.found(self, peer, served.found, received)
        if served.answers:
            self._waiting.append((source, back, served.answers))
            self._news.set()
            if len(self._waiting) >= self.limits.waiting:
                self._full = True
                self._watch()

    def admit(self, connection: _Connection) -> bool:
        """Whether there is room for one more connection."""
        if len(self.connections) >= self.limits.connections or self._of_host[connection.host] >= self.limits.each_host:
            return False
        self.connections.add(connection)
        self._of_host[connection.host] += 1
        return True

    def hold(self, connection: _Connection, octets: int) -> bool:
        """Note what a connection holds of an unfinished message; whether it may."""
        self.held += octets - connection.held
        connection.held = octets
        return self.held <= self.limits.held

    def gone(self, connection: _Connection) -> None:
        """A connection has ended."""
        if connection in self.connections:
            self.connections.remove(connection)
            self.hold(connection, 0)
            self._of_host[connection.host] -= 1
            if not self._of_host[connection.host]:
                del self._of_host[connection.host]

    def broken(self, error: OSError) -> None:
        """The socket for datagrams failed: everything is opened again."""
        self._broken = LinkError(self.name, f"the port failed: {error.strerror or error}", "it is opened again")
        self._news.set()

    # -- inside

    async def connect(self) -> None:
        """See `KeptLink.connect`."""
        loop = asyncio.get_running_loop()
        self._broken = None
        datagrams, server = await self._open(loop)
        look = loop.call_later(LOOK_EVERY_S, lambda: None)
        try:
            self._datagrams = datagrams
            self._watch()
            self.standing.up()

            def looking() -> None:
                nonlocal look
                self._look(loop.time())
                look = loop.call_later(LOOK_EVERY_S, looking)

            looking()
            await self._answer()
        finally:
            look.cancel()
            self._datagrams = None
            datagrams.close()
            server.close()
            for connection in list(self.connections):
                connection.transport.abort()
            self._waiting.clear()
            self._full = False

    async def _open(self, loop: asyncio.AbstractEventLoop) -> tuple[_Datagrams, asyncio.Server]:
        try:
            found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
            for _ in range(0 if self.port else FREE_PORTS_TRIED - 1):
                try:
                    return await self._open_both(loop, found[0])
                except OSError as error:
                    if error.errno != errno.EADDRINUSE:
                        raise
            return await self._open_both(loop, found[0])
        except (OSError, UnicodeError) as error:
            raise unopened(self.name, error) from error

    async def _open_both(self, loop: asyncio.AbstractEventLoop, found: Any) -> tuple[_Datagrams, asyncio.Server]:
        """The port for datagrams and for connections; of a free one the other half may be taken."""
        family, kind, protocol, _, address = found
        port = socket.socket(family, kind, protocol)
        try:
            port.setblocking(False)
            port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            port.bind(address)
            number = port.getsockname()[1]
            server = await loop.create_server(
                lambda: _Connection(self), str(address[0]), number, family=family, backlog=1024
            )
            self.port = number
        except BaseException:
            port.close()
            raise
        return _Datagrams(self, port, loop), server

    async def _answer(self) -> None:
        """Send the answers once what they acknowledge is on disk, until the port fails."""
        while self._broken is None:
            await self._news.wait()
            self._news.clear()
            calls, self._waiting = self._waiting, []
            if calls:
                await self.receiver.safe()
            for source, back, answers in calls:
                source.send(back, answers)
            if self._full and len(self._waiting) < self.limits.waiting:
                self._full = False
                self._watch()
        raise self._broken

    def _watch(self) -> None:
        if self._datagrams is not None:
            self._datagrams.watch()
        for connection in self.connections:
            connection.watch()

    def _look(self, now: float) -> None:
        for connection in list(self.connections):
            connection.look(now)


class _Datagrams:
    """The UDP side. A socket of our own, since a transport for datagrams cannot be paused."""

    def __init__(self, link: CallLink, port: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._link = link
        self._port = port
        self._loop = loop
        self._watched = False

    def watch(self) -> None:
        """Read when something comes, or do not."""
        if self._link.reading == self._watched:
            return
        self._watched = self._link.reading
        if self._watched:
            self._loop.add_reader(self._port.fileno(), self._readable)
        else:
            self._loop.remove_reader(self._port.fileno())

    def close(self) -> None:
        self._loop.remove_reader(self._port.fileno())
        self._port.close()

    def send(self, back: Any, answers: Sequence[bytes]) -> None:
        for each in answers:
            try:
                self._port.sendto(each, back)
            except OSError:
                return  # a full buffer, an address that is gone: the device asks again

    def _readable(self) -> None:
        received = self._link.clock()
        for _ in range(DATAGRAMS_AT_ONCE):
            if not self._watched:
                return
            try:
                data, back = self._port.recvfrom(LARGEST_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # an earlier answer was refused; it says nothing of the port
            except OSError as error:
                self._loop.remove_reader(self._port.fileno())
                self._link.broken(error)
                return
            served = self._link.server.datagram(data, back[:2], received)
            self._link.served(self, back, back[0], served, received)


class _Connection(asyncio.Protocol):
    """One TCP connection."""

    def __init__(self, link: CallLink) -> None:
        self._link = link
        self.transport: asyncio.Transport
        self.host = ""
        self.held = 0
        self._caller: Caller | None = None
        self._since = 0.0  # when the unfinished message began, or the last one ended
        self._waits = True  # for the end of a message

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        peer = transport.get_extra_info("peername") or ("", 0)
        self.host = peer[0]
        if not self._link.admit(self):
            transport.abort()
            return
        self._since = asyncio.get_running_loop().time()
        self._caller = self._link.server.connection((peer[0], peer[1]))
        self.watch()

    def data_received(self, data: bytes) -> None:
        if self._caller is None:
            return
        link = self._link
        now = asyncio.get_running_loop().time()
        if not link.hold(self, self.held + len(data)):
            self.transport.abort()
            return
        received = link.clock()
        for served in self._caller.feed(data, received):
            link.served(self, None, self.host, served, received)
            self._since, self._waits = now, False
        if not self._caller.unfinished:
            link.hold(self, 0)
            self._waits = False
        elif not self._waits:
            self._since, self._waits = now, True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self._link.gone(self)
        if self._caller is not None:
            received = self._link.clock()
            for served in self._caller.lost(received):
                self._link.served(self, None, self.host, served._replace(answers=()), received)
            self._caller = None

    def send(self, _: Any, answers: Sequence[bytes]) -> None:
        if self._caller is None or self.transport.is_closing():
            return
        self.transport.write(b"".join(answers))
        if self.transport.get_write_buffer_size() > self._link.limits.unwritten:
            self.transport.abort()

    def watch(self) -> None:
        """Read, or do not while the link is paused."""
        if self.transport.is_closing() or self.transport.is_reading() == self._link.reading:
            return
        if self._link.reading:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def look(self, now: float) -> None:
        """Close it if it has taken too long; time in which we did not read does not count."""
        if not self._link.reading:
            self._since = now
            return
        limits = self._link.limits
        if now - self._since > (limits.unfinished_s if self._waits else limits.idle_s):
            self.transport.abort()
