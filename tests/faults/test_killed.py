"""kill -9 at every step of the way of an observation, of telling, of enrolment, of a migration, and at random moments."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import apsw
import msgspec
import pytest
import yaml

from gateway.journal.store import connect, migrations
from tests.faults.estate import READERS, SECRET, TAG, Devices
from tests.faults.ledger import Key, Ledger, judged_otherwise, read_only, untold
from tests.faults.receivers import Receivers
from tests.faults.senders import Acting, Lines, Web, admit, wide_site
from tests.faults.victim import STEPS, Fault
from tests.faults.zygote import ForkedGateway, Zygote
from tests.support.mosquitto import Mosquitto, free_port

pytestmark = [pytest.mark.mosquitto, pytest.mark.slow, pytest.mark.timeout(7200)]

SEED = 20261127
MOMENTS = int(os.environ.get("LAMPLIGHTER_FAULTS", "6"))
"""Kills at random moments, over all sessions."""
NIGHTLY = MOMENTS >= 100
A_FOLDER = 60
"""Of them in one data folder; then all is looked at and another begun."""
WHOLE_EACH = 15
"""So often between them the whole oracle is asked; what was acknowledged is looked for after each kill."""

SESSIONS = ("mqtt5", "paho", "embedded")


def steps(*always: str, nightly: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Steps of CI, and those of the nightly run beside them."""
    return always + nightly if NIGHTLY else always


TELLING = steps("told", "telling recorded", nightly=("commit of a message", "before telling", "commit of a telling"))
TELEMETRY = steps("telemetry written", nightly=("before telemetry", "commit of the cursor"))
ENROLMENT = steps("commit of an enrolment", nightly=("enrolment judged", "enrolled"))
SIGNING = steps("checkpoint signed", nightly=("commit of a checkpoint", "checkpoint made"))
INFLUX = "points written"
"""Killed there by test_influx.py."""
REREADING = ("quarantine decoded", "commit of a rereading", "reread")
ON_THE_WAY = {
    "mqtt5": steps(
        "before commit", "before acknowledge", "snapshot made", nightly=("after commit", "after acknowledge")
    ),
    "paho": steps(
        "after acknowledge", nightly=("before commit", "after commit", "before acknowledge", "commit of a snapshot")
    ),
    "embedded": steps(
        "committed", "phone heard", nightly=("recovered", "after commit", "before acknowledge", "after acknowledge")
    ),
}


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as one:
        yield one


