"""Killed in the middle of a load: nothing acknowledged is lost, nothing is stored twice, nobody is accused or told again."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
import pytest

from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto

pytestmark = [pytest.mark.mosquitto, pytest.mark.slow]

DEVICES = 20
EACH = 400
KILLS = 4


def site(broker: Mosquitto) -> dict[str, object]:
    readers = [
        {"id": f"rdr-{n}", "driver": "native", "kind": "reader", "place": "gate", "expect_every": "60s"}
        for n in range(DEVICES)
    ]
    start = datetime.now(UTC) - timedelta(minutes=40)
    return {
        "site": {"id": "s", "name": "s", "timezone": "UTC", "language": "en", "latitude": 31.2, "longitude": 121.5},
        "places": [{"id": "gate", "name": "gate"}],
        "people": [{"id": "g", "name": "G", "roles": ["guard"], "tags": ["007B3972"]}],
        "devices": readers,
        "checkpoints": [{"id": f"cp-{n}", "place": "gate", "reader": f"rdr-{n}"} for n in range(DEVICES)],
        "routes": [{"id": "r", "visits": [{"checkpoint": f"cp-{n}"} for n in range(DEVICES)]}],
        "rounds": [{"route": "r", "days": "mon-sun", "starts": [f"{start:%H:%M}"], "lasts": "20m"}],
        "alerts": {
            "policies": {"default": [{"after": "0s", "notify": ["room"]}]},
            "contacts": {"room": {"console": True}},
        },
        "mqtt": {"host": broker.host, "port": broker.port},
    }


def test_kill_9_in_mid_load_loses_nothing_repeats_nothing_and_accuses_nobody(tmp_path: Path) -> None:
    chance = random.Random(7)
    with Mosquitto(tmp_path) as broker, GatewayProcess(tmp_path / "gateway", site(broker)) as gateway:
        gateway.start()
        gateway.until_ready()
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="devices")
        client.max_inflight_messages_set(500)
        client.connect(broker.host, broker.port)
        client.loop_start()
        sent = [(device, seq) for seq in range(1, EACH + 1) for device in range(DEVICES)]
        kill_at = sorted(chance.sample(range(500, len(sent) - 500), KILLS))
        last = None
        for position, (device, seq) in enumerate(sent):
            if position in kill_at:
                assert last is not None
                last.wait_for_publish(20)
                time.sleep(chance.uniform(0, 0.15))
                gateway.kill()
                gateway.start()
            at = datetime.now(UTC)
            body = {"kind": "reader_heartbeat", "at": at, "boot": "b", "seq": seq, "device_now": at, "last_seq": seq}
            last = client.publish(f"lamplighter/s/rdr-{device}/up", msgspec.json.encode(body), qos=1)
        assert last is not None
        last.wait_for_publish(20)
        deadline = time.monotonic() + 30
        while gateway.query("SELECT count(*) FROM log WHERE kind = 'reader_heartbeat'") != [(len(sent),)]:
            assert time.monotonic() < deadline, gateway.query(
                "SELECT device, count(*), max(n) FROM log GROUP BY device"
            )
            time.sleep(0.1)
        client.disconnect()
        client.loop_stop()
        assert gateway.query(
            "SELECT count(*), count(DISTINCT device || ' ' || n) FROM log WHERE kind = 'reader_heartbeat'"
        ) == [(len(sent), len(sent))]
        assert gateway.stop() == 0
        assert gateway.query("PRAGMA integrity_check") == [("ok",)]
        assert gateway.query("SELECT alert FROM alert_transition WHERE alert LIKE '%missed%'") == []
        assert gateway.query("SELECT key FROM notice GROUP BY key HAVING count(*) > 1") == []
        raised = {row[0].split("/")[0] for row in gateway.query("SELECT alert FROM alert_transition")}
        assert raised <= {"gateway_restarting"}, "only that the gateway keeps restarting may be told"
