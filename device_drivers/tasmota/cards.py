"""Cards as Tasmota's readers give them: the objects of its reader drivers, and text from a reader on the serial bridge."""

from __future__ import annotations

from binascii import unhexlify
from typing import Any, Literal

from device_drivers.errors import DecodeError
from device_drivers.json_values import shown
from device_drivers.rdm6300.frame import CHECKSUMS, Checksum
from device_drivers.tag import normal_tag

SerialForm = Literal["rdm6300", "tag", "none"]
WiegandForm = Literal["decimal", "hex"]
BridgeChecksum = Checksum | Literal["auto"]

_HEX = frozenset("0123456789ABCDEFabcdef")
_FRAME = 12
"""Digits of an RDM6300 frame without its marks: version 2, tag 8, checksum 2."""
_KEYPAD_BITS = 8
"""A Wiegand code that short is a key of a keypad, not a card."""
_MOST_BITS = 64
_LONGEST_TEXT = 2048
"""Characters of serial text that are looked through: Tasmota's serial buffer is shorter."""


def card(reader: str, fields: dict[str, Any], wiegand: WiegandForm) -> str | None:
    """The tag in a reader's object; None if it holds none (empty, all zeros, a keypad's key).

    Raises:
        DecodeError: `UID` is no tag.
    """
    uid = fields.get("UID")
    if reader.startswith("Wiegand"):
        return _wiegand_card(uid, fields.get("Size"), wiegand)
    if uid is None or uid in ("", 0):
        return None
    if type(uid) is not str:
        raise DecodeError(f"{reader}.UID: {shown(uid)}, expected hexadecimal text")
    tag = normal_tag(uid.strip())
    return tag if tag.strip("0") else None


def _wiegand_card(uid: Any, size: Any, form: WiegandForm) -> str | None:
    """A Wiegand code: decimal, as a number or text; hexadecimal with `WiegandOptions` (`h` at its end, or by the setting)."""
    if uid is None or uid == "":
        return None
    try:
        if type(uid) is int:
            code = uid
        elif type(uid) is str and len(uid) <= 24 and uid.isascii() and uid.rstrip("hH").isalnum():
            hexadecimal = form == "hex" or uid[-1] in "hH"
            code = int(uid.rstrip("hH"), 16 if hexadecimal else 10)
        else:
            raise ValueError
        if not 0 <= code < 1 << _MOST_BITS:
            raise ValueError
    except ValueError:
        raise DecodeError(f"Wiegand.UID: {shown(uid)}, expected a code of at most {_MOST_BITS} bits") from None
    bits = size if type(size) is int and 0 < size <= _MOST_BITS else max(24, code.bit_length())
    if code == 0 or bits <= _KEYPAD_BITS:
        return None
    return f"{code:0{(max(bits, code.bit_length()) + 7) // 8 * 2}X}"


def serial_cards(text: str, form: SerialForm, checksum: BridgeChecksum) -> list[str]:
    """The tags in text from the serial bridge, each once; other text holds none.

    A frame may come with the marks 02 and 03, without one of them (`SerialDelimiter 3`), several at once, or as
    hexadecimal digits of all its bytes (`SerialDelimiter 254`).

    Raises:
        DecodeError: a frame whose checksum is wrong, where it is to be checked.
    """
    if form == "none" or len(text) > _LONGEST_TEXT:
        return []
    text = text.strip()
    if len(text) >= 2 * (_FRAME + 2) and text[:2] == "02" and text[-2:] == "03" and _HEX.issuperset(text):
        text = unhexlify(text[: len(text) // 2 * 2]).decode("latin-1")
    found: dict[str, None] = {}
    for piece in text.replace("\x03", "\x02").split("\x02"):
        digits = piece.strip()
        if not digits or not _HEX.issuperset(digits):
            continue
        if form == "rdm6300":
            if len(digits) == _FRAME:
                found[_framed(digits, checksum)] = None
        elif 4 <= len(digits) <= 32:
            found[normal_tag(digits)] = None
    return [tag for tag in found if tag.strip("0")]


def _framed(digits: str, checksum: BridgeChecksum) -> str:
    """The tag of a frame: version and tag. With `auto`, digits whose last two are no checksum are a tag as they stand."""
    octets = unhexlify(digits)
    if checksum == "auto":
        right = any(rule is not None and rule(octets[:5]) == octets[5] for rule in CHECKSUMS.values())
        return normal_tag(digits[:10] if right else digits)
    rule = CHECKSUMS[checksum]
    if rule is not None and rule(octets[:5]) != octets[5]:
        raise DecodeError(
            f"card {digits}: checksum {octets[5]:02X}, by `{checksum}` it should be {rule(octets[:5]):02X}"
        )
    return normal_tag(digits[:10])
