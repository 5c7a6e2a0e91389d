"""`lamplighter demo`: a simulated estate on a real gateway, with a week of history."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from api.access.invitations import Invitations
from api.app import create_app
from api.commands.run import log_to_terminal, until_stopped
from api.server import Listener, listen, serve
from api.simulated import estate_of, walks_of
from device_drivers.simulation.live import Broker, SerialLine, speak
from device_drivers.simulation.story import STORY_S, tell_history, tell_live
from device_drivers.simulation.world import Said, World
from gateway.instants import instant
from gateway.links.link import Envelope, LinkState, Token
from gateway.runtime import Gateway, utc_now
from gateway.service import open_service
from gateway.site.load import load_site
from gateway.site.model import Site
from gateway.site.plans import plan_rounds

SITE = Path(__file__).parents[2] / "config" / "demo.yaml"
NIGHTS = 7
_REPORT_EVERY_S = 5.0
"""Live, everything reports this often: the story is to be seen within ten minutes."""
_FED_AT_ONCE = 500
_LIVE_STOPS = 4


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address of the console [127.0.0.1]")
    parser.add_argument("--port", type=int, default=0, help="port of the console [a free one]")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="keep the journal here [a folder that is removed at the end]"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all chance in the simulation [1]")
    parser.add_argument("--no-browser", action="store_true", help="do not open the console in a browser")


def run(parsed: argparse.Namespace) -> int:
    log_to_terminal(logging.ERROR)
    listener = listen(parsed.host, parsed.port)
    with contextlib.ExitStack() as stack:
        stack.callback(listener.close)
        data = parsed.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lamplighter-demo-")))
        return asyncio.run(_demo(parsed, data, listener, stack))


async def _demo(parsed: argparse.Namespace, data: Path, listener: Listener, stack: contextlib.ExitStack) -> int:
    began = time.monotonic()
    lines: dict[str, SerialLine] = {}
    site = demo_site(data, utc_now(), lines)
    for line in lines.values():
        stack.callback(line.close)
    clock = Clock(history_start(site, utc_now()))
    async with Gateway(site, data, clock=clock.now) as gateway:
        world = World(estate_of(site), clock.now(), parsed.seed)
        await past(gateway, world, clock)
        async with open_service(site, data, gateway) as service:
            invitations = Invitations()
            app = create_app(gateway, invitations=invitations)
            link = f"{listener.url}/login/once?token={invitations.login('demo', 'operator', gateway.now())}"
            seconds = time.monotonic() - began
            print(f"{site.name}: seven nights judged in {seconds:.1f} s; the console is at")
            print(f"  {link}")
            print("(a log-in for one use; stop with Ctrl-C)", flush=True)
            if not parsed.no_browser and (sys.platform == "darwin" or os.environ.get("DISPLAY")):
                webbrowser.open(link)
            broker = service.broker
            estate = Broker(broker.host, broker.port, broker.username, broker.password)
            return await until_stopped(
                service.run(
                    console=lambda: serve(app, listener),
                    estate=lambda: speak(world, estate, lines),
                    story=lambda: _tell(site, world),
                )
            )


class Clock:
    """Stands in the past while history is fed, then follows the wall clock."""

    def __init__(self, start: datetime) -> None:
        self._fixed: datetime | None = start

    def now(self) -> datetime:
        return self._fixed if self._fixed is not None else utc_now()

    def go(self, until: datetime) -> None:
        """It is now `until`."""
        self._fixed = until

    def release(self) -> None:
        """Follow the wall clock from now on."""
        self._fixed = None


class Past:
    """The link over which history comes: real messages with the times at which they would have been received."""

    name = "history"
    state = LinkState(name="history", up=True, since=datetime(1970, 1, 1, tzinfo=UTC))

    def __init__(self) -> None:
        self.reading = asyncio.Event()
        self.reading.set()

    async def run(self) -> None:
        """Nothing runs: history is fed."""

    def pause(self) -> None:
        self.reading.clear()

    def resume(self) -> None:
        self.reading.set()

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """The devices of the past wait for nothing."""


async def past(gateway: Gateway, world: World, clock: Clock) -> None:
    """Let the nights before today happen, through decoders, journal and judge; then it is now."""
    site = gateway.site
    now = utc_now()
    tell_history(world, walks_of(site, plan_rounds(site, instant(clock.now()), instant(now))))
    link = Past()
    for said in _pieces(world.run(now)):
        await link.reading.wait()
        clock.go(said[-1].at)
        _feed(gateway, link, said)
        await asyncio.sleep(0)
    await gateway.intake.drained()
    clock.release()


def _pieces(said: Iterator[Said]) -> Iterator[list[Said]]:
    piece: list[Said] = []
    for each in said:
        piece.append(each)
        if len(piece) >= _FED_AT_ONCE:
            yield piece
            piece = []
    if piece:
        yield piece


def _feed(gateway: Gateway, link: Past, said: Sequence[Said]) -> None:
    """Hand over in order; messages between two serial reads go together."""
    messages: list[Envelope] = []
    for each in said:
        if each.topic is not None:
            messages.append(Envelope(each.topic, each.payload, each.at, False, Token(1, 0)))
            continue
        if messages:
            gateway.intake.messages(link, messages)
            messages = []
        gateway.intake.chunk(link, each.device, each.payload, each.at)
    if messages:
        gateway.intake.messages(link, messages)


async def _tell(site: Site, world: World) -> None:
    """The live story, told again and again."""
    world.hasten(_REPORT_EVERY_S)
    while True:
        start = utc_now()
        end = start + timedelta(seconds=STORY_S)
        walks = walks_of(site, plan_rounds(site, instant(start), instant(end)))
        for after_s, text in tell_live(world, walks, start):
            print(f"  {(start + timedelta(seconds=after_s)).astimezone(site.zone_info):%H:%M:%S}  {text}", flush=True)
        await asyncio.sleep(STORY_S)


def history_start(site: Site, now: datetime) -> datetime:
    """Noon before the first of the seven nights, in the site's zone."""
    local = now.astimezone(site.zone_info)
    return (local - timedelta(days=NIGHTS)).replace(hour=12, minute=0, second=0, microsecond=0)


