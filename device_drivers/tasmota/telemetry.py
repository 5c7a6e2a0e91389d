"""The objects that Tasmota's messages are made of, to observations: sensors, meters, switched outputs, the radio."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from device_drivers.errors import DecodeError
from device_drivers.json_values import number, scaled, shown
from device_drivers.observations import LampState, LightLevel, Measurement, Observation, Power
from device_drivers.outputs import lamp_name
from device_drivers.tasmota.fields import (
    ENERGY,
    FIELDS,
    PRESSURE_UNITS,
    TEMPERATURE_UNITS,
)

_MOST_PHASES = 8
"""Values of a list in ENERGY; a meter has three phases, some Shelly-like boards four channels."""
_LONGEST_NAME = 64
"""Characters of a sensor's name, which becomes a channel; longer ones are passed over."""
_DIGITS = "0123456789"


class Outputs:
    """The switched outputs of one device.

    Args:
        device: its id, which is also the lamp of an output without a number.
        lamps: the lamp's id by the output's number; as `outputs.lamp_name`; 1 is its own.
        on / off: the words for the two states (`StateText`).
    """

    def __init__(self, device: str, lamps: Mapping[str, str], on: str = "ON", off: str = "OFF") -> None:
        self._device = device
        self._lamps = lamps
        self.on, self.off = on, off

    def lamp(self, output: str) -> str | None:
        """The lamp behind an output: "" is the only one. None: the device itself."""
        return lamp_name(self._device, self._lamps, output or "1", "1")

    def state(self, word: Any, name: str) -> bool | None:
        """On or off; None where the device does not know.

        Raises:
            DecodeError: another word.
        """
        if word == self.on:
            return True
        if word == self.off:
            return False
        if word is None or word == "":
            return None
        raise DecodeError(f"{name}: {shown(word)}, expected {self.on} or {self.off}")

    def read(self, document: Mapping[str, Any], at: datetime, unread: list[str]) -> list[Observation]:
        """The lamps in a STATE or RESULT: `POWER`, `POWER2`, and `Dimmer` in percent.

        Args:
            unread: is told a state that is no word, a level that is no number.
        """
        found: list[Observation] = []
        lamps: dict[str, dict[str, Any]] = {}
        for key, value in document.items():
            if key.startswith("POWER"):
                output = key[5:]
                if output and not _is_number(output):
                    continue
                try:
                    on = self.state(value, key)
                except DecodeError as error:
                    unread.append(error.reason)
                    continue
                if on is not None:
                    lamps.setdefault(output, {})["on"] = on
            elif key.startswith("Dimmer"):
                output = key[6:]
                if (not output or _is_number(output)) and (level := _number(value, key, unread)) is not None:
                    if not output and "POWER1" in document:  # one light whose colours are switched apart
                        output = "1"
                    lamps.setdefault(output, {})["level"] = min(max(level / 100, 0.0), 1.0)
        for output, fields in lamps.items():
            found.append(LampState(device=self._device, at=at, lamp=self.lamp(output), **fields))
        return found


def sensors(
    document: Mapping[str, Any],
    device: str,
    at: datetime,
    unread: list[str],
    energy: Mapping[str, tuple[str, float]] = ENERGY,
) -> list[Observation]:
    """The values of a SENSOR message: light, meters, and what `FIELDS` names. Readers and switches are not among them.

    Args:
        unread: is told a value that is no number, `ENERGY` that is no object; the others count.
        energy: what the fields of `ENERGY` are, where another firmware writes them.
    """
    found: list[Observation] = []
    for name, inside in document.items():
        if type(inside) is not dict:
            if name == "ENERGY" and inside is not None:
                unread.append(f"ENERGY: {shown(inside)}, expected an object")
            continue
        if name == "ENERGY":
            found += _energy(inside, device, at, energy, unread)
            continue
        if len(name) > _LONGEST_NAME:
            continue
        for key, value in inside.items():
            entry = FIELDS.get(key) or FIELDS.get(key.rstrip(_DIGITS))
            if (
                entry is None or value is None or type(value) is list
            ):  # several at once (a radar's distances) are no one value
                continue
            reading = _number(value, f"{name}.{key}", unread)
            if reading is None or (unit := _unit(entry.unit, document, unread)) is None:
                continue
            if entry.quantity == "lux":
                if reading >= 0:  # no light is below none: a failed reading
                    found.append(LightLevel(device=device, at=at, lux=reading))
            else:
                quantity = entry.quantity + key[len(key.rstrip(_DIGITS)) :] if key not in FIELDS else entry.quantity
                found.append(
                    Measurement(
                        device=device,
                        at=at,
                        quantity=quantity,
                        value=reading,
                        unit=unit,
                        channel=name,
                    )
                )
    return found


