"""The book of work orders: alerts, taps, people's actions and time in; rows and signals out.

Pure like the rules: time is an argument, nothing is read, written or sent here. `gateway.judgement` drives it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from device_drivers.observations import TagRead
from gateway.alerts.alert import Alert, AlertTransition
from gateway.alerts.catalogue import rule_of
from gateway.alerts.inhibition import RESTARTING
from gateway.alerts.lifecycle import ACTIVE, Refused
from gateway.books import BookChanges, BookOperation
from gateway.instants import DAY, Duration, Instant, instant, moment
from gateway.site.model import Site
from gateway.work_orders.actions import ABOUT_WHO_CAME, ACTIONS, BESIDES, Actions, details, time_said, with_offset
from gateway.work_orders.arrivals import Arrivals
from gateway.work_orders.case import JOINED, Case
from gateway.work_orders.clocks import GRACE, LATE, Clocks
from gateway.work_orders.history import History
from gateway.work_orders.lifecycle import FINAL, UNMENDED, WAITING, Trigger
from gateway.work_orders.order import FromAlert, Order, Report, Urgency
from gateway.work_orders.proofs import place_of
from gateway.work_orders.register import OPEN_LIMIT, Register
from gateway.work_orders.repairs import Repairs
from gateway.work_orders.rework import Rework
from gateway.work_orders.sensors import Speaks, always
from gateway.work_orders.succession import case_of

WORDS_LIMIT = 1000
"""Characters of a reason, and of what an alert says."""
BACKDATED: Duration = 7 * DAY
"""A report may be written down so long after it was made. Ours."""
AHEAD: Duration = 365 * DAY
"""Nobody agrees with a resident on a time later than this. Ours."""

Origin = tuple[str, str]
"""How an order came about: `raise` or `open` and the alert, `report` and the key of the reporter's words."""


