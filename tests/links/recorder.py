"""A receiver that keeps what a link tells it, and waits for something to have been told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from device_drivers.driver import Reading, Reject
from gateway.links.link import Envelope, Link, LinkState, Token, Unreadable

LONGEST_WAIT_S = 15.0


class Recorder:
    """Args:
    acknowledging: acknowledge every message at once, as a journal would after its commit.
    enough: pause the link when this many messages have come.
    """

    def __init__(self, *, acknowledging: bool = False, enough: int | None = None) -> None:
        self.acknowledging = acknowledging
        self.enough = enough
        self.batches: list[list[Envelope | Unreadable]] = []
        self.data: list[bytes] = []
        self.states: list[LinkState] = []
        self.devices: list[tuple[str, ...]] = []
        self.lost: list[str] = []
        self.readings: list[tuple[str, Reading | Reject]] = []
        self.asked_safe = 0
        self._told = asyncio.Event()

    def messages(self, link: Link, envelopes: Sequence[Envelope | Unreadable]) -> None:
        self.batches.append(list(envelopes))
        if self.acknowledging:
            link.acknowledge([envelope.token for envelope in envelopes])
        if self.enough is not None and len(self.payloads) >= self.enough:
            link.pause()
        self._told.set()

    def chunk(self, link: Link, device: str, data: bytes, received: datetime) -> None:
        self.data.append(data)
        if self.enough is not None and len(b"".join(self.data)) >= self.enough:
            link.pause()
        self._told.set()

    def found(self, link: Link, source: str, readings: Sequence[Reading | Reject], received: datetime) -> None:
        self.readings += [(source, reading) for reading in readings]
        self._told.set()

    def safe(self) -> asyncio.Future[None]:
        self.asked_safe += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    def link_changed(self, link: Link, state: LinkState, devices: Sequence[str]) -> None:
        self.states.append(state)
        self.devices.append(tuple(devices))
        self._told.set()

    def session_lost(self, link: Link, reason: str) -> None:
        self.lost.append(reason)
        self._told.set()

    @property
    def all(self) -> list[Envelope | Unreadable]:
        return [envelope for batch in self.batches for envelope in batch]

    @property
    def payloads(self) -> list[bytes]:
        return [envelope.payload for batch in self.batches for envelope in batch]

    @property
    def tokens(self) -> list[Token]:
        return [envelope.token for envelope in self.all]

    @property
    def is_up(self) -> bool:
        return bool(self.states) and self.states[-1].up

    @property
    def stream(self) -> bytes:
        return b"".join(self.data)

    async def until(self, condition: Callable[[], bool], timeout_s: float = LONGEST_WAIT_S) -> None:
        """Wait until what was told makes the condition true."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._told.clear()
                await self._told.wait()

    async def until_up(self) -> None:
        await self.until(lambda: self.is_up)

    async def until_down(self) -> None:
        await self.until(lambda: bool(self.states) and not self.states[-1].up)

    async def until_bytes(self, count: int) -> None:
        await self.until(lambda: len(self.stream) >= count)

    async def until_messages(self, count: int) -> None:
        await self.until(lambda: len(self.payloads) >= count)


@asynccontextmanager
async def running(link: Link) -> AsyncIterator[None]:
    """The link runs inside; it is cancelled at the end, and must not have ended by itself."""
    task = asyncio.create_task(link.run(), name=link.name)
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait((task,))
    assert task.cancelled(), task.exception()
