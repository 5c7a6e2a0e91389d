"""An ESPHome device's own side: the topics and payloads it publishes. Nothing is published here."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Message(NamedTuple):
    """What a device publishes: where, what, and whether the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool = False


def status(base: str, there: bool) -> Message:
    """The birth message; the will is the same with offline."""
    return Message(f"{base}/status", b"online" if there else b"offline", retained=True)


def sensor(base: str, object_id: str, number: float, *, digits: int = 1) -> Message:
    """A sensor's state with its `accuracy_decimals`; a NaN is "nan"."""
    return Message(f"{base}/sensor/{object_id}/state", f"{number:.{digits}f}".encode())


def switched(base: str, component: str, object_id: str, on: bool) -> Message:
    """The state of a switch or binary sensor."""
    return Message(f"{base}/{component}/{object_id}/state", b"ON" if on else b"OFF")


def light(base: str, object_id: str, on: bool, *, brightness: int = 255) -> Message:
    """A light's state; `brightness` 0 to 255."""
    body = {"color_mode": "brightness", "state": "ON" if on else "OFF", "brightness": brightness}
    return Message(f"{base}/light/{object_id}/state", msgspec.json.encode(body))


def tag(base: str, uid: str) -> Message:
    """What `on_tag` in its YAML publishes of a card."""
    return Message(f"{base}/tag", uid.encode())
