"""A broker that does only what a test tells it: for bytes that no honest broker sends, and to see bytes as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CONNECT, PUBACK, PUBREC, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 4, 5, 8, 12, 14
ONE_FILTER = 1


class ScriptedBroker:
    """Answers CONNECT and SUBSCRIBE; everything else is recorded in `packets` as (type, body).

    Args:
        version: 5 for MQTT 5, 4 for MQTT 3.1.1.
        connack: what stands for "session present" and the reason.
        answers_ping: False for a broker that has fallen silent.
        greeting: what it says before it is spoken to.
    """

    host = "127.0.0.1"

    def __init__(
        self, version: int, *, connack: bytes = b"\0\0", answers_ping: bool = True, greeting: bytes = b""
    ) -> None:
        self.version = version
        self.connack = connack
        self.answers_ping = answers_ping
        self.greeting = greeting
        self.after_connack = b""  # sent together with the answer to CONNECT
        self._tasks: set[asyncio.Task[None] | None] = set()
        self.port = 0
        self.connections = 0
        self.packets: list[tuple[int, bytes]] = []
        self._writer: asyncio.StreamWriter | None = None
        self._came = asyncio.Event()

    def publish(self, topic: bytes, payload: bytes, packet_id: int, *, properties: bytes = b"", qos: int = 1) -> bytes:
        """A PUBLISH as bytes."""
        body = len(topic).to_bytes(2, "big") + topic
        if qos:
            body += packet_id.to_bytes(2, "big")
        if self.version == 5:
            body += len(properties).to_bytes(1, "big") + properties
        return frame(0x30 | qos << 1, body + payload)

    def send(self, data: bytes) -> None:
        assert self._writer
        self._writer.write(data)

    def hang_up(self) -> None:
        assert self._writer
        self._writer.transport.abort()

    async def until(self, kind: int, count: int) -> list[bytes]:
        """The bodies of the packets of this type, once there are so many."""
        async with asyncio.timeout(10):
            while len(bodies := [body for type_, body in self.packets if type_ == kind]) < count:
                self._came.clear()
                await self._came.wait()
        return bodies

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[ScriptedBroker]:
        server = await asyncio.start_server(self._serve, self.host, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            if self._writer:
                self._writer.close()
            await asyncio.gather(*(task for task in self._tasks if task), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.connections += 1
        self._tasks.add(asyncio.current_task())
        writer.write(self.greeting)
        try:
            while True:
                await self._packet(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _packet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind = (await reader.readexactly(1))[0] >> 4
        length, place = 0, 0
        while True:
            byte = (await reader.readexactly(1))[0]
            length |= (byte & 0x7F) << place
            place += 7
            if byte < 0x80:
                break
        body = await reader.readexactly(length)
        none = b"\0" if self.version == 5 else b""
        if kind == CONNECT:
            writer.write(frame(0x20, self.connack + none) + self.after_connack)
        elif kind == SUBSCRIBE:
            writer.write(frame(0x90, body[:2] + none + b"\x01" * ONE_FILTER))
        elif kind == PINGREQ and self.answers_ping:
            writer.write(b"\xd0\0")
        self.packets.append((kind, body))
        self._came.set()


def frame(first: int, body: bytes) -> bytes:
    """A packet: first byte, length, body."""
    length = len(body)
    encoded = bytearray()
    while True:
        length, low = length >> 7, length & 0x7F
        encoded.append(low | (0x80 if length else 0))
        if not length:
            return bytes([first]) + bytes(encoded) + body
