"""Notices to a real HTTP receiver that fails in all ways."""

from __future__ import annotations

import asyncio
import json
import logging

import msgspec
import pytest

from gateway.errors import DeliveryError
from gateway.instants import DAY, SECOND, Instant
from gateway.outbox.apprise_notifier import AppriseNotifier
from gateway.outbox.message import Message
from gateway.outbox.notices import NoticeWorker, compose
from gateway.outbox.notifiers import ConsoleNotifier, notifiers
from gateway.outbox.retry import Retry
from gateway.outbox.source import DueNotice
from gateway.outbox.webhook import WebhookNotifier
from gateway.site.model import Alerting, Contact, Site, Webhook
from tests.outbox.memory import MemoryNotices
from tests.outbox.receiver import Answer, Receiver, Request
from tests.outbox.waiting import running, until

START: Instant = 1_795_000_000_000_000


class Clock:
    """A clock that a test moves; it also runs, so that waits end."""

    def __init__(self) -> None:
        self.skipped = 0

    def __call__(self) -> Instant:
        return START + self.skipped + int(asyncio.get_running_loop().time() * SECOND)


SITE = Site(id="s", name="S", timezone="Asia/Shanghai", latitude=31.2, longitude=121.5)


def notice(number: int, contact: str = "captain", created: Instant = START) -> DueNotice:
    alert = f"lamp_failure/灯-{number}/1"
    return DueNotice(
        number, f"{alert}/raised/1/{contact}", contact, alert, "raised", f"灯不亮 {number}", "请维修。", created
    )


def contact(receiver: Receiver, name: str = "captain", scheme: str = "json") -> Contact:
    return Contact(id=name, url=f"{scheme}://127.0.0.1:{receiver.port}/{name}")


def worker_of(source: MemoryNotices, *contacts: Contact, timeout_s: float = 5.0, **options: object) -> NoticeWorker:
    known = {one.id: AppriseNotifier(one, timeout_s) if one.url else ConsoleNotifier() for one in contacts}
    site = msgspec.structs.replace(SITE, alerting=Alerting(contacts={one.id: one for one in contacts}))
    return NoticeWorker(source, known, site, **({"now": Clock(), "retry": Retry(0.05, 0.1)} | options))


async def test_a_notice_is_delivered_once_with_its_key():
    async with Receiver() as receiver:
        source = MemoryNotices([notice(1)])
        worker = worker_of(source, contact(receiver))
        async with running(worker.run()):
            await until(lambda: not source.waiting)
            await asyncio.sleep(0.05)
        (request,) = receiver.received
        said = json.loads(request.body)
        assert said["title"] == "灯不亮 1"
        assert said["message"].startswith("请维修。")
        assert said["notices"] == ["lamp_failure/灯-1/1/raised/1/captain"]
        assert said["key"] == request.headers["idempotency-key"] == compose([notice(1)]).key
    assert [(attempt.ok, attempt.next_try, attempt.detail) for attempt in source.attempts] == [(True, None, "accepted")]
    assert (worker.sent, worker.failed, worker.problem) == (1, 0, None)


async def test_a_form_receiver_gets_the_key_in_its_header():
    async with Receiver() as receiver:
        source = MemoryNotices([notice(1)])
        async with running(worker_of(source, contact(receiver, scheme="form")).run()):
            await until(lambda: not source.waiting)
        assert receiver.received[0].headers["idempotency-key"] == compose([notice(1)]).key


async def test_what_is_due_together_is_one_message_and_one_attempt_each():
    async with Receiver() as receiver:
        source = MemoryNotices([notice(number) for number in range(1, 16)])
        async with running(worker_of(source, contact(receiver)).run()):
            await until(lambda: not source.waiting)
        (request,) = receiver.received
        said = json.loads(request.body)
        assert said["title"] == "灯不亮 1 (+14)"
        assert said["message"].count("请维修。") == 10
        assert "15. 灯不亮 15" in said["message"]
        assert len(said["notices"]) == 15
    assert len(source.attempts) == 15


