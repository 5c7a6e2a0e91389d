"""What stands in Milesight payloads: for each (channel, type) its length and its values. Tables only.

From the payload tables in the READMEs of Milesight-IoT/SensorDecoders (GPL-3: facts only, no code).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Target = Literal["measurement", "closed", "power", "lux", "motion", "lamp", "outputs", "press", "button", "online"]


class Part(NamedTuple):
    """One value of an item.

    Args:
        target: what it becomes. `closed`: a measurement that is 1 where the device says 0; `outputs`: a bit for each output.
        name: the measurement's quantity, or the field of `power`.
        shape: as `struct` names it, little-endian.
        offset: its first byte.
        factor: multiplied with the value.
        unit: of a measurement (UCUM).
        most: a greater raw value is the device's word for "no value".
        outputs: how many bits of `outputs` are used.
    """

    target: Target
    name: str = ""
    shape: str = "B"
    offset: int = 0
    factor: float = 1
    unit: str = "1"
    most: float = float("inf")
    outputs: int = 0


class Item(NamedTuple):
    """What follows a channel and a type: so many bytes, and these values. `history`: it begins with its own time (4 bytes)."""

    length: int
    parts: tuple[Part, ...] = ()
    history: bool = False


Key = tuple[int, int]
"""Channel and type."""

_NO_TEMPERATURE = 0x7FFE
"""0x7FFF is no value."""


def _temperature(offset: int = 0) -> Part:
    return Part("measurement", "temperature", "h", offset, 0.1, "Cel", most=_NO_TEMPERATURE)


def _humidity(offset: int = 0) -> Part:
    return Part("measurement", "humidity", "B", offset, 0.5, "%", most=200)


TYPES: Mapping[int, Item] = {
    0x01: Item(1, (Part("measurement", "digital_output"),)),
    0x00: Item(1, (Part("measurement", "digital"),)),
    0x65: Item(6, (Part("lux", shape="H"),)),
    0x67: Item(2, (_temperature(),)),
    0x68: Item(1, (_humidity(),)),
    0x6A: Item(2, (Part("measurement", "activity", "H"),)),
    0x70: Item(1, (Part("lamp"),)),
    0x73: Item(2, (Part("measurement", "pressure", "H", factor=0.1, unit="hPa", most=0xFFFE),)),
    0x74: Item(2, (Part("power", "volts", "H", factor=0.1, most=0xFFFE),)),
    0x75: Item(1, (Part("measurement", "battery", unit="%", most=100),)),
    0x7D: Item(2, (Part("measurement", "co2", "H", unit="[ppm]", most=0xFFFE),)),
    0x80: Item(4, (Part("power", "watts", "I", most=0xFFFFFFFE),)),
    0x81: Item(1, (Part("power", "power_factor", factor=0.01, most=100),)),
    0x82: Item(2, (Part("measurement", "distance", "H", unit="mm", most=0xFFFC),)),
    0x83: Item(4, (Part("power", "energy_wh", "I", most=0xFFFFFFFE),)),
    0x85: Item(4),
    0x8E: Item(1, (Part("measurement", "occupancy"),)),
    0x94: Item(4, (Part("lux", shape="I", most=0xFFFFFFFE),)),
    0xC8: Item(4, (Part("measurement", "pulses", "I"),)),
    0xC9: Item(2, (Part("power", "amps", "H", factor=0.001, most=0xFFFE),)),
    0xCB: Item(1, (Part("measurement", "light_class"),)),
    0xD6: Item(1, (Part("measurement", "remaining", unit="%", most=100),)),
    0xE6: Item(2, (Part("measurement", "tvoc", "H", unit="ug/m3", most=0xFFFE),)),
}
"""By type, where the channel only counts the sensors: the same in all models, unless one says otherwise."""

PER_CHANNEL = frozenset({0x00, 0x01, 0xC8})
"""Types whose measurement is named with its channel (`digital_3`), since only the model says what it is."""

COMMON: Mapping[Key, Item] = {
    (0x08, 0x29): Item(1, (Part("outputs", outputs=3),)),
    (0xFF, 0x29): Item(1, (Part("outputs", outputs=3),)),
    (0x08, 0x31): Item(2, (Part("outputs", offset=1, outputs=8),)),
    (0x08, 0x7D): Item(2, (Part("measurement", "tvoc_ppb", "H", unit="[ppb]", most=0xFFFE),)),
    (0x83, 0x67): Item(3, (_temperature(),)),
    (0x83, 0xD7): Item(5, (_temperature(),)),
    (0x89, 0x67): Item(3, (_temperature(),)),
    (0x99, 0x67): Item(5, (_temperature(),)),
    # Alarms of a wall switch: its load, its output, its heat, and what it cannot measure.
    (0x87, 0xC9): Item(3),
    (0x88, 0x29): Item(1),
    (0x89, 0xDF): Item(1),
    (0xB3, 0x74): Item(1),
    (0xB4, 0x80): Item(1),
    (0xB5, 0x81): Item(1),
    (0xB6, 0x83): Item(1),
    (0xB7, 0xC9): Item(1),
    # About the device itself.
    (0xFF, 0x01): Item(1),
    (0xFF, 0x08): Item(6),
    (0xFF, 0x09): Item(2),
    (0xFF, 0x0A): Item(2),
    (0xFF, 0x0B): Item(1, (Part("online"),)),
    (0xFF, 0x0F): Item(1),
    (0xFF, 0x16): Item(8),
    (0xFF, 0x18): Item(2),
    (0xFF, 0x26): Item(1),
    (0xFF, 0x2B): Item(1),
    (0xFF, 0x2E): Item(1, (Part("press"),)),
    (0xFF, 0x34): Item(3, (Part("button", offset=2),)),
    (0xFF, 0xFE): Item(1),
    (0xFF, 0xFF): Item(2),
}
"""By channel and type, in all models."""

ANSWERS = frozenset({0xF8, 0xF9, 0xFE})
"""Channels of answers to commands; what follows them is settings, no observation, and their lengths are the command's."""

