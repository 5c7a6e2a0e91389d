"""What the JSON of Tasmota says: relays, energy, sensors, switches and cards. OpenBeken speaks it, too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from device_drivers.errors import DecodeError
from device_drivers.json_values import instant as epoch_time
from device_drivers.json_values import iso_time, number, read_json, shown
from device_drivers.mapping import numbers
from device_drivers.observations import LampState, LightLevel, Measurement, Motion, Observation, Panic, Power, TagRead
from device_drivers.outputs import InputMeaning, Inputs, lamp_name
from device_drivers.tasmota.cards import BridgeChecksum, SerialForm, WiegandForm, card, serial_cards
from device_drivers.tasmota.words import (
    BLINKING,
    ENERGY,
    ENERGY_MEASUREMENTS,
    FIELDS,
    NEUTRAL,
    PRESSURE_UNITS,
    STATES,
    TEMPERATURE_UNITS,
)

_DIGITS = "0123456789"
_MOST_PHASES = 16
"""Values of an array in `ENERGY`; a meter has three phases, a power strip a few outlets."""


class Choices(NamedTuple):
    """What the site file says of a device.

    Args:
        lamps: the lamp's id for each relay.
        states: what a relay says (`StateText`).
        inputs: what a switch or button means.
        light: the one sensor whose illuminance counts; "": any.
        serial: what a reader on the serial bridge sends.
        checksum: how its frames are checked.
        wiegand: how Wiegand codes are written.
    """

    lamps: Mapping[str, str] = {}
    states: Mapping[str, bool] = STATES
    inputs: Mapping[str, InputMeaning] = {}
    light: str = ""
    serial: SerialForm = "rdm6300"
    checksum: BridgeChecksum = "auto"
    wiegand: WiegandForm = "decimal"


class Content:
    """One device's JSON.

    Args:
        device: its id.
        choices: what the site file says of it.
    """

    def __init__(self, device: str, choices: Choices) -> None:
        self._device = device
        self._choices = choices
        self._inputs = Inputs(device, choices.inputs)

    def time(self, values: Mapping[str, Any], received: datetime) -> datetime | None:
        """The device's time: `Epoch`, or `Time` with an offset or as seconds; None if it has none that can be trusted."""
        given = values.get("Epoch", values.get("Time"))
        if type(given) is str:
            return iso_time(given, received)
        return epoch_time(given, received) if type(given) is int else None

    def read(self, values: Mapping[str, Any], at: datetime, *, asked: bool = False) -> list[Observation]:
        """What a message says.

        Args:
            asked: it is the answer to a status command: the card in it was read earlier.

        Raises:
            DecodeError: a value is not what its name says.
        """
        found: list[Observation] = []
        relays: dict[str, bool | None] = {}
        dimmers: dict[str, float] = {}
        sample = asked
        cards: list[str] = []
        for key, value in values.items():
            if value is None or key in NEUTRAL:
                continue
            if type(value) is dict:
                if "UID" in value:
                    tag = card(key, value, self._choices.wiegand)
                    if tag is not None:
                        cards.append(tag)
                    continue
                sample = self._object(key, value, values, at, found) or sample
            elif key.startswith("POWER"):
                relays[key[5:]] = self.relay_state(value, key)
                sample = True
            elif key.startswith("Dimmer"):
                level = number(value, key)
                if level is not None and (key[6:] == "" or key[6:].isdigit()):
                    dimmers[key[6:]] = min(max(level / 100, 0.0), 1.0)
            elif key in ("SSerialReceived", "SerialReceived"):
                cards += self._serial(value, at, found)
            else:
                self._value(key, value, at, found)
                sample = True
        self._lamps(relays, dimmers, at, found)
        if not sample:
            found += [TagRead(device=self._device, at=at, tag=tag) for tag in cards]
        return found

    def relay_state(self, value: Any, key: str) -> bool | None:
        """On or off; None while it blinks.

        Raises:
            DecodeError: neither; `settings.states` says other words.
        """
        if type(value) is str:
            state = self._choices.states.get(value)
            if state is not None:
                return state
            if value in BLINKING:
                return None
        known = ", ".join(self._choices.states)
        raise DecodeError(
            f"{key}: {shown(value)}, expected one of {known[:200]} (`settings.states` for another StateText)"
        )

    def relay(self, output: str, on: bool, at: datetime, level: float | None = None) -> LampState:
        """What a relay says; `output` "" where there is only one."""
        lamp = (
            lamp_name(self._device, self._choices.lamps, output or "1", "1") if output or self._choices.lamps else None
        )
        return LampState(device=self._device, at=at, lamp=lamp, on=on, level=level if on else None)

    def switch(self, name: str, value: Any, at: datetime) -> Observation | None:
        """What a switch says (`ON`, or `{"Action": "ON"}`); None where it only says what it did (TOGGLE, HOLD)."""
        action = value.get("Action") if type(value) is dict else value
        state = self._choices.states.get(action) if type(action) is str else None
        if state is None:
            return None
        if self._inputs.meaning(name) == "measurement":
            return Measurement(device=self._device, at=at, quantity=name.lower(), value=float(state))
        return self._inputs.state(name, state, at)

    def button(self, name: str, value: Any, at: datetime) -> Observation | None:
        """A press of a button that calls for help; of another one None: what it means only the site knows."""
        action = value.get("Action") if type(value) is dict else value
        pressed = type(action) is str and action not in ("", "NONE", "CLEAR", "OFF")
        return Panic(device=self._device, at=at) if pressed and self._inputs.meaning(name) == "panic" else None

    def _object(
        self, key: str, value: dict[str, Any], values: Mapping[str, Any], at: datetime, found: list[Observation]
    ) -> bool:
        """An object of a message; True if it is part of a periodic sample."""
        if key == "ENERGY":
            found += self.energy(value, at)
        elif key == "Wifi":
            self._wifi(value, at, found)
        elif key in ("StatusSNS", "StatusSTS"):
            found += self.read(value, at, asked=True)
        elif key.startswith("Status"):
            return True
        elif key in ("SSerialReceived", "SerialReceived"):
            self._serial(value, at, found)
            return False
        elif key.startswith("Switch"):
            observation = self.switch(key, value, at)
            if observation is not None:
                found.append(observation)
        elif key.startswith("Button"):
            observation = self.button(key, value, at)
            if observation is not None:
                found.append(observation)
        else:
            self._sensor(key, value, values, at, found)
        return True

    def _sensor(
        self, sensor: str, fields: dict[str, Any], values: Mapping[str, Any], at: datetime, found: list[Observation]
    ) -> None:
        device = self._device
        for name, value in fields.items():
            if value is None:
                continue
            plain = name.rstrip(_DIGITS)
            if plain == "Illuminance":
                lux = number(value, f"{sensor}.{name}")
                if lux is not None and self._choices.light in ("", sensor, f"{sensor}.{name}"):
                    found.append(LightLevel(device=device, at=at, lux=lux))
            elif plain == "Motion":
                if type(value) is not bool and value not in (0, 1):
                    raise DecodeError(f"{sensor}.{name}: {shown(value)}, expected 0 or 1")
                found.append(Motion(device=device, at=at, active=bool(value)))
            elif (quantity := FIELDS.get(plain)) is not None and type(value) is not dict and type(value) is not list:
                measured = number(value, f"{sensor}.{name}")
                unit = quantity.unit or _unit(quantity.name, values)
                if measured is not None and unit:
                    found.append(
                        Measurement(
                            device=device, at=at, quantity=quantity.name, value=measured, unit=unit, channel=sensor
                        )
                    )

    def energy(self, fields: Mapping[str, Any], at: datetime) -> list[Observation]:
        """Values of a meter: what is an array has a channel for each of its places, counted from 1.

        Raises:
            DecodeError: a value that is no number.
        """
        device = self._device
        powers: dict[int | None, dict[str, Any]] = {}
        found: list[Observation] = []
        for name, value in fields.items():
            entry = ENERGY.get(name)
            measured = None if entry is not None else ENERGY_MEASUREMENTS.get(name)
            if entry is None and measured is None:
                continue
            for channel, item in _channels(value):
                amount = None if item is None else number(item, f"ENERGY.{name}")
                if amount is None:
                    continue
                if entry is not None:
                    field, factor = entry
                    powers.setdefault(channel, {})[field] = amount * factor
                elif measured is not None:
                    found.append(
                        Measurement(
                            device=device,
                            at=at,
                            quantity=measured.name,
                            value=amount,
                            unit=measured.unit,
                            channel=channel,
                        )
                    )
        return [
            *(Power(device=device, at=at, channel=channel, **values) for channel, values in powers.items()),
            *found,
        ]

    def _wifi(self, fields: dict[str, Any], at: datetime, found: list[Observation]) -> None:
        for name, quantity, unit in (("RSSI", "wifi_rssi", "%"), ("Signal", "wifi_signal", "dB[mW]")):
            value = fields.get(name)
            amount = None if value is None else number(value, f"Wifi.{name}")
            if amount is not None:
                found.append(Measurement(device=self._device, at=at, quantity=quantity, value=amount, unit=unit))

    def _value(self, key: str, value: Any, at: datetime, found: list[Observation]) -> None:
        observation: Observation | None = None
        if key.startswith("Switch") and type(value) is str:
            observation = self.switch(key, value, at)
        elif key == "UptimeSec":
            seconds = number(value, key)
            if seconds is not None:
                observation = Measurement(device=self._device, at=at, quantity="uptime", value=seconds, unit="s")
        elif key == "Vcc":
            volts = number(value, key)
            if volts is not None:
                observation = Measurement(device=self._device, at=at, quantity="supply_voltage", value=volts, unit="V")
        if observation is not None:
            found.append(observation)

    def _serial(self, value: Any, at: datetime, found: list[Observation]) -> list[str]:
        """Text of the serial bridge: cards. What is JSON there gives measurements named by their paths."""
        if type(value) is str:
            if value[:1] == "{":
                try:
                    value = read_json(value.encode("utf-8", "replace"))
                except DecodeError:
                    return []
            else:
                return serial_cards(value, self._choices.serial, self._choices.checksum)
        if type(value) is dict:
            found += [
                Measurement(device=self._device, at=at, quantity=f"serial.{path}", value=amount)
                for path, amount in numbers(value)
            ]
        return []

    def _lamps(
        self, relays: dict[str, bool | None], dimmers: dict[str, float], at: datetime, found: list[Observation]
    ) -> None:
        """Each relay's state; a dimmer without a number is that of the last relay."""
        if "" in dimmers and relays:
            last = max(relays, key=lambda output: (len(output), output))
            dimmers.setdefault(last, dimmers.pop("")) if last else None
        for output, on in relays.items():
            if on is not None:
                found.append(self.relay(output, on, at, dimmers.get(output)))
        for output, level in dimmers.items():
            if output not in relays:
                lamp = lamp_name(self._device, self._choices.lamps, output or "1", "1")
                found.append(LampState(device=self._device, at=at, lamp=lamp, level=level))


def _unit(quantity: str, values: Mapping[str, Any]) -> str:
    """The unit that the message names; "" if it names one that is not known."""
    table, given = (
        (PRESSURE_UNITS, values.get("PressureUnit", "hPa"))
        if "pressure" in quantity
        else (TEMPERATURE_UNITS, values.get("TempUnit", "C"))
    )
    return table.get(given, "") if type(given) is str else ""


def _channels(value: Any) -> list[tuple[int | None, Any]]:
    if type(value) is list:
        return [(place, item) for place, item in enumerate(value[:_MOST_PHASES], 1)]
    return [(None, value)]
