"""A topic that nearly is a device's: said once, with the device that was meant, while that was never heard; bounded whatever arrives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import pytest

from device_drivers.catalogue import DRIVERS
from gateway import strays
from gateway.links.link import Envelope, MqttLink, Receiver, Token
from gateway.routing import Router
from gateway.runtime import Gateway
from gateway.service import Service, open_service
from gateway.site.model import Device, Mqtt, Place, Site
from gateway.strays import Names, Strays, awaited_topics

RDR = Device(id="rdr-gate", driver="native", kind="reader", place="gate")
LUX = Device(id="lux", driver="zigbee2mqtt", kind="lux_sensor", place="gate", link={"mqtt": "zigbee2mqtt/lux-garage"})
PIR = Device(id="pir", driver="zigbee2mqtt", kind="motion_sensor", place="gate", link={"mqtt": "zigbee2mqtt/pir"})
NVR = Device(id="nvr", driver="frigate", kind="nvr", link={"mqtt": "frigate"})
PLUG = Device(id="plug", driver="tasmota", kind="relay", link={"mqtt": "plug-1"})


def _site(*devices: Device) -> Site:
    return Site(
        id="riverside",
        name="s",
        timezone="Asia/Shanghai",
        latitude=31.2,
        longitude=121.5,
        places={"gate": Place(id="gate", name="南门")},
        devices={device.id: device for device in devices},
        mqtt=Mqtt(embedded=True, port=0),
    )


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strays, "FIRST_S", 0.0)
    monkeypatch.setattr(strays, "LOOK_S", 0.01)
    monkeypatch.setattr(strays, "REST_S", 0.05)


@pytest.mark.parametrize(
    ("arrives", "device"),
    [
        ("zigbee2mqtt/Lux-Garage", "lux"),
        ("Zigbee2MQTT/lux-garage", "lux"),
        ("zigbee2mqtt/lux_garage", "lux"),
        ("/zigbee2mqtt/lux-garage", "lux"),
        ("zigbee2mqtt/lux-garage/", "lux"),
        ("zigbee2mqtt／lux-garage", "lux"),
        ("zigbee2mqtt/lux-garage1", "lux"),
        ("zigbee2mqtt/lux－garage", "lux"),
        ("z2m/lux-garage", "lux"),
        ("lamplighter/riversid/rdr-gate/up", "rdr-gate"),
        ("lamplighter/another/rdr-gate/up", "rdr-gate"),
        ("lamplighter/riverside/rdr_gate/up", "rdr-gate"),
        ("Lamplighter/riverside/rdr-gate/up", "rdr-gate"),
        ("frigate2/available", "nvr"),
        ("Frigate/gate/status/detect", "nvr"),
    ],
)
def test_a_topic_that_nearly_is_a_devices_is_recognised(arrives: str, device: str) -> None:
    assert _nearest(arrives) == device


@pytest.mark.parametrize(
    "arrives",
    [
        "zigbee2mqtt/kitchen",
        "zigbee2mqtt/lux-garage/set",
        "zigbee2mqtt/bridge/state",
        "homeassistant/sensor/x/config",
        "lamplighter/riverside/rdr-gate/down/ack",
        "a",
        "",
        "/",
    ],
)
def test_other_peoples_topics_are_nobodys(arrives: str) -> None:
    assert _nearest(arrives) is None


def _nearest(arrives: str) -> str | None:
    site = _site(RDR, LUX, PIR, NVR, PLUG)
    awaited = awaited_topics(site, Router(site, DRIVERS))
    near = Names((device, topic) for device, topics in awaited.items() for topic in topics).nearest(arrives)
    return None if near is None else near.device


class _NoLink:
    """Stands for a connection: acknowledges nothing."""

    name = "mqtt://test"

    async def run(self) -> None:
        await asyncio.Event().wait()

    def acknowledge(self, tokens: object) -> None:
        pass


class _Ear:
    """`Strays` of a site, and what it told."""

    def __init__(self, site: Site) -> None:
        self.told: dict[str, str] = {}
        self.heard: set[str] = set()
        self.connections = 0
        self.ready = True
        self.router = Router(site, DRIVERS)
        self.strays = Strays(
            site,
            self.router,
            connect=self._connect,
            heard=self.heard.__contains__,
            ready=lambda: self.ready,
            tell=self._tell,
            safe=lambda: asyncio.sleep(0),
        )

    def _connect(self, receiver: Receiver) -> MqttLink:
        assert receiver is self.strays
        self.connections += 1
        return _NoLink()  # type: ignore[return-value]

    def _tell(self, name: str, text: str) -> None:
        self.told[name] = text
        if not text:
            del self.told[name]

    def arrive(self, *topics: str, payload: bytes = b"{}") -> None:
        now = datetime(2026, 11, 28, tzinfo=UTC)
        envelopes = [Envelope(topic, payload, now, False, Token(1, 0)) for topic in topics]
        self.strays.messages(_NoLink(), envelopes)  # type: ignore[arg-type]


@asynccontextmanager
async def _listening(site: Site) -> AsyncIterator[_Ear]:
    ear = _Ear(site)
    task = asyncio.create_task(ear.strays.run())
    try:
        while ear.connections == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        yield ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_near_name_is_said_once_and_taken_back_when_the_device_is_heard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        async with _listening(_site(LUX, PIR)) as ear:
            for _ in range(100):
                ear.arrive("zigbee2mqtt/Lux-Garage", "zigbee2mqtt/kitchen")
            [said] = ear.told.values()
            assert "zigbee2mqtt/Lux-Garage" in said
            assert "zigbee2mqtt/lux-garage" in said
            ear.heard.add("lux")
            await asyncio.sleep(0.05)
            assert ear.told == {}
    assert caplog.text.count("Lux-Garage") == 1


async def test_nobody_listens_once_all_were_heard() -> None:
    ear = _Ear(_site(LUX, RDR))
    ear.heard |= {"lux", "rdr-gate"}
    task = asyncio.create_task(ear.strays.run())
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert ear.connections == 0


async def test_it_rests_after_so_many_messages_and_listens_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strays, "MOST_MESSAGES", 10)
    async with _listening(_site(LUX)) as ear:
        ear.arrive(*["a/b"] * 11)
        await asyncio.sleep(0.02)
        assert ear.connections == 1
        await asyncio.sleep(0.2)
        assert ear.connections == 2


async def test_it_lets_the_session_alone_when_that_falls_while_it_listens() -> None:
    async with _listening(_site(LUX)) as ear:
        ear.ready = False
        await asyncio.sleep(0.03)
        ear.ready = True
        await asyncio.sleep(0.01)
        assert ear.connections == 1
        await asyncio.sleep(0.2)
        assert ear.connections == 2


async def test_what_is_remembered_and_told_is_bounded_whatever_arrives() -> None:
    async with _listening(_site(*(_lux(number) for number in range(500)))) as ear:
        ear.arrive(*(f"zigbee2mqtt/Lux-{number}" for number in range(500)))
        ear.arrive(*(f"zigbee2mqtt/strange-{number}" for number in range(20_000)), "x" * 60_000)
        assert len(ear.told) == 50
        assert len(ear.strays._seen) <= 5_000


async def test_a_name_that_looks_alike_is_told_before_others_that_only_stand_in_its_place() -> None:
    async with _listening(_site(LUX)) as ear:
        ear.arrive("zigbee2mqtt/a", "zigbee2mqtt/b", "zigbee2mqtt/c", "zigbee2mqtt/d", "zigbee2mqtt/LUX-garage")
        assert len(ear.told) == 3
        assert "topic zigbee2mqtt/LUX-garage" in ear.told


async def test_a_device_of_this_site_that_nobody_has_entered_is_said_once() -> None:
    async with _listening(_site(RDR)) as ear:
        for topic in ("lamplighter/riverside/wand-7/up", "lamplighter/riverside/rdr-gate/up") * 3:
            assert ear.router.reader(topic) is not None
        await asyncio.sleep(0.05)
        assert list(ear.told) == ["stranger wand-7"]
        assert "not in the site file" in ear.told["stranger wand-7"]


def test_strangers_are_bounded() -> None:
    router = Router(_site(RDR), DRIVERS)
    for number in range(200):
        router.reader(f"lamplighter/riverside/d{number}/up")
    assert len(router.strangers) == 50


def _lux(number: int) -> Device:
    return Device(
        id=f"lux-{number}", driver="zigbee2mqtt", kind="lux_sensor", link={"mqtt": f"zigbee2mqtt/lux-{number}"}
    )


async def test_at_a_real_broker_it_stands_among_the_gateways_problems(
    tmp_path: Path,
) -> None:
    site = _site(LUX, RDR)
    async with Gateway(site, tmp_path) as gateway, open_service(site, tmp_path, gateway) as service:
        task = asyncio.create_task(service.run())
        try:
            async with asyncio.timeout(20):
                while not await _problems(service):  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
            assert len(gateway.health().problems) == 2
            assert gateway.health().ready
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _problems(service: Service) -> bool:
    """Publishes under near names; whether the gateway has said both."""
    broker = service.broker
    async with aiomqtt.Client(broker.host, broker.port, username=broker.username, password=broker.password) as client:
        await client.publish("zigbee2mqtt/LUX-garage", b'{"illuminance": 3}', qos=1)
        await client.publish("lamplighter/riversid/rdr-gate/up", b"{}", qos=1)
    said = " ".join(service.gateway.health().problems)
    return "zigbee2mqtt/LUX-garage arrives" in said and "lamplighter/riverside/rdr-gate/up" in said
