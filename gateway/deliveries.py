"""The journal as the outbox sees it: rows to deliver, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gateway.instants import Instant
from gateway.journal.reader import Reader
from gateway.journal.rows import LogRow
from gateway.journal.writer import Writer
from gateway.outbox.about import about
from gateway.outbox.source import Attempt, Doubt, DueNotice, Held

_LOG = "seq, received, device, kind, at, boot, n, body"

_SAME = "SELECT 1 FROM notice AS other WHERE other.alert = notice.alert AND other.contact = notice.contact"
_THEN = "FROM alert_transition AS t WHERE t.alert = notice.alert AND t.seq < notice.seq ORDER BY t.seq DESC LIMIT 1"
"""An alert's row that a notice rests on is the last one before it: they are written together, the notice after it."""

_NOTICE = f"""
SELECT seq, key, contact, alert, kind, title, body, created, attempts, held,
    (SELECT min(at) FROM notice_attempt WHERE notice_attempt.notice = notice.seq),
    message,
    (SELECT t.body {_THEN}),
    EXISTS ({_SAME} AND other.seq < notice.seq AND (other.attempts > 0 OR other.message IS NOT NULL)),
    EXISTS ({_SAME} AND other.seq < notice.seq AND other.next_try IS NOT NULL AND other.held IS NOT 'quiet'),
    EXISTS ({_SAME} AND other.seq > notice.seq AND other.kind IN ('resolved', 'merged', 'retracted')),
    EXISTS ({_SAME} AND other.seq > notice.seq AND other.kind = 'retracted')
FROM notice WHERE contact = ? AND next_try IS NOT NULL
"""  # noqa: S608
_DUE = f"{_NOTICE} AND message IS NULL AND next_try <= ? ORDER BY next_try, seq LIMIT ?"
_AGAIN = f"{_NOTICE} AND message = ? ORDER BY seq"
_IN_DOUBT = "FROM notice WHERE contact = ? AND message IS NOT NULL AND next_try IS NOT NULL"
_AGAIN_DUE = f"SELECT message {_IN_DOUBT} AND next_try <= ? ORDER BY next_try, seq LIMIT 1"

SENT = f"""
SELECT DISTINCT made.at FROM notice_attempt AS made CROSS JOIN notice ON notice.seq = made.notice
WHERE made.at > ? AND made.ok AND notice.contact = ?
    AND (SELECT json_extract(CAST(t.body AS TEXT), '$.alert.severity') {_THEN}) IN ('major', 'minor', 'warning')
ORDER BY made.at
"""  # noqa: S608
"""CROSS JOIN: SQLite then begins with the attempts of the last hour, not with all that was ever told to the contact."""

_OF_THESE = "WHERE seq IN (SELECT value FROM json_each(?))"
"""One statement for all notices of a message: the journal's thread gives up the interpreter's lock between statements."""
_ATTEMPT = "INSERT INTO notice_attempt (notice, at, ok, detail) SELECT value, ?, ?, ? FROM json_each(?)"
_TRIED = (
    "UPDATE notice SET attempts = attempts + 1, next_try = ?, held = NULL, "  # noqa: S608
    f"message = CASE WHEN ? THEN NULL ELSE message END {_OF_THESE}"
)

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

    async def due_contacts(self, now: Instant) -> list[str]:
        """Contacts for whom something is to be tried now."""
        sql = "SELECT DISTINCT contact FROM notice WHERE next_try IS NOT NULL AND next_try <= ? ORDER BY contact"
        return [contact for (contact,) in await self._reader.query(sql, (now,))]

    async def due_notices(self, contact: str, now: Instant, limit: int) -> list[DueNotice]:
        """A contact's notices to be tried now: all of one message that may have arrived, else those of none, as they fell due."""
        again = await self._reader.query(_AGAIN_DUE, (contact, now))
        if again:
            rows = await self._reader.query(_AGAIN, (contact, again[0][0]))
        else:
            rows = await self._reader.query(_DUE, (contact, now, limit))
        return [_due(row) for row in rows]

    async def next_notice(self) -> Instant | None:
        """When the next notice is to be tried."""
        due: Instant | None = (await self._reader.query("SELECT min(next_try) FROM notice WHERE next_try IS NOT NULL"))[
            0
        ][0]
        return due

    async def sent(self, contact: str, since: Instant) -> list[Instant]:
        """When messages that count towards a limit were sent to a contact after `since`."""
        return [at for (at,) in await self._reader.query(SENT, (since, contact))]

    async def begin(self, notices: Sequence[int], message: str) -> None:
        """A message with these notices is about to be sent."""
        await self._writer.execute([(f"UPDATE notice SET message = ? {_OF_THESE}", (message, _encode(notices)))])  # noqa: S608

    async def doubt(self, contact: str) -> Doubt:
        """What may have arrived at a contact."""
        sql = f"SELECT count(DISTINCT message), min(next_try) {_IN_DOUBT}"
        return Doubt(*(await self._reader.query(sql, (contact,)))[0])

    async def attempted(self, attempts: Sequence[Attempt]) -> None:
        """Record what became of one message, in one transaction."""
        alike: dict[tuple[Any, ...], list[int]] = {}
        for notice, *rest in attempts:
            alike.setdefault(tuple(rest), []).append(notice)
        statements: list[tuple[str, tuple[Any, ...]]] = []
        for (at, ok, detail, next_try, refused), notices in alike.items():
            statements += [
                (_ATTEMPT, (at, int(ok), detail, _encode(notices))),
                (_TRIED, (next_try, int(refused), _encode(notices))),
            ]
        await self._writer.execute(statements)

    async def hold(self, waiting: Sequence[tuple[int, Instant, Held]]) -> None:
        """Have notices tried again at an instant, and why not before."""
        sql = f"UPDATE notice SET next_try = ?, held = ? {_OF_THESE}"  # noqa: S608
        alike: dict[tuple[Instant, Held], list[int]] = {}
        for notice, until, why in waiting:
            alike.setdefault((until, why), []).append(notice)
        await self._writer.execute([(sql, (*when, _encode(notices))) for when, notices in alike.items()])

    async def drop(self, notices: Sequence[tuple[int, Held]]) -> None:
        """Notices that are not sent at all, and why."""
        sql = "UPDATE notice SET next_try = NULL, held = ? WHERE seq = ?"
        await self._writer.execute([(sql, (why, notice)) for notice, why in notices])

    async def hurry(self, contact: str, now: Instant) -> None:
        """Have what failed at a contact, and what waits behind it, tried now: it is reached again."""
        sql = "UPDATE notice SET next_try = ? WHERE contact = ? AND next_try > ? AND (held IN ('behind', 'asked') OR held IS NULL AND attempts > 0)"
        await self._writer.execute([(sql, (now, contact, now))])

    async def reconsider(self, now: Instant) -> None:
        """Have what quiet hours or a limit hold considered again now."""
        sql = "UPDATE notice SET next_try = ? WHERE next_try > ? AND held IN ('quiet', 'limit')"
        await self._writer.execute([(sql, (now, now))])


def _encode(notices: Sequence[int]) -> str:
    return msgspec.json.encode(notices).decode()


def _due(row: tuple[Any, ...]) -> DueNotice:
    *plain, transition, told, coming, ended, withdrawn = row
    then = None if transition is None else about(transition)
    return DueNotice._make([*plain, then, bool(told), bool(coming), bool(ended), bool(withdrawn)])
