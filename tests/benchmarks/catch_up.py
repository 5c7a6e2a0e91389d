"""How soon a fresh tap is on the screen while a million old messages wait: `python -m tests.benchmarks.catch_up` (README.md says how to read it).

The gateway is stopped in order, so many messages are published to its session at the broker, and it is started again. From then on
until all are stored readers are tapped, four a second; each tap is timed until its event arrives at a listener of `/api/v1/events`, and
until the journal holds it with its round's view, which is what the pages are made of.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import httpx
import msgspec

from tests.benchmarks.contenders import broker
from tests.benchmarks.latency import log_in, quantile, until_ready
from tests.benchmarks.load import SITE, Estate
from tests.benchmarks.publisher import Publisher
from tests.benchmarks.usage import cpu_s, peak_mib
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto

WAITING = 1_000_000
DEVICES = 1000
TAPS_A_SECOND = 4.0
GOAL_S = 1.0
OUTAGE = timedelta(minutes=10)
"""What waits is dated over so long; each device's clock has been right all the time."""

_LONGEST_S = 900.0


class Found(NamedTuple):
    """What was measured.

    Attributes:
        heard: seconds from publishing a tap to its event; `judged`: to its round's view in the journal.
        drain_s: from the start of the process until all is stored; `ready_s`: until it listens.
    """

    heard: list[float]
    judged: list[float]
    ready_s: float
    drain_s: float
    cpu_s: float
    peak_mib: float


