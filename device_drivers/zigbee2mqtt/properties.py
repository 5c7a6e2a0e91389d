"""What the properties that Zigbee2MQTT publishes mean: data, read by the decoder."""

from __future__ import annotations

from typing import Literal, NamedTuple

PANIC_ACTIONS: tuple[str, ...] = ("emergency", "panic", "sos")
"""The `action` values that are calls for help unless the site says otherwise."""


class Property(NamedTuple):
    """Where a property's value goes.

    Args:
        target: which observation it becomes, or which field group it joins.
        name: the field of that observation, or the measurement's quantity.
        factor: multiplied with the value.
        unit: of a measurement (UCUM).
    """

    target: Literal["lux", "motion", "panic", "action", "state", "level", "power", "measurement"]
    name: str = ""
    factor: float = 1
    unit: str = "1"


PROPERTIES: dict[str, Property] = {
    "illuminance": Property("lux"),
    "illuminance_lux": Property("lux"),
    "occupancy": Property("motion"),
    "presence": Property("motion"),
    "sos": Property("panic"),
    "action": Property("action"),
    "state": Property("state"),
    "brightness": Property("level", factor=1 / 254),
    "power": Property("power", "watts"),
    "voltage": Property("power", "volts"),
    "current": Property("power", "amps"),
    "power_factor": Property("power", "power_factor"),
    "energy": Property("power", "energy_wh", factor=1000),
    "ac_frequency": Property("measurement", "ac_frequency", unit="Hz"),
    "battery": Property("measurement", "battery", unit="%"),
    "battery_low": Property("measurement", "battery_low"),
    "carbon_monoxide": Property("measurement", "carbon_monoxide"),
    "contact": Property("measurement", "contact"),
    "device_temperature": Property("measurement", "device_temperature", unit="Cel"),
    "gas": Property("measurement", "gas"),
    "humidity": Property("measurement", "humidity", unit="%"),
    "linkquality": Property("measurement", "linkquality"),
    "pressure": Property("measurement", "pressure", unit="hPa"),
    "smoke": Property("measurement", "smoke"),
    "tamper": Property("measurement", "tamper"),
    "temperature": Property("measurement", "temperature", unit="Cel"),
    "vibration": Property("measurement", "vibration"),
    "water_leak": Property("measurement", "water_leak"),
}
"""By the name in the payload. A name followed by `_` and an output (`state_left`, `power_l1`) is that property of that
output, for the targets in `PER_OUTPUT`. What is not named here (settings, colours, calibration) is no observation."""

EVENTS = tuple(name for name, entry in PROPERTIES.items() if entry.target in ("motion", "panic", "action"))
"""What happened once: retained, it is old news (protocols R2)."""

PER_OUTPUT = frozenset({"state", "level", "power"})
"""Targets that a device with several outputs has once for each."""

OUTPUTS: tuple[str, ...] = (
    "left",
    "center",
    "right",
    "top",
    "bottom",
    *(f"{row}_{side}" for row in ("top", "center", "bottom") for side in ("left", "right")),
    "rgb",
    "cct",
    "white",
    *(f"l{number}" for number in range(1, 17)),
    *(f"phase_{letter}" for letter in "abc"),
    *"abc",
)
"""Names of outputs and phases in Zigbee2MQTT's device definitions."""

ON_OFF: dict[object, bool] = {"ON": True, "OFF": False}
"""States of relays and lamps; covers (`OPEN`) and locks (`LOCK`) are neither."""

BATTERY_MILLIVOLTS = 500.0
"""A `voltage` beside `battery`, or above this, is a cell's voltage in mV; mains devices give volts."""
