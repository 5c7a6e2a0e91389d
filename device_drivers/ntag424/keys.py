"""Keys of the tags: the same for all, or made from one master key for each tag (nfc-developer/sdm-backend, method of 2023)."""

from __future__ import annotations

import hmac

from device_drivers.ntag424.aes import Aes

ZERO = bytes(16)
"""The key with which tags leave the factory: known to everybody."""

_META, _SLOT, _BASE = b"PICCDataKey", b"SlotMasterKey", b"DivBaseKey"
"""What is put under the master key for each purpose."""


def tag_key(master: bytes, uid: bytes, number: int) -> bytes:
    """The key `number` of one tag. A factory master key gives the factory key."""
    if not any(master):
        return ZERO
    slot = _digest(master, _SLOT + bytes([number]))[:16]
    return Aes(slot).cmac(b"\x01" + _digest(_digest(master, _BASE), uid)[:16])


def shared_key(master: bytes) -> bytes:
    """The key with which all tags encrypt who they are: it must be known before the tag is."""
    return ZERO if not any(master) else _digest(master, _META)[:16]


def _digest(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
