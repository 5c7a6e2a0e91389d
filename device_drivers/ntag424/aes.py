"""AES-128 as the messages need it: single blocks, CBC and CMAC (NIST SP 800-38B, RFC 4493).

A key is set up for what is asked of it first: of the two keys of a message one is new for each tap and makes a CMAC only.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

BLOCK = 16
_MODE = modes.ECB()  # noqa: S305  one block at a time; what chains them is below


def doubled(block: int) -> int:
    """Twice a block in GF(2^128), as CMACs make their subkeys."""
    block <<= 1
    return block ^ ((1 << 128) | 0x87) if block >> 128 else block


class Aes:
    """One key. Safe to keep; not to be shared between threads."""

    __slots__ = ("_decrypt", "_encrypt", "_key", "_mac")

    def __init__(self, key: bytes) -> None:
        self._key = algorithms.AES128(key)
        self._encrypt: Callable[[bytes], bytes] | None = None
        self._decrypt: Callable[[bytes], bytes] | None = None
        self._mac: CMAC | None = None

    def encrypt(self, blocks: bytes) -> bytes:
        """Encrypt whole blocks, each by itself."""
        if self._encrypt is None:
            self._encrypt = Cipher(self._key, _MODE).encryptor().update
        return self._encrypt(blocks)

    def decrypt(self, blocks: bytes) -> bytes:
        """Decrypt whole blocks, each by itself."""
        if self._decrypt is None:
            self._decrypt = Cipher(self._key, _MODE).decryptor().update
        return self._decrypt(blocks)

    def decrypt_cbc(self, data: bytes, iv: bytes) -> bytes:
        """Decrypt whole blocks in CBC."""
        return xor(self.decrypt(data), iv + data[:-BLOCK])

    def cmac(self, data: bytes) -> bytes:
        """The 16-byte CMAC of `data`."""
        if self._mac is None:
            self._mac = CMAC(self._key)
        mac = self._mac.copy()
        mac.update(data)
        return mac.finalize()


def xor(left: bytes, right: bytes) -> bytes:
    """Two texts of one length, bit by bit."""
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")
