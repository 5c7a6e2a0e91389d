"""The record of readers that type."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, get_args

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError
from device_drivers.hid_wedge.numbers import Number
from device_drivers.serial_entry import NOBODY, check_whole

if TYPE_CHECKING:
    from device_drivers.hid_wedge.decoder import HidWedgeDecoder

_SETTINGS = ("number", "ends", "pause_ms", "same_within_ms")
_ENDS = ("enter", "pause")
_WHERE = "the reader's physical port, such as `/dev/input/by-path/pci-0000:00:14.0-usb-0:2:1.0-event-kbd` (`ls /dev/input/by-path`)"


def _check(settings: DeviceSettings) -> None:
    path = settings.link.get("input", "")
    nobody = settings.link.get("serial") == NOBODY and not path
    # A number under /dev/input is another device after the next start: a keyboard would be grabbed, the reader not heard.
    if not nobody and (not path.startswith("/") or path.startswith("/dev/input/event")):
        raise SettingsError("link.input", _WHERE)
    for key in settings.settings:
        if key not in _SETTINGS:
            raise SettingsError(f"settings.{key}", f"one of {', '.join(_SETTINGS)}")
    for key, choices in (("number", get_args(Number)), ("ends", _ENDS)):
        if settings.settings.get(key, choices[0]) not in choices:
            raise SettingsError(f"settings.{key}", f"one of {', '.join(choices)}")
    check_whole(settings, "pause_ms", 50, 5000)
    check_whole(settings, "same_within_ms", 0, 60_000)


def _decoder(settings: DeviceSettings) -> HidWedgeDecoder:
    from device_drivers.hid_wedge.decoder import HidWedgeDecoder  # noqa: PLC0415

    given = settings.settings
    return HidWedgeDecoder(
        settings.id,
        number=given.get("number", "decimal"),
        ends=given.get("ends", "enter"),
        pause=timedelta(milliseconds=given.get("pause_ms", 500)),
        gone_after=timedelta(milliseconds=given.get("same_within_ms", 2000)),
    )


DRIVERS = (
    Driver(
        name="hid_wedge",
        transport="serial",
        summary="USB card readers that type like a keyboard, read by their physical port",
        guarantee=(
            "The reader keeps nothing: what is tapped while it is unplugged or the gateway is down is lost, and visits of that "
            "time are unverifiable, never missed."
        ),
        default_kind="reader",
        own_clock=False,
        transmits_only=True,
        stream_decoder=_decoder,
        check=_check,
        models=(
            Model(
                vendor="any",
                model="USB reader, 10 digits and Enter",
                driver="hid_wedge",
                kind="reader",
                capabilities=("tag_read",),
                note="link: {input: /dev/input/by-path/…}",
            ),
            Model(
                vendor="any",
                model="USB reader, hexadecimal",
                driver="hid_wedge",
                kind="reader",
                capabilities=("tag_read",),
                note="settings.number: hex",
            ),
        ),
    ),
)
