"""Messages of Foxtron's converters, and what passed on the bus as they tell it.

    01 | data, each byte as two digits 0-9 A-F | checksum, likewise | 17

The checksum is the sum of the data, all bits turned round. Foxtron, Communication protocol 1.7 and 1.10, ASCII protocol.
"""

from __future__ import annotations

from typing import NamedTuple

from device_drivers.hunt import NONE, WAIT

SOH, ETB = 0x01, 0x17
SHORTEST = 8
LONGEST = 30
"""Bytes of a message: 4 to 26 digits of data, two of the checksum, and the marks (§1)."""

SEND = 11
"""To the converter: priority, bits, frame, flags. Answered with ANSWERED or UNANSWERED, so that what others ask is told apart."""
ANSWERED, UNANSWERED = 13, 14
HEARD_ANSWERED, HEARD_UNANSWERED = 3, 4
"""What another master sent on the bus."""
EVENT = 5

EXCHANGES = (HEARD_ANSWERED, HEARD_UNANSWERED, ANSWERED, UNANSWERED)
_WITH_ANSWER = (HEARD_ANSWERED, ANSWERED)
_OTHERS = {1, EVENT, 6, 7, 8, 9, 10, SEND, 12, 254, 255}
"""Requests, configuration, events and firmware: they say nothing of a lamp."""

EVENTS = (
    "the bus has power",
    "the bus has no power",
    "mains voltage on the bus",
    "the bus has an unsuitable power supply",
    "too many messages wait for the bus",
    "it was sent a wrong checksum",
    "it was sent an invalid command",
)
"""What a converter says by itself (§4.11)."""

LOWEST_PRIORITY = 5
KEEP_TOGETHER = 0x02
"""Flag of SEND: nothing of others between this frame and the next (sequence)."""

_DIGITS = b"0123456789ABCDEF"
_ALL = 0xFF


class Exchange(NamedTuple):
    """One forward frame and what became of it.

    Args:
        ours: this converter was told to send it, with SEND.
        frame: of 8 to 64 bits; b"": it could not be read (two sent at once).
        bits: its length.
        answered: there was an answer; `answer` is None if it could not be read (several answered at once).
    """

    ours: bool
    frame: bytes
    bits: int
    answered: bool
    answer: int | None


def message_length(stream: bytes, start: int) -> int:
    """How long the message at `start` is: WAIT, or NONE if none begins there."""
    if stream[start] != SOH:
        return NONE
    end = stream.find(ETB, start, start + LONGEST)
    digits = stream[start + 1 : end] if end >= 0 else stream[start + 1 : start + LONGEST]
    if digits.translate(None, _DIGITS):
        return NONE
    if end < 0:
        return WAIT if len(digits) < LONGEST - 1 else NONE
    size = end + 1 - start
    if size < SHORTEST or size & 1 or sum(bytes.fromhex(digits.decode())) & _ALL != _ALL:
        return NONE
    return size


def read_message(octets: bytes) -> bytes:
    """The data of a whole message; its first byte is its type."""
    return bytes.fromhex(octets[1:-3].decode())


def make_message(data: bytes) -> bytes:
    """A whole message."""
    return b"\x01%s\x17" % (data + bytes((~sum(data) & _ALL,))).hex().upper().encode()


def why_not(octets: bytes) -> str:
    """Why bytes are no message, in one sentence."""
    if octets[0] != SOH:
        return "bytes outside any message (no 01 before them)"
    digits, end, _ = octets[1:].partition(b"\x17")
    other = digits.translate(None, _DIGITS)
    if other:
        return f"{other[0]:02X} in a message, where only the digits 0-9 and A-F may be"
    if not end:
        return f"message cut short: {len(octets)} bytes"
    if len(digits) < SHORTEST - 2 or len(digits) % 2:
        return f"{len(digits)} digits in a message"
    *data, checksum = bytes.fromhex(digits.decode())
    return f"checksum {checksum:02X}, should be {~sum(data) & _ALL:02X}"


def exchange(data: bytes) -> Exchange | None:
    """What a message tells of the bus; None if that is nothing.

    Raises:
        ValueError: a type that is not known, or another length than it names.
    """
    kind = data[0]
    if kind not in EXCHANGES:
        if kind in _OTHERS:
            return None
        raise ValueError(f"message type {kind} is not known")
    bits = data[1]
    size = (bits + 7) >> 3
    end = 2 + size
    ours = kind >= ANSWERED
    if kind not in _WITH_ANSWER:
        if len(data) != end or bits > 64:
            raise ValueError(f"{len(data) - 2} bytes for a frame of {bits} bits")
        return Exchange(ours, data[2:end], bits, answered=False, answer=None)
    if not 0 < bits <= 64 or len(data) <= end:
        raise ValueError(f"{len(data) - 2} bytes for a frame of {bits} bits and an answer")
    length = data[end]
    if length not in (0, 8) or len(data) != end + 1 + (length >> 3):
        raise ValueError(f"{len(data) - end - 1} bytes for an answer of {length} bits")
    return Exchange(ours, data[2:end], bits, answered=True, answer=data[end + 1] if length else None)


def send(frame: bytes, *, together: bool = False) -> bytes:
    """The message that has a frame sent on the bus, behind all that is more urgent.

    Args:
        frame: 16 bits.
        together: nothing of others may come between it and the next.
    """
    flags = KEEP_TOGETHER if together else 0
    return make_message(bytes((SEND, LOWEST_PRIORITY, 8 * len(frame), *frame, flags)))
