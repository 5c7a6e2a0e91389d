"""The Mosquitto settings that we ship start the real broker and keep what it acknowledged."""

from __future__ import annotations

import re
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from tests.support.mosquitto import Mosquitto

SHIPPED = Path(__file__).parents[2] / "docker" / "mosquitto" / "mosquitto.conf"
OWN = (
    "listener",
    "allow_anonymous",
    "password_file",
    "persistence",
    "persistence_location",
    "autosave",
    "max_inflight",
)


def shipped_options() -> list[str]:
    lines = [line for line in SHIPPED.read_text().splitlines() if line and not line.startswith("#")]
    return [line for line in lines if not line.startswith(OWN) and not re.match(r"max_queued_messages", line)]


@pytest.mark.mosquitto
def test_the_real_mosquitto_starts_with_the_shipped_settings(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, options=shipped_options(), users={"lamplighter": "secret"}) as broker:
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="probe")
        client.username_pw_set("lamplighter", "secret")
        client.connect(broker.host, broker.port)
        client.loop_start()
        try:
            message = client.publish("a/b", b"x" * 1_000_000, qos=1)
            message.wait_for_publish(10)
            assert message.is_published()
        finally:
            client.disconnect()
            client.loop_stop()
        assert "Error" not in broker.log
