"""Frames of RDM6300 and ID-12LA readers: cutting a byte stream into pieces, and reading one piece.

A frame is `02`, ten hexadecimal digits (version and tag), two of checksum, `03`; the ID-12LA puts CR LF before `03`.
The cut depends on the bytes alone, never on how they arrived.
"""

from __future__ import annotations

from binascii import hexlify, unhexlify
from collections.abc import Callable
from functools import reduce
from operator import xor
from typing import Literal

STX, ETX = 0x02, 0x03
LONGEST = 32
"""Bytes a piece may have; twice the longest frame (tag-readers.md: cap the buffer at 32)."""

OUTSIDE = "bytes outside any frame (no 02 before them)"
CUT = "frame cut short (no 03 at its end)"

Checksum = Literal["xor", "sum", "none"]


def _xor(octets: bytes) -> int:
    return reduce(xor, octets)


def _sum(octets: bytes) -> int:
    return sum(octets) & 0xFF


CHECKSUMS: dict[Checksum, Callable[[bytes], int] | None] = {"xor": _xor, "sum": _sum, "none": None}
"""How the sixth byte follows from the first five. `sum`: some clones; `none`: do not check."""


def piece_end(stream: bytes, start: int) -> int:
    """Where the piece that begins at `start` ends, or -1 if more bytes must come first.

    A piece from `02` ends with its `03`, before the next `02`, or after 32 bytes; noise before the next `02` or after
    32 bytes.
    """
    limit = start + LONGEST
    stop = stream.find(STX, start + 1, limit)
    if stream[start] == STX:
        end = stream.find(ETX, start + 1, limit if stop < 0 else stop)
        if end >= 0:
            return end + 1
    if stop >= 0:
        return stop
    return limit if len(stream) >= limit else -1


def read_frame(piece: bytes, checksum: Checksum) -> str:
    """The tag of one whole frame: 10 upper-case hexadecimal digits, version first.

    Raises:
        ValueError: what is wrong with the piece, in one sentence.
    """
    if piece[0] != STX:
        raise ValueError(OUTSIDE)
    if piece[-1] != ETX:
        raise ValueError(CUT)
    digits = piece[1:-1].rstrip(b"\r\n")
    try:
        octets = unhexlify(digits)
    except ValueError:
        raise ValueError("frame with something else than pairs of hexadecimal digits") from None
    if len(octets) != 6:
        raise ValueError(f"frame of {len(digits)} digits, expected 12")
    if (rule := CHECKSUMS[checksum]) is not None and rule(octets[:5]) != octets[5]:
        raise ValueError(f"checksum {octets[5]:02X}, by `{checksum}` it should be {rule(octets[:5]):02X}")
    return hexlify(octets[:5]).decode().upper()
