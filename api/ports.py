"""What the faces need of a running gateway, and nothing more. `gateway.runtime.Gateway` fulfils it.

The types are protocols, so that the gateway's rooms need not know this one (imports go `gateway` ← `api` only).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from device_drivers.driver import Reading, Reject
from gateway.alerts.alert import Operation
from gateway.books import BookName, BookOperation
from gateway.explain.explanation import Explanation
from gateway.explain.past import Kind as ExplainedKind
from gateway.instants import Instant
from gateway.journal.checkpoints import Checkpoint, Reason
from gateway.journal.rows import Again, Condition
from gateway.judgement import Judgement
from gateway.links.link import LinkState
from gateway.outbox.local import Sample
from gateway.rereading import Rereading
from gateway.rules.operations import DeviceOperation
from gateway.site.enrolments import Enrolment, Proposed
from gateway.site.enrolments import Kind as EnrolmentKind
from gateway.site.model import Site
from gateway.vitals import Vitals


class LogRow(Protocol):
    """One journal row of an observation. `seq` is the journal's own number, `n` the device's; instants in µs."""

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
    def boot(self) -> str | None: ...
    @property
    def n(self) -> int | None: ...
    @property
    def body(self) -> bytes: ...
    @property
    def heard(self) -> Instant | None:
        """When its bytes arrived, of what could be read only later, at `received`."""
        ...


class QuarantineRow(Protocol):
    """Bytes that could not be read, and why."""

    @property
    def seq(self) -> int: ...
    @property
    def received(self) -> Instant: ...
    @property
    def source(self) -> str: ...
    @property
    def topic(self) -> str | bytes | None: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def reason(self) -> str: ...
    @property
    def retained(self) -> int: ...
    @property
    def again(self) -> Again | None:
        """The last time that somebody had it read again."""
        ...


class Event(Protocol):
    """One thing that changed. `id` rises; `kind` as in `KINDS` of `api.resources.events`; `data` is JSON in one line."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def data(self) -> bytes: ...


class Events(Protocol):
    """The live feed."""

    @property
    def latest(self) -> int:
        """The id of the last event."""
        ...

    def subscribe(self, after: int | None) -> AsyncIterator[Event]:
        """Events with an id above `after` (None: from now on), complete and in order.

        What memory no longer holds comes from the journal. The iterator ends when the subscriber is too slow or the
        gateway stops; the subscriber comes back with the last id it has.
        """
        ...


class Health(Protocol):
    """How the gateway is: `ready` to take and keep evidence; `problems` say what is wrong and what to do."""

    @property
    def ready(self) -> bool: ...
    @property
    def problems(self) -> Sequence[str]: ...
    @property
    def counters(self) -> Mapping[str, float]: ...


class Checkpoints(Protocol):
    """The journal's chain, signed."""

    async def make(self, reason: Reason) -> Checkpoint:
        """Sign it as it is on disk now; where nothing was written since the newest checkpoint, that one is given."""
        ...

    async def latest(self) -> Checkpoint | None: ...

    async def page(self, before: int | None, limit: int) -> Sequence[tuple[int, Checkpoint]]:
        """Checkpoints with a `seq` below `before`, newest first, with their `seq`."""
        ...

    async def public_key(self) -> str:
        """The verifier key of what is signed now."""
        ...


