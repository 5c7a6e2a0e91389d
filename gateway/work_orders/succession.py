"""Orders that do not come about again where the past is judged anew: what is kept of one is made of what the journal has of it, as it was last shown."""

from __future__ import annotations

from datetime import datetime

from gateway.instants import Instant, instant
from gateway.work_orders.case import Case, Clock
from gateway.work_orders.order import Lateness, Order, Urgency
from gateway.work_orders.proofs import Seen


def case_of(order: Order, tell_at: Instant) -> Case:
    """What is kept of an order, made of what was shown of it; if its step is missing, that is not told before `tell_at`."""
    arrival, repair, due, late = order.arrival, order.repair, instant(order.due), order.lateness
    case = _begun(order, order.urgency, due)
    case.state, case.owner = order.state, order.owner
    case.alerts, case.what, case.personal = list(order.alerts), order.what, order.personal
    case.standing = "ended" if order.fault in ("ended_by_itself", "ended_unseen") else order.fault
    case.ended, case.unseen = _when(order.fault_ended), order.fault == "ended_unseen"
    case.by_plan = case.unseen and order.arrival is None
    case.follow_ups, case.reopened = list(order.follow_ups), order.reopened
    case.reworked, case.rework_of, case.reworked_by = order.reworked, order.rework_of, order.reworked_by
    case.joined, case.merged_into = list(order.joined), order.merged_into
    case.history = list(order.history)
    _go_through(case)
    if order.assignee is None:
        case.assignee, case.assigned, case.sent = None, None, []
    if arrival is not None:
        case.arrival_stated, case.arrival_by, case.arrival_person = (
            _when(arrival.stated),
            arrival.stated_by,
            arrival.person,
        )
        if arrival.proved is not None and arrival.device is not None:
            case.arrival_proved = Seen(
                instant(arrival.proved),
                arrival.device,
                arrival.point or "",
                arrival.person or "",
                instant(arrival.received or arrival.proved),
            )
            case.arrival_prover = arrival.person
    if repair is not None:
        case.repair_stated, case.repair_by, case.contradicted = (
            _when(repair.stated),
            repair.stated_by,
            repair.contradicted,
        )
    if order.verified is not None:
        case.verified_at, case.verified_by = instant(order.verified.at), order.verified.by
    if late is not None and late.due != order.due:
        _ran_out_before(case, order, late)
    elif late is not None and late.done is None:
        case.overdue = True
    if case.step_at is None and case.overdue:
        case.late = "standing"
    elif case.step_at is None:
        case.tell_at = max(due + 1, tell_at)
    if order.excused:
        case.excused_to = max(due, tell_at)
    return case


def _begun(order: Order, urgency: Urgency, due: Instant) -> Case:
    """A cycle of an order, in which nothing was done yet."""
    reported = instant(order.reported)
    return Case(
        id=order.id,
        urgency=urgency,
        area=order.area,
        source=order.source,
        reported=reported,
        since=reported,
        place=order.place,
        rule=order.rule,
        subject=order.subject,
        clock_from=reported,
        due=due,
    )


def _go_through(case: Case) -> None:
    """What the rows say of the cycle that runs: since when it does, who was sent in it, and whether its clock ran out."""
    for step in case.history:
        at = instant(step.at)
        match step.action:
            case "reopen":
                case.since, case.overdue = at, False
                case.assignee, case.assigned, case.sent = None, None, []
            case "assign":
                case.send(step.why.partition(": ")[0], at)
            case "prioritise":
                case.overdue = False
            case "late":
                case.overdue = True
            case _:
                pass


def _ran_out_before(case: Case, order: Order, late: Lateness) -> None:
    """A clock before the one that runs was late, of this cycle or of an earlier one; what is heard late may still acquit of it."""
    urgency: Urgency = "emergency" if late.step == "arrival" else "ordinary"
    due = instant(late.due)
    if due > case.since:
        case.stopped = [Clock(urgency=urgency, due=due, overdue=True, late="ended")]
        return
    cycle = _begun(order, urgency, due)
    cycle.overdue, cycle.late = True, "ended"
    for step in order.history:
        if step.action == "assign":
            cycle.send(step.why.partition(": ")[0], instant(step.at))
    if late.done is not None and late.step == "arrival":
        cycle.state, cycle.arrival_stated = "arrived", instant(late.done)
    elif late.done is not None:
        cycle.state, cycle.repair_stated = "repaired", instant(late.done)
    case.earlier = [cycle]


def _when(at: datetime | None) -> Instant | None:
    return None if at is None else instant(at)
