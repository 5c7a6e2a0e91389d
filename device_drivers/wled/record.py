"""The record of LED strips with the WLED firmware."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import DecodeError
from device_drivers.link_topics import check_known, check_topic, check_word
from device_drivers.wled.decoder import WledDecoder

_HEARD = ("status", "g", "c", "v")


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    base = settings.link.get("mqtt", "")
    return tuple(f"{base}/{suffix}" for suffix in _HEARD)


def _decoder(site: str, settings: DeviceSettings) -> WledDecoder:  # noqa: ARG001
    return WledDecoder(settings.id, settings.link.get("mqtt", ""), settings.settings.get("lamp"))


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    base, _, suffix = topic.rpartition("/")
    if not base or suffix not in (*_HEARD, "col", "api"):
        raise DecodeError(f"topic {topic!r}: expected wled/NAME/ and one of {', '.join(_HEARD)}")
    return "", DeviceSettings(id=base.removeprefix("wled/"), link={"mqtt": base})


def _check(settings: DeviceSettings) -> None:
    check_topic(settings, "wled/aabbcc")
    check_known(settings, ("lamp",))
    check_word(settings, "lamp", "lamp-facade")


DRIVERS = (
    Driver(
        name="wled",
        transport="mqtt",
        summary="LED strips with the WLED firmware",
        guarantee="WLED publishes at QoS 0: a change may be lost on the way, and the next one or a reconnection tells the state "
        "again.",
        default_kind="lamp",
        own_clock=False,
        topics=_topics,
        message_decoder=_decoder,
        listener=_listener,
        check=_check,
        models=(
            Model(
                vendor="WLED",
                model="LED strip (0.8 and later)",
                driver="wled",
                kind="lamp",
                capabilities=("lamp_state", "device_status"),
                note="settings.lamp",
            ),
        ),
    ),
)