class Archive(Protocol):
    """What the journal keeps."""

    async def observations(
        self,
        *,
        device: str | None = None,
        kind: str | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        before: int | None = None,
        limit: int,
    ) -> Sequence[LogRow]:
        """Newest first; `received` in [since, until); `before`: only rows with a lower `seq`."""
        ...

    async def quarantine(self, *, before: int | None, source: str | None = None, limit: int) -> Sequence[QuarantineRow]:
        """Newest first; `before`: only rows with a lower `seq`; `source`: only from there."""
        ...

    async def quarantined(self, rows: Sequence[int]) -> Sequence[QuarantineRow]:
        """Rows of the quarantine by number, in order; those that are not there are left out."""
        ...

    async def unreadable(self, newest: int) -> Sequence[tuple[str, str, int, Instant]]:
        """Of the newest so many rows of the quarantine: (source, reason, how many, when the last one came), the most first."""
        ...

    async def rounds(self, since: Instant, until: Instant) -> Sequence[Mapping[str, Any]]:
        """Rounds with start in [since, until) that memory no longer holds, in the JSON shape of `Round`."""
        ...

    async def revisions(self, round_id: str) -> Sequence[Mapping[str, Any]]:
        """Every change of a verdict of a round's visits, in the JSON shape of `VisitRevision`, by position and revision."""
        ...

    async def gaps(self, since: Instant, until: Instant) -> Sequence[Mapping[str, Any]]:
        """Windows of largest gaps with start in [since, until) as last judged, in the JSON shape of `Gap`."""
        ...

    async def alerts(self, before: Instant | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """Final alerts that memory no longer holds, newest `raised` first, `raised` earlier than `before`."""
        ...

    async def alert(self, alert_id: str) -> Mapping[str, Any] | None:
        """One alert that memory may no longer hold; None: there never was one."""
        ...

    async def items(
        self, book: BookName, since: Instant, until: Instant, limit: int = 1000
    ) -> Sequence[Mapping[str, Any]]:
        """Items of a book with start in [since, until) as they are now, by start, in their JSON shape."""
        ...

    async def item(self, book: BookName, item: str) -> Mapping[str, Any] | None:
        """One item of a book as it is now; None: there never was one."""
        ...

    async def entries(
        self, book: BookName, *, item: str | None = None, since: Instant = 0, until: Instant = 1 << 62
    ) -> Sequence[Mapping[str, Any]]:
        """What happened to the items of a book in [since, until), or to one of them, in the JSON shape of `Entry`."""
        ...

    async def conditions(self, kinds: Sequence[str], since: Instant, until: Instant) -> Sequence[Condition] | None:
        """Rows that say what subjects of `kinds` were in [since, until), each subject's in order; None: too many."""
        ...

    async def walks(self, since: Instant, until: Instant) -> Sequence[Condition]:
        """Settled days of checkpoints that begin in [since, until)."""
        ...

    async def kept_from(self) -> Instant | None:
        """From when on all evidence and all rounds are kept; None: nothing is forgotten yet."""
        ...

    async def query(self, sql: str, params: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        """Rows of one SELECT."""
        ...


class GatewayPort(Protocol):
    """A running gateway."""

    @property
    def site(self) -> Site: ...
    @property
    def judgement(self) -> Judgement: ...
    @property
    def events(self) -> Events: ...
    @property
    def checkpoints(self) -> Checkpoints: ...
    @property
    def archive(self) -> Archive: ...

    def now(self) -> Instant: ...

    async def operate(self, operation: Operation | DeviceOperation | BookOperation) -> msgspec.Struct | None:
        """A person's action, judged and committed when this returns: the alert or item after it.

        Raises:
            gateway.alerts.book.Refused: nothing changed.
        """
        ...

    async def hear(self, source: str, readings: Sequence[Reading | Reject]) -> list[Reading]:
        """Take what a guard's phone handed in: observations, and bytes that cannot be read; returns once it is on disk.

        Those that contradict an earlier record of their number are given back.
        """
        ...

    @property
    def enrolled(self) -> Mapping[tuple[str, str], Enrolment]:
        """What counts of what was enrolled while the gateway ran, by kind and subject."""
        ...

    async def proposed(self, wanted: Enrolment | tuple[EnrolmentKind, str]) -> Proposed:
        """What an enrolment, or the withdrawal of a subject, would change; nothing is done.

        Raises:
            gateway.site.enrolments.NotEnrolled: it cannot be.
        """
        ...

    async def enrol(
        self,
        wanted: Enrolment | tuple[EnrolmentKind, str],
        by: str,
        *,
        name: str | None = None,
        statements: Sequence[tuple[str, tuple[Any, ...]]] = (),
    ) -> None:
        """Enrol, or withdraw a subject; what was read before is judged again by it. Returns once all of it is on disk.

        Args:
            wanted: an enrolment, or (kind, subject) to withdraw.
            by: the account, for the history.
            name: what an enrolled person is called.
            statements: written in the same transaction (the audit history).

        Raises:
            gateway.site.enrolments.NotEnrolled: nothing changed.
        """
        ...

    async def samples(  # noqa: PLR0917
        self,
        device: str,
        quantity: str,
        since: Instant,
        until: Instant,
        max_points: int = 500,
        channel: str | None = None,
    ) -> Sequence[Sample] | None:
        """A device's telemetry in [since, until), by time, down-sampled to at most `max_points` equal stretches.

        None: it is not kept here, but in a store of its own (`storage.telemetry.influxdb`).
        """
        ...

    async def rereadable(self, rows: Sequence[int]) -> Rereading:
        """What reading rows of the quarantine again, by today's site file and drivers, would give and change; nothing is done."""
        ...

    async def reread(self, rows: Sequence[int], by: str, *, also_worse: bool = False) -> Rereading:
        """Read rows of the quarantine again; what is in them counts from now on. Returns once all of it is on disk.

        Without `also_worse` nothing is done if a visit would be missed by it.
        """
        ...

    async def explain_past(
        self, kind: ExplainedKind, subject: str, known_at: Instant, *, named: bool
    ) -> Explanation | None:
        """Why something was judged as it was, by what had been received by `known_at`; also of what memory no longer holds.

        None: there was no such thing then. Takes seconds on a large site; one at a time.
        """
        ...

    async def vitals(self) -> Vitals:
        """How the gateway itself is: its journal, disk, memory and queues."""
        ...

    def links(self) -> Sequence[LinkState]: ...

    def health(self) -> Health: ...

    async def write(self, statements: list[tuple[str, tuple[Any, ...]]]) -> None:
        """Run statements on the accounts' tables in one transaction; returns after the commit."""
        ...

    async def query(self, sql: str, params: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        """Read the accounts' tables."""
        ...
