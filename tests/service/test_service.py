"""The whole way, with real parts: from a device's bytes to the person who is told, the stored point and the live event."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import msgspec
import pytest

from device_drivers.observations import LightLevel, Panic, TagRead
from device_drivers.rdm6300.device import frame
from gateway.instants import MINUTE, SECOND
from gateway.runtime import Gateway
from gateway.service import Service, open_service
from gateway.site.model import (
    Alerting,
    AlertRule,
    Checkpoint,
    Contact,
    Device,
    Mqtt,
    Person,
    Place,
    RoundRule,
    Route,
    Site,
    Step,
    Storage,
    Visit,
)
from tests.outbox.influxd import Influxd
from tests.outbox.receiver import Receiver
from tests.support.mosquitto import Mosquitto

_native = {"driver": "native", "place": "gate", "sends_seq": True}


def site(**changes: object) -> Site:
    """A gate with a native reader and a serial one, a panic button, a light sensor."""
    known = Site(
        id="s",
        name="s",
        timezone="Asia/Shanghai",
        latitude=31.2,
        longitude=121.5,
        places={"gate": Place(id="gate", name="南门")},
        people={"g-wang": Person(id="g-wang", name="王强", roles=("guard",), tags=("007B3972",))},
        devices={
            "rdr": Device(id="rdr", kind="reader", expect_every=MINUTE, **_native),
            "btn": Device(id="btn", kind="sensor", **_native),
            "lux": Device(id="lux", kind="lux_sensor", **_native),
        },
        checkpoints={"cp": Checkpoint(id="cp", place="gate", reader="rdr")},
        mqtt=Mqtt(embedded=True, port=0),
    )
    return msgspec.structs.replace(known, **changes)


def everyone(port: int) -> Alerting:
    return Alerting(
        policies={"default": (Step(after=0, notify=("captain",)),)},
        contacts={"captain": Contact(id="captain", url=f"json://127.0.0.1:{port}/tell")},
        rules={"panic": AlertRule(policy="default")},
    )


@asynccontextmanager
async def running(site: Site, data: Path) -> AsyncIterator[Service]:
    """A gateway at work whose broker session is up."""
    async with Gateway(site, data) as gateway, open_service(site, data, gateway) as service:
        task = asyncio.create_task(service.run())
        try:
            async with asyncio.timeout(15):
                while not service.mqtt.state.up:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            yield service
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def device_client(service: Service) -> aiomqtt.Client:
    broker = service.broker
    return aiomqtt.Client(
        broker.host, broker.port, username=broker.username, password=broker.password, identifier="device"
    )


async def until(condition, seconds: float = 15) -> None:
    """Poll: what is waited for happens in another process or thread."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_panic_over_the_embedded_broker_reaches_the_captain_by_http(tmp_path: Path) -> None:
    async with Receiver() as captain, running(site(alerting=everyone(captain.port)), tmp_path) as service:
        async with device_client(service) as client:
            press = Panic(at=datetime.now(UTC), boot="b", seq=1)
            await client.publish("lamplighter/s/btn/up", msgspec.json.encode(press), qos=1)
            # acknowledged, so it is on disk
            assert len(await service.gateway.archive.observations(device="btn", limit=5)) == 1
        await until(lambda: captain.received)
        told = json.loads(captain.received[0].body)
        assert "btn" in told["message"]
        assert captain.received[0].headers["idempotency-key"] == told["key"]
        await until(lambda: service.gateway.deliveries["notices"].sent == 1)
        assert await service.gateway.query("SELECT ok FROM notice_attempt") == [(1,)]


