"""The records of iButton readers: `ibutton` polls an adapter, `ibutton_probe` hears a probe that sends lines."""

from __future__ import annotations

from datetime import timedelta

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError
from device_drivers.framed import FramedDecoder
from device_drivers.ibutton.decoder import ProbeDecoder, wire_decoder
from device_drivers.ibutton.poller import IbuttonPoller
from device_drivers.serial_entry import check_line, check_whole

_GONE_MS = 1000
_ORDERS = ("rom", "printed")


def _check_polled(settings: DeviceSettings) -> None:
    check_line(settings, ("every_ms", "timeout_ms", "gone_ms"))
    check_whole(settings, "every_ms", 50, 10_000)
    check_whole(settings, "timeout_ms", 50, 5_000)
    check_whole(settings, "gone_ms", 0, 60_000)


def _check_probe(settings: DeviceSettings) -> None:
    check_line(settings, ("order", "gone_ms"))
    check_whole(settings, "gone_ms", 0, 60_000)
    if settings.settings.get("order", "rom") not in _ORDERS:
        raise SettingsError("settings.order", f"one of {', '.join(_ORDERS)}")


def _gone_after(settings: DeviceSettings) -> timedelta:
    return timedelta(milliseconds=settings.settings.get("gone_ms", _GONE_MS))


def _wire(settings: DeviceSettings) -> FramedDecoder:
    return wire_decoder(settings.id, _gone_after(settings))


def _probe(settings: DeviceSettings) -> ProbeDecoder:
    printed = settings.settings.get("order", "rom") == "printed"
    return ProbeDecoder(settings.id, printed=printed, gone_after=_gone_after(settings))


def _poller(settings: DeviceSettings) -> IbuttonPoller:
    given = settings.settings
    return IbuttonPoller(
        settings.id,
        settings.link["serial"],
        every_s=given.get("every_ms", 100) / 1000,
        within_s=given.get("timeout_ms", 300) / 1000,
        gone_after=_gone_after(settings),
    )


DRIVERS = (
    Driver(
        name="ibutton",
        transport="serial",
        summary="iButton probes on a DS2480B adapter (DS9097U), polled",
        guarantee="The probe keeps nothing: a button is read only while it is polled. An adapter that does not answer is told to be "
        "offline within seconds, and visits of that time are unverifiable, never missed.",
        default_kind="reader",
        own_clock=False,
        expect_every_s=20,
        stream_decoder=_wire,
        line_poller=_poller,
        check=_check_polled,
        models=(
            Model(
                vendor="Maxim",
                model="DS9097U with a probe",
                driver="ibutton",
                kind="reader",
                capabilities=("tag_read", "device_status"),
            ),
        ),
    ),
    Driver(
        name="ibutton_probe",
        transport="serial",
        summary="iButton probes that send the ROM as a line of hexadecimal digits",
        guarantee="The probe keeps nothing: what is tapped while the port is closed or the gateway is down is lost, "
        "and visits of that time are unverifiable, never missed.",
        default_kind="reader",
        own_clock=False,
        transmits_only=True,
        stream_decoder=_probe,
        check=_check_probe,
        models=(
            Model(
                vendor="any",
                model="iButton probe with serial output",
                driver="ibutton_probe",
                kind="reader",
                capabilities=("tag_read",),
            ),
        ),
    ),
)
