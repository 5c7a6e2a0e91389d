"""What else was noticed at the place of a tap: motion, light that goes on, a camera's picture (interfaces.md, a visit's `corroboration`).

It supports a tap or leaves it alone, and changes no verdict: a sensor can be blind, and a guard who stands still is there.

Kept are only sensors at places of checkpoints, of each the times at which it noticed somebody. A sensor counts from when it first
spoke of motion: a camera that was never set to tell motion is none. Of light only lamps that wait for motion (`expected: motion`) say
anything: others go on by the clock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

from device_drivers import observations as seen
from device_drivers.observations import Observation
from gateway.instants import DAY, MINUTE, SECOND, Duration, Instant
from gateway.rules.devices import Devices
from gateway.rules.findings import Corroboration
from gateway.rules.intervals import END, Interval
from gateway.rules.lineage import Lineage
from gateway.rules.proofs import Source
from gateway.site.model import Site

AROUND: Duration = 60 * SECOND
"""How far from a tap something counts."""

LASTS: Duration = 10 * MINUTE
"""How long motion goes on at most that nobody said has ended."""

KEPT: Duration = 10 * DAY
"""As long as a round may be asked for: evidence may be 7 days late."""

SPANS = 1000
"""Spans kept a sensor; the oldest is forgotten, and with it all before."""

DOWNS = 200
"""Times kept at which a sensor, or the gateway, was down."""

_LATE: Duration = DAY
_AHEAD: Duration = MINUTE

Sense = Literal["motion", "light", "camera"]

_TOUCHED = frozenset({"blind", "moved", "defocused"})
"""What is said of a picture that somebody before the camera may have caused."""


class Sign(NamedTuple):
    """One sensor noticed somebody, or (`at` None) was there and did not."""

    device: str
    sense: Sense
    at: Instant | None


class Sensor:
    """What one sensor noticed.

    Args:
        sense: what it notices.
        since: from when on it is known what it noticed.

    Attributes:
        starts, ends: spans in which somebody was noticed, ascending and apart. Motion that pauses for less than the span that is asked about
            (2 × `AROUND`) is one: whoever asks finds an end of the pause all the same.
        opened: of a span that nobody said has ended, its last sign.
        downs: when it was down.
    """

    __slots__ = ("device", "downs", "ends", "opened", "sense", "since", "starts")

    def __init__(self, device: str, sense: Sense, since: Instant) -> None:
        self.device = device
        self.sense = sense
        self.since = since
        self.starts: list[Instant] = []
        self.ends: list[Instant] = []
        self.opened: Instant | None = None
        self.downs: list[Interval] = []

    def note(self, at: Instant, *, active: bool, heard_since: Instant = 0) -> None:
        """It notices somebody, or that nobody is there any more; `heard_since`: from then on nothing that it said went unheard."""
        began, self.opened = self.opened, at if active else None
        if began is not None and began <= at:
            self._add(began, at if self._goes_on(began, at, heard_since, active=active) else began + LASTS)
        if active:
            self._add(at, at)

    def _goes_on(self, began: Instant, at: Instant, heard_since: Instant, *, active: bool) -> bool:
        """Whether what it noticed at `began` went on until `at`: it says so, or that is not longer than what nobody ended may last."""
        if self.sense == "light" or at - began <= LASTS:
            return True
        return not active and began >= heard_since and not any(low <= at and began <= high for low, high in self.downs)

    def _add(self, first: Instant, last: Instant) -> None:
        joined = 0 if self.sense == "light" else 2 * AROUND
        low = bisect_left(self.ends, first - joined)
        high = bisect_right(self.starts, last + joined)
        if low < high:
            first, last = min(first, self.starts[low]), max(last, self.ends[high - 1])
        self.starts[low:high], self.ends[low:high] = [first], [last]
        if len(self.starts) > SPANS:
            self._drop(1)

    def forget(self, before: Instant) -> None:
        """Drop what ended before an instant."""
        self._drop(bisect_left(self.ends, before))
        self.downs = [down for down in self.downs if down[1] >= before]

    def _drop(self, count: int) -> None:
        if count:
            self.since = max(self.since, self.ends[count - 1] + 1)
            del self.starts[:count], self.ends[:count]

    def noticed(self, first: Instant, last: Instant) -> Instant | None:
        """When it first noticed somebody in [first, last]; of a light only that it went on counts."""
        if self.sense == "light":
            index = bisect_left(self.starts, first)
            return self.starts[index] if index < len(self.starts) and self.starts[index] <= last else None
        index = bisect_left(self.ends, first)
        if index < len(self.starts) and self.starts[index] <= last:
            start, end = self.starts[index], self.ends[index]
            return start if start >= first else end if end <= last else first
        if self.opened is not None and self.opened <= last and first <= self.opened + LASTS:
            return max(first, self.opened)
        return None

    def would_have(self, first: Instant, last: Instant) -> bool:
        """Whether it could have noticed somebody in all of [first, last]: known, not down, and no light that burnt already."""
        if self.since > first or any(low <= last and first <= high for low, high in self.downs):
            return False
        if self.sense != "light":
            return True
        index = bisect_left(self.ends, first)
        burnt = index < len(self.starts) and self.starts[index] <= last
        return not burnt and not (self.opened is not None and self.opened <= last)

    def fell(self, at: Instant) -> None:
        """It is down."""
        if not self.downs or self.downs[-1][1] != END:
            self.downs = [*self.downs[1 - DOWNS :], (at, END)]

    def rose(self, at: Instant) -> None:
        """It is back."""
        if self.downs and self.downs[-1][1] == END:
            self.downs[-1] = (self.downs[-1][0], at)

    def snapshot(self) -> list[Any]:
        return [self.sense, self.since, self.starts, self.ends, self.opened, [list(down) for down in self.downs]]

    @classmethod
    def restored(cls, device: str, state: list[Any]) -> Sensor:
        sense, since, starts, ends, opened, downs = state
        made = cls(device, sense, since)
        made.starts, made.ends, made.opened = list(starts), list(ends), opened
        made.downs = [(low, high) for low, high in downs]
        return made


class Corroborations:
    """The sensors at all checkpoints of one site."""

    KINDS: ClassVar[frozenset[type]] = frozenset({seen.Motion, seen.VideoState})

    def __init__(self, site: Site, devices: Devices) -> None:
        self._site = site
        self._devices = devices
        self._places = {checkpoint.place for checkpoint in site.checkpoints.values()}
        self._channels = {
            (device.behind, str(device.channel)): device.id
            for device in site.devices.values()
            if device.behind is not None and device.channel is not None
        }
        self._sensors: dict[str, Sensor] = {}
        self._at: dict[str, list[Sensor]] = {}
        self._downs: list[Interval] = []
        self._lineage = Lineage(site)
        self._below: dict[str, set[str]] = {}
        self.lights = frozenset(
            device
            for lamp in site.lamps.values()
            for device in lamp.seen_by
            if lamp.expected.mode == "motion" and self._place_of(device) in self._places
        )
        """Light sensors of lamps that wait for motion, at places of checkpoints."""

    def _place_of(self, device: str) -> str | None:
        known = self._site.devices.get(device)
        return None if known is None else known.place

    # -- what is noticed

    def apply(self, observation: Observation, at: Instant, received: Instant) -> None:
        """Take a word about motion or a camera's picture."""
        device, active, sense = observation.device, True, "motion"
        if type(observation) is seen.Motion:
            active = observation.active
        elif type(observation) is seen.VideoState:
            if observation.state not in _TOUCHED or not observation.active:
                return
            if observation.channel is not None:
                device = self._channels.get((device, str(observation.channel)), device)
        known = self._site.devices.get(device)
        if known is None or known.place not in self._places:
            return
        if known.kind == "camera":
            sense = "camera"
        self._note(device, sense, at, received, active=active)  # type: ignore[arg-type]

    def light(self, source: Source, at: Instant, received: Instant) -> None:
        """A light sensor said something new: whether a lamp that waits for motion went on or out."""
        for sight in source.sights:
            memory = sight.memory
            if sight.lamp.spec.expected.mode == "motion" and memory.lit is not None and memory.turned in {at, received}:
                self._note(source.device, "light", at, received, active=memory.lit)
                return
        if source.device not in self._sensors:
            self._sensor(source.device, "light", received)

    def _note(self, device: str, sense: Sense, at: Instant, received: Instant, *, active: bool) -> None:
        when = at if received - _LATE <= at <= received + _AHEAD else received
        sensor = self._sensors.get(device) or self._sensor(device, sense, when)
        sensor.note(when, active=active, heard_since=self._downs[-1][1] if self._downs else 0)
        if sensor.starts and sensor.starts[0] < received - KEPT:
            sensor.forget(received - KEPT)

    def _sensor(self, device: str, sense: Sense, since: Instant) -> Sensor:
        return self._enrol(Sensor(device, sense, since))

    def _enrol(self, sensor: Sensor) -> Sensor:
        device = sensor.device
        self._sensors[device] = sensor
        here = self._at.setdefault(self._place_of(device) or "", [])
        here.append(sensor)
        here.sort(key=lambda each: each.device)
        for name in (device, *self._lineage.above(self._lineage.parents.get(device, ()))):
            self._below.setdefault(name, set()).add(device)
        return sensor

    def devices_changed(self, changed: frozenset[str], now: Instant) -> None:
        """The named devices or parents went down or came back."""
        for device in sorted({each for name in changed for each in self._below.get(name, ())}):
            sensor, life = self._sensors[device], self._devices.life(device)
            if self._devices.down_cause(device) is None:
                sensor.rose(now)
            else:
                sensor.fell(now if life is None or life.last is None else life.last)

    # -- what it says of a tap

    def of(self, checkpoint: str, at: Instant, now: Instant) -> Corroboration | None:
        """What else was noticed where and when a tap was made; None: not known, or not yet.

        Args:
            checkpoint: where it was made.
            at: when, as judged.
            now: up to when evidence is here.
        """
        signs = self.signs(checkpoint, at)
        noticed = [sign for sign in signs if sign.at is not None]
        if noticed:
            return Corroboration(result="supported", by=tuple(sign.device for sign in noticed))
        if now <= at + AROUND and self._here(checkpoint):
            return None
        if signs:
            return Corroboration(result="silent", by=tuple(sign.device for sign in signs))
        return None if self._known_at(checkpoint, at) else Corroboration(result="no sensor")

    def signs(self, checkpoint: str, at: Instant) -> list[Sign]:
        """What each sensor noticed within 60 s of an instant, and which noticed nothing though it would have."""
        return list(self._signs(checkpoint, at - AROUND, at + AROUND))

    def _signs(self, checkpoint: str, first: Instant, last: Instant) -> Iterator[Sign]:
        down = any(low <= last and first <= high for low, high in self._downs)
        for sensor in self._here(checkpoint):
            when = sensor.noticed(first, last)
            if when is not None or (not down and sensor.would_have(first, last)):
                yield Sign(sensor.device, sensor.sense, when)

    def _known_at(self, checkpoint: str, at: Instant) -> bool:
        """Whether there was a sensor then, if it could not notice anything."""
        return any(sensor.since <= at for sensor in self._here(checkpoint))

    def _here(self, checkpoint: str) -> list[Sensor]:
        place = self._site.checkpoints.get(checkpoint)
        return [] if place is None else self._at.get(place.place, [])

    # -- as the engine drives it

    def advance(self, now: Instant) -> None:
        """Nothing here changes by time."""

    def deadline(self) -> Instant | None:
        return None

    def restarted(self, down_from: Instant, now: Instant, *, doubted: bool = False) -> None:
        """The gateway heard nothing from `down_from` until `now`; `doubted`: nobody knows when what follows is heard."""
        if self._downs and self._downs[-1][1] == END:
            down_from = min(down_from, self._downs.pop()[0])
        self._downs = [*self._downs[1 - DOWNS :], (down_from, END if doubted else now)]

    def snapshot(self) -> Any:
        return {
            "downs": [list(down) for down in self._downs],
            "sensors": {device: sensor.snapshot() for device, sensor in self._sensors.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot; sensors that the site no longer has at a checkpoint's place are dropped."""
        self._downs = [(low, high) for low, high in state["downs"]]
        self._sensors, self._at, self._below = {}, {}, {}
        for device, saved in state["sensors"].items():
            if self._place_of(device) in self._places:
                self._enrol(Sensor.restored(device, saved))
