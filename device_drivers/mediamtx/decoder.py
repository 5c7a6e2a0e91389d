"""What one MediaMTX says of its paths: metrics in Prometheus' text form, or the list of its API."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.observations import VideoState

_STATES: Mapping[str, bool] = {
    "ready": True,
    "notReady": False,
    "available": True,
    "unavailable": False,
    "online": True,
    "offline": False,
}
"""Whether a stream arrives: MediaMTX gives a source up after `readTimeout` without a packet. The later words are unconfirmed."""

_SAMPLE = re.compile(
    r'^([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]++|"(?:[^"\\]++|\\.)*+")*+)\})?\s+([-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|Inf|NaN))(?:\s+-?\d+)?$',
    re.ASCII,
)
_LABEL = re.compile(r'([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]++|\\.)*+)"')
_ESCAPES = {'\\"': '"', "\\\\": "\\", "\\n": "\n"}
_ESCAPE = re.compile(r"\\.")
_MOST_PATHS = 4096
"""Bound of the paths whose bytes are remembered."""


class _Path(NamedTuple):
    present: bool
    octets: int | None


class _Item(msgspec.Struct, frozen=True, gc=False):
    name: str
    ready: bool | None = None
    available: bool | None = None
    online: bool | None = None
    bytesReceived: Annotated[int, msgspec.Meta(ge=0)] | None = None  # noqa: N815  as the API spells it
    inboundBytes: Annotated[int, msgspec.Meta(ge=0)] | None = None  # noqa: N815


class _List(msgspec.Struct, frozen=True):
    items: list[_Item]


_list = msgspec.json.Decoder(_List)


class MediamtxDecoder:
    """One MediaMTX; its paths are channels of it, by their names.

    Args:
        device: its id.
        on_demand: paths without a stream are only not asked for: they say nothing.
    """

    def __init__(self, device: str, *, on_demand: bool = False) -> None:
        self._device = device
        self._on_demand = on_demand
        self._octets: dict[str, int] = {}

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """Decode one answer. A path whose stream is there, but which got no byte since the last answer, has lost its picture.
        Of paths whose state is not known the answer is kept as a reject; the others count.

        Raises:
            DecodeError: neither metrics nor a list of paths, or no state of it is known.
        """
        if retained:
            raise DecodeError("a retained answer: nothing is retained over HTTP")
        if topic not in ("", "metrics", "paths"):
            raise DecodeError(f"topic {topic[:80]!r}: expected metrics or paths")
        unread: list[str] = []
        paths = _from_api(payload) if payload[:1] == b"{" else _from_metrics(payload, unread)
        readings: list[Reading] = []
        for name, (present, octets) in paths.items():
            lost = not present
            if present and octets is not None:
                lost = self._octets.get(name) == octets
            self._remember(name, octets if present else None)
            if lost and not present and self._on_demand:
                continue
            state = VideoState(device=self._device, at=received, state="loss", active=lost, channel=name)
            readings.append(Reading(state))
        return beside_unread(readings, payload, unread)

    def _remember(self, name: str, octets: int | None) -> None:
        if octets is None:
            self._octets.pop(name, None)
            return
        if name not in self._octets and len(self._octets) >= _MOST_PATHS:
            self._octets.clear()
        self._octets[name] = octets


def _from_metrics(payload: bytes, unread: list[str]) -> dict[str, _Path]:
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise DecodeError("metrics that are not UTF-8") from error
    present: dict[str, bool] = {}
    octets: dict[str, int] = {}
    for name, labels, value in _samples(text):
        if name in ("paths_bytes_received", "paths_inbound_bytes") and "name" in labels:
            octets[labels["name"]] = int(value)
        elif name == "paths" and "name" in labels:
            state = labels.get("state", "")
            if state not in _STATES:
                unread.append(
                    f"path {labels['name'][:80]!r}: state {state[:80]!r}, expected one of {', '.join(_STATES)}"
                )
            elif value:
                present[labels["name"]] = _STATES[state]
    return {name: _Path(there, octets.get(name)) for name, there in present.items()}


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """The samples that are of paths; every other line must at least have their form."""
    found = False
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = _SAMPLE.match(line.strip())
        if match is None:
            raise DecodeError(f"no sample of a metric: {line[:80]!r}")
        found = True
        if match[1].startswith("paths"):
            value = float(match[3])
            if not -1 < value < 2**63:  # a not-a-number is no value
                raise DecodeError(f"{match[1]}: value {match[3][:40]!r}")
            labels = {name: _ESCAPE.sub(_unescaped, quoted) for name, quoted in _LABEL.findall(match[2] or "")}
            yield match[1], labels, value
    if not found:
        raise DecodeError("no metrics in it")


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0], match[0])


def _from_api(payload: bytes) -> dict[str, _Path]:
    try:
        items = _list.decode(payload).items
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"paths: {error}") from error
    found: dict[str, _Path] = {}
    for item in items:
        words = [word for word in (item.online, item.available, item.ready) if word is not None]
        if words:
            octets = item.inboundBytes if item.bytesReceived is None else item.bytesReceived
            found[item.name] = _Path(words[0], octets)
    return found
