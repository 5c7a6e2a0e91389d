"""The checks that entries of devices on a serial line share."""

from __future__ import annotations

from collections.abc import Sequence

from device_drivers.driver import DeviceSettings
from device_drivers.errors import SettingsError

NOBODY = "-"
"""The line of `decode` and the cases, where nobody is asked."""


def check_line(settings: DeviceSettings, known: Sequence[str]) -> None:
    """There is a serial line, and no settings but the known ones.

    Raises:
        SettingsError: names what is missing or the first other.
    """
    if not settings.link.get("serial"):
        raise SettingsError("link.serial", "the serial port, for example `/dev/ttyUSB0` or `socket://10.0.0.5:4001`")
    for key in settings.settings:
        if key not in known:
            raise SettingsError(f"settings.{key}", f"one of {', '.join(known)}" if known else "no settings")


def check_baud(settings: DeviceSettings, usual: int) -> None:
    """A port of this machine names its speed where that is not 9600.

    Raises:
        SettingsError: it does not.
    """
    line = settings.link.get("serial", "")
    if line != NOBODY and not line.startswith("socket://") and "baud" not in settings.link:
        raise SettingsError("link.baud", f"the line's speed, usually {usual}")


def check_whole(settings: DeviceSettings, key: str, least: int, most: int) -> None:
    """A setting that is a whole number.

    Raises:
        SettingsError: it is something else, or out of its range.
    """
    number = settings.settings.get(key, least)
    if type(number) is not int or not least <= number <= most:
        raise SettingsError(f"settings.{key}", f"a whole number from {least} to {most}")
