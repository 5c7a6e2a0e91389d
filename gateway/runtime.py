"""Starts, supervises and stops all of it: links, intake, rules, deliveries, in one task group of named tasks."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import Driver, Reading, Reject
from gateway.alerts.alert import Alert, Operation
from gateway.archive import Archive
from gateway.books import BookOperation
from gateway.clock import Doubt, SteadyClock
from gateway.deliveries import JournalSource
from gateway.enrolment import Enrolments, enrolment_row, name_gone, name_row
from gateway.errors import JournalError, StalledError
from gateway.events import EventHub
from gateway.explain.explanation import Explanation
from gateway.explain.past import Asked, Kind, Past
from gateway.instants import MINUTE, SECOND, Instant, instant
from gateway.intake import Intake
from gateway.journal.checkpoints import Checkpoints, settings
from gateway.journal.notes import origin_of
from gateway.journal.reader import Reader
from gateway.journal.retention import Retention
from gateway.journal.store import Store
from gateway.journal.writer import Writer
from gateway.judgement import Judgement
from gateway.links.link import Link, LinkState
from gateway.outbox.local import LocalStore, Sample
from gateway.recovery import FORMAT, Down, first_rows, recover, state_of
from gateway.replay import line_of
from gateway.rereading import Rereader, Rereading
from gateway.routing import Router
from gateway.rules.operations import DeviceOperation
from gateway.site.enrolments import Enrolment, EnrolPerson, Proposed
from gateway.site.enrolments import Kind as EnrolmentKind
from gateway.site.model import Site
from gateway.vitals import Vitals, disk, memory, stored, versions

_log = logging.getLogger(__name__)

_ALIVE = 5 * SECOND
"""How often the journal notes that the gateway runs: what a crash leaves unknown is at most this long."""

_STANDS_STILL_S = 30.0
"""Without a commit for so long the gateway keeps nothing: the clock alone commits every few seconds, and a commit takes milliseconds."""

_PORT_SIGN_S = 30.0
"""How often an open port of a reader that only transmits is noted (rounds.md, What is known to be complete)."""

_SNAPSHOT_ROWS = 30_000
"""Rows that a start has to judge again, some 10 µs each beside what it costs without any (a second at 1,000 devices); a quiet site has
far fewer, by the time below.
"""
_SNAPSHOT_EVERY = 5 * MINUTE
_SNAPSHOT_SHARE = 20
"""A snapshot follows the one before no sooner than so many times what that one took: of a site of 10,000 devices it takes a quarter of
a second, and a backlog brings 100,000 rows in two.
"""

_SWITCH_INTERVAL_S = 0.0002
"""The journal's thread asks for the interpreter lock between statements; 5 ms (Python's default) would be its wait each time."""

_NOT_NOW = "nothing can be changed at the moment"
_IN_DOUBT = "it is not known whether this will be kept; look again once the disk takes something, and repeat it if it is not there"

_CANCEL_AGAIN_S = 6.0
"""Longer than a task may take to end in order: the console gives running requests 5 s (api/server.py)."""

_RESTART_S = 1.0
_RESTART_MOST_S = 60.0


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the gateway can take and keep evidence, and what a person should know."""

    ready: bool
    problems: tuple[str, ...]
    counters: Mapping[str, float]


