"""Frames of DL/T 645, and the numbers in them.

    FE … | 68 | address, 6 bytes BCD, low first | 68 | control | length | data, each byte + 33 | sum | 16

The address may hold 68 or 16, so frames are cut by their length. FE wakes the line and may stand before a frame any number
of times. DL/T 645-2007 §5, DL/T 645-1997 §5.
"""

from __future__ import annotations

from typing import NamedTuple

from device_drivers.hunt import NONE, WAIT

WAKE = b"\xfe"
ANYONE = "A" * 12
"""Address of whoever is on the line; only with one meter on it (2007)."""

START, END = 0x68, 0x16
_OFFSET = 0x33
_AROUND = 12
"""Bytes of a frame beside its data."""

MOST_DATA = 200
LONGEST = _AROUND + MOST_DATA

_ADD = bytes((byte + _OFFSET) & 0xFF for byte in range(256))
_SUBTRACT = bytes((byte - _OFFSET) & 0xFF for byte in range(256))


class Frame(NamedTuple):
    """One frame: the address as printed on the meter (12 digits), the control byte, and the data without its offset."""

    address: str
    control: int
    data: bytes

    @property
    def is_reply(self) -> bool:
        """From a meter."""
        return bool(self.control & 0x80)

    @property
    def is_error(self) -> bool:
        """A meter's refusal; its data is one byte of bits."""
        return self.control & 0xC0 == 0xC0

    @property
    def function(self) -> int:
        """What is asked or answered, without direction, error and "more follows"."""
        return self.control & 0x1F


ERRORS = (
    "other error",
    "no such data",
    "wrong password or not authorised",
    "speed cannot be changed",
    "too many yearly zones",
    "too many daily zones",
    "too many tariffs",
    "reserved bit",
)
"""What the bits of an error mean, lowest first (DL/T 645-2007 §7.1.5)."""


def error_words(code: int) -> str:
    """An error's bits in words."""
    names = [name for bit, name in enumerate(ERRORS) if code >> bit & 1]
    return f"error {code:02X} ({', '.join(names) or 'no bit set'})"


def frame_length(stream: bytes, start: int) -> int:
    """How long the frame at `start` is: WAIT, or NONE if none begins there. A byte FE is a piece of its own."""
    first = stream[start]
    if first != START:
        return 1 if first == 0xFE else NONE
    have = len(stream) - start
    if have > 7 and stream[start + 7] != START:
        return NONE
    if have < 10:
        return WAIT
    size = stream[start + 9]
    if size > MOST_DATA:
        return NONE
    end = start + _AROUND + size
    if len(stream) < end:
        return WAIT
    if stream[end - 1] != END or sum(stream[start : end - 2]) & 0xFF != stream[end - 2]:
        return NONE
    return end - start if _is_address(stream[start + 1 : start + 7]) else NONE


def read_frame(octets: bytes) -> Frame:
    """A whole frame taken apart."""
    return Frame(octets[6:0:-1].hex().upper(), octets[8], octets[10:-2].translate(_SUBTRACT))


def make_frame(address: str, control: int, data: bytes = b"") -> bytes:
    """A whole frame without FE before it.

    Args:
        address: 12 digits as printed on the meter, or ANYONE.
        control: the control byte.
        data: without the offset, at most 200 bytes.
    """
    body = bytes.fromhex(address)[::-1]
    head = bytes((START, *body, START, control, len(data))) + data.translate(_ADD)
    return head + bytes((sum(head) & 0xFF, END))


def is_meant(address: str, asked: str) -> bool:
    """Whether a request to `asked` is for the meter of this address; AA stands for any two digits."""
    pairs = range(0, len(asked), 2)
    return all(asked[at : at + 2] in ("AA", address[at : at + 2]) for at in pairs)


def why_not(octets: bytes) -> str:
    """Why bytes are no frame, in one sentence."""
    if octets[0] != START:
        return "bytes outside any frame (no 68 before them)"
    if len(octets) > 7 and octets[7] != START:
        return "no second 68 behind the address"
    if len(octets) < 10 or (octets[9] <= MOST_DATA and len(octets) < _AROUND + octets[9]):
        return f"frame cut short: {len(octets)} bytes"
    if octets[9] > MOST_DATA:
        return f"length {octets[9]}, at most {MOST_DATA} are allowed"
    end = _AROUND + octets[9]
    total = sum(octets[: end - 2]) & 0xFF
    if octets[end - 1] != END:
        return f"{octets[end - 1]:02X} where the frame should end with 16"
    if total != octets[end - 2]:
        return f"checksum {octets[end - 2]:02X}, should be {total:02X}"
    return "an address that is not of decimal digits"


def bcd(octets: bytes, *, signed: bool) -> int | None:
    """The number of BCD bytes, low byte first; None if they are filled with FF (the meter has no value).

    Args:
        signed: the highest bit is the sign.

    Raises:
        ValueError: a digit is none.
    """
    if octets.count(0xFF) == len(octets):
        return None
    digits = octets[::-1]
    negative = signed and bool(digits[0] & 0x80)
    if negative:
        digits = bytes((digits[0] & 0x7F,)) + digits[1:]
    text = digits.hex()
    if not text.isdigit():
        raise ValueError(f"{octets.hex().upper()} is not of decimal digits")
    return -int(text) if negative else int(text)


def to_bcd(number: int, octets: int, *, signed: bool = False) -> bytes:
    """A number as BCD bytes, low byte first.

    Raises:
        ValueError: it does not fit.
    """
    data = bytearray(bytes.fromhex(f"{abs(number):0{2 * octets}d}")[::-1])
    if len(data) != octets or (signed and data[-1] & 0x80) or (number < 0 and not signed):
        raise ValueError(f"{number} does not fit into {octets} bytes")
    if number < 0:
        data[-1] |= 0x80
    return bytes(data)


def _is_address(octets: bytes) -> bool:
    """Decimal digits; AA stands for any two (an abbreviated address)."""
    return all(octet == 0xAA or (octet >> 4 <= 9 and octet & 0xF <= 9) for octet in octets)
