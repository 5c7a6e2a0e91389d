"""The device's own side: a converter with gears on its bus, for simulation and tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from device_drivers.dali import gear as dali
from device_drivers.dali.message import (
    ANSWERED,
    EVENT,
    HEARD_ANSWERED,
    HEARD_UNANSWERED,
    SEND,
    SOH,
    UNANSWERED,
    make_message,
    message_length,
    read_message,
)

NO_POWER, WRONG_CHECKSUM = 1, 5
_READ_CONFIGURATION, _CONFIGURATION = 6, 7
_BUS_POWER = 3
_NOT_UNDERSTOOD = 6


class Gear(NamedTuple):
    """One gear.

    Args:
        on: its lamp is lit.
        level: arc power level 0 to 254; 255: it knows none.
        lamp_failure, gear_failure: as its status says.
        failures: of emergency gear; None: it is none.
        twin: another has the same address: answers cannot be read.
    """

    on: bool
    level: int = 254
    lamp_failure: bool = False
    gear_failure: bool = False
    failures: int | None = None
    twin: bool = False

    @property
    def status(self) -> int:
        """Its answer to QUERY STATUS."""
        return self.gear_failure | self.lamp_failure << 1 | self.on << 2


class Converter:
    """A converter.

    Attributes:
        gears: by short address; may be changed at any time.
        powered: the bus has power. Without it frames are not answered, but told of.
    """

    def __init__(self, gears: Mapping[int, Gear]) -> None:
        self.gears = dict(gears)
        self.powered = True
        self._rest = b""
        self._type = 0

    def answers(self, data: bytes) -> bytes:
        """What it answers to the next bytes; messages may come cut and glued."""
        stream = self._rest + data
        answers = b""
        start = 0
        while start < len(stream):
            size = message_length(stream, start)
            if size > 0:
                answers += self._answer(read_message(stream[start : start + size]))
                start += size
            elif size < 0:
                break
            else:
                if stream[start] == SOH:
                    answers += make_message(bytes((EVENT, WRONG_CHECKSUM)))
                start += 1
        self._rest = stream[start:]
        return answers

    def other_master(self, frame: bytes) -> bytes:
        """What it says when another master sends a frame."""
        return _told(frame, self._bus(frame), HEARD_ANSWERED, HEARD_UNANSWERED)

    def _answer(self, data: bytes) -> bytes:
        if data[0] == _READ_CONFIGURATION and data[1] == _BUS_POWER:
            return make_message(bytes((_CONFIGURATION, _BUS_POWER, 0, not self.powered)))
        if data[0] != SEND or len(data) != 6:
            return make_message(bytes((EVENT, _NOT_UNDERSTOOD)))
        if not self.powered:
            return make_message(bytes((EVENT, NO_POWER)))
        frame = data[3:5]
        return _told(frame, self._bus(frame), ANSWERED, UNANSWERED)

    def _bus(self, frame: bytes) -> bytes | None:
        """The answer on the bus: None if there is none, b"" if it cannot be read."""
        kind, self._type = self._type, frame[1] if frame[0] == dali.EMERGENCY[0] else 0
        asked = dali.asked(frame) if len(frame) == 2 else None
        gear = self.gears.get(asked[0]) if asked is not None else None
        if asked is None or gear is None:
            return None
        answer: int | None = None
        match asked[1]:
            case dali.STATUS:
                answer = gear.status
            case dali.LEVEL:
                answer = gear.level
            case dali.LAMP_ON:
                answer = dali.MASK if gear.on else None
            case dali.LAMP_FAILURE:
                answer = dali.MASK if gear.lamp_failure else None
            case dali.FAILURES if kind == dali.EMERGENCY[1]:
                answer = gear.failures
        if answer is None:
            return None
        return b"" if gear.twin else bytes((answer,))


def _told(frame: bytes, answer: bytes | None, answered: int, unanswered: int) -> bytes:
    bits = 8 * len(frame)
    if answer is None:
        return make_message(bytes((unanswered, bits, *frame)))
    return make_message(bytes((answered, bits, *frame, 8 * len(answer), *answer)))


def status(address: int, answer: int) -> bytes:
    """What a converter says when gear answered QUERY STATUS."""
    return _told(dali.question(address, dali.STATUS), bytes((answer,)), ANSWERED, UNANSWERED)


def level(address: int, answer: int) -> bytes:
    """What a converter says when gear answered QUERY ACTUAL LEVEL."""
    return _told(dali.question(address, dali.LEVEL), bytes((answer,)), ANSWERED, UNANSWERED)
