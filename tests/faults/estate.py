"""A small estate whose devices keep a ledger of what they send: numbered readers, lamps, cameras and a panic button over MQTT."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import msgspec
import paho.mqtt.client as mqtt

from tests.faults.ledger import Key, Ledger

READERS = tuple(f"rdr-{number}" for number in range(4))
LAMPS = tuple(f"lamp-{number}" for number in range(4))
CAMERAS = tuple(f"cam-{number}" for number in range(2))
BUTTON = "btn"
TAG = "007B3972"
SECRET = {"FAULTS_SECRET": "secret"}
"""Environment of a gateway whose site file names it."""


def site(mqtt_settings: dict[str, Any], *, contacts: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """A site file: rounds every ten minutes about now, so that verdicts are made while a test runs.

    Args:
        mqtt_settings: the section `mqtt`.
        contacts: names of contacts, each with its address in the environment (`NAME_URL`); all are told of everything at once.
        more: further sections, or others.
    """
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    starts = sorted({f"{now + timedelta(minutes=10 * number):%H:%M}" for number in range(-4, 5)})
    native = {"driver": "native", "place": "gate"}
    return {
        "site": {"id": "s", "timezone": "UTC", "language": "en", "latitude": 31.2, "longitude": 121.5},
        "places": [{"id": "gate"}],
        "people": [{"id": "g", "name": "G", "roles": ["guard"], "tags": [TAG]}],
        "devices": [
            *({"id": name, "kind": "reader", "expect_every": "60s", **native} for name in READERS),
            *({"id": f"lux-{name}", "kind": "sensor", **native} for name in LAMPS),
            *({"id": name, "kind": "camera", **native} for name in CAMERAS),
            {"id": BUTTON, "kind": "sensor", **native},
        ],
        "checkpoints": [{"id": f"cp-{name}", "place": "gate", "reader": name} for name in READERS],
        "lamps": [
            {"id": name, "place": "gate", "seen_by": f"lux-{name}", "expected": {"mode": "always"}} for name in LAMPS
        ],
        "routes": [{"id": "r", "band": "0s", "visits": [{"checkpoint": f"cp-{name}"} for name in READERS]}],
        "rounds": [{"route": "r", "days": "mon-sun", "starts": starts, "lasts": "5m"}],
        "alerts": {
            "policies": {"default": [{"after": "0s", "notify": list(contacts or ("room",))}]},
            "contacts": {name: {"url": f"env:{name.upper()}_URL"} for name in contacts} or {"room": {"console": True}},
        },
        "mqtt": mqtt_settings,
        **more,
    }


class Devices:
    """All devices of the estate as one MQTT client that, as real ones, sends again what was not acknowledged.

    Args:
        host, port, user, password: of the broker.
        ledger: where it writes what it sent.
        own_broker: the gateway's embedded one, whose PUBACK means that it is on disk; else only that the broker has it.
        name: the client's id, and the boot of all its devices.
    """

    def __init__(
        self,
        ledger: Ledger,
        host: str,
        port: int,
        *,
        user: str = "",
        password: str = "",
        own_broker: bool = False,
        name: str = "devices",
    ) -> None:
        self.ledger = ledger
        self._name = name
        self._note: Callable[[Key], None] = ledger.acknowledge if own_broker else ledger.broker
        self._seq: dict[str, int] = {}
        self._of: dict[int, Key] = {}
        self._early: set[int] = set()
        """Acknowledged before `publish` had said under which number it went."""
        self._lock = threading.Lock()
        self._where = host, port
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        if user:
            self.client.username_pw_set(user, password)
        self.client.max_inflight_messages_set(200)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_publish = self._published
        self.client.on_connect = lambda client, *_: client.subscribe("lamplighter/s/+/down/ack", qos=1)
        self.client.on_message = self._confirmed

    def _published(self, _client: Any, _data: Any, mid: int, *_: Any) -> None:
        with self._lock:
            key = self._of.pop(mid, None)
            if key is None:
                self._early.add(mid)
        if key is not None:
            self._note(key)

    def _confirmed(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        body = msgspec.json.decode(message.payload)
        self.ledger.acknowledge_up_to(Key(message.topic.split("/")[2], body["boot"], body["seq"]))

    def say(self, device: str, kind: str, **fields: Any) -> Key:
        """Send one observation; it is sent again until it is acknowledged."""
        seq = self._seq[device] = self._seq.get(device, 0) + 1
        key = Key(device, self._name, seq)
        now = datetime.now(UTC)
        body = {"kind": kind, "at": now, "boot": self._name, "seq": seq, **fields}
        if kind == "reader_heartbeat":
            body |= {"device_now": now, "last_seq": seq}
        self.ledger.send(key)
        # not under the lock: paho calls back under one of its own
        sent = self.client.publish(f"lamplighter/s/{device}/up", msgspec.json.encode(body), qos=1)
        with self._lock:
            early = sent.mid in self._early
            self._early.discard(sent.mid)
            if not early:
                self._of[sent.mid] = key
        if early:
            self._note(key)
        return key

    def a_bit_of_everything(self, number: int) -> None:
        """The `number`-th of an endless mix: heartbeats and taps of readers, light levels, cameras."""
        reader = READERS[number % len(READERS)]
        match number % 5:
            case 0:
                self.say(reader, "tag_read", tag=TAG)
            case 1:
                self.say(f"lux-{LAMPS[number // 5 % len(LAMPS)]}", "light_level", lux=float(number % 300))
            case 2:
                self.say(CAMERAS[number // 5 % len(CAMERAS)], "camera_heartbeat", status="ok")
            case _:
                self.say(reader, "reader_heartbeat")

    def panic(self, *, active: bool = True) -> Key:
        """The button."""
        return self.say(BUTTON, "panic", active=active)

    def settled(self, longest_s: float = 20.0) -> None:
        """Until the broker has acknowledged all that was sent."""
        deadline = time.monotonic() + longest_s
        while True:
            with self._lock:
                waiting = len(self._of)
            if not waiting:
                return
            assert time.monotonic() < deadline, f"{waiting} messages were not acknowledged within {longest_s:g} s"
            time.sleep(0.02)

    def __enter__(self) -> Self:
        self.client.connect_async(*self._where)
        self.client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.disconnect()
        self.client.loop_stop()
