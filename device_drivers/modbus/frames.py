"""Frames as they stand on the wire: Modbus RTU (address, function, data, CRC) and Modbus TCP (MBAP header).

RTU has no mark at which a frame begins, and its end follows from the function alone. So a frame is what has one of the
lengths that its function allows *and* the right CRC; a byte at which none begins is passed over. `pymodbus` gives the
CRC and builds requests; its own framers give up everything behind a damaged frame, and read one direction only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from device_drivers.hunt import NONE, WAIT

LONGEST = 256
"""Bytes of an RTU frame (Modbus over Serial Line V1.02 §2.3)."""

LONGEST_TCP = 260
"""Bytes of a TCP frame (Modbus Messaging on TCP/IP V1.0b §3.1.3)."""


class Frame(NamedTuple):
    """One frame: `pdu` is the function and its data; `transaction` is of TCP."""

    address: int
    pdu: bytes
    octets: bytes
    transaction: int = 0


class Length(NamedTuple):
    """How long a PDU is: `fixed` bytes, and if `at` is given so many more as the `size` bytes there say."""

    fixed: int
    at: int = 0
    size: int = 1


_READ = (Length(5), Length(2, 1))
_EVENTS = (Length(1), Length(2, 1))
LENGTHS: dict[int, tuple[Length, ...]] = {
    1: _READ,
    2: _READ,
    3: _READ,
    4: _READ,
    5: (Length(5),),
    6: (Length(5),),
    7: (Length(1), Length(2)),
    8: (Length(5),),
    11: (Length(1), Length(5)),
    12: _EVENTS,
    15: (Length(5), Length(6, 5)),
    16: (Length(5), Length(6, 5)),
    17: _EVENTS,
    20: (Length(2, 1),),
    21: (Length(2, 1),),
    22: (Length(7),),
    23: (Length(2, 1), Length(10, 9)),
    24: (Length(3), Length(3, 1, 2)),
    0x42: (Length(1),),
}
"""By function: the lengths that a request's or a reply's PDU may have (Modbus Application Protocol V1.1b3 §6); 0x42 is
the PZEM-004T's reset. An exception (function | 80) has two bytes."""

_EXCEPTION = (Length(2),)
_UNKNOWN: tuple[Length, ...] = ()


_TABLE = tuple(FramerRTU.crc16_table)


def crc(data: bytes) -> bytes:
    """CRC-16 (A001 reflected, begun with FFFF) in the order of the wire, low byte first."""
    # pymodbus's table, but not its loop, which takes most of a frame's time.
    value, table = 0xFFFF, _TABLE
    for octet in data:
        value = value >> 8 ^ table[(value ^ octet) & 0xFF]
    return bytes((value & 0xFF, value >> 8))


def rtu_frame(address: int, pdu: bytes) -> bytes:
    """A whole RTU frame."""
    data = bytes((address,)) + pdu
    return data + crc(data)


def tcp_frame(address: int, pdu: bytes, transaction: int) -> bytes:
    """A whole TCP frame."""
    return transaction.to_bytes(2, "big") + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + bytes((address,)) + pdu


_RTU = FramerRTU(DecodePDU(is_server=False))
_TCP = FramerSocket(DecodePDU(is_server=False))
_REQUESTS: dict[int, type] = {
    1: ReadCoilsRequest,
    2: ReadDiscreteInputsRequest,
    3: ReadHoldingRegistersRequest,
    4: ReadInputRegistersRequest,
}


def read_request(address: int, function: int, register: int, count: int, transaction: int | None = None) -> bytes:
    """The request to read `count` coils or registers from `register`: RTU, or TCP with a transaction."""
    request = _REQUESTS[function](dev_id=address, transaction_id=transaction or 0, address=register, count=count)
    framed: bytes = (_RTU if transaction is None else _TCP).buildFrame(request)
    return framed


