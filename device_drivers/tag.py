"""One form for tags at the edge: upper-case hexadecimal without separators, leading zeros kept (site.md, Tag identity)."""

from __future__ import annotations

from device_drivers.errors import DecodeError

_SEPARATORS = str.maketrans("", "", ":- ")
_HEX = frozenset("0123456789ABCDEF")
_LONGEST = 64
"""Hex digits; the longest identity known is a 10-byte UID, the rest is room."""
_SINGLE, _RANDOM = 4, 0x08
"""Bytes of the shortest UID of type A, and the first byte of one that is drawn anew."""
_MOST = 65_536
"""Bound of the cache: more tags than a site enrols."""

_known: dict[str, str] = {}


def normal_tag(text: str) -> str:
    """The tag in its one form; `:`, `-` and blanks are dropped.

    Raises:
        DecodeError: nothing left, longer than 64 digits, or not hexadecimal.
    """
    known = _known.get(text)
    if known is not None:
        return known
    tag = text.translate(_SEPARATORS).upper()
    if not tag or len(tag) > _LONGEST or not _HEX.issuperset(tag):
        raise DecodeError(f"tag {text[:80]!r}: expected 1 to {_LONGEST} hexadecimal digits")
    if len(_known) >= _MOST:
        _known.clear()
    _known[text] = tag
    return tag


def is_drawn_anew(uid: bytes) -> bool:
    """Whether the UID of a card of ISO 14443 type A is a number drawn anew each time (ISO 14443-3 §6.5.4): phones have them.

    They identify nobody. Of a card at 125 kHz the same bytes are its number.
    """
    return len(uid) == _SINGLE and uid[0] == _RANDOM
