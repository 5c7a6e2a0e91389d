"""A signed tap the whole way: from a phone's URL over MQTT to the alert about its copy, over a restart of the gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt

from device_drivers.ntag424.device import encrypted_url
from gateway.runtime import Gateway
from gateway.service import Service, open_service
from gateway.site.model import Checkpoint, Device, Mqtt, Place, Site

META, FILE, UID = bytes(range(16)), bytes(range(1, 17)), bytes.fromhex("04112233445566")
TAG = UID.hex().upper()


def phone(name: str) -> Device:
    return Device(
        id=name,
        driver="ntag424",
        kind="phone",
        portable=True,
        own_clock=False,
        link={"mqtt": f"site/{name}/tap"},
        settings={"meta_key": META.hex(), "file_key": FILE.hex()},
    )


SITE = Site(
    id="s",
    name="s",
    timezone="Asia/Shanghai",
    latitude=31.2,
    longitude=121.5,
    places={"roof": Place(id="roof", name="天台")},
    devices={name: phone(name) for name in ("phone-1", "phone-2")},
    checkpoints={"cp-roof": Checkpoint(id="cp-roof", place="roof", tags=(TAG,))},
    mqtt=Mqtt(embedded=True, port=0),
)


@asynccontextmanager
async def running(data: Path) -> AsyncIterator[tuple[Service, aiomqtt.Client]]:
    async with Gateway(SITE, data) as gateway, open_service(SITE, data, gateway) as service:
        task = asyncio.create_task(service.run())
        try:
            async with asyncio.timeout(15):
                while not service.mqtt.state.up:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            broker = service.broker
            async with aiomqtt.Client(
                broker.host, broker.port, username=broker.username, password=broker.password, identifier="phones"
            ) as client:
                yield service, client
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def url(counter: int) -> str:
    return encrypted_url(UID, counter, meta_key=META, file_key=FILE)


async def reads(service: Service, device: str) -> list[tuple[str, int]]:
    rows = await service.gateway.archive.observations(device=device, kind="tag_read")
    return [(body["method"], body["counter"]) for row in rows for body in [json.loads(row.body)]]


async def test_a_copy_of_a_tap_is_told_though_the_gateway_restarted_between(tmp_path: Path) -> None:
    async with running(tmp_path) as (service, client):
        await client.publish("site/phone-1/tap", url(7), qos=1)
        assert await reads(service, "phone-1") == [("sun", 7)]  # acknowledged, so it is on disk
    async with running(tmp_path) as (service, client):
        await client.publish("site/phone-2/tap", url(7), qos=1)
        assert await reads(service, "phone-2") == [("sun", 7)]
        (alert,) = [each for each in await service.gateway.archive.alerts() if each["rule"] == "tag_cloned"]
        assert (alert["subject"], alert["state"], alert["severity"]) == ("cp-roof", "open", "major")
        assert "phone-2" in alert["message"]
        assert "phone-1" in alert["message"]
        await client.publish("site/phone-2/tap", url(8).replace("0", "1"), qos=1)
        assert len(await service.gateway.archive.quarantine()) == 1
        assert await reads(service, "phone-2") == [("sun", 7)]
