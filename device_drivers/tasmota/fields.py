"""What the fields in Tasmota's messages mean: tables, read by `telemetry` and `inputs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple


class Field(NamedTuple):
    """A number in a sensor's object.

    Args:
        quantity: of the measurement it becomes; `lux` is a light level.
        unit: of the measurement (UCUM); `temperature` and `pressure` follow the message's `TempUnit` and `PressureUnit`.
    """

    quantity: str
    unit: str = "1"


FIELDS: Mapping[str, Field] = {
    "Illuminance": Field("lux"),
    "Temperature": Field("temperature", "temperature"),
    "DewPoint": Field("dew_point", "temperature"),
    "Humidity": Field("humidity", "%"),
    "Moisture": Field("moisture", "%"),
    "Pressure": Field("pressure", "pressure"),
    "SeaPressure": Field("sea_pressure", "pressure"),
    "CarbonDioxide": Field("carbon_dioxide", "[ppm]"),
    "eCO2": Field("carbon_dioxide", "[ppm]"),
    "TVOC": Field("tvoc", "[ppb]"),
    "PM2.5": Field("pm2_5", "ug/m3"),
    "PM10": Field("pm10", "ug/m3"),
    "Distance": Field("distance", "cm"),
    "Range": Field("range"),
    "A": Field("analog"),
    "C": Field("count"),
}
"""By the name, without the number that it bears where a device has several of it (`Illuminance1`, `A0`); others are no
observation."""

TEMPERATURE_UNITS: Mapping[str, str] = {"C": "Cel", "F": "[degF]"}
PRESSURE_UNITS: Mapping[str, str] = {"hPa": "hPa", "mmHg": "mm[Hg]", "inHg": "[in_i'Hg]"}
"""By what `TempUnit` and `PressureUnit` say; absent: °C and hPa, Tasmota's own defaults."""

ENERGY: Mapping[str, tuple[str, float]] = {
    "Power": ("watts", 1),
    "Voltage": ("volts", 1),
    "Current": ("amps", 1),
    "Factor": ("power_factor", 1),
    "Total": ("energy_wh", 1000),
}
"""Of the object `ENERGY`: the field of `power`, and the factor to its unit. A list has one value for each phase."""

ReaderForm = Literal["hex", "wiegand"]

TYPE_A = frozenset({"PN532", "RC522"})
"""Readers at 13.56 MHz, whose numbers are UIDs of ISO 14443 type A."""

READERS: Mapping[str, ReaderForm] = {
    "PN532": "hex",
    "RC522": "hex",
    "RDM6300": "hex",
    "Wiegand": "wiegand",
}
"""Card readers, and how they write `UID`. They publish at the moment of the read, in a message of their own."""

WIEGAND_DIGITS: Mapping[int, int] = {24: 6, 26: 6, 32: 8, 34: 8}
"""Hexadecimal digits of a card by `Size` in bits, with or without the two of parity; others are rounded up."""

KEY_BITS = 8
"""A `Size` up to this is a key of a keypad, no card."""

PRESSES = frozenset({"SINGLE", "DOUBLE", "TRIPLE", "QUAD", "PENTA", "HOLD", "ON", "TOGGLE"})
"""Actions of a button that somebody has pressed."""

InputMeaning = Literal["motion", "contact", "panic"]
