"""Emptying a wand that stands in its dock: its clock, its counters, its records, and only when those are on disk its pointer.

Nothing here can clear a wand: the commands for that are not in this folder.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Literal, NamedTuple

from device_drivers.conversation import Answer, Give, LineConversation, Rest, Send
from device_drivers.driver import Reading, Reject
from device_drivers.fcard_wand.frame import OK, REPLY, Cutter, Frame, make_frame
from device_drivers.fcard_wand.meaning import said
from device_drivers.fcard_wand.records import (
    ALL_READ,
    CARD_OCTETS,
    CARDS,
    COUNTERS,
    MOVE_POINTER,
    READ_NUMBER,
    READ_RECORDS,
    READ_TIME,
    Card,
    Counters,
    Unreadable,
    pieces,
    read_cards,
    read_counters,
    read_time,
)
from device_drivers.observations import Incident, ReaderHeartbeat, SyncEnd

Incomplete = Literal["hold", "pass"]

BATCH = 60
"""Records of a question: a kilobyte. The maker's program asks for up to 100."""

TRIES = 3
"""For each question."""

WITHIN_S = 2.0
"""For an answer, and for all records of a question (wands.md: the wand's own limit is 2 s)."""

_RECORDS = READ_RECORDS[0] + REPLY, READ_RECORDS[1]
_ENDS = (ALL_READ, _RECORDS)
_TOTAL_OCTETS = 4
"""Of the packet behind the last records: how many they were."""

_MOST_TOLD = 1000
"""Complaints of one docking that are remembered."""

_FIRST_CODE, _CODES = 0x1000, 0xE000

_Step = Send | Give | Rest
_Record = Card | Unreadable | None


class _Read(NamedTuple):
    """What became of the records.

    Args:
        upto: the last record up to which all are handed over, as the wand's pointer counts.
        why: what is not, "" if all are.
        again: some were not sent; they are asked for again in the next round.
    """

    upto: int
    why: str
    again: bool


