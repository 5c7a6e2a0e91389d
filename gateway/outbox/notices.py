"""The notice worker: delivers the journal's notices to contacts, each contact by itself, at least once, for 24 h.

What is due for one contact goes as one message (the alerts room makes notices of one policy due together).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence

from gateway.errors import DeliveryError
from gateway.instants import DAY, SECOND, Duration, Instant
from gateway.outbox.notifiers import Message, Notifier
from gateway.outbox.retry import Retry
from gateway.outbox.source import NoticeSource, StoredNotice

LIMIT = 1000
"""Notices looked at in one round."""
IDLE_S = 5.0
"""Without a wake-up the journal is looked at at least so often."""
GIVE_UP: Duration = DAY
"""A notice older than this is not tried again (issue: retry with back-off for 24 h)."""
LISTED = 10
"""Notices spelled out in one message; the rest are counted."""


class NoticeWorker:
    """Delivers notices for ever; cancel it to stop.

    Attributes:
        sent, failed, given_up: notices delivered, failed attempts, notices given up since the start.
        problems: contact → why its last attempt failed; a contact that was reached is taken out.

    Args:
        source: the journal.
        notifiers: by contact.
        now: the wall clock.
        wake: set when there are new notices; cleared here.
        retry: how long to wait after a failure.
    """

    def __init__(
        self,
        source: NoticeSource,
        notifiers: Mapping[str, Notifier],
        *,
        now: Callable[[], Instant],
        wake: asyncio.Event | None = None,
        retry: Retry | None = None,
    ) -> None:
        self._source = source
        self._notifiers = notifiers
        self._now = now
        self._wake = wake or asyncio.Event()
        self._retry = retry or Retry(first_s=10.0, longest_s=1800.0)
        self._busy: dict[str, asyncio.Task[None]] = {}
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
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                due = await self._source.due_notices(self._now(), LIMIT)
                waiting: dict[str, list[StoredNotice]] = {}
                for notice in due:
                    if notice.contact not in self._busy:
                        waiting.setdefault(notice.contact, []).append(notice)
                for contact, notices in waiting.items():
                    task = group.create_task(self._deliver(contact, notices), name=f"notify {contact}")
                    self._busy[contact] = task
                await self._rest()

    async def _deliver(self, contact: str, notices: Sequence[StoredNotice]) -> None:
        """One message to one contact, and the record of the attempt."""
        try:
            notifier = self._notifiers.get(contact)
            if notifier is None:
                raise DeliveryError("the site file has no such contact any more")
            said = await notifier.send(compose(notices))
        except DeliveryError as error:
            self.problems[contact] = error.reason
            await self._failed(notices, error)
        else:
            self.problems.pop(contact, None)
            at = self._now()
            for notice in notices:
                await self._source.notice_attempt(notice.id, at, True, said, None, True)
            self.sent += len(notices)
        finally:
            del self._busy[contact]
            self._wake.set()

    async def _failed(self, notices: Sequence[StoredNotice], error: DeliveryError) -> None:
        at = self._now()
        # One wait for all of them, so that they stay one message.
        wait = self._retry.wait_s(min(notice.attempts for notice in notices), error.retry_after_s)
        next_try = at + int(wait * SECOND)
        for notice in notices:
            final = at - notice.created >= GIVE_UP
            detail = f"{error.reason}; given up after 24 h" if final else error.reason
            await self._source.notice_attempt(notice.id, at, False, detail, None if final else next_try, final)
            self.failed += 1
            self.given_up += final

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


def compose(notices: Sequence[StoredNotice]) -> Message:
    """One message of all notices due for a contact. The same notices give the same key.

    The last line carries the key's beginning, by which a person, too, knows a repeated message.
    """
    keys = tuple(notice.key for notice in notices)
    digest = hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()[:32]
    reference = f"#{digest[:8]}"
    if len(notices) == 1:
        return Message(digest, keys, notices[0].title, f"{notices[0].body}\n{reference}")
    parts = [f"{number}. {notice.title}\n{notice.body}" for number, notice in enumerate(notices[:LISTED], 1)]
    if len(notices) > LISTED:
        parts.append(f"… +{len(notices) - LISTED}")
    return Message(digest, keys, f"{notices[0].title} (+{len(notices) - 1})", "\n\n".join([*parts, reference]))
