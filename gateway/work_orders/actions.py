"""What people do with an order that there is: what each action needs besides a legal step, and what it changes of the order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import TypeVar

import msgspec

from gateway.alerts.lifecycle import Refused
from gateway.books import BookOperation
from gateway.instants import Instant, instant, moment
from gateway.site.model import Site
from gateway.work_orders import lifecycle
from gateway.work_orders.case import FOLLOW_UPS, Case
from gateway.work_orders.clocks import Clocks
from gateway.work_orders.history import History
from gateway.work_orders.lifecycle import Trigger
from gateway.work_orders.order import Arrive, Asked, Assign, FollowUp, Mended, Nothing, Prioritise
from gateway.work_orders.repairs import Repairs
from gateway.work_orders.rework import Rework

ACTIONS = ("assign", "arrive", "repair", "verify", "follow_up", "close", "cancel", "prioritise", "comment")
"""What people do with an order; `report` and `open` make one."""
ABOUT_WHO_CAME = frozenset({"assign", "arrive"})
"""After these the taps may prove something else."""
BESIDES = frozenset({"verify", "comment"})
"""Nothing follows from these."""

WHOM_LIMIT = 64
"""Characters of whom an order is assigned to."""

Details = TypeVar("Details", bound=msgspec.Struct)


class Actions:
    """Does what people do with the orders of a site. Each action checks first: what is refused has changed nothing."""

    def __init__(self, site: Site, history: History, clocks: Clocks, repairs: Repairs, rework: Rework) -> None:
        self._zone = site.zone_info
        self._history = history
        self._clocks = clocks
        self._repairs = repairs
        self._rework = rework
        self._do: dict[str, Callable[[Case, BookOperation, Instant], None]] = {
            "assign": self._assign,
            "arrive": self._arrive,
            "repair": self._repair,
            "verify": self._verify,
            "follow_up": self._follow_up,
            "close": self._close,
            "cancel": self._cancel,
            "prioritise": self._prioritise,
            "comment": self._comment,
        }

    def do(self, case: Case, operation: BookOperation, at: Instant) -> None:
        """A person acts on an order: one of `ACTIONS`.

        Raises:
            Refused: nothing changed.
        """
        self._do[operation.action](case, operation, at)

    def _assign(self, case: Case, operation: BookOperation, at: Instant) -> None:
        said = details(operation, Assign)
        lifecycle.after(case.state, "assign")
        to = said.to.strip()
        if not to or len(to) > WHOM_LIMIT:
            raise Refused(f"assigned to whom? A person of the site, or who it is, in at most {WHOM_LIMIT} characters")
        case.send(to, at)
        self._record(case, "assign", operation, at, item=to)

    def _arrive(self, case: Case, operation: BookOperation, at: Instant) -> None:
        said = details(operation, Arrive)
        lifecycle.after(case.state, "arrive")
        if case.arrival_stated is not None:
            raise Refused("the arrival is recorded already")
        stated = time_said(said.at, at, case.since, self._zone)
        case.arrival_stated, case.arrival_by = stated, operation.by
        case.arrival_person = said.person or case.assignee or operation.by
        self._record(case, "arrive", operation, at)

    def _repair(self, case: Case, operation: BookOperation, at: Instant) -> None:
        said = details(operation, Mended)
        lifecycle.after(case.state, "repair")
        if case.repair_stated is not None:
            raise Refused("the repair is recorded already")
        stated = time_said(said.at, at, case.arrived or case.since, self._zone)
        case.repair_stated, case.repair_by = stated, operation.by
        self._repairs.said(case, stated, at)
        self._record(case, "repair", operation, at)

    def _verify(self, case: Case, operation: BookOperation, at: Instant) -> None:
        details(operation, Nothing)
        lifecycle.after(case.state, "verify")
        if case.area != "warranty":
            raise Refused("only what the builder repaired under warranty is looked at by an own engineer")
        case.verified_at, case.verified_by = at, operation.by
        self._record(case, "verify", operation, at)

    def _follow_up(self, case: Case, operation: BookOperation, at: Instant) -> None:
        said = details(operation, Asked)
        trigger: Trigger = "not_reached" if said.content is None else "follow_up" if said.content else "reopen"
        lifecycle.after(case.state, trigger)
        if said.content:
            self._check_verified(case)
        asked = FollowUp(at=moment(at, self._zone), by=operation.by, content=said.content, personal=said.personal)
        case.follow_ups = [*case.follow_ups, asked][-FOLLOW_UPS:]
        if trigger == "reopen":
            self._rework.discontent(case, at)
            self._clocks.end(case, at, "reopened")
            case.end_cycle()
            case.reopened += 1
            self._begin_anew(case, at)
        self._record(case, trigger, operation, at)

    def _begin_anew(self, case: Case, at: Instant) -> None:
        """A new cycle begins: who came and what was done before stands in the history."""
        case.since, case.late, case.sent = at, "no", []
        case.assignee = case.assigned = case.agreed = None
        case.arrival_stated = case.arrival_by = case.arrival_person = case.arrival_proved = case.arrival_prover = None
        case.repair_stated = case.repair_by = case.verified_at = case.verified_by = None
        self._repairs.begin_anew(case)
        self._clocks.start(case, at, at)

    def _close(self, case: Case, operation: BookOperation, at: Instant) -> None:
        details(operation, Nothing)
        lifecycle.after(case.state, "close")
        if case.state == "repaired":
            if case.source == "report" and not case.follow_ups:
                raise Refused("ask the reporter first: record the follow-up, be it that nobody was reached")
            if not operation.why.strip():
                raise Refused("an order that nobody was asked about is closed with a reason")
            self._check_verified(case)
        self._record(case, "close", operation, at)

    def _check_verified(self, case: Case) -> None:
        if case.area == "warranty" and case.verified_at is None and case.proved_end is None:
            raise Refused("an own engineer has to look at the builder's repair first")

    def _cancel(self, case: Case, operation: BookOperation, at: Instant) -> None:
        details(operation, Nothing)
        lifecycle.after(case.state, "cancel")
        if not operation.why.strip():
            raise Refused("an order is cancelled with a reason")
        case.reason = operation.why.strip()
        self._record(case, "cancel", operation, at)

    def _prioritise(self, case: Case, operation: BookOperation, at: Instant) -> None:
        said = details(operation, Prioritise)
        lifecycle.after(case.state, "prioritise")
        if said.urgency == case.urgency:
            raise Refused(f"the order is {case.urgency} already")
        if not operation.why.strip():
            raise Refused("the urgency is changed with a reason")
        self._clocks.change(case, said.urgency, at)
        self._record(case, "prioritise", operation, at, item=said.urgency)

    def _comment(self, case: Case, operation: BookOperation, at: Instant) -> None:
        details(operation, Nothing)
        if not operation.why.strip():
            raise Refused("a comment needs a text")
        self._record(case, "comment", operation, at)

    def _record(self, case: Case, trigger: Trigger, operation: BookOperation, at: Instant, *, item: str = "") -> None:
        self._history.record(case, trigger, at, operation.by, trigger, operation.why, item=item)


def details(operation: BookOperation, shape: type[Details]) -> Details:
    """What a person says with an action.

    Raises:
        Refused: it is not what the action needs.
    """
    try:
        return msgspec.convert(dict(operation.details), shape)
    except msgspec.ValidationError as error:
        raise Refused(f"{operation.action}: {error}") from error


def time_said(said: datetime | None, at: Instant, earliest: Instant, zone: tzinfo) -> Instant:
    """A time that a person gives, written down at `at`; it cannot be later than that, nor before what it follows. None: `at`.

    Raises:
        Refused: it cannot be.
    """
    if said is None:
        return at
    stated = with_offset(said)
    if stated > at:
        raise Refused("the time given has not come yet")
    if stated < earliest:
        raise Refused(f"the time given is before {moment(earliest, zone):%Y-%m-%d %H:%M:%S}, which it cannot be")
    return stated


def with_offset(said: datetime) -> Instant:
    """A time that a person gives.

    Raises:
        Refused: it leaves open where it is that late.
    """
    if said.tzinfo is None:
        raise Refused("a time needs its offset, such as +08:00")
    return instant(said)
