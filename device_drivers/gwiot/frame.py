"""Frames of Gwiot readers, both ways, as tables and pure functions.

Push (7941D/E): `02 | length of all | type | card | XOR | 03`, XOR from the length to the card's last byte.
Polled (7941W): `AB BA | address | command | length | data | XOR` and, in reply, `CD DC | address | 81 or 80 | length | data | XOR`,
XOR over all behind the two bytes at the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import xor
from typing import NamedTuple

from device_drivers.hunt import NONE, WAIT

STX, ETX = 0x02, 0x03
PUSH_LEAST = 6
"""A card of one byte."""
PUSH_LONGEST = 64
"""No card has more bytes; more is noise."""

NO_CARD_TYPES: Mapping[int, str] = {0x51: "a sector", 0xFF: "keys"}
"""Types of push frames whose bytes are no card's number. All others are cards, also those that no list names."""

TYPE_A = frozenset((0x01, 0x03, 0x50))
"""Types of push frames whose card's number is the UID of ISO 14443 type A: Mifare 1K and 4K, CPU card."""

ASK, SAY = b"\xab\xba", b"\xcd\xdc"
OK, FAILED = 0x81, 0x80

READ_UID, READ_ID = 0x10, 0x15
COMMANDS: Mapping[int, str] = {
    READ_UID: "read UID",
    0x11: "write UID",
    0x12: "read sector",
    0x13: "write sector",
    0x14: "change key",
    READ_ID: "read 125 kHz ID",
    0x16: "write T5577",
    0x17: "read all",
}
"""What a host may ask. The driver itself sends only the two that read an identity."""

MAY_SEND = frozenset((READ_UID, READ_ID))

IDENTITIES = frozenset((4, 5, 7, 8, 10))
"""Bytes of a card's number; other replies hold a block or a sector."""

POLLED_LONGEST = 6 + 80
"""Bytes of the longest frame: a sector of four blocks, and room (unconfirmed)."""

_HEAD = 5


class Polled(NamedTuple):
    """A request (`command`) or a reply (`ok`) of a polled reader."""

    reply: bool
    address: int
    code: int
    data: bytes


def check_xor(octets: bytes) -> int:
    """XOR of all bytes."""
    return reduce(xor, octets, 0)


def push_length(stream: bytes, start: int) -> int:
    """How long the push frame is that begins at `start`; WAIT, or NONE (device_drivers.hunt)."""
    if stream[start] != STX:
        return NONE
    if start + 1 >= len(stream):
        return WAIT
    size = stream[start + 1]
    if not PUSH_LEAST <= size <= PUSH_LONGEST:
        return NONE
    end = start + size
    if end > len(stream):
        return WAIT
    whole = stream[end - 1] == ETX and check_xor(stream[start + 1 : end - 2]) == stream[end - 2]
    return size if whole else NONE


def push_trouble(octets: bytes) -> str:
    """Why bytes are no push frame."""
    start = octets.find(STX)
    if start < 0:
        return "bytes outside any frame (no 02)"
    piece = octets[start:]
    if len(piece) < 2 or not PUSH_LEAST <= piece[1] <= PUSH_LONGEST:
        return f"02 with a length that no frame has, expected {PUSH_LEAST} to {PUSH_LONGEST}"
    size = piece[1]
    if len(piece) < size:
        return f"frame cut short: {len(piece)} of {size} bytes"
    if piece[size - 1] != ETX:
        return f"no 03 where the frame of {size} bytes should end"
    return f"checksum {piece[size - 2]:02X}, expected {check_xor(piece[1 : size - 2]):02X}"


def push_frame(card: bytes, kind: int = 0x02) -> bytes:
    """A push frame, as the reader sends it."""
    inside = bytes((len(card) + 5, kind)) + card
    return bytes((STX,)) + inside + bytes((check_xor(inside), ETX))


def polled_length(stream: bytes, start: int) -> int:
    """How long the request or reply is that begins at `start`; WAIT, or NONE."""
    head = stream[start : start + 2]
    if head not in (ASK, SAY):
        return WAIT if len(head) == 1 and head in (ASK[:1], SAY[:1]) else NONE
    if start + _HEAD > len(stream):
        return WAIT
    code = stream[start + 3]
    if code not in (COMMANDS if head == ASK else (OK, FAILED)):
        return NONE
    size = _HEAD + stream[start + 4] + 1
    if size > POLLED_LONGEST:
        return NONE
    end = start + size
    if end > len(stream):
        return WAIT
    return size if check_xor(stream[start + 2 : end - 1]) == stream[end - 1] else NONE


def polled_trouble(octets: bytes) -> str:
    """Why bytes are no request and no reply."""
    places = [place for mark in (ASK, SAY) if (place := octets.find(mark)) >= 0]
    if not places:
        return "bytes outside any frame (no AB BA, no CD DC)"
    piece = octets[min(places) :]
    if len(piece) < _HEAD:
        return "frame cut short in its head"
    known = COMMANDS if piece.startswith(ASK) else (OK, FAILED)
    if piece[3] not in known:
        return f"code {piece[3]:02X} behind address {piece[2]:02X} is not known; is the address byte missing?"
    size = _HEAD + piece[4] + 1
    if size > POLLED_LONGEST:
        return f"length {piece[4]}, more than any frame has"
    if len(piece) < size:
        return f"frame cut short: {len(piece)} of {size} bytes"
    return f"checksum {piece[size - 1]:02X}, expected {check_xor(piece[2 : size - 1]):02X}"


def read_polled(octets: bytes) -> Polled:
    """A whole frame, as `polled_length` found it."""
    return Polled(octets.startswith(SAY), octets[2], octets[3], octets[_HEAD:-1])


def request(command: int, address: int = 0) -> bytes:
    """A request that reads a card's identity.

    Raises:
        ValueError: any other command: some of them write to cards, so none of them is ever made here.
    """
    if command not in MAY_SEND:
        raise ValueError(f"command {command:02X} is not one that only reads an identity")
    inside = bytes((address, command, 0))
    return ASK + inside + bytes((check_xor(inside),))
