"""The record of Homie devices."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.homie.decoder import HomieDecoder
from device_drivers.link_topics import check_known, check_topic, check_word
from device_drivers.mapping import Map, read_rows


def _version(base: str) -> int:
    """Version 5 has its number in the topic: `homie/5/NAME`."""
    levels = base.split("/")
    return 5 if len(levels) >= 3 and levels[-2] == "5" else 4


def _root_state(settings: DeviceSettings) -> str:
    root = settings.settings.get("root")
    return f"{settings.link.get('mqtt', '').rpartition('/')[0]}/{root}/$state" if root else ""


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    own = f"{settings.link.get('mqtt', '')}/#"
    root = _root_state(settings)
    return (own, root) if root else (own,)


def _decoder(site: str, settings: DeviceSettings) -> HomieDecoder:  # noqa: ARG001
    rows = read_rows(settings, source="property")
    base = settings.link.get("mqtt", "")
    mapping = None if rows is None else Map(settings.id, rows)
    return HomieDecoder(settings.id, base, _version(base), _root_state(settings), mapping)


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    levels = topic.split("/")
    place = 2 if len(levels) > 3 and levels[1] == "5" else 1
    if len(levels) < place + 2 or not all(levels[: place + 1]):
        raise DecodeError(f"topic {topic!r}: expected homie/5/NAME/… or homie/NAME/…")
    return "", DeviceSettings(id=levels[place], link={"mqtt": "/".join(levels[: place + 1])})


def _check(settings: DeviceSettings) -> None:
    base = check_topic(settings, "homie/5/garage-lux")
    if len(base.split("/")) < 2:
        raise SettingsError("link.mqtt", "the device's topic, for example `homie/5/garage-lux`")
    check_known(settings, ("root", "map"))
    root = check_word(settings, "root", "garage-gateway")
    if root is not None and any(sign in root for sign in "/+#"):
        raise SettingsError("settings.root", "the id of the root device in Homie, for example `garage-gateway`")
    read_rows(settings, source="property")


DRIVERS = (
    Driver(
        name="homie",
        transport="mqtt",
        summary="devices that follow the Homie convention, versions 4 and 5",
        guarantee="What the device publishes is safe once the broker has it (Homie asks for QoS 1 or 2); only the last value "
        "of a property outlives an absence of the gateway's session, and its age is not known.",
        default_kind="sensor",
        own_clock=False,
        topics=_topics,
        message_decoder=_decoder,
        listener=_listener,
        check=_check,
        models=(
            Model(
                vendor="any",
                model="Homie device (4.0, 5.0)",
                driver="homie",
                kind="sensor",
                capabilities=("light_level", "motion", "lamp_state", "power", "device_status", "measurement"),
                note="settings.map",
            ),
        ),
    ),
)
