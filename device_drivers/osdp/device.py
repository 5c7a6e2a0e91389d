"""The reader's own side: OSDP frames as a reader or a panel sends them, for recorded cases and tests.

A whole reader that keeps up a secure channel is `osdp.PeripheralDevice` of libosdp.
"""

from __future__ import annotations

from device_drivers.osdp.codes import CRC, KEYPAD, MARK, RAW, REPLY, SOM
from device_drivers.osdp.frame import checksum, crc

REPEAT_S = 0.05
"""How often a panel polls (libosdp)."""


def frame(
    address: int,
    code: int,
    data: bytes = b"",
    *,
    sequence: int = 1,
    reply: bool = True,
    with_crc: bool = True,
    mark: bool = False,
) -> bytes:
    """One frame without a security block."""
    size = 6 + len(data) + (2 if with_crc else 1)
    control = sequence | (CRC if with_crc else 0)
    head = bytes([SOM, address | (REPLY if reply else 0), size & 0xFF, size >> 8, control, code]) + data
    end = crc(head).to_bytes(2, "little") if with_crc else bytes([checksum(head)])
    return (bytes([MARK]) if mark else b"") + head + end


def card(address: int, bits: str, *, sequence: int = 1, with_crc: bool = True) -> bytes:
    """A card was read: its bits as text of `0` and `1`."""
    data = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8))
    payload = bytes([0, 1]) + len(bits).to_bytes(2, "little") + data
    return frame(address, RAW, payload, sequence=sequence, with_crc=with_crc)


def keys(address: int, pressed: bytes, *, sequence: int = 1) -> bytes:
    """Keys were pressed."""
    return frame(address, KEYPAD, bytes([0, len(pressed)]) + pressed, sequence=sequence)


def wiegand(number: bytes) -> str:
    """The bits of a number of 3 or 4 bytes with its two parities."""
    inner = f"{int.from_bytes(number):0{8 * len(number)}b}"
    half = len(inner) // 2
    even = inner[:half].count("1") % 2
    odd = 1 - inner[half:].count("1") % 2
    return f"{even}{inner}{odd}"
