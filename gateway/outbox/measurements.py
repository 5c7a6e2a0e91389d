"""What telemetry is made of: one row a kind of observation, saying its measurement, its tags and its fields.

Both stores take their points from here, so that a chart means the same in either. The page of names is README.md.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from device_drivers.observations import Observation, ReaderHeartbeat, SyncEnd, read
from gateway.instants import instant
from gateway.outbox.source import LogRow
from gateway.site.model import Site

Value = float | int | bool | str
Type = Literal["float", "int", "bool", "text"]


class Field(NamedTuple):
    """One field. Its type is fixed, since a store refuses one that changes. `of` takes it from the observation."""

    name: str
    type: Type
    of: Callable[[Any], Any]
    unit: str = ""


class Row(NamedTuple):
    """One kind. `tags`: attributes of the observation that become tags of the same name, where they are set."""

    kind: str
    measurement: str
    tags: tuple[str, ...]
    fields: tuple[Field, ...]


class Point(NamedTuple):
    """One point. `tags` and `fields` are sorted by name; `time_ns` is nanoseconds since 1970, UTC.

    The same observation always gives the same point, and different ones of one series never the same time, so that a
    repeat overwrites itself and nothing else.
    """

    measurement: str
    tags: tuple[tuple[str, str], ...]
    fields: tuple[tuple[str, Value], ...]
    time_ns: int
    device: str
    channel: str


def _same(name: str, type_: Type, unit: str = "") -> Field:
    return Field(name, type_, attrgetter(name), unit)


def _clock_offset(seen: ReaderHeartbeat | SyncEnd) -> float | None:
    if seen.device_now is None or seen.received is None:
        return None
    return (instant(seen.received) - instant(seen.device_now)) / 1_000_000


def _one(_seen: object) -> int:
    return 1


TABLE: tuple[Row, ...] = (
    Row("tag_read", "tap", ("method",), (Field("taps", "int", _one, "1"),)),
    Row(
        "reader_heartbeat",
        "reader",
        (),
        (
            _same("battery", "float", "%"),
            _same("last_seq", "int", "1"),
            Field("clock_offset_s", "float", _clock_offset, "s"),
        ),
    ),
    Row("sync_end", "reader", (), (Field("clock_offset_s", "float", _clock_offset, "s"), Field("syncs", "int", _one, "1"))),
    Row("incident", "incident", (), (Field("incidents", "int", _one, "1"), _same("code", "text"), _same("text", "text"))),
    Row("panic", "panic", (), (_same("active", "bool"),)),
    Row("light_level", "illuminance", (), (_same("lux", "float", "lx"),)),
    Row("motion", "motion", (), (_same("active", "bool"),)),
    Row(
        "lamp_state",
        "lamp",
        ("lamp",),
        (_same("on", "bool"), _same("level", "float", "1"), _same("commanded", "bool")),
    ),
    Row(
        "power",
        "power",
        ("channel",),
        (
            _same("watts", "float", "W"),
            _same("volts", "float", "V"),
            _same("amps", "float", "A"),
            _same("power_factor", "float", "1"),
            _same("energy_wh", "float", "W.h"),
        ),
    ),
    Row("lamp_fault", "lamp_fault", ("lamp", "fault"), (_same("active", "bool"),)),
    Row("device_status", "device", ("channel",), (_same("online", "bool"), _same("reason", "text"))),
    Row(
        "camera_heartbeat",
        "camera",
        ("channel",),
        (Field("healthy", "bool", lambda seen: seen.status == "ok"), Field("heartbeats", "int", _one, "1")),
    ),
    Row("video_state", "video", ("channel", "state"), (_same("active", "bool"),)),
    Row(
        "camera_stats",
        "video",
        ("channel",),
        (_same("fps", "float", "1/s"), _same("expected_fps", "float", "1/s")),
    ),
    Row("recording_state", "recording", ("channel",), (_same("recording", "bool"),)),
    Row("storage_fault", "storage", ("channel", "what"), (_same("active", "bool"),)),
    Row("reachable", "reachable", ("channel", "level"), (_same("ok", "bool"),)),
    Row("measurement", "measurement", ("channel", "quantity", "unit"), (_same("value", "float"),)),
    Row("link", "link", (), (_same("up", "bool"), _same("reason", "text"))),
)  # fmt: skip

ROWS: dict[str, Row] = {row.kind: row for row in TABLE}


class Points:
    """Makes points of log rows for one site.

    Args:
        site: names the site and the place of each device.
    """

    def __init__(self, site: Site) -> None:
        self._site = site.id
        self._places = {device.id: device.place for device in site.devices.values() if device.place}

    def point(self, row: LogRow) -> Point | None:
        """The point of one log row; None where the row is none (a restart, an operator's word) or has no value.

        Raises:
            msgspec.MsgspecError: the body is not an observation.
        """
        shape = ROWS.get(row.kind)
        if shape is None:
            return None
        seen = read(row.body)
        fields = tuple(sorted(_fields(shape, seen)))
        if not fields:
            return None
        tags = {"site": self._site, "device": row.device}
        if place := self._places.get(row.device):
            tags["place"] = place
        for name in shape.tags:
            value = getattr(seen, name)
            if value not in (None, ""):
                tags[name] = str(value)
        ordered = tuple(sorted(tags.items()))
        time_ns = row.at * 1000 + _offset(row.n, fields)
        return Point(shape.measurement, ordered, fields, time_ns, row.device, tags.get("channel", ""))


def _fields(shape: Row, seen: Observation) -> list[tuple[str, Value]]:
    found: list[tuple[str, Value]] = []
    for field in shape.fields:
        value = field.of(seen)
        if value is None or (field.type == "float" and not math.isfinite(value)):
            continue
        found.append((field.name, float(value) if field.type == "float" else value))
    return found


def _offset(n: int | None, fields: tuple[tuple[str, Value], ...]) -> int:
    """Nanoseconds below the microsecond that keep apart what one device said within one microsecond."""
    return n % 1000 if n is not None else zlib.crc32(repr(fields).encode()) % 1000
