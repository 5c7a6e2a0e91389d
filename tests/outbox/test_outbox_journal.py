"""The outbox on the real journal: what was delivered stays delivered over a restart, what was not is delivered then."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from device_drivers.observations import LightLevel
from gateway.deliveries import JournalSource
from gateway.instants import DAY, SECOND, instant
from gateway.journal.reader import Reader
from gateway.journal.store import Store
from gateway.journal.writer import Batch, Writer
from gateway.outbox.influx import InfluxWriter
from gateway.outbox.local import LocalStore
from gateway.outbox.notices import NoticeWorker
from gateway.outbox.notifiers import notifiers
from gateway.outbox.retry import Retry
from gateway.outbox.telemetry import TelemetryWorker
from gateway.site.model import Alerting, Contact, Influx, Site
from tests.outbox.memory import row
from tests.outbox.receiver import Answer, Receiver
from tests.outbox.waiting import closed, running, until

SITE = Site(id="s", name="S", timezone="Asia/Shanghai", latitude=31.2, longitude=121.5)
T0 = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
NOW = instant(T0)


@contextlib.asynccontextmanager
async def journal(folder: Path) -> AsyncIterator[tuple[JournalSource, Writer, Reader]]:
    store = Store(folder)
    writer, reader = Writer(store.writer), Reader(store.path)
    try:
        yield JournalSource(reader, writer, lambda: NOW), writer, reader
    finally:
        writer.close()
        reader.close()
        store.close()


def samples(first: int, last: int) -> Batch:
    batch = Batch()
    for seq in range(first, last + 1):
        one = row(seq, LightLevel(device="lux-1", at=T0 + timedelta(seconds=seq), lux=float(seq)))
        batch.log.append((*one, None))
    return batch


async def test_telemetry_goes_on_after_a_restart_where_it_was(tmp_path):
    store = LocalStore(tmp_path / "telemetry.db", 30 * DAY, lambda: NOW)
    for first, last in ((1, 5), (6, 9)):
        async with journal(tmp_path) as (source, writer, reader):
            await writer.submit(samples(first, last))
            worker = TelemetryWorker(source, store, SITE, now=lambda: NOW, batch=2)
            async with running(worker.run()):
                await until(lambda last=last, worker=worker, first=first: worker.written == last - first + 1)
            assert await reader.cursor("local") == last
    assert len(await store.samples("lux-1", "lux", NOW, NOW + 60 * SECOND)) == 9
    await store.close()


async def test_refused_rows_are_in_the_journals_dead_letters_once(tmp_path):
    async with Receiver(lambda request: Answer(422 if b"lux=2.0" in request.body else 204)) as receiver:
        influx = Influx(url=f"http://127.0.0.1:{receiver.port}", org="o", bucket="b", token="t")
        for _ in range(2):
            async with journal(tmp_path) as (source, writer, reader):
                if await reader.cursor("influxdb") == 0:
                    await writer.submit(samples(1, 3))
                else:  # as if killed before the cursor was written
                    await source.advance_cursor("influxdb", 0)
                remote = InfluxWriter(influx)
                worker = TelemetryWorker(source, remote, SITE, now=lambda: NOW)
                async with closed(remote), running(worker.run()):
                    await until(lambda worker=worker: worker.written == 2)
                found = await reader.query("SELECT writer, log, reason FROM dead_letter")
                assert [(name, seq) for name, seq, _ in found] == [("influxdb", 2)]


async def test_a_notice_is_sent_once_over_restarts_and_every_attempt_is_kept(tmp_path):
    answers = [Answer(500)]
    async with Receiver(lambda _: answers.pop() if answers else Answer()) as receiver:
        contacts = {"captain": Contact(id="captain", url=f"json://127.0.0.1:{receiver.port}/")}
        site = msgspec.structs.replace(SITE, alerting=Alerting(contacts=contacts))
        later = 0
        for expected in ([0], [0, 1], [0, 1]):
            async with journal(tmp_path) as (source, writer, reader):
                batch = Batch()
                batch.add("notice", (1, "a/1/raised/1/captain", NOW, "captain", "a/1", "raised", "t", "b", NOW))
                await writer.submit(batch)
                clock = NOW + later
                known = notifiers(site, lambda clock=clock: clock)
                worker = NoticeWorker(source, known, site, now=lambda clock=clock: clock, retry=Retry(0.1, 0.1))
                async with running(worker.run()):
                    if await source.due_contacts(clock):
                        await until(lambda worker=worker: worker.sent + worker.failed == 1)
                found = await reader.query("SELECT ok FROM notice_attempt ORDER BY id")
                assert [ok for (ok,) in found] == expected
            later = 120 * SECOND
        assert len(receiver.received) == 2
        assert len({request.headers["idempotency-key"] for request in receiver.received}) == 1
