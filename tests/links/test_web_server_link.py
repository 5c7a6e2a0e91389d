"""GA/T 1400 over real HTTP: a scripted camera, and callers that take too much or too long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest

from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.gat1400.device import Device, Post
from device_drivers.gat1400.server import ViidServer
from gateway.links import web_server_link
from gateway.links.backoff import Backoff
from gateway.links.web_server_link import LARGEST_BODY, Limits, WebServerLink
from tests.links.recorder import Recorder, running

CAMERA = "34020000001190000001"
SERVICE = {"username": "estate", "password": "viid-2026"}


def a_link(told: Recorder, service: dict[str, str] = SERVICE, *, port: int = 0, **more: Any) -> WebServerLink:
    server = ViidServer([DeviceSettings(id="cam-face", kind="camera", device_id=CAMERA)], service)
    backoff = Backoff(first_s=0.02, longest_s=0.05)
    return WebServerLink("gat1400", ("127.0.0.1", port), server, ["cam-face"], told, backoff=backoff, **more)


class Camera:
    """A camera with a connection of its own."""

    def __init__(self, session: aiohttp.ClientSession, port: int, device: Device) -> None:
        self.session = session
        self.base = f"http://127.0.0.1:{port}"
        self.device = device

    async def post(self, post: Post) -> tuple[int, dict[str, Any], str]:
        """Status, ResponseStatusObject and challenge."""
        async with self.session.post(self.base + post.path, data=post.body, headers=dict(post.headers)) as answer:
            body = await answer.read()
            status = msgspec.json.decode(body)["ResponseStatusObject"] if body else {}
            return answer.status, status, answer.headers.get("WWW-Authenticate", "")


@asynccontextmanager
async def a_camera(link: WebServerLink, password: str = "viid-2026", device_id: str = CAMERA) -> AsyncIterator[Camera]:
    async with aiohttp.ClientSession() as session:
        yield Camera(session, link.port, Device(device_id, "estate", password))


def observed(told: Recorder) -> list[tuple[str, Any]]:
    return [
        (reading.observation.device, getattr(reading.observation, "online", getattr(reading.observation, "status", "")))
        for _, reading in told.readings
        if isinstance(reading, Reading)
    ]


def rejected(told: Recorder) -> list[str]:
    return [reading.reason for _, reading in told.readings if isinstance(reading, Reject)]


async def test_a_camera_registers_lives_and_goes() -> None:
    told = Recorder()
    link = a_link(told)
    async with running(link):
        await told.until_up()
        async with a_camera(link) as camera:
            assert (await camera.post(camera.device.keepalive()))[0] == 401  # so that it registers
            status, _, challenge = await camera.post(camera.device.register())
            assert (status, challenge[:20]) == (401, 'Digest realm="viid",')
            assert observed(told) == []
            status, said, _ = await camera.post(camera.device.register(challenge))
            assert (status, said["StatusCode"], said["Id"]) == (200, 0, CAMERA)
            assert (await camera.post(camera.device.keepalive()))[1]["StatusCode"] == 0
            assert (await camera.post(camera.device.unregister()))[0] == 401
            assert (await camera.post(camera.device.unregister(challenge)))[0] == 200
            assert (await camera.post(camera.device.keepalive()))[0] == 401
    assert observed(told) == [("cam-face", True), ("cam-face", "ok"), ("cam-face", False)]
    assert rejected(told) == []


async def test_no_answer_before_the_commit() -> None:
    told = Recorder()
    disk: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    told.safe = lambda: disk  # type: ignore[method-assign]
    link = a_link(told, {})
    async with running(link):
        await told.until_up()
        async with a_camera(link) as camera:
            asking = asyncio.create_task(camera.post(camera.device.keepalive()))
            await told.until(lambda: len(told.readings) == 1)
            await asyncio.sleep(0.05)
            assert not asking.done()
            disk.set_result(None)
            assert (await asking)[0] == 200


async def test_strangers_and_wrong_passwords_are_answered_and_quarantined_once() -> None:
    told = Recorder()
    link = a_link(told)
    async with running(link):
        await told.until_up()
        async with a_camera(link, device_id="34020000001190000666") as stranger:
            for _ in range(5):
                assert (await stranger.post(stranger.device.register()))[0] == 403
        async with a_camera(link, password="guess") as guesser:
            challenge = (await guesser.post(guesser.device.register()))[2]
            assert (await guesser.post(guesser.device.register(challenge)))[0] == 403
        async with a_camera(link) as other:
            other.device.username = "someone"
            challenge = (await other.post(other.device.register()))[2]
            assert (await other.post(other.device.register(challenge)))[0] == 403
    assert observed(told) == []
    assert len(rejected(told)) == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/VIID/Faces", b"{}", 404),
        ("GET", "/", b"", 404),
        ("GET", "/VIID/System/Keepalive", b"", 405),
        ("POST", "/VIID/System/Keepalive", b"{", 400),
        ("POST", "/VIID/System/Keepalive", b"[" * 50_000, 400),
        ("POST", "/VIID/System/Keepalive", b'{"RegisterObject":{"DeviceID":"%s"}}' % CAMERA.encode(), 400),
        ("POST", "/VIID/System/Keepalive", b" " * (LARGEST_BODY + 1), 413),
        ("POST", "/VIID/System/Keepalive", b"", 200),
        ("POST", "/viid/system/keepalive/", b'{"KeepaliveObject":{"DeviceID":"%s"}}' % CAMERA.encode(), 200),
    ],
)
async def test_other_requests_are_answered_sensibly(method: str, path: str, body: bytes, status: int) -> None:
    told = Recorder()
    link = a_link(told, {})
    async with running(link):
        await told.until_up()
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{link.port}{path}"
            async with session.request(method, url, data=body, headers={"User-Identify": CAMERA}) as answer:
                assert answer.status == status
    assert observed(told) == ([("cam-face", "ok")] if status == 200 else [])


async def test_a_caller_that_takes_too_long_is_cut_off_and_others_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server_link, "LOOK_EVERY_S", 0.05)
    told = Recorder()
    link = a_link(told, {}, limits=Limits(unfinished_s=0.3))
    head = b"POST /VIID/System/Keepalive HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n\r\n{"
    async with running(link):
        await told.until_up()
        connections = [await asyncio.open_connection("127.0.0.1", link.port) for _ in range(3)]
        connections[1][1].write(b"POST /VIID")
        connections[2][1].write(head)
        async with a_camera(link) as camera:
            assert (await camera.post(camera.device.keepalive()))[0] == 200
            ends = [await asyncio.wait_for(_rest(reader), 5) for reader, _ in connections]
            assert [each[:12] for each in ends] == [b"", b"", b"HTTP/1.1 408"]
            assert (await camera.post(camera.device.keepalive()))[0] == 200  # an idle connection may wait longer
        for _, writer in connections:
            writer.close()


async def test_connections_are_bounded() -> None:
    told = Recorder()
    link = a_link(told, {}, limits=Limits(each_host=2))
    async with running(link):
        await told.until_up()
        kept = [await asyncio.open_connection("127.0.0.1", link.port) for _ in range(2)]
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        assert await asyncio.wait_for(_rest(reader), 5) == b""
        for _, each in [*kept, (reader, writer)]:
            each.close()
        async with asyncio.timeout(5):
            while link.doors:  # noqa: ASYNC110  a bounded poll of what has no event
                await asyncio.sleep(0.01)
        assert not link.of_host


async def test_requests_wait_while_the_journal_has_enough() -> None:
    told = Recorder()
    link = a_link(told, {})
    async with running(link):
        await told.until_up()
        link.pause()
        async with a_camera(link) as camera:
            asking = asyncio.create_task(camera.post(camera.device.keepalive()))
            await asyncio.sleep(0.1)
            assert told.readings == []
            link.resume()
            assert (await asking)[0] == 200


async def test_a_taken_port_is_told_with_a_hint_and_opened_when_it_is_free() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        told = Recorder()
        link = a_link(told, port=other.getsockname()[1])
        async with running(link):
            await told.until_down()
            assert link.state.reason == "the port is taken"
            assert link.state.hint
            other.close()
            await told.until_up()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""
