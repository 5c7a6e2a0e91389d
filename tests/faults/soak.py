"""Weeks of an estate's life, as fast as the machine judges them, with faults by chance; whatever grows without bound is found.

    python -m tests.faults.soak --weeks 8 --seed 1

One process holds the real gateway (journal, judge, alerts, books, telemetry, notices, retention, checkpoints) under a clock that the run
moves. The simulated estate of `config/demo.yaml` lives in another process and hands over the bytes of one day after the other. Each
day has its own faults (`device_drivers.simulation.nights`): devices silent, cut off, restarted, late, telling twice, with wrong clocks;
the gateway stopped in order or dropped in mid-work. Beside these: bytes that nobody can read, steps of the gateway's own clock, copies
taken and restored while it works.

Once a simulated day it is looked at. What is bounded (memory, descriptors, threads, tasks, the judge's state, tables that retention
forgets) must be flat once retention has begun to forget; what is history by design is told in bytes a day.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import apsw
import msgspec

from api.simulated import estate_of, walks_of
from device_drivers.simulation.delivery import Arrival, when
from device_drivers.simulation.nights import draw, live
from gateway.alerts.alert import Operation
from gateway.alerts.cases import FINAL_LIMIT
from gateway.alerts.lifecycle import FINAL, Refused
from gateway.books import BookOperation
from gateway.clock import SteadyClock
from gateway.instants import DAY, HOUR, SECOND, Duration, Instant, instant
from gateway.journal.backup import backup, restore
from gateway.journal.retention import EVENTS, Retention
from gateway.links.link import Envelope, LinkState, Token
from gateway.outbox.local import LocalStore
from gateway.outbox.notices import NoticeWorker
from gateway.outbox.notifiers import notifiers
from gateway.outbox.telemetry import TelemetryWorker
from gateway.recovery import EVIDENCE_NEEDED, state_of
from gateway.runtime import Gateway
from gateway.site.load import load_site
from gateway.site.model import Site
from gateway.site.plans import plan_rounds
from gateway.work_orders.book import WorkOrders
from gateway.work_orders.register import CLOSED_LIMIT
from tests.faults.ledger import damaged, half_applied, read_only, twice

DEMO = Path(__file__).parents[2] / "config" / "demo.yaml"
START = datetime(2026, 8, 3, 4, tzinfo=UTC)
"""Noon at the estate."""
EVIDENCE: Duration = EVIDENCE_NEEDED + 4 * DAY
"""Shorter than a site file may say, so that much of the run is seen with retention at work; longer than what the rules need."""
TELEMETRY: Duration = 7 * DAY
SETTLED_DAYS = EVIDENCE // DAY + 2
"""Not before this day is anything expected to be flat."""

_DAY_S = 86_400.0
_FED_AT_ONCE = 100
_UNREADABLE = 0.0005
"""Share of the messages that arrive damaged."""
_TICK_S = 60.0
_STEPS_S = (-1800.0, -300.0, -40.0, 40.0, 600.0, 3600.0)

EVIDENCE_TABLES = ("log", "quarantine", "late", "read_again", "dead_letter", "notice", "notice_attempt", "change")
BOUNDED_TABLES = (*EVIDENCE_TABLES, "condition", "cursor", "meta", "sessions", "entry_link")
HISTORY_TABLES = (
    "visit_revision",
    "alert_transition",
    "entry",
    "leaf",
    "finding",
    "checkpoint",
    "audit",
    "report",
    "enrolment",
)


class Limit(NamedTuple):
    """How much something may seem to grow in eight weeks: a share of its mean, or so many, whichever is more."""

    share: float
    least: float


LIMITS = {
    "memory": Limit(0.2, 16e6),
    "objects": Limit(0.2, 20_000),
    "descriptors": Limit(0.0, 2),
    "threads": Limit(0.0, 2),
    "tasks": Limit(0.0, 2),
    "judge": Limit(0.25, 20_000),
    "alerts": Limit(0.25, 30),
    "orders": Limit(0.25, 30),
    "telemetry": Limit(0.25, 1e6),
    "snapshot": Limit(0.0, 1),
    **{f"{table} bytes": Limit(0.3, 100_000) for table in BOUNDED_TABLES},
}


class Sample(NamedTuple):
    """What was seen at the end of a simulated day."""

    day: int
    values: dict[str, float]


class Outcome(NamedTuple):
    """What a run found."""

    samples: list[Sample]
    wrong: list[str]
    """What does not hold, a sentence each."""
    counts: dict[str, float]


class Machine:
    """The clocks of the machine on which the gateway runs, in seconds: a steady one, and one that may be set wrong."""

    def __init__(self, start: float) -> None:
        self.at = start
        self.off = 0.0

    def wall(self) -> Instant:
        return round((self.at + self.off) * SECOND)

    def steady(self) -> float:
        return self.at


class Broker:
    """Keeps what the gateway has not acknowledged, and notes what of numbered devices it did."""

    name = "soak"
    state = LinkState(name="soak", up=True, since=datetime(1970, 1, 1, tzinfo=UTC))

    def __init__(self) -> None:
        self.waiting: dict[int, tuple[str, bytes]] = {}
        self.acknowledged: list[bytes] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self._number = 0

    def take(self, topic: str, payload: bytes) -> Token:
        self._number += 1
        self.waiting[self._number] = topic, payload
        return Token(1, self._number)

    async def run(self) -> None:
        """Nothing runs: it is fed."""

    def pause(self) -> None:
        self.reading.clear()

    def resume(self) -> None:
        self.reading.set()

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            # nothing: a gateway that was dropped meanwhile says so; it is told again to the next one
            topic, payload = self.waiting.pop(token.packet_id, ("", b""))
            if topic.endswith("/up"):
                self.acknowledged.append(payload)


class Life:
    """One start of the gateway until it stops or is dropped."""

    def __init__(self, site: Site, data: Path, machine: Machine) -> None:
        self.gateway = gateway = Gateway(site, data)
        clock = SteadyClock(machine.wall, machine.steady)
        gateway._steady = gateway._own = clock
        gateway.clock = clock.judged
        self._site, self._data, self._clock = site, data, clock
        self._tasks: list[asyncio.Task[None]] = []
        self._store: LocalStore
        self.retention: Retention

    async def begin(self) -> None:
        gateway = await self.gateway.__aenter__()
        self._store = LocalStore(self._data / "telemetry.db", self._site.storage.retain_telemetry, gateway.lived)
        self.retention = gateway.retention((self._store.name,))
        news, notices = asyncio.Event(), asyncio.Event()
        gateway.wake_deliveries += [news.set, notices.set]
        telemetry = TelemetryWorker(gateway.source, self._store, self._site, now=gateway.now, wake=news)
        told = notifiers(self._site, gateway.now)
        teller = NoticeWorker(gateway.source, told, self._site, now=gateway.now, wake=notices)
        self._tasks = [asyncio.create_task(telemetry.run()), asyncio.create_task(teller.run())]

    def tick(self, at: float) -> None:
        """What `Gateway.run` does by its own clock."""
        now = instant(self.gateway.clock())
        self.gateway.intake.tick(now)

    async def caught_up(self) -> None:
        """Everything is on disk, and telemetry is written."""
        await self.gateway.intake.drained()
        deadline = time.monotonic() + 60
        last = (await self.gateway.query("SELECT coalesce(max(seq), 0) FROM log"))[0][0]
        while await self.gateway.source.cursor(self._store.name) < last:
            for task in self._tasks:
                if task.done():
                    task.result()
            assert time.monotonic() < deadline, "telemetry does not catch up"
            await asyncio.sleep(0.01)

    async def end(self, *, in_order: bool) -> None:
        """Stop, or drop everything that is not on disk."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._store.close()
        if in_order:
            await self.gateway.__aexit__(None, None, None)
        else:
            await self.gateway._stack.aclose()


