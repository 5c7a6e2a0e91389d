"""The fault table of lighting.md in its order, and the numbers in it."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.instants import HOUR, MINUTE, SECOND

LAMP_FAULTS = (
    "lamp_failure",
    "day_burner",
    "no_trigger",
    "cycling_failure",
    "dim",
    "control_gear_failure",
    "relay_failure",
    "thermal_shutdown",
    "emergency_battery",
)
"""Precedence: the first that stands is `fault`; reported names that are not here come last, by name."""

_ORDER = {name: position for position, name in enumerate(LAMP_FAULTS)}


def in_order(faults: set[str]) -> tuple[str, ...]:
    """The faults as the table lists them."""
    return tuple(sorted(faults, key=lambda name: (_ORDER.get(name, len(_ORDER)), name)))


class GroupFault(msgspec.Struct, frozen=True):
    """A fault of a whole circuit: `share` of its lamps in one fault of their own, against those that are well.

    `wrong`: the reading (lit or not) that tells of it.
    """

    name: Literal["circuit_fault", "schedule_fault"]
    of: Literal["lamp_failure", "day_burner"]
    well: Literal["ok", "off_duty"]
    wrong: bool


GROUP_FAULTS = (
    GroupFault("circuit_fault", "lamp_failure", "ok", wrong=False),
    GroupFault("schedule_fault", "day_burner", "off_duty", wrong=True),
)

GROUP_OF: dict[str, GroupFault] = {row.of: row for row in GROUP_FAULTS}

GROUP_LEAST = 3
GROUP_PERCENT = 60
GROUP_WINDOW = 15 * MINUTE

RUN_SAMPLES = 2
FLICKER_CHANGES = 6
FLICKER_WITHIN = 10 * MINUTE
UNTRIGGERED = 3
TRIGGER_DELAY = 5 * SECOND
DIM_SAMPLES = 3
DIM_KNOWN = 10
DIM_KEPT = 20
DIM_PERCENT = 60
GOOD_PERCENT = 80
STUCK_SAMPLES = 20
STUCK_SPAN = 24 * HOUR
UNKNOWN_TOLD = 24 * HOUR
UNKNOWN_ASKED_AGAIN = HOUR
NO_PROOF_AFTER_EDGE = HOUR
