"""How fast the judge is, and what it needs: `python -m tests.benchmarks.judge` (README.md says how to read the tables).

The real commands on files of simulated observations, and a real gateway killed and started again. What is counted is processor time.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from device_drivers.native.decoder import read_observation
from gateway.instants import DAY, MINUTE, instant
from gateway.journal.reader import Reader
from gateway.journal.store import Store
from gateway.journal.writer import Batch, Writer
from gateway.judgement import Judgement
from gateway.recovery import FORMAT, recover, state_of
from gateway.repeats import Repeats
from gateway.replay import replay_lines
from gateway.site.load import load_site
from gateway.site.model import Site
from tests.benchmarks.contenders import broker
from tests.benchmarks.history import add, fill
from tests.benchmarks.load import Estate
from tests.benchmarks.usage import cpu_s
from tests.support.gateway_process import GatewayProcess

START = datetime(2026, 1, 1, tzinfo=UTC)
COUNT = 400_000
SIZES = (10, 1000, 10_000)


class Load(NamedTuple):
    """What is said, how often by each device, whether rounds are due (one an hour), how many a second of one core are wanted, and whether
    silence is a fault.
    """

    kind: str
    every: int
    rounds: bool
    wanted: int | None
    silence: bool = True


LOADS = {
    "light": Load("light", MINUTE, True, 200_000),
    "heartbeat": Load("heartbeat", MINUTE, False, 200_000),
    "tap": Load("tap", MINUTE, False, 50_000),
    "heartbeats, no round walked": Load("heartbeat", MINUTE, True, None),
    "heartbeats, all walked": Load("walked", MINUTE, True, None),
    "taps, all walked": Load("round", MINUTE, True, None, silence=False),
    "taps, each minute in rounds": Load("tap", MINUTE, True, None, silence=False),
    "taps an hour apart": Load("tap", 60 * MINUTE, True, None),
}
"""The first three are what an observation costs by itself; the others are that and what follows from it: an hour's visits judged missed, with their
alerts and orders; rounds walked; taps alone, each of which serves a visit, and as many more as a window has minutes; readers that fall silent
between two taps, so that each ends one silence and begins another.
"""
_TAPPED = 10
"""Minute of the hour at which readers are tapped."""
MOST_APART = 0.20
STORED = 10_000_000
TAIL = 29_000
"""Rows since the newest snapshot: one is taken each 30,000."""
READY_S = 2.0

_YEAR_DAYS = (30, 365)
_NIGHT = (22, 6)


class Cost(NamedTuple):
    """What one run of `lamplighter replay` took."""

    cpu_s: float
    peak_mib: float


def command(site: Path, lines: Iterable[bytes], folder: Path) -> Cost:
    """Run `lamplighter replay` on lines given through its standard input, and throw away what it prints."""
    words = [sys.executable, "-m", "api", "replay", "--site", str(site), "-"]
    log = folder / "replay.log"
    with log.open("wb") as wrong:
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=wrong)
        assert process.stdin is not None
        process.stdin.writelines(lines)
        process.stdin.close()
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, log.read_text()
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def said(estate: Estate, kind: str, count: int, every: int = MINUTE) -> Iterator[bytes]:
    """`count` lines of one kind, devices taking turns."""
    names = estate.sensors if kind == "light" else estate.readers
    apart = timedelta(microseconds=every / len(names))
    if kind == "walked":
        told = _walked(estate, apart)
    elif kind == "round":
        told = _rounds(estate)
    else:
        told = ((kind, START + number * apart) for number in range(count))
    for each, at in islice(told, count):
        topic, body = estate.message(each, at)
        yield b'{"device":"%b",' % topic.split("/")[2].encode() + body[1:] + b"\n"


def _walked(estate: Estate, apart: timedelta) -> Iterator[tuple[str, datetime]]:
    """Heartbeats, and once an hour a tap of the same reader just before."""
    for number in itertools.count():
        at = START + number * apart
        if number // len(estate.readers) % 60 == _TAPPED:
            yield "tap", at - timedelta(microseconds=1)
        yield "heartbeat", at


def _rounds(estate: Estate) -> Iterator[tuple[str, datetime]]:
    """A tap at each reader once an hour, while its round is under way."""
    apart = timedelta(minutes=30) / len(estate.readers)
    for number in itertools.count():
        hour, reader = divmod(number, len(estate.readers))
        yield "tap", START + timedelta(hours=hour, minutes=5) + reader * apart


def rate(load: Load, devices: int, site: Site, count: int) -> float:
    """Observations a second of one core: so many lines less a tenth of them, so that no start counts."""
    used = []
    for many in (count // 10, count):
        lines = list(said(Estate(devices), load.kind, many, load.every))
        began = time.process_time()
        replay_lines(site, lines)
        used.append(time.process_time() - began)
    return (count - count // 10) / (used[1] - used[0])


def rates(count: int, folder: Path) -> int:
    """Each kind, at sites of each size."""
    print(f"\nreplay of {count:,} lines: observations a second of one core (of processor time)")
    print(f"{'':<28}" + "".join(f"{size:>14,}" for size in SIZES) + f"{'goal':>12}{'quickest/slowest':>18}")
    sites = {size: load_site(_site(folder, Estate(size).site("127.0.0.1", 1883)), secrets=False)[0] for size in SIZES}
    missed = 0
    for name, load in LOADS.items():
        wanted = load.wanted
        many = count if load.kind not in {"tap", "round"} else count // (4 if wanted is not None else 20)
        found = [rate(load, size, _for(load, site), many) for size, site in sites.items()]
        apart = max(found) / min(found)
        goal = "" if wanted is None else f"{wanted:,}"
        print(f"{name:<28}" + "".join(f"{each:>14,.0f}" for each in found) + f"{goal:>12}{apart:>18.2f}", flush=True)
        missed |= int(wanted is not None and (min(found) < wanted or apart > 1 + MOST_APART))
    return missed


def _for(load: Load, site: Site) -> Site:
    """A site of which a load tells."""
    if not load.rounds:
        site = msgspec.structs.replace(site, rounds=())
    if not load.silence:
        calm = {name: msgspec.structs.replace(each, expect_every=DAY) for name, each in site.devices.items()}
        site = msgspec.structs.replace(site, devices=calm)
    return site


def years(_: int, folder: Path) -> int:
    """Memory over a usual site's month and year."""
    print(
        "\nlamplighter replay: 10 readers (heartbeats of 60 s), 100 lamps (each 10 min), rounds hourly at night, walked"
    )
    site = _site(folder, usual())
    found = []
    for days in _YEAR_DAYS:
        counted = [0]
        cost = command(site, _counting(year(days), counted), folder)
        found.append(cost.peak_mib)
        each = 1e6 * cost.cpu_s / counted[0]
        print(f"{days:>5} days{counted[0]:>14,} lines{cost.peak_mib:>8.0f} MiB{each:>8.1f} µs CPU each", flush=True)
    return int(found[-1] > found[0] * (1 + MOST_APART))


