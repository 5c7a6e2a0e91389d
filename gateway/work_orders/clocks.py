"""The clocks of orders: from when they run and until when a step is owed, what an outage excuses, and what the alerts hear of a late one.

What a clock has come to (in time, late, unknown) follows from its order: `Case.came_to`.
"""

from __future__ import annotations

import msgspec

from gateway.instants import MINUTE, Duration, Instant, moment
from gateway.rules.findings import Signal
from gateway.site.model import Site
from gateway.work_orders.case import Case, Clock
from gateway.work_orders.history import History
from gateway.work_orders.order import Urgency

LATE = "work_order_late"

GRACE: Duration = 10 * MINUTE
"""At least so long after an outage a step that fell due in it can still be recorded before anybody is told. Ours."""


class Clocks:
    """Starts and stops the clocks of all orders of a site; `signals` are those of `work_order_late` that the alerts have yet to hear of."""

    def __init__(self, site: Site, history: History) -> None:
        self.signals: list[Signal] = []
        self._within = site.work_orders
        self._zone = site.zone_info
        self._history = history

    def start(self, case: Case, at: Instant, now: Instant, *, waits: bool = True) -> None:
        """Let the clock run from `at`, or if it `waits` from the time agreed with the resident if that is later; at `due` it is still in time."""
        case.clock_from = at if case.agreed is None or not waits else max(at, case.agreed)
        emergency = case.urgency == "emergency"
        within = self._within.emergency_arrive_within if emergency else self._within.ordinary_repair_within
        case.due = case.clock_from + within
        case.tell_at, case.excused_to, case.overdue = max(case.due + 1, now), None, False

    def change(self, case: Case, urgency: Urgency, at: Instant) -> None:
        """Another urgency is another clock: raised, it starts now; lowered, it counts from the report. What has run out stays known."""
        self.end(case, at, "prioritised")
        if case.overdue or (case.due < at and case.cycle() == "in_time"):
            case.stop_clock()
        case.late = "no"
        case.urgency = urgency
        raised = urgency == "emergency"
        self.start(case, at if raised else case.since, at, waits=not raised)

    def owe_again(self, case: Case, at: Instant) -> None:
        """What proved the step proves nothing any more, or the fault is seen again: if the step is missing now, that is told in its time."""
        if case.step_at is None and not case.overdue:
            case.tell_at = max(case.due + 1, at, case.excused_to or at)

    def excuse(self, case: Case, down_from: Instant, now: Instant) -> None:
        """Nobody could record a step that fell due while the gateway was down: there is as much time for it as was left then."""
        if case.tell_at is not None and case.tell_at <= now:
            left = max(case.tell_at - down_from, GRACE)
            case.tell_at = case.excused_to = now + left
            self._history.record(case, "note", now, "clock", "excused", "gateway_down")

    def fire(self, case: Case, at: Instant, *, attended: bool) -> None:
        """Time has come to `at`. `attended`: people can record their steps here; if not, none that is missing is told."""
        if case.tell_at is None or case.tell_at > at:
            return
        case.tell_at = None
        if case.cycle() == "running" and attended:
            case.overdue = True
            self._history.record(case, "note", at, "clock", "late")
            self._tell(case, at)

    def settle(self, case: Case, at: Instant) -> None:
        """An order changed: what is owed no more is not told, what is late is, and what was told ends or is taken back."""
        done = case.cycle()
        if done != "running" and not case.overdue:
            case.tell_at = None
        if case.overdue and case.late != "standing" and case.step_at is None and not case.final:
            self._tell(case, at)  # what disproved it proves nothing
        for cycle in (*case.earlier, case):
            clocks: list[Clock | Case] = [*cycle.stopped, cycle]
            for clock in clocks:
                if clock.late != "no" and cycle.came_to(clock) == "in_time" and cycle.disproved(clock):
                    self._retract(case, clock, at)
        if done in {"in_time", "unknown", "none"} or case.step_at is not None or case.final:
            self.end(case, at, case.state)

    def end(self, case: Case, at: Instant, why: str) -> None:
        """Nobody is awaited any more, for a reason; it was late all the same."""
        if case.late == "standing":
            case.late = "ended"
            self.signals.append(Signal(rule=LATE, subject=case.id, action="resolve", at=at, why=why))

    def _tell(self, case: Case, at: Instant) -> None:
        key = "arrive_by" if case.urgency == "emergency" else "repair_by"
        details: dict[str, str | int | float | list[str]] = {key: moment(case.due, self._zone).isoformat()}
        if case.place is not None:
            details["place"] = case.place
        if case.assignee is not None:
            details["assignee"] = case.assignee
        case.late = "standing"
        self.signals.append(
            Signal(
                rule=LATE,
                subject=case.id,
                action="raise",
                at=at,
                raised=case.due,
                details=details,
                severity=None if case.urgency == "emergency" else "minor",
                place=case.place,
            )
        )

    def _retract(self, case: Case, clock: Clock | Case, at: Instant) -> None:
        standing, clock.late = clock.late == "standing", "no"
        never = Signal(rule=LATE, subject=case.id, action="retract", at=at, raised=clock.due, why="proved_in_time")
        self.signals.append(never)
        if standing:
            # It may have begun with the clock before and come again within 10 min: that one is no false one, it ends.
            self.signals.append(msgspec.structs.replace(never, action="resolve", raised=None))
