"""A Shelly's own side: the topics and payloads it publishes. Nothing is published here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec


class Message(NamedTuple):
    """What a device publishes: where, what, and whether the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool = False


def online(base: str, there: bool) -> Message:
    """The device comes; the last will is the same with false."""
    return Message(f"{base}/online", b"true" if there else b"false", retained=True)


def relay(base: str, on: bool, *, output: int = 0) -> Message:
    """First generation: an output's state."""
    return Message(f"{base}/relay/{output}", b"on" if on else b"off")


def value(base: str, name: str, number: float) -> Message:
    """First generation: one number on its topic (`relay/0/power`, `emeter/0/voltage`)."""
    return Message(f"{base}/{name}", b"%.2f" % number)


def press(base: str, event: str, count: int, *, contact: int = 0) -> Message:
    """First generation: the last press of an input (S, SS, L …) and how many there were since the start."""
    payload = msgspec.json.encode({"event": event, "event_cnt": count})
    return Message(f"{base}/input_event/{contact}", payload)


def changed(base: str, components: Mapping[str, Any], at: datetime, *, whole: bool = False) -> Message:
    """Later generations: what has changed, or the whole status (after a sleep)."""
    method = "NotifyFullStatus" if whole else "NotifyStatus"
    return _notify(base, method, {"ts": at.timestamp(), **components})


def pressed(base: str, event: str, at: datetime, *, contact: int = 0) -> Message:
    """Later generations: a press (`single_push`, `long_push` …)."""
    happened = {"component": f"input:{contact}", "id": contact, "event": event, "ts": at.timestamp()}
    return _notify(base, "NotifyEvent", {"ts": at.timestamp(), "events": [happened]})


def component(base: str, name: str, status: Mapping[str, Any]) -> Message:
    """Later generations: the whole state of one component, where `status_ntf` is on."""
    return Message(f"{base}/status/{name}", msgspec.json.encode(status))


def _notify(base: str, method: str, params: Mapping[str, Any]) -> Message:
    frame = {"src": base.rpartition("/")[2], "dst": f"{base}/events", "method": method, "params": params}
    return Message(f"{base}/events/rpc", msgspec.json.encode(frame))
