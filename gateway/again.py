"""Judging stored evidence again: what was known at an earlier time, or what another site file makes of a past period.

Another `Judgement` is fed from the journal, in the order in which it was heard; nothing is written, and the living judge is not
touched. For rounds that are no longer in memory this is the only way to say how they were judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from gateway.instants import DAY, Duration, Instant
from gateway.journal.rows import EntryRow, LogRow
from gateway.judgement import Judgement
from gateway.recovery import EVIDENCE_NEEDED, feed, swaps_before
from gateway.repeats import Repeats
from gateway.rules.devices import reader_ids
from gateway.site.model import Site

CONTROLS = frozenset({"restart", "operator", "rejudge"})
"""Rows of the log that no device said: always needed."""

LATE = 8 * DAY
"""How long after a round its evidence may still come (7 days), and a little."""


class StoredLog(Protocol):
    """What is asked of the journal (`gateway.journal.reader.Reader`)."""

    def seq_before(self, received: Instant) -> int: ...

    def log_after(self, seq: int, limit: int = 5000) -> list[LogRow]: ...

    def find(self, device: str, order: int) -> list[LogRow]: ...

    def entries_before(self, book: str, until: Instant) -> list[EntryRow]: ...


def of_rounds(site: Site) -> Callable[[LogRow], bool]:
    """Which rows rounds and gaps rest on: what readers and phones say, and every read."""
    readers = reader_ids(site)
    return lambda row: row.device in readers or row.kind == "tag_read" or row.kind in CONTROLS


def of_rounds_and_places(site: Site) -> Callable[[LogRow], bool]:
    """These, and what may corroborate a tap: all that stands at the checkpoints' places, or sees their lamps."""
    rounds = of_rounds(site)
    places = {checkpoint.place for checkpoint in site.checkpoints.values()}
    beside = {device.id for device in site.devices.values() if device.place in places}
    beside |= {site.devices[each].behind or each for each in beside}
    for lamp in site.lamps.values():
        if lamp.place in places:
            beside |= {lamp.id, *lamp.seen_by}
    return lambda row: rounds(row) or row.device in beside


def everything(_: LogRow) -> bool:
    """All rows."""
    return True


def judged_again(
    site: Site,
    log: StoredLog,
    *,
    started: Instant,
    since: Instant,
    until: Instant,
    wanted: Callable[[LogRow], bool] = everything,
    evidence: Duration = EVIDENCE_NEEDED,
) -> Judgement:
    """A judge that knows what had been received by `until`, and no more.

    Args:
        site: by which it judges; it may differ from the one of that time.
        log: the journal.
        started: the gateway's first start; silence before it proves nothing.
        since: rounds and windows that start from then on are judged and kept, however many there are.
        until: the last instant.
        wanted: which rows matter; the others are passed over unread.
        evidence: how far before `since` the log is read.
    """
    begin = max(started, since - evidence)
    judgement = Judgement(site, begin)
    judgement.plan_from(max(since, started))
    judgement.take_swaps(swaps_before(log, begin))
    repeats = Repeats(log.find, whole=True)
    for row in _rows(log, begin, until):
        if wanted(row):
            feed(judgement, repeats, row)
    judgement.advance(max(until, judgement.now))
    judgement.conclude()
    judgement.drain()
    return judgement


def _rows(log: StoredLog, since: Instant, until: Instant) -> Iterator[LogRow]:
    """Rows received in [since, until], in order. `received` never falls from row to row."""
    after = log.seq_before(since)
    while rows := log.log_after(after):
        for row in rows:
            if row.received > until:
                return
            yield row
        after = rows[-1].seq
