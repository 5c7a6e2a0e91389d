"""What serial lines do to the real gateway: pulled in mid-frame, plugged in elsewhere, noise, breaks, more than is read, byte by byte."""

from __future__ import annotations

import asyncio
import os
import pty
import random
import signal
import threading
import time
import tty
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Self

import msgspec
import pytest

from device_drivers.modbus.device import slave_answer
from device_drivers.rdm6300.device import frame
from device_drivers.rdm6300.frame import CUT, OUTSIDE
from gateway.connections import serial_ports
from gateway.instants import MINUTE, instant
from gateway.runtime import Gateway
from gateway.site.model import Checkpoint, Device, Person, Place, RoundRule, Route, Site, Visit
from tests.faults.ledger import damaged, half_applied, read_only, twice
from tests.links.osdp_device import KEY, a_line, a_reader, tap
from tests.support.gateway_process import GatewayProcess

pytestmark = pytest.mark.slow

SEED = 20261129
READERS = ("rdr-pulled", "rdr-noise", "rdr-break", "rdr-full", "rdr-slow")
TAG = "0000AB12"


class Line:
    """A port under a name that stays (`/dev/serial/by-id`), while its adapter is now this terminal, now another."""

    def __init__(self, name: Path) -> None:
        self.name = name
        self._open: list[int] = []
        self.master = -1
        self._terminal = ""

    def plug(self) -> str:
        """Plug the adapter in; gives the terminal that it is now, which is never the one that it was."""
        before = self._terminal
        while True:
            self.master, slave = pty.openpty()
            self._open += [self.master, slave]
            self._terminal = os.ttyname(slave)
            if self._terminal != before:
                break
        tty.setraw(slave)
        os.set_blocking(self.master, False)
        self.name.symlink_to(self._terminal)
        return self._terminal

    def pull(self) -> None:
        """Pull it out."""
        self.name.unlink(missing_ok=True)
        for descriptor in self._open:
            os.close(descriptor)
        self._open.clear()

    def write(self, data: bytes) -> None:
        """Write all of it, as fast as it is taken."""
        deadline = time.monotonic() + 20
        while data:
            assert time.monotonic() < deadline, "the line is not read"
            sent = self.offer(data)
            data = data[sent:]
            if not sent:
                time.sleep(0.002)

    def offer(self, data: bytes) -> int:
        """Write what the line takes now; gives how many bytes that were."""
        with suppress(BlockingIOError):
            return os.write(self.master, data)
        return 0


def frames(number: int, first: int) -> tuple[list[str], list[bytes]]:
    """Tags that differ, and the frame of each."""
    tags = [f"{first + each:08X}" for each in range(number)]
    return tags, [frame(tag) for tag in tags]


def site(lines: dict[str, Line]) -> dict[str, object]:
    return {
        "site": {"id": "s", "timezone": "UTC", "language": "en", "latitude": 31.2, "longitude": 121.5},
        "places": [{"id": "gate"}],
        "people": [{"id": "g", "name": "G", "roles": ["guard"], "tags": [TAG]}],
        "devices": [
            {"id": name, "driver": "rdm6300", "place": "gate", "link": {"serial": str(line.name)}}
            for name, line in lines.items()
        ],
        "mqtt": {"broker": "embedded", "port": 0},
    }


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Line]]:
    folder = tmp_path_factory.mktemp("by-id")
    found = {name: Line(folder / f"usb-{name}-if00-port0") for name in READERS}
    for line in found.values():
        line.plug()
    yield found
    for line in found.values():
        line.pull()


@pytest.fixture(scope="module")
def gateway(lines: dict[str, Line], tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path_factory.mktemp("gateway"), site(lines)) as process:
        process.start()
        for name in lines:
            until(lambda name=name: states(process, name)[-1:] == [True], f"{name} is up")
        yield process
        assert process.stop() == 0
        with closing(read_only(process.data / "journal.db")) as connection:
            assert [*damaged(connection), *half_applied(connection)] == []


def until(condition: Callable[[], bool], what: str, longest_s: float = 20.0) -> None:
    deadline = time.monotonic() + longest_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {longest_s:g} s"
        time.sleep(0.02)


def links(gateway: GatewayProcess, device: str) -> list[dict[str, object]]:
    rows = gateway.query(f"SELECT body FROM log WHERE kind = 'link' AND device = '{device}' ORDER BY seq")
    return [msgspec.json.decode(body) for (body,) in rows]