class FcardPoller:
    """Empties one wand whenever it is in its dock. A `ProbePoller`: that no wand stands there is no fault of the line.

    Args:
        device: the wand's id.
        line: its dock's device file.
        zone: of its clock, which names none.
        number: only the wand of this number; None: whichever stands in the dock.
        address: the wand's.
        every_s: from the beginning of a round to the next.
        people: the person of each staff number.
        incomplete: what follows when records are missing, unreadable or were written over: `hold` leaves the wand's pointer
            before them and ends no hand-over, so that nothing of that time can count as missed; `pass` goes on.
    """

    hangs_up = False

    def __init__(
        self,
        device: str,
        line: str,
        zone: tzinfo,
        *,
        number: int | None = None,
        address: int = 0,
        every_s: float = 30,
        people: Mapping[int, str] | None = None,
        incomplete: Incomplete = "hold",
    ) -> None:
        self.line = line
        self.every_s = every_s
        self._device = device
        self._zone = zone
        self._number = number
        self._address = address
        self._people = people or {}
        self._holds = incomplete == "hold"
        self._code = 0
        self._done: Counters | None = None  # what these counters count is on disk
        self._why = ""  # what was missing then
        self._told: set[str] = set()

    def round(self) -> LineConversation:
        """Everything that is new. Taken out of its dock in between, the wand is asked for the same again."""
        if self._number is not None and not (yield from self._is_ours(self._number)):
            return
        answer = yield from self._ask(READ_TIME)
        if answer is None:
            return
        now = yield from self._clock(answer[0])
        answer = yield from self._ask(COUNTERS)
        if answer is None:
            return
        try:
            counters = read_counters(answer[0].data)
        except ValueError as error:
            yield from self._complain(answer[0], str(error))
            return
        if counters != self._done:
            read = yield from self._records(counters, answer[1])
            if read is None:
                return
            counters = yield from self._move(counters, read)
            self._done, self._why = None if read.again else counters, read.why
        if now is not None and not (self._why and self._holds):
            yield Give([Reading(SyncEnd(device=self._device, at=now, complete_to=now))])

    def lost(self) -> Sequence[Reading | Reject]:
        """It was taken out of its dock; the next one may be another."""
        self._done = None
        self._told.clear()
        return ()

    def unreached(self, received: datetime, connected: bool) -> Sequence[Reading | Reject]:  # noqa: ARG002
        """It is not in its dock but with its guard, as it should be: nothing follows."""
        return ()

    # -- the steps of a round

    def _is_ours(self, number: int) -> Generator[_Step, Answer | None, bool]:
        answer = yield from self._ask(READ_NUMBER)
        if answer is None:
            return False
        if answer[0].data == bytes((number,)):
            return True
        self._done = None  # one wand may follow another without the port noticing
        yield from self._complain(
            answer[0], f"wand {answer[0].data.hex()} (hexadecimal) is in the dock, not {number:02x}"
        )
        return False

    def _clock(self, frame: Frame) -> Generator[_Step, Answer | None, datetime | None]:
        """The wand's time, told at once: that is how its clock is measured."""
        try:
            now = read_time(frame.data, self._zone)
        except ValueError as error:
            yield from self._complain(frame, str(error))
            return None
        yield Give([Reading(ReaderHeartbeat(device=self._device, at=now, device_now=now))])
        return now

    def _records(self, counters: Counters, received: datetime) -> Generator[_Step, Answer | None, _Read | None]:
        """All records that wait, batch by batch, each on disk before the next; None: it was taken out, or does not answer."""
        why, again = "", False
        place = good = counters.read
        if counters.overflowed:
            place = counters.written  # behind the newest record stands the oldest
            why = "the wand's store overflowed: its oldest records were written over before they were read"
            if why not in self._told:
                self._told.add(why)
                yield Give([Reading(Incident(device=self._device, at=received, code="wand_overflow", text=why))])
        left = counters.waiting
        while left:
            place %= counters.size
            count = min(BATCH, left, counters.size - place)
            batch = yield from self._batch(place + 1, count)
            if batch is None:
                return None
            found: list[Reading | Reject] = []
            for serial in range(place + 1, place + count + 1):
                found += self._say(serial, batch)
                why = why or _trouble(serial, batch)
                again |= serial not in batch
                if not why:
                    good = serial
            yield Give(found, safe=True)
            left -= count
            place += count
        return _Read(good if self._holds else counters.written, why, again)

    def _batch(self, first: int, count: int) -> Generator[_Step, Answer | None, dict[int, _Record] | None]:
        """Records by serial; those that were lost on the way are asked for again. What is still missing is not in it."""
        batch: dict[int, _Record] = {}
        for _ in range(TRIES):
            missing = [serial for serial in range(first, first + count) if serial not in batch]
            if not missing:
                break
            number = missing[-1] - missing[0] + 1
            data = bytes((CARDS,)) + missing[0].to_bytes(4, "big") + number.to_bytes(4, "big")
            code, question = self._question(READ_RECORDS, data)
            answer = yield Send(question, WITHIN_S, _ending(code, _ENDS))
            assert answer is not None
            if not answer.data:
                return None
            for frame in _frames(answer.data, code):
                if frame.what == _RECORDS and len(frame.data) > _TOTAL_OCTETS:
                    try:
                        batch |= _by_serial(read_cards(frame.data, self._zone), frame.data)
                    except ValueError as error:
                        yield from self._complain(frame, str(error))
        return batch

    def _move(self, counters: Counters, read: _Read) -> Generator[_Step, Answer | None, Counters]:
        """Tell the wand what is on disk; its counters after that. That it does not take it costs only time: it is read again."""
        if (self._holds and counters.overflowed) or (read.upto == counters.read and not counters.overflowed):
            return counters
        answer = yield from self._ask(MOVE_POINTER, bytes((CARDS,)) + read.upto.to_bytes(4, "big") + b"\x00", OK)
        return counters if answer is None else counters._replace(read=read.upto, overflowed=False)

    # -- asking

    def _question(self, what: tuple[int, int], data: bytes = b"") -> tuple[int, bytes]:
        code = _FIRST_CODE + self._code
        self._code = (self._code + 1) % _CODES
        return code, make_frame(self._address, code, *what, data)

    def _ask(
        self, what: tuple[int, int], data: bytes = b"", wanted: tuple[int, int] | None = None
    ) -> Generator[_Step, Answer | None, tuple[Frame, datetime] | None]:
        """The reply to a question and when it came; None: there is none, or another than wanted."""
        wanted = wanted or (what[0] + REPLY, what[1])
        other: Frame | None = None
        for _ in range(TRIES):
            code, question = self._question(what, data)
            answer = yield Send(question, WITHIN_S, _ending(code))
            assert answer is not None
            for frame in _frames(answer.data, code):
                if frame.what == wanted:
                    return frame, answer.received
                other = frame
            if not answer.data:
                return None
        if other is not None:
            yield from self._complain(other, f"reply {_named(other.what)} to question {_named(what)}")
        return None

    # -- saying

    def _say(self, serial: int, batch: Mapping[int, _Record]) -> list[Reading | Reject]:
        reason = _trouble(serial, batch)
        record = batch.get(serial)
        if not reason:
            return said(self._device, self._people, record)
        return self._once(record.data if isinstance(record, Unreadable) else serial.to_bytes(4, "big"), reason)

    def _once(self, data: bytes, reason: str) -> list[Reading | Reject]:
        if reason in self._told or len(self._told) >= _MOST_TOLD:
            return []
        self._told.add(reason)
        return [Reject(data, reason)]

    def _complain(self, frame: Frame, reason: str) -> Generator[_Step, Answer | None, None]:
        if found := self._once(make_frame(*frame), reason):
            yield Give(found)


def _trouble(serial: int, batch: Mapping[int, _Record]) -> str:
    """Why a record is not handed over, "" if it is."""
    if serial not in batch:
        return f"record {serial} was not sent"
    record = batch[serial]
    return record.reason if isinstance(record, Unreadable) else ""


def _by_serial(records: Sequence[_Record], data: bytes) -> dict[int, _Record]:
    return {serial: record for (serial, _), record in zip(pieces(data, CARD_OCTETS), records, strict=True)}


def _frames(data: bytes, code: int) -> list[Frame]:
    """Whole replies in what has come, to the question of this code; the echo of the question is none."""
    found = Cutter().feed(data)
    return [frame for frame in found if isinstance(frame, Frame) and frame.code == code and frame.kind >= OK[0]]


def _ending(code: int, last: Sequence[tuple[int, int]] = ()) -> Callable[[bytes], int]:
    """All that has come, once a reply to the question is in it; of several packets the last."""

    def ends(data: bytes) -> int:
        for frame in _frames(data, code):
            if not last or frame.kind == OK[0] or (frame.what in last and len(frame.data) == _TOTAL_OCTETS):
                return len(data)
        return 0

    return ends


def _named(what: tuple[int, int]) -> str:
    return f"{what[0]:02X}/{what[1]:02X}"
