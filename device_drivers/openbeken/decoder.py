"""Messages of one OpenBeken device: its channels and values, its last will, and its telemetry in Tasmota's form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.json_values import iso_time, number, read_object, read_text, scaled, shown
from device_drivers.mapping import Map
from device_drivers.observations import DeviceStatus, LampState, Measurement, Observation, Power
from device_drivers.openbeken.values import BATTERY_MILLIVOLTS, ENERGY, MEASURED, POWER
from device_drivers.tasmota.telemetry import Outputs, radio, sensors

_MOST_CHANNEL_DIGITS = 3
_SWITCHED: Mapping[float, bool] = {0: False, 1: True}


class OpenBekenDecoder:
    """One device.

    Args:
        device: its id.
        base: its client topic.
        lamps: the lamp's id by the channel's number; without any, channel 1 is the device itself and others are `device/NUMBER`.
        switches: channels whose value is 0 or 1 are switched outputs; False: only those in `lamps`.
        energy: factor from the device's energy to Wh.
        mapping: what channels and published values mean, by their names; None: as said above.
    """

    def __init__(
        self,
        device: str,
        base: str,
        *,
        lamps: Mapping[str, str],
        switches: bool,
        energy: float = 1,
        mapping: Map | None = None,
        mapped: frozenset[str] = frozenset(),
    ) -> None:
        self._device = device
        self._prefix = f"{base}/"
        self._telemetry = {f"tele/{base}/SENSOR": True, f"tele/{base}/STATE": False, f"stat/{base}/RESULT": False}
        self._others = (f"tele/{base}/", f"stat/{base}/", f"cmnd/{base}/")
        self._lamps = lamps
        self._switches = switches
        self._outputs = Outputs(device, lamps)
        self._mapping = mapping
        self._mapped = mapped
        self._power = {
            name: (field, factor * (energy if field == "energy_wh" else 1)) for name, (field, factor) in POWER.items()
        }
        self._energy = {
            name: (field, factor * (energy if field == "energy_wh" else 1)) for name, (field, factor) in ENERGY.items()
        }

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message. An empty one asks the device for a value; it says nothing, nor do retained values and a retained
        `online`: of what age they are nobody knows. A retained `offline` stands.

        Raises:
            DecodeError: not a topic of this device, a value that is no number, or what the mapping does not know.
        """
        is_sensor = self._telemetry.get(topic)
        if is_sensor is not None:
            return self._document(payload, received, is_sensor=is_sensor, retained=retained) if payload else []
        if topic.startswith(self._prefix):
            name = topic[len(self._prefix) :]
            if not payload or not name or name.endswith("/set"):
                return []
            if name == "connected":
                return self._will(read_text(payload).strip(), received, retained=retained)
            if name.endswith("/get") or name in MEASURED:
                return self._value(name.removesuffix("/get"), payload, received, retained=retained)
            return []
        if topic.startswith(self._others):
            return []
        raise DecodeError(
            f"topic {topic!r}: expected {self._prefix}CHANNEL/get, {self._prefix}connected or a tele topic"
        )

    def _will(self, word: str, at: datetime, *, retained: bool) -> list[Reading]:
        if word not in ("online", "offline"):
            raise DecodeError(f"connected: {shown(word)}, expected online or offline")
        if word == "online" and retained:
            return []
        return [Reading(DeviceStatus(device=self._device, at=at, online=word == "online", reason="connected"))]

    def _value(self, name: str, payload: bytes, at: datetime, *, retained: bool) -> list[Reading]:
        """One value on a topic of its own; names that only the site knows are its mapping's."""
        if self._mapping is not None and name in self._mapped:
            unread: list[str] = []
            found = self._mapping.at({name: read_text(payload)}, at, unread=unread, aged=retained, retained=retained)
            return beside_unread(found, payload, unread)
        is_channel = name.isascii() and name.isdigit() and len(name) <= _MOST_CHANNEL_DIGITS
        known = is_channel or name in self._power or name in MEASURED or name in ("led_enableAll", "led_dimmer")
        if not known or (value := number(read_text(payload), name)) is None or retained:
            return []
        observation = self._channel(name, value, at) if is_channel else self._named(name, value, at)
        return [] if observation is None else [Reading(observation)]

    def _channel(self, name: str, value: float, at: datetime) -> Observation:
        on = _SWITCHED.get(value)
        if on is not None and (self._switches or name in self._lamps):
            return LampState(device=self._device, at=at, lamp=self._outputs.lamp(name), on=on)
        if name in self._lamps and 0 <= value <= 100:  # a channel that is a PWM output, in percent
            return LampState(device=self._device, at=at, lamp=self._lamps[name], on=True, level=value / 100)
        return Measurement(device=self._device, at=at, quantity="channel", value=value, channel=int(name))

    def _named(self, name: str, value: float, at: datetime) -> Observation | None:
        if name == "led_enableAll":
            on = _SWITCHED.get(value)
            return None if on is None else LampState(device=self._device, at=at, lamp=self._lamps.get("led"), on=on)
        if name == "led_dimmer":
            level = min(max(value / 100, 0.0), 1.0)
            return LampState(device=self._device, at=at, lamp=self._lamps.get("led"), level=level)
        if name == "voltage" and value > BATTERY_MILLIVOLTS:
            return Measurement(device=self._device, at=at, quantity="battery_voltage", value=value, unit="mV")
        if (meant := self._power.get(name)) is not None:
            return Power(device=self._device, at=at, **{meant[0]: scaled(value, meant[1])})  # type: ignore[arg-type]
        quantity, unit = MEASURED[name]
        return Measurement(device=self._device, at=at, quantity=quantity, value=value, unit=unit)

    def _document(self, payload: bytes, received: datetime, *, is_sensor: bool, retained: bool) -> list[Reading]:
        """Telemetry in Tasmota's form, which the device sends where its flag for it is set."""
        document = read_object(payload)
        said = document.get("Time")
        time = None if said is None else iso_time(said, received)
        at = received if time is None else time
        unread: list[str] = []
        if is_sensor:
            found = sensors(document, self._device, at, unread, self._energy)
        else:
            found = [*self._outputs.read(document, at, unread), *radio(document, self._device, at, unread)]
        readings = [] if retained and time is None else [Reading(observation) for observation in found]
        return beside_unread(readings, payload, unread)
