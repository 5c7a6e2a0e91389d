"""Hikvision, Dahua, ONVIF and MediaMTX through the web link, against a server that replays them with their quirks."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from device_drivers.catalogue import DRIVERS
from device_drivers.dahua import device as dahua
from device_drivers.driver import DeviceSettings, Reading, Reject
from device_drivers.hikvision import device as hikvision
from device_drivers.mediamtx.device import metrics
from device_drivers.observations import (
    CameraHeartbeat,
    Motion,
    Observation,
    Reachable,
    VideoState,
)
from device_drivers.onvif import device as onvif
from gateway.links.backoff import Backoff
from gateway.links.web_client import WebClient
from gateway.links.web_link import WebLink
from tests.links.recorder import Recorder, running
from tests.links.scripted_camera import Handler, ScriptedCamera, page, serving

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) + b"\r\n--not\r\n\xff\xd9"
ALERTS = "/ISAPI/Event/notification/alertStream"


@asynccontextmanager
async def watched(
    driver: str, url: str, *, kind: str = "camera", password: str = "geheim", settings: dict[str, Any] | None = None
) -> AsyncIterator[tuple[WebLink, Recorder]]:
    """The driver watches the device behind `url`."""
    make = DRIVERS[driver].web_poller
    assert make is not None
    link = {"http": url, "user": "watch", "password": password}
    entry = DeviceSettings(id="cam", kind=kind, link=link, settings=settings or {})
    told, client = Recorder(), WebClient()
    web_link = WebLink(
        "cam", make(entry), client, told, backoff=Backoff(first_s=0.05, longest_s=0.1), chance=lambda: 0.0
    )
    try:
        async with running(web_link):
            yield web_link, told
    finally:
        await client.close()


def heard(told: Recorder) -> list[Observation]:
    return [item.observation for _, item in told.readings if isinstance(item, Reading)]


def rejects(told: Recorder) -> list[str]:
    return [item.reason for _, item in told.readings if isinstance(item, Reject)]


async def until_heard(told: Recorder, kind: type, **fields: object) -> None:
    """Wait until an observation of that kind with these fields was handed over."""
    await told.until(
        lambda: any(
            isinstance(each, kind) and all(getattr(each, name) == value for name, value in fields.items())
            for each in heard(told)
        )
    )


def stream(pieces: Sequence[bytes], *, then: str = "hold") -> Handler:
    """Sends the pieces one by one, then holds the connection, ends the answer, or aborts it."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "multipart/mixed; boundary=--boundary"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0.002)
        if then == "hold":
            await asyncio.sleep(60)
        elif then == "abort":
            assert request.transport is not None
            request.transport.abort()
        return response

    return answer


