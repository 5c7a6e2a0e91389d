"""The record of Wiegand heads behind a converter."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError
from device_drivers.serial_entry import check_line, check_whole
from device_drivers.wiegand_serial.decoder import WiegandDecoder
from device_drivers.wiegand_serial.forms import CARD_BYTES, USUAL_BITS, Format

_ENDS = ("line", "none")


def _check(settings: DeviceSettings) -> None:
    check_line(settings, ("format", "bits", "end", "reverse", "gone_ms"))
    given = settings.settings
    form, end, bits = given.get("format", "bits"), given.get("end", "line"), given.get("bits")
    if form not in get_args(Format):
        raise SettingsError("settings.format", f"one of {', '.join(get_args(Format))}")
    if end not in _ENDS:
        raise SettingsError("settings.end", f"one of {', '.join(_ENDS)}")
    if bits is not None and (type(bits) is not int or bits not in CARD_BYTES):
        raise SettingsError("settings.bits", f"one of {', '.join(map(str, CARD_BYTES))}")
    if bits is None and (end == "none" or form == "binary"):
        raise SettingsError("settings.bits", "how many bits a card has, since nothing else says where it ends")
    if type(given.get("reverse", False)) is not bool:
        raise SettingsError("settings.reverse", "true or false")
    check_whole(settings, "gone_ms", 0, 60_000)


def _decoder(settings: DeviceSettings) -> WiegandDecoder:
    given: Any = settings.settings
    return WiegandDecoder(
        settings.id,
        given.get("format", "bits"),
        bits=(given["bits"],) if "bits" in given else USUAL_BITS,
        counted=given.get("end", "line") == "none",
        reverse=given.get("reverse", False),
        gone_after=timedelta(milliseconds=given.get("gone_ms", 500)),
    )


DRIVERS = (
    Driver(
        name="wiegand_serial",
        transport="serial",
        summary="Wiegand 26 and 34 heads behind a converter to a serial line",
        guarantee="Head and converter keep nothing: what is tapped while the port is closed or the gateway is down is lost, "
        "and visits of that time are unverifiable, never missed.",
        default_kind="reader",
        own_clock=False,
        transmits_only=True,
        stream_decoder=_decoder,
        check=_check,
        models=(
            Model(
                vendor="any",
                model="Wiegand head behind a serial converter",
                driver="wiegand_serial",
                kind="reader",
                capabilities=("tag_read",),
                note="settings.format",
            ),
        ),
    ),
)