def states(gateway: GatewayProcess, device: str) -> list[object]:
    """Whether its line was up, each change; signs that it still is, and noise, left out."""
    found: list[object] = []
    for each in links(gateway, device):
        if found[-1:] != [each["up"]]:
            found.append(each["up"])
    return found


def taps(gateway: GatewayProcess, device: str) -> Counter[str]:
    rows = gateway.query(f"SELECT body FROM log WHERE kind = 'tag_read' AND device = '{device}'")
    return Counter(msgspec.json.decode(body)["tag"][-8:] for (body,) in rows)


def set_aside(gateway: GatewayProcess, device: str) -> list[tuple[bytes, str]]:
    return gateway.query(f"SELECT payload, reason FROM quarantine WHERE topic = '{device}' ORDER BY seq")


def once(gateway: GatewayProcess, device: str, tags: list[str]) -> None:
    """Each of these is stored, once, and nothing else of the device."""
    until(lambda: set(tags) <= set(taps(gateway, device)), f"{device}: all is stored")
    assert taps(gateway, device) == Counter(tags)


def ready(gateway: GatewayProcess) -> bool:
    try:
        with urllib.request.urlopen(f"{gateway.url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


def test_a_line_pulled_in_mid_frame_goes_on_under_another_terminal_of_the_same_name(
    gateway: GatewayProcess, lines: dict[str, Line]
) -> None:
    device, line = "rdr-pulled", lines["rdr-pulled"]
    tags, sent = frames(6, 0x1000)
    until(lambda: ready(gateway), "ready")
    line.write(sent[0] + sent[1] + sent[2][:6])
    once(gateway, device, tags[:2])
    line.pull()
    until(lambda: states(gateway, device) == [True, False], "the line is down")
    down = links(gateway, device)[-1]
    assert down["reason"]
    until(lambda: not ready(gateway), "not ready while a line is down")
    assert set_aside(gateway, device) == [(sent[2][:6], CUT)]
    line.plug()
    # what is sent before the port is opened no program can have
    until(lambda: states(gateway, device) == [True, False, True], "the line is up again")
    line.write(sent[2][6:] + b"".join(sent[3:]))
    once(gateway, device, [*tags[:2], *tags[3:]])
    assert set_aside(gateway, device)[1:] == [(sent[2][6:], OUTSIDE)]
    until(lambda: ready(gateway), "ready again")


def test_noise_is_set_aside_with_its_reason_in_bounded_pieces_and_every_frame_in_it_is_read(
    gateway: GatewayProcess, lines: dict[str, Line]
) -> None:
    device, chance = "rdr-noise", random.Random(SEED)
    tags, sent = frames(40, 0x2000)
    noise = [chance.randbytes(chance.randrange(1, 4000)) for _ in sent]
    for garbage, good in zip(noise, sent, strict=True):
        lines[device].write(garbage + good)
    once(gateway, device, tags)
    kept, size = set_aside(gateway, device), sum(map(len, noise))
    print(f"seed {SEED}: {size} bytes of noise, {len(kept)} pieces")
    assert all(reason for _, reason in kept)
    assert 0 < sum(len(data) for data, _ in kept) <= size
    assert len(kept) <= size // 16, "noise must not become a row a byte"
    assert len(links(gateway, device)) <= 2 + 2 * 20, "a line full of noise is told of twice a second"


def test_a_break_costs_the_frame_that_it_falls_into_and_no_other(
    gateway: GatewayProcess, lines: dict[str, Line]
) -> None:
    device = "rdr-break"
    tags, sent = frames(5, 0x3000)
    lines[device].write(
        b"\0" * 300 + sent[0] + b"\0" + sent[1] + sent[2][:7] + b"\0" + sent[2][7:] + sent[3] + b"\0" * 5000 + sent[4]
    )
    once(gateway, device, [tags[0], tags[1], tags[3], tags[4]])
    kept = set_aside(gateway, device)
    assert any(sent[2][:7] in data for data, _ in kept)
    assert len(kept) < 5300 // 16


def test_what_a_line_holds_while_the_gateway_stands_still_is_read_and_what_it_drops_costs_no_other_frame(
    gateway: GatewayProcess, lines: dict[str, Line]
) -> None:
    device, line = "rdr-full", lines["rdr-full"]
    tags, sent = frames(3000, 0x4000)
    stream, process = b"".join(sent), gateway.process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    try:
        taken = 0
        while more := line.offer(stream[taken:]):
            taken += more
    finally:
        os.kill(process.pid, signal.SIGCONT)
    whole = taken // len(sent[0])
    assert 0 < whole < len(sent) - 10
    later_tags, later = tags[-5:], sent[-5:]
    line.write(b"".join(later))
    once(gateway, device, tags[:whole] + later_tags)
    rest = stream[whole * len(sent[0]) : taken]
    assert [data for data, _ in set_aside(gateway, device)] == ([rest] if rest else [])


def test_bytes_that_come_one_by_one_are_read_as_frames(gateway: GatewayProcess, lines: dict[str, Line]) -> None:
    device, line = "rdr-slow", lines["rdr-slow"]
    tags, sent = frames(20, 0x9000)
    for byte in b"".join(sent):
        line.write(bytes([byte]))
        time.sleep(0.002)  # the pace of 9600 baud, roughly: the gateway finds single bytes
    once(gateway, device, tags)
    assert set_aside(gateway, device) == []


# -- nobody is accused for what a line has lost

TEN = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
ROUND = "r@2026-11-25T22:00+08:00"
CASES = ("whole", "cut", "noise")


class Clock:
    def __init__(self) -> None:
        self.time = TEN - timedelta(minutes=30)

    def __call__(self) -> datetime:
        return self.time


def the_site(lines: dict[str, Line]) -> Site:
    return Site(
        id="s",
        name="s",
        timezone="Asia/Shanghai",
        latitude=31.2,
        longitude=121.5,
        places={"gate": Place(id="gate", name="gate")},
        people={"g": Person(id="g", name="G", roles=("guard",), tags=(TAG,))},
        devices={
            name: Device(
                id=name,
                driver="rdm6300",
                kind="reader",
                place="gate",
                expect_every=MINUTE,
                transmits_only=True,
                link={"serial": str(line.name)},
            )
            for name, line in lines.items()
        },
        checkpoints={f"cp-{name}": Checkpoint(id=f"cp-{name}", place="gate", reader=name) for name in lines},
        routes={"r": Route(id="r", visits=tuple(Visit(checkpoint=f"cp-{name}", after=5 * MINUTE) for name in lines))},
        rounds=(RoundRule(route="r", days=frozenset(range(7)), starts=(clock_time(22),), lasts=10 * MINUTE),),
        digest="serial",
    )


async def test_a_visit_whose_reader_was_cut_or_noisy_at_its_time_is_never_missed(tmp_path: Path) -> None:
    lines = {name: Line(tmp_path / name) for name in CASES}
    for line in lines.values():
        line.plug()
    clock = Clock()
    model = the_site(lines)
    try:
        async with Gateway(model, tmp_path / "data", clock=clock) as gateway:
            ports = serial_ports(gateway.intake.router, gateway.intake, gateway.clock)
            running = asyncio.create_task(gateway.run(ports))
            try:
                await a_round(gateway, clock, lines, {port.name: port for port in ports})
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            found = gateway.judgement.engine.rounds.round(ROUND)
            assert found is not None
            verdicts = {visit.checkpoint: (visit.verdict, visit.cause) for visit in found.visits}
        assert verdicts["cp-whole"] == ("missed", None)
        assert verdicts["cp-cut"] == ("unverifiable", "reader_offline")
        assert verdicts["cp-noise"] == ("unverifiable", "reader_gap")
    finally:
        for line in lines.values():
            line.pull()


async def a_round(gateway: Gateway, clock: Clock, lines: dict[str, Line], ports: dict[str, object]) -> None:
    """An hour and a half in steps of a minute; at 22:04 one line is pulled in mid-frame, at 22:05 another is full of noise."""
    up = {name: ports[str(line.name)] for name, line in lines.items()}
    await soon(lambda: all(port.state.up for port in up.values()), "all lines are up")  # type: ignore[attr-defined]
    while clock.time < TEN + timedelta(hours=1):
        clock.time += timedelta(minutes=1)
        for name, port in up.items():  # what `Gateway.run` notes of an open port each half minute
            if port.state.up:  # type: ignore[attr-defined]
                sign = {"kind": "link", "device": name, "at": clock.time, "up": True}
                gateway.intake.observe(msgspec.json.encode(sign), instant(clock.time))
        if clock.time == TEN + timedelta(minutes=4):
            lines["cut"].write(frame(TAG)[:8])
            lines["cut"].pull()
            await soon(lambda: not up["cut"].state.up, "the line is down")  # type: ignore[attr-defined]
        if clock.time == TEN + timedelta(minutes=5):
            lines["noise"].write(b"\x55" * 40)
            await soon(lambda: gateway.intake.counters.quarantined > 0, "noise is set aside")
        if clock.time == TEN + timedelta(minutes=6):
            lines["cut"].plug()
            await soon(lambda: bool(up["cut"].state.up), "the line is up again")  # type: ignore[attr-defined]
        gateway.intake.tick(instant(clock.time))
        await gateway.intake.wake()


async def soon(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)


# -- the gateway is killed

KILLS = 3
LUX = 46


class Slave:
    """A light sensor (CWT-SL) that answers whoever asks, whatever becomes of the gateway."""

    def __init__(self, line: Line) -> None:
        line.plug()
        self._line = line
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._answer, daemon=True)

    def _answer(self) -> None:
        request = b""
        while not self._ended.wait(0.005):
            with suppress(BlockingIOError):
                request += os.read(self._line.master, 4096)
            if len(request) >= REQUEST:
                self._line.offer(slave_answer(request[-REQUEST:], 1, {3: {6: LUX}}))
                request = b""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)
        self._line.pull()


