"""The record of LoRaWAN devices behind The Things Stack 3."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import DecodeError
from device_drivers.link_topics import check_topic
from device_drivers.tts.decoder import TtsDecoder
from device_drivers.uplink import check_uplink, uplink_of


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    base = settings.link.get("mqtt", "")
    return (f"{base}/up", f"{base}/join")


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    levels = topic.split("/")
    if len(levels) < 5 or levels[2] != "devices" or not all(levels):
        raise DecodeError(f"topic {topic!r}: expected v3/APPLICATION@TENANT/devices/ID/up or join")
    return "", DeviceSettings(id=levels[3], link={"mqtt": "/".join(levels[:4])})


def _check(settings: DeviceSettings) -> None:
    check_topic(settings, "v3/app1@tenant1/devices/dev1")
    check_uplink(settings)


DRIVERS = (
    Driver(
        name="tts",
        transport="mqtt",
        summary="LoRaWAN devices behind The Things Stack 3",
        guarantee="The Things Stack publishes at QoS 0: what it says while the gateway is away is lost, as is what the radio "
        "loses, unless the device sends it again.",
        default_kind="sensor",
        own_clock=False,
        topics=_topics,
        message_decoder=lambda _, settings: TtsDecoder(settings.id, settings.link.get("mqtt", ""), uplink_of(settings)),
        listener=_listener,
        check=_check,
        models=(
            Model(
                vendor="any",
                model="LoRaWAN device behind The Things Stack 3",
                driver="tts",
                kind="sensor",
                capabilities=("light_level", "motion", "lamp_state", "power", "measurement", "device_status"),
                note="settings.map, or settings.codec: milesight",
            ),
        ),
    ),
)
