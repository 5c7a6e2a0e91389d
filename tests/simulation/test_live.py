"""Simulated devices over a real broker: however they are stopped, they stop."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import pytest

from device_drivers.simulation.estate import Estate, Reader
from device_drivers.simulation.live import Broker, speak
from device_drivers.simulation.world import World
from tests.support.mosquitto import Mosquitto

ESTATE = Estate(site="s", readers=(Reader(id="r1"), Reader(id="r2", numbered=False)))


def lively() -> World:
    """Two readers that have something to say at once."""
    return World(ESTATE, datetime.now(UTC), pace=0.01)


@pytest.fixture
async def complaints() -> list[str]:
    """What the event loop had to complain of while the test ran."""
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context)))
    return told


async def test_stopped_while_they_connect_they_let_go_of_the_line(complaints: list[str]) -> None:
    came, gone = asyncio.Event(), asyncio.Event()

    async def mute(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await gone.wait()
        writer.close()

    async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        speaking = asyncio.create_task(speak(lively(), Broker("127.0.0.1", port), {}))
        await asyncio.wait_for(came.wait(), 5)
        speaking.cancel()
        await asyncio.sleep(0.1)
        gone.set()
        await asyncio.wait([speaking], timeout=5)
        assert speaking.cancelled()
        await asyncio.sleep(0.1)
    assert complaints == []


@pytest.mark.parametrize("moment", range(12))
async def test_stopped_as_the_broker_goes_they_do_not_wait_for_its_return(complaints: list[str], moment: int) -> None:
    taken, gone = asyncio.Semaphore(0), asyncio.Event()

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"\x20\x02\x00\x00")
        await reader.read(1000)
        taken.release()
        await gone.wait()
        writer.close()

    async with await asyncio.start_server(broker, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        speaking = asyncio.create_task(speak(lively(), Broker("127.0.0.1", port), {}))
        for _ in ESTATE.readers:
            await asyncio.wait_for(taken.acquire(), 5)
        gone.set()
        for _ in range(moment):
            await asyncio.sleep(0)
        speaking.cancel()
        await asyncio.wait([speaking], timeout=5)
        assert speaking.cancelled()
    assert complaints == []


@pytest.mark.parametrize("moment", range(12))
async def test_stopped_as_a_message_is_acknowledged_they_say_no_more(
    complaints: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, moment: int
) -> None:
    """In Python 3.11 `asyncio.wait_for`, with which aiomqtt waits for the acknowledgement, loses such a cancellation."""
    told = asyncio.Event()
    acknowledged = aiomqtt.Client._on_publish

    def and_tell(*words: object) -> None:
        acknowledged(*words)  # type: ignore[arg-type]
        told.set()

    monkeypatch.setattr(aiomqtt.Client, "_on_publish", and_tell)

    with Mosquitto(tmp_path, autosave=1_000_000) as broker:
        speaking = asyncio.create_task(speak(lively(), Broker(broker.host, broker.port), {}))
        async with asyncio.timeout(5):
            await told.wait()
        for _ in range(moment):
            await asyncio.sleep(0)
        speaking.cancel()
        await asyncio.wait([speaking], timeout=8)
        assert speaking.cancelled()
    assert complaints == []


async def test_an_answer_for_which_nobody_waits_any_more_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Mosquitto(tmp_path) as mosquitto:
        async with Broker("127.0.0.1", mosquitto.port).session("r1") as client:
            asking = asyncio.create_task(client.subscribe("s/#", qos=1))
            await asyncio.sleep(0)  # it is sent
            asking.cancel()
            await client.publish("s/1", b"", qos=1)  # its answer comes after the other one
    assert asking.cancelled()
    assert caplog.records == []
