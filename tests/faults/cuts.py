"""Many power cuts a minute: `python -m tests.faults.cuts FOLDER --seed N --cuts N --seconds S` prints what broke, as JSON.

A real gateway (journal, judge, telemetry file, notices, checkpoints) lives in a forked child whose disk is `disks.PowerCut`; the
parent keeps the ledger, cuts, judges the files by the oracle, and lets the next child start from them and be sent again what was not
acknowledged. An estate lives through `LIVES` cuts, then starts once more, settles and stops; then the next one begins.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import json
import os
import random
import re
import shutil
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import msgspec
import yaml

from gateway.alerts.alert import Operation
from gateway.alerts.book import Refused
from gateway.instants import moment
from gateway.journal import store
from gateway.links.link import Envelope, LinkState, Token
from gateway.outbox.local import LocalStore
from gateway.outbox.message import Message
from gateway.outbox.notices import NoticeWorker
from gateway.outbox.telemetry import TelemetryWorker
from gateway.runtime import Gateway
from gateway.site.enrolments import EnrolTag
from gateway.site.load import load_site
from gateway.site.model import Site
from tests.faults import disks, estate
from tests.faults.disks import PowerCut
from tests.faults.ledger import Key, Ledger, judged_otherwise, read_only, untold

LIVES = 12
LONGEST_S = 40.0
"""A life that takes longer hangs."""
BATCHES = 24
ENOUGH = 150
"""Messages that wait to be sent again from which on few new ones are said."""
BEGIN = datetime(2026, 11, 27, 19, 0, tzinfo=UTC)
NEW_TAG = "00C0FFEE"
COMMON: tuple[tuple[str, int], ...] = (("", 150), ("journal.db", 60), ("-wal", 150), ("telemetry.db", 20))
"""Whose writes are counted, and up to where the n-th is chosen."""


_OF_THE_LAST_TURN = re.compile(r"I3 device \S+ last_heard is '[^']*', judged from nothing '[^']*'$")
"""A device's stored view is of its last turn; when it was heard is counted on in memory."""


class Said(NamedTuple):
    """One message of a device."""

    key: Key
    topic: str
    payload: bytes


class Batch(NamedTuple):
    """What arrives together, and when."""

    at: datetime
    messages: tuple[Said, ...]


class Life(msgspec.Struct):
    """What one child does until its power is cut."""

    number: int
    disk: disks.Disk | None
    batches: Sequence[Batch]
    begin: datetime
    checkpoint_pages: int
    seed: int
    stops: bool
    """It stops in order after its last batch; the power is cut after that."""


