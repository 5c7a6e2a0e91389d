"""Sparkplug's datatypes, and the values that stand for them on the wire (Sparkplug 3.0 §6.4.16, §6.4.17)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from struct import iter_unpack

from device_drivers.errors import DecodeError

Value = bool | int | float | str | list[bool] | list[int] | list[float] | list[str]


class Datatype(IntEnum):
    """By the number on the wire."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    PROPERTY_SET = 20
    PROPERTY_SET_LIST = 21
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATETIME_ARRAY = 34


INTEGERS: Mapping[int, tuple[int, bool]] = {
    Datatype.INT8: (8, True),
    Datatype.INT16: (16, True),
    Datatype.INT32: (32, True),
    Datatype.INT64: (64, True),
    Datatype.UINT8: (8, False),
    Datatype.UINT16: (16, False),
    Datatype.UINT32: (32, False),
    Datatype.UINT64: (64, False),
    Datatype.DATETIME: (64, False),
}
"""Bits, and whether a sign is among them."""

_ARRAYS: Mapping[int, str] = {
    Datatype.INT8_ARRAY: "<b",
    Datatype.INT16_ARRAY: "<h",
    Datatype.INT32_ARRAY: "<i",
    Datatype.INT64_ARRAY: "<q",
    Datatype.UINT8_ARRAY: "<B",
    Datatype.UINT16_ARRAY: "<H",
    Datatype.UINT32_ARRAY: "<I",
    Datatype.UINT64_ARRAY: "<Q",
    Datatype.FLOAT_ARRAY: "<f",
    Datatype.DOUBLE_ARRAY: "<d",
    Datatype.DATETIME_ARRAY: "<Q",
}
"""Little-endian, one behind the other. The specification's own Int8, float, double and date examples are misprinted."""

_WIDTHS = {"b": 1, "h": 2, "i": 4, "q": 8, "f": 4, "d": 8}
_COUNT = 4
"""Bytes of the number of flags in front of packed flags."""

TIMES = frozenset({Datatype.DATETIME, Datatype.DATETIME_ARRAY})
"""Datatypes that are points in time, no measurements."""


def read_integer(bits: int, datatype: int) -> int:
    """A whole number from a varint: signed ones are two's complement of their own width, or of 32 or 64 bits.

    Raises:
        DecodeError: beyond the datatype's range.
    """
    width, signed = INTEGERS[datatype]
    if not signed:
        if bits >> width:
            raise DecodeError(f"{Datatype(datatype).name}: {bits} has more than {width} bits")
        return bits
    half = 1 << (width - 1)
    if bits < half:
        return bits
    for size in (width, 32, 64):
        value = bits - (1 << size)
        if -half <= value < 0:
            return value
    raise DecodeError(f"{Datatype(datatype).name}: {bits} has more than {width} bits")


def read_array(data: bytes, datatype: int) -> Value:
    """The values of an array, little-endian.

    Raises:
        DecodeError: not whole values, more flags than bytes hold, or text that is no UTF-8 or does not end.
    """
    shape = _ARRAYS.get(datatype)
    if shape is not None:
        width = _WIDTHS[shape[1].lower()]
        if len(data) % width:
            raise DecodeError(f"{Datatype(datatype).name}: {len(data)} bytes, expected a multiple of {width}")
        return [value for (value,) in iter_unpack(shape, data)]
    if datatype == Datatype.BOOLEAN_ARRAY:
        return _flags(data)
    if datatype == Datatype.STRING_ARRAY:
        return _texts(data)
    raise DecodeError(f"datatype {datatype} is no array")


def _flags(data: bytes) -> list[bool]:
    """A count of 4 bytes, then the flags, the first in the highest bit."""
    count = int.from_bytes(data[:_COUNT], "little")
    if len(data) < _COUNT or len(data) - _COUNT != (count + 7) // 8:
        raise DecodeError(f"BOOLEAN_ARRAY: {count} flags in {max(len(data) - _COUNT, 0)} bytes")
    return [bool(data[_COUNT + place // 8] & (0x80 >> place % 8)) for place in range(count)]


def _texts(data: bytes) -> list[str]:
    if not data:
        return []
    if data[-1]:
        raise DecodeError("STRING_ARRAY: the last text has no end")
    try:
        return [text.decode() for text in data[:-1].split(b"\0")]
    except UnicodeDecodeError as error:
        raise DecodeError("STRING_ARRAY: not UTF-8") from error
