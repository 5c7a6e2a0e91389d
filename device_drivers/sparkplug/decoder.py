"""Messages of one Sparkplug edge node, or of one device behind it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from device_drivers.driver import Reading, Readings, Reject, reason_of
from device_drivers.errors import DecodeError
from device_drivers.json_values import millis
from device_drivers.mapping import Map, measurements
from device_drivers.observations import DeviceStatus
from device_drivers.sparkplug.datatypes import TIMES, Value
from device_drivers.sparkplug.payload import Payload, read_payload, read_value, rebirth

_ASK_EVERY = timedelta(seconds=30)
"""A node is asked for a rebirth this often at most, however many messages are missing."""
_MOST_ALIASES = 10_000
"""Aliases of a birth."""
_MOST_SEQ = 256
_MOST_TOPICS = 1000
"""Topics of a node whose parts are remembered."""

_OWN_WORDS = ("Node Control/", "Device Control/", "bdSeq", "Node Info/", "Device Info/")
"""Metrics that are about the node itself."""


class Address(NamedTuple):
    """Where a device is: `namespace/group/node` or `namespace/group/node/device` (device "": the node itself)."""

    namespace: str
    group: str
    node: str
    device: str


class _Lacks(NamedTuple):
    """What of a message is no observation yet, or never: aliases that were never born, and why values cannot be read."""

    aliases: list[int]
    unread: list[str]


class SparkplugDecoder:
    """One edge node, or one device behind it.

    Args:
        device: its id.
        address: where it is.
        mapping: from metrics to observations; None: numbers and flags become measurements named by their metrics.
        watch: look for gaps in the node's sequence numbers; its messages must then all be heard.
    """

    def __init__(self, device: str, address: Address, mapping: Map | None, *, watch: bool) -> None:
        self._device = device
        self._address = address
        self._mapping = mapping
        self._watch = watch
        self._born: dict[int, tuple[str, int | None]] | None = None
        """Name and datatype by alias; no name: a metric about the node itself."""
        self._sorts: dict[str, int | None] = {}
        self._bd_seq: int | None = None
        self._seq: int | None = None
        self._asked: datetime | None = None
        self._topics: dict[str, tuple[str, str]] = {}

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one message. `at` is the metric's time, else the payload's, if it can be trusted.

        A value known by an alias only is kept as a reject until the birth has come; the node is asked for it. So is a value
        that cannot be read, but not asked for; the others of its message count.

        Raises:
            DecodeError: not a topic of this node or device, not a Sparkplug payload, or retained.
        """
        parts = self._topics.get(topic)
        if parts is None:
            parts = self._parts(topic)
            if len(self._topics) < _MOST_TOPICS:
                self._topics[topic] = parts
        sort, device = parts
        if sort.endswith("CMD"):
            return []
        if retained:
            raise DecodeError(
                "retained: births, deaths and data of Sparkplug never are; of what age this is nobody knows"
            )
        own = device == self._address.device
        message = read_payload(payload, metrics=own or sort in ("NBIRTH", "NDEATH"))
        asks = sort != "NDEATH" and self._is_gap(sort, message)
        readings: list[Reading] = []
        lacks = _Lacks([], [])
        match sort:
            case "NBIRTH":
                readings = self._node_birth(message, received, lacks)
            case "NDEATH":
                readings = self._node_death(message, received)
            case "DBIRTH" if own:
                readings = self._birth(message, received, lacks)
            case "DDEATH" if own:
                self._born = None
                readings = [self._status(False, self._time(message, received), "death")]
            case "NDATA" | "DDATA" if own:
                readings = self._say(message, received, self._born or {}, self._sorts, lacks, events=True)
                unknown = lacks.aliases
                asks = asks or bool(unknown) or self._born is None
                if unknown:
                    lacks.unread.append(
                        f"alias {unknown[0]} of no birth that is known ({len(unknown)} values): a rebirth is asked for"
                    )
        rejects = [Reject(payload, reason_of(lacks.unread))] if lacks.unread else []
        if asks and self._may_ask(received):
            where = self._address
            command = f"{where.namespace}/{where.group}/NCMD/{where.node}"
            return Readings(readings, [(command, rebirth(int(received.timestamp() * 1000)))], rejects)
        return Readings(readings, rejects=rejects) if rejects else readings

    def _parts(self, topic: str) -> tuple[str, str]:
        where = self._address
        match topic.split("/"):
            case [namespace, group, sort, node] if (namespace, group, node) == where[:3] and sort in _OF_NODE:
                return sort, ""
            case [namespace, group, sort, node, device] if (namespace, group, node) == where[:3] and sort in _OF_DEVICE:
                if device:
                    return sort, device
        raise DecodeError(f"topic {topic!r}: expected {where.namespace}/{where.group}/NBIRTH/{where.node} or the like")

    # -- births, deaths and numbers

    def _node_birth(self, message: Payload, received: datetime, lacks: _Lacks) -> list[Reading]:
        """A new life of the node: what its devices said before counts no more."""
        for metric in message.metrics:
            if metric.name == "bdSeq":
                self._bd_seq = metric.value if metric.known else None
        if self._address.device:
            self._born = None
            return []
        return self._birth(message, received, lacks)

    def _node_death(self, message: Payload, received: datetime) -> list[Reading]:
        """The node's last will. That of an earlier life, told late, is none (Sparkplug 3.0 §6.4.12)."""
        bd_seq = next((metric.value for metric in message.metrics if metric.name == "bdSeq" and metric.known), None)
        if bd_seq is None:
            raise DecodeError("NDEATH without bdSeq")
        if self._bd_seq is not None and bd_seq != self._bd_seq:
            return []
        self._born = None
        self._seq = None
        return [self._status(False, received, "node_death")]

    def _birth(self, message: Payload, received: datetime, lacks: _Lacks) -> list[Reading]:
        """All metrics with their names, datatypes and present values. They are state: an event among them is old news."""
        born: dict[int, tuple[str, int | None]] = {}
        sorts: dict[str, int | None] = {}
        for metric in message.metrics:
            if not metric.name:
                raise DecodeError("a metric without a name in a birth")
            if len(sorts) >= _MOST_ALIASES:
                raise DecodeError(f"more than {_MOST_ALIASES} metrics in a birth")
            sorts[metric.name] = metric.datatype
            if metric.alias is not None:
                own = metric.name.startswith(_OWN_WORDS)
                born[metric.alias] = ("" if own else metric.name, metric.datatype)
        found = self._say(message, received, born, sorts, lacks, events=False)
        self._born, self._sorts = born, sorts
        return [self._status(True, self._time(message, received), None), *found]

    def _is_gap(self, sort: str, message: Payload) -> bool:
        """Whether messages are missing. A birth of the node begins the count."""
        if not self._watch:
            return False
        before, self._seq = self._seq, message.seq
        if sort == "NBIRTH":
            return False
        return before is None or message.seq is None or message.seq != (before + 1) % _MOST_SEQ

    def _may_ask(self, received: datetime) -> bool:
        if self._asked is not None and timedelta() <= received - self._asked < _ASK_EVERY:
            return False
        self._asked = received
        return True

    # -- values

    def _say(
        self,
        message: Payload,
        received: datetime,
        born: dict[int, tuple[str, int | None]],
        sorts: dict[str, int | None],
        lacks: _Lacks,
        *,
        events: bool,
    ) -> list[Reading]:
        """What the values say, by their times (most messages have one); `lacks` is told what says nothing."""
        by_time: dict[int | None, dict[str, Value]] = {}
        data = message.data
        for metric in message.metrics:
            name, alias, timestamp, datatype, historical, known, *_ = metric
            if name:
                if datatype is None:
                    datatype = sorts.get(name)
                if name.startswith(_OWN_WORDS):
                    continue
            elif alias is None:
                raise DecodeError("a metric with neither name nor alias")
            else:
                entry = born.get(alias)
                if entry is None:
                    lacks.aliases.append(alias)
                    continue
                name, born_datatype = entry
                if not name:
                    continue
                if datatype is None:
                    datatype = born_datatype
            if not known:
                continue
            try:
                value = read_value(data, metric, datatype)
            except DecodeError as error:
                lacks.unread.append(f"{name[:80]}: {error.reason}")
                continue
            if value is None or (self._mapping is None and datatype in TIMES):
                continue
            if timestamp is None:
                timestamp = message.timestamp
            if historical and millis(timestamp, received) is None:
                continue  # old, and of no known time
            values = by_time.get(timestamp)
            if values is None:
                by_time[timestamp] = {name: value}
            else:
                values[name] = value
        found: list[Reading] = []
        for timestamp, values in by_time.items():
            at = millis(timestamp, received) or received
            if self._mapping is None:
                found += measurements(values, self._device, at, unread=lacks.unread)
            else:
                found += self._mapping.at(values, at, unread=lacks.unread, events=events)
        return found

    def _status(self, online: bool, at: datetime, reason: str | None) -> Reading:
        return Reading(DeviceStatus(device=self._device, at=at, online=online, reason=reason))

    def _time(self, message: Payload, received: datetime) -> datetime:
        return millis(message.timestamp, received) or received


_OF_NODE = frozenset({"NBIRTH", "NDEATH", "NDATA", "NCMD"})
_OF_DEVICE = frozenset({"DBIRTH", "DDEATH", "DDATA", "DCMD"})


def split_topic(topic: str) -> Address:
    """The address of who speaks on a topic.

    Raises:
        DecodeError: not a topic of a Sparkplug node or device.
    """
    match topic.split("/"):
        case [namespace, group, sort, node] if sort in _OF_NODE and namespace and group and node:
            return Address(namespace, group, node, "")
        case [namespace, group, sort, node, device] if sort in _OF_DEVICE and namespace and group and node and device:
            return Address(namespace, group, node, device)
    raise DecodeError(
        f"topic {topic!r}: expected spBv1.0/GROUP/NBIRTH/NODE, spBv1.0/GROUP/DDATA/NODE/DEVICE or the like"
    )
