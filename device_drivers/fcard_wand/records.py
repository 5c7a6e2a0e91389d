"""What the wand keeps: its counters, its clock and its records (FCARDIO.Protocol.Door, OfflinePatrol; big-endian throughout)."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import NamedTuple

READ_NUMBER, READ_TIME, COUNTERS, READ_RECORDS, MOVE_POINTER = (1, 1), (2, 1), (4, 1), (4, 6), (4, 4)
LIVE_READ = (0x31, 0x0E)
ALL_READ = (0xF4, 0x06)
"""The packet behind the last records of a question. (In one place the maker's program also takes 34/06 with four bytes for it.)"""

CARDS = 1
"""Which of the two stores: cards, or the wand's own doings."""

CARD_OCTETS, SYSTEM_OCTETS = 12, 8
_SERIAL_OCTETS = 4
_NO_STAFF = 0xFFFF
_EMPTY = b"\xff" * CARD_OCTETS
_COUNTERS_OCTETS = 20


class Counters(NamedTuple):
    """Of the store of cards. Records stand at 1 to `size`; `written` and `read` are the last written and last handed over.

    `overflowed`: the store went round, and records that nobody had read were written over.
    """

    size: int
    written: int
    read: int
    overflowed: bool

    @property
    def waiting(self) -> int:
        """Records that nobody has read."""
        if self.overflowed:
            return self.size
        if self.written >= self.read:
            return self.written - self.read
        return self.written + self.size - self.read


class Card(NamedTuple):
    """A card record. `staff` is 0 if none is set; `tag` has 6 digits. `at` is the wand's own time."""

    serial: int
    staff: int
    at: datetime
    guard: bool
    tag: str


class Unreadable(NamedTuple):
    """A card record without a time that could be."""

    serial: int
    data: bytes
    reason: str


def read_counters(data: bytes) -> Counters:
    """The answer to 04/01. A counter beyond the end is one that was never set: the maker's program takes it for 0.

    Raises:
        ValueError: it has another length, or the store no size.
    """
    if len(data) != _COUNTERS_OCTETS:
        raise ValueError(f"counters of {len(data)} bytes, expected {_COUNTERS_OCTETS}")
    size, written, read = (int.from_bytes(data[place : place + 4], "big") for place in (0, 4, 8))
    if not size:
        raise ValueError("counters of a store without a size")
    return Counters(size, written if written <= size else 0, read if read <= size else 0, bool(data[12]))


def counters_data(counters: Counters) -> bytes:
    """The same, as the wand sends it; its other store is empty."""
    numbers = b"".join(number.to_bytes(4, "big") for number in counters[:3])
    return numbers + bytes((counters.overflowed,)) + b"\x00\x40" + bytes(5)


def read_time(data: bytes, zone: tzinfo) -> datetime:
    """The wand's clock: six bytes BCD, seconds first.

    Raises:
        ValueError: no time that could be.
    """
    digits = data.hex()
    if len(data) != 6 or not digits.isdigit():
        raise ValueError(f"a clock that shows {digits or 'nothing'}, expected six bytes BCD")
    second, minute, hour, day, month, year = (int(digits[place : place + 2]) for place in range(0, 12, 2))
    try:
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        raise ValueError(f"a clock that shows {digits}, which is no time") from None


def time_data(at: datetime) -> bytes:
    """The same, as the wand sends it."""
    return bytes.fromhex(at.strftime("%S%M%H%d%m%y"))


def read_cards(data: bytes, zone: tzinfo) -> list[Card | Unreadable | None]:
    """The records of one packet 34/06; None: an empty place.

    Raises:
        ValueError: the packet is not as long as its number of records asks for.
    """
    return [_card(serial, octets, zone) for serial, octets in pieces(data, CARD_OCTETS)]


def pieces(data: bytes, octets: int) -> list[tuple[int, bytes]]:
    """Serial and bytes of each record of a packet.

    Raises:
        ValueError: as above.
    """
    count = int.from_bytes(data[:4], "big")
    one = _SERIAL_OCTETS + octets
    if len(data) < 4 or len(data) - 4 != count * one:
        raise ValueError(f"a packet of {len(data)} bytes for {count} records of {one}")
    return [
        (int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + one])
        for place in range(4, len(data), one)
    ]


def record_size(data: bytes) -> int:
    """Bytes of each record of a packet whose store is not known: 12 or 8. 0: neither fits, or there is none."""
    count = int.from_bytes(data[:4], "big")
    for octets in (CARD_OCTETS, SYSTEM_OCTETS):
        if count and len(data) - 4 == count * (_SERIAL_OCTETS + octets):
            return octets
    return 0


def card_data(card: Card) -> bytes:
    """A record of a packet, as the wand sends it: its serial first."""
    at = card.at
    return (
        card.serial.to_bytes(4, "big")
        + (card.staff or _NO_STAFF).to_bytes(2, "big")
        + bytes((at.year - 2000, at.month, at.day, at.hour, at.minute, at.second, card.guard))
        + bytes.fromhex(card.tag)
    )


def _card(serial: int, octets: bytes, zone: tzinfo) -> Card | Unreadable | None:
    if octets == _EMPTY or not any(octets):
        return None
    staff = int.from_bytes(octets[:2], "big")
    year, month, day, hour, minute, second, state = octets[2:9]
    try:
        if year > 99:
            raise ValueError(year)
        at = datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return Unreadable(serial, octets, f"record {serial}: {octets[2:8].hex()} is no time")
    return Card(serial, 0 if staff == _NO_STAFF else staff, at, state == 1, octets[9:].hex().upper())
