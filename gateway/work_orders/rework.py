"""Rework (返修): the same fault so soon after its repair. Both orders name each other, as long as the fault really came back."""

from __future__ import annotations

from gateway.instants import Instant
from gateway.site.model import Site
from gateway.work_orders.case import Case
from gateway.work_orders.history import History
from gateway.work_orders.register import Register


class Rework:
    """Decides which orders of a site repeat an earlier one."""

    def __init__(self, site: Site, register: Register, history: History) -> None:
        self._within = site.work_orders.rework_within
        self._register = register
        self._history = history

    def look(self, case: Case, at: Instant) -> None:
        """It is rework if its fault was mended in another order so short a time ago."""
        before = None if case.key is None else self._register.repaired(case.key)
        if before is None or before[0] == case.id or at - before[1] > self._within:
            return
        earlier = self._register.find(before[0])
        if earlier is None or earlier.standing != "disproved":
            self._name(case, before[0], at)

    def said(self, case: Case, before: Case, at: Instant, by: str) -> None:
        """The desk says that a report repeats an earlier order, whenever that was mended."""
        repaired = before.repaired
        if repaired is not None and 0 <= case.reported - repaired <= self._within:
            self._name(case, before.id, at)
        else:
            self._history.record(case, "note", at, by, "before", before.id)

    def discontent(self, case: Case, at: Instant) -> None:
        """The reporter is not content with the repair: so soon after it that is rework, by his word."""
        repaired = case.repaired
        if repaired is not None and at - repaired <= self._within:
            case.reworked = case.discontent = True

    def none(self, case: Case, at: Instant) -> None:
        """The fault of an earlier order has not come back in this one after all."""
        before, case.rework_of = case.rework_of, None
        earlier = None if before is None else self._register.find(before)
        if earlier is not None and earlier.reworked_by == case.id:
            earlier.reworked, earlier.reworked_by = earlier.discontent, None
            self._history.record(earlier, "note", at, "clock", "no_rework", case.id)

    def _name(self, case: Case, before: str, at: Instant) -> None:
        case.rework_of = before
        self._history.record(case, "note", at, "clock", "rework_of", before)
        earlier = self._register.find(before)
        if earlier is not None:
            earlier.reworked, earlier.reworked_by = True, case.id
            self._history.record(earlier, "note", at, "clock", "reworked_by", case.id)
