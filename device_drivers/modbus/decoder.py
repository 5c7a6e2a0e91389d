"""What passes on a Modbus line: requests, replies and exceptions to observations.

A reply does not say which registers it holds. It is named by the request before it, or, where none was seen, by its
length if nothing else that the profile knows has that length; else its numbers are given without a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from struct import unpack

from device_drivers.driver import Reading, Reject
from device_drivers.hunt import Hunter
from device_drivers.modbus.frames import RTU, Frame, Framing, why_not
from device_drivers.modbus.meaning import ReadMeaning, rounded, uniform_float
from device_drivers.modbus.profile import Profile, coil_channels, is_named_by_length, part
from device_drivers.observations import LampState, Measurement

SILENCE = timedelta(milliseconds=500)
"""After a longer pause what was begun is given up. A frame has no pauses (1.5 characters at most), and the shortest pause
that any adapter or converter can make is far below this."""

_MOST_REQUESTS = 256
"""Bound of the cache of requests that other masters make; beyond it their replies are numbers without a name."""

_WRITE_COIL, _WRITE_COILS = 5, 15
_WRITTEN = 5
"""Bytes of a reply to a write of several coils: without their values."""
_ANYONE = frozenset((0xF8, 0xFF))
"""Addresses of whoever is on the line: a PZEM-004T's, and that by which sensors are asked their address. Who answers may do
so by its own."""
_TOGGLE = 0x5500
"""Waveshare's value for the other way round."""

_MOST_TRANSACTIONS = 16
"""Requests that wait for their replies; a Modbus TCP server takes no more at once (1 to 16 by Messaging on TCP/IP V1.0b)."""

_Request = tuple[int, int, int, int]
"""Address, function, register, count."""

QUANTITIES = {1: "coil", 2: "discrete_input", 3: "holding_register", 4: "input_register"}
"""By function: what a number is called that no profile names; its channel is the register, `+n` if that is unknown."""


