"""Modbus pollers against a real pymodbus server: on a pseudo-terminal pair, by Modbus TCP, and through a converter.

The pollers are driven by the few lines of `Bare`, which do what a link promises for `Send`, and no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import serial
from pymodbus import FramerType

from device_drivers.catalogue import DRIVERS
from device_drivers.conversation import Answer, Give, LinePoller, Rest
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.observations import LampState, LightLevel, Power
from gateway.links.line_link import LineLink
from tests.links.recorder import Recorder, running
from tests.links.rs485 import DEAD, LUX, METER, REFUSING, RELAY, Line, a_line, serial_slaves, tcp_slaves


class Bare:
    """An open port with a poller's rounds on it."""

    def __init__(self, port: Any) -> None:
        self.port = port
        self._rest = b""

    async def round(self, poller: LinePoller) -> list[Reading | Reject]:
        found: list[Reading | Reject] = []
        conversation = poller.round()
        answer: Answer | None = None
        while True:
            try:
                step = conversation.send(answer)
            except StopIteration:
                return found
            answer = None
            match step:
                case Give():
                    found += step.found
                case Rest():
                    await asyncio.sleep(step.seconds)
                case _:
                    self.port.write(step.data)
                    answer = await self._answer(step.within_s, step.ends)

    async def _answer(self, within_s: float, ends: Any) -> Answer:
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        size = ends(self._rest)
        while not size and loop.time() < until:
            await asyncio.sleep(0.002)
            if more := self.port.read(4096):
                self._rest += more
                size = ends(self._rest)
        taken = size or len(self._rest)
        data, self._rest = self._rest[:taken], self._rest[taken:]
        return Answer(data, datetime.now(UTC), bool(size))


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Bare]:
    port = await asyncio.to_thread(serial.serial_for_url, url, timeout=0)
    try:
        yield Bare(port)
    finally:
        port.close()


def poller(driver: str, address: int, link: dict[str, str], **settings: Any) -> LinePoller:
    make = DRIVERS[driver].line_poller
    assert make is not None
    entry = DeviceSettings(id=driver, link=link, settings={"address": address, "timeout_ms": 200, **settings})
    DRIVERS[driver].check(entry)
    return make(entry)


def devices(link: dict[str, str]) -> list[LinePoller]:
    """Everybody on the line, the dead and the refusing between the others."""
    return [
        poller("modbus_lux", LUX, link, profile="cwt_sl"),
        poller("modbus_lux", DEAD, link, profile="cwt_sl"),
        poller("modbus_relay", RELAY, link, lamps={1: "lamp-a"}),
        poller("modbus_lux", REFUSING, link, profile="cwt_sl"),
        poller("modbus_eastron_sdm", METER, link),
    ]


def seen(found: list[Reading | Reject]) -> list[Any]:
    return [item.observation for item in found if isinstance(item, Reading)]


async def all_are_read(bare: Bare, link: dict[str, str]) -> None:
    lux, dead, relay, refusing, meter = [await bare.round(one) for one in devices(link)]
    (light,) = seen(lux)
    assert isinstance(light, LightLevel)
    assert light.lux == 46
    assert dead == []
    lamps = {item.lamp: item.on for item in seen(relay) if isinstance(item, LampState)}
    assert lamps == {"lamp-a": True} | {f"modbus_relay/{channel}": channel % 2 == 1 for channel in range(2, 9)}
    (reason,) = [item.reason for item in refusing if isinstance(item, Reject)]
    assert reason == "read of 1 from 6 by function 03: exception 2 (illegal address)"
    assert seen(refusing) == []
    now, total = [item for item in seen(meter) if isinstance(item, Power)]
    assert (now.volts, now.amps, now.watts, now.power_factor) == (230.2, 0.5, 110.5, 0.95)
    assert total.energy_wh == 12_500


@pytest.mark.parametrize("echo", [False, True], ids=["plain", "echoing"])
async def test_several_slaves_on_one_serial_line_are_read(tmp_path: Path, echo: bool) -> None:
    with a_line(tmp_path, echo=echo) as line:
        async with serial_slaves(line), opened(str(line.ours)) as bare:
            await all_are_read(bare, {"serial": str(line.ours)})


