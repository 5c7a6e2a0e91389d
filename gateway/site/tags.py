"""Tag identity: the forms in which a card's number is written, and which of them are the same card (site.md, Tag identity)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Generic, TypeVar

from gateway.site.lookalikes import remark

Owner = TypeVar("Owner")

FORMS = '"0008075634" (10 digits), "12314706" or "123,14706" (facility and number), hexadecimal, "hex:…" or "dec:…"'
"""What a person may write, for messages."""

MIN_COMMON_BYTES = 3
"""A number shorter than this is too common to stand for a longer one that ends with it."""

CARD_BYTES = (3, 4, 5, 6, 7, 8, 10, 12, 16)
"""Wiegand 26 has 3 bytes; Wiegand 34 and a single UID (ISO 14443-3) 4; 125 kHz 5; longer Wiegand 6; double and triple UIDs 7 and 10;
iButtons and ISO 15693 8; EPC Gen2 mostly 12 or 16.
"""

_LONGEST_BYTES = 32
_SHOWN_DIGITS = 4
_FACILITY_NUMBER = re.compile(r"(\d{1,3}),(\d{1,5})", re.ASCII)
_PRINTED = re.compile(r"\d{10}", re.ASCII)
_FACILITY_NUMBER_BARE = re.compile(r"(\d{3})(\d{5})", re.ASCII)
_DECIMAL = re.compile(r"\d+(,\d+)?", re.ASCII)
_HEX = re.compile(r"(?:[0-9A-F]{2})+")
_LETTERS = str.maketrans("OoIl", "0011")
_SEPARATORS = str.maketrans("", "", ":- \t")


def parse_tag(text: str) -> str:
    """The upper-case hexadecimal of a tag as a person types it.

    10 decimal digits are the 4 bytes of a 125 kHz card's printed number; 8 decimal digits or `123,14706` are facility
    (one byte) and number (two); anything else is hexadecimal in which `:`, `-` and blanks do not count. `hex:12345678`
    and `dec:…` say it outright; `dec:` with another count of digits is that number in as few whole bytes as hold it,
    but at least 4.

    Raises:
        ValueError: it is none of these; the text says what would be.
    """
    plain = text.strip()
    scheme, _, rest = plain.partition(":")
    match scheme.lower():
        case "hex":
            return _hexadecimal(rest, text)
        case "dec":
            return _decimal(rest.strip(), text)
        case _:
            decimal = _PRINTED.fullmatch(plain) or _FACILITY_NUMBER_BARE.fullmatch(plain) or "," in plain
            return _decimal(plain, text) if decimal else _hexadecimal(plain, text)


def masked(tag: str) -> str:
    """A tag's number as those see it who could copy it otherwise."""
    return "…" + tag[-_SHOWN_DIGITS:]


def _hexadecimal(digits: str, text: str) -> str:
    joined = digits.translate(_SEPARATORS).upper()
    if len(joined) % 2 and _HEX.fullmatch(joined + "0"):
        raise ValueError(f"{text!r} is not a tag: it has {len(joined)} hexadecimal digits; two are one byte")
    if not _HEX.fullmatch(joined) or len(joined) > 2 * _LONGEST_BYTES:
        raise _no_tag(text)
    return joined


def _no_tag(text: str) -> ValueError:
    meant = text.translate(_LETTERS)
    if meant != text and _is_tag(meant):
        return ValueError(
            f"{text!r} is not a tag; did you mean {meant!r}, with digits instead of the letters O, I or l?"
        )
    typed = remark(text)
    return ValueError(f"{text!r} is not a tag; expected {FORMS}" + (f"; {typed}" if typed else ""))


def _is_tag(text: str) -> bool:
    try:
        parse_tag(text)
    except ValueError:
        return False
    return True


def _decimal(digits: str, text: str) -> str:
    if pair := _FACILITY_NUMBER.fullmatch(digits) or _FACILITY_NUMBER_BARE.fullmatch(digits):
        facility, number = (int(part) for part in pair.groups())
        if facility > 0xFF or number > 0xFFFF:
            raise ValueError(
                f"{text!r} is not a tag: facility is at most 255, number at most 65535; hexadecimal is written hex:{digits}"
            )
        return f"{facility:02X}{number:04X}"
    if not _DECIMAL.fullmatch(digits) or len(digits) > 2 * _LONGEST_BYTES:
        raise _no_tag(text)
    value = int(digits)
    if len(digits) == 10 and value > 0xFFFF_FFFF:
        raise ValueError(
            f"{text!r} is not a tag: 10 digits are at most 4294967295; hexadecimal is written hex:{digits}"
        )
    return f"{value:0{max(8, 2 * -(-value.bit_length() // 8))}X}"


class TagIndex(Generic[Owner]):
    """Finds whose an enrolled tag is, though readers give more or fewer of its bytes than the list.

    Args:
        tags: upper-case hexadecimal as of `parse_tag`, and the owner. One tag may have one owner only.

    Raises:
        ValueError: a tag is enrolled twice for different owners.
    """

    def __init__(self, tags: Iterable[tuple[str, Owner]] = ()) -> None:
        self._exact: dict[str, Owner] = {}
        self._by_end: dict[str, set[str]] = {}
        for tag, owner in tags:
            if self._exact.setdefault(tag, owner) != owner:
                raise ValueError(f"tag {tag} is enrolled twice, for {self._exact[tag]} and {owner}")
            for end in _ends(tag):
                self._by_end.setdefault(end, set()).add(tag)

    def find(self, tag: str) -> Owner | None:
        """The owner of the enrolled tag that is the same as `tag`: equal, or the only one that fits.

        Two forms fit if one, of at least 3 bytes, is the end of the other. An equal one wins over those that fit.
        """
        enrolled = self.match(tag)
        return None if enrolled is None else self._exact[enrolled]

    def match(self, tag: str) -> str | None:
        """The enrolled form of `tag`, as `find` finds it."""
        if tag in self._exact:
            return tag
        fitting = {end for end in _ends(tag) if end in self._exact} | self._by_end.get(tag, set())
        return fitting.pop() if len(fitting) == 1 else None


def _ends(tag: str) -> Iterable[str]:
    """The proper ends of `tag` in whole bytes, at least 3 bytes long."""
    return (tag[cut:] for cut in range(2, len(tag) - 2 * MIN_COMMON_BYTES + 1, 2))