class ModbusDecoder:
    """One line, heard for one device.

    Args:
        device: the device's id.
        profile: what its registers mean; None: numbers without a name.
        framing: RTU or TCP.
        address: only frames of this address; None: of all.
        lamps: the lamp's id of each channel of a relay board.
    """

    def __init__(
        self,
        device: str,
        profile: Profile | None,
        framing: Framing = RTU,
        *,
        address: int | None = None,
        lamps: Mapping[str, str] | None = None,
    ) -> None:
        self._device = device
        self._framing = framing
        self._address = address
        self._profile = profile
        self._lamps = lamps or {}
        self._coils = {} if profile is None else coil_channels(profile)
        self._floats = profile is not None and uniform_float(profile)
        self._by_request: dict[tuple[int, int, int], ReadMeaning | None] = {}
        self._by_length: dict[tuple[int, int], ReadMeaning] = {}
        for read in profile.reads if profile is not None else ():
            meaning = ReadMeaning(device, read, self._lamps)
            self._by_request[read.function, meaning.register, meaning.count] = meaning
            if profile is not None and is_named_by_length(profile, read):
                self._by_length[read.function, meaning.octets] = meaning
        self._hunter = Hunter(framing.length, lambda octets: why_not(octets, framing), framing.longest)
        self._latest: datetime | None = None
        self._asked: dict[int, _Request] = {}  # by transaction; RTU has one at a time

    def feed(self, data: bytes, received: datetime) -> list[Reading | Reject]:
        """Take the next bytes. Never raises; keeps at most two frames' length; reads the next good frame."""
        found: list[Reading | Reject] = []
        if self._latest is not None and not timedelta(0) <= received - self._latest <= SILENCE:
            found += self.reset()
        self._latest = received
        self._pieces(self._hunter.feed(data), received, found)
        return found

    def reset(self) -> list[Reading | Reject]:
        """The line was cut, or fell silent: what was begun is given up, good frames in it are still read."""
        found: list[Reading | Reject] = []
        if self._latest is not None:
            self._pieces(self._hunter.flush(), self._latest, found)
        self._asked.clear()
        return found

    def _pieces(self, pieces: list[bytes | Reject], at: datetime, found: list[Reading | Reject]) -> None:
        for piece in pieces:
            if isinstance(piece, Reject):
                self._asked.clear()
                found.append(piece)
            else:
                self._frame(self._framing.read(piece), at, found)

    def _frame(self, frame: Frame, at: datetime, found: list[Reading | Reject]) -> None:
        asked = self._asked.pop(frame.transaction, None)
        if self._address is not None and frame.address != self._address:
            if frame.address in _ANYONE and (request := _request(frame)) is not None:
                self._ask(frame.transaction, request)
            return
        pdu = frame.pdu
        function = pdu[0]
        if function in QUANTITIES:
            self._read(frame, asked, at, found)
            return
        if function == _WRITE_COIL:
            self._write_coil(frame, at, found)
        elif function == _WRITE_COILS and len(pdu) > _WRITTEN:
            self._write_coils(frame, at, found)

    def _write_coil(self, frame: Frame, at: datetime, found: list[Reading | Reject]) -> None:
        coil, value = unpack(">HH", frame.pdu[1:5])
        channel = self._coils.get(coil)
        if channel is None or value == _TOGGLE:  # a code of the vendor: all at once, flashing, the other way round
            return
        if value in (0xFF00, 0):
            found.append(Reading(self._told(channel, on=value != 0, at=at)))
        else:
            found.append(Reject(frame.octets, f"coil {coil} is told {value:04X}, expected FF00 or 0000"))

    def _write_coils(self, frame: Frame, at: datetime, found: list[Reading | Reject]) -> None:
        """A request; the reply to it repeats no values."""
        first, count = unpack(">HH", frame.pdu[1:5])
        bits = frame.pdu[6:]
        if len(bits) != _octets(_WRITE_COILS, count):
            found.append(Reject(frame.octets, f"{len(bits)} bytes for {count} coils"))
            return
        for place in range(count):
            if (channel := self._coils.get(first + place)) is not None:
                found.append(Reading(self._told(channel, on=bool(bits[place >> 3] >> (place & 7) & 1), at=at)))

    def _ask(self, transaction: int, request: _Request) -> None:
        if len(self._asked) >= _MOST_TRANSACTIONS:
            del self._asked[next(iter(self._asked))]
        self._asked[transaction] = request

    def _read(self, frame: Frame, asked: _Request | None, at: datetime, found: list[Reading | Reject]) -> None:
        """A request to read, or the reply to the one that was `asked`."""
        pdu = frame.pdu
        function = pdu[0]
        if asked is not None and (asked[1] != function or (asked[0] != frame.address and asked[0] not in _ANYONE)):
            asked = None
        if asked is not None and len(pdu) == 2 + _octets(function, asked[3]) and pdu[1] == len(pdu) - 2:
            self._reply(frame, asked[2], asked[3], at, found)
        elif (request := _request(frame)) is not None:
            self._ask(frame.transaction, request)
        elif asked is not None:
            wanted = _octets(function, asked[3])
            found.append(Reject(frame.octets, f"{len(pdu) - 2} bytes in a reply to a request for {wanted}"))
        else:
            self._reply(frame, None, 0, at, found)

    def _reply(
        self, frame: Frame, register: int | None, count: int, at: datetime, found: list[Reading | Reject]
    ) -> None:
        function, data = frame.pdu[0], frame.pdu[2:]
        if register is None:
            read = self._by_length.get((function, len(data)))
        else:
            read = self._asked_for(function, register, count)
        if read is None:
            found += self._unnamed(function, data, register, count, at)
            return
        readings, doubts = read.understand(data, at)
        found += readings
        found += [Reject(frame.octets, doubt) for doubt in doubts]

    def _asked_for(self, function: int, register: int, count: int) -> ReadMeaning | None:
        """What the profile knows of a request: one of its reads, or values that lie inside."""
        key = function, register, count
        if self._profile is None or key in self._by_request:
            return self._by_request.get(key)
        if len(self._by_request) >= _MOST_REQUESTS:
            return None
        read = part(self._profile, function, register, count)
        meaning = self._by_request[key] = None if read is None else ReadMeaning(self._device, read, self._lamps)
        return meaning

    def _unnamed(self, function: int, data: bytes, register: int | None, count: int, at: datetime) -> list[Reading]:
        """The numbers of a reply that no profile names: bits, 32-bit floats where the profile has only those, or words."""
        numbers: list[tuple[int, float]]
        if function <= 2:
            bits = count or len(data) * 8
            numbers = [(place, data[place >> 3] >> (place & 7) & 1) for place in range(min(bits, len(data) * 8))]
        elif self._floats and len(data) % 4 == 0:
            floats = unpack(f">{len(data) // 4}f", data)
            # NaN is no number, and neither is what is beyond all measure.
            numbers = [(2 * place, rounded(number)) for place, number in enumerate(floats) if abs(number) < 1e38]
        else:
            numbers = list(enumerate(unpack(f">{len(data) // 2}H", data[: len(data) & ~1])))
        return [
            Reading(
                Measurement(
                    device=self._device,
                    at=at,
                    quantity=QUANTITIES[function],
                    value=number,
                    channel=f"+{place}" if register is None else register + place,
                )
            )
            for place, number in numbers
        ]

    def _told(self, channel: int | str, *, on: bool, at: datetime) -> LampState:
        """A relay was told to switch. Request and echo look alike, so this is no word on how it is now."""
        lamp = self._lamps.get(str(channel)) or f"{self._device}/{channel}"
        return LampState(device=self._device, at=at, lamp=lamp, commanded=on)


def _octets(function: int, count: int) -> int:
    return (count + 7) // 8 if function in (1, 2, _WRITE_COILS) else count * 2


def _request(frame: Frame) -> _Request | None:
    """What a request to read asks; None: it is none."""
    pdu = frame.pdu
    if pdu[0] not in QUANTITIES or len(pdu) != 5 or (pdu[0] <= 2 and pdu[1] == 3 and not _could_be_asked(pdu)):
        return None
    register, count = unpack(">HH", pdu[1:])
    return frame.address, pdu[0], register, count


def _could_be_asked(pdu: bytes) -> bool:
    """Whether five bytes are a request, and not a reply with three bytes of coils: its count is one that may be asked for."""
    return 1 <= int.from_bytes(pdu[3:], "big") <= 2000
