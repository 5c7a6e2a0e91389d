"""Whatever is heard and whenever the process is replaced, the figures are the same."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from device_drivers import observations as seen
from gateway.figures.coverage import camera_rates, zone_minutes
from gateway.figures.lamps import lamp_rates
from gateway.figures.timeline import Timeline
from gateway.instants import MINUTE, moment
from gateway.judgement import Judgement
from gateway.rules.operations import DeviceOperation
from gateway.site.model import Zone
from tests.figures.kept import Kept, beat, clock, last_rows, lux, sensor
from tests.figures.rows import site
from tests.figures.test_lamp_rates import estate

_PARTS = estate("one", "two", "three")
SITE = site(
    zones=(Zone(id="z", place="b", cameras=("cam-1", "cam-2"), need=2),),
    devices=site().devices | {f"lux-{name}": sensor(f"lux-{name}") for name in _PARTS.lamps},
    places=site().places | _PARTS.places,
    lamps=_PARTS.lamps,
    circuits=_PARTS.circuits,
    checkpoints={},
    routes={},
    rounds=(),
)

_said = st.one_of(
    st.builds(lux, st.sampled_from([f"lux-{name}" for name in _PARTS.lamps]), st.sampled_from([0.0, 0.0, 100.0])),
    st.builds(beat, st.sampled_from(["cam-1", "cam-2"])),
    st.builds(
        lambda camera, state, active: seen.VideoState(device=camera, at=moment(0, UTC), state=state, active=active),
        st.sampled_from(["cam-1", "cam-2"]),
        st.sampled_from(["blind", "defocused", "ok"]),
        st.booleans(),
    ),
    st.sampled_from(["disable cam-1", "enable cam-1"]),
)
_steps = st.lists(st.tuples(st.integers(0, 25), _said), min_size=1, max_size=40)


def replace(kept: Kept) -> None:
    """Another process takes up the state and the journal, and has lost no time."""
    kept.keep()
    state, now = kept.judge.snapshot(), kept.judge.now
    kept.judge = Judgement(kept.site, kept.started)
    kept.judge.restore(state)
    kept.judge.history.resume(last_rows(kept.rows), now)


def figures(steps: list[Any], *, replaced: bool, gathered: bool = False) -> list[Any]:
    kept, at = Kept(SITE, "20:00"), clock("20:00")
    for wait, said in steps:
        at += wait * MINUTE
        if isinstance(said, str):
            kept.judge.advance(at)
            action, device = said.split()
            kept.judge.operate(DeviceOperation(at=at, by="op", action=action, device=device))
        else:
            kept.hear(at, said)
        if replaced:
            replace(kept)
        elif not gathered:
            kept.keep()
    end = at + 60 * MINUTE
    kept.judge.advance(end)
    kept.keep()
    timeline = Timeline(kept.rows, kept.started, end)
    return [
        lamp_rates(SITE, timeline, "lamp"),
        camera_rates(SITE, timeline, "camera"),
        zone_minutes(SITE, timeline),
        [timeline.pieces("circuit", name) for name in SITE.circuits],
    ]


@settings(max_examples=80, deadline=None)
@given(_steps)
def test_a_process_replaced_after_each_step_changes_no_figure(steps: list[Any]) -> None:
    assert figures(steps, replaced=True) == figures(steps, replaced=False)


@settings(max_examples=80, deadline=None)
@given(_steps)
def test_how_much_is_committed_at_once_changes_no_figure(steps: list[Any]) -> None:
    assert figures(steps, replaced=False, gathered=True) == figures(steps, replaced=False)
