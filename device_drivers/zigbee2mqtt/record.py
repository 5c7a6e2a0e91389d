"""The record of devices behind Zigbee2MQTT."""

from __future__ import annotations

import re
from collections.abc import Sequence

from device_drivers.driver import DeviceKind, DeviceSettings, Driver, Model
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.zigbee2mqtt.bridge import BridgeDecoder
from device_drivers.zigbee2mqtt.decoder import Zigbee2mqttDecoder
from device_drivers.zigbee2mqtt.properties import PANIC_ACTIONS

_SUBTOPIC = re.compile(r"/(?:availability|(?:set|get)(?:/[^/]+)?)\Z")
"""What may stand behind a device's name: its availability and commands to it."""

_SETTINGS = ("illuminance", "lamps", "panic_actions")


def _base(settings: DeviceSettings) -> str:
    return settings.link.get("mqtt", "").rstrip("/")


def _bridge_base(settings: DeviceSettings) -> str:
    """The bridge's topic; the site file may name it or Zigbee2MQTT's base topic."""
    base = _base(settings)
    return base if base.endswith("/bridge") else f"{base}/bridge"


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    if settings.kind == "bridge":
        base = _bridge_base(settings)
        return (f"{base}/state", f"{base}/health")
    base = _base(settings)
    return (base, f"{base}/availability")


def _decoder(site: str, settings: DeviceSettings) -> BridgeDecoder | Zigbee2mqttDecoder:  # noqa: ARG001
    if settings.kind == "bridge":
        return BridgeDecoder(settings.id, _bridge_base(settings))
    return Zigbee2mqttDecoder(
        settings.id,
        _base(settings),
        illuminance=settings.settings.get("illuminance", "lux"),
        lamps=settings.settings.get("lamps", {}),
        panic_actions=frozenset(settings.settings.get("panic_actions", PANIC_ACTIONS)),
    )


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    base, bridge, _ = topic.rpartition("/bridge/")
    if base and bridge:
        return "", DeviceSettings(id=f"{base}/bridge", kind="bridge", link={"mqtt": f"{base}/bridge"})
    prefix, _, name = topic.partition("/")
    if not prefix or not name:
        raise DecodeError(f"topic {topic!r}: expected zigbee2mqtt/NAME, its /availability, or zigbee2mqtt/bridge/state")
    name = _SUBTOPIC.sub("", name)
    return "", DeviceSettings(id=name, link={"mqtt": f"{prefix}/{name}"})


def _check(settings: DeviceSettings) -> None:
    base = _base(settings)
    if not base or "+" in base or "#" in base:
        raise SettingsError("link.mqtt", "the device's topic without wildcards, for example `zigbee2mqtt/lux-t1-f03`")
    for key in settings.settings:
        if key not in _SETTINGS:
            raise SettingsError(f"settings.{key}", f"one of {', '.join(_SETTINGS)}")
    if settings.settings.get("illuminance", "lux") not in ("lux", "raw"):
        raise SettingsError("settings.illuminance", "`lux`, or `raw` for Zigbee2MQTT before 2.0")
    lamps = settings.settings.get("lamps", {})
    if not isinstance(lamps, dict) or not all(isinstance(lamp, str) for lamp in lamps.values()):
        raise SettingsError(
            "settings.lamps", "a lamp's id for each output, for example `{left: lamp-a, right: lamp-b}`"
        )
    actions = settings.settings.get("panic_actions", [])
    if not isinstance(actions, (list, tuple)) or not all(isinstance(action, str) for action in actions):
        raise SettingsError("settings.panic_actions", "a list of actions, for example `[single, hold]`")


def _model(vendor: str, model: str, kind: DeviceKind, *capabilities: str, note: str = "") -> Model:
    return Model(
        vendor=vendor,
        model=model,
        driver="zigbee2mqtt",
        kind=kind,
        capabilities=(*capabilities, "device_status"),
        note=note,
    )


DRIVERS = (
    Driver(
        name="zigbee2mqtt",
        transport="mqtt",
        summary="Zigbee sensors, plugs and lamps behind Zigbee2MQTT",
        guarantee="What Zigbee2MQTT publishes is safe once the broker has it (set `qos: 1` on each device); "
        "what a sensor sends while Zigbee2MQTT is down is lost.",
        default_kind="sensor",
        own_clock=False,
        topics=_topics,
        message_decoder=_decoder,
        listener=_listener,
        check=_check,
        models=(
            _model("Xiaomi", "GZCGQ01LM light sensor", "lux_sensor", "light_level", "measurement"),
            _model("Aqara", "RTCGQ11LM motion sensor", "motion_sensor", "motion", "light_level", "measurement"),
            _model("Aqara", "MCCGQ11LM door contact", "sensor", "measurement"),
            _model("IKEA", "TRADFRI bulb", "lamp", "lamp_state", "measurement"),
            _model("TuYa", "TS011F metering plug", "meter", "power", "lamp_state", "measurement"),
            _model("TuYa", "TS0012 two-gang switch", "relay", "lamp_state", "measurement", note="settings.lamps"),
            _model("any", "emergency button (action emergency, panic or sos)", "sensor", "panic", "measurement"),
            _model("Koenkk", "Zigbee2MQTT bridge", "bridge", note="kind: bridge, link: {mqtt: zigbee2mqtt}"),
        ),
    ),
)
