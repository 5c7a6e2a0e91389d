"""Which tap serves which visit: the six aims of rounds.md, against every possible assignment."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rules.assignment import Edge, assign


def aims(edges: list[Edge]) -> tuple[Any, ...]:
    """The six aims of one assignment as they are written, and ours (required ones) after the third: smaller is better."""
    keys = sorted(key for edge in edges for key in edge.keys)
    by_tap = sorted(
        (key, repr(tap), edge.visit) for edge in edges for tap, key in zip(edge.taps, edge.keys, strict=True)
    )
    return (
        -len(edges),
        -sum(edge.on_time for edge in edges),
        -sum(edge.by_guard for edge in edges),
        -sum(edge.required for edge in edges),
        sum(edge.deviation for edge in edges),
        keys,
        [visit for _, _, visit in by_tap],
    )


def brute(visits: int, edges: list[Edge]) -> tuple[Any, ...]:
    """The best aims over every assignment there is."""
    choices = [[None, *(edge for edge in edges if edge.visit == visit)] for visit in range(visits)]
    best = None
    for choice in product(*choices):
        chosen = [edge for edge in choice if edge is not None]
        used = [tap for edge in chosen for tap in edge.taps]
        if len(used) == len(set(used)):
            found = aims(chosen)
            best = found if best is None or found < best else best
    assert best is not None
    return best


@st.composite
def single_taps(draw: st.DrawFn) -> tuple[int, list[Edge]]:
    visits = draw(st.integers(1, 4))
    times = draw(st.lists(st.integers(0, 6), min_size=1, max_size=5))
    edges = []
    for visit in range(visits):
        required = draw(st.booleans())
        for tap, time in enumerate(times):
            if draw(st.booleans()):
                edges.append(
                    Edge(
                        visit=visit, taps=(tap,), on_time=draw(st.booleans()), by_guard=draw(st.booleans()),
                        deviation=draw(st.integers(0, 3)), keys=((time, f"r{tap}", "T"),), required=required,
                    )
                )  # fmt: skip
    return visits, edges


@st.composite
def pairs_of_taps(draw: st.DrawFn) -> tuple[int, list[Edge]]:
    visits = draw(st.integers(1, 3))
    taps = draw(st.integers(2, 5))
    edges = []
    for visit in range(visits):
        required = draw(st.booleans())
        for late in range(1, taps):
            for early in range(late):
                if draw(st.booleans()):
                    edges.append(
                        Edge(
                            visit=visit, taps=(early, late), on_time=draw(st.booleans()), by_guard=draw(st.booleans()),
                            deviation=draw(st.integers(0, 3)), keys=((early, f"r{early}", "T"), (late, f"r{late}", "T")),
                            required=required,
                        )
                    )  # fmt: skip
    return visits, edges


@st.composite
def taps_of_doubtful_time(draw: st.DrawFn) -> tuple[int, list[Edge]]:
    """Each tap may serve one visit at one time and all others at another."""
    visits = draw(st.integers(2, 4))
    edges = []
    for tap in range(draw(st.integers(2, 4))):
        time, else_at, else_of = draw(st.integers(0, 6)), draw(st.integers(0, 6)), draw(st.integers(0, visits - 1))
        edges += [
            Edge(
                visit=visit, taps=(tap,), on_time=visit != else_of, by_guard=True, deviation=0,
                keys=((else_at if visit == else_of else time, f"r{tap}", "T"),),
            )
            for visit in range(visits)
            if draw(st.booleans())
        ]  # fmt: skip
    return visits, edges


@settings(max_examples=300, deadline=None)
@given(single_taps())
def test_assignment_is_the_best_of_all_assignments(case: tuple[int, list[Edge]]) -> None:
    visits, edges = case
    chosen = assign(visits, edges)
    assert all(edge.visit == visit for visit, edge in chosen.items())
    assert aims(list(chosen.values())) == brute(visits, edges)


@settings(max_examples=300, deadline=None)
@given(taps_of_doubtful_time())
def test_taps_are_given_in_the_order_of_the_times_at_which_they_serve(case: tuple[int, list[Edge]]) -> None:
    visits, edges = case
    assert aims(list(assign(visits, edges).values())) == brute(visits, edges)


@settings(max_examples=150, deadline=None)
@given(pairs_of_taps())
def test_assignment_of_pairs_is_the_best_of_all_assignments(case: tuple[int, list[Edge]]) -> None:
    visits, edges = case
    assert aims(list(assign(visits, edges).values())) == brute(visits, edges)


@settings(max_examples=100, deadline=None)
@given(single_taps(), st.randoms(use_true_random=False))
def test_assignment_does_not_depend_on_the_order_of_edges(case: tuple[int, list[Edge]], random: Any) -> None:
    visits, edges = case
    shuffled = list(edges)
    random.shuffle(shuffled)
    assert sorted(assign(visits, edges).values()) == sorted(assign(visits, shuffled).values())


def test_a_long_chain_of_overlapping_rounds_is_assigned_quickly() -> None:
    edges = [
        Edge(
            visit=visit,
            taps=(tap,),
            on_time=True,
            by_guard=True,
            deviation=abs(tap - 2 * visit),
            keys=((tap, "r", "T"),),
        )
        for visit in range(100)
        for tap in range(max(0, 2 * visit - 8), min(200, 2 * visit + 8))
    ]
    chosen = assign(100, edges)
    assert [chosen[visit].taps[0] for visit in range(100)] == [2 * visit for visit in range(100)]