def day_of(site_file: Path, seed: int, start: float) -> list[Arrival]:
    """What arrives at the gateway on one day."""
    site, _ = load_site(site_file, secrets=False)
    begin = when(start)
    estate = estate_of(site, near=begin)
    walks = walks_of(site, plan_rounds(site, instant(begin), instant(begin) + DAY - HOUR))
    return live(estate, walks, draw(estate, walks, start, start + _DAY_S, seed)).arrivals


class Soak:
    """A run. `evidence`: how long evidence is kept."""

    def __init__(self, folder: Path, seed: int, *, evidence: Duration = EVIDENCE, faults: bool = True) -> None:
        self._folder = folder
        self._seed = seed
        self._faults = faults
        self.data = folder / "data"
        self.site_file = folder / "site.yaml"
        text = DEMO.read_text(encoding="utf-8")
        self.site_file.write_text(text[: text.index("\nplans:")] + text[text.index("\nparents:") :], encoding="utf-8")
        site, _ = load_site(self.site_file, secrets=False)
        storage = msgspec.structs.replace(site.storage, retain_evidence=evidence, retain_telemetry=TELEMETRY)
        self.site = msgspec.structs.replace(site, storage=storage)
        self._machine = Machine(START.timestamp())
        self._chance = random.Random(seed)
        self._broker: Broker
        self._life: Life | None = None
        self._copying: asyncio.Task[None] | None = None
        self._sweeping = 0.0
        self._ticked = 0.0
        self._worked = 0.0
        self.samples: list[Sample] = []
        self.wrong: list[str] = []
        self.counts: dict[str, float] = dict.fromkeys(
            ("arrivals", "unreadable", "stops", "drops", "steps", "copies", "again"), 0
        )

    async def run(self, days: int, *, copies: int = 1, told: bool = False) -> Outcome:
        """Live so many days.

        Args:
            copies: taken and restored a day.
            told: print each day.
        """
        self._broker = Broker()
        began = time.monotonic()
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as others:
            loop = asyncio.get_running_loop()
            # the other process begins with this, while no thread of the gateway runs yet
            coming = loop.run_in_executor(others, day_of, self.site_file, self._seed * 1000, START.timestamp())
            await self._begin()
            for day in range(days):
                arrivals = await coming
                until = START.timestamp() + (day + 1) * _DAY_S
                if day + 1 < days:
                    coming = loop.run_in_executor(others, day_of, self.site_file, self._seed * 1000 + day + 1, until)
                await self._day(arrivals, until, copies)
                del arrivals
                await self._sample(day + 1)
                if told:
                    took = time.monotonic() - began
                    print(_line(self.samples[-1], (day + 1) * _DAY_S / took), flush=True)
        await self._end(in_order=True)
        self.counts["seconds"] = time.monotonic() - began
        self._whole(days)
        return Outcome(self.samples, self.wrong, self.counts)

    # -- a day

    async def _day(self, arrivals: Sequence[Arrival], until: float, copies: int) -> None:
        chance = self._chance
        start = self._machine.at
        copy_at = sorted(chance.uniform(start, until) for _ in range(copies))
        step_at = chance.uniform(start, until - 4 * 3600) if self._faults and chance.random() < 0.5 else until + 1
        right_at = step_at + chance.uniform(60, 7200)
        for fed, arrival in enumerate(arrivals, 1):
            while self._machine.at + _TICK_S < arrival.at:
                await self._pass(self._machine.at + _TICK_S)
            await self._pass(max(self._machine.at, arrival.at))
            if arrival.at >= step_at:
                self.counts["steps"] += 1
                self._machine.off, step_at = chance.choice(_STEPS_S), until + 1
            if arrival.at >= right_at:
                self._machine.off, right_at = 0.0, until + 1
            if copy_at and arrival.at >= copy_at[0] and self._life is not None:
                copy_at.pop(0)
                await self._copied()
                self._copying = asyncio.create_task(asyncio.to_thread(self._copy))
            await self._arrived(arrival)
            if fed % _FED_AT_ONCE == 0:
                await asyncio.sleep(0)
                await self._broker.reading.wait()
        self._machine.off = 0.0
        while self._machine.at < until:
            await self._pass(min(self._machine.at + _TICK_S, until))
        await self._copied()
        if self._life is None:
            await self._begin()

    async def _pass(self, at: float) -> None:
        """It is now `at`."""
        self._machine.at = at
        if self._life is None:
            return
        if at - self._ticked >= _TICK_S:
            self._ticked = at
            self._life.tick(at)
        if at - self._sweeping >= 3600:
            self._sweeping = at
            await self._life.caught_up()
            await self._life.retention.sweep()
        if at - self._worked >= 4 * 3600:
            self._worked = at
            await self._people()

    async def _arrived(self, arrival: Arrival) -> None:
        self.counts["arrivals"] += 1
        if arrival.event == "stopped":
            if self._life is not None:
                await self._end(in_order=self.counts["stops"] < self.counts["drops"])
        elif arrival.event == "started":
            if self._life is None:
                await self._begin()
        elif (life := self._life) is not None:
            received = life.gateway.clock()
            if arrival.event != "said":
                body = {
                    "kind": "link",
                    "device": arrival.device,
                    "at": received,
                    "up": arrival.event == "link_up",
                }
                life.gateway.intake.observe(msgspec.json.encode(body), instant(received))
            elif arrival.said is not None:
                self._said(life, arrival.said.topic, arrival.device, arrival.said.payload, received)

    def _said(self, life: Life, topic: str | None, device: str, payload: bytes, received: datetime) -> None:
        if self._faults and self._chance.random() < _UNREADABLE:
            self.counts["unreadable"] += 1
            payload = payload[: self._chance.randrange(len(payload) + 1)] + self._chance.randbytes(3)
        if topic is None:
            life.gateway.intake.chunk(self._broker, device, payload, received)
        else:
            token = self._broker.take(topic, payload)
            life.gateway.intake.messages(self._broker, [Envelope(topic, payload, received, False, token)])

    # -- the gateway's life

    async def _begin(self) -> None:
        life = Life(self.site, self.data, self._machine)
        await life.begin()
        self._life = life
        again = list(self._broker.waiting.values())
        self._broker.waiting.clear()
        self._broker.resume()
        for topic, payload in again:
            self.counts["again"] += 1
            token = self._broker.take(topic, payload)
            envelope = Envelope(topic, payload, life.gateway.clock(), False, token)
            life.gateway.intake.messages(self._broker, [envelope])

    async def _end(self, *, in_order: bool) -> None:
        assert self._life is not None
        await self._copied()
        self.counts["stops" if in_order else "drops"] += 1
        life, self._life = self._life, None
        await life.end(in_order=in_order)

    async def _people(self) -> None:
        """The desk looks at alerts and work orders."""
        assert self._life is not None
        gateway = self._life.gateway
        for alert in gateway.judgement.alerts.alerts():
            if alert.state in FINAL:
                continue
            action = "close" if alert.state == "resolved" else self._chance.choice(("ack", "start", "resolve", "close"))
            with contextlib.suppress(Refused):
                await gateway.operate(
                    Operation(at=gateway.now(), by="desk", action=action, alert=alert.id, why="looked at")
                )
        book = gateway.judgement.books["work_order"]
        assert isinstance(book, WorkOrders)
        steps = {
            "reported": "assign",
            "reopened": "assign",
            "assigned": "arrive",
            "arrived": "repair",
            "repaired": "close",
        }
        for order in book.orders():
            action = steps.get(order.state, "cancel")
            for tried in (action, "cancel"):
                operation = BookOperation(
                    at=gateway.now(),
                    by="desk",
                    book="work_order",
                    action=tried,
                    subject=order.id,
                    details={"to": "m-liu"} if tried == "assign" else {},
                    why="nothing more to be done",
                )
                with contextlib.suppress(Refused):
                    await gateway.operate(operation)
                    break

    # -- copies

    def _copy(self) -> None:
        """Take a copy of the journal at work, make a journal of it, and check that."""
        copy, folder = self._folder / "copy.db", self._folder / "restored"
        taken = backup(self.data, copy)
        made = restore(copy, folder, taken.until)
        if made.checked is None or not made.checked.intact:
            self.wrong.append(f"a copy taken at work is not whole: {made.checked}")
        with closing(read_only(made.path)) as connection:
            rows = connection.execute("SELECT count(*) FROM log").get
            if rows != taken.rows and not rows:
                self.wrong.append(f"a copy of {taken.rows} rows became a journal of {rows}")
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        copy.unlink()
        self.counts["copies"] += 1

    async def _copied(self) -> None:
        if self._copying is not None:
            copying, self._copying = self._copying, None
            await copying

    # -- what is seen

    async def _sample(self, day: int) -> None:
        assert self._life is not None
        life, gateway = self._life, self._life.gateway
        await life.caught_up()
        await life.retention.sweep()
        await gateway.checkpoints.make("asked")
        self._kept(gateway)
        gc.collect()
        values: dict[str, float] = {
            "memory": memory(),
            "objects": len(gc.get_objects()),
            "descriptors": descriptors(),
            "threads": threading.active_count(),
            "tasks": len(asyncio.all_tasks()),
            "judge": len(msgspec.msgpack.encode((gateway.judgement.engine.snapshot(), gateway._repeats.snapshot()))),
            "state": len(state_of(gateway.judgement, gateway._repeats)),
            **self._books(gateway),
            "journal": (self.data / "journal.db").stat().st_size,
            "wal": (self.data / "journal.db-wal").stat().st_size,
        }
        with closing(read_only(self.data / "telemetry.db")) as connection:
            values["telemetry"] = used(connection)
            oldest = connection.execute("SELECT min(at) / 1000 FROM sample").get
        self._too_old("telemetry", oldest, TELEMETRY, gateway.now(), slack=DAY + 3 * HOUR)
        with closing(read_only(self.data / "journal.db")) as connection:
            pages = dict(connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall())
            tables = dict(connection.execute("SELECT name, tbl_name FROM sqlite_schema WHERE rootpage > 0").fetchall())
            for table in (*BOUNDED_TABLES, "snapshot", *HISTORY_TABLES):
                values[f"{table} bytes"] = sum(size for name, size in pages.items() if tables.get(name) == table)
                values[table] = connection.execute(f"SELECT count(*) FROM {table}").get
            for table in ("log", "quarantine"):
                oldest = connection.execute(f"SELECT min(received) FROM {table}").get
                self._too_old(table, oldest, self.site.storage.retain_evidence, gateway.now())
            self._passed(connection, gateway.now())
            # an hour's notice may be older: what no listener needs goes with the hour's sweep
            oldest = connection.execute("SELECT min(at) FROM change").get
            self._too_old("change", oldest, EVENTS, gateway.now(), slack=DAY)
        self.samples.append(Sample(day, values))

    def _books(self, gateway: Gateway) -> dict[str, float]:
        """What waits for people, and what memory still has of what is over: that fills up to its limits, and no further."""
        alerts, book = gateway.judgement.alerts.alerts(), gateway.judgement.books["work_order"]
        assert isinstance(book, WorkOrders)
        live = sum(1 for alert in alerts if alert.state not in FINAL)
        over = {"alerts that are over": len(alerts) - live, "orders that are over": len(book.recent())}
        for what, most in (("alerts that are over", FINAL_LIMIT), ("orders that are over", CLOSED_LIMIT)):
            if over[what] > most:
                self.wrong.append(f"{over[what]} {what} are in memory, the limit is {most}")
        return {"alerts": live, "orders": len(book.orders()), **over}

    def _too_old(
        self, what: str, oldest: Instant | None, kept: Duration, now: Instant, slack: Duration = 3 * HOUR
    ) -> None:
        """A device's own time may be a while before it was received; a sweep waits while the clock is doubted."""
        if oldest is not None and now - oldest > kept + slack:
            self.wrong.append(f"{what} is kept for {(now - oldest) / DAY:.1f} days, the limit is {kept / DAY:g}")

    def _passed(self, connection: apsw.Connection, now: Instant) -> None:
        """Of conditions before the kept time each subject has one row, or none."""
        sql = "SELECT kind, id, count(*) FROM condition WHERE found < ? GROUP BY kind, id HAVING count(*) > 1 LIMIT 3"
        for kind, subject, rows in connection.execute(sql, (now - self.site.storage.retain_evidence - 3 * HOUR,)):
            self.wrong.append(f"{rows} conditions of {kind} {subject} are older than what is kept")

    def _kept(self, gateway: Gateway) -> None:
        """I1: what a numbered device was acknowledged today is stored."""
        with closing(read_only(self.data / "journal.db")) as connection:
            for payload in self._broker.acknowledged:
                try:
                    said = msgspec.json.decode(payload)
                    key = said["boot"], said["seq"], said["kind"]
                except (msgspec.MsgspecError, KeyError, TypeError, UnicodeDecodeError):
                    continue
                sql = "SELECT 1 FROM log WHERE boot = ? AND n = ? AND kind = ?"
                if connection.execute(sql, key).get is None:
                    self.wrong.append(f"I1 acknowledged and not stored: {key}")
        self._broker.acknowledged.clear()

    def _whole(self, days: int) -> None:
        with closing(read_only(self.data / "journal.db")) as connection:
            found = [*twice(connection), *damaged(connection), *half_applied(connection)]
        # events of taps go after a week, taps later
        forgets = days * DAY > EVENTS
        self.wrong += [each for each in found if not (forgets and each.startswith("I6") and "events of taps" in each)]