class WorkOrders:
    """All work orders of one site that are not over, and the last ones that are.

    Args:
        site: the checked model.
        started: the first instant.
        speaks: whether the sensor of a fault can show a repair at the moment.
    """

    def __init__(self, site: Site, started: Instant, speaks: Speaks = always) -> None:
        self.site = site
        self.now = started
        self.attended = True
        """People can record their steps here. In an evidence file that holds none of them, none that is missing is told."""
        self._zone = site.zone_info
        self._register = Register()
        self._history = History(site)
        self._clocks = Clocks(site, self._history)
        self._arrivals = Arrivals(site, self._register, self._history, self._clocks)
        self._repairs = Repairs(site, self._history, speaks)
        self._rework = Rework(site, self._register, self._history)
        self._actions = Actions(site, self._history, self._clocks, self._repairs, self._rework)
        self._held: dict[str, None] = {}
        """Alerts of a rule with a work order that are silent because of another: they open one if they speak."""
        self._given: dict[Origin, list[str]] = {}
        """Numbers that orders were given before a stop, until they have come about again (`number_alike`)."""

    # What the faces ask

    def orders(self) -> list[Order]:
        """The orders that are not over, by id."""
        return [self._history.view(case) for case in self._register if not case.final]

    def recent(self) -> list[Order]:
        """The last orders that are over, by id."""
        return [self._history.view(case) for case in self._register if case.final]

    def order(self, order_id: str) -> Order | None:
        """One order, if memory has it."""
        case = self._register.find(order_id)
        return None if case is None else self._history.view(case)

    def of_alert(self, alert_id: str) -> Order | None:
        """The latest order of an alert, if memory has one."""
        case = self._register.of_alert(alert_id)
        return None if case is None else self._history.view(case)

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
            if self._repairs.ended(case, at, f"rule:{alert.rule}", step.why):
                self._settle(case, at)
        elif alert.state == "closed" and step.before == "resolved" and step.by == "clock":
            self._repairs.held(case, at)
            self._settle(case, at)
        elif alert.state == "closed" and step.before == "resolved" and self._repairs.closed_by_hand(case, at):
            self._settle(case, at)

    def heard(self, tap: TagRead, at: Instant, received: Instant) -> bool:
        """A tag was read. Late taps count: a wand is docked in the morning."""
        now = self._pass(received)
        cases = self._arrivals.take(tap, at, received)
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
                if action not in ACTIONS:
                    raise Refused(f"a work order knows no {action!r}; expected one of {', '.join(sorted(ACTIONS))}")
                found = self._register.find(operation.subject or "")
                if found is None:
                    raise Refused(f"no such work order here: {operation.subject}", "unknown")
                self._act(found, operation, at)
                case = found
        self.now = at
        return self._history.view(case)

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
            self._clocks.excuse(case, down_from, now)
            self._repairs.excuse(case, now)
            self._register.arm(case)

    def drain(self) -> BookChanges:
        """What changed since the last call, in order."""
        changes = BookChanges(entries=self._history.entries, signals=self._clocks.signals)
        self._history.entries, self._clocks.signals = [], []
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
        case.near = list(self._arrivals.near(case.place))
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
            **self._arrivals.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot. Points near an order, and times due from now on, are those of the site as it is now.

        What was read of a tag counts once it is enrolled.
        """
        self.now, self.attended = state["now"], state["attended"]
        self._held = dict.fromkeys(state["held"])
        self._arrivals.restore(state)
        self._register.restore(state["register"])
        for case in self._register.open.values():
            self._register.near(case, self._arrivals.near(case.place))
        for cases in self._arrivals.recognise():
            for case in cases:
                self._prove(case, self.now)

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
            self._repairs.relapsed(current, at)
            self._settle(current, at)
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
        over, slept = case.fault in {"ended_by_itself", "merged", "disproved"}, case.by_plan
        if news:
            self._register.add_alert(case, alert_id)
        self._repairs.stands(case)
        if over and case.state in WAITING and not case.overdue:
            self._clocks.start(case, at, at)
        elif slept:
            self._clocks.owe_again(case, at)
        self._history.record(case, "note", at, f"rule:{case.rule}", "again", alert_id)
        if case.rework_of is None:
            self._rework.look(case, at)
        self._settle(case, at)

    def _merge(self, case: Case, at: Instant, cause: str | None, why: Literal["merged", "disproved"]) -> None:
        """Its alert is part of another's, or was disproved: the order goes, unless somebody has come already.

        Either way the fault did not come back. What is disproved of an order that is closed counts against nobody, too.
        """
        if case.standing == why or case.state == "cancelled" or (case.final and why != "disproved"):
            return
        self._repairs.set_aside(case, why)
        into = None if cause is None else self._register.of_alert(cause)
        case.merged_into = cause if into is None else into.id
        trigger: Trigger = "merge" if case.state in WAITING else "note"
        if trigger == "merge":
            case.reason = why
        self._rework.none(case, at)
        self._history.record(case, trigger, at, f"rule:{case.rule}", why, case.merged_into or "")
        self._settle(case, at)
        if into is not None and not into.final:
            self._join(into, [case.id], at)

    def _join(self, case: Case, others: list[str], at: Instant) -> None:
        case.joined = list(dict.fromkeys([*case.joined, *others]))[:JOINED]
        self._history.record(case, "note", at, f"rule:{case.rule}", "joined", ", ".join(others))

    # Actions of people

    def _act(self, case: Case, operation: BookOperation, at: Instant) -> None:
        self._actions.do(case, operation, at)
        if operation.action in ABOUT_WHO_CAME:
            self._prove(case, at)
        elif operation.action not in BESIDES:
            self._settle(case, at)

    def _report(self, operation: BookOperation, at: Instant) -> Case:
        said = details(operation, Report)
        if said.place is not None and said.place not in self.site.places and not operation.accepted:
            raise Refused(f"no such place: {said.place}", "unknown")
        self._check_room()
        reported = time_said(said.at, at, at - BACKDATED, self._zone)
        agreed = None if said.agreed is None else with_offset(said.agreed)
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
            self._rework.said(case, before, at, operation.by)
        return case

    def _open_by_hand(self, operation: BookOperation, at: Instant) -> Case:
        said = details(operation, FromAlert)
        self._check_room()
        own, same = self._register.of_alert(said.alert), self._register.of_fault((said.rule, said.subject))
        if own is not None and not own.final:
            same = own
        elif same is not None and same.state not in UNMENDED:
            same = None
        if same is not None:
            raise Refused(f"there is an order for this fault already: {same.id}")
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

    # What follows

    def _prove(self, case: Case, at: Instant) -> None:
        """Something may be proved, or proved no more, by the taps near it."""
        self._arrivals.prove(case, at)
        self._settle(case, at)

    def _settle(self, case: Case, at: Instant) -> None:
        """Whatever changed: what the sensor has held, what its clock says, and where the order is filed."""
        self._repairs.settle(case, at)
        if (key := case.key) is not None and (repaired := case.repaired) is not None:
            self._register.remember(key, case.id, repaired)
        self._clocks.settle(case, at)
        self._register.arm(case)
        if case.final and self._register.close(case):
            self._arrivals.forget()

    def _fire(self, case: Case, at: Instant) -> None:
        self._clocks.fire(case, at, attended=self.attended)
        self._repairs.fire(case, at)
        self._register.arm(case)

    # Filing

    def _begin(self, case: Case, trigger: Trigger, at: Instant, by: str, why: str) -> None:
        self._arrivals.begin(case, at)
        self._clocks.start(case, case.reported, at)
        self._register.add(case)
        self._history.record(case, trigger, at, by, trigger, why)
        if case.key is not None:
            self._rework.look(case, at)
            waiting = self._register.merged_into(case.alerts)
            for each in waiting:
                each.merged_into = case.id
                self._history.record(each, "note", at, f"rule:{case.rule}", "merged", case.id)
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


def _has_a_cause(alert: Alert) -> bool:
    """Whether another fault is the cause of an alert; silences and a restarting gateway are none."""
    cause = alert.suppressed
    return cause is not None and cause == alert.caused_by and not cause.startswith(f"{RESTARTING}/")