def radio(document: Mapping[str, Any], device: str, at: datetime, unread: list[str]) -> list[Observation]:
    """What a STATE says of the device itself: its running time, supply and radio, which are also its signs of life.

    Args:
        unread: is told a value that is no number.
    """
    wifi = document.get("Wifi")
    found: list[Observation] = []
    for inside, key, quantity, unit in (
        (document, "UptimeSec", "uptime", "s"),
        (document, "Vcc", "supply_voltage", "V"),
        (wifi, "RSSI", "wifi_quality", "%"),
        (wifi, "Signal", "rssi", "dB[mW]"),
    ):
        if isinstance(inside, dict) and (value := _number(inside.get(key), key, unread)) is not None:
            found.append(Measurement(device=device, at=at, quantity=quantity, value=value, unit=unit))
    return found


def _energy(
    inside: Mapping[str, Any], device: str, at: datetime, names: Mapping[str, tuple[str, float]], unread: list[str]
) -> list[Observation]:
    """A list is one value for each phase, whose channels count from 1; what stands alone is the whole meter's."""
    found: list[Observation] = []
    whole: dict[str, Any] = {}
    phases: dict[int, dict[str, Any]] = {}
    for key, (field, factor) in names.items():
        value = inside.get(key)
        if type(value) is list:
            if len(value) > _MOST_PHASES:
                unread.append(f"ENERGY.{key}: {len(value)} phases, expected at most {_MOST_PHASES}")
                continue
            for phase, each in enumerate(value, 1):
                if (reading := _number(each, f"ENERGY.{key}", unread)) is not None:
                    phases.setdefault(phase, {})[field] = scaled(reading, factor)
        elif (reading := _number(value, f"ENERGY.{key}", unread)) is not None:
            whole[field] = scaled(reading, factor)
    if whole:
        found.append(Power(device=device, at=at, **whole))
    for phase, fields in sorted(phases.items()):
        found.append(Power(device=device, at=at, channel=phase, **fields))
    frequencies = inside.get("Frequency")
    for each in frequencies[:_MOST_PHASES] if type(frequencies) is list else (frequencies,):
        if (reading := _number(each, "ENERGY.Frequency", unread)) is not None:
            found.append(Measurement(device=device, at=at, quantity="ac_frequency", value=reading, unit="Hz"))
            break
    return found


def _number(value: Any, name: str, unread: list[str]) -> float | None:
    if value is None:
        return None
    try:
        return number(value, name)
    except DecodeError as error:
        unread.append(error.reason)
        return None


def _unit(unit: str, document: Mapping[str, Any], unread: list[str]) -> str | None:
    if unit == "temperature":
        said, units = document.get("TempUnit"), TEMPERATURE_UNITS
        default = "Cel"
    elif unit == "pressure":
        said, units = document.get("PressureUnit"), PRESSURE_UNITS
        default = "hPa"
    else:
        return unit
    if said is None:
        return default
    found = units.get(said) if type(said) is str else None
    if found is None:
        unread.append(f"unit {shown(said)}, expected one of {', '.join(units)}")
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 2
