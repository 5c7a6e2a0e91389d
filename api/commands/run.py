"""`lamplighter run`: the gateway, its console and API."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from api.access.accounts import Accounts
from api.access.invitations import Invitations
from api.app import create_app
from api.reports.worker import ReportWorker
from api.server import Listener, listen, serve
from gateway.errors import JournalError
from gateway.runtime import Gateway
from gateway.service import PASSWORD_FILE, open_service
from gateway.site.load import load_site
from gateway.site.model import Site

DISK_FAILED = 3
"""Exit status when the journal could no longer be trusted; a supervisor should start the gateway again."""


_LIBRARIES = {
    "amqtt": logging.CRITICAL,  # it prints tracebacks of what the embedded broker's link reports in a sentence
    "transitions": logging.ERROR,
    "apprise": logging.ERROR,
    "uvicorn": logging.ERROR,
}
"""What of the libraries' own talk is worth a person's while."""

_COLLECT_AFTER = (20_000, 20, 100)
"""Thresholds of Python's cyclic garbage collector. The state of a large site is millions of objects that never die: looking
through them again and again was a third of the cost of a message at 10,000 devices.
"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", required=True, type=Path, metavar="SITE", help="the site file")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="where the journal is kept [data]"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address of the console [127.0.0.1]")
    parser.add_argument("--port", type=int, default=8080, help="port of the console; 0: any free one [8080]")


def run(parsed: argparse.Namespace) -> int:
    log_to_terminal(logging.INFO)
    site, warnings = load_site(parsed.site)
    for warning in warnings:
        print(warning, file=sys.stderr)
    listener = listen(parsed.host, parsed.port)
    try:
        return asyncio.run(_run(site, parsed.data, listener))
    finally:
        listener.close()


async def _run(site: Site, data: Path, listener: Listener) -> int:
    async with Gateway(site, data) as gateway, open_service(site, data, gateway) as service:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        invitations = Invitations()
        app = create_app(gateway, invitations=invitations)
        print(f"{site.name}: {listener.url}", flush=True)
        if not await Accounts(gateway).any():
            link = f"{listener.url}/setup?token={invitations.setup(gateway.now())}"
            print(f"first start; make the first account within a day: {link}", flush=True)
        if (broker := service.broker).embedded:
            where = f"mqtt://{broker.host}:{broker.port}, user {broker.username}, password in {data / PASSWORD_FILE}"
            print(f"embedded broker: {where}", flush=True)
        return await until_stopped(service.run(console=lambda: serve(app, listener), reports=ReportWorker(gateway).run))


def log_to_terminal(level: int) -> None:
    """Log lines to standard error; of the libraries only what went wrong."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(lambda record: record.levelno >= _LIBRARIES.get(record.name.partition(".")[0], 0))


async def until_stopped(work: Coroutine[Any, Any, None]) -> int:
    """Run `work` until the process is told to stop (SIGINT, SIGTERM): 0, or the disk has failed: 3."""
    task = asyncio.create_task(work, name="gateway")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return 0
    except JournalError as error:
        print(f"lamplighter: {error}", file=sys.stderr)
        return DISK_FAILED
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return 0
