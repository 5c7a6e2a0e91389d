"""What holds for any night: repetition and restarts change nothing, silence accuses nobody, proof of repair ends a fault."""

from __future__ import annotations

from datetime import UTC, time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from device_drivers import observations as seen
from gateway.instants import HOUR, MINUTE, SECOND, moment
from gateway.site.model import Device, Site
from tests.rules.lit_night import Night, clock, lamp, site_of

DEVICES = (
    Device(id="d", driver="native", kind="lamp"),
    Device(id="pir", driver="native", kind="motion_sensor", place="corridor"),
    Device(id="meter", driver="native", kind="meter", expect_every=5 * MINUTE),
)
JUDGED = {"lamp_failure", "day_burner", "no_trigger", "cycling_failure"}


def estate() -> Site:
    return site_of(
        lamp("a", circuit="c"),
        lamp("b", circuit="c", fed_by=("meter", None)),
        lamp("c", circuit="c", place="gate"),
        lamp("d", circuit="c", expected={"mode": "commanded"}),
        lamp("e", expected={"mode": "motion"}),
        lamp("f", circuit="c"),
        lamp("g", circuit="c", expected={"mode": "times", "on": time(16), "off": time(6)}),
        devices=DEVICES,
    )


NEVER = moment(0, UTC)
LIGHT = {
    (name, lit): seen.LightLevel(device=f"lux-{name}", at=NEVER, lux=80.0 if lit else 0.5)
    for name in "abcdefg"
    for lit in (True, False)
}
LOOKS = st.one_of(
    st.sampled_from(("LLLLLLL", "DDDDDDD", "DDDLLLL", "LLLDDLL", "-------")),
    st.text("LD-", min_size=7, max_size=7),
)
"""One look at each lamp: lit, dark, or not heard."""

OTHER = st.one_of(
    st.sampled_from((0.0, 20.0)).map(lambda value: seen.Power(device="meter", at=NEVER, watts=value)),
    st.tuples(st.booleans(), st.sampled_from((None, True, False))).map(
        lambda said: seen.LampState(device="d", at=NEVER, on=said[0], commanded=said[1])
    ),
    st.just(seen.Motion(device="pir", at=NEVER)),
    st.booleans().map(
        lambda active: seen.LampFault(device="d", at=NEVER, fault="relay_failure", active=active, expires_s=900)
    ),
    st.just(None),
)
GAPS = st.sampled_from((0, 20 * SECOND, 3 * MINUTE, 10 * MINUTE, 10 * MINUTE, 10 * MINUTE, 14 * MINUTE, 35 * MINUTE))


@st.composite
def steps_of_a_night(draw: st.DrawFn) -> list[tuple[int, seen.Observation | None]]:
    """Looks that mostly stay as they were, with something else between."""
    steps: list[tuple[int, seen.Observation | None]] = []
    look = "LLLLLLL"
    for _ in range(draw(st.integers(0, 14))):
        look = draw(st.one_of(st.just(look), LOOKS))
        gap = draw(GAPS)
        for name, shows in zip("abcdefg", look, strict=True):
            if shows != "-":
                steps.append((gap, LIGHT[name, shows == "L"]))
                gap = SECOND
        if draw(st.integers(0, 3)) == 0:
            steps.append((draw(GAPS), draw(OTHER)))
    return steps


STEPS = steps_of_a_night()
STARTS = st.sampled_from(("12:00", "15:30", "18:00", "22:00", "04:00"))


def play(start: str, steps: Any, *, twice: bool = False, restarts: bool = False, ticks: int = 0) -> Night:
    """`None` steps are restarts of the gateway after 10 minutes down; `ticks`: idle calls before each step."""
    night = Night(estate(), start, restarts=restarts)
    now = clock(start)
    for gap, said in steps:
        for tick in range(1, ticks + 1):
            between = now + gap * tick // (ticks + 1)
            night.pass_to(between)
            night.rules.advance(between)
        now += gap
        if said is None:
            night.pass_to(now)
            night.rules.restarted(now, now + 10 * MINUTE)
            now += 10 * MINUTE
            continue
        observation = type(said)(
            **{name: getattr(said, name) for name in said.__struct_fields__} | {"at": moment(now, UTC)}
        )
        night.take(observation, now, now)
        if twice:
            night.take(observation, now, now)
    night.pass_to(now + HOUR)
    night.rules.advance(now + HOUR)
    return night


def result(night: Night) -> Any:
    return night.rules.lamps(), night.rules.circuits(), night.found.signals


@settings(max_examples=120, deadline=None)
@given(STARTS, STEPS)
def test_a_restart_of_the_process_after_any_step_changes_nothing(start: str, steps: Any) -> None:
    assert result(play(start, steps, restarts=True)) == result(play(start, steps))


@settings(max_examples=120, deadline=None)
@given(STARTS, STEPS)
def test_every_observation_twice_changes_nothing(start: str, steps: Any) -> None:
    assert result(play(start, steps, twice=True)) == result(play(start, steps))


@settings(max_examples=80, deadline=None)
@given(STARTS, STEPS)
def test_idle_calls_between_change_nothing(start: str, steps: Any) -> None:
    assert result(play(start, steps, ticks=3)) == result(play(start, steps))


@settings(max_examples=80, deadline=None)
@given(STARTS, STEPS)
def test_silence_and_restarts_begin_no_fault(start: str, steps: Any) -> None:
    night = play(start, steps)
    before = {one.id: one.faults for one in night.rules.lamps()}
    now = night.rules._now
    night.rules.restarted(now, now + HOUR)
    night.pass_to(now + 9 * HOUR)
    night.rules.advance(now + 9 * HOUR)
    for one in night.rules.lamps():
        assert set(one.faults) <= set(before[one.id])
        assert one.state in ("unknown", "faulty")
        assert one.unverified == (one.state == "faulty")


@settings(max_examples=80, deadline=None)
@given(STARTS, STEPS)
def test_alerts_that_are_out_are_those_of_faults_that_stand(start: str, steps: Any) -> None:
    night = play(start, steps)
    out: set[tuple[str, str]] = set()
    for one in night.found.signals:
        key = (one.rule, one.subject)
        if one.action == "raise":
            assert key not in out
            assert one.raised is not None
            assert one.raised <= one.at
            out.add(key)
        else:
            assert key in out
            if one.action != "update":
                out.discard(key)
    faults = {(name, one.id) for one in night.rules.lamps() for name in one.faults}
    circuits = {(one.fault, one.id) for one in night.rules.circuits() if one.fault}
    spoken_for = {"circuit_fault": "lamp_failure", "schedule_fault": "day_burner"}
    merged = {(spoken_for[fault], name) for fault, _ in circuits for name in night.site.lamps if name != "e"}
    assert {key for key in faults if key[0] in JUDGED} <= out | merged
    assert {key for key in out if key[0] in JUDGED} <= faults
    assert {key for key in out if key[0] in ("circuit_fault", "schedule_fault")} == circuits


@settings(max_examples=60, deadline=None)
@given(STARTS, STEPS)
def test_proof_of_repair_ends_every_failure(start: str, steps: Any) -> None:
    night = play(start, steps)
    now = night.rules._now
    for step in range(4):
        at = now + 4 * HOUR + step * 10 * MINUTE
        for name in "abdefg":
            said = seen.LightLevel(device=f"lux-{name}", at=moment(at, UTC), lux=80.0)
            night.take(said, at, at)
    for name in "abdefg":
        assert "lamp_failure" not in night.view(name).faults
