"""Sparkplug B's payload: its time, its number and its metrics (sparkplug_b.proto of Sparkplug 3.0)."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
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
_MOST_UNPACKED = 1 << 20
"""Bytes of a payload that came compressed."""
_COMPRESSED = b"SPBV1.0_COMPRESSED"
"""A payload with this as its uuid has another in its body: not of the specification, but of Eclipse Tahu and what follows it."""
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS

_INT, _LONG, _FLOAT, _DOUBLE, _BOOLEAN, _STRING, _BYTES = range(10, 17)
"""Where a value stands in a metric, by its sort on the wire."""
_WIRES: Mapping[int, int] = {
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


def read_payload(data: bytes, *, metrics: bool = True, unpacked: bool = False) -> Payload:
    """Read a payload; without `metrics` only its head, for a message of another device. `unpacked`: it came compressed.

    Raises:
        DecodeError: not protobuf of this shape, a sequence number above 255, or compressed and damaged or too large.
    """
    timestamp = seq = None
    uuid = body = b""
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
        elif tag == 4 and wire == BYTES:
            uuid = data[start:end]
        elif tag == 5 and wire == BYTES:
            body = data[start:end]
        elif tag in (1, 3):
            raise DecodeError(f"field {tag}: wire type {wire}")
    if uuid == _COMPRESSED:
        if unpacked:
            raise DecodeError("a compressed payload inside a compressed one")
        return read_payload(_unpack(body), metrics=metrics, unpacked=True)
    return Payload(data, timestamp, seq, found)


def _unpack(body: bytes) -> bytes:
    unpacking = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        data = unpacking.decompress(body, _MOST_UNPACKED)
    except zlib.error as error:
        raise DecodeError(f"a compressed payload that cannot be unpacked: {error}") from error
    if not unpacking.eof:
        raise DecodeError(f"a compressed payload that is cut off, or of more than {_MOST_UNPACKED} bytes")
    return data


def _read_metric(data: bytes, begin: int, finish: int) -> Metric:
    name = ""
    alias = timestamp = datatype = None
    historical = null = False
    good = True
    sort = value = value_start = value_end = 0
    for tag, wire, bits, start, end in fields(data, begin, finish):
        if 10 <= tag <= 16:
            if wire != _WIRES[tag]:
                raise DecodeError(f"metric: field {tag} has wire type {wire}")
            sort, value, value_start, value_end = tag, bits, start, end
        elif tag == 1:
            name = _text(data, wire, start, end)
        elif tag <= 5 or tag == 7:
            if wire != VARINT:
                raise DecodeError(f"metric: field {tag} has wire type {wire}")
            if tag == 2:
                alias = bits
            elif tag == 3:
                timestamp = bits
            elif tag == 4:
                datatype = bits
            elif tag == 5:
                historical = bits != 0
            else:
                null = bits != 0
        elif tag == 9 and wire == BYTES:
            good = _quality(data, start, end) == _GOOD
        elif tag in _COMPOUND:
            sort = tag
    known = sort != 0 and not null and good
    return _metric(Metric, (name, alias, timestamp, datatype, historical, known, sort, value, value_start, value_end))


_metric = tuple.__new__
"""Makes a Metric without the detour through the named tuple's own constructor: there are many."""


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


_FLOATS: frozenset[int | None] = frozenset({None, int(Datatype.FLOAT), int(Datatype.DOUBLE)})
_FLAGS: frozenset[int | None] = frozenset({None, int(Datatype.BOOLEAN)})
_TEXTS: frozenset[int | None] = frozenset({None, int(Datatype.STRING), int(Datatype.TEXT), int(Datatype.UUID)})
_RAW: frozenset[int | None] = frozenset({None, int(Datatype.BYTES), int(Datatype.FILE)})
_DATATYPES = frozenset(map(int, Datatype))


def read_value(data: bytes, metric: Metric, datatype: int | None) -> Value | None:
    """A metric's value; None of a data set, a template or bytes, and of a datatype that is not known.

    Raises:
        DecodeError: the value on the wire is not of the datatype.
    """
    sort, start, end = metric.sort, metric.start, metric.end
    if sort in (_INT, _LONG):
        if datatype is None:
            return metric.value
        if datatype in INTEGERS:
            return read_integer(metric.value, datatype)
    elif sort == _BOOLEAN:
        if datatype in _FLAGS:
            return metric.value != 0
    elif sort in (_FLOAT, _DOUBLE):
        if datatype in _FLOATS:
            value: float = (FLOAT if sort == _FLOAT else DOUBLE).unpack_from(data, start)[0]
            return value
    elif sort == _STRING:
        if datatype in _TEXTS:
            try:
                return data[start:end].decode()
            except UnicodeDecodeError as error:
                raise DecodeError(f"metric {metric.name[:80]!r}: text that is not UTF-8") from error
    elif sort == _BYTES:
        if datatype in _RAW:
            return None
        if datatype is not None and Datatype.INT8_ARRAY <= datatype <= Datatype.DATETIME_ARRAY:
            return read_array(data[start:end], datatype)
    else:
        return None
    if datatype is None or datatype not in _DATATYPES:
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
