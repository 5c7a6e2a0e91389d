"""The broker inside the gateway: what a device was told is safe, the gateway has acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiomqtt
import pytest

from gateway.errors import LinkError
from gateway.links.embedded_broker import EmbeddedBroker
from gateway.links.link import Envelope, MqttLink
from gateway.links.mqtt import mqtt_link
from gateway.site.model import Mqtt
from tests.links.recorder import Recorder, running

TOPIC = "lamplighter/mingzhu/rdr-gate/up"
FILTER = "lamplighter/mingzhu/+/up"
USER, PASSWORD = "lamplighter", "tap-tap"
KEEPER = "lamplighter-mingzhu"
_PING = b"\xc0\x00"
_SOON_S = 8.0


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    async with EmbeddedBroker("127.0.0.1", 0, USER, PASSWORD, KEEPER) as broker:
        yield broker


def the_gateway(broker: EmbeddedBroker, told: Recorder) -> MqttLink:
    settings = Mqtt(host=broker.host, port=broker.port, username=USER, password=PASSWORD)
    return mqtt_link(settings, client_id=KEEPER, filters=[FILTER], receiver=told, devices=["mqtt"])


def a_device(broker: EmbeddedBroker, **how: object) -> aiomqtt.Client:
    options = {"username": USER, "password": PASSWORD, "timeout": 10} | how
    return aiomqtt.Client(broker.host, broker.port, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("qos", [1, 2])
async def test_a_device_gets_its_acknowledgement_when_the_gateway_has_given_its_own(
    broker: EmbeddedBroker, qos: int
) -> None:
    told = Recorder()
    async with running(link := the_gateway(broker, told)), a_device(broker) as device:
        await told.until_up()
        publishing = asyncio.create_task(device.publish(TOPIC, b"tap", qos=qos))
        await told.until_messages(1)
        await asyncio.sleep(0.2)
        assert not publishing.done()
        link.acknowledge(told.tokens)
        await publishing
    assert told.payloads == [b"tap"]


async def test_what_comes_before_the_gateway_listens_waits_for_it(broker: EmbeddedBroker) -> None:
    told = Recorder(acknowledging=True)
    async with a_device(broker) as device:
        publishing = asyncio.create_task(device.publish(TOPIC, b"early", qos=1))
        await asyncio.sleep(0.2)
        assert not publishing.done()
        async with running(the_gateway(broker, told)):
            await told.until_messages(1)
            await publishing
    assert told.payloads == [b"early"]


async def test_a_device_that_subscribes_in_a_session_of_its_own_is_not_taken_for_the_gateway(
    broker: EmbeddedBroker,
) -> None:
    told = Recorder(acknowledging=True)
    async with a_device(broker, identifier="device", clean_session=False) as device:
        await device.subscribe("lamplighter/mingzhu/rdr-gate/down/ack", qos=1)
        publishing = asyncio.create_task(device.publish(TOPIC, b"early", qos=1))
        await asyncio.sleep(0.2)
        assert not publishing.done()
        async with running(the_gateway(broker, told)):
            await told.until_messages(1)
            await publishing
    assert told.payloads == [b"early"]


async def test_what_the_gateway_did_not_acknowledge_comes_again_and_the_device_waits_for_it(
    broker: EmbeddedBroker,
) -> None:
    first, second = Recorder(), Recorder(acknowledging=True)
    async with a_device(broker) as device:
        async with running(the_gateway(broker, first)):
            await first.until_up()
            publishing = asyncio.create_task(device.publish(TOPIC, b"tap", qos=1))
            await first.until_messages(1)
        away = asyncio.create_task(device.publish(TOPIC, b"while away", qos=1))
        await asyncio.sleep(0.2)
        assert not publishing.done()
        assert not away.done()
        async with running(the_gateway(broker, second)):
            await asyncio.gather(publishing, away)
    assert second.payloads == [b"tap", b"while away"]
    assert [envelope.retained for envelope in second.all if isinstance(envelope, Envelope)] == [False, False]
    assert second.lost == []


async def test_many_devices_are_acknowledged_each_for_its_own(broker: EmbeddedBroker) -> None:
    told = Recorder(acknowledging=True)

    async def speak(name: str) -> None:
        async with a_device(broker) as device:
            for number in range(20):
                await device.publish(f"lamplighter/mingzhu/{name}/up", b"%d" % number, qos=1)

    async with running(the_gateway(broker, told)):
        await told.until_up()
        await asyncio.gather(*(speak(f"dev-{number}") for number in range(10)))
    assert len(told.payloads) == 200


async def test_stored_state_is_flagged_retained_and_a_live_message_is_not(broker: EmbeddedBroker) -> None:
    told = Recorder(acknowledging=True)
    async with a_device(broker) as device:
        storing = asyncio.create_task(device.publish(TOPIC, b"stored", qos=1, retain=True))
        await asyncio.sleep(0.2)
        async with running(the_gateway(broker, told)):
            await storing
            await told.until(lambda: b"stored" in told.payloads)
            await device.publish(TOPIC, b"live", qos=0)
            await told.until(lambda: b"live" in told.payloads)
    flags = {(envelope.payload, envelope.retained) for envelope in told.all if isinstance(envelope, Envelope)}
    assert (b"stored", True) in flags
    assert (b"live", False) in flags


async def test_what_the_gateway_sends_reaches_a_device(broker: EmbeddedBroker) -> None:
    told = Recorder(acknowledging=True)
    async with running(link := the_gateway(broker, told)), a_device(broker) as device:
        await told.until_up()
        await device.subscribe("lamplighter/mingzhu/rdr-gate/down/ack", qos=1)
        link.send("lamplighter/mingzhu/rdr-gate/down/ack", b'{"boot":"a","seq":7}')
        message = await asyncio.wait_for(anext(aiter(device.messages)), 5)
        assert message.payload == b'{"boot":"a","seq":7}'
        await link.publish("lamplighter/mingzhu/rdr-gate/down/ack", b"at qos 1")


async def test_who_was_not_let_in_is_told_once_without_what_was_typed(
    broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        with pytest.raises(aiomqtt.MqttError):
            async with a_device(broker, identifier="lamp-7", password="hunter2"):
                pass
    with pytest.raises(aiomqtt.MqttError):
        async with a_device(broker, identifier="lamp-8", username="mqtt"):
            pass
    told = [record.getMessage() for record in caplog.records if "was refused" in record.getMessage()]
    assert [("'lamp-7'" in line, "'lamp-8'" in line) for line in told] == [(True, False), (False, True)]
    assert "password is another" in told[0]
    assert "user is 'mqtt', expected 'lamplighter'" in told[1]
    assert "hunter2" not in caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("how", [{"password": "wrong"}, {"username": None, "password": None}])
async def test_nobody_enters_without_the_password(broker: EmbeddedBroker, how: dict[str, object]) -> None:
    with pytest.raises(aiomqtt.MqttError, match=r"[Nn]ot authorized"):
        async with a_device(broker, **how):
            pass


async def test_a_message_that_is_too_large_ends_its_connection_only(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.links.embedded_broker.LARGEST_PACKET", 100_000)
    told = Recorder(acknowledging=True)
    async with running(the_gateway(broker, told)):
        await told.until_up()
        with pytest.raises(aiomqtt.MqttError):
            async with a_device(broker, timeout=2) as device:
                await device.publish(TOPIC, b"x" * 200_000, qos=1)
        async with a_device(broker) as device:
            await device.publish(TOPIC, b"x" * 90_000, qos=1)
    assert [len(payload) for payload in told.payloads] == [90_000]


async def test_a_port_that_is_taken_is_told(broker: EmbeddedBroker) -> None:
    with pytest.raises(LinkError, match=r"mqtt\.port"):
        async with EmbeddedBroker(broker.host, broker.port, USER, PASSWORD, KEEPER):
            pass


async def test_a_new_broker_knows_no_session(broker: EmbeddedBroker) -> None:
    async with EmbeddedBroker(broker.host, 0, USER, PASSWORD, KEEPER) as first:
        port = first.port
        told = Recorder(acknowledging=True)
        async with running(the_gateway(first, told)):
            await told.until_up()
    async with EmbeddedBroker(broker.host, port, USER, PASSWORD, KEEPER) as second:
        told = Recorder(acknowledging=True)
        async with running(the_gateway(second, told)), a_device(second) as device:
            await told.until_up()
            await device.publish(TOPIC, b"tap", qos=1)
    assert told.payloads == [b"tap"]


@pytest.mark.parametrize("moment", range(8))
async def test_it_stops_in_the_moment_in_which_a_device_speaks(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """amqtt waits for a packet with `asyncio.wait_for`, which in Python 3.11 loses a cancellation that comes with it."""
    spoke = asyncio.Event()
    feed = asyncio.StreamReader.feed_data

    def fed(reader: asyncio.StreamReader, data: bytes) -> None:
        feed(reader, data)
        if data == _PING:
            spoke.set()

    monkeypatch.setattr(asyncio.StreamReader, "feed_data", fed)
    async with EmbeddedBroker("127.0.0.1", 0, USER, PASSWORD, KEEPER) as broker:
        reader, writer = await asyncio.open_connection(broker.host, broker.port)
        words = [b"dev-1", USER.encode(), PASSWORD.encode()]
        body = b"\x00\x04MQTT\x04\xc2\x00\x3c" + b"".join(len(each).to_bytes(2) + each for each in words)
        writer.write(b"\x10" + bytes([len(body)]) + body)
        assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
        await asyncio.sleep(0.05)
        writer.write(_PING)
        await spoke.wait()
        for _ in range(moment):
            await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < _SOON_S
    writer.close()
