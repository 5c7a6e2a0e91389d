"""The record of Dahua cameras and recorders."""

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
from device_drivers.driver import DeviceKind, DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError

if TYPE_CHECKING:
    from device_drivers.conversation import WebPoller
    from device_drivers.dahua.decoder import DahuaDecoder

_NUMBERS = {
    "heartbeat_s": Number(5, 1, 60),
    "channels": Number(1, 1, 1024),
    "expires_s": EXPIRES,
    "loss_expires_s": LOSS_EXPIRES,
    "motion_quiet_s": QUIET,
}
_PROBE = "/cgi-bin/magicBox.cgi?action=getDeviceType"
_NVR_CHANNELS = 32
_MISSED = 3
"""Heartbeats missed until the stream is given up (cameras.md, dahua)."""


def _check(settings: DeviceSettings) -> None:
    check_web_camera(settings, _NUMBERS, "codes")
    codes = settings.settings.get("codes", "All")
    if not isinstance(codes, str) or not codes or not all(code.isalnum() for code in codes.split(",")):
        raise SettingsError(
            "settings.codes", "event codes with commas between, for example `VideoLoss,VideoBlind`, or `All`"
        )


def _decoder(settings: DeviceSettings) -> DahuaDecoder:
    from device_drivers.camera_signs import CameraSigns  # noqa: PLC0415  start stays quick without such devices
    from device_drivers.dahua.decoder import DahuaDecoder  # noqa: PLC0415

    return DahuaDecoder(
        CameraSigns(
            settings.id,
            recorder=settings.kind == "nvr",
            expires_s=expiries(settings),
            quiet_s=number(settings, "motion_quiet_s", QUIET),
            heals=True,  # a Stop is said only where a Start was, perhaps before the gateway's start
        )
    )


def _poller(settings: DeviceSettings) -> WebPoller:
    from device_drivers.dahua.poller import DahuaPoller  # noqa: PLC0415  likewise
    from device_drivers.web_address import web_address  # noqa: PLC0415

    beat_s = int(number(settings, "heartbeat_s", _NUMBERS["heartbeat_s"]))
    codes = settings.settings.get("codes", "All")
    usual = _NVR_CHANNELS if settings.kind == "nvr" else 1
    return DahuaPoller(
        settings.id,
        web_address(settings),
        path=f"/cgi-bin/eventManager.cgi?action=attach&codes=[{codes}]&heartbeat={beat_s}",
        probe=_PROBE,
        idle_s=float(_MISSED * beat_s),
        decoder=_decoder(settings),
        channels=int(number(settings, "channels", Number(usual, 1, 1024))),
    )


def _model(model: str, kind: DeviceKind, *capabilities: str, note: str = "") -> Model:
    return Model(
        vendor="Dahua",
        model=model,
        driver="dahua",
        kind=kind,
        capabilities=("camera_heartbeat", "video_state", "storage_fault", "reachable", *capabilities),
        note=note,
    )


DRIVERS = (
    Driver(
        name="dahua",
        transport="http",
        summary="Dahua cameras and recorders, by their event manager",
        guarantee="The device keeps no events: what begins and ends while the stream is cut is lost. A heartbeat proves its "
        "service, never its picture.",
        default_kind="camera",
        own_clock=False,
        expect_every_s=60,
        stream_decoder=_decoder,
        web_poller=_poller,
        check=_check,
        models=(
            _model("any with eventManager (camera)", "camera", "motion"),
            _model("any with eventManager (NVR, XVR)", "nvr", note="kind: nvr; cameras: channel, behind"),
        ),
    ),
)