def chopped(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


# -- Hikvision


async def test_a_hikvision_stream_with_all_its_quirks() -> None:
    data = b"".join(
        [
            hikvision.part(hikvision.heartbeat()),
            hikvision.part(hikvision.alert("VMD", True), length=1),
            hikvision.part(JPEG, kind="image/jpeg", length=5),
            hikvision.part(hikvision.alert("videoloss", True, channel=1, namespace=None, time="2026-11-23T22:00")),
            hikvision.part(hikvision.alert("shelteralarm", True).replace(b"</macAddress>", b" & co")),
            hikvision.part(b"<!DOCTYPE a [<!ENTITY b 'c'>]><EventNotificationAlert>&b;</EventNotificationAlert>"),
            hikvision.part(hikvision.alert("videoloss", False, channel=1, posts=0)),
        ]
    )
    async with (
        serving(ScriptedCamera({ALERTS: stream(chopped(data, 37))}, password="geheim")) as camera,
        watched("hikvision", camera.url) as (link, told),
    ):
        await until_heard(told, VideoState, state="loss", active=False)
        assert link.state.up
    kinds = [(type(each), getattr(each, "state", None)) for each in heard(told)]
    assert kinds == [
        (CameraHeartbeat, None),
        (Motion, None),
        (VideoState, "loss"),
        (VideoState, "blind"),
        (CameraHeartbeat, None),
        (VideoState, "loss"),
    ]
    assert len(rejects(told)) == 1
    assert "document type" in rejects(told)[0]


async def test_a_hikvision_stream_that_breaks_is_taken_up_again() -> None:
    beat = hikvision.part(hikvision.heartbeat())
    half = hikvision.part(hikvision.alert("videoloss", True))[:-100]
    async with (
        serving(ScriptedCamera({ALERTS: stream([beat, half], then="abort")}, password="geheim")) as camera,
        watched("hikvision", camera.url) as (_, told),
    ):
        await told.until(lambda: sum(isinstance(each, CameraHeartbeat) for each in heard(told)) >= 3)
    # Between two streams it is asked whether it is there: the page is missing, but the service lives.
    assert any(each == Reachable(device="cam", at=each.at, ok=True, level="service") for each in heard(told))
    assert not any(isinstance(each, VideoState) for each in heard(told))
    assert rejects(told)


async def test_a_hikvision_device_with_another_password_lives_and_is_not_locked() -> None:
    async with (
        serving(ScriptedCamera({ALERTS: stream([])}, password="geheim")) as camera,
        watched("hikvision", camera.url, password="falsch") as (link, told),
    ):
        await told.until(lambda: len(heard(told)) >= 5)
        assert "refused" in link.state.reason
    assert all(each == Reachable(device="cam", at=each.at, ok=True, level="service") for each in heard(told))
    assert camera.logins == ["wrong"]


async def test_old_hikvision_firmware_is_found_by_its_other_path() -> None:
    old = "/Event/notification/alertStream"
    pages = {old: stream([hikvision.part(hikvision.heartbeat())])}
    async with (
        serving(ScriptedCamera(pages, password="geheim")) as camera,
        watched("hikvision", camera.url) as (_, told),
    ):
        await until_heard(told, CameraHeartbeat)
    assert [path for path, login in camera.seen if login == "right"] == [ALERTS, old]


async def test_a_hikvision_that_never_speaks_is_asked_whether_it_lives() -> None:
    make = DRIVERS["hikvision"].web_poller
    assert make is not None
    async with serving(ScriptedCamera({ALERTS: stream([b"\r\n"])})) as camera:
        poller = make(DeviceSettings(id="cam", link={"http": camera.url}, settings={"idle_s": 10}))
        poller._idle_s = 0.2  # type: ignore[attr-defined]  ten seconds are too long for a test
        told, client = Recorder(), WebClient()
        link = WebLink("cam", poller, client, told, backoff=Backoff(first_s=0.05, longest_s=0.1), chance=lambda: 0.0)
        try:
            async with running(link):
                await told.until(lambda: len(heard(told)) >= 2)
        finally:
            await client.close()
    assert {type(each) for each in heard(told)} == {Reachable}
    assert ("/ISAPI/System/status", "none") in camera.seen


async def test_a_device_that_is_off_is_unreachable_and_no_link_that_is_down() -> None:
    async with serving(ScriptedCamera({})) as camera:
        url = camera.url
    async with watched("hikvision", url) as (link, told):
        await told.until(lambda: len(heard(told)) >= 2)
        assert not link.state.up
        assert not link.state.counts
    # The host is there (loopback), its service is not.
    assert {(each.ok, each.level) for each in heard(told) if isinstance(each, Reachable)} == {(True, "network")}
    assert set(told.devices) == {()}


# -- Dahua


async def test_a_dahua_stream_with_all_its_quirks() -> None:
    data = (
        dahua.part(dahua.HEARTBEAT)
        + dahua.part(dahua.event("CrossLineDetection", "Start", 0, '{\n "Name" : "a;b=}{",\n "Id" : [ 1 ]\n}'))
        + dahua.part(dahua.event("VideoLoss", "Start", 4))
        + b"--myboundary\r\nContent-Type: text/plain\r\n\r\nsome random text\r\n"
        + dahua.part(dahua.event("VideoLoss", "Stop", 4))
    )
    events = stream(chopped(data, 23))

    async def manager(request: web.Request) -> web.StreamResponse:
        if request.query["action"] == "attach":
            return await events(request)
        return web.Response(
            text="channels[0]=0\r\n" if request.query["code"] == "VideoBlind" else "Error: No Events\r\n"
        )

    async with (
        serving(ScriptedCamera({"/cgi-bin/eventManager.cgi": manager}, password="geheim")) as camera,
        watched("dahua", camera.url) as (_, told),
    ):
        await until_heard(told, VideoState, state="loss", active=False, channel=5)
    assert [(type(each), getattr(each, "state", None)) for each in heard(told)] == [
        (VideoState, "loss"),  # asked for before the stream
        (VideoState, "blind"),
        (CameraHeartbeat, None),
        (Motion, None),
        (VideoState, "loss"),
        (VideoState, "loss"),
    ]
    assert rejects(told) == ["neither Heartbeat nor Code=…"]
    assert camera.seen[-1] == ("/cgi-bin/eventManager.cgi?action=attach&codes=[All]&heartbeat=5", "right")


# -- ONVIF


class OnvifCamera:
    """The SOAP side of a camera whose clock is two hours ahead; it wants a token in that time for all but the clock."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pulls = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode()
        names = ("GetSystemDateAndTime", "GetCapabilities", "CreatePullPointSubscription", "PullMessages", "Renew")
        name = next(name for name in names if name in body)
        self.asked.append(name)
        now = dt.datetime.now(dt.UTC) + dt.timedelta(hours=2)
        if name == "GetSystemDateAndTime":
            return web.Response(body=onvif.clock(now))
        if (
            f"<u:Created>{now:%Y-%m-%dT%H}" not in body
            and f"<u:Created>{now - dt.timedelta(minutes=1):%Y-%m-%dT%H}" not in body
        ):
            return web.Response(status=400, body=onvif.fault("NotAuthorized"))
        match name:
            case "GetCapabilities":
                answer = onvif.capabilities("http://192.168.1.64/onvif/events")
            case "CreatePullPointSubscription":
                answer = onvif.subscription("http://192.168.1.64/onvif/sub/1")
            case _:
                answer = self.pull()
        if self.pulls > 1:
            await asyncio.sleep(60)
        return web.Response(body=answer)

    def pull(self) -> bytes:
        self.pulls += 1
        source = {"VideoSourceConfigurationToken": "v"}
        return onvif.messages(
            [
                onvif.Notification("tns1:VideoSource/SignalLoss", source, {"State": "true"}, "Initialized"),
                onvif.Notification(
                    "tns1:RuleEngine/CellMotionDetector/Motion", source, {"IsMotion": "true"}, "Initialized"
                ),
                onvif.Notification("tns1:RuleEngine/CellMotionDetector/Motion", source, {"IsMotion": "true"}),
            ]
        )


async def test_an_onvif_camera_with_a_wrong_clock_is_listened_to() -> None:
    soap = OnvifCamera()
    pages: dict[str, Handler] = dict.fromkeys(("/onvif/device_service", "/onvif/events", "/onvif/sub/1"), soap)
    async with serving(ScriptedCamera(pages)) as camera, watched("onvif", camera.url) as (link, told):
        await until_heard(told, Motion, active=True)
        assert link.state.up
    assert soap.asked[:4] == ["GetSystemDateAndTime", "GetCapabilities", "CreatePullPointSubscription", "PullMessages"]
    assert [type(each).__name__ for each in heard(told)] == ["Reachable", "Measurement", "VideoState", "Motion"]
    assert rejects(told) == []


# -- MediaMTX


async def test_mediamtx_is_asked_again_and_again() -> None:
    async with (
        serving(ScriptedCamera({"/metrics": page(metrics({"a": (True, 5), "b": (False, 0)}).decode())})) as camera,
        watched("mediamtx", camera.url, kind="nvr", settings={"every_s": 5}) as (_, told),
    ):
        await until_heard(told, VideoState, channel="b", state="loss", active=True)
    assert [type(each) for each in heard(told)] == [Reachable, VideoState, VideoState]


# -- many


@pytest.mark.slow
async def test_a_thousand_streams_are_held_by_one_process() -> None:
    """Each camera says its heartbeat each second for some seconds; every one is heard, none is dropped."""
    make = DRIVERS["hikvision"].web_poller
    assert make is not None
    gate = asyncio.Event()
    beat = hikvision.part(hikvision.heartbeat())

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "multipart/mixed; boundary=boundary"})
        await response.prepare(request)
        while not gate.is_set():
            await response.write(beat)
            await asyncio.sleep(1)
        return response

    told, client = Recorder(), WebClient(1000)
    async with serving(ScriptedCamera({ALERTS: answer})) as camera:
        links = [
            WebLink(name, make(DeviceSettings(id=name, link={"http": camera.url})), client, told)
            for name in (f"cam-{number}" for number in range(1000))
        ]
        tasks = [asyncio.create_task(link.run()) for link in links]
        try:
            async with asyncio.timeout(60):
                while len({source for source, _ in told.readings}) < 1000:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            await asyncio.sleep(3)
            assert all(link.state.up for link in links)
        finally:
            gate.set()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await client.close()
    assert not rejects(told)