def memory() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    """Open ones of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def used(connection: apsw.Connection) -> int:
    """Bytes of a database without its free pages."""
    pages = connection.execute("PRAGMA page_count").get - connection.execute("PRAGMA freelist_count").get
    size: int = pages * connection.execute("PRAGMA page_size").get
    return size


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line of least squares."""
    across, up = mean(x for x, _ in points), mean(y for _, y in points)
    width = sum((x - across) ** 2 for x, _ in points)
    return sum((x - across) * (y - up) for x, y in points) / width if width else 0.0


def growing(samples: Sequence[Sample], limits: dict[str, Limit] = LIMITS) -> list[str]:
    """What grows more in eight weeks than it may; of samples after retention has set in."""
    found = []
    for name, limit in limits.items():
        points = [(float(sample.day), sample.values[name]) for sample in samples if name in sample.values]
        if len(points) < 2:
            continue
        grown, most = slope(points) * 56, max(limit.share * mean(y for _, y in points), limit.least)
        if grown > most:
            found.append(f"{name} grows by {grown:,.0f} in eight weeks, {most:,.0f} are allowed")
    return found


def _line(sample: Sample, pace: float) -> str:
    v = sample.values
    return (
        f"day {sample.day:3}: {pace:6.0f} x, {v['memory'] / 1e6:6.1f} MB, {v['objects']:8.0f} objects, {v['descriptors']:3.0f} fd, "
        f"{v['threads']:2.0f} threads, {v['tasks']:2.0f} tasks, judge {v['judge'] / 1e3:6.0f} kB, {v['alerts']:3.0f} alerts, journal {v['journal'] / 1e6:6.1f} MB, "
        f"telemetry {v['telemetry'] / 1e6:5.1f} MB, log {v['log']:7.0f}, condition {v['condition']:7.0f}"
    )


