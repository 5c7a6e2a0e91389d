"""Topics of one ESPHome device: whether it is there, the states of its components, and what its YAML publishes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.esphome.components import BRIGHTEST, COMPONENTS, Sort
from device_drivers.json_values import number, read_object, read_text, shown
from device_drivers.mapping import Map
from device_drivers.observations import DeviceStatus, Incident, LampState, Measurement, Observation, TagRead

_MOST_TOPICS = 512
"""Topics remembered, a device."""
_LONGEST_NAME = 200
"""Characters of a component's name in a measurement; a longer one is not read."""

_TOLD_AGAIN = timedelta(seconds=10)
"""ESPHome publishes all its states again when it has connected, right behind its birth; the pause is for a slow network."""

_ONLINE = {"online": True, "offline": False}
_FLAGS = {"ON": True, "OFF": False}
_NOTHING = frozenset({"", "None", "unknown", "unavailable"})
"""States that are no value; ESPHome can say NaN as None (`publish_nan_as_none`)."""


_ENDS = ("status", "debug", "tag", "tag_scanned")
"""Topics right below a device's own: its birth and will, its log, and where scans are published by the README or usually."""


class _Entity(NamedTuple):
    """What a topic below the device's own holds.

    `name`: as mappings and lamps name it: `COMPONENT/OBJECT_ID`, or the topic itself where it is no component's state.
    `sort` is None where it is not.
    """

    name: str
    sort: Sort | None
    object_id: str


