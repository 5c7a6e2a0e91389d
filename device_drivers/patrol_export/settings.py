"""What the site file says of a wand whose exports are imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from device_drivers.errors import SettingsError

Dates = Literal["ymd", "mdy", "dmy"]
Chips = Literal["hex", "decimal"]
Events = Literal["incident", "ignore"]

DEFAULT_ZONE = "Asia/Shanghai"
"""Only `decode` reads a file without a site; the import gives the site's zone."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `patrol_export`.

    Args:
        serial: the wand's number, or several, as its program writes it in the column of readers.
        timezone: of times that name none; the import gives the site's.
        dates: which number of a date is which, where the column cannot tell.
        chips: `hex`, or `decimal` for the 10 printed digits.
        events: what stands in the event column is an `incident`, or is ignored.
        checkpoints: chip number by checkpoint name, for files without a column of chip numbers.
        readers: device by serial, of all wands of the site; given by the import. None: the file is all one device's.
        people: person's id by name; given by the import.
    """

    serial: str | list[str] = ""
    timezone: str = DEFAULT_ZONE
    dates: Dates | None = None
    chips: Chips = "hex"
    events: Events = "incident"
    checkpoints: dict[str, str] = {}
    readers: dict[str, str] | None = None
    people: dict[str, str] = {}


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "dates": get_args(Dates),
    "chips": get_args(Chips),
    "events": get_args(Events),
}
_SHAPES = {
    "serial": "the wand's number as text in quotes, or a list of them",
    "checkpoints": 'chip numbers by checkpoint name, such as `{1号楼: "0F004E86D9"}`',
}


def settings_of(values: Mapping[str, Any]) -> Settings:
    """The settings of an entry.

    Raises:
        SettingsError: one cannot be used.
    """
    for key, value in values.items():
        if key not in Settings.__struct_fields__:
            known = ", ".join(name for name in Settings.__struct_fields__ if name not in ("readers", "people"))
            raise SettingsError(f"settings.{key}", f"one of {known}")
        if key in _CHOICES and value not in _CHOICES[key]:
            raise SettingsError(f"settings.{key}", f"one of {', '.join(_CHOICES[key])}")
        try:
            settings = msgspec.convert({key: value}, Settings)
            if key == "timezone":
                ZoneInfo(settings.timezone)
        except (msgspec.ValidationError, ValueError, KeyError, OSError):  # KeyError: no such zone
            raise SettingsError(f"settings.{key}", _SHAPES.get(key, "a time zone such as Asia/Shanghai")) from None
    return msgspec.convert(dict(values), Settings)
