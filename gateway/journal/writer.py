"""The one thread that writes: each batch is one transaction, synced before anyone is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from itertools import chain
from queue import SimpleQueue
from typing import Any

import apsw

from gateway.errors import JournalError
from gateway.journal.chain import CHAINED, extend

Row = tuple[Any, ...]

_LOG_COLUMNS = 9
_CHUNKS = (250, 25, 1)
"""Rows an INSERT. One statement of many rows gives up the interpreter lock once, not once a row: with the event loop busy on
the other core, single-row statements were 100 times slower (they wait for the lock after each row)."""

_LOG_INSERTS = tuple(
    (rows, "INSERT INTO log VALUES " + ",".join(["(" + ",".join("?" * _LOG_COLUMNS) + ")"] * rows))  # noqa: S608
    for rows in _CHUNKS
)
_INSERTS = {
    "quarantine": "INSERT INTO quarantine VALUES (?,?,?,?,?,?,?)",
    "late": "INSERT INTO late VALUES (?,?)",
    "read_again": "INSERT INTO read_again (at, by, quarantine, outcome, observations, reason) VALUES (?,?,?,?,?,?)",
    "visit_revision": "INSERT INTO visit_revision VALUES (?,?,?,?,?,?,?)",
    "alert_transition": "INSERT INTO alert_transition VALUES (?,?,?,?,?)",
    "change": "INSERT INTO change VALUES (?,?,?,?,?)",
    "entry": "INSERT INTO entry VALUES (?,?,?,?,?,?)",
    "checkpoint": "INSERT INTO checkpoint VALUES (?,?,?,?,?,?)",
    "condition": "INSERT INTO condition VALUES (?,?,?,?,?,?,?)",
    "finding": "INSERT INTO finding VALUES (?,?,?,?,?) "
    "ON CONFLICT (kind, id) DO UPDATE SET start = excluded.start, seq = excluded.seq, body = excluded.body",
    "notice": "INSERT INTO notice (seq, key, created, contact, alert, kind, title, body, next_try) "
    "VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (key) DO NOTHING",
}
_INSERT_SNAPSHOT = "INSERT OR REPLACE INTO snapshot VALUES (?,?,?,?,zeroblob(?))"
_PIECE = 1 << 20
"""Bytes of a state written at once: given as a value, all of it would be in memory twice more."""


class Batch:
    """What one transaction writes.

    `log` holds rows of the log; `rows` those of other tables by name; `statements` any further SQL; `advanced` the
    instant up to which everything has been judged.
    """

    __slots__ = ("advanced", "log", "rows", "statements")

    def __init__(self) -> None:
        self.log: list[Row] = []
        self.rows: dict[str, list[Row]] = {}
        self.statements: list[tuple[str, Row]] = []
        self.advanced: int | None = None

    def add(self, table: str, row: Row) -> None:
        """One more row of a table other than the log."""
        self.rows.setdefault(table, []).append(row)

    def __len__(self) -> int:
        return len(self.log) + sum(map(len, self.rows.values())) + len(self.statements)


class Writer:
    """Writes batches in the order given.

    Args:
        connection: used by the writing thread alone from now on.
        stalled: called in the event loop with the reason when the disk takes nothing more, and with "" when it does
            again. The batch is kept and tried again each `retry_s`; nothing behind it is acknowledged meanwhile.
        failed: called in the event loop once the disk failed in a way after which nothing may be trusted, whoever's batch it was.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        stalled: Callable[[str], None] = lambda _reason: None,
        retry_s: float = 1.0,
        *,
        failed: Callable[[JournalError], None] = lambda _error: None,
    ) -> None:
        self._connection = connection
        self._stalled = stalled
        self._failed = failed
        self._retry_s = retry_s
        self._queue: SimpleQueue[tuple[Batch, asyncio.Future[list[Any]]] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._closing = threading.Event()
        self._broken: JournalError | None = None
        """Why nothing is written any more: what comes after a lost batch rests on it."""
        self._thread = threading.Thread(target=self._work, name="journal-writer", daemon=True)
        self._thread.start()
        self.commits = 0

    def submit(self, batch: Batch) -> asyncio.Future[list[Any]]:
        """Write `batch`; the future is done once it is on disk, with each statement's number of changed rows.

        The future raises JournalError if the disk failed in a way after which nothing may be trusted (a failed sync).
        """
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        self._queue.put((batch, future))
        return future

    async def execute(self, statements: Sequence[tuple[str, Row]]) -> list[Any]:
        """Run statements in one transaction of their own."""
        batch = Batch()
        batch.statements.extend(statements)
        return await self.submit(batch)

    def close(self) -> None:
        """Write what was submitted, then stop. A batch that the disk refuses is given up (it was never acknowledged)."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            batch, future = job
            if self._broken is not None:
                self._tell(future, self._broken)
                continue
            try:
                changes = self._commit(batch)
            except Exception as error:  # noqa: BLE001 whatever it is, nothing was written: to be told, or all would wait for good
                failure = JournalError(f"the journal could not be written: {error}")
                if isinstance(error, (apsw.IOError, apsw.CorruptError, apsw.NotADBError)):
                    self._broken = failure
                    self._loop.call_soon_threadsafe(self._failed, failure)
                self._tell(future, failure)
            else:
                self.commits += 1
                self._tell(future, changes)

    def _tell(self, future: asyncio.Future[list[Any]], result: list[Any] | JournalError) -> None:
        def tell() -> None:
            if future.cancelled():
                return
            if isinstance(result, JournalError):
                future.set_exception(result)
            else:
                future.set_result(result)

        self._loop.call_soon_threadsafe(tell)

    def _commit(self, batch: Batch) -> list[Any]:
        waiting = False
        while True:
            try:
                changes = self._write(batch)
            except (apsw.FullError, apsw.BusyError) as error:
                if not waiting:
                    waiting = True
                    self._loop.call_soon_threadsafe(self._stalled, str(error))
                if self._closing.wait(self._retry_s):
                    raise
            else:
                if waiting:
                    self._loop.call_soon_threadsafe(self._stalled, "")
                return changes

    def _write(self, batch: Batch) -> list[Any]:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            self._insert_log(batch.log)
            for table, rows in batch.rows.items():
                if table == "snapshot":
                    self._insert_snapshots(rows)
                else:
                    self._connection.executemany(_INSERTS[table], rows)
            changes = []
            for sql, values in batch.statements:
                run(sql, values)
                changes.append(self._connection.changes())
            if chained := CHAINED if batch.statements else CHAINED.intersection(batch.rows):
                extend(self._connection, chained)
            if batch.advanced is not None:
                run("INSERT OR REPLACE INTO meta VALUES ('advanced', ?)", (batch.advanced,))
            run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise
        return changes

    def _insert_snapshots(self, rows: list[Row]) -> None:
        for *described, state in rows:
            self._connection.execute(_INSERT_SNAPSHOT, (*described, len(state)))
            with (
                self._connection.blob_open("main", "snapshot", "state", described[0], True) as stored,
                memoryview(state) as whole,
            ):
                for start in range(0, len(state), _PIECE):
                    stored.write(whole[start : start + _PIECE])

    def _insert_log(self, rows: list[Row]) -> None:
        start = 0
        for size, sql in _LOG_INSERTS:
            while len(rows) - start >= size:
                self._connection.execute(sql, tuple(chain.from_iterable(rows[start : start + size])))
                start += size
