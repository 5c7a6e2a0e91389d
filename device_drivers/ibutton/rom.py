"""The ROM of a 1-Wire device: family, serial with its lowest byte first, CRC-8 (Maxim AN27: X⁸+X⁵+X⁴+1, reflected 8C, from 0)."""

from __future__ import annotations

LENGTH = 8


def _table() -> bytes:
    table = []
    for octet in range(256):
        crc = octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
        table.append(crc)
    return bytes(table)


_CRC = _table()


def crc8(octets: bytes) -> int:
    """The CRC of the bytes; 0 over a whole ROM."""
    crc = 0
    for octet in octets:
        crc = _CRC[crc ^ octet]
    return crc


def trouble(rom: bytes) -> str:
    """Why eight bytes are no ROM, "" if they are one."""
    if not any(rom):
        return "an all-zero ROM: it passes the CRC, but the line is shorted"
    if rom == b"\xff" * LENGTH:
        return "an all-FF ROM: nobody answered"
    if crc8(rom):
        return f"CRC {rom[7]:02X}, expected {crc8(rom[:7]):02X}"
    if rom[0] == 0:
        return "family 00, which no device has"
    return ""


def rom_of(serial: int, family: int = 0x01) -> bytes:
    """A ROM with its CRC."""
    octets = bytes((family,)) + serial.to_bytes(6, "little")
    return octets + bytes((crc8(octets),))
