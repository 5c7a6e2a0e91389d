"""A message that may have arrived is repeated as it was; one that surely did not gathers with what has come since."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.alerts.alert import Alert, AlertTransition, Transition
from gateway.deliveries import SENT, JournalSource
from gateway.instants import SECOND, Instant, instant
from gateway.journal.reader import Reader
from gateway.journal.store import Store
from gateway.journal.writer import Batch, Writer
from gateway.outbox.notices import MOST_UNSURE, NoticeWorker
from gateway.outbox.notifiers import notifiers
from gateway.outbox.retry import Retry
from gateway.site.model import Alerting, Contact, Site, Webhook
from tests.outbox.receiver import Answer, Receiver, Request
from tests.outbox.waiting import running, until

T0 = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
NOW = instant(T0)


class Desk:
    """A journal with notices for one contact, told by a webhook; the test moves the clock."""

    def __init__(self, store: Store, port: int) -> None:
        self.now: Instant = NOW
        self.writer = Writer(store.writer)
        self.reader = Reader(store.path)
        self.source = JournalSource(self.reader, self.writer, lambda: self.now)
        webhook = Webhook(url=f"http://127.0.0.1:{port}/", secret="s")
        contacts = {"captain": Contact(id="captain", webhook=webhook)}
        self.site = Site(
            id="s", name="S", timezone="UTC", latitude=0, longitude=0, alerting=Alerting(contacts=contacts)
        )
        self._seq = 0

    async def tell(
        self, kind: str = "raised", alert: int | None = None, severity: Any = "major", later: int = 0
    ) -> int:
        """A notice of an alert arises, due now or so many seconds later, with the alert's row before it."""
        self._seq += 2
        number = alert or self._seq
        then = Alert(
            id=f"r/{number}/1", rule="r", subject=str(number), severity=severity, state="open", raised=T0, detected=T0,
            updated=T0, caused_by=None, message="m", occurrence=1,
        )  # fmt: skip
        row = Transition(at=T0, before=None, after="open", by="rule:r", why="raised")
        batch = Batch()
        body = msgspec.json.encode(AlertTransition(alert=then, transition=row))
        batch.add("alert_transition", (self._seq - 1, self.now, then.id, "open", body))
        key = f"{then.id}/{kind}/{self._seq}/captain"
        batch.add("notice", (self._seq, key, self.now, "captain", then.id, kind, "t", "b", self.now + later * SECOND))
        await self.writer.submit(batch)
        return number

    def worker(self, timeout_s: float = 0.3) -> NoticeWorker:
        known = notifiers(self.site, lambda: self.now)
        known["captain"]._timeout = known["captain"]._timeout.__class__(total=timeout_s)  # type: ignore[attr-defined]
        return NoticeWorker(self.source, known, self.site, now=lambda: self.now, retry=Retry(60.0, 60.0, lambda: 0.99))

    async def waiting(self) -> int:
        return int((await self.reader.query("SELECT count(*) FROM notice WHERE next_try IS NOT NULL"))[0][0])

    async def after(self, worker: NoticeWorker, seconds: int = 120) -> None:
        """So much later, what is due then has been tried, and nothing more is due."""
        self.now += seconds * SECOND
        worker._wake.set()
        async with asyncio.timeout(10):
            while worker._busy or await self.source.due_contacts(self.now):
                worker._wake.set()
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def desk(folder: Path, receiver: Receiver) -> AsyncIterator[Desk]:
    store = Store(folder)
    one = Desk(store, receiver.port)
    try:
        yield one
    finally:
        one.writer.close()
        one.reader.close()
        store.close()


def messages(receiver: Receiver) -> list[tuple[str, list[str]]]:
    """Key and subjects of each message that came."""
    found = []
    for request in receiver.received:
        said = json.loads(request.body)
        assert said["key"] == request.headers["idempotency-key"]
        found.append((said["key"], [each["alert"]["subject"] for each in said["notices"]]))
    return found


@pytest.mark.parametrize("unsure", [Answer(hang=True), Answer(500), Answer(504)])
async def test_a_message_that_may_have_arrived_is_repeated_as_it_was(tmp_path, unsure):
    answers = [unsure]
    async with Receiver(lambda _: answers.pop() if answers else Answer()) as receiver, desk(tmp_path, receiver) as one:
        worker = one.worker()
        await one.tell()
        async with running(worker.run()):
            await until(lambda: worker.failed == 1)
            await one.after(worker, 0)
            await one.tell(later=59)
            await one.after(worker)
        (first, second, third) = messages(receiver)
        assert first == second, "the same notices under the same key, though another one is due by now"
        assert third[1] == ["4"]
        assert third[0] != first[0]
        assert not await one.waiting()


@pytest.mark.parametrize("status", [404, 429, 503, 301])
async def test_a_message_that_was_refused_gathers_with_what_has_come_since(tmp_path, status):
    answers = [Answer(status)]
    async with Receiver(lambda _: answers.pop() if answers else Answer()) as receiver, desk(tmp_path, receiver) as one:
        worker = one.worker()
        await one.tell()
        async with running(worker.run()):
            await until(lambda: worker.failed == 1)
            await one.after(worker, 0)
            await one.tell(later=1800)
            await one.after(worker, 3600)
        assert [subjects for _, subjects in messages(receiver)] == [["2"], ["2", "4"]]


