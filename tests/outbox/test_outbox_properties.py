"""Whatever a receiver answers and whenever the gateway is killed: every notice arrives, and what may have arrived comes again as it was."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Literal

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import DeliveryError
from gateway.instants import DAY, MINUTE, SECOND, Instant, instant
from gateway.outbox.about import About
from gateway.outbox.message import Message
from gateway.outbox.notices import MOST_UNSURE, NoticeWorker
from gateway.outbox.retry import Retry
from gateway.outbox.source import DueNotice
from gateway.site.model import Alerting, Contact, Severity, Site
from tests.outbox.memory import MemoryNotices

CONTACT = "captain"
T0 = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SITE = Site(id="s", name="S", timezone="Asia/Shanghai", latitude=31.2, longitude=121.5)

Outcome = Literal["taken", "refused", "busy", "lost", "killed", "killed after"]
Step = Severity | Outcome | int
STEPS = st.lists(
    st.one_of(
        st.sampled_from(["critical", "major", "minor"]),
        st.sampled_from(["taken", "refused", "busy", "lost", "killed", "killed after"]),
        st.integers(1, 900),
    ),
    max_size=60,
)
"""A notice arises; the next message ends so; so many seconds pass."""


class Night:
    """One contact, a receiver that does as it is told, and a gateway that is killed at times."""

    def __init__(self, at_most: int | None) -> None:
        contact = Contact(id=CONTACT, url="json://x", at_most=at_most)
        self.site = msgspec.structs.replace(SITE, alerting=Alerting(contacts={CONTACT: contact}))
        self.now: Instant = instant(T0)
        self.source = MemoryNotices([])
        self.outcomes: list[Outcome] = []
        self.severity: dict[str, Severity] = {}
        self.arrived: list[Message] = []
        """In doubt or not, what the receiver has."""
        self.begin()

    def begin(self) -> None:
        """A gateway starts; the journal is what it was."""
        self.worker = NoticeWorker(
            self.source, {CONTACT: self}, self.site, now=lambda: self.now, retry=Retry(10.0, 1800.0, lambda: 0.5)
        )

    def arises(self, severity: Severity) -> None:
        number = len(self.severity) + 1
        about = About(
            id=f"r/{number}/1", rule="r", subject=str(number), severity=severity, state="open", raised=T0, detected=T0,
            updated=T0, message="m",
        )  # fmt: skip
        one = DueNotice(number, f"k{number}", CONTACT, about.id, "raised", f"t{number}", "b", self.now, about=about)
        self.source.waiting[number] = (self.now, one)
        self.severity[one.key] = severity

    async def send(self, message: Message) -> str:
        """What the worker calls: the receiver takes it, refuses it, or nobody knows."""
        match self.outcomes.pop(0) if self.outcomes else "taken":
            case "refused":
                raise DeliveryError("404", retry_after_s=300.0, refused=True)
            case "busy":
                raise DeliveryError("429", retry_after_s=60.0, refused=True)
            case "killed":
                raise asyncio.CancelledError
            case "killed after":
                self.arrived.append(message)
                raise asyncio.CancelledError
            case "lost":
                self.arrived.append(message)
                raise DeliveryError("no answer within 30 s")
        self.arrived.append(message)
        return "accepted"

    async def work(self) -> None:
        """Whatever is due now."""
        while await self.source.due_contacts(self.now):
            self.worker._busy[CONTACT] = asyncio.create_task(asyncio.sleep(0))
            try:
                await self.worker._serve(CONTACT)
            except asyncio.CancelledError:
                self.begin()
            self.check()

    def check(self) -> None:
        """What holds at every moment."""
        kept: dict[str, set[int]] = {}
        for _, one in self.source.waiting.values():
            if one.message is not None:
                kept.setdefault(one.message, set()).add(one.id)
        without_calls = [
            numbers for numbers in kept.values() if not any(self.severity[f"k{one}"] == "critical" for one in numbers)
        ]
        assert len(without_calls) <= MOST_UNSURE, "what a receiver that comes back gets at once is bounded"
        keys: dict[str, str] = {}
        for message in self.arrived:
            for key in message.keys:
                assert keys.setdefault(key, message.key) == message.key, f"{key} came again in another message"


@settings(max_examples=150)
@given(STEPS, st.sampled_from([None, 2]))
def test_every_notice_arrives_and_what_may_have_arrived_comes_again_as_it_was(steps: list[Step], at_most: int | None):
    async def night() -> Night:
        one = Night(at_most)
        for step in steps:
            match step:
                case "critical" | "major" | "minor":
                    one.arises(step)
                case int():
                    one.now += step * SECOND
                    await one.work()
                case _:
                    one.outcomes.append(step)
        one.outcomes.clear()
        end = one.now + DAY
        while one.source.waiting:
            one.now += MINUTE
            assert one.now < end, one.source.waiting
            await one.work()
        return one

    done = asyncio.run(night())
    assert {key for message in done.arrived for key in message.keys} == set(done.severity)


@given(st.lists(st.sampled_from(["refused", "busy", "lost", "killed", "killed after"]), max_size=12))
@example(["lost"] * 24)
def test_a_call_for_help_is_tried_at_once_whatever_went_before(outcomes: list[Outcome]):
    async def night() -> None:
        one = Night(1)
        one.outcomes = list(outcomes)
        while one.outcomes:
            one.arises("major")
            one.now += MINUTE
            await one.work()
            if not await one.source.due_contacts(one.now + MINUTE):
                one.now += 10 * MINUTE
        one.arises("critical")
        key = f"k{len(one.severity)}"
        await one.work()
        assert any(key in message.keys for message in one.arrived)

    asyncio.run(night())
