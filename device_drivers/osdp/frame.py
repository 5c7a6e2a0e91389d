"""Frames of OSDP v2: where one begins and ends in a stream, and what stands in it.

    [FF] 53 | address | length, 2 bytes LE | control | [security block] | code | data | [MAC] | CRC-16 LE or checksum

Source: IEC 60839-11-5; goToMain/libosdp doc/protocol/packet-structure.rst (Apache-2.0).
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import NamedTuple

from device_drivers.errors import DecodeError
from device_drivers.hunt import NONE, WAIT
from device_drivers.osdp.codes import CRC, MARK, REPLY, RMAC_I, SCB, SCS, SCS_CLOSED, SCS_ENCRYPTED, SCS_ENDS, SOM, SQN

SHORTEST = 7
LONGEST = 1440
"""Bytes from SOM to the end; the largest that the standard lets a device announce."""

_CRC_BEGIN = 0x1D0F
_HEADER = 5
_MAC = 4


class Frame(NamedTuple):
    """One frame. `code` is of a reply or of a command; `data` is without the MAC, and as sent where `encrypted`.

    `status` is what the security block says beside its sort.
    """

    address: int
    reply: bool
    sequence: int
    security: int | None
    status: bytes
    code: int
    data: bytes

    @property
    def closed(self) -> bool:
        """It belongs to a secure channel that stands."""
        return self.security in SCS_CLOSED

    @property
    def closes(self) -> bool:
        """With it a secure channel stands: the reader found the panel's cryptogram right."""
        return self.reply and self.code == RMAC_I and self.security == SCS_ENDS and self.status[:1] == b"\x01"

    @property
    def encrypted(self) -> bool:
        """Its data can be read only by the two ends of the channel."""
        return self.security in SCS_ENCRYPTED


def crc(octets: bytes) -> int:
    """CRC-16 with polynomial 1021, begun with 1D0F, not reflected ("123456789" gives E5CC)."""
    return crc_hqx(octets, _CRC_BEGIN)


def checksum(octets: bytes) -> int:
    """Two's complement of the sum of all bytes."""
    return -sum(octets) & 0xFF


def frame_length(stream: bytes, start: int) -> int:
    """How long the frame is that begins at `start`, a mark byte included; for `hunt.Hunter`."""
    end = len(stream)
    som = start
    if stream[som] == MARK:
        som += 1
        if som == end:
            return WAIT
    if stream[som] != SOM:
        return NONE
    if end - som < 4:
        return WAIT
    size = stream[som + 2] | stream[som + 3] << 8
    if not SHORTEST <= size <= LONGEST:
        return NONE
    stop = som + size
    if stop > end:
        return WAIT
    if stream[som + 4] & CRC:
        good = crc_hqx(stream[som : stop - 2], _CRC_BEGIN) == stream[stop - 2] | stream[stop - 1] << 8
    else:
        good = not sum(stream[som:stop]) & 0xFF
    return stop - start if good else NONE


def why_not(junk: bytes) -> str:
    """Why bytes are no frame, in one sentence."""
    som = junk.find(SOM)
    if som < 0:
        return "noise: no SOM (53) in it"
    before = f"{som} byte(s) of noise before SOM (53), then " if som and junk[:som] != bytes([MARK]) else ""
    rest = junk[som:]
    if len(rest) < 4:
        return f"{before}a frame cut short after {len(rest)} byte(s)"
    size = rest[2] | rest[3] << 8
    if not SHORTEST <= size <= LONGEST:
        return f"{before}length {size}, expected {SHORTEST} to {LONGEST}"
    if size > len(rest):
        return f"{before}a frame cut short: {len(rest)} of {size} bytes"
    if rest[4] & CRC:
        found, right = rest[size - 2] | rest[size - 1] << 8, crc(rest[: size - 2])
        return f"{before}CRC {found:04X}, it should be {right:04X}"
    return f"{before}checksum {rest[size - 1]:02X}, it should be {checksum(rest[: size - 1]):02X}"


def read_frame(octets: bytes) -> Frame:
    """What stands in a frame whose length and check are right.

    Raises:
        DecodeError: its parts do not fit into it.
    """
    if octets[0] == MARK:
        octets = octets[1:]
    control = octets[4]
    end = len(octets) - (2 if control & CRC else 1)
    at = _HEADER
    security, status = None, b""
    if control & SCB:
        length = octets[at] if at < end else 0
        if length < 2 or at + length > end:
            raise DecodeError(f"security block of {length} byte(s), it does not fit", octets)
        security, status = octets[at + 1], octets[at + 2 : at + length]
        if security not in SCS:
            raise DecodeError(f"security block {security:02X}, expected {SCS[0]:02X} to {SCS[-1]:02X}", octets)
        at += length
        if security in SCS_CLOSED:
            end -= _MAC
    if at >= end:
        raise DecodeError("frame without a code", octets)
    address = octets[1]
    code, data = octets[at], octets[at + 1 : end]
    return Frame(address & ~REPLY, bool(address & REPLY), control & SQN, security, status, code, data)
