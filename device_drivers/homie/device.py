"""A Homie device's own side: the topics and payloads it publishes. Nothing is published here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec


class Message(NamedTuple):
    """What a device publishes: where, what, and whether the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool = False


def state(base: str, word: str) -> Message:
    """The device's `$state`; the last will is the same with `lost`."""
    return Message(f"{base}/$state", word.encode(), retained=True)


def description(base: str, nodes: Mapping[str, Mapping[str, tuple[str, str]]]) -> Message:
    """Version 5's description: of each node the datatype and unit of its properties."""
    body = {
        "homie": "5.0",
        "version": 1,
        "nodes": {
            node: {"properties": {name: {"datatype": sort, "unit": unit} for name, (sort, unit) in properties.items()}}
            for node, properties in nodes.items()
        },
    }
    return Message(f"{base}/$description", msgspec.json.encode(body), retained=True)


def value(base: str, name: str, text: str, *, retained: bool = False) -> Message:
    """A property's value; `name` is `node/property`. A device publishes it retained: a subscriber that is there already
    is sent it without the flag.
    """
    return Message(f"{base}/{name}", text.encode() or b"\0", retained)
