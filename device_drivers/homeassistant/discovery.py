"""Discovery messages: what a device says of its entities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from device_drivers.errors import DecodeError
from device_drivers.homeassistant.template import WHOLE, Template, read_template
from device_drivers.homeassistant.words import ABBREVIATIONS, COMPONENTS, READ
from device_drivers.json_values import read_object, shown

_MOST_COMPONENTS = 200
"""Entities of a device that announces them in one message."""
_LONGEST = 512
"""Characters of a topic or a word."""
_MOST_TOPICS = 10
"""Availability topics of an entity."""


class Availability(msgspec.Struct, frozen=True):
    """A topic that says whether a device is there."""

    topic: str
    template: Template
    online: str
    offline: str


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """One entity. `on` and `off` are the words of its state; `mode` is how several availability topics are joined."""

    component: str
    name: str
    state_topic: str | None = None
    template: Template = WHOLE
    on: str = "ON"
    off: str = "OFF"
    device_class: str | None = None
    unit: str | None = None
    brightness_topic: str | None = None
    brightness_template: Template = WHOLE
    brightness_scale: float = 255
    json: bool = False
    availability: tuple[Availability, ...] = ()
    mode: str = "latest"


def config_topic(topic: str) -> tuple[str, str] | None:
    """(component, object) of `PREFIX/COMPONENT/[NODE/]OBJECT/config`; None: no such topic."""
    match topic.split("/"):
        case [*_, component, _, name, "config"] if component in COMPONENTS and name:
            return component, name
        case [_, *_, component, name, "config"] if component in COMPONENTS and name:
            return component, name
    return None


def read_config(component: str, name: str, payload: bytes, unread: list[str]) -> tuple[Entity, ...]:
    """The entities of a discovery message; none if it is empty (removed), or of a kind that is not read here.

    Args:
        unread: is told of each entity of a whole device that cannot be read; the others count.

    Raises:
        DecodeError: not JSON of the expected shape, a topic missing, or a template that is not honoured.
    """
    if not payload:
        return ()
    config = _long(read_object(payload))
    if component == "device":
        return tuple(_components(config, unread))
    return tuple(_entity(component, name, config))


def _long(config: Mapping[str, Any]) -> dict[str, Any]:
    return {ABBREVIATIONS.get(key, key): value for key, value in config.items()}


def _components(config: Mapping[str, Any], unread: list[str]) -> Iterator[Entity]:
    """The entities of a message for a whole device; what stands at its top holds for all of them."""
    components = config.get("components")
    if type(components) is not dict or len(components) > _MOST_COMPONENTS:
        raise DecodeError(f"components: {shown(components)}, expected an object of at most {_MOST_COMPONENTS}")
    shared = {key: value for key, value in config.items() if key not in ("components", "device", "origin", "o")}
    for name, given in components.items():
        try:
            yield from _component(name, given, shared)
        except DecodeError as error:
            unread.append(f"components.{name[:80]}: {error.reason}")


def _component(name: str, given: Any, shared: Mapping[str, Any]) -> Iterator[Entity]:
    if type(given) is not dict:
        raise DecodeError(f"{shown(given)}, expected an object")
    inside = _long(given)
    component = inside.get("platform")
    if type(component) is not str or component not in COMPONENTS:
        raise DecodeError(f"platform {shown(component)} is not known")
    if set(inside) != {"platform"}:  # else the component was removed
        yield from _entity(component, name, {**shared, **inside})


def _entity(component: str, name: str, config: Mapping[str, Any]) -> Iterator[Entity]:
    if component not in READ or (component == "light" and config.get("schema") == "template"):
        return
    base = _word(config, "~") or ""
    is_tag = component == "tag"
    state_topic = _topic(config, "topic" if is_tag else "state_topic", base)
    if state_topic is None and component in ("tag", "sensor", "binary_sensor"):
        raise DecodeError(f"{component}: no {'topic' if is_tag else 'state_topic'}")
    is_json = component == "light" and config.get("schema") == "json"
    template_key = "value_template"
    if component == "light" and (
        is_json or "state_value_template" in config
    ):  # both names, until Home Assistant 2022.2
        template_key = "state_value_template"
    on, off = _word(config, "payload_on") or "ON", _word(config, "payload_off") or "OFF"
    scale = config.get("brightness_scale", 255)
    if type(scale) not in (int, float) or not 0 < scale <= 1e6:
        raise DecodeError(f"brightness_scale: {shown(scale)}, expected a number above 0")
    mode = config.get("availability_mode", "latest")
    if mode not in ("all", "any", "latest"):
        raise DecodeError(f"availability_mode: {shown(mode)}, expected all, any or latest")
    yield Entity(
        component=component,
        name=name,
        state_topic=state_topic,
        template=_template(config, template_key),
        on=_word(config, "state_on") or on,
        off=_word(config, "state_off") or off,
        device_class=_word(config, "device_class"),
        unit=_word(config, "unit_of_measurement"),
        brightness_topic=_topic(config, "brightness_state_topic", base),
        brightness_template=_template(config, "brightness_value_template"),
        brightness_scale=scale,
        json=is_json,
        availability=tuple(_availability(config, base)),
        mode=mode,
    )


def _availability(config: Mapping[str, Any], base: str) -> Iterator[Availability]:
    listed = config.get("availability")
    if listed is None:
        topic = _topic(config, "availability_topic", base)
        if topic is not None:
            template = _template(config, "availability_template")
            yield Availability(topic, template, *_availability_words(config))
        return
    if type(listed) is not list or len(listed) > _MOST_TOPICS:
        raise DecodeError(f"availability: {shown(listed)}, expected a list of at most {_MOST_TOPICS}")
    for given in listed:
        if type(given) is not dict:
            raise DecodeError(f"availability: {shown(given)}, expected an object")
        entry = _long(given)
        topic = _topic(entry, "topic", base)
        if topic is None:
            raise DecodeError("availability: no topic")
        yield Availability(topic, _template(entry, "value_template"), *_availability_words(entry))


def _availability_words(config: Mapping[str, Any]) -> tuple[str, str]:
    return _word(config, "payload_available") or "online", _word(config, "payload_not_available") or "offline"


def _topic(config: Mapping[str, Any], key: str, base: str) -> str | None:
    """A topic; `~` at its begin or end stands for the base."""
    topic = config.get(key)
    if topic is None:
        return None
    if type(topic) is not str:
        raise DecodeError(f"{key}: {shown(topic)}, expected a topic")
    if topic.startswith("~"):
        topic = base + topic[1:]
    elif topic.endswith("~"):
        topic = topic[:-1] + base
    if not topic or len(topic) > _LONGEST or "+" in topic or "#" in topic or "\0" in topic:
        raise DecodeError(f"{key}: {shown(topic)}, expected a topic without wildcards")
    return topic


def _template(config: Mapping[str, Any], key: str) -> Template:
    text = config.get(key)
    if text is None:
        return WHOLE
    if type(text) is not str:
        raise DecodeError(f"{key}: {shown(text)}, expected a template")
    return read_template(text)


def _word(config: Mapping[str, Any], key: str) -> str | None:
    """A word as Home Assistant renders it."""
    value = config.get(key)
    if value is None:
        return None
    text = rendered(value)
    if text is None or len(text) > _LONGEST:
        raise DecodeError(f"{key}: {shown(value)}, expected text")
    return text


def rendered(value: Any) -> str | None:
    """A scalar as Home Assistant's templates give it (true is `True`); None of a list or an object."""
    if type(value) is str:
        return value
    return str(value) if type(value) in (bool, int, float) else None
