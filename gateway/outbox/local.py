"""The local telemetry store, the default: one SQLite file beside the journal, for the console's charts.

Numbers and states only; texts stay in the journal. A sample is (series, time), so a repeat overwrites itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import apsw

from gateway.errors import DeliveryError
from gateway.instants import HOUR, Duration, Instant
from gateway.outbox.measurements import Point
from gateway.outbox.telemetry import Rejection

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

PURGE_EVERY: Duration = HOUR

_ROWS_A_STATEMENT = 500
"""A statement waits for the interpreter's lock once, not once a row, beside a busy event loop."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    id       INTEGER PRIMARY KEY,
    device   TEXT NOT NULL,
    quantity TEXT NOT NULL,      -- the field's name; of kind measurement its quantity
    channel  TEXT NOT NULL,      -- '' where there is none
    labels   TEXT NOT NULL,      -- measurement and further tags, name=value, sorted
    UNIQUE (device, quantity, channel, labels)
) STRICT;
CREATE TABLE IF NOT EXISTS sample (
    series INTEGER NOT NULL REFERENCES series (id),
    at     INTEGER NOT NULL,     -- nanoseconds since 1970, UTC
    value  REAL NOT NULL,
    PRIMARY KEY (series, at)
) STRICT, WITHOUT ROWID;
"""

_NOT_LABELS = frozenset({"site", "device", "place", "channel", "quantity", "unit"})


class Sample(NamedTuple):
    """One point of a chart: its time, mean, least and greatest value, and of how many samples."""

    at: Instant
    mean: float
    least: float
    greatest: float
    samples: int


class LocalStore:
    """Writes and answers for one file. All of it runs in one thread of its own.

    Args:
        path: of the file; made if missing.
        retain: how long samples are kept (`storage.retain.telemetry`).
        now: the time by which age is measured, for what is too old; 0: nothing is.
    """

    name = "local"

    def __init__(self, path: Path, retain: Duration, now: Callable[[], Instant]) -> None:
        self._path = path
        self._retain = retain
        self._now = now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="telemetry")
        self._connection: apsw.Connection | None = None
        self._ids: dict[tuple[str, str, str, str], int] = {}
        self._purged: Instant = 0

    async def write(self, points: Sequence[Point]) -> list[Rejection]:
        """Write all points in one transaction, on disk when this returns; none is ever refused.

        Raises:
            DeliveryError: the file cannot be written at the moment (disk full, read-only), or was damaged and is begun anew.
        """
        try:
            await self._run(lambda: self._write(points))
        except (apsw.CorruptError, apsw.NotADBError) as error:
            self._ids.clear()
            kept = await self._run(self._set_aside)
            raise DeliveryError(
                f"the telemetry file {self._path.name} was damaged ({error}); it is kept as {kept.name}, and a new one is begun"
            ) from error
        except apsw.Error as error:
            self._ids.clear()
            raise DeliveryError(f"the telemetry file {self._path.name} cannot be written: {error}") from error
        return []

    async def samples(
        self,
        device: str,
        quantity: str,
        since: Instant,
        until: Instant,
        *,
        max_points: int = 500,
        channel: str | None = None,
    ) -> list[Sample]:
        """A device's samples in [since, until), by time, down-sampled to at most `max_points` equal stretches.

        Args:
            device: its id.
            quantity: a field of the table of measurements, or the `quantity` of a `measurement`.
            since: first instant.
            until: instant after the last.
            max_points: at least 1.
            channel: only this channel; None: all together.
        """
        width = max(1, -(-(until - since) // max_points))
        where, values = "device = ? AND quantity = ?", [device, quantity]
        if channel is not None:
            where += " AND channel = ?"
            values.append(channel)
        sql = (
            "SELECT ? + ((at / 1000 - ?) / ?) * ?, avg(value), min(value), max(value), count(*) FROM sample "  # noqa: S608
            f"WHERE series IN (SELECT id FROM series WHERE {where}) AND at >= ? AND at < ? GROUP BY 1 ORDER BY 1"
        )
        bounds = (since, since, width, width, *values, since * 1000, until * 1000)
        return [Sample(*row) for row in await self._run(lambda: list(self._open().execute(sql, bounds)))]

    async def close(self) -> None:
        """Close the file; questions after this are refused."""
        await self._run(self._close)
        self._thread.shutdown(wait=True)

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open(self) -> apsw.Connection:
        if self._connection is None:
            connection = apsw.Connection(str(self._path))
            connection.set_busy_timeout(5000)
            connection.pragma("journal_mode", "wal")
            # FULL: the cursor in the journal must not be ahead of what this file holds after a power cut.
            connection.pragma("synchronous", "full")
            connection.execute(_SCHEMA)
            self._connection = connection
        return self._connection

    def _set_aside(self) -> Path:
        """Make room for a new file; of damaged ones the last is kept. What charts are drawn from must not hold up what is forgotten."""
        with contextlib.suppress(apsw.Error):
            self._close()
        self._connection = None
        kept = self._path.with_name(f"{self._path.name}.damaged")
        self._path.replace(kept)
        for rest in (
            "-wal",
            "-shm",
            "-journal",
        ):  # with them whoever looks into the damaged one finds what was written last
            beside = self._path.with_name(self._path.name + rest)
            if beside.exists():
                beside.replace(kept.with_name(kept.name + rest))
            else:
                kept.with_name(kept.name + rest).unlink(missing_ok=True)  # of one that was set aside before
        _log.error("the telemetry file %s was damaged; it is kept as %s, and a new one is begun", self._path, kept)
        return kept

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(
                apsw.Error
            ):  # a full or failed disk: what it does not take now stays in the write-ahead log
                self._connection.close()
            self._connection = None

    def _write(self, points: Sequence[Point]) -> None:
        connection = self._open()
        with connection:
            rows = [
                (self._series(connection, point, name), point.time_ns, float(value))
                for point in points
                for name, value in point.fields
                if not isinstance(value, str)
            ]
            for start in range(0, len(rows), _ROWS_A_STATEMENT):
                chunk = rows[start : start + _ROWS_A_STATEMENT]
                sql = "INSERT OR REPLACE INTO sample VALUES " + ",".join(["(?,?,?)"] * len(chunk))  # noqa: S608
                connection.execute(sql, tuple(chain.from_iterable(chunk)))
        if self._now() - self._purged >= PURGE_EVERY:
            self._purge()

    def _series(self, connection: apsw.Connection, point: Point, field: str) -> int:
        """The id of the series of one field of a point; made if new."""
        tags = dict(point.tags)
        labels = [f"{name}={value}" for name, value in point.tags if name not in _NOT_LABELS]
        quantity = tags.get("quantity", field)
        key = (point.device, quantity, point.channel, ",".join([f"measurement={point.measurement}", *labels]))
        found = self._ids.get(key)
        if found is None:
            connection.execute(
                "INSERT OR IGNORE INTO series (device, quantity, channel, labels) VALUES (?, ?, ?, ?)", key
            )
            rows: list[tuple[Any, ...]] = connection.execute(
                "SELECT id FROM series WHERE device = ? AND quantity = ? AND channel = ? AND labels = ?", key
            ).fetchall()
            found = self._ids[key] = rows[0][0]
        return found

    def _purge(self) -> None:
        self._purged = self._now()
        connection = self._open()
        oldest = (self._purged - self._retain) * 1000
        for (series,) in connection.execute("SELECT id FROM series").fetchall():
            connection.execute("DELETE FROM sample WHERE series = ? AND at < ?", (series, oldest))
