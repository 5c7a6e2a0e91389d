"""Quiet hours, limits and withdrawals on the real journal, over restarts; and that no contact waits for another."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import datetime, time
from pathlib import Path
from typing import Any

import msgspec

from gateway.alerts.alert import Alert, AlertTransition, Transition
from gateway.deliveries import JournalSource
from gateway.instants import HOUR, MINUTE, SECOND, Instant, instant, moment
from gateway.journal.reader import Reader
from gateway.journal.store import Store
from gateway.journal.writer import Batch, Writer
from gateway.outbox.notices import NoticeWorker
from gateway.outbox.notifiers import notifiers
from gateway.outbox.retry import Retry
from gateway.site.model import Alerting, Contact, Severity, Site, Webhook
from tests.outbox.receiver import Answer, Receiver
from tests.outbox.waiting import running, until

SITE = Site(id="s", name="S", timezone="Asia/Shanghai", latitude=31.2, longitude=121.5)
ZONE = SITE.zone_info
NIGHT = instant(datetime(2026, 11, 22, 23, 0, tzinfo=ZONE))
MORNING = instant(datetime(2026, 11, 23, 7, 0, tzinfo=ZONE))


class Outbox:
    """A journal whose notices a test writes, and a worker that it lets run at an instant of its choice."""

    def __init__(self, folder: Path, site: Site) -> None:
        self._store = Store(folder)
        self._writer, self.reader = Writer(self._store.writer), Reader(self._store.path)
        self._site = site
        self._seq = self._store.last_seq()
        self._now = NIGHT

    async def tell(
        self,
        at: Instant,
        kind: str,
        severity: Severity | None = "minor",
        contact: str = "captain",
        alert: str = "a/x/1",
    ) -> int:
        """A notice as the intake writes it: the alert's transition, then the notice; of no alert without a severity."""
        batch = Batch()
        when = moment(at, ZONE)
        if severity is not None:
            row = Transition(at=when, before=None, after="open", by="rule:a", why=kind)
            then = Alert(
                id=alert, rule="a", subject="x", severity=severity, state="open", raised=when, detected=when, updated=when,
                caused_by=None, message="m",
            )  # fmt: skip
            body = msgspec.json.encode(AlertTransition(alert=then, transition=row))
            self._seq += 1
            batch.add("alert_transition", (self._seq, at, alert, "open", body))
        self._seq += 1
        key = f"{alert}/{kind}/{self._seq}/{contact}"
        batch.add("notice", (self._seq, key, at, contact, alert, kind, f"{kind} {self._seq}", "b", at))
        await self._writer.submit(batch)
        return self._seq

    async def work(self, now: Instant) -> NoticeWorker:
        """Let a fresh worker do all that is due at `now`, and stop it."""
        source = JournalSource(self.reader, self._writer, lambda: now)
        known = notifiers(self._site, lambda: now)
        worker = NoticeWorker(source, known, self._site, now=lambda: now, retry=Retry(1.0, 1.0))
        async with running(worker.run()):
            await source.reconsider(now)
            while await source.due_contacts(now):  # noqa: ASYNC110  the journal tells nobody
                await asyncio.sleep(0.005)
        return worker

    async def rows(self) -> list[tuple[Any, ...]]:
        """id, attempts, held and next try of each notice."""
        return await self.reader.query("SELECT seq, attempts, held, next_try FROM notice ORDER BY seq", ())

    def close(self) -> None:
        self._writer.close()
        self.reader.close()
        self._store.close()


@contextlib.asynccontextmanager
async def outbox(folder: Path, *contacts: Contact) -> AsyncIterator[Outbox]:
    made = Outbox(folder, msgspec.structs.replace(SITE, alerting=Alerting(contacts={one.id: one for one in contacts})))
    try:
        yield made
    finally:
        made.close()


def webhook(receiver: Receiver, name: str = "captain", **more: Any) -> Contact:
    return Contact(id=name, webhook=Webhook(url=f"http://127.0.0.1:{receiver.port}/{name}", secret="s"), **more)


def told(receiver: Receiver) -> list[list[str]]:
    """The titles in each message."""
    return [[each["title"] for each in json.loads(request.body)["notices"]] for request in receiver.received]


async def test_what_waits_for_the_morning_waits_over_a_restart_and_is_then_one_message(tmp_path):
    async with Receiver() as receiver:
        captain = webhook(receiver, quiet=(time(22), time(7)))
        async with outbox(tmp_path, captain) as box:
            await box.tell(NIGHT, "raised", alert="a/x/1")
            await box.tell(NIGHT, "raised", alert="a/y/1")
            await box.tell(NIGHT, "raised", "major", alert="a/z/1")
            await box.tell(NIGHT, "report", None, alert="report/day:2026-11-22")
            await box.work(NIGHT)
            assert told(receiver) == [["raised 6", "report 7"]]
        async with outbox(tmp_path, captain) as box:
            await box.work(NIGHT + HOUR)
            assert [row[2:] for row in await box.rows()][:2] == [("quiet", MORNING)] * 2
            assert len(receiver.received) == 1
            await box.work(MORNING)
        assert told(receiver)[1:] == [["raised 2", "raised 4"]]