async def test_a_storm_is_one_message_to_a_person_and_pieces_to_a_webhook():
    async with Receiver() as receiver:
        hook = Contact(id="desk", webhook=Webhook(url=f"http://127.0.0.1:{receiver.port}/desk", secret="s"))
        person = contact(receiver)
        notices = [notice(number, each) for number, each in enumerate(["captain", "desk"] * 450)]
        source = MemoryNotices(notices)
        site = msgspec.structs.replace(SITE, alerting=Alerting(contacts={each.id: each for each in (hook, person)}))
        worker = NoticeWorker(source, notifiers(site, Clock()), site, now=Clock())
        async with running(worker.run()):
            await until(lambda: not source.waiting)
        parts = [(request.path, len(json.loads(request.body)["notices"])) for request in receiver.received]
        assert sorted(parts) == [("/captain", 450), ("/desk", 50), ("/desk", 200), ("/desk", 200)]


async def test_what_a_receiver_answered_is_known_however_quiet_the_log_is(caplog):
    async with Receiver(lambda _: Answer(429)) as receiver:
        source = MemoryNotices([notice(1)])
        with caplog.at_level(logging.ERROR):  # as the demo sets it
            async with running(worker_of(source, contact(receiver)).run()):
                await until(lambda: source.attempts)
        assert "429" in source.attempts[0].detail


@pytest.mark.parametrize("status", [429, 500, 503, 404])
async def test_a_refused_message_is_sent_again_with_the_same_key(status):
    answers = [Answer(status), Answer(status)]
    async with Receiver(lambda _: answers.pop() if answers else Answer()) as receiver:
        clock = Clock()
        source = MemoryNotices([notice(1)])
        worker = worker_of(source, contact(receiver), now=clock)
        async with running(worker.run()):
            for failed in (1, 2):
                await until(lambda failed=failed: len(source.attempts) == failed)
                assert str(status) in source.attempts[-1].detail
                assert worker.problem is not None
                clock.skipped += 120 * SECOND
                worker._wake.set()
            await until(lambda: not source.waiting)
        assert len({request.headers["idempotency-key"] for request in receiver.received}) == 1
        assert [attempt.ok for attempt in source.attempts] == [False, False, True]
        assert worker.problem is None


async def test_after_429_at_least_a_minute_is_waited():
    async with Receiver(lambda _: Answer(429, (("Retry-After", "30"),))) as receiver:
        source = MemoryNotices([notice(1)])
        async with running(worker_of(source, contact(receiver)).run()):
            await until(lambda: bool(source.attempts))
    attempt = source.attempts[0]
    assert attempt.next_try is not None
    assert attempt.next_try - attempt.at >= 60 * SECOND


async def test_nobody_listening_is_a_failed_attempt_without_the_url():
    source = MemoryNotices([notice(1)])
    secret = Contact(id="captain", url="json://user:very-secret@127.0.0.1:1/path-secret")
    worker = worker_of(source, secret)
    async with running(worker.run()):
        await until(lambda: bool(source.attempts))
    assert "secret" not in source.attempts[0].detail
    assert "secret" not in (worker.problem or "")


async def test_contacts_that_hang_or_fail_do_not_delay_another():
    def answer(request: Request) -> Answer:
        if request.path.startswith("/hang"):
            return Answer(hang=True)
        return Answer(500) if request.path.startswith("/fail") else Answer()

    async with Receiver(answer) as receiver:
        hanging = [contact(receiver, f"hang-{number}") for number in range(12)]
        contacts = [*hanging, contact(receiver, "fail"), contact(receiver)]
        source = MemoryNotices([notice(number, one.id) for number, one in enumerate(contacts, 1)])
        worker = worker_of(source, *contacts, timeout_s=0.5)
        async with running(worker.run()):
            await until(lambda: any(attempt.notice == 14 and attempt.ok for attempt in source.attempts), 0.5)
            await until(lambda: {attempt.notice for attempt in source.attempts} >= set(range(1, 15)))
        assert "no answer within 0.5 s" in (worker.problem or "")


async def test_a_fault_in_one_contact_s_way_is_a_failed_attempt_and_keeps_nobody_waiting():
    class Broken:
        async def send(self, message: Message) -> str:
            raise ValueError("https://secret.example/key")

    async with Receiver() as receiver:
        source = MemoryNotices([notice(1, "broken"), notice(2, "captain")])
        site = msgspec.structs.replace(SITE, alerting=Alerting(contacts={"captain": contact(receiver)}))
        known = {"broken": Broken(), "captain": AppriseNotifier(contact(receiver), 5.0)}
        worker = NoticeWorker(source, known, site, now=Clock(), retry=Retry(0.05, 0.1))
        async with running(worker.run()):
            await until(lambda: worker.sent == 1 and worker.failed >= 2)
    assert "ValueError" in worker.problems["broken"]
    assert not any("secret" in attempt.detail for attempt in source.attempts)


