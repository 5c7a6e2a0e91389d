"""What the journal keeps, as people and programs ask for it (`api.ports.Archive`). Reads only: with the gateway running or stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gateway.books import BookName
from gateway.figures.history import REACH
from gateway.instants import Instant
from gateway.journal.reader import Reader
from gateway.journal.retention import KEPT_FROM
from gateway.journal.rows import Condition, LogRow, QuarantineRow

_CONDITIONS_AT_ONCE = 500_000
"""Rows that one question about a period may read: some 100 MB."""


class Archive:
    """Rows of the journal, newer ones of memory left out where that is said.

    Args:
        reader: the journal's reading side.
        in_memory: whether a round is shown by memory; None: none is.
    """

    def __init__(self, reader: Reader, in_memory: Callable[[str], bool] | None = None) -> None:
        self._reader = reader
        self._in_memory = in_memory

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
        """Rows of the log, newest first; `received` in [since, until); `before`: only rows with a lower `seq`."""
        return await self._reader.observations(
            device=device, kind=kind, since=since, until=until, before=before, limit=limit
        )

    async def quarantine(
        self, *, before: int | None = None, source: str | None = None, limit: int = 100
    ) -> list[QuarantineRow]:
        """What could not be read, newest first; `source`: only from there."""
        return await self._reader.quarantine(before=before, source=source, limit=limit)

    async def quarantined(self, rows: Sequence[int]) -> list[QuarantineRow]:
        """Rows of the quarantine by number; those that are not there are left out."""
        return await self._reader.quarantined(rows)

    async def unreadable(self, newest: int) -> list[tuple[str, str, int, Instant]]:
        """Of the newest so many rows of the quarantine: (source, reason, how many, when the last one came), the most first."""
        return await self._reader.unreadable(newest)

    async def rounds(self, since: Instant, until: Instant) -> list[dict[str, Any]]:
        """Rounds with start in [since, until) that memory does not show, as last judged, by start."""
        shows = self._in_memory
        rows = self._reader.all_findings("round", since, until)
        return [msgspec.json.decode(body) async for round_id, body in rows if shows is None or not shows(round_id)]

    async def revisions(self, round_id: str) -> list[dict[str, Any]]:
        """Every change of a verdict of a round's visits, by position and revision."""
        sql = "SELECT body FROM visit_revision WHERE round = ? ORDER BY position, revision, seq"
        return [msgspec.json.decode(row[0]) for row in await self._reader.query(sql, (round_id,))]

    async def gaps(self, since: Instant, until: Instant) -> list[dict[str, Any]]:
        """Windows of largest gaps with start in [since, until) as last judged, by start."""
        return [msgspec.json.decode(body) async for _, body in self._reader.all_findings("gap", since, until)]

    async def alerts(self, before: Instant | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Alerts raised before `before`, newest first."""
        rows = await self._reader.query(
            "SELECT body FROM finding WHERE kind = 'alert' AND start < ? ORDER BY start DESC LIMIT ?",
            (before if before is not None else 1 << 62, limit),
        )
        return [msgspec.json.decode(row[0]) for row in rows]

    async def alert(self, alert_id: str) -> dict[str, Any] | None:
        """An alert as it was last, also when memory no longer holds it; None: there never was one."""
        body = await self._reader.finding("alert", alert_id)
        return None if body is None else msgspec.json.decode(body)

    async def items(self, book: BookName, since: Instant, until: Instant, limit: int = 1000) -> list[dict[str, Any]]:
        """Items of a book with start in [since, until) as they are now, by start."""
        return [msgspec.json.decode(body) for body in await self._reader.findings(book, since, until, limit)]

    async def item(self, book: BookName, item: str) -> dict[str, Any] | None:
        """One item of a book as it is now; None: there never was one."""
        body = await self._reader.finding(book, item)
        return None if body is None else msgspec.json.decode(body)

    async def entries(
        self, book: BookName, *, item: str | None = None, since: Instant = 0, until: Instant = 1 << 62
    ) -> list[dict[str, Any]]:
        """What happened to the items of a book in [since, until), or to one of them, in order."""
        rows = await self._reader.entries(book, item=item, since=since, until=until)
        return [msgspec.json.decode(row.body) for row in rows]

    async def conditions(self, kinds: Sequence[str], since: Instant, until: Instant) -> list[Condition] | None:
        """Rows that say what subjects of `kinds` were in [since, until), each subject's in order; None: too many."""
        return await self._reader.conditions(kinds, since, until, REACH, _CONDITIONS_AT_ONCE)

    async def walks(self, since: Instant, until: Instant) -> list[Condition]:
        """Settled days of checkpoints that begin in [since, until)."""
        return await self._reader.walks(since, until)

    async def kept_from(self) -> Instant | None:
        """From when on all evidence and all rounds are kept; None: nothing is forgotten yet."""
        found = await self._reader.query("SELECT value FROM meta WHERE key = ?", (KEPT_FROM,))
        return int(found[0][0]) if found else None

    async def query(self, sql: str, params: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Rows of one SELECT."""
        return await self._reader.query(sql, params)
