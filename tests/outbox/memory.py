"""A journal in memory, as the outbox sees it, for tests that are not about the journal."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from device_drivers.observations import Observation
from gateway.instants import Instant, instant


class Row(NamedTuple):
    seq: int
    received: Instant
    device: str
    kind: str
    at: Instant
    boot: str | None
    n: int | None
    body: bytes


class StoredNotice(NamedTuple):
    id: int
    key: str
    contact: str
    title: str
    body: str
    created: Instant
    attempts: int = 0


class Attempt(NamedTuple):
    notice: int
    at: Instant
    ok: bool
    detail: str
    next_try: Instant | None
    final: bool


def row(seq: int, seen: Observation) -> Row:
    """A log row as the intake writes it."""
    kind = str(seen.__struct_config__.tag)
    received = instant(seen.received or seen.at)
    return Row(seq, received, seen.device, kind, instant(seen.at), seen.boot, seen.seq, msgspec.json.encode(seen))


class MemoryLog:
    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.cursors: dict[str, int] = {}
        self.dead: dict[int, str] = {}

    async def cursor(self, name: str) -> int:
        return self.cursors.get(name, 0)

    async def read_log(self, after: int, limit: int) -> list[Row]:
        return [row for row in self.rows if row.seq > after][:limit]

    async def advance_cursor(self, name: str, seq: int) -> None:
        assert seq > self.cursors.get(name, 0)
        self.cursors[name] = seq

    async def dead_letter(self, writer: str, seq: int, reason: str, body: bytes) -> None:
        self.dead.setdefault(seq, reason)


class MemoryNotices:
    def __init__(self, notices: list[StoredNotice]) -> None:
        self.waiting: dict[int, tuple[Instant, StoredNotice]] = {
            notice.id: (notice.created, notice) for notice in notices
        }
        self.attempts: list[Attempt] = []

    async def due_notices(self, now: Instant, limit: int) -> list[StoredNotice]:
        due = sorted((at, notice.id) for at, notice in self.waiting.values() if at <= now)
        return [self.waiting[number][1] for _, number in due[:limit]]

    async def next_notice(self) -> Instant | None:
        return min((at for at, _ in self.waiting.values()), default=None)

    async def notice_attempt(  # noqa: PLR0917
        self, notice_id: int, at: Instant, ok: bool, detail: str, next_try: Instant | None, final: bool
    ) -> None:
        self.attempts.append(Attempt(notice_id, at, ok, detail, next_try, final))
        _, notice = self.waiting.pop(notice_id)
        if not final:
            assert next_try is not None
            self.waiting[notice_id] = (next_try, notice._replace(attempts=notice.attempts + 1))