class Estate:
    """A site on disk, what its devices said, and what the gateway promised over all its lives."""

    def __init__(self, folder: Path, seed: int) -> None:
        folder.mkdir(parents=True)
        self.data = folder / "data"
        self.site_file = folder / "site.yaml"
        starts = [f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 30)]
        rounds = [{"route": "r", "days": "mon-sun", "starts": starts, "lasts": "15m"}]
        text = yaml.safe_dump(estate.site({"host": "127.0.0.1"}, rounds=rounds), allow_unicode=True, sort_keys=False)
        self.site_file.write_text(text, encoding="utf-8")
        self.site = load_site(self.site_file)[0]
        self.chance = random.Random(seed)
        self.ledger = Ledger()
        self.now = self.said = BEGIN
        self.lives = 0
        self.waiting: dict[Key, Said] = {}
        """What devices send again."""
        self.written: set[str] = set()
        self.operated: set[tuple[str, str]] = set()
        self.enrolled = 0
        self.told: set[str] = set()
        self._seq = 0

    # -- what arrives

    def life(self, disk: disks.Disk | None) -> Life:
        self.lives += 1
        chance = self.chance
        self.now = max(self.now, self.said) + timedelta(seconds=chance.choice((2, 30, 400)))
        begin = self.now
        again = list(self.waiting.values())
        batches = [Batch(begin, tuple(again[start : start + 50])) for start in range(0, len(again), 50)]
        at = begin
        known: list[Said] = again
        for _ in range(BATCHES if len(again) < ENOUGH else BATCHES // 4):
            at += timedelta(seconds=chance.choice((0, 1, 1, 20)))
            said = [self._say(at) for _ in range(chance.choice((1, 3, 8, 24)))]
            known += said
            said += chance.sample(known, min(2, len(known)))  # twice: the broker may
            batches.append(Batch(at, tuple(said)))
        self.said = at
        self.waiting.update((each.key, each) for batch in batches for each in batch.messages)
        return Life(
            number=self.lives,
            disk=disk,
            batches=batches,
            begin=begin,
            checkpoint_pages=chance.choice((15, 60, 4000)),
            seed=chance.randrange(1 << 30),
            stops=chance.random() < 0.15,
        )

    def _say(self, at: datetime) -> Said:
        chance = self.chance
        self._seq += 1
        reader = chance.choice(estate.READERS)
        kind: dict[str, Any]
        match chance.randrange(6):
            case 0:
                device, kind = reader, {"kind": "tag_read", "tag": chance.choice((estate.TAG, NEW_TAG))}
            case 1:
                device = f"lux-{chance.choice(estate.LAMPS)}"
                kind = {"kind": "light_level", "lux": float(chance.choice((0, 2, 80)))}
            case 2:
                device = chance.choice(estate.CAMERAS)
                kind = {"kind": "camera_heartbeat", "status": chance.choice(("ok", "ok", "fault"))}
            case 3:
                device, kind = estate.BUTTON, {"kind": "panic", "active": chance.random() < 0.5}
            case _:
                device, kind = reader, {"kind": "reader_heartbeat", "last_seq": self._seq}
        key = Key(device, "b", self._seq)
        self.ledger.send(key)
        body = msgspec.json.encode({"at": at, "boot": "b", "seq": self._seq, **kind})
        return Said(key, f"lamplighter/s/{device}/up", body)

    # -- what was promised

    def take(self, line: bytes) -> None:
        """One line of what a child said before its end."""
        match json.loads(line):
            case ["acknowledged", *keys]:
                for key in keys:
                    self.ledger.acknowledge(Key(*key))
                    self.waiting.pop(Key(*key), None)
            case ["safe", device, boot, seq]:
                self.ledger.acknowledge_up_to(Key(device, boot, seq))
            case ["written", name]:
                self.written.add(name)
            case ["operated", alert, state]:
                self.operated.add((alert, state))
            case ["enrolled"]:
                self.enrolled += 1
            case ["told", *keys]:
                self.told.update(keys)
            case ["now", text]:
                self.now = max(self.now, datetime.fromisoformat(text))

    def broken(self) -> list[str]:
        """What does not hold in the files after a cut."""
        journal = self.data / "journal.db"
        if not _begun(journal):
            return ["I1 acknowledged, and there is no journal"] if self.ledger.acknowledged or self.written else []
        found = self.ledger.broken(journal)
        with contextlib.closing(read_only(journal)) as connection:
            noted = {row[0] for row in connection.execute("SELECT key FROM meta")}
            found += [f"I1 answered and not stored: {name}" for name in sorted(self.written - noted)]
            steps = set(connection.execute("SELECT alert, state FROM alert_transition").fetchall())
            found += [f"I1 answered and not stored: {step}" for step in sorted(self.operated - steps)]
            enrolled = connection.execute("SELECT count(*) FROM enrolment").get
            if enrolled < self.enrolled:
                found.append(f"I1 {self.enrolled} enrolments answered, {enrolled} stored")
            cursor = connection.execute("SELECT coalesce(max(seq), 0) FROM cursor WHERE name = 'local'").get
            sql = "SELECT DISTINCT device, at * 1000 + n % 1000 FROM log WHERE kind = 'light_level' AND seq <= ?"
            due = set(connection.execute(sql, (cursor,)).fetchall())
        return found + _points_lost(self.data / "telemetry.db", due)


def _begun(journal: Path) -> bool:
    """Whether the first start got so far that there is anything to ask."""
    if not journal.exists():
        return False
    with contextlib.closing(read_only(journal)) as connection:
        if connection.execute("PRAGMA user_version").get != store.migrations()[-1][0]:
            return False
        return connection.execute("SELECT epoch FROM chain").get is not None


def _points_lost(telemetry: Path, due: set[tuple[Any, ...]]) -> list[str]:
    if not telemetry.exists():
        return [f"the cursor is ahead of the telemetry file: it is gone, {len(due)} points due"] if due else []
    with contextlib.closing(read_only(telemetry)) as connection:
        whole = connection.execute("PRAGMA integrity_check(1)").get
        if whole != "ok":
            return [f"I4 telemetry: {whole}"]
        if not connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'sample'").get:
            return [f"the telemetry file is empty, {len(due)} points due"] if due else []
        sql = "SELECT device, at FROM sample JOIN series ON series.id = series"
        lost = due - set(connection.execute(sql).fetchall())
    return [f"the cursor is ahead of the telemetry file: {len(lost)} points, such as {min(lost)}"] if lost else []


# -- the child


class _Pipe:
    """Satisfies gateway.links.link.Link and gateway.outbox.notifiers.Notifier; all that is promised goes to the parent at once."""

    name = "cuts"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.state = LinkState(name=self.name, up=True, since=BEGIN)
        self.keys: dict[int, Key] = {}
        self.paused = False

    def say(self, *words: Any) -> None:
        line = json.dumps(words).encode() + b"\n"
        while line:
            line = line[os.write(self._descriptor, line) :]

    async def run(self) -> None: ...

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        keys = [self.keys[token.packet_id] for token in tokens]
        for start in range(0, len(keys), 30):
            self.say("acknowledged", *keys[start : start + 30])

    def safe(self, topic: str, payload: bytes) -> None:
        if topic.endswith("/down/ack"):
            body = msgspec.json.decode(payload)
            self.say("safe", topic.split("/")[2], body["boot"], body["seq"])

    async def send(self, message: Message) -> str:
        self.say("told", *message.keys)
        return "taken"


async def _live(life: Life, site: Site, data: Path, pipe: _Pipe) -> None:
    clock = [life.begin]
    chance = random.Random(life.seed)
    async with Gateway(site, data, clock=lambda: clock[0]) as gateway:
        gateway.intake.send = pipe.safe
        local = LocalStore(data / "telemetry.db", site.storage.retain_telemetry, gateway.now)
        news, notices = asyncio.Event(), asyncio.Event()
        gateway.wake_deliveries += [news.set, notices.set]
        points = TelemetryWorker(gateway.source, local, site, now=gateway.now, wake=news)
        told = NoticeWorker(gateway.source, {"room": pipe}, site, now=gateway.now, wake=notices)
        tasks = [asyncio.create_task(points.run()), asyncio.create_task(told.run())]
        for batch in life.batches:
            clock[0] = max(clock[0], batch.at)
            pipe.say("now", clock[0].isoformat())
            envelopes = []
            for said in batch.messages:
                packet = len(pipe.keys) + 1
                pipe.keys[packet] = said.key
                envelopes.append(Envelope(said.topic, said.payload, clock[0], False, Token(1, packet)))
            gateway.intake.messages(pipe, envelopes)
            await _somebody_acts(gateway, pipe, chance, life.number)
            while pipe.paused:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        await gateway.intake.wake()
        if life.disk is None:
            await _settled(gateway, points, clock, notices)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await local.close()


async def _settled(gateway: Gateway, points: TelemetryWorker, clock: list[datetime], notices: asyncio.Event) -> None:
    """Until all is told and delivered; a notice that waits for its time is given it."""
    deadline = time.monotonic() + 30
    while True:
        gateway.intake.tick(
            gateway.now()
        )  # what falls due at the time that was given would else be found at the end, and told at the next start
        await gateway.intake.drained()
        if (due := await gateway.source.next_notice()) is None and not points.lag:
            return
        assert time.monotonic() < deadline, "notices were not told"
        if due is not None and due > gateway.now():
            clock[0] = moment(due, UTC)
            notices.set()
        await asyncio.sleep(0.005)


async def _somebody_acts(gateway: Gateway, pipe: _Pipe, chance: random.Random, number: int) -> None:
    match chance.randrange(16):
        case 0:
            name = f"probe {number} {chance.randrange(1 << 30)}"
            await gateway.write([("INSERT INTO meta VALUES (?, 1)", (name,))])
            pipe.say("written", name)
        case 1:
            alerts = [each for each in gateway.judgement.alerts.alerts(active=True) if each.state == "open"]
            if alerts:
                alert = chance.choice(alerts)
                with contextlib.suppress(Refused):
                    await gateway.operate(Operation(at=gateway.now(), by="u", action="ack", alert=alert.id))
                    pipe.say("operated", alert.id, "acknowledged")
        case 2:
            gateway._snapshot_seq, gateway._snapshot_not_before = -1_000_000, 0.0
        case 3:
            await gateway.checkpoints.make("asked")
        case 4 if not gateway.enrolled:
            await gateway.enrol(EnrolTag(tag=NEW_TAG, person="g"), "u")
            pipe.say("enrolled")
        case 5 | 6 | 7:
            await gateway.intake.wake()
        case 8:
            gateway.intake.tick(gateway.now())
            await asyncio.sleep(0.002)
        case _:
            await asyncio.sleep(0)


def _child(life: Life, estate: Estate, descriptor: int) -> None:
    store._CHECKPOINT_PAGES = life.checkpoint_pages
    pipe = _Pipe(descriptor)
    vfs = disks.install(life.disk) if life.disk is not None else None
    faulthandler.dump_traceback_later(2 * LONGEST_S, exit=True)
    asyncio.run(asyncio.wait_for(_live(life, estate.site, estate.data, pipe), LONGEST_S))
    if vfs is not None:
        if life.stops and isinstance(life.disk, PowerCut):
            vfs.cut()
        # Not reached: it goes on until the cut comes, with what has been said all along.
        raise SystemExit(0)


def run(estate: Estate, life: Life) -> int:
    """One life in a forked child; its exit status."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            _child(life, estate, writing)
            status = 0
        except SystemExit:
            status = 4
        except BaseException:  # noqa: BLE001 the child must end here whatever happens
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(writing)
    for line in _lines(reading):
        estate.take(line)
    os.close(reading)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _lines(descriptor: int) -> Iterator[bytes]:
    rest = b""
    while data := os.read(descriptor, 1 << 16):
        *lines, rest = (rest + data).split(b"\n")
        yield from lines


# -- all of it


class Result(msgspec.Struct):
    """What came of it. `moments`: how many cuts came at a write or sync of which files, and how many in or after an orderly stop."""

    cuts: int = 0
    missed: int = 0
    """The life was over before the n-th write; its power was cut all the same, after an orderly stop."""
    estates: int = 0
    acknowledged: int = 0
    moments: dict[str, int] = msgspec.field(default_factory=dict)
    broken: list[str] = msgspec.field(default_factory=list)


def cut_of(chance: random.Random) -> PowerCut:
    """A cut at random."""
    files, most = chance.choice(COMMON)
    on = chance.choice(("write", "write", "sync"))
    at = chance.randrange(1, most if on == "write" else most // 3)
    return PowerCut(at=at, on=on, keeps=chance.choice(("nothing", "some")), seed=chance.randrange(1 << 30), files=files)


def many(folder: Path, seed: int, cuts: int, seconds: float) -> Result:
    """Cut so often, or for so long."""
    result = Result()
    chance = random.Random(seed)
    until = time.monotonic() + seconds
    while result.cuts < cuts and time.monotonic() < until and not result.broken:
        place = folder / f"estate-{result.estates}"
        one = Estate(place, chance.randrange(1 << 30))
        result.estates += 1
        for _ in range(LIVES):
            disk = cut_of(chance)
            status = run(one, one.life(disk))
            if status in {4, -9}:
                result.cuts += status == -9
                result.missed += status == 4
                name = f"{disk.on} of {disk.files or 'any'}, keeps {disk.keeps}" if status == -9 else "no moment"
                result.moments[name] = result.moments.get(name, 0) + 1
            else:
                result.broken.append(f"estate {result.estates} (seed {seed}): ended with {status} at {disk}")
            result.broken += [f"estate {result.estates}, after {disk}: {each}" for each in one.broken()]
            if result.broken:
                break
        else:
            result.broken += _at_the_end(one)
        result.acknowledged += len(one.ledger.acknowledged)
        if not result.broken:
            shutil.rmtree(place)
    return result


def _at_the_end(one: Estate) -> list[str]:
    """The power is there again: all that was ever sent is taken, told, and judged as if nothing had happened."""
    if status := run(one, one.life(None)):
        return [f"the last start ended with {status}"]
    journal = one.data / "journal.db"
    found = one.broken()
    found += [f"I1 never stored: {key}" for key in sorted(one.waiting)[:3]]
    otherwise = judged_otherwise(journal, one.site_file, but=("alert",) if one.enrolled else ())
    found += [each for each in otherwise if not _OF_THE_LAST_TURN.match(each)]
    return found + untold(journal, one.told, "room")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3600.0)
    given = parser.parse_args()
    assert apsw.sqlite_lib_version()
    result = many(given.folder, given.seed, given.cuts, given.seconds)
    print(msgspec.json.encode(result).decode())
    return 1 if result.broken else 0


if __name__ == "__main__":
    sys.exit(main())
