"""The record of MediaMTX: one hub device, its paths as channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device_drivers.camera_settings import Number, check_web_camera, number
from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError

if TYPE_CHECKING:
    from device_drivers.conversation import WebPoller
    from device_drivers.mediamtx.decoder import MediamtxDecoder

_NUMBERS = {"every_s": Number(30, 5, 3600)}
_PAGES = {"metrics": "/metrics", "api": "/v3/paths/list?itemsPerPage=1000&page=0"}


def _check(settings: DeviceSettings) -> None:
    check_web_camera(settings, _NUMBERS, "source", "on_demand")
    if settings.settings.get("source", "metrics") not in _PAGES:
        raise SettingsError("settings.source", f"one of {', '.join(_PAGES)}")
    if not isinstance(settings.settings.get("on_demand", False), bool):
        raise SettingsError("settings.on_demand", "true where paths have a stream only while someone reads them")


def _decoder(settings: DeviceSettings) -> MediamtxDecoder:
    from device_drivers.mediamtx.decoder import MediamtxDecoder  # noqa: PLC0415  start stays quick without it

    return MediamtxDecoder(settings.id, on_demand=settings.settings.get("on_demand", False))


def _poller(settings: DeviceSettings) -> WebPoller:
    from device_drivers.page_poller import PagePoller  # noqa: PLC0415  likewise
    from device_drivers.web_address import web_address  # noqa: PLC0415

    return PagePoller(
        settings.id,
        web_address(settings),
        _decoder(settings),
        path=_PAGES[settings.settings.get("source", "metrics")],
        every_s=number(settings, "every_s", _NUMBERS["every_s"]),
    )


def _listener(topic: str) -> tuple[str, DeviceSettings]:  # noqa: ARG001  metrics, paths, or ""
    return "", DeviceSettings(id="mediamtx", kind="nvr", link={"http": "http://mediamtx:9998"})


DRIVERS = (
    Driver(
        name="mediamtx",
        transport="http",
        summary="cameras behind MediaMTX, by its metrics or its API",
        guarantee="Each path's state is asked for every 30 s: a shorter loss of the picture is not seen.",
        default_kind="nvr",
        own_clock=False,
        expect_every_s=60,
        message_decoder=lambda _, settings: _decoder(settings),
        listener=_listener,
        web_poller=_poller,
        check=_check,
        models=(
            Model(
                vendor="bluenviron",
                model="MediaMTX",
                driver="mediamtx",
                kind="nvr",
                capabilities=("reachable", "video_state"),
            ),
            Model(
                vendor="any",
                model="camera behind MediaMTX",
                driver="mediamtx",
                kind="camera",
                capabilities=("video_state",),
                note="channel: its path, behind: MediaMTX's id",
            ),
        ),
    ),
)
