"""The telemetry worker: takes the log's rows in order, makes points of them, and has one writer write them.

Delivery is at least once: the cursor moves only after the writer has every point of a batch, and a repeat overwrites itself.
A receiver that is away stops nothing but this worker; the rows wait in the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from gateway.errors import DeliveryError
from gateway.instants import Instant
from gateway.outbox.measurements import Point, Points
from gateway.outbox.retry import Retry
from gateway.outbox.source import LogRow, TelemetrySource
from gateway.site.model import Site

BATCH = 2000
"""Rows of one request."""
AT_ONCE = 250
"""Points made before others in the loop get their turn: about a millisecond."""
IDLE_S = 5.0
"""Without a wake-up the log is looked at so often."""


class Rejection(NamedTuple):
    """A point that the receiver refuses for good: its place in the batch, from 0, and why."""

    number: int
    reason: str


class TelemetryWriter(Protocol):
    """Where points go.

    Attributes:
        name: of its cursor in the journal; a new name starts from the beginning of the log.
    """

    name: str

    async def write(self, points: Sequence[Point]) -> list[Rejection]:
        """Write all points, in any number of requests; those refused for good are returned.

        Raises:
            DeliveryError: not now; some may be written already, all are to be given again.
        """

    async def close(self) -> None:
        """Give up connections and files. Whoever made the writer closes it, after the worker."""


class TelemetryWorker:
    """Delivers the log to one writer, for ever; cancel it to stop.

    Attributes:
        written, rejected, retried: points written, points dead-lettered, failed requests since the start.
        lag: rows read and not yet done, at most a batch; `behind_since`: receipt of the oldest of them.
        problem: why nothing is delivered at the moment, for people; None: all is well.

    Args:
        source: the journal.
        writer: the store.
        site: names the tags.
        now: the wall clock.
        wake: set when the log has new rows; cleared here.
        retry: how long to wait after a failure.
        batch: rows of one batch.
    """

    def __init__(
        self,
        source: TelemetrySource,
        writer: TelemetryWriter,
        site: Site,
        *,
        now: Callable[[], Instant],
        wake: asyncio.Event | None = None,
        retry: Retry | None = None,
        batch: int = BATCH,
    ) -> None:
        self._source = source
        self._writer = writer
        self._points = Points(site)
        self._now = now
        self._wake = wake or asyncio.Event()
        self._retry = retry or Retry()
        self._batch = batch
        self.written = 0
        self.rejected = 0
        self.retried = 0
        self.lag = 0
        self.behind_since: Instant | None = None
        self.problem: str | None = None

    async def run(self) -> None:
        """Deliver until cancelled."""
        cursor = await self._source.cursor(self._writer.name)
        while True:
            self._wake.clear()
            rows = await self._source.read_log(cursor, self._batch)
            if rows:
                cursor = await self._deliver(rows)
            if len(rows) < self._batch:
                await self._rest()

    async def _deliver(self, rows: Sequence[LogRow]) -> int:
        """Write one batch, however long it takes; returns the new cursor."""
        self.lag, self.behind_since = len(rows), rows[0].received
        points, sources = await self._make(rows)
        rejections = await self._write(points) if points else []
        for number, reason in rejections:
            await self._source.dead_letter(self._writer.name, sources[number].seq, reason, sources[number].body)
        await self._source.advance_cursor(self._writer.name, rows[-1].seq)
        self.written += len(points) - len(rejections)
        self.rejected += len(rejections)
        self.lag, self.behind_since = 0, None
        return rows[-1].seq

    async def _make(self, rows: Sequence[LogRow]) -> tuple[list[Point], list[LogRow]]:
        points: list[Point] = []
        sources: list[LogRow] = []
        for number, row in enumerate(rows):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                point = self._points.point(row)
            except msgspec.MsgspecError as error:
                self.rejected += 1
                await self._source.dead_letter(self._writer.name, row.seq, f"not an observation: {error}", row.body)
                continue
            if point is not None:
                points.append(point)
                sources.append(row)
        return points, sources

    async def _write(self, points: Sequence[Point]) -> list[Rejection]:
        failures = 0
        while True:
            try:
                rejections = await self._writer.write(points)
            except DeliveryError as error:
                self.retried += 1
                self.problem = error.reason
                await asyncio.sleep(self._retry.wait_s(failures, error.retry_after_s))
                failures += 1
            else:
                self.problem = None
                return rejections

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(IDLE_S):
                await self._wake.wait()
        except TimeoutError:
            return
