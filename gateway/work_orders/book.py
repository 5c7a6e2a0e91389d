"""The book of work orders: alerts, taps, people's actions and time in; rows and signals out.

Pure like the rules: time is an argument, nothing is read, written or sent here. `gateway.judgement` drives it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from device_drivers.observations import TagRead
from gateway.alerts.alert import Alert, AlertTransition
from gateway.alerts.book import RESTARTING
from gateway.alerts.catalogue import rule_of
from gateway.alerts.lifecycle import ACTIVE, Refused
from gateway.books import BookChanges, BookName, BookOperation, Entry
from gateway.instants import DAY, MINUTE, Duration, Instant, instant, moment
from gateway.rules.findings import Signal
from gateway.site.model import Site
from gateway.work_orders import lifecycle
from gateway.work_orders.case import FOLLOW_UPS, JOINED, Case, Clock, case_of
from gateway.work_orders.lifecycle import FINAL, UNMENDED, WAITING, Trigger
from gateway.work_orders.order import (
    Arrive,
    Asked,
    Assign,
    FollowUp,
    FromAlert,
    Mended,
    Nothing,
    Order,
    Prioritise,
    Report,
    Step,
    Urgency,
)
from gateway.work_orders.proofs import Points, Proof, Recent, Seen, Taps, best, place_of
from gateway.work_orders.register import OPEN_LIMIT, Register
from gateway.work_orders.sensors import Speaks, always

NAME: BookName = "work_order"
LATE = "work_order_late"

WORDS_LIMIT = 1000
"""Characters of a reason, and of what an alert says."""
GRACE: Duration = 10 * MINUTE
"""At least so long after an outage a step that fell due in it can still be recorded before anybody is told. Ours."""
BACKDATED: Duration = 7 * DAY
"""A report may be written down so long after it was made. Ours."""
AHEAD: Duration = 365 * DAY
"""Nobody agrees with a resident on a time later than this. Ours."""

Origin = tuple[str, str]
"""How an order came about: `raise` or `open` and the alert, `report` and the key of the reporter's words."""

Details = TypeVar("Details", bound=msgspec.Struct)


