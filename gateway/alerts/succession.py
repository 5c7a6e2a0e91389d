"""Alerts of an earlier version: what was told of stays told of, whatever the rules of this one make of the evidence.

Where the state of the rules is made anew from the log (its stored form is of another version), the alerts are not: their numbers name rows
of the journal and notices that were sent, people acknowledged them, and some are older than the evidence that is judged again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from gateway.alerts import wording
from gateway.alerts.alert import Alert, AlertChanges, AlertState, AlertTransition
from gateway.alerts.case import Case
from gateway.alerts.cases import Cases
from gateway.alerts.catalogue import accused, rule_of
from gateway.alerts.escalation import Escalation
from gateway.alerts.history import CLOCK, History
from gateway.alerts.lifecycle import ACK_EXPIRES, ACTIVE, FINAL, VERIFY_AFTER, Trigger
from gateway.alerts.notices import Notices, withdrawn_from
from gateway.alerts.suppression import Suppression
from gateway.instants import Instant, instant
from gateway.rules.findings import Signal


class Newest(NamedTuple):
    """The last occurrence of one (rule, subject) in the journal: its number, its state and its last change."""

    number: int
    state: AlertState
    updated: Instant


class Standing(NamedTuple):
    """An alert that is not final, or may still be disproved, whom it was told, and how often it was told of."""

    alert: Alert
    contacts: Sequence[str]
    tellings: int


class Told(NamedTuple):
    """What the journal has of alerts: the newest of each `rule/subject`, and all that may still become another."""

    newest: Mapping[str, Newest]
    standing: Sequence[Standing]


class Succession:
    """Makes the alerts of an earlier version, or of another site file, and those of this book one."""

    def __init__(
        self, cases: Cases, history: History, notices: Notices, escalation: Escalation, suppression: Suppression
    ) -> None:
        self.unheard: dict[str, Signal] = {}
        """By `rule/subject`, what an earlier version did not find, until it is told of (`unite`)."""
        self._cases = cases
        self._history = history
        self._notices = notices
        self._escalation = escalation
        self._suppression = suppression

    def take_journal(self, told: Told, now: Instant) -> None:
        """Keep what the journal has of alerts."""
        for standing in told.standing:
            self._take(standing, now)
        self._count_on(told)

    def heard_of(self, signal: Signal) -> None:
        """A rule speaks of it: whatever an earlier version made of it, it is told by this one."""
        if self.unheard and signal.action != "update":
            self.unheard.pop(f"{signal.rule}/{signal.subject}", None)

    def unite(self, told: Told, now: Instant) -> Iterator[Signal]:
        """After the tail of the log: have what the journal has of alerts and the book be one again.

        Yields:
            What nobody was told of and still does not stand in the book, to be raised one by one.
        """
        for case in self._cases.standing():
            newest = told.newest.get(name := f"{case.alert.rule}/{case.alert.subject}")
            # raised in the tail, by the rules of this version alone
            if newest is None or newest.number < case.alert.occurrence:
                self._cases.withdraw(case)
                self.unheard[name] = signal_of(case.alert)
        for standing in told.standing:  # raised in the tail by those of the version before
            if self._cases.find(standing.alert.id) is None:
                self._take(standing, now)
        self._count_on(told)
        for case in self._cases:
            alert = case.alert
            newest = told.newest.get(f"{alert.rule}/{alert.subject}")
            if newest is None or newest.number != alert.occurrence:
                continue
            if newest.state != alert.state and alert.history:
                self._history.tell_last(case)
        for case in self._cases.standing():
            self._suppression.quieten(case, now, CLOCK, "silence_ended")  # of a silence that is not known any more
        found, self.unheard = self.unheard, {}
        for _, signal in sorted(found.items()):
            if self._cases.active(signal.rule, signal.subject) is None:
                yield replace(signal, at=now)

    def lost(self, told: Told) -> frozenset[str]:
        """The alerts that people were told of and that are not in the book."""
        return frozenset(each.alert.id for each in told.standing if self._cases.find(each.alert.id) is None)

    def correct(self, told: Told, news: AlertChanges, lost: frozenset[str], now: Instant) -> Iterator[Case]:
        """Whoever was told of an alert hears what has become of it.

        Args:
            told: what the journal has of alerts.
            news: what is not in it yet.
            lost: those that were `lost` before.
            now: the instant.

        Yields:
            Those lost that rest on something not heard, to be retracted one by one; of what was heard somebody has to see to it.
        """
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
                yield case

    def _tell_in_full(self, case: Case, standing: Standing, at: Instant, *, heard: AlertState | None) -> None:
        """Whoever the journal says was told of an alert hears what has become of it. `heard`: what those hear anyway whom the book has told."""
        over = heard is not None and heard not in ACTIVE
        untold = tuple(contact for contact in standing.contacts if not over or contact not in case.told)
        since = [contact for contact in dict.fromkeys(standing.contacts) if contact not in case.told]
        case.told += since
        case.tellings = max(case.tellings, standing.tellings)
        at, alert = case.not_before(at), case.alert
        if alert.state == "retracted":
            self._notices.tell(case, at, "retracted", untold)
            return
        withdrawn = withdrawn_from(case, alert.details)
        if alert.state in ACTIVE:
            case.standing += since
        elif standing.alert.state in ACTIVE:
            self._notices.tell(case, at, "resolved", untold)
        if withdrawn:
            trigger: Trigger = "repeat" if alert.state in ACTIVE else "note"
            self._history.record(case, trigger, at, f"rule:{alert.rule}", wording.CORRECTED)
            self._notices.tell_withdrawn(case, at, withdrawn)

    def _take(self, standing: Standing, now: Instant) -> None:
        self._cases.keep(case_of(standing, self._escalation.policy_of(standing.alert.rule), now))

    def _count_on(self, told: Told) -> None:
        self._cases.count_on({name: newest.number for name, newest in told.newest.items()})


def followed_by(told: Told, news: Iterable[AlertTransition]) -> Told:
    """What the journal will have of the newest of each once these rows are in it, too."""
    newest = dict(told.newest)
    for row in news:
        alert, name = row.alert, f"{row.alert.rule}/{row.alert.subject}"
        if name not in newest or newest[name].number <= alert.occurrence:
            newest[name] = Newest(alert.occurrence, alert.state, instant(alert.updated))
    return told._replace(newest=newest)


def case_of(standing: Standing, policy: str | None, now: Instant) -> Case:
    """A case made of what the journal has of it. Its escalation goes on where it was; an acknowledgement, or an end, counts from now on."""
    alert = standing.alert
    cause = alert.caused_by if alert.suppressed is not None else None
    case = Case(
        alert=alert,
        policy=policy,
        cause=cause,
        quiet=alert.suppressed if cause is None else None,
        holds=alert.state in ACTIVE,
        tellings=standing.tellings,
        told=list(standing.contacts),
        standing=list(standing.contacts) if alert.state in ACTIVE else [],
        last_told=list(standing.contacts),
    )
    if alert.state == "open" and alert.next_step is not None:
        case.step_at = instant(alert.next_step)
    elif alert.state == "acknowledged":
        case.expire_at = now + ACK_EXPIRES
    elif alert.state == "resolved":
        case.resolved_at, case.verify_at = instant(alert.updated), now + VERIFY_AFTER
    return case


def unheard_of(found: Iterable[Case], told: Told) -> dict[str, Signal]:
    """Conditions that hold by the rules of this version and of which nothing was ever told, by `rule/subject`.

    One that was over, or closed by hand, only after it was found is none: it was dealt with.
    """
    news = {}
    for case in found:
        alert = case.alert
        name = f"{alert.rule}/{alert.subject}"
        newest = told.newest.get(name)
        if newest is None or (newest.state in FINAL and newest.updated < instant(alert.detected)):
            news[name] = signal_of(alert)
    return news


def signal_of(alert: Alert) -> Signal:
    """The signal that raises an alert."""
    return Signal(
        rule=alert.rule,
        subject=alert.subject,
        action="raise",
        at=instant(alert.detected),
        raised=instant(alert.raised),
        details=alert.details,
        severity=alert.severity,
        caused_by=_name_of(alert.caused_by),
        place=alert.place,
    )


def _name_of(alert_id: str | None) -> str | None:
    """`rule:subject` of the alert `rule/subject/number`."""
    if alert_id is None:
        return None
    rule, _, rest = alert_id.partition("/")
    return f"{rule}:{rest.rpartition('/')[0]}"