class EsphomeDecoder:
    """One device.

    Args:
        device: its id.
        base: its `topic_prefix`; may hold slashes.
        lamps: the lamp's id for each switch and light; one not named is `device/OBJECT_ID`.
        mapping: from states to observations.
        mapped: the names that the mapping reads.
    """

    def __init__(
        self,
        device: str,
        base: str,
        *,
        lamps: Mapping[str, str] | None = None,
        mapping: Map | None = None,
        mapped: frozenset[str] = frozenset(),
    ) -> None:
        self._device = device
        self._prefix = f"{base}/"
        self._status = f"{base}/status"
        self._lamps = lamps or {}
        self._mapping = mapping
        self._mapped = mapped
        self._entities: dict[str, _Entity] = {}
        self._born: datetime | None = None
        self._texts: dict[str, str] = {}  # these two hold mapped names only
        self._heard: set[str] = set()

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message. Commands, logs, texts and topics that nobody mapped say nothing; nor do retained states, whose
        age is not known, and a retained birth; a retained will stands.

        Raises:
            DecodeError: not a topic of this device, a state that its component cannot have, a value that the mapping does
                not know, a retained event, or a scan that is only told again as the device connects.
        """
        if topic == self._status:
            return self._birth_or_will(payload, received, retained=retained)
        if not topic.startswith(self._prefix):
            raise DecodeError(f"topic {topic!r}: expected {self._status} or {self._prefix}COMPONENT/OBJECT_ID/state")
        if not payload:
            return []
        suffix = topic[len(self._prefix) :]
        entity = self._entities.get(suffix)
        if entity is None:
            entity = _entity(suffix)
            if len(self._entities) < _MOST_TOPICS:
                self._entities[suffix] = entity
        if entity.name in self._mapped:
            return self._map(entity, payload, received, retained=retained)
        if entity.sort is None or entity.sort == "text":
            return []
        observation = self._state(entity, payload, received)
        return [] if retained or observation is None else [Reading(observation)]

    def _birth_or_will(self, payload: bytes, at: datetime, *, retained: bool) -> list[Reading]:
        if not payload:
            return []
        word = read_text(payload).strip()
        online = _ONLINE.get(word)
        if online is None:
            raise DecodeError(f"status: {shown(word)}, expected online or offline")
        if online and retained:  # the broker may have been down with the device
            return []
        if online:
            self._born = at
            self._heard.clear()
        reason = None if online else "last_will"
        return [Reading(DeviceStatus(device=self._device, at=at, online=online, reason=reason))]

    def _map(self, entity: _Entity, payload: bytes, at: datetime, *, retained: bool) -> list[Reading]:
        assert self._mapping is not None
        value: Any
        if entity.sort == "event":
            value = _event(read_object(payload))
        elif entity.sort == "light":
            value = read_object(payload).get("state")
        else:
            text = read_text(payload).strip()
            value = None if text in _NOTHING else text
        again = entity.sort == "text" and self._told_again(entity.name, value, at, retained=retained)
        unread: list[str] = []
        found = self._mapping.at({entity.name: value}, at, unread=unread, aged=retained, retained=retained)
        if again and any(isinstance(reading.observation, (TagRead, Incident)) for reading in found):
            raise DecodeError(
                f"{entity.name}: told again as the device connected, no new scan (`on_tag` publishes scans)"
            )
        return beside_unread(found, payload, unread)

    def _told_again(self, name: str, value: str | None, at: datetime, *, retained: bool) -> bool:
        """Whether a text is the last one, told first after the birth."""
        last = self._texts.get(name)
        if value is not None:
            self._texts[name] = value
        if retained or name in self._heard:
            return False
        self._heard.add(name)
        born = self._born
        return born is not None and value == last and timedelta(0) <= at - born <= _TOLD_AGAIN

    def _state(self, entity: _Entity, payload: bytes, at: datetime) -> Observation | None:
        """What a state says without a mapping."""
        name, sort, object_id = entity
        device = self._device
        if sort == "event":
            _event(read_object(payload))
            return None
        if sort == "light":
            return self._light(entity, read_object(payload), at)
        text = read_text(payload).strip()
        if text in _NOTHING:
            return None
        if sort == "number":
            value = number(text, name)
            if value is None or len(object_id) > _LONGEST_NAME:
                return None
            return Measurement(device=device, at=at, quantity=object_id, value=value)
        on = _on(text, name)
        if sort == "lamp":
            return LampState(device=device, at=at, lamp=self._lamp(entity), on=on)
        if len(object_id) > _LONGEST_NAME:
            return None
        return Measurement(device=device, at=at, quantity=object_id, value=float(on))

    def _light(self, entity: _Entity, status: Mapping[str, Any], at: datetime) -> LampState | None:
        state, brightness = status.get("state"), status.get("brightness")
        on = None if state is None else _on(state, entity.name)
        level = None if brightness is None else number(brightness, "brightness")
        if on is None and level is None:
            return None
        level = None if level is None else min(max(level / BRIGHTEST, 0.0), 1.0)
        return LampState(device=self._device, at=at, lamp=self._lamp(entity), on=on, level=level)

    def _lamp(self, entity: _Entity) -> str:
        """A switch may be anything (a restart, an option), so only the site's word makes one a lamp that is judged."""
        return self._lamps.get(entity.name) or f"{self._device}/{entity.object_id}"


def base_of(topic: str) -> str | None:
    """The device's own topic, from one below it; None: there is none."""
    levels = topic.split("/")
    if len(levels) > 1 and levels[-1] in _ENDS:
        return "/".join(levels[:-1]) or None
    for place in range(1, len(levels) - 2):
        if levels[place] in COMPONENTS and levels[place + 1] and levels[-1] in ("state", "command"):
            return "/".join(levels[:place]) or None
    return None


def _entity(suffix: str) -> _Entity:
    levels = suffix.split("/")
    if len(levels) == 3 and levels[2] == "state" and levels[1] and (sort := COMPONENTS.get(levels[0])) is not None:
        return _Entity(f"{levels[0]}/{levels[1]}", sort, levels[1])
    return _Entity(suffix, None, suffix)


def _event(document: Mapping[str, Any]) -> str:
    event = document.get("event_type")
    if type(event) is not str:
        raise DecodeError(f"event_type: {shown(event)}, expected text")
    return event


def _on(value: Any, name: str) -> bool:
    on = _FLAGS.get(value) if type(value) is str else None
    if on is None:
        raise DecodeError(f"{name}: {shown(value)}, expected ON or OFF")
    return on
