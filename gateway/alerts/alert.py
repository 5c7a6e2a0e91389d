"""The types of the alerts room."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from gateway.instants import Instant
from gateway.site.model import Severity

AlertState = Literal["open", "acknowledged", "in_progress", "resolved", "closed", "retracted"]
Action = Literal["ack", "start", "resolve", "close", "comment"]


class Transition(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"before": "from", "after": "to"}
):
    """One row of an alert's history. `before` is None for the first; equal states: a comment, a repeat, a notice step.

    `evidence`: what it rests on: observations by their keys (`device/boot/seq` or `device/kind/at`), visits as `visit:ROUND#POSITION`.
    Empty: a person's word, the clock, or nothing that the rule could name.
    """

    at: datetime
    before: AlertState | None
    after: AlertState
    by: str
    why: str
    evidence: tuple[str, ...] = ()


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as the API shows it. `raised`: when the condition began by the evidence; `detected`: when it was found."""

    id: str
    rule: str
    subject: str
    severity: Severity
    state: AlertState
    raised: datetime
    detected: datetime
    updated: datetime
    caused_by: str | None
    message: str
    occurrence: int = 1
    place: str | None = None
    suppressed: str | None = None
    """Why nobody is told: `merged`, an inhibiting alert's id, a silence's id; None: told."""
    level: int = 0
    """Escalation steps done."""
    next_step: datetime | None = None
    """When the next escalation step is due; None: none is."""
    exhausted: bool = False
    details: dict[str, str | int | float | list[str]] = {}
    history: tuple[Transition, ...] = ()


class AlertTransition(msgspec.Struct, frozen=True, kw_only=True):
    """One appended journal row: the transition and the alert as it is after it."""

    alert: Alert
    transition: Transition


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one contact, to be sent at least once. `key` is the idempotency key: the same evidence, the same key.

    `at`: when it arose, by the clock of what it tells, which may be before it is written; `due`: when it is to be sent.
    """

    key: str
    at: Instant
    contact: str
    alert: str
    kind: Literal["raised", "escalated", "reminder", "resolved", "retracted", "corrected", "merged"]
    due: Instant
    title: str
    body: str


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A person's action on an alert, by id or by (rule, subject)."""

    at: Instant
    by: str
    action: Action
    alert: str | None = None
    rule: str | None = None
    subject: str | None = None
    why: str = ""


class AlertChanges(msgspec.Struct, kw_only=True):
    """What changed since it was last asked."""

    transitions: list[AlertTransition] = msgspec.field(default_factory=list)
    notices: list[Notice] = msgspec.field(default_factory=list)
