"""The meaning of a read's bytes: registers to observations, by a profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from math import isfinite
from struct import Struct
from typing import Any, NamedTuple

from device_drivers.driver import Reading
from device_drivers.modbus.profile import SANE, Gives, Profile, Read, Value, singles, span
from device_drivers.observations import LampState, LightLevel, Measurement, Motion, Observation, Power

_FORMS = {
    "u16": Struct(">H"),
    "s16": Struct(">h"),
    "u32": Struct(">I"),
    "s32": Struct(">i"),
    "u64": Struct(">Q"),
    "s64": Struct(">q"),
    "float32": Struct(">f"),
    "float64": Struct(">d"),
}
_DIGITS = {"float32": 7, "float64": 15}
"""Digits that a float of each size holds: 230.2, not 230.1999969482422."""

_HUGE = 1e300
"""Where nothing better is known: short of infinity, so that a scaled overflow is never given."""


class _Field(NamedTuple):
    """One value, ready to be read from a reply's data."""

    raw: Callable[[bytes], float]
    number: Callable[[float], float]
    gives: Gives
    name: str
    unit: str
    channel: int | str | None
    nothing: frozenset[float]
    least: float
    most: float


class Found(NamedTuple):
    """What a reply holds: readings, and what of it is not believed (in sentences)."""

    readings: list[Reading]
    doubts: list[str]


class ReadMeaning:
    """One read of a profile, for one device.

    Args:
        device: the device's id.
        lamps: the lamp's id of each channel of a relay board; a channel not named is `device/channel`.
    """

    def __init__(self, device: str, read: Read, lamps: Mapping[str, str]) -> None:
        self.function: int = read.function
        self.register, self.count = span(read)
        self.octets = (self.count + 7) // 8 if read.function <= 2 else self.count * 2
        self.poll = read.poll
        self._device = device
        self._lamps = lamps
        self._fields = [_field(read, value, self.register) for value in singles(read)]

    def understand(self, data: bytes, at: datetime) -> Found:
        """The readings in a reply's data, which has `octets` bytes. Never raises."""
        found: list[Reading] = []
        doubts: list[str] = []
        power: dict[int | str | None, dict[str, Any]] = {}
        for field in self._fields:
            raw = field.raw(data)
            # NaN and infinity are how a meter says that it has no value.
            if not isfinite(raw) or raw in field.nothing:
                continue
            number = field.number(raw)
            gives = field.gives
            if gives == "trouble":
                if number:
                    return Found([], [f"the device says that its values are no good (status {raw:.0f})"])
                continue
            if not field.least <= number <= field.most:
                doubts.append(
                    f"{field.name} {number:g} is not believed ({field.least:g} to {field.most:g}): word order, type or scale?"
                )
                continue
            match gives:
                case "lux":
                    found.append(Reading(LightLevel(device=self._device, at=at, lux=number)))
                case "lamp":
                    lamp = None if field.channel is None else self._lamp(field.channel)
                    found.append(Reading(LampState(device=self._device, at=at, lamp=lamp, on=bool(number))))
                case "motion":
                    found.append(Reading(Motion(device=self._device, at=at, active=bool(number))))
                case "measurement":
                    found.append(Reading(self._measured(field, number, at)))
                case _:
                    power.setdefault(field.channel, {})[gives] = number
        for channel, fields in power.items():
            found.append(Reading(Power(device=self._device, at=at, channel=channel, **fields)))
        return Found(found, doubts)

    def _lamp(self, channel: int | str) -> str:
        return self._lamps.get(str(channel)) or f"{self._device}/{channel}"

    def _measured(self, field: _Field, number: float, at: datetime) -> Observation:
        return Measurement(
            device=self._device, at=at, quantity=field.name, value=number, unit=field.unit, channel=field.channel
        )


def meanings(device: str, profile: Profile, lamps: Mapping[str, str]) -> list[ReadMeaning]:
    """The reads of a profile in its order."""
    return [ReadMeaning(device, read, lamps) for read in profile.reads]


def uniform_float(profile: Profile) -> bool:
    """Whether every register of a profile is a 32-bit float, so that an unnamed reply can still be read as numbers."""
    return all(
        value.type == "float32" and value.words == "high_first" for read in profile.reads for value in read.values
    )


def rounded(number: float, digits: int = 7) -> float:
    """A float as its bytes mean it, without the digits that only binary has."""
    return float(f"{number:.{digits}g}")


def _field(read: Read, value: Value, first: int) -> _Field:
    """A value, ready to be read from the reply to a request from register `first` on."""
    least, most = SANE.get(value.gives, (-_HUGE, _HUGE))
    return _Field(
        raw=_raw(read, value, value.register - first),
        number=_number(value),
        gives=value.gives,
        name=value.quantity or value.gives,
        unit=value.unit,
        channel=value.channel,
        nothing=frozenset(value.nothing),
        least=least if value.least is None else value.least,
        most=most if value.most is None else value.most,
    )


def _raw(read: Read, value: Value, place: int) -> Callable[[bytes], float]:
    """What takes the raw number out of a reply's data."""
    if read.function <= 2:
        octet, bit = divmod(place, 8)
        return lambda data: data[octet] >> bit & 1
    start = place * 2
    form = _FORMS[value.type]
    if value.words == "high_first" or form.size == 2:
        unpack = form.unpack_from
        return lambda data: unpack(data, start)[0]

    def low_first(data: bytes) -> float:
        words = [data[place : place + 2] for place in range(start, start + form.size, 2)]
        number: float = form.unpack(b"".join(reversed(words)))[0]
        return number

    return low_first


def _number(value: Value) -> Callable[[float], float]:
    """What makes the scaled number of a raw one."""
    if value.mask is not None:
        mask = value.mask
        return lambda raw: 1 if int(raw) & mask else 0
    scale = value.scale
    if value.type in _DIGITS:
        digits = _DIGITS[value.type]
        if scale == 1:
            return lambda raw: rounded(raw, digits)
        return lambda raw: rounded(raw * scale, digits)
    if scale == 1:
        return lambda raw: raw
    parts = round(1 / scale) if 0 < scale < 1 else 0
    if parts and abs(parts * scale - 1) < 1e-12:  # 2259 / 10 is 225.9; 2259 * 0.1 need not be
        return lambda raw: raw / parts
    return lambda raw: raw * scale
