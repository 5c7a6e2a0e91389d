"""Living, judging and scoring nights, over several cores if there are; the smallest night of each failure."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from device_drivers.simulation.nights import Lived, Night
from tests.nights.cameras_score import CamerasScore
from tests.nights.cases import Case, Line, case_of, judged, lived, log_of
from tests.nights.evidence import write
from tests.nights.lights_score import LightsScore
from tests.nights.rounds_score import RoundsScore
from tests.nights.score import Accusation, Score

SCORES = {"rounds": RoundsScore, "lights": LightsScore, "cameras": CamerasScore}
SHARES = {"rounds": 1.0, "lights": 0.1, "cameras": 0.1}
"""How many nights of each sort come on one of rounds: one of lamps or cameras is judged as long as five of rounds."""

_AT_ONCE = 25


class Judged(NamedTuple):
    """A night that was lived, judged and scored."""

    night: Lived
    lines: list[Line]
    score: Score


def scored(case: Case) -> Judged:
    """Live, judge and score one night."""
    night = lived(case)
    lines = log_of(case, night.arrivals)
    score = SCORES[case.sort](case, night)
    score.close(judged(case, lines, score))
    return Judged(night, lines, score)


def smallest(case: Case, what: str) -> Case:
    """The night with everything left out that the false accusation does not need."""
    for part in ("mishaps", "docks", "conduct"):
        index = 0
        while index < len(getattr(case.night, part)):
            smaller = case._replace(night=_without(case.night, part, index))
            if any(each.what == what for each in scored(smaller).score.false):
                case = smaller
            else:
                index += 1
    return case


def _without(night: Night, part: str, index: int) -> Night:
    whole = getattr(night, part)
    fewer: Any
    if isinstance(whole, dict):
        fewer = {key: value for number, (key, value) in enumerate(whole.items()) if number != index}
    else:
        fewer = (*whole[:index], *whole[index + 1 :])
    return msgspec.structs.replace(night, **{part: fewer})


class Failure(NamedTuple):
    """A night on which somebody was falsely accused."""

    sort: str
    seed: int
    accusations: list[Accusation]


class Total(NamedTuple):
    """What came out of many nights of one sort."""

    score: Score
    failures: list[Failure]


def several(sort: str, seeds: Sequence[int]) -> Total:
    """Score the nights of some seeds, here."""
    total = Total(Score(), [])
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            score = scored(case_of(sort, seed, Path(folder))).score
            total.score.add(score)
            if score.false:
                total.failures.append(Failure(sort, seed, score.false))
    return total


def many(sort: str, first: int, number: int, jobs: int | None = None) -> Total:
    """Score `number` nights from seed `first` on, over the cores."""
    total = Total(Score(), [])
    parts = [range(low, min(low + _AT_ONCE, first + number)) for low in range(first, first + number, _AT_ONCE)]
    for part in _over_cores(sort, parts, jobs or os.cpu_count() or 1):
        total.score.add(part.score)
        total.failures.extend(part.failures)
    return total


def _over_cores(sort: str, parts: Sequence[range], jobs: int) -> Iterator[Total]:
    if jobs == 1 or len(parts) < 2:
        yield from (several(sort, part) for part in parts)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(several, [sort] * len(parts), parts)


def keep(failure: Failure, folder: Path) -> Path:
    """Write the smallest night of a failure as an evidence file; the folder."""
    with tempfile.TemporaryDirectory() as sites:
        what = failure.accusations[0].what
        case = smallest(case_of(failure.sort, failure.seed, Path(sites)), what)
        night, lines, score = scored(case)
        place = folder / f"{failure.sort}-{failure.seed}"
        write(case, night, lines, score.false, place)
    return place