class Delivery(Protocol):
    """A worker of the outbox, as far as the health page needs it."""

    @property
    def problem(self) -> str | None:
        """Why nothing is delivered at the moment; None: all is well."""
        ...


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks until all have ended: in Python 3.11 `asyncio.wait_for`, which libraries use, loses a cancellation that comes
    in the moment in which what it waits for is done.
    """
    going = set(tasks)
    while going:
        for task in going:
            task.cancel()
        _, going = await asyncio.wait(going, timeout=_CANCEL_AGAIN_S)


class Gateway:
    """A running gateway; `async with Gateway(…) as gateway` opens the journal and brings the judge up to date.

    Links are started by `run`, which returns only when the gateway has failed or is cancelled.

    Args:
        site: the checked model, secrets resolved.
        data: the data folder.
        clock: gives the time; None: the machine's clock, as far as it can be believed.
        trust_clock: a person says that the machine's clock is right, however far it went.
        drivers: by name.

    Raises:
        JournalError: the data folder cannot be used, or the machine's clock not to begin with.
    """

    def __init__(
        self,
        site: Site,
        data: Path,
        *,
        clock: Callable[[], datetime] | None = None,
        trust_clock: bool = False,
        drivers: Mapping[str, Driver] = DRIVERS,
    ) -> None:
        self.site = site
        self._data = data
        self._steady = SteadyClock() if clock is None else None
        self._trust_clock = trust_clock
        self._own: Callable[[], datetime] = clock or self._steady  # type: ignore[assignment]
        self.clock: Callable[[], datetime] = self._own if self._steady is None else self._steady.judged
        """The judge's time, by which everything is received (`SteadyClock.judged`)."""
        self._drivers = drivers
        self._links: list[Link] = []
        self._problems: dict[str, str] = {}
        self._failures: dict[str, int] = {}
        self._failed: asyncio.Future[None]
        self._stall = asyncio.Event()
        """Set while the disk takes nothing."""
        self._last_tick: float | None = None
        self._retention: Retention | None = None
        self._last_commit = 0.0
        self._stack = AsyncExitStack()
        self.judgement: Judgement
        self.events: EventHub
        self.intake: Intake
        self.source: JournalSource
        self.checkpoints: Checkpoints
        self.archive: Archive
        self.wake_deliveries: list[Callable[[], None]] = []
        self.deliveries: Mapping[str, Delivery] = {}
        self.telemetry: LocalStore | None = None
        """What charts are drawn from; None: the site writes its telemetry elsewhere."""

    # -- life

    async def __aenter__(self) -> Self:
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        self._failed = asyncio.get_running_loop().create_future()
        try:
            self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    def _open(self) -> None:
        store = Store(self._data, self.now)
        self._stack.callback(store.close)
        self._reader = Reader(store.path)
        self._stack.callback(self._reader.close)
        self._writer = Writer(store.writer, self._stalled, failed=self._fail)
        self._stack.callback(self._writer.close)
        self._began = time.monotonic()
        if self._steady is not None:
            known = store.meta("advanced") or store.meta("started")
            self._steady.begin(None if known is None else int(known), trusted=self._trust_clock)
        now = instant(self.clock())
        self._enrolments = Enrolments(self.site, *self._reader.enrolments())
        recovered = recover(self.site, store, self._reader, now)
        self._started = int(store.meta("started") or now)
        self._known_at_start = recovered.judgement.now
        self._past = Past(store.path, self.site)
        self.judgement = recovered.judgement
        self.archive = Archive(self._reader, self._shown)
        self._repeats = recovered.repeats
        last_seq = store.last_seq()
        self.events = EventHub(self._reader, last_seq)
        self.source = JournalSource(self._reader, self._writer, self.now, lambda: self.intake.draining)
        self.intake = Intake(
            self.judgement,
            Router(self.site, self._drivers),
            self._repeats,
            self._writer,
            self.events,
            clock=self.clock,
            last_seq=last_seq,
            committed=self._committed,
            failed=self._fail,
        )
        self._rereader = Rereader(self.site, self._drivers, self._reader, self.intake, self.now)
        chain = self.site.chain
        self.checkpoints = Checkpoints(
            origin_of(self.site.id, store.epoch),
            self._data,
            settings(chain.at, self.site.zone_info, self._data, to=chain.to, key=chain.key, signer=chain.signer),
            reader=self._reader,
            write=self._writer.execute,
            append=self.intake.append,
            commit=self.intake.wake,
            now=self.now,
            problem=lambda text: self.problem("checkpoints", text),
        )
        self._snapshot_seq, self._snapshot_at = last_seq, now
        self._snapshot_not_before = 0.0
        self.intake.snapshot_due, self.intake.snapshot = self._snapshot_due, self._snapshot
        if recovered.first_start:
            first_rows(self.intake.batch, now)
            self.intake.batch.advanced = now
        else:
            self._note_restart(now)
        if self._steady is not None:
            self._steady.tell = self._note_time

    def _shown(self, round_id: str) -> bool:
        """Whether memory shows a round; an enrolment puts other rounds there."""
        return self.judgement.engine.rounds.shows(round_id)

    def _note_time(self, doubt: Doubt) -> None:
        """The clock was set, or may be wrong: what is not heard in that time is not known."""
        assert self._steady is not None
        since = self.judgement.now
        now = since if self._steady.stands else max(since, self.now())
        if doubt == "set":
            _log.warning(
                "the clock is believed again, or was set; of the last %.0f s nothing is known", (now - since) / SECOND
            )
        elif "clock" not in self._problems:
            _log.warning("%s", self._steady.problem)
        self.problem("clock", self._steady.problem)
        self.intake.record("restart", msgspec.json.encode(Down(since=since, clock=doubt)), now)
        self.judgement.restarted(since, now, doubt)

    def _note_restart(self, now: Instant) -> None:
        down_from = self.judgement.now
        now = max(now, down_from)
        self.intake.record("restart", msgspec.json.encode(Down(since=down_from)), now)
        self.judgement.restarted(down_from, now)
        self.judgement.history.resume(self._reader.last_conditions(), now)

    async def __aexit__(self, *_: object) -> None:
        if not self._failed.done():
            self._snapshot_seq, self._snapshot_not_before = -_SNAPSHOT_ROWS, 0.0
            self.intake.tick(instant(self.clock()))
            await self._unless_stalled(self.intake.drained())
        await self._stack.aclose()

    async def _unless_stalled(self, work: Awaitable[Any]) -> Any:
        """What `work` gives; None if the disk takes nothing (any more): it is not waited for then."""
        working = asyncio.ensure_future(work)
        full = asyncio.ensure_future(self._stall.wait())
        try:
            await asyncio.wait({working, full}, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            full.cancel()
            working.cancel()

    async def _for_somebody(self, work: Awaitable[Any]) -> Any:
        """What `work` gives, for a person or program that waits.

        Raises:
            StalledError: the disk took nothing more before it was done.
        """
        working = asyncio.ensure_future(work)
        found = await self._unless_stalled(working)
        if not working.done() or working.cancelled():
            raise StalledError(f"{self._problems.get('journal', '')}; {_IN_DOUBT}")
        return found

    def _may_write(self) -> None:
        if self._stall.is_set():
            raise StalledError(f"{_NOT_NOW}: {self._problems.get('journal', '')}")

    async def run(
        self, links: Sequence[Link], tasks: Mapping[str, Callable[[], Awaitable[None]]] | None = None
    ) -> None:
        """Keep links, the clock and the given deliveries going until cancelled.

        Raises:
            JournalError: the disk failed; nothing more is acknowledged. Start again once it is mended.
        """
        self._links = list(links)
        self._last_tick = self._last_commit = time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(self._supervise("clock", self._tick), name="clock")]
                for link in links:
                    running.append(group.create_task(self._supervise(link.name, link.run), name=f"link {link.name}"))
                for name, work in (tasks or {}).items():
                    running.append(group.create_task(self._supervise(name, work), name=name))
                try:
                    await asyncio.shield(self._failed)
                finally:
                    await _ended(running)
        except BaseExceptionGroup as failures:
            if (failed := failures.subgroup(JournalError)) is not None:
                raise failed.exceptions[0] from None
            raise

    async def _supervise(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` for good: if it ends, say so, count it, and start it again after a while."""
        wait = _RESTART_S
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await work()
                reason = "ended"
            except JournalError as error:
                self._fail(error)
                return
            except Exception as error:  # noqa: BLE001 a task that ends is a fault: shown, counted, started again
                reason = f"{type(error).__name__}: {error}"
                _log.exception("%s failed; it is started again", name)
            self._failures[name] = self._failures.get(name, 0) + 1
            self._problems[name] = f"{name}: {reason}; started again ({self._failures[name]} times)"
            if asyncio.get_running_loop().time() - began > _RESTART_MOST_S:
                wait = _RESTART_S
            await asyncio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311
            wait = min(2 * wait, _RESTART_MOST_S)

    async def _tick(self) -> None:
        """Let time pass in the judge: at its deadlines, and each few seconds as a sign of life in the journal."""
        alive = signed = -1e9
        while True:
            now = instant(self.clock())
            lived = time.monotonic()
            if self._steady is not None and self._steady.doubted:
                self.problem("clock", self._steady.problem)
            due = self.judgement.deadline()
            if lived - signed >= _PORT_SIGN_S:
                signed = lived
                self._sign_open_ports(now)
            # By a clock that is never set: no step of the other one must keep the journal waiting. A backlog's batches let time pass themselves.
            if not self.intake.draining and (lived - alive >= _ALIVE / SECOND or (due is not None and due <= now)):
                alive = lived
                self.intake.tick(now)
            due = self.judgement.deadline()
            self._last_tick = time.monotonic()
            wait = _ALIVE if due is None else min(max(due - now, 0), _ALIVE)
            await asyncio.sleep(min(wait / SECOND, 0.25) if due is not None else 0.25)

    def _sign_open_ports(self, now: Instant) -> None:
        for link in self._links:
            device = self.site.devices.get(getattr(link, "device", ""))
            if device is not None and device.transmits_only and link.state.up:
                body = {"kind": "link", "device": device.id, "at": self.clock(), "up": True}
                self.intake.observe(msgspec.json.encode(body), now)

    def _fail(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    def _stalled(self, reason: str) -> None:
        if reason:
            self._stall.set()
            self._problems["journal"] = (
                f"the disk takes nothing more ({reason}): nothing is acknowledged until there is space"
            )
            _log.error("%s", self._problems["journal"])
            return
        self._stall.clear()
        if self._problems.pop("journal", None):
            _log.warning("the journal is being written again")

    def _committed(self) -> None:
        self._last_commit = time.monotonic()
        for wake in self.wake_deliveries:
            wake()

    def _snapshot_due(self) -> bool:
        rows = self.intake.seq - self._snapshot_seq
        due = rows >= _SNAPSHOT_ROWS or (rows > 0 and self.judgement.now - self._snapshot_at >= _SNAPSHOT_EVERY)
        return due and time.monotonic() >= self._snapshot_not_before

    def _snapshot(self) -> tuple[str, str, bytes | bytearray]:
        began = time.monotonic()
        self._snapshot_seq, self._snapshot_at = self.intake.seq, self.judgement.now
        state = state_of(self.judgement, self._repeats)
        ended = time.monotonic()
        self._snapshot_not_before = ended + _SNAPSHOT_SHARE * (ended - began)
        return FORMAT, self.site.digest, state

    def retention(self, receivers: Sequence[str]) -> Retention:
        """What makes the journal forget; `receivers`: names of the deliveries whose rows must not go before they have them."""
        self._retention = Retention(
            self._reader,
            self._writer,
            self.site.storage.retain_evidence,
            self.now,
            known=self._known_at_start,
            receivers=receivers,
            busy=lambda: self.intake.draining,
            doubted=lambda: self._steady is not None and self._steady.doubted,
        )
        return self._retention

    def lived(self) -> Instant:
        """The time by which the age of what is kept is measured (`Retention.lived`); 0: nothing may go yet."""
        return 0 if self._retention is None else self._retention.lived

    # -- what the faces ask (api.ports.GatewayPort)

    def now(self) -> Instant:
        """The time now."""
        return instant(self._own())

    async def operate(self, operation: Operation | DeviceOperation | BookOperation) -> msgspec.Struct | None:
        """A person acts; returns once it is on disk: the alert or item after it.

        Raises:
            Refused: nothing changed.
            StalledError: the disk takes nothing.
        """
        self._may_write()
        stands = self._steady is not None and self._steady.stands
        at = self.judgement.now if stands else self.intake.not_before(operation.at)
        operation = msgspec.structs.replace(operation, at=at)
        after = self.judgement.operate(operation)
        self.intake.record("operator", msgspec.json.encode(line_of(operation)), at)
        await self._for_somebody(self.intake.wake())
        return self.judgement.alerts.alert(after.id) if isinstance(after, Alert) else after

    async def hear(self, source: str, readings: Sequence[Reading | Reject]) -> list[Reading]:
        """Take what a guard's phone handed in; returns once it is on disk. Those that contradict an earlier record are given back.

        Raises:
            StalledError: the disk takes nothing; it is to be handed in again.
        """
        self._may_write()
        refused = self.intake.heard(source, readings, self.clock())
        await self._for_somebody(self.intake.wake())
        return refused

    @property
    def enrolled(self) -> Mapping[tuple[str, str], Enrolment]:
        """What counts of what was enrolled while the gateway ran, by kind and subject."""
        return self._enrolments.counting

    async def proposed(self, wanted: Enrolment | tuple[EnrolmentKind, str]) -> Proposed:
        """What an enrolment, or the withdrawal of a subject, would change; nothing is done.

        Raises:
            NotEnrolled: it cannot be.
        """
        site = self._enrolments.site_with(wanted)
        _, news = self.judgement.under(site)
        return Proposed(
            revisions=tuple(msgspec.to_builtins(each) for each in news.revisions),
            transitions=tuple(msgspec.to_builtins(each) for each in news.transitions),
        )

    async def enrol(
        self,
        wanted: Enrolment | tuple[EnrolmentKind, str],
        by: str,
        *,
        name: str | None = None,
        statements: Sequence[tuple[str, tuple[Any, ...]]] = (),
    ) -> None:
        """Enrol, or withdraw a subject; what was read before is judged again by it. Returns once all of it is on disk.

        Of a person who is withdrawn the name is erased; what he did stays under the id.

        Args:
            wanted: an enrolment, or (kind, subject) to withdraw.
            by: the account, for the history.
            name: what an enrolled person is called.
            statements: written in the same transaction (the audit history).

        Raises:
            NotEnrolled: nothing changed.
            StalledError: the disk takes nothing.
        """
        self._may_write()
        now = self.intake.not_before(instant(self.clock()))
        self.judgement.advance(now)
        self._enrolments.take(wanted, name)
        self.judgement.resite(self.site)
        rows = self.intake.batch.statements
        rows.append(enrolment_row(wanted, by, now))
        if isinstance(wanted, EnrolPerson) and name is not None:
            rows.append(name_row(wanted.id, name, now))
        elif isinstance(wanted, tuple) and wanted[0] == "person":
            rows.append(name_gone(wanted[1]))
        rows += statements
        self._snapshot_seq, self._snapshot_not_before = -_SNAPSHOT_ROWS, 0.0
        await self._for_somebody(self.intake.wake())

    async def samples(  # noqa: PLR0917
        self,
        device: str,
        quantity: str,
        since: Instant,
        until: Instant,
        max_points: int = 500,
        channel: str | None = None,
    ) -> list[Sample] | None:
        """A device's telemetry in [since, until), down-sampled; None: it is not kept here."""
        if self.telemetry is None:
            return None
        return await self.telemetry.samples(device, quantity, since, until, max_points=max_points, channel=channel)

    async def rereadable(self, rows: Sequence[int]) -> Rereading:
        """What reading rows of the quarantine again, by today's site file and drivers, would give and change; nothing is done."""
        return await self._rereader.preview(rows)

    async def reread(self, rows: Sequence[int], by: str, *, also_worse: bool = False) -> Rereading:
        """Read rows of the quarantine again; what is in them counts from now on. Returns once all of it is on disk.

        Without `also_worse` nothing is done if a visit would be missed by it.
        """
        return await self._rereader.read(rows, by, also_worse=also_worse)

    async def explain_past(self, kind: Kind, subject: str, known_at: Instant, *, named: bool) -> Explanation | None:
        """Why something was judged as it was, by what had been received by `known_at`; also of what memory no longer holds."""
        await self.intake.wake()
        started = max(self._started, await self.archive.kept_from() or self._started)
        return await self._past.explain(started, Asked(kind, subject, known_at, named))

    async def vitals(self) -> Vitals:
        """How the gateway itself is: its journal, disk, memory and queues."""
        found: dict[str, Any] = await self._reader.run(lambda _: disk(self._data))
        found = found | await stored(self._reader, self.intake.seq)
        ago = time.monotonic() - self._last_commit
        return Vitals(
            started=self._started,
            up_since=self.now() - round((time.monotonic() - self._began) * SECOND),
            rows=self.intake.seq,
            commits=self._writer.commits,
            last_commit=self.now() - round(ago * SECOND) if self._writer.commits and self._last_commit else None,
            memory_bytes=memory(),
            retain=self.site.storage.retain_evidence,
            versions=versions() | {"drivers": str(len(self._drivers))},
            **found,
        )

    def links(self) -> list[LinkState]:
        """How each link is."""
        return [link.state for link in self._links]

    def heard(self, device: str) -> bool:
        """Whether a device was ever heard, as far as the judge remembers."""
        life = self.judgement.engine.devices.life(device)
        return life is None or life.last is not None

    def problem(self, name: str, text: str) -> None:
        """Set or (empty text) clear what a part has to say to a person."""
        if text:
            self._problems[name] = text
        else:
            self._problems.pop(name, None)

    def _standing_still(self) -> list[str]:
        """What lives no more although nothing failed: a disk that hangs, a clock that is not started again. Nothing before `run`."""
        if self._last_tick is None:
            return []
        now = time.monotonic()
        still: list[str] = []
        if now - self._last_tick > _STANDS_STILL_S:
            still.append(f"the judge's clock stands still for {now - self._last_tick:.0f} s: start the gateway again")
        if now - self._last_commit > _STANDS_STILL_S and "journal" not in self._problems:
            still.append(
                f"nothing was written to disk for {now - self._last_commit:.0f} s: nothing is acknowledged; look at the disk"
            )
        return still

    def health(self) -> Health:
        """Readiness, problems and counters."""
        down = [
            f"{state.name}: {state.reason} {state.hint}".strip()
            for state in self.links()
            if not state.up and state.counts
        ]
        still = self._standing_still()
        troubled = [f"{name}: {each.problem}" for name, each in self.deliveries.items() if each.problem]
        if failures := self.intake.counters.judge_failures:
            troubled.append(
                f"{failures} observations could not be judged, a fault of this program; they are kept, see the log"
            )
        counters: dict[str, float] = {
            f"intake_{name}": value for name, value in msgspec.structs.asdict(self.intake.counters).items()
        }
        counters["journal_commits"] = self._writer.commits
        counters["journal_seq"] = self.intake.seq
        for name, delivery in self.deliveries.items():
            counters |= {
                f"{name}_{key}": value
                for key, value in vars(delivery).items()
                if not key.startswith("_") and type(value) is int
            }
        counters |= {f"restarts_{name.replace(' ', '_')}": count for name, count in self._failures.items()}
        return Health(
            ready="journal" not in self._problems and not self._failed.done() and not down and not still,
            problems=(*self._problems.values(), *still, *down, *troubled, *self._enrolments.left_out),
            counters=counters,
        )

    async def write(self, statements: list[tuple[str, tuple[Any, ...]]]) -> None:
        """Run statements in one transaction, for somebody who waits; returns after the commit.

        Raises:
            StalledError: the disk takes nothing.
        """
        self._may_write()
        await self._for_somebody(self._writer.execute(statements))

    async def query(self, sql: str, params: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Rows of one SELECT."""
        return await self._reader.query(sql, params)
