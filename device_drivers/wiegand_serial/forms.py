"""What a converter makes of a Wiegand number: the forms of its lines as a table, and the parities of the number itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

Format = Literal["bits", "hex", "decimal", "facility", "binary"]

CARD_BYTES: Mapping[int, int] = {26: 3, 34: 4, 32: 4}
"""Bytes of the card in a number of so many bits: 26 and 34 have two parities, 32 has none."""

WITH_PARITY = (26, 34)
USUAL_BITS = (26, 34)

_HEX_DIGITS = (6, 8, 10, 14)
"""Of a converter that has taken the parities away: cards of 3, 4, 5 and 7 bytes."""
_MARKS = str.maketrans({":": ",", "-": ",", "/": ",", " ": ","})
_BETWEEN_OCTETS = str.maketrans(":-", "  ")
_FACILITY_DIGITS, _FACILITY_AND_CARD_DIGITS = 3, 8


def card_of_bits(text: str) -> bytes:
    """The card in a number written in 0 and 1; 26 and 34 bits lose their parities.

    Even parity over the first half of the card's bits stands before them, odd parity over the second half behind.

    Raises:
        ValueError: a wrong parity.
    """
    if len(text) not in WITH_PARITY:
        return int(text, 2).to_bytes(len(text) // 8, "big")
    half = len(text) // 2
    if text[:half].count("1") % 2:
        raise ValueError(f"even parity of the first {half} bits is wrong")
    if text[half:].count("1") % 2 == 0:
        raise ValueError(f"odd parity of the last {half} bits is wrong")
    return int(text[1:-1], 2).to_bytes((len(text) - 2) // 8, "big")


def bits_of_card(card: bytes) -> str:
    """The 26 or 34 bits of a card of 3 or 4 bytes, with their parities."""
    inside = f"{int.from_bytes(card, 'big'):0{8 * len(card)}b}"
    half = len(inside) // 2
    even = inside[:half].count("1") % 2
    odd = 1 - inside[half:].count("1") % 2
    return f"{even}{inside}{odd}"


def _bits(text: str, bits: tuple[int, ...]) -> bytes:
    if text.strip("01"):
        raise ValueError("a line with something else than 0 and 1")
    if len(text) not in bits:
        raise ValueError(f"{len(text)} bits, expected {_or(bits)}")
    return card_of_bits(text)


def _hex(text: str, bits: tuple[int, ...]) -> bytes:
    text = _joined(text)
    digits = _HEX_DIGITS if bits == USUAL_BITS else tuple(2 * CARD_BYTES[each] for each in bits)
    if len(text) not in digits:
        raise ValueError(f"{len(text)} hexadecimal digits, expected {_or(digits)}")
    if not text.isalnum():
        raise ValueError("a line with something else than hexadecimal digits")
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError("a line with something else than hexadecimal digits") from None


def _joined(text: str) -> str:
    """The digits of octets that are written apart (`D4:1B:81`, `0xD4 0x1B 0x81`), or behind one `0x`."""
    pieces = [piece.lower().removeprefix("0x") for piece in text.translate(_BETWEEN_OCTETS).split()]
    if len(pieces) > 1 and any(len(piece) != 2 for piece in pieces):
        raise ValueError("hexadecimal digits that are parted, but not in pairs")
    return "".join(pieces)


def _decimal(text: str, bits: tuple[int, ...]) -> bytes:
    if not text.isdigit():
        raise ValueError("a line with something else than decimal digits")
    if len(bits) == 1:
        size = CARD_BYTES[bits[0]]
    elif len(text) in (8, 10):
        size = 3 if len(text) == 8 else 4
    else:
        raise ValueError(f"{len(text)} decimal digits: 8 or 10, or say `bits`")
    number = int(text[:20])
    if len(text) > 20 or number >= 1 << 8 * size:
        raise ValueError(f"a number larger than a card of {size} bytes")
    return number.to_bytes(size, "big")


def _facility(text: str, _: tuple[int, ...]) -> bytes:
    first, comma, second = text.translate(_MARKS).partition(",")
    if not comma and len(first) == _FACILITY_AND_CARD_DIGITS:
        first, comma, second = first[:_FACILITY_DIGITS], ",", first[_FACILITY_DIGITS:]
    if not (comma and first.isdigit() and second.isdigit() and len(first) <= 3 and len(second) <= 5):
        raise ValueError("no facility and card such as 123,14706")
    if int(first) > 0xFF or int(second) > 0xFFFF:
        raise ValueError("a facility above 255, or a card above 65535")
    return bytes((int(first),)) + int(second).to_bytes(2, "big")


def _or(numbers: tuple[int, ...]) -> str:
    return " or ".join(str(number) for number in numbers)


class Form(NamedTuple):
    """One form of lines.

    Args:
        read: the card of a line's text; raises ValueError (its text is the reason).
        size: characters of a number of so many bits, where they are always as many.
        proves: a line without its end shows by itself that it is whole.
    """

    read: Callable[[str, tuple[int, ...]], bytes]
    size: Callable[[int], int]
    proves: bool = False


TEXTS: Mapping[Format, Form] = {
    "bits": Form(_bits, lambda bits: bits, proves=True),
    "hex": Form(_hex, lambda bits: 2 * CARD_BYTES[bits]),
    "decimal": Form(_decimal, lambda bits: 8 if CARD_BYTES[bits] == 3 else 10),
    "facility": Form(_facility, lambda _: 9),
}
"""All but `binary`, whose bytes are the card itself."""
