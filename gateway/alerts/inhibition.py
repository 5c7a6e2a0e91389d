"""Inhibition: which other alert keeps an alert silent, and how long it may do so without standing itself."""

from __future__ import annotations

from gateway.alerts.case import Case
from gateway.alerts.cases import Cases
from gateway.alerts.catalogue import rule_of
from gateway.alerts.lifecycle import ACTIVE
from gateway.instants import MINUTE, Duration, Instant
from gateway.rules.findings import Signal
from gateway.site.model import Site

CAUSE_WITHIN: Duration = 10 * MINUTE
"""A suppression whose cause has no alert by then, or one resolved by hand, is lifted: better told twice than not at all. Ours."""

RESTARTING = "gateway_restarting"
"""While it stands no alert of absence is told (cameras.md, Any device)."""


class Inhibition:
    """Names the causes of the alerts of a site."""

    def __init__(self, site: Site, cases: Cases) -> None:
        self._site_id = site.id
        self._cases = cases

    def cause(self, signal: Signal) -> str | None:
        """The id of the alert that keeps the one of a signal silent, or None."""
        if signal.caused_by is not None:
            return self._cases.expected_id(signal.caused_by)
        return self.of_rule(signal.rule)

    def of_rule(self, rule: str) -> str | None:
        """The id of the alert that keeps all of a rule silent, or None."""
        if rule == RESTARTING or rule_of(rule).basis == "presence":
            return None
        found = self._cases.active(RESTARTING, self._site_id)
        return None if found is None else found.alert.id

    def name(self, case: Case, cause: str | None, at: Instant) -> dict[str, str | None]:
        """Have an alert kept silent by `cause` from now on (None: by none); gives what its alert says of it."""
        found = self._cases.find(cause or "")
        case.cause = cause
        case.lift_at = at + CAUSE_WITHIN if cause is not None and not _stands(found) else None
        return {"caused_by": cause, "suppressed": case.suppressed}

    def resolved_by_hand(self, cause: Case, at: Instant) -> None:
        """A person says that a cause is over: whoever is silent because of it is so for a while yet."""
        for held in self._cases.held(cause.alert.id):
            held.lift_at = at + CAUSE_WITHIN
            self._cases.keep(held)

    def excuse(self, case: Case, now: Instant) -> None:
        """A cause that could not be heard while the gateway was down has its time from the return on."""
        if case.lift_at is not None and case.lift_at <= now:
            case.lift_at = now + CAUSE_WITHIN

    def gone(self, case: Case) -> str | None:
        """Why the cause of an alert does not count any more; None: it stands."""
        cause = self._cases.find(case.cause or "")
        if _stands(cause):
            return None
        return "cause_not_found" if cause is None else "cause_ended"


def _stands(cause: Case | None) -> bool:
    """Whether it may keep others silent: it is active, or its end is being verified by the sensor."""
    if cause is None:
        return False
    return cause.alert.state in ACTIVE or (cause.alert.state == "resolved" and not cause.holds)
