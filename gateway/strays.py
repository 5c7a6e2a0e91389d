"""Names that nearly fit: what arrives at the broker under a topic that no device of the site is bound to, while a device was never heard.

A device is heard only if its topic stands in the site file to the letter, and what goes past nobody sees: a broker hands on only what was
subscribed to. So as long as a device behind the broker has never been heard, a second connection listens to everything (QoS 0, nothing
kept), looks at each topic once, and says which one was probably meant. It is not there once all have been heard.
"""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from device_drivers.driver import Reading, Reject
from device_drivers.native.topics import up
from gateway.links.link import Envelope, Link, LinkState, MqttLink, Receiver, Unreadable
from gateway.routing import Router
from gateway.site.lookalikes import plain
from gateway.site.model import Site

EVERYTHING = ("#",)

FIRST_S = 10.0
"""After the start: most devices speak by themselves within seconds."""

LOOK_S = 10.0
"""How often it is looked whether somebody is still awaited."""

MOST_MESSAGES = 20_000
MOST_BYTES = 64 * 1024 * 1024
REST_S = 3600.0
"""After so many messages, or bytes, it rests for so long: half a second of work an hour, however busy the broker. So it does when the session
falls meanwhile: some brokers allow one connection a user, and this one was too many.
"""

_MOST_TOPICS = 5_000
_LONGEST = 256
_MOST_AWAITED = 1_000
"""Devices that are looked for at once, in the order of the site file."""

_MOST_COMPARED = 100_000
"""Comparisons of two names in one listening, about a second."""

_MOST_OPEN = 200
"""Topics with levels left open that are compared one by one."""

_MOST_TOLD = 50
_EACH = 3
"""Topics named for one device."""

_ALIKE = 0.7
"""difflib's ratio: one letter of four may differ."""

_log = logging.getLogger(__name__)


class Near(NamedTuple):
    """A topic that arrives and is not heard, and the device that was probably meant, with the topic it is awaited on.

    `alike`: the two look alike; if not, they only have their place in common.
    """

    arrives: str
    device: str
    expected: str
    alike: bool

    def __str__(self) -> str:
        return (
            f"{self.arrives} arrives and belongs to no device of the site file; {self.device}, which has never been heard, is awaited on "
            f"{self.expected}: do the names match to the letter?"
        )


class Names:
    """The topics of devices that are awaited; finds the one that was meant by another.

    Args:
        awaited: devices and the topics on which they may speak, `+` and `#` for what is left open.
    """

    def __init__(self, awaited: Iterable[tuple[str, str]]) -> None:
        self._by_rest: dict[tuple[int, tuple[str, ...]], dict[str, tuple[str, str]]] = {}
        self._by_whole: dict[str, tuple[str, str]] = {}
        self._open: list[tuple[list[str], str, str]] = []
        self._compared = 0
        for device, topic in awaited:
            levels = _levels(topic)
            if "+" in levels or "#" in levels:
                if len({*levels} - {"+", "#"}) > 1 and len(self._open) < _MOST_OPEN:
                    self._open.append((levels, device, topic))
                continue
            self._by_whole.setdefault("/".join(levels), (device, topic))
            for at, level in enumerate(levels):
                self._by_rest.setdefault((at, _without(levels, at)), {}).setdefault(level, (device, topic))

    def nearest(self, topic: str) -> Near | None:
        """The device that `topic` was meant for: but for case, width and outer slashes the same, or alike in all levels but one."""
        levels = _levels(topic)
        if found := self._by_whole.get("/".join(levels)):
            return Near(topic, *found, alike=True)
        if any("/".join(levels[:end]) in self._by_whole for end in range(1, len(levels))):
            return None  # a command to the device, or what else stands below its own topic
        for at, level in enumerate(levels):
            others = self._by_rest.get((at, _without(levels, at)))
            if others is None:
                continue
            self._compared += len(others)
            if self._compared > _MOST_COMPARED:
                return None
            if close := difflib.get_close_matches(level, others, n=1, cutoff=_ALIKE):
                return Near(topic, *others[close[0]], alike=True)
            if len(others) == 1 and (at < len(levels) - 1 or len(levels) == 2):
                return Near(topic, *next(iter(others.values())), alike=False)
        return self._nearest_open(topic, levels)

    def _nearest_open(self, topic: str, levels: list[str]) -> Near | None:
        """Of topics with levels left open: one of the written levels differs, and is alike."""
        self._compared += len(self._open)
        if self._compared > _MOST_COMPARED:
            return None
        for pattern, device, written in self._open:
            if len(pattern) != len(levels) and pattern[-1] != "#":
                continue
            others = [(want, have) for want, have in zip(pattern, levels, strict=False) if want not in ("+", "#", have)]
            if all(difflib.SequenceMatcher(None, *pair).ratio() >= _ALIKE for pair in others) and len(others) < 2:
                return Near(topic, device, written, alike=True)
        return None


