"""DALI gears over the link for lines: a simulated converter on a pseudo-terminal, and one behind TCP on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from device_drivers.catalogue import DRIVERS
from device_drivers.conversation import LinePoller
from device_drivers.dali.device import Converter, Gear
from device_drivers.dali.gear import LEVEL, STATUS, question
from device_drivers.dali.message import SEND, make_message, message_length, read_message
from device_drivers.driver import DeviceSettings, Reading
from device_drivers.observations import LampFault, LampState
from gateway.links.backoff import Backoff
from gateway.links.line_link import LineLink
from tests.links.recorder import Recorder, running
from tests.links.test_line_link import until
from tests.links.test_polled_readers import answering
from tests.links.test_serial import Line

LINK = {"baud": "19200", "parity": "E"}
SOON_S = 0.05


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path)
    line.plug()
    yield line
    line.pull()


def gears(line: str | Path, *addresses: int, **settings: Any) -> list[tuple[str, LinePoller]]:
    """An entry for each gear, asked without a long wait."""
    found = []
    for address in addresses:
        entry = DeviceSettings(
            id=f"lamp-{address}",
            link={"serial": str(line), **LINK},
            settings={"address": address, "timeout_ms": 200, **settings},
        )
        DRIVERS["dali"].check(entry)
        make = DRIVERS["dali"].line_poller
        assert make is not None
        poller = make(entry)
        poller.every_s = SOON_S
        found.append((entry.id, poller))
    return found


def a_link(line: str | Path, told: Recorder, pollers: list[tuple[str, LinePoller]]) -> LineLink:
    return LineLink(str(line), LINK, pollers, told, backoff=Backoff(first_s=0.02, longest_s=0.05))


def states(told: Recorder, device: str) -> list[tuple[bool | None, float | None]]:
    seen = [item.observation for source, item in told.readings if source == device and isinstance(item, Reading)]
    return [(each.on, each.level) for each in seen if isinstance(each, LampState)]


def faults(told: Recorder, device: str) -> list[tuple[str, bool]]:
    seen = [item.observation for source, item in told.readings if source == device and isinstance(item, Reading)]
    return [(each.fault, each.active) for each in seen if isinstance(each, LampFault)]


def frames(asked: list[bytes]) -> set[bytes]:
    """What was sent on the bus."""
    stream, found = b"".join(asked), set()
    while stream:
        size = message_length(stream, 0)
        assert size > 0
        data, stream = read_message(stream[:size]), stream[size:]
        assert data[0] == SEND
        found.add(data[3:5])
    return found


async def test_all_gears_of_a_bus_are_read_beside_silent_ones(line: Line) -> None:
    bus = Converter({0: Gear(on=True), 5: Gear(on=False, level=0, lamp_failure=True), 63: Gear(on=True, level=127)})
    told = Recorder()
    with answering(line, bus.answers) as asked:
        async with running(a_link(line.path, told, gears(line.path, 0, 4, 5, 63))):
            await told.until(lambda: all(len(states(told, f"lamp-{n}")) >= 3 for n in (0, 5, 63)))
    assert set(states(told, "lamp-0")) == {(True, 1.0)}
    assert set(states(told, "lamp-5")) == {(False, 0.0)}
    assert set(states(told, "lamp-63")) == {(True, 0.5)}
    assert faults(told, "lamp-5")[:3] == [
        ("control_gear_failure", False),
        ("lamp_failure", True),
        ("lamp_failure", True),
    ]
    assert faults(told, "lamp-0") == [("control_gear_failure", False), ("lamp_failure", False)]
    assert states(told, "lamp-4") == faults(told, "lamp-4") == []
    assert [item for _, item in told.readings if not isinstance(item, Reading)] == []
    assert frames(asked) == {question(n, query) for n in (0, 5, 63) for query in (STATUS, LEVEL)} | {
        question(4, STATUS)
    }
    assert told.is_up


async def test_another_master_on_the_bus_does_no_harm(line: Line) -> None:
    bus, told = Converter({0: Gear(on=True), 1: Gear(on=False, level=0)}), Recorder()
    others = [b"\xff\x05", b"\x03\x90", b"\x03\xa0", b"\x01\x00", b"\xa1\xe0\x02"]

    def busy(data: bytes) -> bytes:
        heard = b"".join(map(bus.other_master, others))
        return heard + bus.answers(data) + heard + make_message(b"\x05\x00")

    with answering(line, busy):
        async with running(a_link(line.path, told, gears(line.path, 0, 1))):
            await told.until(lambda: all(len(states(told, f"lamp-{n}")) >= 3 for n in (0, 1)))
    assert set(states(told, "lamp-0")) == {(True, 1.0)}
    assert set(states(told, "lamp-1")) == {(False, 0.0)}


async def test_a_gear_that_falls_silent_says_nothing_and_comes_back(line: Line) -> None:
    bus, told = Converter({7: Gear(on=True)}), Recorder()
    with answering(line, bus.answers) as asked:
        async with running(a_link(line.path, told, gears(line.path, 7))):
            await told.until(lambda: len(states(told, "lamp-7")) >= 2)
            del bus.gears[7]
            await until(
                lambda: len(asked) > 8 and b"0FA0" not in b"".join(asked[-4:])
            )  # its level is not asked for any more
            said, rounds = len(states(told, "lamp-7")), len(asked)
            await until(lambda: len(asked) > rounds + 3)
            assert len(states(told, "lamp-7")) == said
            bus.gears[7] = Gear(on=True, level=10)
            await told.until(lambda: states(told, "lamp-7")[-1] == (True, 10 / 254))
    assert (False, 0.0) not in states(told, "lamp-7")
    assert told.is_up


async def test_after_the_adapter_was_pulled_faults_that_ended_meanwhile_are_told_to_be_over(line: Line) -> None:
    bus, told = Converter({7: Gear(on=True, lamp_failure=True)}), Recorder()
    link = a_link(line.path, told, gears(line.path, 7))
    async with running(link):
        with answering(line, bus.answers):
            await told.until(lambda: ("lamp_failure", True) in faults(told, "lamp-7"))
        line.pull()
        await until(lambda: not link.state.up)
        bus.gears[7] = Gear(on=True)
        line.plug()
        with answering(line, bus.answers):
            await told.until(lambda: faults(told, "lamp-7")[-1] == ("lamp_failure", False))


class Served:
    """A DALInet: a converter that closes a connection on which nothing is said."""

    def __init__(self, bus: Converter, *, idle_s: float) -> None:
        self.bus = bus
        self.idle_s = idle_s
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while data := await asyncio.wait_for(reader.read(4096), self.idle_s):
                writer.write(self.bus.answers(data))
                await writer.drain()
        except (TimeoutError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def served(net: Served) -> AsyncIterator[str]:
    server = await asyncio.start_server(net.serve, "127.0.0.1", 0)
    try:
        yield f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


async def test_a_converter_with_ethernet_that_hangs_up_when_idle_is_no_line_that_is_down() -> None:
    net, told = Served(Converter({0: Gear(on=True), 1: Gear(on=False, level=0, failures=4)}), idle_s=0.1), Recorder()
    async with served(net) as url:
        pollers = [*gears(url, 0), *gears(url, 1, emergency=True)]
        for _, poller in pollers:
            poller.every_s = 0.3  # longer than it waits
        async with running(a_link(url, told, pollers)):
            await told.until(lambda: all(len(states(told, f"lamp-{n}")) >= 3 for n in (0, 1)))
    assert set(states(told, "lamp-0")) == {(True, 1.0)}
    assert ("emergency_battery", True) in faults(told, "lamp-1")
    assert [state.up for state in told.states] == [True]
    assert net.connections >= 6
