"""Messages of one device in Home Assistant's convention: its discovery, its states, its availability, its tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from device_drivers.driver import Reading, beside_unread, reason_of
from device_drivers.errors import DecodeError
from device_drivers.homeassistant.discovery import Availability, Entity, config_topic, read_config, rendered
from device_drivers.homeassistant.template import MISSING, WHOLE, Template
from device_drivers.homeassistant.words import MOTION, OPENINGS, POWER
from device_drivers.json_values import number, read_json, read_text, shown
from device_drivers.mapping import measurements
from device_drivers.mapping_targets import FLAGS, KINDS
from device_drivers.observations import (
    DeviceStatus,
    LampState,
    LightLevel,
    Measurement,
    Motion,
    Observation,
    Power,
    TagRead,
)
from device_drivers.tag import normal_tag
from device_drivers.ucum import UNITS

_MOST_ENTITIES = 500
"""Entities remembered, a device."""
_MOST_CONFIGS = 500
"""Discovery topics remembered, a device."""
_UNKNOWN = frozenset({"", "None", "unknown", "unavailable"})
"""States that are no value."""


class HomeAssistantDecoder:
    """One device.

    Args:
        device: its id.
        base: the topic at and below which it publishes.
        others: further topics that its entry names.
        is_reader: its topic is that of tag scans unless a discovery message says otherwise.
        strict: its discovery topic is known: a message there that names a topic which is not heard is refused, so that
            somebody sees it, and what comes before discovery says nothing (but a scan).
        template: where the tag stands in a scan; None: as the discovery message says, else found by its name.
        lamps: the lamp's id for each entity that is a lamp or relay; None: the device is the lamp.
    """

    def __init__(
        self,
        device: str,
        base: str,
        others: frozenset[str] = frozenset(),
        *,
        is_reader: bool = False,
        strict: bool = False,
        template: Template | None = None,
        lamps: Mapping[str, str] | None = None,
    ) -> None:
        self._device = device
        self._base = base
        self._others = others
        self._is_reader = is_reader
        self._strict = strict
        self._template = template
        self._lamps = lamps
        self._configs: dict[str, tuple[Entity, ...]] = {}
        self._states: dict[str, list[Entity]] = {}
        self._availability: dict[str, list[Availability]] = {}
        self._mode = "latest"
        self._there: dict[str, bool] = {}

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message. A discovery message says nothing itself; retained states say nothing, since their age is
        not known. Of states that an entity does not know, and a scan without a tag, the message is kept as a reject; what the other
        entities of its topic say counts.

        Raises:
            DecodeError: not a topic of this device, a discovery message that cannot be honoured, nothing of it can be read, or
                retained motion or tag.
        """
        config = config_topic(topic)
        if config is not None:
            return beside_unread([], payload, self._learn(topic, config, payload))
        if not self._hears(topic):
            raise DecodeError(f"topic {topic!r}: expected {self._base} or below it")
        found: list[Observation] = []
        unread: list[str] = []
        if topic in self._availability:
            found += self._available(topic, payload, received, retained=retained)
        entities = self._states.get(topic)
        if entities:
            found += self._entities(entities, topic, payload, received, unread, retained=retained)
        elif self._is_reader and topic == self._base:
            found += self._scan(self._template or WHOLE, payload, received, retained=retained)
        elif not self._configs and not self._strict and not found and payload and not retained:
            return self._unnamed(topic, payload, received)
        return beside_unread([Reading(observation) for observation in found], payload, unread)

    def _hears(self, topic: str) -> bool:
        return topic == self._base or topic.startswith(f"{self._base}/") or topic in self._others

    # -- discovery

    def _learn(self, topic: str, config: tuple[str, str], payload: bytes) -> list[str]:
        """Remember the entities of a discovery message; what of it cannot be read or heard, in sentences.

        Raises:
            DecodeError: nothing of it can, or there are too many; then what was known stays.
        """
        unread: list[str] = []
        entities = read_config(*config, payload, unread)
        if self._strict:
            topics = {entity.state_topic for entity in entities if entity.state_topic}
            unheard = {name for name in topics if not self._hears(name)}
            unread += [
                f"state topic {name[:200]!r} is not heard: name it in the device's `link`" for name in sorted(unheard)
            ]
            entities = tuple(entity for entity in entities if entity.state_topic not in unheard)
        if unread and not entities:
            raise DecodeError(reason_of(unread))
        self._configs.pop(topic, None)
        known = sum(len(each) for each in self._configs.values())
        if entities and (len(self._configs) >= _MOST_CONFIGS or known + len(entities) > _MOST_ENTITIES):
            raise DecodeError(f"more than {_MOST_ENTITIES} entities of one device")
        if entities:
            self._configs[topic] = entities
        self._states, self._availability = {}, {}
        for entity in (each for listed in self._configs.values() for each in listed):
            for name in {entity.state_topic, entity.brightness_topic} - {None}:
                self._states.setdefault(str(name), []).append(entity)
            for availability in entity.availability:
                listed = self._availability.setdefault(availability.topic, [])
                if availability not in listed:
                    listed.append(availability)
                self._mode = entity.mode
        self._there = {name: there for name, there in self._there.items() if name in self._availability}
        return unread

    # -- availability

    def _available(self, topic: str, payload: bytes, at: datetime, *, retained: bool) -> list[Observation]:
        """On or off line; a retained on line proves no life now, a retained off line stands."""
        if not payload:
            return []
        there: bool | None = None
        for availability in self._availability[topic]:
            word = rendered(availability.template.value(payload))
            if word in (availability.online, availability.offline):
                there = word == availability.online
        if there is None:
            if topic in self._states:  # the same topic carries states, too
                return []
            raise DecodeError(f"availability {shown(payload.decode(errors='replace'))}: expected on or off line")
        self._there.pop(topic, None)
        self._there[topic] = there
        online = there
        if self._mode == "all":
            online = all(self._there.values())
        elif self._mode == "any":
            online = any(self._there.values())
        if retained and online:
            return []
        return [DeviceStatus(device=self._device, at=at, online=online, reason="availability")]

    # -- states

    def _entities(
        self, entities: list[Entity], topic: str, payload: bytes, at: datetime, unread: list[str], *, retained: bool
    ) -> list[Observation]:
        """What the entities of one topic say; `unread` is told of those whose state cannot be read."""
        found: list[Observation] = []
        power: dict[str, Any] = {}
        document: Any = MISSING
        for entity, is_level in _heard(entities, topic):
            try:
                template = entity.brightness_template if is_level else entity.template
                if entity.component == "tag":
                    found += self._scan(self._template or template, payload, at, retained=retained)
                    continue
                if entity.json or (template.steps is not None and template.literal is None):
                    if document is MISSING:
                        document = read_json(payload) if payload else None
                    value = document if entity.json else template.inside(document)
                else:
                    value = template.value(payload)
                if value is MISSING or value is None or (type(value) is str and value in _UNKNOWN):
                    continue
                observation = self._state(entity, value, power, at, is_level=is_level)
                if observation is not None:
                    found.append(observation)
            except DecodeError as error:
                unread.append(error.reason)
        if power:
            found.append(Power(device=self._device, at=at, **power))
        if retained and any(isinstance(observation, (Motion, TagRead)) for observation in found):
            raise DecodeError("retained motion or tag: old state, not an event")
        return [] if retained else found

    def _state(
        self, entity: Entity, value: Any, power: dict[str, Any], at: datetime, *, is_level: bool
    ) -> Observation | None:
        match entity.component:
            case "sensor":
                return self._sensor(entity, value, power, at)
            case "binary_sensor":
                return self._binary(entity, _is_on(entity, value), at)
            case "switch":
                return LampState(device=self._device, at=at, lamp=self._lamp(entity), on=_is_on(entity, value))
            case _:
                return self._light(entity, value, at, is_level=is_level)

    def _sensor(self, entity: Entity, value: Any, power: dict[str, Any], at: datetime) -> Observation | None:
        """A sensor's number; what is a field of `power` is put there."""
        sort, unit = entity.device_class, entity.unit
        if sort is None and unit is None and type(value) is str:
            try:
                value = number(value, entity.name)
            except DecodeError:
                return None  # a sensor whose states are texts
        if sort in ("date", "enum", "timestamp") or value is None:
            return None
        measured = number(value, entity.name)
        if measured is None:
            return None
        if sort == "illuminance":
            return LightLevel(device=self._device, at=at, lux=measured) if measured >= 0 else None
        field = POWER.get(sort or "")
        factor = KINDS["power"].fields[field].units.get(unit or "") if field else None
        if field and factor is not None and field not in power:
            power[field] = float(f"{measured * factor:.12g}")
            return None
        quantity = sort or entity.name
        return Measurement(
            device=self._device, at=at, quantity=quantity, value=measured, unit=UNITS.get(unit or "", "1")
        )

    def _binary(self, entity: Entity, on: bool, at: datetime) -> Observation:
        sort = entity.device_class
        if sort in MOTION:
            return Motion(device=self._device, at=at, active=on)
        if sort == "connectivity":
            return DeviceStatus(device=self._device, at=at, online=on, reason="connectivity")
        if sort in OPENINGS:
            return Measurement(device=self._device, at=at, quantity="contact", value=float(not on))
        return Measurement(device=self._device, at=at, quantity=sort or entity.name, value=float(on))

    def _light(self, entity: Entity, value: Any, at: datetime, *, is_level: bool) -> Observation | None:
        on: bool | None = None
        brightness: Any = None
        if entity.json:
            if type(value) is not dict:
                raise DecodeError(f"{entity.name}: {shown(value)}, expected an object")
            state, brightness = value.get("state"), value.get("brightness")
            on = None if state is None else _is_on(entity, state)
        elif is_level:
            brightness = value
        else:
            on = _is_on(entity, value)
        measured = None if brightness is None else number(brightness, entity.name)
        level = None if measured is None else min(max(measured / entity.brightness_scale, 0.0), 1.0)
        if on is None and level is None:
            return None
        return LampState(device=self._device, at=at, lamp=self._lamp(entity), on=on, level=level)

    def _lamp(self, entity: Entity) -> str | None:
        return None if self._lamps is None else self._lamps.get(entity.name, f"{self._device}/{entity.name}")

    # -- without discovery

    def _scan(self, template: Template, payload: bytes, at: datetime, *, retained: bool) -> list[Observation]:
        """A tag was scanned: the payload is the tag, or JSON that holds it."""
        if not payload:
            return []
        if retained:
            raise DecodeError("retained tag: old state, not a scan")
        if template is WHOLE and payload.lstrip()[:1] == b"{":
            value = _uid(read_json(payload))
        else:
            value = template.value(payload)
        if type(value) is not str or not value.strip():
            raise DecodeError("no tag where the template says (`settings.template` says where it stands)")
        return [TagRead(device=self._device, at=at, tag=normal_tag(value.strip()))]

    def _unnamed(self, topic: str, payload: bytes, at: datetime) -> list[Reading]:
        """A state of a device that has not announced itself: a number or flag, named by its topic."""
        name = topic.rpartition("/")[2]
        text = read_text(payload).strip()
        if text in FLAGS:
            return [Reading(Measurement(device=self._device, at=at, quantity=name, value=float(FLAGS[text])))]
        if text[:1] in "{[-0123456789":
            unread: list[str] = []
            readings = measurements(read_json(payload), self._device, at, name, unread=unread)
            return beside_unread(readings, payload, unread)
        return []


def _heard(entities: list[Entity], topic: str) -> Iterator[tuple[Entity, bool]]:
    """The entities whose state a topic tells, and (True) the lights whose level it tells: one topic may tell both."""
    for entity in entities:
        if topic == entity.state_topic:
            yield entity, False
        if topic == entity.brightness_topic:
            yield entity, True


def _is_on(entity: Entity, value: Any) -> bool:
    word = rendered(value)
    if word == entity.on:
        return True
    if word == entity.off:
        return False
    raise DecodeError(f"{entity.name}: {shown(value)}, expected {entity.on} or {entity.off}")


def _uid(document: Any) -> Any:
    """The one `UID` in what firmware for readers sends (`{"PN532":{"UID":…}}`); None if there is none, or several."""
    if type(document) is not dict:
        return None
    inside = [document, *(item for item in document.values() if type(item) is dict)]
    found = [value for part in inside for key, value in part.items() if key in ("UID", "uid")]
    return found[0] if len(found) == 1 else None
