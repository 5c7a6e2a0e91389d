"""Sparkplug B's payload: its time, its number and its metrics (sparkplug_b.proto of Sparkplug 3.0)."""

from __future__ import annotations

from typing import NamedTuple

from device_drivers.errors import DecodeError
from device_drivers.sparkplug.datatypes import INTEGERS, Datatype, Value, read_array, read_integer
from device_drivers.sparkplug.wire import (
    BYTES,
    DOUBLE,
    FIXED32,
    FIXED64,
    FLOAT,
    VARINT,
    fields,
    write_bytes,
    write_number,
)

_MOST_METRICS = 10_000
"""Metrics of a payload; a node with more is several nodes."""
_LONGEST_NAME = 1024
"""Bytes of a metric's name."""

_INT, _LONG, _FLOAT, _DOUBLE, _BOOLEAN, _STRING, _BYTES = range(10, 17)
"""Where a value stands in a metric, by its sort on the wire."""
_WIRES = {
    _INT: VARINT,
    _LONG: VARINT,
    _FLOAT: FIXED32,
    _DOUBLE: FIXED64,
    _BOOLEAN: VARINT,
    _STRING: BYTES,
    _BYTES: BYTES,
}
_COMPOUND = (17, 18, 19)
"""Data sets, templates and extensions: not read."""

_GOOD = 192
"""The `Quality` property of a value that is good; 0 is bad, 500 stale (Sparkplug 3.0 §6.4.8)."""


class Metric(NamedTuple):
    """One metric as it stands on the wire; `datatype` None: the birth said it. `value` is the number, or the place of bytes.

    `known`: it has a value, not null, and its quality is not bad or stale.
    """

    name: str
    alias: int | None
    timestamp: int | None
    datatype: int | None
    historical: bool
    known: bool
    sort: int
    value: int
    start: int
    end: int


class Payload(NamedTuple):
    """A payload; `data` is what the metrics' values are read from."""

    data: bytes
    timestamp: int | None
    seq: int | None
    metrics: list[Metric]


def read_payload(data: bytes, *, metrics: bool = True) -> Payload:
    """Read a payload; without `metrics` only its head, for a message of another device.

    Raises:
        DecodeError: not protobuf of this shape, or a sequence number above 255.
    """
    timestamp = seq = None
    found: list[Metric] = []
    for tag, wire, number, start, end in fields(data, 0, len(data)):
        if tag == 2:
            if wire != BYTES:
                raise DecodeError(f"metrics: wire type {wire}")
            if metrics:
                if len(found) >= _MOST_METRICS:
                    raise DecodeError(f"more than {_MOST_METRICS} metrics")
                found.append(_read_metric(data, start, end))
        elif tag == 1 and wire == VARINT:
            timestamp = number
        elif tag == 3 and wire == VARINT:
            if number > 255:
                raise DecodeError(f"seq {number}, expected 0 to 255")
            seq = number
        elif tag in (1, 3):
            raise DecodeError(f"field {tag}: wire type {wire}")
    return Payload(data, timestamp, seq, found)


def _read_metric(data: bytes, begin: int, finish: int) -> Metric:
    name = ""
    alias = timestamp = datatype = None
    historical = null = False
    good = True
    sort = value = value_start = value_end = 0
    for tag, wire, number, start, end in fields(data, begin, finish):
        if tag in _WIRES:
            if wire != _WIRES[tag]:
                raise DecodeError(f"metric: field {tag} has wire type {wire}")
            sort, value, value_start, value_end = tag, number, start, end
        elif tag in _COMPOUND:
            sort = tag
        elif tag == 1:
            name = _text(data, wire, start, end)
        elif tag in (2, 3, 4, 5, 7):
            if wire != VARINT:
                raise DecodeError(f"metric: field {tag} has wire type {wire}")
            if tag == 2:
                alias = number
            elif tag == 3:
                timestamp = number
            elif tag == 4:
                datatype = number
            elif tag == 5:
                historical = bool(number)
            else:
                null = bool(number)
        elif tag == 9 and wire == BYTES:
            good = _quality(data, start, end) == _GOOD
    known = bool(sort) and not null and good
    return Metric(name, alias, timestamp, datatype, historical, known, sort, value, value_start, value_end)


def _text(data: bytes, wire: int, start: int, end: int) -> str:
    if wire != BYTES or end - start > _LONGEST_NAME:
        raise DecodeError(f"a name of wire type {wire} and {end - start} bytes")
    try:
        return data[start:end].decode()
    except UnicodeDecodeError as error:
        raise DecodeError("a name that is not UTF-8") from error


def _quality(data: bytes, begin: int, finish: int) -> int:
    """The property `Quality`; 192 where there is none."""
    keys: list[bytes] = []
    values: list[tuple[int, int]] = []
    for tag, wire, _, start, end in fields(data, begin, finish):
        if wire == BYTES and tag == 1:
            keys.append(data[start:end])
        elif wire == BYTES and tag == 2:
            values.append((start, end))
    for key, (start, end) in zip(keys, values, strict=False):
        if key == b"Quality":
            inside = {tag: number for tag, wire, number, _, _ in fields(data, start, end) if wire == VARINT}
            return inside.get(3, inside.get(4, _GOOD))
    return _GOOD


def read_value(data: bytes, metric: Metric, datatype: int | None) -> Value | None:
    """A metric's value; None of a data set, a template or bytes, and of a datatype that is not known.

    Raises:
        DecodeError: the value on the wire is not of the datatype.
    """
    _, _, _, _, _, _, sort, bits, start, end = metric
    match sort:
        case 10 | 11:
            if datatype is None:
                return bits
            if datatype in INTEGERS:
                return read_integer(bits, datatype)
        case 12 | 13:
            if datatype in (None, Datatype.FLOAT, Datatype.DOUBLE):
                value: float = (FLOAT if sort == _FLOAT else DOUBLE).unpack_from(data, start)[0]
                return value
        case 14:
            if datatype in (None, Datatype.BOOLEAN):
                return bool(bits)
        case 15:
            if datatype in (None, Datatype.STRING, Datatype.TEXT, Datatype.UUID):
                try:
                    return data[start:end].decode()
                except UnicodeDecodeError as error:
                    raise DecodeError(f"metric {metric.name[:80]!r}: text that is not UTF-8") from error
        case 16:
            if datatype in (None, Datatype.BYTES, Datatype.FILE):
                return None
            if Datatype.INT8_ARRAY <= datatype <= Datatype.DATETIME_ARRAY:
                return read_array(data[start:end], datatype)
        case _:
            return None
    if datatype not in Datatype.__members__.values():
        return None
    raise DecodeError(f"metric {metric.name[:80]!r}: a value in field {sort} is no {Datatype(datatype).name}")


REBIRTH = "Node Control/Rebirth"


def rebirth(at_ms: int) -> bytes:
    """The payload of an NCMD that asks a node to be born again (Sparkplug 3.0 §5.4)."""
    metric = (
        write_bytes(1, REBIRTH.encode())
        + write_number(3, at_ms)
        + write_number(4, Datatype.BOOLEAN)
        + write_number(_BOOLEAN, 1)
    )
    return write_number(1, at_ms) + write_bytes(2, metric)
