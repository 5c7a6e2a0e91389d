"""The event stream of one Dahua device: parts to observations."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from json import JSONDecoder

from device_drivers.camera_signs import BEAT, CameraSigns
from device_drivers.dahua.events import ACTIONS, EVENTS
from device_drivers.driver import Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.multipart import PartCutter

_BEAT = b"Heartbeat"
_CODE = b"Code="
_DATA = b";data="
_NEXT_PART = b"\n--"
_MOST_INDEX = 4096
_json_end = JSONDecoder().raw_decode


class DahuaDecoder:
    """One device's stream.

    Args:
        signs: makes observations of what is reported, in measure.
    """

    def __init__(self, signs: CameraSigns) -> None:
        self._signs = signs
        self._parts = PartCutter(part_end)
        self._latest: datetime | None = None
        self.begun: dict[str, set[int]] = {}
        """For each code that is asked for: the channels on which it was begun and not ended; kept by whoever asks."""

    def state(self, code: str, channel: int, active: bool, at: datetime, found: list[Reading]) -> None:
        """What the device said when it was asked: a code holds on a channel, or does not."""
        self._signs.report(found, EVENTS[code], channel, active, at, brief=False, by=code)

    def feed(self, data: bytes, received: datetime) -> list[Reading | Reject]:
        """Take the next bytes. `at` is when an event was received: the device's own time has no zone."""
        self._latest = received
        found: list[Reading | Reject] = []
        for part in self._parts.feed(data):
            self._event(part, received, found)
        return found

    def reset(self) -> list[Reading | Reject]:
        """The stream was cut: an event that was begun is read if its fields are whole, else rejected."""
        found: list[Reading | Reject] = []
        if self._latest is not None:
            for part in self._parts.reset():
                self._event(part, self._latest, found)
        self._signs.cut(self._latest)
        return found

    def _event(self, part: bytes, at: datetime, found: list[Reading | Reject]) -> None:
        readings: list[Reading] = []
        self._signs.pass_time(readings, at)
        if part == _BEAT:
            self._signs.beat(readings, None, at)
        else:
            try:
                code, action, channel = read_event(part)
            except DecodeError as error:
                found += readings
                found.append(Reject(part, error.reason))
                return
            active, brief = ACTIONS[action]
            if code in self.begun and channel is not None:
                (self.begun[code].add if active else self.begun[code].discard)(channel)
            self._signs.report(readings, EVENTS.get(code, BEAT), channel, active, at, brief=brief, by=code)
        found += readings


def read_event(part: bytes) -> tuple[str, str, int | None]:
    """Code, action and channel (index + 1; None: the whole device) of one event.

    Raises:
        DecodeError: no event, an action that is not known, or an index that is no number.
    """
    if not part.startswith(_CODE):
        raise DecodeError("neither Heartbeat nor Code=…")
    head = part.partition(_DATA)[0]
    try:
        text = head.decode("ascii")
    except UnicodeDecodeError:
        raise DecodeError("an event that is not ASCII before its data") from None
    fields: dict[str, str] = {}
    for piece in text.split(";"):
        name, equals, value = piece.partition("=")
        if equals:  # what is no pair is passed over
            fields.setdefault(name.strip(), value.strip())
    code = fields.get("Code", "")
    if not code:
        raise DecodeError("no code")
    action = fields.get("action", "")
    if action not in ACTIONS:
        raise DecodeError(f"action {action[:80]!r}, expected one of {', '.join(ACTIONS)}" if action else "no action")
    index = fields.get("index")
    if index is None:
        return code, action, None
    if not index.isdecimal() or len(index) > 4 or int(index) >= _MOST_INDEX:
        raise DecodeError(f"index {index[:80]!r}, expected a number below {_MOST_INDEX}")
    return code, action, int(index) + 1


def part_end(data: bytes, start: int, stop: int) -> int:
    """Where an event ends: at the end of its line, or of its data, which is JSON over several lines. 0: not whole yet."""
    if data.startswith(_BEAT, start, stop):
        return start + len(_BEAT)
    line = data.find(b"\n", start, stop) + 1
    inside = data.find(_DATA, start, line or stop)
    if inside < 0 or not data.startswith(_CODE, start, stop):
        return line
    inside += len(_DATA)
    if inside >= stop or data[inside] not in b"{[":
        return line
    if data.find(b"}" if data[inside] == 0x7B else b"]", inside, stop) >= 0:
        with suppress(ValueError, RecursionError):
            # One character a byte: only where it ends is asked.
            return inside + _json_end(data[inside:stop].decode("latin-1"))[1]
    # JSON holds no line that begins like a boundary: damaged data ends there, and does not swallow what comes behind it.
    return data.find(_NEXT_PART, inside, stop) + 1
