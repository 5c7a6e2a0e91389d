"""The meter's own side: what it answers to a request to read, for simulation and tests."""

from __future__ import annotations

from collections.abc import Mapping

from device_drivers.dlt645.frame import ANYONE, WAKE, frame_length, make_frame, read_frame
from device_drivers.dlt645.identifiers import RULES

NO_SUCH_DATA = 0x02
_READ_ADDRESS = 0x13
_OCTETS = {rules.read: rules.octets for rules in RULES.values()}
_WAKING = WAKE * 4


def meter_answer(request: bytes, address: str, data: Mapping[str, bytes]) -> bytes:
    """What a meter answers to one whole request; b"" to what is damaged or meant for another.

    Args:
        request: the bytes of the request; FE before it may be there or not.
        address: the meter's address, 12 digits.
        data: the data of each identifier that it knows, low byte first, without the offset.
    """
    octets = request.lstrip(WAKE)
    if not octets or frame_length(octets, 0) != len(octets):
        return b""
    frame = read_frame(octets)
    if frame.is_reply or frame.address not in (address, ANYONE):
        return b""
    if frame.function == _READ_ADDRESS:
        return _WAKING + make_frame(address, 0x93, bytes.fromhex(address)[::-1])
    size = _OCTETS.get(frame.function)
    if size is None or len(frame.data) < size:
        return b""
    name = frame.data[:size]
    found = data.get(name[::-1].hex().upper())
    if found is None:
        return _WAKING + make_frame(address, 0xC0 | frame.control, bytes((NO_SUCH_DATA,)))
    return _WAKING + make_frame(address, 0x80 | frame.control, name + found)
