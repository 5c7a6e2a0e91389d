"""The simulated devices as tasks of their own: each publishes to a real broker or writes to a real serial line."""

from __future__ import annotations

import asyncio
import logging
import os
import pty
import tty
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import aiomqtt

from device_drivers.simulation.world import Said, World

_QUEUE = 1000
_PATIENCE_S = 5.0
"""How long a broker may take to answer."""

_client_log = logging.getLogger(f"{__name__}.client")
_client_log.setLevel(logging.CRITICAL)
"""To aiomqtt an answer for which nobody waits any more (somebody was stopped, the broker was slow) is an error with its traceback."""


class SerialLine:
    """A pseudo-terminal: the gateway opens `path`, the simulated reader writes to the other end."""

    def __init__(self) -> None:
        self._near, self._far = pty.openpty()
        tty.setraw(self._near)
        tty.setraw(self._far)
        self.path = os.ttyname(self._far)

    def write(self, data: bytes) -> None:
        """Send bytes down the line."""
        os.write(self._near, data)

    def close(self) -> None:
        """Unplug it."""
        for end in (self._near, self._far):
            with suppress(OSError):
                os.close(end)


class Broker:
    """Where the simulated devices publish."""

    def __init__(self, host: str, port: int, username: str | None = None, password: str | None = None) -> None:
        self.host = host
        self.port = port
        self.username = username
        self.password = password

    @asynccontextmanager
    async def session(self, name: str) -> AsyncIterator[aiomqtt.Client]:
        """The persistent session of one simulated device or hub, for `async with`.

        A client that is cancelled while it connects leaves a socket behind that the event loop reads for good, and one
        that cannot take its leave would raise that instead of the cancellation: it is let connect first, then closed.

        Raises:
            aiomqtt.MqttError: the broker does not take us.
        """
        client = aiomqtt.Client(
            self.host,
            self.port,
            identifier=f"simulated-{name}",
            username=self.username,
            password=self.password,
            clean_session=False,
            timeout=_PATIENCE_S,
            logger=_client_log,
        )
        connecting = asyncio.create_task(client.__aenter__(), name=f"simulated {name} connects")
        try:
            await asyncio.shield(connecting)
            yield client
        finally:
            with suppress(aiomqtt.MqttError):
                await connecting
                await client.__aexit__(None, None, None)


async def speak(
    world: World,
    broker: Broker,
    lines: Mapping[str, SerialLine],
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Let the estate live in real time until cancelled: one task a device that speaks.

    Args:
        world: the estate; its time is the clock's from now on.
        broker: where MQTT devices publish.
        lines: the serial line of each serial reader.
        clock: the time now.
    """
    queues: dict[str, asyncio.Queue[Said]] = {}
    async with asyncio.TaskGroup() as group:
        for said in world.run(clock()):
            if said.retained:
                _queue(group, queues, world, broker, said.device).put_nowait(said)
        while True:
            for said in world.run(clock()):
                if said.topic is None:
                    if (line := lines.get(said.device)) is not None:
                        line.write(said.payload)
                    continue
                await _queue(group, queues, world, broker, said.device).put(said)
            upcoming = world.next()
            wait = 1.0 if upcoming is None else (upcoming - clock()).total_seconds()
            await asyncio.sleep(min(max(wait, 0.005), 1.0))


def _queue(
    group: asyncio.TaskGroup, queues: dict[str, asyncio.Queue[Said]], world: World, broker: Broker, device: str
) -> asyncio.Queue[Said]:
    if device not in queues:
        queues[device] = asyncio.Queue(_QUEUE)
        group.create_task(_device(world, broker, device, queues[device]), name=f"simulated {device}")
    return queues[device]


async def _device(world: World, broker: Broker, device: str, queue: asyncio.Queue[Said]) -> None:
    """One device: publishes what it says; a native one forgets only what was acknowledged, and sends the rest again.

    A cancellation can be lost: a task group raises only the error of a connection that breaks in that moment, and in Python 3.11
    `asyncio.wait_for`, with which aiomqtt waits for an acknowledgement, forgets it if that comes in that moment. It is asked for.
    """
    waiting: Said | None = None
    stopped = asyncio.current_task().cancelling  # type: ignore[union-attr]
    while not stopped():
        try:
            async with broker.session(device) as client:
                recorder = world.recorders.get(device)
                if recorder is not None:
                    await client.subscribe(recorder.acknowledgement_topic, qos=1)
                    for payload in recorder.held():
                        await client.publish(recorder.topic, payload, qos=1)
                async with asyncio.TaskGroup() as group:
                    listening = group.create_task(_listen(world, client, device), name=f"acknowledgements of {device}")
                    while not listening.done() and not stopped():
                        waiting = waiting or await queue.get()
                        await client.publish(waiting.topic or "", waiting.payload, qos=1, retain=waiting.retained)
                        waiting = None
                    listening.cancel()
        except* aiomqtt.MqttError:
            if not stopped():
                await asyncio.sleep(1.0)


async def _listen(world: World, client: aiomqtt.Client, device: str) -> None:
    async for message in client.messages:
        if device in world.recorders and isinstance(message.payload, bytes):
            world.recorders[device].acknowledge(message.payload)
