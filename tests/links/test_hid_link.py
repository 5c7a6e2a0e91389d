"""A reader that types. There is no `uinput` here: a named pipe stands for the input device, with real event bytes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device_drivers.driver import Reading, Reject
from device_drivers.hid_wedge.decoder import HidWedgeDecoder
from device_drivers.hid_wedge.device import typed
from device_drivers.observations import TagRead
from gateway.links import serial_link
from gateway.links.backoff import Backoff
from gateway.links.hid_link import HidLink
from gateway.site.model import Device
from tests.links.recorder import Recorder, running

CARD = typed("0008075634", 1_763_906_400_000_000)


class Pipe:
    """A device at `path` that can be pulled and plugged in again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "usb-0:2:1.0-event-kbd"
        self._writer = -1

    def plug(self) -> None:
        os.mkfifo(self.path)
        self._writer = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    def pull(self) -> None:
        self.path.unlink(missing_ok=True)
        if self._writer >= 0:
            os.close(self._writer)
        self._writer = -1

    def write(self, data: bytes) -> None:
        os.write(self._writer, data)


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    monkeypatch.setattr(serial_link, "LOOK_EVERY_S", 0.05)
    pipe = Pipe(tmp_path)
    yield pipe
    pipe.pull()


def a_link(path: Path, told: Recorder, take: Callable[[int], None] = lambda _: None) -> HidLink:
    device = Device(id="rdr", driver="hid_wedge", kind="reader", link={"input": str(path)})
    return HidLink(device, told, backoff=Backoff(first_s=0.02, longest_s=0.05), take=take)


async def test_events_arrive_and_the_device_is_taken_for_us_alone(pipe: Pipe) -> None:
    pipe.plug()
    told, taken = Recorder(), []
    async with running(a_link(pipe.path, told, taken.append)):
        await told.until_up()
        pipe.write(CARD)
        await told.until_bytes(len(CARD))
    assert told.stream == CARD
    assert len(taken) == 1


async def test_a_reader_may_be_pulled_and_plugged_in_again(pipe: Pipe) -> None:
    told = Recorder()
    taken: list[int] = []
    async with running(a_link(pipe.path, told, taken.append)):
        await told.until_down()
        assert "no such input device" in told.states[-1].reason
        for turn in (1, 2):
            pipe.plug()
            await told.until_up()
            pipe.write(CARD)
            await told.until_bytes(turn * len(CARD))
            pipe.pull()
            await told.until_down()
    assert len(taken) == 2


async def test_what_is_no_input_device_is_refused_and_said(pipe: Pipe) -> None:
    pipe.plug()
    told = Recorder()
    device = Device(id="rdr", driver="hid_wedge", kind="reader", link={"input": str(pipe.path)})
    async with running(HidLink(device, told)):  # as in the gateway: it must be grabbed
        await told.until_down()
    assert told.states[-1].reason == "not an input device"
    assert not told.data


async def test_a_reader_that_another_program_has_grabbed_is_not_heard(pipe: Pipe) -> None:
    def taken(_: int) -> None:
        raise OSError(16, "Device or resource busy")

    pipe.plug()
    told = Recorder()
    async with running(a_link(pipe.path, told, taken)):
        await told.until_down()
    assert "another program" in told.states[-1].reason


async def test_nothing_is_delivered_while_paused(pipe: Pipe) -> None:
    pipe.plug()
    told = Recorder()
    link = a_link(pipe.path, told)
    async with running(link):
        await told.until_up()
        link.pause()
        pipe.write(CARD)
        await asyncio.sleep(0.1)
        assert not told.data
        link.resume()
        await told.until_bytes(len(CARD))


async def test_a_card_without_enter_is_read_soon_though_nothing_follows(pipe: Pipe) -> None:
    pipe.plug()
    decoder = HidWedgeDecoder("rdr", number="hex", ends="pause")
    found: list[Reading | Reject] = []

    class Decoding(Recorder):
        def chunk(self, link: object, device: str, data: bytes, received: object) -> None:  # type: ignore[override]
            found.extend(decoder.feed(data, received))  # type: ignore[arg-type]
            super().chunk(link, device, data, received)  # type: ignore[arg-type]

    told = Decoding()
    async with running(a_link(pipe.path, told)):
        await told.until_up()
        pipe.write(typed("04A1B2C3", 1_763_906_400_000_000, enter=False))
        await told.until(lambda: bool(found), 3)
    assert [
        item.observation.tag for item in found if isinstance(item, Reading) and isinstance(item.observation, TagRead)
    ] == ["04A1B2C3"]
