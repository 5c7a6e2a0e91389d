"""Where the outbox takes its work from and reports to: the journal, seen through two narrow protocols.

The journal's own types fit them without either room importing the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from gateway.instants import Instant
from gateway.outbox.about import About
from gateway.site.model import Severity


class LogRow(Protocol):
    """One row of the journal's log, as far as telemetry needs it.

    `body` is the observation's JSON; `device` stands in its column even where the body lacks it; `n` is the device's own
    sequence number.
    """

    @property
    def seq(self) -> int: ...
    @property
    def received(self) -> Instant: ...
    @property
    def device(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def at(self) -> Instant: ...
    @property
    def n(self) -> int | None: ...
    @property
    def body(self) -> bytes: ...


Held = Literal["quiet", "limit", "asked", "behind", "withdrawn", "over", "never_told"]
"""Why a notice waits: quiet hours, the contact's limit, the receiver asked for it, earlier messages are in doubt; or why it was never sent: it was withdrawn before
anybody was told, it was over when the quiet hours ended, nobody was told of what it says has ended."""


class DueNotice(NamedTuple):
    """A notice that is to be tried now.

    Args:
        id, key, contact, alert, kind, title, body, created: of the notice.
        attempts: how often it was tried.
        held: why it waited.
        tried: when it was tried first; None: never.
        message: with which it was sent, if it may have arrived.
        about: the alert as it was then; None: it belongs to none.
        told: this contact was told of the alert by an earlier notice, or may have been.
        coming: an earlier notice of the alert to this contact still waits, and not for the end of quiet hours.
        ended, withdrawn: a later one says that it has ended, or never was.
    """

    id: int
    key: str
    contact: str
    alert: str
    kind: str
    title: str
    body: str
    created: Instant
    attempts: int = 0
    held: Held | None = None
    tried: Instant | None = None
    message: str | None = None
    about: About | None = None
    told: bool = False
    coming: bool = False
    ended: bool = False
    withdrawn: bool = False

    @property
    def severity(self) -> Severity | None:
        """Of its alert."""
        return None if self.about is None else self.about.severity


class Attempt(NamedTuple):
    """One notice of a message that was tried. `next_try` None: done, sent or given up. `refused`: the receiver surely has nothing of it."""

    notice: int
    at: Instant
    ok: bool
    detail: str
    next_try: Instant | None
    refused: bool = False


class Doubt(NamedTuple):
    """How many messages may have arrived and are to be repeated, and when the first of them is tried next."""

    messages: int
    next_try: Instant | None


class TelemetrySource(Protocol):
    """The log, and how far each writer has got in it."""

    async def cursor(self, name: str) -> int:
        """The `seq` of the last row that the writer `name` has dealt with; 0: none."""

    async def read_log(self, after: int, limit: int) -> Sequence[LogRow]:
        """At most `limit` rows after `after`, in order."""

    async def advance_cursor(self, name: str, seq: int) -> None:
        """All rows up to `seq` are written or dead-lettered; durable when this returns."""

    async def dead_letter(self, writer: str, seq: int, reason: str, body: bytes) -> None:
        """The receiver refuses this row for good. A repeat changes nothing."""


class NoticeSource(Protocol):
    """The notices that are still to be delivered. What a call records is durable when it returns, all of it or nothing."""

    async def due_contacts(self, now: Instant) -> Sequence[str]:
        """Contacts for whom something is to be tried now, in order of their ids."""

    async def due_notices(self, contact: str, now: Instant, limit: int) -> Sequence[DueNotice]:
        """A contact's notices to be tried now: all of one message that may have arrived, else those of none, as they fell due."""

    async def next_notice(self) -> Instant | None:
        """When the next notice is to be tried; None: none is waiting."""

    async def sent(self, contact: str, since: Instant) -> Sequence[Instant]:
        """When messages that count towards `at_most` were sent to a contact after `since`, in order."""

    async def begin(self, notices: Sequence[int], message: str) -> None:
        """A message with these notices is about to be sent."""

    async def doubt(self, contact: str) -> Doubt:
        """What may have arrived at a contact."""

    async def attempted(self, attempts: Sequence[Attempt]) -> None:
        """Record what became of one message."""

    async def hold(self, waiting: Sequence[tuple[int, Instant, Held]]) -> None:
        """Have notices tried again at an instant, and why not before."""

    async def drop(self, notices: Sequence[tuple[int, Held]]) -> None:
        """Notices that are not sent at all, and why."""

    async def hurry(self, contact: str, now: Instant) -> None:
        """Have what failed at a contact, and what waits behind it, tried now: it is reached again."""

    async def reconsider(self, now: Instant) -> None:
        """Have what quiet hours or a limit hold considered again now: the site file may say otherwise than it did then."""
