"""The record of devices with the OpenBeken firmware."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device_drivers.driver import DeviceKind, DeviceSettings, Driver, Model
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.link_topics import check_known, check_topic
from device_drivers.mapping import Map, read_rows
from device_drivers.openbeken.decoder import OpenBekenDecoder
from device_drivers.openbeken.values import ENERGY_UNITS

_SWITCHING: tuple[DeviceKind, ...] = ("relay", "lamp")
_TASMOTA = ("tele", "stat", "cmnd")


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    base = settings.link.get("mqtt", "")
    return (f"{base}/+", f"{base}/+/get", f"tele/{base}/+", f"stat/{base}/+")


def _decoder(site: str, settings: DeviceSettings) -> OpenBekenDecoder:  # noqa: ARG001
    given = settings.settings
    rows = read_rows(settings, source="value")
    return OpenBekenDecoder(
        settings.id,
        settings.link.get("mqtt", ""),
        lamps={str(channel): lamp for channel, lamp in given.get("lamps", {}).items()},
        switches=settings.kind is None or settings.kind in _SWITCHING,
        energy=ENERGY_UNITS[given.get("energy", "Wh")],
        mapping=None if rows is None else Map(settings.id, rows),
        mapped=frozenset(str(row.get("value")) for row in given.get("map", ())),
    )


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    first, _, rest = topic.partition("/")
    if first in _TASMOTA:
        base = rest.rpartition("/")[0]
    elif topic.endswith(("/get", "/set")):
        base = topic.rsplit("/", 2)[0] if topic.count("/") > 1 else ""
    else:
        base = topic.rpartition("/")[0]
    if not base or base.startswith("/") or base.endswith("/"):
        raise DecodeError(f"topic {topic!r}: expected DEVICE/CHANNEL/get, DEVICE/connected or tele/DEVICE/SENSOR")
    return "", DeviceSettings(id=base, link={"mqtt": base})


def _check(settings: DeviceSettings) -> None:
    check_topic(settings, "plug-hall")
    check_known(settings, ("lamps", "energy", "map"))
    lamps = settings.settings.get("lamps", {})
    if not isinstance(lamps, Mapping) or not all(isinstance(lamp, str) and lamp for lamp in lamps.values()):
        raise SettingsError("settings.lamps", "a lamp's id for each channel, for example `{1: lamp-a, led: lamp-b}`")
    if settings.settings.get("energy", "Wh") not in ENERGY_UNITS:
        raise SettingsError("settings.energy", f"one of {', '.join(ENERGY_UNITS)}")
    read_rows(settings, source="value")


def _model(model: str, kind: DeviceKind, *capabilities: str, note: str = "") -> Model:
    return Model(
        vendor="any",
        model=model,
        driver="openbeken",
        kind=kind,
        capabilities=(*capabilities, "device_status", "measurement"),
        note=note,
    )


DRIVERS = (
    Driver(
        name="openbeken",
        transport="mqtt",
        summary="relays, plugs and lamps with the OpenBeken firmware (Tuya devices with BK7231 and the like)",
        guarantee="The device keeps nothing: what it says while the broker or the gateway's session is away is lost.",
        default_kind="relay",
        own_clock=False,
        topics=_topics,
        message_decoder=_decoder,
        listener=_listener,
        check=_check,
        models=(
            _model("relay with OpenBeken", "relay", "lamp_state", note="settings.lamps"),
            _model("metering plug with OpenBeken (BL0937, BL0942)", "meter", "power"),
            _model("lamp with OpenBeken", "lamp", "lamp_state"),
            _model("sensor with OpenBeken", "sensor", "light_level", "motion", note="settings.map"),
        ),
    ),
)
