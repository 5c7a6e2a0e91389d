"""The JSON objects of GA/T 1400 that say whether a device lives."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from device_drivers.errors import DecodeError
from device_drivers.json_values import bared

LONGEST = 64 * 1024
"""Bytes of such an object; a real one has 100."""

Kind = Literal["register", "keepalive", "unregister", "other"]

KINDS: dict[str, Kind] = {
    "RegisterObject": "register",
    "KeepaliveObject": "keepalive",
    "UnRegisterObject": "unregister",
    "UnregisterObject": "unregister",
}
"""By the one key of the document (GA/T 1400.3-2017, annex C)."""


class Said(NamedTuple):
    """What a device says: that it comes, lives or goes. `other`: an object that is none of these."""

    kind: Kind
    device_id: str


def read_message(data: bytes) -> Said:
    """What an object says.

    Raises:
        DecodeError: not JSON, none of these objects, or without the id of a device.
    """
    document = _read(data)
    for key, kind in KINDS.items():
        if key in document:
            inner = document[key]
            if not isinstance(inner, dict):
                raise DecodeError(f"{key}: expected an object")
            return Said(kind, read_id(inner.get("DeviceID")))
    if any(key.endswith("StatusObject") or key.startswith("ResponseStatus") for key in document):
        return Said("other", "")  # an answer: it states nothing of a device
    raise DecodeError(f"found {', '.join(sorted(document))[:80]!r}, expected KeepaliveObject")


def read_id(value: Any) -> str:
    """A device's id, also written as a number.

    Raises:
        DecodeError: not 20 decimal digits (GA/T 1400.1-2017, annex B).
    """
    text = str(value) if type(value) is int and 0 <= value < 10**20 else value
    text = text.strip() if isinstance(text, str) else text
    if isinstance(text, str) and len(text) == 20 and text.isascii() and text.isdecimal():
        return text
    shown = "a list or object" if isinstance(value, (list, dict)) else repr(str(value)[:40])
    raise DecodeError(f"DeviceID {shown}, expected 20 digits")


def _read(data: bytes) -> dict[str, Any]:
    if len(data) > LONGEST:
        raise DecodeError(f"JSON: {len(data)} bytes, more than {LONGEST}")
    try:
        document = msgspec.json.decode(bared(data))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"JSON: {error}") from None
    except RecursionError:
        raise DecodeError("JSON: nested too deep") from None
    except (ValueError, OverflowError) as error:  # a number of thousands of digits
        raise DecodeError(f"JSON: {error}") from None
    if not isinstance(document, dict):
        raise DecodeError('JSON: expected an object such as {"KeepaliveObject": {"DeviceID": …}}')
    return document
