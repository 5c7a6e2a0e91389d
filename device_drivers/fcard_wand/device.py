"""The wand's own side: its records, its clock, its pointer, and what it answers, for simulation and tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from device_drivers.driver import Reject
from device_drivers.fcard_wand.frame import DAMAGED, OK, REPLY, Cutter, Frame, make_frame
from device_drivers.fcard_wand.records import (
    ALL_READ,
    COUNTERS,
    MOVE_POINTER,
    READ_NUMBER,
    READ_RECORDS,
    READ_TIME,
    Card,
    Counters,
    card_data,
    counters_data,
    time_data,
)

A_PACKET = 15
"""Records that one packet holds."""


class Wand:
    """A wand in its dock.

    Args:
        now: its own time.
        size: of its store.
        number: its own.
    """

    def __init__(self, now: datetime, size: int = 1000, number: int = 7) -> None:
        self.now = now
        self.number = number
        self.store: dict[int, bytes] = {}
        self.counters = Counters(size, 0, 0, overflowed=False)
        self.lost_once: set[int] = set()
        """Serials that are not sent the first time."""
        self.deaf = False
        self.asked: list[tuple[int, int]] = []
        self._cutter = Cutter()

    def tap(self, tag: str, at: datetime, *, staff: int = 0, guard: bool = False) -> None:
        """A checkpoint's or a guard's card is read on the way."""
        size, written, read, overflowed = self.counters
        written = written % size + 1
        overflowed = overflowed or written == read or (read == 0 and written == 1 and size in self.store)
        self.store[written] = card_data(Card(written, staff, at, guard, tag))
        self.counters = Counters(size, written, read, overflowed)

    def answers(self, asked: bytes) -> bytes:
        """What comes back for all whole questions in the bytes."""
        frames: Sequence[Frame | Reject] = self._cutter.feed(asked)
        return b"".join(self._answer(frame) for frame in frames if not self.deaf)

    def _answer(self, frame: Frame | Reject) -> bytes:
        if isinstance(frame, Reject):
            return make_frame(0, 0, *DAMAGED)
        self.asked.append(frame.what)
        match frame.what:
            case what if what == READ_NUMBER:
                return self._reply(frame, bytes((self.number,)))
            case what if what == READ_TIME:
                return self._reply(frame, time_data(self.now))
            case what if what == COUNTERS:
                return self._reply(frame, counters_data(self.counters))
            case what if what == READ_RECORDS:
                return self._records(frame)
            case what if what == MOVE_POINTER:
                pointer = int.from_bytes(frame.data[1:5], "big")
                self.counters = self.counters._replace(read=pointer, overflowed=False)
                return make_frame(frame.address, frame.code, *OK)
            case _:
                return make_frame(frame.address, frame.code, 0x21, 0x02)

    def _records(self, frame: Frame) -> bytes:
        first, count = int.from_bytes(frame.data[1:5], "big"), int.from_bytes(frame.data[5:9], "big")
        there = [serial for serial in range(first, first + count) if serial in self.store]
        sent = [serial for serial in there if serial not in self.lost_once]
        self.lost_once -= set(there)
        out = b""
        for start in range(0, len(sent), A_PACKET):
            packet = sent[start : start + A_PACKET]
            records = b"".join(self.store[serial] for serial in packet)
            out += self._reply(frame, len(packet).to_bytes(4, "big") + records)
        return out + make_frame(frame.address, frame.code, *ALL_READ, len(there).to_bytes(4, "big"))

    def _reply(self, frame: Frame, data: bytes) -> bytes:
        return make_frame(frame.address, frame.code, frame.kind + REPLY, frame.command, data)
