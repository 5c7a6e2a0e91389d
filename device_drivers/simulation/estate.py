"""What stands on a simulated estate: readers, wands, lamps, sensors, cameras, guards. Plain data; no truth, no time."""

from __future__ import annotations

from typing import Literal

import msgspec


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """A fixed reader. `serial`: an RDM6300 on a line of its own, else a native device."""

    id: str
    every_s: float = 60.0
    serial: bool = False


class Wand(msgspec.Struct, frozen=True, kw_only=True):
    """A wand: it remembers what it read, and hands it over when it is docked."""

    id: str


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a guard taps: at a fixed `reader` with the own card, or with a wand at the `tag` on the wall."""

    id: str
    reader: str | None = None
    tag: str | None = None


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    tag: str


class Lamp(msgspec.Struct, frozen=True, kw_only=True):
    """`mode` tells when it is switched on: always, from dusk to dawn, or between two times of the UTC day (in seconds)."""

    id: str
    circuit: str | None = None
    mode: Literal["always", "dusk_to_dawn", "times"] = "always"
    on_s: int = 0
    off_s: int = 0
    lux: int = 62
    watts: float = 18.0


class LightSensor(msgspec.Struct, frozen=True, kw_only=True):
    """A Zigbee2MQTT light sensor under a lamp; `topic` is its topic on the bus."""

    id: str
    topic: str
    lamp: str
    every_s: float = 600.0


class Plug(msgspec.Struct, frozen=True, kw_only=True):
    """A Zigbee2MQTT metering plug that feeds one lamp."""

    id: str
    topic: str
    lamp: str
    every_s: float = 600.0


class Recorder(msgspec.Struct, frozen=True, kw_only=True):
    """A Frigate recorder and its cameras by name; `prefix` is its topic on the bus."""

    id: str
    prefix: str
    cameras: tuple[str, ...]
    every_s: float = 60.0


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One stop of a walk, `after_s` seconds from its start."""

    checkpoint: str
    after_s: float


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """A round that a guard is to walk: `start` in seconds since 1970, UTC."""

    id: str
    start: float
    stops: tuple[Stop, ...]
    wand: str | None = None


class Estate(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `site` is the id under which native devices publish."""

    site: str
    latitude: float = 31.2
    longitude: float = 121.5
    readers: tuple[Reader, ...] = ()
    wands: tuple[Wand, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    guards: tuple[Guard, ...] = ()
    lamps: tuple[Lamp, ...] = ()
    light_sensors: tuple[LightSensor, ...] = ()
    plugs: tuple[Plug, ...] = ()
    recorders: tuple[Recorder, ...] = ()
