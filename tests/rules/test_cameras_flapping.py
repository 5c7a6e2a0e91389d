"""Flapping (spec: cameras.md, Flapping)."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.instants import MINUTE
from gateway.rules.flapping import Flapping
from tests.rules.night import EVENING, Night, camera, estate, heartbeat, video


def run(values: list[bool], every: int = MINUTE) -> tuple[Flapping, list[bool]]:
    """Checks on a camera that has these values, one from each check to the next; flapping after each check."""
    flapping = Flapping(every)
    active = []
    for number, value in enumerate(values):
        at = EVENING + number * every
        flapping.turn(value, at)
        if flapping.deadline(at) == at + 1:
            flapping.check(at + 1)
        active.append(flapping.active)
    return flapping, active


def expected(values: list[bool]) -> list[bool]:
    """The rule as written, with all checks made and kept."""
    active, result = False, []
    for end in range(1, len(values) + 1):
        last = values[max(0, end - 21) : end]
        changes = [before != after for before, after in pairwise(last)]
        changes = [False] * (20 - len(changes)) + changes
        share = (
            sum(
                (Fraction(8, 10) + Fraction(4, 10) * Fraction(slot, 19)) * changed
                for slot, changed in enumerate(changes)
            )
            / 20
        )
        if not active and share >= Fraction(30, 100):
            active = True
        elif active and share < Fraction(20, 100):
            active = False
        result.append(active)
    return result


@settings(max_examples=150)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30)), min_size=1, max_size=12))
def test_checks_left_out_in_quiet_times_change_nothing(stretches):
    values = [value for value, length in stretches for _ in range(length)]
    assert run(values)[1] == expected(values)


def toggle(night: Night, times: int, first: int = 2) -> None:
    """The picture comes and goes, a minute each."""
    for number in range(times):
        minute = first + number
        night.hear(f"22:{minute:02}:30", video("cam", "loss", active=number % 2 == 0), heartbeat("cam"))


def test_a_flapping_camera_has_one_alert_and_no_other():
    night = Night(estate(camera("cam")), restart_always=True)
    night.beat("22:00", "22:01", "cam")
    toggle(night, 8)
    assert night.alerts() == ["flapping:cam"]
    assert night.camera("cam").endswith("flapping")
    night.hear("22:10:30", video("cam", "loss"))
    night.beat("22:11", "22:20", "cam")
    assert night.alerts() == ["flapping:cam"]


def test_flapping_ends_when_it_is_steady_and_what_holds_is_told():
    night = Night(estate(camera("cam")), restart_always=True)
    night.beat("22:00", "22:01", "cam")
    toggle(night, 9)
    night.beat("22:11", "22:40", "cam")
    assert night.alerts() == ["camera_impaired:cam"]
    assert night.ends("flapping:cam") == ["resolve steady"]


def test_a_quarter_of_an_hour_offline_ends_flapping():
    night = Night(estate(camera("cam", expect_every=10 * MINUTE)), restart_always=True)
    at = EVENING
    for number in range(14):
        night.hear(at, video("cam", "loss", active=number % 2 == 0), heartbeat("cam"))
        at += 10 * MINUTE
    assert night.alerts() == ["flapping:cam"]
    last = at - 10 * MINUTE
    night.go(last + 45 * MINUTE - 1)
    assert night.alerts() == ["flapping:cam"]
    night.go(last + 45 * MINUTE)
    assert night.alerts() == ["camera_offline:cam"]


def test_no_check_is_made_while_nothing_is_known():
    flapping = Flapping(MINUTE)
    at = EVENING
    for number in range(40):
        flapping.turn(None if number % 2 else True, at)
        if flapping.deadline(at) == at + 1:
            flapping.check(at + 1)
        at += MINUTE
    assert not flapping.active
