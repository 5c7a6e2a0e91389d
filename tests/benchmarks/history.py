"""A journal with a past: rows of light sensors over the last hundred days, written through the journal's own writer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from gateway.instants import DAY, Instant, instant, moment
from gateway.journal.store import Store
from gateway.journal.writer import Batch, Row, Writer
from tests.benchmarks.load import Estate

_PAST = 100 * DAY
_AT_ONCE = 10_000


def fill(data: Path, estate: Estate, rows: int) -> None:
    """Make a journal that holds `rows` messages of this estate, the last one a moment ago."""
    asyncio.run(_fill(data, estate, rows))


async def _fill(data: Path, estate: Estate, rows: int) -> None:
    store = Store(data)
    writer = Writer(store.writer)
    now = instant(datetime.now(UTC))
    started = now - _PAST
    await writer.execute([("INSERT INTO meta VALUES ('started', ?)", (started,))])
    for first in range(0, rows, _AT_ONCE):
        batch = Batch()
        batch.log = [
            _row(estate, number, started + _PAST * number // rows)
            for number in range(first, min(first + _AT_ONCE, rows))
        ]
        batch.advanced = batch.log[-1][1]
        await writer.submit(batch)
    writer.close()
    store.close()


def _row(estate: Estate, number: int, at: Instant) -> Row:
    device = estate.sensors[number % len(estate.sensors)]
    seq = number // len(estate.sensors) + 1
    text = moment(at, UTC).isoformat(timespec="microseconds")
    lux = 50.5 + number % 7
    body = b'{"kind":"light_level","at":"%b","boot":"b0","seq":%d,"lux":%b}' % (text.encode(), seq, str(lux).encode())
    return (number + 1, at, device, "light_level", at, "b0", seq, body, None)
