"""What others wrote, damaged: nothing but refusals with a reason, in bounded time. The targets are those of `fuzz.py`, here with Hypothesis.

Elsewhere: bytes and messages of each driver, ten thousand each (tests/drivers/test_mutations.py); every route with hostile bodies and
addresses (tests/api/test_hostile_bodies.py), and with what its schema allows (tests/api/test_generated_requests.py).
"""

from __future__ import annotations

import copy
import json
import resource
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_drivers.catalogue import DRIVERS
from tests.faults.fuzz import LONGEST_S, MOST_KIB, Costly, Target, measured, names, target

pytestmark = pytest.mark.slow

ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**63,
    -(2**70),
    1e308,
    float("nan"),
    float("inf"),
    "",
    "\x00",
    "\U0001f600",
    "a" * 5000,
    "9" * 400,
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-14:00",
    "2026-02-30T00:00:00Z",
    "24:00",
    "-1s",
    "999999999999d",
    [],
    {},
    [[]],
    {"a": {}},
    ["a", 1, None],
)
"""What may stand where something else was meant."""
TOKENS = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"[" * 3000,
    b'{"a":' * 1500,
    b"&a [*a, *a]",
    b"\r",
    b"\n\n",
    b"\\ud800",
    b"1e400",
)

BYTES = {"site": 60, "evidence": 150, "phone": 250, "http": 60, "workbooks": 50, "driver-patrol_export": 50}
"""Targets, and how many damaged inputs each is given in CI."""
TREES = {"site": 40, "evidence": 200, "phone": 300, "http": 150}
"""The same, of those that are made of lists and mappings."""


_MADE: dict[str, Target] = {}


def made(name: str) -> Target:
    """A target, made once."""
    if name not in _MADE:
        _MADE[name] = target(name)
    return _MADE[name]


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _MADE:
        _MADE.popitem()[1].close()


def damaged(seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of the seeds, with up to four places damaged."""
    places = st.integers(0, 2**16)
    piece = st.one_of(st.binary(max_size=8), st.sampled_from(TOKENS))
    edit = st.tuples(places, st.integers(0, 24), piece)

    def apply(seed: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
        for place, gone, put in edits:
            at = place % (len(seed) + 1)
            seed = seed[:at] + put + seed[at + gone :]
        return seed

    return st.builds(apply, st.sampled_from(seeds), st.lists(edit, min_size=1, max_size=4))


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Each place of a tree: what holds it, and under what."""
    for key in tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield tree, key
        yield from places(tree[key])


def bent(trees: list[Any]) -> st.SearchStrategy[Any]:
    """One of the trees, with an odd value at up to three places, or a place gone."""

    def apply(tree: Any, changes: list[tuple[int, Any]]) -> Any:
        tree = copy.deepcopy(tree)
        for number, value in changes:
            every = list(places(tree))
            if not every:
                break
            holder, key = every[number % len(every)]
            if value == "gone":
                del holder[key]
            else:
                holder[key] = copy.deepcopy(value)
        return tree

    change = st.tuples(st.integers(0, 10_000), st.sampled_from([*ODD, "gone"]))
    return st.builds(apply, st.sampled_from(trees), st.lists(change, min_size=1, max_size=3))


def given_all(strategy: st.SearchStrategy[Any], how_many: int, read: Callable[[Any], None]) -> None:
    """Give so many of them to a reader; the same ones in every run."""

    @settings(
        max_examples=how_many, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def each(value: Any) -> None:
        read(value)

    each()


@pytest.mark.parametrize("name", BYTES)
def test_damaged_bytes_are_read_or_refused(name: str) -> None:
    given_all(damaged(made(name).seeds), BYTES[name], measured(made(name).read))


def test_a_site_file_with_odd_values_is_read_or_refused() -> None:
    trees = [yaml.safe_load(seed) for seed in made("site").seeds]
    read = measured(made("site").read)
    given_all(bent(trees), TREES["site"], lambda tree: read(yaml.safe_dump(tree, allow_unicode=True).encode()))


def test_evidence_with_odd_values_is_read_or_refused() -> None:
    trees = [
        [json.loads(line) for line in seed.splitlines() if line.startswith(b"{")] for seed in made("evidence").seeds
    ]
    read = measured(made("evidence").read)
    given_all(
        bent([tree for tree in trees if tree]),
        TREES["evidence"],
        lambda tree: read("\n".join(json.dumps(line) for line in tree).encode()),
    )


def test_a_handover_with_odd_values_is_read_or_refused() -> None:
    read = measured(made("phone").read)
    trees = [json.loads(seed) for seed in made("phone").seeds]
    given_all(bent(trees), TREES["phone"], lambda tree: read(json.dumps(tree).encode()))


def test_a_request_with_odd_values_is_answered_or_refused() -> None:
    read = measured(made("http").read)
    trees = [[seed[0], json.loads(seed[1:])] for seed in made("http").seeds if seed[1:2] == b"{"]
    values = st.tuples(st.sampled_from([tree[0] for tree in trees]), bent([tree[1] for tree in trees]))
    given_all(values, TREES["http"], lambda value: read(bytes([value[0]]) + json.dumps(value[1]).encode()))


def test_every_driver_is_fuzzed_from_what_was_recorded_of_it() -> None:
    assert {f"driver-{name}" for name in DRIVERS} <= set(names())
    for name in ("driver-native", "driver-rdm6300", "driver-patrol_export"):  # messages, a stream, files
        assert made(name).seeds
        for seed in made(name).seeds:
            made(name).read(seed)


def test_what_takes_too_long_or_too_much_is_a_failure() -> None:
    def slow(_: bytes) -> None:
        until = time.process_time() + LONGEST_S * 1.1
        while time.process_time() < until:
            pass

    def large(_: bytes) -> None:
        pages = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + MOST_KIB + 20_000) // 4
        bytearray(pages * 4096)[::4096] = b"x" * pages

    for read in (slow, large):
        with pytest.raises(Costly):
            measured(read)(b"x")