REQUEST = 8
"""Bytes of a request to read registers."""


@pytest.mark.nightly
def test_killed_again_and_again_modbus_and_osdp_lines_are_up_after_each_start_and_read_once(tmp_path: Path) -> None:
    """OSDP has no acknowledgement that the gateway could hold back until a card is stored: a card of the last moment may be lost, never doubled."""
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    with a_line(tmp_path) as (osdp, wire), a_reader(wire) as device, Slave(Line(tmp_path / "modbus")):
        described = site({}) | {
            "devices": [
                {
                    "id": "rdr",
                    "driver": "osdp",
                    "place": "gate",
                    "link": {"serial": str(osdp.path)},
                    "settings": {"scbk": "env:OSDP_KEY"},
                },
                {
                    "id": "lux",
                    "driver": "modbus_lux",
                    "place": "gate",
                    "link": {"serial": str(tmp_path / "modbus")},
                    "settings": {"profile": "cwt_sl", "address": 1, "every_s": 1},
                },
            ]
        }
        kept, maybe = [], []
        with GatewayProcess(tmp_path / "gateway", described) as gateway:

            def stored(device: str, kind: str, where: str = "1") -> int:
                sql = f"SELECT count(*) FROM log WHERE device = '{device}' AND kind = '{kind}' AND {where}"
                return int(gateway.query(sql)[0][0])

            ups = "json_extract(CAST(body AS TEXT), '$.online')"
            for number in range(KILLS + 1):
                known = (tmp_path / "gateway/data/journal.db").exists()
                up, lux = (stored("rdr", "device_status", ups), stored("lux", "light_level")) if known else (0, 0)
                gateway.start(OSDP_KEY=KEY.hex())
                until(lambda up=up: stored("rdr", "device_status", ups) > up, "the OSDP reader is up")
                until(lambda lux=lux: stored("lux", "light_level") > lux, "the light sensor is read")
                kept.append(f"{0xA0000000 + number:08X}")
                tap(device, 32, bytes.fromhex(kept[-1]))
                until(lambda: taps(gateway, "rdr")[kept[-1]] == 1, "the card is stored")
                if number == KILLS:
                    assert gateway.stop() == 0
                    break
                maybe.append(f"{0xB0000000 + number:08X}")
                tap(device, 32, bytes.fromhex(maybe[-1]))
                time.sleep(chance.uniform(0.0, 0.2))
                gateway.kill()
                with closing(read_only(gateway.data / "journal.db")) as connection:
                    assert [*damaged(connection), *half_applied(connection), *twice(connection)] == []
            found = taps(gateway, "rdr")
            assert {tag: found[tag] for tag in kept} == dict.fromkeys(kept, 1)
            assert set(found) <= {*kept, *maybe}
            assert max(found.values()) == 1
            levels = gateway.query(
                "SELECT DISTINCT json_extract(CAST(body AS TEXT), '$.lux') FROM log WHERE kind = 'light_level'"
            )
            assert levels == [(LUX,)]
            assert gateway.query("SELECT count(*) FROM quarantine") == [(0,)]
            print(
                f"{KILLS} kills; of {len(maybe)} cards of the last moment {sum(tag in found for tag in maybe)} were kept"
            )
