"""A device's own side: the JSON or plain text that it publishes. Nothing is published here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec


class Message(NamedTuple):
    """What a device publishes: where, what, and whether the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool = False


def document(topic: str, values: Mapping[str, Any]) -> Message:
    """A JSON object."""
    return Message(topic, msgspec.json.encode(values))


def word(topic: str, text: str, *, retained: bool = False) -> Message:
    """Plain text, as of a last will."""
    return Message(topic, text.encode(), retained)