class WorkOrders:
    """All work orders of one site that are not over, and the last ones that are.

    Args:
        site: the checked model.
        started: the first instant.
        speaks: whether the sensor of a fault can show a repair at the moment.
    """

    def __init__(self, site: Site, started: Instant, speaks: Speaks = always) -> None:
        self.site = site
        self._speaks = speaks
        self.now = started
        self.attended = True
        """People can record their steps here. In an evidence file that holds none of them, none that is missing is told."""
        self._zone = site.zone_info
        self._within = site.work_orders
        self._points = Points(site)
        self._taps = Taps()
        self._recent = Recent()
        self._strangers = Taps()
        """Reads of tags that nobody has enrolled."""
        self._register = Register()
        self._held: dict[str, None] = {}
        """Alerts of a rule with a work order that are silent because of another: they open one if they speak."""
        self._given: dict[Origin, list[str]] = {}
        """Numbers that orders were given before a stop, until they have come about again (`number_alike`)."""
        self._changes = BookChanges()

    # What the faces ask

    def orders(self) -> list[Order]:
        """The orders that are not over, by id."""
        return [self._view(case) for case in self._register if not case.final]

    def recent(self) -> list[Order]:
        """The last orders that are over, by id."""
        return [self._view(case) for case in self._register if case.final]

    def order(self, order_id: str) -> Order | None:
        """One order, if memory has it."""
        case = self._register.find(order_id)
        return None if case is None else self._view(case)

    def of_alert(self, alert_id: str) -> Order | None:
        """The latest order of an alert, if memory has one."""
        case = self._register.of_alert(alert_id)
        return None if case is None else self._view(case)

    # What comes in (gateway.books.Book)

    def told(self, transition: AlertTransition) -> None:
        """An alert's history has a new row."""
        alert, step = transition.alert, transition.transition
        at = self._pass(instant(step.at))
        urgency = self._urgency(alert.rule)
        case = self._register.of_alert(alert.id)
        if case is None and urgency is None:
            return
        if alert.state in ACTIVE:
            spoke = step.before is None or step.before == "resolved" or alert.id in self._held
            if alert.suppressed is not None:
                if urgency is not None:
                    self._held[alert.id] = None
                if case is not None and not case.final and _has_a_cause(alert):
                    self._merge(case, at, alert.suppressed, "merged")
            else:
                self._held.pop(alert.id, None)
                if spoke:
                    self._stands(transition, case, urgency, at)
            return
        self._held.pop(alert.id, None)
        if case is None or case.alerts[-1] != alert.id:
            return
        by_rule = step.by.startswith("rule:")
        if alert.state == "retracted" or (by_rule and step.before == step.after == "closed"):
            self._merge(case, at, None, "disproved")
        elif alert.suppressed == "merged" and step.before in ACTIVE:
            self._merge(case, at, alert.caused_by, "merged")
        elif alert.state == "resolved" and by_rule:
            self._ended(case, at, f"rule:{alert.rule}")
        elif alert.state == "closed" and step.before == "resolved":
            self._over(case, at, by_clock=step.by == "clock")

    def heard(self, tap: TagRead, at: Instant, received: Instant) -> bool:
        """A tag was read. Late taps count: a wand is docked in the morning."""
        now = self._pass(received)
        seen = self._points.take(tap, at, received)
        if seen is None:
            if (stranger := self._points.stranger(tap, at, received, self._wanted)) is not None:
                self._strangers.add(stranger)
            return False
        return self._hear(seen, now)

    def _hear(self, seen: Seen | str, now: Instant) -> bool:
        cases: list[Case] = []
        if isinstance(seen, Seen):
            if not self._register.near_any(seen.point):
                if self._points.by_technician(seen):
                    self._recent.add(seen)
            elif self._taps.add(seen):
                cases = list(self._register.at_point(seen.point, seen.at, seen.person))
        else:
            points = frozenset(self._taps.unnamed(seen))
            cases = [each for each in self._register if not points.isdisjoint(each.near) or each.proved_by(seen)]
        for case in cases:
            self._prove(case, now)
        return bool(cases)

    def operate(self, operation: BookOperation) -> Order:
        """A person acts.

        Raises:
            Refused: nothing changed.
        """
        at = max(self.now, operation.at)
        if len(operation.why) > WORDS_LIMIT:
            raise Refused(f"a reason has at most {WORDS_LIMIT} characters")
        self.attended = True
        match operation.action:
            case "report":
                case = self._report(operation, at)
            case "open":
                case = self._open_by_hand(operation, at)
            case action:
                do = self._actions().get(action)
                if do is None:
                    raise Refused(f"a work order knows no {action!r}; expected one of {', '.join(sorted(ACTIONS))}")
                found = self._register.find(operation.subject or "")
                if found is None:
                    raise Refused(f"no such work order here: {operation.subject}", "unknown")
                do(found, operation, at)
                case = found
        self.now = at
        return self._view(case)

    def advance(self, now: Instant) -> None:
        """Fire own deadlines up to and including `now`."""
        while (due := self._register.deadline()) is not None and due <= now:
            for case in self._register.due(due):
                self._fire(case, self._pass(due))
        self._pass(now)

    def deadline(self) -> Instant | None:
        """The next own deadline."""
        return self._register.deadline()

    def restarted(self, down_from: Instant, now: Instant) -> None:
        """The gateway was down: nobody could record a step that fell due meanwhile, nor could a sensor show a repair."""
        self.advance(down_from)
        now = self._pass(now)
        for case in [case for case in self._register if not case.final]:
            if case.tell_at is not None and case.tell_at <= now:
                left = max(case.tell_at - down_from, GRACE)
                case.tell_at = case.excused_to = now + left
                self._record(case, "note", now, "clock", "excused", "gateway_down")
            if case.contradict_at is not None and case.contradict_at <= now:
                case.contradict_at = now + self._within.contradicted_after
            self._register.arm(case)

    def drain(self) -> BookChanges:
        """What changed since the last call, in order."""
        changes, self._changes = self._changes, BookChanges()
        return changes

    def number_alike(self, given: Mapping[Origin, Sequence[str]]) -> None:
        """Let orders that come about again have the numbers that people know them by, and no other one of these."""
        self._given = {origin: list(numbers) for origin, numbers in given.items()}
        for numbers in given.values():
            for number in numbers:
                self._register.count_on(number)

    def not_again(self) -> list[str]:
        """Numbers of orders that have not come about again."""
        return sorted(number for numbers in self._given.values() for number in numbers)

    def take_up(self, order: Order) -> None:
        """Take in an order as it was shown last, if it was not over."""
        if order.state in FINAL:
            return
        case = case_of(order, self.now + GRACE)
        case.near = list(self._points.near(case.place))
        self._register.add(case)
        self._register.arm(case)

    def count_on(self, newest: str) -> None:
        """From now on orders are new ones: give no number that was given already, up to `newest`."""
        self._given = {}
        self._register.count_on(newest)

    def snapshot(self) -> Any:
        """The state, as plain values."""
        return {
            "now": self.now,
            "attended": self.attended,
            "held": list(self._held),
            "register": self._register.snapshot(),
            "points": self._points.snapshot(),
            "taps": self._taps.snapshot(),
            "recent": self._recent.snapshot(),
            "strangers": self._strangers.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot. Points near an order, and times due from now on, are those of the site as it is now.

        What was read of a tag counts once it is enrolled.
        """
        self.now, self.attended = state["now"], state["attended"]
        self._held = dict.fromkeys(state["held"])
        self._points.restore(state["points"])
        self._taps.restore(state["taps"])
        self._recent.restore(state.get("recent", b"[]"))
        self._strangers.restore(state.get("strangers", {}))
        self._register.restore(state["register"])
        for case in self._register.open.values():
            self._register.near(case, self._points.near(case.place))
        for stranger in self._strangers.pick(self._points.known):
            if (seen := self._points.recognise(stranger)) is not None:
                self._hear(seen, self.now)

    def _wanted(self, point: str) -> bool:
        return self._register.near_any(point) or self._points.carried(point)

    # Alerts

    def _urgency(self, rule: str) -> Urgency | None:
        """What order a rule opens: the site's word, else the catalogue's."""
        if rule == LATE:
            return None
        said = self.site.alerting.rules.get(rule)
        wanted = None if said is None else said.work_order
        if wanted == "none":
            return None
        return wanted or rule_of(rule).work_order

    def _stands(self, transition: AlertTransition, case: Case | None, urgency: Urgency | None, at: Instant) -> None:
        """An alert was raised, came back, or may speak now."""
        alert = transition.alert
        key = (alert.rule, alert.subject)
        current = self._register.of_fault(key) if case is None or case.final else case
        if current is not None and current.state in UNMENDED:
            self._again(current, alert.id, at)
        elif current is not None and current.alerts[-1:] == [alert.id] and not current.final:
            self._relapse(current, at)
        elif urgency is not None and not (
            case is not None and case.state == "cancelled" and case.standing not in {"merged", "disproved"}
        ):
            self._open_by_rule(transition, urgency, at)

    def _open_by_rule(self, transition: AlertTransition, urgency: Urgency, at: Instant) -> None:
        alert = transition.alert
        if self._register.full:
            return
        case = Case(
            id=self._next_id(at, ("raise", alert.id)),
            urgency=urgency,
            area="common",
            source="rule",
            reported=at,
            since=at,
            clock_from=at,
            place=alert.place or place_of(self.site, alert.subject),
            rule=alert.rule,
            subject=alert.subject,
            alerts=[alert.id],
            what=alert.message[:WORDS_LIMIT],
            standing="standing",
        )
        self._begin(case, "raise", at, f"rule:{alert.rule}", alert.id)

    def _again(self, case: Case, alert_id: str, at: Instant) -> None:
        """The same fault again while it is not mended: the same order."""
        news = alert_id not in case.alerts
        if not news and case.standing == "standing":
            return
        over = case.fault in {"ended_by_itself", "merged", "disproved"}
        if news:
            self._register.add_alert(case, alert_id)
        case.standing, case.ended, case.verified_end = "standing", None, False
        if over and case.state in WAITING and not case.overdue:
            case.start_clock(self._within, at, at)
        self._record(case, "note", at, f"rule:{case.rule}", "again", alert_id)
        if case.rework_of is None:
            self._rework_if(case, at)
        self._settle(case, at)

    def _relapse(self, case: Case, at: Instant) -> None:
        """The sensor reports the fault again after the repair, within the same occurrence."""
        case.standing, case.ended, case.verified_end = "standing", None, False
        if case.repair_stated is not None:
            case.contradict_at = max(at, case.repair_stated + self._within.contradicted_after)
        self._record(case, "note", at, f"rule:{case.rule}", "again", case.alerts[-1])
        self._settle(case, at)

    def _ended(self, case: Case, at: Instant, by: str) -> None:
        """The sensor saw the end."""
        if case.standing == "ended":
            return
        case.standing, case.ended = "ended", at
        case.contradicted, case.contradict_at = False, None
        self._record(case, "note", at, by, "sensor_ended", case.fault or "ended")
        self._settle(case, at)

    def _over(self, case: Case, at: Instant, *, by_clock: bool) -> None:
        """The alert is closed: the sensor has held the end for 10 min, or a person closed it and the sensor says no more."""
        if not by_clock:
            if case.standing == "standing":
                case.standing = "closed_by_hand"
                case.contradicted, case.contradict_at = False, None
                self._record(case, "note", at, f"rule:{case.rule}", "closed_by_hand", case.alerts[-1])
                self._settle(case, at)
            return
        case.verified_end = True
        if case.state == "reported" and case.fault == "ended_by_itself":
            case.reason = "ended_by_itself"
            self._record(case, "lapse", at, "clock", "lapse", "ended_by_itself")
        self._settle(case, at)

    def _merge(self, case: Case, at: Instant, cause: str | None, why: Any) -> None:
        """Its alert is part of another's, or was disproved: the order goes, unless somebody has come already.

        Either way the fault did not come back. What is disproved of an order that is closed counts against nobody, too.
        """
        if case.standing == why or case.state == "cancelled" or (case.final and why != "disproved"):
            return
        case.standing, case.ended = why, None
        case.contradicted, case.contradict_at = False, None
        into = None if cause is None else self._register.of_alert(cause)
        case.merged_into = cause if into is None else into.id
        trigger: Trigger = "merge" if case.state in WAITING else "note"
        if trigger == "merge":
            case.reason = why
        self._no_rework(case, at)
        self._record(case, trigger, at, f"rule:{case.rule}", why, case.merged_into or "")
        self._settle(case, at)
        if into is not None and not into.final:
            self._join(into, [case.id], at)

    def _join(self, case: Case, others: list[str], at: Instant) -> None:
        case.joined = list(dict.fromkeys([*case.joined, *others]))[:JOINED]
        self._record(case, "note", at, f"rule:{case.rule}", "joined", ", ".join(others))

    # Actions of people

    def _actions(self) -> dict[str, Callable[[Case, BookOperation, Instant], None]]:
        return {
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

    def _report(self, operation: BookOperation, at: Instant) -> Case:
        said = _details(operation, Report)
        if said.place is not None and said.place not in self.site.places and not operation.accepted:
            raise Refused(f"no such place: {said.place}", "unknown")
        self._check_room()
        reported = self._stated(said.at, at, at - BACKDATED)
        agreed = None if said.agreed is None else _aware(said.agreed)
        if agreed is not None and agreed > at + AHEAD:
            raise Refused(f"expected an agreed time within {AHEAD // DAY} days")
        before = None
        if said.again_of is not None:
            before = self._register.find(said.again_of)
            if before is None:
                raise Refused(f"no such work order here: {said.again_of}", "unknown")
        case = Case(
            id=self._next_id(at, ("report", said.personal)),
            urgency=said.urgency,
            area=said.area,
            source="report",
            reported=reported,
            since=reported,
            clock_from=reported,
            place=said.place,
            personal=said.personal,
            owner=operation.by,
            agreed=agreed,
        )
        self._begin(case, "report", at, operation.by, operation.why)
        if before is not None:
            repaired = before.repaired
            if repaired is not None and 0 <= reported - repaired <= self._within.rework_within:
                self._rework(case, before.id, at)
            else:
                self._record(case, "note", at, operation.by, "before", before.id)
        return case

    def _open_by_hand(self, operation: BookOperation, at: Instant) -> Case:
        said = _details(operation, FromAlert)
        self._check_room()
        for known in (self._register.of_alert(said.alert), self._register.of_fault((said.rule, said.subject))):
            if known is not None and known.state in UNMENDED:
                raise Refused(f"there is an order for this fault already: {known.id}")
        case = Case(
            id=self._next_id(at, ("open", said.alert)),
            urgency=said.urgency,
            area="common",
            source="alert",
            reported=at,
            since=at,
            clock_from=at,
            place=said.place or place_of(self.site, said.subject),
            rule=said.rule,
            subject=said.subject,
            alerts=[said.alert],
            what=said.what[:WORDS_LIMIT],
            owner=operation.by,
            standing="standing" if said.standing else None,
        )
        self._begin(case, "open", at, operation.by, operation.why)
        return case

    def _check_room(self) -> None:
        if self._register.full:
            raise Refused(f"{OPEN_LIMIT} orders are open: close or cancel some first")

    def _assign(self, case: Case, operation: BookOperation, at: Instant) -> None:
        said = _details(operation, Assign)
        lifecycle.after(case.state, "assign")
        to = said.to.strip()
        if not to or len(to) > 64:
            raise Refused("assigned to whom? A person of the site, or who it is, in at most 64 characters")
        case.send(to, at)
        self._record(case, "assign", at, operation.by, "assign", operation.why, item=to)
        self._prove(case, at)

    def _arrive(self, case: Case, operation: BookOperation, at: Instant) -> None:
        said = _details(operation, Arrive)
        lifecycle.after(case.state, "arrive")
        if case.arrival_stated is not None:
            raise Refused("the arrival is recorded already")
        stated = self._stated(said.at, at, case.since)
        case.arrival_stated, case.arrival_by = stated, operation.by
        case.arrival_person = said.person or case.assignee or operation.by
        self._record(case, "arrive", at, operation.by, "arrive", operation.why)
        self._prove(case, at)

    def _repair(self, case: Case, operation: BookOperation, at: Instant) -> None:
        said = _details(operation, Mended)
        lifecycle.after(case.state, "repair")
        if case.repair_stated is not None:
            raise Refused("the repair is recorded already")
        stated = self._stated(said.at, at, case.arrived or case.since)
        case.repair_stated, case.repair_by = stated, operation.by
        if case.standing == "standing":
            case.contradict_at = max(at, stated + self._within.contradicted_after)
        self._record(case, "repair", at, operation.by, "repair", operation.why)
        self._settle(case, at)

    def _verify(self, case: Case, operation: BookOperation, at: Instant) -> None:
        _details(operation, Nothing)
        lifecycle.after(case.state, "verify")
        if case.area != "warranty":
            raise Refused("only what the builder repaired under warranty is looked at by an own engineer")
        case.verified_at, case.verified_by = at, operation.by
        self._record(case, "verify", at, operation.by, "verify", operation.why)

    def _follow_up(self, case: Case, operation: BookOperation, at: Instant) -> None:
        said = _details(operation, Asked)
        trigger: Trigger = "not_reached" if said.content is None else "follow_up" if said.content else "reopen"
        lifecycle.after(case.state, trigger)
        if said.content:
            self._check_verified(case)
        asked = FollowUp(at=moment(at, self._zone), by=operation.by, content=said.content, personal=said.personal)
        case.follow_ups = [*case.follow_ups, asked][-FOLLOW_UPS:]
        if trigger == "reopen":
            repaired = case.repaired
            if repaired is not None and at - repaired <= self._within.rework_within:
                case.reworked = case.discontent = True
            self._end_late(case, at, "reopened")
            case.end_cycle()
            case.reopened += 1
            self._clear(case, at)
        self._record(case, trigger, at, operation.by, trigger, operation.why)
        self._settle(case, at)

    def _clear(self, case: Case, at: Instant) -> None:
        """A new cycle begins: who came and what was done before stands in the history."""
        case.since, case.late, case.sent = at, "no", []
        case.assignee = case.assigned = case.agreed = None
        case.arrival_stated = case.arrival_by = case.arrival_person = case.arrival_proved = case.arrival_prover = None
        case.repair_stated = case.repair_by = case.verified_at = case.verified_by = None
        case.contradicted, case.disbelieved, case.contradict_at, case.mute = False, False, None, False
        if case.standing == "ended":
            case.standing, case.ended, case.verified_end = None, None, False
        case.start_clock(self._within, at, at)

    def _close(self, case: Case, operation: BookOperation, at: Instant) -> None:
        _details(operation, Nothing)
        lifecycle.after(case.state, "close")
        if case.state == "repaired":
            if case.source == "report" and not case.follow_ups:
                raise Refused("ask the reporter first: record the follow-up, be it that nobody was reached")
            if not operation.why.strip():
                raise Refused("an order that nobody was asked about is closed with a reason")
            self._check_verified(case)
        self._record(case, "close", at, operation.by, "close", operation.why)
        self._settle(case, at)

    def _check_verified(self, case: Case) -> None:
        if case.area == "warranty" and case.verified_at is None and case.proved_end is None:
            raise Refused("an own engineer has to look at the builder's repair first")

    def _cancel(self, case: Case, operation: BookOperation, at: Instant) -> None:
        _details(operation, Nothing)
        lifecycle.after(case.state, "cancel")
        if not operation.why.strip():
            raise Refused("an order is cancelled with a reason")
        case.reason = operation.why.strip()
        self._record(case, "cancel", at, operation.by, "cancel", operation.why)
        self._settle(case, at)

    def _prioritise(self, case: Case, operation: BookOperation, at: Instant) -> None:
        said = _details(operation, Prioritise)
        lifecycle.after(case.state, "prioritise")
        if said.urgency == case.urgency:
            raise Refused(f"the order is {case.urgency} already")
        if not operation.why.strip():
            raise Refused("the urgency is changed with a reason")
        self._end_late(case, at, "prioritised")
        if case.overdue or (case.due < at and case.cycle() == "in_time"):
            case.stop_clock()
        case.late = "no"
        case.urgency = said.urgency
        raised = said.urgency == "emergency"
        case.start_clock(self._within, at if raised else case.since, at, waits=not raised)
        self._record(case, "prioritise", at, operation.by, "prioritise", operation.why, item=said.urgency)
        self._settle(case, at)

    def _comment(self, case: Case, operation: BookOperation, at: Instant) -> None:
        _details(operation, Nothing)
        if not operation.why.strip():
            raise Refused("a comment needs a text")
        self._record(case, "comment", at, operation.by, "comment", operation.why)

    def _stated(self, said: datetime | None, at: Instant, earliest: Instant) -> Instant:
        """A time that a person gives, written down at `at`; it cannot be later than that, nor before what it follows."""
        if said is None:
            return at
        stated = _aware(said)
        if stated > at:
            raise Refused("the time given has not come yet")
        if stated < earliest:
            raise Refused(
                f"the time given is before {moment(earliest, self._zone):%Y-%m-%d %H:%M:%S}, which it cannot be"
            )
        return stated

    # What follows

    def _prove(self, case: Case, at: Instant) -> None:
        """Look for the tap that proves the arrival, and those that prove earlier ones."""
        until = case.since
        for cycle in reversed(case.earlier):
            self._prove_earlier(case, cycle, until, at)
            until = cycle.since
        if case.state == "cancelled" or not case.technicians:
            self._settle(case, at)
            return
        found = self._proof(case, case.near, case.closed)
        tap = None if found is None else found.tap
        if tap is None and case.arrival_proved is not None:
            self._withdraw(case, at)
        elif (
            tap is not None and found is not None and (tap, found.person) != (case.arrival_proved, case.arrival_prover)
        ):
            case.arrival_proved, case.arrival_prover = tap, found.person
            moved = case.state == "assigned" and case.arrival_stated is None
            self._record(case, "tap" if moved else "note", at, f"tap:{tap.device}", "tap")
        self._settle(case, at)

    def _withdraw(self, case: Case, at: Instant) -> None:
        """The tap proves nothing: a log-in that is heard later says that it was another's. What it alone had moved goes back."""
        moved = case.arrival_stated is None and (
            case.state == "arrived"
            or (case.state == "repaired" and case.repair_stated is None and case.verified_at is None)
        )
        if moved and (key := case.key) is not None:
            self._register.forget(key, case.id)
        case.arrival_proved = case.arrival_prover = None
        if case.step_at is None and not case.overdue:
            case.tell_at = max(case.due + 1, at, case.excused_to or at)
        self._record(case, "withdraw" if moved else "note", at, "clock", "tap_withdrawn")

    def _prove_earlier(self, case: Case, cycle: Case, until: Instant, at: Instant) -> None:
        """Late taps may prove an arrival before the order was reopened, too."""
        found = self._proof(cycle, case.near, until)
        tap = None if found is None else found.tap
        if (tap is None and cycle.arrival_stated is None) or tap == cycle.arrival_proved:
            return
        came = case.punctual()
        cycle.arrival_proved, cycle.arrival_prover = tap, None if found is None else found.person
        if case.punctual() != came:
            self._record(case, "note", at, "clock" if tap is None else f"tap:{tap.device}", "judged_again")

    def _proof(self, cycle: Case, near: Iterable[str], until: Instant | None = None) -> Proof | None:
        since = cycle.since if cycle.arrival_stated is not None or cycle.assigned is None else cycle.assigned
        named = [
            Proof(tap, person)
            for tap in self._taps.at(near)
            if tap.at >= cycle.since
            and (until is None or tap.at <= until)
            and (person := self._points.person(tap)) is not None
        ]
        before = cycle.arrival_proved
        if before is not None and (prover := self._points.person(before) or cycle.arrival_prover) is not None:
            named.append(Proof(before, prover))  # it may be among the taps no more
        found = best(named, cycle.technicians, since, cycle.arrival_stated, self._within.tap_tolerance)
        first = min(
            (each for each in named if cycle.sent_at(each.tap.at) == each.person),
            key=lambda each: each.tap,
            default=None,
        )
        if first is None or (cycle.arrival_stated is not None and first.person in cycle.technicians):
            return found
        if cycle.arrival_stated is not None and first.tap.at > cycle.arrival_stated:
            return found
        return first if found is None or first.tap < found.tap else found

    def _settle(self, case: Case, at: Instant) -> None:
        """Whatever changed: what the sensor has held, the late signal, the clock, and where the order is filed."""
        if case.verified_end and case.proved_end is not None:
            if case.state == "arrived":
                self._record(case, "held", at, "clock", "held")
            if case.state == "repaired" and case.repair_stated is not None and case.source != "report":
                self._record(case, "held", at, "clock", "held")
        if (key := case.key) is not None and (repaired := case.repaired) is not None:
            self._register.remember(key, case.id, repaired)
        done = case.cycle()
        if done != "running" and not case.overdue:
            case.tell_at = None
        if case.overdue and case.late != "standing" and case.step_at is None and not case.final:
            self._tell_late(case, at)  # what disproved it proves nothing
        for cycle in (*case.earlier, case):
            clocks: list[Clock | Case] = [*cycle.stopped, cycle]
            for clock in clocks:
                if clock.late != "no" and cycle.came_to(clock) == "in_time" and cycle.disproved(clock):
                    self._retract_late(case, clock, at)
        if done in {"in_time", "unknown", "none"} or case.step_at is not None or case.final:
            self._end_late(case, at, case.state)
        self._register.arm(case)
        if case.final and self._register.close(case):
            self._taps.forget(self._register.near_any)
            self._strangers.forget(self._wanted)

    def _fire(self, case: Case, at: Instant) -> None:
        if case.tell_at is not None and case.tell_at <= at:
            case.tell_at = None
            if case.cycle() == "running" and self.attended:
                case.overdue = True
                self._record(case, "note", at, "clock", "late")
                self._tell_late(case, at)
        if case.contradict_at is not None and case.contradict_at <= at:
            self._hold_against(case, at)
        self._register.arm(case)

    def _hold_against(self, case: Case, at: Instant) -> None:
        """A repair was said so long ago. A sensor that could not speak is asked again, and believed when it could for as long."""
        case.contradict_at = None
        if case.standing != "standing" or case.repair_stated is None or case.final:
            return
        could, case.mute = not case.mute, not self._speaks(case.rule or "", case.subject or "")
        if case.mute or not could:
            case.contradict_at = at + self._within.contradicted_after
            return
        case.contradicted = case.disbelieved = True
        self._record(case, "note", at, "clock", "contradicted", case.alerts[-1] if case.alerts else "")

    def _tell_late(self, case: Case, at: Instant) -> None:
        key = "arrive_by" if case.urgency == "emergency" else "repair_by"
        details: dict[str, str | int | float | list[str]] = {key: moment(case.due, self._zone).isoformat()}
        if case.place is not None:
            details["place"] = case.place
        if case.assignee is not None:
            details["assignee"] = case.assignee
        case.late = "standing"
        self._changes.signals.append(
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

    def _end_late(self, case: Case, at: Instant, why: str) -> None:
        if case.late == "standing":
            case.late = "ended"
            self._changes.signals.append(Signal(rule=LATE, subject=case.id, action="resolve", at=at, why=why))

    def _retract_late(self, case: Case, clock: Clock | Case, at: Instant) -> None:
        standing, clock.late = clock.late == "standing", "no"
        never = Signal(rule=LATE, subject=case.id, action="retract", at=at, raised=clock.due, why="proved_in_time")
        self._changes.signals.append(never)
        if standing:
            # It may have begun with the clock before and come again within 10 min: that one is no false one, it ends.
            self._changes.signals.append(msgspec.structs.replace(never, action="resolve", raised=None))

    def _rework(self, case: Case, before: str, at: Instant) -> None:
        """The same fault so soon after its repair: both orders say so."""
        case.rework_of = before
        self._record(case, "note", at, "clock", "rework_of", before)
        earlier = self._register.find(before)
        if earlier is not None:
            earlier.reworked, earlier.reworked_by = True, case.id
            self._record(earlier, "note", at, "clock", "reworked_by", case.id)

    def _rework_if(self, case: Case, at: Instant) -> None:
        """It is rework if its fault was mended in another order so short a time ago."""
        before = None if case.key is None else self._register.repaired(case.key)
        if before is None or before[0] == case.id or at - before[1] > self._within.rework_within:
            return
        earlier = self._register.find(before[0])
        if earlier is None or earlier.standing != "disproved":
            self._rework(case, before[0], at)

    def _no_rework(self, case: Case, at: Instant) -> None:
        """The fault of an earlier order has not come back in this one after all."""
        before, case.rework_of = case.rework_of, None
        earlier = None if before is None else self._register.find(before)
        if earlier is not None and earlier.reworked_by == case.id:
            earlier.reworked, earlier.reworked_by = earlier.discontent, None
            self._record(earlier, "note", at, "clock", "no_rework", case.id)

    # Filing

    def _begin(self, case: Case, trigger: Trigger, at: Instant, by: str, why: str) -> None:
        case.near = list(self._points.near(case.place))
        if case.since < at:
            for seen in self._recent.at(case.near, case.since):
                self._taps.add(seen)
        case.start_clock(self._within, case.reported, at)
        self._register.add(case)
        self._record(case, trigger, at, by, trigger, why)
        if case.key is not None:
            self._rework_if(case, at)
            waiting = [each for each in self._register if each.merged_into in case.alerts]
            for each in waiting:
                each.merged_into = case.id
                self._record(each, "note", at, f"rule:{case.rule}", "merged", case.id)
            if waiting:
                self._join(case, [each.id for each in waiting], at)
        self._register.arm(case)

    def _next_id(self, at: Instant, origin: Origin) -> str:
        if given := self._given.get(origin):
            return given.pop(0)
        return self._register.next_id(f"{moment(at, self._zone):%Y%m%d}")

    def _pass(self, at: Instant) -> Instant:
        self.now = max(self.now, at)
        return self.now

    def _view(self, case: Case) -> Order:
        return case.order(self._within, self._zone)

    def _record(  # noqa: PLR0917
        self, case: Case, trigger: Trigger, at: Instant, by: str, action: str, why: str = "", *, item: str = ""
    ) -> None:
        """A row of the history, and for good of the journal."""
        before = None if trigger in {"raise", "open", "report"} else case.state
        state = lifecycle.after(before, trigger)
        why = ": ".join(part for part in (item, why.strip()) if part)
        if case.owner is None and ":" not in by and by != "clock":
            case.owner = by
        case.state = state
        if state in FINAL and case.closed is None:
            case.closed = at
        case.note(Step(at=moment(at, self._zone), before=before, after=state, by=by, action=action, why=why))
        self._changes.entries.append(
            Entry(
                at=at,
                book=NAME,
                id=case.id,
                state=state,
                start=case.reported,
                by=by,
                action=action,
                why=why,
                item=self._view(case),
            )
        )


def _has_a_cause(alert: Alert) -> bool:
    """Whether another fault is the cause of an alert; silences and a restarting gateway are none."""
    cause = alert.suppressed
    return cause is not None and cause == alert.caused_by and not cause.startswith(f"{RESTARTING}/")


ACTIONS = ("assign", "arrive", "repair", "verify", "follow_up", "close", "cancel", "prioritise", "comment")
"""What people do with an order; `report` and `open` make one."""


def _details(operation: BookOperation, shape: type[Details]) -> Details:
    try:
        return msgspec.convert(dict(operation.details), shape)
    except msgspec.ValidationError as error:
        raise Refused(f"{operation.action}: {error}") from error


def _aware(said: datetime) -> Instant:
    if said.tzinfo is None:
        raise Refused("a time needs its offset, such as +08:00")
    return instant(said)
