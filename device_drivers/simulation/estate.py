"""What stands on a simulated estate: readers, wands, lamps, sensors, cameras, guards. Plain data; no truth, no time."""

from __future__ import annotations

from typing import Literal

import msgspec


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """A fixed reader. `serial`: an RDM6300 on a line of its own, which only transmits; else a native device.

    `numbered`: a native one that numbers its records and keeps them until they are safe; else it says each tap once.
    """

    id: str
    every_s: float = 60.0
    serial: bool = False
    numbered: bool = True
    switch: str | None = None


class Wand(msgspec.Struct, frozen=True, kw_only=True):
    """A portable reader. A wand remembers what it read and hands it over when it is docked; a phone says it at once.

    `numbered`: it numbers its records. `says_time`: with a hand-over it says what its clock shows.
    """

    id: str
    phone: bool = False
    numbered: bool = True
    says_time: bool = True


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a guard taps: at a fixed `reader` with the own card, or with a wand at the `tag` on the wall.

    `pair`: two guards tap here, one after the other.
    """

    id: str
    reader: str | None = None
    tag: str | None = None
    pair: bool = False


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    tag: str


class Lamp(msgspec.Struct, frozen=True, kw_only=True):
    """`mode` tells when it is switched on.

    Always, from dusk to dawn (`offset_s` later at dusk, sooner at dawn), between two times of the UTC day (in seconds), for
    `hold_s` after each motion, or as commanded (on and off every `turn_s`). `outdoor`: daylight falls on it.
    """

    id: str
    circuit: str | None = None
    panel: str | None = None
    mode: Literal["always", "dusk_to_dawn", "times", "motion", "commanded"] = "always"
    offset_s: float = 0.0
    on_s: int = 0
    off_s: int = 0
    hold_s: float = 60.0
    turn_s: float = 5400.0
    lux: int = 62
    watts: float = 18.0
    outdoor: bool = False


class LightSensor(msgspec.Struct, frozen=True, kw_only=True):
    """A light sensor under a lamp. `topic`: its topic on the Zigbee2MQTT bus; None: a native device with its own time."""

    id: str
    lamp: str
    topic: str | None = None
    every_s: float = 600.0


class Plug(msgspec.Struct, frozen=True, kw_only=True):
    """A metering plug that feeds one lamp. `topic` as for light sensors."""

    id: str
    lamp: str
    topic: str | None = None
    every_s: float = 600.0


class MotionSensor(msgspec.Struct, frozen=True, kw_only=True):
    """A native motion sensor; the `lamps` burn when it sees somebody, on average each `passes_s`."""

    id: str
    lamps: tuple[str, ...]
    passes_s: float = 1200.0
    every_s: float = 600.0


class LampController(msgspec.Struct, frozen=True, kw_only=True):
    """A native lamp that says of itself whether it burns and what it was told."""

    id: str
    every_s: float = 600.0


class Recorder(msgspec.Struct, frozen=True, kw_only=True):
    """A Frigate recorder and its cameras by name; `prefix` is its topic on the bus."""

    id: str
    prefix: str
    cameras: tuple[str, ...]
    every_s: float = 60.0


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    """A native camera: heartbeats, frames a second, and what it says of its picture.

    `recorder` and `channel`: it is heard through a recorder. `switch`: its network. `probed`: the network is asked whether it
    is there. `sees_tampering`: it notices by itself that its lens is painted, its picture frozen or its view moved.
    """

    id: str
    every_s: float = 60.0
    recorder: str | None = None
    channel: int | str | None = None
    switch: str | None = None
    probed: bool = False
    sees_tampering: bool = True


class VideoRecorder(msgspec.Struct, frozen=True, kw_only=True):
    """A native recorder: it speaks of itself and of its channels."""

    id: str
    every_s: float = 60.0
    switch: str | None = None


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One stop of a walk, `after_s` seconds from its start."""

    checkpoint: str
    after_s: float


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """A round that a guard is to walk: `start` in seconds since 1970, UTC.

    `wand`: what is carried. `guards`: who may be sent; nobody named: anyone.
    """

    id: str
    start: float
    stops: tuple[Stop, ...]
    wand: str | None = None
    guards: tuple[str, ...] = ()


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
    motion_sensors: tuple[MotionSensor, ...] = ()
    lamp_controllers: tuple[LampController, ...] = ()
    recorders: tuple[Recorder, ...] = ()
    cameras: tuple[Camera, ...] = ()
    video_recorders: tuple[VideoRecorder, ...] = ()
