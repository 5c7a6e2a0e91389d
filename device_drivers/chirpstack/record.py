"""The record of LoRaWAN devices behind ChirpStack 4."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.chirpstack.decoder import ChirpstackDecoder
from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import DecodeError
from device_drivers.link_topics import check_topic
from device_drivers.uplink import check_uplink, uplink_of


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    return (f"{settings.link.get('mqtt', '')}/event/+",)


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    base, event, name = topic.rpartition("/event/")
    if not event or not name or "/device/" not in base:
        raise DecodeError(f"topic {topic!r}: expected application/ID/device/EUI/event/up or another event")
    return "", DeviceSettings(id=base.rpartition("/")[2], link={"mqtt": base})


def _check(settings: DeviceSettings) -> None:
    check_topic(settings, "application/17c82e96-be03-4f38-aef3-f83d48582d97/device/0101010101010101")
    check_uplink(settings)


DRIVERS = (
    Driver(
        name="chirpstack",
        transport="mqtt",
        summary="LoRaWAN devices behind ChirpStack 4",
        guarantee="What ChirpStack publishes is safe once the broker has it (QoS as set in its MQTT integration, by default 0); "
        "what the radio loses is lost, unless the device sends it again.",
        default_kind="sensor",
        own_clock=False,
        topics=_topics,
        message_decoder=lambda _, settings: ChirpstackDecoder(
            settings.id, settings.link.get("mqtt", ""), uplink_of(settings)
        ),
        listener=_listener,
        check=_check,
        models=(
            Model(
                vendor="any",
                model="LoRaWAN device behind ChirpStack 4",
                driver="chirpstack",
                kind="sensor",
                capabilities=("light_level", "motion", "lamp_state", "power", "measurement", "device_status"),
                note="settings.map, or settings.codec: milesight",
            ),
        ),
    ),
)
