"""What the names in Tasmota's messages mean. Tables only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Quantity(NamedTuple):
    """A measurement: its name and unit (UCUM); unit "" is said by the message (`TempUnit`, `PressureUnit`)."""

    name: str
    unit: str


FIELDS: Mapping[str, Quantity] = {
    "Temperature": Quantity("temperature", ""),
    "DewPoint": Quantity("dew_point", ""),
    "Humidity": Quantity("humidity", "%"),
    "Pressure": Quantity("pressure", ""),
    "SeaPressure": Quantity("sea_pressure", ""),
    "CarbonDioxide": Quantity("carbon_dioxide", "[ppm]"),
    "eCO2": Quantity("carbon_dioxide", "[ppm]"),
    "TVOC": Quantity("tvoc", "[ppb]"),
    "Distance": Quantity("distance", "cm"),
    "Moisture": Quantity("moisture", "%"),
    "Noise": Quantity("noise", "dB"),
    "Battery": Quantity("battery", "%"),
    "A": Quantity("analog", "1"),
    "Range": Quantity("range", "1"),
}
"""Fields of a sensor's object, without the digits at their ends (`A0`, `Temperature2`). Others are no observation."""

TEMPERATURE_UNITS: Mapping[str, str] = {"C": "Cel", "F": "[degF]"}
PRESSURE_UNITS: Mapping[str, str] = {"hPa": "hPa", "mmHg": "mm[Hg]", "inHg": "[in_i'Hg]"}

ENERGY: Mapping[str, tuple[str, float]] = {
    "Power": ("watts", 1),
    "Voltage": ("volts", 1),
    "Current": ("amps", 1),
    "Factor": ("power_factor", 1),
    "Total": ("energy_wh", 1000),
    "ConsumptionTotal": ("energy_wh", 1),
}
"""Fields of `ENERGY`: which field of a power observation, and the factor to its unit. `Total` is in kWh; `ConsumptionTotal` is
OpenBeken's, in Wh. `Today`, `Yesterday` and `Period` are sums that Tasmota makes of it."""

ENERGY_MEASUREMENTS: Mapping[str, Quantity] = {
    "ApparentPower": Quantity("apparent_power", "V.A"),
    "ReactivePower": Quantity("reactive_power", "var"),
    "Frequency": Quantity("ac_frequency", "Hz"),
}

STATES: Mapping[str, bool] = {"ON": True, "OFF": False}
"""What a relay says unless `StateText` changed it."""

BLINKING = frozenset({"BLINK ON", "BLINK OFF", "Blink ON", "Blink OFF", "Blink On", "Blink Off"})
"""What `Power` answers while a relay blinks: neither on nor off."""

NEUTRAL = frozenset({"Time", "Epoch", "TempUnit", "PressureUnit"})
"""Keys that may stand beside a card in the message that a reader's driver sends at once; what holds a sensor's values as
well is a periodic sample, and the card in it was read earlier."""
