"""The record of devices in Home Assistant's convention."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.homeassistant.decoder import HomeAssistantDecoder
from device_drivers.homeassistant.discovery import config_topic
from device_drivers.homeassistant.template import Template, read_template
from device_drivers.link_topics import check_known, check_topic

_SCANS = ("tag", "scan", "rfid", "nfc", "card")
"""Words in a topic's last level by which `decode` takes it for that of tag scans."""


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    others = [topic for key, topic in settings.link.items() if key != "mqtt"]
    return tuple(dict.fromkeys((f"{settings.link.get('mqtt', '')}/#", *others)))


def _template(settings: DeviceSettings) -> Template | None:
    text = settings.settings.get("template")
    return read_template(text if "{" in text else f"{{{{ {text} }}}}") if isinstance(text, str) else None


def _decoder(site: str, settings: DeviceSettings) -> HomeAssistantDecoder:  # noqa: ARG001
    return HomeAssistantDecoder(
        settings.id,
        settings.link.get("mqtt", ""),
        frozenset(topic for key, topic in settings.link.items() if key not in ("mqtt", "discovery")),
        is_reader=settings.kind == "reader",
        strict="discovery" in settings.link,
        template=_template(settings),
        lamps=settings.settings.get("lamps"),
    )


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    base = topic.removesuffix("/config")
    if not base or base.startswith("/") or base.endswith("/") or (base != topic and config_topic(topic) is None):
        raise DecodeError(f"topic {topic!r}: expected homeassistant/COMPONENT/OBJECT/config, or a state or tag topic")
    last = base.rpartition("/")[2]
    kind = "reader" if base == topic and any(word in last.lower() for word in _SCANS) else None
    name = topic.rsplit("/", 2)[1] if base != topic or last == "state" else last
    return "", DeviceSettings(id=name, kind=kind, link={"mqtt": base})


def _check(settings: DeviceSettings) -> None:
    check_topic(settings, "garden/lux")
    for key in settings.link:
        if key != "discovery":
            check_topic(settings, "garden/bridge/state", key=key)
    discovery = settings.link.get("discovery")
    if discovery is not None and not _is_discovery(discovery):
        raise SettingsError(
            "link.discovery",
            "the device's discovery topic, for example `homeassistant/+/garden/config` (`+` is one level)",
        )
    check_known(settings, ("template", "lamps"))
    template = settings.settings.get("template")
    if template is not None:
        try:
            if not isinstance(template, str) or (found := _template(settings)) is None or found.literal is not None:
                raise DecodeError("no path")
        except DecodeError as error:
            raise SettingsError(
                "settings.template", "where the tag stands, for example `value_json.PN532.UID`"
            ) from error
    lamps = settings.settings.get("lamps", {})
    if not isinstance(lamps, dict) or not all(isinstance(lamp, str) and lamp for lamp in lamps.values()):
        raise SettingsError("settings.lamps", "a lamp's id for each entity, for example `{relay_1: lamp-a}`")


def _is_discovery(topic: str) -> bool:
    levels = topic.split("/")
    return (
        len(levels) >= 4
        and levels[-1] == "config"
        and all(level == "+" or (level and "+" not in level and "#" not in level) for level in levels)
        and any(level != "+" for level in levels[2:-1])
    )


DRIVERS = (
    Driver(
        name="homeassistant",
        transport="mqtt",
        summary="devices and tag readers that announce themselves by Home Assistant's MQTT discovery",
        guarantee="What the device publishes is safe once the broker has it at QoS 1; retained states that were missed are of "
        "unknown age and say nothing.",
        default_kind="sensor",
        own_clock=False,
        topics=_topics,
        message_decoder=_decoder,
        listener=_listener,
        check=_check,
        models=(
            Model(
                vendor="any",
                model="tag reader by Home Assistant's discovery",
                driver="homeassistant",
                kind="reader",
                capabilities=("tag_read",),
                note="settings.template",
            ),
            Model(
                vendor="any",
                model="device by Home Assistant's discovery",
                driver="homeassistant",
                kind="sensor",
                capabilities=("light_level", "motion", "lamp_state", "power", "device_status", "measurement"),
                note="link.discovery",
            ),
        ),
    ),
)
