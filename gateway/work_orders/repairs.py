"""What the sensor that reported a fault says of its repair: it proves it, contradicts it, or says nothing of it.

The sensor proves a repair by an end that it saw after somebody had come (`Case.proved_end`). It contradicts one that was said and that it
still does not see so long after, provided that it could.
"""

from __future__ import annotations

from typing import Literal

from gateway.instants import Instant
from gateway.site.model import Site
from gateway.work_orders.case import Case
from gateway.work_orders.history import History
from gateway.work_orders.sensors import Speaks

_BY_PLAN = "expected on again"
"""Why an alert of what burns by day ends each evening."""
_UNSEEN = frozenset({_BY_PLAN, "disabled", "removed", "timeout", "operator", "rejudging"})
"""Why an alert may end without its sensor having seen a repair: by a plan, a person, the site file, a report that was not repeated, or a circuit that begins anew."""


class Repairs:
    """Holds what the sensors of a site say against what people say.

    Args:
        site: the checked model.
        history: where the rows go.
        speaks: whether the sensor of a fault can show a repair at the moment.
    """

    def __init__(self, site: Site, history: History, speaks: Speaks) -> None:
        self._after = site.work_orders.contradicted_after
        self._history = history
        self._speaks = speaks

    def stands(self, case: Case) -> None:
        """The sensor reports the fault, and it is part of no other."""
        case.standing, case.ended, case.unseen, case.verified_end = "standing", None, False, False
        case.by_plan, case.merged_into = False, None

    def relapsed(self, case: Case, at: Instant) -> None:
        """The sensor reports the fault again after the repair, within the same occurrence."""
        self.stands(case)
        if case.repair_stated is not None:
            case.contradict_at = max(at, case.repair_stated + self._after)
        self._history.record(case, "note", at, f"rule:{case.rule}", "again", case.alerts[-1])

    def ended(self, case: Case, at: Instant, by: str, why: str) -> bool:
        """The fault is over, for a reason that tells whether the sensor saw it; whether that is news."""
        if case.standing == "ended":
            return False
        case.standing, case.ended, case.unseen, case.by_plan = "ended", at, why in _UNSEEN, why == _BY_PLAN
        self._withdraw_contradiction(case)
        self._history.record(case, "note", at, by, "sensor_ended", case.fault or "ended")
        return True

    def held(self, case: Case, at: Instant) -> None:
        """The sensor has held the end for 10 min: if nobody was sent, there was nothing to repair."""
        case.verified_end = True
        if case.state == "reported" and case.fault == "ended_by_itself":
            case.reason = "ended_by_itself"
            self._history.record(case, "lapse", at, "clock", "lapse", "ended_by_itself")

    def closed_by_hand(self, case: Case, at: Instant) -> bool:
        """A person closed the alert, and its sensor says no more; whether that is news."""
        if case.standing != "standing":
            return False
        case.standing = "closed_by_hand"
        self._withdraw_contradiction(case)
        self._history.record(case, "note", at, f"rule:{case.rule}", "closed_by_hand", case.alerts[-1])
        return True

    def set_aside(self, case: Case, why: Literal["merged", "disproved"]) -> None:
        """The fault is part of another, or never was: no end of it proves anything."""
        case.standing, case.ended, case.unseen, case.by_plan = why, None, False, False
        self._withdraw_contradiction(case)

    def said(self, case: Case, stated: Instant, at: Instant) -> None:
        """A person says at `at` that it was mended at `stated`; the sensor may come to see it."""
        if case.standing == "standing":
            case.contradict_at = max(at, stated + self._after)

    def begin_anew(self, case: Case) -> None:
        """The order is reopened: what was seen and said of the repair before stands in its history."""
        case.contradicted, case.disbelieved, case.contradict_at, case.mute = False, False, None, False
        if case.standing == "ended":
            case.standing, case.ended, case.unseen, case.verified_end, case.by_plan = None, None, False, False, False

    def excuse(self, case: Case, now: Instant) -> None:
        """The sensor was not heard while the gateway was down: it has its time from the return on."""
        if case.contradict_at is not None and case.contradict_at <= now:
            case.contradict_at = now + self._after

    def fire(self, case: Case, at: Instant) -> None:
        """Time has come to `at`: a sensor that could not speak is asked again, and believed when it could for as long."""
        if case.contradict_at is None or case.contradict_at > at:
            return
        case.contradict_at = None
        if case.standing != "standing" or case.repair_stated is None or case.final:
            return
        could, case.mute = not case.mute, not self._speaks(case.rule or "", case.subject or "")
        if case.mute or not could:
            case.contradict_at = at + self._after
            return
        case.contradicted = case.disbelieved = True
        self._history.record(case, "note", at, "clock", "contradicted", case.alerts[-1] if case.alerts else "")

    def settle(self, case: Case, at: Instant) -> None:
        """An order changed: what the sensor has held is repaired, and closed if that was said, too. A report is always followed up."""
        if not case.verified_end or case.proved_end is None:
            return
        if case.state == "arrived":
            self._history.record(case, "held", at, "clock", "held")
        if case.state == "repaired" and case.repair_stated is not None and case.source != "report":
            self._history.record(case, "held", at, "clock", "held")

    def _withdraw_contradiction(self, case: Case) -> None:
        case.contradicted, case.contradict_at = False, None