def main() -> int:
    """Measure and print; 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=WAITING, metavar="N", help="messages at the broker")
    parser.add_argument("--session", choices=("mqtt5", "paho"), default="mqtt5")
    parsed = parser.parse_args()
    found = asyncio.run(measure(parsed.waiting, parsed.session))
    print(
        f"{parsed.waiting:,} messages of {DEVICES:,} devices waiting, {parsed.session}: listening after {found.ready_s:.1f} s, "
        f"drained {found.drain_s:.1f} s after the start, {found.cpu_s:.1f} s of processor time, peak {found.peak_mib:.0f} MiB"
    )
    for what, seconds in (("event heard", found.heard), ("round's view stored", found.judged)):
        p50, p95, worst = quantile(seconds, 0.50), quantile(seconds, 0.95), max(seconds)
        print(
            f"{len(seconds)} taps meanwhile, {what}: p50 {p50:.2f} s   p95 {p95:.2f} s   worst {worst:.2f} s   goal: {GOAL_S:g} s"
        )
    return int(max(*found.heard, *found.judged) > GOAL_S)


async def measure(waiting: int, session: str) -> Found:
    """One run.

    Raises:
        AssertionError: a message is missing or there twice.
    """
    estate = Estate(DEVICES)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, broker(Path(name)) as mosquitto:
        site = estate.site(mosquitto.host, mosquitto.port)
        site["mqtt"]["session"] = session
        with GatewayProcess(Path(name), site) as gateway, Publisher(mosquitto.port) as publisher:
            gateway.start()
            async with httpx.AsyncClient(headers={"Origin": gateway.url}, timeout=30) as http:
                http.base_url = gateway.url
                await log_in(http, gateway.log)
                await until_ready(http)
                publisher.publish(estate.once_each(datetime.now(UTC) - OUTAGE - timedelta(seconds=1)))
                assert gateway.stop() == 0, gateway.log
                until = datetime.now(UTC)
                publisher.publish(estate.messages("mixed", waiting, until - OUTAGE, until))
                began = time.perf_counter()
                logged = len(mosquitto.log)
                gateway.start()
                http.base_url = gateway.url
                found = await _drained(http, gateway, mosquitto, publisher, estate, waiting, began, logged)
            stored = _Rows(gateway).count()
            assert stored == DEVICES + waiting + len(found.heard), f"{stored} rows stored"
            assert gateway.stop() == 0, gateway.log
            return found


async def _drained(  # noqa: PLR0917
    http: httpx.AsyncClient,
    gateway: GatewayProcess,
    mosquitto: Mosquitto,
    publisher: Publisher,
    estate: Estate,
    waiting: int,
    began: float,
    logged: int,
) -> Found:
    sent: dict[tuple[str, int], float] = {}
    heard: dict[tuple[str, int], float] = {}
    judged: dict[tuple[str, int], float] = {}
    listening, stop = asyncio.Event(), asyncio.Event()
    assert gateway.process is not None
    pid = gateway.process.pid
    tasks = [
        asyncio.create_task(_listen(http, heard, judged, listening), name="listener"),
        asyncio.create_task(_count(gateway, DEVICES + waiting, sent, stop), name="counter"),
    ]
    await listening.wait()
    ready_s = time.perf_counter() - began
    # a tap made before this connection stands waits behind the queue
    for _ in range(600):
        if f"lamplighter-{SITE}-copies 0 lamplighter/" in mosquitto.log[logged:]:
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("no connection for copies")
    try:
        while not stop.is_set():
            for task in tasks:
                if task.done():
                    task.result()
            topic, payload = estate.message("tap", datetime.now(UTC))
            sent[topic.split("/")[2], msgspec.json.decode(payload)["seq"]] = time.perf_counter()
            await asyncio.to_thread(publisher.publish, [(topic, payload)])
            await asyncio.sleep(1 / TAPS_A_SECOND)
        drained_s = time.perf_counter() - began
        until = time.perf_counter() + 30
        while len(heard) < len(sent) or len(judged) < len(sent):
            assert time.perf_counter() < until, (
                f"{len(sent) - len(heard)} taps not told, {len(sent) - len(judged)} not judged"
            )
            await asyncio.sleep(0.05)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return Found(
        [heard[key] - at for key, at in sent.items()],
        [judged[key] - at for key, at in sent.items()],
        ready_s,
        drained_s,
        cpu_s(pid),
        peak_mib(pid),
    )


async def _listen(
    http: httpx.AsyncClient,
    heard: dict[tuple[str, int], float],
    judged: dict[tuple[str, int], float],
    listening: asyncio.Event,
) -> None:
    """Note when each tap's event arrives, and when the next view of its reader's round does."""
    waiting: dict[str, list[tuple[str, int]]] = {}
    async with http.stream("GET", "/api/v1/events") as events:
        assert events.status_code == 200, events.status_code
        kind = ""
        async for line in events.aiter_lines():
            listening.set()
            if line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: ") and kind in ("tap", "round"):
                now = time.perf_counter()
                told: dict[str, Any] = msgspec.json.decode(line[6:])
                if kind == "tap":
                    key = told["device"], told["observation"]["seq"]
                    heard[key] = now
                    waiting.setdefault(f"r-{int(key[0].removeprefix('rdr-')) // 10 * 10}", []).append(key)
                else:
                    for key in waiting.pop(told["route"], ()):
                        judged[key] = now


async def _count(gateway: GatewayProcess, wanted: int, sent: dict[tuple[str, int], float], stop: asyncio.Event) -> None:
    """Look four times a second whether all are stored."""
    until = time.perf_counter() + _LONGEST_S
    rows = _Rows(gateway)
    while await asyncio.to_thread(rows.count) < wanted + len(sent):
        assert time.perf_counter() < until, "not drained in time"
        await asyncio.sleep(0.25)
    stop.set()


class _Rows:
    """Counts the messages of devices in the journal; a second count looks at what is new only."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._path = gateway.data / "journal.db"
        self._seen = self._found = 0

    def count(self) -> int:
        connection = apsw.Connection(str(self._path))
        connection.set_busy_timeout(5000)
        try:
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            ours = "kind IN ('light_level', 'reader_heartbeat', 'tag_read')"
            sql = f"SELECT coalesce(max(seq), ?1), coalesce(sum({ours}), 0) FROM log WHERE seq > ?1"
            rows: list[tuple[int, int]] = connection.execute(sql, (self._seen,)).fetchall()
            self._seen = rows[0][0]
            self._found += rows[0][1]
            return self._found
        finally:
            connection.close()


if __name__ == "__main__":
    sys.exit(main())
