"""What the book keeps of one order: instants, the taps near it, its clock; and the order that the API shows, made from it."""

from __future__ import annotations

from datetime import tzinfo
from typing import Literal

import msgspec

from gateway.instants import Duration, Instant, moment
from gateway.site.model import WorkOrders
from gateway.work_orders.lifecycle import FINAL, UNMENDED, State
from gateway.work_orders.order import (
    Area,
    Arrival,
    Fault,
    FollowUp,
    Lateness,
    Order,
    Punctual,
    Repair,
    Source,
    Step,
    Urgency,
    Verified,
)
from gateway.work_orders.proofs import Seen

HISTORY_FIRST = 10
HISTORY_LAST = 50
"""An order in memory keeps the first 10 and the last 50 rows of its history; the journal keeps all."""
ALERTS = 20
"""Occurrences of its fault that an order names: the last ones."""
JOINED = 200
"""Orders that ended in it which an order names."""
FOLLOW_UPS = 20
SENT = 20
"""Of whoever was sent in a cycle the last ones."""
EARLIER = 10
"""Earlier cycles of an order, and stopped clocks of a cycle, that late evidence may still judge otherwise: the last ones."""

Late = Literal["no", "standing", "ended"]
"""Whether `work_order_late` was raised of a clock and never taken back: it stands, or has ended."""
_STEPS: dict[Urgency, Literal["arrival", "repair"]] = {"emergency": "arrival", "ordinary": "repair"}
_WORST: tuple[Punctual, ...] = ("late", "unknown", "running", "in_time", "none")


class Clock(msgspec.Struct, kw_only=True):
    """A clock that ran out and was stopped then, since the urgency of its order was changed. Names as in `Case`."""

    urgency: Urgency
    due: Instant
    excused_to: Instant | None = None
    overdue: bool = False
    late: Late = "no"


