"""The types of a work order as the API shows it. Statement and proof are separate fields, and both times are kept."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from gateway.work_orders.lifecycle import State

Urgency = Literal["emergency", "ordinary"]
Area = Literal["everyday", "warranty", "common"]
"""A resident's home; the same while the builder must repair; a common area."""
Source = Literal["rule", "alert", "report"]
"""From an alert by rule, from an alert by hand, or from a person's report."""
Punctual = Literal["running", "in_time", "late", "unknown", "none"]
"""Of the step that the clock waits for: not yet decided; in time; late; the gateway was down at the time; it is owed no more."""
Fault = Literal["standing", "ended", "ended_by_itself", "ended_unseen", "merged", "disproved", "closed_by_hand"]
"""What the sensor that reported the fault says of it."""


class Step(msgspec.Struct, frozen=True, kw_only=True, rename={"before": "from", "after": "to"}):
    """One row of an order's history."""

    at: datetime
    before: State | None
    after: State
    by: str
    action: str
    why: str = ""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody came. `stated` by a person, `proved` by the technician's tag read at `point` (which may have been heard later)."""

    at: datetime
    person: str | None = None
    stated: datetime | None = None
    stated_by: str | None = None
    proved: datetime | None = None
    point: str | None = None
    device: str | None = None
    received: datetime | None = None


class Lateness(msgspec.Struct, frozen=True, kw_only=True):
    """The step that was not done by `due`, or was later. `person`: who was sent at that time; None: nobody."""

    step: Literal["arrival", "repair"]
    due: datetime
    done: datetime | None = None
    person: str | None = None


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """It was mended. `stated` by a person, `proved` by the sensor that reported the fault (`alert`).

    `contradicted`: it is said to be mended, and the sensor still reports the fault.
    """

    at: datetime
    stated: datetime | None = None
    stated_by: str | None = None
    proved: datetime | None = None
    alert: str | None = None
    contradicted: bool = False


class FollowUp(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody was asked. `content` None: not reached. `personal`: the key of who and of their words."""

    at: datetime
    by: str
    content: bool | None
    personal: str | None = None


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """An own engineer looked at what the builder repaired."""

    at: datetime
    by: str


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A work order (维修单).

    Attributes:
        id: day of the site and running number: `20261126-003`.
        owner: who took it first and answers for it to the end (首位责任制).
        what: what the alert says; a report's words are under `personal`.
        prove_at: checkpoints and readers at which the technician's tag proves the arrival; none: it can only be stated.
        personal: the key of a reporter's words (name, telephone …); they may have been erased.
        clock: the step that is due at `due`: arrival in an emergency, else the repair.
        lateness: of the first clock that ran out; it may be none that runs now.
        excused: the gateway was down when it was due; nobody is late for that.
        reopened: how many times.
        follow_up_due: from when on the reporter is to be asked.
        reworked: the fault came back, or the reporter was not content, within the site's `rework_within` of the repair.
        rework_of, reworked_by: the same fault again within the site's `rework_within` of the repair.
        joined: orders that ended in this one, since its alert is the cause of theirs.
    """

    id: str
    state: State
    urgency: Urgency
    area: Area
    source: Source
    reported: datetime
    place: str | None = None
    rule: str | None = None
    subject: str | None = None
    alerts: tuple[str, ...] = ()
    what: str | None = None
    personal: str | None = None
    owner: str | None = None
    assignee: str | None = None
    clock: Literal["arrival", "repair"]
    due: datetime
    punctual: Punctual
    lateness: Lateness | None = None
    excused: bool = False
    fault: Fault | None = None
    fault_ended: datetime | None = None
    prove_at: tuple[str, ...] = ()
    arrival: Arrival | None = None
    repair: Repair | None = None
    verified: Verified | None = None
    follow_up_due: datetime | None = None
    follow_ups: tuple[FollowUp, ...] = ()
    reopened: int = 0
    reworked: bool = False
    rework_of: str | None = None
    reworked_by: str | None = None
    joined: tuple[str, ...] = ()
    merged_into: str | None = None
    reason: str | None = None
    closed: datetime | None = None
    history: tuple[Step, ...] = ()


# What people say with an action (BookOperation.details)


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's report (报修). `at`: when they called, if it is written down later; `agreed`: when they want it done."""

    personal: str
    place: str | None = None
    urgency: Urgency = "ordinary"
    area: Area = "everyday"
    at: datetime | None = None
    agreed: datetime | None = None
    again_of: str | None = None


class FromAlert(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order from an alert, by hand: the alert as it is."""

    alert: str
    rule: str
    subject: str
    urgency: Urgency = "ordinary"
    place: str | None = None
    what: str = ""
    standing: bool = True


class Assign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    to: str


class Arrive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`at`: when, if it is written down later; `person`: who, if not the assignee."""

    at: datetime | None = None
    person: str | None = None


class Mended(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    at: datetime | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    content: bool | None
    personal: str | None = None


class Prioritise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    urgency: Urgency


class Nothing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An action that needs no more than a reason."""
