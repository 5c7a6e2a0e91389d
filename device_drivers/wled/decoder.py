"""Topics of one WLED strip: whether it is there, its brightness, its colour, and its whole state as XML."""

from __future__ import annotations

from datetime import datetime

from device_drivers.driver import Reading
from device_drivers.errors import DecodeError
from device_drivers.json_values import read_text, shown
from device_drivers.observations import DeviceStatus, LampState

_BRIGHTEST = 255
_STATUS = {b"online": True, b"offline": False}
_COMMANDS = frozenset({"col", "api"})
_HEX = frozenset(b"0123456789abcdefABCDEF")


class WledDecoder:
    """One strip.

    Args:
        device: its id.
        base: its device topic, by default `wled/` and six digits of its address.
        lamp: the lamp that it is; None: the device itself.
    """

    def __init__(self, device: str, base: str, lamp: str | None = None) -> None:
        self._device = device
        self._base = base
        self._prefix = f"{base}/"
        self._lamp = lamp

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message. A colour, and commands that others send, say nothing; nor does a retained brightness, whose age
        is not known, and a retained `online`: the broker may have been down with the strip. A retained `offline` stands.

        Raises:
            DecodeError: not a topic of this strip, or not what the topic holds.
        """
        if topic.startswith(self._prefix):
            match topic[len(self._prefix) :]:
                case "g":
                    return self._state(_brightness(payload.strip(), "g"), received, retained=retained)
                case "v":
                    return self._state(_brightness(_active(payload), "v: ac"), received, retained=retained)
                case "status":
                    return self._status(payload, received, retained=retained)
                case "c":
                    _check_colour(payload.strip())
                    return []
                case suffix if suffix in _COMMANDS:
                    return []
        if topic == self._base and topic:
            return []
        raise DecodeError(f"topic {topic!r}: expected {self._prefix}status, g, c or v")

    def _status(self, payload: bytes, at: datetime, *, retained: bool) -> list[Reading]:
        if not payload:
            return []
        online = _STATUS.get(payload.strip())
        if online is None:
            raise DecodeError(f"status: {shown(read_text(payload))}, expected online or offline")
        if online and retained:
            return []
        reason = None if online else "last_will"
        return [Reading(DeviceStatus(device=self._device, at=at, online=online, reason=reason))]

    def _state(self, brightness: int | None, at: datetime, *, retained: bool) -> list[Reading]:
        if brightness is None or retained:
            return []
        level = brightness / _BRIGHTEST
        return [Reading(LampState(device=self._device, at=at, lamp=self._lamp, on=brightness > 0, level=level))]


def _brightness(text: bytes | None, name: str) -> int | None:
    """0 to 255; None: an empty message, the topic was cleared."""
    if not text:
        return None
    if not text.isdigit() or len(text) > 3 or int(text) > _BRIGHTEST:
        raise DecodeError(f"{name}: {shown(text.decode(errors='replace'))}, expected 0 to {_BRIGHTEST}")
    return int(text)


def _active(document: bytes) -> bytes | None:
    """The text of `ac`. It is looked for as plain text: the strip's name stands in the document with nothing escaped, so
    that a parser would refuse it, and no parser means no entities.
    """
    document = document.strip()
    if not document:
        return None
    if b"<!" in document:
        raise DecodeError("v: XML with a document type or entities: refused, a strip needs none")
    start, end = document.find(b"<vs>"), document.rfind(b"</vs>")
    if start < 0 or end < start or end + len(b"</vs>") != len(document):
        raise DecodeError("v: expected XML from <vs> to </vs>")
    if document.find(b"<vs>", start + 1) >= 0:
        raise DecodeError("v: more than one document")
    first = document.find(b"<ac>", start, end)
    last = document.find(b"</ac>", first, end)
    if first < 0 or last < 0 or last == first + len(b"<ac>"):
        raise DecodeError("v: no brightness <ac>")
    return document[first + len(b"<ac>") : last].strip() or b"?"


def _check_colour(text: bytes) -> None:
    """`#RRGGBB`, or with white before it `#WWRRGGBB` (seven digits where the first of them is a zero)."""
    if text and (text[:1] != b"#" or not 7 <= len(text) <= 9 or not _HEX.issuperset(text[1:])):
        raise DecodeError(f"c: {shown(text.decode(errors='replace'))}, expected #RRGGBB")
