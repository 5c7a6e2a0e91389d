"""Who stands in for whom on one shift (替班), as the rules regard it: his phone is awaited, and he may walk what the other was to walk.

Alerts tell whom to call by `gateway.alerts.duty`; what is here stays as long as evidence, since late evidence is judged by it too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any, NamedTuple

from gateway.instants import Instant
from gateway.site.shifts import DatedShift, after_swap


class StandIn(NamedTuple):
    """On the shift that begins on a date, `instead` is there and `away` is not (None: nobody). `since`, `until`: of the shift."""

    shift: str
    date: date
    away: str | None
    instead: str | None
    since: Instant
    until: Instant


class StandIns:
    """All of one site, in the order in which they were agreed."""

    def __init__(self) -> None:
        self._all: list[StandIn] = []

    def add(self, agreed: StandIn) -> bool:
        """Take one; False: it is here already."""
        if agreed in self._all:
            return False
        self._all.append(agreed)
        return True

    def remove(self, cancelled: StandIn) -> bool:
        """It is off; False: it was not here."""
        if cancelled not in self._all:
            return False
        self._all.remove(cancelled)
        return True

    def stand(self, agreed: Sequence[StandIn], now: Instant) -> list[StandIn]:
        """Of shifts that are not over these stand, and no others; gives what that touches."""
        before = [each for each in self._all if each.until > now]
        if before == list(agreed):
            return []
        self._all = [*(each for each in self._all if each.until <= now and each not in agreed), *agreed]
        return [*before, *agreed]

    def forget(self, before: Instant) -> None:
        """Drop those of shifts that were over by an instant."""
        self._all = [each for each in self._all if each.until >= before]

    def people(self, shift: DatedShift) -> tuple[str, ...]:
        """Who is really on a shift of the calendar."""
        for each in self._all:
            shift = after_swap(shift, each)
        return shift.people

    def of(self, guards: Collection[str], first: Instant, last: Instant) -> frozenset[str]:
        """Who stands in for one of `guards`, or for who stands in for one, on a shift that touches [first, last]."""
        found: dict[str, None] = {}
        for each in self._all:
            if each.instead is None or each.since > last or each.until <= first:
                continue
            if each.away in guards or each.away in found:
                found[each.instead] = None
        return frozenset(found)

    def snapshot(self) -> Any:
        return [[each.shift, each.date.isoformat(), *each[2:]] for each in self._all]

    def restore(self, state: Any) -> None:
        """Take up a snapshot."""
        self._all = [StandIn(shift, date.fromisoformat(day), *rest) for shift, day, *rest in state]
