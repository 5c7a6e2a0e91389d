"""A TCP proxy on the loopback that does to a connection what networks do: delays, swallows, cuts, dribbles.

async with Proxy(broker.host, broker.port) as proxy:
    proxy.weather = Weather(delay_s=0.2)          # at any time, also for connections that stand
    proxy.reset()                                  # all connections, in the middle of whatever they carry
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Literal, NamedTuple, Self

Way = Literal["up", "down"]


class Weather(NamedTuple):
    """How bytes travel.

    Args:
        delay_s: each piece waits so long.
        piece: bytes that travel at once; 0: as they come.
        swallow_up: what the client sends goes nowhere, the connection stays (half-open).
        swallow_down: what the server sends goes nowhere.
        refuse: new connections are closed at once.
        cut_after: after so many bytes upwards the connection is reset, in the middle of a packet; 0: never.
        cut_down_after: the same for what the server sends.
    """

    delay_s: float = 0.0
    piece: int = 0
    swallow_up: bool = False
    swallow_down: bool = False
    refuse: bool = False
    cut_after: int = 0
    cut_down_after: int = 0


FAIR = Weather()
BLACK_HOLE = Weather(swallow_up=True, swallow_down=True)


class Proxy:
    """Listens on `port` and passes everything on to the server, as the `weather` is."""

    host = "127.0.0.1"

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.weather = FAIR
        self.port = 0
        self.connections = 0
        self.carried: dict[Way, int] = {"up": 0, "down": 0}
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset(self) -> None:
        """Break all connections with a reset (RST), not an orderly end."""
        for writer in list(self._writers):
            _reset(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.weather.refuse:
            _reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        both = (writer, far_writer)
        self._writers.update(both)
        ways = [
            asyncio.create_task(self._carry(reader, far_writer, "up")),
            asyncio.create_task(self._carry(far_reader, writer, "down")),
        ]
        self._tasks.update(ways)
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            self._tasks.difference_update(ways)
            self._writers.difference_update(both)
            for each in both:
                each.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                at = 0
                while at < len(data):
                    weather = self.weather
                    piece = data[at : at + (weather.piece or len(data))]
                    cut = weather.cut_after if way == "up" else weather.cut_down_after
                    if cut and carried + len(piece) >= cut:
                        writer.write(piece[: max(cut - carried, 0)])
                        await writer.drain()
                        self.reset()
                        return
                    if weather.delay_s:
                        await asyncio.sleep(weather.delay_s)
                    if not (weather.swallow_up if way == "up" else weather.swallow_down):
                        writer.write(piece)
                        await writer.drain()
                    at += len(piece)
                    carried += len(piece)
                    self.carried[way] += len(piece)


@contextlib.contextmanager
def proxied(host: str, port: int) -> Iterator[Proxy]:
    """A proxy in a thread of its own, for tests that wait: its `weather` may be set from anywhere."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxy", daemon=True)
    thread.start()
    proxy = Proxy(host, port)
    try:
        asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result(10)
        yield proxy
        asyncio.run_coroutine_threadsafe(proxy.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    plain = writer.get_extra_info("socket")
    if plain is not None:
        with contextlib.suppress(OSError):
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
