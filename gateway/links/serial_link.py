"""One device on a serial line: bytes in as they come. Survives unplugging; says why when it cannot read."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from typing import Any

from gateway.errors import LinkError
from gateway.links.backoff import Backoff
from gateway.links.link import LinkState, Receiver, Token
from gateway.links.serial_port import is_file, open_port, trouble
from gateway.links.standing import Clock, Standing, keep_connected, utc_now
from gateway.site.model import Device

READ = 4096
"""Bytes a read: a third of a second at 115,200 baud."""

CHUNKS_AHEAD = 16
"""Chunks that the thread of a port without descriptor may have read but not yet delivered."""

LOOK_EVERY_S = 1.0
"""How often the device file is looked for: some drivers say nothing when their adapter is pulled."""

PAUSE_LOOK_S = 0.05
"""How often the thread of a paused port looks whether it may read on."""

LONGEST_WAIT_S = 2.0
"""Looking for a file costs nothing, and a guard waits for the reader that was plugged in again."""


class SerialLink:
    """A `Link` for the stream of one device.

    Args:
        device: `device.link` has `serial` (device file or URL of pyserial) and `baud`, `bits`, `parity`, `stop`.
        receiver: gets chunks and changes of state.
        clock: the wall clock, for `received`.
        backoff: waits between attempts to open.
    """

    def __init__(
        self, device: Device, receiver: Receiver, *, clock: Clock = utc_now, backoff: Backoff | None = None
    ) -> None:
        self.device = device.id
        self.name = self.url = device.link["serial"]
        self._settings = device.link
        self._receiver = receiver
        self._clock = clock
        self._backoff = backoff or (Backoff(longest_s=LONGEST_WAIT_S) if is_file(self.url) else Backoff())
        self._standing = Standing(self, receiver, [device.id], clock)
        self._running = threading.Event()  # not paused; a thread waits for it too
        self._running.set()
        self._port: _Descriptor | _Thread | None = None

    @property
    def state(self) -> LinkState:
        """How the link is now."""
        return self._standing.state

    @property
    def paused(self) -> bool:
        """Whether `pause` was called."""
        return not self._running.is_set()

    async def run(self) -> None:
        """Open, read, open again, until cancelled."""
        await keep_connected(self._connect, self._standing, self._backoff)

    def pause(self) -> None:
        """Stop reading from the port."""
        self._running.clear()
        if self._port:
            self._port.watch()

    def resume(self) -> None:
        """Read on."""
        self._running.set()
        if self._port:
            self._port.watch()

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Nothing: a serial line knows no acknowledgement."""

    async def write(self, data: bytes) -> None:
        """Write all of `data`.

        Raises:
            LinkError: the port is not open, or does not take it.
        """
        if not self._port:
            raise LinkError(self.name, self.state.reason, self.state.hint)
        try:
            await asyncio.to_thread(self._port.port.write, data)
        except OSError as error:
            raise trouble(self.url, error) from error

    def received(self, data: bytes) -> None:
        """Bytes came from the port."""
        self._receiver.chunk(self, self.device, data, self._clock())

    async def _connect(self) -> None:
        port = await self._open()
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[LinkError] = loop.create_future()
        self._port = _reader(self, port, ended)
        try:
            self._standing.up()
            self._port.watch()
            identity = _identity(self.url)
            while not ended.done():
                await asyncio.wait((ended,), timeout=LOOK_EVERY_S)
                if not ended.done() and _identity(self.url) != identity:
                    raise LinkError(self.name, "the port is gone", "plug the adapter in again")
            raise ended.result()
        finally:
            reading, self._port = self._port, None
            reading.stop()

    async def _open(self) -> Any:
        """Open in a thread, since a port on another machine blocks; if nobody waits any more, close it again."""
        opening = asyncio.get_running_loop().run_in_executor(None, open_port, self.url, self._settings)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unwanted)
            raise


def _reader(link: SerialLink, port: Any, ended: asyncio.Future[LinkError]) -> _Descriptor | _Thread:
    try:
        descriptor: int = port.fileno()
    except OSError:  # io.UnsupportedOperation: rfc2217 and other URLs have none
        return _Thread(link, port, ended)
    return _Descriptor(link, port, descriptor, ended)


class _Descriptor:
    """Reads a port that has a file descriptor in the event loop."""

    def __init__(self, link: SerialLink, port: Any, descriptor: int, ended: asyncio.Future[LinkError]) -> None:
        self.port = port
        self._link = link
        self._descriptor = descriptor
        self._ended = ended
        self._loop = asyncio.get_running_loop()

    def watch(self) -> None:
        """Read when something comes, or do not while paused."""
        if self._link.paused or self._ended.done():
            self._loop.remove_reader(self._descriptor)
        else:
            self._loop.add_reader(self._descriptor, self._readable)

    def stop(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self.port.close()

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(trouble(self._link.url, error))
            return
        if data:
            self._link.received(data)
        else:
            self._end(LinkError(self._link.name, "the port was closed by the other side", "check adapter or converter"))

    def _end(self, error: LinkError) -> None:
        self._loop.remove_reader(self._descriptor)
        if not self._ended.done():
            self._ended.set_result(error)


class _Thread:
    """Reads a port without a file descriptor in a thread of its own, never more than a few chunks ahead."""

    def __init__(self, link: SerialLink, port: Any, ended: asyncio.Future[LinkError]) -> None:
        self.port = port
        self._link = link
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._room = threading.Semaphore(CHUNKS_AHEAD)
        self._stopping = threading.Event()
        self._held: list[bytes] = []  # read before the pause, not delivered
        threading.Thread(target=self._read, name=f"serial {link.name}", daemon=True).start()

    def watch(self) -> None:
        """Deliver what the pause held back; the thread itself looks whether the link is paused."""
        while self._held and not self._link.paused:
            self._link.received(self._held.pop(0))

    def stop(self) -> None:
        self._stopping.set()
        self._room.release()

    def _read(self) -> None:
        error = LinkError(self._link.name, "closed")
        try:
            while not self._stopping.is_set():
                self._take()
        except OSError as cause:
            error = trouble(self._link.url, cause)
        finally:
            self.port.close()
            if not self._stopping.is_set():
                self._loop.call_soon_threadsafe(self._end, error)

    def _take(self) -> None:
        if self._link.paused:
            self._stopping.wait(PAUSE_LOOK_S)
            return
        data = self.port.read(1)
        if data:
            data += self.port.read(min(self.port.in_waiting, READ))
            self._room.acquire()
            if not self._stopping.is_set():
                self._loop.call_soon_threadsafe(self._deliver, data)

    def _deliver(self, data: bytes) -> None:
        self._room.release()
        if self._ended.done():
            return
        self._held.append(data)
        self.watch()

    def _end(self, error: LinkError) -> None:
        if not self._ended.done():
            self._ended.set_result(error)


def _identity(url: str) -> tuple[int, int] | None:
    """Which device a device file stands for at present; None for a URL, (0, 0) if there is none."""
    if not is_file(url):
        return None
    try:
        status = os.stat(url)  # noqa: PTH116 - a device file's numbers
    except OSError:
        return (0, 0)
    return (status.st_rdev, status.st_ino)


def _close_unwanted(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