def demo_site(data: Path, now: datetime, lines: dict[str, SerialLine]) -> Site:
    """The demo's site file: config/demo.yaml with a free broker port, real serial lines and short rounds from now on.

    Args:
        data: where the file is written, so that a person can read what is being judged.
        now: the short rounds start with the next full minute.
        lines: gets the serial line that was opened for each serial reader.
    """
    text: dict[str, Any] = yaml.safe_load(SITE.read_text(encoding="utf-8"))
    for device in text["devices"]:
        if "serial" in device.get("link", {}):
            lines[device["id"]] = SerialLine()
            device["link"]["serial"] = lines[device["id"]].path
    text["hold"] = "30s"
    text["mqtt"] = {"broker": "embedded", "port": 0}
    for lamp in text["lamps"]:
        lamp["confirm"] = "1m"
    _add_live_round(text, now)
    path = data / "site.yaml"
    data.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(text, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return load_site(path)[0]


def _add_live_round(text: dict[str, Any], now: datetime) -> None:
    """A route of four fixed readers, walked every three minutes from the next full minute on, for a day."""
    local = now.astimezone(ZoneInfo(text["site"]["timezone"])) + timedelta(minutes=1)
    fixed = [each["id"] for each in text["checkpoints"] if "reader" in each][:_LIVE_STOPS]
    visits = [{"checkpoint": each, "after": f"{20 + 25 * position}s"} for position, each in enumerate(fixed)]
    text["routes"].append({"id": "live", "order": "listed", "visits": visits, "tolerance": "20s", "band": "15s"})
    clock, day = f"{local:%H:%M}", local.date()
    text["rounds"].append(
        {
            "route": "live",
            "days": "mon-sun",
            "from": clock,
            "to": clock,
            "every": "3m",
            "lasts": "2m",
            "valid": {"since": day, "until": day},
        }
    )
