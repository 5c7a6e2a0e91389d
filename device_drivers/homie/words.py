"""Words of the Homie convention: states, datatypes and units. Tables only."""

from __future__ import annotations

from collections.abc import Mapping

STATES: Mapping[str, tuple[bool | None, str | None]] = {
    "init": (None, None),
    "ready": (True, None),
    "disconnected": (False, "disconnected"),
    "sleeping": (None, None),
    "lost": (False, "lost"),
    "alert": (True, "alert"),
}
"""What a device's `$state` says: on line or not, and why. A device that starts or sleeps as it should is neither."""

ONLY_4 = frozenset({"alert"})
"""States that version 5 has no more."""

UNITS: Mapping[str, str] = {
    "°C": "Cel",
    "°F": "[degF]",
    "K": "K",
    "°": "deg",
    "%": "%",
    "V": "V",
    "mV": "mV",
    "W": "W",
    "kW": "kW",
    "kWh": "kW.h",
    "Wh": "W.h",
    "A": "A",
    "mA": "mA",
    "Hz": "Hz",
    "lx": "lx",
    "lux": "lx",
    "Pa": "Pa",
    "hPa": "hPa",
    "kPa": "kPa",
    "psi": "[psi]",
    "ppm": "[ppm]",
    "L": "L",
    "gal": "[gal_us]",
    "m": "m",
    "m³": "m3",
    "ft": "[ft_i]",
    "m/s": "m/s",
    "km/h": "km/h",
    "s": "s",
    "min": "min",
    "h": "h",
    "dB": "dB",
}
"""The convention's recommended units in UCUM; another one is not told."""
