"""Which tap serves which visit of one checkpoint (spec: rounds.md, Which tap serves which visit).

Pure and exact. The aims are folded into one whole number an edge, so large that no sum of a lesser aim can reach
one unit of a greater; then one maximum-weight matching gives the lexicographic optimum:

1. most visits, 2. most on time, 3. most by guards of the route, then (ours) most that are required: one unit each;
4. least sum of |deviation|: microseconds;
5. earliest taps: comparing sorted lists of equal length is comparing, at the first difference, who has the smaller
   key, so the key of rank k among m weighs 2^(m-k);
6. taps in time order to visits in order: the list of visit ranks by tap order must be least, so the visit of rank v
   for the tap of rank t (of n, with w visits) costs v * (w+1)^(n-t). A tap whose time is in doubt has a rank for each
   time at which it would be used.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from gateway.instants import Duration, Instant

Key = tuple[Instant, str, str]
"""(time, reader, tag) of a tap as it would be used."""


class Edge(NamedTuple):
    """A tap (or pair of taps) that may serve a visit, and how well.

    Args:
        taps: one tap, or the two of a pair, the earlier first.
        keys: (time, reader, tag) of each.
        value: what the caller wants back.
    """

    visit: int
    taps: tuple[Hashable, ...]
    on_time: bool
    by_guard: bool
    deviation: Duration
    keys: tuple[Key, ...]
    value: object = None
    required: bool = True
    """The visit is not optional: where nothing else decides, a tap is not spent on what nobody has to walk."""


def assign(visits: int, edges: Sequence[Edge]) -> dict[int, Edge]:
    """The best assignment.

    Args:
        visits: how many there are; edges name them 0…visits-1 in the order of (`opens`, round id, position).
        edges: all that may serve.

    Returns:
        The edge that serves each served visit.
    """
    if len(edges) == 1:
        return {edges[0].visit: edges[0]}
    if edges and visits == 1 and all(len(edge.taps) == 1 for edge in edges):
        return {0: min(edges, key=_rank_alone)}
    weights = _weights(visits, edges)
    if any(len(edge.taps) > 1 for edge in edges):
        return _by_search(visits, edges, weights)
    return _by_paths(visits, edges, weights)


def _rank_alone(edge: Edge) -> tuple[bool, bool, Duration, tuple[Key, ...]]:
    """The order of edges, the best first, where only one visit is to be served: the first and the last aim are the same for all."""
    return not edge.on_time, not edge.by_guard, edge.deviation, edge.keys


def _weights(visits: int, edges: Sequence[Edge]) -> list[int]:
    """One number an edge; the sum over an assignment orders assignments by the aims."""
    ranks = {key: rank for rank, key in enumerate(sorted({key for edge in edges for key in edge.keys}))}
    used = {(key, tap) for edge in edges for tap, key in zip(edge.taps, edge.keys, strict=True)}
    order = {each: rank for rank, each in enumerate(sorted(used, key=lambda each: (each[0], repr(each[1]))))}
    count, base = len(order), visits + 1
    worst = max((edge.deviation for edge in edges), default=0)
    sixth = base ** (count + 1)
    fifth = 2 ** (len(ranks) + 1) * (2 * visits + 1)
    fourth = (worst + 1) * (visits + 1)
    unit = visits + 1
    result = []
    for edge in edges:
        weight = (((unit + edge.on_time) * unit + edge.by_guard) * unit + edge.required) * fourth - edge.deviation
        weight = weight * fifth + sum(2 ** (len(ranks) - ranks[key]) for key in edge.keys)
        places = (order[each] for each in zip(edge.keys, edge.taps, strict=True))
        weight = weight * sixth - sum(edge.visit * base ** (count - 1 - place) for place in places)
        result.append(weight)
    return result


def _by_paths(visits: int, edges: Sequence[Edge], weights: Sequence[int]) -> dict[int, Edge]:
    """Maximum-weight matching by cheapest augmenting paths: Dijkstra over reduced costs, one visit after another.

    Every visit may also stay unserved at cost 0, which is a private tap of its own.
    """
    top = max(weights, default=0)
    costs: list[dict[Hashable, tuple[int, int]]] = [{} for _ in range(visits)]
    for index, edge in enumerate(edges):
        cost = top - weights[index]
        tap = edge.taps[0]
        if tap not in costs[edge.visit] or cost < costs[edge.visit][tap][0]:
            costs[edge.visit][tap] = (cost, index)
    for visit in range(visits):
        costs[visit]["unserved", visit] = (top, -1)
    matching = _Matching(costs)
    for root in range(visits):
        matching.serve(root)
    result: dict[int, Edge] = {}
    for visit, tap in enumerate(matching.chosen):
        if tap is not None and (index := costs[visit][tap][1]) >= 0:
            result[visit] = edges[index]
    return result


class _Matching:
    """A cheapest matching that grows by one visit at a time; prices keep all reduced costs at least 0."""

    def __init__(self, costs: Sequence[Mapping[Hashable, tuple[int, int]]]) -> None:
        self._costs = costs
        self._visit_price = [0] * len(costs)
        self._tap_price: dict[Hashable, int] = {}
        self._served_by: dict[Hashable, int] = {}
        self.chosen: list[Hashable | None] = [None] * len(costs)

    def serve(self, root: int) -> None:
        """Serve one more visit, moving others along the cheapest path (Dijkstra over reduced costs)."""
        distance: dict[Hashable, int] = {}
        came_from: dict[Hashable, int] = {}
        done: dict[Hashable, int] = {}
        heap: list[tuple[int, int, Hashable]] = []
        reached = {root: 0}
        visit, so_far, pushed = root, 0, 0
        while True:
            for tap, (cost, _) in self._costs[visit].items():
                if tap in done:
                    continue
                length = so_far + cost - self._visit_price[visit] - self._tap_price.get(tap, 0)
                if tap not in distance or length < distance[tap]:
                    distance[tap] = length
                    came_from[tap] = visit
                    pushed += 1
                    heappush(heap, (length, pushed, tap))
            while True:
                so_far, _, tap = heappop(heap)
                if tap not in done and distance[tap] == so_far:
                    break
            done[tap] = so_far
            if tap not in self._served_by:
                break
            visit = self._served_by[tap]
            reached[visit] = so_far
        for seen, length in reached.items():
            self._visit_price[seen] += so_far - length
        for seen_tap, length in done.items():
            self._tap_price[seen_tap] = self._tap_price.get(seen_tap, 0) - (so_far - length)
        self._turn(tap, root, came_from)

    def _turn(self, end: Hashable, root: int, came_from: Mapping[Hashable, int]) -> None:
        """Hand every visit on the path the tap that was reached from it."""
        while True:
            visit = came_from[end]
            before, self.chosen[visit] = self.chosen[visit], end
            self._served_by[end] = visit
            if visit == root or before is None:
                return
            end = before


def _by_search(visits: int, edges: Sequence[Edge], weights: Sequence[int]) -> dict[int, Edge]:
    """Exact search visit by visit for pairs of taps; only taps that a later visit could want are remembered."""
    offers: list[list[int]] = [[] for _ in range(visits)]
    last_wanted: dict[Hashable, int] = {}
    for index, edge in enumerate(edges):
        offers[edge.visit].append(index)
        for tap in edge.taps:
            last_wanted[tap] = max(last_wanted.get(tap, 0), edge.visit)
    states: dict[frozenset[Hashable], tuple[int, tuple[int, ...]]] = {frozenset(): (0, ())}
    for visit in range(visits):
        following: dict[frozenset[Hashable], tuple[int, tuple[int, ...]]] = {}
        for used, (weight, path) in states.items():
            for index in (-1, *offers[visit]):
                taps = edges[index].taps if index >= 0 else ()
                if any(tap in used for tap in taps):
                    continue
                total = weight + (weights[index] if index >= 0 else 0)
                kept = frozenset(tap for tap in (*used, *taps) if last_wanted[tap] > visit)
                if kept not in following or total > following[kept][0]:
                    following[kept] = (total, (*path, index) if index >= 0 else path)
        states = following
    _, path = max(states.values(), key=lambda state: state[0])
    return {edges[index].visit: edges[index] for index in path}
