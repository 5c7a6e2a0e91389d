"""The readers' own side: what a 7941D sends, and what a 7941W answers, for simulation and tests."""

from __future__ import annotations

from collections.abc import Mapping

from device_drivers.gwiot.frame import (
    FAILED,
    OK,
    READ_ID,
    READ_UID,
    SAY,
    check_xor,
    polled_length,
    push_frame,
    read_polled,
)

__all__ = ["push_frame", "reader_answer", "reply"]


def reply(data: bytes | None, address: int = 0) -> bytes:
    """A polled reader's reply; None: it failed, or there is no card."""
    inside = bytes((address, FAILED if data is None else OK, len(data or b""))) + (data or b"")
    return SAY + inside + bytes((check_xor(inside),))


def reader_answer(asked: bytes, cards: Mapping[int, bytes], address: int = 0) -> bytes:
    """What a polled reader answers.

    Args:
        asked: the host's bytes, one whole request; b"" comes back for anything else.
        cards: the card of each band that is there, by the command that reads it.
        address: the reader's.
    """
    if not asked or polled_length(asked, 0) != len(asked):
        return b""
    frame = read_polled(asked)
    if frame.reply or frame.address != address:
        return b""
    return reply(cards.get(frame.code) if frame.code in (READ_UID, READ_ID) else None, address)
