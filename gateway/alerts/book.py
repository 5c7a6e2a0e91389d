"""The book of alerts: signals of the rules, operators' actions and time in; transitions and notices out.

Pure like the rules: time is an argument, nothing is read, written or sent here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, assert_never

import msgspec
from msgspec.structs import replace

from gateway.alerts import lifecycle, wording
from gateway.alerts.alert import Alert, AlertChanges, AlertTransition, Operation
from gateway.alerts.case import Case
from gateway.alerts.cases import Cases
from gateway.alerts.catalogue import CALL, rule_of
from gateway.alerts.duty import Duty
from gateway.alerts.escalation import Escalation, PlannedStep
from gateway.alerts.history import CLOCK, History
from gateway.alerts.inhibition import Inhibition
from gateway.alerts.lifecycle import ACK_EXPIRES, ACTIVE, FINAL, SAME_WITHIN, VERIFY_AFTER, Refused
from gateway.alerts.notices import Notices, withdrawn_from
from gateway.alerts.reminders import Reminders
from gateway.alerts.silences import Silence, Silences
from gateway.alerts.succession import Succession, Told, followed_by, unheard_of
from gateway.alerts.suppression import Suppression
from gateway.books import BookOperation
from gateway.instants import MINUTE, Duration, Instant, moment
from gateway.rules.findings import Signal
from gateway.rules.timers import earliest
from gateway.site.model import Severity, Site

__all__ = ["AlertBook", "Refused"]

CALLED_AGAIN: Duration = MINUTE
"""A call that comes again so long after it was last told, though somebody has taken it, is told again. Ours."""


class AlertBook:
    """All alerts of one site that are not yet final, and the last final ones.

    Callers give signals, operations and times in order of time; deadlines before a signal's or an operation's time are
    fired by the caller with `advance` first, as `gateway.judgement` does.
    """

    def __init__(self, site: Site, started: Instant) -> None:
        self.site = site
        self.started = started
        self._zone = site.zone_info
        self._rest_on(Cases(), Silences(site), Duty(site), Notices(site))

    def _rest_on(self, cases: Cases, silences: Silences, duty: Duty, notices: Notices) -> None:
        """Have these as what is kept; nothing has become of them yet."""
        self.silences, self.duty = silences, duty
        self._cases, self._notices = cases, notices
        self._history = History(self.site, cases)
        self._inhibition = Inhibition(self.site, cases)
        self._escalation = Escalation(self.site, duty, self._inhibition, self._history, notices)
        self._reminders = Reminders(self._inhibition, self._history, notices)
        self._suppression = Suppression(cases, silences, self._inhibition, self._history, self._escalation)
        self._succession = Succession(cases, self._history, notices, self._escalation, self._suppression)

    # What comes in

    def signal(self, signal: Signal, evidence: tuple[str, ...] = ()) -> None:
        """Take one signal of the rules. What does not fit an alert's state (an end of what never began) changes nothing.

        Args:
            signal: what a rule says of a condition.
            evidence: what it rests on, for the history (`Transition.evidence`).
        """
        self._history.evidence = evidence
        try:
            self._take(signal)
        finally:
            self._history.evidence = ()

    def _take(self, signal: Signal) -> None:
        self._succession.heard_of(signal)
        case = self._cases.latest(signal.rule, signal.subject)
        match signal.action:
            case "raise":
                self._raise(signal, case)
            case "update":
                if case is not None:
                    self._update(case, signal)
            case "resolve" | "merge":
                if case is not None:
                    self._end(case, signal)
            case "retract":
                if signal.raised is not None:
                    case = self._cases.raised(signal.rule, signal.subject, moment(signal.raised, self._zone))
                if case is not None:
                    self._retract(case, signal)
            case _:
                assert_never(signal.action)

    def operate(self, operation: Operation) -> Alert:
        """A person acts.

        Raises:
            Refused: no such alert, or the table has no such transition.
        """
        case = self._named(operation)
        if case is None:
            raise Refused(f"no such alert: {operation.alert or f'{operation.rule}:{operation.subject}'}", "unknown")
        lifecycle.after(case.alert.state, operation.action)
        why = operation.why.strip()
        if operation.action == "comment" and not why:
            raise Refused("a comment needs a text")
        at = case.not_before(operation.at)
        fields: dict[str, Any] = {}
        match operation.action:
            case "ack":
                case.step_at, case.expire_at, fields = None, at + ACK_EXPIRES, {"exhausted": False}
            case "start":
                case.step_at = case.expire_at = None
                fields = {"exhausted": False}
            case "resolve":
                case.disarm()
                case.resolved_at = at
            case "close" | "comment":
                pass
            case _:
                assert_never(operation.action)
        self._history.record(case, operation.action, at, operation.by, why or operation.action, **fields)
        if operation.action == "resolve":
            self._notices.tell_end(case, at, "resolved")
            self._suppression.resolved(case, at)
            self._inhibition.resolved_by_hand(case, at)
        elif operation.action == "close":
            self._suppression.release(case.alert.id, at)
        return case.alert

    def silence(self, operation: BookOperation) -> Silence:
        """A person makes or ends a silence or a maintenance window; what it keeps silent falls silent or speaks at once.

        Raises:
            Refused: nothing changed.
        """
        item = self.silences.operate(operation, {alert.rule for alert in self._cases.alerts()})
        self._suppression.turn(item, operation.at, operation.by)
        return item

    def advance(self, now: Instant) -> None:
        """Fire deadlines (silences, escalation, expiry of acknowledgements, verification) up to and including `now`."""
        while (due := self.deadline()) is not None and due <= now:
            self._suppression.turn_due(due)
            for case in self._cases.due(due):
                self._fire(case, due)

    def deadline(self) -> Instant | None:
        """The next own deadline."""
        return earliest(self._cases.deadline(), self.silences.deadline())

    def restarted(self, down_from: Instant, now: Instant) -> None:
        """The gateway was down: of the steps missed meanwhile one catch-up step fires.

        The sensor was not heard in that time, so an end it had seen is verified by 10 min from now on.
        """
        self.advance(down_from)
        self._suppression.turn_due(now)
        for case in self._cases.due(now):
            if case.verify_at is not None and case.verify_at <= now:
                case.verify_at = now + VERIFY_AFTER
            self._inhibition.excuse(case, now)
            self._fire(case, now)
        for case in self._cases.standing():
            self._escalation.follow_site(case, now)

    # What goes out

    def drain(self) -> AlertChanges:
        """What changed since the last call."""
        return AlertChanges(transitions=self._history.drain(), notices=self._notices.drain())

    def news(self) -> list[AlertTransition]:
        """Transitions since the last call; `drain` gives them too."""
        return self._history.news()

    def alert(self, alert_id: str) -> Alert | None:
        """One alert as it is now."""
        case = self._cases.find(alert_id)
        return None if case is None else case.alert

    def alerts(self, *, active: bool = False) -> list[Alert]:
        """Alerts, newest `raised` first; `active`: only open, acknowledged and in progress."""
        found = [alert for alert in self._cases.alerts() if not active or alert.state in ACTIVE]
        found.sort(key=lambda alert: alert.id)
        found.sort(key=lambda alert: alert.raised, reverse=True)
        return found

    def keep_all(self) -> None:
        """Keep all alerts to the end: the journal is not there to have them."""
        self._cases.keep_all()

    def by_id(self) -> Iterator[Alert]:
        """All alerts that are kept, by id and one by one."""
        return self._cases.by_id()

    def steps(self, alert_id: str) -> list[PlannedStep]:
        """The escalation steps still to come for an open alert, with their due times; none if it is not escalating."""
        case = self._cases.find(alert_id)
        return [] if case is None else self._escalation.steps(case)

    def snapshot(self) -> Any:
        return {
            "cases": self._cases.snapshot(),
            "groups": self._notices.snapshot(),
            "silences": self.silences.snapshot(),
            "duty": self.duty.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot. Policies and contacts are those of the site as it is now."""
        self._cases.restore(state["cases"])
        self._notices.restore(state["groups"])
        self.silences.restore(state["silences"])
        self.duty.restore(state["duty"])

    def succeed(self, state: Mapping[str, Any], told: Told) -> bool:
        """Take up the alerts of a snapshot whose rules cannot be taken up, in place of those that this version found anew.

        Args:
            state: of the snapshot.
            told: what the journal has of alerts.

        Returns:
            False: it is not as this version makes it, and nothing changed.
        """
        other = AlertBook(self.site, self.started)
        try:
            other.restore(state)
        except (LookupError, TypeError, ValueError, AttributeError, msgspec.MsgspecError):
            return False
        self._follow(other, told)
        return True

    def succeed_by_journal(self, told: Told, now: Instant) -> None:
        """The same where no snapshot can be read: of what the journal has. Silences and swaps are not in it."""
        other = AlertBook(self.site, self.started)
        other._succession.take_journal(told, now)
        self._follow(other, told)

    def _follow(self, other: AlertBook, told: Told) -> None:
        unheard = unheard_of(self._cases.standing(), told)
        self._rest_on(other._cases, other.silences, other.duty, other._notices)
        self._succession.unheard = unheard

    def tell_unheard_of(self, told: Told, now: Instant) -> None:
        """After the tail of the log: have what the journal has of alerts and the book be one again, and tell what nobody was told of."""
        for signal in self._succession.unite(told, now):
            self.signal(signal)

    def tell_otherwise(self, told: Told, news: AlertChanges, now: Instant) -> None:
        """After the tail of the log was judged by another site file than that by which people were told of it: tell what is otherwise.

        What rests on something not heard, and does not stand by this site file, is retracted; of what was heard somebody has to see to it.

        Args:
            told: what the journal has of alerts.
            news: what is not in it yet.
            now: the instant.
        """
        lost = self._succession.lost(told)
        self.tell_unheard_of(followed_by(told, news.transitions), now)
        for case in self._succession.correct(told, news, lost, now):
            alert = case.alert
            never = Signal(rule=alert.rule, subject=alert.subject, action="retract", at=now, why="rejudged")
            self._retract(case, never)

    # Signals

    def _raise(self, signal: Signal, case: Case | None) -> None:
        if case is None or not _same_occurrence(case, signal.at):
            self._open(signal)
        elif case.alert.state == "resolved":
            self._again(case, signal)
        else:
            self._repeat(case, signal)

    def _open(self, signal: Signal) -> None:
        number = self._cases.occurrence(signal.rule, signal.subject)
        detected = moment(signal.at, self._zone)
        alert = Alert(
            id=f"{signal.rule}/{signal.subject}/{number}",
            rule=signal.rule,
            subject=signal.subject,
            severity=self._severity(signal),
            state="open",
            raised=detected if signal.raised is None else moment(signal.raised, self._zone),
            detected=detected,
            updated=detected,
            caused_by=None,
            message=self._message(signal.rule, signal.subject, signal.details),
            occurrence=number,
            place=signal.place,
            details=dict(signal.details),
        )
        case = Case(alert=alert, policy=self._escalation.policy_of(signal.rule))
        self._reminders.begin(case, signal.at)
        cause = self._inhibition.cause(signal)
        self._suppression.hush(case)
        silenced = self._inhibition.name(case, cause, signal.at)
        self._history.record(case, "raise", signal.at, f"rule:{signal.rule}", signal.why or "raised", **silenced)
        self._escalation.begin(case, signal.at)
        self._keep_limit(signal.at)

    def _again(self, case: Case, signal: Signal) -> None:
        case.disarm()
        case.repeats, case.holds, case.resolved_at = 0, True, None
        at = case.not_before(signal.at)
        self._reminders.begin(case, at)
        fields = self._described(case.alert, signal)
        self._suppression.hush(case, fields["place"])
        fields |= self._inhibition.name(case, self._inhibition.cause(signal), at) | {"level": 0, "exhausted": False}
        self._history.record(case, "again", at, f"rule:{signal.rule}", signal.why or "again", **fields)
        self._escalation.begin(case, at)

    def _update(self, case: Case, signal: Signal) -> None:
        """What stands is another.

        Of an alert that is over by hand only what evidence withdraws is news; of one that ended by itself all that is known otherwise since.
        """
        if case.alert.state in ACTIVE:
            self._repeat(case, signal)
            return
        fields = self._described(case.alert, signal)
        withdrawn = withdrawn_from(case, fields["details"])
        otherwise = not case.holds and fields["message"] != case.alert.message
        if withdrawn or otherwise:
            at, by = case.not_before(signal.at), f"rule:{signal.rule}"
            shown = {"details": fields["details"], "message": fields["message"]}
            why = wording.CORRECTED if withdrawn else signal.why or "changed"
            self._history.record(case, "note", at, by, why, **shown)
            self._notices.tell_withdrawn(case, at, withdrawn)

    def _repeat(self, case: Case, signal: Signal) -> None:
        """The condition was reported again: a row only if something changed that people see."""
        at, place = case.not_before(signal.at), case.alert.place
        fields = self._described(case.alert, signal)
        withdrawn = withdrawn_from(case, fields["details"])
        lifted = False
        if signal.action == "raise":
            cause = self._inhibition.cause(signal)
            lifted = cause is None and case.cause is not None
            if cause != case.cause:
                case.step_at = case.step_at if cause is None else None
                fields |= self._inhibition.name(case, cause, at)
        if self._called_again(case, signal, at):
            anew = case.alert.exhausted
            if anew:
                case.repeats, fields = 0, fields | {"level": 0, "exhausted": False}
            self._history.record(case, "repeat", at, f"rule:{signal.rule}", "called_again", **fields)
            if anew:
                self._escalation.begin(case, at)
            else:
                self._notices.tell(case, at, "raised", tuple(case.standing))
                case.told_at = at
        elif any(getattr(case.alert, field) != value for field, value in fields.items()):
            why = wording.CORRECTED if withdrawn else signal.why or "changed"
            self._history.record(case, "repeat", at, f"rule:{signal.rule}", why, **fields)
            self._notices.tell_withdrawn(case, at, withdrawn)
        else:
            case.alert = replace(case.alert, updated=moment(at, self._zone))
        if lifted:
            self._escalation.resume(case, at)
        if fields["place"] != place:
            self._suppression.quieten(case, at, CLOCK, "moved")

    def _called_again(self, case: Case, signal: Signal, at: Instant) -> bool:
        """Whether somebody calls for help again while another believes that he has seen to it, or nobody answered to the end."""
        if signal.rule != CALL or signal.action != "raise":
            return False
        if case.alert.state == "open":
            return case.alert.exhausted
        return case.told_at is None or at - case.told_at >= CALLED_AGAIN

    def _end(self, case: Case, signal: Signal) -> None:
        at = case.not_before(signal.at)
        by = f"rule:{signal.rule}"
        if case.alert.state == "resolved" and case.holds:
            case.holds, case.verify_at = False, at + VERIFY_AFTER
            self._history.record(case, "note", at, by, signal.why or "ended")
        elif case.alert.state in ACTIVE:
            merged = signal.action == "merge"
            fields: dict[str, Any] = {"details": case.alert.details | signal.details}
            if merged:
                fields |= {"suppressed": "merged", "caused_by": self._inhibition.cause(signal)}
            case.disarm()
            case.holds, case.resolved_at, case.verify_at = False, at, at + VERIFY_AFTER
            why = signal.why or ("merged" if merged else "ended")
            self._history.record(case, "merge" if merged else "end", at, by, why, **fields)
            self._notices.tell_end(case, at, "merged" if merged else "resolved")
            self._suppression.resolved(case, at)

    def _retract(self, case: Case, signal: Signal) -> None:
        """Evidence disproved it. A closed alert stays closed, but whoever was told is told, once."""
        at, by, why = case.not_before(signal.at), f"rule:{signal.rule}", signal.why or "disproved"
        if case.alert.state == "retracted" or case.disproved:
            return
        case.disproved = True
        case.disarm()
        self._history.record(case, "note" if case.alert.state == "closed" else "retract", at, by, why)
        self._notices.tell(case, at, "retracted", tuple(case.told))
        self._suppression.release(case.alert.id, at)

    # Deadlines

    def _fire(self, case: Case, at: Instant) -> None:
        """Do what is due of one case; then it is filed again with what comes next."""
        at = case.not_before(at)
        tellings = case.tellings
        if case.expire_at is not None and case.expire_at <= at:
            case.expire_at, case.repeats = None, 0
            self._history.record(case, "expire", at, CLOCK, "ack_expired")
            self._escalation.resume(case, at)
        if case.verify_at is not None and case.verify_at <= at:
            self._history.record(case, "verify", at, CLOCK, "verified")
            self._suppression.release(case.alert.id, at)
        if case.lift_at is not None and case.lift_at <= at:
            self._suppression.lift_unless_caused(case, at)
        if case.step_at is not None and case.step_at <= at:
            self._escalation.step(case, at)
        if case.remind_at is not None and case.remind_at <= at:
            self._reminders.fire(case, at, frozenset(case.last_told) if case.tellings > tellings else frozenset())
        self._cases.keep(case)

    def _keep_limit(self, at: Instant) -> None:
        """Beyond the limit of live alerts the oldest is ended and closed, and its history says why."""
        while (case := self._cases.oldest_over_limit()) is not None:
            when = case.not_before(at)
            case.disarm()
            if case.alert.state in ACTIVE:
                self._history.record(case, "end", when, CLOCK, "limit_of_alerts")
            self._history.record(case, "verify", when, CLOCK, "limit_of_alerts")
            self._suppression.release(case.alert.id, when)

    # What the site and the catalogue say

    def _described(self, alert: Alert, signal: Signal) -> dict[str, Any]:
        """What a further signal changes of what people see."""
        details = dict(signal.details) or alert.details
        raised = alert.raised if signal.raised is None else min(alert.raised, moment(signal.raised, self._zone))
        severity = alert.severity if signal.severity is None else self._severity(signal)
        return {
            "details": details,
            "message": self._message(alert.rule, alert.subject, details),
            "raised": raised,
            "severity": severity,
            "place": signal.place or alert.place,
        }

    def _message(self, rule: str, subject: str, details: Mapping[str, wording.Detail]) -> str:
        return wording.message(self.site, rule, subject, details, self.site.language)

    def _severity(self, signal: Signal) -> Severity:
        """The site's word, else the signal's, else the catalogue's."""
        said = self.site.alerting.rules.get(signal.rule)
        if said is not None and said.severity is not None:
            return said.severity
        return signal.severity or rule_of(signal.rule).severity

    def _named(self, operation: Operation) -> Case | None:
        if operation.alert is not None:
            return self._cases.find(operation.alert)
        return self._cases.latest(operation.rule or "", operation.subject or "")


def _same_occurrence(case: Case, at: Instant) -> bool:
    if case.alert.state in FINAL:
        return False
    if case.alert.state in ACTIVE or case.resolved_at is None:
        return True
    return at - case.resolved_at <= SAME_WITHIN or (case.verify_at is not None and at <= case.verify_at)
