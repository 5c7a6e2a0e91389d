"""The record of guards' phones, which speak through the console's phone page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError
from device_drivers.ntag424.settings import demand_keys, settings_of

if TYPE_CHECKING:
    from device_drivers.driver import MessageDecoder
    from device_drivers.ntag424.decoder import Ntag424Decoder


def _check(settings: DeviceSettings) -> None:
    for key in settings.link:
        raise SettingsError(f"link.{key}", "no link: a phone speaks through the console's page")
    for key, value in settings.settings.items():
        match key, value:
            case "person", str() if value:
                pass
            case "person", _:
                raise SettingsError("settings.person", "the id of the person whose phone it is")
            case "sun", list():
                for index, each in enumerate(value):
                    _check_sun(each, f"settings.sun.{index}")
            case "sun", _:
                _check_sun(value, "settings.sun")
            case _:
                raise SettingsError(f"settings.{key}", "one of person, sun")


def _check_sun(value: object, path: str) -> None:
    if not isinstance(value, dict):
        raise SettingsError(path, "settings as of `ntag424`, such as `{file_key: env:SDM_FILE_KEY}`")
    demand_keys(settings_of(value, path), path)


def _decoder(_site: str, settings: DeviceSettings) -> MessageDecoder:
    from device_drivers.phone.decoder import PhoneDecoder  # noqa: PLC0415  only sites with phones need it

    sun = settings.settings.get("sun", [])
    each = sun if isinstance(sun, list) else [sun]
    return PhoneDecoder(settings.id, settings.settings.get("person"), [_verifier(settings.id, keys) for keys in each])


def _verifier(device: str, keys: Mapping[str, Any]) -> Callable[[], Ntag424Decoder]:
    def make() -> Ntag424Decoder:
        from device_drivers.ntag424.decoder import Ntag424Decoder as Decoder  # noqa: PLC0415  starts without the ciphers

        return Decoder(device, settings_of(keys, "settings.sun"))

    return make


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    """Any phone: a hand-over comes over HTTP, from whoever is logged in."""
    return "", DeviceSettings(id=topic or "phone")


DRIVERS = (
    Driver(
        name="phone",
        transport="http",
        summary="guards' own phones, through the console's phone page: taps of NFC tags and QR codes, reports, calls for help",
        guarantee="The page keeps every record until the gateway has it on disk and says so; a phone that is lost, or whose "
        "browser deletes its storage, loses what it had not handed in, and its record is then not complete.",
        default_kind="phone",
        own_clock=True,
        sends_seq=True,
        message_decoder=_decoder,
        listener=_listener,
        check=_check,
        models=(
            Model(
                vendor="any",
                model="phone with a browser of 2023 or later",
                driver="phone",
                kind="phone",
                capabilities=("tag_read", "reader_heartbeat", "sync_end", "incident", "panic"),
                note="made by the guard's log-in; Web NFC and QR scanning where the browser has them",
            ),
        ),
    ),
)
