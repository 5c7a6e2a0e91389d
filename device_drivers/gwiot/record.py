"""The records of the two kinds of Gwiot readers: `gwiot_7941` sends by itself, `gwiot_7941w` is polled."""

from __future__ import annotations

from datetime import timedelta

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError
from device_drivers.framed import FramedDecoder
from device_drivers.gwiot.decoder import polled_decoder, push_decoder
from device_drivers.gwiot.poller import BANDS, GwiotPoller
from device_drivers.serial_entry import check_baud, check_line, check_whole

_PUSH_GONE_MS = 500
_POLLED_GONE_MS = 1000


def _check_push(settings: DeviceSettings) -> None:
    check_line(settings, ("gone_ms",))
    check_whole(settings, "gone_ms", 0, 60_000)


def _check_polled(settings: DeviceSettings) -> None:
    check_line(settings, ("address", "bands", "every_ms", "timeout_ms", "gone_ms"))
    check_baud(settings, 115_200)
    check_whole(settings, "address", 0, 255)
    check_whole(settings, "every_ms", 50, 10_000)
    check_whole(settings, "timeout_ms", 20, 5_000)
    check_whole(settings, "gone_ms", 0, 60_000)
    bands = settings.settings.get("bands", list(BANDS))
    if not isinstance(bands, list) or not bands or not all(isinstance(band, str) and band in BANDS for band in bands):
        raise SettingsError("settings.bands", f"a list of {', '.join(BANDS)}")


def _gone_after(settings: DeviceSettings, usual_ms: int) -> timedelta:
    return timedelta(milliseconds=settings.settings.get("gone_ms", usual_ms))


def _push(settings: DeviceSettings) -> FramedDecoder:
    return push_decoder(settings.id, _gone_after(settings, _PUSH_GONE_MS))


def _polled(settings: DeviceSettings) -> FramedDecoder:
    return polled_decoder(settings.id, settings.settings.get("address"), _gone_after(settings, _POLLED_GONE_MS))


def _poller(settings: DeviceSettings) -> GwiotPoller:
    given = settings.settings
    return GwiotPoller(
        settings.id,
        settings.link["serial"],
        address=given.get("address", 0),
        bands=given.get("bands", list(BANDS)),
        every_s=given.get("every_ms", 200) / 1000,
        within_s=given.get("timeout_ms", 300) / 1000,
        gone_after=_gone_after(settings, _POLLED_GONE_MS),
    )


DRIVERS = (
    Driver(
        name="gwiot_7941",
        transport="serial",
        summary="125 kHz and 13.56 MHz readers that send `02 … 03` binary frames by themselves (Gwiot 7941D/E class)",
        guarantee="The reader keeps nothing: what is tapped while the port is closed or the gateway is down is lost, "
        "and visits of that time are unverifiable, never missed.",
        default_kind="reader",
        own_clock=False,
        transmits_only=True,
        stream_decoder=_push,
        check=_check_push,
        models=(
            Model(vendor="Gwiot", model="7941D", driver="gwiot_7941", kind="reader", capabilities=("tag_read",)),
            Model(vendor="Gwiot", model="7941E", driver="gwiot_7941", kind="reader", capabilities=("tag_read",)),
        ),
    ),
    Driver(
        name="gwiot_7941w",
        transport="serial",
        summary="dual-band card reader that is polled (Gwiot 7941W); only ever read, never told to write",
        guarantee="The reader keeps nothing: a card is read only while it is polled. A reader that does not answer is told to be "
        "offline within seconds, and visits of that time are unverifiable, never missed.",
        default_kind="reader",
        own_clock=False,
        expect_every_s=20,
        stream_decoder=_polled,
        line_poller=_poller,
        check=_check_polled,
        models=(
            Model(
                vendor="Gwiot",
                model="7941W",
                driver="gwiot_7941w",
                kind="reader",
                capabilities=("tag_read", "device_status"),
                note="baud: 115200",
            ),
        ),
    ),
)