async def test_several_units_behind_one_tcp_gateway_are_read() -> None:
    async with tcp_slaves() as port, opened(f"socket://127.0.0.1:{port}") as bare:
        await all_are_read(bare, {"tcp": f"127.0.0.1:{port}"})


async def test_a_converter_that_passes_bytes_on_is_a_serial_line() -> None:
    async with tcp_slaves(FramerType.RTU) as port, opened(f"socket://127.0.0.1:{port}") as bare:
        await all_are_read(bare, {"serial": f"socket://127.0.0.1:{port}"})


def noise(data: bytes) -> bytes:
    return b"\x00\xfe\x55" + data


def damaged(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


@pytest.fixture
async def sensor(tmp_path: Path) -> AsyncIterator[tuple[Line, Bare, LinePoller]]:
    with a_line(tmp_path) as line:
        async with serial_slaves(line), opened(str(line.ours)) as bare:
            yield line, bare, poller("modbus_lux", LUX, {"serial": str(line.ours)}, profile="cwt_sl")


async def test_noise_in_front_does_not_hide_the_light(sensor: tuple[Line, Bare, LinePoller]) -> None:
    line, bare, lux = sensor
    line.spoil = noise
    assert [item.lux for item in seen(await bare.round(lux))] == [46]


async def test_a_damaged_answer_is_no_light_and_the_next_round_reads_again(
    sensor: tuple[Line, Bare, LinePoller],
) -> None:
    line, bare, lux = sensor
    line.spoil = damaged
    (told,) = await bare.round(lux)
    assert isinstance(told, Reject)
    assert "CRC" in told.reason
    assert await bare.round(lux) == []
    line.spoil = bytes
    assert [item.lux for item in seen(await bare.round(lux))] == [46]


async def test_nothing_is_ever_written_to_a_slave(sensor: tuple[Line, Bare, LinePoller]) -> None:
    line, bare, _ = sensor
    for one in devices({"serial": str(line.ours)}):
        await bare.round(one)
    assert line.heard
    requests = [line.heard[place : place + 8] for place in range(0, len(line.heard), 8)]
    assert {request[1] for request in requests} <= {1, 2, 3, 4}


async def linked(line: str, link: dict[str, str]) -> Recorder:
    """What the real link hands over of everybody on the line, until each that answers was read twice."""
    recorder = Recorder()
    pollers = devices(link)
    for one in pollers:
        one.every_s = 0.1
    names = ("lux", "dead", "relay", "refusing", "meter")
    wanted = {"lux", "relay", "meter"}

    def read_twice() -> bool:
        told = [source for source, found in recorder.readings if isinstance(found, Reading)]
        return all(told.count(name) >= 2 for name in wanted)

    async with running(LineLink(line, {"baud": "9600"}, list(zip(names, pollers, strict=True)), recorder)):
        await recorder.until(read_twice)
    return recorder


def check_linked(recorder: Recorder) -> None:
    said = {name: [] for name in ("lux", "dead", "relay", "refusing", "meter")}
    for source, found in recorder.readings:
        said[source].append(found)
    assert {item.lux for item in seen(said["lux"])} == {46}
    assert said["dead"] == []
    assert {item.on for item in seen(said["relay"]) if item.lamp == "lamp-a"} == {True}
    assert [item.reason for item in said["refusing"]] == [
        "read of 1 from 6 by function 03: exception 2 (illegal address)"
    ]
    assert {item.volts for item in seen(said["meter"]) if isinstance(item, Power)} >= {230.2}


async def test_the_line_link_reads_all_slaves_beside_a_dead_one(tmp_path: Path) -> None:
    with a_line(tmp_path) as line:
        async with serial_slaves(line):
            check_linked(await linked(str(line.ours), {"serial": str(line.ours)}))


async def test_the_line_link_reads_all_units_behind_a_tcp_gateway() -> None:
    async with tcp_slaves() as port:
        check_linked(await linked(f"socket://127.0.0.1:{port}", {"tcp": f"127.0.0.1:{port}"}))