async def test_a_contact_whose_last_attempt_still_hangs_gets_no_second_thread():
    async with Receiver(lambda _: Answer(hang=True)) as receiver:
        notifier = AppriseNotifier(contact(receiver), timeout_s=0.1)
        message = Message("k", ("k",), "t", "b")
        with pytest.raises(Exception, match="no answer"):
            await notifier.send(message)
        with pytest.raises(Exception, match="still hangs"):
            await notifier.send(message)
        assert len(receiver.received) <= 1


async def test_a_notice_is_given_up_a_day_after_it_was_first_tried_and_says_so():
    async with Receiver(lambda _: Answer(500)) as receiver:
        clock = Clock()
        source = MemoryNotices([notice(1, created=START - 2 * DAY)])
        worker = worker_of(source, contact(receiver), now=clock)
        async with running(worker.run()):
            await until(lambda: len(source.attempts) == 1)
            assert source.attempts[0].next_try is not None
            clock.skipped = DAY
            worker._wake.set()
            await until(lambda: not source.waiting)
    assert source.attempts[-1].next_try is None
    assert "given up after 24 h" in source.attempts[-1].detail
    assert worker.given_up == 1


async def test_a_clock_that_is_set_forward_between_two_tries_gives_nothing_up():
    """Nor does a day in which the gateway was off."""

    class Flaky:
        tries = 0

        async def send(self, message: Message) -> str:
            self.tries += 1
            if self.tries == 2:
                clock.skipped = 2 * DAY
            if self.tries <= 3:
                raise DeliveryError("no network yet")
            return "accepted"

    clock = Clock()
    source = MemoryNotices([notice(1)])
    worker = worker_of(source, Contact(id="captain"), now=clock)
    worker._notifiers = {"captain": Flaky()}
    async with running(worker.run()):
        await until(lambda: not source.waiting)
    assert (worker.sent, worker.given_up) == (1, 0)


async def test_the_console_is_told_by_being_shown():
    source = MemoryNotices([notice(1, "control-room")])
    async with running(worker_of(source, Contact(id="control-room", console=True)).run()):
        await until(lambda: not source.waiting)
    assert source.attempts[0].detail == "shown on the console"


async def test_a_contact_that_left_the_site_file_is_tried_until_it_is_given_up():
    source = MemoryNotices([notice(1, "gone")])
    async with running(worker_of(source).run()):
        await until(lambda: bool(source.attempts))
    assert "no such contact" in source.attempts[0].detail
    assert source.waiting


async def test_an_url_apprise_does_not_know_says_where_to_look():
    source = MemoryNotices([notice(1)])
    async with running(worker_of(source, Contact(id="captain", url="nonsense://x")).run()):
        await until(lambda: bool(source.attempts))
    assert "alerts.contacts" in source.attempts[0].detail


async def test_a_worker_stopped_before_the_answer_sends_again_with_the_same_key():
    hang = [True]
    async with Receiver(lambda _: Answer(hang=bool(hang and hang.pop()))) as receiver:
        source = MemoryNotices([notice(1)])
        async with running(worker_of(source, contact(receiver)).run()):
            await receiver.arrived.wait()
        assert source.attempts == []
        async with running(worker_of(source, contact(receiver)).run()):
            await until(lambda: not source.waiting)
        assert len({request.headers["idempotency-key"] for request in receiver.received}) == 1


async def test_a_new_notice_wakes_the_worker():
    async with Receiver() as receiver:
        source, wake = MemoryNotices([]), asyncio.Event()
        async with running(worker_of(source, contact(receiver), wake=wake).run()):
            await asyncio.sleep(0.05)
            source.waiting[1] = (START, notice(1))
            wake.set()
            await until(lambda: not source.waiting, 2.0)


def test_contacts_are_told_by_webhook_or_url_and_others_by_the_console():
    contacts = {
        "a": Contact(id="a", url="json://x"),
        "b": Contact(id="b", console=True),
        "c": Contact(id="c", webhook=Webhook(url="https://x", secret="s")),
    }
    made = notifiers(msgspec.structs.replace(SITE, alerting=Alerting(contacts=contacts)), lambda: START)
    assert [type(one) for one in made.values()] == [AppriseNotifier, ConsoleNotifier, WebhookNotifier]
