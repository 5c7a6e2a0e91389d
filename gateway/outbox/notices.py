"""The notice worker: delivers the journal's notices to contacts, each contact by itself, at least once, for 24 h.

What is due for one contact goes as one message (the alerts room makes notices of one policy due together); `limits` says what of
it waits.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence

import msgspec

from gateway.errors import DeliveryError
from gateway.instants import DAY, SECOND, Duration, Instant
from gateway.outbox.limits import WINDOW, Plan, plan
from gateway.outbox.links import link
from gateway.outbox.message import Message
from gateway.outbox.notifiers import Notifier
from gateway.outbox.retry import LONGEST_ASKED_S, Retry
from gateway.outbox.source import Attempt, DueNotice, NoticeSource
from gateway.site.model import Contact, Site

_log = logging.getLogger(__name__)

MOST = 2000
"""Notices of one message to a person, who gets few of them in full whatever their number."""
MOST_POSTED = 200
"""Notices of one message to a webhook, which gets all of them: some 200 KiB."""
IDLE_S = 5.0
"""Without a wake-up the journal is looked at at least so often."""
MOST_UNSURE = 3
"""Messages to one contact that may have arrived and are repeated as they were; what comes after gathers behind them."""
GIVE_UP_AFTER = 20
"""At least so many tries: of a day in which the gateway was off, or over which its clock was set, it tried in none. Ours."""
GIVE_UP: Duration = DAY
"""So long after it was first tried a notice is not tried again (alerts.md: retry with back-off for 24 h)."""
LISTED = 10
"""Notices spelled out in one message."""
NAMED = 40
"""Further ones of which the title stands in it; the rest are counted."""


class NoticeWorker:
    """Delivers notices for ever; cancel it to stop.

    Attributes:
        sent, failed, given_up: notices delivered, failed attempts, notices given up since the start.
        problems: contact → why its last attempt failed; a contact that was reached is taken out.

    Args:
        source: the journal.
        notifiers: by contact.
        site: its contacts, its clock, where people open its console.
        now: the wall clock.
        wake: set when there are new notices; cleared here.
        retry: how long to wait after a failure.
    """

    def __init__(
        self,
        source: NoticeSource,
        notifiers: Mapping[str, Notifier],
        site: Site,
        *,
        now: Callable[[], Instant],
        wake: asyncio.Event | None = None,
        retry: Retry | None = None,
    ) -> None:
        self._source = source
        self._notifiers = notifiers
        self._contacts = site.alerting.contacts
        self._zone = site.zone_info
        self._console = site.console_url
        self._now = now
        self._wake = wake or asyncio.Event()
        self._retry = retry or Retry(first_s=10.0, longest_s=1800.0)
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._reached: set[str] = set()
        """Contacts that took something since the start; what failed before the start goes with the first of it."""
        self._asked: dict[str, Instant] = {}
        """Until when a receiver asked to be left alone. A restart forgets it: one more try does no harm."""
        self.sent = 0
        self.failed = 0
        self.given_up = 0
        self.problems: dict[str, str] = {}

    @property
    def problem(self) -> str | None:
        """What people should know: which contacts cannot be reached; None: all can."""
        if not self.problems:
            return None
        return "; ".join(f"{contact}: {reason}" for contact, reason in sorted(self.problems.items()))

    async def run(self) -> None:
        """Deliver until cancelled; messages under way are then given up and sent again at the next start."""
        await self._source.reconsider(self._now())
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                for contact in await self._source.due_contacts(self._now()):
                    if contact not in self._busy:
                        self._busy[contact] = group.create_task(self._serve(contact), name=f"notify {contact}")
                await self._rest()

    async def _serve(self, contact: str) -> None:
        """Whatever is to be done now for one contact."""
        try:
            now = self._now()
            known = self._contacts.get(contact) or Contact(id=contact)
            due = await self._source.due_notices(contact, now, MOST if known.webhook is None else MOST_POSTED)
            if due and due[0].message is not None:
                await self._again(contact, due, now)
                return
            sent = () if known.at_most is None else await self._source.sent(contact, now - WINDOW)
            made = plan(due, known, self._zone, now, sent=sent, not_before=self._asked.get(contact))
            await self._queue_behind(contact, made)
            if made.drop:
                await self._source.drop([(notice.id, why) for notice, why in made.drop])
            if made.hold:
                await self._source.hold([(notice.id, until, why) for notice, until, why in made.hold])
            if made.send:
                await self._deliver(contact, made.send)
        finally:
            del self._busy[contact]
            self._wake.set()

    async def _again(self, contact: str, notices: Sequence[DueNotice], now: Instant) -> None:
        """Repeat a message that may have arrived, all of it; no limit counts it twice. Quiet hours and the receiver's wish hold it."""
        known = msgspec.structs.replace(self._contacts.get(contact) or Contact(id=contact), at_most=None)
        made = plan(notices, known, self._zone, now, not_before=self._asked.get(contact))
        if made.send:
            await self._deliver(contact, notices)
        else:
            _, until, why = max(made.hold, key=lambda held: held[1])
            await self._source.hold([(notice.id, until, why) for notice in notices])

    async def _queue_behind(self, contact: str, made: Plan) -> None:
        """While many messages are in doubt what is not critical waits, so that a receiver which comes back is not flooded."""
        waits = [notice for notice in made.send if notice.severity != "critical"]
        if not waits:
            return
        messages, next_try = await self._source.doubt(contact)
        if messages >= MOST_UNSURE and next_try is not None:
            made.send[:] = [notice for notice in made.send if notice.severity == "critical"]
            made.hold.extend((notice, next_try, "behind") for notice in waits)

    async def _deliver(self, contact: str, notices: Sequence[DueNotice]) -> None:
        """One message to one contact, and the record of the attempt. That it is sent is on disk before: nobody knows what a kill leaves."""
        notices = sorted(notices, key=lambda notice: notice.id)
        message = compose(notices, self._console)
        fresh = notices[0].message is None
        if fresh:
            await self._source.begin([notice.id for notice in notices], message.key)
        try:
            notifier = self._notifiers.get(contact)
            if notifier is None:
                raise DeliveryError("the site file has no such contact any more", refused=True)
            said = await _sent(notifier, message)
        except DeliveryError as error:
            self.problems[contact] = error.reason
            await self._failed(contact, notices, error, refused=fresh and error.refused)
        else:
            again = self.problems.pop(contact, None) is not None or contact not in self._reached
            self._reached.add(contact)
            self._asked.pop(contact, None)
            at = self._now()
            await self._source.attempted([Attempt(notice.id, at, True, said, None) for notice in notices])
            self.sent += len(notices)
            if again:
                await self._source.hurry(contact, at)

    async def _failed(self, contact: str, notices: Sequence[DueNotice], error: DeliveryError, *, refused: bool) -> None:
        at = self._now()
        # One wait for all of them, so that they stay one message.
        wait = self._retry.wait_s(min(notice.attempts for notice in notices), error.retry_after_s)
        next_try = at + int(wait * SECOND)
        if error.retry_after_s is not None:
            self._asked[contact] = at + int(min(error.retry_after_s, LONGEST_ASKED_S) * SECOND)
        attempts = []
        for notice in notices:
            tried = notice.attempts + 1
            final = notice.tried is not None and at - notice.tried >= GIVE_UP and tried >= GIVE_UP_AFTER
            detail = f"{error.reason}; given up after 24 h" if final else error.reason
            attempts.append(Attempt(notice.id, at, False, detail, None if final else next_try, refused))
        await self._source.attempted(attempts)
        self.failed += len(attempts)
        self.given_up += sum(attempt.next_try is None for attempt in attempts)

    async def _rest(self) -> None:
        """Sleep until woken, until the next notice falls due, or for a while."""
        due = await self._source.next_notice()
        wait_s = IDLE_S
        if due is not None and due > self._now():
            wait_s = min(wait_s, (due - self._now()) / SECOND)
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            return


