"""Zigbee2MQTT's own side: the topics and payloads it publishes for simulated devices. Nothing is published here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec


class Message(NamedTuple):
    """What Zigbee2MQTT publishes: where, what, and whether the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool = False


def light(name: str, lux: int, *, linkquality: int = 120, seen: datetime | None = None) -> Message:
    """A light sensor's report, since 2.0: `illuminance` is lux."""
    return _state(name, {"battery": 97, "illuminance": lux, "linkquality": linkquality, "voltage": 2995}, seen)


def motion(name: str, active: bool, *, lux: int | None = None, seen: datetime | None = None) -> Message:
    """A motion sensor's report."""
    values: dict[str, object] = {"battery": 100, "linkquality": 84, "occupancy": active}
    return _state(name, values if lux is None else values | {"illuminance": lux}, seen)


def contact(name: str, closed: bool, *, seen: datetime | None = None) -> Message:
    """A door contact's report."""
    return _state(name, {"battery": 100, "contact": closed, "linkquality": 102, "voltage": 3005}, seen)


def plug(name: str, on: bool, watts: float, *, energy_kwh: float = 0.0, seen: datetime | None = None) -> Message:
    """A metering plug's report at 230 V."""
    values = {
        "current": round(watts / 230, 2),
        "energy": round(energy_kwh, 2),
        "linkquality": 200,
        "power": watts,
        "state": "ON" if on else "OFF",
        "voltage": 230,
    }
    return _state(name, values, seen)


def lamp(name: str, on: bool, *, brightness: int = 254, seen: datetime | None = None) -> Message:
    """A lamp's report; `brightness` 0 to 254."""
    return _state(name, {"brightness": brightness, "linkquality": 150, "state": "ON" if on else "OFF"}, seen)


def button(name: str, action: str, *, seen: datetime | None = None) -> Message:
    """A button was pressed; an emergency button's action is `emergency`."""
    return _state(name, {"action": action, "battery": 100, "linkquality": 60}, seen)


def availability(name: str, online: bool) -> Message:
    """Zigbee2MQTT's verdict on a device."""
    return Message(f"{name}/availability", _online(online), retained=True)


def bridge_state(base: str, online: bool) -> Message:
    """Zigbee2MQTT itself comes or goes; `base` is its base topic (`zigbee2mqtt`). The last will is the same message."""
    return Message(f"{base}/bridge/state", _online(online), retained=True)


def _online(online: bool) -> bytes:
    return b'{"state":"online"}' if online else b'{"state":"offline"}'


def _state(name: str, values: Mapping[str, object], seen: datetime | None) -> Message:
    """A device's message on its topic `name` (base topic included); `seen` is added where `last_seen` is on."""
    if seen is not None:
        values = {**values, "last_seen": seen.isoformat(timespec="milliseconds")}
    return Message(name, msgspec.json.encode(values))
