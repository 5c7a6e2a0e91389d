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
from tests.support.mosquitto import Mosquitto

MESSAGES = 200_000
DEVICES = 1000
SIZES = (10, 1000, 10_000)
ROWS = 2_000_000
TELEGRAF_BATCH = 500
"""Of 500, 1000 and 5000 the quickest with 1,000 messages in flight: it must have a full batch to write at once."""

GOAL, MUST = 3.0, 1.5
MOST_MIB = 150
MOST_APART = 0.20

_POLL_S = 0.01
_LONGEST_S = 300.0

Opened = Callable[[Path, Mosquitto, Estate], AbstractContextManager[Contender]]


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
    parsed = parser.parse_args()
    parts = {"peers": peers, "size": sizes, "age": ages}
    chosen = parts.values() if parsed.part == "all" else (parts[parsed.part],)
    return max([part(parsed.messages) for part in chosen])


def peers(count: int) -> int:
    """Beside Telegraf, in each mix of messages."""
    missed = 0
    rows: list[tuple[str, str, Opened]] = [
        ("Telegraf → InfluxDB", "mixed", lambda at, mq, _: telegraf_to_influxdb(at, mq, TELEGRAF_BATCH)),
        ("Lamplighter", "mixed", lamplighter),
        ("Telegraf → file", "mixed", lambda at, mq, _: telegraf_to_file(at, mq, TELEGRAF_BATCH)),
        ("Telegraf → InfluxDB", "heartbeats", lambda at, mq, _: telegraf_to_influxdb(at, mq, TELEGRAF_BATCH)),
        ("Lamplighter", "heartbeats", lamplighter),
    ]
    if telegraf.binary() is None:
        print(
            f"{telegraf.VARIABLE} does not name the folder of telegraf and influxd: the rows of Telegraf are left out"
        )
        rows = [row for row in rows if row[2] is lamplighter]
    print(f"\n{count:,} QoS 1 messages of {DEVICES:,} devices waiting in Mosquitto")
    print(f"{'':<38}{'mix':<12}{'messages/s':>11}{'ratio':>8}{'µs CPU each':>13}{'peak MiB':>10}{'stored':>10}")
    peer: dict[str, float] = {}
    for name, mix, opened in rows:
        result = drain(opened, DEVICES, mix, count)
        if opened is not lamplighter:
            peer.setdefault(mix, result.rate)
        ratio = result.rate / peer[mix] if mix in peer else 0.0
        _print_peer(name, mix, result.rate, ratio, result.cpu_us, result.peak_mib, count)
        if opened is lamplighter:
            after = count / result.after_s
            total = after / peer[mix] if mix in peer else 0.0
            _print_peer("  … and its telemetry", mix, after, total, result.after_cpu_us, result.peak_mib, count)
            if mix == "mixed":
                missed |= int(bool(peer) and ratio < MUST) | int(result.peak_mib > MOST_MIB)
                print(f"{'':<38}{'':<12}{'':>11}{_verdict(ratio, bool(peer))}; memory at most {MOST_MIB} MiB")
    return missed


def _print_peer(name: str, mix: str, rate: float, ratio: float, cpu_us: float, peak: float, count: int) -> None:
    shown = f"{ratio:.2f} ×" if ratio else "-"
    print(f"{name:<38}{mix:<12}{rate:>11,.0f}{shown:>8}{cpu_us:>13.1f}{peak:>10.0f}{count:>10,}", flush=True)


def _verdict(ratio: float, known: bool) -> str:
    if not known:
        return " no peer"
    return f" must {MUST} ×, goal {GOAL} ×: " + ("below" if ratio < MUST else "must" if ratio < GOAL else "goal")


def sizes(count: int) -> int:
    """Lamplighter at sites of different size."""
    results = [(f"{devices:,} devices", drain(lamplighter, devices, "mixed", count)) for devices in SIZES]
    return _flat("the size of the site", results)


def ages(count: int) -> int:
    """Lamplighter on an empty and on a long journal."""
    results = []
    for rows in (0, ROWS):

        def opened(at: Path, mq: Mosquitto, estate: Estate, rows: int = rows) -> AbstractContextManager[Contender]:
            return lamplighter(at, mq, estate, rows)

        results.append((f"journal of {rows:,} rows", drain(opened, DEVICES, "mixed", count)))
    return _flat("the age of the journal", results)


def _flat(title: str, results: Sequence[tuple[str, Result]]) -> int:
    print(f"\nLamplighter, cost against {title} (flat: at most {MOST_APART:.0%} above the first)")
    print(f"{'':<38}{'messages/s':>11}{'µs CPU each':>13}{'to the first':>14}{'peak MiB':>10}")
    first = results[0][1].cpu_us
    for name, result in results:
        ratio = result.cpu_us / first
        print(
            f"{name:<38}{result.rate:>11,.0f}{result.cpu_us:>13.1f}{ratio:>14.2f}{result.peak_mib:>10.0f}", flush=True
        )
    return int(max(result.cpu_us for _, result in results) > first * (1 + MOST_APART))


def drain(opened: Opened, devices: int, mix: str, count: int) -> Result:
    """Let `count` messages wait for a contender that has heard each device once, then let it drain them.

    It is halted (SIGSTOP) while they are published, so that what is measured begins with the first and ends with the last of
    them: no start-up, no first contact.
    """
    estate = Estate(devices)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, broker(Path(name)) as mosquitto:
        with Publisher(mosquitto.port) as publisher, opened(Path(name) / "contender", mosquitto, estate) as contender:
            known = publisher.publish(estate.once_each(datetime.now(UTC)))
            _wait(lambda: contender.stored() >= known and contender.settled())
            with halted(contender.pid):
                now = datetime.now(UTC)
                publisher.publish(estate.messages(mix, count, now, now + timedelta(seconds=2)))
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
