"""The book of alerts: signals of the rules, operators' actions and time in; transitions and notices out.

Pure like the rules: time is an argument, nothing is read, written or sent here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, assert_never

import msgspec
from msgspec.structs import replace

from gateway.alerts import lifecycle, wording
from gateway.alerts.alert import Alert, AlertChanges, AlertState, AlertTransition, Notice, Operation, Transition
from gateway.alerts.case import HISTORY_FIRST, HISTORY_LAST, Case
from gateway.alerts.cases import Cases
from gateway.alerts.catalogue import CALL, accused, rule_of
from gateway.alerts.duty import Duty
from gateway.alerts.escalation import PlannedStep, named_contacts, planned, repeat_after, steps_of
from gateway.alerts.grouping import Group
from gateway.alerts.lifecycle import ACTIVE, FINAL, Refused, Trigger
from gateway.alerts.silences import Silence, Silences
from gateway.alerts.succession import Standing, Told, case_of, followed_by, signal_of, unheard_of
from gateway.books import BookOperation
from gateway.instants import MINUTE, Duration, Instant, instant, moment
from gateway.rules.findings import Signal
from gateway.rules.timers import earliest
from gateway.site.durations import written
from gateway.site.model import Severity, Site

__all__ = ["AlertBook", "Refused"]

ACK_EXPIRES: Duration = 30 * MINUTE
"""An acknowledgement without work started lapses (alerts.md, table)."""
SAME_WITHIN: Duration = 10 * MINUTE
"""The same subject again within this is the same occurrence (alerts.md, table)."""
VERIFY_AFTER: Duration = 10 * MINUTE
"""An end seen by the sensor that lasts so long closes the alert (alerts.md, table)."""
CAUSE_WITHIN: Duration = 10 * MINUTE
"""A suppression whose cause has no alert by then, or one resolved by hand, is lifted: better told twice than not at all. Ours."""

CALLED_AGAIN: Duration = MINUTE
"""A call that comes again so long after it was last told, though somebody has taken it, is told again. Ours."""

DEFAULT_POLICY = "default"
CLOCK = "clock"
RESTARTING = "gateway_restarting"
"""While it stands no alert of absence is told (cameras.md, Any device)."""


class AlertBook:
    """All alerts of one site that are not yet final, and the last final ones.

    Callers give signals, operations and times in order of time; deadlines before a signal's or an operation's time are
    fired by the caller with `advance` first, as `gateway.judgement` does.
    """

    def __init__(self, site: Site, started: Instant) -> None:
        self.site = site
        self.started = started
        self._zone = site.zone_info
        self.silences = Silences(site)
        self.duty = Duty(site)
        self._cases = Cases()
        self._groups: dict[str, Group] = {}
        self._feeders = _feeders(site)
        self._changes = AlertChanges()
        self._heard = 0
        """Transitions of these changes that `news` has given."""
        self._evidence: tuple[str, ...] = ()
        """What the signal that is being taken rests on."""
        self._unheard_of: dict[str, Signal] = {}
        """What an earlier version did not find, until it is told of (`tell_unheard_of`)."""

    # What comes in

    def signal(self, signal: Signal, evidence: tuple[str, ...] = ()) -> None:
        """Take one signal of the rules. What does not fit an alert's state (an end of what never began) changes nothing.

        Args:
            signal: what a rule says of a condition.
            evidence: what it rests on, for the history (`Transition.evidence`).
        """
        self._evidence = evidence
        try:
            self._take(signal)
        finally:
            self._evidence = ()

    def _take(self, signal: Signal) -> None:
        if self._unheard_of and signal.action != "update":
            self._unheard_of.pop(f"{signal.rule}/{signal.subject}", None)
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
        at = self._not_before(case, operation.at)
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
        self._record(case, operation.action, at, operation.by, why or operation.action, **fields)
        if operation.action == "resolve":
            self._tell_end(case, at, "resolved")
            self._resolved(case, at)
            for held in self._cases.held(case.alert.id):
                held.lift_at = at + CAUSE_WITHIN
                self._cases.keep(held)
        return case.alert

    def silence(self, operation: BookOperation) -> Silence:
        """A person makes or ends a silence or a maintenance window; what it keeps silent falls silent or speaks at once.

        Raises:
            Refused: nothing changed.
        """
        item = self.silences.operate(operation, {alert.rule for alert in self._cases.alerts()})
        self._turn(item, operation.at, operation.by)
        return item

    def advance(self, now: Instant) -> None:
        """Fire deadlines (silences, escalation, expiry of acknowledgements, verification) up to and including `now`."""
        while (due := self.deadline()) is not None and due <= now:
            self._turn_silences(due)
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
        self._turn_silences(now)
        for case in self._cases.due(now):
            if case.verify_at is not None and case.verify_at <= now:
                case.verify_at = now + VERIFY_AFTER
            if case.lift_at is not None and case.lift_at <= now:
                case.lift_at = now + CAUSE_WITHIN
            self._fire(case, now)
        for case in self._cases.standing():
            self._take_policy(case, now)

    def _take_policy(self, case: Case, at: Instant) -> None:
        """An alert for whose rule the site had no policy, or whose policy it has no more, follows the one that it has now."""
        if case.policy in self.site.alerting.policies:
            return
        case.policy = self._policy(case.alert.rule)
        if case.policy is not None and case.step_at is None and not case.alert.exhausted:
            self._resume(case, at)

    # What goes out

    def drain(self) -> AlertChanges:
        """What changed since the last call."""
        changes, self._changes, self._heard = self._changes, AlertChanges(), 0
        return changes

    def news(self) -> list[AlertTransition]:
        """Transitions since the last call; `drain` gives them too."""
        found = self._changes.transitions[self._heard :]
        self._heard += len(found)
        return found

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
        if case is None or case.step_at is None:
            return []
        steps = steps_of(self.site, case.policy)
        rows = planned(steps, case.alert.level, case.repeats, since=0)
        return [row._replace(due=row.due - rows[0].due + case.step_at) for row in rows]

    def snapshot(self) -> Any:
        return {
            "cases": self._cases.snapshot(),
            "groups": msgspec.to_builtins(self._groups),
            "silences": self.silences.snapshot(),
            "duty": self.duty.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot. Policies and contacts are those of the site as it is now."""
        self._cases.restore(state["cases"])
        self._groups = msgspec.convert(state["groups"], dict[str, Group])
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
        for standing in told.standing:
            policy = self._policy(standing.alert.rule)
            other._cases.keep(case_of(standing, policy, now, acknowledged_for=ACK_EXPIRES, verify=VERIFY_AFTER))
        other._cases.count_on({name: newest.number for name, newest in told.newest.items()})
        self._follow(other, told)

    def _follow(self, other: AlertBook, told: Told) -> None:
        self._unheard_of = unheard_of(self._cases.standing(), told)
        self._cases, self._groups = other._cases, other._groups
        self.silences, self.duty = other.silences, other.duty
        self._changes, self._heard = AlertChanges(), 0

    def tell_unheard_of(self, told: Told, now: Instant) -> None:
        """After the tail of the log: have what the journal has of alerts and the book be one again, and tell what nobody was told of."""
        for case in self._cases.standing():
            newest = told.newest.get(name := f"{case.alert.rule}/{case.alert.subject}")
            if (
                newest is None or newest.number < case.alert.occurrence
            ):  # raised in the tail, by the rules of this version alone
                self._cases.withdraw(case)
                self._unheard_of[name] = signal_of(case.alert)
        for standing in told.standing:  # raised in the tail by those of the version before
            if self._cases.find(standing.alert.id) is None:
                policy = self._policy(standing.alert.rule)
                self._cases.keep(case_of(standing, policy, now, acknowledged_for=ACK_EXPIRES, verify=VERIFY_AFTER))
        self._cases.count_on({name: newest.number for name, newest in told.newest.items()})
        for case in self._cases:
            alert = case.alert
            newest = told.newest.get(f"{alert.rule}/{alert.subject}")
            if (
                newest is not None
                and newest.number == alert.occurrence
                and newest.state != alert.state
                and alert.history
            ):
                self._changes.transitions.append(AlertTransition(alert=alert, transition=alert.history[-1]))
        for case in self._cases.standing():
            self._quieten(case, now, CLOCK, "silence_ended")  # of a silence that is not known any more
        found, self._unheard_of = self._unheard_of, {}
        for _, signal in sorted(found.items()):
            if self._cases.active(signal.rule, signal.subject) is None:
                self.signal(msgspec.structs.replace(signal, at=now))

    def tell_otherwise(self, told: Told, news: AlertChanges, now: Instant) -> None:
        """After the tail of the log was judged by another site file than that by which people were told of it: tell what is otherwise.

        What rests on something not heard, and does not stand by this site file, is retracted; of what was heard somebody has to see to it.

        Args:
            told: what the journal has of alerts.
            news: what is not in it yet.
            now: the instant.
        """
        lost = {each.alert.id for each in told.standing if self._cases.find(each.alert.id) is None}
        self.tell_unheard_of(followed_by(told, news.transitions), now)
        known = {row.alert.id: row.alert for row in news.transitions}
        hearing = {(notice.alert, notice.contact) for notice in news.notices}
        for standing in told.standing:
            alert, case = standing.alert, self._cases.find(standing.alert.id)
            if case is None:
                continue
            if alert.id not in lost:
                heard = known.get(alert.id)
                for contact in standing.contacts:
                    last = heard if heard is not None and (alert.id, contact) in hearing else alert
                    case.hears_of(contact, accused(alert.rule, last.details))
                self._tell_in_full(case, standing, now, heard=None if heard is None else heard.state)
            elif rule_of(alert.rule).basis == "absence":
                self._retract(
                    case, Signal(rule=alert.rule, subject=alert.subject, action="retract", at=now, why="rejudged")
                )

    def _tell_in_full(self, case: Case, standing: Standing, at: Instant, *, heard: AlertState | None) -> None:
        """Whoever the journal says was told of an alert hears what has become of it. `heard`: what those hear anyway whom the book has told."""
        over = heard is not None and heard not in ACTIVE
        untold = tuple(contact for contact in standing.contacts if not over or contact not in case.told)
        since = [contact for contact in dict.fromkeys(standing.contacts) if contact not in case.told]
        case.told += since
        case.tellings = max(case.tellings, standing.tellings)
        at, alert = self._not_before(case, at), case.alert
        if alert.state == "retracted":
            self._tell(case, at, "retracted", untold)
            return
        withdrawn = _withdrawn(case, alert.details)
        if alert.state in ACTIVE:
            case.standing += since
        elif standing.alert.state in ACTIVE:
            self._tell(case, at, "resolved", untold)
        if withdrawn:
            trigger: Trigger = "repeat" if alert.state in ACTIVE else "note"
            self._record(case, trigger, at, f"rule:{alert.rule}", wording.CORRECTED)
            self._tell_withdrawn(case, at, withdrawn)

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
        case = Case(alert=alert, policy=self._policy(signal.rule), remind_at=_first_reminder(signal.rule, signal.at))
        cause = self._cause(signal)
        self._hush(case)
        self._record(
            case,
            "raise",
            signal.at,
            f"rule:{signal.rule}",
            signal.why or "raised",
            **self._silenced(case, cause, signal.at),
        )
        self._begin(case, signal.at)
        self._keep_limit(signal.at)

    def _again(self, case: Case, signal: Signal) -> None:
        case.disarm()
        case.repeats, case.holds, case.resolved_at = 0, True, None
        at = self._not_before(case, signal.at)
        case.reminded, case.remind_at = 0, _first_reminder(signal.rule, at)
        fields = self._described(case.alert, signal)
        self._hush(case, fields["place"])
        fields |= self._silenced(case, self._cause(signal), at) | {"level": 0, "exhausted": False}
        self._record(case, "again", at, f"rule:{signal.rule}", signal.why or "again", **fields)
        self._begin(case, at)

    def _update(self, case: Case, signal: Signal) -> None:
        """What stands is another: of an alert that is over only what evidence withdraws is news."""
        if case.alert.state in ACTIVE:
            self._repeat(case, signal)
            return
        fields = self._described(case.alert, signal)
        withdrawn = _withdrawn(case, fields["details"])
        if withdrawn:
            at, by = self._not_before(case, signal.at), f"rule:{signal.rule}"
            shown = {"details": fields["details"], "message": fields["message"]}
            self._record(case, "note", at, by, wording.CORRECTED, **shown)
            self._tell_withdrawn(case, at, withdrawn)

    def _repeat(self, case: Case, signal: Signal) -> None:
        """The condition was reported again: a row only if something changed that people see."""
        at, place = self._not_before(case, signal.at), case.alert.place
        fields = self._described(case.alert, signal)
        withdrawn = _withdrawn(case, fields["details"])
        lifted = False
        if signal.action == "raise":
            cause = self._cause(signal)
            lifted = cause is None and case.cause is not None
            if cause != case.cause:
                case.step_at = case.step_at if cause is None else None
                fields |= self._silenced(case, cause, at)
        if self._called_again(case, signal, at):
            anew = case.alert.exhausted
            if anew:
                case.repeats, fields = 0, fields | {"level": 0, "exhausted": False}
            self._record(case, "repeat", at, f"rule:{signal.rule}", "called_again", **fields)
            if anew:
                self._begin(case, at)
            else:
                self._tell(case, at, "raised", tuple(case.standing))
                case.told_at = at
        elif any(getattr(case.alert, field) != value for field, value in fields.items()):
            why = wording.CORRECTED if withdrawn else signal.why or "changed"
            self._record(case, "repeat", at, f"rule:{signal.rule}", why, **fields)
            self._tell_withdrawn(case, at, withdrawn)
        else:
            case.alert = replace(case.alert, updated=moment(at, self._zone))
        if lifted:
            self._resume(case, at)
        if fields["place"] != place:
            self._quieten(case, at, CLOCK, "moved")

    def _called_again(self, case: Case, signal: Signal, at: Instant) -> bool:
        """Whether somebody calls for help again while another believes that he has seen to it, or nobody answered to the end."""
        if signal.rule != CALL or signal.action != "raise":
            return False
        if case.alert.state == "open":
            return case.alert.exhausted
        return case.told_at is None or at - case.told_at >= CALLED_AGAIN

    def _end(self, case: Case, signal: Signal) -> None:
        at = self._not_before(case, signal.at)
        by = f"rule:{signal.rule}"
        if case.alert.state == "resolved" and case.holds:
            case.holds, case.verify_at = False, at + VERIFY_AFTER
            self._record(case, "note", at, by, signal.why or "ended")
        elif case.alert.state in ACTIVE:
            merged = signal.action == "merge"
            fields: dict[str, Any] = {"details": case.alert.details | signal.details}
            if merged:
                fields |= {"suppressed": "merged", "caused_by": self._cause(signal)}
            case.disarm()
            case.holds, case.resolved_at, case.verify_at = False, at, at + VERIFY_AFTER
            why = signal.why or ("merged" if merged else "ended")
            self._record(case, "merge" if merged else "end", at, by, why, **fields)
            self._tell_end(case, at, "merged" if merged else "resolved")
            self._resolved(case, at)

    def _retract(self, case: Case, signal: Signal) -> None:
        """Evidence disproved it. A closed alert stays closed, but whoever was told is told, once."""
        at, by, why = self._not_before(case, signal.at), f"rule:{signal.rule}", signal.why or "disproved"
        if case.alert.state == "retracted" or case.disproved:
            return
        case.disproved = True
        case.disarm()
        self._record(case, "note" if case.alert.state == "closed" else "retract", at, by, why)
        self._tell(case, at, "retracted", tuple(case.told))
        self._release(case.alert.id, at)

    # Deadlines

    def _fire(self, case: Case, at: Instant) -> None:
        """Do what is due of one case; then it is filed again with what comes next."""
        at = self._not_before(case, at)
        tellings = case.tellings
        if case.expire_at is not None and case.expire_at <= at:
            case.expire_at, case.repeats = None, 0
            self._record(case, "expire", at, CLOCK, "ack_expired")
            self._resume(case, at)
        if case.verify_at is not None and case.verify_at <= at:
            self._record(case, "verify", at, CLOCK, "verified")
            self._release(case.alert.id, at)
        if case.lift_at is not None and case.lift_at <= at:
            self._lift_unless_caused(case, at)
        if case.step_at is not None and case.step_at <= at:
            self._step(case, at)
        if case.remind_at is not None and case.remind_at <= at:
            self._remind(case, at, frozenset(case.last_told) if case.tellings > tellings else frozenset())
        self._cases.keep(case)

    def _remind(self, case: Case, at: Instant, just_told: frozenset[str]) -> None:
        """Remind whoever was told that it still stands, once for all reminders that have fallen due; those just told know.

        An acknowledged alert, and one that is worked on, is reminded of too: escalation looks for somebody who takes it,
        a reminder says that it was not mended yet.
        """
        reminders = rule_of(case.alert.rule).reminders
        passed = reminders[case.reminded]
        while case.remind_at is not None and case.remind_at <= at:
            passed = reminders[case.reminded]
            case.reminded += 1
            more = case.reminded < len(reminders)
            case.remind_at = case.remind_at + reminders[case.reminded] - passed if more else None
        contacts = tuple(contact for contact in case.standing if contact not in just_told)
        if contacts and case.alert.suppressed is None:
            self._record(case, "note", at, CLOCK, f"reminder after {written(passed)}: {', '.join(contacts)}")
            self._tell(case, at, "reminder", contacts)

    def _lift_unless_caused(self, case: Case, at: Instant) -> None:
        case.lift_at = None
        cause = self._cases.find(case.cause or "")
        if not _stands(cause):
            self._lift(case, at, "cause_not_found" if cause is None else "cause_ended")

    # Escalation

    def _begin(self, case: Case, at: Instant) -> None:
        """Start the policy from its first step, unless somebody or something keeps the alert silent."""
        steps = steps_of(self.site, case.policy)
        if case.alert.suppressed is not None or not steps:
            return
        case.step_at = at + steps[0].after
        if case.step_at <= at:
            self._step(case, at)
        else:
            self._file(case)

    def _resume(self, case: Case, at: Instant) -> None:
        """Take the next step now: an acknowledgement lapsed, or a suppression ended."""
        if case.alert.state != "open" or case.alert.suppressed is not None:
            return
        if case.alert.level == 0:
            self._begin(case, at)
        else:
            self._step(case, at)

    def _step(self, case: Case, at: Instant) -> None:
        cause = self._inhibitor(case.alert.rule)
        if cause is not None:
            case.step_at = None
            self._record(case, "note", at, CLOCK, "inhibited", **self._silenced(case, cause, at))
            return
        steps = steps_of(self.site, case.policy)
        rows = planned(steps, case.alert.level, case.repeats, since=at)
        if not rows:
            case.step_at = None
            self._record(case, "step", at, CLOCK, "exhausted", exhausted=True)
            return
        step = rows[0]
        last = step.level == len(steps)
        reached = self.duty.reached(step.contacts, at, fallback=named_contacts(steps) if last else ())
        passed_on = not last and not reached.contacts
        case.repeats = step.repeat
        case.step_at = at if passed_on else self._after(case, step, at)
        why = f"step {step.level}" + (f", repeat {step.repeat}" if step.repeat else "")
        why += f": {', '.join(reached.contacts)}" if reached.contacts else ""
        why += f" ({reached.note})" if reached.note else ""
        self._record(case, "step", at, f"policy:{case.policy}", why, level=step.level)
        if passed_on:
            self._step(case, at)
        else:
            self._tell(case, at, "escalated" if case.tellings and case.standing else "raised", reached.contacts)

    def _after(self, case: Case, step: PlannedStep, at: Instant) -> Instant:
        """When the step after `step` is due; after the last repetition one more distance is waited before `exhausted`."""
        steps = steps_of(self.site, case.policy)
        rows = planned(steps, step.level, step.repeat, since=at)
        return rows[0].due if rows else at + repeat_after(steps)

    # Suppression

    def _cause(self, signal: Signal) -> str | None:
        """The id of the alert that keeps this one silent, or None."""
        if signal.caused_by is not None:
            return self._cases.expected_id(signal.caused_by)
        return self._inhibitor(signal.rule)

    def _inhibitor(self, rule: str) -> str | None:
        if rule == RESTARTING or rule_of(rule).basis == "presence":
            return None
        found = self._cases.active(RESTARTING, self.site.id)
        return None if found is None else found.alert.id

    def _silenced(self, case: Case, cause: str | None, at: Instant) -> dict[str, Any]:
        """The fields of an alert that `cause` keeps silent (None: none does); sets when its cause must exist."""
        found = self._cases.find(cause or "")
        case.cause = cause
        case.lift_at = at + CAUSE_WITHIN if cause is not None and not _stands(found) else None
        return {"caused_by": cause, "suppressed": case.suppressed}

    def _lift(self, case: Case, at: Instant, why: str) -> None:
        case.cause = case.lift_at = None
        at = self._not_before(case, at)
        self._record(case, "note", at, CLOCK, why, suppressed=case.suppressed)
        self._resume(case, at)

    def _hush(self, case: Case, place: str | None = None) -> None:
        """Have it kept silent by the silence or window that means it, if one stands; the row that says so is the caller's."""
        alert, before = case.alert, case.quiet
        case.quiet = self.silences.covering(alert.rule, alert.subject, place or alert.place)
        if case.quiet not in {None, before}:
            self.silences.counted(case.quiet)

    def _turn_silences(self, now: Instant) -> None:
        for item in self.silences.due(now):
            self._turn(item, now, CLOCK)

    def _turn(self, item: Silence, at: Instant, by: str) -> None:
        """A silence or window began or ended: whom it means falls silent or speaks."""
        if item.state in {"planned", "cancelled"}:
            return
        began = item.state == "active"
        why = f"{item.id}: {item.why}" if began else f"{item.kind}_ended"
        for case in self._cases.standing():
            alert = case.alert
            if self.silences.means(item, alert.rule, alert.subject, alert.place) if began else case.quiet == item.id:
                self._quieten(case, at, by, why)

    def _quieten(self, case: Case, at: Instant, by: str, why: str) -> None:
        """See anew whether a silence or window keeps an active alert silent; one that nothing does any more speaks."""
        before, quiet_before = case.suppressed, case.quiet
        self._hush(case)
        if case.quiet == quiet_before:
            return
        at = self._not_before(case, at)
        if case.suppressed is not None:
            case.step_at = None
        elif case.alert.exhausted:
            case.repeats = 0
        if case.suppressed == before:
            self._file(case)
        elif case.suppressed is not None:
            self._record(case, "note", at, by, why, suppressed=case.suppressed)
        else:
            self._record(case, "note", at, by, why, suppressed=None, exhausted=False)
            self._resume(case, at)

    def _release(self, cause: str, at: Instant) -> None:
        """The alert `cause` is over: who was silent because of it and still open speaks now."""
        for case in self._cases.held(cause):
            self._lift(case, at, "cause_ended")

    def _resolved(self, case: Case, at: Instant) -> None:
        """A restarting gateway holds others silent only while it restarts; other causes until they are verified."""
        if case.alert.rule == RESTARTING:
            self._release(case.alert.id, at)

    # Telling

    def _tell(
        self,
        case: Case,
        at: Instant,
        kind: wording.NoticeKind,
        contacts: tuple[str, ...],
        withdrawn: tuple[str, ...] = (),
    ) -> None:
        if not contacts:
            return
        case.tellings += 1
        case.last_told, case.told_at = list(contacts), at
        alert = case.alert
        named = accused(alert.rule, alert.details)
        cause = kind in {"raised", "escalated"} and alert.subject in self._feeders
        due = self._groups.setdefault(case.policy or "", Group()).due(at, alert.severity, cause=cause)
        texts: dict[wording.Language, tuple[str, str]] = {}
        for contact in dict.fromkeys(contacts):
            language = wording.language_of(self.site, contact)
            if language not in texts:
                title = wording.notice_title(self.site, alert, kind, language)
                texts[language] = (title, wording.notice_body(self.site, alert, kind, language, withdrawn))
            title, body = texts[language]
            key = f"{alert.id}/{kind}/{case.tellings}/{contact}"
            self._changes.notices.append(
                Notice(key=key, contact=contact, alert=alert.id, kind=kind, due=due, title=title, body=body)
            )
            if named:
                case.hears_of(contact, named)
            if contact not in case.told:
                case.told.append(contact)
            if contact not in case.standing:
                case.standing.append(contact)

    def _tell_end(self, case: Case, at: Instant, kind: wording.NoticeKind) -> None:
        """Tell those who were told since it was last opened."""
        self._tell(case, at, kind, tuple(case.standing))
        case.standing.clear()

    def _tell_withdrawn(self, case: Case, at: Instant, withdrawn: Mapping[str, tuple[str, ...]]) -> None:
        """Tell all who were told of more than what stands now, each what he was told."""
        standing = list(case.standing)
        for names in dict.fromkeys(withdrawn.values()):
            self._tell(case, at, "corrected", tuple(each for each, own in withdrawn.items() if own == names), names)
        case.standing = standing

    # Rows

    def _record(self, case: Case, trigger: Trigger, at: Instant, by: str, why: str, **fields: Any) -> None:
        """Append one row to the alert's history and file the alert as it is after it."""
        before = None if trigger == "raise" else case.alert.state
        state = lifecycle.after(before, trigger)
        when = moment(at, self._zone)
        row = Transition(
            at=when,
            before=before,
            after=state,
            by=by,
            why=why,
            evidence=self._evidence if by.startswith("rule:") else (),
        )
        alert = replace(case.alert, state=state, updated=when, history=_trimmed((*case.alert.history, row)), **fields)
        case.alert = replace(alert, next_step=None if case.step_at is None else moment(case.step_at, self._zone))
        self._cases.keep(case)
        self._changes.transitions.append(AlertTransition(alert=case.alert, transition=row))

    def _file(self, case: Case) -> None:
        """File an alert whose next step changed without a row of its own."""
        case.alert = replace(case.alert, next_step=None if case.step_at is None else moment(case.step_at, self._zone))
        self._cases.keep(case)

    def _keep_limit(self, at: Instant) -> None:
        """Beyond the limit of live alerts the oldest is ended and closed, and its history says why."""
        while (case := self._cases.oldest_over_limit()) is not None:
            when = self._not_before(case, at)
            case.disarm()
            if case.alert.state in ACTIVE:
                self._record(case, "end", when, CLOCK, "limit_of_alerts")
            self._record(case, "verify", when, CLOCK, "limit_of_alerts")
            self._release(case.alert.id, when)

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

    def _policy(self, rule: str) -> str | None:
        """The policy that the site names for the rule, else `default`; None: shown on the console only."""
        said = self.site.alerting.rules.get(rule)
        name = (said.policy if said is not None else None) or DEFAULT_POLICY
        return name if name in self.site.alerting.policies else None

    def _named(self, operation: Operation) -> Case | None:
        if operation.alert is not None:
            return self._cases.find(operation.alert)
        return self._cases.latest(operation.rule or "", operation.subject or "")

    def _not_before(self, case: Case, at: Instant) -> Instant:
        """`at`, but not before the alert's last row: its history runs forward."""
        return max(at, instant(case.alert.updated))


