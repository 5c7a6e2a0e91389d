"""Who drains the backlog: the real `lamplighter run`, and Telegraf into InfluxDB or a file. All look the same from here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from tests.benchmarks import telegraf
from tests.benchmarks.history import fill
from tests.benchmarks.load import SITE, Estate
from tests.benchmarks.telegraf import Telegraf
from tests.outbox.influxd import Influxd
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto

KINDS = ("light_level", "reader_heartbeat", "tag_read")

_LONGEST_S = 120.0


class Contender(NamedTuple):
    """A running process.

    Attributes:
        pid: the process.
        stored: messages that are stored for good; cheap enough to be asked 100 times a second.
        settled: whether everything that follows from them is done, too.
        counted: messages found in the store, counted one by one.
    """

    pid: int
    stored: Callable[[], int]
    settled: Callable[[], bool]
    counted: Callable[[], int]


@contextmanager
def broker(folder: Path) -> Iterator[Mosquitto]:
    """Mosquitto that queues without limit, hands out 1,000 unacknowledged messages at a time, and logs connections only."""
    quiet = ("log_type none", "log_type notice", "log_type subscribe", "log_type error")
    with Mosquitto(folder, options=quiet, autosave=1_000_000_000) as running:
        yield running


@contextmanager
def lamplighter(folder: Path, running: Mosquitto, estate: Estate, rows: int = 0) -> Iterator[Contender]:
    """`lamplighter run`: journal, all rules, alerts, local telemetry. `rows` are in its journal already."""
    with GatewayProcess(folder, estate.site(running.host, running.port)) as gateway:
        if rows:
            fill(gateway.data, estate, rows)
        gateway.start()
        assert gateway.process is not None
        _wait_subscribed(running, f"lamplighter-{SITE}")
        journal = _Journal(gateway.data)
        yield Contender(gateway.process.pid, journal.stored, journal.settled, journal.counted)
        journal.close()
        assert gateway.stop() == 0, gateway.log
    assert "Traceback" not in gateway.log, gateway.log


class _Journal:
    """Looks into a gateway's files while it runs."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._connection = _reading(data / "journal.db")
        self._first: int = self._connection.execute("SELECT coalesce(max(seq), 0) FROM log").get
        self._seen = self._first
        self._stored = 0

    def stored(self) -> int:
        wanted = ",".join(f"'{kind}'" for kind in KINDS)
        sql = f"SELECT coalesce(max(seq), ?1), coalesce(sum(kind IN ({wanted})), 0) FROM log WHERE seq > ?1"
        rows: list[tuple[Any, ...]] = self._connection.execute(sql, (self._seen,)).fetchall()
        self._seen = rows[0][0]
        self._stored += rows[0][1]
        return self._stored

    def settled(self) -> bool:
        """Whether the local telemetry has everything."""
        return bool((self._connection.execute("SELECT seq FROM cursor WHERE name = 'local'").get or 0) >= self._seen)

    def counted(self) -> int:
        """Messages with a row of their own in the journal (and no fewer points in the telemetry)."""
        wanted = ",".join(f"'{kind}'" for kind in KINDS)
        sql = f"SELECT count(*) FROM (SELECT DISTINCT device, kind, at, boot, n FROM log WHERE seq > ? AND kind IN ({wanted}))"
        rows = int(self._connection.execute(sql, (self._first,)).get)
        if self._first == 0:
            telemetry = _reading(self._data / "telemetry.db")
            ours = "SELECT id FROM series WHERE device GLOB 'lux-*' OR device GLOB 'rdr-*'"
            points = telemetry.execute(f"SELECT count(*) FROM sample WHERE series IN ({ours})").get
            telemetry.close()
            assert points == rows, f"{rows} rows in the journal, {points} points in the telemetry"
        return rows

    def close(self) -> None:
        self._connection.close()


def _reading(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5000)
    connection.execute("PRAGMA query_only = on")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


@contextmanager
def telegraf_to_influxdb(folder: Path, running: Mosquitto, batch: int) -> Iterator[Contender]:
    """Telegraf into a real InfluxDB 2."""
    store = folder / "influxdb"
    store.mkdir(parents=True)
    with Influxd(store) as server, Telegraf(folder, running.port, telegraf.to_influx(server.influx), batch) as process:
        _wait_subscribed(running, telegraf.CLIENT)

        def counted() -> int:
            now = datetime.now(UTC)
            since, until = (f"{now + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (-2, 2))
            found = server.query(
                f'from(bucket: "{server.influx.bucket}") |> range(start: {since}, stop: {until}) '
                '|> filter(fn: (r) => r._field == "seq" or r._field == "last_seq") |> group() |> count()'
            )
            return int(found[0]["_value"])

        yield Contender(process.process.pid, process.written, lambda: True, counted)


@contextmanager
def telegraf_to_file(folder: Path, running: Mosquitto, batch: int) -> Iterator[Contender]:
    """Telegraf into a file of line protocol."""
    folder.mkdir(parents=True)
    lines = folder / "points.txt"
    with Telegraf(folder, running.port, telegraf.to_file(lines), batch) as process:
        _wait_subscribed(running, telegraf.CLIENT)

        def counted() -> int:
            with lines.open("rb") as file:
                return len(set(file))

        yield Contender(process.process.pid, process.written, lambda: True, counted)


def _wait_subscribed(running: Mosquitto, client: str) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while f"{client} 1 lamplighter/" not in running.log:
        assert time.monotonic() < deadline, f"{client} does not subscribe:\n{running.log}"
        time.sleep(0.02)
