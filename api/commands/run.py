"""`lamplighter run`: the gateway, its console and API."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from api.access.accounts import Accounts
from api.access.invitations import Invitations
from api.app import create_app
from api.heap import spare
from api.reports.worker import ReportWorker
from api.server import Listener, listen, serve
from api.supervisor import supervisor
from api.tls import Certificate, TlsError
from device_drivers.errors import LamplighterError
from gateway.errors import JournalError
from gateway.runtime import Gateway
from gateway.service import PASSWORD_FILE, open_service
from gateway.site.load import load_site
from gateway.site.model import Site

DISK_FAILED = 3
"""Exit status when the journal could no longer be trusted; a supervisor should start the gateway again."""


CERTIFICATE, KEY = "LAMPLIGHTER_TLS_CERT", "LAMPLIGHTER_TLS_KEY"
"""Environment variables that stand for --tls-cert and --tls-key."""
IN_THE_OPEN = (
    "warning: the console listens on {host} without TLS: passwords and sessions cross the network in the open. "
    "Give --tls-cert and --tls-key, or let a proxy with TLS stand before it on this machine (--behind-proxy 127.0.0.1)."
)


class ProxyError(LamplighterError):
    """A proxy that cannot be believed."""


_STOP = (signal.SIGINT, signal.SIGTERM)

_LIBRARIES = {
    "amqtt": logging.CRITICAL,  # it prints tracebacks of what the embedded broker's link reports in a sentence
    "transitions": logging.ERROR,
    "apprise": logging.ERROR,
    "uvicorn": logging.ERROR,
}
"""What of the libraries' own talk is worth a person's while."""

_COLLECT_AT_START = (100_000, 50, 1000)
"""Thresholds of Python's cyclic garbage collector while the state is made anew from snapshot and log: nearly all of it stays."""

_COLLECT_AFTER = (20_000, 20, 100)
"""The same from then on. The state of a large site is millions of objects that never die: looking
through them again and again was a third of the cost of a message at 10,000 devices.
"""


def _path(name: str) -> Path | None:
    given = os.environ.get(name)
    return Path(given) if given else None


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", required=True, type=Path, metavar="SITE", help="the site file")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="where the journal is kept [data]"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address of the console [127.0.0.1]")
    parser.add_argument("--port", type=int, default=8080, help="port of the console; 0: any free one [8080]")
    parser.add_argument(
        "--tls-cert",
        type=Path,
        default=_path(CERTIFICATE),
        metavar="FILE",
        help=f"serve the console over TLS with this certificate (PEM, with its chain); taken anew when it changes [{CERTIFICATE}]",
    )
    parser.add_argument(
        "--tls-key", type=Path, default=_path(KEY), metavar="FILE", help=f"the certificate's private key (PEM) [{KEY}]"
    )
    parser.add_argument(
        "--behind-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="believe X-Forwarded-For and X-Forwarded-Proto from this address or network (10.0.0.5, 10.0.0.0/24); may be given again",
    )
    parser.add_argument(
        "--trust-clock",
        action="store_true",
        help="the machine's clock is right, though it shows a time long after the last one in the journal; say so only once",
    )


def run(parsed: argparse.Namespace) -> int:
    spare()
    log_to_terminal(logging.INFO)
    site, warnings = load_site(parsed.site)
    for warning in warnings:
        print(warning, file=sys.stderr)
    certificate = certificate_of(parsed.tls_cert, parsed.tls_key)
    proxies = [network(text) for text in parsed.behind_proxy]
    listener = listen(parsed.host, parsed.port, tls=certificate is not None)
    if certificate is None and not is_loopback(listener):
        print(IN_THE_OPEN.format(host=parsed.host), file=sys.stderr, flush=True)
    try:
        return asyncio.run(
            until_stopped(_run(site, parsed.data, listener, certificate, proxies, trust_clock=parsed.trust_clock))
        )
    finally:
        listener.close()


def certificate_of(chain: Path | None, key: Path | None) -> Certificate | None:
    """The certificate that the console is served with; None: plain HTTP.

    Raises:
        TlsError: one of the two is missing, or they cannot be used.
    """
    if chain is None and key is None:
        return None
    if chain is None or key is None:
        raise TlsError("--tls-cert and --tls-key go together; give both")
    return Certificate(chain, key)


def network(text: str) -> str:
    """An address or network whose word is believed.

    Raises:
        ProxyError: it is none, or it is all of them.
    """
    try:
        found = ip_network(text)
    except ValueError as error:
        raise ProxyError(f"--behind-proxy: expected an address or network such as 10.0.0.5, got {text!r}") from error
    if found.prefixlen == 0:
        raise ProxyError(
            "--behind-proxy: everybody could then say that he comes from anywhere; name the proxy's address"
        )
    return text


def is_loopback(listener: Listener) -> bool:
    """Whether only this machine reaches it."""
    return ip_address(listener.socket.getsockname()[0].partition("%")[0]).is_loopback


async def _run(
    site: Site,
    data: Path,
    listener: Listener,
    certificate: Certificate | None,
    proxies: Sequence[str],
    *,
    trust_clock: bool,
) -> int:
    gc.freeze()
    gc.set_threshold(*_COLLECT_AT_START)
    async with Gateway(site, data, trust_clock=trust_clock) as gateway, open_service(site, data, gateway) as service:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        invitations = Invitations()
        app = create_app(gateway, invitations=invitations)

        def console() -> Coroutine[Any, Any, None]:
            return serve(app, listener, certificate=certificate, proxies=proxies)

        print(f"{site.name}: {listener.url}", flush=True)
        if not await Accounts(gateway).any():
            link = f"{listener.url}/setup?token={invitations.setup(gateway.now())}"
            print(f"first start; make the first account within a day: {link}", flush=True)
        if (broker := service.broker).embedded:
            where = f"mqtt://{broker.host}:{broker.port}, user {broker.username}, password in {data / PASSWORD_FILE}"
            print(f"embedded broker: {where}", flush=True)
        told = supervisor(os.environ)
        more = {"supervisor": told.run} if told is not None else {}
        return await until_disk_fails(service.run(console=console, reports=ReportWorker(gateway).run, **more))


def log_to_terminal(level: int) -> None:
    """Log lines to standard error; of the libraries only what went wrong."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(lambda record: record.levelno >= _LIBRARIES.get(record.name.partition(".")[0], 0))


async def until_stopped(work: Coroutine[Any, Any, int | None]) -> int:
    """Run `work` until it ends, or the process is told to stop (SIGINT, SIGTERM) and it has ended in order: 0.

    Told a second time, the process ends at once: nothing that was acknowledged is lost by it. If nobody told it to stop and it was
    cancelled all the same, that is a fault: 1, so that whoever watches over it starts it again.
    """
    task = asyncio.create_task(work, name="gateway")
    loop = asyncio.get_running_loop()
    told = False

    def stop() -> None:
        nonlocal told
        told = True
        for number in _STOP:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        task.cancel()

    for number in _STOP:
        loop.add_signal_handler(number, stop)
    try:
        return await task or 0
    except asyncio.CancelledError:
        if not told:
            print("lamplighter: it was cancelled from within, which is a fault of its own", file=sys.stderr)
        return int(not told)
    finally:
        for number in _STOP:
            loop.remove_signal_handler(number)


async def until_disk_fails(work: Coroutine[Any, Any, None]) -> int:
    """Run a gateway that is at work; 3: the disk has failed."""
    try:
        await work
    except JournalError as error:
        print(f"lamplighter: {error}", file=sys.stderr)
        return DISK_FAILED
    return 0
