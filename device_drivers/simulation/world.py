"""Simulated time: who says what when. Live it is asked for the next seconds, for history for whole nights."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count, pairwise
from typing import NamedTuple

from device_drivers.frigate import device as frigate
from device_drivers.native.device import DeviceRecorder
from device_drivers.observations import SyncEnd, TagRead
from device_drivers.rdm6300 import device as rdm6300
from device_drivers.simulation.estate import Estate, LightSensor, Plug, Reader, Recorder, Walk
from device_drivers.simulation.truth import Conduct, Truth
from device_drivers.zigbee2mqtt import device as zigbee2mqtt

_FRAMES_A_TAP = 8
"""A card is held to an RDM6300 for about half a second."""

_DARK_LUX = 2
_HANDS_S = 25.0
"""How far from the meant time a careful guard taps, at most; on a short way, an eighth of what is between two stops."""


class Said(NamedTuple):
    """Bytes that a device gives away: published on `topic`, or (`topic` None) sent on the serial line of `device`."""

    at: datetime
    device: str
    topic: str | None
    payload: bytes
    retained: bool = False


class Tapped(NamedTuple):
    """A guard was at a checkpoint and held the card or wand to it."""

    at: datetime
    checkpoint: str
    tag: str


Deed = Callable[[datetime], None]


class World:
    """A running estate.

    Args:
        estate: what stands there.
        start: when it begins.
        seed: of all chance in it: the same seed gives the same nights.
        pace: readers and recorders report this many times more rarely than they promise (1: as promised; below 3 nobody
            is missed).
    """

    def __init__(self, estate: Estate, start: datetime, seed: int = 1, pace: float = 1.0) -> None:
        self.estate = estate
        self.truth = Truth(estate)
        self.now = start.astimezone(UTC)
        self.recorders: dict[str, DeviceRecorder] = {
            device: DeviceRecorder(estate.site, device, f"b{int(start.timestamp())}")
            for device in [*(reader.id for reader in estate.readers), *(wand.id for wand in estate.wands)]
        }
        self._chance = random.Random(seed)  # noqa: S311
        self._order = count()
        self._agenda: list[tuple[datetime, int, Deed]] = []
        self._saying: list[Said] = []
        self._unsent: dict[str, list[bytes]] = {}
        self.tapped: list[Tapped] = []
        """Every tap that really happened, whether or not any reader heard it: the truth to score a judge by."""
        self._reports: dict[str, tuple[float, Deed]] = {}
        self._turns: dict[str, int] = {}
        self._lamps = {lamp.id: lamp for lamp in estate.lamps}
        self._checkpoints = {checkpoint.id: checkpoint for checkpoint in estate.checkpoints}
        self._begin(pace)

    # -- telling it what will happen

    def at(self, when: datetime, deed: Deed) -> None:
        """Do something at a moment that is still to come."""
        heappush(self._agenda, (when.astimezone(UTC), next(self._order), deed))

    def change(self, when: datetime, change: Callable[[Truth], None]) -> None:
        """Let something break, or be mended."""
        self.at(when, lambda _: change(self.truth))

    def walk(self, walks: Sequence[Walk]) -> None:
        """Rounds to be walked; how each is walked is read from the truth at its start."""
        for turn, walk in enumerate(walks):
            guard = self.estate.guards[turn % len(self.estate.guards)]
            before = datetime.fromtimestamp(walk.start - 60, UTC)
            self.at(max(before, self.now), partial(self._set_out, walk, guard.tag))

    def dock(self, when: datetime, wand: str) -> None:
        """A wand is handed in: it gives away what it holds, and says that this is all."""
        self.at(when, partial(self._dock, wand))

    def resend(self, device: str) -> list[bytes]:
        """What a native device still holds unacknowledged, for a new connection."""
        return self.recorders[device].held()

    # -- letting time pass

    def run(self, until: datetime) -> Iterator[Said]:
        """Everything that is said until a moment, in order."""
        while self._agenda and self._agenda[0][0] <= until:
            when, _, deed = heappop(self._agenda)
            self.now = when
            deed(when)
            yield from self._saying
            self._saying.clear()
        self.now = max(self.now, until)

    def next(self) -> datetime | None:
        """When the next thing happens."""
        return self._agenda[0][0] if self._agenda else None

    # -- devices

    def _begin(self, pace: float) -> None:
        for reader in self.estate.readers:
            if not reader.serial:
                self._reports[reader.id] = (reader.every_s * pace, partial(self._heartbeat, reader))
        for sensor in self.estate.light_sensors:
            self._reports[sensor.id] = (sensor.every_s, partial(self._light, sensor))
        for plug in self.estate.plugs:
            self._reports[plug.id] = (plug.every_s, partial(self._power, plug))
        for recorder in self.estate.recorders:
            self.at(self.now, partial(self.announce, recorder, True))
            self._reports[recorder.id] = (recorder.every_s * pace, partial(self._stats, recorder))
        for device in self._reports:
            self._repeat(device, 0)

    def hasten(self, every_s: float) -> None:
        """From now on everything reports at least each `every_s` seconds, for a person who watches."""
        for device, (before_s, deed) in self._reports.items():
            self._reports[device] = (min(before_s, every_s), deed)
            self._turns[device] = self._turns.get(device, 0) + 1
            self._repeat(device, self._turns[device])

    def _repeat(self, device: str, turn: int) -> None:
        """Report again and again, each device with a phase of its own, until it is hastened."""
        every_s, deed = self._reports[device]

        def again(now: datetime) -> None:
            if self._turns.get(device, 0) == turn:
                deed(now)
                self.at(now + timedelta(seconds=every_s), again)

        self.at(self.now + timedelta(seconds=every_s * self._chance.random()), again)

    def _say(self, device: str, topic: str | None, payload: bytes, *, retained: bool = False) -> None:
        self._saying.append(Said(self.now, device, topic, payload, retained))

    def _heartbeat(self, reader: Reader, now: datetime) -> None:
        recorder = self.recorders[reader.id]
        self._say(reader.id, recorder.topic, recorder.heartbeat(now))

    def _light(self, sensor: LightSensor, now: datetime) -> None:
        lamp = self._lamps[sensor.lamp]
        lux = lamp.lux + self._chance.randint(-4, 4) if self.truth.burns(lamp.id, now) else _DARK_LUX
        message = zigbee2mqtt.light(sensor.topic, lux)
        self._say(sensor.id, message.topic, message.payload, retained=message.retained)

    def _power(self, plug: Plug, now: datetime) -> None:
        lamp = self._lamps[plug.lamp]
        watts = round(lamp.watts + self._chance.uniform(-0.5, 0.5), 1) if self.truth.burns(lamp.id, now) else 0.3
        message = zigbee2mqtt.plug(plug.topic, self.truth.switched_on(lamp, now), watts)
        self._say(plug.id, message.topic, message.payload, retained=message.retained)

    def announce(self, recorder: Recorder, up: bool, _now: datetime) -> None:
        """A recorder comes, or falls (its last will says so)."""
        message = frigate.available(recorder.prefix, "online" if up else "offline")
        self._say(recorder.id, message.topic, message.payload, retained=message.retained)

    def _stats(self, recorder: Recorder, _now: datetime) -> None:
        if recorder.id in self.truth.dead_recorders:
            return
        fps = {
            name: 0.0 if name in self.truth.dead_cameras else round(5.0 + self._chance.uniform(-0.1, 0.1), 1)
            for name in recorder.cameras
        }
        message = frigate.stats(recorder.prefix, fps)
        self._say(recorder.id, message.topic, message.payload, retained=message.retained)

    # -- guards

    def _set_out(self, walk: Walk, tag: str, _now: datetime) -> None:
        conduct = self.truth.conduct.get(walk.id, Conduct())
        if conduct.sleeps:
            return
        start = datetime.fromtimestamp(walk.start, UTC) + timedelta(seconds=conduct.late_s)
        wand = walk.wand or next((wand.id for wand in self.estate.wands), None)
        if wand is not None:
            self.at(start - timedelta(seconds=30), partial(self._read, wand, tag))
        hands_s = min((_HANDS_S, *((then.after_s - stop.after_s) / 8 for stop, then in pairwise(walk.stops))))
        for stop in walk.stops:
            if stop.checkpoint in conduct.skips:
                continue
            hands = timedelta(seconds=self._chance.uniform(-1, 1) * hands_s)
            when = max(start + timedelta(seconds=stop.after_s) + hands, self.now)
            self.at(when, partial(self._tap, stop.checkpoint, tag, wand))

    def _tap(self, checkpoint_id: str, tag: str, wand: str | None, now: datetime) -> None:
        self.tapped.append(Tapped(now, checkpoint_id, tag))
        checkpoint = self._checkpoints[checkpoint_id]
        reader = next((each for each in self.estate.readers if each.id == checkpoint.reader), None)
        if reader is not None and reader.serial:
            for turn in range(_FRAMES_A_TAP):
                later = now + timedelta(seconds=turn * rdm6300.REPEAT_S)
                self.at(later, partial(self._frame, reader.id, tag))
        elif reader is not None:
            recorder = self.recorders[reader.id]
            self._say(reader.id, recorder.topic, recorder.record(TagRead(at=now, tag=tag)))
        elif wand is not None and checkpoint.tag is not None:
            self._read(wand, checkpoint.tag, now)

    def _frame(self, reader: str, tag: str, _now: datetime) -> None:
        self._say(reader, None, rdm6300.frame(tag))

    def _read(self, wand: str, tag: str, now: datetime) -> None:
        self._unsent.setdefault(wand, []).append(self.recorders[wand].record(TagRead(at=now, tag=tag, method="wand")))

    def _dock(self, wand: str, now: datetime) -> None:
        if not self.truth.docked.get(wand, True):
            return
        recorder = self.recorders[wand]
        held = self._unsent.pop(wand, [])
        held.append(recorder.record(SyncEnd(at=now, complete_to=now, device_now=now)))
        for start in range(0, len(held), 100):
            self._say(wand, recorder.topic, b"[" + b",".join(held[start : start + 100]) + b"]")
