"""A night of Zigbee2MQTT and of Tasmota, message by message, through a real Mosquitto into a real gateway's journal.

The payloads are written as the devices write them (tests of Koenkk/zigbee2mqtt, tasmota/docs: facts); the last wills are the broker's
own, published when a connection is torn.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
import pytest

from device_drivers.rdm6300.device import frame
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto

pytestmark = pytest.mark.mosquitto

LONGEST_WAIT_S = 20.0
FRAME = frame("6F007B3972")[:-1].decode()
"""What a reader leaves on the serial bridge where its 03 is the delimiter."""

DEVICES: list[dict[str, Any]] = [
    {"id": "z2m", "driver": "zigbee2mqtt", "kind": "bridge", "link": {"mqtt": "zigbee2mqtt"}},
    {"id": "lux", "driver": "zigbee2mqtt", "kind": "lux_sensor", "link": {"mqtt": "zigbee2mqtt/tower 1/lux"}},
    {"id": "pir", "driver": "zigbee2mqtt", "kind": "motion_sensor", "link": {"mqtt": "zigbee2mqtt/pir"}},
    {"id": "btn", "driver": "zigbee2mqtt", "kind": "sensor", "link": {"mqtt": "zigbee2mqtt/btn"}},
    {"id": "rdr", "driver": "tasmota", "kind": "reader", "place": "gate", "link": {"mqtt": "rdr"}},
    {"id": "rdr-bridge", "driver": "tasmota", "kind": "reader", "place": "gate", "link": {"mqtt": "yard/%prefix%"}},
    {"id": "plug", "driver": "tasmota", "kind": "meter", "link": {"mqtt": "plug"}},
]


class Said(NamedTuple):
    """One recorded message."""

    topic: str
    payload: str
    retained: bool = False
    qos: int = 0


def site(broker: Mosquitto) -> dict[str, Any]:
    return {
        "site": {"id": "s", "name": "s", "timezone": "UTC", "language": "en", "latitude": 31.2, "longitude": 121.5},
        "places": [{"id": "gate", "name": "gate"}],
        "devices": DEVICES,
        "checkpoints": [
            {"id": "cp", "place": "gate", "reader": "rdr"},
            {"id": "cp-yard", "place": "gate", "reader": "rdr-bridge"},
        ],
        "mqtt": {"host": broker.host, "port": broker.port},
    }


class Client:
    """A device's own connection to the broker, with its last will.

    Args:
        will: what the broker says for it when the connection is torn.
    """

    def __init__(self, broker: Mosquitto, name: str, will: Said | None = None) -> None:
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name)
        if will is not None:
            self._client.will_set(will.topic, will.payload, qos=1, retain=will.retained)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def say(self, *messages: Said) -> None:
        """Publish in order; returns when the broker has them."""
        for each in messages:
            told = self._client.publish(each.topic, each.payload, qos=each.qos or 1, retain=each.retained)
            told.wait_for_publish(LONGEST_WAIT_S)

    def say_once(self, message: Said) -> None:
        """Publish at QoS 0, as Tasmota does, and see by a QoS 1 message behind it that the broker has taken it."""
        self._client.publish(message.topic, message.payload, qos=0)
        self.say(Said("test/behind", ""))

    def lose_power(self) -> None:
        """Gone without a word: the connection is torn (TCP reset), and the broker publishes the last will."""
        self._client.loop_stop()
        connection = self._client.socket()
        assert connection is not None
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    def leave(self) -> None:
        """Disconnect in order; no last will."""
        self._client.disconnect()
        self._client.loop_stop()


def rows(gateway: GatewayProcess, *devices: str) -> list[tuple[str, str, dict[str, Any]]]:
    """(device, kind, what it says) of the journal, in order; times and what the gateway adds left out."""
    found = []
    for device, kind, body in gateway.query("SELECT device, kind, body FROM log ORDER BY seq"):
        if device in devices and kind != "link":
            fields = json.loads(body)
            found.append(
                (device, kind, {key: fields[key] for key in fields if key not in ("kind", "device", "at", "received")})
            )
    return found


def refused(gateway: GatewayProcess) -> list[tuple[str, str]]:
    """(topic, reason) of the quarantine, in order."""
    return [(topic, reason) for topic, reason in gateway.query("SELECT topic, reason FROM quarantine ORDER BY seq")]


def eventually(condition: Callable[[], bool], what: Callable[[], object]) -> None:
    """Poll: what is waited for happens in another process."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


