"""What can prove something about a lamp: sources that speak, and each lamp's sight of them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

from gateway.instants import MINUTE, Duration, Instant

if TYPE_CHECKING:
    from gateway.rules.lamps import LampJudge

DEFAULT_EVERY: Duration = 10 * MINUTE
"""`expect_every` of a source that names none (lighting.md, Stale)."""

LEAST_SILENCE: Duration = 15 * MINUTE


class Rank(IntEnum):
    """Which proof beats which: the least wins (lighting.md, Proof)."""

    POWER = 0
    LUX = 1
    WORD = 2


class SourceMemory(msgspec.Struct, array_like=True):
    """What a source remembers over a restart.

    `lost`: why it proves nothing until it is heard again: `stale`, `gateway_down`, or the id of what failed; None: it
    does. `grace`: until when that cause may stand before it is called `stale`. `value`, `count`, `first`, `last`: the
    run of one same value; `rivals_changed`: when other proof last saw a lamp of this sensor change.
    """

    heard: Instant | None = None
    lost: str | None = None
    grace: Instant | None = None
    value: float | None = None
    count: int = 0
    first: Instant = 0
    last: Instant = 0
    rivals_changed: Instant | None = None
    stuck: Instant | None = None


class Source:
    """One kind of word of one device (for power: of one channel).

    Args:
        key: `device|rank|channel`, its name in timers and snapshots.
        device: the device that speaks.
        rank: what kind of proof it gives.
        every: how often it is expected to speak.
    """

    __slots__ = ("device", "down", "enabled", "every", "key", "limit", "live", "memory", "rank", "sights", "watched")

    def __init__(self, key: str, device: str, rank: Rank, every: Duration) -> None:
        self.key = key
        self.device = device
        self.rank = rank
        self.every = every
        self.limit = max(3 * every, LEAST_SILENCE)
        self.memory = SourceMemory()
        self.sights: list[Sight] = []
        self.enabled = True
        self.down: str | None = None
        self.live = False
        self.watched = False
        """Whether a lamp it sees has other proof: only then can it be found stuck."""

    def settle(self) -> None:
        """Say again whether it proves anything (`live`); proof of one that does not is void."""
        memory = self.memory
        self.live = (
            self.enabled and memory.heard is not None and not (self.down or memory.lost or memory.stuck is not None)
        )
        if not self.live:
            for sight in self.sights:
                sight.void()

    def cause(self) -> str | None:
        """Why it proves nothing, in the words of lighting.md (State); None: it does."""
        memory = self.memory
        if not self.enabled:
            return self.device
        if self.down:
            return self.down
        if memory.heard is None:
            return "never_heard"
        if memory.stuck is not None and memory.lost is None:
            return "sensor_stuck"
        return memory.lost

    def awaited(self) -> bool:
        """Whether it only has not been heard yet since the gateway's start."""
        return self.memory.lost == "gateway_down" and self.enabled and not self.down

    def due(self) -> Instant | None:
        """When it turns stale if it is not heard, or None if that is not for a clock to say."""
        memory = self.memory
        if memory.lost is None:
            return None if memory.heard is None else memory.heard + self.limit + 1
        return None if memory.grace is None or self.down else memory.grace + 1

    def lose(self, cause: str) -> None:
        """It proves nothing until it is heard again."""
        self.memory.lost = cause
        self.settle()


class Sample(msgspec.Struct, array_like=True):
    """One reading as evidence: of which source (its key, or a device), lit or not, and the value in its unit, if it has one.

    `otherwise`: of a change, when that source had said the other last.
    """

    at: Instant
    by: str
    lit: bool
    value: float | None = None
    otherwise: Instant | None = None


class SightMemory(msgspec.Struct, array_like=True):
    """What one source last proved of one lamp: lit or not, when, how much (lux, watts); and for lux its past switch-ons.

    `said`, `said_at`: its last reading, also where better proof beat it. `lit` None: it proves nothing now. `good`: the last 20
    good steps at switch-on; `short`: the successive switch-ons below 60 % of their median, at most the three that count;
    `full`: how many from 80 % on. `changes`: the last between lit and unlit that nothing explained; `turned`: when it changed last. `aside`: by reason, its last reading that did
    not count (`edge`, `beaten`, `rejudged`, `sensor_stuck`, `source_down`); `by_day`, `day_lux`: the last by day.
    """

    said: bool | None = None
    said_at: Instant = 0
    lit: bool | None = None
    at: Instant = 0
    value: float = 0.0
    good: list[float] = []
    short: list[Sample] = []
    full: int = 0
    changes: list[Sample] = []
    aside: dict[str, Sample] = {}
    by_day: Instant | None = None
    day_lux: float = 0.0
    turned: Instant | None = None


class Sight:
    """One lamp as one source sees it.

    Within [`calm_from`, `calm_until`) a sample that says the same as the last changes nothing but its time.
    """

    __slots__ = ("calm_from", "calm_until", "lamp", "lit_lux", "memory", "needs_dark", "source")

    def __init__(self, lamp: LampJudge, source: Source, lit_lux: float, needs_dark: bool) -> None:
        self.lamp = lamp
        self.source = source
        self.lit_lux = lit_lux
        self.needs_dark = needs_dark
        self.memory = SightMemory()
        self.calm_from: Instant = 0
        self.calm_until: Instant = 0

    def put_aside(self, why: str, lit: bool, at: Instant, value: float | None) -> None:
        """Remember a reading that did not count, and why not."""
        self.memory.aside[why] = Sample(at, self.source.key, lit, value)

    def void(self) -> None:
        """What it proved holds no longer; when the lamp was last seen so stays known."""
        memory = self.memory
        self.calm_until = 0
        if memory.lit is not None:
            self.lamp.note(memory.lit, memory.at)
            memory.lit = None
