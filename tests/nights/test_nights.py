"""Nights with known truth and everything that can go wrong on the way: nobody who was well, or there, is ever accused.

Readers die, lose their network, restart, forget; clocks are off, drift, are set back; wands are handed in late or never; lamps,
cameras, sensors, recorders and switches fail; the gateway is down; messages come late, twice and out of order.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from api.cli import main
from tests.nights.cases import case_of
from tests.nights.evidence import write
from tests.nights.run import SHARES, Total, many, scored

NIGHTS = int(os.environ.get("LAMPLIGHTER_NIGHTS", "200"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]


def nights(sort: str) -> Total:
    total = many(sort, 0, max(1, round(NIGHTS * SHARES[sort])))
    told = [f"seed {each.seed}: {each.accusations}" for each in total.failures]
    assert told == [], f"python -m tests.nights --sort {sort} writes them as evidence files"
    return total


def overlooked(total: Total, kind: str) -> Counter[str]:
    return Counter({cause: number for (of, cause), number in total.score.overlooked.items() if of == kind})


def test_nobody_who_walked_is_accused_and_who_did_not_is_found() -> None:
    total = nights("rounds")
    excused = overlooked(total, "absence")
    assert total.score.found["absence"] > 3 * NIGHTS
    assert total.score.found["absence"] > 5 * sum(excused.values()), excused
    # of those who walked few are in doubt: where a reader was dead nobody could know
    assert total.score.well["visits served"] > 15 * NIGHTS
    # an absence is overlooked only where the record has a hole, or a clock left it open when a tap was
    assert sum(excused[verdict] for verdict in ("on_time", "early", "late")) <= NIGHTS // 20, excused


def test_no_lamp_or_circuit_that_was_well_is_faulty_and_what_shows_is_found() -> None:
    total = nights("lights")
    assert total.score.found["lamp_dead"] > total.score.overlooked["lamp_dead", "unexplained"] * 20
    for (kind, cause), number in total.score.overlooked.items():
        assert cause != "unexplained" or number <= NIGHTS // 50, (kind, number)


def test_no_camera_or_zone_that_was_well_is_offline_or_blind_and_what_shows_is_found() -> None:
    total = nights("cameras")
    assert total.score.found["camera_dead"]
    for (kind, cause), number in total.score.overlooked.items():
        assert cause != "unexplained" or number <= NIGHTS // 50, (kind, number)


def test_a_night_is_written_as_evidence_that_replay_judges_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = case_of("rounds", 7, tmp_path)
    night, lines, score = scored(case)
    write(case, night, lines, score.false, tmp_path / "night")
    status = main(["replay", "--site", str(tmp_path / "night/site.yaml"), str(tmp_path / "night/evidence.jsonl")])
    assert status == 0
    printed = json.loads(capsys.readouterr().out)
    verdicts = {
        (each["id"], visit["position"]): visit["verdict"] for each in printed["rounds"] for visit in each["visits"]
    }
    assert {key: verdicts[key] for key in score.verdicts} == score.verdicts
    truth = json.loads((tmp_path / "night/truth.json").read_text(encoding="utf-8"))
    assert len(truth["tapped"]) == len(night.world.tapped)