class Killed:
    """An estate with everything that speaks, over a gateway that is killed again and again.

    Args:
        folder: of everything.
        zygote: where its gateways come from.
        session: `embedded`, or that with Mosquitto.
        devices: further entries of the site file.
    """

    def __init__(self, folder: Path, zygote: Zygote, session: str, *devices: dict[str, Any]) -> None:
        self._more = devices
        self.ledger = Ledger()
        self._stack = ExitStack()
        self._session = session
        self._folder = folder
        self._zygote = zygote
        self.kills = 0
        self._looked = 0

    def __enter__(self) -> Self:
        enter = self._stack.enter_context
        self._folder.mkdir(parents=True, exist_ok=True)
        own = self._session == "embedded"
        secret = "env:FAULTS_SECRET"
        if own:
            where, port = "127.0.0.1", free_port()
            mqtt: dict[str, Any] = {"broker": "embedded", "port": port, "username": secret, "password": secret}
        else:
            broker = enter(Mosquitto(self._folder / "broker"))
            where, port = broker.host, broker.port
            mqtt = {"host": where, "port": port, "session": self._session}
        self.lines = enter(closing(Lines(self.ledger)))
        self.receivers = enter(Receivers())
        self.web_port = free_port()
        site = wide_site(mqtt, self.lines, self.web_port, contacts=("guardroom",))
        site["devices"] += self._more
        self.gateway = enter(ForkedGateway(self._folder, site, self._zygote))
        self.web = Web(self.ledger, lambda: self.gateway.url, self.web_port)
        self.environment = SECRET | {"GUARDROOM_URL": self.receivers.url("guardroom")}
        self.start()
        assert self.gateway.stop() == 0
        admit(self.gateway.data)
        log_in = {"user": "secret", "password": "secret"} if own else {}
        self.devices = enter(Devices(self.ledger, where, port, own_broker=own, **log_in))  # type: ignore[arg-type]
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)

    @property
    def journal(self) -> Path:
        return self.gateway.data / "journal.db"

    def acting(self, *works: tuple[Callable[[], object], float]) -> Acting:
        """Everybody speaks, and who does `works`."""
        number = iter(range(1 << 40))

        def mix() -> None:
            self.devices.a_bit_of_everything(each := next(number))
            if each % 400 == 399:
                self.devices.panic(active=each % 800 == 399)

        def guard() -> None:
            for reader in READERS:
                self.devices.say(reader, "tag_read", tag=TAG)
                self.devices.say(reader, "reader_heartbeat")

        everybody = ((mix, 0.01), (guard, 1.0), (self.lines.act, 0.01), (self.web.phone, 0.3), (self.web.face, 0.2))
        return Acting(*everybody, *works)

    def start(self, fault: Fault | None = None) -> None:
        """Start it and wait until its console answers."""
        self.gateway.url = ""
        self.gateway.start(**self.environment, **(fault or Fault()).environment())

    def dies_at(self, step: str, nth: int = 1, mutation: str = "") -> None:
        """Start it, and wait until it has died at that step."""
        self.gateway.url = ""
        seen = len(self.gateway.log)
        born = self.gateway.spawn(**self.environment, **Fault(step=step, nth=nth, mutation=mutation).environment())
        deadline = time.monotonic() + 40
        ends = "snapshot" in step  # its end makes one
        while born.poll() is None:
            assert time.monotonic() < deadline, f"it never came to {step!r}: {self.gateway.log[seen:][-2000:]}"
            self._learn_url(seen)
            if ends and self.gateway.url:
                ends = False  # a second signal would end it at once
                time.sleep(0.3)
                born.terminate()
            time.sleep(0.02)
        assert born.poll() == -9, f"{step}: {self.gateway.log[seen:][-2000:]}"
        self.dead(step)

    def killed_after(self, wait_s: float, fault: Fault) -> None:
        """Start it with a fault, and kill it after a while, if it does not die of that before."""
        self.gateway.url = ""
        seen = len(self.gateway.log)
        born = self.gateway.spawn(**self.environment, **fault.environment())
        end = time.monotonic() + wait_s
        while time.monotonic() < end and born.poll() is None:
            self._learn_url(seen)
            time.sleep(0.005)
        died = born.poll()
        assert died in {None, -9}, self.gateway.log[seen:][-2000:]
        self.gateway.kill()
        self.dead(f"after {wait_s:.2f} s, {fault}")

    def _learn_url(self, seen: int) -> None:
        if not self.gateway.url:
            for line in self.gateway.log[seen:].splitlines():
                if "http://" in line and line.count(" ") <= 3:
                    self.gateway.url = line[line.index("http://") :].split()[0]

    def dead(self, how: str) -> None:
        """It is dead: what was acknowledged is there; each so many kills all of it is looked at."""
        self.kills += 1
        if not self.journal.exists():
            return
        lost, self._looked = self.ledger.lost(self.journal, self._looked)
        assert lost == [], f"kill {self.kills}, {how}"
        assert self.web.broken(self.journal) == [], f"kill {self.kills}, {how}"
        if not NIGHTLY or self.kills % WHOLE_EACH == 0:
            assert self.ledger.broken(self.journal) == [], f"kill {self.kills}, {how}"

    def end(self) -> None:
        """Nobody speaks any more, but who taps at the reader whose open port is all it says: what takes minutes has rounds of its own.
        It starts once more, takes what waits, tells what is to be told; then nothing may be wrong.
        """
        with closing(apsw.Connection(str(self.journal))) as journal:
            journal.set_busy_timeout(5000)
            journal.execute("UPDATE notice SET next_try = min(next_try, ?)", (time.time_ns() // 1000,))
        with Acting((self.lines.card, 0.01)):
            self.start()
            self.devices.settled(90)
            until_none(self._left)
            assert self.gateway.stop() == 0
        assert self.ledger.broken(self.journal, caught_up=True) == []
        assert self.web.broken(self.journal) == []
        # Somebody enrolled: what alerts that changes is news that comes only live.
        but = ("alert",) if self.web.enrolled else ()
        assert judged_otherwise(self.journal, self.gateway.site_file, but=but) == []
        told = [key for told in self.receivers.taken("guardroom") for key in told.notices]
        assert untold(self.journal, told, "guardroom") == []
        self.nobody_is_accused()
        self.telemetry_is_whole()

    def _left(self) -> list[Any]:
        """What is still to be told, to be written as telemetry, or at the broker."""
        stored = {Key(*row) for row in self.gateway.query("SELECT device, boot, n FROM log WHERE n IS NOT NULL")}
        return [
            *self.gateway.query(
                "SELECT key, held FROM notice WHERE next_try IS NOT NULL AND (held IS NULL OR held IN ('asked', 'behind')) LIMIT 5"
            ),
            *self.gateway.query(
                "SELECT seq FROM log WHERE kind = 'light_level' AND seq > coalesce((SELECT min(seq) FROM cursor), 0) LIMIT 5"
            ),
            *sorted(self.ledger.brokered - stored)[:5],
        ]

    def nobody_is_accused(self) -> None:
        """Somebody tapped at each reader in each round."""
        with closing(read_only(self.journal)) as journal:
            missed = journal.execute("SELECT round, position FROM visit_revision WHERE verdict = 'missed' LIMIT 5")
            assert missed.fetchall() == []
            raised = {row[0].partition("/")[0] for row in journal.execute("SELECT alert FROM alert_transition")}
        assert raised <= {"panic", "gateway_restarting", "cycling_failure"}, raised

    def telemetry_is_whole(self) -> None:
        """Each light level is a sample, once."""
        with (
            closing(read_only(self.journal)) as journal,
            closing(read_only(self.gateway.data / "telemetry.db")) as kept,
        ):
            said = dict(
                journal.execute("SELECT device, count(DISTINCT at) FROM log WHERE kind = 'light_level' GROUP BY device")
            )
            there = dict(
                kept.execute(
                    "SELECT device, count(DISTINCT at) FROM sample JOIN series ON id = series WHERE device LIKE 'lux-%' GROUP BY device"
                )
            )
        assert there == said


def until_none(left: Callable[[], list[Any]], longest_s: float = 60.0) -> None:
    deadline = time.monotonic() + longest_s
    while found := left():
        assert time.monotonic() < deadline, f"still left: {found}"
        time.sleep(0.1)


@pytest.mark.parametrize("session", ["mqtt5", "embedded", pytest.param("paho", marks=pytest.mark.nightly)])
def test_killed_at_each_step_of_the_way(tmp_path: Path, zygote: Zygote, session: str) -> None:
    chance = random.Random(SEED)
    with Killed(tmp_path, zygote, session) as estate:
        with estate.acting():
            for step in ON_THE_WAY[session]:
                often = step not in {"snapshot made", "commit of a snapshot", "recovered"}
                estate.dies_at(step, chance.randrange(5, 30) if often else 1)
        estate.end()


def test_killed_at_each_step_of_telling_and_of_telemetry(tmp_path: Path, zygote: Zygote) -> None:
    with Killed(tmp_path, zygote, "embedded") as estate:
        pressed = iter(range(1 << 20))
        with estate.acting((lambda: estate.devices.panic(active=next(pressed) % 2 == 0), 0.4)):
            for step in (*TELLING, *TELEMETRY):
                estate.dies_at(step)
        estate.end()


def test_killed_at_each_step_of_enrolment_and_of_signing(tmp_path: Path, zygote: Zygote) -> None:
    with Killed(tmp_path, zygote, "paho") as estate:
        with estate.acting((estate.web.enrol, 0.1), (estate.web.sign, 0.1)):
            for step in (*ENROLMENT, *SIGNING):
                estate.dies_at(step, 2)
            estate.start()
            until_none(lambda: [] if estate.web.enrolled and estate.web.checkpoints else ["nobody was answered yet"])
            assert estate.gateway.stop() == 0
        estate.end()
        assert estate.web.enrolled
        assert estate.web.checkpoints


@pytest.mark.parametrize("session", SESSIONS if NIGHTLY else ("paho",))
def test_killed_at_random_moments(tmp_path: Path, zygote: Zygote, session: str) -> None:
    seed = SEED + SESSIONS.index(session)
    print(f"seed {seed}")
    chance = random.Random(seed)
    left = -(-MOMENTS // len(SESSIONS)) if NIGHTLY else MOMENTS
    anywhere = [step for step in STEPS if "snapshot" not in step and step not in {*REREADING, INFLUX}]
    while left:
        here = min(left, A_FOLDER)
        left -= here
        with Killed(tmp_path / str(left), zygote, session) as estate:
            with estate.acting((estate.web.enrol, 2.0), (estate.web.sign, 2.0)):
                for _ in range(here):
                    step = chance.choice(anywhere) if chance.random() < 0.5 else ""
                    estate.killed_after(chance.uniform(0.0, 1.5), Fault(step=step, nth=chance.randrange(1, 12)))
            estate.end()


def test_what_is_acknowledged_too_early_is_seen(tmp_path: Path, zygote: Zygote) -> None:
    """Not each of its deaths loses something: a batch may be a phone's alone, or its acknowledgement never left."""
    with Killed(tmp_path, zygote, "embedded") as estate, estate.acting(), pytest.raises(AssertionError, match="I1"):
        dies_often(estate, "commit of observations", "acknowledge before persist")


def dies_often(estate: Killed, step: str, mutation: str) -> None:
    for nth in range(20, 40):
        estate.dies_at(step, nth, mutation)


LATE = "rdr-late"
"""A card reader on a board whose checksum is wrong in the site file when its taps come."""


def of_a_clone(number: int) -> bytes:
    """What the board says of a card; the reader adds up its checksum."""
    card = bytes((0, 0x7B, 0x39, 0, number))
    digits = (card.hex() + f"{sum(card) & 0xFF:02x}").upper()
    return msgspec.json.encode({"SSerialReceived": f"\x02{digits}\x03"})


@pytest.mark.nightly
def test_killed_while_the_quarantine_is_read_again(tmp_path: Path, zygote: Zygote) -> None:
    late: dict[str, Any] = {"id": LATE, "driver": "tasmota", "kind": "reader", "place": "gate", "link": {"mqtt": LATE}}
    with Killed(tmp_path, zygote, "embedded", late) as estate:
        estate.start()
        until_none(lambda: [] if estate.devices.client.is_connected() else ["not connected"])
        for number in range(40):
            sent = estate.devices.client.publish(f"tele/{LATE}/RESULT", of_a_clone(number), qos=1)
            sent.wait_for_publish(20)
        assert estate.gateway.stop() == 0
        site = yaml.safe_load(estate.gateway.site_file.read_text(encoding="utf-8"))
        next(each for each in site["devices"] if each["id"] == LATE)["settings"] = {"checksum": "sum"}
        estate.gateway.site_file.write_text(yaml.safe_dump(site, allow_unicode=True), encoding="utf-8")
        unread = "SELECT seq FROM quarantine WHERE topic LIKE 'tele/%' ORDER BY seq"
        rows = [row for (row,) in estate.gateway.query(unread)]
        assert len(rows) == 40
        few = iter([rows[start : start + 4] for start in range(0, len(rows), 4)] * 1000)
        with Acting((lambda: estate.web.read_again(next(few)), 0.05)):
            for step in REREADING * (2 if NIGHTLY else 1):
                estate.dies_at(step)
            estate.start()
            until_none(lambda: [row for row in rows if row not in estate.web.reread])
        assert estate.gateway.query(f"SELECT count(*) FROM log WHERE device = '{LATE}' AND kind = 'tag_read'") == [
            (40,)
        ]
        assert estate.gateway.stop() == 0
        estate.end()


FIRST = 1
"""The oldest schema that was released."""


def an_older_journal(data: Path, schema: int) -> None:
    """A journal of an older version, with evidence in it."""
    data.mkdir(parents=True)
    connection = connect(data / "journal.db")
    for number, text in migrations():
        if number > schema:
            break
        connection.execute(text)
        connection.execute(f"PRAGMA user_version = {number}")
    began = int(time.time() - 230) * 10**6  # its last tap was just now: nobody is silent
    with connection:
        connection.execute(
            "INSERT OR REPLACE INTO meta VALUES ('epoch', 'older'), ('started', ?), ('advanced', ?)",
            (began, began + 200 * 10**6),
        )
        for number in range(1, 201):
            at = began + number * 10**6
            body = {
                "kind": "tag_read",
                "device": READERS[0],
                "at": datetime.fromtimestamp(at // 10**6, UTC),
                "boot": "old",
                "seq": number,
                "tag": TAG,
            }
            text = msgspec.json.encode(body)
            connection.execute(
                "INSERT INTO log VALUES (?,?,?,?,?,?,?,?,NULL)",
                (2 * number, at, READERS[0], "tag_read", at, "old", number, text),
            )
            connection.execute("INSERT INTO change VALUES (?,?,'tap',?,?)", (2 * number + 1, at, READERS[0], text))
    connection.close()


@pytest.mark.parametrize("schema", [number for number, _ in migrations()][:-1] if NIGHTLY else [FIRST])
def test_killed_in_each_migration(tmp_path: Path, zygote: Zygote, schema: int) -> None:
    """In the commit of each, and right after it, before the next begins; each time the start goes on where it was."""
    site = wide_site(
        {"broker": "embedded", "port": free_port(), "username": "env:FAULTS_SECRET", "password": "env:FAULTS_SECRET"},
        lines := Lines(Ledger()),
        free_port(),
    )
    ledger = Ledger()
    for number in range(1, 201):
        ledger.send(Key(READERS[0], "old", number))
        ledger.acknowledge(Key(READERS[0], "old", number))
    with closing(lines), ForkedGateway(tmp_path, site, zygote) as gateway:
        an_older_journal(gateway.data, schema)
        newest = migrations()[-1][0]
        reached = schema
        for step in ("before commit", "committed") * len(migrations()):
            if reached == newest:
                break
            born = gateway.spawn(**SECRET, **Fault(step=step, nth=1).environment())
            assert born.wait(20) == -9, step
            now = version(gateway.data)
            assert (now > reached) == (step == "committed"), f"{step}: from schema {reached} to {now}"
            reached = now
        assert reached == newest
        gateway.start(**SECRET)
        assert gateway.stop() == 0
        assert ledger.broken(gateway.data / "journal.db") == []
        assert judged_otherwise(gateway.data / "journal.db", gateway.site_file) == []


def version(data: Path) -> int:
    with closing(read_only(data / "journal.db")) as journal:
        found: int = journal.execute("PRAGMA user_version").get
        return found