def table(outcome: Outcome, settled: int) -> Iterable[str]:
    """For people: means and growth of what is bounded, bytes a day of what is history."""
    samples = [sample for sample in outcome.samples if sample.day >= settled]
    if len(samples) < 2:
        return
    yield f"{'':24}{'mean':>14}{'in 8 weeks':>14}{'allowed':>14}"
    for name, limit in LIMITS.items():
        points = [(float(sample.day), sample.values[name]) for sample in samples]
        middle = mean(y for _, y in points)
        yield f"{name:24}{middle:14,.0f}{slope(points) * 56:14,.0f}{max(limit.share * middle, limit.least):14,.0f}"
    for name in ("state", "alerts that are over", "orders that are over", "journal"):
        yield f"{name:24}{samples[0].values[name]:14,.0f} on day {samples[0].day}, {samples[-1].values[name]:,.0f} at the end"
    for name in HISTORY_TABLES:
        points = [(float(sample.day), sample.values[f"{name} bytes"]) for sample in samples]
        yield f"{name:24}{points[-1][1]:14,.0f} bytes, {slope(points):10,.0f} a day (history)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--copies", type=int, default=1, help="hot copies taken and restored a day [1]")
    parsed = parser.parse_args()
    logging.disable(logging.WARNING)
    days = round(parsed.weeks * 7)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        soak = Soak(Path(folder), parsed.seed)
        outcome = asyncio.run(soak.run(days, copies=parsed.copies, told=True))
    print("\n".join(table(outcome, SETTLED_DAYS)))
    print(", ".join(f"{name} {value:,.0f}" for name, value in outcome.counts.items()), f"seed {parsed.seed}")
    found = [*outcome.wrong, *growing([each for each in outcome.samples if each.day >= SETTLED_DAYS])]
    print("\n".join(found) or "nothing grows, all holds")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
