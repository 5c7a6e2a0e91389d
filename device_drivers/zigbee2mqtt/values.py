"""The values in Zigbee2MQTT's payloads: JSON objects, words, numbers, flags and times, each checked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from device_drivers.errors import DecodeError
from device_drivers.json_values import bared

_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
"""Zigbee2MQTT did not exist before: a host that says so has not set its clock."""
_AHEAD = timedelta(seconds=60)
"""A `last_seen` further ahead of the gateway than this is a wrong clock, as for taps (rounds.md, Clocks)."""

_NO_VALUE = frozenset({"", "nan", "NaN", "unknown", "unavailable"})
LARGEST = 1e12
"""No sensor in a building measures more; what is beyond is damage."""

_object = msgspec.json.Decoder(dict[str, Any])


def read_object(payload: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        DecodeError: something else.
    """
    try:
        return _object.decode(payload)
    except RecursionError as error:
        raise DecodeError("JSON nested too deeply") from error
    except ValueError as error:
        if (bare := bared(payload)) is not payload:
            return read_object(bare)
        raise DecodeError(f"not a JSON object: {error}") from error


def read_online(payload: bytes, topic: str) -> bool:
    """`{"state":"online"}`, or the plain word (before 2.0).

    Raises:
        DecodeError: neither online nor offline.
    """
    text = payload.strip()
    state = read_object(text).get("state") if text[:1] == b"{" else text.decode(errors="replace")
    if state == "online":
        return True
    if state == "offline":
        return False
    raise DecodeError(f"{topic}: state {_shown(state)}, expected online or offline")


def read_number(value: Any, key: str, *, flags: bool) -> float | None:
    """A number, also as text; with `flags` a flag is 1 or 0; None where the device has no value.

    Raises:
        DecodeError: something else, or beyond what anything in a building can measure.
    """
    try:
        if type(value) is str:
            if value in _NO_VALUE:
                return None
            if not value.isascii() or "_" in value:
                raise ValueError
            number = float(value)
        elif type(value) is float or type(value) is int or (flags and type(value) is bool):
            number = float(value)
        else:
            raise ValueError
    except (ValueError, OverflowError):
        raise DecodeError(f"{key}: {_shown(value)}, expected a number") from None
    if not -LARGEST < number < LARGEST:
        raise DecodeError(f"{key}: {number} is no measurement")
    return number


def read_flag(value: Any, key: str) -> bool:
    """True or false.

    Raises:
        DecodeError: something else.
    """
    if type(value) is bool:
        return value
    raise DecodeError(f"{key}: {_shown(value)}, expected true or false")


def read_last_seen(value: Any, received: datetime) -> datetime | None:
    """The device's `last_seen` (ISO 8601 with offset, or epoch milliseconds); None if absent or impossible."""
    try:
        if type(value) is str:
            seen = datetime.fromisoformat(value)
        elif type(value) is int:
            seen = datetime.fromtimestamp(value / 1000, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    if seen.tzinfo is None or not _EARLIEST <= seen <= received + _AHEAD:
        return None
    return seen


def _shown(value: Any) -> str:
    """A value in a message for people; lists and objects only by name, since they may be deep and large."""
    if isinstance(value, (dict, list)):
        return "a list" if isinstance(value, list) else "an object"
    return repr(str(value)[:80])
