"""Whatever happens in a night: a patrol's charges lie inside it, a restart changes nothing, and who walked is not charged."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.instants import MINUTE
from tests.rules.test_compensation import LAMPS, OWN, Garage, estate

STEPS = st.lists(
    st.tuples(
        st.integers(1, 40),
        st.one_of(
            st.tuples(st.just("blind"), st.sampled_from(("cam-1", "cam-2")), st.booleans()),
            st.tuples(st.just("lamps"), st.booleans()),
            st.tuples(st.just("tap"), st.sampled_from(("cp-a", "cp-b"))),
            st.tuples(st.just("silent"), st.sampled_from(("rdr-cp-a", "cam-1", "lux-lamp-1")), st.booleans()),
            st.tuples(st.just("down")),
        ),
    ),
    max_size=8,
)


def play(steps: list[Any], *, reborn: bool = False, walked: int | None = None) -> Garage:
    """Play the steps, each so many minutes after the one before; `walked`: both checkpoints are tapped so often, in minutes."""
    garage = Garage(estate(own={"cp-a": OWN}), reborn=reborn)
    garage.step = 3 * MINUTE
    for wait, (what, *which) in [*steps, (90, ("end",))]:
        until = garage.now + wait * MINUTE
        while walked is not None and garage.now + walked * MINUTE < until:
            garage.to_instant(garage.now + walked * MINUTE).tap("cp-a").tap("cp-b")
        garage.to_instant(until)
        match what:
            case "blind":
                garage.blind(which[0], active=which[1])
            case "lamps":
                garage.dark(lit=which[0])
            case "tap":
                garage.tap(which[0])
            case "silent":
                (garage.quiet.add if which[1] else garage.quiet.discard)(which[0])
            case "down":
                garage.down_until_instant(garage.now + 17 * MINUTE)
        if walked is not None:
            garage.tap("cp-a").tap("cp-b")
    return garage


def shown(garage: Garage) -> Any:
    return [
        garage.asked(),
        garage.exceeded(),
        *(garage.windows(name) for name in ("cp-a", "cp-b")),
        sorted(each.key for each in garage.notices),  # those of one instant come in any order
    ]


TEN = time(22)
many = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(STEPS)
@example(
    [(24, ("lamps", False)), (14, ("lamps", True)), (1, ("lamps", False))]
)  # asked for again in the instant of its end
def test_a_restart_at_any_point_changes_nothing(steps):
    assert shown(play(steps, reborn=True)) == shown(play(steps))


@many
@given(STEPS)
@example([(1, ("down",)), (39, ("blind", "cam-1", True))])  # asked for at ten
def test_charges_lie_inside_what_was_told_and_windows_follow_the_alerts(steps):
    garage = play(steps)
    for checkpoint in ("cp-a", "cp-b", "cp-gate"):  # the first has windows of its own
        there = garage.windows(checkpoint)
        own = {each.window_start for each in there if checkpoint == "cp-a" and each.window_start.time() == TEN}
        windows = [each for each in there if each.window_start not in own]
        told = [
            each
            for each in garage.judgement.alerts.alerts()
            if (each.rule, each.subject) == ("compensating_patrol", checkpoint)
        ]
        assert sum(each.window_end is None for each in windows) == (checkpoint in garage.asked())
        begun = {  # a patrol that is asked for at ten begins just after the checkpoint's own window
            row.at + timedelta(microseconds=row.at in own)
            for alert in told
            for row in alert.history
            if row.after == "open" and row.before in (None, "resolved")
        }
        assert {each.window_start for each in windows} == begun
        for window in windows:
            for piece in window.exceedances:
                assert piece.since >= window.window_start
                assert window.window_end is None or piece.until <= window.window_end
                assert piece.length_s > 1800


@many
@given(STEPS)
def test_whoever_walks_every_half_hour_is_never_charged(steps):
    garage = play(steps, walked=26)
    assert [each for each in garage.exceeded() if each[1] != "retracted"] == []


@many
@given(STEPS)
def test_once_all_is_proved_well_nothing_is_asked_for(steps):
    garage = play(steps)
    garage.quiet.clear()
    garage.blind("cam-1", active=False).blind("cam-2", active=False).dark(lit=True, lamps=LAMPS)
    garage.to_instant(garage.now + 30 * MINUTE)
    assert garage.asked() == []
