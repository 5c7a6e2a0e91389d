"""One checkpoint over all rounds: its visits, its taps, and which tap serves which visit."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping

from gateway.instants import MINUTE, Duration, Instant
from gateway.rules.assignment import Edge, assign
from gateway.rules.clocks import SLACK
from gateway.rules.intervals import Interval
from gateway.rules.taps import Tap
from gateway.rules.visits import Fit, Service, VisitState
from gateway.site.model import Person

STRAY: Duration = 60 * MINUTE
"""A tap this near a visit's interval, by a clock never measured, forbids to call the visit missed (rounds.md, verdict 3)."""

_ON_TIME = 2
"""`Fit.rank` of a tap that is on time."""


def _order(tap: Tap) -> tuple[Instant, str, str, str, Instant, str, int]:
    """Two taps may be corrected to the same time (both judged at their receipt): then by the device's own time, boot and number."""
    read = tap.moments[0].read
    return tap.first, tap.device, tap.tag, tap.person or "", read.at, read.boot, read.seq


def _with(fit: Fit, marks: frozenset[str]) -> Fit:
    return fit._replace(marks=fit.marks | marks)


class Point:
    """A checkpoint's visits and taps.

    Args:
        people: all people of the site by id.
    """

    def __init__(self, people: Mapping[str, Person]) -> None:
        self.people = people
        self.visits: list[VisitState] = []
        self.taps: list[Tap] = []
        self.spent: set[Tap] = set()
        """Those of its taps that served a visit which is no longer in memory: they serve no other."""
        self.told: dict[Tap, str] = {}
        """Why others that lie in the interval of such a visit served nothing."""
        self.touched: list[Interval] = []
        """Times at which taps or visits came or went: what touches them is to be assigned anew."""
        self._opens: list[Instant] = []
        self._firsts: list[Instant] = []
        """When each visit opens, and the first time of each tap: to search in."""
        self._longest: Duration = 0
        self._widest: Duration = 0

    def add_visit(self, visit: VisitState) -> None:
        index = bisect_right(self._opens, visit.opens)
        while index > 0 and visit.order < self.visits[index - 1].order:
            index -= 1
        self.visits.insert(index, visit)
        self._opens.insert(index, visit.opens)
        self._longest = max(self._longest, visit.closes - visit.opens)
        self.touched.append((visit.opens, visit.closes))

    def remove_visit(self, visit: VisitState) -> None:
        index = self.visits.index(visit)
        del self.visits[index], self._opens[index]
        self.touched.append((visit.opens, visit.closes))

    def add_tap(self, tap: Tap) -> None:
        first = tap.first
        taps, firsts = self.taps, self._firsts
        index = bisect_right(firsts, first)
        if index > 0 and firsts[index - 1] == first:
            order = _order(tap)
            while index > 0 and firsts[index - 1] == first and order < _order(taps[index - 1]):
                index -= 1
        taps.insert(index, tap)
        firsts.insert(index, first)
        if len(tap.moments) > 1:
            self._widest = max(self._widest, tap.last - first)
        self.touched += [(moment.time, moment.time) for moment in tap.moments]

    def remove_tap(self, tap: Tap) -> None:
        taps, firsts = self.taps, self._firsts
        index = bisect_left(firsts, tap.first)
        while taps[index] != tap:
            index += 1
        del taps[index], firsts[index]
        self.spent.discard(tap)
        self.told.pop(tap, None)
        self.touched += [(moment.time, moment.time) for moment in tap.moments]

    def taps_between(self, first: Instant, last: Instant) -> Iterator[Tap]:
        """Taps that may have happened in [first, last]."""
        begin = bisect_left(self._firsts, first - self._widest)
        for tap in self.taps[begin : bisect_right(self._firsts, last)]:
            moments = tap.moments
            if first <= moments[0].time <= last or any(first <= moment.time <= last for moment in moments):
                yield tap

    def visits_between(self, first: Instant, last: Instant) -> Iterator[VisitState]:
        """Visits whose intervals touch [first, last], in order."""
        if not self.visits:
            return iter(())
        index = bisect_left(self._opens, first - self._longest)
        end = bisect_right(self._opens, last)
        return (visit for visit in self.visits[index:end] if visit.closes >= first)

    def fits(self, tap: Tap) -> list[tuple[VisitState, Fit]]:
        """Every visit in whose interval a tap lies, in order."""
        found = []
        for visit in self.visits_between(tap.first - SLACK, tap.last + SLACK):
            if (fit := visit.fit(tap)) is not None:
                found.append((visit, fit))
        return found

    def assign(self) -> list[VisitState]:
        """Assign anew what was touched; the visits whose service changed, and unserved ones beside them."""
        if not self.touched:
            return []
        touched, self.touched = self.touched, []
        if not self.taps and all(visit.service is None for visit in self.visits):
            return []
        changed: list[VisitState] = []
        done: set[int] = set()
        for first, last in touched:
            for visit in list(self.visits_between(first - SLACK, last + SLACK)):
                if id(visit) in done:
                    continue
                if (
                    visit.service is None
                    and next(self.taps_between(visit.opens - SLACK, visit.closes + SLACK), None) is None
                ):
                    done.add(id(visit))  # nothing can serve it, and it hangs together with no other
                else:
                    changed += self._assign_around(visit, done)
        return changed

    def _assign_around(self, seed: VisitState, done: set[int]) -> list[VisitState]:
        """Assign all visits and taps that hang together with one visit."""
        if self._by_itself(seed):
            done.add(id(seed))
            alone = self._best_alone(seed)
            if alone == seed.service:
                return []
            seed.service = alone
            return [seed]
        visits: list[VisitState] = []
        taps: dict[Tap, list[tuple[VisitState, Fit]]] = {}
        waiting = [seed]
        done.add(id(seed))
        while waiting:
            visit = waiting.pop()
            visits.append(visit)
            for tap in self.taps_between(visit.opens - SLACK, visit.closes + SLACK):
                if tap in taps or tap in self.spent:
                    continue
                person = self.people.get(tap.person) if tap.person else None
                taps[tap] = [(each, fit) for each, fit in self.fits(tap) if each.refusal(person) is None]
                for other, _ in taps[tap]:
                    if id(other) not in done:
                        done.add(id(other))
                        waiting.append(other)
        visits.sort(key=lambda each: each.order)
        services = self._best(visits, taps)
        changed = []
        for visit in visits:
            service = services.get(visit.key)
            if service != visit.service:
                visit.service = service
                changed.append(visit)
            elif service is None and len(visits) > 1:  # who holds a tap for it may be another now
                changed.append(visit)
        return changed

    def _by_itself(self, visit: VisitState) -> bool:
        """Whether no tap that may serve a visit can serve another one, nor takes a second person; nearly all are so."""
        reach = 2 * SLACK + self._widest
        near = self.visits_between(visit.opens - reach, visit.closes + reach)
        return not visit.two_person and all(each is visit for each in near)

    def _best_alone(self, visit: VisitState) -> Service | None:
        """What serves a visit that stands by itself best: `_best` for one visit and single taps."""
        found: tuple[bool, bool, Duration, Instant, str, str] | None = None
        best: Service | None = None
        for tap in self.taps_between(visit.opens - SLACK, visit.closes + SLACK):
            person = self.people.get(tap.person) if tap.person else None
            fit = None if tap in self.spent or visit.refusal(person) is not None else visit.fit(tap)
            if fit is None:
                continue
            rank = (
                fit.rank != _ON_TIME,
                not visit.by_guard(person),
                abs(fit.deviation),
                fit.time,
                tap.device,
                tap.tag,
            )
            if found is None or rank < found:
                found, best = rank, Service((tap,), fit if tap.marks <= fit.marks else _with(fit, tap.marks))
        return best

    def _best(
        self, visits: list[VisitState], taps: Mapping[Tap, list[tuple[VisitState, Fit]]]
    ) -> dict[tuple[str, str, int], Service]:
        ranks = {visit.key: rank for rank, visit in enumerate(visits)}
        numbers = {tap: number for number, tap in enumerate(sorted(taps, key=_order))}
        edges: list[Edge] = []
        paired: dict[tuple[str, str, int], list[tuple[Tap, Fit]]] = {}
        for tap in numbers:
            for visit, fit in taps[tap]:
                if visit.key not in ranks:
                    continue
                if visit.two_person:
                    paired.setdefault(visit.key, []).append((tap, fit))
                else:
                    edges.append(self._edge(ranks[visit.key], visit, ((tap, fit),), numbers))
        for visit in visits:
            for pair in _pairs(visit, paired.get(visit.key, ())):
                edges.append(self._edge(ranks[visit.key], visit, pair, numbers))
        if not edges:
            return {}
        chosen = assign(len(visits), edges)
        found: dict[tuple[str, str, int], Service] = {}
        for rank, edge in chosen.items():
            assert isinstance(edge.value, Service)
            found[visits[rank].key] = edge.value
        return found

    def _edge(
        self, rank: int, visit: VisitState, used: tuple[tuple[Tap, Fit], ...], numbers: Mapping[Tap, int]
    ) -> Edge:
        taps = tuple(tap for tap, _ in used)
        fit = used[-1][1]
        for other, another in used:
            fit = _with(fit, another.marks | other.marks)
        return Edge(
            visit=rank,
            taps=tuple(numbers[tap] for tap in taps),
            on_time=fit.rank == _ON_TIME,
            by_guard=all(visit.by_guard(self.people.get(tap.person or "")) for tap in taps),
            deviation=abs(fit.deviation),
            keys=tuple((each.time, tap.device, tap.tag) for tap, each in used),
            value=Service(taps, fit),
            required=not visit.optional,
        )

    def reason(self, tap: Tap, used: set[Tap]) -> str | None:
        """Why a tap served nothing, the first reason that fits; None: it served."""
        if tap in used or tap in self.spent:
            return None
        if (told := self.told.get(tap)) is not None:
            return told
        fits = [visit for visit, _ in self.fits(tap)]
        if not fits:
            return "no_round"
        person = self.people.get(tap.person) if tap.person else None
        refusals = [visit.refusal(person) for visit in fits]
        if all(refusals):
            return "not_a_guard" if "not_a_guard" in refusals else "wrong_guard"
        if any(visit.two_person and visit.service is None and not no for visit, no in zip(fits, refusals, strict=True)):
            return "second_person_missing"
        return "already_served"

    def lone(self, visit: VisitState) -> bool:
        """Whether someone tapped for a visit that needs two persons and was not served."""
        if not visit.two_person or visit.service is not None:
            return False
        used = self.spent.union(
            tap
            for other in self.visits_between(visit.opens, visit.closes)
            if other.service
            for tap in other.service.taps
        )
        for tap in self.taps_between(visit.opens - SLACK, visit.closes + SLACK):
            person = self.people.get(tap.person) if tap.person else None
            if tap not in used and visit.fit(tap) is not None and visit.refusal(person) is None:
                return True
        return False

    def holders(self, visit: VisitState) -> list[VisitState]:
        """Visits that hold a tap which would serve an unserved one, and those that hold one for them, in order.

        Would a tap for one of them come, it could hand its own on.
        """
        found: dict[tuple[str, str, int], VisitState] = {}
        waiting = [visit] if self.taps else []
        while waiting:
            served = waiting.pop()
            for tap in self.taps_between(served.opens - SLACK, served.closes + SLACK):
                person = self.people.get(tap.person) if tap.person else None
                if served.fit(tap) is None or served.refusal(person) is not None:
                    continue
                for other, _ in self.fits(tap):
                    holds = other.service is not None and tap in other.service.taps
                    if holds and other is not served and other.key not in found:
                        found[other.key] = other
                        waiting.append(other)
        return sorted(found.values(), key=lambda each: each.order)

    def spent_near(self, visit: VisitState) -> bool:
        """Whether a tap that served a round now forgotten would serve a visit: that round could have handed it on, or not, and nobody knows."""
        if not self.spent:
            return False
        for tap in self.taps_between(visit.opens - SLACK, visit.closes + SLACK):
            person = self.people.get(tap.person) if tap.person else None
            if tap in self.spent and visit.fit(tap) is not None and visit.refusal(person) is None:
                return True
        return False

    def strayed(self, visit: VisitState) -> bool:
        """Whether a tap that fits no round, by a clock never measured, lies so near that it may have been for a visit."""
        for tap in self.taps_between(visit.opens - STRAY, visit.closes + STRAY):
            person = self.people.get(tap.person) if tap.person else None
            known = tap.measured or tap in self.spent or tap in self.told
            if not known and visit.refusal(person) is None and not self.fits(tap):
                return True
        return False


def _pairs(visit: VisitState, taps: Iterable[tuple[Tap, Fit]]) -> Iterator[tuple[tuple[Tap, Fit], tuple[Tap, Fit]]]:
    """Pairs of taps by different known persons, near enough in time; the later last."""
    ordered = sorted(
        ((tap, fit) for tap, fit in taps if tap.person is not None),
        key=lambda used: (used[1].time, used[0].device, used[0].tag),
    )
    for index, early in enumerate(ordered):
        for late in ordered[index + 1 :]:
            if late[1].time - early[1].time > visit.two_person_within:
                break
            if late[0].person != early[0].person:
                yield early, late
