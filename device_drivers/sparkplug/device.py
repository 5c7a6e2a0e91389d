"""A Sparkplug edge node's own side: births, data and deaths as real bytes. Nothing is published here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from device_drivers.sparkplug.datatypes import Datatype
from device_drivers.sparkplug.wire import write_bytes, write_float, write_number


class Message(NamedTuple):
    """What a node publishes: where, what, and whether the broker keeps it (Sparkplug retains nothing of a node)."""

    topic: str
    payload: bytes
    retained: bool = False


class Sample(NamedTuple):
    """A metric's value. `alias` and `name`: a birth has both, data one of them. None: null."""

    name: str
    datatype: Datatype
    value: bool | float | str | bytes | None
    alias: int | None = None
    at: datetime | None = None
    historical: bool = False
    quality: int | None = None


class EdgeNode:
    """One edge node, that counts its messages.

    Args:
        group / name: as in its topics.
        bd_seq: the number of its life.
    """

    def __init__(self, group: str, name: str, *, bd_seq: int = 0, namespace: str = "spBv1.0") -> None:
        self._where = (namespace, group, name)
        self._bd_seq = bd_seq
        self._seq = 0

    def birth(self, at: datetime, samples: Sequence[Sample] = ()) -> Message:
        """NBIRTH: the count begins again."""
        self._seq = 0
        life = Sample("bdSeq", Datatype.INT64, self._bd_seq)
        again = Sample("Node Control/Rebirth", Datatype.BOOLEAN, False)
        return self._message("NBIRTH", "", at, [life, again, *samples])

    def death(self) -> Message:
        """NDEATH, the last will: without a number."""
        return Message(self._topic("NDEATH", ""), write_bytes(2, metric(Sample("bdSeq", Datatype.INT64, self._bd_seq))))

    def data(self, at: datetime, samples: Sequence[Sample]) -> Message:
        """NDATA."""
        return self._message("NDATA", "", at, samples)

    def device_birth(self, device: str, at: datetime, samples: Sequence[Sample]) -> Message:
        """DBIRTH."""
        return self._message("DBIRTH", device, at, samples)

    def device_data(self, device: str, at: datetime, samples: Sequence[Sample]) -> Message:
        """DDATA."""
        return self._message("DDATA", device, at, samples)

    def device_death(self, device: str, at: datetime) -> Message:
        """DDEATH."""
        return self._message("DDEATH", device, at, ())

    def _message(self, sort: str, device: str, at: datetime, samples: Sequence[Sample]) -> Message:
        seq, self._seq = self._seq, (self._seq + 1) % 256
        metrics = b"".join(write_bytes(2, metric(sample)) for sample in samples)
        return Message(self._topic(sort, device), write_number(1, _millis(at)) + metrics + write_number(3, seq))

    def _topic(self, sort: str, device: str) -> str:
        namespace, group, node = self._where
        return f"{namespace}/{group}/{sort}/{node}" + (f"/{device}" if device else "")


def metric(sample: Sample) -> bytes:
    """A metric on the wire."""
    out = write_bytes(1, sample.name.encode()) if sample.name else b""
    if sample.alias is not None:
        out += write_number(2, sample.alias)
    if sample.at is not None:
        out += write_number(3, _millis(sample.at))
    if sample.name:
        out += write_number(4, sample.datatype)
    if sample.historical:
        out += write_number(5, 1)
    if sample.value is None:
        out += write_number(7, 1)
    if sample.quality is not None:
        value = write_number(1, Datatype.INT32) + write_number(3, sample.quality)
        out += write_bytes(9, write_bytes(1, b"Quality") + write_bytes(2, value))
    return out if sample.value is None else out + _value(sample.datatype, sample.value)


_LONG = frozenset({Datatype.INT64, Datatype.UINT64, Datatype.DATETIME})


def _value(datatype: Datatype, value: bool | float | str | bytes) -> bytes:
    match value:
        case bool():
            return write_number(14, value)
        case int():
            bits = value & ((1 << (64 if datatype in _LONG else 32)) - 1)
            return write_number(11 if datatype in _LONG else 10, bits)
        case float():
            double = datatype == Datatype.DOUBLE
            return write_float(13 if double else 12, value, double=double)
        case str():
            return write_bytes(15, value.encode())
        case bytes():
            return write_bytes(16, value)


def _millis(at: datetime) -> int:
    return round(at.timestamp() * 1000)
