"""The record of ONVIF cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device_drivers.camera_settings import (
    EXPIRES,
    LOSS_EXPIRES,
    QUIET,
    Number,
    check_web_camera,
    expiries,
    number,
)
from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError

if TYPE_CHECKING:
    from device_drivers.conversation import WebPoller
    from device_drivers.onvif.decoder import OnvifDecoder

_NUMBERS = {
    "every_s": Number(60, 10, 3600),
    "expires_s": EXPIRES,
    "loss_expires_s": LOSS_EXPIRES,
    "motion_quiet_s": QUIET,
}
_PATH = "/onvif/device_service"
_AUTH = ("wsse", "digest")


def _check(settings: DeviceSettings) -> None:
    check_web_camera(settings, _NUMBERS, "path", "events", "auth", "channels")
    path = settings.settings.get("path", _PATH)
    if not isinstance(path, str) or not path.startswith("/"):
        raise SettingsError("settings.path", f"the path of the device service, usually `{_PATH}`")
    if not isinstance(settings.settings.get("events", True), bool):
        raise SettingsError("settings.events", "true, or false to ask only whether it lives")
    if settings.settings.get("auth", "wsse") not in _AUTH:
        raise SettingsError("settings.auth", f"one of {', '.join(_AUTH)}")
    channels = settings.settings.get("channels", {})
    if not isinstance(channels, dict) or not all(isinstance(channel, int | str) for channel in channels.values()):
        raise SettingsError("settings.channels", "a channel for each video source, for example `{VideoSource_1: 1}`")


def _decoder(settings: DeviceSettings, *, heals: bool = False) -> OnvifDecoder:
    from device_drivers.camera_signs import CameraSigns  # noqa: PLC0415  start stays quick without such devices
    from device_drivers.onvif.decoder import OnvifDecoder  # noqa: PLC0415

    recorder = settings.kind == "nvr"
    signs = CameraSigns(
        settings.id,
        recorder=recorder,
        expires_s=expiries(settings),
        quiet_s=number(settings, "motion_quiet_s", QUIET),
        heals=heals,
    )
    return OnvifDecoder(settings.id, signs, recorder=recorder, channels=settings.settings.get("channels", {}))


def _poller(settings: DeviceSettings) -> WebPoller:
    from secrets import token_bytes  # noqa: PLC0415  likewise

    from device_drivers.onvif.poller import OnvifPoller  # noqa: PLC0415
    from device_drivers.web_address import web_address  # noqa: PLC0415

    return OnvifPoller(
        settings.id,
        web_address(settings),
        _decoder(settings, heals=True),
        path=settings.settings.get("path", _PATH),
        events=settings.settings.get("events", True),
        auth=settings.settings.get("auth", "wsse"),
        nonce=lambda: token_bytes(16),
        every_s=number(settings, "every_s", _NUMBERS["every_s"]),
    )


def _listener(topic: str) -> tuple[str, DeviceSettings]:  # noqa: ARG001  the name of what was asked, or ""
    return "", DeviceSettings(id="onvif", kind="camera", link={"http": "http://camera"})


_GIVES = ("reachable", "camera_heartbeat", "motion", "video_state", "storage_fault", "measurement")

DRIVERS = (
    Driver(
        name="onvif",
        transport="http",
        summary="cameras of any maker by ONVIF: clock as a probe, events by PullPoint",
        guarantee="What happens while there is no subscription is lost; a new one tells the state of each property anew. The probe and "
        "the events prove the service, never the picture.",
        default_kind="camera",
        own_clock=False,
        expect_every_s=60,
        message_decoder=lambda _, settings: _decoder(settings),
        listener=_listener,
        web_poller=_poller,
        check=_check,
        models=(
            Model(
                vendor="any", model="ONVIF Profile S or T camera", driver="onvif", kind="camera", capabilities=_GIVES
            ),
            Model(
                vendor="any",
                model="ONVIF recorder",
                driver="onvif",
                kind="nvr",
                capabilities=_GIVES,
                note="kind: nvr; cameras: channel (the video source's token), behind",
            ),
        ),
    ),
)
