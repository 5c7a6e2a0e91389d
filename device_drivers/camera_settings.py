"""Settings that the drivers of network cameras share, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from device_drivers.driver import DeviceSettings
from device_drivers.errors import SettingsError
from device_drivers.web_address import check_web_link, is_channel


class Number(NamedTuple):
    """A setting that is a number: what it is without an entry, and its bounds."""

    usual: float
    least: float
    most: float


EXPIRES = Number(60, 0, 86_400)
"""`expires_s`: after how long without a repeat a covered, moved or defocused picture is over; 0: only the device ends it."""

LOSS_EXPIRES = Number(0, 0, 86_400)
"""`loss_expires_s`: the same for a lost picture. 0, since not every device repeats it: a loss must not end by itself."""

QUIET = Number(10, 1, 3600)
"""`motion_quiet_s`: motion that is not repeated for so long has ended."""


def number(settings: DeviceSettings, key: str, bounds: Number) -> float:
    """A setting, or what it usually is.

    Raises:
        SettingsError: it is no number, or out of bounds.
    """
    value = settings.settings.get(key, bounds.usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not bounds.least <= value <= bounds.most:
        raise SettingsError(f"settings.{key}", f"a number from {bounds.least:g} to {bounds.most:g}")
    return float(value)


def check_settings(settings: DeviceSettings, numbers: Mapping[str, Number], *others: str) -> None:
    """Raises SettingsError for a setting that is not known, or a number that cannot be used."""
    known = (*numbers, *others)
    for key in settings.settings:
        if key not in known:
            raise SettingsError(
                f"settings.{key}", f"one of {', '.join(known)}" if known else "no settings: it has none"
            )
    for key, bounds in numbers.items():
        number(settings, key, bounds)


def check_web_camera(settings: DeviceSettings, numbers: Mapping[str, Number], *others: str) -> None:
    """Raises SettingsError if the entry is neither a device with an address nor a channel of a recorder."""
    if is_channel(settings):
        if settings.behind is None:
            raise SettingsError("behind", "the id of the recorder whose channel it is")
        for key in settings.settings:
            raise SettingsError(f"settings.{key}", "none for a channel: it is heard through its recorder")
        return
    check_web_link(settings)
    check_settings(settings, numbers, *others)


def expiries(settings: DeviceSettings) -> dict[str, float]:
    """By state of the picture: `expires_s` and `loss_expires_s`."""
    usual = number(settings, "expires_s", EXPIRES)
    return {
        "loss": number(settings, "loss_expires_s", LOSS_EXPIRES),
        "blind": usual,
        "moved": usual,
        "defocused": usual,
        "frozen": usual,
    }
