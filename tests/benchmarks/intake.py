"""How fast messages become safe: `python -m tests.benchmarks.intake` (README.md says how to read the tables).

QoS 1 messages wait in a real Mosquitto; each contender drains them, one after the other on the same machine.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks import telegraf
from tests.benchmarks.contenders import Contender, broker, lamplighter, telegraf_to_file, telegraf_to_influxdb
from tests.benchmarks.load import Estate
from tests.benchmarks.publisher import Publisher
from tests.benchmarks.usage import cpu_s, peak_mib
from tests.outbox.influxd import VARIABLE
from tests.support.mosquitto import Mosquitto

MESSAGES = 200_000
DEVICES = 1000
SIZES = (10, 1000, 10_000)
ROWS = 2_000_000
OUTAGE = timedelta(seconds=20)
"""How long a contender is away. The messages were made meanwhile, evenly; each device was heard just before."""
TELEGRAF_BATCH = 5000
"""Of 500, 1000 and 5000 the quickest here, with its flush interval at 100 ms: at 1 s the last batch waits up to a second."""

GOAL, MUST = 3.0, 1.5
MOST_MIB = 150
MOST_APART = 0.20

_POLL_S = 0.01
_LONGEST_S = 300.0

Opened = Callable[[Path, Mosquitto, Estate], AbstractContextManager[Contender]]


class Peer(NamedTuple):
    """A row of the first table."""

    name: str
    mix: str
    opened: Opened


def _telegraf_influxdb(folder: Path, running: Mosquitto, _: Estate) -> AbstractContextManager[Contender]:
    return telegraf_to_influxdb(folder, running, TELEGRAF_BATCH)


def _telegraf_file(folder: Path, running: Mosquitto, _: Estate) -> AbstractContextManager[Contender]:
    return telegraf_to_file(folder, running, TELEGRAF_BATCH)


PEERS: tuple[Peer, ...] = (
    Peer("Telegraf → InfluxDB", "mixed", _telegraf_influxdb),
    Peer("Lamplighter", "mixed", lamplighter),
    Peer("Telegraf → file", "mixed", _telegraf_file),
    Peer("Telegraf → InfluxDB", "light", _telegraf_influxdb),
    Peer("Lamplighter", "light", lamplighter),
    Peer("Telegraf → InfluxDB", "heartbeats", _telegraf_influxdb),
    Peer("Lamplighter", "heartbeats", lamplighter),
)


class Result(NamedTuple):
    """What one drain took. `after_s` and `after_cpu_us` count until the local telemetry had every point as well."""

    seconds: float
    cpu_us: float
    peak_mib: float
    rate: float
    after_s: float
    after_cpu_us: float


def main() -> int:
    """Measure and print the tables; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--part", choices=("peers", "size", "age", "all"), default="all")
    parser.add_argument(
        "--best-of", type=int, default=1, metavar="N", help="runs of each row; all contenders alike [1]"
    )
    parsed = parser.parse_args()
    parts = {"peers": peers, "size": sizes, "age": ages}
    chosen = parts.values() if parsed.part == "all" else (parts[parsed.part],)
    return max([part(Runs(parsed.messages, parsed.best_of)) for part in chosen])


class Runs(NamedTuple):
    """How often, and how many messages."""

    messages: int
    of: int

    def best(self, opened: Opened, devices: int, mix: str) -> Result:
        """The quickest drain: what else the machine does only slows it down."""
        return max((drain(opened, devices, mix, self.messages) for _ in range(self.of)), key=lambda result: result.rate)


def peers(runs: Runs) -> int:
    """Beside Telegraf, in each mix of messages."""
    rows = PEERS
    if telegraf.binary() is None:
        print(f"{VARIABLE} does not name the folder of telegraf and influxd: the rows of Telegraf are left out")
        rows = tuple(row for row in rows if row.opened is lamplighter)
    print(f"\n{runs.messages:,} QoS 1 messages of {DEVICES:,} devices waiting in Mosquitto; all stored, none lost")
    print(f"{'':<28}{'mix':<12}{'messages/s':>11}{'ratio':>8}{'µs CPU each':>13}{'peak MiB':>10}")
    missed = 0
    peer: dict[str, float] = {}
    for name, mix, opened in rows:
        result = runs.best(opened, DEVICES, mix)
        if opened is not lamplighter:
            peer.setdefault(mix, result.rate)
        _print_peer((name, mix), result.rate, peer.get(mix), result.cpu_us, result.peak_mib)
        if opened is lamplighter:
            after = ("  … and its telemetry", mix)
            _print_peer(after, runs.messages / result.after_s, peer.get(mix), result.after_cpu_us, result.peak_mib)
            missed |= int(mix in peer and result.rate < MUST * peer[mix]) | int(result.peak_mib > MOST_MIB)
    print(f"Lamplighter must reach {MUST} × and has the goal of {GOAL} ×, with at most {MOST_MIB} MiB")
    return missed


