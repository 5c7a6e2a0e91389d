"""Orders of an earlier version: what is kept of one is made of what the journal has of it, as it was last shown."""

from __future__ import annotations

from datetime import datetime

from gateway.instants import Instant, instant
from gateway.work_orders.case import Case
from gateway.work_orders.order import Order
from gateway.work_orders.proofs import Seen


def case_of(order: Order, tell_at: Instant) -> Case:
    """What is kept of an order, made of what was shown of it; if its step is missing, that is not told before `tell_at`."""

    def when(at: datetime | None) -> Instant | None:
        return None if at is None else instant(at)

    arrival, repair, reported, due = order.arrival, order.repair, instant(order.reported), instant(order.due)
    case = Case(
        id=order.id,
        state=order.state,
        urgency=order.urgency,
        area=order.area,
        source=order.source,
        reported=reported,
        since=reported,
        place=order.place,
        rule=order.rule,
        subject=order.subject,
        alerts=list(order.alerts),
        what=order.what,
        personal=order.personal,
        owner=order.owner,
        clock_from=reported,
        due=due,
        overdue=order.punctual == "late",
        standing="ended" if order.fault == "ended_by_itself" else order.fault,
        ended=when(order.fault_ended),
        follow_ups=list(order.follow_ups),
        reopened=order.reopened,
        reworked=order.reworked,
        rework_of=order.rework_of,
        reworked_by=order.reworked_by,
        joined=list(order.joined),
        merged_into=order.merged_into,
        history=list(order.history),
    )
    for step in order.history:
        if step.action == "assign":
            case.send(step.why.partition(": ")[0], instant(step.at))
    if order.assignee is None:
        case.assignee, case.assigned, case.sent = None, None, []
    if arrival is not None:
        case.arrival_stated, case.arrival_by, case.arrival_person = (
            when(arrival.stated),
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
            when(repair.stated),
            repair.stated_by,
            repair.contradicted,
        )
    if case.step_at is None and case.overdue:
        case.late = "standing"
    elif case.step_at is None:
        case.tell_at = max(due + 1, tell_at)
    if order.excused:
        case.excused_to = max(due, tell_at)
    return case
