"""The record of native devices."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.native.decoder import NativeDecoder
from device_drivers.native.topics import up


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  one filter serves the whole site
    return (up(site, "+"),)


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    match topic.split("/"):
        case ["lamplighter", site, device, "up"] if site and device:
            return site, DeviceSettings(id=device)
    raise DecodeError(f"topic {topic!r}: expected {up('SITE', 'DEVICE')}")


def _check(settings: DeviceSettings) -> None:
    for key in settings.link:
        raise SettingsError(f"link.{key}", f"no link: a native device publishes to {up('SITE', settings.id)}")
    for key in settings.settings:
        raise SettingsError(f"settings.{key}", "no settings: native devices have none")
    if any(character in settings.id for character in "/+#"):
        raise SettingsError("id", "an id without `/`, `+` and `#`, since it is one level of the device's topic")


DRIVERS = (
    Driver(
        name="native",
        transport="mqtt",
        summary="devices that speak Lamplighter's own observations as JSON",
        guarantee="QoS 1 into a persistent session; with boot and seq a device loses nothing that it keeps until the "
        "acknowledgement on its `down/ack` topic.",
        default_kind="sensor",
        own_clock=True,
        sends_seq=True,
        topics=_topics,
        message_decoder=lambda site, _: NativeDecoder(site),
        listener=_listener,
        check=_check,
        models=(
            Model(
                vendor="Lamplighter",
                model="fixed reader",
                driver="native",
                kind="reader",
                capabilities=("tag_read", "reader_heartbeat", "panic"),
            ),
            Model(
                vendor="Lamplighter",
                model="wand in its dock",
                driver="native",
                kind="wand",
                capabilities=("tag_read", "sync_end", "incident"),
                note="portable: true",
            ),
            Model(
                vendor="Lamplighter",
                model="sensor, lamp or meter",
                driver="native",
                kind="sensor",
                capabilities=("light_level", "motion", "lamp_state", "lamp_fault", "power", "measurement"),
            ),
            Model(
                vendor="Lamplighter",
                model="camera",
                driver="native",
                kind="camera",
                capabilities=(
                    "camera_heartbeat",
                    "video_state",
                    "camera_stats",
                    "recording_state",
                    "storage_fault",
                    "reachable",
                ),
            ),
        ),
    ),
)
