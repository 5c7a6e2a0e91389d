"""The record of OSDP readers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError
from device_drivers.osdp.cards import CardNumber, Cards, KeypadUse
from device_drivers.osdp.codes import DEFAULT_KEY

if TYPE_CHECKING:
    from device_drivers.osdp.decoder import OsdpDecoder
    from device_drivers.osdp.reader import OsdpReader

_SETTINGS = ("address", "scbk", "secure", "install_mode", "number", "keypad", "keypad_enter", "keypad_clear")
_NO_LINE = "-"
"""What `lamplighter decode` has for a line: bytes are read without one, and without a key."""
_LAST_ADDRESS = 0x7E


def _check(settings: DeviceSettings) -> None:
    line = settings.link.get("serial")
    if not line:
        raise SettingsError("link.serial", "the RS-485 line, for example `/dev/ttyUSB0` or `socket://10.0.0.5:4001`")
    given = settings.settings
    for key in given:
        if key not in _SETTINGS:
            raise SettingsError(f"settings.{key}", f"one of {', '.join(_SETTINGS)}")
    address = given.get("address", 0)
    if type(address) is not int or not 0 <= address <= _LAST_ADDRESS:
        raise SettingsError("settings.address", f"a whole number from 0 to {_LAST_ADDRESS}")
    for key in ("secure", "install_mode"):
        if type(given.get(key, False)) is not bool:
            raise SettingsError(f"settings.{key}", "true or false")
    for key, choices in (("number", get_args(CardNumber)), ("keypad", get_args(KeypadUse))):
        if given.get(key, choices[0]) not in choices:
            raise SettingsError(f"settings.{key}", f"one of {', '.join(choices)}")
    for key in ("keypad_enter", "keypad_clear"):
        _octet(given, key, 0)
    _check_key(settings, line)


def _check_key(settings: DeviceSettings, line: str) -> None:
    given = settings.settings
    secure = given.get("secure", True)
    key = given.get("scbk")
    if key is None:
        if secure and line != _NO_LINE:
            raise SettingsError(
                "settings.scbk", "`env:NAME` or `file:PATH` of the reader's key, or `secure: false` for one without"
            )
        if given.get("install_mode"):
            raise SettingsError("settings.install_mode", "nothing without `scbk`: it is the key that is handed over")
        return
    if not secure:
        raise SettingsError("settings.scbk", "nothing with `secure: false`")
    if not isinstance(key, str) or not (_is_key(key) or _is_reference(key)):
        raise SettingsError("settings.scbk", "a secret of 32 hexadecimal digits")
    if _is_key(key) and bytes.fromhex(key) == DEFAULT_KEY:
        raise SettingsError("settings.scbk", "another key than the standard's default, which everybody knows")


def _is_key(text: str) -> bool:
    return len(text) == 32 and text.isalnum() and all(digit in "0123456789abcdefABCDEF" for digit in text)


def _is_reference(text: str) -> bool:
    """A secret whose value is not known while only the entry is checked."""
    return text.startswith(("env:", "file:"))


def _octet(given: Mapping[str, Any], key: str, default: int) -> int:
    value = given.get(key)
    if value is None:
        return default
    try:
        octet = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        octet = b""
    if len(octet) != 1:
        raise SettingsError(f"settings.{key}", 'the key\'s code in hexadecimal, in quotes, such as "7F"')
    return octet[0]


def _cards(settings: DeviceSettings) -> Cards:
    given = settings.settings
    return Cards(
        settings.id,
        number=given.get("number", "auto"),
        keypad=given.get("keypad", "ignore"),
        enter=_octet(given, "keypad_enter", 0x7F),
        clear=_octet(given, "keypad_clear", 0x0D),
    )


def _decoder(settings: DeviceSettings) -> OsdpDecoder:
    from device_drivers.osdp.decoder import OsdpDecoder  # noqa: PLC0415

    return OsdpDecoder(_cards(settings), address=settings.settings.get("address"))


def _reader(settings: DeviceSettings) -> OsdpReader:
    from device_drivers.osdp.reader import OsdpReader  # noqa: PLC0415

    key = settings.settings.get("scbk")
    return OsdpReader(
        settings.id,
        _cards(settings),
        line=settings.link["serial"],
        address=settings.settings.get("address", 0),
        # A site that is only looked at has no secrets: its readers are never asked, and no channel comes up with no key's bytes.
        key=None if key is None else b"" if _is_reference(key) else bytes.fromhex(key),
        install=settings.settings.get("install_mode", False),
    )


DRIVERS = (
    Driver(
        name="osdp",
        transport="serial",
        summary="card readers on RS-485 that speak OSDP v2; the gateway is the control panel",
        guarantee=(
            "A reader keeps a card only until the next poll, so what is tapped while the line is down is lost, and visits of "
            "that time are unverifiable, never missed."
        ),
        default_kind="reader",
        own_clock=False,
        stream_decoder=_decoder,
        panel_reader=_reader,
        check=_check,
        models=(
            Model(
                vendor="any",
                model="OSDP v2 reader",
                driver="osdp",
                kind="reader",
                capabilities=("tag_read", "reader_heartbeat", "device_status"),
                note="settings.address and scbk",
            ),
            Model(
                vendor="any",
                model="OSDP v2 reader with keypad",
                driver="osdp",
                kind="reader",
                capabilities=("tag_read", "incident", "reader_heartbeat", "device_status"),
                note="settings.keypad: tag or incident",
            ),
        ),
    ),
)
