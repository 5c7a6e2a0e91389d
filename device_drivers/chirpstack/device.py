"""ChirpStack's own side: the events it publishes of a device. Nothing is published here."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec


class Message(NamedTuple):
    """What ChirpStack publishes: where, what, and whether the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool = False


def uplink(
    base: str, at: datetime, data: bytes = b"", *, count: int = 0, decoded: Mapping[str, Any] | None = None
) -> Message:
    """An uplink; as in proto-JSON, what has its default is left out."""
    body: dict[str, Any] = {"fCnt": count} if count else {}
    body |= {"fPort": 85, "data": b64encode(data).decode()} if data else {}
    body |= {"object": decoded} if decoded is not None else {}
    return _event(base, "up", at, {**body, "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -48, "snr": 9}]})


def status(base: str, at: datetime, *, margin: int, battery: float) -> Message:
    """The device's answer to a status request."""
    return _event(base, "status", at, {"margin": margin, "batteryLevel": battery})


def join(base: str, at: datetime) -> Message:
    """The device joined."""
    return _event(base, "join", at, {"devAddr": "00189440"})


def _event(base: str, event: str, at: datetime, body: Mapping[str, Any]) -> Message:
    head = {"time": at.isoformat(), "deviceInfo": {"devEui": base.rpartition("/")[2]}}
    return Message(f"{base}/event/{event}", msgspec.json.encode(head | dict(body)))
