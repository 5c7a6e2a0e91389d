"""Neuron's own side: what it uploads of a group, in each of its three formats. Nothing is published here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

_TYPES: Mapping[type, int] = {bool: 1, int: 2, float: 3, str: 4}


class Message(NamedTuple):
    """What Neuron publishes: where, what, and whether the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool = False


def values(
    topic: str, node: str, group: str, tags: Mapping[str, Any], at: datetime, *, errors: Mapping[str, int] | None = None
) -> Message:
    """The values format."""
    body = {**_head(node, group, at), "values": tags, "errors": errors or {}, "metas": {}}
    return Message(topic, msgspec.json.encode(body))


def tags(
    topic: str, node: str, group: str, read: Mapping[str, Any], at: datetime, *, errors: Mapping[str, int] | None = None
) -> Message:
    """The tags format."""
    items: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in read.items()]
    items += [{"name": name, "error": code} for name, code in (errors or {}).items()]
    return Message(topic, msgspec.json.encode({**_head(node, group, at), "tags": items}))


def ecp(topic: str, node: str, group: str, read: Mapping[str, bool | float | str], at: datetime) -> Message:
    """The ECP format: each tag with its type, none that is in error."""
    items = [{"name": name, "value": value, "type": _TYPES[type(value)]} for name, value in read.items()]
    return Message(topic, msgspec.json.encode({**_head(node, group, at), "tags": items}))


def states(topic: str, nodes: Mapping[str, bool], at: datetime) -> Message:
    """The states of the nodes: connected to their devices or not."""
    items = [{"node": node, "link": int(up), "running": 3} for node, up in nodes.items()]
    return Message(topic, msgspec.json.encode({"timestamp": _millis(at), "states": items}))


def _head(node: str, group: str, at: datetime) -> dict[str, Any]:
    return {"timestamp": _millis(at), "node": node, "group": group}


def _millis(at: datetime) -> int:
    return round(at.timestamp() * 1000)
