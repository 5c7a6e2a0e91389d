"""Reminders: whoever was told of an alert hears after a while that it still stands (cameras.md, at 1 h and 1 day).

An acknowledged alert, and one that is worked on, is reminded of too: escalation looks for somebody who takes it, a reminder says
that it was not mended yet.
"""

from __future__ import annotations

from gateway.alerts.case import Case
from gateway.alerts.catalogue import rule_of
from gateway.alerts.history import CLOCK, History
from gateway.alerts.inhibition import Inhibition
from gateway.alerts.notices import Notices
from gateway.instants import Instant
from gateway.site.durations import written


class Reminders:
    """Reminds of the alerts of a site."""

    def __init__(self, inhibition: Inhibition, history: History, notices: Notices) -> None:
        self._inhibition = inhibition
        self._history = history
        self._notices = notices

    def begin(self, case: Case, opened: Instant) -> None:
        """An alert was opened: the reminders of its rule count from then."""
        after = rule_of(case.alert.rule).reminders
        case.reminded, case.remind_at = 0, opened + after[0] if after else None

    def fire(self, case: Case, at: Instant, just_told: frozenset[str]) -> None:
        """Remind whoever was told, once for all reminders that have fallen due; those just told know."""
        reminders = rule_of(case.alert.rule).reminders
        if case.reminded >= len(reminders):  # planned by a version whose rule had more
            case.remind_at = None
            return
        passed = reminders[case.reminded]
        while case.remind_at is not None and case.remind_at <= at:
            passed = reminders[case.reminded]
            case.reminded += 1
            more = case.reminded < len(reminders)
            case.remind_at = case.remind_at + reminders[case.reminded] - passed if more else None
        contacts = tuple(contact for contact in case.standing if contact not in just_told)
        silent = case.alert.suppressed is not None or self._inhibition.of_rule(case.alert.rule) is not None
        if contacts and not silent:
            self._history.record(case, "note", at, CLOCK, f"reminder after {written(passed)}: {', '.join(contacts)}")
            self._notices.tell(case, at, "reminder", contacts)
