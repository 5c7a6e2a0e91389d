"""What the first generation's topics hold, one value a topic. Tables only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Target = Literal[
    "online",
    "lamp",
    "light",
    "power",
    "measurement",
    "flag",
    "opening",
    "lux",
    "motion",
    "input",
    "event",
    "info",
    "document",
]


class Topic(NamedTuple):
    """One topic below the device's own.

    Args:
        target: what its value becomes; `light`, `event`, `info`, `document` are JSON, the others plain text.
        name: a field of `power`, the quantity of a measurement.
        factor: from the device's unit to ours.
        unit: of a measurement, UCUM.
        nothing: the device's word for "no value".
    """

    target: Target
    name: str = ""
    factor: float = 1.0
    unit: str = "1"
    nothing: float | None = None


_WATT_MINUTES = 1 / 60
"""Relays and lights of the first generation count energy in watt-minutes."""

_OUTPUTS = ("relay", "light", "white", "color")

TOPICS: Mapping[str, Topic] = {
    "online": Topic("online"),
    **{f"{output}/N": Topic("lamp") for output in _OUTPUTS},
    **{f"{output}/N/status": Topic("light") for output in _OUTPUTS},
    **{f"{output}/N/power": Topic("power", "watts") for output in (*_OUTPUTS, "roller")},
    **{f"{output}/N/energy": Topic("power", "energy_wh", _WATT_MINUTES) for output in (*_OUTPUTS, "roller")},
    "relay/power": Topic("power", "watts"),  # one meter for both relays of a Shelly 2
    "relay/energy": Topic("power", "energy_wh", _WATT_MINUTES),
    "roller/N/pos": Topic("measurement", "position", unit="%"),
    "emeter/N/power": Topic("power", "watts"),
    "emeter/N/voltage": Topic("power", "volts"),
    "emeter/N/current": Topic("power", "amps"),
    "emeter/N/pf": Topic("power", "power_factor"),
    "emeter/N/total": Topic("power", "energy_wh"),
    "emeter/N/total_returned": Topic("measurement", "returned_energy", unit="W.h"),
    # A second count beside `total`, in watt-minutes: not `energy_wh`, which would jump between the two.
    "emeter/N/energy": Topic("measurement", "energy", _WATT_MINUTES, "W.h"),
    "emeter/N/returned_energy": Topic("measurement", "returned_energy_count", _WATT_MINUTES, "W.h"),
    "emeter/N/reactive_power": Topic("measurement", "reactive_power", unit="var"),
    "voltage": Topic("power", "volts"),
    "input/N": Topic("input"),
    "ext_switch/N": Topic("flag", "ext_switch"),
    "longpush/N": Topic("flag", "longpush"),
    "input_event/N": Topic("event"),
    "temperature": Topic("measurement", "temperature", unit="Cel"),
    "overtemperature": Topic("flag", "overtemperature"),
    "ext_temperature/N": Topic("measurement", "ext_temperature", unit="Cel", nothing=999),
    "ext_humidity/N": Topic("measurement", "ext_humidity", unit="%", nothing=999),
    "adc/N": Topic("measurement", "adc", unit="V"),
    "sensor/temperature": Topic("measurement", "temperature", unit="Cel", nothing=999),
    "sensor/humidity": Topic("measurement", "humidity", unit="%", nothing=999),
    "sensor/battery": Topic("measurement", "battery", unit="%", nothing=-1),
    "sensor/lux": Topic("lux"),
    "sensor/motion": Topic("motion"),
    "sensor/vibration": Topic("flag", "vibration"),
    "sensor/flood": Topic("flag", "flood"),
    "sensor/smoke": Topic("flag", "smoke"),
    "sensor/state": Topic("opening", "contact"),
    "sensor/tilt": Topic("measurement", "tilt", unit="deg"),
    "sensor/concentration": Topic("measurement", "gas", unit="[ppm]"),
    "sensor/charger": Topic("flag", "charger"),
    "sensor/ext_power": Topic("flag", "ext_power"),
    "info": Topic("info"),
    "status": Topic("info"),
    "announce": Topic("document"),  # what the device is
}
"""By the topic below the device's own; `N` stands for a number."""

SILENT = frozenset(
    {
        "roller/N",
        "roller/N/stop_reason",
        "relay/N/overpower_value",
        "temperature_f",
        "temperature_status",
        "ext_temperature_f/N",
        "ext_temperatures",
        "ext_humidities",
        "sensor/act_reasons",
        "sensor/error",
        "sensor/gas",
        "sensor/operation",
        "sensor/self_test",
        "sensor/illumination",
    }
)
"""Known, and no observation: what is told elsewhere, or only in words."""

COMMANDS = ("command", "set", "rpc")
"""The last level of topics that others write to."""


def pattern(suffix: str) -> tuple[str, int | None]:
    """A topic below the device's own as the table names it, and the number in it."""
    channel = None
    levels = suffix.split("/")
    for place, level in enumerate(levels):
        if level.isascii() and level.isdigit() and len(level) <= 3:
            channel = int(level)
            levels[place] = "N"
    return "/".join(levels), channel
