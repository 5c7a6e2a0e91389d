"""What goes wrong on a simulated night, as plain data: what devices then say, and what of it reaches the gateway."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec

from device_drivers.simulation.delivery import Arrival, Way
from device_drivers.simulation.estate import (
    Camera,
    Checkpoint,
    Estate,
    Guard,
    Lamp,
    LightSensor,
    MotionSensor,
    Reader,
    Stop,
    VideoRecorder,
    Walk,
    Wand,
)
from device_drivers.simulation.nights import Dock, Night, draw, live
from device_drivers.simulation.truth import Conduct, Mishap, Trouble
from device_drivers.simulation.world import Said

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ZERO = START.timestamp()
ESTATE = Estate(
    site="s",
    readers=(
        Reader(id="r1", switch="net"),
        Reader(id="r2", serial=True, numbered=False),
        Reader(id="r3", numbered=False),
    ),
    wands=(Wand(id="w"), Wand(id="p", phone=True)),
    checkpoints=(
        Checkpoint(id="c1", reader="r1"),
        Checkpoint(id="c2", reader="r2"),
        Checkpoint(id="c3", tag="04A1B2C3D4E5F6"),
        Checkpoint(id="c4", reader="r3", pair=True),
    ),
    guards=(Guard(id="g", tag="007B3972"), Guard(id="h", tag="0044DC69")),
    lamps=(Lamp(id="l1", circuit="k"), Lamp(id="l2", mode="motion")),
    light_sensors=(LightSensor(id="s1", lamp="l1"), LightSensor(id="s2", lamp="l2")),
    motion_sensors=(MotionSensor(id="m", lamps=("l2",)),),
    cameras=(Camera(id="a", recorder="n", channel=1), Camera(id="b", switch="net", probed=True)),
    video_recorders=(VideoRecorder(id="n"),),
)
WALK = Walk(
    id="night@1",
    start=ZERO + 3600,
    stops=tuple(Stop(checkpoint=name, after_s=200.0 * turn) for turn, name in enumerate(("c1", "c2", "c3", "c4"), 1)),
    wand="w",
)


def mishap(kind: Trouble, subject: str, since_min: float, until_min: float | None = None, value: float = 0.0) -> Mishap:
    until = None if until_min is None else ZERO + 60 * until_min
    return Mishap(kind=kind, subject=subject, since=ZERO + 60 * since_min, until=until, value=value)


def night(*mishaps: Mishap, conduct: Conduct | None = None, external: bool = True) -> list[Arrival]:
    """Two and a half hours, the round walked from 60 to 75 min, the wand docked at 120 min."""
    lived = live(
        ESTATE,
        [WALK],
        Night(
            seed=1,
            start=ZERO,
            end=ZERO + 9000,
            external=external,
            mishaps=mishaps,
            docks=(Dock("w", ZERO + 7200),),
            conduct={} if conduct is None else {WALK.id: conduct},
        ),
    )
    return lived.arrivals


def heard(arrivals: list[Arrival], device: str, kind: str) -> list[tuple[float, dict[str, Any]]]:
    """Minutes from the start, and what a device said then."""
    found = []
    for each in arrivals:
        if each.said is not None and each.said.topic is not None and each.device == device:
            value = msgspec.json.decode(each.said.payload)
            items = value if isinstance(value, list) else [value]
            found += [((each.at - ZERO) / 60, item) for item in items if item["kind"] == kind]
    return found


def test_the_same_night_happens_the_same_way_again() -> None:
    drawn = draw(ESTATE, [WALK], ZERO, ZERO + 9000, 5)
    assert drawn == draw(ESTATE, [WALK], ZERO, ZERO + 9000, 5)
    assert live(ESTATE, [WALK], drawn).arrivals == live(ESTATE, [WALK], drawn).arrivals
    stored = msgspec.json.decode(msgspec.json.encode(drawn), type=Night)
    assert live(ESTATE, [WALK], stored).arrivals == live(ESTATE, [WALK], drawn).arrivals


def test_a_reader_that_is_cut_off_keeps_its_taps_and_sends_them_after() -> None:
    ((at, tap),) = heard(night(mishap("reader_cut", "r1", 50, 80)), "r1", "tag_read")
    assert 80 <= at < 80.1
    assert tap["at"] < (START + timedelta(minutes=70)).isoformat()
    assert (
        heard(night(mishap("reader_cut", "r1", 50, 80), mishap("reader_forgets", "r1", 75, 75.1)), "r1", "tag_read")
        == []
    )


def test_a_reader_without_power_reads_nothing_and_restarts_under_another_boot() -> None:
    arrivals = night(mishap("reader_dead", "r1", 50, 80))
    assert heard(arrivals, "r1", "tag_read") == []
    boots = [beat["boot"] for _, beat in heard(arrivals, "r1", "reader_heartbeat")]
    assert len(dict.fromkeys(boots)) == 2


def test_a_clock_that_is_off_shows_in_all_that_its_device_says() -> None:
    arrivals = night(mishap("clock_off", "r1", 30, None, -600))
    ((at, tap),) = heard(arrivals, "r1", "tag_read")
    shown = (datetime.fromisoformat(tap["at"]) - START).total_seconds() / 60
    assert 9.9 < at - shown < 10.1
    beats = heard(arrivals, "r1", "reader_heartbeat")
    assert all(beat["device_now"] == beat["at"] for _, beat in beats)


def test_a_wand_whose_clock_was_lost_dates_its_reads_in_the_year_2000() -> None:
    reads = heard(night(mishap("clock_lost", "w", 10)), "w", "tag_read")
    assert [read["at"][:4] for _, read in reads] == ["2000", "2000"]
    assert all(120 <= at < 120.1 for at, _ in reads)


def test_where_two_must_tap_the_second_comes_along_unless_the_first_is_alone() -> None:
    assert {tap["tag"] for _, tap in heard(night(), "r3", "tag_read")} == {"007B3972", "0044DC69"}
    assert len(heard(night(conduct=Conduct(alone=True)), "r3", "tag_read")) == 1


def test_while_the_gateway_is_down_a_broker_of_its_own_keeps_what_is_sent() -> None:
    down = mishap("gateway_down", "gateway", 50, 80)
    kept, lost = night(down), night(down, external=False)
    assert [round(at) for at, _ in heard(kept, "r3", "tag_read")] == [80, 80]
    assert heard(lost, "r3", "tag_read") == []
    assert len(heard(lost, "r1", "tag_read")) == 1, "a reader with a memory sends again"
    assert [each for each in kept if each.device == "r2" and each.event == "said"] == [], "a serial line keeps nothing"
    assert [each.event for each in kept if each.event in ("stopped", "started")] == ["stopped", "started"]


def test_an_unplugged_port_is_found_shut_and_open_again() -> None:
    events = [
        (each.event, (each.at - ZERO) / 60) for each in night(mishap("unplugged", "r2", 50, 80)) if each.device == "r2"
    ]
    assert not [at for event, at in events if event == "link_up" and 50.1 < at < 80]
    assert [round(at) for event, at in events if event == "link_down"] == [50]


def test_a_gateway_that_is_down_notices_nothing_of_its_broker() -> None:
    down = mishap("gateway_down", "gateway", 50, 80)
    inside = night(down, mishap("link_down", "mqtt", 60, 70))
    assert not [each for each in inside if each.device == "mqtt"]
    across = [
        (each.event, round((each.at - ZERO) / 60))
        for each in night(down, mishap("link_down", "mqtt", 60, 90))
        if each.device == "mqtt"
    ]
    assert across == [("link_down", 80), ("link_up", 90)]


def test_messages_come_late_out_of_order_and_twice_as_it_is_told() -> None:
    late = night(mishap("delayed", "r1", 0, None, 1800), mishap("doubled", "*", 0, None, 1.0))
    stamps = [beat["at"] for _, beat in heard(late, "r1", "reader_heartbeat")]
    assert stamps != sorted(stamps)
    assert len(stamps) > 1.5 * len(set(stamps))


def test_who_keeps_no_count_is_heard_in_order() -> None:
    said = [Said(START + timedelta(seconds=second), "r3", "t", b"{}") for second in range(200)]
    way = Way(ESTATE, [mishap("delayed", "*", 0, None, 900)], random.Random(1), external=True)
    arrivals = [each for each in way.arrivals(said, ZERO, ZERO + 9000) if each.said is not None]
    assert [each.said for each in arrivals] == said


def test_a_flickering_lamp_is_seen_flickering_and_a_dim_one_dim() -> None:
    lux = [
        item["lux"] > 20
        for at, item in heard(night(mishap("lamp_cycling", "l1", 30, 40, 30)), "s1", "light_level")
        if 30 < at < 40
    ]
    assert sum(one != other for one, other in pairwise(lux)) > 12
    dim = [item["lux"] for _, item in heard(night(mishap("lamp_dim", "l1", 0, None, 0.4)), "s1", "light_level")]
    assert all(15 < each < 35 for each in dim)


def test_a_lamp_that_obeys_motion_is_seen_burning_after_it() -> None:
    arrivals = night()
    moved = [at for at, item in heard(arrivals, "m", "motion") if item.get("active", True)]
    burning = [at for at, item in heard(arrivals, "s2", "light_level") if item["lux"] > 20]
    assert burning
    assert all(any(0 < at - motion < 1.2 for motion in moved) for at in burning)


def test_a_fallen_recorder_is_silent_of_its_channels_and_tells_their_state_when_it_is_back() -> None:
    arrivals = night(mishap("recorder_dead", "n", 30, 60), mishap("painted", "a", 40, None, 1))
    assert not [at for at, _ in heard(arrivals, "n", "camera_stats") if 30.1 < at < 60]
    told = [(round(at), item["state"], item["channel"]) for at, item in heard(arrivals, "n", "video_state")]
    assert told == [(60, "ok", 1), (60, "blind", 1)]


def test_behind_a_fallen_switch_a_probe_finds_nobody() -> None:
    arrivals = night(mishap("switch_dead", "net", 30, 60))
    assert {item["ok"] for at, item in heard(arrivals, "b", "reachable") if 30.1 < at < 60} == {False}
    assert not [at for at, _ in heard(arrivals, "b", "camera_heartbeat") if 30.1 < at < 60]
    assert not [at for at, _ in heard(arrivals, "r1", "reader_heartbeat") if 30.1 < at < 60]
