"""The Things Stack's own side: what it publishes of a device. Nothing is published here."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec


class Message(NamedTuple):
    """What The Things Stack publishes: where, what, and whether the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool = False


def uplink(
    base: str, at: datetime, data: bytes = b"", *, count: int = 0, decoded: Mapping[str, Any] | None = None
) -> Message:
    """An uplink; fields that are zero or empty are left out."""
    body: dict[str, Any] = {"session_key_id": "AXBSH1Pk6Z0G166iT2cKvg==", "received_at": at.isoformat()}
    body |= {"f_cnt": count} if count else {}
    body |= {"f_port": 85, "frm_payload": b64encode(data).decode()} if data else {}
    body |= {"decoded_payload": decoded} if decoded is not None else {}
    body["rx_metadata"] = [{"gateway_ids": {"gateway_id": "gtw1"}, "rssi": -35, "snr": 5}]
    return _message(base, "up", at, {"uplink_message": body})


def join(base: str, at: datetime) -> Message:
    """The device joined."""
    return _message(base, "join", at, {"join_accept": {"session_key_id": "AXBSH1Pk6Z0G166iT2cKvg=="}})


def _message(base: str, event: str, at: datetime, body: Mapping[str, Any]) -> Message:
    head = {
        "end_device_ids": {"device_id": base.rpartition("/")[2], "dev_eui": "0004A30B001C0530"},
        "received_at": at.isoformat(),
    }
    return Message(f"{base}/{event}", msgspec.json.encode(head | dict(body)))
