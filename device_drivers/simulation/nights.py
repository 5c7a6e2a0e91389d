"""Nights that can be told, stored and made smaller: one is plain data, drawn from a seed by a table of what may go wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from device_drivers.simulation.delivery import BROKER, Arrival, Way, when
from device_drivers.simulation.estate import Estate, Walk
from device_drivers.simulation.truth import Conduct, Mishap, Trouble
from device_drivers.simulation.world import World

_HOUR_S = 3600.0


class Dock(msgspec.Struct, frozen=True):
    """A wand is handed in."""

    wand: str
    at: float


class Night(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happens on one night.

    Args:
        seed: of the small chances: seconds, phases, delays.
        start: when it begins, in seconds since 1970, UTC.
        end: when it ends, likewise.
        external: the broker is a machine of its own (see `Way`).
        hub_qos: at which the Zigbee hub publishes.
        conduct: how rounds are walked, by walk; others as meant.
        docks: when which wand is handed in.
        mishaps: what goes wrong.
    """

    seed: int
    start: float
    end: float
    external: bool = False
    hub_qos: int = 1
    conduct: Mapping[str, Conduct] = {}
    docks: tuple[Dock, ...] = ()
    mishaps: tuple[Mishap, ...] = ()


class Likely(NamedTuple):
    """How a trouble comes about.

    Args:
        kind: what goes wrong.
        subjects: with what, in this estate.
        share: of these subjects, on average.
        lasts_s: how long, least and most; None: until the end.
        values: one of these is its value.
    """

    kind: Trouble
    subjects: Callable[[Estate], Iterable[str]]
    share: float
    lasts_s: tuple[float, float] | None
    values: tuple[float, ...] = (0.0,)


def _fixed(estate: Estate) -> list[str]:
    return [reader.id for reader in estate.readers if not reader.serial]


def _remembering(estate: Estate) -> list[str]:
    return [reader.id for reader in estate.readers if reader.numbered] + [
        wand.id for wand in estate.wands if wand.phone
    ]


def _serial(estate: Estate) -> list[str]:
    return [reader.id for reader in estate.readers if reader.serial]


def _wands(estate: Estate) -> list[str]:
    return [wand.id for wand in estate.wands if not wand.phone]


def _timed(estate: Estate) -> list[str]:
    return [wand.id for wand in estate.wands if not wand.phone and wand.says_time]


def _untimed(estate: Estate) -> list[str]:
    return [wand.id for wand in estate.wands if not wand.phone and not wand.says_time]


def _lamps(estate: Estate) -> list[str]:
    return [lamp.id for lamp in estate.lamps]


def _switching(estate: Estate) -> list[str]:
    return [lamp.id for lamp in estate.lamps if lamp.mode in ("motion", "commanded")]


def _circuits(estate: Estate) -> list[str]:
    return sorted({lamp.circuit for lamp in estate.lamps if lamp.circuit})


def _panels(estate: Estate) -> list[str]:
    return sorted({lamp.panel for lamp in estate.lamps if lamp.panel})


def _sensors(estate: Estate) -> list[str]:
    return [
        *(sensor.id for sensor in estate.light_sensors),
        *(plug.id for plug in estate.plugs),
        *(sensor.id for sensor in estate.motion_sensors),
        *(controller.id for controller in estate.lamp_controllers),
    ]


def _light_sensors(estate: Estate) -> list[str]:
    return [sensor.id for sensor in estate.light_sensors]


def _controllers(estate: Estate) -> list[str]:
    return [controller.id for controller in estate.lamp_controllers]


def _cameras(estate: Estate) -> list[str]:
    return [camera.id for camera in estate.cameras]


def _alone(estate: Estate) -> list[str]:
    return [camera.id for camera in estate.cameras if camera.recorder is None]


def _recorders(estate: Estate) -> list[str]:
    return [recorder.id for recorder in estate.video_recorders]


def _switches(estate: Estate) -> list[str]:
    names = [each.switch for each in estate.cameras] + [each.switch for each in estate.video_recorders]
    return sorted({name for name in (*names, *(each.switch for each in estate.readers)) if name is not None})


def _all(_: Estate) -> list[str]:
    return ["*"]


def _broker(_: Estate) -> list[str]:
    return [BROKER]


def _gateway(_: Estate) -> list[str]:
    return ["gateway"]


