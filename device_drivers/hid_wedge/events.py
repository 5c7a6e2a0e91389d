"""Linux input events: `struct input_event` of 64-bit systems, and the key codes that a card reader presses.

Source: Linux `include/uapi/linux/input.h` and `input-event-codes.h` (numbers of the kernel's interface).
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import NamedTuple

from device_drivers.hunt import NONE, WAIT

_EVENT = Struct("<qqHHi")
SIZE = _EVENT.size
"""24 bytes: seconds, microseconds, type, code, value."""

EV_SYN, EV_KEY = 0x00, 0x01
SYN_DROPPED = 3
"""The kernel had no room: events are missing."""
PRESSED = 1

_LAST_TYPE, _LAST_CODE, _LAST_KEY_VALUE = 0x1F, 0x2FF, 2
_LAST_SECOND = 1 << 40

CHARACTERS: Mapping[int, str] = {
    **dict(zip(range(2, 12), "1234567890", strict=True)),  # KEY_1 … KEY_9, KEY_0
    **dict(zip((30, 48, 46, 32, 18, 33), "ABCDEF", strict=True)),
    **dict(zip((82, 79, 80, 81, 75, 76, 77, 71, 72, 73), "0123456789", strict=True)),  # KEY_KP0 … KEY_KP9
    51: ",",
    121: ",",  # KEY_KPCOMMA
}
"""What a key stands for, whatever layout or input method the system has."""

ENDS = frozenset({28, 96, 15})
"""KEY_ENTER, KEY_KPENTER, KEY_TAB: a card is complete."""

PASSED_OVER = frozenset({29, 42, 54, 56, 58, 69, 97, 100, 57, 12, 74, 108})
"""Control, shift, alt, locks, space, dashes and the cursor: some readers press them in between."""


class Event(NamedTuple):
    """One input event; `at_us`: the kernel's time in microseconds."""

    at_us: int
    type: int
    code: int
    value: int


def event_length(stream: bytes, start: int) -> int:
    """24 where an event may begin at `start`; for `hunt.Hunter`. Events have no check: only what cannot be one is refused."""
    if len(stream) - start < SIZE:
        return WAIT
    seconds, micros, kind, code, value = _EVENT.unpack_from(stream, start)
    fits = (
        0 <= seconds < _LAST_SECOND
        and 0 <= micros < 1_000_000
        and kind <= _LAST_TYPE
        and code <= _LAST_CODE
        and (kind != EV_KEY or 0 <= value <= _LAST_KEY_VALUE)
    )
    return SIZE if fits else NONE


def read_event(octets: bytes) -> Event:
    """The event in 24 bytes."""
    seconds, micros, kind, code, value = _EVENT.unpack(octets)
    return Event(seconds * 1_000_000 + micros, kind, code, value)


def pack(at_us: int, kind: int, code: int, value: int) -> bytes:
    """The bytes of an event."""
    return _EVENT.pack(at_us // 1_000_000, at_us % 1_000_000, kind, code, value)


def why_not(junk: bytes) -> str:
    """Why bytes are no event."""
    return f"{len(junk)} byte(s) that are no input event" + (" (cut short)" if len(junk) < SIZE else "")
