"""What passes on the line with a wand: packets of records give tag reads, its clock a heartbeat, all else nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo

from device_drivers.driver import Reading, Reject
from device_drivers.fcard_wand.frame import REPLY, Cutter, Frame, make_frame
from device_drivers.fcard_wand.meaning import said
from device_drivers.fcard_wand.records import (
    CARD_OCTETS,
    LIVE_READ,
    READ_RECORDS,
    READ_TIME,
    read_cards,
    read_time,
    record_size,
)
from device_drivers.observations import ReaderHeartbeat, TagRead

SILENCE = timedelta(seconds=2)
"""After a longer pause an unfinished frame is given up, as the wand itself does (wands.md, fcard_wand)."""

_RECORDS = READ_RECORDS[0] + REPLY, READ_RECORDS[1]
_TIME = READ_TIME[0] + REPLY, READ_TIME[1]
_TOTAL_OCTETS = 4
_LIVE_OCTETS = 3


class FcardDecoder:
    """The line of one wand, both directions.

    Args:
        device: the wand's id.
        zone: of its clock, which names none.
        people: the person of each staff number.
    """

    def __init__(self, device: str, zone: tzinfo, people: Mapping[int, str]) -> None:
        self._device = device
        self._zone = zone
        self._people = people
        self._cutter = Cutter()
        self._latest: datetime | None = None

    def feed(self, data: bytes, received: datetime) -> list[Reading | Reject]:
        """Take the next bytes."""
        found: list[Reading | Reject] = []
        if self._latest is not None and not timedelta(0) <= received - self._latest <= SILENCE:
            self._frames(self._cutter.flush(), self._latest, found)
        self._latest = received
        self._frames(self._cutter.feed(data), received, found)
        return found

    def reset(self) -> list[Reading | Reject]:
        """The wand was taken out: an unfinished frame is given up."""
        found: list[Reading | Reject] = []
        if self._latest is not None:
            self._frames(self._cutter.flush(), self._latest, found)
        self._latest = None
        return found

    def _frames(self, frames: list[Frame | Reject], at: datetime, found: list[Reading | Reject]) -> None:
        for frame in frames:
            if isinstance(frame, Reject):
                found.append(frame)
                continue
            try:
                found += self._said(frame, at)
            except ValueError as error:
                found.append(Reject(make_frame(*frame), str(error)))

    def _said(self, frame: Frame, at: datetime) -> list[Reading | Reject]:
        what, data = frame.what, frame.data
        if what == _TIME:
            now = read_time(data, self._zone)
            return [Reading(ReaderHeartbeat(device=self._device, at=now, device_now=now))]
        if what == LIVE_READ:
            if len(data) != _LIVE_OCTETS:
                raise ValueError(f"a card of {len(data)} bytes, expected {_LIVE_OCTETS}")
            return [Reading(TagRead(device=self._device, at=at, tag=data.hex().upper(), method="wand"))]
        if what != _RECORDS or len(data) == _TOTAL_OCTETS:
            return []
        if record_size(data) not in (0, CARD_OCTETS):
            return []  # the wand's own doings
        found: list[Reading | Reject] = []
        for record in read_cards(data, self._zone):
            found += said(self._device, self._people, record)
        return found
