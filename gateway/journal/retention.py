"""What the journal forgets, and when: evidence that is older than the site keeps it, live events that nobody can resume from.

Verdicts, alerts, work orders, checks and the audit history are leaves of the chain and stay for good; so do reports.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

import msgspec

from gateway.instants import DAY, HOUR, SECOND, Duration, Instant
from gateway.journal.reader import Reader
from gateway.journal.store import BEFORE, FILE
from gateway.journal.writer import Row, Writer

_log = logging.getLogger(__name__)

EVENTS: Duration = 7 * DAY
"""So long a listener may have been away and still resume the live events without a gap."""
EVERY: Duration = HOUR
KEPT_FROM = "kept_from"
"""The key of the journal's table `meta` with the instant from which on all evidence is there. Nothing before it can be judged again."""

LIVED = "lived"
"""The key of the journal's table `meta` with the instant by which the age of what is kept is measured: it follows the clock, but from
one sweep to the next by no more than `PACE`. A clock in the future makes nothing old.
"""
PACE: Duration = 2 * EVERY

WAY_BACK: Duration = 30 * DAY
"""How long the journal of before an upgrade is kept."""

_CHUNK = 5000
"""Numbers of rows that one transaction looks at: some milliseconds of the writer's time."""
_PAUSE_S = 0.05
_ALL = 1 << 62

_EVIDENCE: Mapping[str, str] = {
    "log": "DELETE FROM log WHERE seq > ? AND seq <= ?",
    "quarantine": "DELETE FROM quarantine WHERE seq > ? AND seq <= ?",
    "read_again": "DELETE FROM read_again WHERE quarantine > ? AND quarantine <= ?",
    "late": "DELETE FROM late WHERE seq > ? AND seq <= ?",
    "dead_letter": "DELETE FROM dead_letter WHERE log > ? AND log <= ?",
    "notice_attempt": "DELETE FROM notice_attempt WHERE notice IN (SELECT seq FROM notice WHERE seq > ? AND seq <= ? "
    "AND next_try IS NULL)",
    "notice": "DELETE FROM notice WHERE seq > ? AND seq <= ? AND next_try IS NULL",
}
"""By table."""

_PASSED = (
    "SELECT seq FROM condition WHERE seq <= ? AND EXISTS (SELECT 1 FROM condition AS later WHERE later.kind = condition.kind "
    "AND later.id = condition.id AND later.found >= condition.found AND later.found < ? AND later.seq > condition.seq) LIMIT ?"
)
"""Conditions in whose place another stands when what is kept begins. Each subject's last row before that time stays, and goes once
another takes its place: it is looked for among all, not only among what has become too old now."""
_CONDITIONS = "DELETE FROM condition WHERE seq IN (SELECT value FROM json_each(?))"

_EVENTS: Mapping[str, str] = {"change": "DELETE FROM change WHERE seq > ? AND seq <= ?"}

_FINDINGS = "DELETE FROM finding WHERE kind IN ('round', 'gap') AND start < ?"


