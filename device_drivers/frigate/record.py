"""The record of Frigate: one hub device bound to the topic prefix, its cameras as channels."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.frigate.decoder import FrigateDecoder


def _prefix(settings: DeviceSettings) -> str:
    return settings.link.get("mqtt", "").rstrip("/")


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    prefix = _prefix(settings)
    if not prefix:  # a camera: heard through its NVR
        return ()
    return (
        f"{prefix}/available",
        f"{prefix}/stats",
        f"{prefix}/+/enabled/state",
        f"{prefix}/+/status/detect",
        f"{prefix}/+/status/record",
    )


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    for tail in ("/available", "/stats"):
        if topic.endswith(tail) and topic != tail:
            return _hub(topic.removesuffix(tail))
    match topic.rsplit("/", 3):
        case [prefix, camera, "status", role] if prefix and camera and role:
            return _hub(prefix)
        case [prefix, camera, "enabled", "state"] if prefix and camera:
            return _hub(prefix)
    raise DecodeError(f"topic {topic!r}: expected frigate/available, frigate/stats or frigate/CAMERA/status/ROLE")


def _hub(prefix: str) -> tuple[str, DeviceSettings]:
    return "", DeviceSettings(id=prefix, kind="nvr", link={"mqtt": prefix})


def _check(settings: DeviceSettings) -> None:
    prefix = _prefix(settings)
    if settings.kind == "camera" and not prefix:
        if not isinstance(settings.channel, str) or not settings.channel:
            raise SettingsError("channel", "the camera's name in Frigate, for example `channel: front_door`")
    elif settings.kind == "camera":
        raise SettingsError("link", "none for a camera: it is heard through the Frigate named in `behind`")
    elif not prefix or "+" in prefix or "#" in prefix:
        raise SettingsError("link.mqtt", "Frigate's topic prefix without wildcards, for example `frigate`")
    for key in settings.settings:
        raise SettingsError(f"settings.{key}", "no settings: this driver has none")


DRIVERS = (
    Driver(
        name="frigate",
        transport="mqtt",
        summary="cameras behind the Frigate NVR, over MQTT",
        guarantee="Frigate states its condition again each 10 s and its frame rates each minute (at QoS 0 unless it "
        "is told `mqtt: {qos: 1}`): a message lost on the way costs at most one such interval.",
        default_kind="nvr",
        own_clock=False,
        expect_every_s=60,
        topics=_topics,
        message_decoder=lambda _, settings: FrigateDecoder(settings.id, _prefix(settings)),
        listener=_listener,
        check=_check,
        models=(
            Model(
                vendor="Frigate",
                model="Frigate NVR",
                driver="frigate",
                kind="nvr",
                capabilities=("device_status", "camera_stats", "video_state", "recording_state"),
            ),
            Model(
                vendor="any",
                model="camera behind Frigate",
                driver="frigate",
                kind="camera",
                capabilities=("camera_stats", "video_state", "recording_state"),
                note="channel: its name in Frigate, behind: the NVR's id",
            ),
        ),
    ),
)