HISTORY = frozenset({(0x20, 0xCE), (0x21, 0xCE)})
"""Stored values: how long each is, only the model says."""

_CLIMATE_HISTORY = (_temperature(4), _humidity(6))
_AIR_HISTORY = (
    _temperature(4),
    Part("measurement", "humidity", "H", 6, 0.5, "%", most=200),
    Part("motion", offset=8),
    Part("measurement", "co2", "H", 10, unit="[ppm]", most=0xFFFE),
)

_CONTACT = Part("closed", "contact")
_TAMPER = Part("measurement", "tamper")
_LEAK = Part("measurement", "water_leak")
_CLIMATE = {(0x20, 0xCE): Item(8, _CLIMATE_HISTORY, history=True)}

MODELS: Mapping[str, Mapping[Key, Item]] = {
    "AM103": {(0x20, 0xCE): Item(9, _CLIMATE_HISTORY, history=True)},
    "AM104": {},
    "AM107": {},
    "AM307": {
        (0x05, 0x00): Item(1, (Part("motion"),)),
        (0x20, 0xCE): Item(16, _AIR_HISTORY, history=True),
        (0x21, 0xCE): Item(16, _AIR_HISTORY, history=True),
    },
    "EM300-DI": {
        (0x05, 0x00): Item(1, (Part("measurement", "digital"),)),
        (0x85, 0x00): Item(2, (Part("measurement", "digital"),)),
        (0x20, 0xCE): Item(13, _CLIMATE_HISTORY, history=True),
    },
    "EM300-MCS": {
        (0x06, 0x00): Item(1, (_CONTACT,)),
        (0x20, 0xCE): Item(8, (*_CLIMATE_HISTORY, Part("closed", "contact", offset=7)), history=True),
    },
    "EM300-SLD": {
        (0x05, 0x00): Item(1, (_LEAK,)),
        (0x20, 0xCE): Item(8, (*_CLIMATE_HISTORY, Part("measurement", "water_leak", offset=7)), history=True),
    },
    "EM300-TH": _CLIMATE,
    "EM500-CO2": {(0x20, 0xCE): Item(11, (_temperature(8), _humidity(10)), history=True)},
    "EM500-LGT": {(0x20, 0xCE): Item(8, (Part("lux", shape="I", offset=4),), history=True)},
    "UC501": {},
    "VS340": {(0x03, 0x00): Item(1, (Part("measurement", "occupancy"),))},
    "WS101": {},
    "WS136": {},
    "WS156": {},
    "WS201": {},
    "WS202": {(0x03, 0x00): Item(1, (Part("motion"),)), (0x04, 0x00): Item(1, (Part("measurement", "daylight"),))},
    "WS203": {
        (0x05, 0x00): Item(1, (Part("motion"),)),
        (0x20, 0xCE): Item(9, (Part("motion", offset=5), _temperature(6), _humidity(8)), history=True),
    },
    "WS301": {(0x03, 0x00): Item(1, (_CONTACT,)), (0x04, 0x00): Item(1, (_TAMPER,))},
    "WS303": {(0x03, 0x00): Item(1, (_LEAK,))},
    "WS501": {},
    "WS502": {},
    "WS503": {},
    "WS513": {},
    "WS515": {},
    "WS523": {},
    "WS525": {},
    "WS558": {},
}
"""What a model says otherwise. The same digital channel is a motion sensor in one and a door in another."""

PRESSES: Mapping[int, str] = {1: "short", 2: "long", 3: "double"}
"""Of a WS101 (type 0x2E)."""
BUTTON_PRESSES: Mapping[int, str] = {1: "short", 2: "double", 3: "long"}
"""Of the keys of a WS136 or WS156 (type 0x34)."""
