"""HTTP as all web links share it: one session, and what its failures mean (a table)."""

from __future__ import annotations

import errno
import os
import resource
from types import SimpleNamespace
from typing import NamedTuple

import aiohttp
from yarl import URL

_KEPT_S = 2.0
"""A connection is kept just for the log-in that follows a 401: cheap cameras have few, and close idle ones when they like."""

_CONNECTIONS_EACH = 2
_OTHER_FILES = 256
"""File descriptors that a web link may need, and that the rest of the gateway needs: 1,000 streams pass the usual 1,024."""


class WebClient:
    """The one HTTP session of all web links: no proxy, no cookies, no redirects followed, no user's settings.

    Args:
        links: how many links share it.
    """

    def __init__(self, links: int = 1) -> None:
        self._links = links
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session; made at its first use, inside the event loop."""
        if self._session is None:
            _allow_files(self._links * _CONNECTIONS_EACH + _OTHER_FILES)
            trace = aiohttp.TraceConfig()
            trace.on_connection_create_end.append(_connected)
            trace.on_connection_reuseconn.append(_connected)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_S),
                timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"User-Agent": "Lamplighter", "Accept-Encoding": "identity"},
                trace_configs=[trace],
            )
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class Trouble(NamedTuple):
    """What went wrong on the way.

    Args:
        connected: the network answered all the same.
        ours: it lies with this machine, so that nothing is known of the device.
    """

    reason: str
    hint: str = ""
    connected: bool = False
    ours: bool = False


NO_ANSWER = Trouble(
    "connected, but there was no answer in time", "is it overloaded, or still starting?", connected=True
)
NO_CONNECTION = Trouble("it does not answer", "is it on, and is the address right?")
_CERTIFICATE = Trouble(
    "its certificate is not trusted",
    "name the certificate's SHA-256 fingerprint in `link.certificate`, or `any` to take it as it is",
    connected=True,
)
_UNKNOWN_NAME = Trouble("its name is not known", "write the address instead of the name, or mend the name service")
_NO_HTTP = Trouble("what answers there does not speak HTTP", "is the port right? https is another one", connected=True)
_CUT = Trouble("the connection was cut", connected=True)
_BY_ERRNO: dict[int, Trouble] = {
    errno.ECONNREFUSED: Trouble("the connection was refused", "is the service on, is the port right?", connected=True),
    errno.EHOSTUNREACH: NO_CONNECTION,
    errno.EHOSTDOWN: NO_CONNECTION,
    errno.ETIMEDOUT: NO_CONNECTION,
    errno.ECONNRESET: _CUT,
    errno.EPIPE: _CUT,
    errno.ENETUNREACH: Trouble(
        "this machine has no way to that network", "check its network cable and routes", ours=True
    ),
    errno.ENETDOWN: Trouble("this machine's network is down", "check its network cable", ours=True),
    errno.EMFILE: Trouble("too many open files", "raise `ulimit -n` of the gateway", ours=True),
    errno.ENFILE: Trouble("too many open files", "raise the system's limit of open files", ours=True),
}


def trouble(error: Exception, *, connected: bool) -> Trouble:
    """What an error of aiohttp or of the socket means, in words that name no URL and no password."""
    match error:
        case TimeoutError():
            return NO_ANSWER if connected else NO_CONNECTION
        case aiohttp.ClientConnectorDNSError():
            return _UNKNOWN_NAME
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ServerFingerprintMismatch():
            return _CERTIFICATE
        case aiohttp.ClientSSLError():
            return _NO_HTTP
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return _CUT
        case aiohttp.ClientResponseError():
            return _NO_HTTP
    number = error.errno if isinstance(error, OSError) else None
    if number is not None:
        if number in _BY_ERRNO:
            return _BY_ERRNO[number]
        return Trouble(os.strerror(number) if number > 0 else "its name is not known", connected=connected)
    return Trouble(f"the request failed ({type(error).__name__})", connected=connected)


def origin(base: str) -> str:
    """The address without path, query, user and password: what may be shown."""
    try:
        return str(URL(base).origin())
    except ValueError:
        return "a URL that cannot be read"


def certificate(word: str) -> bool | aiohttp.Fingerprint:
    """What aiohttp wants to know of `WebPoller.certificate`."""
    if word == "any":
        return False
    return aiohttp.Fingerprint(bytes.fromhex(word.replace(":", ""))) if word else True


async def _connected(_session: object, context: SimpleNamespace, _parameters: object) -> None:
    context.trace_request_ctx.connected = True


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )
