"""The simulated estate: the same seed gives the same bytes, and what is said follows from what is true."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby

import msgspec

from device_drivers.simulation.estate import (
    Checkpoint,
    Estate,
    Guard,
    Lamp,
    LightSensor,
    Reader,
    Recorder,
    Stop,
    Walk,
    Wand,
)
from device_drivers.simulation.truth import Conduct
from device_drivers.simulation.world import Said, World

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ESTATE = Estate(
    site="s",
    readers=(Reader(id="r1"), Reader(id="r2", serial=True)),
    wands=(Wand(id="w"),),
    checkpoints=(
        Checkpoint(id="c1", reader="r1"),
        Checkpoint(id="c2", reader="r2"),
        Checkpoint(id="c3", tag="04A1B2C3D4E5F6"),
    ),
    guards=(Guard(id="g", tag="007B3972"),),
    lamps=(Lamp(id="l1", circuit="k"), Lamp(id="l2", circuit="k", mode="dusk_to_dawn")),
    light_sensors=(LightSensor(id="s1", topic="z/s1", lamp="l1"), LightSensor(id="s2", topic="z/s2", lamp="l2")),
    recorders=(Recorder(id="n", prefix="frigate", cameras=("a", "b")),),
)
WALK = Walk(
    id="night@1",
    start=(START + timedelta(hours=1)).timestamp(),
    stops=tuple(Stop(checkpoint=name, after_s=60.0 * turn) for turn, name in enumerate(("c1", "c2", "c3"), 1)),
    wand="w",
)


def said(hours: float = 2, *, conduct: Conduct | None = None, seed: int = 1) -> list[Said]:
    world = World(ESTATE, START, seed)
    world.walk([WALK])
    if conduct is not None:
        world.truth.conduct[WALK.id] = conduct
    world.dock(START + timedelta(hours=1.5), "w")
    return list(world.run(START + timedelta(hours=hours)))


def taps(sayings: list[Said], device: str) -> list[dict[str, object]]:
    found = []
    for each in sayings:
        if each.device == device and each.topic is not None:
            value = msgspec.json.decode(each.payload)
            found += [item for item in (value if isinstance(value, list) else [value]) if item["kind"] == "tag_read"]
    return found


def test_the_same_seed_says_the_same_and_another_does_not() -> None:
    assert said() == said()
    assert said() != said(seed=2)


def test_time_never_runs_backwards() -> None:
    moments = [each.at for each in said()]
    assert moments == sorted(moments)


def test_a_walked_round_taps_every_stop_by_the_means_of_the_place() -> None:
    sayings = said()
    assert [tap["tag"] for tap in taps(sayings, "r1")] == ["007B3972"]
    frames = [each for each in sayings if each.device == "r2"]
    assert len(frames) == 8
    assert all(each.topic is None and each.payload[0] == 2 and len(each.payload) == 14 for each in frames)
    assert [tap["tag"] for tap in taps(sayings, "w")] == ["007B3972", "04A1B2C3D4E5F6"]


def test_a_wand_says_nothing_before_it_is_docked() -> None:
    first = next(each.at for each in said() if each.device == "w")
    assert first == START + timedelta(hours=1.5)


def test_who_sleeps_taps_nowhere_and_who_skips_leaves_out_just_that() -> None:
    asleep = said(conduct=Conduct(sleeps=True))
    assert taps(asleep, "r1") == taps(asleep, "w") == []
    skipping = said(conduct=Conduct(skips=("c1",)))
    assert taps(skipping, "r1") == []
    assert len(taps(skipping, "w")) == 2


def test_a_late_guard_is_late_at_every_stop() -> None:
    on_time = datetime.fromisoformat(str(taps(said(), "r1")[0]["at"]))
    late = datetime.fromisoformat(str(taps(said(conduct=Conduct(late_s=540)), "r1")[0]["at"]))
    assert 400 < (late - on_time).total_seconds() < 680


def test_sensors_see_what_burns() -> None:
    world = World(ESTATE, START)
    world.change(START + timedelta(hours=1), lambda truth, now: truth.begin("circuit_dead", "k", now))
    lux = [
        (each.at, msgspec.json.decode(each.payload)["illuminance"])
        for each in world.run(START + timedelta(hours=2))
        if each.topic == "z/s1"
    ]
    assert all(value > 20 for at, value in lux if at < START + timedelta(hours=1))
    assert all(value < 20 for at, value in lux if at > START + timedelta(hours=1))
    assert len(lux) > 8


def test_lamps_burn_from_dusk_to_dawn() -> None:
    world = World(ESTATE, START)
    noon, midnight = datetime(2026, 11, 22, 4, tzinfo=UTC), datetime(2026, 11, 22, 16, tzinfo=UTC)
    assert not world.truth.burns("l2", noon)
    assert world.truth.burns("l2", midnight)


def test_a_dead_recorder_is_silent_and_a_dead_camera_has_no_frames() -> None:
    world = World(ESTATE, START)
    world.truth.begin("video_lost", "a", START)
    world.change(START + timedelta(minutes=10), lambda truth, now: truth.begin("recorder_dead", "n", now))
    stats = [each for each in world.run(START + timedelta(hours=1)) if each.topic == "frigate/stats"]
    assert 9 <= len(stats) <= 11
    cameras = msgspec.json.decode(stats[0].payload)["cameras"]
    assert cameras["a"]["camera_fps"] == 0
    assert cameras["b"]["camera_fps"] > 4


def test_hastened_devices_report_as_often_as_asked_and_never_twice() -> None:
    world = World(ESTATE, START)
    list(world.run(START + timedelta(minutes=1)))
    world.hasten(10)
    beats = [each for each in world.run(START + timedelta(minutes=11)) if each.device == "r1"]
    assert 59 <= len(beats) <= 61


def test_on_a_short_way_the_stops_are_tapped_one_after_another() -> None:
    stops = tuple(Stop(checkpoint=name, after_s=10.0 * turn) for turn, name in enumerate(("c1", "c2") * 5))
    world = World(ESTATE, START)
    world.walk([Walk(id="quick@1", start=WALK.start, stops=stops)])
    sayings = list(world.run(START + timedelta(hours=2)))
    heard = [each.device for each in sayings if each.device == "r2" or taps([each], "r1")]
    assert [device for device, _ in groupby(heard)] == ["r1", "r2"] * 5
