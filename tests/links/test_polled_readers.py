"""Drivers of polled readers and wands over the link for lines, on real pseudo-terminals: the device's own bytes at the other end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, Reading
from device_drivers.fcard_wand.device import Wand
from device_drivers.gwiot.device import reader_answer
from device_drivers.gwiot.frame import MAY_SEND
from device_drivers.ibutton.device import Adapter
from device_drivers.observations import DeviceStatus, ReaderHeartbeat, SyncEnd, TagRead
from device_drivers.pn532.device import Chip
from gateway.links.backoff import Backoff
from gateway.links.line_link import LineLink
from tests.links.recorder import Recorder, running
from tests.links.test_line_link import until
from tests.links.test_serial import Line

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=ZONE)


@contextmanager
def answering(line: Line, answers: Callable[[bytes], bytes]) -> Iterator[list[bytes]]:
    """The other end of the line is a device; gives what it was asked."""
    asked: list[bytes] = []
    loop = asyncio.get_running_loop()

    def readable() -> None:
        data = os.read(line.master, 4096)
        asked.append(data)
        for octet in answers(data):  # cut as finely as a line may
            os.write(line.master, bytes([octet]))

    master = line.master
    loop.add_reader(master, readable)
    try:
        yield asked
    finally:
        loop.remove_reader(master)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path)
    line.plug()
    yield line
    line.pull()


def a_link(line: Line, told: Recorder, *entries: tuple[str, str, dict[str, Any]]) -> LineLink:
    pollers = []
    for driver, device, settings in entries:
        given = DeviceSettings(id=device, link={"serial": str(line.path), "baud": "115200"}, settings=settings)
        DRIVERS[driver].check(given)
        make = DRIVERS[driver].line_poller
        assert make is not None
        pollers.append((device, make(given)))
    link = {"baud": "115200"}
    return LineLink(str(line.path), link, pollers, told, backoff=Backoff(first_s=0.02, longest_s=0.05))


def tags(told: Recorder, device: str | None = None) -> list[str]:
    return [
        item.observation.tag
        for source, item in told.readings
        if isinstance(item, Reading) and isinstance(item.observation, TagRead) and device in (None, source)
    ]


def lives(told: Recorder) -> list[bool]:
    seen = [item.observation for _, item in told.readings if isinstance(item, Reading)]
    return [each.online for each in seen if isinstance(each, DeviceStatus)]


async def test_a_gwiot_reader_gives_each_presentation_once_and_is_never_told_to_write(line: Line) -> None:
    told, cards = Recorder(), dict[int, bytes]()
    with answering(line, lambda data: reader_answer(data, cards)) as asked:
        async with running(a_link(line, told, ("gwiot_7941w", "rdr", {"every_ms": 50, "gone_ms": 200}))):
            await told.until(lambda: lives(told) == [True])
            cards[0x10] = bytes.fromhex("6DE95C17")
            await told.until(lambda: len(tags(told)) == 1)
            await asyncio.sleep(0.3)
            cards.clear()
            await asyncio.sleep(0.4)
            cards[0x10] = bytes.fromhex("6DE95C17")
            await told.until(lambda: len(tags(told)) == 2)
    assert tags(told) == ["6DE95C17", "6DE95C17"]
    assert {data[3] for data in asked} <= MAY_SEND


async def test_a_reader_that_stops_answering_is_offline_and_comes_back(line: Line) -> None:
    told, power = Recorder(), [True]
    with answering(line, lambda data: reader_answer(data, {0x10: b"\1\2\3\4"}) if power[0] else b""):
        async with running(a_link(line, told, ("gwiot_7941w", "rdr", {"every_ms": 50, "timeout_ms": 20}))):
            await told.until(lambda: lives(told) == [True])
            power[0] = False
            await told.until(lambda: lives(told) == [True, False])
            power[0] = True
            await told.until(lambda: lives(told) == [True, False, True])
    assert told.is_up


async def test_two_readers_share_a_line_by_their_addresses(line: Line) -> None:
    told = Recorder()

    def both(data: bytes) -> bytes:
        return reader_answer(data, {0x10: b"\1\1\1\1"}, 1) + reader_answer(data, {0x15: b"\2\2\2\2\2"}, 2)

    with answering(line, both):
        entries = [("gwiot_7941w", f"rdr-{n}", {"every_ms": 50, "address": n}) for n in (1, 2)]
        async with running(a_link(line, told, *entries)):
            await told.until(lambda: len(tags(told)) == 2)
    assert (tags(told, "rdr-1"), tags(told, "rdr-2")) == (["01010101"], ["0202020202"])


async def test_a_pn532_is_woken_and_read_and_set_up_again_after_its_power_was_gone(line: Line) -> None:
    told, chip = Recorder(), Chip([bytes.fromhex("FB0EE20B")])
    with answering(line, chip.answers):
        async with running(a_link(line, told, ("pn532", "rdr", {"every_ms": 50, "timeout_ms": 100, "gone_ms": 100}))):
            await told.until(lambda: tags(told) == ["FB0EE20B"])
            chip.awake, chip.patient, chip.tags = False, True, []
            await until(lambda: chip.awake and not chip.patient)
            chip.tags = [bytes.fromhex("04DE5F1EACC040")]
            await told.until(lambda: tags(told)[-1] == "04DE5F1EACC040")
    assert chip.awake


async def test_an_ibutton_is_read_through_its_adapter(line: Line) -> None:
    told, adapter = Recorder(), Adapter()
    with answering(line, adapter.answers):
        async with running(a_link(line, told, ("ibutton", "rdr", {"every_ms": 50}))):
            await told.until(lambda: lives(told) == [True])
            adapter.rom = bytes.fromhex("016060CF030000A8")
            await told.until(lambda: bool(tags(told)))
    assert tags(told) == ["016060CF030000A8"]


def a_wand(taps: int, number: int = 7) -> Wand:
    wand = Wand(NOW, number=number)
    for tap in range(1, taps + 1):
        wand.tap(f"{number:02X}{tap:04X}", NOW - timedelta(hours=9) + timedelta(minutes=tap))
    return wand


async def test_a_wand_is_emptied_in_its_dock_and_its_pointer_moves_after_the_commit(line: Line) -> None:
    wand, committed = a_wand(130), list[int]()

    class Disk(Recorder):
        def safe(self) -> asyncio.Future[None]:
            assert wand.counters.read == 0  # nothing was moved while this waits for the disk
            committed.append(len(tags(self)))
            return super().safe()

    told = Disk()
    with answering(line, wand.answers):
        async with running(a_link(line, told, ("fcard_wand", "wand", {"timezone": "Asia/Shanghai"}))):
            await told.until(lambda: wand.counters.read == 130)
            await told.until(lambda: any(_is(item, SyncEnd) for _, item in told.readings))
    assert committed == [60, 120, 130]
    assert len(tags(told)) == 130
    assert any(_is(item, ReaderHeartbeat) for _, item in told.readings)


async def test_a_wand_with_its_guard_is_no_fault_and_is_emptied_when_it_comes_back(line: Line) -> None:
    wand, told = a_wand(3), Recorder()
    async with running(link := a_link(line, told, ("fcard_wand", "wand", {"timezone": "Asia/Shanghai"}))):
        with answering(line, wand.answers):
            await until(lambda: wand.counters.read == 3)
        line.pull()
        await until(lambda: not link.state.up)
        wand.tap("0A0B0C", NOW)
        line.plug()
        with answering(line, wand.answers):
            await told.until(lambda: len(tags(told)) == 4)
    assert [devices for devices in told.devices if devices] == []
    assert not link.state.counts


async def test_two_wands_share_a_dock_by_their_numbers(line: Line) -> None:
    told, docked = Recorder(), [a_wand(2, number=1)]
    settings = {"timezone": "Asia/Shanghai", "every_s": 5}
    entries = [("fcard_wand", f"wand-{n}", {**settings, "number": n}) for n in (1, 2)]
    async with running(a_link(line, told, *entries)):
        with answering(line, docked[0].answers):
            await until(lambda: docked[0].counters.read == 2)
        line.pull()
        docked[0] = a_wand(3, number=2)
        line.plug()
        with answering(line, docked[0].answers):
            await told.until(lambda: len(tags(told)) == 5)
    assert tags(told, "wand-1") == ["010001", "010002"]
    assert tags(told, "wand-2") == ["020001", "020002", "020003"]


def _is(item: object, kind: type) -> bool:
    return isinstance(item, Reading) and isinstance(item.observation, kind)