def _feeders(site: Site) -> frozenset[str]:
    """What others hang from: panels, switches, recorders, circuits. A fault of one of them is the cause of many."""
    named = {above for each in site.devices.values() for above in each.parents}
    named |= {above for each in site.parents.values() for above in each.parents}
    panels = {circuit.panel for circuit in site.circuits.values() if circuit.panel is not None}
    return frozenset({*named, *panels, *site.circuits, *site.parents})


def _first_reminder(rule: str, opened: Instant) -> Instant | None:
    reminders = rule_of(rule).reminders
    return opened + reminders[0] if reminders else None


def _same_occurrence(case: Case, at: Instant) -> bool:
    if case.alert.state in FINAL:
        return False
    if case.alert.state in ACTIVE or case.resolved_at is None:
        return True
    return at - case.resolved_at <= SAME_WITHIN or (case.verify_at is not None and at <= case.verify_at)


def _withdrawn(case: Case, details: Mapping[str, wording.Detail]) -> dict[str, tuple[str, ...]]:
    """Of each contact, whom or what he was told to be at fault, and `details` no longer names."""
    stands = Counter(accused(case.alert.rule, details))
    found = {contact: tuple((Counter(case.heard_of(contact)) - stands).elements()) for contact in case.told}
    return {contact: names for contact, names in found.items() if names}


def _stands(cause: Case | None) -> bool:
    """Whether it may keep others silent: it is active, or its end is being verified by the sensor."""
    if cause is None:
        return False
    return cause.alert.state in ACTIVE or (cause.alert.state == "resolved" and not cause.holds)


def _trimmed(history: tuple[Transition, ...]) -> tuple[Transition, ...]:
    if len(history) <= HISTORY_FIRST + HISTORY_LAST:
        return history
    return history[:HISTORY_FIRST] + history[-HISTORY_LAST:]
