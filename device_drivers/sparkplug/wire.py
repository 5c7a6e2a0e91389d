"""The protobuf wire format, as far as Sparkplug needs it: fields out of bytes, and fields into bytes.

Every length is checked against the bytes that are there, so that no count in a message can make more work than its length.
"""

from __future__ import annotations

from struct import Struct

from device_drivers.errors import DecodeError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types; 3 and 4 (groups) are long gone and refused."""

_LONGEST_VARINT = 10
_U64 = (1 << 64) - 1

FLOAT = Struct("<f")
DOUBLE = Struct("<d")
_FIXED64 = Struct("<Q")
_FIXED32 = Struct("<I")


Field = tuple[int, int, int, int, int]
"""(tag, wire type, number, start, end): the number of a varint, or a fixed field's bits; of bytes their length, and they are
`data[start:end]`. A plain tuple, since there are many."""


def fields(data: bytes, start: int, end: int) -> list[Field]:
    """The fields of the message in `data[start:end]`.

    Raises:
        DecodeError: cut off, a group, a field 0, or a varint of more than 64 bits.
    """
    found: list[Field] = []
    add = found.append
    position = start
    while position < end:
        key = data[position]
        position += 1
        if key & 0x80:
            key, position = varint(data, position - 1, end)
        tag, wire = key >> 3, key & 7
        if not tag:
            raise DecodeError(f"field number 0 at byte {position}")
        if wire == VARINT:
            if position < end and data[position] < 0x80:
                number = data[position]
                position += 1
            else:
                number = shift = 0
                for octet in data[position : position + _LONGEST_VARINT]:
                    position += 1
                    if octet < 0x80:
                        number |= octet << shift
                        break
                    number |= (octet & 0x7F) << shift
                    shift += 7
                else:
                    position = end + 1
                if position > end or number > _U64:
                    raise DecodeError(f"field {tag}: a number that is cut off, or has more than 64 bits")
            add((tag, wire, number, 0, 0))
        elif wire == BYTES:
            if position < end and data[position] < 0x80:
                number = data[position]
                position += 1
            else:
                number, position = varint(data, position, end)
            if number > end - position:
                raise DecodeError(f"field {tag} at byte {position}: {number} bytes, but {end - position} are there")
            add((tag, wire, number, position, position + number))
            position += number
        elif wire in (FIXED64, FIXED32):
            shape = _FIXED64 if wire == FIXED64 else _FIXED32
            if shape.size > end - position:
                raise DecodeError(f"field {tag} at byte {position}: cut off")
            add((tag, wire, shape.unpack_from(data, position)[0], position, position + shape.size))
            position += shape.size
        else:
            raise DecodeError(f"field {tag} at byte {position}: wire type {wire}")
    return found


def varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """The number at `position`, and where it ends.

    Raises:
        DecodeError: cut off, or more than 64 bits.
    """
    number = shift = 0
    for octet in data[position : min(end, position + _LONGEST_VARINT)]:
        position += 1
        if octet < 0x80:
            number |= octet << shift
            if number > _U64:
                break
            return number, position
        number |= (octet & 0x7F) << shift
        shift += 7
    if shift < 7 * _LONGEST_VARINT and number <= _U64:
        raise DecodeError("a number is cut off at the end of the message")
    raise DecodeError(f"a number of more than 64 bits at byte {position}")


def write_varint(number: int) -> bytes:
    """A number as bytes; a negative one as its 64 bits."""
    number &= _U64
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def write_number(tag: int, number: int) -> bytes:
    """A varint field."""
    return write_varint(tag << 3 | VARINT) + write_varint(number)


def write_bytes(tag: int, data: bytes) -> bytes:
    """A field of bytes."""
    return write_varint(tag << 3 | BYTES) + write_varint(len(data)) + data


def write_float(tag: int, value: float, *, double: bool) -> bytes:
    """A float or double field."""
    return write_varint(tag << 3 | (FIXED64 if double else FIXED32)) + (DOUBLE if double else FLOAT).pack(value)
