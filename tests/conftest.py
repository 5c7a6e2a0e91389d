"""For all suites: under CI (LAMPLIGHTER_NO_SKIPS) a skipped test is a failed one."""

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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    if report.skipped and os.environ.get("LAMPLIGHTER_NO_SKIPS") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"skipped, which is not allowed here: {reason}"
    return report
