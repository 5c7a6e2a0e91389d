"""The history of alerts: what a transition makes of an alert by the table, written to the alert and for good to the journal."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from gateway.alerts import lifecycle
from gateway.alerts.alert import AlertTransition, Transition
from gateway.alerts.case import HISTORY_FIRST, HISTORY_LAST, Case
from gateway.alerts.cases import Cases
from gateway.alerts.lifecycle import Trigger
from gateway.instants import Instant, moment
from gateway.site.model import Site

CLOCK = "clock"
"""By whom a row is that follows from the rows before it and from time alone."""


class History:
    """Writes the rows of all alerts of a site, and files each alert as it is after its row."""

    def __init__(self, site: Site, cases: Cases) -> None:
        self.evidence: tuple[str, ...] = ()
        """What the signal that is being taken rests on."""
        self._zone = site.zone_info
        self._cases = cases
        self._transitions: list[AlertTransition] = []
        self._heard = 0
        """Of these so many were given by `news`."""

    def record(self, case: Case, trigger: Trigger, at: Instant, by: str, why: str, **fields: Any) -> None:
        """Append one row to the alert's history and file the alert as it is after it.

        Raises:
            Refused: the table has no such transition, and nothing changed.
        """
        before = None if trigger == "raise" else case.alert.state
        state = lifecycle.after(before, trigger)
        when = moment(at, self._zone)
        row = Transition(
            at=when,
            before=before,
            after=state,
            by=by,
            why=why,
            evidence=self.evidence if by.startswith("rule:") else (),
        )
        case.alert = replace(
            case.alert, state=state, updated=when, history=_trimmed((*case.alert.history, row)), **fields
        )
        self.file(case)
        self._transitions.append(AlertTransition(alert=case.alert, transition=row))

    def file(self, case: Case) -> None:
        """File an alert whose next step changed without a row of its own."""
        case.alert = replace(case.alert, next_step=None if case.step_at is None else moment(case.step_at, self._zone))
        self._cases.keep(case)

    def tell_last(self, case: Case) -> None:
        """Give an alert's last row once more, as the journal does not have the alert as it is."""
        self._transitions.append(AlertTransition(alert=case.alert, transition=case.alert.history[-1]))

    def news(self) -> list[AlertTransition]:
        """Rows since the last call; `drain` gives them too."""
        found = self._transitions[self._heard :]
        self._heard += len(found)
        return found

    def drain(self) -> list[AlertTransition]:
        """Rows since the last call."""
        found, self._transitions, self._heard = self._transitions, [], 0
        return found


def _trimmed(history: tuple[Transition, ...]) -> tuple[Transition, ...]:
    if len(history) <= HISTORY_FIRST + HISTORY_LAST:
        return history
    return history[:HISTORY_FIRST] + history[-HISTORY_LAST:]