@contextmanager
def at_work(folder: Path, *kept: Said) -> Iterator[tuple[Mosquitto, GatewayProcess]]:
    """A broker that keeps `kept` already, and a gateway that has just met it."""
    with Mosquitto(folder) as broker, GatewayProcess(folder / "gateway", site(broker)) as gateway:
        earlier = Client(broker, "earlier")
        earlier.say(*kept)
        earlier.leave()
        gateway.start()
        wait_for_session(broker, gateway)
        yield broker, gateway


def wait_for_session(broker: Mosquitto, gateway: GatewayProcess) -> None:
    """The gateway hears the broker: what is said to it now and refused comes out in its quarantine."""
    sounded = len(refused(gateway))
    probe = Client(broker, "probe")

    def heard() -> bool:
        probe.say(Said("plug/unheard", ""), Said("tele/plug/LWT", "sounding"))
        return len(refused(gateway)) > sounded

    eventually(
        lambda: any(reason.startswith("LWT") for _, reason in refused(gateway)[sounded:]) or heard(),
        refused_of(gateway),
    )
    probe.leave()


def refused_of(gateway: GatewayProcess) -> Callable[[], object]:
    return lambda: (refused(gateway), gateway.log[-2000:])


def expect(gateway: GatewayProcess, wanted: list[tuple[str, str, dict[str, Any]]], *devices: str) -> None:
    """The journal comes to hold these rows of the devices, no other ones, in this order."""
    eventually(
        lambda: len(rows(gateway, *devices)) >= len(wanted),
        lambda: (rows(gateway, *devices), refused(gateway), gateway.log[-2000:]),
    )
    assert rows(gateway, *devices) == wanted


LUX = "zigbee2mqtt/tower 1/lux"


