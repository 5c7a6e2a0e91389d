"""What a reader tells of cards and keys: bits to a tag, key presses to a code."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from device_drivers.driver import Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.observations import Incident, TagRead

CardNumber = Literal["auto", "wiegand", "bytes"]
KeypadUse = Literal["ignore", "tag", "incident"]

MOST_BITS = 512
"""Bits of a card: 64 bytes, as many as libosdp takes; tags have at most 32."""

MOST_KEYS = 16
"""Keys of one code; what is longer is nobody's code."""

KEYS_WITHIN = timedelta(seconds=15)
"""Longer without a key: what was typed is forgotten."""

_HALVES = {26: 12, 34: 16}
"""Wiegand lengths with parity: over how many data bits each parity bit goes."""


class RawCard(NamedTuple):
    """The inside of osdp_RAW: `bits` bits, the first one on the left of `data`. Format 1 is said to be Wiegand; many say 0."""

    reader: int
    format: int
    bits: int
    data: bytes

    @property
    def bit_string(self) -> str:
        """The bits as text."""
        return f"{int.from_bytes(self.data):0{8 * len(self.data)}b}"[: self.bits]


def read_raw(payload: bytes) -> RawCard:
    """The inside of osdp_RAW.

    Raises:
        DecodeError: too short, no bits, or another number of bytes than the bits need.
    """
    if len(payload) < 4:
        raise DecodeError(f"RAW of {len(payload)} byte(s), expected at least 5", payload)
    bits = payload[2] | payload[3] << 8
    data = payload[4:]
    if not 1 <= bits <= MOST_BITS:
        raise DecodeError(f"RAW of {bits} bits, expected 1 to {MOST_BITS}", payload)
    if len(data) != (bits + 7) // 8:
        raise DecodeError(f"RAW of {bits} bits in {len(data)} byte(s)", payload)
    return RawCard(payload[0], payload[1], bits, data)


def read_keys(payload: bytes) -> bytes:
    """The keys in osdp_KEYPAD.

    Raises:
        DecodeError: another number of keys than it says.
    """
    if len(payload) < 2 or len(payload) != 2 + payload[1]:
        raise DecodeError("KEYPAD whose count is not the number of its keys", payload)
    return payload[2:]


def tag_of(bits: int, data: bytes, number: CardNumber) -> str:
    """The tag in `bits` bits, left-aligned in `data`.

    `auto`: 26 and 34 bits with right parities lose them (so that the tag is the number printed on the card); anything else is
    the bytes as sent. `wiegand`: the first and the last bit are always parities. `bytes`: always as sent.

    Raises:
        DecodeError: `wiegand` with wrong parities, or with fewer than 3 bits; more than 32 bytes.
    """
    if number != "bytes" and (number == "wiegand" or bits in _HALVES):
        value = int.from_bytes(data) >> 8 * len(data) - bits
        half = _HALVES.get(bits)
        right = half is None or (
            (value >> half + 1).bit_count() % 2 == 0 and (value & (2 << half) - 1).bit_count() % 2 == 1
        )
        if number == "wiegand" and (not right or bits < 3):
            raise DecodeError(f"{bits} bits whose parity is wrong", data)
        if right:
            inner = value >> 1 & (1 << bits - 2) - 1
            return f"{inner:0{(bits + 5) // 8 * 2}X}"
    if len(data) > 32:
        raise DecodeError(f"a card of {bits} bits; the longest tag has 256", data)
    return data.hex().upper()


class Cards:
    """Cards and keys of one reader to readings.

    Args:
        device: the reader's id.
        number: how bits make a tag, as in `tag_of`.
        keypad: what becomes of typed codes: nothing, a tag read (method `manual`) or an incident with that code.
        enter, clear: the keys that end and give up a code (tag-readers.md: 7F is `#`, 0D is `*`; unconfirmed).
    """

    def __init__(
        self,
        device: str,
        *,
        number: CardNumber = "auto",
        keypad: KeypadUse = "ignore",
        enter: int = 0x7F,
        clear: int = 0x0D,
    ) -> None:
        self._device = device
        self._number = number
        self._keypad = keypad
        self._enter = enter
        self._clear = clear
        self._typed = bytearray()
        self._latest: datetime | None = None

    def card(self, bits: int, data: bytes, received: datetime) -> Reading | Reject:
        """A card was read."""
        try:
            tag = tag_of(bits, data, self._number)
        except DecodeError as error:
            return Reject(data, error.reason)
        return Reading(TagRead(device=self._device, at=received, tag=tag))

    def keys(self, keys: bytes, received: datetime) -> Sequence[Reading | Reject]:
        """Keys were pressed; a code is complete with the enter key."""
        if self._keypad == "ignore":
            return ()
        if self._latest is not None and not timedelta(0) <= received - self._latest <= KEYS_WITHIN:
            self._typed.clear()
        self._latest = received
        found: list[Reading | Reject] = []
        for key in keys:
            if key == self._enter:
                if self._typed:
                    found.append(self._code(bytes(self._typed), received))
                self._typed.clear()
            elif key == self._clear:
                self._typed.clear()
            elif len(self._typed) <= MOST_KEYS:
                self._typed.append(key)
        return found

    def forget(self) -> None:
        """The reader was lost: a code that was begun is given up."""
        self._typed.clear()

    def _code(self, typed: bytes, received: datetime) -> Reading | Reject:
        if len(typed) > MOST_KEYS or not typed.isdigit():
            return Reject(
                b"", f"a code of {len(typed)} keys that is no code: at most {MOST_KEYS} digits"
            )  # not shown: a PIN
        code = typed.decode()
        if self._keypad == "incident":
            return Reading(Incident(device=self._device, at=received, code=code))
        return Reading(TagRead(device=self._device, at=received, tag=code, method="manual"))