class Retention:
    """Forgets a little at a time, in transactions between the intake's batches.

    Args:
        reader, writer: of the journal.
        evidence: how long evidence is kept (`storage.retain.evidence`).
        now: the wall clock.
        known: until when the journal knew everything when it was opened: where no sweep was noted yet, time went on from there.
        receivers: the deliveries of today by the names of their cursors; what one of them has not got yet is kept.
        busy: whether the intake drains a backlog; forgetting waits then.
        doubted: whether the clock may be wrong; nothing is forgotten then.
    """

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        evidence: Duration,
        now: Callable[[], Instant],
        *,
        known: Instant | None = None,
        receivers: Sequence[str] = (),
        busy: Callable[[], bool] = lambda: False,
        doubted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._evidence = evidence
        self._now = now
        self._known = known
        self._receivers = tuple(receivers)
        self._busy = busy
        self._doubted = doubted
        self.forgotten = 0
        """Rows deleted since the start."""
        self.lived: Instant = 0
        """By when the last sweep measured age (LIVED); 0: none yet."""

    async def run(self) -> None:
        """Forget once an hour until cancelled."""
        while True:
            await self.sweep()
            await asyncio.sleep(EVERY / SECOND)

    async def sweep(self) -> None:
        """Forget what is too old now. What still has to be delivered is kept, however old it is."""
        if self._doubted():
            return
        now = await self._lived()
        before = now - self._evidence
        upto = min(await self._seq_before(before), await self._delivered())
        first = await self._first(_EVIDENCE)
        if first is not None and first <= upto:
            # Said before the first row goes: whoever judges the past again must not take what is missing for silence.
            await self._writer.execute([("INSERT OR REPLACE INTO meta VALUES (?, ?)", (KEPT_FROM, before))])
            await self._forget(_EVIDENCE, first - 1, upto)
            await self._forget_conditions(upto, before)
            self.forgotten += sum(await self._writer.execute([(_FINDINGS, (before,))]))
        old = await self._seq_before(now - EVENTS)
        first = await self._first(_EVENTS)
        if first is not None and first <= old:
            await self._forget(_EVENTS, first - 1, old)
        await self._writer.execute([("INSERT OR REPLACE INTO meta VALUES (?, ?)", (LIVED, now))])
        self.lived = now
        await asyncio.to_thread(self._forget_way_back, now)

    def _forget_way_back(self, now: Instant) -> None:
        """The journal as it was before an upgrade holds names that may have been erased since."""
        for file in self._reader.path.parent.glob(f"{FILE}{BEFORE}*"):
            if file.stat().st_mtime_ns // 1000 < now - WAY_BACK:
                file.unlink()
                _log.info("%s is deleted: nobody has gone back in %d days", file.name, WAY_BACK // DAY)

    async def _lived(self) -> Instant:
        now = self._now()
        found = await self._reader.query("SELECT value FROM meta WHERE key = ?", (LIVED,))
        before = int(found[0][0]) if found else self._known
        return now if before is None else min(now, before + PACE)

    async def _forget(self, tables: Mapping[str, str], after: int, upto: int) -> None:
        while after < upto:
            await self._unless_busy()
            end = min(after + _CHUNK, upto)
            statements: list[tuple[str, Row]] = [(sql, (after, end)) for sql in tables.values()]
            self.forgotten += sum(await self._writer.execute(statements))
            after = end
            await asyncio.sleep(_PAUSE_S)

    async def _forget_conditions(self, upto: int, before: Instant) -> None:
        while passed := [seq for (seq,) in await self._reader.query(_PASSED, (upto, before, _CHUNK))]:
            await self._unless_busy()
            self.forgotten += sum(await self._writer.execute([(_CONDITIONS, (msgspec.json.encode(passed).decode(),))]))
            await asyncio.sleep(_PAUSE_S)

    async def _unless_busy(self) -> None:
        while self._busy():  # noqa: ASYNC110  the intake tells nobody when its backlog ends
            await asyncio.sleep(1)

    async def _seq_before(self, received: Instant) -> int:
        """The number before the first row of the log that was received then or later."""
        last = await self._reader.run(lambda _: self._reader.seq_before(received))
        rows = await self._reader.query("SELECT seq FROM log WHERE seq > ? ORDER BY seq LIMIT 1", (last,))
        return int(rows[0][0]) - 1 if rows else last

    async def _delivered(self) -> int:
        """Up to where every delivery has got in the log."""
        reached = [await self._reader.cursor(name) for name in self._receivers]
        return min(reached, default=_ALL)

    async def _first(self, tables: Mapping[str, str]) -> int | None:
        """The lowest `seq` in the tables that hold most."""
        names = [name for name in tables if name in ("log", "quarantine", "change")]
        found = [await self._reader.query(f"SELECT min(seq) FROM {name}") for name in names]  # noqa: S608
        return min((rows[0][0] for rows in found if rows[0][0] is not None), default=None)
