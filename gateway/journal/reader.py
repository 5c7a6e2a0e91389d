"""Questions to the journal, answered on connections of their own, in threads. None of them grows with the journal."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import apsw

from gateway.instants import Duration, Instant
from gateway.journal.rows import Again, ChangeRow, Condition, EntryRow, LogRow, QuarantineRow, SnapshotRow
from gateway.journal.store import connect_reader

Answer = TypeVar("Answer")

_LOG = "seq, received, device, kind, at, boot, n, body"
_ALL = f"{_LOG}, (SELECT heard FROM late WHERE late.seq = log.seq)"  # noqa: S608
_QUARANTINE = """SELECT q.seq, q.received, q.source, q.topic, q.payload, q.reason, q.retained, a.at, a.by, a.outcome, a.observations, a.reason
FROM quarantine q LEFT JOIN read_again a ON a.seq = (SELECT max(seq) FROM read_again WHERE quarantine = q.seq)"""
_EVER = 1 << 62
_CONDITION = "found, since, kind, id, state, detail"
_KINDS = """WITH RECURSIVE known(kind) AS (
SELECT min(kind) FROM condition
UNION ALL SELECT (SELECT min(kind) FROM condition WHERE kind > known.kind) FROM known WHERE kind IS NOT NULL
) SELECT kind FROM known WHERE kind IS NOT NULL"""
_LAST = f"""WITH RECURSIVE subject(id) AS (
SELECT min(id) FROM condition WHERE kind = ?1
UNION ALL SELECT (SELECT min(id) FROM condition WHERE kind = ?1 AND id > subject.id) FROM subject WHERE id IS NOT NULL
) SELECT {_CONDITION} FROM condition WHERE seq IN (
SELECT (SELECT seq FROM condition WHERE kind = ?1 AND id = subject.id AND found <= ?2 ORDER BY found DESC, seq DESC LIMIT 1)
FROM subject WHERE id IS NOT NULL)"""  # noqa: S608
"""The last row of each subject of a kind up to an instant: one probe a subject, however long the history is."""
_FOUND = f"SELECT {_CONDITION} FROM condition WHERE kind = ? AND found > ? AND found <= ? ORDER BY found, seq LIMIT ?"  # noqa: S608
_LATE = f"""SELECT {_CONDITION} FROM condition INDEXED BY condition_late
WHERE kind = ? AND found > ? AND found <= ? AND since < found AND since < ? ORDER BY found, seq LIMIT ?"""  # noqa: S608
"""Rows found after a period that began in it or before."""
_FINDINGS = "SELECT start, id, body FROM finding WHERE kind = ? AND (start, id) > (?, ?) AND start < ? ORDER BY start, id LIMIT ?"
_PAGE = 1000
_ENROLMENTS = """SELECT body FROM enrolment e WHERE body IS NOT NULL
AND seq = (SELECT max(seq) FROM enrolment WHERE kind = e.kind AND subject = e.subject) ORDER BY seq"""
_STATE = "json_extract(CAST(body AS TEXT), '$.state')"
_ALERTS = f"SELECT id, {_STATE}, json_extract(CAST(body AS TEXT), '$.updated') FROM finding WHERE kind = 'alert'"  # noqa: S608
PERSONS = "person/"
"""What the keys of `personal` begin with that hold what enrolled persons are called."""
_PERSONS = "SELECT key, body FROM personal WHERE key >= ? AND key < ? AND body IS NOT NULL"
_BUCKET_BITS = 16
"""As in the index log_lookup."""


class Reader:
    """Reads for everyone. `path` is the journal's file."""

    def __init__(self, path: Path, threads: int = 2) -> None:
        self.path = path
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="journal-reader")
        self._opened: list[apsw.Connection] = []

    def connection(self) -> apsw.Connection:
        """The calling thread's own connection."""
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect_reader(self.path)
            self._opened.append(connection)
        return connection

    async def run(self, question: Callable[[apsw.Connection], Answer]) -> Answer:
        """Ask in a reading thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: question(self.connection()))

    async def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of one SELECT."""
        return await self.run(lambda connection: connection.execute(sql, tuple(values)).fetchall())

    def close(self) -> None:
        """Wait for running questions, then close all connections."""
        self._pool.shutdown(wait=True)
        for connection in self._opened:
            connection.close()

    # -- the log

    def log_after(self, seq: int, limit: int = 5000) -> list[LogRow]:
        """Rows after `seq`, in order. Called in the thread that needs it (start-up)."""
        sql = f"SELECT {_ALL} FROM log WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
        rows = self.connection().execute(sql, (seq, limit))
        return [LogRow(*row) for row in rows]

    def last_revisions(self, after: int) -> list[tuple[str, int, int, str]]:
        """(round, position, highest revision, its verdict) of visits with revisions after `after`. Called in the thread that needs it (start-up)."""
        sql = (
            "SELECT round, position, max(revision), verdict FROM visit_revision WHERE seq > ? GROUP BY round, position"
        )
        return list(self.connection().execute(sql, (after,)))

    def alerts(self) -> list[tuple[str, str, str]]:
        """(id, state, last change as ISO time) of every alert there was. Called in the thread that needs it (start-up)."""
        return list(self.connection().execute(_ALERTS))

    def standing_alerts(self, *, closed_after: int | None = None) -> list[tuple[bytes, list[str]]]:
        """Alerts that are not final, each with the contacts of its notices in order. Called in the thread that needs it (start-up).

        Args:
            closed_after: also those of rounds that were closed after this row; None: no others.
        """
        run = self.connection().execute
        contacts = "SELECT contact FROM notice WHERE alert = ? ORDER BY seq"
        closed = f"{_STATE} = 'closed' AND seq > ? AND id GLOB 'round_*'"
        bodies = run(
            f"SELECT body, id FROM finding WHERE kind = 'alert' AND ({_STATE} NOT IN ('closed', 'retracted') OR {closed})",  # noqa: S608
            (closed_after if closed_after is not None else 1 << 62,),
        )
        return [(body, [row[0] for row in run(contacts, (alert,))]) for body, alert in bodies.fetchall()]  # type: ignore[misc]

    def seq_before(self, received: Instant) -> int:
        """A `seq` before which every row was received earlier: found by halving, since `received` never falls."""
        run = self.connection().execute
        low, high = run("SELECT min(seq) FROM log").get, run("SELECT max(seq) FROM log").get
        if low is None:
            return 0
        while low < high:
            middle = (low + high) // 2
            row = run("SELECT seq, received FROM log WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,)).fetchone()
            if row is not None and row[1] < received and row[0] < high:
                low = row[0] + 1
            else:
                high = middle
        return int(low) - 1

    def find(self, device: str, order: int) -> list[LogRow]:
        """The rows of a device whose own sequence number (without one: whose `at`) is `order`, in all of the log."""
        run = self.connection().execute
        found = []
        for bucket in self._buckets():
            sql = f"SELECT {_LOG} FROM log WHERE seq >> 16 = ? AND device = ? AND coalesce(n, at) = ?"  # noqa: S608
            found += [LogRow(*row) for row in run(sql, (bucket, device, order))]
        return found

    def _buckets(self) -> Iterator[int]:
        run = self.connection().execute
        first, last = run("SELECT min(seq) FROM log").get, run("SELECT max(seq) FROM log").get
        if last is not None:
            yield from range(last >> _BUCKET_BITS, (first >> _BUCKET_BITS) - 1, -1)

    async def observations(
        self,
        *,
        device: str | None = None,
        kind: str | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[LogRow]:
        """Rows of the log, newest first. `received` is in [since, until); `before` is an earlier answer's last seq."""
        return await self.run(lambda _: self._observations(device, kind, since, until, before, limit))

    def _observations(  # noqa: PLR0917
        self,
        device: str | None,
        kind: str | None,
        since: Instant | None,
        until: Instant | None,
        before: int | None,
        limit: int,
    ) -> list[LogRow]:
        conditions, values = ["kind NOT IN ('restart', 'operator', 'rejudge')"], []
        for condition, value in (
            ("kind = ?", kind),
            ("received >= ?", since),
            ("received < ?", until),
            ("seq < ?", before),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        run = self.connection().execute
        if device is None:
            where = " AND ".join(conditions)
            rows = run(f"SELECT {_ALL} FROM log WHERE {where} ORDER BY seq DESC LIMIT ?", (*values, limit))  # noqa: S608
            return [LogRow(*row) for row in rows]
        where = " AND ".join(["seq >> 16 = ?", "device = ?", *conditions])
        found: list[LogRow] = []
        for bucket in self._buckets():
            sql = f"SELECT {_ALL} FROM log WHERE {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608
            found += [LogRow(*row) for row in run(sql, (bucket, device, *values, limit - len(found)))]
            if len(found) >= limit:
                break
        return found

    async def quarantine(
        self, *, before: int | None = None, source: str | None = None, limit: int = 100
    ) -> list[QuarantineRow]:
        """What could not be read, newest first; `source`: only from there."""
        where, values = ("q.source = ? AND ", (source,)) if source is not None else ("", ())
        rows = await self.query(
            f"{_QUARANTINE} WHERE {where}q.seq < ? ORDER BY q.seq DESC LIMIT ?",
            (*values, before if before is not None else _EVER, limit),
        )
        return [_quarantined(row) for row in rows]

    async def quarantined(self, rows: Sequence[int]) -> list[QuarantineRow]:
        """Rows of the quarantine by number, in order; those that are not there are left out."""
        places = ",".join("?" * len(rows))
        return [
            _quarantined(row)
            for row in await self.query(f"{_QUARANTINE} WHERE q.seq IN ({places}) ORDER BY q.seq", tuple(rows))
        ]

    async def unreadable(self, newest: int) -> list[tuple[str, str, int, Instant]]:
        """Of the newest so many rows of the quarantine: (source, reason, how many, when the last one came), the most first."""
        sql = """SELECT source, reason, count(*), max(received) FROM (
SELECT source, reason, received FROM quarantine ORDER BY seq DESC LIMIT ?
) GROUP BY source, reason ORDER BY 3 DESC, 4 DESC"""
        return [(row[0], row[1], row[2], row[3]) for row in await self.query(sql, (newest,))]

    # -- what was derived

    def newest_order(self) -> str | None:
        """The last number that was given to a work order: `20261126-003`."""
        run = self.connection().execute
        last: str | None = run("SELECT max(id) FROM entry WHERE book = 'work_order'").get
        if last is None:
            return None
        found: str = run(
            "SELECT id FROM entry WHERE book = 'work_order' AND id >= ? ORDER BY length(id) DESC, id DESC LIMIT 1",
            (last.partition("-")[0],),
        ).get
        return found

    def orders_after(self, seq: int) -> list[tuple[str, bytes]]:
        """(number, entry) of what happened to work orders after `seq`, in order. Called in the thread that needs it (start-up)."""
        sql = "SELECT id, body FROM entry WHERE book = 'work_order' AND seq > ? ORDER BY seq"
        return list(self.connection().execute(sql, (seq,)))

    def changes_after(self, seq: int, limit: int = 500) -> list[ChangeRow]:
        """Live events after `seq`, in order: changed views, taps, alert transitions and entries of books."""
        rows = self.connection().execute(
            "SELECT seq, at, kind, id, body FROM ("
            "SELECT * FROM (SELECT seq, at, kind, id, body FROM change WHERE seq > ?1 ORDER BY seq LIMIT ?2) UNION ALL "
            "SELECT * FROM (SELECT seq, at, 'alert', alert, body FROM alert_transition WHERE seq > ?1 ORDER BY seq LIMIT ?2) UNION ALL "
            "SELECT * FROM (SELECT seq, at, book, id, body FROM entry WHERE seq > ?1 ORDER BY seq LIMIT ?2)"
            ") ORDER BY seq LIMIT ?2",
            (seq, limit),
        )
        return [ChangeRow(*row) for row in rows]

    async def findings(self, kind: str, since: Instant, until: Instant, limit: int = 1000) -> list[bytes]:
        """The newest views of a kind whose start is in [since, until), by start."""
        rows = await self.query(
            "SELECT body FROM finding WHERE kind = ? AND start >= ? AND start < ? ORDER BY start, id LIMIT ?",
            (kind, since, until, limit),
        )
        return [row[0] for row in rows]

    async def all_findings(self, kind: str, since: Instant, until: Instant) -> AsyncIterator[tuple[str, bytes]]:
        """Id and newest view of every subject of a kind whose start is in [since, until), by start, read page by page."""
        start, last = since, ""
        while True:
            rows = await self.query(_FINDINGS, (kind, start, last, until, _PAGE))
            for _, subject, body in rows:
                yield subject, body
            if len(rows) < _PAGE:
                return
            start, last = rows[-1][:2]

    async def finding(self, kind: str, subject: str) -> bytes | None:
        """The newest view of one subject."""
        rows = await self.query("SELECT body FROM finding WHERE kind = ? AND id = ?", (kind, subject))
        return rows[0][0] if rows else None

    # -- books

    def entries_before(self, book: str, until: Instant) -> list[EntryRow]:
        """What had happened to the items of a book before an instant, in order. Called in the thread that needs it (start-up)."""
        sql = "SELECT seq, at, book, id, state, body FROM entry WHERE book = ? AND at < ? ORDER BY seq"
        return [EntryRow(*row) for row in self.connection().execute(sql, (book, until))]

    async def entries(
        self, book: str, *, item: str | None = None, since: Instant = 0, until: Instant = 1 << 62
    ) -> list[EntryRow]:
        """What happened to the items of a book in [since, until), or to one of them, in order."""
        where, values = ("id = ?", (item,)) if item is not None else ("1", ())
        sql = f"SELECT seq, at, book, id, state, body FROM entry WHERE book = ? AND {where} AND at >= ? AND at < ? ORDER BY seq"  # noqa: S608
        return [EntryRow(*row) for row in await self.query(sql, (book, *values, since, until))]

    # -- conditions

    def last_conditions(self) -> list[Condition]:
        """The last row of each subject that was ever told of. Called in the thread that needs it (start-up)."""
        kinds = [row[0] for row in self.connection().execute(_KINDS)]
        return [Condition(*row) for kind in kinds for row in self.connection().execute(_LAST, (kind, _EVER))]

    async def conditions(
        self, kinds: Sequence[str], since: Instant, until: Instant, reach: Duration, limit: int
    ) -> list[Condition] | None:
        """All that says what subjects of `kinds` were in [since, until), in order; None: more than `limit` rows.

        Each subject's last row found by `since`, and rows found later; `reach`: how long before it was found a row may begin.
        """
        return await self.run(lambda _: self._conditions(kinds, since, until, until + reach, limit))

    def _conditions(
        self, kinds: Sequence[str], since: Instant, until: Instant, found_by: Instant, limit: int
    ) -> list[Condition] | None:
        run = self.connection().execute
        make = Condition._make
        rows: list[Condition] = []
        for kind in kinds:
            if kind == "gateway":  # a time down is found at its end, however long it was
                rows.extend(map(make, run(_FOUND, (kind, -_EVER, _EVER, limit))))
                continue
            rows.extend(map(make, run(_LAST, (kind, since))))
            rows.extend(map(make, run(_FOUND, (kind, since, until, max(0, limit + 1 - len(rows))))))
            rows.extend(map(make, run(_LATE, (kind, until, found_by, until, max(0, limit + 1 - len(rows))))))
            if len(rows) > limit:
                return None
        return rows

    async def walks(self, since: Instant, until: Instant) -> list[Condition]:
        """The settled days of checkpoints that begin in [since, until)."""
        rows = await self.query(
            f"SELECT {_CONDITION} FROM condition WHERE kind = 'walk' AND since >= ? AND since < ? ORDER BY seq",  # noqa: S608
            (since, until),
        )
        return [Condition(*row) for row in rows]

    # -- deliveries

    async def cursor(self, name: str) -> int:
        """How far a delivery has got."""
        rows = await self.query("SELECT seq FROM cursor WHERE name = ?", (name,))
        return rows[0][0] if rows else 0

    def enrolments(self) -> tuple[list[bytes], dict[str, bytes]]:
        """Bodies of the enrolments that count, and of the names of enrolled persons by id. Called at start-up; a journal
        that was written before there were any has none.
        """
        run = self.connection().execute
        if not run("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'enrolment')").get:
            return [], {}
        bodies = [row[0] for row in run(_ENROLMENTS)]
        return bodies, {row[0].removeprefix(PERSONS): row[1] for row in run(_PERSONS, (PERSONS, PERSONS[:-1] + "0"))}

    def snapshot(self) -> SnapshotRow | None:
        """The newest stored state."""
        row = (
            self.connection()
            .execute("SELECT seq, at, format, site, state FROM snapshot ORDER BY seq DESC LIMIT 1")
            .fetchone()
        )
        return SnapshotRow(*row) if row else None


def _quarantined(row: tuple[Any, ...]) -> QuarantineRow:
    seq, received, source, topic, payload, reason, retained, *again = row
    last = None if again[0] is None else Again(*again)
    return QuarantineRow(seq, received, source, topic, payload, reason, retained, last)
