"""A journal with a past: light sensors that spoke once a minute, written through the journal's own writer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from gateway.instants import DAY, MINUTE, Instant, instant, moment
from gateway.journal.store import Store
from gateway.journal.writer import Batch, Row, Writer
from tests.benchmarks.load import Estate

_ENDED = 12 * DAY
"""Before now; older than what a start reads again (gateway/recovery.py), so that it is the size that is measured."""
_AT_ONCE = 10_000


def fill(data: Path, estate: Estate, rows: int) -> None:
    """Make a journal that holds `rows` messages of this estate's light sensors."""
    asyncio.run(_fill(data, estate, rows))


def add(data: Path, estate: Estate, rows: int) -> None:
    """Add `rows` messages that came after all others, up to now: what a crash leaves behind the newest snapshot."""
    asyncio.run(_add(data, estate, rows))


async def _add(data: Path, estate: Estate, rows: int) -> None:
    store = Store(data)
    writer = Writer(store.writer)
    last, since = store.last_seq(), int(store.meta("advanced") or 0)
    now = instant(datetime.now(UTC))
    step = max((now - since) // rows, 1)
    for first in range(0, rows, _AT_ONCE):
        batch = Batch()
        for number in range(first, min(first + _AT_ONCE, rows)):
            _, *rest = _row(estate, number, since + number * step, b"b1")
            batch.log.append((last + number + 1, *rest))
        batch.advanced = since + rows * step
        await writer.submit(batch)
    writer.close()
    store.close()


async def _fill(data: Path, estate: Estate, rows: int) -> None:
    store = Store(data)
    writer = Writer(store.writer)
    now = instant(datetime.now(UTC))
    started = now - _ENDED - rows * MINUTE // len(estate.sensors)
    await writer.execute([("INSERT INTO meta VALUES ('started', ?)", (started,))])
    for first in range(0, rows, _AT_ONCE):
        batch = Batch()
        batch.log = [
            _row(estate, number, started + number * MINUTE // len(estate.sensors))
            for number in range(first, min(first + _AT_ONCE, rows))
        ]
        batch.advanced = now
        await writer.submit(batch)
    await writer.execute([("INSERT INTO cursor VALUES ('local', ?)", (rows,))])  # its telemetry was delivered
    writer.close()
    store.close()


def _row(estate: Estate, number: int, at: Instant, boot: bytes = b"b0") -> Row:
    device = estate.sensors[number % len(estate.sensors)]
    seq = number // len(estate.sensors) + 1
    text = moment(at, UTC).isoformat(timespec="microseconds")
    lux = 50.5 + number % 7
    body = b'{"kind":"light_level","at":"%b","boot":"%b","seq":%d,"lux":%b}' % (
        text.encode(),
        boot,
        seq,
        str(lux).encode(),
    )
    return (number + 1, at, device, "light_level", at, boot.decode(), seq, body, None)
