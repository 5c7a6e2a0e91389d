"""What every MQTT session must do, against a real Mosquitto."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from gateway.links.backoff import Backoff
from gateway.links.link import MqttLink
from gateway.links.mqtt5_session import Mqtt5Session
from gateway.site.model import Mqtt
from tests.links.recorder import Recorder, running
from tests.support.mosquitto import Mosquitto

pytestmark = pytest.mark.mosquitto

SESSIONS = {"mqtt5": Mqtt5Session}
TOPIC = "lamplighter/mingzhu/rdr-gate/up"


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture(params=SESSIONS)
def session(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def a_link(session: str, broker: Mosquitto, receiver: Recorder, **changes: Any) -> MqttLink:
    settings: dict[str, Any] = {"embedded": False, "host": broker.host, "port": broker.port}
    settings |= {name: changes.pop(name) for name in ("username", "password", "tls_ca", "port") if name in changes}
    return SESSIONS[session](
        Mqtt(**settings),
        client_id="lamplighter-mingzhu",
        filters=changes.pop("filters", ["lamplighter/mingzhu/+/up"]),
        receiver=receiver,
        devices=["rdr-gate"],
        backoff=Backoff(first_s=0.05, longest_s=0.2),
        **changes,
    )


async def publish(broker: Mosquitto, payloads: Iterable[bytes], *, topic: str = TOPIC, **how: Any) -> None:
    async with aiomqtt.Client(broker.host, broker.port) as device:
        for payload in payloads:
            await device.publish(topic, payload, **{"qos": 1} | how)


async def test_a_message_arrives_with_topic_payload_and_token(session: str, mosquitto: Mosquitto) -> None:
    told = Recorder()
    async with running(a_link(session, mosquitto, told)):
        await told.until_up()
        await publish(mosquitto, [b"one"])
        await told.until_messages(1)
    (envelope,) = told.all
    assert (envelope.topic, envelope.payload) == (TOPIC, b"one")
    assert envelope.token.packet_id
    assert told.states[0].up
    assert told.devices[0] == ("rdr-gate",)
