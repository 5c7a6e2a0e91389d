"""Fresh taps and calls for help overtake a queue of old telemetry.

A broker hands a session's queue out in order: with a million messages waiting a tap made now comes a quarter of a minute later. So
native devices that may tap or call are heard by a second connection as well, for which the broker keeps nothing. What comes over it
are copies: the session brings all of it too, in its time, keeps it and acknowledges it, and its own copy is then a repeat like any
other. A copy is taken only if the session has not brought it within HOLD_S, that is, while it is behind.

Only what proves nothing about what still waits may overtake. A tap with a sequence number is such: what is missing before it stays
missing (rounds.md, What is known to be complete). A heartbeat, or a tap of a reader that is judged by its signs of life, is not: it would
declare complete a time whose taps still wait at the broker.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from device_drivers.driver import Reading, Reject
from device_drivers.errors import DecodeError
from device_drivers.native.topics import up
from device_drivers.observations import Panic, TagRead
from gateway.intake import Intake
from gateway.links.link import Envelope, Link, LinkState, Unreadable
from gateway.site.model import Site

HOLD_S = 0.2
"""How long the session has to bring it by itself; in a quiet hour that takes some milliseconds. While it is known to be behind: no time."""

FRESH = timedelta(seconds=5)
"""By its own word it happened at most so long ago: what waited with a connection that stood still is not worth the work of judging it out of turn."""

MOST_HELD = 4096
"""Copies held; of more the oldest are let go, which the session brings."""

_MARKS = (b'tag_read"', b'panic"')
"""One of these is in every payload that matters: the rest is not decoded twice."""


class _Held(NamedTuple):
    due: float
    topic: str
    reading: Reading
    received: datetime


def overtaking_filters(site: Site) -> list[str]:
    """Topics of the devices that may tap or call: native ones that are no camera and that no lamp rests on."""
    bulk = {name for lamp in site.lamps.values() for name in (lamp.id, *lamp.seen_by, *(lamp.fed_by or ())[:1])}
    return [
        up(site.id, device.id)
        for device in site.devices.values()
        if device.driver == "native" and device.kind != "camera" and device.id not in bulk
    ]


class Overtaking:
    """The `Receiver` of a connection that brings copies.

    Args:
        site: whose readers have checkpoints.
        intake: takes what overtakes.
    """

    def __init__(self, site: Site, intake: Intake) -> None:
        self._intake = intake
        self._readers = frozenset(point.reader for point in site.checkpoints.values())
        self._held: deque[_Held] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def messages(self, link: Link, envelopes: Sequence[Envelope | Unreadable]) -> None:
        """Copies arrived; what cannot be read, and stored state, is the session's to bring."""
        due = self._loop.time() + (0 if self._intake.draining else HOLD_S)
        for envelope in envelopes:
            if isinstance(envelope, Unreadable) or envelope.retained or not any(map(envelope.payload.count, _MARKS)):
                continue
            topic, payload, received, _, _ = envelope
            read = self._intake.router.reader(topic)
            try:
                readings = [] if read is None else read(payload, received)
            except DecodeError:
                continue
            self._held += [_Held(due, topic, reading, received) for reading in readings if self._may(reading, received)]
        while len(self._held) > MOST_HELD:
            self._held.popleft()
        self._wait()
        link.acknowledge([envelope.token for envelope in envelopes])

    def _may(self, reading: Reading, received: datetime) -> bool:
        observation = reading.observation
        if received - observation.at > FRESH:
            return False
        if isinstance(observation, TagRead):
            return observation.seq is not None
        return isinstance(observation, Panic) and (
            observation.seq is not None or observation.device not in self._readers
        )

    def _wait(self) -> None:
        if self._held and self._timer is None:
            self._timer = self._loop.call_at(self._held[0].due, self._overtake)

    def _overtake(self) -> None:
        self._timer = None
        if self._intake.overfull:
            self._held.clear()  # nothing is written just now; the session brings them
        now = self._loop.time()
        while self._held and self._held[0].due <= now:
            _, topic, reading, received = self._held.popleft()
            seen = reading.observation
            if seen.seq is None or not self._intake.repeats.passed(seen.device, seen.boot or "", seen.seq):
                self._intake.heard(topic, [reading], received, overtakes=True)
        self._wait()

    def link_changed(self, link: Link, state: LinkState, devices: Sequence[str]) -> None:
        """Told as it is; no device is up or down by it."""
        self._intake.link_changed(link, state, devices)

    def session_lost(self, link: Link, reason: str) -> None:
        """There is none to lose."""

    def chunk(self, link: Link, device: str, data: bytes, received: datetime) -> None:
        """See `Receiver.chunk`; a broker brings messages only."""
        self._intake.chunk(link, device, data, received)

    def found(self, link: Link, source: str, readings: Sequence[Reading | Reject], received: datetime) -> None:
        """See `Receiver.found`; a broker brings messages only."""
        self._intake.found(link, source, readings, received)

    def safe(self) -> Awaitable[None]:
        """See `Receiver.safe`."""
        return self._intake.safe()
