"""Messages of a Neuron gateway: the tags of a group in three formats, and the states of its nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.json_values import millis, read_object, shown
from device_drivers.mapping import Map, measurements
from device_drivers.observations import DeviceStatus

_STATE_EVERY = timedelta(seconds=30)
"""Neuron states its nodes as often as each second; the same state is handed on this often."""

_SORTS: Mapping[int, tuple[str, Callable[[Any], bool]]] = {
    1: ("a flag", lambda value: type(value) is bool),
    2: ("a whole number", lambda value: type(value) is int),
    3: ("a number", lambda value: type(value) is float or type(value) is int),
    4: ("text", lambda value: type(value) is str),
}
"""`type` of a tag in the ECP format."""


class NeuronDecoder:
    """One device behind Neuron: a node, or a group of it.

    Args:
        device: its id.
        upload / state: the topics of the tags and of the nodes' states ("": not heard).
        node / group: whose tags; None: of all that come on the topic.
        mapping: from tags to observations; None: numbers and flags become measurements named by their tags.
    """

    def __init__(
        self,
        device: str,
        upload: str,
        state: str = "",
        *,
        node: str | None = None,
        group: str | None = None,
        mapping: Map | None = None,
    ) -> None:
        self._device = device
        self._upload = upload
        self._state = state
        self._node = node
        self._group = group
        self._mapping = mapping
        self._told: tuple[bool, datetime] | None = None

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message. A tag in error is no observation; nor is a message of another node or group. Of tags that cannot
        be read the message is kept as a reject; the others count.

        Raises:
            DecodeError: not a topic of this gateway, not of any of the formats, or nothing of it can be read.
        """
        if topic not in (self._upload, self._state) or not topic:
            raise DecodeError(f"topic {topic!r}: expected {self._upload}")
        if not payload:
            return []
        document = read_object(payload)
        if "states" in document:
            return self._states(document["states"], payload, received, retained=retained)
        for key, mine in (("node", self._node), ("group", self._group)):
            said = document.get(key)
            if said is not None and type(said) is not str:
                raise DecodeError(f"{key}: {shown(said)}, expected text")
            if mine is not None and said != mine:
                return []
        unread: list[str] = []
        tags = _tags(document, unread)
        at = millis(document.get("timestamp"), received)
        aged = retained and at is None
        moment = received if at is None else at
        if self._mapping is not None:
            readings = self._mapping.at(tags, moment, unread=unread, aged=aged, retained=retained)
        else:
            readings = [] if aged else measurements(tags, self._device, moment, unread=unread)
        return beside_unread(readings, payload, unread)

    def _states(self, states: Any, payload: bytes, received: datetime, *, retained: bool) -> list[Reading]:
        if type(states) is not list:
            raise DecodeError(f"states: {shown(states)}, expected a list")
        found: list[Reading] = []
        unread: list[str] = []
        for state in states:
            if type(state) is not dict or type(state.get("node")) is not str:
                unread.append("states: expected objects with `node` and `link`")
                continue
            node, link = state["node"], state.get("link")
            if retained or self._node not in (None, node):
                continue
            if type(link) is not int or link not in (0, 1):
                unread.append(f"states: link {shown(link)}, expected 0 or 1")
                continue
            online = link == 1
            if self._node is not None and not self._changed(online, received):
                continue
            reason = None if online else "link"
            channel = node if self._node is None else None
            found.append(
                Reading(DeviceStatus(device=self._device, at=received, online=online, reason=reason, channel=channel))
            )
        return beside_unread(found, payload, unread)

    def _changed(self, online: bool, received: datetime) -> bool:
        told = self._told
        if told is not None and told[0] == online and timedelta() <= received - told[1] < _STATE_EVERY:
            return False
        self._told = (online, received)
        return True


def _tags(document: Mapping[str, Any], unread: list[str]) -> dict[str, Any]:
    """The values that were read, by tag; of a tag that stands twice the first. `unread` is told of tags that are none."""
    values, tags, errors = document.get("values"), document.get("tags"), document.get("errors")
    if errors is not None and type(errors) is not dict:
        raise DecodeError(f"errors: {shown(errors)}, expected an object")
    if type(values) is dict:
        return {tag: value for tag, value in values.items() if not errors or not errors.get(tag)}
    if type(tags) is not list:
        raise DecodeError("neither `values` (an object) nor `tags` (a list), expected one of Neuron's formats")
    found: dict[str, Any] = {}
    for tag in tags:
        if type(tag) is not dict or type(tag.get("name")) is not str or not ("value" in tag or "error" in tag):
            unread.append("tags: expected objects with `name` and `value` or `error`")
            continue
        wrong = _wrong_sort(tag) if "type" in tag and tag.get("value") is not None else ""
        if wrong:
            unread.append(wrong)
        elif not tag.get("error") and "value" in tag:
            found.setdefault(tag["name"], tag["value"])
    return found


def _wrong_sort(tag: Mapping[str, Any]) -> str:
    """Why a value is not of the type that its tag names; "" if it is."""
    sort = tag["type"]
    if type(sort) is not int or sort not in _SORTS:
        return f"tag {shown(tag['name'])}: type {shown(sort)}, expected 1 to 4"
    name, is_right = _SORTS[sort]
    return "" if is_right(tag["value"]) else f"tag {shown(tag['name'])}: {shown(tag['value'])}, expected {name}"
