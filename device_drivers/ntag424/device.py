"""The tag's own side: the URL that it shows at each tap, for simulated tags and tests (AES mode)."""

from __future__ import annotations

from device_drivers.ntag424.aes import BLOCK, Aes, xor


def encrypted_url(
    uid: bytes,
    counter: int,
    *,
    meta_key: bytes,
    file_key: bytes,
    base: str = "https://tap.example/t",
    file_data: bytes = b"",
    padding: bytes = bytes(5),
) -> str:
    """The URL of a tap with encrypted identity, and file data if there are any.

    Args:
        uid: 7 bytes.
        counter: taps so far, this one included; 24 bits.
        file_data: a multiple of 16 bytes; encrypted.
        padding: 5 bytes that a tag takes at random.
    """
    identity = uid + counter.to_bytes(3, "little")
    picc = Aes(meta_key).encrypt(b"\xc7" + identity + padding).hex().upper()
    url, signed = f"{base}?picc_data={picc}", ""
    if file_data:
        session = _session(file_key, b"\xc3\x3c", identity)
        block, sealed = session.encrypt(counter.to_bytes(3, "little") + bytes(13)), b""
        for start in range(0, len(file_data), BLOCK):
            block = session.encrypt(xor(block, file_data[start : start + BLOCK]))
            sealed += block
        signed = f"{sealed.hex().upper()}&cmac="
        url += f"&enc={signed}"
    else:
        url += "&cmac="
    return url + _mac(file_key, identity, signed)


def plain_url(uid: bytes, counter: int, *, file_key: bytes, base: str = "https://tap.example/t") -> str:
    """The URL of a tap whose identity and counter stand in clear."""
    mac = _mac(file_key, uid + counter.to_bytes(3, "little"), "")
    return f"{base}?uid={uid.hex().upper()}&ctr={counter:06X}&cmac={mac}"


def _session(file_key: bytes, label: bytes, identity: bytes) -> Aes:
    return Aes(Aes(file_key).cmac((label + b"\x00\x01\x00\x80" + identity).ljust(BLOCK, b"\0")))


def _mac(file_key: bytes, identity: bytes, signed: str) -> str:
    return _session(file_key, b"\x3c\xc3", identity).cmac(signed.encode())[1::2].hex().upper()
