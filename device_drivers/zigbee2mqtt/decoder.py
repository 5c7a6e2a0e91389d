"""Messages of one device behind Zigbee2MQTT: its values and its availability."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.json_values import scaled
from device_drivers.observations import (
    DeviceStatus,
    LampState,
    LightLevel,
    Measurement,
    Motion,
    Observation,
    Panic,
    Power,
)
from device_drivers.zigbee2mqtt.properties import (
    BATTERY_MILLIVOLTS,
    EVENTS,
    ON_OFF,
    OUTPUTS,
    PANIC_ACTIONS,
    PER_OUTPUT,
    PROPERTIES,
    Property,
)
from device_drivers.zigbee2mqtt.values import LARGEST, read_flag, read_last_seen, read_number, read_object, read_online

_RAW_STEP = 10_000
"""Raw illuminance v is 10^((v - 1) / 10000) lux (mqtt-conventions.md, zigbee2mqtt)."""
_RAW_INVALID = 65_535
"""The sensor's word for "no value"; nothing valid is above it."""


_reading = tuple.__new__
"""Makes a Reading without the detour through the named tuple's own constructor: this is the busiest line."""


class _Meaning(NamedTuple):
    """A property as the loop below wants it."""

    numeric: bool
    target: str
    name: str
    factor: float
    unit: str
    output: str | None


def _meaning(entry: Property, output: str | None) -> _Meaning:
    numeric = entry.target in ("measurement", "power", "lux", "level")
    return _Meaning(numeric, entry.target, entry.name, entry.factor, entry.unit, output)


_MEANINGS: dict[str, _Meaning] = {name: _meaning(entry, None) for name, entry in PROPERTIES.items()} | {
    f"{name}_{output}": _meaning(entry, output)
    for name, entry in PROPERTIES.items()
    if entry.target in PER_OUTPUT
    for output in OUTPUTS
}


class Zigbee2mqttDecoder:
    """One Zigbee device.

    Args:
        device: its id.
        base: its topic.
        illuminance: `raw` where Zigbee2MQTT before 2.0 sends the sensor's raw value and no `illuminance_lux`.
        lamps: the lamp's id for each output; an output not named is `device/output`.
        panic_actions: the `action` values that are calls for help.
    """

    def __init__(
        self,
        device: str,
        base: str,
        *,
        illuminance: Literal["lux", "raw"] = "lux",
        lamps: Mapping[str, str] | None = None,
        panic_actions: frozenset[str] = frozenset(PANIC_ACTIONS),
    ) -> None:
        self._device = device
        self._base = base
        self._availability = f"{base}/availability"
        self._commands = (f"{base}/set", f"{base}/get")
        self._raw = illuminance == "raw"
        self._lamps = lamps or {}
        self._panic_actions = panic_actions

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message. `at` is `last_seen` where Zigbee2MQTT adds it, else `received`.

        An empty message means that the device was renamed or removed; it says nothing, nor does a null, nor a command. Nor do
        retained values without `last_seen`, and a retained `online`: of what age they are nobody knows. Of
        properties that cannot be read the message is kept as a reject; the others count.

        Raises:
            DecodeError: not a topic of this device, not JSON of the expected shape, nothing of it can be read, or retained motion or
                calls.
        """
        if topic == self._availability:
            if not payload:
                return []
            online = read_online(payload, topic)
            if online and retained:
                return []
            return [Reading(DeviceStatus(device=self._device, at=received, online=online, reason="availability"))]
        if topic != self._base:
            if topic.startswith(self._commands):
                return []
            raise DecodeError(f"topic {topic!r}: expected {self._base} or {self._availability}")
        if not payload:
            return []
        values = read_object(payload)
        seen = read_last_seen(values["last_seen"], received) if "last_seen" in values else None
        if retained and any(values.get(name) is not None for name in EVENTS):
            raise DecodeError("retained motion or action: old state, not an event (`retain: false` avoids it)")
        if retained and seen is None:
            return []
        unread: list[str] = []
        readings = self._readings(values, received if seen is None else seen, unread)
        return beside_unread(readings, payload, unread)

    def _readings(self, values: dict[str, Any], at: datetime, unread: list[str]) -> list[Reading]:
        """What the properties say; `unread` is told those that cannot be read."""
        device = self._device
        found: list[Observation] = []
        lamps: dict[str | None, dict[str, Any]] = {}
        power: dict[str | None, dict[str, Any]] = {}
        for key, value in values.items():
            if value is None or (meaning := _MEANINGS.get(key)) is None:
                continue
            try:
                numeric, target, name, factor, unit, output = meaning
                if numeric:
                    plain = (type(value) is int or type(value) is float) and -LARGEST < value < LARGEST
                    number = float(value) if plain else read_number(value, key, flags=target == "measurement")
                    if number is None:
                        continue
                    if target == "measurement":
                        found.append(Measurement(device=device, at=at, quantity=name, value=number, unit=unit))
                    elif target == "power":
                        if key == "voltage" and ("battery" in values or number > BATTERY_MILLIVOLTS):
                            found.append(
                                Measurement(device=device, at=at, quantity="battery_voltage", value=number, unit="mV")
                            )
                        elif output in power:
                            power[output][name] = scaled(number, factor)
                        else:
                            power[output] = {
                                "device": device,
                                "at": at,
                                "channel": output,
                                name: scaled(number, factor),
                            }
                    elif target == "lux":
                        if (lux := self._lux(key, number, values)) is not None:
                            found.append(LightLevel(device=device, at=at, lux=lux))
                    else:
                        lamps.setdefault(output, {})["level"] = min(number * factor, 1.0)
                elif target == "motion":
                    found.append(Motion(device=device, at=at, active=read_flag(value, key)))
                elif target == "panic":
                    found.append(Panic(device=device, at=at, active=read_flag(value, key)))
                elif type(value) is str:
                    if target == "action":
                        if value in self._panic_actions:
                            found.append(Panic(device=device, at=at))
                    elif (on := ON_OFF.get(value)) is not None:
                        lamps.setdefault(output, {})["on"] = on
            except DecodeError as error:
                unread.append(error.reason)
        for fields in power.values():
            found.append(Power(**fields))
        for output, fields in lamps.items():
            lamp = None if output is None else self._lamps.get(output, f"{device}/{output}")
            found.append(LampState(device=device, at=at, lamp=lamp, **fields))
        return [_reading(Reading, (observation, None)) for observation in found]

    def _lux(self, key: str, number: float, values: Mapping[str, Any]) -> float | None:
        if number < 0:  # no light is below none: a failed reading
            return None
        if key == "illuminance_lux":
            return number
        if values.get("illuminance_lux") is not None:
            return None
        if not self._raw:
            return number
        if number >= _RAW_INVALID:
            return None
        return 10 ** ((number - 1) / _RAW_STEP) if number > 0 else 0.0