def compose(notices: Sequence[DueNotice], console_url: str | None = None) -> Message:
    """One message of all notices due for a contact. The same notices give the same key.

    The last line carries the key's beginning, by which a person, too, knows a repeated message.
    """
    keys = tuple(notice.key for notice in notices)
    digest = hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()[:32]
    reference = f"#{digest[:8]}"
    texts = [_text(notice, console_url) for notice in notices[:LISTED]]
    if len(notices) == 1:
        return Message(digest, keys, notices[0].title, f"{texts[0]}\n{reference}", tuple(notices), console_url)
    parts = [
        f"{number}. {notice.title}\n{text}"
        for number, (notice, text) in enumerate(zip(notices, texts, strict=False), 1)
    ]
    further = notices[LISTED : LISTED + NAMED]
    lines = [f"{number}. {notice.title}" for number, notice in enumerate(further, LISTED + 1)]
    if len(notices) > LISTED + NAMED:
        lines.append(f"… +{len(notices) - LISTED - NAMED}")
    if lines:
        parts.append("\n".join(lines))
    body = "\n\n".join([*parts, reference])
    return Message(digest, keys, f"{notices[0].title} (+{len(notices) - 1})", body, tuple(notices), console_url)


def _text(notice: DueNotice, console_url: str | None) -> str:
    address = link(console_url, notice)
    return notice.body if address is None else f"{notice.body}\n{address}"


async def _sent(notifier: Notifier, message: Message) -> str:
    """What the receiver said. A fault of ours, or of a library, in one contact's way must not keep the others waiting."""
    try:
        return await notifier.send(message)
    except DeliveryError:
        raise
    except Exception as error:  # noqa: BLE001 whatever it was, it is one failed attempt of one contact
        # Not its text: that may hold the address, which is a secret.
        _log.error("sending a notice failed in a way that nobody expected: %s", type(error).__name__)
        raise DeliveryError(f"sending failed: {type(error).__name__}") from None
