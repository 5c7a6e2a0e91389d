"""Native payloads: one observation or an array of them, each kept as its exact JSON bytes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, get_args

import msgspec

from device_drivers.driver import Reading
from device_drivers.errors import DecodeError
from device_drivers.native.topics import up
from device_drivers.observations import (
    Incident,
    Motion,
    Observation,
    Panic,
    ReaderHeartbeat,
    SyncEnd,
    TagRead,
    decode,
    read,
)
from device_drivers.tag import normal_tag

_EVENTS = (TagRead, Motion, Panic, Incident)
"""What happened once: retained, it is old news (protocols R2)."""

_TIMES: dict[type, tuple[str, ...]] = {ReaderHeartbeat: ("device_now",), SyncEnd: ("device_now", "complete_to")}
"""The fields that hold times beside the common ones."""

_PLAIN = frozenset(kind for kind in get_args(Observation) if kind not in _EVENTS and kind not in _TIMES)
"""Kinds with nothing to check beyond what all have."""

_DEEPEST = 32
"""Levels of nesting that an observation may have: none needs more than 3, and every later reader recurses."""

_anything = msgspec.json.Decoder()
_array = msgspec.json.Decoder(list[msgspec.Raw])
_set = msgspec.structs.force_setattr
_reading = tuple.__new__
"""Makes a Reading without the detour through the named tuple's own constructor: this is the busiest line."""


def read_observation(body: bytes) -> Observation:
    """The observation in one JSON object; its tag normalised, unknown fields passed over.

    Raises:
        DecodeError: not JSON, not UTF-8, nested deeper than 32, an unknown kind, a field of the wrong type or out of
            range, a time without offset, a tag that is not hexadecimal, `seq` without `boot`.
    """
    try:
        observation = decode(body)
    except (ValueError, RecursionError):
        observation = _with_unknown(body)
    if observation.seq is not None and observation.boot is None:
        raise DecodeError("`seq` without `boot`: the count has no meaning after a restart")
    if type(observation) is TagRead:
        _set(observation, "tag", normal_tag(observation.tag))
    if not 1 < observation.at.year < 9999 or observation.received is not None or type(observation) in _TIMES:
        _check_years(observation)
    return observation


def _with_unknown(body: bytes) -> Observation:
    """The observation in JSON that has unknown fields, or is wrong: says how."""
    try:
        observation = read(body)
    except (ValueError, RecursionError, OverflowError) as error:
        raise DecodeError(_reason(error)) from error
    if body.count(b"{") + body.count(b"[") > _DEEPEST and _depth(body) > _DEEPEST:
        raise DecodeError(f"JSON nested deeper than {_DEEPEST} levels")
    return observation


class NativeDecoder:
    """The decoder of all native devices of one site: the topic says which one speaks."""

    def __init__(self, site: str) -> None:
        self._site = site

    def decode(
        self,
        topic: str,
        payload: bytes,
        received: datetime,
        *,
        retained: bool = False,
    ) -> list[Reading]:
        """Decode one message; all of it or nothing.

        `received` in a payload is the device's claim and does not reach the observation. Retained states are taken,
        they carry their own time; retained events are refused.

        Raises:
            DecodeError: not one of this site's `up` topics, a payload naming another device than its topic, or what
                `read_observation` refuses.
        """
        return self._message(self._device(topic), payload, received, retained=retained)

    def bound(self, topic: str) -> Callable[..., list[Reading]]:
        """`decode` for one topic, which is taken apart only once.

        Raises:
            DecodeError: not one of this site's `up` topics.
        """
        device = self._device(topic)
        long_way = partial(self._message, device)

        def short_way(payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
            """What nearly every message is: one observation of a kind with no more to check, of this device."""
            try:
                observation = decode(payload)
            except (ValueError, RecursionError):
                return long_way(payload, received, retained=retained)
            kind = type(observation)
            if (
                (kind not in _PLAIN and (kind is not ReaderHeartbeat or not _told_well(observation)))
                or (observation.device and observation.device != device)
                or observation.received is not None
                or not 1 < observation.at.year < 9999
                or (observation.seq is not None and observation.boot is None)
                or payload[:1] != b"{"
            ):
                return long_way(payload, received, retained=retained)
            if not observation.device:
                _set(observation, "device", device)
            return [_reading(Reading, (observation, payload))]

        return short_way

    def _message(
        self,
        device: str,
        payload: bytes,
        received: datetime,  # noqa: ARG002
        *,
        retained: bool = False,
    ) -> list[Reading]:
        if payload[:1] == b"{":
            return [self._reading(device, payload, retained)]
        text = payload.strip()
        if text[:1] != b"[":
            return [self._reading(device, text, retained)]
        try:
            bodies = _array.decode(text)
        except (ValueError, RecursionError) as error:
            raise DecodeError(_reason(error)) from error
        readings = []
        for position, body in enumerate(bodies):
            try:
                readings.append(self._reading(device, bytes(body), retained))
            except DecodeError as error:
                raise DecodeError(f"item {position} of the array: {error.reason}", error.data) from error
        return readings

    def _reading(self, device: str, body: bytes, retained: bool) -> Reading:
        observation = read_observation(body)
        if observation.device != device:
            if observation.device:
                raise DecodeError(f"the payload names device {observation.device!r}, its topic {device!r}")
            _set(observation, "device", device)
        if observation.received is not None:
            _set(observation, "received", None)
        if retained and isinstance(observation, _EVENTS):
            kind = observation.__struct_config__.tag
            raise DecodeError(f"retained {kind}: old state, not an event (publish events without retain)")
        return _reading(Reading, (observation, body))

    def _device(self, topic: str) -> str:
        head, tail = up(self._site, "+").split("+")
        device = topic[len(head) : -len(tail)]
        if not (topic.startswith(head) and topic.endswith(tail)) or not device or "/" in device:
            raise DecodeError(f"topic {topic!r}: expected {up(self._site, 'DEVICE')}")
        return device


def _told_well(heartbeat: Any) -> bool:
    now: datetime | None = heartbeat.device_now
    return now is None or 1 < now.year < 9999


def _check_years(observation: Observation) -> None:
    told = type(observation) is ReaderHeartbeat and observation.received is None and _told_well(observation)
    if told and 1 < observation.at.year < 9999:
        return
    for name in ("at", "received", *_TIMES.get(type(observation), ())):
        time: datetime | None = getattr(observation, name)
        if time is not None and not 1 < time.year < 9999:
            raise DecodeError(f"`{name}` is in the year {time.year}, which cannot be told in every time zone")


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "JSON nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"text that is not UTF-8: {error.reason}"
    return str(error)


def _depth(body: bytes) -> int:
    """How deep the JSON in `body` is nested, without recursion."""
    deepest = 0
    level = [_anything.decode(body)]
    while level:
        deepest += 1
        level = [
            item
            for holder in level
            for item in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(item, (dict, list))
        ]
    return deepest
