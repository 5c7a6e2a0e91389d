"""What only the MQTT 5 session does: frames that its codec cannot stand, limits, one write."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.links.backoff import Backoff
from gateway.links.link import Envelope, Unreadable
from gateway.links.mqtt5_session import KEPT_OF_TOO_LARGE, Mqtt5Session
from gateway.site.model import Mqtt
from tests.links.recorder import Recorder, running
from tests.links.scripted_broker import CONNECT, PUBACK, PUBREC, ScriptedBroker, frame

TOPIC = b"lamplighter/mingzhu/rdr-gate/up"


def a_link(broker: ScriptedBroker, told: Recorder, **changes: Any) -> Mqtt5Session:
    return Mqtt5Session(
        Mqtt(embedded=False, host=broker.host, port=broker.port),
        client_id="lamplighter-mingzhu",
        filters=["#"],
        receiver=told,
        backoff=Backoff(first_s=0.05, longest_s=0.2),
        **changes,
    )


async def test_the_first_connect_already_asks_for_a_session_that_stays() -> None:
    told = Recorder()
    async with ScriptedBroker(5).listening() as broker, running(a_link(broker, told)):
        (connect,) = await broker.until(CONNECT, 1)
    flags = connect[7]
    assert not flags & 0x02, "clean start"
    assert b"\x11" + (30 * 24 * 3600).to_bytes(4, "big") in connect, "session expiry"


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param(b"\x03\x00\x02\xff\xfe", id="a content type that is not UTF-8"),
        pytest.param(b"\x26\x00\x01\xff\x00\x01\xff", id="a user property that is not UTF-8"),
        pytest.param(b"\x02\x00\x00\x00\xc8", id="an expiry of 200 s"),
        pytest.param("\x03\x00\x03灯".encode(), id="a Chinese content type"),
    ],
)
async def test_properties_never_cost_a_message(properties: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    told = Recorder(acknowledging=True)
    async with ScriptedBroker(5).listening() as broker, running(a_link(broker, told)):
        await told.until_up()
        broker.send(broker.publish(TOPIC, b"tap", 1, properties=properties))
        assert await broker.until(PUBACK, 1) == [b"\0\x01"]
    (envelope,) = told.all
    assert isinstance(envelope, Envelope)
    assert envelope.payload == b"tap"
    assert "panicked" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("body", "acknowledged"),
    [
        pytest.param(b"\0\x01a\0\x01\x02\x7f\0payload", True, id="an unknown property"),
        pytest.param(b"\0\0\0\x01\0payload", True, id="no topic"),
        pytest.param(b"\xff\xffa", False, id="a topic longer than the packet"),
        pytest.param(b"", False, id="nothing"),
    ],
)
async def test_a_malformed_publish_is_kept_and_does_not_end_the_connection(body: bytes, acknowledged: bool) -> None:
    told = Recorder(acknowledging=True)
    async with ScriptedBroker(5).listening() as broker, running(a_link(broker, told)):
        await told.until_up()
        broker.send(frame(0x32, body) + broker.publish(TOPIC, b"next", 2))
        await told.until_messages(2)
        acknowledgements = await broker.until(PUBACK, 2 if acknowledged else 1)
        assert acknowledgements[-1] == b"\0\x02"
        assert broker.connections == 1
    poison, _ = told.all
    assert isinstance(poison, Unreadable)
    assert "malformed" in poison.reason


async def test_a_packet_beyond_the_limit_is_kept_in_part_and_acknowledged() -> None:
    told = Recorder(acknowledging=True)
    async with ScriptedBroker(5).listening() as broker, running(a_link(broker, told, largest=200_000)):
        await told.until_up()
        broker.send(broker.publish(TOPIC, b"x" * 3_000_000, 1) + broker.publish(TOPIC, b"next", 2))
        await told.until_messages(2)
        assert await broker.until(PUBACK, 2) == [b"\0\x01", b"\0\x02"]
    large, following = told.all
    assert isinstance(large, Unreadable)
    assert large.topic == TOPIC
    assert KEPT_OF_TOO_LARGE - 100 < len(large.payload) < KEPT_OF_TOO_LARGE
    assert "200000" in large.reason
    assert following.payload == b"next"


async def test_a_message_at_qos_2_is_released_only_after_the_receiver_said_so() -> None:
    told = Recorder()
    async with ScriptedBroker(5).listening() as broker, running(link := a_link(broker, told)):
        await told.until_up()
        broker.send(broker.publish(TOPIC, b"one", 1, qos=2) + broker.publish(TOPIC, b"two", 2, qos=1))
        await told.until_messages(2)
        assert not [kind for kind, _ in broker.packets if kind in (PUBREC, PUBACK)]
        link.acknowledge(told.tokens)
        await broker.until(PUBACK, 1)
        assert [kind for kind, _ in broker.packets if kind in (PUBREC, PUBACK)] == [PUBREC, PUBACK]
        broker.send(b"\x62\x02\0\x01")
        assert await broker.until(7, 1) == [b"\0\x01"]


async def test_a_batch_is_acknowledged_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Recorder()
    written: list[int] = []
    async with ScriptedBroker(5).listening() as broker, running(link := a_link(broker, told)):
        await told.until_up()
        broker.send(b"".join(broker.publish(TOPIC, b"tap", packet_id) for packet_id in range(1, 501)))
        await told.until_messages(500)
        assert link.connection is not None
        monkeypatch.setattr(link.connection, "_write", lambda data: written.append(len(data)))
        link.acknowledge(told.tokens)
    assert written[0] == 500 * 4


async def test_a_server_that_wants_tls_is_told() -> None:
    told = Recorder()
    alert = b"\x15\x03\x03\x00\x02\x02\x28"  # how a TLS server answers bytes that are not TLS
    async with ScriptedBroker(5, greeting=alert).listening() as broker, running(a_link(broker, told)):
        await told.until_down()
    assert "mqtt.tls" in told.states[0].hint


@pytest.mark.parametrize(
    ("code", "hint"), [(0x86, "mqtt.password"), (0x84, "paho"), (0x85, "client_id"), (0x97, "limits")]
)
async def test_a_refusal_says_what_to_do(code: int, hint: str) -> None:
    told = Recorder()
    async with (
        ScriptedBroker(5, connack=bytes([0, code])).listening() as broker,
        running(a_link(broker, told)),
    ):
        await told.until_down()
    assert hint in told.states[0].hint


async def test_a_gateway_with_the_same_client_id_is_named() -> None:
    told = Recorder()
    async with ScriptedBroker(5).listening() as broker, running(a_link(broker, told)):
        await told.until_up()
        broker.send(frame(0xE0, b"\x8e\0"))
        await told.until_down()
        assert "client id" in told.states[-1].hint


async def test_a_pause_bounds_what_is_held_and_covers_what_came_with_the_answer_to_connect() -> None:
    told = Recorder(acknowledging=True)
    broker = ScriptedBroker(5, connack=b"\x01\0")
    async with broker.listening():
        link = a_link(broker, told)
        link.pause()
        messages = [broker.publish(TOPIC, b"x" * 1000, packet_id) for packet_id in range(1, 5001)]
        broker.after_connack = b"".join(messages)
        async with running(link):
            await told.until_up()
            await asyncio.sleep(0.2)
            assert told.payloads == []
            assert link.connection is not None
            assert len(link.connection._held) <= 2 * 256 * 1024
            link.resume()
            await told.until_messages(5000)
