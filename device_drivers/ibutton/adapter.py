"""The DS2480B, which makes a serial line a 1-Wire master (its data sheet; DS9097U adapters hold one): its bytes as tables."""

from __future__ import annotations

COMMAND_MODE, DATA_MODE = b"\xe3", b"\xe1"
RESET = b"\xc1"
"""At regular speed. The first byte after power is taken to measure the speed of the line, and not answered."""

READ_ROM = b"\x33"
ROM_SLOTS = b"\xff" * 8

_REVISIONS = (0b010, 0b011)
"""Of a DS2480 and DS2480B, in bits 2 to 4 of its answer to a reset. The echo of RESET in data mode has neither."""

SHORTED, PRESENT, ALARMED, NOBODY = range(4)
"""What the lowest two bits of that answer say."""


def reset_answer(data: bytes) -> int | None:
    """What the adapter says to a reset, behind an echo; None: nothing yet."""
    for octet in data:
        if octet & 0xC0 == 0xC0 and octet >> 2 & 7 in _REVISIONS:
            return octet & 3
    return None


ANSWERS = bytes(
    0xC0 | fifth << 5 | revision << 2 | state for fifth in (0, 1) for revision in _REVISIONS for state in range(4)
)
"""All answers to a reset: they may stand before a ROM."""
