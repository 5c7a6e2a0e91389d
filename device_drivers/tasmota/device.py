"""Tasmota's own side: the topics and payloads that a device publishes, for simulated devices and tests. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec


class Message(NamedTuple):
    """What a device publishes: where, what, and whether the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool = False


class Device:
    """One device.

    Args:
        topic: its topic.
        full_topic: its FullTopic.
        offset: `Time` bears its offset (a build with it); usual builds write local time without.
    """

    def __init__(self, topic: str, *, full_topic: str = "%prefix%/%topic%/", offset: bool = False) -> None:
        self._root = full_topic.replace("%topic%", topic)
        self._offset = offset

    def will(self, online: bool) -> Message:
        """Its birth, and the last will that the broker publishes for it."""
        return Message(self._topic("tele", "LWT"), b"Online" if online else b"Offline", retained=True)

    def sensor(self, now: datetime, values: Mapping[str, Any]) -> Message:
        """Telemetry of its sensors; a card's read is such a message with nothing but the reader."""
        return self._json("tele", "SENSOR", {"Time": self._time(now), **values})

    def light(self, now: datetime, lux: float) -> Message:
        """Telemetry of a BH1750."""
        return self.sensor(now, {"BH1750": {"Illuminance": lux}})

    def card(self, now: datetime, uid: str, reader: str = "PN532") -> Message:
        """A card was read."""
        return self.sensor(
            now, {reader: {"UID": uid, "Data": "", "Auth": "None"} if reader == "PN532" else {"UID": uid}}
        )

    def bridged(self, digits: str) -> Message:
        """A frame of a reader on the serial bridge: 02 stays, 03 was the delimiter."""
        return self._json("tele", "RESULT", {"SSerialReceived": f"\x02{digits}"})

    def energy(self, now: datetime, watts: float, *, total_kwh: float = 0.0) -> Message:
        """Telemetry of a metering plug at 230 V."""
        amps = round(watts / 230, 3)
        body = {"Total": total_kwh, "Power": watts, "Factor": 1.0, "Voltage": 230, "Current": amps}
        return self.sensor(now, {"ENERGY": body})

    def state(self, now: datetime, outputs: Mapping[str, bool], *, uptime_s: int = 60) -> Message:
        """Telemetry of the device itself; `outputs` by name (`POWER`, `POWER1`)."""
        body = {
            "Time": self._time(now),
            "UptimeSec": uptime_s,
            **{name: "ON" if on else "OFF" for name, on in outputs.items()},
            "Wifi": {"RSSI": 86, "Signal": -57},
        }
        return self._json("tele", "STATE", body)

    def switched(self, on: bool, output: str = "POWER") -> list[Message]:
        """An output was switched: told as a result and on its own topic."""
        word = "ON" if on else "OFF"
        return [
            self._json("stat", "RESULT", {output: word}),
            Message(self._topic("stat", output), word.encode()),
        ]

    def pressed(self, name: str, action: str) -> Message:
        """A switch or button did something."""
        return self._json("stat", "RESULT", {name: {"Action": action}})

    def _time(self, now: datetime) -> str:
        return (
            now.isoformat(timespec="seconds")
            if self._offset
            else now.replace(tzinfo=None).isoformat(timespec="seconds")
        )

    def _json(self, prefix: str, last: str, body: Mapping[str, Any]) -> Message:
        return Message(self._topic(prefix, last), msgspec.json.encode(body))

    def _topic(self, prefix: str, last: str) -> str:
        return f"{self._root.replace('%prefix%', prefix)}{last}"
