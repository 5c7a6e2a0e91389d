"""The reader's own side: the frames that an RDM6300 or ID-12LA sends, for simulated readers and tests."""

from __future__ import annotations

from binascii import unhexlify
from functools import reduce
from operator import xor

REPEAT_S = 0.065
"""How often an RDM6300 repeats its frame while the tag is present (tag-readers.md, Timing)."""


def frame(tag_hex: str, *, line_end: bool = False) -> bytes:
    """The frame for a tag: 10 hexadecimal digits, or 8 (version 00 is put before them).

    Args:
        tag_hex: the tag's number, version first.
        line_end: CR LF before the end byte, as an ID-12LA sends it.

    Raises:
        ValueError: not 8 or 10 hexadecimal digits.
    """
    octets = unhexlify(tag_hex)
    if len(octets) == 4:
        octets = b"\x00" + octets
    if len(octets) != 5:
        raise ValueError(f"tag {tag_hex!r}: expected 8 or 10 hexadecimal digits")
    digits = octets.hex() + f"{reduce(xor, octets):02x}"
    return b"\x02" + digits.upper().encode() + (b"\r\n" if line_end else b"") + b"\x03"
