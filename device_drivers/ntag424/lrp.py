"""The Leakage Resilient Primitive (NXP AN12304) on the reading side: its block mode and its CMAC, with nibbles (m = 4)."""

from __future__ import annotations

from device_drivers.ntag424.aes import BLOCK, Aes, doubled, xor

_ZERO = bytes(BLOCK)
_FIVES, _TENS = b"\x55" * BLOCK, b"\xaa" * BLOCK
_NIBBLES = 16
UPDATED_KEYS = 2
"""Updated keys that are used: 0 for MACs, 1 for file data."""


class Lrp:
    """One key.

    Args:
        key: 16 bytes.
        number: which updated key is used.
    """

    def __init__(self, key: bytes, number: int = 0) -> None:
        self._texts = _chain(Aes(key).encrypt(_FIVES), _NIBBLES)
        self._key = _chain(Aes(key).encrypt(_TENS), UPDATED_KEYS)[number]

    def evaluate(self, text: bytes, *, final: bool = True) -> bytes:
        """The primitive itself (AN12304, algorithm 3)."""
        state = self._key
        for octet in text:
            for nibble in (octet >> 4, octet & 15):
                state = Aes(state).encrypt(self._texts[nibble])
        return Aes(state).encrypt(_ZERO) if final else state

    def decrypt(self, data: bytes, counter: bytes) -> bytes:
        """Decrypt whole blocks; `counter` (any length) begins with the first one's value and wraps."""
        plain = []
        value, wrap = int.from_bytes(counter, "big"), 1 << 8 * len(counter)
        for start in range(0, len(data), BLOCK):
            key = self.evaluate(value.to_bytes(len(counter), "big"))
            plain.append(Aes(key).decrypt(data[start : start + BLOCK]))
            value = (value + 1) % wrap
        return b"".join(plain)

    def cmac(self, data: bytes) -> bytes:
        """The 16-byte CMAC of `data` (AN12304, algorithm 6)."""
        first = doubled(int.from_bytes(self.evaluate(_ZERO), "big"))
        whole = max(len(data) - 1, 0) // BLOCK * BLOCK
        state = _ZERO
        for start in range(0, whole, BLOCK):
            state = self.evaluate(xor(state, data[start : start + BLOCK]))
        last = data[whole:]
        if len(last) == BLOCK:
            block = int.from_bytes(last, "big") ^ first
        else:
            block = int.from_bytes((last + b"\x80").ljust(BLOCK, b"\0"), "big") ^ doubled(first)
        return self.evaluate((block ^ int.from_bytes(state, "big")).to_bytes(BLOCK, "big"))


def _chain(key: bytes, count: int) -> list[bytes]:
    """Values and the keys behind them, one from the other (AN12304, algorithms 1 and 2)."""
    values = []
    for _ in range(count):
        cipher = Aes(key)
        values.append(cipher.encrypt(_TENS))
        key = cipher.encrypt(_FIVES)
    return values
