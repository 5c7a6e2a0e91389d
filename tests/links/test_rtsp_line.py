"""RTSP cameras through the link for lines: each is a line of its own, over TCP on loopback."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.observations import Observation
from device_drivers.rtsp.device import described, options, unauthorized
from gateway.errors import LinkError
from gateway.links import line_link
from gateway.links.backoff import Backoff
from gateway.links.line_link import LineLink
from tests.links.recorder import Recorder, running

DIGEST = 'Digest realm="IP Camera(D1508)", nonce="{nonce}"'


class RtspCamera:
    """Args:
    hangs_up: the connection is closed after each answer.
    greets: it answers at all.
    """

    def __init__(self, *, hangs_up: bool = False, greets: bool = True) -> None:
        self.hangs_up = hangs_up
        self.greets = greets
        self.port = 0
        self.connections = 0
        self.open = 0
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while True:
                request = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.asked.append(request)
                if not self.greets:
                    continue
                for piece in self.answer(request):
                    writer.write(piece)
                    await writer.drain()
                if self.hangs_up:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.open -= 1
            writer.close()

    def answer(self, request: str) -> list[bytes]:
        sequence = int(request.split("CSeq: ")[1].split("\r\n", maxsplit=1)[0])
        if request.startswith("OPTIONS"):
            whole = options(sequence)
        elif "Authorization: Digest" in request:
            whole = described(sequence)
        else:
            whole = unauthorized(sequence, 'Basic realm="r"', DIGEST.format(nonce=f"n{sequence}"))
        return [whole[:30], whole[30:]]


@asynccontextmanager
async def watched(camera: RtspCamera, *, gone: bool = False) -> AsyncIterator[tuple[LineLink, Recorder]]:
    """The driver watches the camera; `gone`: nobody listens on its port any more."""
    server = await asyncio.start_server(camera.serve, "127.0.0.1", 0)
    camera.port = server.sockets[0].getsockname()[1]
    if gone:
        server.close()
        await server.wait_closed()
    make = DRIVERS["rtsp"].line_poller
    assert make is not None
    poller: Any = make(
        DeviceSettings(
            id="cam", link={"rtsp": f"rtsp://127.0.0.1:{camera.port}/1", "user": "watch", "password": "geheim"}
        )
    )
    poller.every_s = 0.05  # a minute is too long for a test
    told = Recorder()
    link = LineLink(poller.line, {}, [("cam", poller)], told, backoff=Backoff(first_s=0.05, longest_s=0.1))
    try:
        async with running(link):
            yield link, told
    finally:
        server.close()


def heard(told: Recorder) -> list[Observation]:
    return [item.observation for _, item in told.readings if isinstance(item, Reading)]


def levels(told: Recorder) -> set[tuple[bool, str]]:
    return {(each.ok, each.level) for each in heard(told)}  # type: ignore[union-attr]


async def test_a_camera_is_probed_with_one_connection_a_round() -> None:
    camera = RtspCamera()
    async with watched(camera) as (link, told):
        await told.until(lambda: len(heard(told)) >= 3)
        assert link.state.up
    assert levels(told) == {(True, "service")}
    assert [request.split()[0] for request in camera.asked[:3]] == ["OPTIONS", "DESCRIBE", "DESCRIBE"]
    assert 'username="watch"' in camera.asked[2]
    assert camera.connections >= 3
    assert camera.open <= 1
    assert not [item for _, item in told.readings if isinstance(item, Reject)]
    assert "geheim" not in "".join(camera.asked)


async def test_a_camera_that_hangs_up_after_each_answer_lives() -> None:
    camera = RtspCamera(hangs_up=True)
    async with watched(camera) as (_, told):
        await told.until(lambda: len(heard(told)) >= 4)
    assert (True, "service") in levels(told)
    assert all(each.ok for each in heard(told))  # type: ignore[union-attr]


async def test_a_camera_that_refuses_is_reachable_and_no_link_that_is_down() -> None:
    async with watched(RtspCamera(), gone=True) as (link, told):
        await told.until(lambda: len(heard(told)) >= 3)
        assert not link.state.up
        assert not link.state.counts
    assert levels(told) == {(True, "network")}
    assert set(told.devices) == {()}


@pytest.mark.parametrize(("number", "ours"), [(errno.EHOSTUNREACH, False), (errno.ENETUNREACH, True)])
async def test_what_no_connection_proves_depends_on_whose_fault_it_is(
    number: int, ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = line_link.open_soon
    broken = True

    async def opening(url: str, settings: dict[str, str]) -> Any:
        if broken:
            raise LinkError(url, "no way there") from OSError(number, "no way there")
        return await whole(url, settings)

    monkeypatch.setattr(line_link, "open_soon", opening)
    async with watched(RtspCamera()) as (link, told):
        await told.until(lambda: bool(told.states) and (ours or len(heard(told)) >= 2))
        broken = False
        await told.until(lambda: link.state.up and (True, "service") in levels(told))
    about = [state.up for state, devices in zip(told.states, told.devices, strict=True) if devices == ("cam",)]
    assert about == ([False, True] if ours else [])
    assert ((False, "network") in levels(told)) is not ours
