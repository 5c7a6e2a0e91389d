"""Simulated time: who says what when. Live it is asked for the next seconds, for history for whole nights."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count, pairwise
from typing import NamedTuple

import astral
import astral.sun
import msgspec

from device_drivers.frigate import device as frigate
from device_drivers.native.device import DeviceRecorder
from device_drivers.native.topics import up
from device_drivers.observations import (
    CameraHeartbeat,
    CameraStats,
    DeviceStatus,
    LampFault,
    LampState,
    LightLevel,
    Motion,
    Observation,
    Power,
    Reachable,
    ReaderHeartbeat,
    RecordingState,
    SyncEnd,
    TagRead,
    VideoState,
)
from device_drivers.rdm6300 import device as rdm6300
from device_drivers.simulation.estate import (
    Camera,
    Checkpoint,
    Estate,
    Guard,
    LampController,
    LightSensor,
    MotionSensor,
    Plug,
    Reader,
    Recorder,
    VideoRecorder,
    Walk,
)
from device_drivers.simulation.truth import Conduct, Mishap, Truth
from device_drivers.zigbee2mqtt import device as zigbee2mqtt

_FRAMES_A_TAP = 8
"""A card is held to an RDM6300 for about half a second."""

_DARK_LUX = 2
_HANDS_S = 25.0
"""How far from the meant time a careful guard taps, at most; on a short way, an eighth of what is between two stops."""

_LOST_CLOCK = datetime(2000, 1, 1, tzinfo=UTC)
_REPORT_S = 8.0
"""How long after a switch a light sensor reports what changed."""

_HANDED_OVER_AT_ONCE = 100

_SKY = ((-6.0, 3.0), (-3.0, 60.0), (0.0, 700.0), (10.0, 9000.0), (90.0, 60000.0))
"""Lux of the sky by the sun's elevation in degrees (civil twilight ends at −6° with about 3 lux)."""

_PICTURES = {"video_lost": "loss", "painted": "blind", "frozen": "frozen"}


class Said(NamedTuple):
    """Bytes that a device gives away: published on `topic`, or (`topic` None) sent on the serial line of `device`.

    `qos` 0: a broker keeps it for nobody.
    """

    at: datetime
    device: str
    topic: str | None
    payload: bytes
    retained: bool = False
    qos: int = 1


class Tapped(NamedTuple):
    """A guard was at a checkpoint and held the card or wand to it."""

    at: datetime
    checkpoint: str
    tag: str
    guard: str = ""
    wand: str | None = None
    walk: str = ""


Deed = Callable[[datetime], None]


