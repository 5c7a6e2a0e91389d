"""The records of the two readers that share this parser: rdm6300 repeats its frame, id12la sends it once."""

from __future__ import annotations

from typing import get_args

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError
from device_drivers.rdm6300.decoder import Rdm6300Decoder
from device_drivers.rdm6300.frame import Checksum

_MOST_CONFIRM_FRAMES = 4
"""A guard holds his tag to the reader for about half a second; it repeats each 50 to 65 ms."""


def _check_rdm6300(settings: DeviceSettings) -> None:
    _check(settings, "checksum", "confirm_frames")
    frames = settings.settings.get("confirm_frames", 1)
    if type(frames) is not int or not 1 <= frames <= _MOST_CONFIRM_FRAMES:
        raise SettingsError("settings.confirm_frames", f"a whole number from 1 to {_MOST_CONFIRM_FRAMES}")


def _check_id12la(settings: DeviceSettings) -> None:
    if "confirm_frames" in settings.settings:
        raise SettingsError("settings.confirm_frames", "nothing: this reader sends each read once, none may be lost")
    _check(settings, "checksum")


def _check(settings: DeviceSettings, *known: str) -> None:
    if not settings.link.get("serial"):
        raise SettingsError("link.serial", "the serial port, for example `/dev/ttyUSB0` or `socket://10.0.0.5:4001`")
    for key in settings.settings:
        if key not in known:
            raise SettingsError(f"settings.{key}", f"one of {', '.join(known)}")
    if settings.settings.get("checksum", "xor") not in get_args(Checksum):
        raise SettingsError("settings.checksum", f"one of {', '.join(get_args(Checksum))}")


def _decoder(settings: DeviceSettings) -> Rdm6300Decoder:
    return Rdm6300Decoder(
        settings.id,
        checksum=settings.settings.get("checksum", "xor"),
        confirm_frames=settings.settings.get("confirm_frames", 1),
    )


_GUARANTEE = (
    "The reader keeps nothing: what is tapped while the port is closed or the gateway is down is lost, "
    "and visits of that time are unverifiable, never missed."
)

DRIVERS = (
    Driver(
        name="rdm6300",
        transport="serial",
        summary="125 kHz card reader on a serial line, repeats its frame while a tag is present",
        guarantee=_GUARANTEE,
        default_kind="reader",
        own_clock=False,
        transmits_only=True,
        stream_decoder=_decoder,
        check=_check_rdm6300,
        models=(
            Model(vendor="Seeed", model="RDM630", driver="rdm6300", kind="reader", capabilities=("tag_read",)),
            Model(vendor="generic", model="RDM6300", driver="rdm6300", kind="reader", capabilities=("tag_read",)),
        ),
    ),
    Driver(
        name="id12la",
        transport="serial",
        summary="125 kHz card reader on a serial line, sends each read once",
        guarantee=_GUARANTEE,
        default_kind="reader",
        own_clock=False,
        transmits_only=True,
        stream_decoder=_decoder,
        check=_check_id12la,
        models=(
            Model(vendor="ID Innovations", model="ID-2LA", driver="id12la", kind="reader", capabilities=("tag_read",)),
            Model(vendor="ID Innovations", model="ID-12LA", driver="id12la", kind="reader", capabilities=("tag_read",)),
            Model(vendor="ID Innovations", model="ID-20LA", driver="id12la", kind="reader", capabilities=("tag_read",)),
        ),
    ),
)
