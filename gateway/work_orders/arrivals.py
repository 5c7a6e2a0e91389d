"""The proof of an arrival: which tap near an order shows that somebody came, and what becomes of the order when it does, or no longer does.

Where a tap counts and whose it was is told by `proofs.py`; here the taps of all orders are kept and looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from device_drivers.observations import TagRead
from gateway.instants import Instant
from gateway.site.model import Site
from gateway.work_orders.case import Case
from gateway.work_orders.clocks import Clocks
from gateway.work_orders.history import History
from gateway.work_orders.proofs import Points, Proof, Recent, Seen, Taps, best
from gateway.work_orders.register import Register


class Arrivals:
    """The taps of a site that prove, or may come to prove, an arrival for one of its orders."""

    def __init__(self, site: Site, register: Register, history: History, clocks: Clocks) -> None:
        self._tolerance = site.work_orders.tap_tolerance
        self._register = register
        self._history = history
        self._clocks = clocks
        self._points = Points(site)
        self._taps = Taps()
        self._recent = Recent()
        self._strangers = Taps()
        """Reads of tags that nobody has enrolled."""

    def near(self, place: str | None) -> tuple[str, ...]:
        """The points at which a tap proves that somebody came to a place."""
        return self._points.near(place)

    def begin(self, case: Case, at: Instant) -> None:
        """An order begins at `at`: what was tapped between its report and its writing down counts, too."""
        case.near = list(self.near(case.place))
        if case.since < at:
            for seen in self._recent.at(case.near, case.since):
                self._taps.add(seen)

    def take(self, tap: TagRead, at: Instant, received: Instant) -> list[Case]:
        """A tag was read; the orders for which it may prove something. Late taps count: a wand is docked in the morning."""
        seen = self._points.take(tap, at, received)
        if seen is not None:
            return self._concerned(seen)
        if (stranger := self._points.stranger(tap, at, received, self._wanted)) is not None:
            self._strangers.add(stranger)
        return []

    def recognise(self) -> Iterator[list[Case]]:
        """Take what was read of tags that are enrolled by now, one by one; the orders for which each may prove something."""
        for stranger in self._strangers.pick(self._points.known):
            if (seen := self._points.recognise(stranger)) is not None:
                yield self._concerned(seen)

    def prove(self, case: Case, at: Instant) -> None:
        """Look for the tap that proves the arrival, and those that prove earlier ones."""
        until = case.since
        for cycle in reversed(case.earlier):
            self._prove_earlier(case, cycle, until, at)
            until = cycle.since
        if case.state == "cancelled" or not case.technicians:
            return
        found = self._proof(case, case.near, case.closed)
        if found is None:
            if case.arrival_proved is not None:
                self._withdraw(case, at)
        elif (found.tap, found.person) != (case.arrival_proved, case.arrival_prover):
            case.arrival_proved, case.arrival_prover = found
            moved = case.state == "assigned" and case.arrival_stated is None
            self._history.record(case, "tap" if moved else "note", at, f"tap:{found.tap.device}", "tap")

    def forget(self) -> None:
        """Drop the taps that are near no order in memory any more."""
        self._taps.forget(self._register.near_any)
        self._strangers.forget(self._wanted)

    def snapshot(self) -> dict[str, Any]:
        return {
            "points": self._points.snapshot(),
            "taps": self._taps.snapshot(),
            "recent": self._recent.snapshot(),
            "strangers": self._strangers.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot."""
        self._points.restore(state["points"])
        self._taps.restore(state["taps"])
        self._recent.restore(state.get("recent", b"[]"))
        self._strangers.restore(state.get("strangers", {}))

    def _wanted(self, point: str) -> bool:
        return self._register.near_any(point) or self._points.carried(point)

    def _concerned(self, seen: Seen | str) -> list[Case]:
        """Keep a tap; the orders to look at after it. After a log-in those with taps of that wand, or proved by it."""
        if isinstance(seen, str):
            points = frozenset(self._taps.unnamed(seen))
            return [each for each in self._register if not points.isdisjoint(each.near) or each.proved_by(seen)]
        if self._register.near_any(seen.point):
            return self._register.at_point(seen.point, seen.at, seen.person) if self._taps.add(seen) else []
        if self._points.by_technician(seen):
            self._recent.add(seen)
        return []

    def _withdraw(self, case: Case, at: Instant) -> None:
        """The tap proves nothing: a log-in that is heard later says that it was another's. What it alone had moved goes back."""
        moved = case.arrival_stated is None and (
            case.state == "arrived"
            or (case.state == "repaired" and case.repair_stated is None and case.verified_at is None)
        )
        if moved and (key := case.key) is not None:
            self._register.forget(key, case.id)
        case.arrival_proved = case.arrival_prover = None
        self._clocks.owe_again(case, at)
        self._history.record(case, "withdraw" if moved else "note", at, "clock", "tap_withdrawn")

    def _prove_earlier(self, case: Case, cycle: Case, until: Instant, at: Instant) -> None:
        """Late taps may prove an arrival before the order was reopened, too."""
        found = self._proof(cycle, case.near, until)
        tap = None if found is None else found.tap
        if (tap is None and cycle.arrival_stated is None) or tap == cycle.arrival_proved:
            return
        came = case.punctual()
        cycle.arrival_proved, cycle.arrival_prover = tap, None if found is None else found.person
        if case.punctual() != came:
            self._history.record(case, "note", at, "clock" if tap is None else f"tap:{tap.device}", "judged_again")

    def _proof(self, cycle: Case, near: Iterable[str], until: Instant | None = None) -> Proof | None:
        since = cycle.since if cycle.arrival_stated is not None or cycle.assigned is None else cycle.assigned
        named = [
            Proof(tap, person)
            for tap in self._taps.at(near)
            if tap.at >= cycle.since
            and (until is None or tap.at <= until)
            and (person := self._points.person(tap)) is not None
        ]
        before = cycle.arrival_proved
        if before is not None and (prover := self._points.person(before) or cycle.arrival_prover) is not None:
            named.append(Proof(before, prover))  # it may be among the taps no more
        found = best(named, cycle.technicians, since, cycle.arrival_stated, self._tolerance)
        first = min(
            (each for each in named if cycle.sent_at(each.tap.at) == each.person),
            key=lambda each: each.tap,
            default=None,
        )
        if first is None or (cycle.arrival_stated is not None and first.person in cycle.technicians):
            return found
        if cycle.arrival_stated is not None and first.tap.at > cycle.arrival_stated:
            return found
        return first if found is None or first.tap < found.tap else found
