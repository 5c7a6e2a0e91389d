"""For all suites: under CI (LAMPLIGHTER_NO_SKIPS) a skipped test is a failed one; what is `nightly` runs at night only."""

from __future__ import annotations

import os

import hypothesis
import pytest

# Machines are noisy: no example is failed for being slow. CI tries the same examples each time, developers ever new ones.
hypothesis.settings.register_profile("lamplighter", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile(
    "ci" if os.environ.get("CI") or os.environ.get("LAMPLIGHTER_NO_SKIPS") else "lamplighter"
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is `nightly` is taken out, not skipped: a shorter form of it runs always. Slow files come first."""
    # Files with slow tests come first, so that no worker is left with one when the others are done (with --no-loadscope-reorder).
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("browser")}
    items.sort(key=lambda item: item.path not in slow)
    if os.environ.get("LAMPLIGHTER_FAULTS"):
        return
    nightly = [item for item in items if item.get_closest_marker("nightly")]
    if nightly:
        config.hook.pytest_deselected(items=nightly)
        items[:] = [item for item in items if item not in nightly]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    if report.skipped and os.environ.get("LAMPLIGHTER_NO_SKIPS") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"skipped, which is not allowed here: {reason}"
    return report
