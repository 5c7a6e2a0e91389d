"""AES-128 as the messages need it: single blocks, CBC and CMAC (NIST SP 800-38B, RFC 4493).

CMAC is built on the block cipher, not taken from the library: of the two keys of a message one is new for each tap, and
setting up one cipher a tap instead of four is what keeps a gateway at 50,000 taps a second.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 16
_ZERO = bytes(BLOCK)
_MODE = modes.ECB()  # noqa: S305  one block at a time; what chains them is below


def doubled(block: int) -> int:
    """Twice a block in GF(2^128), as both CMACs make their subkeys."""
    block <<= 1
    return block ^ ((1 << 128) | 0x87) if block >> 128 else block


class Aes:
    """One key. Safe to keep; not to be shared between threads."""

    __slots__ = ("_cipher", "_decrypt", "_first", "_second", "encrypt")

    def __init__(self, key: bytes) -> None:
        self._cipher = Cipher(algorithms.AES(key), _MODE)
        self._decrypt: Callable[[bytes], bytes] | None = None
        self.encrypt = self._cipher.encryptor().update
        self._first = doubled(int.from_bytes(self.encrypt(_ZERO), "big"))
        self._second = doubled(self._first)

    def decrypt(self, blocks: bytes) -> bytes:
        """Decrypt whole blocks, each by itself."""
        if self._decrypt is None:
            self._decrypt = self._cipher.decryptor().update
        return self._decrypt(blocks)

    def decrypt_cbc(self, data: bytes, iv: bytes) -> bytes:
        """Decrypt whole blocks in CBC."""
        before = iv + data[:-BLOCK]
        plain = int.from_bytes(self.decrypt(data), "big") ^ int.from_bytes(before, "big")
        return plain.to_bytes(len(data), "big")

    def cmac(self, data: bytes) -> bytes:
        """The 16-byte CMAC of `data`."""
        whole = max(len(data) - 1, 0) // BLOCK * BLOCK
        state = _ZERO
        for start in range(0, whole, BLOCK):
            state = self.encrypt(xor(state, data[start : start + BLOCK]))
        last = data[whole:]
        if len(last) == BLOCK:
            block = int.from_bytes(last, "big") ^ self._first
        else:
            block = int.from_bytes((last + b"\x80").ljust(BLOCK, b"\0"), "big") ^ self._second
        return self.encrypt((block ^ int.from_bytes(state, "big")).to_bytes(BLOCK, "big"))


def xor(left: bytes, right: bytes) -> bytes:
    """Two blocks, bit by bit."""
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")
