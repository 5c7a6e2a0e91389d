"""What may become of an alert: one table (alerts.md, first table), and the diagram drawn from it.

Whoever wants to know whether a transition is legal asks `after`; nothing else in the project decides it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from gateway.alerts.alert import AlertState
from gateway.errors import LamplighterError
from gateway.instants import MINUTE, Duration

Trigger = Literal[
    "raise",
    "repeat",
    "step",
    "note",
    "comment",
    "ack",
    "expire",
    "start",
    "end",
    "merge",
    "resolve",
    "again",
    "verify",
    "close",
    "retract",
]

STATES: tuple[AlertState, ...] = ("open", "acknowledged", "in_progress", "resolved", "closed", "retracted")
ACTIVE: frozenset[AlertState] = frozenset({"open", "acknowledged", "in_progress"})
"""Somebody still has to do something."""
FINAL: frozenset[AlertState] = frozenset({"closed", "retracted"})

ACK_EXPIRES: Duration = 30 * MINUTE
"""An acknowledgement without work started lapses (alerts.md, table)."""
SAME_WITHIN: Duration = 10 * MINUTE
"""The same subject again within this is the same occurrence (alerts.md, table)."""
VERIFY_AFTER: Duration = 10 * MINUTE
"""An end seen by the sensor that lasts so long closes the alert (alerts.md, table)."""


class Refused(LamplighterError):  # noqa: N818 - what the gateway did, not what went wrong in it
    """An illegal transition: nothing changed.

    Args:
        reason: why, in words.
        status: `unknown` (no such alert), `illegal` (not from this state) or `invalid` (what was asked for makes no sense).
    """

    def __init__(self, reason: str, status: str = "illegal") -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class Row(NamedTuple):
    """One legal transition. `by`: who may cause it; `when`: in words, for the diagram."""

    before: AlertState | None
    trigger: Trigger
    after: AlertState
    by: Literal["rule", "clock", "person"]
    when: str


TABLE: tuple[Row, ...] = (
    Row(None, "raise", "open", "rule", "condition began"),
    Row("open", "repeat", "open", "rule", "condition repeats"),
    Row("open", "step", "open", "clock", "escalation step"),
    Row("open", "ack", "acknowledged", "person", "acknowledged"),
    Row("open", "start", "in_progress", "person", "work started"),
    Row("open", "end", "resolved", "rule", "condition ended"),
    Row("open", "merge", "resolved", "rule", "merged into its cause"),
    Row("open", "resolve", "resolved", "person", "by hand, with a reason"),
    Row("open", "retract", "retracted", "rule", "evidence disproved it"),
    Row("acknowledged", "repeat", "acknowledged", "rule", "condition repeats"),
    Row("acknowledged", "expire", "open", "clock", "30 min without work, next level"),
    Row("acknowledged", "start", "in_progress", "person", "work started"),
    Row("acknowledged", "end", "resolved", "rule", "condition ended"),
    Row("acknowledged", "merge", "resolved", "rule", "merged into its cause"),
    Row("acknowledged", "resolve", "resolved", "person", "by hand, with a reason"),
    Row("acknowledged", "retract", "retracted", "rule", "evidence disproved it"),
    Row("in_progress", "repeat", "in_progress", "rule", "condition repeats"),
    Row("in_progress", "end", "resolved", "rule", "condition ended"),
    Row("in_progress", "merge", "resolved", "rule", "merged into its cause"),
    Row("in_progress", "resolve", "resolved", "person", "by hand, with a reason"),
    Row("in_progress", "retract", "retracted", "rule", "evidence disproved it"),
    Row("resolved", "again", "open", "rule", "again within 10 min"),
    Row("resolved", "verify", "closed", "clock", "10 min after the sensor saw the end"),
    Row("resolved", "close", "closed", "person", "followed up"),
    Row("resolved", "retract", "retracted", "rule", "evidence disproved it"),
    *(Row(state, "comment", state, "person", "comment") for state in STATES),
    *(Row(state, "note", state, "rule", "remark of the gateway") for state in STATES),
)

_AFTER: dict[tuple[AlertState | None, Trigger], AlertState] = {(row.before, row.trigger): row.after for row in TABLE}

_REFUSALS: dict[Trigger, str] = {
    "ack": "only an open alert can be acknowledged",
    "start": "work starts on an open or acknowledged alert",
    "resolve": "only an open, acknowledged or started alert can be resolved",
    "close": "only a resolved alert can be closed: resolve it first",
}


def after(state: AlertState | None, trigger: Trigger) -> AlertState:
    """The state that `trigger` leads to from `state` (None: no alert yet).

    Raises:
        Refused: the table has no such row.
    """
    found = _AFTER.get((state, trigger))
    if found is None:
        rule = _REFUSALS.get(trigger, f"no {trigger} from here")
        raise Refused(f"the alert is {state}: {rule}")
    return found


def diagram() -> str:
    """The table as a Mermaid state diagram; rows that change no state are left out."""
    lines = ["stateDiagram-v2"]
    for row in TABLE:
        if row.before != row.after:
            lines.append(f"    {row.before or '[*]'} --> {row.after}: {row.when} ({row.by})")
    lines += [f"    {state} --> [*]" for state in STATES if state in FINAL]
    return "\n".join(lines)