def exception_words(code: int) -> str:
    """An exception's number and name."""
    try:
        return f"{code} ({ExcCodes(code).name.lower().replace('_', ' ')})"
    except ValueError:
        return str(code)


def lengths(stream: bytes, start: int) -> tuple[Length, ...]:
    """What the PDU whose function stands at `start` may be long."""
    function = stream[start]
    return _EXCEPTION if function & 0x80 else LENGTHS.get(function, _UNKNOWN)


def pdu_length(stream: bytes, start: int, length: Length) -> int:
    """A PDU's length, WAIT if the bytes that say it have not come."""
    if not length.at:
        return length.fixed
    place = start + length.at
    if len(stream) < place + length.size:
        return WAIT
    return length.fixed + int.from_bytes(stream[place : place + length.size], "big")


def rtu_length(stream: bytes, start: int) -> int:
    """How long the RTU frame at `start` is: WAIT, or NONE if none begins there.

    The shortest length with a right CRC is the frame, so that the answer depends on the bytes alone, not on how many have come.
    """
    have = len(stream) - start
    if have < 2:
        return WAIT
    waits = False
    for end in sorted([pdu_length(stream, start + 1, length) + 3 for length in lengths(stream, start + 1)]):
        if end < 3 or have < end <= LONGEST:  # its length is not known yet, or it is not whole
            waits = True
        elif end <= LONGEST and stream[start + end - 2 : start + end] == crc(stream[start : start + end - 2]):
            return end
    return WAIT if waits else NONE


def tcp_length(stream: bytes, start: int) -> int:
    """How long the TCP frame at `start` is: WAIT, or NONE if none begins there."""
    head = stream[start : start + 8]
    if head[2:4] not in (b"\0\0", b"\0", b""):
        return NONE
    if len(head) < 8:
        return WAIT
    size = int.from_bytes(head[4:6], "big") - 1  # the PDU
    if not 1 <= size <= LONGEST_TCP - 7:
        return NONE
    if len(stream) - start < size + 7:
        return WAIT
    whole = stream[: start + size + 7]
    fits = any(pdu_length(whole, start + 7, length) == size for length in lengths(stream, start + 7))
    return size + 7 if fits else NONE


def rtu_read(octets: bytes) -> Frame:
    """A whole RTU frame taken apart."""
    return Frame(octets[0], octets[1:-2], octets)


def tcp_read(octets: bytes) -> Frame:
    """A whole TCP frame taken apart."""
    return Frame(octets[6], octets[7:], octets, int.from_bytes(octets[:2], "big"))


class Framing(NamedTuple):
    """One of the two framings."""

    length: Callable[[bytes, int], int]
    read: Callable[[bytes], Frame]
    longest: int


RTU = Framing(rtu_length, rtu_read, LONGEST)
TCP = Framing(tcp_length, tcp_read, LONGEST_TCP)


def why_not(octets: bytes, framing: Framing) -> str:
    """Why bytes are no frame, in one sentence."""
    if framing is TCP:
        if octets[2:4] not in (b"\0\0", b""):
            return "no Modbus TCP frame (protocol identifier is not 0)"
        if len(octets) < 8:
            return f"no Modbus TCP frame, or one cut short: {len(octets)} bytes"
        return "frame cut short, or its length and function contradict each other"
    if len(octets) < 2:
        return "no Modbus frame: a single byte"
    options = lengths(octets, 1)
    if not options:
        return f"no Modbus frame: function {octets[1]:02X} is unknown"
    sizes = [size + 3 for length in options if (size := pdu_length(octets, 1, length)) != WAIT]
    whole = [size for size in sizes if size <= len(octets)]
    if not whole:
        return f"frame cut short: {len(octets)} bytes"
    # The length that ends with the bytes is the likeliest one.
    size = len(octets) if len(octets) in whole else whole[-1]
    found, wanted = octets[size - 2 : size], crc(octets[: size - 2])
    return f"CRC {found.hex().upper()}, should be {wanted.hex().upper()} (noise, or two devices with one address)"
