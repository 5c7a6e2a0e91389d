"""The record of FCARD wands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args
from zoneinfo import ZoneInfo

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError
from device_drivers.fcard_wand.decoder import FcardDecoder
from device_drivers.fcard_wand.poller import FcardPoller, Incomplete
from device_drivers.serial_entry import NOBODY, check_baud, check_line, check_whole

if TYPE_CHECKING:
    from datetime import tzinfo

_ON_THE_TABLE = "Asia/Shanghai"
"""The zone of `decode`, where no entry names one."""


def _check(settings: DeviceSettings) -> None:
    check_line(settings, ("timezone", "number", "address", "every_s", "people", "incomplete"))
    check_baud(settings, 115_200)
    given = settings.settings
    if "timezone" not in given and settings.link["serial"] != NOBODY:
        raise SettingsError("settings.timezone", "the zone of the wand's clock, such as Asia/Shanghai: it knows none")
    _zone(settings)
    check_whole(settings, "number", 0, 255)
    check_whole(settings, "address", 0, 255)
    check_whole(settings, "every_s", 5, 3600)
    if given.get("incomplete", "hold") not in get_args(Incomplete):
        raise SettingsError("settings.incomplete", f"one of {', '.join(get_args(Incomplete))}")
    _people(settings)


def _zone(settings: DeviceSettings) -> tzinfo:
    name = settings.settings.get("timezone", _ON_THE_TABLE)
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError, TypeError, AttributeError):  # KeyError: no such zone
        raise SettingsError("settings.timezone", "a time zone such as Asia/Shanghai") from None


def _people(settings: DeviceSettings) -> Mapping[int, str]:
    given: Any = settings.settings.get("people", {})
    expected = "a person's id for each staff number, such as `{1: guard-li}`"
    if not isinstance(given, dict):
        raise SettingsError("settings.people", expected)
    people: dict[int, str] = {}
    for number, person in given.items():
        text = str(number)
        if not (
            text.isascii() and text.isdigit() and 0 < int(text[:6]) < 0xFFFF and isinstance(person, str) and person
        ):
            raise SettingsError("settings.people", expected)
        people[int(text)] = person
    return people


def _decoder(settings: DeviceSettings) -> FcardDecoder:
    return FcardDecoder(settings.id, _zone(settings), _people(settings))


def _poller(settings: DeviceSettings) -> FcardPoller:
    given = settings.settings
    return FcardPoller(
        settings.id,
        settings.link["serial"],
        _zone(settings),
        number=given.get("number"),
        address=given.get("address", 0),
        every_s=given.get("every_s", 30),
        people=_people(settings),
        incomplete=given.get("incomplete", "hold"),
    )


DRIVERS = (
    Driver(
        name="fcard_wand",
        transport="serial",
        summary="FCARD / DoNetDrive offline patrol wands in their USB dock, emptied by themselves",
        guarantee="The wand keeps its records until they are on the gateway's disk: only then its pointer is moved, and nothing is "
        "ever cleared. A hand-over that lacks a record is not complete, so nothing of that time counts as missed.",
        default_kind="wand",
        own_clock=True,
        stream_decoder=_decoder,
        line_poller=_poller,
        check=_check,
        models=(
            Model(
                vendor="FCARD",
                model="offline patrol wand (USB)",
                driver="fcard_wand",
                kind="wand",
                capabilities=("tag_read", "sync_end", "reader_heartbeat", "incident"),
                note="portable: true, baud: 115200, settings.timezone",
            ),
        ),
    ),
)
