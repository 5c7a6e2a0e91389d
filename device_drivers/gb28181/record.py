"""The record of GB/T 28181: recorders and cameras that register with the gateway, and recorders' channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from device_drivers.driver import DeviceSettings, Driver, MessageDecoder, Model
from device_drivers.errors import SettingsError

if TYPE_CHECKING:
    from device_drivers.conversation import CallServer

_SETTINGS = ("password", "catalog_every_s", "alarm_lasts_s")
_TWENTY = '20 digits in quotes, as set in the device, for example "34020000001320000001"'
_HIGHEST = 999_999
"""The last six digits of an id count the channels."""


def _check(settings: DeviceSettings) -> None:
    for key in settings.settings:
        if key not in _SETTINGS:
            raise SettingsError(f"settings.{key}", f"one of {', '.join(_SETTINGS)}")
    for key, least in (("catalog_every_s", 0), ("alarm_lasts_s", 1)):
        value = settings.settings.get(key, least)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= 86_400:
            raise SettingsError(f"settings.{key}", f"seconds from {least} to 86400")
    if not isinstance(settings.settings.get("password", ""), str):
        raise SettingsError("settings.password", "`env:NAME` or `file:PATH`")
    if settings.link:
        raise SettingsError("link", "none: the device calls the gateway at the address of `services.gb28181`")
    if settings.device_id is not None and not _is_id(settings.device_id):
        raise SettingsError("device_id", _TWENTY)
    if settings.channel is None:
        if settings.device_id is None:
            raise SettingsError("device_id", _TWENTY)
        return
    number = type(settings.channel) is int and 1 <= settings.channel <= _HIGHEST
    if not number and not _is_id(settings.channel):
        raise SettingsError("channel", "the number that its 20-digit id ends with, or that id in quotes")
    if settings.behind is None:
        raise SettingsError("behind", "the id of the recorder whose channel it is")


def _is_id(value: object) -> bool:
    return isinstance(value, str) and len(value) == 20 and value.isascii() and value.isdecimal()


def _decoder(_: str, settings: DeviceSettings) -> MessageDecoder:
    from device_drivers.gb28181.decoder import Gb28181Decoder  # noqa: PLC0415  start stays quick without such devices
    from device_drivers.gb28181.meaning import ALARM_LASTS_S  # noqa: PLC0415

    return Gb28181Decoder(float(settings.settings.get("alarm_lasts_s", ALARM_LASTS_S)))


def _server(devices: Sequence[DeviceSettings], service: Mapping[str, Any]) -> CallServer:
    from device_drivers.gb28181.registrar import Registrar  # noqa: PLC0415  likewise

    return Registrar(devices, service)


DRIVERS = (
    Driver(
        name="gb28181",
        transport="sip",
        summary="cameras and recorders that register by SIP (GB/T 28181) and send keepalives",
        guarantee="A message is answered once it is on disk; a device that gets no answer sends it again, over UDP for 32 s. "
        "A keepalive that is lost costs one interval.",
        default_kind="nvr",
        own_clock=False,
        expect_every_s=60,
        message_decoder=_decoder,
        listener=lambda _: ("", DeviceSettings(id="gb28181", device_id="0" * 20)),
        call_server=_server,
        check=_check,
        models=(
            Model(
                vendor="Hikvision",
                model="camera over GB/T 28181",
                driver="gb28181",
                kind="camera",
                capabilities=("camera_heartbeat", "device_status", "video_state", "motion", "storage_fault"),
                note="device_id: its 20 digits",
            ),
            Model(
                vendor="Dahua",
                model="camera over GB/T 28181",
                driver="gb28181",
                kind="camera",
                capabilities=("camera_heartbeat", "device_status", "video_state", "motion", "storage_fault"),
                note="device_id: its 20 digits",
            ),
            Model(
                vendor="any",
                model="recorder (NVR, DVR) over GB/T 28181",
                driver="gb28181",
                kind="nvr",
                capabilities=("camera_heartbeat", "device_status", "video_state", "storage_fault"),
                note="device_id: its 20 digits",
            ),
            Model(
                vendor="any",
                model="channel of a recorder over GB/T 28181",
                driver="gb28181",
                kind="camera",
                capabilities=("camera_heartbeat", "device_status", "video_state", "motion"),
                note="channel: 20 digits, or the number at their end; behind: the recorder's id",
            ),
        ),
    ),
)
