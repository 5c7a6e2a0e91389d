"""A union that grows and is taken back is the union of what is in it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rules.intervals import Interval, Union, merged

spans = st.tuples(st.integers(0, 30), st.integers(0, 8)).map(lambda each: (each[0], each[0] + each[1]))


@settings(max_examples=400)
@given(st.lists(spans | st.none(), max_size=40))
def test_a_union_is_what_was_added_and_not_taken_back(steps: list[Interval | None]) -> None:
    union, inside = Union(), []
    for step in steps:
        if step is not None:
            union.add(*step)
            inside.append(step)
        elif inside:
            union.take_back()
            inside.pop()
        assert union.parts == merged(inside)
