"""A pytest plugin (`-p tests.faults.mutated`): puts the mutation that LAMPLIGHTER_MUTATION names before any test is read."""

from __future__ import annotations

import os

MUTATION = "LAMPLIGHTER_MUTATION"


def pytest_configure() -> None:
    """Put it."""
    from tests.faults.mutations import MUTATIONS

    if name := os.environ.get(MUTATION):
        MUTATIONS[name].put()