MINUTE_S = 60.0

LIKELY: tuple[Likely, ...] = (
    # readers, wands and their clocks
    Likely("reader_dead", _fixed, 0.2, (MINUTE_S, 2 * _HOUR_S)),
    Likely("reader_cut", _remembering, 0.25, (MINUTE_S, 3 * _HOUR_S)),
    Likely("reader_forgets", _remembering, 0.05, (1.0, 1.0)),
    Likely("unplugged", _serial, 0.3, (MINUTE_S, 2 * _HOUR_S)),
    Likely("clock_off", _remembering, 0.15, None, (-5400.0, -900.0, -70.0, -20.0, 4.0, 30.0, 400.0, 3600.0)),
    Likely("clock_off", _timed, 0.15, None, (-86400.0, -7200.0, -300.0, -40.0, 8.0, 90.0, 1200.0, 28800.0)),
    Likely("clock_off", _untimed, 0.15, None, (-2400.0, -600.0, -90.0, 5.0, 120.0, 1800.0)),
    Likely("clock_drift", _fixed, 0.1, None, (-40.0, -5.0, 5.0, 20.0, 60.0)),
    Likely("clock_drift", _wands, 0.1, None, (-5.0, 5.0, 20.0)),
    Likely("clock_lost", _timed, 0.06, None),
    Likely("clock_lost", _remembering, 0.04, (10 * MINUTE_S, 3 * _HOUR_S)),
    # lamps and what sees them
    Likely("lamp_dead", _lamps, 0.12, (10 * MINUTE_S, 12 * _HOUR_S)),
    Likely("lamp_stuck_on", _lamps, 0.08, (10 * MINUTE_S, 12 * _HOUR_S)),
    Likely("lamp_cycling", _lamps, 0.05, (20 * MINUTE_S, 2 * _HOUR_S), (30.0, 70.0)),
    Likely("lamp_dim", _switching, 0.2, (4 * _HOUR_S, 12 * _HOUR_S), (0.4,)),
    Likely("lamp_reports", _controllers, 0.2, (10 * MINUTE_S, 3 * _HOUR_S)),
    Likely("circuit_dead", _circuits, 0.15, (5 * MINUTE_S, 5 * _HOUR_S)),
    Likely("circuit_stuck_on", _circuits, 0.08, (_HOUR_S, 12 * _HOUR_S)),
    Likely("panel_dead", _panels, 0.08, (5 * MINUTE_S, 5 * _HOUR_S)),
    Likely("sensor_silent", _sensors, 0.08, (20 * MINUTE_S, 12 * _HOUR_S)),
    Likely("sensor_stuck", _light_sensors, 0.06, (2 * _HOUR_S, 40 * _HOUR_S), (0.0, 61.0)),
    # cameras
    Likely("camera_dead", _cameras, 0.12, (MINUTE_S, 3 * _HOUR_S), (0.0, 0.0, 1.0)),
    Likely("camera_hangs", _alone, 0.08, (MINUTE_S, 2 * _HOUR_S)),
    Likely("video_lost", _cameras, 0.1, (MINUTE_S, 2 * _HOUR_S), (0.0, 1.0)),
    Likely("painted", _cameras, 0.08, (MINUTE_S, 2 * _HOUR_S), (1.0, 1.0, 0.0)),
    Likely("frozen", _cameras, 0.06, (MINUTE_S, 2 * _HOUR_S), (1.0, 1.0, 0.0)),
    Likely("not_recording", _cameras, 0.08, (MINUTE_S, 2 * _HOUR_S)),
    Likely("recorder_dead", _recorders, 0.2, (MINUTE_S, 2 * _HOUR_S), (0.0, 1.0)),
    Likely("switch_dead", _switches, 0.15, (MINUTE_S, 2 * _HOUR_S)),
    # the way
    Likely("gateway_down", _gateway, 0.5, (10.0, _HOUR_S)),
    Likely("gateway_down", _gateway, 0.3, (10.0, 2 * MINUTE_S)),
    Likely("link_down", _broker, 0.3, (10.0, _HOUR_S)),
    Likely("delayed", _remembering, 0.1, (10 * MINUTE_S, 3 * _HOUR_S), (5.0, 120.0, 1800.0)),
    Likely("delayed", _all, 0.1, (10 * MINUTE_S, 2 * _HOUR_S), (5.0, 90.0)),
    Likely("doubled", _all, 0.3, None, (0.02, 0.2)),
)
"""What may go wrong on a night, whatever stands there: a trouble without subjects does not come."""


