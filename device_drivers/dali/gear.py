"""Control gear: what it can be asked, and what its answers say of a lamp. IEC 62386-102 and, for emergency gear, -202."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from device_drivers.driver import Reading
from device_drivers.observations import LampFault, LampState

HIGHEST_ADDRESS = 63
MASK = 0xFF
"""As a level: no value (it starts up, or the lamp fails). As an answer to yes or no: yes."""

STATUS, LAMP_FAILURE, LAMP_ON, LEVEL = 0x90, 0x92, 0x93, 0xA0
FAILURES = 0xFC
"""Emergency gear's failures; only just behind EMERGENCY, else it is another type's command."""
EMERGENCY = b"\xc1\x01"
"""ENABLE DEVICE TYPE 1: the next frame is for emergency gear. It changes nothing in any gear."""

_GEAR_FAILURE_BIT, _LAMP_FAILURE_BIT, _ON_BIT, _NO_ADDRESS_BIT = 0x01, 0x02, 0x04, 0x40
_CIRCUIT_BIT, _EMERGENCY_LAMP_BIT = 0x01, 0x08
_BATTERY_BITS = 0xF6
"""Battery or its duration, and tests that failed or are overdue."""

_FULL = 254

Faults = Mapping[str, bool | None]
"""By name, whether it is; None: not known."""


def question(address: int, query: int) -> bytes:
    """The frame that asks one gear.

    Args:
        address: its short address, 0 to 63.
        query: STATUS, LEVEL …
    """
    return bytes((address << 1 | 1, query))


def asked(frame: bytes) -> tuple[int, int] | None:
    """Which gear a frame of 16 bits asks for what; None: groups, all, levels to be set, special commands."""
    if frame[0] & 0x81 != 0x01:
        return None
    return frame[0] >> 1, frame[1]


def is_on(status: int) -> bool:
    """Whether gear says that its lamp is lit.

    Raises:
        ValueError: it cannot be the answer of gear with an address.
    """
    if status & _NO_ADDRESS_BIT:
        raise ValueError(f"status {status:02X} of gear that says to have no address")
    return bool(status & _ON_BIT)


def level(answer: int) -> float | None:
    """The arc power level, 0 to 1 on DALI's own scale; None: no value."""
    return None if answer == MASK else answer / _FULL


def yes(answer: int) -> None:
    """An answer to a question of yes or no: to no there is no answer.

    Raises:
        ValueError: it is not yes.
    """
    if answer != MASK:
        raise ValueError(f"answer {answer:02X} to a question of yes or no, where yes is FF")


def faults(status: int | None, failures: int | None = None, *, emergency: bool = False) -> Faults:
    """The faults that gear reports.

    Args:
        status: its answer to STATUS, None if there was none.
        failures: its answer to FAILURES, None if there was none.
        emergency: it is emergency gear: it is known to be well only if it says so of both.
    """
    gear = None if status is None else bool(status & _GEAR_FAILURE_BIT)
    lamp = None if status is None else bool(status & _LAMP_FAILURE_BIT)
    if failures is None and not emergency:
        return {"control_gear_failure": gear, "lamp_failure": lamp}
    circuit = None if failures is None else bool(failures & _CIRCUIT_BIT)
    spare = None if failures is None else bool(failures & _EMERGENCY_LAMP_BIT)
    battery = None if failures is None else bool(failures & _BATTERY_BITS)
    return {
        "control_gear_failure": _either(gear, circuit),
        "lamp_failure": _either(lamp, spare),
        "emergency_battery": battery,
    }


class FaultBook:
    """What was told of the faults of one gear: those that stand are told again with each answer, their end once.

    Args:
        device: the device's id.
        lamp: the lamp's, None: the device itself.
        well: how it was before anything was told; False: unknown, so that it is told of each fault that it is not.
    """

    def __init__(self, device: str, lamp: str | None, *, well: bool) -> None:
        self._device = device
        self._lamp = lamp
        self._well = well
        self._standing: dict[str, bool] = {}  # at most one entry a fault

    def told(self, now: Faults, at: datetime) -> Iterator[Reading]:
        """What is to be said of the faults as they are now."""
        for fault, active in now.items():
            if active is None:
                continue
            stood = self._standing.get(fault, not self._well)
            self._standing[fault] = active
            if active or stood:
                yield Reading(LampFault(device=self._device, at=at, fault=fault, active=active, lamp=self._lamp))

    def forget(self) -> None:
        """It may have changed without being heard."""
        self._standing.clear()


def state(device: str, lamp: str | None, at: datetime, *, on: bool | None, level: float | None) -> Reading:
    """What gear says of its lamp."""
    return Reading(LampState(device=device, at=at, lamp=lamp, on=on, level=level))


def _either(first: bool | None, second: bool | None) -> bool | None:
    if first or second:
        return True
    return None if first is None or second is None else False
