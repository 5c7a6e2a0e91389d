"""Alerts fall silent and speak again: because of a cause, a silence or planned work, each of which is enough alone."""

from __future__ import annotations

from gateway.alerts.case import Case
from gateway.alerts.cases import Cases
from gateway.alerts.escalation import Escalation
from gateway.alerts.history import CLOCK, History
from gateway.alerts.inhibition import RESTARTING, Inhibition
from gateway.alerts.silences import Silence, Silences
from gateway.instants import Instant


class Suppression:
    """Wakes the alerts of a site when what kept them silent is over."""

    def __init__(
        self, cases: Cases, silences: Silences, inhibition: Inhibition, history: History, escalation: Escalation
    ) -> None:
        self._cases = cases
        self._silences = silences
        self._inhibition = inhibition
        self._history = history
        self._escalation = escalation

    def lift(self, case: Case, at: Instant, why: str) -> None:
        """No cause keeps an alert silent any more."""
        case.cause = case.lift_at = None
        at = case.not_before(at)
        self._history.record(case, "note", at, CLOCK, why, suppressed=case.suppressed)
        self._escalation.resume(case, at)

    def lift_unless_caused(self, case: Case, at: Instant) -> None:
        """The cause of an alert has had its time: it stands by now, or keeps it silent no longer."""
        case.lift_at = None
        why = self._inhibition.gone(case)
        if why is not None:
            self.lift(case, at, why)

    def release(self, cause: str, at: Instant) -> None:
        """The alert `cause` is over: who was silent because of it and still open speaks now."""
        for case in self._cases.held(cause):
            self.lift(case, at, "cause_ended")

    def resolved(self, case: Case, at: Instant) -> None:
        """A restarting gateway holds others silent only while it restarts; other causes until they are verified."""
        if case.alert.rule == RESTARTING:
            self.release(case.alert.id, at)

    def hush(self, case: Case, place: str | None = None) -> None:
        """Have it kept silent by the silence or window that means it, if one stands; the row that says so is the caller's."""
        alert, before = case.alert, case.quiet
        case.quiet = self._silences.covering(alert.rule, alert.subject, place or alert.place)
        if case.quiet not in {None, before}:
            self._silences.counted(case.quiet)

    def turn_due(self, now: Instant) -> None:
        """Let silences and windows begin and end by time."""
        for item in self._silences.due(now):
            self.turn(item, now, CLOCK)

    def turn(self, item: Silence, at: Instant, by: str) -> None:
        """A silence or window began or ended: whom it means falls silent or speaks."""
        if item.state in {"planned", "cancelled"}:
            return
        began = item.state == "active"
        why = f"{item.id}: {item.why}" if began else f"{item.kind}_ended"
        for case in self._cases.standing():
            alert = case.alert
            if self._silences.means(item, alert.rule, alert.subject, alert.place) if began else case.quiet == item.id:
                self.quieten(case, at, by, why)

    def quieten(self, case: Case, at: Instant, by: str, why: str) -> None:
        """See anew whether a silence or window keeps an active alert silent; one that nothing does any more speaks."""
        before, quiet_before = case.suppressed, case.quiet
        self.hush(case)
        if case.quiet == quiet_before:
            return
        at = case.not_before(at)
        if case.suppressed is not None:
            case.step_at = None
        elif case.alert.exhausted:
            case.repeats = 0
        if case.suppressed == before:
            self._history.file(case)
        elif case.suppressed is not None:
            self._history.record(case, "note", at, by, why, suppressed=case.suppressed)
        else:
            self._history.record(case, "note", at, by, why, suppressed=None, exhausted=False)
            self._escalation.resume(case, at)
