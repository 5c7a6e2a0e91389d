"""What must hold of the engine whatever happens: restarts of the process, repeats and idle calls change nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.instants import MINUTE, SECOND
from gateway.site.model import Checkpoint
from tests.rules.night import (
    EVENING,
    Night,
    camera,
    device,
    estate,
    heartbeat,
    link,
    ping,
    recording,
    stats,
    status,
    storage,
    video,
)

CAMERAS = ["cam-1", "cam-2", "own-1", "own-2", "own-3"]
SITE = estate(
    device("nvr", kind="nvr", network="switch"),
    camera("cam-1", behind="nvr", channel=1),
    camera("cam-2", behind="nvr", channel=2),
    *(camera(name, network="switch") for name in CAMERAS[2:]),
    device("meter", power="panel", expect_every=2 * MINUTE),
    device("bell", expect_every=None),
    device("rdr", kind="reader", network="switch"),
    checkpoints={"cp": Checkpoint(id="cp", place="yard", reader="rdr")},
    parents={"panel": {}, "switch": {"power": "panel"}},
    zones=[("one", CAMERAS[:2], 1), ("two", CAMERAS[2:], 2), ("vault", ["own-1"], 1, "vault")],
)

_names = st.sampled_from([*CAMERAS, "nvr", "meter", "bell", "rdr", "stranger"])
_cameras = st.sampled_from(CAMERAS)
_flags = st.booleans()
_observations = st.one_of(
    st.builds(heartbeat, _names, st.sampled_from(["ok", "ok", "fault"])),
    st.builds(heartbeat, st.just("nvr"), st.just("ok"), st.sampled_from([1, "2", 9])),
    st.builds(lambda name, ok, level: ping(name, ok=ok, level=level), _names, _flags, st.sampled_from(["network", "service"])),
    st.builds(
        lambda name, state, active, expires: video(name, state, active=active, expires_s=expires),
        _cameras, st.sampled_from(["ok", "loss", "blind", "defocused"]), _flags, st.sampled_from([None, 45.0]),
    ),
    st.builds(stats, _cameras, st.sampled_from([0.0, 0.0, 25.0])),
    st.builds(lambda name, online: status(name, online=online), _names, _flags),
    st.builds(lambda name, on: recording(name, on=on), _cameras, _flags),
    st.builds(lambda name, active: storage(name, active=active), _names, _flags),
    st.builds(lambda name, up: link(name, up=up), _names, _flags),
)  # fmt: skip
_everybody = st.just(("beat", None))
_steps = st.lists(
    st.tuples(
        st.integers(0, 240),
        st.one_of(
            _everybody,
            st.tuples(st.just("hear"), _observations),
            st.tuples(st.just("hear"), _observations),
            st.tuples(st.just("go"), st.none()),
            st.tuples(st.just("restart"), st.none()),
            st.tuples(st.sampled_from(["disable", "enable", "clear"]), _names),
        ),
    ),
    max_size=40,
)

_TWO_FAULTS: list[Any] = [
    (0, ("beat", None)),
    (0, ("hear", link("cam-2", up=False))),
    (180, ("hear", heartbeat("cam-2", "ok"))),
    (181, ("beat", None)),
]
"""The fault of a switch, told, and that of the panel above it, not told yet: whoever hangs below both is the panel's."""


def play(night: Night, steps: list[Any], *, repeat: bool = False, idle: bool = False) -> Night:
    """Play the steps, each so many seconds after the one before, then wait for three hours."""
    at = EVENING
    for wait, (what, which) in steps:
        if idle and what != "restart":
            for between in range(at, at + wait * SECOND, 20 * SECOND):
                night.go(between)
        at += wait * SECOND
        match what:
            case "beat":
                night.hear(at, *(heartbeat(name) for name in [*CAMERAS, "nvr", "meter", "rdr"]))
            case "hear":
                night.hear(at, *[which] * (1 + repeat))
            case "go":
                night.go(at)
            case "restart":
                night.restart(at)
            case _:
                night.operate(at, what, which, "blind")
    night.go(at + 180 * MINUTE)
    return night


def told(night: Night) -> list[Any]:
    return sorted((signal.at, signal.rule, signal.subject, signal.action) for signal in night.signals)


@settings(max_examples=120, deadline=None)
@given(_steps)
@example(_TWO_FAULTS)
def test_a_snapshot_taken_up_at_any_point_changes_nothing(steps):
    straight, restored = play(Night(SITE), steps), play(Night(SITE, restart_always=True), steps)
    assert straight.views() == restored.views()
    assert straight.signals == restored.signals


@settings(max_examples=80, deadline=None)
@given(_steps)
def test_a_repeat_changes_nothing(steps):
    once, twice = play(Night(SITE), steps), play(Night(SITE), steps, repeat=True)
    assert once.views() == twice.views()
    assert told(once) == told(twice)


@settings(max_examples=80, deadline=None)
@given(_steps)
def test_one_late_call_gives_the_same_as_many_punctual_ones(steps):
    late, punctual = play(Night(SITE), steps), play(Night(SITE), steps, idle=True)
    assert late.views() == punctual.views()
    assert told(late) == told(punctual)


@settings(max_examples=80, deadline=None)
@given(_steps)
def test_a_start_raises_nothing_of_what_was_well_before_it(steps):
    night = play(Night(SITE), steps)
    at = night.engine.now
    night.hear(at, *(heartbeat(name) for name in [*CAMERAS, "nvr", "meter", "rdr"]))
    night.signals.clear()
    night.restart(at + 60 * MINUTE, since=at)
    night.go(at + 62 * MINUTE)
    night.hear(at + 62 * MINUTE, *(heartbeat(name) for name in [*CAMERAS, "nvr", "meter", "rdr"]))
    assert not [signal for signal in night.signals if signal.action == "raise"]


def test_the_site_may_have_changed_since_the_snapshot():
    night = Night(SITE)
    night.hear(EVENING + SECOND, *(heartbeat(name) for name in CAMERAS))
    night.go(EVENING + 30 * MINUTE)
    assert "parent_fault:panel" in night.alerts()
    state = night.engine.snapshot()
    changed = estate(camera("own-1"), camera("new"), zones=[("vault", ["own-1"], 1, "vault"), ("new", ["new"], 1)])
    later = Night(changed)
    later.engine.restore(state)
    later.standing = dict(night.standing)
    later.restart(EVENING + 40 * MINUTE)
    assert "parent_fault:panel" not in later.alerts(), "what the site no longer has is told no longer"
    assert later.camera("new") == "unknown 22:30:00 never_heard"
    assert later.camera("own-1") == "unknown 22:03:01 gateway_down"
    later.go(EVENING + 60 * MINUTE)
    assert later.zone("vault").startswith("blind")


def test_an_observation_of_a_stranger_changes_nothing():
    night = Night(SITE)
    night.hear("22:01", heartbeat("stranger"), link("stranger", up=False))
    assert night.touched == set()
