"""OpenBeken's own side: the topics and payloads that a device publishes, for simulated devices and tests. Nothing is sent here."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec


class Message(NamedTuple):
    """What a device publishes: where, what, and whether the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool = False


def connected(base: str, online: bool) -> Message:
    """It comes, or its last will says that it went; `base` is its client topic."""
    return Message(f"{base}/connected", b"online" if online else b"offline", retained=True)


def value(base: str, name: str | int, reading: float, *, retained: bool = False) -> Message:
    """A channel (by its number) or a value (`voltage`) that changed; the device retains it where its flag says so."""
    return Message(f"{base}/{name}/get", f"{reading:g}".encode(), retained)


def rssi(base: str, reading: int) -> Message:
    """The radio's strength in dBm, told each minute where broadcasts are on."""
    return Message(f"{base}/rssi", str(reading).encode())


def energy(base: str, now: datetime, watts: float, *, total_wh: float = 0.0) -> Message:
    """Telemetry in Tasmota's form of a metering plug at 230 V."""
    body = {
        "Time": now.replace(tzinfo=None).isoformat(timespec="seconds"),
        "ENERGY": {
            "Power": watts,
            "ApparentPower": watts,
            "ReactivePower": 0,
            "Factor": 1,
            "Voltage": 230.0,
            "Current": round(watts / 230, 3),
            "ConsumptionTotal": total_wh,
            "ConsumptionLastHour": 0,
        },
    }
    return Message(f"tele/{base}/SENSOR", msgspec.json.encode(body))
