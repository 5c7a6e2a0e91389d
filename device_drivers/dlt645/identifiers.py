"""What a meter can be asked, as data: identifier to meaning, for each edition of the standard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

Edition = Literal["2007", "1997"]
Gives = Literal["volts", "amps", "watts", "power_factor", "energy_wh", "measurement"]


class Item(NamedTuple):
    """One number of a reply.

    Args:
        gives: the field of `power`, or `measurement`.
        octets: BCD bytes.
        factor, parts: number = BCD * factor / parts, in V, A, W, Wh.
        signed: the highest bit is the sign.
        phase: 1 to 3; None: the whole meter.
        quantity, unit: of a measurement.
    """

    gives: Gives
    octets: int
    parts: int = 1
    factor: int = 1
    signed: bool = False
    phase: int | None = None
    quantity: str = ""
    unit: str = "1"


def _volts(phase: int) -> Item:
    return Item("volts", 2, parts=10, phase=phase)


def _amps(phase: int) -> Item:
    return Item("amps", 3, parts=1000, signed=True, phase=phase)


def _watts(phase: int | None) -> Item:
    return Item("watts", 3, parts=10, signed=True, phase=phase)  # 0.0001 kW


def _factor(phase: int | None) -> Item:
    return Item("power_factor", 2, parts=1000, signed=True, phase=phase)


_PHASES = (1, 2, 3)
_WHOLE_AND_PHASES = (None, 1, 2, 3)
_EXPORT = Item("measurement", 4, factor=10, quantity="energy_export", unit="Wh")

YEAR_2007: Mapping[str, tuple[Item, ...]] = {
    # Combined energy may be negative; with no energy fed back it is the forward energy.
    "00000000": (Item("energy_wh", 4, factor=10, signed=True),),
    "00010000": (Item("energy_wh", 4, factor=10),),
    "00020000": (_EXPORT,),
    **{f"02010{phase}00": (_volts(phase),) for phase in _PHASES},
    **{f"02020{phase}00": (_amps(phase),) for phase in _PHASES},
    **{f"02030{phase or 0}00": (_watts(phase),) for phase in _WHOLE_AND_PHASES},
    **{f"02060{phase or 0}00": (_factor(phase),) for phase in _WHOLE_AND_PHASES},
    "0201FF00": tuple(map(_volts, _PHASES)),
    "0202FF00": tuple(map(_amps, _PHASES)),
    "0203FF00": tuple(map(_watts, _WHOLE_AND_PHASES)),
    "0206FF00": tuple(map(_factor, _WHOLE_AND_PHASES)),
    "02800002": (Item("measurement", 2, parts=100, quantity="frequency", unit="Hz"),),
}
"""By DI3 DI2 DI1 DI0. Confirmed by frames: 00010000, 00000000, 02010100; the others stand so in several independent public
programs, and are marked unconfirmed in lighting-and-meters.md where that names them."""

YEAR_1997: Mapping[str, tuple[Item, ...]] = {
    "9010": (Item("energy_wh", 4, factor=10),),
    "9020": (_EXPORT,),
    **{f"B61{phase}": (Item("volts", 2, phase=phase),) for phase in _PHASES},
    **{f"B62{phase}": (Item("amps", 2, parts=100, phase=phase),) for phase in _PHASES},
    **{f"B63{phase or 0}": (Item("watts", 3, parts=10, phase=phase),) for phase in _WHOLE_AND_PHASES},
    **{f"B65{phase or 0}": (Item("power_factor", 2, parts=1000, phase=phase),) for phase in _WHOLE_AND_PHASES},
}
"""By DI1 DI0. No public frames are known (unconfirmed)."""


class Rules(NamedTuple):
    """How an edition reads.

    Args:
        read: the function of a request to read, and of its reply.
        octets: bytes of an identifier.
        items: what identifiers mean.
        asked: identifiers of a round: for a meter of one phase, and of three.
    """

    read: int
    octets: int
    items: Mapping[str, tuple[Item, ...]]
    asked: Mapping[int, Sequence[str]]


RULES: Mapping[Edition, Rules] = {
    "2007": Rules(
        0x11,
        4,
        YEAR_2007,
        {
            1: ("00010000", "02010100", "02020100", "02030000", "02060000"),
            3: (
                "00010000",
                *(f"02010{phase}00" for phase in _PHASES),
                *(f"02020{phase}00" for phase in _PHASES),
                *(f"02030{phase or 0}00" for phase in _WHOLE_AND_PHASES),
                "02060000",
            ),
        },
    ),
    "1997": Rules(
        0x01,
        2,
        YEAR_1997,
        {
            1: ("9010", "B611", "B621", "B630", "B650"),
            3: (
                "9010",
                *(f"B61{phase}" for phase in _PHASES),
                *(f"B62{phase}" for phase in _PHASES),
                *(f"B63{phase or 0}" for phase in _WHOLE_AND_PHASES),
                "B650",
            ),
        },
    ),
}
"""By edition."""
