"""Messages of one Shelly: single values of the first generation, RPC notifications and component states of the later ones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.json_values import instant, number, read_object, read_text, shown
from device_drivers.observations import (
    DeviceStatus,
    LampFault,
    LampState,
    LightLevel,
    Measurement,
    Motion,
    Observation,
    Panic,
    Power,
)
from device_drivers.outputs import InputMeaning, Inputs, lamp_name
from device_drivers.shelly.components import COMPONENTS, FAULTS, LAMPS, Fields
from device_drivers.shelly.topics import COMMANDS, SILENT, TOPICS, Topic, pattern

_MOST_TOPICS = 512
"""Topics and component names remembered, a device."""
_MOST_OUTPUTS = 64
"""Outputs whose faults, and inputs whose counts of presses, are remembered, a device."""
_MOST_FAULTS = 16
"""Entries of `errors` that are looked at."""
_FAULT_LASTS_S = 3600.0
"""A fault that is not told again is over: its end is not seen if the gateway was restarted meanwhile."""

_FLAGS = {"true": True, "false": False, "1": True, "0": False, "on": True, "off": False}
_OPENINGS = {"close": 1.0, "closed": 1.0, "open": 0.0}
_SWITCHED = {"on": True, "off": False, "overpower": False}
_EVENTS = "events/rpc"
_STATUS = "status/"


class _Told:
    """What the components of one message say.

    What changes the decoder's memory waits in `inputs` and `errors` until the whole message has been read: a message that is
    refused must not make the next one look like a repetition.
    """

    __slots__ = ("errors", "inputs", "observations", "retained", "whole")

    def __init__(self, *, retained: bool, whole: bool) -> None:
        self.observations: list[Observation] = []
        self.inputs: list[tuple[str, bool, datetime]] = []
        self.errors: list[tuple[str, frozenset[str], datetime]] = []
        self.retained = retained
        self.whole = whole


class ShellyDecoder:
    """One device of any generation; its topics say which.

    Args:
        device: its id.
        base: its topic (`shellies/shelly1-AABBCC`, or the topic prefix of a later generation); may hold slashes.
        lamps: the lamp's id for each output, by number; without any, output 0 is the device itself.
        inputs: what inputs mean, by number or by component (`bthomesensor:200`).
        panic_events: the events that are calls for help, by number of the input or by component.
    """

    def __init__(
        self,
        device: str,
        base: str,
        *,
        lamps: Mapping[str, str] | None = None,
        inputs: Mapping[str, InputMeaning] | None = None,
        panic_events: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self._device = device
        self._prefix = f"{base}/"
        self._lamps = lamps or {}
        self._inputs = Inputs(device, {_component(name): meaning for name, meaning in (inputs or {}).items()})
        self._calls = {_component(name): events for name, events in (panic_events or {}).items()}
        self._topics: dict[str, tuple[Topic | None, int | None]] = {}
        self._components: dict[str, tuple[str, Fields | None, int | None]] = {}
        self._faults: dict[str, frozenset[str]] = {}
        self._presses: dict[str, int] = {}

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message. What others write to the device, and topics that are not known, say nothing; nor do
        retained values without a time of their own. Nor does a retained `online`: the broker may have been down with the device.
        Of components and events of a notification that cannot be read it is kept as a reject; the others count.

        Raises:
            DecodeError: not a topic of this device, a value that is not what the topic holds, or a retained event.
        """
        if not topic.startswith(self._prefix):
            raise DecodeError(f"topic {topic!r}: expected one below {self._prefix}")
        if not payload:
            return []
        suffix = topic[len(self._prefix) :]
        if suffix == _EVENTS:
            unread: list[str] = []
            readings = self._notification(read_object(payload), received, unread, retained=retained)
            return beside_unread(readings, payload, unread)
        known = self._topics.get(suffix)
        if known is None:
            name, channel = pattern(suffix)
            known = (TOPICS.get(name), channel)
            if len(self._topics) < _MOST_TOPICS:
                self._topics[suffix] = known
        entry, channel = known
        if entry is not None:
            found = self._value(entry, suffix, channel, payload, received, retained=retained)
        elif suffix.startswith(_STATUS) and "/" not in suffix[len(_STATUS) :]:
            told = _Told(retained=retained, whole=True)
            self._state(suffix[len(_STATUS) :], read_object(payload), received, told)
            found = self._settled(told)
        else:
            return []
        if retained:
            found = [each for each in found if type(each) is DeviceStatus and not each.online]
        return [Reading(observation) for observation in found]

    # -- first generation

    def _value(
        self, entry: Topic, suffix: str, channel: int | None, payload: bytes, at: datetime, *, retained: bool
    ) -> list[Observation]:
        target, name, factor, unit, nothing = entry
        device = self._device
        match target:
            case "light":
                return self._light(read_object(payload), channel or 0, at)
            case "event":
                return self._press(read_object(payload), channel or 0, at, retained=retained)
            case "info":
                return self._info(read_object(payload), at, retained=retained)
            case "document":
                read_object(payload)
                return []
        text = read_text(payload).strip()
        match target:
            case "power":
                value = number(text, suffix)
                if value is None:
                    return []
                fields: dict[str, Any] = {name: value * factor}
                return [Power(device=device, at=at, channel=channel, **fields)]
            case "measurement":
                value = number(text, suffix)
                if value is None or value == nothing:
                    return []
                return self._measured(name, value * factor, at, unit, channel)
            case "lux":
                return _lux(device, number(text, suffix), at)
            case "lamp":
                return self._switched(text, suffix, str(channel or 0), at, retained=retained)
        if target == "opening":
            opening = _OPENINGS.get(text)
            if opening is None and text != "unknown":
                raise DecodeError(f"{suffix}: {shown(text)}, expected open or close")
            return self._measured(name, opening, at, unit, channel)
        flag = _FLAGS.get(text)
        if flag is None:
            raise DecodeError(f"{suffix}: {shown(text)}, expected true or false")
        match target:
            case "online":
                return [DeviceStatus(device=device, at=at, online=flag, reason=None if flag else "last_will")]
            case "motion":
                return self._moved(flag, at, retained=retained)
            case "input":
                return self._input(flag, channel, at, retained=retained)
        return self._measured(name, float(flag), at, unit, channel)

    def _switched(self, text: str, suffix: str, output: str, at: datetime, *, retained: bool) -> list[Observation]:
        on = _SWITCHED.get(text)
        if on is None:
            raise DecodeError(f"{suffix}: {shown(text)}, expected on, off or overpower")
        lamp = lamp_name(self._device, self._lamps, output, "0")
        found: list[Observation] = [LampState(device=self._device, at=at, lamp=lamp, on=on)]
        if not retained and (text == "overpower" or output in self._faults):
            found += self._troubles(output, frozenset({"overpower"}) if text == "overpower" else frozenset(), at)
        return found

    def _light(self, status: dict[str, Any], channel: int, at: datetime) -> list[Observation]:
        """The JSON of a light or colour channel. A colour's brightness is its gain."""
        on = _flag(status.get("ison"), "ison")
        key = "gain" if status.get("mode") == "color" else "brightness"
        level = None if status.get(key) is None else number(status[key], key)
        if on is None and level is None:
            return []
        lamp = lamp_name(self._device, self._lamps, str(channel), "0")
        level = None if level is None else min(max(level / 100, 0.0), 1.0)
        return [LampState(device=self._device, at=at, lamp=lamp, on=on, level=level)]

    def _press(self, status: dict[str, Any], channel: int, at: datetime, *, retained: bool) -> list[Observation]:
        """A press. The device tells the last one again at each periodic update: only a new count is a new press."""
        event, count = status.get("event"), status.get("event_cnt")
        if type(event) is not str:
            raise DecodeError(f"event: {shown(event)}, expected text")
        if type(count) is not int:
            raise DecodeError(f"event_cnt: {shown(count)}, expected a count")
        name = f"input:{channel}"
        calls = event in self._calls.get(name, ())
        known = self._presses.get(name)
        if name in self._presses or len(self._presses) < _MOST_OUTPUTS:
            self._presses[name] = count
        if retained and calls:
            raise DecodeError("retained call for help: old state, not an event")
        return [Panic(device=self._device, at=at)] if calls and count != known else []

    def _info(self, status: dict[str, Any], at: datetime, *, retained: bool) -> list[Observation]:
        """The whole status. Relays and meters in it are told on topics of their own; a motion sensor has no others."""
        found: list[Observation] = []
        wifi = status.get("wifi_sta")
        if type(wifi) is dict and wifi.get("rssi") is not None:
            found += self._measured("rssi", number(wifi["rssi"], "rssi"), at, "dB[mW]")
        motion = _flag(status.get("motion"), "motion")
        if motion is not None:
            found += self._moved(motion, at, retained=retained)
        if (vibration := _flag(status.get("vibration"), "vibration")) is not None:
            found += self._measured("vibration", float(vibration), at)
        if type(status.get("lux")) in (int, float):
            found += _lux(self._device, number(status["lux"], "lux"), at)
        if type(status.get("bat")) in (int, float):
            found += self._measured("battery", number(status["bat"], "bat"), at, "%")
        return found

    # -- later generations

    def _notification(
        self, frame: dict[str, Any], received: datetime, unread: list[str], *, retained: bool
    ) -> list[Reading]:
        """What the components or events of one message say; `unread` is told of those that cannot be read."""
        method, params = frame.get("method"), frame.get("params")
        if method not in ("NotifyStatus", "NotifyFullStatus", "NotifyEvent"):
            raise DecodeError(f"method {shown(method)}: expected NotifyStatus, NotifyFullStatus or NotifyEvent")
        if type(params) is not dict:
            raise DecodeError(f"params: {shown(params)}, expected an object")
        if method == "NotifyEvent":
            return [Reading(call) for call in self._events(params, received, unread, retained=retained)]
        own = _time(params.get("ts"), received)
        at = received if own is None else own
        told = _Told(retained=retained, whole=method == "NotifyFullStatus")
        for name, status in params.items():
            if type(status) is dict:
                try:
                    self._state(name, status, at, told)
                except DecodeError as error:
                    unread.append(error.reason)
            elif status is not None and name != "ts":
                unread.append(f"{name[:80]}: {shown(status)}, expected an object")
        if retained and own is None:
            return []
        return [Reading(observation) for observation in self._settled(told)]

    def _settled(self, told: _Told) -> list[Observation]:
        """All that was told, now that the message is read."""
        found = told.observations
        for name, active, at in told.inputs:
            if (observation := self._inputs.state(name, active, at)) is not None:
                found.append(observation)
        for output, faults, at in told.errors:
            if faults or output in self._faults:
                found += self._troubles(output, faults, at)
        return found

    def _events(
        self, params: dict[str, Any], received: datetime, unread: list[str], *, retained: bool
    ) -> list[Observation]:
        events = params.get("events")
        if type(events) is not list:
            raise DecodeError(f"events: {shown(events)}, expected a list")
        found: list[Observation] = []
        for event in events:
            if type(event) is not dict or type(event.get("event")) is not str:
                unread.append("events: expected objects with `component` and `event`")
                continue
            component = event.get("component")
            calls = self._calls.get(component) if type(component) is str else None
            if calls is None or event["event"] not in calls:
                continue
            if retained:
                raise DecodeError("retained call for help: old state, not an event")
            at = _time(event.get("ts", params.get("ts")), received)
            found.append(Panic(device=self._device, at=received if at is None else at))
        return found

    def _state(self, name: str, status: dict[str, Any], at: datetime, told: _Told) -> None:
        """Add what one component says. Only what has changed may be there: what is absent is as it was."""
        known = self._components.get(name)
        if known is None:
            sort, _, digits = name.partition(":")
            channel = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 6 else None
            known = (sort, COMPONENTS.get(sort), channel)
            if len(self._components) < _MOST_TOPICS:
                self._components[name] = known
        sort, fields, channel = known
        if fields is None:
            return
        # What a Bluetooth sensor said last is told again after each reconnect.
        at = _time(status.get("last_updated_ts"), at) or at
        device = self._device
        found, whole = told.observations, told.whole
        power: dict[str, dict[str, Any]] | None = None
        on = level = None
        for key, value in status.items():
            if value is None or (entries := fields.get(key)) is None:
                continue
            for target, quantity, unit, inner, phase in entries:
                inside = value
                if inner:
                    if type(value) is not dict:
                        raise DecodeError(f"{name}.{key}: {shown(value)}, expected an object")
                    if (inside := value.get(inner)) is None:
                        continue
                if target == "power":
                    if (measured := number(inside, key)) is not None:
                        if power is None:
                            power = {}
                        power.setdefault(phase, {})[quantity] = measured
                elif target == "measurement":
                    if (measured := number(inside, key)) is not None:
                        found.append(
                            Measurement(
                                device=device,
                                at=at,
                                quantity=quantity,
                                value=measured,
                                unit=unit,
                                channel=phase or channel,
                            )
                        )
                elif target == "lamp":
                    on = _flag(inside, key)
                elif target == "level":
                    measured = number(inside, key)
                    level = None if measured is None else min(max(measured / 100, 0.0), 1.0)
                elif target == "lux":
                    found += _lux(device, number(inside, key), at)
                elif target == "input":
                    self._sensed(name, quantity, inside, channel, at, told)
                else:
                    flag = _flag(inside, key)
                    found += self._measured(quantity, None if flag is None else float(flag), at, unit, channel)
        if power is not None:
            for phase, values in power.items():
                found.append(Power(device=device, at=at, channel=phase or channel, **values))
        if sort not in LAMPS:
            return
        output = str(channel or 0)
        if on is not None or level is not None:
            lamp = lamp_name(device, self._lamps, output, "0")
            found.append(LampState(device=device, at=at, lamp=lamp, on=on, level=level))
        errors = status.get("errors")
        if (errors is not None or whole) and not told.retained:
            told.errors.append((output, _faults(errors or []), at))

    def _sensed(  # noqa: PLR0917
        self, name: str, quantity: str, value: Any, channel: int | None, at: datetime, told: _Told
    ) -> None:
        """An input, or a sensor behind the device whose sort only the site knows."""
        if type(value) is bool:
            meaning = self._inputs.meaning(name)
            if meaning == "measurement":
                told.observations += self._measured(quantity, float(value), at, channel=channel)
            elif told.retained:
                raise DecodeError(f"retained {meaning}: old state, not an event")
            else:
                told.inputs.append((name, value, at))
        elif quantity == "input":
            raise DecodeError(f"{name}: {shown(value)}, expected true or false")
        elif type(value) is not str:
            told.observations += self._measured(quantity, number(value, name), at, channel=channel)

    # -- both

    def _input(self, active: bool, channel: int | None, at: datetime, *, retained: bool) -> list[Observation]:
        name = f"input:{channel}"
        meaning = self._inputs.meaning(name)
        if meaning == "measurement":
            return self._measured("input", float(active), at, channel=channel)
        if retained:
            raise DecodeError(f"retained {meaning}: old state, not an event")
        observation = self._inputs.state(name, active, at)
        return [] if observation is None else [observation]

    def _moved(self, active: bool, at: datetime, *, retained: bool) -> list[Observation]:
        if retained:
            raise DecodeError("retained motion: old state, not an event")
        return [Motion(device=self._device, at=at, active=active)]

    def _troubles(self, output: str, now: frozenset[str], at: datetime) -> list[Observation]:
        """Faults of an output that stand, and the end of those that stood."""
        before = self._faults.pop(output, frozenset())
        if now and len(self._faults) < _MOST_OUTPUTS:
            self._faults[output] = now
        lamp = lamp_name(self._device, self._lamps, output, "0")
        stands = [
            LampFault(device=self._device, at=at, fault=fault, lamp=lamp, expires_s=_FAULT_LASTS_S)
            for fault in sorted(now)
        ]
        over = [
            LampFault(device=self._device, at=at, fault=fault, active=False, lamp=lamp)
            for fault in sorted(before - now)
        ]
        return [*stands, *over]

    def _measured(
        self, name: str, value: float | None, at: datetime, unit: str = "1", channel: int | None = None
    ) -> list[Observation]:
        if value is None:
            return []
        return [Measurement(device=self._device, at=at, quantity=name, value=value, unit=unit, channel=channel)]


