"""A Milesight device's own side: its payloads as real bytes, and what a Milesight gateway makes of them."""

from __future__ import annotations

from base64 import b64encode
from struct import pack
from typing import NamedTuple

import msgspec


class Message(NamedTuple):
    """What a gateway publishes: where, what, and whether the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool = False


def light(lux: int, *, battery: int = 100) -> bytes:
    """An EM500-LGT's report."""
    return pack("<BBBBBI", 0x01, 0x75, battery, 0x03, 0x94, lux)


def motion(active: bool, *, bright: bool = False, battery: int = 100) -> bytes:
    """A WS202's report."""
    return bytes([0x01, 0x75, battery, 0x03, 0x00, active, 0x04, 0x00, bright])


def socket(on: bool, *, watts: int, volts: float = 230.0, energy_wh: int = 0) -> bytes:
    """A WS523's report."""
    return (
        pack("<BBB", 0x08, 0x70, on)
        + pack("<BBB", 0x05, 0x81, 100)
        + pack("<BBH", 0x07, 0xC9, round(watts / volts * 1000))
        + pack("<BBH", 0x03, 0x74, round(volts * 10))
        + pack("<BBI", 0x06, 0x83, energy_wh)
        + pack("<BBI", 0x04, 0x80, watts)
    )


def press(code: int, *, battery: int = 100) -> bytes:
    """A WS101's button: 1 short, 2 long, 3 double."""
    return bytes([0x01, 0x75, battery, 0xFF, 0x2E, code])


def gateway_message(topic: str, dev_eui: str, payload: bytes) -> Message:
    """What a Milesight gateway's own network server publishes of an uplink."""
    return Message(topic, msgspec.json.encode({"devEUI": dev_eui, "data": b64encode(payload).decode(), "fPort": 85}))
