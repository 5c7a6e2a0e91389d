"""Where the outbox takes its work from and reports to: the journal, seen through two narrow protocols.

The journal's own types fit them without either room importing the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.instants import Instant


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


class StoredNotice(Protocol):
    """A notice that has not been delivered yet; `attempts` of it failed so far."""

    @property
    def id(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def contact(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def created(self) -> Instant: ...
    @property
    def attempts(self) -> int: ...


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
    """The notices that are still to be delivered."""

    async def due_notices(self, now: Instant, limit: int) -> Sequence[StoredNotice]:
        """Notices to be tried now, in the order in which they fell due."""

    async def next_notice(self) -> Instant | None:
        """When the next notice is to be tried; None: none is waiting."""

    async def notice_attempt(  # noqa: PLR0917
        self, notice_id: int, at: Instant, ok: bool, detail: str, next_try: Instant | None, final: bool
    ) -> None:
        """Record one attempt; `final`: sent, or given up."""
