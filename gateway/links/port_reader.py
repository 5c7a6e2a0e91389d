"""Reading an open port in the event loop: by its descriptor, or by a thread where there is none (RFC 2217)."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from gateway.errors import LinkError
from gateway.links.serial_port import WRITE_TIMEOUT_S, is_file, open_port, trouble

READ = 4096
"""Bytes a read: a third of a second at 115,200 baud."""

CHUNKS_AHEAD = 16
"""Chunks that the thread of a port without descriptor may have read but not yet delivered."""

PAUSE_LOOK_S = 0.05
"""How often the thread of a paused port looks whether it may read on."""

_OPENINGS = ThreadPoolExecutor(32, thread_name_prefix="open port")
"""Ports on machines that are off block for five seconds each; they must not keep others from being opened."""


class PortOwner(Protocol):
    """Who gets the bytes of a port."""

    name: str
    url: str

    @property
    def paused(self) -> bool:
        """Nothing is to be read at present."""
        ...

    def received(self, data: bytes) -> None:
        """Bytes came from the port. Called in the event loop."""
        ...


class PortReader(Protocol):
    """Reads one open port until it is stopped or the port ends."""

    port: Any

    def watch(self) -> None:
        """Read when something comes, or do not while the owner is paused. Called after each change of that."""
        ...

    def stop(self) -> None:
        """Read no more, and close the port."""
        ...

    async def write(self, data: bytes) -> None:
        """Write all of `data`.

        Raises:
            LinkError: the port does not take it.
        """
        ...


def read_port(owner: PortOwner, port: Any, ended: asyncio.Future[LinkError]) -> PortReader:
    """What reads `port` for `owner`; `ended` gets the reason when the port can be read no more. `watch` begins."""
    try:
        descriptor: int = port.fileno()
    except OSError:  # io.UnsupportedOperation: rfc2217 and other URLs have none
        return _Thread(owner, port, ended)
    return _Descriptor(owner, port, descriptor, ended)


async def open_soon(url: str, settings: Mapping[str, str]) -> Any:
    """Open in a thread, since a port on another machine blocks; if nobody waits any more, close it again.

    Raises:
        LinkError: why it could not be opened.
    """
    opening = asyncio.get_running_loop().run_in_executor(_OPENINGS, open_port, url, settings)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unwanted)
        raise


def port_identity(url: str) -> tuple[int, int] | None:
    """Which device a device file stands for at present; None for a URL, (0, 0) if there is none."""
    if not is_file(url):
        return None
    try:
        status = os.stat(url)  # noqa: PTH116 - a device file's numbers
    except OSError:
        return (0, 0)
    return (status.st_rdev, status.st_ino)


class _Descriptor:
    """Reads a port that has a file descriptor in the event loop."""

    def __init__(self, owner: PortOwner, port: Any, descriptor: int, ended: asyncio.Future[LinkError]) -> None:
        self.port = port
        self._owner = owner
        self._descriptor = descriptor
        self._ended = ended
        self._loop = asyncio.get_running_loop()

    def watch(self) -> None:
        """Read when something comes, or do not while paused."""
        if self._owner.paused or self._ended.done():
            self._loop.remove_reader(self._descriptor)
        else:
            self._loop.add_reader(self._descriptor, self._readable)

    def stop(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        if is_file(self._owner.url):
            self.port.close()
        else:  # pyserial sleeps when it closes a socket: all else would stand still
            self._loop.run_in_executor(_OPENINGS, self.port.close)

    async def write(self, data: bytes) -> None:
        """Write without a thread: pyserial opens files and sockets non-blocking."""
        left = memoryview(data)
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                while left:
                    try:
                        left = left[os.write(self._descriptor, left) :]
                    except BlockingIOError:
                        await self._writable()
        except TimeoutError:
            raise LinkError(self._owner.name, "the port does not take what is written", "check the adapter") from None
        except OSError as error:
            raise trouble(self._owner.url, error) from error

    async def _writable(self) -> None:
        room = asyncio.Event()
        self._loop.add_writer(self._descriptor, room.set)
        try:
            await room.wait()
        finally:
            self._loop.remove_writer(self._descriptor)

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(trouble(self._owner.url, error))
            return
        if data:
            self._owner.received(data)
        else:
            self._end(
                LinkError(self._owner.name, "the port was closed by the other side", "check adapter or converter")
            )

    def _end(self, error: LinkError) -> None:
        self._loop.remove_reader(self._descriptor)
        if not self._ended.done():
            self._ended.set_result(error)


class _Thread:
    """Reads a port without a file descriptor in a thread of its own, never more than a few chunks ahead."""

    def __init__(self, owner: PortOwner, port: Any, ended: asyncio.Future[LinkError]) -> None:
        self.port = port
        self._owner = owner
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._room = threading.Semaphore(CHUNKS_AHEAD)
        self._stopping = threading.Event()
        self._held: list[bytes] = []  # read before the pause, not delivered
        threading.Thread(target=self._read, name=f"serial {owner.name}", daemon=True).start()

    def watch(self) -> None:
        """Deliver what the pause held back; the thread itself looks whether the owner is paused."""
        while self._held and not self._owner.paused:
            self._owner.received(self._held.pop(0))

    def stop(self) -> None:
        self._stopping.set()
        self._room.release()

    async def write(self, data: bytes) -> None:
        """Write in a thread, since it may block."""
        try:
            await asyncio.to_thread(self.port.write, data)
        except OSError as error:
            raise trouble(self._owner.url, error) from error

    def _read(self) -> None:
        error = LinkError(self._owner.name, "closed")
        try:
            while not self._stopping.is_set():
                self._take()
        except OSError as cause:
            error = trouble(self._owner.url, cause)
        finally:
            self.port.close()
            if not self._stopping.is_set():
                self._loop.call_soon_threadsafe(self._end, error)

    def _take(self) -> None:
        if self._owner.paused:
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


def _close_unwanted(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
