"""The device's own side: a slave that answers requests to read, for simulation and tests."""

from __future__ import annotations

from collections.abc import Mapping
from struct import pack, unpack

from device_drivers.modbus.frames import RTU, Framing, rtu_frame, tcp_frame

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
_BITS = (1, 2)
_MOST_BITS, _MOST_WORDS = 2000, 125


def slave_answer(
    request: bytes, address: int, tables: Mapping[int, Mapping[int, int]], framing: Framing = RTU
) -> bytes:
    """What a slave answers to one whole request; b"" to what is damaged or meant for another.

    Args:
        request: the bytes of the request.
        address: the slave's address.
        tables: for each function that it knows, its registers (or coils) by number.
        framing: RTU or TCP.
    """
    if framing.length(request, 0) != len(request):
        return b""
    frame = framing.read(request)
    if frame.address != address:
        return b""
    pdu = _answer(frame.pdu, tables)
    return rtu_frame(address, pdu) if framing is RTU else tcp_frame(address, pdu, frame.transaction)


def float_words(*numbers: float) -> list[int]:
    """The registers of 32-bit floats, high word first, as Eastron meters hold them."""
    return list(unpack(f">{2 * len(numbers)}H", pack(f">{len(numbers)}f", *numbers)))


def long_words(number: int, *, low_first: bool = False) -> list[int]:
    """The registers of a 32-bit number; `low_first` as in a PZEM-004T."""
    high, low = number >> 16 & 0xFFFF, number & 0xFFFF
    return [low, high] if low_first else [high, low]


def table(first: int, words: list[int]) -> dict[int, int]:
    """Registers from `first` on."""
    return {first + place: word for place, word in enumerate(words)}


def _answer(pdu: bytes, tables: Mapping[int, Mapping[int, int]]) -> bytes:
    function = pdu[0]
    registers = tables.get(function)
    if registers is None or len(pdu) != 5:
        return bytes((function | 0x80, ILLEGAL_FUNCTION))
    first, count = unpack(">HH", pdu[1:])
    if not 1 <= count <= (_MOST_BITS if function in _BITS else _MOST_WORDS):
        return bytes((function | 0x80, ILLEGAL_VALUE))
    wanted = range(first, first + count)
    if not all(number in registers for number in wanted):
        return bytes((function | 0x80, ILLEGAL_ADDRESS))
    if function in _BITS:
        bits = sum(bool(registers[number]) << place for place, number in enumerate(wanted))
        data = bits.to_bytes((count + 7) // 8, "little")
    else:
        data = pack(f">{count}H", *(registers[number] for number in wanted))
    return bytes((function, len(data))) + data
