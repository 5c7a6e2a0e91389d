"""The record of GA/T 1400: cameras that register over HTTP and send keepalives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from device_drivers.driver import DeviceSettings, Driver, MessageDecoder, Model
from device_drivers.errors import SettingsError

if TYPE_CHECKING:
    from device_drivers.conversation import WebServer


def _check(settings: DeviceSettings) -> None:
    for key, value in settings.settings.items():
        if key != "password":
            raise SettingsError(f"settings.{key}", "password, or none")
        if not isinstance(value, str):
            raise SettingsError("settings.password", "`env:NAME` or `file:PATH`")
    if settings.link:
        raise SettingsError("link", "none: the device calls the gateway at the address of `services.gat1400`")
    device_id = settings.device_id
    if device_id is None or len(device_id) != 20 or not (device_id.isascii() and device_id.isdecimal()):
        raise SettingsError("device_id", '20 digits in quotes, as set in the device ("34020000001190000001")')


def _decoder(_: str, __: DeviceSettings) -> MessageDecoder:
    from device_drivers.gat1400.decoder import Gat1400Decoder  # noqa: PLC0415  start stays quick without such devices

    return Gat1400Decoder()


def _server(devices: Sequence[DeviceSettings], service: Mapping[str, Any]) -> WebServer:
    from device_drivers.gat1400.server import ViidServer  # noqa: PLC0415  likewise

    return ViidServer(devices, service)


DRIVERS = (
    Driver(
        name="gat1400",
        transport="http",
        summary="face-capture cameras that register over HTTP (GA/T 1400) and send keepalives",
        guarantee="A request is answered once it is on disk. A keepalive that is lost costs one interval of 90 s.",
        default_kind="camera",
        own_clock=False,
        expect_every_s=90,
        message_decoder=_decoder,
        listener=lambda _: ("", DeviceSettings(id="gat1400", device_id="0" * 20)),
        web_server=_server,
        check=_check,
        models=(
            Model(
                vendor="any",
                model="face-capture camera over GA/T 1400",
                driver="gat1400",
                kind="camera",
                capabilities=("camera_heartbeat", "device_status"),
                note="device_id: its 20 digits",
            ),
        ),
    ),
)
