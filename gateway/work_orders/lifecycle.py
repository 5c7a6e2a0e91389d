"""What may become of a work order: one table (alerts.md, Work order), and the diagram drawn from it.

Whoever wants to know whether a step is legal asks `after`; nothing else decides it. What a legal step needs besides (a reason, a
time that fits) is checked where it is taken, in `actions.py`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from gateway.alerts.lifecycle import Refused

State = Literal["reported", "assigned", "arrived", "repaired", "followed_up", "reopened", "closed", "cancelled"]
Trigger = Literal[
    "raise",
    "open",
    "report",
    "assign",
    "arrive",
    "tap",
    "withdraw",
    "repair",
    "held",
    "verify",
    "follow_up",
    "not_reached",
    "reopen",
    "close",
    "cancel",
    "merge",
    "lapse",
    "prioritise",
    "comment",
    "note",
]

STATES: tuple[State, ...] = (
    "reported",
    "assigned",
    "arrived",
    "repaired",
    "followed_up",
    "reopened",
    "closed",
    "cancelled",
)
FINAL: frozenset[State] = frozenset({"closed", "cancelled"})
WAITING: frozenset[State] = frozenset({"reported", "assigned", "reopened"})
"""Nobody has come yet."""
UNMENDED: frozenset[State] = WAITING | {"arrived"}


class Row(NamedTuple):
    """One legal step. `by`: who may cause it; `when`: in words, for the diagram."""

    before: State | None
    trigger: Trigger
    after: State
    by: Literal["rule", "clock", "person"]
    when: str


TABLE: tuple[Row, ...] = (
    Row(None, "raise", "reported", "rule", "an alert"),
    Row(None, "open", "reported", "person", "from an alert, by hand"),
    Row(None, "report", "reported", "person", "a report"),
    Row("reported", "assign", "assigned", "person", "assigned"),
    Row("assigned", "assign", "assigned", "person", "assigned to another"),
    Row("reopened", "assign", "assigned", "person", "assigned again"),
    *(Row(state, "arrive", "arrived", "person", "said to have arrived") for state in ("reported", "assigned", "reopened")),
    Row("assigned", "tap", "arrived", "rule", "the technician's tag at the place"),
    Row("arrived", "withdraw", "assigned", "rule", "the tap was another's"),
    Row("repaired", "withdraw", "assigned", "rule", "the tap was another's, and nobody said that it is mended"),
    Row("arrived", "arrive", "arrived", "person", "said, after the tap"),
    Row("arrived", "repair", "repaired", "person", "said to be repaired"),
    Row("arrived", "held", "repaired", "clock", "the sensor has held the end for 10 min"),
    Row("repaired", "repair", "repaired", "person", "said, after the sensor"),
    Row("repaired", "held", "closed", "clock", "said, and the sensor has held it for 10 min"),
    Row("repaired", "verify", "repaired", "person", "looked at by an own engineer"),
    Row("repaired", "follow_up", "followed_up", "person", "asked, and content"),
    Row("repaired", "not_reached", "repaired", "person", "nobody reached"),
    Row("repaired", "reopen", "reopened", "person", "asked, and not content"),
    Row("followed_up", "reopen", "reopened", "person", "not content after all"),
    Row("repaired", "close", "closed", "person", "nobody to ask, or nobody reached"),
    Row("followed_up", "close", "closed", "person", "closed"),
    *(Row(state, "cancel", "cancelled", "person", "cancelled, with a reason") for state in ("reported", "assigned", "arrived", "reopened")),
    *(Row(state, "merge", "cancelled", "rule", "its alert is part of another, or was disproved") for state in ("reported", "assigned", "reopened")),
    Row("reported", "lapse", "cancelled", "clock", "ended by itself before anybody was sent"),
    *(Row(state, "prioritise", state, "person", "urgency changed") for state in ("reported", "assigned", "arrived", "reopened")),
    *(Row(state, "comment", state, "person", "comment") for state in STATES),
    *(Row(state, "note", state, "rule", "remark of the gateway") for state in STATES),
)  # fmt: skip

_AFTER: dict[tuple[State | None, Trigger], State] = {(row.before, row.trigger): row.after for row in TABLE}

_REFUSALS: dict[Trigger, str] = {
    "assign": "only an order that nobody has come for yet can be assigned",
    "arrive": "arrival is recorded before the repair, on an order that is not closed",
    "repair": "record the arrival first",
    "verify": "only a repair can be looked at: record it first",
    "follow_up": "the follow-up comes after the repair",
    "not_reached": "the follow-up comes after the repair",
    "reopen": "only a repaired order can be reopened; for a new fault open a new one",
    "close": "an order is closed after its repair; one that needs none is cancelled",
    "cancel": "what is repaired or over cannot be cancelled",
    "prioritise": "urgency can be changed until the repair",
}


def after(state: State | None, trigger: Trigger) -> State:
    """The state that `trigger` leads to from `state` (None: no order yet).

    Raises:
        Refused: the table has no such row.
    """
    found = _AFTER.get((state, trigger))
    if found is None:
        raise Refused(f"the work order is {state}: {_REFUSALS.get(trigger, f'no {trigger} from here')}")
    return found


def diagram() -> str:
    """The table as a Mermaid state diagram; rows that change no state are left out."""
    lines = ["stateDiagram-v2"]
    for row in TABLE:
        if row.before != row.after:
            lines.append(f"    {row.before or '[*]'} --> {row.after}: {row.when} ({row.by})")
    lines += [f"    {state} --> [*]" for state in STATES if state in FINAL]
    return "\n".join(lines)
