"""Stretches are sets of instants: checked against sets."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.figures.stretches import by_slot, common, length, minus, union

_parts = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)


def instants(parts):
    return {at for start, end in parts for at in range(start, end)}


def apart(parts):
    assert all(start < end for start, end in parts)
    assert all(before[1] < after[0] for before, after in pairwise(parts))
    return instants(parts)


@given(_parts, _parts)
def test_union_common_and_minus_are_those_of_sets(left, right):
    one, other = union(left), union(right)
    assert apart(one) == instants(left)
    assert apart(union([*left, *right])) == instants(left) | instants(right)
    assert apart(common(one, other)) == instants(left) & instants(right)
    assert apart(minus(one, other)) == instants(left) - instants(right)


@given(_parts, st.integers(0, 10), st.integers(1, 9), st.integers(0, 6))
def test_slots_hold_what_lies_in_them(parts, start, width, slots):
    known = union(parts)
    found = by_slot(known, start, width, slots)
    assert found == [
        len(instants(known) & set(range(start + slot * width, start + (slot + 1) * width))) for slot in range(slots)
    ]
    assert length(known) == len(instants(known))
