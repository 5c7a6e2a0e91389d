"""The alertStream of one Hikvision device: parts to observations."""

from __future__ import annotations

import re
from datetime import datetime

from device_drivers.camera_signs import BEAT, CameraSigns
from device_drivers.driver import Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.hikvision.alert import ROOT, read_alert
from device_drivers.hikvision.events import EVENTS
from device_drivers.multipart import PartCutter

OFFSET = 32
"""A recorder numbers its network cameras from 33 (cameras.md, hikvision); one with analogue channels beyond 32 does not."""

_END = b"</" + ROOT + b">"
_START = b"<" + ROOT
_PREFIXED = b":" + ROOT + b">"
_PREFIXED_END = re.compile(rb"</[\w.-]{1,64}" + _PREFIXED)


class HikvisionDecoder:
    """One device's stream.

    Args:
        signs: makes observations of what is reported, in measure.
        offset: is taken from channels above it.
    """

    def __init__(self, signs: CameraSigns, *, offset: int = OFFSET) -> None:
        self._signs = signs
        self._offset = offset
        self._parts = PartCutter(part_end)
        self._latest: datetime | None = None

    def feed(self, data: bytes, received: datetime) -> list[Reading | Reject]:
        """Take the next bytes. `at` is when a report was received: the device's own time often has no zone, or a wrong one."""
        self._latest = received
        found: list[Reading | Reject] = []
        for part in self._parts.feed(data):
            self._report(part, received, found)
        return found

    def reset(self) -> list[Reading | Reject]:
        """The stream was cut: a report that was begun is read if its fields are whole, else rejected."""
        found: list[Reading | Reject] = []
        if self._latest is not None:
            for part in self._parts.reset():
                self._report(part, self._latest, found)
        self._signs.cut(self._latest)
        return found

    def _report(self, part: bytes, at: datetime, found: list[Reading | Reject]) -> None:
        try:
            events, active, channel = read_alert(part)
        except DecodeError as error:
            found.append(Reject(part, error.reason))
            return
        if channel is not None:
            if channel > self._offset > 0:
                channel -= self._offset
            channel = channel or None  # 0: the whole device
        readings: list[Reading] = []
        signs = self._signs
        signs.pass_time(readings, at)
        for event in events:
            meaning = EVENTS.get(event, BEAT)
            if meaning.word == "loss" and not active:
                # Idle, it says so all the time: that its service lives, and that this channel has its picture.
                signs.beat(readings, channel, at)
                if channel is None:
                    continue
            signs.report(readings, meaning, channel, active, at, brief=True)
        found += readings


def part_end(data: bytes, start: int, stop: int) -> int:
    """Where a report ends: at its closing tag, before the next report, or (what is no report) at the end of the line."""
    first = data[start]
    if first == 0x7B:  # {
        return _json_end(data, start, stop)
    if first != 0x3C:  # <
        return data.find(b"\n", start, stop) + 1
    end = data.find(_END, start, stop)
    last = stop if end < 0 else end
    if data.find(_PREFIXED, start, last) >= 0 and (prefixed := _PREFIXED_END.search(data, start, last)):
        return prefixed.end()
    opened = data.find(_START, start, last)
    if opened >= 0 and (again := data.find(_START, opened + len(_START), last)) >= 0:
        return again
    return end + len(_END) if end >= 0 else 0


def _json_end(data: bytes, start: int, stop: int) -> int:
    """Where an object ends, braces counted outside of texts; 0 if it is not whole yet."""
    depth, inside, escaped = 0, False, False
    for index in range(start, stop):
        byte = data[index]
        if inside:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                inside = False
        elif byte == 0x22:
            inside = True
        elif byte == 0x7B:
            depth += 1
        elif byte == 0x7D:
            depth -= 1
            if depth == 0:
                return index + 1
    return 0
