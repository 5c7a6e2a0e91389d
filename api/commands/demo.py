"""`lamplighter demo`: a simulated estate on a real gateway, with a week of history."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import re
import shutil
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from api.access.accounts import insert_account
from api.access.invitations import Invitations
from api.access.roles import ROLES, Role
from api.app import create_app
from api.commands.run import log_to_terminal, until_disk_fails, until_stopped
from api.heap import spare
from api.reports.worker import ReportWorker
from api.server import Listener, listen, serve
from api.simulated import estate_of, walks_of
from api.workshop import Workshop
from device_drivers.errors import LamplighterError
from device_drivers.simulation.estate import Walk
from device_drivers.simulation.live import Broker, SerialLine, speak
from device_drivers.simulation.story import (
    FIRST_STOP_S,
    ROUND_EVERY_S,
    ROUND_LASTS_S,
    STOP_EVERY_S,
    STORY_S,
    tell_history,
    tell_live,
)
from device_drivers.simulation.world import Said, World
from gateway.instants import Instant, instant
from gateway.journal.store import FILE
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
_PACE = 2.4
"""In history everything reports more rarely, just often enough not to be missed: a week is judged in seconds."""

_PORT_SIGN = timedelta(minutes=10)
"""How often an open serial port is noted in history (live: each 30 s)."""

_LEAD = timedelta(seconds=25)
"""The live part begins with the first full minute after this: time to judge the history and to open the console."""

_FED_AT_ONCE = 500
_HIS_WAY = timedelta(minutes=12)
"""How long the technician needs to a place; live he is there within the story."""
_HIS_WAY_LIVE = timedelta(seconds=45)
_LIVE_STOPS = 4
_GUARD = "c-chen"
"""Whose phone it is: he is on duty by day and by night."""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address of the console [127.0.0.1]")
    parser.add_argument("--port", type=int, default=0, help="port of the console [a free one]")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="keep the journal in this new folder [one that is removed at the end]"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all chance in the simulation [1]")
    parser.add_argument("--no-browser", action="store_true", help="do not open the console in a browser")


def run(parsed: argparse.Namespace) -> int:
    spare()
    log_to_terminal(logging.ERROR)
    if parsed.data is not None and (parsed.data / FILE).exists():
        raise LamplighterError(
            f"--data {parsed.data}: holds a journal already; the demo makes its own, in a new folder"
        )
    listener = listen(parsed.host, parsed.port)
    with contextlib.ExitStack() as stack:
        stack.callback(listener.close)
        data = parsed.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lamplighter-demo-")))
        return asyncio.run(until_stopped(_demo(parsed, data, listener, stack)))


async def _demo(parsed: argparse.Namespace, data: Path, listener: Listener, stack: contextlib.ExitStack) -> int:
    began = time.monotonic()
    lines: dict[str, SerialLine] = {}
    live = live_start(utc_now())
    site = demo_site(data, live, lines)
    for line in lines.values():
        stack.callback(line.close)
    clock = Clock(history_start(site, utc_now()))
    async with Gateway(site, data, clock=clock.now) as gateway:
        world = World(estate_of(site), clock.now(), parsed.seed, _PACE)
        await past(gateway, world, clock, live)
        async with open_service(site, data, gateway) as service:
            invitations = Invitations()
            app = create_app(gateway, invitations=invitations)
            door = Door(listener.url, invitations, gateway.now)
            seconds = time.monotonic() - began
            print(f"{site.name}: seven nights judged in {seconds:.1f} s; the console is at")
            print(f"  {(link := door.link('admin'))}")
            print("(a log-in for one use; stop with Ctrl-C)", flush=True)
            await _guard(gateway)
            print(f"a guard's phone, in a private window: {door.link('guard')}")
            print(f"  a tag on the wall, as his phone opens it: {listener.url}/t/{_tag(site)}", flush=True)
            if sys.stdin.isatty():
                print(f"Enter gives another one; so does a role: {', '.join(ROLES)}", flush=True)
                door.open()
            if not parsed.no_browser and (sys.platform == "darwin" or os.environ.get("DISPLAY")):
                webbrowser.open(link)
            broker = service.broker
            estate = Broker(broker.host, broker.port, broker.username, broker.password)
            return await until_disk_fails(
                service.run(
                    console=lambda: serve(app, listener),
                    reports=ReportWorker(gateway).run,
                    estate=lambda: speak(world, estate, lines),
                    story=lambda: _tell(site, world, live),
                    workshop=lambda: _mend(gateway, world),
                )
            )


async def _guard(gateway: Gateway) -> None:
    """Somebody who is always on duty has an account for his phone."""
    now = gateway.now()
    person = ("UPDATE accounts SET person = ? WHERE name = ?", (_GUARD, Door.name("guard")))
    await gateway.write([insert_account(Door.name("guard"), "guard", None, now), person])


def _tag(site: Site) -> str:
    """A tag on a wall of the site."""
    return next(tag for point in site.checkpoints.values() for tag in point.tags)


class Door:
    """Log-ins for one use, as any role."""

    def __init__(self, url: str, invitations: Invitations, now: Callable[[], Instant]) -> None:
        self._url = url
        self._invitations = invitations
        self._now = now

    def link(self, role: Role) -> str:
        """The address that logs in as `role`."""
        return f"{self._url}/login/once?token={self._invitations.login(self.name(role), role, self._now())}"

    @staticmethod
    def name(role: Role) -> str:
        """The account of a role."""
        return "demo" if role == "admin" else f"demo-{role}"

    def open(self) -> None:
        """Answer what is typed at the terminal from now on."""
        asyncio.get_running_loop().add_reader(sys.stdin, self._typed)

    def _typed(self) -> None:
        if os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp():
            return  # put into the background: the line is the shell's
        if line := sys.stdin.readline():
            self._answer(line)
        else:
            asyncio.get_running_loop().remove_reader(sys.stdin)

    def _answer(self, line: str) -> None:
        word = line.strip() or "admin"
        role = next((each for each in ROLES if each == word), None)
        print(f"  {self.link(role)}" if role else f"  a role is one of {', '.join(ROLES)}", flush=True)


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


async def past(gateway: Gateway, world: World, clock: Clock, live: datetime) -> None:
    """Let the nights before today happen, through decoders, journal and judge; then it is now.

    A round that starts between now and `live`, when the story begins, is walked as well.
    """
    site = gateway.site
    now = utc_now()
    tell_history(world, walks_between(site, clock.now(), live), live)
    link, workshop = Past(), Workshop(gateway, world, _HIS_WAY)
    fed = 0
    while (at := clock.now()) < now:
        _sign_ports(gateway, at)
        until = min(at + _PORT_SIGN, now)
        said = list(world.run(until))
        _feed(gateway, link, said)
        clock.go(until)
        await workshop.look()
        fed += len(said)
        if fed >= _FED_AT_ONCE:
            fed = 0
            await asyncio.sleep(0)
            await link.reading.wait()
    await gateway.intake.drained()
    clock.release()


def _sign_ports(gateway: Gateway, at: datetime) -> None:
    """The serial lines of the past were open."""
    for device in gateway.intake.router.streams:
        body = {"kind": "link", "device": device, "at": at, "up": True}
        gateway.intake.observe(msgspec.json.encode(body), instant(at))


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


async def _tell(site: Site, world: World, start: datetime) -> None:
    """The live story from `start` on, told again and again."""
    world.hasten(_REPORT_EVERY_S)
    while True:
        end = start + timedelta(seconds=STORY_S)
        for after_s, text in tell_live(world, walks_between(site, start, end), start):
            print(f"  {(start + timedelta(seconds=after_s)).astimezone(site.zone_info):%H:%M:%S}  {text}", flush=True)
        start = end
        await asyncio.sleep((start - utc_now()).total_seconds())


def walks_between(site: Site, since: datetime, until: datetime) -> list[Walk]:
    """How the rounds that start in [since, until) are walked."""
    rounds = plan_rounds(site, instant(since), instant(until))
    return [walk for walk in walks_of(site, rounds) if since.timestamp() <= walk.start < until.timestamp()]


async def _mend(gateway: Gateway, world: World) -> None:
    """The technician goes to what the story breaks."""
    workshop = Workshop(gateway, world, _HIS_WAY_LIVE)
    while True:
        await workshop.look()
        await asyncio.sleep(5)


def history_start(site: Site, now: datetime) -> datetime:
    """Noon before the first of the seven nights that are over, in the site's zone."""
    local = now.astimezone(site.zone_info) - timedelta(hours=12)
    return (local - timedelta(days=NIGHTS)).replace(hour=12, minute=0, second=0, microsecond=0)


