"""Tells systemd that the gateway is at work, and that it still is: sd_notify(3), one datagram each.

A gateway whose event loop stands still sends nothing more: systemd starts it again after `WatchdogSec` (docker/systemd).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Mapping

logger = logging.getLogger(__name__)


class Supervisor:
    """Whoever started the gateway and wants to hear of it.

    Args:
        address: a UNIX datagram socket; `@` first: in the abstract namespace.
        every_s: how often to give a sign of life; None: not asked for.
    """

    def __init__(self, address: str, every_s: float | None) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._every_s = every_s

    async def run(self) -> None:
        """Say that the gateway is ready, give signs of life until cancelled, then say that it stops."""
        self._say("READY=1")
        try:
            while True:
                if self._every_s is None:
                    await asyncio.Event().wait()
                else:
                    await asyncio.sleep(self._every_s)
                    self._say("WATCHDOG=1")
        finally:
            self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sending:
            sending.setblocking(False)
            try:
                sending.sendto(text.encode(), self._address)
            except OSError as error:
                logger.warning("the supervisor does not hear us: %s", error.strerror or error)


def supervisor(environ: Mapping[str, str]) -> Supervisor | None:
    """The supervisor that the environment names; None: nobody listens."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return None
    every_s = None
    with contextlib.suppress(ValueError):
        if environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            every_s = int(environ.get("WATCHDOG_USEC", "")) / 1_000_000 / 3 or None
    return Supervisor(address, every_s)
