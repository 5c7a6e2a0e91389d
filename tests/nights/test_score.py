"""The scorer sees what it is there to see: evidence that lies makes the judge accuse, and that is found out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from device_drivers import observations as seen
from device_drivers.simulation.nights import Lived, Night
from device_drivers.simulation.truth import Mishap
from tests.nights import run
from tests.nights.cases import Case, Line, case_of, judged, lived, log_of
from tests.nights.run import SCORES, smallest
from tests.nights.score import Score

pytestmark = [pytest.mark.slow]


def calm(sort: str, folder: Path, *mishaps: Mishap) -> Case:
    """A night on which nothing goes wrong but this, and everybody walks as meant."""
    case = case_of(sort, 1, folder)
    quiet = Night(seed=1, start=case.night.start, end=case.night.end, mishaps=mishaps)
    return case._replace(night=quiet)


def scored(case: Case, lie: Callable[[Line], Line | None] = lambda line: line) -> Score:
    """Score a judge that heard what `lie` makes of each line."""
    night = lived(case)
    lines = [told for line in log_of(case, night.arrivals) if (told := lie(line)) is not None]
    score = SCORES[case.sort](case, night)
    score.close(judged(case, lines, score))
    return score


def whats(score: Score) -> set[str]:
    return {each.what for each in score.false}


@pytest.mark.parametrize("sort", sorted(SCORES))
def test_on_a_calm_night_nobody_is_accused_and_nothing_is_overlooked(sort: str, tmp_path: Path) -> None:
    score = scored(calm(sort, tmp_path))
    assert score.accusations == []
    assert not score.found
    assert not [kind for kind, _ in score.overlooked if kind != "absence"]


def test_a_tap_that_is_withheld_is_a_guard_falsely_accused(tmp_path: Path) -> None:
    case = calm("rounds", tmp_path)
    score = scored(
        case,
        lambda line: None if type(line.heard) is seen.TagRead and line.heard.device == "r-lobby" else line,
    )
    assert whats(score) == {"missed"}
    assert {each.subject.split()[-1] for each in score.false} == {"lobby"}


def test_a_sensor_that_lies_is_a_lamp_falsely_accused(tmp_path: Path) -> None:
    def dark(line: Line) -> Line:
        if type(line.heard) is seen.LightLevel and line.heard.device == "s-c1":
            return line._replace(heard=msgspec.structs.replace(line.heard, lux=0.0))
        return line

    assert whats(scored(calm("lights", tmp_path), dark)) == {"lamp_failure", "lamp_failure outlived its repair"}


def test_a_camera_that_is_not_listened_to_is_falsely_accused_with_its_zones(tmp_path: Path) -> None:
    score = scored(calm("cameras", tmp_path), lambda line: None if line.heard and line.heard.device == "f1" else line)
    assert score.false == [], "never heard is unknown"
    case = calm("cameras", tmp_path)
    later = case.start + 3_600_000_000
    score = scored(case, lambda line: None if line.at > later and line.heard and line.heard.device == "f1" else line)
    assert {"offline", "zone blind", "camera_offline"} & whats(score) >= {"offline", "zone blind"}


def test_a_fault_that_outlives_its_repair_is_found_out(tmp_path: Path) -> None:
    start = case_of("lights", 1, tmp_path).night.start
    dead = Mishap(kind="lamp_dead", subject="c1", since=start + 3600, until=start + 7200)
    case = calm("lights", tmp_path, dead)
    assert scored(case).found["lamp_dead"] == 1

    def still_dark(line: Line) -> Line:
        if type(line.heard) is seen.LightLevel and line.heard.device == "s-c1" and line.at > case.start + 7_200_000_000:
            return line._replace(heard=msgspec.structs.replace(line.heard, lux=0.0))
        return line

    assert whats(scored(case, still_dark)) == {"lamp_failure outlived its repair"}


def test_of_a_failure_the_smallest_night_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Strict(Score):
        """Takes it ill that a camera has no power."""

        def __init__(self, _case: Case, night: Lived) -> None:
            super().__init__()
            if any(each.kind == "camera_dead" for each in night.world.truth.mishaps()):
                self.accuse("camera_dead", "", 0)

        def __call__(self, *_: object) -> None: ...

        def close(self, _engine: object) -> None: ...

    monkeypatch.setitem(run.SCORES, "cameras", Strict)
    seed = next(seed for seed in range(100) if len(case_of("cameras", seed, tmp_path).night.mishaps) in range(3, 9))
    case = case_of("cameras", seed, tmp_path)
    dead = Mishap(kind="camera_dead", subject="f1", since=case.night.start + 60)
    night = msgspec.structs.replace(case.night, mishaps=(*case.night.mishaps, dead))
    kept = smallest(case._replace(night=night), "camera_dead").night
    assert [each.kind for each in kept.mishaps] == ["camera_dead"]
