"""All work orders of one site that are not over, the last ones that are, and how they are found; the limits of memory."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

import msgspec

from gateway.instants import Instant
from gateway.rules.timers import Timers
from gateway.work_orders.case import ALERTS, Case

CLOSED_LIMIT = 1000
"""Closed and cancelled orders in memory; the journal has all."""
OPEN_LIMIT = 10_000
"""Open orders; beyond it none is opened by rule, and a person is told."""
REPAIRED_LIMIT = 10_000
"""Faults whose last repair is remembered, for rework."""

Key = tuple[str, str]
"""(rule, subject): a fault."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Case]).decode


class Register:
    """Finds orders by id, alert, fault and point; numbers them; keeps the limits and the deadlines."""

    def __init__(self) -> None:
        self.open: dict[str, Case] = {}
        self.closed: dict[str, Case] = {}
        self._timers: Timers[str] = Timers()
        self._day, self._number = "", 0
        self._by_fault: dict[Key, str] = {}
        self._by_alert: dict[str, str] = {}
        self._by_point: dict[str, dict[str, Case]] = {}
        self._awaited: dict[str, dict[str, Case]] = {}
        """Those of them to which somebody was sent, or is said to have come: of hundreds at one place mostly few."""
        self._repaired: dict[Key, tuple[str, Instant]] = {}

    @property
    def full(self) -> bool:
        """No more can be opened."""
        return len(self.open) >= OPEN_LIMIT

    def find(self, order_id: str) -> Case | None:
        """One order by its id."""
        return self.open.get(order_id) or self.closed.get(order_id)

    def of_alert(self, alert_id: str) -> Case | None:
        """The latest order of an alert."""
        return self.find(self._by_alert.get(alert_id, ""))

    def of_fault(self, key: Key) -> Case | None:
        """The latest order of a fault."""
        return self.find(self._by_fault.get(key, ""))

    def merged_into(self, alerts: Container[str]) -> list[Case]:
        """Orders that wait for the order of one of these alerts, which is the cause of theirs, by id."""
        found = [case for cases in (self.open, self.closed) for case in cases.values() if case.merged_into in alerts]
        return sorted(found, key=lambda case: case.id)

    def at_point(self, point: str, at: Instant, person: str) -> list[Case]:
        """Orders whose arrival a tap of a person at this point and time can prove, by id; `person` empty: whose it was is not known."""
        found = [
            case
            for case in self._awaited.get(point, {}).values()
            if (case.concerns(person) or (case.earlier and any(cycle.concerns(person) for cycle in case.earlier)))
            and case.begun <= at
            and (case.closed is None or at <= case.closed)
        ]
        found.sort(key=lambda case: case.id)
        return found

    def near_any(self, point: str) -> bool:
        """Whether any order in memory is near a point."""
        return bool(self._by_point.get(point))

    def __iter__(self) -> Iterator[Case]:
        """All, by id."""
        yield from sorted((*self.open.values(), *self.closed.values()), key=lambda case: case.id)

    def next_id(self, day: str) -> str:
        """A new order's number: the day, `20261126`, and a running number on it."""
        if day > self._day:
            self._day, self._number = day, 0
        self._number += 1
        return f"{self._day}-{self._number:03}"

    def count_on(self, newest: str) -> None:
        """Numbers up to that of `newest` are given already."""
        day, _, number = newest.partition("-")
        self._day, self._number = max((self._day, self._number), (day, int(number)))

    def add(self, case: Case) -> None:
        """Take in a new order."""
        self.open[case.id] = case
        self._index(case)
        if (key := case.key) is not None:
            self._by_fault[key] = case.id

    def add_alert(self, case: Case, alert_id: str) -> None:
        """Another occurrence of an order's fault; of many the first are forgotten."""
        case.alerts.append(alert_id)
        self._by_alert[alert_id] = case.id
        for gone in case.alerts[:-ALERTS]:
            self._forget_alert(case, gone)
        del case.alerts[:-ALERTS]

    def arm(self, case: Case) -> None:
        """Its deadline may have changed, or whether somebody is awaited."""
        self._timers.set(case.id, None if case.final else case.deadline())
        if case.awaited and case.near and case.id not in self._awaited.get(case.near[0], {}):
            self._await(case)

    def deadline(self) -> Instant | None:
        """The next deadline of any order."""
        return self._timers.next()

    def due(self, now: Instant) -> list[Case]:
        """Take those whose deadline is up to `now`, by id."""
        names = sorted(key for _, key in self._timers.due(now))
        return [case for name in names if (case := self.find(name)) is not None]

    def close(self, case: Case) -> bool:
        """It is over: among the last ones, of which the oldest goes; whether one went."""
        if self.open.pop(case.id, None) is None:
            return False
        self.closed[case.id] = case
        if len(self.closed) > CLOSED_LIMIT:
            gone = self.closed.pop(next(iter(self.closed)))
            for alert in gone.alerts:
                self._forget_alert(gone, alert)
            self._part(gone)
            if (key := gone.key) is not None and self._by_fault.get(key) == gone.id:
                del self._by_fault[key]
            return True
        return False

    def remember(self, key: Key, order_id: str, repaired: Instant) -> None:
        """A fault was mended, in this order; what is learnt late of an earlier one changes nothing."""
        known = self._repaired.pop(key, None)
        if known is not None and known[0] != order_id and known[1] > repaired:
            order_id, repaired = known
        self._repaired[key] = (order_id, repaired)
        if len(self._repaired) > REPAIRED_LIMIT:
            del self._repaired[next(iter(self._repaired))]

    def forget(self, key: Key, order_id: str) -> None:
        """It was not mended in this order after all."""
        if self._repaired.get(key, ("", 0))[0] == order_id:
            del self._repaired[key]

    def repaired(self, key: Key) -> tuple[str, Instant] | None:
        """In which order, and when, a fault was last mended."""
        return self._repaired.get(key)

    def snapshot(self) -> dict[str, Any]:
        return {
            "open": _encode(list(self.open.values())),
            "closed": _encode(list(self.closed.values())),
            "count": [self._day, self._number],
            "repaired": [[*key, *value] for key, value in self._repaired.items()],
            "faults": [[*key, value] for key, value in self._by_fault.items()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot."""
        day, number = state["count"]
        self._day, self._number = max((self._day, self._number), (day, number))
        self._repaired = {(rule, subject): (order, at) for rule, subject, order, at in state["repaired"]}
        self._by_fault = {(rule, subject): order for rule, subject, order in state["faults"]}
        for case in _decode(state["closed"]):
            self.closed[case.id] = case
            self._index(case)
        for case in _decode(state["open"]):
            self.open[case.id] = case
            self._index(case)
            self.arm(case)

    def near(self, case: Case, points: tuple[str, ...]) -> None:
        """The points near an order are these from now on (another site file)."""
        self._part(case)
        case.near = list(points)
        self._index(case)

    def _index(self, case: Case) -> None:
        for alert in case.alerts:
            self._by_alert[alert] = case.id
        for point in case.near:
            self._by_point.setdefault(point, {})[case.id] = case
        if case.awaited:
            self._await(case)

    def _await(self, case: Case) -> None:
        for point in case.near:
            self._awaited.setdefault(point, {})[case.id] = case

    def _part(self, case: Case) -> None:
        """It is near no point any more."""
        for point in case.near:
            self._by_point[point].pop(case.id, None)
            self._awaited.get(point, {}).pop(case.id, None)

    def _forget_alert(self, case: Case, alert: str) -> None:
        if self._by_alert.get(alert) == case.id:
            del self._by_alert[alert]
