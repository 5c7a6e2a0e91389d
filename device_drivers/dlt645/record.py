"""The record of DL/T 645 meters."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from device_drivers.dlt645.identifiers import Edition
from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError

if TYPE_CHECKING:
    from device_drivers.dlt645.decoder import Dlt645Decoder
    from device_drivers.dlt645.poller import Dlt645Poller

_SETTINGS = ("address", "edition", "phases", "every_s", "timeout_ms")
_EDITIONS = get_args(Edition)


def _check(settings: DeviceSettings) -> None:
    if not settings.link.get("serial"):
        raise SettingsError("link.serial", "the line, for example `/dev/ttyUSB0` (with `baud: 2400, parity: E`)")
    given = settings.settings
    for key in given:
        if key not in _SETTINGS:
            raise SettingsError(f"settings.{key}", f"one of {', '.join(_SETTINGS)}")
    address = given.get("address")
    if address is not None and not (isinstance(address, str) and _is_number(address)):
        raise SettingsError("settings.address", "the up to 12 digits printed on the meter, in quotes")
    if address is None and str(given.get("edition", "2007")) == "1997":
        raise SettingsError("settings.address", "the meter's address: the edition of 1997 knows none for all")
    if str(given.get("edition", "2007")) not in _EDITIONS:
        raise SettingsError("settings.edition", f"one of {', '.join(_EDITIONS)}")
    if given.get("phases", 1) not in (1, 3) or isinstance(given.get("phases"), bool):
        raise SettingsError("settings.phases", "1 or 3")
    for key, least, most in (("every_s", 5, 86_400), ("timeout_ms", 100, 10_000)):
        number = given.get(key, least)
        if type(number) is not int or not least <= number <= most:
            raise SettingsError(f"settings.{key}", f"a whole number from {least} to {most}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 12


def _address(settings: DeviceSettings) -> str | None:
    address: str | None = settings.settings.get("address")
    return None if address is None else address.zfill(12)


def _decoder(settings: DeviceSettings) -> Dlt645Decoder:
    from device_drivers.dlt645.decoder import Dlt645Decoder  # noqa: PLC0415

    return Dlt645Decoder(settings.id, address=_address(settings), phases=settings.settings.get("phases", 1))


def _poller(settings: DeviceSettings) -> Dlt645Poller:
    from device_drivers.dlt645.poller import Dlt645Poller  # noqa: PLC0415

    given = settings.settings
    return Dlt645Poller(
        settings.id,
        settings.link["serial"],
        address=_address(settings),
        edition="1997" if str(given.get("edition", "2007")) == "1997" else "2007",
        phases=given.get("phases", 1),
        every_s=given.get("every_s", 60),
        within_s=given.get("timeout_ms", 1000) / 1000,
    )


def _model(model: str, note: str) -> Model:
    return Model(vendor="any", model=model, driver="dlt645", kind="meter", capabilities=("power",), note=note)


DRIVERS = (
    Driver(
        name="dlt645",
        transport="serial",
        summary="Chinese smart meters by DL/T 645, 2007 or 1997",
        guarantee="A meter keeps its energy, so a round that failed loses no consumption; power, voltage and current between "
        "two rounds are unknown, never zero.",
        default_kind="meter",
        own_clock=False,
        stream_decoder=_decoder,
        line_poller=_poller,
        check=_check,
        models=(
            _model("smart meter with one phase, DL/T 645-2007", "2400 8E1"),
            _model("smart meter with three phases, DL/T 645-2007", "2400 8E1; settings.phases: 3"),
            _model("meter of DL/T 645-1997", "1200 8E1; settings.edition: 1997, settings.address"),
        ),
    ),
)
