"""Simulated days with faults by chance: nothing is lost, and what would grow is seen to (the long run: `python -m tests.faults.soak`)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.instants import DAY
from gateway.journal.retention import Retention
from tests.faults.soak import Sample, Soak, growing

pytestmark = pytest.mark.slow

SEED = 20261127
DAYS = 3


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What people are told of clocks and damaged bytes is not what is looked at."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.timeout(180)
async def test_days_with_faults_stops_drops_and_copies_lose_nothing_and_forget_what_is_old(tmp_path: Path) -> None:
    soak = Soak(tmp_path, SEED, evidence=DAY)
    outcome = await soak.run(DAYS, copies=1)
    print(f"seed {SEED}", outcome.counts)
    assert outcome.wrong == []
    assert outcome.counts["drops"]
    assert outcome.counts["unreadable"]
    assert outcome.counts["copies"] == DAYS
    first, *_, last = outcome.samples
    assert last.values["log"] < 1.5 * first.values["log"], "three days came, one is kept"
    assert last.values["descriptors"] <= first.values["descriptors"] + 3
    assert last.values["threads"] <= first.values["threads"] + 2


@pytest.mark.timeout(180)
async def test_what_is_never_forgotten_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_: Retention) -> None:
        pass

    monkeypatch.setattr(Retention, "sweep", nothing)
    outcome = await Soak(tmp_path, SEED, evidence=DAY // 2, faults=False).run(1, copies=0)
    assert any(wrong.startswith("log is kept") for wrong in outcome.wrong)


def test_growth_is_told_from_noise() -> None:
    noise = [3.0, -2.0, 1.0, -3.0, 2.0, -1.0] * 7
    flat = [Sample(day, {"threads": 8.0, "log bytes": 1e7 + 1e5 * each}) for day, each in enumerate(noise)]
    assert growing(flat) == []
    leak = [Sample(day, {"threads": 8.0 + day / 14, "log bytes": 1e7 + 1e5 * day}) for day in range(42)]
    assert [found.split(" grows")[0] for found in growing(leak)] == ["threads", "log bytes"]
