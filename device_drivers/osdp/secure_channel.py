"""The keys of OSDP's secure channel (IEC 60839-11-5, annex D; AES-128).

`libosdp` runs the channel; this is for the device's side in tests, and for checking published values.
"""

from __future__ import annotations

from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


class ChannelKeys(NamedTuple):
    """What both ends derive from the base key and the two random numbers."""

    s_enc: bytes
    s_mac1: bytes
    s_mac2: bytes
    client_cryptogram: bytes
    server_cryptogram: bytes
    rmac_i: bytes

    def __repr__(self) -> str:
        return "ChannelKeys(…)"


def derive(base_key: bytes, panel_random: bytes, device_random: bytes) -> ChannelKeys:
    """The keys of one channel.

    Args:
        base_key: SCBK, 16 bytes.
        panel_random, device_random: 8 bytes each; only the first six of the panel's go into the keys.

    Raises:
        ValueError: another length.
    """
    if (len(base_key), len(panel_random), len(device_random)) != (16, 8, 8):
        raise ValueError("expected a key of 16 bytes and two random numbers of 8")
    s_enc, s_mac1, s_mac2 = (
        _encrypt(base_key, prefix + panel_random[:6] + bytes(8)) for prefix in (b"\x01\x82", b"\x01\x01", b"\x01\x02")
    )
    server = _encrypt(s_enc, device_random + panel_random)
    return ChannelKeys(
        s_enc,
        s_mac1,
        s_mac2,
        _encrypt(s_enc, panel_random + device_random),
        server,
        _encrypt(s_mac2, _encrypt(s_mac1, server)),
    )


def _encrypt(key: bytes, block: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305  the standard's: single blocks
    return encryptor.update(block) + encryptor.finalize()
