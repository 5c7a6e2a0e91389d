"""The dead-man's signal: while the gateway can take and keep evidence it says so outside, where somebody notices when it stops.

A gateway that is dead can tell nobody. So it is silence that raises the alarm: a watcher outside expects a ping, and calls a
person when none has come for a while. Nothing in here ever raises an alert of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol

import msgspec

from gateway.errors import DeliveryError, LinkError
from gateway.instants import SECOND, Instant
from gateway.outbox.retry import Retry

TIMEOUT_S = 10.0
"""For one ping, whatever the watcher does."""
FIRST_RETRY_S = 5.0
"""Upper bound of the wait after the first failure; later ones double, up to the time between two pings."""
LOOK_S = 1.0
"""How often a gateway that is not ready is looked at."""

Ping = Callable[[], Awaitable[None]]
"""Tells one watcher once. Raises DeliveryError: it was not told, or nobody knows whether it was."""


class Publish(Protocol):
    """Publishes over the site's broker; returns once acknowledged. Raises LinkError."""

    def __call__(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> Awaitable[None]: ...


class Watchdog:
    """Pings one watcher for ever; cancel it to stop.

    Attributes:
        sent, failed: pings that the watcher took, and others, since the start.

    Args:
        ping: tells the watcher.
        ready: whether the gateway can take and keep evidence at this moment; no ping is sent while it cannot.
        every_s: from one ping to the next.
        timeout_s: for one ping.
        retry: how long to wait after a failure; never longer than `every_s`.
    """

    def __init__(
        self,
        ping: Ping,
        ready: Callable[[], bool],
        every_s: float,
        *,
        timeout_s: float = TIMEOUT_S,
        retry: Retry | None = None,
    ) -> None:
        self._ping = ping
        self._ready = ready
        self._every_s = every_s
        self._timeout_s = timeout_s
        self._retry = retry or Retry(FIRST_RETRY_S, every_s)
        self._reason: str | None = None
        self.sent = 0
        self.failed = 0

    @property
    def problem(self) -> str | None:
        """Why the watcher outside is not told at the moment; None: it is."""
        return self._reason

    async def run(self) -> None:
        """Ping until cancelled."""
        failures = 0
        while True:
            if not self._ready():
                self._reason = "no ping is sent while the gateway is not ready; the watcher outside will notice"
                await asyncio.sleep(LOOK_S)
                continue
            try:
                await self._once()
            except DeliveryError as error:
                self._reason = error.reason
                self.failed += 1
                wait_s = min(self._retry.wait_s(failures, error.retry_after_s), self._every_s)
                failures += 1
            else:
                self._reason = None
                self.sent += 1
                wait_s, failures = self._every_s, 0
            await asyncio.sleep(wait_s)

    async def _once(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._ping()
        except TimeoutError as error:
            raise DeliveryError(f"the watcher does not answer within {self._timeout_s:g} s") from error


def web_ping(url: str) -> Ping:
    """A GET of `url`, which is a secret: no error names it. Taken is what is answered with 2xx; a redirect is not followed."""
    import aiohttp  # noqa: PLC0415  9 MiB that only its users pay

    async def ping() -> None:
        try:
            # A connection of its own each time: one kept for a minute may have been forgotten by a router in between.
            async with (
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=True) as session,
                session.get(url, allow_redirects=False) as answer,
            ):
                status = answer.status
        except aiohttp.ClientConnectorCertificateError as error:
            raise DeliveryError("the watcher's certificate is not trusted on this machine") from error
        except (ValueError, aiohttp.NonHttpUrlClientError) as error:
            raise DeliveryError(
                "the watcher's URL (or the proxy's) cannot be used; expected one that begins with https:// or http://"
            ) from error
        except aiohttp.ClientConnectorError as error:
            raise DeliveryError(f"the watcher cannot be reached: {error.strerror or 'no connection'}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise DeliveryError(f"the watcher does not answer as a web server does ({type(error).__name__})") from error
        if not 200 <= status < 300:
            # A watcher that is pinged too often is left alone until the next ping is due anyhow.
            raise DeliveryError(_refusal(status), retry_after_s=float("inf") if status == 429 else None)

    return ping


def _refusal(status: int) -> str:
    known = {each.value: f" {each.phrase}" for each in HTTPStatus}
    hint = "; a redirect is not followed, give the address it leads to" if 300 <= status < 400 else ""
    return f"the watcher answers {status}{known.get(status, '')}{hint}"


def topic_ping(publish: Publish, topic: str, site: str, every_s: float, now: Callable[[], Instant]) -> Ping:
    """A message at QoS 1 to `topic`, not retained (an old one must not look like life); taken is what the broker acknowledged."""

    async def ping() -> None:
        at = datetime.fromtimestamp(now() // SECOND, UTC)
        payload = msgspec.json.encode({"site": site, "at": at, "every_s": every_s})
        try:
            await publish(topic, payload, qos=1, retain=False)
        except LinkError as error:
            raise DeliveryError(f"the broker did not take it: {error.reason}") from error

    return ping