def test_a_night_of_zigbee2mqtt(tmp_path: Path) -> None:
    kept = [
        Said("zigbee2mqtt/bridge/state", '{"state":"online"}', retained=True),
        Said(f"{LUX}/availability", '{"state":"online"}', retained=True),
        Said("zigbee2mqtt/pir/availability", '{"state":"offline"}', retained=True),
        Said(LUX, '{"battery":97,"illuminance":46,"linkquality":120}', retained=True),
        Said("zigbee2mqtt/btn", '{"action":"emergency","battery":100}', retained=True),
    ]
    will = Said("zigbee2mqtt/bridge/state", '{"state":"offline"}', retained=True)
    with at_work(tmp_path, *kept) as (broker, gateway):
        # What the broker kept: a device that is gone is gone; a value, a sign of life (also the bridge's: nobody is
        # behind it here) and a call of unknown age are nothing.
        bridge_on = ("z2m", "device_status", {"online": True, "reason": "bridge_state"})
        bridge_off = ("z2m", "device_status", {"online": False, "reason": "bridge_state"})
        pir_off = ("pir", "device_status", {"online": False, "reason": "availability"})
        devices = ("z2m", "lux", "pir", "btn")
        kept_out = ["zigbee2mqtt/btn"]
        eventually(
            lambda: [topic for topic, reason in refused(gateway) if "retained" in reason] == kept_out,
            refused_of(gateway),
        )
        expect(gateway, [pir_off], *devices)
        begun = rows(gateway, *devices)

        bridge = Client(broker, "zigbee2mqtt", will)
        bridge.say(
            Said(LUX, '{"battery":97,"illuminance":12,"linkquality":118,"voltage":2995}'),
            Said("zigbee2mqtt/pir/availability", '{"state":"online"}', retained=True),
            Said("zigbee2mqtt/pir", '{"battery":100,"occupancy":true,"linkquality":84}'),
            Said("zigbee2mqtt/btn", '{"action":"emergency","battery":100,"linkquality":60}'),
        )
        live = [
            ("lux", "measurement", {"quantity": "battery", "value": 97.0, "unit": "%"}),
            ("lux", "light_level", {"lux": 12.0}),
            ("lux", "measurement", {"quantity": "linkquality", "value": 118.0}),
            ("lux", "measurement", {"quantity": "battery_voltage", "value": 2995.0, "unit": "mV"}),
            ("pir", "device_status", {"online": True, "reason": "availability"}),
            ("pir", "measurement", {"quantity": "battery", "value": 100.0, "unit": "%"}),
            ("pir", "motion", {}),
            ("pir", "measurement", {"quantity": "linkquality", "value": 84.0}),
            ("btn", "panic", {}),
            ("btn", "measurement", {"quantity": "battery", "value": 100.0, "unit": "%"}),
            ("btn", "measurement", {"quantity": "linkquality", "value": 60.0}),
        ]
        expect(gateway, begun + live, *devices)

        # The host of Zigbee2MQTT loses power, and comes back.
        bridge.lose_power()
        expect(gateway, [*begun, *live, bridge_off], *devices)
        bridge = Client(broker, "zigbee2mqtt", will)
        bridge.say(Said("zigbee2mqtt/bridge/state", '{"state":"online"}', retained=True))
        night = [*begun, *live, bridge_off, bridge_on]
        expect(gateway, night, *devices)

        # The gateway is killed; what comes meanwhile at QoS 1 the broker keeps for it. What it keeps for everyone comes again
        # at the reconnect: nothing in it is an event.
        gateway.kill()
        bridge.say(
            Said("zigbee2mqtt/pir", '{"battery":100,"occupancy":false,"linkquality":80}'),
            Said(LUX, '{"illuminance":0}'),
        )
        gateway.start()
        meanwhile = [("pir", "motion", {"active": False}), ("lux", "light_level", {"lux": 0.0})]
        eventually(lambda: all(row in rows(gateway, *devices) for row in meanwhile), refused_of(gateway))
        wait_for_session(broker, gateway)
        since = rows(gateway, *devices)[len(night) :]
        assert rows(gateway, *devices)[: len(night)] == night
        assert [row for row in since if row[1] in ("motion", "light_level")] == meanwhile
        assert not [row for row in since if row[1] == "panic"]
        bridge.leave()