def _print_peer(row: tuple[str, str], rate: float, peer: float | None, cpu_us: float, peak: float) -> None:
    ratio = f"{rate / peer:.2f} ×" if peer else "-"
    print(f"{row[0]:<28}{row[1]:<12}{rate:>11,.0f}{ratio:>8}{cpu_us:>13.1f}{peak:>10.0f}", flush=True)


def sizes(runs: Runs) -> int:
    """Lamplighter at sites of different size."""
    results = [(f"{devices:,} devices", runs.best(lamplighter, devices, "light")) for devices in SIZES]
    return _flat("the size of the site", results)


def ages(runs: Runs) -> int:
    """Lamplighter on an empty and on a long journal."""
    results = []
    for rows in (0, ROWS):

        def opened(at: Path, mq: Mosquitto, estate: Estate, rows: int = rows) -> AbstractContextManager[Contender]:
            return lamplighter(at, mq, estate, rows)

        results.append((f"journal of {rows:,} rows", runs.best(opened, DEVICES, "light")))
    return _flat("the age of the journal", results)


def _flat(title: str, results: Sequence[tuple[str, Result]]) -> int:
    print(f"\nLamplighter, light levels: cost against {title} (flat: at most {MOST_APART:.0%} above the first)")
    print(f"{'':<28}{'messages/s':>11}{'µs CPU each':>13}{'to the first':>14}{'peak MiB':>10}")
    first = results[0][1].cpu_us
    for name, found in results:
        print(
            f"{name:<28}{found.rate:>11,.0f}{found.cpu_us:>13.1f}{found.cpu_us / first:>14.2f}{found.peak_mib:>10.0f}",
            flush=True,
        )
    return int(max(result.cpu_us for _, result in results) > first * (1 + MOST_APART))


def drain(opened: Opened, devices: int, mix: str, count: int) -> Result:
    """Let `count` messages wait for a contender that has heard each device once, then let it drain them.

    It is halted (SIGSTOP) while they are published and until the outage is over, so that what is measured begins with the first
    and ends with the last of them: no start-up, no first contact, and clocks that are as right as they were before.
    """
    estate = Estate(devices)
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as name,
        broker(Path(name)) as mosquitto,
        Publisher(mosquitto.port) as publisher,
        opened(Path(name) / "contender", mosquitto, estate) as contender,
    ):
        known = publisher.publish(estate.once_each(datetime.now(UTC)))
        _wait(lambda: contender.stored() >= known and contender.settled())
        with halted(contender.pid):
            since = datetime.now(UTC)
            publisher.publish(estate.messages(mix, count, since, since + OUTAGE))
            _wait(lambda: datetime.now(UTC) >= since + OUTAGE)
            cpu, began = cpu_s(contender.pid), time.perf_counter()
        _wait(lambda: contender.stored() >= known + count)
        seconds, used = time.perf_counter() - began, cpu_s(contender.pid) - cpu
        _wait(contender.settled)
        after_s, after_used = time.perf_counter() - began, cpu_s(contender.pid) - cpu
        peak = peak_mib(contender.pid)
        stored = contender.counted()
        assert stored == known + count, f"{known + count} messages acknowledged, {stored} stored"
    each = 1e6 / count
    return Result(seconds, used * each, peak, count / seconds, after_s, after_used * each)


@contextmanager
def halted(pid: int) -> Iterator[None]:
    """The process does nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while not done():
        assert time.monotonic() < deadline, "not drained in time"
        time.sleep(_POLL_S)


if __name__ == "__main__":
    sys.exit(main())