def draw(estate: Estate, walks: Sequence[Walk], start: float, end: float, seed: int) -> Night:
    """A night by chance.

    Args:
        estate: what stands there.
        walks: the rounds that are to be walked.
        start: when it begins, in seconds since 1970, UTC.
        end: when it ends, likewise; troubles begin in its first three quarters.
        seed: of all chance.
    """
    chance = random.Random(seed)  # noqa: S311
    mishaps = []
    calm = chance.random() < 0.1
    for likely in LIKELY:
        for subject in likely.subjects(estate):
            if chance.random() >= likely.share or calm:
                continue
            early = likely.lasts_s is None and chance.random() < 0.5
            since = start - 1 if early else start + chance.uniform(0.02, 0.75) * (end - start)
            until = None
            if likely.lasts_s is not None:
                low, high = likely.lasts_s
                until = since + low * (high / low) ** chance.random()
            mishaps.append(
                Mishap(
                    kind=likely.kind,
                    subject=subject,
                    since=round(since, 3),
                    until=None if until is None else round(until, 3),
                    value=chance.choice(likely.values),
                )
            )
    return Night(
        seed=seed,
        start=start,
        end=end,
        external=chance.random() < 0.5,
        hub_qos=chance.choice((0, 1)),
        conduct=_conduct(estate, walks, chance),
        docks=_docks(estate, walks, start, end, chance),
        mishaps=tuple(sorted(mishaps, key=lambda each: (each.since, each.kind, each.subject))),
    )


def _conduct(estate: Estate, walks: Sequence[Walk], chance: random.Random) -> dict[str, Conduct]:
    found = {}
    for walk in walks:
        lot = chance.random()
        if lot < 0.08:
            conduct = Conduct(sleeps=True)
        elif lot < 0.24:
            conduct = Conduct(skips=(chance.choice(walk.stops).checkpoint,))
        elif lot < 0.36:
            conduct = Conduct(late_s=round(chance.uniform(-900, 1500), 1))
        elif lot < 0.44:
            conduct = Conduct(guard=chance.choice(estate.guards).id)
        elif lot < 0.48:
            conduct = Conduct(backwards=True)
        elif lot < 0.54:
            conduct = Conduct(alone=True)
        elif lot < 0.60 and len(estate.wands) > 1:
            conduct = Conduct(wand=chance.choice(estate.wands).id)
        elif lot < 0.62:
            conduct = Conduct(no_login=True)
        else:
            continue
        found[walk.id] = conduct
    return found


def _docks(estate: Estate, walks: Sequence[Walk], start: float, end: float, chance: random.Random) -> tuple[Dock, ...]:
    """Wands are handed in after the last round, some late, some never, some also before and in between."""
    over = max((walk.start for walk in walks), default=start) + _HOUR_S
    found = []
    for wand in _wands(estate):
        if chance.random() < 0.7:
            found.append(Dock(wand, start + 60))
        if chance.random() < 0.3:
            found.append(Dock(wand, round(chance.uniform(start, over), 1)))
        lot = chance.random()
        if lot < 0.6:
            found.append(Dock(wand, round(over + chance.uniform(0, 2 * _HOUR_S), 1)))
        elif lot < 0.85:
            found.append(Dock(wand, round(chance.uniform(over, end - 60), 1)))
    return tuple(sorted(found, key=lambda each: (each.at, each.wand)))


class Lived(NamedTuple):
    """A night that happened: the estate afterwards, with all truth in it, and what happened at the gateway."""

    world: World
    arrivals: list[Arrival]


def live(estate: Estate, walks: Sequence[Walk], night: Night) -> Lived:
    """Let a night happen."""
    world = World(estate, when(night.start), night.seed, hub_qos=night.hub_qos)
    world.truth.conduct.update(night.conduct)
    for mishap in night.mishaps:
        world.befall(mishap)
    world.walk(walks)
    for dock in night.docks:
        world.dock(when(dock.at), dock.wand)
    way = Way(estate, night.mishaps, random.Random(night.seed), external=night.external)  # noqa: S311
    return Lived(world, way.arrivals(world.run(when(night.end)), night.start, night.end))
