"""How many connections the console has, of whom, and how long one may take over a request: slow or many, they lock nobody out."""

from __future__ import annotations

import asyncio
import math
import socket
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_MOST_UNREAD = 1024 * 1024
"""Bytes of a body that are still taken, and thrown away, once its request has been answered: a refused picture's sender reads why."""
_REFUSED_AT_ONCE = 100
"""So many are refused before the event loop goes on with other work."""


class Limits(NamedTuple):
    """What callers may take up.

    Args:
        connections: in all.
        each_host: of one address; named proxies speak for many, and are bounded by `connections` alone.
        head_s: how long the head of a request may take to arrive.
        body_s: how long its body may, and how long a caller may take nothing of an answer.
        look_s: how often connections are looked at.
    """

    connections: int = 1024
    each_host: int = 256
    head_s: float = 15.0
    body_s: float = 60.0
    look_s: float = 1.0


class Crowd:
    """All connections of one server.

    Args:
        limits: what they may take up.
        proxies: addresses and networks that speak for many.
    """

    def __init__(self, limits: Limits, proxies: Sequence[str] = ()) -> None:
        self.limits = limits
        self.in_all = 0
        self.of_host: Counter[str] = Counter()
        self.doors: set[Door] = set()
        self.waiting: dict[Door, float] = {}
        """Those from which no whole request has come, and since when, the longest first."""
        self.knocking: dict[int, tuple[float, socket.socket]] = {}
        """By descriptor, those that have no door yet: in a TLS handshake, and since when."""
        self._proxies = [ip_network(each) for each in proxies]

    def admit(self, host: str) -> bool:
        """Count one more connection; False: there are too many, and it is not counted.

        In a full house whoever has waited the longest without a whole request makes room.
        """
        if self.of_host[host] >= self.limits.each_host and not self._speaks_for_many(host):
            return False
        if self.in_all >= self.limits.connections and not self._make_room():
            return False
        self.in_all += 1
        self.of_host[host] += 1
        return True

    def leave(self, host: str) -> None:
        """One that was admitted has ended."""
        self.in_all -= 1
        self.of_host[host] -= 1
        if not self.of_host[host]:
            del self.of_host[host]

    def _make_room(self) -> bool:
        door, waits = next(iter(self.waiting.items()), (None, math.inf))
        descriptor, (knocks, knocking) = next(iter(self.knocking.items()), (-1, (math.inf, None)))
        if door is not None and waits <= knocks:
            del self.waiting[door]
            door.transport.abort()
            return True
        if knocking is not None:
            del self.knocking[descriptor]
            _turn_away(knocking)
            return True
        return False

    def _speaks_for_many(self, host: str) -> bool:
        address = ip_address(host.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._proxies)

    async def watch(self) -> None:
        """End connections that take too long, until cancelled."""
        while True:
            await asyncio.sleep(self.limits.look_s)
            now = asyncio.get_running_loop().time()
            for door in list(self.doors):
                door.look(now)
            for since, knocking in list(self.knocking.values()):
                if now - since > self.limits.head_s:
                    _turn_away(knocking)


def _turn_away(knocking: socket.socket) -> None:
    with suppress(OSError):  # it has gone already
        knocking.shutdown(socket.SHUT_RDWR)


class Entrance(socket.socket):
    """A listening socket that gives out only connections that the crowd admits; others are closed at once.

    Here, not in the protocol: a connection that has not finished its TLS handshake takes up a descriptor too.
    """

    crowd: Crowd

    @classmethod
    def before(cls, listening: socket.socket, crowd: Crowd) -> Entrance:
        """The same socket, with a crowd behind it; `listening` is closed by this one's `close`, too."""
        entrance = cls(listening.family, listening.type, listening.proto, listening.detach())
        entrance.setblocking(False)
        entrance.crowd = crowd
        return entrance

    def accept(self) -> tuple[socket.socket, Any]:
        for _ in range(_REFUSED_AT_ONCE):
            descriptor, address = self._accept()  # type: ignore[attr-defined]
            host = address[0]
            if self.crowd.admit(host):
                admitted = _Admitted(self.family, self.type, self.proto, descriptor)
                admitted.crowd, admitted.host = self.crowd, host
                self.crowd.knocking[descriptor] = asyncio.get_running_loop().time(), admitted
                return admitted, address
            socket.close(descriptor)
        raise BlockingIOError


class _Admitted(socket.socket):
    """A connection that is counted until its descriptor is given back."""

    crowd: Crowd | None = None
    host = ""

    def _real_close(self, *args: Any) -> None:
        if self.crowd is not None:
            self.crowd.knocking.pop(self.fileno(), None)
            self.crowd.leave(self.host)
            self.crowd = None
        super()._real_close(*args)  # type: ignore[misc]


class Door(H11Protocol):
    """Uvicorn's protocol, with ends to what may last: a head, a body, an answer that is not taken.

    A connection that says nothing between two requests is ended by uvicorn (`timeout_keep_alive`).
    """

    crowd: Crowd

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waits: tuple[str, object, int] = ("", None, 0)
        self._since = 0.0
        self._full = False
        self._unread = 0
        self.crowd.doors.add(self)
        self.crowd.knocking.pop(transport.get_extra_info("socket").fileno(), None)
        self._place()
        self.look(self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.doors.discard(self)
        self.crowd.waiting.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.cycle is not None and self.cycle.response_complete and self.conn.their_state is h11.SEND_BODY:
            self._unread += len(data)
            if self._unread > _MOST_UNREAD:
                self.transport.abort()
                return
        else:
            self._unread = 0
        super().data_received(data)
        self._place()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._place()

    def pause_writing(self) -> None:
        self._full = True
        super().pause_writing()

    def resume_writing(self) -> None:
        self._full = False
        super().resume_writing()

    def look(self, now: float) -> None:
        """End it if what it waits for takes too long."""
        # bytes: of an answer; while they become fewer it is taken, however slowly
        waits = self._waits_for(), self.cycle, self.transport.get_write_buffer_size()
        if waits != self._waits:
            self._waits, self._since = waits, now
        limits = self.crowd.limits
        longest = {"head": limits.head_s, "body": limits.body_s, "reader": limits.body_s}.get(waits[0])
        if longest is not None and now - self._since > longest:
            self.transport.abort()

    def _place(self) -> None:
        """Stand among those that wait, at their end, or leave them: a whole request is here."""
        if self not in self.crowd.doors:
            return
        if self.conn.their_state in {h11.IDLE, h11.SEND_BODY}:
            self.crowd.waiting.setdefault(self, self.loop.time())
        else:
            self.crowd.waiting.pop(self, None)

    def _waits_for(self) -> str:
        if self._full:
            return "reader"
        if self.conn.their_state is h11.IDLE:
            return "head" if self.cycle is None or self.conn.trailing_data[0] else ""
        return "body" if self.conn.their_state is h11.SEND_BODY else ""


def door_of(crowd: Crowd) -> type[Door]:
    """The protocol of a server whose connections are these."""
    return type("Door", (Door,), {"crowd": crowd})
