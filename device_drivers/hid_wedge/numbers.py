"""What a reader types, as a tag."""

from __future__ import annotations

from typing import Literal

from device_drivers.errors import DecodeError

Number = Literal["decimal", "decimal8", "hex"]

_DIGITS = frozenset("0123456789")
_HEX = frozenset("0123456789ABCDEF")
_LONGEST_BYTES = 32


def tag_of(text: str, number: Number) -> str:
    """The tag in what was typed (upper case).

    `decimal`: ten digits are the 4 bytes printed on 125 kHz cards; eight, or `123,14706`, are facility and number, 3 bytes; any
    other count is that number in as few whole bytes as hold it, at least 4. `decimal8`: eight digits are one number of 3 bytes.
    `hex`: hexadecimal; an odd count has a zero put before it.

    Raises:
        DecodeError: it is none of these.
    """
    if number == "hex":
        if not text or len(text) > 2 * _LONGEST_BYTES or not _HEX.issuperset(text):
            raise DecodeError("typed text that is no hexadecimal number")
        return "0" * (len(text) % 2) + text
    digits = text
    if "," in text:
        facility, _, card = text.partition(",")
        if not 1 <= len(facility) <= 3 or not 1 <= len(card) <= 5:
            raise DecodeError("typed text that is no `facility,number`")
        digits = f"{facility:0>3}{card:0>5}"
    if not digits or not _DIGITS.issuperset(digits):
        hint = "; a reader that types hexadecimal needs `number: hex`" if _HEX.issuperset(digits) else ""
        raise DecodeError(f"typed text that is no decimal number{hint}")
    value = int(digits)  # at most 64 digits come here
    if len(digits) == 8 and (number == "decimal" or "," in text):
        facility_number, card_number = divmod(value, 100_000)
        if facility_number > 0xFF or card_number > 0xFFFF:
            raise DecodeError(
                "eight digits that are no facility (to 255) and number (to 65535); perhaps `number: decimal8`"
            )
        return f"{facility_number:02X}{card_number:04X}"
    octets = 3 if len(digits) == 8 else max(4, (value.bit_length() + 7) // 8)
    if (len(digits) <= 10 and value.bit_length() > 8 * octets) or octets > _LONGEST_BYTES:
        raise DecodeError(f"a number of {len(digits)} digits that does not fit into {octets} bytes")
    if len(digits) == 10 and octets > 4:
        raise DecodeError("ten digits beyond 4 bytes (4294967295)")
    return f"{value:0{2 * octets}X}"
