"""The gate of known bugs: each fault that a peer had, put into our code, is caught by the tests that are named for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.mutated import MUTATION
from tests.faults.mutations import MUTATIONS

pytestmark = [pytest.mark.mosquitto, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
_OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR|SKIPPED)\s+(\S+)", re.MULTILINE)


def outcomes(tests: tuple[str, ...], mutation: str = "") -> Mapping[str, set[str]]:
    """What became of each test, of its parameters each, in an interpreter of their own."""
    words = [sys.executable, "-m", "pytest", "-p", "tests.faults.mutated", "-p", "no:cacheprovider", "-n0"]
    words += ["-q", "-rA", "--no-header", "--tb=no", "--timeout=60", *tests]
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        words, cwd=ROOT, env=ours | {MUTATION: mutation}, capture_output=True, text=True, timeout=300, check=False
    )
    found: dict[str, set[str]] = {test: set() for test in tests}
    for outcome, node in _OUTCOME.findall(done.stdout):
        for test in tests:
            if node == test or node.startswith(f"{test}["):
                found[test].add(outcome)
    assert all(found.values()), done.stdout[-3000:] + done.stderr[-3000:]
    return found


@pytest.fixture(scope="module")
def with_mutations() -> Mapping[str, Mapping[str, set[str]]]:
    """What became of the tests of each mutation; two interpreters at a time."""
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda name: outcomes(MUTATIONS[name].caught_by, name), MUTATIONS)
        return dict(zip(MUTATIONS, found, strict=True))


def test_the_tests_pass_as_our_code_is() -> None:
    tests = tuple(dict.fromkeys(test for mutation in MUTATIONS.values() for test in mutation.caught_by))
    assert {test: found for test, found in outcomes(tests).items() if found != {"PASSED"}} == {}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_known_bug_is_caught(name: str, with_mutations: Mapping[str, Mapping[str, set[str]]]) -> None:
    for test, found in with_mutations[name].items():
        assert "FAILED" in found, f"{name}: {MUTATIONS[name].fault}. Not caught by {test}"
