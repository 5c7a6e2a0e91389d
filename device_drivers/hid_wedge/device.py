"""The reader's own side: the input events of a card being typed, for simulated readers and tests."""

from __future__ import annotations

from device_drivers.hid_wedge.events import CHARACTERS, EV_KEY, EV_SYN, pack

KEY_S = 0.008
"""From one key to the next (a USB keyboard is asked every 8 ms)."""

ENTER = 28
_EV_MSC, _MSC_SCAN = 0x04, 0x04
_CODES = {character: code for code, character in reversed(list(CHARACTERS.items()))}  # the upper row, not the keypad


def key(code: int, at_us: int = 0) -> bytes:
    """A key pressed and released, as the kernel tells it: scan code, key, report; twice."""
    return b"".join(
        pack(at_us, _EV_MSC, _MSC_SCAN, 0x70000 + code) + pack(at_us, EV_KEY, code, value) + pack(at_us, EV_SYN, 0, 0)
        for value in (1, 0)
    )


def typed(text: str, at_us: int = 0, *, enter: bool = True) -> bytes:
    """A card being typed: digits, A to F, commas.

    Raises:
        KeyError: another character.
    """
    codes = [_CODES[character] for character in text] + [ENTER] * enter
    return b"".join(key(code, at_us + round(number * KEY_S * 1e6)) for number, code in enumerate(codes))
