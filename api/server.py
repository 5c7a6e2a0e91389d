"""Serves the application inside the gateway's event loop. The port is taken first, before anything else starts."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from asyncio.sslproto import SSLProtocol
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from api.crowd import Crowd, Entrance, Limits, door_of
from api.tls import Certificate
from device_drivers.errors import LamplighterError

_BACKLOG = 128
_HIGHEST_PORT = 65535
_GRACE_S = 5
_TLS_BUFFER = 16 * 1024
"""Bytes that each TLS connection reads into, as much as a record holds: asyncio takes 256 KiB, for a thousand slow callers 256 MiB."""

logger = logging.getLogger(__name__)


class PortError(LamplighterError):
    """The address cannot be listened on.

    Args:
        host, port: what was asked for.
        reason: what the system said.
        hint: what to do.
    """

    def __init__(self, host: str, port: int, reason: str, hint: str) -> None:
        super().__init__(f"cannot listen on {host} port {port}: {reason}; {hint}")
        self.host = host
        self.port = port
        self.reason = reason
        self.hint = hint


_HINTS = {
    errno.EADDRINUSE: ("the port is in use", "stop the other program, or choose another with --port (0: any free one)"),
    errno.EACCES: ("not permitted", "ports below 1024 need rights; choose one above with --port"),
    errno.EADDRNOTAVAIL: ("this machine has no such address", "choose one of its own with --host"),
}


class Listener:
    """A taken port. `url` is where a browser on this machine finds it."""

    def __init__(self, taken: socket.socket, host: str, scheme: str) -> None:
        self.socket = taken
        self.host = host
        self.scheme = scheme
        self.port: int = taken.getsockname()[1]

    @property
    def url(self) -> str:
        """The address without a path."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        return f"{self.scheme}://{host}:{self.port}"

    def close(self) -> None:
        """Give the port back."""
        self.socket.close()


def listen(host: str, port: int, *, tls: bool = False) -> Listener:
    """Take the port; 0 takes a free one. `tls`: it will be served with a certificate.

    Raises:
        PortError: it cannot be had.
    """
    if not 0 <= port <= _HIGHEST_PORT:
        raise PortError(host, port, "no such port", f"ports go from 0 (any free one) to {_HIGHEST_PORT}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, OverflowError, UnicodeError) as error:
        raise PortError(host, port, "no such host", "give an address of this machine with --host") from error
    taken = socket.socket(family, kind, protocol)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        taken.close()
        number = error.errno if isinstance(error, OSError) else None
        reason, hint = _HINTS.get(number or 0, (str(error), "choose another with --host and --port"))
        raise PortError(host, port, reason, hint) from error
    taken.setblocking(False)
    return Listener(taken, host, "https" if tls else "http")


async def serve(
    app: FastAPI,
    listener: Listener,
    *,
    certificate: Certificate | None = None,
    proxies: Sequence[str] = (),
    limits: Limits | None = None,
) -> None:
    """Serve until cancelled; then event streams end, running requests finish (at most 5 s), the port is given back.

    Args:
        app: from `create_app`.
        listener: from `listen`.
        certificate: serve over TLS with it; it is taken anew when its files change.
        proxies: addresses and networks from which `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
        limits: what callers may take up.
    """
    crowd = Crowd(limits or Limits(), proxies)
    config = uvicorn.Config(
        app,
        http=door_of(crowd),
        backlog=_BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        ws="none",
        lifespan="off",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_GRACE_S,
    )
    config.load()
    if certificate is not None:
        config.ssl = certificate.context
        SSLProtocol.max_size = _TLS_BUFFER
    listener.socket = Entrance.before(listener.socket, crowd)
    server = _Server(config)
    running = asyncio.create_task(server.serve([listener.socket]), name="http server")
    watching = asyncio.create_task(crowd.watch(), name="slow connections")
    following = asyncio.create_task(certificate.follow(), name="certificate") if certificate is not None else None
    try:
        await asyncio.shield(running)
    finally:
        app.state.closing.set()
        server.should_exit = True
        watching.cancel()
        if following is not None:
            following.cancel()
        await running
        listener.close()


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the gateway has its own, and stops everything in order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
