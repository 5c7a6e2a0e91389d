"""`docker/first-start`, run as a person runs it, and a real Mosquitto with the configuration that we ship and what it made."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from tests.support.mosquitto import free_port

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
WITHIN_S = 10.0


def first_start(folder: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    return subprocess.run(
        [sys.executable, DOCKER / "first-start", "--folder", folder, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=check,
    )


def add_user(folder: Path, name: str) -> str:
    """The new user's password."""
    said = first_start(folder, "user", name).stdout
    return said.partition("password ")[2].split()[0]


class ShippedBroker:
    """Mosquitto with a configuration of docker/mosquitto: only paths and ports are other than shipped.

    Args:
        name: the file.
        local: what first-start made.
        folder: for its persistence.
    """

    def __init__(self, name: str, local: Path, folder: Path) -> None:
        self.ca = local / "lamplighter" / "ca.crt"
        self.folder = folder
        self.ports = {8883: free_port(), 8884: free_port(), 1883: free_port()}
        folder.mkdir(parents=True, exist_ok=True)
        acl = folder / "acl"
        shutil.copy(DOCKER / "mosquitto" / "acl", acl)
        acl.chmod(0o600)
        places = {
            "/mosquitto/config/lamplighter.acl": acl,
            "/etc/mosquitto/lamplighter/lamplighter.acl": acl,
            "/mosquitto/secrets/": f"{local}/mosquitto/",
            "/etc/mosquitto/lamplighter/": f"{local}/mosquitto/",
            "/mosquitto/data/": f"{folder}/",
            "/var/lib/mosquitto/": f"{folder}/",
        }
        text = (DOCKER / "mosquitto" / name).read_text(encoding="utf-8")
        for shipped, here in places.items():
            text = text.replace(shipped, str(here))
        for port, here in self.ports.items():
            text = text.replace(f"listener {port}\n", f"listener {here} 127.0.0.1\n")
            text = text.replace(f"listener {port} 127.0.0.1", f"listener {here} 127.0.0.1")
        if os.geteuid() == 0:
            text += "user root\n"
        self.config = folder / "mosquitto.conf"
        self.config.write_text(text, encoding="utf-8")

    @contextlib.contextmanager
    def running(self) -> Iterator[ShippedBroker]:
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        if not Path(program).exists():
            pytest.skip("mosquitto is not installed")
        with (self.folder / "log").open("ab") as log:
            told = log.tell()
            process = subprocess.Popen([program, "-c", str(self.config)], stdout=log, stderr=log)
        try:
            self._wait(process, told)
            yield self
        finally:
            process.terminate()
            try:
                process.wait(WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def _wait(self, process: subprocess.Popen[bytes], told: int) -> None:
        """Until it says that it runs; a connection made to find out would stand in its log as a broken one."""
        until = time.monotonic() + WITHIN_S
        while b" running" not in (self.folder / "log").read_bytes()[told:]:
            assert process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.02)


class Client:
    """One connection; `refused` is why it was not taken."""

    def __init__(
        self,
        broker: ShippedBroker,
        user: str | None,
        password: str | None,
        *,
        port: int = 8883,
        client_id: str = "",
        tls: bool = True,
        clean: bool = True,
    ) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.refused: str | None = None
        self.session_present = False
        self._answered, self._news, self._granted = threading.Event(), threading.Event(), threading.Event()
        self._answers: dict[int, ReasonCode] = {}
        self.gone = threading.Event()
        client = self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
        if user is not None:
            client.username_pw_set(user, password)
        if tls:
            context = ssl.create_default_context(cafile=broker.ca)
            client.tls_set_context(context)
        client.on_connect = self._connected
        client.on_disconnect = lambda *_: (self._answered.set(), self.gone.set())
        client.on_message = self._message
        client.on_publish = lambda _client, _data, mid, reason, _more: self._answers.update({mid: reason})
        client.on_subscribe = lambda *_: self._granted.set()
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0 if clean else 3600
        client.connect("127.0.0.1", broker.ports[port], clean_start=clean, properties=properties)
        client.loop_start()
        assert self._answered.wait(WITHIN_S)

    def _connected(self, _client: object, _data: object, flags: mqtt.ConnectFlags, reason: ReasonCode, _more: object):
        self.refused = str(reason) if reason.is_failure else None
        self.session_present = flags.session_present
        self._answered.set()

    def _message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        self.heard.append((message.topic, message.payload))
        self._news.set()

    def subscribe(self, topic: str) -> None:
        self._granted.clear()
        self.client.subscribe(topic, qos=1)
        assert self._granted.wait(WITHIN_S)

    def publish(self, topic: str, payload: bytes = b"x") -> bool:
        """Whether the broker says that it took it."""
        mid = self.client.publish(topic, payload, qos=1).mid
        until = time.monotonic() + WITHIN_S
        while mid not in self._answers:
            assert time.monotonic() < until, f"no answer to {topic}"
            time.sleep(0.002)
        return not self._answers.pop(mid).is_failure

    def wait_for(self, topic: str) -> None:
        until = time.monotonic() + WITHIN_S
        while topic not in [each for each, _ in self.heard]:
            assert time.monotonic() < until, (topic, self.heard)
            self._news.wait(0.1)
            self._news.clear()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def users(local: Path, *names: str) -> Mapping[str, str]:
    """The gateway's and these devices' passwords."""
    made = {name: add_user(local, name) for name in names}
    return {"lamplighter": (local / "lamplighter" / "mqtt_password").read_text(encoding="utf-8"), **made}
