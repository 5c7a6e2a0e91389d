"""What passes on the line with a DALI converter: questions with their answers, of this master or another, to observations.

Levels that are set, scenes, groups and sensors (24 bits) say nothing for certain of one lamp, and give nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from device_drivers.dali import gear
from device_drivers.dali.message import LONGEST, Exchange, exchange, message_length, read_message, why_not
from device_drivers.driver import Reading, Reject
from device_drivers.framed import FramedDecoder
from device_drivers.hunt import Hunter

_SILENT = "an answer that cannot be read (two gears with this address?)"


def dali_decoder(device: str, *, address: int | None = None, lamp: str | None = None) -> FramedDecoder:
    """The line of one converter, heard for one gear.

    Args:
        device: the device's id.
        address: the gear's short address; None: all are heard, each as the lamp `device/address`.
        lamp: the lamp's id, None: the device itself.
    """
    hearing = _Hearing(device, address, lamp)
    return FramedDecoder(Hunter(message_length, why_not, LONGEST), hearing.message)


class _Gear:
    """What was heard of one gear: its latest status and failures, since a fault is over only if neither tells of it."""

    def __init__(self, book: gear.FaultBook) -> None:
        self.book = book
        self.status: int | None = None
        self.failures: int | None = None

    def faults(self, at: datetime) -> Iterator[Reading]:
        """What is to be told of its faults."""
        return self.book.told(gear.faults(self.status, self.failures), at)


class _Hearing:
    """What was heard of the bus so far."""

    def __init__(self, device: str, address: int | None, lamp: str | None) -> None:
        self._device = device
        self._address = address
        self._lamp = lamp
        self._gears: dict[int, _Gear] = {}  # at most one for each of 64 addresses
        self._emergency = False  # the frame before was EMERGENCY

    def message(self, octets: bytes, at: datetime) -> Iterator[Reading | Reject]:
        """What one whole message says.

        Raises:
            ValueError: it is none that a converter sends, or the answer none that gear gives.
        """
        heard = exchange(read_message(octets))
        if heard is None or heard.bits == 0:
            return
        emergency, self._emergency = self._emergency, heard.frame == gear.EMERGENCY
        asked = gear.asked(heard.frame) if heard.bits == 16 else None
        if asked is None or not heard.answered or self._address not in (None, asked[0]):
            return
        yield from self._answer(*asked, heard, at, emergency=emergency)

    def _answer(
        self, address: int, query: int, heard: Exchange, at: datetime, *, emergency: bool
    ) -> Iterator[Reading | Reject]:
        if heard.answer is None:
            raise ValueError(f"gear {address}: {_SILENT}")
        lamp = f"{self._device}/{address}" if self._address is None else self._lamp
        match query:
            case gear.STATUS:
                yield gear.state(self._device, lamp, at, on=gear.is_on(heard.answer), level=None)
                one = self._gear(address, lamp)
                one.status = heard.answer
                yield from one.faults(at)
            case gear.LEVEL if (level := gear.level(heard.answer)) is not None:
                yield gear.state(self._device, lamp, at, on=None, level=level)
            case gear.LAMP_ON:
                gear.yes(heard.answer)
                yield gear.state(self._device, lamp, at, on=True, level=None)
            case gear.LAMP_FAILURE:
                gear.yes(heard.answer)
                yield from self._gear(address, lamp).book.told({"lamp_failure": True}, at)
            case gear.FAILURES if emergency:
                one = self._gear(address, lamp)
                one.failures = heard.answer
                yield from one.faults(at)

    def _gear(self, address: int, lamp: str | None) -> _Gear:
        one = self._gears.get(address)
        if one is None:
            one = self._gears[address] = _Gear(gear.FaultBook(self._device, lamp, well=True))
        return one