def usual() -> dict[str, Any]:
    """A usual site: one route of ten checkpoints each hour of the night, a hundred lamps in ten circuits."""
    site = Estate(100).site("127.0.0.1", 1883)
    site["rounds"] = [
        {"route": "r-0", "days": "mon-sun", "from": "22:00", "to": "05:00", "every": "1h", "lasts": "40m"}
    ]
    for source in site["devices"]:
        source["expect_every"] = "60s" if source["kind"] == "reader" else "10m"
    extra = range(90, 100)
    site["devices"] += [
        {"kind": "lux_sensor", "id": f"lux-{n}", "driver": "native", "place": "p", "expect_every": "10m"} for n in extra
    ]
    site["lamps"] += [
        {"id": f"lamp-{n}", "place": "p", "seen_by": f"lux-{n}", "circuit": "c-0", "expected": {"mode": "always"}}
        for n in extra
    ]
    return site


def year(days: int) -> Iterator[bytes]:
    """What it says: every reader once a minute, every sensor each ten, a tap of each reader in each round."""
    light = b'{"device":"lux-%d","kind":"light_level","at":"%b","boot":"b","seq":%d,"lux":80}\n'
    beat = b'{"device":"rdr-%d","kind":"reader_heartbeat","at":"%b","boot":"b","last_seq":%d,"device_now":"%b"}\n'
    tap = b'{"device":"rdr-%d","kind":"tag_read","at":"%b","boot":"b","seq":%d,"tag":"%010X"}\n'
    taps = 0
    for minute in range(days * 1440):
        at = START + timedelta(minutes=minute)
        text = at.isoformat().encode()
        walked = at.minute == 10 and not _NIGHT[1] <= at.hour < _NIGHT[0]
        for reader in range(10):
            if walked:
                yield tap % (reader, text, taps + 1, 0x7B3900)
            yield beat % (reader, text, taps + walked, text)
        taps += walked
        for sensor in range(minute % 10, 100, 10):
            yield light % (sensor, text, minute // 10 + 1)


def ready(stored: int, folder: Path) -> int:
    """From the start after a kill until it answers, with much stored and a snapshot nearly 30,000 rows old."""
    estate = Estate(1000)
    with (
        broker(folder) as mosquitto,
        GatewayProcess(folder / "gateway", estate.site(mosquitto.host, mosquitto.port)) as gateway,
    ):
        fill(gateway.data, estate, stored)
        asyncio.run(snapshot(folder / "gateway"))
        add(gateway.data, estate, TAIL)
        took, used = [], []
        for _ in range(3):
            began = time.perf_counter()
            gateway.start()
            took.append(time.perf_counter() - began)
            assert gateway.process is not None
            used.append(cpu_s(gateway.process.pid))
            gateway.kill()
        cpu, rows = _recovery(folder / "gateway")
    print(f"\nA gateway of 1,000 devices, {stored:,} rows stored, killed: ready after (s, three times)")
    print(
        "  ".join(f"{each:.2f}" for each in took)
        + f", of processor time {min(used):.2f}; coming back to what was known: {cpu:.2f} s CPU for {rows:,} rows"
    )
    return int(min(took) > READY_S)


async def snapshot(folder: Path) -> None:
    """Leave a snapshot of all that is stored, as a gateway does."""
    site, _ = load_site(folder / "site.yaml", secrets=False)
    store = Store(folder / "data")
    reader, writer = Reader(store.path), Writer(store.writer)
    found = recover(site, store, reader, instant(datetime.now(UTC)))
    batch = Batch()
    row = (store.last_seq(), found.judgement.now, FORMAT, site.digest, state_of(found.judgement, found.repeats))
    batch.add("snapshot", row)
    batch.advanced = found.judgement.now
    await writer.submit(batch)
    writer.close()
    reader.close()
    store.close()


def _recovery(folder: Path) -> tuple[float, int]:
    """Processor seconds of `recover` alone, and how many rows it judged again."""
    site, _ = load_site(folder / "site.yaml", secrets=False)
    store = Store(folder / "data")
    reader = Reader(store.path)
    began = time.process_time()
    found = recover(site, store, reader, instant(datetime.now(UTC)))
    used = time.process_time() - began
    reader.close()
    store.close()
    return used, found.replayed


def pauses(_: int, folder: Path) -> int:
    """How long the event loop stands still for a snapshot."""
    print("\nTaking a snapshot: the event loop's share, and the size")
    for devices in SIZES[1:]:
        seconds, size = _pause(devices)
        print(f"{devices:>8,} devices{1000 * seconds:>10.0f} ms CPU{size / 1024:>10.0f} KiB", flush=True)
    return 0


def _pause(devices: int) -> tuple[float, int]:
    """Processor seconds of one snapshot after an hour in which every device spoke each minute, and its bytes."""
    estate = Estate(devices)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        site, _ = load_site(_site(Path(name), estate.site("127.0.0.1", 1883)), secrets=False)
    judgement, repeats = Judgement(site, instant(START)), Repeats(lambda _device, _order: [], whole=True)
    for kind in ("light", "heartbeat"):
        names = len(estate.sensors if kind == "light" else estate.readers)
        for text in said(estate, kind, names * (60 if kind == "heartbeat" else 3)):
            observation = read_observation(text)
            judgement.apply(observation, max(instant(observation.at), judgement.now), instant(observation.at))
            if observation.seq is not None:
                repeats.numbered(observation.device, observation.boot or "", observation.seq, text)
    began = time.process_time()
    state = state_of(judgement, repeats)
    return time.process_time() - began, len(state)


def _site(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def _counting(lines: Iterable[bytes], counted: list[int]) -> Iterator[bytes]:
    for line in lines:
        counted[0] += 1
        yield line


PARTS: dict[str, Callable[[int, Path], int]] = {"rates": rates, "years": years, "ready": ready, "pauses": pauses}


def main() -> int:
    """Measure and print the tables; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all")
    parser.add_argument("--lines", type=int, default=COUNT, help="of the rates")
    parser.add_argument("--stored", type=int, default=STORED, help="rows of the journal that a gateway comes back to")
    parsed = parser.parse_args()
    chosen = PARTS if parsed.part == "all" else {parsed.part: PARTS[parsed.part]}
    missed = 0
    for name, part in chosen.items():
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            missed |= part(parsed.stored if name == "ready" else parsed.lines, Path(folder))
    return missed


if __name__ == "__main__":
    sys.exit(main())
