"""What OpenBeken's topics mean, by the level that names the value. Tables only."""

from __future__ import annotations

from collections.abc import Mapping

POWER: Mapping[str, tuple[str, float]] = {
    "voltage": ("volts", 1),
    "current": ("amps", 1),
    "power": ("watts", 1),
    "power_factor": ("power_factor", 1),
    "energycounter": ("energy_wh", 1),
}
"""`DEVICE/NAME/get`: the field of `power`, and the factor to its unit. Energy is in Wh unless the device was told otherwise."""

ENERGY: Mapping[str, tuple[str, float]] = {
    "Power": ("watts", 1),
    "Voltage": ("volts", 1),
    "Current": ("amps", 1),
    "Factor": ("power_factor", 1),
    "ConsumptionTotal": ("energy_wh", 1),
}
"""The same in the object `ENERGY` of `tele/DEVICE/SENSOR`."""

MEASURED: Mapping[str, tuple[str, str]] = {
    "temperature": ("temperature", "Cel"),
    "humidity": ("humidity", "%"),
    "battery": ("battery", "%"),
    "frequency": ("ac_frequency", "Hz"),
    "rssi": ("rssi", "dB[mW]"),
    "uptime": ("uptime", "s"),
}
"""`DEVICE/NAME/get` or `DEVICE/NAME`: the measurement's quantity and unit."""

BATTERY_MILLIVOLTS = 1000
"""A `voltage` beyond this is a cell in mV: no mains has as much."""

ENERGY_UNITS: Mapping[str, float] = {"Wh": 1, "kWh": 1000}
