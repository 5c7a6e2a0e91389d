"""A journal in memory, as the outbox sees it, for tests that are not about the journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from device_drivers.observations import Observation
from gateway.instants import Instant, instant
from gateway.outbox.source import Attempt, Doubt, DueNotice, Held


class Row(NamedTuple):
    seq: int
    received: Instant
    device: str
    kind: str
    at: Instant
    boot: str | None
    n: int | None
    body: bytes


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
    """`attempts` as recorded; `waiting` by id with the time at which each is tried next."""

    def __init__(self, notices: list[DueNotice]) -> None:
        self.waiting: dict[int, tuple[Instant, DueNotice]] = {notice.id: (notice.created, notice) for notice in notices}
        self.attempts: list[Attempt] = []
        self.dropped: list[tuple[int, Held]] = []

    async def due_contacts(self, now: Instant) -> list[str]:
        return sorted({notice.contact for at, notice in self.waiting.values() if at <= now})

    async def due_notices(self, contact: str, now: Instant, limit: int) -> list[DueNotice]:
        due = sorted((at, notice.id) for at, notice in self.waiting.values() if at <= now and notice.contact == contact)
        found = [self.waiting[number][1] for _, number in due]
        again = next((notice.message for notice in found if notice.message is not None), None)
        return [notice for notice in found if notice.message == again][: limit if again is None else None]

    async def next_notice(self) -> Instant | None:
        return min((at for at, _ in self.waiting.values()), default=None)

    async def sent(self, contact: str, since: Instant) -> list[Instant]:
        return sorted({attempt.at for attempt in self.attempts if attempt.ok and attempt.at > since})

    async def begin(self, notices: Sequence[int], message: str) -> None:
        for number in notices:
            at, notice = self.waiting[number]
            self.waiting[number] = (at, notice._replace(message=message))

    async def doubt(self, contact: str) -> Doubt:
        kept = [(at, one.message) for at, one in self.waiting.values() if one.contact == contact and one.message]
        return Doubt(len({message for _, message in kept}), min((at for at, _ in kept), default=None))

    async def attempted(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            self.attempts.append(attempt)
            _, notice = self.waiting.pop(attempt.notice)
            if attempt.next_try is not None:
                tried = attempt.at if notice.tried is None else notice.tried
                message = None if attempt.refused else notice.message
                later = notice._replace(attempts=notice.attempts + 1, held=None, tried=tried, message=message)
                self.waiting[attempt.notice] = (attempt.next_try, later)

    async def hold(self, waiting: Sequence[tuple[int, Instant, Held]]) -> None:
        for number, until, why in waiting:
            self.waiting[number] = (until, self.waiting[number][1]._replace(held=why))

    async def drop(self, notices: Sequence[tuple[int, Held]]) -> None:
        for number, why in notices:
            del self.waiting[number]
            self.dropped.append((number, why))

    async def hurry(self, contact: str, now: Instant) -> None:
        for number, (at, notice) in list(self.waiting.items()):
            if (
                notice.contact == contact
                and at > now
                and (notice.held in {"behind", "asked"} or (notice.held is None and notice.attempts))
            ):
                self.waiting[number] = (now, notice)

    async def reconsider(self, now: Instant) -> None:
        for number, (at, notice) in list(self.waiting.items()):
            if notice.held in {"quiet", "limit"} and at > now:
                self.waiting[number] = (now, notice)