def live_start(now: datetime) -> datetime:
    """The full minute at which the live part begins."""
    return (now + _LEAD + timedelta(minutes=1)).replace(second=0, microsecond=0)


def demo_site(data: Path, live: datetime, lines: dict[str, SerialLine]) -> Site:
    """The demo's site file: config/demo.yaml with a free broker port, real serial lines and short rounds from now on.

    Args:
        data: where the file is written, so that a person can read what is being judged.
        live: the full minute at which the first of the short rounds starts.
        lines: gets the serial line that was opened for each serial reader.
    """
    text = SITE.read_text(encoding="utf-8")
    for device in re.findall(r"- {id: (\S+), driver: \w+, link: {serial:", text):
        lines[device] = SerialLine()
        text = re.sub(rf"(id: {re.escape(device)}, .*?serial: )[^}}]+", rf"\g<1>{lines[device].path}", text)
    text = re.sub(r"^hold: .*$", "hold: 30s", text, flags=re.MULTILINE)
    text = text.replace("broker: embedded", "broker: embedded, port: 0")
    text = re.sub(r"(- {id: lamp-.*?), expected:", r"\1, confirm: 1m, expected:", text)
    live_route, live_round = _live(text, live)
    text = text.replace("\nroutes:\n", f"\nroutes:\n{live_route}").replace("\nrounds:\n", f"\nrounds:\n{live_round}")
    path = data / "site.yaml"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    shutil.copytree(SITE.parent / "plans", data / "plans", dirs_exist_ok=True)
    return load_site(path)[0]


def _live(text: str, start: datetime) -> tuple[str, str]:
    """A route of the fixed readers, walked again and again from `start` on, for a day."""
    zone = re.search(r"timezone: ([\w/]+)", text)
    assert zone is not None
    local = start.astimezone(ZoneInfo(zone[1]))
    fixed = re.findall(r"- {id: (\S+), place: \S+, reader:", text)[:_LIVE_STOPS]
    visits = "".join(
        f"      - {{checkpoint: {each}, after: {FIRST_STOP_S + STOP_EVERY_S * turn}s}}\n"
        for turn, each in enumerate(fixed)
    )
    clock, day = f"{local:%H:%M}", local.date()
    shift = f'from: "{clock}", to: "{clock}", every: {ROUND_EVERY_S}s, lasts: {ROUND_LASTS_S}s'
    return (
        f"  - id: live\n    name: 演示巡更\n    order: listed\n    visits:\n{visits}    tolerance: 15s\n    band: 15s\n",
        f"  - {{route: live, days: mon-sun, {shift}, valid: {{since: {day}, until: {day}}}}}\n",
    )