class World:
    """A running estate.

    Args:
        estate: what stands there.
        start: when it begins.
        seed: of all chance in it: the same seed gives the same nights.
        pace: readers and recorders report this many times more rarely than they promise (1: as promised; below 3 nobody
            is missed).
        hub_qos: at which the Zigbee hub publishes.
    """

    def __init__(self, estate: Estate, start: datetime, seed: int = 1, pace: float = 1.0, *, hub_qos: int = 1) -> None:
        self.estate = estate
        self.truth = Truth(estate)
        self.now = start.astimezone(UTC)
        numbered = [reader.id for reader in estate.readers if reader.numbered]
        numbered += [wand.id for wand in estate.wands if wand.numbered]
        self.recorders: dict[str, DeviceRecorder] = {
            device: DeviceRecorder(estate.site, device, f"b{int(start.timestamp())}") for device in numbered
        }
        self._chance = random.Random(seed)  # noqa: S311
        self._hub_qos = hub_qos
        self._order = count()
        self._agenda: list[tuple[datetime, int, Deed]] = []
        self._saying: list[Said] = []
        self._unsent: dict[str, list[bytes]] = {}
        self.tapped: list[Tapped] = []
        """Every tap that really happened, whether or not any reader heard it: the truth to score a judge by."""
        self._reports: dict[str, tuple[float, Deed]] = {}
        self._turns: dict[str, int] = {}
        self._readers = {reader.id: reader for reader in estate.readers}
        self._wands = {wand.id: wand for wand in estate.wands}
        self._lamps = {lamp.id: lamp for lamp in estate.lamps}
        self._cameras = {camera.id: camera for camera in estate.cameras}
        self._video_recorders = {recorder.id: recorder for recorder in estate.video_recorders}
        self._checkpoints = {checkpoint.id: checkpoint for checkpoint in estate.checkpoints}
        self._guards = {guard.id: guard for guard in estate.guards}
        self._place = astral.Observer(estate.latitude, estate.longitude)
        self._lookers: dict[str, list[Deed]] = {}
        self._begin(pace)

    # -- telling it what will happen

    def at(self, when: datetime, deed: Deed) -> None:
        """Do something at a moment that is still to come."""
        heappush(self._agenda, (when.astimezone(UTC), next(self._order), deed))

    def change(self, when: datetime, change: Callable[[Truth, datetime], None]) -> None:
        """Let something break, or be mended."""
        self.at(when, lambda now: change(self.truth, now))

    def befall(self, mishap: Mishap) -> None:
        """Let something go wrong for a time, with what follows from it. What concerns the way of messages is left to the delivery."""
        self.at(max(datetime.fromtimestamp(mishap.since, UTC), self.now), partial(self._break, mishap))
        if mishap.until is not None:
            self.at(max(datetime.fromtimestamp(mishap.until, UTC), self.now), partial(self._mend, mishap))

    def walk(self, walks: Sequence[Walk]) -> None:
        """Rounds to be walked; how each is walked is read from the truth a minute before its start (or its early start)."""
        for turn, walk in enumerate(walks):
            sent = [guard for guard in self.estate.guards if not walk.guards or guard.id in walk.guards]
            sent = sent or list(self.estate.guards)
            turned = [sent[(turn + step) % len(sent)] for step in range(2)]
            early = min(self.truth.conduct.get(walk.id, Conduct()).late_s, 0.0)
            before = datetime.fromtimestamp(walk.start - 60 + early, UTC)
            self.at(max(before, self.now), partial(self._set_out, walk, turned))

    def dock(self, when: datetime, wand: str) -> None:
        """A wand is handed in: it gives away what it holds, and says that this is all."""
        self.at(when, partial(self._dock, wand))

    def tap(self, when: datetime, reader: str, tag: str) -> None:
        """Somebody who walks no round holds a tag to a fixed reader."""
        self.at(when, lambda now: self._held_to(self._readers[reader], tag, now))

    def clock(self, device: str, now: datetime) -> datetime:
        """What a device's own clock shows."""
        if (lost := self.truth.standing("clock_lost", device)) is not None:
            return _LOST_CLOCK + timedelta(seconds=round(now.timestamp() - lost.since))
        shown = now
        if (off := self.truth.standing("clock_off", device)) is not None:
            shown += timedelta(seconds=off.value)
        if (drift := self.truth.standing("clock_drift", device)) is not None:
            shown += timedelta(seconds=drift.value * (now.timestamp() - drift.since) / 86_400)
        return shown

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
        estate = self.estate
        for reader in estate.readers:
            if not reader.serial:
                self._reports[reader.id] = (reader.every_s * pace, partial(self._heartbeat, reader))
        for wand in estate.wands:
            if wand.phone:
                self._reports[wand.id] = (300.0, partial(self._phone_alive, wand.id))
        for sensor in estate.light_sensors:
            self._look(sensor.id, sensor.lamp, sensor.every_s, partial(self._light, sensor))
        for plug in estate.plugs:
            self._look(plug.id, plug.lamp, plug.every_s, partial(self._power, plug))
        for controller in estate.lamp_controllers:
            self._look(controller.id, controller.id, controller.every_s, partial(self._own_word, controller))
            self._turn(controller.id, self.now)
        for watcher in estate.motion_sensors:
            self._reports[watcher.id] = (watcher.every_s, partial(self._quiet, watcher))
            self._expect_somebody(watcher)
        for recorder in estate.recorders:
            self.at(self.now, partial(self.announce, recorder, True))
            self._reports[recorder.id] = (recorder.every_s * pace, partial(self._stats, recorder))
        for video_recorder in estate.video_recorders:
            channels = tuple(camera for camera in estate.cameras if camera.recorder == video_recorder.id)
            self._reports[video_recorder.id] = (
                video_recorder.every_s * pace,
                partial(self._of_channels, video_recorder, channels),
            )
        for camera in estate.cameras:
            if camera.recorder is None:
                self._reports[camera.id] = (camera.every_s * pace, partial(self._of_camera, camera))
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

    def _say(self, device: str, topic: str | None, payload: bytes, *, retained: bool = False, qos: int = 1) -> None:
        self._saying.append(Said(self.now, device, topic, payload, retained, qos))

    def _native(self, device: str, observation: Observation, *, qos: int = 1) -> None:
        self._say(device, up(self.estate.site, device), msgspec.json.encode(observation), qos=qos)

    # -- what breaks

    def _break(self, mishap: Mishap, now: datetime) -> None:
        subject = mishap.subject
        self.truth.begin(mishap.kind, subject, now, mishap.value)
        match mishap.kind:
            case "clock_lost":
                self._restart(subject, now)
            case "reader_forgets":
                self._unsent.pop(subject, None)
            case "lamp_cycling":
                self._flicker(subject, now)
            case "lamp_reports":
                self._native(subject, LampFault(at=now, fault="control_gear_failure", active=True))
            case "camera_dead" if mishap.value and self._heard(self._cameras[subject]):
                self._native(subject, DeviceStatus(at=now, online=False))
            case "recorder_dead" if mishap.value and not self.truth.stands(
                "switch_dead", self._video_recorders[subject].switch
            ):
                self._native(subject, DeviceStatus(at=now, online=False))
            case "painted" | "frozen" | "video_lost" if mishap.value:
                self._picture(self._cameras[subject], mishap.kind, True, now)
            case "not_recording":
                self._recording(self._cameras[subject], now)
            case _:
                pass

    def _mend(self, mishap: Mishap, now: datetime) -> None:
        subject = mishap.subject
        self.truth.end(mishap.kind, subject, now)
        match mishap.kind:
            case "reader_dead" | "clock_lost":
                self._restart(subject, now)
                self._hand_over(subject)
            case "reader_cut":
                self._hand_over(subject)
            case "switch_dead":
                for reader in self.estate.readers:
                    if reader.switch == subject:
                        self._hand_over(reader.id)
                for camera in self.estate.cameras:
                    self._all_of(camera, now)
            case "lamp_reports":
                self._native(subject, LampFault(at=now, fault="control_gear_failure", active=False))
            case "camera_dead" | "camera_hangs" | "recorder_dead":
                for camera in self.estate.cameras:
                    if subject in (camera.id, camera.recorder):
                        self._all_of(camera, now)
            case "painted" | "frozen" | "video_lost" if mishap.value:
                self._picture(self._cameras[subject], mishap.kind, False, now)
            case "not_recording":
                self._recording(self._cameras[subject], now)
            case _:
                pass

    def _restart(self, device: str, now: datetime) -> None:
        if (recorder := self.recorders.get(device)) is not None:
            recorder.restart(f"b{int(now.timestamp())}")

    # -- readers

    def _cut(self, device: str) -> bool:
        reader = self._readers.get(device)
        switch = reader.switch if reader is not None else None
        return self.truth.stands("reader_cut", device) or self.truth.stands("switch_dead", switch)

    def _hand_over(self, device: str) -> None:
        """A reader has its network again: it sends what it kept."""
        if device in self._wands and not self._wands[device].phone:
            return
        if self._cut(device) or self.truth.stands("reader_dead", device):
            return
        self._send_kept(device, self._unsent.pop(device, []))

    def _send_kept(self, device: str, held: list[bytes]) -> None:
        for start in range(0, len(held), _HANDED_OVER_AT_ONCE):
            self._say(
                device,
                up(self.estate.site, device),
                b"[" + b",".join(held[start : start + _HANDED_OVER_AT_ONCE]) + b"]",
            )

    def _heartbeat(self, reader: Reader, now: datetime) -> None:
        if self.truth.stands("reader_dead", reader.id) or self._cut(reader.id):
            return
        shown = self.clock(reader.id, now)
        recorder = self.recorders.get(reader.id)
        if recorder is not None:
            self._say(reader.id, recorder.topic, recorder.heartbeat(shown))
        else:
            self._native(reader.id, ReaderHeartbeat(at=shown, device_now=shown))

    def _phone_alive(self, phone: str, now: datetime) -> None:
        if not self.truth.stands("reader_dead", phone) and not self._cut(phone):
            recorder = self.recorders[phone]
            self._say(phone, recorder.topic, recorder.heartbeat(self.clock(phone, now)))

    def _recorded(self, device: str, read: TagRead) -> None:
        """A native reader read a tag: it says so, or keeps it until it can."""
        recorder = self.recorders.get(device)
        payload = recorder.record(read) if recorder is not None else msgspec.json.encode(read)
        if self._cut(device):
            self._unsent.setdefault(device, []).append(payload)
        else:
            self._say(device, up(self.estate.site, device), payload)

    # -- lamps and what sees them

    def _look(self, device: str, lamp: str, every_s: float, deed: Deed) -> None:
        self._reports[device] = (every_s, deed)
        self._lookers.setdefault(lamp, []).append(deed)

    def _look_soon(self, lamp: str, now: datetime) -> None:
        """What sees a lamp reports a change."""
        for deed in self._lookers.get(lamp, ()):
            self.at(now + timedelta(seconds=self._chance.uniform(1, _REPORT_S)), deed)

    def _flicker(self, lamp: str, now: datetime) -> None:
        flicker = self.truth.standing("lamp_cycling", lamp)
        if flicker is not None:
            for deed in self._lookers.get(lamp, ()):
                self.at(now + timedelta(seconds=1), deed)
            self.at(now + timedelta(seconds=flicker.value), partial(self._flicker, lamp))

    def _turn(self, lamp: str, now: datetime) -> None:
        """A commanded lamp is switched."""
        self.truth.told[lamp] = not self.truth.told.get(lamp, False)
        self._look_soon(lamp, now)
        self.at(now + timedelta(seconds=self._lamps[lamp].turn_s), partial(self._turn, lamp))

    def _expect_somebody(self, watcher: MotionSensor) -> None:
        wait_s = 90 + self._chance.expovariate(1 / watcher.passes_s)
        self.at(self.now + timedelta(seconds=wait_s), partial(self._passes, watcher))

    def _passes(self, watcher: MotionSensor, now: datetime) -> None:
        """Somebody passes: lamps that obey the sensor burn, if it is dark."""
        self._expect_somebody(watcher)
        if self.truth.stands("sensor_silent", watcher.id):
            return
        self._native(watcher.id, Motion(at=self.clock(watcher.id, now), active=True))
        for lamp in watcher.lamps:
            if self._lamps[lamp].outdoor and not self.truth.dark(now):
                continue
            self.truth.seen[lamp] = now
            self._look_soon(lamp, now + timedelta(seconds=6))
            self._look_soon(lamp, now + timedelta(seconds=self._lamps[lamp].hold_s))

    def _quiet(self, watcher: MotionSensor, now: datetime) -> None:
        if not self.truth.stands("sensor_silent", watcher.id):
            self._native(watcher.id, Motion(at=self.clock(watcher.id, now), active=False))

    def _light(self, sensor: LightSensor, now: datetime) -> None:
        if self.truth.stands("sensor_silent", sensor.id):
            return
        lamp = self._lamps[sensor.lamp]
        light = self.truth.light(lamp.id, now)
        lux: float = round(lamp.lux * light) + self._chance.randint(-4, 4) if light else _DARK_LUX
        if lamp.outdoor:
            lux += round(self.sky(now))
        if (stuck := self.truth.standing("sensor_stuck", sensor.id)) is not None:
            lux = stuck.value
        if sensor.topic is None:
            self._native(sensor.id, LightLevel(at=self.clock(sensor.id, now), lux=lux))
            return
        message = zigbee2mqtt.light(sensor.topic, int(lux))
        self._say(sensor.id, message.topic, message.payload, retained=message.retained, qos=self._hub_qos)

    def sky(self, now: datetime) -> float:
        """Lux of the sky."""
        height = astral.sun.elevation(self._place, now)
        if height <= _SKY[0][0]:
            return 0.0
        for (low, dim), (high, bright) in pairwise(_SKY):
            if height <= high:
                return dim * math.pow(bright / dim, (height - low) / (high - low))
        return _SKY[-1][1]

    def _power(self, plug: Plug, now: datetime) -> None:
        if self.truth.stands("sensor_silent", plug.id):
            return
        lamp = self._lamps[plug.lamp]
        light = self.truth.light(lamp.id, now)
        watts = round(lamp.watts * light + self._chance.uniform(-0.5, 0.5), 1) if light else 0.3
        if plug.topic is None:
            self._native(plug.id, Power(at=self.clock(plug.id, now), watts=watts))
            return
        message = zigbee2mqtt.plug(plug.topic, self.truth.switched_on(lamp, now), watts)
        self._say(plug.id, message.topic, message.payload, retained=message.retained, qos=self._hub_qos)

    def _own_word(self, controller: LampController, now: datetime) -> None:
        if self.truth.stands("sensor_silent", controller.id):
            return
        lamp = self._lamps[controller.id]
        told = self.truth.switched_on(lamp, now)
        self._native(
            controller.id,
            LampState(at=self.clock(controller.id, now), on=self.truth.burns(lamp.id, now), commanded=told),
        )

    # -- cameras

    def announce(self, recorder: Recorder, up: bool, _now: datetime) -> None:
        """A recorder comes, or falls (its last will says so)."""
        message = frigate.available(recorder.prefix, "online" if up else "offline")
        self._say(recorder.id, message.topic, message.payload, retained=message.retained)

    def _stats(self, recorder: Recorder, _now: datetime) -> None:
        if self.truth.stands("recorder_dead", recorder.id):
            return
        fps = {
            name: 0.0 if self.truth.stands("video_lost", name) else round(5.0 + self._chance.uniform(-0.1, 0.1), 1)
            for name in recorder.cameras
        }
        message = frigate.stats(recorder.prefix, fps)
        self._say(recorder.id, message.topic, message.payload, retained=message.retained)

    def _heard(self, camera: Camera) -> bool:
        """Whether anything that is said of a camera reaches the gateway's network."""
        if camera.recorder is not None:
            switch = self._video_recorders[camera.recorder].switch
            return not self.truth.stands("recorder_dead", camera.recorder) and not self.truth.stands(
                "switch_dead", switch
            )
        return not self.truth.stands("switch_dead", camera.switch)

    def _fps(self, camera: Camera) -> float:
        gone = any(self.truth.stands(kind, camera.id) for kind in ("video_lost", "camera_dead", "camera_hangs"))
        lost = gone or (camera.recorder is not None and self.truth.stands("switch_dead", camera.switch))
        return 0.0 if lost else round(25.0 + self._chance.uniform(-0.4, 0.2), 1)

    def _of_camera(self, camera: Camera, now: datetime) -> None:
        there = self._heard(camera) and not self.truth.stands("camera_dead", camera.id)
        if camera.probed:
            self._native(camera.id, Reachable(at=now, ok=there), qos=0)
        if there and not self.truth.stands("camera_hangs", camera.id):
            shown = self.clock(camera.id, now)
            self._native(camera.id, CameraHeartbeat(at=shown))
            self._native(camera.id, CameraStats(at=shown, fps=self._fps(camera)))

    def _of_channels(self, recorder: VideoRecorder, cameras: tuple[Camera, ...], now: datetime) -> None:
        if self.truth.stands("recorder_dead", recorder.id) or self.truth.stands("switch_dead", recorder.switch):
            return
        shown = self.clock(recorder.id, now)
        self._native(recorder.id, CameraHeartbeat(at=shown))
        for camera in cameras:
            self._native(recorder.id, CameraStats(at=shown, channel=camera.channel, fps=self._fps(camera)))

    def _picture(self, camera: Camera, kind: str, active: bool, now: datetime) -> None:
        if (camera.sees_tampering or kind == "video_lost") and self._speaks(camera):
            self._about(camera, VideoState(at=now, state=_PICTURES[kind], active=active))  # type: ignore[arg-type]

    def _recording(self, camera: Camera, now: datetime) -> None:
        if self._speaks(camera):
            recording = not self.truth.stands("not_recording", camera.id)
            self._about(camera, RecordingState(at=now, recording=recording))

    def _speaks(self, camera: Camera) -> bool:
        alone = camera.recorder is None
        gone = self.truth.stands("camera_dead", camera.id) or self.truth.stands("camera_hangs", camera.id)
        return self._heard(camera) and not (alone and gone)

    def _all_of(self, camera: Camera, now: datetime) -> None:
        """A camera that was away tells how it is now."""
        if not self._speaks(camera):
            return
        standing = [
            kind
            for kind in _PICTURES
            if (begun := self.truth.standing(kind, camera.id)) is not None and begun.value  # type: ignore[arg-type]
        ]
        self._about(camera, VideoState(at=now, state="ok"))
        for kind in standing:
            self._picture(camera, kind, True, now)
        self._recording(camera, now)

    def _about(self, camera: Camera, said: VideoState | RecordingState) -> None:
        speaker = camera.id if camera.recorder is None else camera.recorder
        dated = msgspec.structs.replace(said, at=self.clock(speaker, said.at), channel=camera.channel)
        self._native(speaker, dated)

    # -- guards

    def _set_out(self, walk: Walk, sent: Sequence[Guard], _now: datetime) -> None:
        conduct = self.truth.conduct.get(walk.id, Conduct())
        if conduct.sleeps:
            return
        guard = self._guards[conduct.guard] if conduct.guard is not None else sent[0]
        other = sent[1] if sent[1].id != guard.id else sent[0]
        if conduct.card is not None:
            guard = msgspec.structs.replace(guard, tag=conduct.card)
        start = datetime.fromtimestamp(walk.start, UTC) + timedelta(seconds=conduct.late_s)
        wand = conduct.wand or walk.wand or next((wand.id for wand in self.estate.wands), None)
        if wand is not None and not conduct.no_login and not self._wands[wand].phone:
            self.at(start - timedelta(seconds=30), partial(self._read, wand, guard.tag, None))
        hands_s = min((_HANDS_S, *((then.after_s - stop.after_s) / 8 for stop, then in pairwise(walk.stops))))
        places = [stop.checkpoint for stop in walk.stops]
        if conduct.backwards:
            places.reverse()
        for stop, place in zip(walk.stops, places, strict=True):
            if place in conduct.skips:
                continue
            hands = timedelta(seconds=self._chance.uniform(-1, 1) * hands_s)
            when = max(start + timedelta(seconds=stop.after_s) + hands, self.now)
            checkpoint = self._checkpoints[place]
            self.at(when, partial(self._tap, checkpoint, guard, wand, walk.id))
            if checkpoint.pair and not conduct.alone and other.id != guard.id:
                second = when + timedelta(seconds=self._chance.uniform(5, 80))
                self.at(second, partial(self._tap, checkpoint, other, wand, walk.id))

    def _tap(self, checkpoint: Checkpoint, guard: Guard, wand: str | None, walk: str, now: datetime) -> None:
        reader = self._readers.get(checkpoint.reader) if checkpoint.reader is not None else None
        carried = wand if reader is None else None
        self.tapped.append(Tapped(now, checkpoint.id, guard.tag, guard.id, carried, walk))
        if reader is None:
            if wand is not None and checkpoint.tag is not None:
                self._read(wand, checkpoint.tag, guard.id, now)
        else:
            self._held_to(reader, guard.tag, now)

    def _held_to(self, reader: Reader, tag: str, now: datetime) -> None:
        if self.truth.stands("reader_dead", reader.id) or self.truth.stands("reader_mute", reader.id):
            return
        if not reader.serial:
            self._recorded(reader.id, TagRead(at=self.clock(reader.id, now), tag=tag))
        elif not self.truth.stands("unplugged", reader.id):
            for turn in range(_FRAMES_A_TAP):
                later = now + timedelta(seconds=turn * rdm6300.REPEAT_S)
                self.at(later, partial(self._frame, reader.id, tag))

    def _frame(self, reader: str, tag: str, _now: datetime) -> None:
        self._say(reader, None, rdm6300.frame(tag))

    def _read(self, wand: str, tag: str, guard: str | None, now: datetime) -> None:
        if self.truth.stands("reader_dead", wand):
            return
        shown = self.clock(wand, now)
        if self._wands[wand].phone:
            self._recorded(wand, TagRead(at=shown, tag=tag, method="nfc", person=guard))
            return
        read = TagRead(at=shown, tag=tag, method="wand")
        recorder = self.recorders.get(wand)
        payload = recorder.record(read) if recorder is not None else msgspec.json.encode(read)
        self._unsent.setdefault(wand, []).append(payload)

    def _dock(self, wand: str, now: datetime) -> None:
        if not self.truth.docked.get(wand, True):
            return
        shown = self.clock(wand, now)
        end = SyncEnd(at=shown, complete_to=shown, device_now=shown if self._wands[wand].says_time else None)
        recorder = self.recorders.get(wand)
        held = self._unsent.pop(wand, [])
        held.append(recorder.record(end) if recorder is not None else msgspec.json.encode(end))
        self._send_kept(wand, held)
