"""A whole gateway with cameras that are asked over HTTP: from the stream to the camera's state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from device_drivers.hikvision.device import alert, heartbeat, part
from gateway.instants import MINUTE
from gateway.links.link import LinkState
from gateway.runtime import Gateway
from gateway.service import Service, open_service
from gateway.site.model import Device, Mqtt, Place, Site
from tests.links.scripted_camera import ScriptedCamera, serving

STREAM = "/ISAPI/Event/notification/alertStream"


def site(url: str) -> Site:
    """A recorder with one camera behind it, and a camera that is off."""
    return Site(
        id="s",
        name="s",
        timezone="Asia/Shanghai",
        latitude=31.2,
        longitude=121.5,
        places={"gate": Place(id="gate", name="gate")},
        devices={
            "nvr": Device(
                id="nvr",
                kind="nvr",
                driver="hikvision",
                expect_every=MINUTE,
                link={"http": url, "user": "watch", "password": "geheim"},
            ),
            "cam": Device(
                id="cam", kind="camera", driver="hikvision", place="gate", channel=2, behind="nvr", expect_every=MINUTE
            ),
            "off": Device(
                id="off", kind="camera", driver="onvif", place="gate", link={"http": "127.0.0.1:9"}, expect_every=MINUTE
            ),
        },
        mqtt=Mqtt(embedded=True, port=0),
    )


@asynccontextmanager
async def running(known: Site, data: Path) -> AsyncIterator[Service]:
    async with Gateway(known, data) as gateway, open_service(known, data, gateway) as service:
        task = asyncio.create_task(service.run())
        try:
            await until(lambda: service.mqtt.state.up)
            yield service
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool], seconds: float = 25) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_recorders_stream_reaches_its_camera_and_a_camera_that_is_off_leaves_the_gateway_ready(
    tmp_path: Path,
) -> None:
    lose = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "multipart/mixed; boundary=boundary"})
        await response.prepare(request)
        await response.write(part(heartbeat()) + part(alert("videoloss", False, channel=34, posts=0)))
        await lose.wait()
        await response.write(part(alert("videoloss", True, channel=34)))
        await asyncio.sleep(60)
        return response

    def state(service: Service) -> str:
        return next(each.state for each in service.gateway.judgement.engine.cameras.cameras() if each.id == "cam")

    def link(service: Service, device: str) -> LinkState:
        return next(each for each in service.gateway.links() if each.name.startswith(f"{device} "))

    async with (
        serving(ScriptedCamera({STREAM: stream}, password="geheim")) as camera,
        running(site(camera.url), tmp_path) as service,
    ):
        await until(lambda: state(service) == "ok")
        await until(lambda: link(service, "off").reason != "not connected yet")
        assert not link(service, "off").up
        assert link(service, "nvr").up
        assert not [each for each in service.gateway.links() if each.name.startswith("cam ")]  # a channel has none
        health = service.gateway.health()
        assert health.ready, health.problems
        assert not any("off" in problem for problem in health.problems)
        lose.set()
        await until(lambda: state(service) == "impaired")
        rows = await service.gateway.archive.observations(device="nvr", kind="video_state", limit=5)
        assert b'"channel":2' in rows[0].body
        kinds = {row.kind for row in await service.gateway.archive.observations(device="off", limit=50)}
        assert kinds == {"reachable"}
