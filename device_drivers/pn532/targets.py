"""The answer to InListPassiveTarget: which tags are in the field (UM0701-02 §7.3.5)."""

from __future__ import annotations

from typing import Literal

from device_drivers.tag import is_drawn_anew

Kind = Literal["106A", "212F", "424F", "106B", "106J"]

KINDS: dict[int, Kind] = {0: "106A", 1: "212F", 2: "424F", 3: "106B", 4: "106J"}
"""Modulations, as the command names them."""

_LENGTHS = (4, 7, 10)
"""Bytes of a UID of ISO 14443 type A."""

_HAS_ATS = 0x20

_NFCID2 = 8


def uids(data: bytes, kind: Kind) -> list[str]:
    """The identities in an answer, in hexadecimal; those drawn anew each time are none.

    Args:
        data: behind D5 4B: how many, then each of them.
        kind: what was asked for.

    Raises:
        ValueError: it ends too early, or a UID has a length that none has.
    """
    if not data:
        raise ValueError("an answer without the number of tags")
    count, rest = data[0], data[1:]
    if count > 2:
        raise ValueError(f"{count} tags, but the chip knows two at most")
    found: list[str] = []
    for _ in range(count):
        if len(rest) < 2:
            raise ValueError("the answer ends before all its tags")
        match kind:
            case "106A":
                uid, rest = _type_a(rest)
            case "212F" | "424F":
                uid, rest = _felica(rest)
            case "106B" | "106J":
                return found  # PUPI of type B changes each time; Jewel has no UID here
        if uid is not None:
            found.append(uid)
    return found


def _type_a(rest: bytes) -> tuple[str | None, bytes]:
    if len(rest) < 5:
        raise ValueError("the answer ends inside a tag")
    size = rest[4]
    if size not in _LENGTHS:
        raise ValueError(f"a UID of {size} bytes, expected 4, 7 or 10")
    end = 5 + size
    uid = rest[5:end]
    if len(uid) < size:
        raise ValueError("the answer ends inside a UID")
    if rest[3] & _HAS_ATS and end < len(rest):  # its answer to select follows, length first
        end += max(rest[end], 1)
    return (None if is_drawn_anew(uid) else uid.hex().upper()), rest[end:]


def _felica(rest: bytes) -> tuple[str | None, bytes]:
    size = rest[1]
    if len(rest) < 1 + size or size < 2 + _NFCID2:
        raise ValueError("the answer ends inside a FeliCa tag")
    return rest[3 : 3 + _NFCID2].hex().upper(), rest[1 + size :]
