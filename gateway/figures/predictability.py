"""How well an outsider could time the guard: the entropy of the time since the last visit (DOMAIN.md §10, 10).

Method. Nights are local noon to noon; the last 14 that are over count. Taps of a checkpoint less than 5 min after the one
before are one visit. The times between successive visits of a night, where the record between them is complete, are put
into bins of 5 min; the score is the Shannon entropy of the bins, in bits. Who comes every hour on the minute scores 0.

A random walker serves the same dated rounds, each at a time drawn evenly from what counts as on time. From his times as
many are drawn as were observed (few samples show less entropy), and the mean over 100 walks is his score. The draws are
seeded by the site and the first night: the same question has the same answer everywhere.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, time, timedelta
from functools import partial
from itertools import pairwise
from math import log2

import msgspec

from gateway.figures.walks import NOBODY, Walks
from gateway.instants import DAY, MINUTE, Duration, Instant, moment
from gateway.rules.intervals import covers
from gateway.site.clocks import wall_time
from gateway.site.model import DatedRound, Route, Site, Visit
from gateway.site.plans import plan_rounds

NIGHTS = 14
BIN: Duration = 5 * MINUTE
LEAST = 20
"""Fewer times between visits say nothing."""
_WALKS = 100

Windows = tuple[tuple[tuple[Instant, Instant], ...], ...]
"""When each visit of a checkpoint may be on time, night by night."""


class Predictability(msgspec.Struct, frozen=True, kw_only=True):
    """One checkpoint.

    Attributes:
        visits: visits in the nights; `intervals`: times between two of them that the score rests on.
        bits: entropy of these times in bins of 5 min; null: fewer than 20. Low is easy to foretell.
        random_bits: what a random walker under the same plan scores with as many; null: likewise, or without a plan.
        share: bits ÷ random_bits; null where there is none to compare with.
    """

    checkpoint: str
    place: str
    visits: int
    intervals: int
    bits: float | None
    random_bits: float | None
    share: float | None


def nights(site: Site, now: Instant) -> list[tuple[Instant, Instant]]:
    """The last 14 nights that are over, noon to noon, the oldest first."""
    zone = site.zone_info
    last = moment(now, zone).date()
    if _noon(site, last) > now:
        last -= timedelta(days=1)
    days = [last - timedelta(days=back) for back in range(NIGHTS, -1, -1)]
    return list(pairwise(_noon(site, day) for day in days))


def _noon(site: Site, day: date) -> Instant:
    return wall_time(day, time(12), site.zone_info).first


def predictability(site: Site, walks: Mapping[str, Walks], now: Instant) -> list[Predictability]:
    """The score of every checkpoint that is on a route, by id."""
    spans = nights(site, now)
    planned: dict[str, list[tuple[tuple[Instant, Instant], ...]]] = {}
    for start, end in spans:
        tonight: dict[str, list[tuple[Instant, Instant]]] = {}
        for dated in plan_rounds(site, start, end):
            route = site.routes[dated.route]
            for visit in route.visits:
                tonight.setdefault(visit.checkpoint, []).append(_on_time(route, visit, dated))
        for checkpoint, windows in tonight.items():
            planned.setdefault(checkpoint, []).append(tuple(windows))
    walker = RandomWalker(f"{site.id}|{spans[0][0]}")
    routed = {visit.checkpoint for route in site.routes.values() for visit in route.visits}
    return [
        _score(site, name, walks.get(name, NOBODY), spans, partial(walker.score, tuple(planned.get(name, ()))))
        for name in sorted(site.checkpoints)
        if name in routed
    ]


def _on_time(route: Route, visit: Visit, dated: DatedRound) -> tuple[Instant, Instant]:
    if visit.after is None:
        return dated.start, dated.end
    due = dated.start + visit.after
    return due - route.tolerance, due + route.tolerance


def _score(
    site: Site,
    name: str,
    walks: Walks,
    spans: Sequence[tuple[Instant, Instant]],
    chance: Callable[[int], float | None],
) -> Predictability:
    seen, times = 0, []
    for start, end in spans:
        visits = _visits(tap for tap in walks.taps if start <= tap < end)
        seen += len(visits)
        times += [later - sooner for sooner, later in pairwise(visits) if covers(walks.complete, sooner, later)]
    enough = len(times) >= LEAST
    bits = entropy(times) if enough else None
    by_chance = chance(len(times)) if enough else None
    return Predictability(
        checkpoint=name,
        place=site.checkpoints[name].place,
        visits=seen,
        intervals=len(times),
        bits=bits,
        random_bits=by_chance,
        share=bits / by_chance if bits is not None and by_chance else None,
    )


def _visits(taps: Iterable[Instant]) -> list[Instant]:
    """Taps near each other are one visit, at its first."""
    found: list[Instant] = []
    last = -DAY
    for tap in taps:
        if tap - last >= BIN:
            found.append(tap)
        last = tap
    return found


def entropy(times: Sequence[Duration]) -> float:
    """Shannon entropy of times in bins of 5 min, in bits."""
    counts = Counter(each // BIN for each in times)
    return sum(count / len(times) * log2(len(times) / count) for count in counts.values())


class RandomWalker:
    """Serves each round at a random time; checkpoints with the same plan have the same walks.

    Args:
        seed: the same seed walks the same.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._walks: dict[Windows, list[list[Duration]]] = {}
        self._scores: dict[tuple[Windows, int], float | None] = {}

    def score(self, planned: Windows, wanted: int) -> float | None:
        """The mean entropy of as many of his times as were wanted; None: the plan has no two visits in a night."""
        key = planned, wanted
        if key not in self._scores:
            chance = random.Random(f"{self._seed}|{wanted}")  # noqa: S311 nothing secret
            walks = [times for times in self._walked(planned) if times]
            scores = [entropy(chance.sample(times, wanted) if len(times) > wanted else times) for times in walks]
            self._scores[key] = sum(scores) / len(scores) if scores else None
        return self._scores[key]

    def _walked(self, planned: Windows) -> list[list[Duration]]:
        """The times between visits of 100 walks."""
        known = self._walks.get(planned)
        if known is None:
            chance = random.Random(self._seed)  # noqa: S311 nothing secret
            known = self._walks[planned] = []
            for _ in range(_WALKS):
                times: list[Duration] = []
                for windows in planned:
                    visits = _visits(sorted(first + int(chance.random() * (last - first)) for first, last in windows))
                    times += [later - sooner for sooner, later in pairwise(visits)]
                known.append(times)
        return known