async def test_a_message_once_in_doubt_stays_as_it_is_though_it_is_refused_then(tmp_path):
    answers = [Answer(404), Answer(500)]
    async with Receiver(lambda _: answers.pop() if answers else Answer()) as receiver, desk(tmp_path, receiver) as one:
        worker = one.worker()
        await one.tell()
        async with running(worker.run()):
            await until(lambda: worker.failed == 1)
            await one.after(worker, 0)
            await one.after(worker)
            await one.tell(later=1800)
            await one.after(worker, 3600)
        first, second, third, fourth = messages(receiver)
        assert first == second == third
        assert fourth[1] == ["4"]


async def test_killed_after_it_was_sent_the_withdrawal_is_told_too(tmp_path):
    async with Receiver(lambda _: Answer(hang=True)) as receiver, desk(tmp_path, receiver) as one:
        worker = one.worker(timeout_s=30)
        number = await one.tell()
        async with running(worker.run()):
            await until(lambda: len(receiver.received) == 1)  # cancelled while the receiver has it: nothing is recorded
        await one.tell("retracted", number)
        receiver.answer = lambda _: Answer()
        again = one.worker()
        async with running(again.run()):
            await one.after(again)
        first, second, third = messages(receiver)
        assert first == second, "who may have read it gets it under the same key"
        kinds = [json.loads(request.body)["notices"][0]["kind"] for request in receiver.received]
        assert kinds == ["raised", "raised", "retracted"]
        assert third[1] == [str(number)]


async def test_when_some_messages_are_in_doubt_the_others_gather_behind_them(tmp_path):
    async with Receiver(lambda _: Answer(500)) as receiver, desk(tmp_path, receiver) as one:
        worker = one.worker()
        async with running(worker.run()):
            for _ in range(20):
                await one.tell()
                await one.after(worker, 5)
            assert len({key for key, _ in messages(receiver)}) == MOST_UNSURE
            await one.tell(severity="critical")
            await one.after(worker, 0)
            assert len({key for key, _ in messages(receiver)}) == MOST_UNSURE + 1, "a call for help is tried at once"
            before = len(receiver.received)
            receiver.answer = lambda _: Answer()
            await one.after(worker)
        assert not await one.waiting()
        assert len(receiver.received) - before == MOST_UNSURE + 2, "and all that waited is one message"


async def test_once_a_contact_is_reached_again_what_failed_before_goes_at_once(tmp_path):
    def answer(_: Request) -> Answer:
        return Answer(500)

    async with Receiver(answer) as receiver, desk(tmp_path, receiver) as one:
        worker = one.worker()
        async with running(worker.run()):
            await one.tell()
            await one.after(worker, 0)
            receiver.answer = lambda _: Answer()
            await one.tell()
            await one.after(worker, 1)
        assert [subjects for _, subjects in messages(receiver)] == [["2"], ["4"], ["2"]]


async def test_a_receiver_that_asked_to_wait_and_takes_a_call_for_help_gets_the_rest_at_once(tmp_path):
    wait = Answer(429, (("Retry-After", "600"),))
    async with Receiver(lambda _: wait) as receiver, desk(tmp_path, receiver) as one:
        worker = one.worker()
        async with running(worker.run()):
            await one.tell()
            await one.after(worker, 0)
            await one.tell()
            await one.after(worker, 5)
            assert len(receiver.received) == 1, "it is left alone"
            receiver.answer = lambda _: Answer()
            await one.tell(severity="critical")
            await one.after(worker, 5)
        assert [subjects for _, subjects in messages(receiver)] == [["2"], ["6"], ["2", "4"]]


async def test_what_failed_before_a_start_goes_with_the_first_thing_that_is_taken_after_it(tmp_path):
    async with Receiver(lambda _: Answer(404)) as receiver, desk(tmp_path, receiver) as one:
        worker = one.worker()
        await one.tell()
        async with running(worker.run()):
            await one.after(worker, 0)
        receiver.answer = lambda _: Answer()
        again = one.worker()
        await one.tell()
        async with running(again.run()):
            await one.after(again, 0)
        assert again.sent == 2


async def test_what_a_message_costs_does_not_grow_with_what_was_told_before(tmp_path):
    async with Receiver() as receiver, desk(tmp_path, receiver) as one:
        plan = await one.reader.query(f"EXPLAIN QUERY PLAN {SENT}", (NOW, "captain"))
    first = next(step for *_, step in plan if step.startswith(("SEARCH", "SCAN")))
    assert "notice_attempt_at" in first, plan


async def test_the_order_of_texts_is_the_same_in_every_repeat(tmp_path):
    answers = [Answer(500)]
    async with Receiver(lambda _: answers.pop() if answers else Answer()) as receiver, desk(tmp_path, receiver) as one:
        worker = one.worker()
        for _ in range(3):
            await one.tell()
        await one.writer.execute([("UPDATE notice SET next_try = next_try - seq", ())])
        async with running(worker.run()):
            await until(lambda: worker.failed == 3)
            await one.after(worker)
        bodies = [json.loads(request.body) for request in receiver.received]
        assert len(bodies) == 2
        assert bodies[0]["notices"] == bodies[1]["notices"]
        assert bodies[0]["body"] == bodies[1]["body"]
