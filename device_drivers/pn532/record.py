"""The record of PN532 readers."""

from __future__ import annotations

from datetime import timedelta

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.framed import FramedDecoder
from device_drivers.pn532.decoder import pn532_decoder
from device_drivers.pn532.poller import Pn532Poller
from device_drivers.serial_entry import check_baud, check_line, check_whole

_GONE_MS = 1000


def _check(settings: DeviceSettings) -> None:
    check_line(settings, ("every_ms", "timeout_ms", "gone_ms"))
    check_baud(settings, 115_200)
    check_whole(settings, "every_ms", 50, 10_000)
    check_whole(settings, "timeout_ms", 50, 5_000)
    check_whole(settings, "gone_ms", 0, 60_000)


def _gone_after(settings: DeviceSettings) -> timedelta:
    return timedelta(milliseconds=settings.settings.get("gone_ms", _GONE_MS))


def _decoder(settings: DeviceSettings) -> FramedDecoder:
    return pn532_decoder(settings.id, _gone_after(settings))


def _poller(settings: DeviceSettings) -> Pn532Poller:
    given = settings.settings
    return Pn532Poller(
        settings.id,
        settings.link["serial"],
        every_s=given.get("every_ms", 200) / 1000,
        within_s=given.get("timeout_ms", 500) / 1000,
        gone_after=_gone_after(settings),
    )


DRIVERS = (
    Driver(
        name="pn532",
        transport="serial",
        summary="NFC readers with a PN532 chip on a serial line, polled for the UIDs of tags",
        guarantee="The reader keeps nothing: a tag is read only while it is polled. A reader that does not answer is told to be "
        "offline within seconds, and visits of that time are unverifiable, never missed.",
        default_kind="reader",
        own_clock=False,
        expect_every_s=20,
        stream_decoder=_decoder,
        line_poller=_poller,
        check=_check,
        models=(
            Model(
                vendor="NXP",
                model="PN532 module, HSU",
                driver="pn532",
                kind="reader",
                capabilities=("tag_read", "device_status"),
                note="baud: 115200",
            ),
        ),
    ),
)
