"""The record of Hikvision cameras and recorders."""

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
    from device_drivers.hikvision.decoder import HikvisionDecoder

_NUMBERS = {
    "channel_offset": Number(32, 0, 1000),
    "idle_s": Number(60, 10, 3600),
    "expires_s": EXPIRES,
    "loss_expires_s": LOSS_EXPIRES,
    "motion_quiet_s": QUIET,
}
_PATHS = ("/ISAPI/Event/notification/alertStream", "/Event/notification/alertStream")
_PROBE = "/ISAPI/System/status"


def _check(settings: DeviceSettings) -> None:
    check_web_camera(settings, _NUMBERS, "path")
    path = settings.settings.get("path", "/")
    if not isinstance(path, str) or not path.startswith("/"):
        raise SettingsError("settings.path", f"the path of the event stream, for example `{_PATHS[0]}`")


def _decoder(settings: DeviceSettings, *, heals: bool = False) -> HikvisionDecoder:
    from device_drivers.camera_signs import CameraSigns  # noqa: PLC0415  start stays quick without such devices
    from device_drivers.hikvision.decoder import HikvisionDecoder  # noqa: PLC0415

    signs = CameraSigns(
        settings.id,
        recorder=settings.kind == "nvr",
        expires_s=expiries(settings),
        quiet_s=number(settings, "motion_quiet_s", QUIET),
        heals=heals,
    )
    return HikvisionDecoder(signs, offset=int(number(settings, "channel_offset", _NUMBERS["channel_offset"])))


def _poller(settings: DeviceSettings) -> WebPoller:
    from device_drivers.event_stream import EventStreamPoller  # noqa: PLC0415  likewise
    from device_drivers.web_address import web_address  # noqa: PLC0415

    path = settings.settings.get("path")
    return EventStreamPoller(
        settings.id,
        web_address(settings),
        paths=_PATHS if path is None else (path,),
        probe=_PROBE,
        idle_s=number(settings, "idle_s", _NUMBERS["idle_s"]),
        decoder=lambda: _decoder(settings, heals=True),
    )


def _model(model: str, kind: DeviceKind, *capabilities: str, note: str = "") -> Model:
    return Model(
        vendor="Hikvision",
        model=model,
        driver="hikvision",
        kind=kind,
        capabilities=("camera_heartbeat", "video_state", "storage_fault", "reachable", *capabilities),
        note=note,
    )


DRIVERS = (
    Driver(
        name="hikvision",
        transport="http",
        summary="Hikvision cameras and recorders, by their ISAPI event stream",
        guarantee="The device keeps no events: what it reports while the stream is cut is lost; after each reconnect the picture's "
        "state is told anew where the device repeats it. A heartbeat proves its service, never its picture.",
        default_kind="camera",
        own_clock=False,
        expect_every_s=60,
        stream_decoder=_decoder,
        web_poller=_poller,
        check=_check,
        models=(
            _model("DS-2CD2T46G2-ISU camera", "camera", "motion"),
            _model("DVR-208G-M1 recorder", "nvr", "recording_state", note="kind: nvr; cameras: channel, behind"),
            _model("any with ISAPI (camera)", "camera", "motion"),
            _model("any with ISAPI (NVR, DVR)", "nvr", "recording_state", note="kind: nvr; cameras: channel, behind"),
        ),
    ),
)
