"""The Mosquitto settings that we ship, in the real Mosquitto: who may say and hear what, over TLS, and what it keeps."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deployment.first_start import DOCKER, Client, ShippedBroker, first_start, users

pytestmark = pytest.mark.mosquitto

DEVICES = (
    "rdr-gate",
    "lux-1",
    "guest",
    "zigbee2mqtt",
    "frigate",
    "lamp-hall",
    "shellyplus1-a1",
    "node-hall",
    "chirpstack",
)


class Shipped(NamedTuple):
    broker: ShippedBroker
    passwords: Mapping[str, str]

    def client(self, user: str, **more: object) -> Client:
        return Client(self.broker, user, self.passwords[user], **more)  # type: ignore[arg-type]

    def gateway(self, **more: object) -> Client:
        return self.client("lamplighter", port=8884, **{"client_id": "lamplighter-s", **more})


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipped]:
    folder = tmp_path_factory.mktemp("shipped")
    local = folder / "local"
    first_start(local)
    passwords = users(local, *DEVICES)
    with ShippedBroker("container.conf", local, folder / "broker").running() as broker:
        yield Shipped(broker, passwords)


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("rdr-gate", "lamplighter/s/rdr-gate/up"),
        ("zigbee2mqtt", "zigbee2mqtt/lux-t1-f03"),
        ("zigbee2mqtt", "zigbee2mqtt/bridge/state"),
        ("zigbee2mqtt", "homeassistant/sensor/a/config"),
        ("frigate", "frigate/garage/status/detect"),
        ("lamp-hall", "tele/lamp-hall/SENSOR"),
        ("lamp-hall", "stat/lamp-hall/POWER"),
        ("shellyplus1-a1", "shellyplus1-a1/events/rpc"),
        ("shellyplus1-a1", "shellies/shellyplus1-a1/relay/0"),
        ("node-hall", "node-hall/sensor/lux/state"),
        ("node-hall", "homie/5/node-hall/$state"),
        ("node-hall", "wled/node-hall/v"),
        ("node-hall", "spBv1.0/site/NDATA/node-hall"),
        ("node-hall", "spBv1.0/site/DDATA/node-hall/meter"),
        ("chirpstack", "application/1/device/2/event/up"),
    ],
)
def test_a_device_speaks_under_its_own_topics_and_the_gateway_hears_it(shipped: Shipped, user: str, topic: str) -> None:
    with shipped.gateway(client_id="probe") as gateway, shipped.client(user) as device:
        gateway.subscribe("#")
        assert device.publish(topic)
        gateway.wait_for(topic)


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("rdr-gate", "lamplighter/s/lux-1/up"),
        ("rdr-gate", "lamplighter/s/rdr-gate/down/ack"),
        ("guest", "lamplighter/s/rdr-gate/up"),
        ("guest", "zigbee2mqtt/lux-t1-f03"),
        ("guest", "frigate/available"),
        ("guest", "tele/lamp-hall/LWT"),
        ("guest", "application/1/device/2/event/up"),
        ("lux-1", "cmnd/lamp-hall/POWER"),
        ("zigbee2mqtt", "lamplighter/s/rdr-gate/up"),
        ("zigbee2mqtt", "frigate/available"),
        ("guest", "$SYS/broker/uptime"),
    ],
)
def test_a_device_speaks_for_no_other(shipped: Shipped, user: str, topic: str) -> None:
    with shipped.gateway(client_id="probe") as gateway, shipped.client(user) as device:
        gateway.subscribe("#")
        assert not device.publish(topic)
        own = f"lamplighter/s/{user}/up"
        assert device.publish(own)
        gateway.wait_for(own)
        assert topic not in [each for each, _ in gateway.heard]


def test_a_device_hears_what_is_meant_for_it_and_nothing_else(shipped: Shipped) -> None:
    with shipped.gateway() as gateway, shipped.client("rdr-gate") as reader, shipped.client("guest") as guest:
        for client in (reader, guest):
            client.subscribe("#")
            client.subscribe("lamplighter/#")
        for name in ("lux-1", "guest", "rdr-gate"):
            assert gateway.publish(f"lamplighter/s/{name}/down/ack")
        reader.wait_for("lamplighter/s/rdr-gate/down/ack")
        guest.wait_for("lamplighter/s/guest/down/ack")
        assert {topic for topic, _ in reader.heard} == {"lamplighter/s/rdr-gate/down/ack"}
        assert {topic for topic, _ in guest.heard} == {"lamplighter/s/guest/down/ack"}


def test_the_gateway_may_ping_its_watcher_and_switches_nothing(shipped: Shipped) -> None:
    with shipped.gateway() as gateway:
        assert gateway.publish("s/watchdog")
        for topic in ("cmnd/lamp-hall/POWER", "zigbee2mqtt/lux/set", "node-hall/light/lamp/command"):
            assert not gateway.publish(topic), topic


def test_nobody_gets_in_without_a_user_or_with_a_wrong_password(shipped: Shipped) -> None:
    for user, password in ((None, None), ("rdr-gate", "wrong"), ("nobody", "x"), ("lamplighter", "")):
        with Client(shipped.broker, user, password) as client:
            assert client.refused is not None, user


def test_nothing_is_spoken_on_the_devices_listener_but_tls(shipped: Shipped) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.get_server_certificate(
            ("127.0.0.1", shipped.broker.ports[8883]), ca_certs=ssl.get_default_verify_paths().cafile
        )
    context = ssl.create_default_context(cafile=shipped.broker.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", shipped.broker.ports[8883]), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secured,
    ):
        assert secured.version() in ("TLSv1.2", "TLSv1.3")


def test_a_device_cannot_take_the_gateways_session(shipped: Shipped) -> None:
    with shipped.gateway(clean=False) as gateway:
        gateway.subscribe("lamplighter/+/+/up")
        with shipped.client("guest", client_id="lamplighter-s", clean=False) as thief:
            assert not thief.session_present
            assert thief.publish("lamplighter/s/guest/up")
            gateway.wait_for("lamplighter/s/guest/up")
            assert not gateway.gone.is_set()
            assert thief.heard == []


def test_the_gateway_may_have_several_connections(shipped: Shipped) -> None:
    with shipped.gateway() as first, shipped.gateway(client_id="lamplighter-s-taps") as second:
        first.subscribe("lamplighter/+/+/up")
        second.subscribe("lamplighter/+/+/up")
        with shipped.client("rdr-gate") as reader:
            assert reader.publish("lamplighter/s/rdr-gate/up")
        first.wait_for("lamplighter/s/rdr-gate/up")
        second.wait_for("lamplighter/s/rdr-gate/up")


@pytest.mark.parametrize("name", ["container.conf", "mosquitto.conf"])
def test_what_waits_for_the_gateway_survives_the_brokers_restart(tmp_path: Path, name: str) -> None:
    local = tmp_path / "local"
    first_start(local)
    passwords = users(local, "rdr-gate")
    broker = ShippedBroker(name, local, tmp_path / "broker")
    inner = 8884 if name == "container.conf" else 1883

    def gateway() -> Client:
        return Client(
            broker,
            "lamplighter",
            passwords["lamplighter"],
            port=inner,
            client_id="lamplighter-s",
            tls=inner == 8884,
            clean=False,
        )

    with broker.running():
        with gateway() as away:
            away.subscribe("lamplighter/+/+/up")
        with Client(broker, "rdr-gate", passwords["rdr-gate"]) as reader:
            for number in range(1500):  # more than Mosquitto's own limit of 1,000
                reader.client.publish("lamplighter/s/rdr-gate/up", str(number), qos=1)
            assert reader.publish("lamplighter/s/rdr-gate/up", b"x" * 1_000_000)
    with broker.running(), gateway() as back:
        assert back.session_present
        until = time.monotonic() + 10
        while len(back.heard) < 1501 and time.monotonic() < until:
            time.sleep(0.02)
        assert [payload for _, payload in back.heard] == [*(str(n).encode() for n in range(1500)), b"x" * 1_000_000]
    assert "Error" not in broker.log, broker.log
    assert "world readable" not in broker.log, broker.log


def test_the_two_configurations_differ_in_paths_and_the_gateways_listener_only() -> None:
    def settings(name: str) -> set[str]:
        text = (DOCKER / "mosquitto" / name).read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return {re.sub(r" /\S*/", " ", line) for line in lines}

    here, there = settings("mosquitto.conf"), settings("container.conf")
    assert here - there == {"listener 1883 127.0.0.1", "persistence_location "} - there
    assert there - here == {"listener 8884"}


def test_the_hash_that_first_start_writes_is_mosquittos_own(tmp_path: Path) -> None:
    """mosquitto_passwd reads the file and adds to it: both may be used on it."""
    local = tmp_path / "local"
    first_start(local)
    file = local / "mosquitto" / "lamplighter.passwd"
    before = file.read_text()
    file.chmod(0o600)
    done = subprocess.run(
        ["mosquitto_passwd", "-b", file, "other", "secret"], capture_output=True, check=False, timeout=10
    )
    assert done.returncode == 0, done.stderr
    assert file.read_text().startswith(before.strip())
    assert "other:$7$" in file.read_text()
