"""The records of the Modbus drivers: one protocol, the names by which people look for it, and what each asks by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from device_drivers.driver import DeviceKind, DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError
from device_drivers.modbus.profile import Profile, ProfileError, shipped, understand

if TYPE_CHECKING:
    from device_drivers.modbus.decoder import ModbusDecoder
    from device_drivers.modbus.poller import ModbusPoller

_SETTINGS = ("profile", "address", "every_s", "timeout_ms", "lamps")
_ON_THE_TABLE = "-"
"""The line of `decode` and the cases, where nobody is asked."""


class _Name(NamedTuple):
    """One name of the driver.

    Args:
        profile: what is asked if the entry names none, None: nothing fits all.
        assumed: of it: too different from vendor to vendor to be asked blindly, so an entry must say it; `decode` may guess.
    """

    name: str
    kind: DeviceKind
    summary: str
    profile: str | None = None
    assumed: bool = False


_NAMES = (
    _Name("modbus_rtu", "sensor", "any Modbus RTU slave on a serial line, by its profile"),
    _Name("modbus_tcp", "sensor", "any Modbus TCP server or gateway, by its profile"),
    _Name("modbus_lux", "lux_sensor", "light sensors on Modbus; the profile names the model", "nhzd210", assumed=True),
    _Name(
        "modbus_relay", "relay", "relay boards on Modbus, read back coil by coil, never switched", "waveshare_relay_8"
    ),
    _Name("modbus_eastron_sdm", "meter", "Eastron SDM energy meters on Modbus", "eastron_sdm120"),
    _Name("modbus_pzem004t", "meter", "PZEM-004T v3 energy meters on Modbus", "pzem004t_v3"),
)


def _profile(name: _Name, settings: DeviceSettings) -> Profile | None:
    """The profile of an entry: a name of the folder, or a mapping of the same form in the site file."""
    given: Any = settings.settings.get("profile", name.profile)
    if isinstance(given, str):
        found = shipped().get(given)
        if found is None:
            raise SettingsError("settings.profile", f"one of {', '.join(shipped())}, or a profile's own mapping")
        return found
    if given is None:
        return None
    try:
        return understand(given)
    except ProfileError as error:
        raise SettingsError("settings.profile", f"a profile as in device_drivers/modbus/README.md ({error})") from None


def _check(name: _Name, settings: DeviceSettings) -> None:
    _check_line(name, settings)
    for key in settings.settings:
        if key not in _SETTINGS:
            raise SettingsError(f"settings.{key}", f"one of {', '.join(_SETTINGS)}")
    profile = _profile(name, settings)
    asked = settings.link.get("serial") != _ON_THE_TABLE
    if asked and "profile" not in settings.settings and (profile is None or name.assumed):
        raise SettingsError(
            "settings.profile", f"the model's profile: one of {', '.join(shipped())}, or its own mapping"
        )
    if asked and profile is not None and not any(read.poll for read in profile.reads):
        raise SettingsError("settings.profile", "a profile with a read that is polled")
    _check_number(settings, "address", 1, 255)  # 0 is a broadcast, which nobody answers
    _check_number(settings, "every_s", 1, 86_400)
    _check_number(settings, "timeout_ms", 50, 10_000)
    lamps = settings.settings.get("lamps", {})
    if not isinstance(lamps, dict) or not all(isinstance(lamp, str) for lamp in lamps.values()):
        raise SettingsError("settings.lamps", "a lamp's id for each channel, for example `{1: lamp-a, 2: lamp-b}`")


def _check_line(name: _Name, settings: DeviceSettings) -> None:
    serial, tcp = settings.link.get("serial"), settings.link.get("tcp")
    if name.name == "modbus_rtu" and tcp:
        raise SettingsError(
            "link.tcp",
            "nothing: Modbus TCP is the driver `modbus_tcp`; RTU through a converter is `serial: socket://HOST:PORT`",
        )
    if bool(serial) == bool(tcp):
        expected = "`tcp: HOST:PORT`" if name.name == "modbus_tcp" else "`serial: /dev/ttyUSB0` or `tcp: HOST:PORT`"
        raise SettingsError("link.tcp" if name.name == "modbus_tcp" else "link.serial", f"the line, {expected}")
    if tcp:
        host, _, port = tcp.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port[:6]) <= 65_535:
            raise SettingsError("link.tcp", "host and port, for example `10.0.0.7:502`")


def _check_number(settings: DeviceSettings, key: str, least: int, most: int) -> None:
    number = settings.settings.get(key, least)
    if type(number) is not int or not least <= number <= most:
        raise SettingsError(f"settings.{key}", f"a whole number from {least} to {most}")


def _lamps(settings: DeviceSettings) -> dict[str, str]:
    return {str(channel): lamp for channel, lamp in settings.settings.get("lamps", {}).items()}


def _decoder(name: _Name, settings: DeviceSettings) -> ModbusDecoder:
    from device_drivers.modbus import frames  # noqa: PLC0415  pymodbus is slow to import
    from device_drivers.modbus.decoder import ModbusDecoder  # noqa: PLC0415

    return ModbusDecoder(
        settings.id,
        _profile(name, settings),
        frames.TCP if _is_tcp(name, settings) else frames.RTU,
        address=settings.settings.get("address"),
        lamps=_lamps(settings),
    )


def _poller(name: _Name, settings: DeviceSettings) -> ModbusPoller:
    from device_drivers.modbus import frames  # noqa: PLC0415
    from device_drivers.modbus.poller import ModbusPoller  # noqa: PLC0415

    profile = _profile(name, settings)
    assert profile is not None
    given, link = settings.settings, settings.link
    return ModbusPoller(
        settings.id,
        profile,
        f"socket://{link['tcp']}" if link.get("tcp") else link["serial"],
        frames.TCP if _is_tcp(name, settings) else frames.RTU,
        address=given.get("address", profile.address),
        every_s=given.get("every_s", profile.every_s),
        within_s=given.get("timeout_ms", 500) / 1000,
        baud=_baud(link.get("baud", "9600")),
        lamps=_lamps(settings),
    )


def _is_tcp(name: _Name, settings: DeviceSettings) -> bool:
    return name.name == "modbus_tcp" or bool(settings.link.get("tcp"))


def _baud(text: str) -> int:
    """The line's speed; one that is no number is the link's to refuse."""
    return max(300, int(text)) if text.isascii() and text.isdigit() and len(text) < 8 else 9600


def _models(driver: str) -> tuple[Model, ...]:
    """The models of the profile files that name this driver."""
    return tuple(
        Model(
            vendor=profile.vendor,
            model=model,
            driver=driver,
            kind=profile.kind,
            capabilities=profile.capabilities,
            profile=name,
            note=f"profile: {name}" + (f"; {profile.note}" if profile.note else ""),
        )
        for name, profile in shipped().items()
        if profile.driver == driver
        for model in profile.models
    )


def _driver(name: _Name) -> Driver:
    return Driver(
        name=name.name,
        transport="serial",
        summary=name.summary,
        guarantee="The device keeps nothing: what it would have said between two rounds, or while it cannot be asked, is "
        "unknown, never dark and never zero.",
        default_kind=name.kind,
        own_clock=False,
        stream_decoder=lambda settings: _decoder(name, settings),
        line_poller=lambda settings: _poller(name, settings),
        check=lambda settings: _check(name, settings),
        models=_models(name.name),
    )


DRIVERS = tuple(_driver(name) for name in _NAMES)