async def test_quiet_hours_that_left_the_site_file_hold_nothing_after_the_next_start(tmp_path):
    async with Receiver() as receiver:
        async with outbox(tmp_path, webhook(receiver, quiet=(time(22), time(7)))) as box:
            await box.tell(NIGHT, "raised")
            await box.work(NIGHT)
            assert told(receiver) == []
        async with outbox(tmp_path, webhook(receiver)) as box:
            await box.work(NIGHT + MINUTE)
        assert told(receiver) == [["raised 2"]]


async def test_what_came_and_went_in_the_night_is_not_told_and_says_why(tmp_path):
    async with Receiver() as receiver:
        captain = webhook(receiver, quiet=(time(22), time(7)))
        async with outbox(tmp_path, captain) as box:
            await box.tell(NIGHT - 2 * HOUR, "raised", alert="a/old/1")
            await box.work(NIGHT - 2 * HOUR)
            await box.tell(NIGHT, "raised")
            await box.work(NIGHT)
            await box.tell(NIGHT + HOUR, "resolved")
            await box.tell(NIGHT + HOUR, "resolved", alert="a/old/1")
            await box.work(NIGHT + HOUR)
            await box.work(MORNING)
            assert [row[2] for row in await box.rows()] == [None, "over", "never_told", None]
        assert told(receiver) == [["raised 2"], ["resolved 8"]]


async def test_a_verdict_that_is_withdrawn_before_it_was_told_accuses_nobody(tmp_path):
    async with Receiver() as receiver, outbox(tmp_path, webhook(receiver)) as box:
        await box.tell(NIGHT, "raised", "major")
        await box.tell(NIGHT, "retracted", "major")
        await box.work(NIGHT)
        assert told(receiver) == []
        assert [row[2] for row in await box.rows()] == ["withdrawn", "never_told"]


async def test_a_verdict_whose_telling_nobody_is_sure_of_is_withdrawn(tmp_path):
    answers = [Answer(500)]
    async with Receiver(lambda _: answers.pop() if answers else Answer()) as receiver:
        async with outbox(tmp_path, webhook(receiver)) as box:
            await box.tell(NIGHT, "raised", "major")
            await box.work(NIGHT)
            await box.tell(NIGHT + SECOND, "retracted", "major")
            await box.work(NIGHT + MINUTE)
        assert told(receiver) == [["raised 2"], ["raised 2"], ["retracted 4"]], "as it was, then what has come since"


async def test_beyond_the_limit_nothing_is_dropped_over_restarts(tmp_path):
    async with Receiver() as receiver:
        captain = webhook(receiver, at_most=3)
        for minute in range(10):
            async with outbox(tmp_path, captain) as box:
                await box.tell(NIGHT + minute * MINUTE, "raised", "major", alert=f"a/{minute}/1")
                if minute == 5:
                    await box.tell(NIGHT + minute * MINUTE, "raised", "critical", alert="a/help/1")
                    await box.tell(NIGHT + minute * MINUTE, "report", None, alert="report/day:2026-11-22")
                await box.work(NIGHT + minute * MINUTE)
        assert [len(each) for each in told(receiver)] == [1, 1, 1, 2]
        async with outbox(tmp_path, captain) as box:
            await box.work(NIGHT + 59 * MINUTE)
            assert len(receiver.received) == 4
            await box.work(NIGHT + 60 * MINUTE)
            assert not [row for row in await box.rows() if row[3] is not None]
        assert [len(each) for each in told(receiver)] == [1, 1, 1, 2, 7]


async def test_one_contact_with_thousands_waiting_delays_no_other(tmp_path):
    def answer(request: Any) -> Answer:
        return Answer(hang=request.path == "/captain")

    async with Receiver(answer) as receiver, outbox(tmp_path, webhook(receiver), webhook(receiver, "manager")) as box:
        batch = Batch()
        for number in range(10_000, 11_500):
            alert = f"a/{number}/1"
            batch.add(
                "notice", (number, f"k{number}", NIGHT - HOUR, "captain", alert, "raised", "t", "b", NIGHT - HOUR)
            )
        batch.add("notice", (12_000, "k", NIGHT, "manager", "a/0/1", "raised", "for the manager", "b", NIGHT))
        await box._writer.submit(batch)
        source = JournalSource(box.reader, box._writer, lambda: NIGHT)
        worker = NoticeWorker(source, notifiers(box._site, lambda: NIGHT), box._site, now=lambda: NIGHT)
        async with running(worker.run()):
            await until(lambda: ["for the manager"] in told(receiver))
        assert worker.failed == 0


async def test_a_receivers_wait_holds_for_new_notices_and_a_wrong_one_loses_nothing_within_a_day(tmp_path):
    answers = [Answer(503, (("Retry-After", "1200"),)), Answer(404), Answer(401)]
    async with Receiver(lambda _: answers.pop(0) if answers else Answer()) as receiver:
        async with outbox(tmp_path, webhook(receiver)) as box:
            await box.tell(NIGHT, "raised", "major")
            await box.work(NIGHT)
            [(_, attempts, _, next_try)] = await box.rows()
            assert (attempts, next_try) == (1, NIGHT + 1200 * SECOND)
            now = next_try
            for tried in (2, 3, 4):
                await box.work(now)
                [(_, attempts, _, next_try)] = await box.rows()
                assert attempts == tried
                if next_try is not None:
                    assert next_try - now >= 300 * SECOND
                    now = next_try
            assert next_try is None
        assert told(receiver) == [["raised 2"]] * 4
        assert len({request.headers["idempotency-key"] for request in receiver.received}) == 1
