"""Alerts of an earlier version: what was told of stays told of, whatever the rules of this one make of the evidence.

Where the state of the rules is made anew from the log (its stored form is of another version), the alerts are not: their numbers name rows
of the journal and notices that were sent, people acknowledged them, and some are older than the evidence that is judged again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gateway.alerts.alert import Alert, AlertState, AlertTransition
from gateway.alerts.case import Case
from gateway.alerts.lifecycle import ACTIVE, FINAL
from gateway.instants import Duration, Instant, instant
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


def followed_by(told: Told, news: Iterable[AlertTransition]) -> Told:
    """What the journal will have of the newest of each once these rows are in it, too."""
    newest = dict(told.newest)
    for row in news:
        alert, name = row.alert, f"{row.alert.rule}/{row.alert.subject}"
        if name not in newest or newest[name].number <= alert.occurrence:
            newest[name] = Newest(alert.occurrence, alert.state, instant(alert.updated))
    return told._replace(newest=newest)


def case_of(
    standing: Standing, policy: str | None, now: Instant, *, acknowledged_for: Duration, verify: Duration
) -> Case:
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
        case.expire_at = now + acknowledged_for
    elif alert.state == "resolved":
        case.resolved_at, case.verify_at = instant(alert.updated), now + verify
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
