"""Run a worker for the length of a test, and wait for what it does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from gateway.outbox.telemetry import TelemetryWriter


@contextlib.asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """The coroutine as a task, cancelled at the end; an error of its own is raised."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def closed(writer: TelemetryWriter) -> AsyncIterator[None]:
    """Close a writer at the end."""
    try:
        yield
    finally:
        await writer.close()


async def until(condition: Callable[[], bool], longest_s: float = 10.0) -> None:
    """Wait until it holds; the parts under test have no event for it."""
    async with asyncio.timeout(longest_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