class Case(msgspec.Struct, kw_only=True):
    """One order in the book.

    Args:
        since: when it was reported or last reopened; earlier taps prove nothing.
        clock_from: from when the clock runs; `due`: until when the step is owed.
        tell_at: when a step that is still missing is told; None: told, done, or no longer owed. Later than `due` after an outage.
        excused_to: until when the step counts as unknown rather than late, because the gateway was down at `due`.
        overdue: `tell_at` passed and the step was missing.
        late: whether `work_order_late` was raised of the clock that runs.
        sent: whoever was assigned in this cycle, and when; `assignee` is the last.
        stopped: clocks of this cycle that ran out before the urgency was changed.
        earlier: earlier cycles as they were when the order was reopened; what proves them may come later.
        past: what cycles and clocks before these came to.
        standing: of the alert the order came from; None: there is none.
        unseen: it is over, but that was not seen by its sensor.
        by_plan: it is over only since nobody can see it for a while: a lamp that burns by day is expected on.
        verified_end: the alert closed: the sensor has held the end for 10 min.
        contradicted: said to be repaired, and the sensor still reports the fault; `disbelieved`: it once was so.
        contradict_at: when a stated repair is held against the sensor; `mute`: at the last such time it could not speak.
    """

    id: str
    state: State = "reported"
    urgency: Urgency
    area: Area
    source: Source
    reported: Instant
    since: Instant
    place: str | None = None
    rule: str | None = None
    subject: str | None = None
    alerts: list[str] = msgspec.field(default_factory=list)
    what: str | None = None
    personal: str | None = None
    owner: str | None = None
    assignee: str | None = None
    assigned: Instant | None = None
    sent: list[tuple[Instant, str]] = msgspec.field(default_factory=list)
    agreed: Instant | None = None

    clock_from: Instant
    due: Instant = 0
    tell_at: Instant | None = None
    excused_to: Instant | None = None
    overdue: bool = False
    late: Late = "no"
    stopped: list[Clock] = msgspec.field(default_factory=list)
    earlier: list[Case] = msgspec.field(default_factory=list)
    past: Punctual = "none"

    standing: Fault | None = None
    ended: Instant | None = None
    unseen: bool = False
    by_plan: bool = False
    verified_end: bool = False
    near: list[str] = msgspec.field(default_factory=list)

    arrival_stated: Instant | None = None
    arrival_by: str | None = None
    arrival_person: str | None = None
    arrival_proved: Seen | None = None
    arrival_prover: str | None = None
    repair_stated: Instant | None = None
    repair_by: str | None = None
    contradicted: bool = False
    disbelieved: bool = False
    contradict_at: Instant | None = None
    mute: bool = False
    verified_at: Instant | None = None
    verified_by: str | None = None

    follow_ups: list[FollowUp] = msgspec.field(default_factory=list)
    reopened: int = 0
    reworked: bool = False
    discontent: bool = False
    """It is rework by its reporter's word."""
    rework_of: str | None = None
    reworked_by: str | None = None
    joined: list[str] = msgspec.field(default_factory=list)
    merged_into: str | None = None
    reason: str | None = None
    closed: Instant | None = None
    history: list[Step] = msgspec.field(default_factory=list)

    @property
    def key(self) -> tuple[str, str] | None:
        """(rule, subject) of the fault; None: a person's report."""
        return None if self.rule is None or self.subject is None else (self.rule, self.subject)

    @property
    def technicians(self) -> frozenset[str]:
        """Whose tags prove an arrival: who is said to have come, and who is sent."""
        return frozenset(name for name in (self.arrival_person, self.assignee) if name is not None)

    @property
    def awaited(self) -> bool:
        """Whether anybody was sent or is said to have come, in this cycle or an earlier one: a tap proves nobody else's arrival."""
        return bool(self.sent or self.earlier) or self.assignee is not None or self.arrival_person is not None

    def concerns(self, person: str) -> bool:
        """Whether a tap of his can prove an arrival; empty: whose it was is not known."""
        if not person:
            return self.arrival_person is not None or self.assignee is not None
        if person in (self.assignee, self.arrival_person):
            return True
        return bool(self.sent) and any(person == each for _, each in self.sent)

    def proved_by(self, device: str) -> bool:
        """Whether an arrival is proved by what a device read."""
        proofs = [cycle.arrival_proved for cycle in (*self.earlier, self)]
        return any(tap is not None and tap.device == device for tap in proofs)

    def send(self, person: str, at: Instant) -> None:
        """Somebody is assigned from now on."""
        if not self.sent and self.assigned is not None and self.assignee is not None:
            self.sent.append((self.assigned, self.assignee))
        self.assignee, self.assigned = person, at
        self.sent = [*self.sent, (at, person)][-SENT:]

    def sent_at(self, at: Instant) -> str | None:
        """Who was assigned at a time of this cycle."""
        if not self.sent:
            return None if self.assigned is None or self.assigned > at else self.assignee
        return next((person for since, person in reversed(self.sent) if since <= at), None)

    @property
    def final(self) -> bool:
        return self.state in FINAL

    @property
    def arrived(self) -> Instant | None:
        """When somebody came: a statement that a tap proves is true as it was said; a tap before it counts, too."""
        return _earlier(self.arrival_stated, None if self.arrival_proved is None else self.arrival_proved.at)

    @property
    def proved_end(self) -> Instant | None:
        """The end that the sensor saw after somebody had come: the proof of the repair."""
        return None if self.unseen else self._end_after_arrival

    @property
    def fault(self) -> Fault | None:
        """What the sensor says: an end before anybody came is no repair, nor is one that it did not see. What only the plan ends has not ended."""
        if self.standing != "ended":
            return self.standing
        if self._end_after_arrival is None and not self.by_plan:
            return "ended_by_itself"
        return "ended_unseen" if self.unseen else "ended"

    @property
    def _end_after_arrival(self) -> Instant | None:
        if self.standing != "ended" or self.ended is None or self.arrived is None or self.ended < self.arrived:
            return None
        return self.ended

    @property
    def repaired(self) -> Instant | None:
        """When it was mended. What the sensor proves later (a lamp is seen lit at dusk) was true when it was said."""
        if self.state in UNMENDED or (self.state == "cancelled" and self.repair_stated is None):
            return None
        proved = self.proved_end
        return proved if proved is not None and self.disbelieved else _earlier(self.repair_stated, proved)

    @property
    def step_at(self) -> Instant | None:
        """When the step that the clock waits for was done."""
        return self.step(self.urgency)

    def step(self, urgency: Urgency) -> Instant | None:
        """When the step of a clock of this cycle was done: arrival in an emergency, else the repair."""
        if urgency == "emergency":
            return self.arrived
        return self.repaired if self.state not in UNMENDED else self.proved_end

    def came_to(self, clock: Clock | Case) -> Punctual:
        """What a clock of this cycle has come to; `running`: its step was not done, and nobody is held late for it."""
        done = self.step(clock.urgency)
        if done is not None and clock.urgency == "ordinary" and self.contradicted:
            return "unknown"
        if done is not None:
            if done <= clock.due:
                return "in_time"
            return "unknown" if clock.excused_to is not None and done <= clock.excused_to else "late"
        return "late" if clock.overdue else "running"

    def cycle(self) -> Punctual:
        """Of the clock since the report or the last reopening."""
        found = self.came_to(self)
        over = self.final or self.fault in {"ended_by_itself", "merged", "disproved"}
        over = over or (self.fault == "ended_unseen" and self.arrived is None)
        return "none" if found == "running" and over else found

    def disproved(self, clock: Clock | Case) -> bool:
        """Whether evidence, not a statement, shows that the step was done in time."""
        if clock.urgency == "emergency":
            return self.arrival_proved is not None and self.arrival_proved.at <= clock.due
        return self.proved_end is not None and self.proved_end <= clock.due

    def punctual(self) -> Punctual:
        """Of all cycles the worst."""
        return min(self.past, self.cycle(), *self._before(), key=_WORST.index)

    def _lateness(self, zone: tzinfo) -> Lateness | None:
        for cycle in (*self.earlier, self):
            clocks: list[Clock | Case] = [*cycle.stopped, cycle]
            for clock in clocks:
                if cycle.came_to(clock) == "late":
                    done = cycle.step(clock.urgency)
                    return Lateness(
                        step=_STEPS[clock.urgency],
                        due=moment(clock.due, zone),
                        done=None if done is None else moment(done, zone),
                        person=cycle.sent_at(clock.due),
                    )
        return None

    def _before(self) -> list[Punctual]:
        """What the clocks came to that run no more; one whose step nobody knows of any more counts against nobody."""
        found = [self.came_to(clock) for clock in self.stopped] + [each.punctual() for each in self.earlier]
        return ["unknown" if each == "running" else each for each in found]

    @property
    def begun(self) -> Instant:
        """When its first cycle began; earlier taps prove nothing."""
        return min((each.since for each in self.earlier), default=self.since)

    def stop_clock(self) -> None:
        """The urgency changes: the clock runs no more. What it has come to may be judged otherwise by what is heard late."""
        self.stopped.append(
            Clock(
                urgency=self.urgency,
                due=self.due,
                excused_to=self.excused_to,
                overdue=self.overdue,
                late=self.late,
            )
        )
        for clock in self.stopped[:-EARLIER]:
            self.past = min(self.past, self.came_to(clock), key=_WORST.index)
        del self.stopped[:-EARLIER]

    def end_cycle(self) -> None:
        """The order is reopened: who came and what was done stays with the cycle that is over."""
        kept = {"alerts": [], "joined": [], "follow_ups": [], "history": [], "near": [], "earlier": [], "past": "none"}
        self.earlier.append(msgspec.structs.replace(self, **kept))
        for cycle in self.earlier[:-EARLIER]:
            self.past = min(self.past, cycle.punctual(), key=_WORST.index)
        del self.earlier[:-EARLIER]
        self.stopped = []

    def deadline(self) -> Instant | None:
        return _earlier(self.tell_at, self.contradict_at)

    def order(self, site: WorkOrders, zone: tzinfo) -> Order:
        """As the API shows it."""

        def when(at: Instant | None) -> object:
            return None if at is None else moment(at, zone)

        repaired = self.repaired
        asks = self.source == "report" and self.state == "repaired" and repaired is not None
        shown: dict[str, object] = {
            "arrival": self._arrival(zone),
            "repair": self._repair(zone),
            "fault_ended": when(self.ended),
            "follow_up_due": when(repaired + site.follow_up_after) if asks and repaired is not None else None,
            "closed": when(self.closed),
        }
        if self.verified_at is not None and self.verified_by is not None:
            shown["verified"] = Verified(at=moment(self.verified_at, zone), by=self.verified_by)
        return Order(
            id=self.id,
            state=self.state,
            urgency=self.urgency,
            area=self.area,
            source=self.source,
            reported=moment(self.reported, zone),
            place=self.place,
            rule=self.rule,
            subject=self.subject,
            alerts=tuple(self.alerts),
            what=self.what,
            personal=self.personal,
            owner=self.owner,
            assignee=self.assignee,
            clock=_STEPS[self.urgency],
            due=moment(self.due, zone),
            punctual=self.punctual(),
            lateness=self._lateness(zone),
            excused=self.excused_to is not None,
            fault=self.fault,
            prove_at=tuple(self.near),
            follow_ups=tuple(self.follow_ups),
            reopened=self.reopened,
            reworked=self.reworked,
            rework_of=self.rework_of,
            reworked_by=self.reworked_by,
            joined=tuple(self.joined),
            merged_into=self.merged_into,
            reason=self.reason,
            history=tuple(self.history),
            **shown,  # type: ignore[arg-type]
        )

    def _arrival(self, zone: tzinfo) -> Arrival | None:
        at, tap, prover = self.arrived, self.arrival_proved, self.arrival_prover
        if at is None:
            return None
        return Arrival(
            at=moment(at, zone),
            person=prover if prover is not None and prover not in self.technicians else self.arrival_person or prover,
            stated=None if self.arrival_stated is None else moment(self.arrival_stated, zone),
            stated_by=self.arrival_by,
            proved=None if tap is None else moment(tap.at, zone),
            point=None if tap is None else tap.point,
            device=None if tap is None else tap.device,
            received=None if tap is None else moment(tap.received, zone),
        )

    def _repair(self, zone: tzinfo) -> Repair | None:
        at = self.repaired
        if at is None:
            return None
        proved = self.proved_end
        return Repair(
            at=moment(at, zone),
            stated=None if self.repair_stated is None else moment(self.repair_stated, zone),
            stated_by=self.repair_by,
            proved=None if proved is None else moment(proved, zone),
            alert=self.alerts[-1] if proved is not None and self.alerts else None,
            contradicted=self.contradicted,
        )

    def note(self, step: Step) -> None:
        """Add a row to the history."""
        self.history.append(step)
        if len(self.history) > HISTORY_FIRST + HISTORY_LAST:
            del self.history[HISTORY_FIRST]


def _earlier(one: Duration | None, other: Duration | None) -> Instant | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