class Strays:
    """Listens beside the session while a device was never heard.

    Args:
        site: whose devices.
        router: which topics are bound.
        connect: a connection beside the session, subscribed to everything, for a receiver; not connected yet.
        heard: whether a device was ever heard.
        ready: whether the session stands; without it nobody listens.
        tell: sets or clears (empty text) what a person should know, by name.
        safe: `Receiver.safe`.
    """

    def __init__(
        self,
        site: Site,
        router: Router,
        *,
        connect: Callable[[Receiver], MqttLink],
        heard: Callable[[str], bool],
        ready: Callable[[], bool],
        tell: Callable[[str, str], None],
        safe: Callable[[], Awaitable[None]],
    ) -> None:
        self._site = site
        self._router = router
        self._connect = connect
        self._heard = heard
        self._ready = ready
        self._tell = tell
        self.safe = safe
        self._expected = awaited_topics(site, router)
        self._names = Names(())
        self._seen: set[str] = set()
        self._messages = self._bytes = 0
        self._strangers = 0
        self.told: dict[str, Near] = {}
        """What was told and still holds, by topic."""

    async def run(self) -> None:
        """Listen while somebody is awaited, until cancelled."""
        await asyncio.sleep(FIRST_S)
        while True:
            self._tend()
            if self._ready() and self._awaited():
                await self._listen()
                if self._spent or not self._ready():
                    await self._rest()
            await asyncio.sleep(LOOK_S)

    @property
    def _spent(self) -> bool:
        return self._messages >= MOST_MESSAGES or self._bytes >= MOST_BYTES or len(self._seen) >= _MOST_TOPICS

    async def _listen(self) -> None:
        self._names = Names(self._awaited())
        self._seen = set()
        self._messages = self._bytes = 0
        link = self._connect(self)
        running = asyncio.create_task(link.run(), name=f"link {link.name}")
        try:
            while not self._spent and not running.done() and self._ready() and self._awaited():
                await asyncio.wait({running}, timeout=LOOK_S)
                self._tend()
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def _rest(self) -> None:
        """What was told is taken back when it no longer holds, also meanwhile."""
        until = asyncio.get_running_loop().time() + REST_S
        while (left := until - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left, LOOK_S))
            self._tend()

    def _awaited(self) -> list[tuple[str, str]]:
        """Topics of devices that were never heard."""
        found: list[tuple[str, str]] = []
        devices = 0
        for device, topics in self._expected.items():
            if not self._heard(device):
                found += [(device, topic) for topic in topics]
                devices += 1
                if devices >= _MOST_AWAITED:
                    break
        return found

    def _tend(self) -> None:
        """Take back what no longer holds, and tell of devices that nobody has entered."""
        for device in self._router.strangers[self._strangers :]:
            self._strangers += 1
            text = (
                f"{device} speaks on {up(self._site.id, device)} and is not in the site file: what it says is kept and counts for nothing "
                "until it is entered under `devices`"
            )
            self._tell(f"stranger {device}", text)
            _log.warning("%s (told once)", text)
        for topic, near in tuple(self.told.items()):
            if self._heard(near.device):
                self._forget(topic)

    def _forget(self, topic: str) -> None:
        del self.told[topic]
        self._tell(f"topic {topic}", "")

    # -- what the connection calls (links.link.Receiver)

    def messages(self, link: Link, envelopes: Sequence[Envelope | Unreadable]) -> None:
        """Each topic is looked at once; payloads are not."""
        for envelope in envelopes:
            self._messages += 1
            self._bytes += len(envelope.payload)
            topic = envelope.topic
            if isinstance(topic, str) and topic not in self._seen and not self._spent:
                self._seen.add(topic)
                if len(topic) <= _LONGEST and not self._ours(topic):
                    self._look(topic)
        link.acknowledge([envelope.token for envelope in envelopes])

    def _ours(self, topic: str) -> bool:
        """Whether a device of the site is bound to it, or it is our own word."""
        own = topic.split("/")
        if len(own) >= 3 and own[:2] == ["lamplighter", self._site.id]:
            return own[2] in self._site.devices or own[3:4] == ["down"]
        return self._router.bound(topic)

    def _look(self, topic: str) -> None:
        near = self._names.nearest(topic)
        if near is None or topic in self.told or self._heard(near.device):
            return
        same = [other for other in self.told.values() if other.device == near.device]
        if len(same) >= _EACH:
            unlike = next((other for other in same if near.alike and not other.alike), None)
            if unlike is None:
                return
            self._forget(unlike.arrives)
        if len(self.told) >= _MOST_TOLD:
            return
        self.told[topic] = near
        self._tell(f"topic {topic}", str(near))
        _log.warning("%s (told once)", near)

    def link_changed(self, link: Link, state: LinkState, devices: Sequence[str]) -> None:
        """No device is up or down by it."""

    def session_lost(self, link: Link, reason: str) -> None:
        """There is none to lose."""

    def chunk(self, link: Link, device: str, data: bytes, received: datetime) -> None:
        """A broker brings messages only."""

    def found(self, link: Link, source: str, readings: Sequence[Reading | Reject], received: datetime) -> None:
        """A broker brings messages only."""


def awaited_topics(site: Site, router: Router) -> dict[str, list[str]]:
    """The topics on which each device behind the broker may speak; `+` and `#` for levels that are left open."""
    found = router.topics()
    for device in site.devices.values():
        if device.driver == "native" and device.enabled:
            found.setdefault(device.id, []).append(up(site.id, device.id))
    return {device: topics for device, topics in found.items() if site.devices[device].enabled}


def _levels(topic: str) -> list[str]:
    """The levels of a topic as they are compared: without case, width and outer slashes."""
    return [level.strip() for level in plain(topic).casefold().strip("/ ").split("/")]


def _without(levels: list[str], at: int) -> tuple[str, ...]:
    return (*levels[:at], *levels[at + 1 :])
