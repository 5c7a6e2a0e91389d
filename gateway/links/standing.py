"""How a link stands, told to the receiver and the log once per change, and the loop that keeps a link connected."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from gateway.errors import LinkError
from gateway.links.backoff import Backoff
from gateway.links.link import Link, LinkState, Receiver, Token

Clock = Callable[[], datetime]

STEADY_S = 10.0
"""A connection that stood this long was a good one: the next failure begins with the shortest wait again."""

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The wall clock, aware, in UTC."""
    return datetime.now(UTC)


class Standing:
    """Keeps a link's state; a change of `up` or `reason` is told and logged, a repetition is not.

    Args:
        link: whose state it is.
        receiver: is told of every change.
        devices: ids of those that speak through the link.
        clock: gives the aware time of a change.
        counts: as in `LinkState`.
    """

    def __init__(
        self, link: Link, receiver: Receiver, devices: Sequence[str], clock: Clock, *, counts: bool = True
    ) -> None:
        self._link = link
        self._receiver = receiver
        self._devices = tuple(devices)
        self._clock = clock
        self.state = LinkState(name=link.name, up=False, since=clock(), reason="not connected yet", counts=counts)

    def up(self) -> None:
        """The link works."""
        self._change(up=True, reason="", hint="")

    def down(self, reason: str, hint: str = "") -> None:
        """The link does not work, why, and what the user may do."""
        self._change(up=False, reason=reason, hint=hint)

    def _change(self, *, up: bool, reason: str, hint: str) -> None:
        before = self.state
        if (before.up, before.reason) == (up, reason):
            return
        since = self._clock() if before.up is not up else before.since
        self.state = LinkState(name=self._link.name, up=up, since=since, reason=reason, hint=hint, counts=before.counts)
        if up:
            _log.info("%s: up", self._link.name)
        else:
            _log.warning("%s: down: %s%s", self._link.name, reason, f" ({hint})" if hint else "")
        self._receiver.link_changed(self._link, self.state, self._devices)


async def keep_connected(connect: Callable[[], Awaitable[None]], standing: Standing, backoff: Backoff) -> None:
    """Call `connect` again and again until cancelled.

    Args:
        connect: connects and serves until the connection ends, which it tells by a LinkError.
        standing: is set down with the error's reason and hint.
        backoff: the waits between two attempts.
    """
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        try:
            await connect()
        except LinkError as error:
            standing.down(error.reason, error.hint)
        if loop.time() - began >= STEADY_S:
            backoff.reset()
        await asyncio.sleep(backoff.next_s())


class KeptLink(ABC):
    """A `Link` that connects, or opens its port, again and again.

    Args:
        name: for people.
        receiver: gets what arrives, and changes of state.
        devices: ids of those that speak through it.
        clock: the wall clock, for `received`.
        backoff: waits between attempts.
        counts: as in `LinkState`.
    """

    def __init__(
        self,
        name: str,
        receiver: Receiver,
        devices: Sequence[str],
        *,
        clock: Clock,
        backoff: Backoff,
        counts: bool = True,
    ) -> None:
        self.name = name
        self.receiver = receiver
        self.clock = clock
        self.backoff = backoff
        self.standing = Standing(self, receiver, devices, clock, counts=counts)

    @abstractmethod
    async def connect(self) -> None:
        """Connect and serve until the connection ends.

        Raises:
            LinkError: why it ended.
        """

    @abstractmethod
    def pause(self) -> None:
        """See `Link.pause`."""

    @abstractmethod
    def resume(self) -> None:
        """See `Link.resume`."""

    @abstractmethod
    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """See `Link.acknowledge`."""

    @property
    def state(self) -> LinkState:
        """How the link is now."""
        return self.standing.state

    async def run(self) -> None:
        """Connect, serve, connect again, until cancelled."""
        await keep_connected(self.connect, self.standing, self.backoff)
