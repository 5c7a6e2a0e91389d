"""Topics of one Homie device: its state, its description and the values of its properties."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.homie.words import ONLY_4, STATES
from device_drivers.json_values import number, read_object, read_text
from device_drivers.mapping import Map
from device_drivers.observations import DeviceStatus, Measurement
from device_drivers.ucum import UNITS

_MOST_PROPERTIES = 1000
"""Properties whose datatype and unit are remembered, a device."""
_LONGEST_WORD = 64
"""Characters of a datatype or unit that are remembered."""
_LONGEST_NAME = 200
"""Characters of NODE/PROPERTY in the name of a measurement; a longer one is not read."""

_FLAGS = {"true": True, "false": False}
_EMPTY = b"\0"
"""An empty text, since an empty MQTT payload clears a topic (Homie 5, Payload)."""


class HomieDecoder:
    """One device, or a child of a root device.

    Args:
        device: its id.
        base: its topic, `homie/5/NAME` or `homie/NAME`.
        version: of the convention, 4 or 5.
        root_state: the topic of the `$state` of its root device ("": it has none, or is one).
        mapping: from properties (`node/property`) to observations; None: numbers and flags become measurements.
    """

    def __init__(self, device: str, base: str, version: int, root_state: str, mapping: Map | None) -> None:
        self._device = device
        self._prefix = f"{base}/"
        self._broadcasts = f"{base.rpartition('/')[0]}/$broadcast/"
        self._version = version
        self._root_state = root_state
        self._mapping = mapping
        self._sorts: dict[str, str] = {}
        self._units: dict[str, str] = {}
        self._own: bool | None = None
        self._root_gone = False

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message. Attributes, commands, broadcasts and cleared topics say nothing, nor does a retained value.
        A retained state that is on line proves no life now: the broker may have been down with the device.

        Raises:
            DecodeError: not a topic of this device, an unknown state, a description that is no JSON object, a value that
                is not of its datatype or not known to the mapping, or a retained event.
        """
        if topic == self._root_state and topic:
            return self._root(payload, received, retained=retained)
        if topic.startswith(self._broadcasts):
            return []
        if not topic.startswith(self._prefix):
            raise DecodeError(f"topic {topic!r}: expected {self._prefix}$state or {self._prefix}NODE/PROPERTY")
        match topic[len(self._prefix) :].split("/"):
            case ["$state"]:
                return self._state(payload, received, retained=retained)
            case ["$description"] if self._version == 5:
                self._describe(payload)
                return []
            case [first, *_] if first.startswith("$"):
                return []
            case [_, attribute] if attribute.startswith("$"):
                return []
            case [node, name] if node and name:
                return self._value(f"{node}/{name}", payload, received, retained=retained)
            case [node, name, "$datatype" | "$unit" as attribute]:
                self._attribute(f"{node}/{name}", attribute, payload)
                return []
            case [_, _, last] if last == "set" or last.startswith("$"):
                return []
        raise DecodeError(f"topic {topic!r}: expected {self._prefix}$state or {self._prefix}NODE/PROPERTY")

    def _state(self, payload: bytes, at: datetime, *, retained: bool) -> list[Reading]:
        if not payload:
            return []
        online, reason = self._read_state(payload)
        self._own = online
        if online is None or (online and (retained or self._root_gone)):
            return []
        return [Reading(DeviceStatus(device=self._device, at=at, online=online, reason=reason))]

    def _root(self, payload: bytes, at: datetime, *, retained: bool) -> list[Reading]:
        """The root's state: with a root that is gone its children are gone, whatever their own topics still say."""
        if not payload:
            return []
        online, reason = self._read_state(payload)
        was_gone, self._root_gone = self._root_gone, online is False
        if online is False:
            return [Reading(DeviceStatus(device=self._device, at=at, online=False, reason=f"root_{reason}"))]
        if was_gone and online and self._own and not retained:
            return [Reading(DeviceStatus(device=self._device, at=at, online=True))]
        return []

    def _read_state(self, payload: bytes) -> tuple[bool | None, str | None]:
        word = read_text(payload).strip()
        if word not in STATES or (self._version == 5 and word in ONLY_4):
            known = [state for state in STATES if self._version == 4 or state not in ONLY_4]
            raise DecodeError(f"$state: {word[:80]!r}, expected one of {', '.join(known)}")
        return STATES[word]

    def _describe(self, payload: bytes) -> None:
        if not payload:
            return
        description = read_object(payload)
        sorts: dict[str, str] = {}
        units: dict[str, str] = {}
        for node, inside in _objects(description.get("nodes")):
            for name, facts in _objects(inside.get("properties")):
                if len(sorts) < _MOST_PROPERTIES:
                    _remember(sorts, f"{node}/{name}", facts.get("datatype"))
                    _remember(units, f"{node}/{name}", facts.get("unit"))
        self._sorts, self._units = sorts, units

    def _attribute(self, name: str, attribute: str, payload: bytes) -> None:
        known = self._sorts if attribute == "$datatype" else self._units
        if not payload:
            known.pop(name, None)
        elif name in known or len(known) < _MOST_PROPERTIES:
            _remember(known, name, read_text(payload))

    def _value(self, name: str, payload: bytes, at: datetime, *, retained: bool) -> list[Reading]:
        if not payload:
            return []
        text = "" if payload == _EMPTY else read_text(payload)
        value = self._typed(name, text)
        if self._mapping is not None:
            unread: list[str] = []
            found = self._mapping.at({name: value}, at, unread=unread, aged=retained, retained=retained)
            return beside_unread(found, payload, unread)
        if (
            retained
            or len(name) > _LONGEST_NAME
            or (type(value) is str and (name in self._sorts or not _is_whole(value)))
        ):
            return []
        measured = float(value) if type(value) is bool else number(value, name)
        if measured is None:
            return []
        unit = UNITS.get(self._units.get(name, ""), "1")
        return [Reading(Measurement(device=self._device, at=at, quantity=name, value=measured, unit=unit))]

    def _typed(self, name: str, text: str) -> int | float | bool | str:
        """The value as its datatype says; where that is not known, as it looks."""
        sort = self._sorts.get(name)
        if sort == "boolean" or (sort is None and text in _FLAGS):
            if text not in _FLAGS:
                raise DecodeError(f"{name}: {text[:80]!r}, expected true or false")
            return _FLAGS[text]
        if sort is None:
            return _guessed(text) if text and _looks_numeric(text) else text
        if sort not in ("integer", "float"):
            return text
        if not _looks_numeric(text) or (sort == "integer" and not _is_whole(text)):
            raise DecodeError(
                f"{name}: {text[:80]!r}, expected {'a whole number' if sort == 'integer' else 'a number'}"
            )
        if sort == "integer":
            return int(text)
        found = number(text, name)
        return text if found is None else found


def _guessed(text: str) -> int | float | str:
    """A number of unknown datatype; a text that only begins like one, or is beyond all measures (a card's), stays as it is."""
    try:
        found = number(text, "")
    except DecodeError:
        return text
    if found is None:
        return text
    return int(text) if _is_whole(text) else found


def _is_whole(text: str) -> bool:
    return len(text) <= _LONGEST_WORD and text.isascii() and text.removeprefix("-").isdigit()


def _looks_numeric(text: str) -> bool:
    """Homie's numbers are ASCII digits with `-`, `.` and an exponent, at most 64 characters."""
    return (
        len(text) <= _LONGEST_WORD and text.isascii() and text[-1:].isdigit() and (text[0].isdigit() or text[0] in "-.")
    )


def _remember(known: dict[str, str], name: str, value: Any) -> None:
    if type(value) is str and len(value) <= _LONGEST_WORD and len(name) <= _LONGEST_NAME:
        known[name] = value


def _objects(value: Any) -> list[tuple[str, dict[str, Any]]]:
    """The members of an object that are objects; what else stands there says nothing of a datatype."""
    return [(key, item) for key, item in value.items() if type(item) is dict] if type(value) is dict else []
