"""The record of DALI lamps behind a converter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device_drivers.dali.gear import HIGHEST_ADDRESS
from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError
from device_drivers.serial_entry import NOBODY, check_baud, check_line, check_whole

if TYPE_CHECKING:
    from device_drivers.dali.poller import DaliPoller
    from device_drivers.framed import FramedDecoder

_SETTINGS = ("address", "converter", "lamp", "emergency", "every_s", "timeout_ms")
_CONVERTERS = ("foxtron",)


def _check(settings: DeviceSettings) -> None:
    check_line(settings, _SETTINGS)
    check_baud(settings, 19_200)
    given = settings.settings
    if "address" not in given and settings.link["serial"] != NOBODY:
        raise SettingsError("settings.address", f"the gear's short address, 0 to {HIGHEST_ADDRESS}")
    check_whole(settings, "address", 0, HIGHEST_ADDRESS)
    if given.get("converter", "foxtron") not in _CONVERTERS:
        raise SettingsError("settings.converter", f"one of {', '.join(_CONVERTERS)}")
    lamp = given.get("lamp")
    if lamp is not None and not (isinstance(lamp, str) and lamp):
        raise SettingsError("settings.lamp", "a lamp's id, for example `lamp-t1-f03`")
    if not isinstance(given.get("emergency", False), bool):
        raise SettingsError("settings.emergency", "true or false")
    check_whole(settings, "every_s", 5, 86_400)
    check_whole(settings, "timeout_ms", 100, 10_000)


def _decoder(settings: DeviceSettings) -> FramedDecoder:
    from device_drivers.dali.decoder import dali_decoder  # noqa: PLC0415

    given = settings.settings
    return dali_decoder(settings.id, address=given.get("address"), lamp=given.get("lamp"))


def _poller(settings: DeviceSettings) -> DaliPoller:
    from device_drivers.dali.poller import DaliPoller  # noqa: PLC0415

    given = settings.settings
    return DaliPoller(
        settings.id,
        settings.link["serial"],
        address=given["address"],
        lamp=given.get("lamp"),
        emergency=given.get("emergency", False),
        every_s=given.get("every_s", 60),
        within_s=given.get("timeout_ms", 1000) / 1000,
    )


def _model(model: str, note: str) -> Model:
    return Model(
        vendor="any",
        model=model,
        driver="dali",
        kind="lamp",
        capabilities=("lamp_state", "lamp_fault"),
        note=note,
    )


DRIVERS = (
    Driver(
        name="dali",
        transport="serial",
        summary="DALI lamps behind a Foxtron converter, asked for state and faults, never switched",
        guarantee="A gear keeps nothing: what its lamp did between two rounds, or while it could not be asked, is unknown, never "
        "off.",
        default_kind="lamp",
        own_clock=False,
        stream_decoder=_decoder,
        line_poller=_poller,
        check=_check,
        models=(
            _model("DALI gear behind a Foxtron DALI232 or DALI232e", "19200 8E1; settings.address"),
            _model(
                "DALI gear behind a Foxtron DALInet or DALI2net",
                "serial: socket://HOST:23 (bus 2: 24); settings.address",
            ),
            _model("DALI emergency gear with a battery", "settings.emergency: true"),
        ),
    ),
)
