"""The journal as the outbox sees it: rows to deliver, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.instants import Instant
from gateway.journal.reader import Reader
from gateway.journal.rows import LogRow, StoredNotice
from gateway.journal.writer import Writer

_LOG = "seq, received, device, kind, at, boot, n, body"

_LOOK_AGAIN_S = 0.05
_LONGEST_WAIT_S = 2.0
"""So long the telemetry waits before each batch while a backlog of evidence is drained: it may be late, but goes on."""


class JournalSource:
    """Both sources of the outbox: telemetry from the log, notices from their table.

    Args:
        reader: for questions.
        writer: for results; each is one small transaction between the intake's batches.
        now: the wall clock, for the time of a dead letter.
        draining: whether the intake is draining a backlog.
    """

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        now: Callable[[], Instant],
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._now = now
        self._draining = draining

    async def cursor(self, name: str) -> int:
        """How far the delivery `name` has got in the log."""
        return await self._reader.cursor(name)

    async def read_log(self, after: int, limit: int) -> list[LogRow]:
        """Observations after `after`, in order; while a backlog is drained they are given slowly."""
        waited_s = 0.0
        while self._draining() and waited_s < _LONGEST_WAIT_S:
            await asyncio.sleep(_LOOK_AGAIN_S)
            waited_s += _LOOK_AGAIN_S
        sql = f"SELECT {_LOG} FROM log WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
        return [LogRow(*row) for row in await self._reader.query(sql, (after, limit))]

    async def advance_cursor(self, name: str, seq: int) -> None:
        """The delivery `name` has got to `seq`."""
        await self._writer.execute([("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (name, seq))])

    async def dead_letter(self, writer: str, seq: int, reason: str, body: bytes) -> None:
        """A receiver refuses this row for good."""
        sql = "INSERT OR IGNORE INTO dead_letter (at, writer, log, reason, body) VALUES (?,?,?,?,?)"
        await self._writer.execute([(sql, (self._now(), writer, seq, reason, body))])

    async def due_notices(self, now: Instant, limit: int) -> list[StoredNotice]:
        """Notices to be tried now, oldest first."""
        return await self._reader.due_notices(now, limit)

    async def next_notice(self) -> Instant | None:
        """When the next notice is to be tried."""
        return await self._reader.next_notice()

    async def notice_attempt(  # noqa: PLR0917
        self,
        notice_id: int,
        at: Instant,
        ok: bool,
        detail: str,
        next_try: Instant | None,
        final: bool,
    ) -> None:
        """Record one attempt; `final`: sent, or given up."""
        await self._writer.execute(
            [
                (
                    "INSERT INTO notice_attempt (notice, at, ok, detail) VALUES (?,?,?,?)",
                    (notice_id, at, int(ok), detail),
                ),
                (
                    "UPDATE notice SET attempts = attempts + 1, next_try = ? WHERE seq = ?",
                    (None if final else next_try, notice_id),
                ),
            ]
        )
