"""What must hold of every simulated night: how its evidence arrived, and where the judge stopped, changes no final verdict."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from device_drivers import observations as seen
from gateway.instants import instant
from gateway.replay import read_evidence, replay
from gateway.rules.engine import Engine
from gateway.rules.findings import Found, Round, Signal
from gateway.rules.rounds import Rounds
from tests.nights.cases import Case, Line, case_of, judged, lived, log_of
from tests.nights.evidence import evidence_of

SOME = max(4, int(os.environ.get("LAMPLIGHTER_NIGHTS", "200")) // 25)
"""Nights of rounds for each property; of lamps and cameras a quarter."""

SERVED = frozenset({"on_time", "early", "late"})

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]


def cases(sort: str, folder: Path, offset: int) -> list[tuple[Case, list[Line]]]:
    """Nights that no other property looks at."""
    number = SOME if sort == "rounds" else max(1, SOME // 4)
    found = []
    for seed in range(offset, offset + number):
        case = case_of(sort, 100_000 + seed, folder)
        found.append((case, log_of(case, lived(case).arrivals)))
    return found


def final(each: Round) -> Any:
    """What is known in the end, without how often it was thought otherwise."""
    visits = [
        (
            visit.verdict,
            visit.at,
            visit.device_at,
            visit.person,
            visit.deviation_s,
            visit.marks,
            visit.cause,
            visit.watermark,
        )
        for visit in each.visits
    ]
    return each.id, each.verdict, each.marks, visits


def views(engine: Engine) -> Any:
    return (
        [final(each) for each in engine.rounds.rounds()],
        engine.rounds.gaps(),
        engine.rounds.unmatched(),
        engine.lighting.lamps(),
        engine.lighting.circuits(),
        engine.cameras.cameras(),
        engine.cameras.zones(),
    )


class Told:
    """Remembers all signals and revisions."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self.revisions: list[Any] = []

    def __call__(self, _now: int, found: Found, _engine: Engine) -> None:
        self.signals += found.signals
        self.revisions += found.revisions


@pytest.mark.parametrize("sort", ["rounds", "lights", "cameras"])
def test_a_restart_of_the_judge_at_any_point_changes_nothing(sort: str, tmp_path: Path) -> None:
    for case, lines in cases(sort, tmp_path, 0):
        chance = random.Random(case.night.seed)
        places = frozenset(chance.randrange(len(lines)) for _ in range(6))
        straight, broken = Told(), Told()
        assert views(judged(case, lines, straight)) == views(judged(case, lines, broken, again=places))
        assert broken.revisions == straight.revisions
        assert broken.signals == straight.signals


@pytest.mark.parametrize("sort", ["rounds", "lights", "cameras"])
def test_into_which_batches_the_evidence_falls_changes_nothing(sort: str, tmp_path: Path) -> None:
    """Looked at every other minute, or never before the end; from the log, or replayed from the evidence file."""
    for case, lines in cases(sort, tmp_path, 1000):
        told = Told()
        by_and_by = judged(case, lines, told)
        at_once = judged(case, lines)
        assert views(at_once) == views(by_and_by)
        document = replay(case.site, read_evidence(evidence_of(case, lines)), until=case.judged_to)
        rounds = {each.id: each for each in by_and_by.rounds.rounds()}
        printed = {each.id: each for each in document["rounds"] if each.id in rounds}
        assert len(printed) >= len(case.rounds)
        assert {name: final(each) for name, each in printed.items()} == {name: final(rounds[name]) for name in printed}
        assert document["lamps"] == by_and_by.lighting.lamps()
        assert document["cameras"] == by_and_by.cameras.cameras()


def alone(case: Case, lines: list[Line]) -> Rounds:
    """The rounds alone, told in this order of everything that readers said, whenever it was received."""
    rules = Rounds(case.site, Found(), case.start)
    for line in lines:
        if line.heard is None:
            rules.restarted(line.down_from, line.at)
    for line in lines:
        if line.heard is not None:
            rules.apply(line.heard, instant(line.heard.at), line.at)
    rules.flush(rules.now)
    while (due := rules.deadline()) is not None and due <= case.judged_to:
        rules.advance(due)
    rules.flush(case.judged_to)
    return rules


def test_order_changes_no_final_verdict(tmp_path: Path) -> None:
    for case, lines in cases("rounds", tmp_path, 2000):
        straight = judged(case, lines)
        shuffled = list(lines)
        random.Random(case.night.seed).shuffle(shuffled)
        told = [final(each) for each in straight.rounds.rounds() if instant(each.start) < case.judged_to]
        mixed = alone(case, shuffled)
        assert [final(each) for each in mixed.rounds() if instant(each.start) < case.judged_to] == told
        assert mixed.unmatched() == straight.rounds.unmatched()


def test_repetition_changes_nothing(tmp_path: Path) -> None:
    for case, lines in cases("rounds", tmp_path, 3000):
        chance = random.Random(case.night.seed)
        evidence = evidence_of(case, lines)
        again = [each for each in evidence if b'"seq"' in each and chance.random() < 0.2]
        once = replay(case.site, read_evidence(evidence), until=case.judged_to)
        twice = replay(case.site, read_evidence([*evidence, *again]), until=case.judged_to)
        assert twice == once


def test_more_evidence_never_turns_a_served_visit_into_a_missed_one(tmp_path: Path) -> None:
    for case, lines in cases("rounds", tmp_path, 4000):
        taps = [number for number, line in enumerate(lines) if type(line.heard) is seen.TagRead]
        people = {tag for person in case.site.people.values() for tag in person.tags}
        chance = random.Random(case.night.seed)
        for left_out in chance.sample(taps, min(2, len(taps))):
            read = lines[left_out].heard
            assert isinstance(read, seen.TagRead)
            if read.device.startswith("wand") and any(read.tag.endswith(tag[-8:]) for tag in people):
                continue  # a log-in may show that it was another person
            before = judged(case, [line for number, line in enumerate(lines) if number != left_out])
            after = judged(case, lines)
            for old, new in zip(before.rounds.rounds(), after.rounds.rounds(), strict=True):
                for was, now in zip(old.visits, new.visits, strict=True):
                    assert not (was.verdict in SERVED and now.verdict == "missed"), (case.night.seed, new.id, now)
