"""A gateway in memory: a real Judgement whose views are those of a scene, and real SQLite for the accounts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import apsw
import msgspec

from device_drivers.driver import Reading, Reject
from gateway.alerts.alert import Operation
from gateway.books import BookName, BookOperation
from gateway.enrolment import Enrolments, enrolment_row
from gateway.instants import DAY, Instant, instant, parse_instant
from gateway.journal.checkpoints import Checkpoint, Reason
from gateway.journal.rows import Condition, LogRow, QuarantineRow
from gateway.journal.store import migrations
from gateway.judgement import Judgement
from gateway.links.link import LinkState
from gateway.outbox.local import Sample
from gateway.rereading import Rereading
from gateway.rules.findings import Signal
from gateway.rules.operations import DeviceOperation
from gateway.site.enrolments import Enrolment, Kind, Proposed
from gateway.vitals import Queue, Vitals
from tests.api.scene import NOW, Scene


class FakeEvent(NamedTuple):
    id: int
    kind: str
    data: bytes


class FakeEvents:
    """All events are kept, so any id can be resumed from."""

    def __init__(self) -> None:
        self.all: list[FakeEvent] = []
        self._news = asyncio.Event()

    @property
    def latest(self) -> int:
        return self.all[-1].id if self.all else 0

    def publish(self, kind: str, value: Any) -> None:
        self.all.append(FakeEvent(self.latest + 1, kind, msgspec.json.encode(value)))
        self._news.set()
        self._news = asyncio.Event()

    async def subscribe(self, after: int | None) -> AsyncIterator[FakeEvent]:
        position = self.latest if after is None else after
        while True:
            news = self._news
            for event in [event for event in self.all if event.id > position]:
                position = event.id
                yield event
            if position >= self.latest:
                await news.wait()


class FakeCheckpoints:
    """Each asked for is made, over one row more."""

    def __init__(self) -> None:
        self.made: list[Checkpoint] = []

    async def make(self, reason: Reason) -> Checkpoint:
        size = len(self.made) + 1
        root = sha256(bytes([size])).digest()
        self.made.append(Checkpoint(at=instant(NOW), size=size, root=root, reason=reason, note=f"note {size}\n"))
        return self.made[-1]

    async def latest(self) -> Checkpoint | None:
        return self.made[-1] if self.made else None

    async def page(self, before: int | None, limit: int) -> Sequence[tuple[int, Checkpoint]]:
        numbered = [(each.size, each) for each in reversed(self.made) if before is None or each.size < before]
        return numbered[:limit]

    async def public_key(self) -> str:
        return "lamplighter/s+00000000+AQ=="


class FakeHealth(msgspec.Struct, frozen=True, kw_only=True):
    ready: bool = True
    problems: tuple[str, ...] = ()
    counters: Mapping[str, float] = msgspec.field(
        default_factory=lambda: {"intake_received": 4711.0, "journal_seq": 12.0}
    )


class FakeArchive:
    """What the journal keeps, from the lists of a `FakeGateway`."""

    def __init__(self, of: FakeGateway) -> None:
        self._of = of

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
        found = [
            row
            for row in reversed(self._of.log)
            if device in {None, row.device}
            and kind in {None, row.kind}
            and (since is None or row.received >= since)
            and (until is None or row.received < until)
            and (before is None or row.seq < before)
        ]
        return found[:limit]

    async def quarantine(self, *, before: int | None, source: str | None = None, limit: int) -> Sequence[QuarantineRow]:
        found = [row for row in reversed(self._of.unread) if source in {None, row.source}]
        return [row for row in found if before is None or row.seq < before][:limit]

    async def quarantined(self, rows: Sequence[int]) -> Sequence[QuarantineRow]:
        return [row for row in self._of.unread if row.seq in rows]

    async def unreadable(self, newest: int) -> Sequence[tuple[str, str, int, Instant]]:
        counts: dict[tuple[str, str], list[Instant]] = {}
        for row in self._of.unread[-newest:]:
            counts.setdefault((row.source, row.reason), []).append(row.received)
        return [(*about, len(times), max(times)) for about, times in counts.items()]

    async def rounds(self, since: Instant, until: Instant) -> Sequence[Mapping[str, Any]]:
        return [item for item in self._of.old_rounds if since <= parse_instant(item["start"]) < until]

    async def revisions(self, round_id: str) -> Sequence[Mapping[str, Any]]:
        return []

    async def gaps(self, since: Instant, until: Instant) -> Sequence[Mapping[str, Any]]:
        return [item for item in self._of.old_gaps if since <= parse_instant(item["window_start"]) < until]

    async def alerts(self, before: Instant | None, limit: int) -> Sequence[Mapping[str, Any]]:
        found = [item for item in self._of.old_alerts if before is None or parse_instant(item["raised"]) < before]
        return sorted(found, key=lambda item: item["raised"], reverse=True)[:limit]

    async def alert(self, alert_id: str) -> dict[str, Any] | None:
        return next((each for each in self._of.old_alerts if each["id"] == alert_id), None)

    async def items(self, book: BookName, since: Instant, until: Instant, limit: int = 1000) -> list[Mapping[str, Any]]:
        latest = {entry["id"]: entry for entry in self._of.booked if entry["book"] == book}
        found = sorted(
            (entry for entry in latest.values() if since <= entry["start"] < until), key=lambda e: e["start"]
        )
        return [entry["item"] for entry in found[:limit]]

    async def item(self, book: BookName, item: str) -> Mapping[str, Any] | None:
        found = [entry["item"] for entry in self._of.booked if (entry["book"], entry["id"]) == (book, item)]
        return found[-1] if found else None

    async def entries(
        self, book: BookName, *, item: str | None = None, since: Instant = 0, until: Instant = 1 << 62
    ) -> list[Mapping[str, Any]]:
        return [
            entry
            for entry in self._of.booked
            if entry["book"] == book and item in {None, entry["id"]} and since <= entry["at"] < until
        ]

    async def conditions(self, kinds: Sequence[str], since: Instant, until: Instant) -> list[Condition] | None:
        return None if self._of.too_much else [row for row in self._of.told if row.kind in kinds]

    async def walks(self, since: Instant, until: Instant) -> list[Condition]:
        return [row for row in self._of.told if row.kind == "walk" and since <= row.since < until]

    async def kept_from(self) -> Instant | None:
        return None

    async def query(self, sql: str, params: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        return await self._of.query(sql, params)


class FakeGateway:
    """Fulfils `api.ports.GatewayPort`."""

    def __init__(self, scene: Scene | None = None) -> None:
        self.scene = scene or Scene()
        self.site = self.scene.site
        self._began = time.monotonic()
        self.stopped_clock = False
        self.ahead = 0
        self.judgement = Judgement(self.site, instant(NOW) - 24 * 3600 * 1_000_000)
        self.events = FakeEvents()
        self.checkpoints = FakeCheckpoints()
        self.archive = FakeArchive(self)
        self.state = FakeHealth()
        self.log: list[LogRow] = []
        self.unread: list[QuarantineRow] = []
        self.old_rounds: list[dict[str, Any]] = []
        self.old_gaps: list[dict[str, Any]] = []
        self.told: list[Condition] = []
        self.telemetry: dict[tuple[str, str], list[Sample]] = {}
        self.too_much = False
        self.old_alerts: list[dict[str, Any]] = []
        self.heard: list[tuple[str, Reading | Reject]] = []
        self._enrolments = Enrolments(self.site, (), {})
        self.operated: list[Operation | DeviceOperation | BookOperation] = []
        self.booked: list[dict[str, Any]] = []
        self._show()
        for signal in self.scene.signals():
            self.judgement.alerts.signal(signal)
        self.judgement.drain()
        self._store = apsw.Connection(":memory:")
        self._store.execute("PRAGMA foreign_keys = on")
        for _, text in migrations():
            self._store.execute(text)

    def _show(self) -> None:
        engine, scene = self.judgement.engine, self.scene

        def rounds(since: Instant | None = None, until: Instant | None = None) -> list[Any]:
            return [
                item
                for item in scene.rounds
                if (since is None or instant(item.start) >= since) and (until is None or instant(item.start) < until)
            ]

        def tally(since: Instant, until: Instant) -> list[Any]:
            return [
                (instant(item.start), [(visit.verdict, visit.cause) for visit in item.visits])
                for item in rounds(since, until)
            ]

        def one(name: str) -> Any:
            return lambda key: next((item for item in getattr(scene, name) if item.id == key), None)

        views: list[tuple[object, str, Any]] = [
            (engine.rounds, "rounds", rounds),
            (engine.rounds, "round", one("rounds")),
            (engine.rounds, "tally", tally),
            (engine.rounds, "gaps", lambda: scene.gaps),
            (engine.rounds, "unmatched", lambda: scene.unmatched),
            (engine.lighting, "lamps", lambda: scene.lamps),
            (engine.lighting, "lamp", one("lamps")),
            (engine.lighting, "circuits", lambda: scene.circuits),
            (engine.lighting, "circuit", one("circuits")),
            (engine.cameras, "cameras", lambda: scene.cameras),
            (engine.cameras, "camera", one("cameras")),
            (engine.cameras, "zones", lambda: scene.zones),
            (engine.cameras, "zone", one("zones")),
            (engine.devices, "devices", lambda: scene.devices),
            (engine.devices, "device", one("devices")),
        ]
        for module, name, view in views:
            setattr(module, name, view)

    def now(self) -> Instant:
        passed = 0 if self.stopped_clock else round((time.monotonic() - self._began) * 1_000_000)
        return instant(NOW) + passed + self.ahead

    def signal(self, signal: Signal) -> None:
        """The rules tell something; it is judged and told live."""
        self.judgement.alerts.signal(signal)
        self._tell()

    def _tell(self) -> None:
        for book in self.judgement.books.values():
            for entry in book.drain().entries:
                self.booked.append(msgspec.json.decode(msgspec.json.encode(entry)))
                self.events.publish(entry.book, entry)
        for transition in self.judgement.alerts.drain().transitions:
            self.events.publish("alert", transition)

    async def hear(self, source: str, readings: Sequence[Reading | Reject]) -> list[Reading]:
        self.heard += [(source, each) for each in readings]
        return []

    @property
    def enrolled(self) -> Mapping[tuple[str, str], Enrolment]:
        return self._enrolments.counting

    async def proposed(self, wanted: Enrolment | tuple[Kind, str]) -> Proposed:
        self._enrolments.site_with(wanted)
        return Proposed(revisions=(), transitions=())

    async def enrol(
        self,
        wanted: Enrolment | tuple[Kind, str],
        by: str,
        *,
        name: str | None = None,
        statements: Sequence[tuple[str, tuple[Any, ...]]] = (),
    ) -> None:
        self._enrolments.take(wanted, name)
        await self.write([enrolment_row(wanted, by, self.now()), *statements])

    async def operate(self, operation: Operation | DeviceOperation | BookOperation) -> msgspec.Struct | None:
        self.operated.append(operation)
        if isinstance(operation, DeviceOperation):
            return None
        if isinstance(operation, BookOperation):
            item = self.judgement.books[operation.book].operate(operation)
            self._tell()
            return item
        after = self.judgement.alerts.operate(operation)
        self._tell()
        return self.judgement.alerts.alert(after.id)

    async def samples(  # noqa: PLR0917
        self,
        device: str,
        quantity: str,
        since: Instant,
        until: Instant,
        max_points: int = 500,
        channel: str | None = None,
    ) -> Sequence[Sample] | None:
        known = self.telemetry.get((device, quantity))
        return None if known is None else [each for each in known if since <= each.at < until][:max_points]

    async def rereadable(self, rows: Sequence[int]) -> Rereading:
        return Rereading(rows=())

    async def reread(self, rows: Sequence[int], by: str, *, also_worse: bool = False) -> Rereading:
        return Rereading(rows=())

    async def explain_past(self, kind: str, subject: str, known_at: Instant, *, named: bool) -> None:
        """No evidence is stored here."""

    async def vitals(self) -> Vitals:
        return Vitals(
            started=instant(NOW),
            up_since=instant(NOW),
            journal_bytes=1 << 20,
            disk_free=1 << 34,
            disk_total=1 << 35,
            rows=12,
            commits=3,
            last_commit=instant(NOW),
            memory_bytes=None,
            kept_from=None,
            retain=90 * DAY,
            snapshot_at=None,
            snapshot_rows=12,
            snapshot_bytes=0,
            dead_letters=0,
            queues=(Queue(name="notices", waiting=2, oldest=instant(NOW)),),
            versions={"Lamplighter": "0"},
        )

    def links(self) -> Sequence[LinkState]:
        return self.scene.links

    def health(self) -> FakeHealth:
        return self.state

    async def write(self, statements: list[tuple[str, tuple[Any, ...]]]) -> None:
        with self._store:
            for sql, params in statements:
                self._store.execute(sql, params)

    async def query(self, sql: str, params: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        return self._store.execute(sql, params).fetchall()