def base_of(topic: str) -> str | None:
    """The device's own topic, from one below it: the longest ending that is known is not part of it. None: there is none."""
    levels = topic.split("/")
    for place in range(1, len(levels)):
        suffix = levels[place:]
        known, _ = pattern("/".join(suffix))
        if (
            known in TOPICS
            or known in SILENT
            or suffix in (["events", "rpc"], ["debug", "log"])
            or (len(suffix) == 2 and suffix[0] in ("status", "command") and suffix[1])
            or (len(suffix) == 1 and suffix[0] in COMMANDS)
            or (suffix[-1] in COMMANDS and pattern("/".join(suffix[:-1]))[0] in TOPICS)
        ):
            base = "/".join(levels[:place])
            return base or None
    return None


def _component(name: str) -> str:
    """The component that a number or a name in the settings stands for."""
    return f"input:{name}" if name.isdigit() else name


def _lux(device: str, lux: float | None, at: datetime) -> list[Observation]:
    """Below nothing is a sensor that has no value (-1)."""
    return [] if lux is None or lux < 0 else [LightLevel(device=device, at=at, lux=lux)]


def _faults(errors: Any) -> frozenset[str]:
    if type(errors) is not list or not all(type(error) is str for error in errors[:_MOST_FAULTS]):
        raise DecodeError(f"errors: {shown(errors)}, expected a list of words")
    return frozenset(FAULTS.get(error, error)[:64] for error in errors[:_MOST_FAULTS])


def _flag(value: Any, key: str) -> bool | None:
    if value is None or type(value) is bool:
        return value
    raise DecodeError(f"{key}: {shown(value)}, expected true or false")


def _time(value: Any, received: datetime) -> datetime | None:
    """`ts`; it counts from the start (1.61) until the device has heard from a time server."""
    return instant(value, received) if type(value) is float or type(value) is int else None