def test_a_night_of_tasmota(tmp_path: Path) -> None:
    card = '{"Time":"2026-11-23T22:00:00","PN532":{"UID":"94D8FC5F","Data":"","Auth":"None"}}'
    kept = [
        Said("tele/rdr/LWT", "Online", retained=True),
        Said("yard/tele/LWT", "Offline", retained=True),
        Said("tele/rdr/SENSOR", card, retained=True),
        Said("stat/plug/POWER", "ON", retained=True),
    ]
    with at_work(tmp_path, *kept) as (broker, gateway):
        # What the broker kept: only that a device is gone. A card, a lamp and a sign of life of unknown age are nothing.
        gone = ("rdr-bridge", "device_status", {"online": False, "reason": "lwt"})
        devices = ("rdr", "rdr-bridge", "plug")
        expect(gateway, [gone], *devices)
        assert [topic for topic, reason in refused(gateway) if "retained" in reason] == ["tele/rdr/SENSOR"]

        # A reader starts: its birth, its state, a card, the same card in the telemetry, the card once more.
        reader = Client(broker, "DVES_1", Said("tele/rdr/LWT", "Offline", retained=True))
        reader.say(
            Said("tele/rdr/LWT", "Online", retained=True),
            Said("tele/rdr/INFO1", '{"Info1":{"Module":"Generic","Version":"14.2.0(tasmota)"}}'),
            Said(
                "tele/rdr/STATE", '{"Time":"1970-01-01T00:00:08","UptimeSec":8,"Wifi":{"AP":1,"RSSI":86,"Signal":-57}}'
            ),
            Said("tele/rdr/SENSOR", card),
            Said(
                "tele/rdr/SENSOR",
                '{"Time":"2026-11-23T22:05:00","PN532":{"UID":"94D8FC5F"},"BH1750":{"Illuminance":79}}',
            ),
        )
        tap = ("rdr", "tag_read", {"tag": "94D8FC5F", "method": "nfc"})
        night: list[tuple[str, str, dict[str, Any]]] = [
            gone,
            ("rdr", "device_status", {"online": True, "reason": "lwt"}),
            ("rdr", "measurement", {"quantity": "uptime", "value": 8.0, "unit": "s"}),
            ("rdr", "measurement", {"quantity": "wifi_quality", "value": 86.0, "unit": "%"}),
            ("rdr", "measurement", {"quantity": "rssi", "value": -57.0, "unit": "dB[mW]"}),
            tap,
            ("rdr", "light_level", {"lux": 79.0}),
        ]
        expect(gateway, night, *devices)
        # Without a clock of its own two reads are two only where they arrive at two moments: so the first is waited for.
        reader.say(Said("tele/rdr/SENSOR", card.replace("22:00:00", "22:06:10")))
        night.append(tap)
        expect(gateway, night, *devices)

        # A reader on a serial bridge comes back: its frames while a tag is held to it are one read; a cut one is kept.
        yard = Client(broker, "DVES_2", Said("yard/tele/LWT", "Offline", retained=True))
        bridged = json.dumps({"SSerialReceived": FRAME})
        yard.say(
            Said("yard/tele/LWT", "Online", retained=True),
            Said("yard/tele/RESULT", json.dumps({"SSerialReceived": "\x03".join([FRAME] * 4)})),
            Said("yard/tele/RESULT", json.dumps({"SSerialReceived": FRAME[:7]})),
        )
        night += [
            ("rdr-bridge", "device_status", {"online": True, "reason": "lwt"}),
            ("rdr-bridge", "tag_read", {"tag": "6F007B3972"}),
        ]
        expect(gateway, night, *devices)
        eventually(lambda: any("frame of 6 digits" in reason for _, reason in refused(gateway)), refused_of(gateway))

        # A plug is switched and measured, and loses power; its last will is the broker's word.
        plug = Client(broker, "DVES_3", Said("tele/plug/LWT", "Offline", retained=True))
        plug.say(
            Said("tele/plug/LWT", "Online", retained=True),
            Said("stat/plug/RESULT", '{"POWER":"OFF"}'),
            Said("stat/plug/POWER", "ON"),
            Said(
                "tele/plug/SENSOR",
                '{"Time":"2026-11-23T22:10:00","ENERGY":{"Total":0.017,"Today":0.017,"Power":2635,"ApparentPower":2647,'
                '"ReactivePower":254,"Factor":1.00,"Voltage":227,"Current":11.661}}',
            ),
        )
        plug.lose_power()
        night += [
            ("plug", "device_status", {"online": True, "reason": "lwt"}),
            ("plug", "lamp_state", {"on": False}),
            ("plug", "lamp_state", {"on": True}),
            (
                "plug",
                "power",
                {"watts": 2635.0, "volts": 227.0, "amps": 11.661, "power_factor": 1.0, "energy_wh": 17.0},
            ),
            ("plug", "device_status", {"online": False, "reason": "lwt"}),
        ]
        expect(gateway, night, *devices)

        # The gateway is killed. Tasmota speaks at QoS 0: a card of that time is lost, as its guarantee says; one at QoS 1 (a
        # bridge between brokers) is not. At the reconnect the broker tells again that the plug is gone.
        gateway.kill()
        reader.say_once(Said("tele/rdr/SENSOR", card.replace("94D8FC5F", "AAAAAAAA").replace("22:00:00", "22:20:00")))
        yard.say(Said("yard/tele/RESULT", bridged))
        gateway.start()
        eventually(lambda: len(rows(gateway, "rdr-bridge")) == 4, refused_of(gateway))
        wait_for_session(broker, gateway)
        assert rows(gateway, *devices)[: len(night)] == night
        since = rows(gateway, *devices)[len(night) :]
        assert [row for row in since if row[1] != "device_status"] == [
            ("rdr-bridge", "tag_read", {"tag": "6F007B3972"})
        ]
        assert {row for row in map(str, since) if "device_status" in row} <= {
            str(("plug", "device_status", {"online": False, "reason": "lwt"}))
        }
        reader.leave()
        yard.leave()
