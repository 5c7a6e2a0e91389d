"""A device's own side in Home Assistant's convention: its discovery messages and states. Nothing is published here."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec


class Message(NamedTuple):
    """What a device publishes: where, what, and whether the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool = False


def config(component: str, name: str, **fields: Any) -> Message:
    """A discovery message of one entity."""
    return Message(f"homeassistant/{component}/{name}/config", msgspec.json.encode(fields), retained=True)


def removed(component: str, name: str) -> Message:
    """An entity is no more."""
    return Message(f"homeassistant/{component}/{name}/config", b"", retained=True)


def state(topic: str, text: str) -> Message:
    """A state, a scan or an availability as plain text."""
    return Message(topic, text.encode())
