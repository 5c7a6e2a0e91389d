"""Frames of the PN532: `00 FF | length | its complement | D4 host or D5 chip | data | checksum | 00`, and four short ones.

NXP UM0701-02 (PN532 user manual) §6.2.1. A preamble of zeros, the wake-up bytes 55 and the closing 00 are padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from device_drivers.hunt import NONE, WAIT

HOST, CHIP = 0xD4, 0xD5
START = b"\x00\xff"
ACK = b"\x00\x00\xff\x00\xff\x00"
PADDING = b"\x00\x55"

WAKE_UP = b"\x55\x55" + bytes(14)
"""Before the first command: the chip sleeps until its line moves, and needs a while to be awake."""

SAM_CONFIGURATION, RF_CONFIGURATION, LIST_PASSIVE = 0x14, 0x32, 0x4A

LONGEST_DATA = 264
"""Bytes from D4 or D5 on that a frame may have (§6.2.1.2); only extended ones have more than 255."""

LONGEST = 8 + LONGEST_DATA + 1

_SHORT = {b"\x00\xff": "acknowledgement", b"\xff\x00": "not acknowledged"}
_ERROR = b"\x01\xff\x7f\x81"
_EXTENDED = b"\xff\xff"


class Frame(NamedTuple):
    """`direction` is HOST or CHIP; None: a short frame without data."""

    direction: int | None
    code: int
    data: bytes


def frame_length(stream: bytes, start: int) -> int:
    """How long the frame is that begins at `start` with its start code, up to its checksum; WAIT, or NONE."""
    head = stream[start : start + 4]
    if head[:2] != START[: len(head)]:
        return NONE
    if len(head) < 4:
        return WAIT
    if head[2:] in _SHORT:
        return 4
    if head[2:] == _EXTENDED:
        if start + 7 > len(stream):
            return WAIT
        if sum(stream[start + 4 : start + 7]) & 0xFF:
            return NONE
        size, inside = int.from_bytes(stream[start + 4 : start + 6], "big"), start + 7
    else:
        if (head[2] + head[3]) & 0xFF:
            return NONE
        size, inside = head[2], start + 4
    if not 1 <= size <= LONGEST_DATA:
        return NONE
    end = inside + size + 1
    if end > len(stream):
        return WAIT
    if sum(stream[inside:end]) & 0xFF:
        return NONE
    if stream[inside] not in (HOST, CHIP):  # the chip's word that it did not understand has neither
        return end - start if stream[start + 2 : end] == _ERROR else NONE
    return end - start


def why_not(octets: bytes) -> str:
    """Why bytes are no frame."""
    start = octets.find(START)
    if start < 0 or len(octets) < start + 4:
        return "no start code (00 FF) before any frame"
    piece = octets[start:]
    if piece[2:4] == _EXTENDED:
        inside = 7
        if len(piece) < inside:
            return "frame cut short in its head"
        size, check = int.from_bytes(piece[4:6], "big"), sum(piece[4:7]) & 0xFF
    else:
        inside, size, check = 4, piece[2], (piece[2] + piece[3]) & 0xFF
    if check:
        return f"length checksum (LCS) wrong: length and LCS make {check:02X}, expected 00"
    if not 1 <= size <= LONGEST_DATA:
        return f"a length of {size}, expected 1 to {LONGEST_DATA}"
    if len(piece) < inside + size + 1:
        return f"frame cut short: {len(piece) - inside} of {size + 1} bytes behind the head"
    total = sum(piece[inside : inside + size + 1]) & 0xFF
    if total:
        return f"data checksum (DCS) wrong: the data and DCS make {total:02X}, expected 00"
    return f"neither a command (D4) nor an answer (D5): {piece[inside]:02X}"


def read_frame(octets: bytes) -> Frame:
    """A whole frame, as `frame_length` found it."""
    if octets[2:4] in _SHORT or octets[2:] == _ERROR:
        return Frame(None, 0, b"")
    inside = octets[7:-1] if octets[2:4] == _EXTENDED else octets[4:-1]
    return Frame(inside[0], inside[1] if len(inside) > 1 else 0, inside[2:])


def make_frame(direction: int, code: int, data: bytes) -> bytes:
    """A frame with its preamble and closing 00; an extended one where it must be."""
    inside = bytes((direction, code)) + data
    size = len(inside)
    if size > 0xFF:
        length = size.to_bytes(2, "big")
        head = b"\xff\xff" + length + bytes((-sum(length) & 0xFF,))
    else:
        head = bytes((size, -size & 0xFF))
    return b"\x00" + START + head + inside + bytes((-sum(inside) & 0xFF, 0))


def command(code: int, data: bytes = b"") -> bytes:
    """A command of the host."""
    return make_frame(HOST, code, data)


def frames(stream: bytes) -> Sequence[tuple[Frame, int]]:
    """All whole frames in what has come, with where each ends."""
    found: list[tuple[Frame, int]] = []
    start = stream.find(START)
    while start >= 0:
        size = frame_length(stream, start)
        if size > 0:
            found.append((read_frame(stream[start : start + size]), start + size))
        start = stream.find(START, start + max(size, 1))
    return found
