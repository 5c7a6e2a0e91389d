"""Whether a SUN message was made by a tag that knows the key, and what it says (NXP AN12196)."""

from __future__ import annotations

import hmac
from typing import Literal, NamedTuple

from device_drivers.errors import DecodeError
from device_drivers.ntag424.aes import BLOCK, Aes
from device_drivers.ntag424.keys import ZERO, shared_key, tag_key
from device_drivers.ntag424.lrp import Lrp
from device_drivers.ntag424.message import MacFrom, SunMessage

Mode = Literal["auto", "aes", "lrp"]

_MAC_SESSION, _FILE_SESSION = b"\x3c\xc3\x00\x01\x00\x80", b"\xc3\x3c\x00\x01\x00\x80"
"""Begin of SV2 and SV1 (AN12196, tables 1 and 5)."""

_HAS_UID, _HAS_COUNTER, _UID_LENGTH = 0x80, 0x40, 7

_KEPT = 4096
"""Ciphers of single tags that are kept: more than a property has checkpoints."""


class Keys(NamedTuple):
    """What the gateway knows. `master` b"": the two keys are the same for all tags. Never shown."""

    meta: bytes
    file: bytes
    master: bytes = b""
    file_number: int = 2

    def __repr__(self) -> str:
        return "Keys(…)"

    @property
    def factory(self) -> bool:
        """Whether one of them is the key that everybody knows."""
        return not any(self.master) if self.master else ZERO in (self.meta, self.file)


class Tap(NamedTuple):
    """A message that a tag has made. `counter` None: it mirrors none. `file_data` is signed unless the MAC is of nothing."""

    uid: bytes
    counter: int | None
    file_data: bytes
    mode: Literal["aes", "lrp"]


_PLACES: tuple[MacFrom, ...] = ("file", "none", "picc", "start", "parameter")


class Verifier:
    """Verifies messages of the tags that have these keys.

    Args:
        keys: of the site's tags.
        mode: `auto`: by the length of the identity; in plain mode both are tried.
        mac_from: where the signed text begins; `auto`: each place is tried.
    """

    def __init__(self, keys: Keys, *, mode: Mode = "auto", mac_from: MacFrom = "auto") -> None:
        self._keys = keys
        self._mode = mode
        self._places: tuple[MacFrom, ...] = _PLACES if mac_from == "auto" else (mac_from,)
        self._meta = Aes(shared_key(keys.master) if keys.master else keys.meta)
        self._file = Aes(keys.file) if not keys.master else None
        self._files: dict[bytes, Aes] = {}

    def verify(self, message: SunMessage) -> Tap:
        """What the tag said.

        Raises:
            DecodeError: not made by such a tag, or it does not say which it is.
        """
        if not message.picc:
            identity = message.uid + message.counter[::-1]
            modes: tuple[Literal["aes", "lrp"], ...] = ("aes", "lrp") if self._mode == "auto" else (self._mode,)
            for mode in modes:
                if self._signed(message, message.uid, identity, mode):
                    counter = int.from_bytes(message.counter, "big") if message.counter else None
                    return Tap(message.uid, counter, self._file_data(message, message.uid, identity, mode), mode)
            raise DecodeError("CMAC mismatch: not made by a tag with this key")
        mode = "aes" if len(message.picc) == BLOCK else "lrp"
        if self._mode not in ("auto", mode):
            raise DecodeError(f"the message is in {mode.upper()} mode, the site's tags are set to {self._mode.upper()}")
        uid, identity, said = self._identity(message, mode)
        if not self._signed(message, uid, identity, mode) or not said:
            raise DecodeError("CMAC mismatch: not made by a tag with this key")
        counter = int.from_bytes(identity[_UID_LENGTH:], "little") if len(identity) > _UID_LENGTH else None
        return Tap(uid, counter, self._file_data(message, uid, identity, mode), mode)

    def _identity(self, message: SunMessage, mode: Literal["aes", "lrp"]) -> tuple[bytes, bytes, bool]:
        """UID, UID and counter as they are signed, and whether the first byte made sense: a wrong key gives nonsense, and
        what is wrong must take as long as what is right.
        """
        if mode == "aes":
            plain = self._meta.decrypt(message.picc)  # one block, IV 0: CBC is the block itself
        else:
            plain = Lrp(self._meta_key()).decrypt(message.picc[8:], message.picc[:8])
        said = bool(plain[0] & _HAS_UID) and plain[0] & 0x0F == _UID_LENGTH
        uid = plain[1 : 1 + _UID_LENGTH]
        end = 1 + _UID_LENGTH + (3 if plain[0] & _HAS_COUNTER else 0)
        return uid, plain[1:end], said

    def _meta_key(self) -> bytes:
        return shared_key(self._keys.master) if self._keys.master else self._keys.meta

    def _file_key(self, uid: bytes) -> bytes:
        return tag_key(self._keys.master, uid, self._keys.file_number) if self._keys.master else self._keys.file

    def _file_cipher(self, uid: bytes) -> Aes:
        if self._file is not None:
            return self._file
        cipher = self._files.get(uid)
        if cipher is None:
            if len(self._files) >= _KEPT:
                self._files.clear()
            cipher = self._files[uid] = Aes(self._file_key(uid))
        return cipher

    def _signed(self, message: SunMessage, uid: bytes, identity: bytes, mode: Literal["aes", "lrp"]) -> bool:
        """Whether the MAC is of one of the texts that may have been signed. Compared in constant time."""
        session: Aes | Lrp
        if mode == "aes":
            session = Aes(self._file_cipher(uid).cmac((_MAC_SESSION + identity).ljust(BLOCK, b"\0")))
        else:
            session = Lrp(self._lrp_session(uid, identity))
        for place in self._places:
            for text in message.signed(place):
                if hmac.compare_digest(session.cmac(text)[1::2], message.mac):
                    return True
        return False

    def _lrp_session(self, uid: bytes, identity: bytes) -> bytes:
        vector = _MAC_SESSION[2:] + identity
        padded = vector.ljust(-(-(len(vector) + 2) // BLOCK) * BLOCK - 2, b"\0")
        return Lrp(self._file_key(uid)).cmac(padded + b"\x1e\xe1")

    def _file_data(self, message: SunMessage, uid: bytes, identity: bytes, mode: Literal["aes", "lrp"]) -> bytes:
        counter = identity[_UID_LENGTH:]
        if not message.enc or not counter:
            return b""
        if mode == "lrp":
            return Lrp(self._lrp_session(uid, identity), 1).decrypt(message.enc, counter + bytes(3))
        session = Aes(self._file_cipher(uid).cmac((_FILE_SESSION + identity).ljust(BLOCK, b"\0")))
        return session.decrypt_cbc(message.enc, session.encrypt(counter + bytes(13)))
