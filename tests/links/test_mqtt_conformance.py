"""What every MQTT session must do, against a real Mosquitto; a scripted broker where Mosquitto is too honest."""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from gateway.errors import LinkError
from gateway.links.backoff import Backoff
from gateway.links.link import Envelope, MqttLink, Unreadable
from gateway.links.mqtt import SESSIONS
from gateway.site.model import Mqtt
from tests.links.recorder import Recorder, running
from tests.links.scripted_broker import PUBACK, ScriptedBroker
from tests.support.mosquitto import Mosquitto, free_port

pytestmark = pytest.mark.mosquitto

TOPIC = "lamplighter/mingzhu/rdr-gate/up"
FILTER = "lamplighter/mingzhu/+/up"
OF_SETTINGS = ("username", "password", "tls_ca")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, autosave=1000) as broker:
        yield broker


@pytest.fixture(params=SESSIONS)
def session(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def a_link(session: str, broker: Mosquitto | ScriptedBroker, told: Recorder, **changes: Any) -> MqttLink:
    settings: dict[str, Any] = {"embedded": False, "host": changes.pop("host", broker.host), "port": broker.port}
    settings |= {name: changes.pop(name) for name in OF_SETTINGS if name in changes}
    return SESSIONS[session](
        Mqtt(**settings),
        client_id="lamplighter-mingzhu",
        filters=[FILTER],
        receiver=told,
        devices=["rdr-gate"],
        backoff=Backoff(first_s=0.05, longest_s=0.2),
        **changes,
    )


def a_scripted_broker(session: str, **how: Any) -> ScriptedBroker:
    return ScriptedBroker(5 if session == "mqtt5" else 4, **how)


async def publish(broker: Mosquitto, payloads: Iterable[bytes], *, topic: str = TOPIC, **how: Any) -> None:
    async with aiomqtt.Client(broker.host, broker.port) as device:
        for payload in payloads:
            await device.publish(topic, payload, **{"qos": 1} | how)


async def publish_many(broker: Mosquitto, count: int) -> list[bytes]:
    """Publish numbered messages as fast as it goes."""
    lines = [b"%d" % number for number in range(count)]
    command = ["mosquitto_pub", "-h", broker.host, "-p", str(broker.port), "-q", "1", "-t", TOPIC, "-l"]
    await asyncio.to_thread(subprocess.run, command, input=b"\n".join(lines), check=True, timeout=20)
    return lines


async def make_session(session: str, broker: Mosquitto) -> None:
    """Let the broker have a session with our subscription, and go away."""
    told = Recorder(acknowledging=True)
    async with running(a_link(session, broker, told)):
        await told.until_up()


async def test_a_message_arrives_with_topic_payload_and_token(session: str, mosquitto: Mosquitto) -> None:
    told = Recorder()
    link = a_link(session, mosquitto, told)
    async with running(link):
        await told.until_up()
        await publish(mosquitto, [b"one"])
        await told.until_messages(1)
    (envelope,) = told.all
    assert isinstance(envelope, Envelope)
    assert (envelope.topic, envelope.payload) == (TOPIC, b"one")
    assert envelope.token.packet_id
    assert envelope.received.utcoffset() is not None
    assert told.devices[0] == ("rdr-gate",)
    assert told.lost == []


async def test_what_was_not_acknowledged_comes_again(session: str, mosquitto: Mosquitto) -> None:
    first, second, third = Recorder(), Recorder(acknowledging=True), Recorder()
    async with running(a_link(session, mosquitto, first)):
        await first.until_up()
        await publish(mosquitto, [b"one", b"two"])
        await first.until_messages(2)
    async with running(link := a_link(session, mosquitto, second)):
        await second.until_messages(2)
        await link.publish("elsewhere", b"")  # answered after the broker has read the acknowledgements before it
    async with running(a_link(session, mosquitto, third)):
        await third.until_up()
        await publish(mosquitto, [b"three"])
        await third.until_messages(1)
    assert second.payloads == [b"one", b"two"]
    assert third.payloads == [b"three"]


async def test_a_message_published_while_we_were_away_arrives(session: str, mosquitto: Mosquitto) -> None:
    await make_session(session, mosquitto)
    await publish(mosquitto, [b"one"])
    told = Recorder()
    async with running(a_link(session, mosquitto, told, had_session=True)):
        await told.until_messages(1)
    assert told.payloads == [b"one"]
    assert told.lost == []


async def test_acknowledgements_leave_in_receive_order_whatever_order_they_are_given_in(session: str) -> None:
    told = Recorder()
    async with a_scripted_broker(session).listening() as broker, running(link := a_link(session, broker, told)):
        await told.until_up()
        broker.send(b"".join(broker.publish(TOPIC.encode(), b"x", packet_id) for packet_id in (7, 3, 5)))
        await told.until_messages(3)
        seven, three, five = told.tokens
        link.acknowledge([five])
        link.acknowledge([three])
        link.acknowledge([three])
        link.acknowledge([seven])
        link.acknowledge([seven])
        broker.send(broker.publish(TOPIC.encode(), b"x", 9))
        await told.until_messages(4)
        link.acknowledge(told.tokens[3:])
        assert await broker.until(PUBACK, 4) == [b"\0\x07", b"\0\x03", b"\0\x05", b"\0\x09"]


async def test_an_acknowledgement_never_crosses_a_reconnect(session: str, mosquitto: Mosquitto) -> None:
    told, later = Recorder(), Recorder()
    link = a_link(session, mosquitto, told)
    async with running(link):
        await told.until_up()
        await publish(mosquitto, [b"one"])
        await told.until_messages(1)
        mosquitto.save()
        mosquitto.kill()
        await told.until_down()
        mosquitto.start()
        await told.until_messages(2)
        old, new = told.tokens
        assert (old.packet_id, old.epoch) == (new.packet_id, new.epoch - 1)
        link.acknowledge([old])
    async with running(a_link(session, mosquitto, later)):
        await later.until_messages(1)
    assert later.payloads == [b"one"]


async def test_a_killed_broker_that_comes_back_has_lost_nothing(session: str, mosquitto: Mosquitto) -> None:
    told = Recorder(acknowledging=True)
    async with running(a_link(session, mosquitto, told)):
        await told.until_up()
        await publish(mosquitto, [b"one"])
        await told.until_messages(1)
        mosquitto.save()
        mosquitto.kill()
        await told.until_down()
        mosquitto.start()
        await told.until_up()
        await publish(mosquitto, [b"two"])
        await told.until(lambda: b"two" in told.payloads)
    assert told.lost == []
    assert [state.up for state in told.states][:3] == [True, False, True]


async def test_a_session_that_the_broker_forgot_is_told_and_subscribed_anew(session: str, mosquitto: Mosquitto) -> None:
    told = Recorder(acknowledging=True)
    async with running(a_link(session, mosquitto, told)):
        await told.until_up()
        mosquitto.stop()
        mosquitto.forget()
        await told.until_down()
        mosquitto.start()
        await told.until_up()
        await publish(mosquitto, [b"after"])
        await told.until_messages(1)
    assert len(told.lost) == 1


async def test_a_session_forgotten_while_we_were_away_is_told(session: str, mosquitto: Mosquitto) -> None:
    told = Recorder()
    async with running(a_link(session, mosquitto, told, had_session=True)):
        await told.until_up()
    assert len(told.lost) == 1


@pytest.mark.parametrize("topic", [b"lamplighter/\xff\xfe/up", b"lamplighter/a\0b/up"])
async def test_a_topic_that_cannot_be_read_is_delivered_as_such_and_can_be_acknowledged(
    session: str, topic: bytes
) -> None:
    told = Recorder(acknowledging=True)
    async with a_scripted_broker(session).listening() as broker, running(a_link(session, broker, told)):
        await told.until_up()
        broker.send(broker.publish(topic, b"poison", 1) + broker.publish(TOPIC.encode(), b"good", 2))
        await told.until_messages(2)
        assert await broker.until(PUBACK, 2) == [b"\0\x01", b"\0\x02"]
        assert broker.connections == 1
    poison, good = told.all
    assert isinstance(poison, Unreadable)
    assert (poison.topic, poison.payload) == (topic, b"poison")
    assert poison.reason
    assert isinstance(good, Envelope)


async def test_frames_may_come_byte_by_byte(session: str) -> None:
    told = Recorder(acknowledging=True)
    async with a_scripted_broker(session).listening() as broker, running(a_link(session, broker, told)):
        await told.until_up()
        for byte in broker.publish("保安/岗亭/up".encode(), b"x" * 200, 1):
            broker.send(bytes([byte]))
            await asyncio.sleep(0)
        await told.until_messages(1)
    (envelope,) = told.all
    assert (envelope.topic, envelope.payload) == ("保安/岗亭/up", b"x" * 200)


async def test_stored_state_is_flagged_retained_and_a_live_message_is_not(session: str, mosquitto: Mosquitto) -> None:
    told = Recorder(acknowledging=True)
    await publish(mosquitto, [b"stored"], retain=True)
    async with running(a_link(session, mosquitto, told)):
        await told.until_messages(1)
        await publish(mosquitto, [b"live"], retain=True)
        await told.until_messages(2)
    assert [(envelope.payload, envelope.retained) for envelope in told.all if isinstance(envelope, Envelope)] == [
        (b"stored", True),
        (b"live", False),
    ]


async def test_ten_megabytes_arrive_whole(session: str, mosquitto: Mosquitto) -> None:
    told = Recorder(acknowledging=True)
    payload = bytes(range(256)) * 40_960
    async with running(a_link(session, mosquitto, told)):
        await told.until_up()
        await publish(mosquitto, [payload, b"next"])
        await told.until_messages(2)
    assert told.payloads == [payload, b"next"]


@pytest.mark.parametrize(("qos", "acknowledged"), [(0, False), (1, True), (2, True)])
async def test_each_quality_of_service_arrives_once(
    session: str, mosquitto: Mosquitto, qos: int, acknowledged: bool
) -> None:
    told = Recorder(acknowledging=True)
    async with running(a_link(session, mosquitto, told)):
        await told.until_up()
        await publish(mosquitto, [b"one", b"two"], qos=qos)
        await told.until_messages(2)
    assert told.payloads == [b"one", b"two"]
    assert [bool(token.packet_id) for token in told.tokens] == [acknowledged] * 2


async def test_a_long_queue_at_the_broker_arrives_in_order(session: str, mosquitto: Mosquitto) -> None:
    await make_session(session, mosquitto)
    sent = await publish_many(mosquitto, 3000)
    told = Recorder(acknowledging=True)
    async with running(a_link(session, mosquitto, told)):
        await told.until_messages(3000)
    assert told.payloads == sent


async def test_a_pause_stops_delivery_and_resuming_loses_nothing(session: str, mosquitto: Mosquitto) -> None:
    told = Recorder(acknowledging=True, enough=1)
    link = a_link(session, mosquitto, told)
    async with running(link):
        await told.until_up()
        await publish(mosquitto, [b"first"])
        await told.until_messages(1)
        batches = len(told.batches)
        sent = await publish_many(mosquitto, 2000)
        await asyncio.sleep(0.3)
        assert len(told.batches) == batches
        link.resume()  # `enough` pauses it again after the next delivery
        await told.until(lambda: len(told.batches) > batches)
        assert len(told.batches) == batches + 1
        told.enough = None
        link.resume()
        await told.until_messages(2001)
    assert told.payloads == [b"first", *sent]


async def test_a_pause_holds_over_a_reconnect(session: str, mosquitto: Mosquitto) -> None:
    told = Recorder(acknowledging=True)
    link = a_link(session, mosquitto, told)
    async with running(link):
        await told.until_up()
        mosquitto.stop()
        await told.until_down()
        link.pause()
        mosquitto.start()
        await told.until_up()
        await publish(mosquitto, [b"one", b"two"])
        await asyncio.sleep(0.2)
        assert told.payloads == []
        link.resume()
        await told.until_messages(2)
    assert told.payloads == [b"one", b"two"]


async def test_an_unreachable_broker_is_told_once_and_tried_until_it_appears(
    session: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mosquitto = Mosquitto(tmp_path, port=free_port())
    told = Recorder(acknowledging=True)
    caplog.set_level(logging.INFO, logger="gateway.links")
    link = a_link(session, mosquitto, told)
    async with running(link):
        await told.until_down()
        assert link.state.reason == "connection refused"
        assert "running" in link.state.hint
        with pytest.raises(LinkError, match="connection refused"):
            await link.publish("a", b"")
        link.send("a", b"")
        await asyncio.sleep(0.5)
        with mosquitto:
            await told.until_up()
            await publish(mosquitto, [b"one"])
            await told.until_messages(1)
    assert [state.up for state in told.states] == [False, True]
    assert [record.levelname for record in caplog.records if record.name.startswith("gateway")] == ["WARNING", "INFO"]


@pytest.mark.parametrize("host", ["no-such-host.invalid", "two..dots"])
async def test_an_unknown_host_is_named(session: str, mosquitto: Mosquitto, host: str) -> None:
    told = Recorder()
    async with running(a_link(session, mosquitto, told, host=host)):
        await told.until_down()
    assert host in told.states[0].reason


async def test_a_wrong_password_is_told_and_the_right_one_works(session: str, tmp_path: Path) -> None:
    with Mosquitto(tmp_path, users={"gateway": "right"}) as broker:
        told = Recorder()
        async with running(a_link(session, broker, told, username="gateway", password="wrong")):
            await told.until_down()
            await asyncio.sleep(0.3)
        assert [state.up for state in told.states] == [False]
        assert "mqtt.password" in told.states[0].hint
        told = Recorder()
        async with running(a_link(session, broker, told, username="gateway", password="right")):
            await told.until_up()


async def test_a_password_never_reaches_log_or_state(
    session: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Mosquitto(tmp_path, users={"gateway": "right"}) as broker:
        told = Recorder()
        async with running(a_link(session, broker, told, username="gateway", password="s3cret-wrong")):
            await told.until_down()
    assert "s3cret" not in caplog.text + repr(told.states)


async def test_a_silent_broker_is_left(session: str) -> None:
    told = Recorder()
    broker = a_scripted_broker(session, answers_ping=False)
    async with broker.listening(), running(a_link(session, broker, told, keep_alive_s=1)):
        await told.until_up()
        await told.until_down()
        assert "silent" in told.states[-1].reason
        await told.until_up()


async def test_an_idle_connection_stays(session: str, mosquitto: Mosquitto) -> None:
    told = Recorder()
    async with running(a_link(session, mosquitto, told, keep_alive_s=1)):
        await told.until_up()
        await asyncio.sleep(1.8)
    assert [state.up for state in told.states] == [True]


async def test_publishing_returns_when_the_broker_has_it(session: str, mosquitto: Mosquitto) -> None:
    told = Recorder(acknowledging=True)
    link = a_link(session, mosquitto, told)
    async with running(link):
        await told.until_up()
        await link.publish(TOPIC, b"at qos 1")
        await link.publish(TOPIC, b"at qos 0", qos=0)
        link.send(TOPIC, b"and forgotten")
        await asyncio.gather(*(link.publish(TOPIC, b"%d" % number) for number in range(50)))
        await told.until_messages(53)
        await link.publish(TOPIC, b"stored", retain=True)
    assert told.payloads[:3] == [b"at qos 1", b"at qos 0", b"and forgotten"]


async def test_publishing_fails_when_the_connection_breaks_first(session: str) -> None:
    told = Recorder()
    async with a_scripted_broker(session).listening() as broker, running(link := a_link(session, broker, told)):
        await told.until_up()
        publishing = asyncio.create_task(link.publish(TOPIC, b"one"))
        await broker.until(3, 1)
        assert not publishing.done()
        broker.hang_up()
        with pytest.raises(LinkError):
            await publishing


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of its own for 127.0.0.1: cert.pem, key.pem."""
    folder = tmp_path_factory.mktemp("certificates")
    subject = ["-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(["openssl", "req", "-x509", *kind, *subject, *files], check=True, capture_output=True, timeout=20)
    return folder


async def test_tls_works_with_the_right_authority_and_is_refused_with_another(
    session: str, tmp_path: Path, certificates: Path
) -> None:
    options = [f"certfile {certificates}/cert.pem", f"keyfile {certificates}/key.pem"]
    with Mosquitto(tmp_path, options=options) as broker:
        told = Recorder(acknowledging=True)
        link = a_link(session, broker, told, tls_ca=str(certificates / "cert.pem"))
        async with running(link):
            await told.until_up()
            await link.publish(TOPIC, b"x" * 1_000_000)
            await asyncio.gather(*(link.publish(TOPIC, b"%d" % number) for number in range(200)))
            await told.until_messages(201)
        assert link.name.startswith("mqtts://")
        told = Recorder()
        missing = a_link(session, broker, told, tls_ca=str(tmp_path / "missing.pem"))
        async with running(missing):
            await told.until_down()
        assert "certificate" in told.states[0].reason
