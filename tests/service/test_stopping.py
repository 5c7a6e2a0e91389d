"""A gateway that is told to stop ends, whatever its tasks do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from api.commands.run import until_stopped
from gateway.runtime import Gateway
from gateway.site.load import load_site

DEMO = Path(__file__).parents[2] / "config" / "demo.yaml"


async def test_a_task_that_loses_its_cancellation_is_cancelled_again(tmp_path: Path) -> None:
    lost = 0

    async def loses_one() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if lost:
                    raise
                lost += 1

    async with Gateway(load_site(DEMO)[0], tmp_path) as gateway:
        running = asyncio.create_task(gateway.run([], {"library": loses_one}))
        await asyncio.sleep(0.1)
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=10)
        if not done:
            running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    assert lost == 1
    assert done, "it ended by itself"


async def test_told_while_it_still_starts_it_ends_in_order() -> None:
    ended = []

    async def starting() -> int:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(time.monotonic())
        return 1

    asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGTERM)
    assert await until_stopped(starting()) == 0
    assert len(ended) == 1


async def test_what_is_in_hand_gets_its_seconds_before_it_is_cancelled_again(tmp_path: Path) -> None:
    ended: list[str] = []

    async def has_work_in_hand() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(1.5)
            ended.append("in order")

    async with Gateway(load_site(DEMO)[0], tmp_path) as gateway:
        running = asyncio.create_task(gateway.run([], {"console": has_work_in_hand}))
        await asyncio.sleep(0.1)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    assert ended == ["in order"]


async def test_what_nobody_told_to_stop_and_was_cancelled_is_a_fault(capsys):
    async def leaking() -> int:
        raise asyncio.CancelledError

    assert await until_stopped(leaking()) == 1
    assert "cancelled from within" in capsys.readouterr().err
