"""What the components of the second generation and later say of themselves. Tables only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Target = Literal["power", "measurement", "flag", "lamp", "level", "lux", "input"]


class Field(NamedTuple):
    """One field of a component's status.

    Args:
        target: what it becomes.
        name: a field of `power`, the quantity of a measurement.
        unit: of a measurement, UCUM.
        inner: the field is an object, the value is this one in it.
        phase: the channel, where a component has several; else it is the component's number.
    """

    target: Target
    name: str = ""
    unit: str = "1"
    inner: str = ""
    phase: str = ""


Fields = Mapping[str, tuple[Field, ...]]

_METER: Fields = {
    "apower": (Field("power", "watts"),),
    "act_power": (Field("power", "watts"),),
    "voltage": (Field("power", "volts"),),
    "current": (Field("power", "amps"),),
    "pf": (Field("power", "power_factor"),),
    "aenergy": (Field("power", "energy_wh", inner="total"),),
    "ret_aenergy": (Field("measurement", "returned_energy", "W.h", "total"),),
    "aprtpower": (Field("measurement", "apparent_power", "V.A"),),
    "aprt_power": (Field("measurement", "apparent_power", "V.A"),),
    "freq": (Field("measurement", "frequency", "Hz"),),
    "temperature": (Field("measurement", "temperature", "Cel", "tC"),),
}
_LAMP: Fields = {**_METER, "output": (Field("lamp"),), "brightness": (Field("level"),)}
_PHASES = ("a", "b", "c")
_EM: Fields = {
    **{f"{phase}_act_power": (Field("power", "watts", phase=phase),) for phase in _PHASES},
    **{f"{phase}_voltage": (Field("power", "volts", phase=phase),) for phase in _PHASES},
    **{f"{phase}_current": (Field("power", "amps", phase=phase),) for phase in (*_PHASES, "n")},
    **{f"{phase}_pf": (Field("power", "power_factor", phase=phase),) for phase in _PHASES},
    **{f"{phase}_aprt_power": (Field("measurement", "apparent_power", "V.A", phase=phase),) for phase in _PHASES},
    **{f"{phase}_freq": (Field("measurement", "frequency", "Hz", phase=phase),) for phase in _PHASES},
    "total_act_power": (Field("power", "watts", phase="total"),),
    "total_current": (Field("power", "amps", phase="total"),),
    "total_aprt_power": (Field("measurement", "apparent_power", "V.A", phase="total"),),
}
_EMDATA: Fields = {
    **{f"{phase}_total_act_energy": (Field("power", "energy_wh", phase=phase),) for phase in _PHASES},
    **{
        f"{phase}_total_act_ret_energy": (Field("measurement", "returned_energy", "W.h", phase=phase),)
        for phase in _PHASES
    },
    "total_act": (Field("power", "energy_wh", phase="total"),),
    "total_act_ret": (Field("measurement", "returned_energy", "W.h", phase="total"),),
}

COMPONENTS: Mapping[str, Fields] = {
    **dict.fromkeys(("switch", "light", "rgb", "rgbw", "cct", "rgbcct"), _LAMP),
    "cover": {**_METER, "current_pos": (Field("measurement", "position", "%"),)},
    "pm1": _METER,
    "em1": _METER,
    "em1data": {
        "total_act_energy": (Field("power", "energy_wh"),),
        "total_act_ret_energy": (Field("measurement", "returned_energy", "W.h"),),
    },
    "em": _EM,
    "emdata": _EMDATA,
    "input": {
        "state": (Field("input", "input"),),
        "percent": (Field("measurement", "input_percent", "%"),),
        "counts": (Field("measurement", "input_count", inner="total"),),
    },
    "voltmeter": {"voltage": (Field("measurement", "voltage", "V"),)},
    "temperature": {"tC": (Field("measurement", "temperature", "Cel"),)},
    "humidity": {"rh": (Field("measurement", "humidity", "%"),)},
    "illuminance": {"lux": (Field("lux"),)},
    "devicepower": {
        "battery": (Field("measurement", "battery", "%", "percent"), Field("measurement", "battery_voltage", "V", "V")),
        "external": (Field("flag", "external_power", inner="present"),),
    },
    "smoke": {"alarm": (Field("flag", "smoke"),)},
    "flood": {"alarm": (Field("flag", "flood"),)},
    "bthomedevice": {
        "battery": (Field("measurement", "battery", "%"),),
        "rssi": (Field("measurement", "rssi", "dB[mW]"),),
    },
    "bthomesensor": {"value": (Field("input", "bthomesensor"),)},
    "wifi": {"rssi": (Field("measurement", "rssi", "dB[mW]"),)},
}
"""By the component's name without its number: its fields. What is not here is no observation."""

LAMPS = frozenset({"switch", "light", "rgb", "rgbw", "cct", "rgbcct"})
"""Components that are an output: they may have `errors`."""

FAULTS: Mapping[str, str] = {"overtemp": "thermal_shutdown"}
"""An entry of `errors` as lighting names it; others keep their names."""