@pytest.mark.mosquitto
@pytest.mark.parametrize("session", ["mqtt5", "paho"])
async def test_a_tap_over_mosquitto_is_stored_judged_told_live_and_confirmed(tmp_path: Path, session: str) -> None:
    now = datetime.now(UTC)
    local = now.astimezone(site().zone_info)
    with Mosquitto(tmp_path / "broker") as broker:
        walked = site(
            mqtt=Mqtt(embedded=False, host=broker.host, port=broker.port, session=session),
            routes={"r": Route(id="r", visits=(Visit(checkpoint="cp"),))},
            rounds=(
                RoundRule(
                    route="r",
                    days=frozenset(range(7)),
                    starts=(local.time().replace(microsecond=0),),
                    lasts=600 * SECOND,
                ),
            ),
        )
        async with running(walked, tmp_path / "data") as service, device_client(service) as client:
            await client.subscribe("lamplighter/s/rdr/down/ack", qos=1)
            live = service.gateway.events.subscribe(service.gateway.events.latest)
            tap = TagRead(at=datetime.now(UTC), tag="007B3972", boot="b", seq=1)
            await client.publish("lamplighter/s/rdr/up", msgspec.json.encode(tap), qos=1)
            kinds: dict[str, bytes] = {}
            async with asyncio.timeout(15):
                async for event in live:
                    kinds[event.kind] = event.data
                    if "tap" in kinds and "round" in kinds and json.loads(kinds["round"])["verdict"] == "completed":
                        break
                confirmed = await anext(aiter(client.messages))
            visit = json.loads(kinds["round"])["visits"][0]
            assert (visit["verdict"], visit["person"], visit["revision"]) == ("on_time", "g-wang", 1)
            assert json.loads(confirmed.payload) == {"boot": "b", "seq": 1}
            assert await service.gateway.query("SELECT verdict FROM visit_revision") == [("on_time",)]


async def test_a_card_at_a_serial_reader_arrives_through_pyserial(tmp_path: Path) -> None:
    near, far = pty.openpty()
    tty.setraw(near)
    tty.setraw(far)
    serial = Device(
        id="rdm",
        driver="rdm6300",
        kind="reader",
        place="gate",
        link={"serial": os.ttyname(far)},
        own_clock=False,
        transmits_only=True,
    )
    known = site()
    with_serial = msgspec.structs.replace(known, devices={**known.devices, "rdm": serial})
    try:
        async with running(with_serial, tmp_path) as service:
            await until(lambda: all(state.up for state in service.gateway.links()))
            bytes_of_a_card = frame("6F007B3972")
            for piece in (b"\x00noise", bytes_of_a_card[:5], bytes_of_a_card[5:]):
                os.write(near, piece)
            rows = []
            async with asyncio.timeout(15):
                while not rows:
                    rows = await service.gateway.archive.observations(device="rdm", kind="tag_read", limit=5)
                    await asyncio.sleep(0.02)
            assert json.loads(rows[0].body)["tag"] == "6F007B3972"
            assert [bytes(row.payload) for row in await service.gateway.archive.quarantine(limit=5)] == [b"\x00noise"]
    finally:
        os.close(near)
        os.close(far)


@pytest.mark.influxdb
async def test_a_light_level_reaches_a_real_influxdb_also_after_it_was_away(tmp_path: Path) -> None:
    (tmp_path / "influxd").mkdir()
    with Influxd(tmp_path / "influxd") as influxd:
        influxd.stop()
        async with running(site(storage=Storage(influx=influxd.influx)), tmp_path / "data") as service:
            async with device_client(service) as client:
                for n in range(1, 21):
                    level = LightLevel(at=datetime.now(UTC), lux=float(n), boot="b", seq=n)
                    await client.publish("lamplighter/s/lux/up", msgspec.json.encode(level), qos=1)
            await until(lambda: service.gateway.deliveries["telemetry"].problem)
            assert any("telemetry" in problem for problem in service.gateway.health().problems)
            influxd.start()
            await until(lambda: service.gateway.deliveries["telemetry"].written >= 20, 60)
            assert service.gateway.deliveries["telemetry"].problem is None
        found = influxd.query(
            'from(bucket: "night") |> range(start: -1h) |> filter(fn: (r) => r._field == "lux") |> count()'
        )
        assert sum(int(row["_value"]) for row in found) == 20
