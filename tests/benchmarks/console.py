"""What the console costs: `python -m tests.benchmarks.console` (README.md says how to read the tables).

Pages of a gateway whose journal is long, and many who listen to what changes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from api.console.navigation import PAGES
from tests.benchmarks.contenders import broker
from tests.benchmarks.history import fill
from tests.benchmarks.judge import snapshot
from tests.benchmarks.latency import log_in, quantile, until_ready
from tests.benchmarks.load import Estate
from tests.benchmarks.usage import cpu_s, peak_mib
from tests.support.gateway_process import GatewayProcess

ROWS = 10_000_000
DEVICES = 1000
EACH = 20
MOST_S = 0.150
"""A page at the server, p95."""

LISTENERS = 200
EVENTS_A_SECOND = 20
LISTEN_S = 20
MOST_CORES = 1.0
MOST_MIB = 100.0

SECTIONS = ("summary", "alerts", "rounds", "plan", "zones", "lights", "links")
LISTS = (
    "rounds", "gaps", "unmatched", "lamps", "circuits", "cameras", "zones", "alerts", "devices", "observations", "quarantine",
    "work-orders", "silences", "notices", "tags/unknown", "audit",
)  # fmt: skip


class Timed(NamedTuple):
    """One address, and how long its answers took, in seconds."""

    path: str
    took: list[float]
    size: int


def main() -> int:
    """Measure and print; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("pages", "listeners", "all"), default="all")
    parser.add_argument("--rows", type=int, default=ROWS, help="of the journal whose pages are asked for")
    parsed = parser.parse_args()
    missed = 0
    if parsed.part in {"pages", "all"}:
        missed |= asyncio.run(pages(parsed.rows))
    if parsed.part in {"listeners", "all"}:
        missed |= asyncio.run(listeners())
    return missed


async def pages(rows: int) -> int:
    """Every page of the bar, every section of the room, every list of the API, over a journal of `rows` rows."""
    estate = Estate(DEVICES)
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as name,
        broker(Path(name)) as mosquitto,
        GatewayProcess(Path(name), estate.site(mosquitto.host, mosquitto.port)) as gateway,
    ):
        await asyncio.to_thread(fill, gateway.data, estate, rows)
        await snapshot(Path(name))
        gateway.start()
        async with httpx.AsyncClient(base_url=gateway.url, headers={"Origin": gateway.url}, timeout=60) as http:
            await log_in(http, gateway.log)
            await until_ready(http)
            with _publishing(mosquitto.host, mosquitto.port) as client:
                for topic, payload in estate.once_each(datetime.now(UTC)):
                    client.publish(topic, payload, qos=1)
                await asyncio.sleep(2)  # until they are in, not a synchronisation
            addresses = [entry.path for entry in PAGES if entry.path != "/phone"]
            addresses += [f"/console/{section}" for section in SECTIONS]
            addresses += [f"/api/v1/{each}" for each in LISTS]
            addresses += ["/lights/lamp-0", f"/devices/{estate.readers[0]}"]
            found = [await _timed(http, path) for path in addresses]
    print(f"\n{DEVICES:,} devices, {rows:,} rows in the journal; each address {EACH} times, one after the other")
    print(f"{'':<28}{'p50 ms':>9}{'p95 ms':>9}{'KiB':>9}")
    for each in sorted(found, key=lambda each: -quantile(each.took, 0.95)):
        p50, p95 = quantile(each.took, 0.50), quantile(each.took, 0.95)
        print(f"{each.path:<28}{1000 * p50:>9.1f}{1000 * p95:>9.1f}{each.size / 1024:>9.1f}")
    slow = [each.path for each in found if quantile(each.took, 0.95) > MOST_S]
    print(f"goal: p95 <= {1000 * MOST_S:.0f} ms; above it: {', '.join(slow) or 'none'}")
    return int(bool(slow))


async def _timed(http: httpx.AsyncClient, path: str) -> Timed:
    took, size = [], 0
    for _ in range(EACH):
        began = time.perf_counter()
        answer = await http.get(path)
        took.append(time.perf_counter() - began)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:200])
        size = len(answer.content)
    return Timed(path, took, size)


async def listeners() -> int:
    """Processor time and memory that listeners cost while things change; each hears every event."""
    estate = Estate(DEVICES)
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as name,
        broker(Path(name)) as mosquitto,
        GatewayProcess(Path(name), estate.site(mosquitto.host, mosquitto.port)) as gateway,
    ):
        gateway.start()
        limits = httpx.Limits(max_connections=LISTENERS + 10)
        async with httpx.AsyncClient(
            base_url=gateway.url, headers={"Origin": gateway.url}, timeout=60, limits=limits
        ) as http:
            await log_in(http, gateway.log)
            await until_ready(http)
            assert gateway.process is not None
            pid = gateway.process.pid
            with _publishing(mosquitto.host, mosquitto.port) as client:
                for topic, payload in estate.once_each(datetime.now(UTC)):
                    client.publish(topic, payload, qos=1)
                await asyncio.sleep(3)  # until they are in, not a synchronisation
                alone = await _while_taps(client, estate, pid)
                before = peak_mib(pid)
                heard = [0] * LISTENERS
                opened = asyncio.Semaphore(0)
                running = [
                    asyncio.create_task(_listen(http, heard, number, opened), name=f"listener {number}")
                    for number in range(LISTENERS)
                ]
                for _ in range(LISTENERS):
                    await opened.acquire()
                together = await _while_taps(client, estate, pid)
                after = peak_mib(pid)
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)
    taps = EVENTS_A_SECOND * LISTEN_S
    print(
        f"\n{LISTENERS} listeners, {EVENTS_A_SECOND} taps a second for {LISTEN_S} s; heard by each: {min(heard)} to {max(heard)} events"
    )
    print(f"without: {alone:.2f} cores; with: {together:.2f}; memory {before:.0f} → {after:.0f} MiB at its peak")
    print(f"goal: at most {MOST_CORES:.0f} core and {MOST_MIB:.0f} MiB more")
    return int(together - alone > MOST_CORES or after - before > MOST_MIB or min(heard) < taps)


async def _while_taps(client: mqtt.Client, estate: Estate, pid: int) -> float:
    """Cores that a process uses while taps come."""
    began, used = time.perf_counter(), cpu_s(pid)
    for _ in range(EVENTS_A_SECOND * LISTEN_S):
        topic, payload = estate.message("tap", datetime.now(UTC))
        client.publish(topic, payload, qos=1)
        await asyncio.sleep(1 / EVENTS_A_SECOND)
    await asyncio.sleep(1)
    return (cpu_s(pid) - used) / (time.perf_counter() - began)


async def _listen(http: httpx.AsyncClient, heard: list[int], number: int, opened: asyncio.Semaphore) -> None:
    async with http.stream("GET", "/api/v1/events") as events:
        assert events.status_code == 200, events.status_code
        opened.release()
        async for line in events.aiter_lines():
            if line.startswith("event: ") and line != "event: heartbeat":
                heard[number] += 1


class _publishing:  # noqa: N801  reads as a sentence
    """A client of the broker."""

    def __init__(self, host: str, port: int) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="devices")
        self._client.max_inflight_messages_set(10_000)
        self._client.connect(host, port)

    def __enter__(self) -> mqtt.Client:
        self._client.loop_start()
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


if __name__ == "__main__":
    sys.exit(main())
