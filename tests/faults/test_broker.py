"""The broker is killed, frozen, started again, forgets, sends too much, has no disk: what it kept is stored, what it lost is named."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import msgspec
import paho.mqtt.client as mqtt
import pytest

from tests.benchmarks.publisher import Publisher
from tests.benchmarks.usage import peak_mib
from tests.faults.disks import Slow
from tests.faults.estate import SECRET, TAG, Devices, site
from tests.faults.ledger import Key, Ledger, judged_otherwise
from tests.faults.victim import Fault
from tests.links.scripted_broker import CONNECT, PUBACK, ScriptedBroker
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto

pytestmark = [pytest.mark.mosquitto, pytest.mark.slow]

ROUNDS = int(os.environ.get("LAMPLIGHTER_FAULTS", "2"))
LONGEST_S = 60.0
MOST_MIB = 250
"""What a gateway of this small site may ever have in memory; most of it is Python and its libraries."""


def until(condition: Callable[[], bool], what: str, longest_s: float = LONGEST_S) -> float:
    """Wait for it; the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < longest_s, f"{what}: not within {longest_s:g} s"
        time.sleep(0.03)
    return time.monotonic() - began


def readiness(gateway: GatewayProcess) -> tuple[int, str]:
    """Status and body of /readyz."""
    try:
        with urllib.request.urlopen(f"{gateway.url}/readyz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def is_ready(gateway: GatewayProcess) -> bool:
    return readiness(gateway)[0] == 200


def all_stored(gateway: GatewayProcess, ledger: Ledger) -> bool:
    rows = gateway.query("SELECT device, boot, n FROM log WHERE n IS NOT NULL")
    return ledger.sent <= {Key(*row) for row in rows}


@contextlib.contextmanager
def chatter(devices: Devices) -> Iterator[None]:
    """All devices speak while this lasts, some 300 messages a second."""
    stop = threading.Event()

    def speak() -> None:
        said = 0
        while not stop.is_set():
            devices.a_bit_of_everything(said)
            said += 1
            stop.wait(0.003)

    thread = threading.Thread(target=speak, name="chatter")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Confirmed:
    """What the gateway says to devices: up to where their record is safe, as often as it says so."""

    def __init__(self, broker: Mosquitto) -> None:
        self.told: list[Key] = []
        self._where = broker.host, broker.port
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="confirmed")
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("lamplighter/s/+/down/ack")
        self._client.on_message = self._heard

    def _heard(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        body = msgspec.json.decode(message.payload)
        self.told.append(Key(message.topic.split("/")[2], body["boot"], body["seq"]))

    def covers(self, keys: set[Key], after: int = 0) -> bool:
        """Whether all of these are safe by what was told since so many messages."""
        top = {key[:2]: key.seq for key in self.told[after:]}
        return all(key.seq <= top.get(key[:2], -1) for key in keys)

    def __enter__(self) -> Self:
        self._client.connect(*self._where)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture(params=["mqtt5", pytest.param("paho", marks=pytest.mark.nightly)])
def session(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.timeout(180 + 40 * ROUNDS)
def test_a_broker_that_is_frozen_started_again_or_killed_loses_nothing_that_it_kept(
    tmp_path: Path, session: str
) -> None:
    ledger = Ledger()
    with Mosquitto(tmp_path) as broker:
        settings = {"host": broker.host, "port": broker.port, "session": session}
        with (
            GatewayProcess(tmp_path, site(settings)) as gateway,
            Devices(ledger, broker.host, broker.port) as devices,
        ):
            gateway.start()
            until(lambda: is_ready(gateway), "ready at first")
            with chatter(devices):
                broker.freeze()
                time.sleep(1.5)  # so long it stands still, not a synchronisation
                assert is_ready(gateway), "a broker that is slow is not away"
                broker.thaw()
                for _ in range(ROUNDS):
                    broker.stop()
                    until(lambda: not is_ready(gateway), "the lost broker is told")
                    assert f"mqtt://{broker.host}:{broker.port}: down: " in gateway.log
                    broker.start()
                    until(lambda: is_ready(gateway), "the broker is found again")
            for _ in range(ROUNDS):
                devices.settled()
                broker.save()
                broker.kill()
                devices.a_bit_of_everything(0)
                broker.start()
            until(lambda: is_ready(gateway), "ready at last")
            devices.settled()
            until(lambda: all_stored(gateway, ledger), "all is stored")
            assert gateway.query("SELECT count(*) FROM log WHERE kind = 'incident'") == [(0,)]
            assert gateway.process is not None
            assert peak_mib(gateway.process.pid) < MOST_MIB
            assert gateway.stop() == 0, gateway.log
        assert ledger.broken(gateway.data / "journal.db", caught_up=True) == []
        assert judged_otherwise(gateway.data / "journal.db", gateway.site_file) == []
    assert "Traceback" not in gateway.log


def test_what_a_killed_broker_had_not_saved_was_not_confirmed_to_any_device_by_the_gateway(
    tmp_path: Path, session: str
) -> None:
    """Devices that keep their record until `down/ack` lose nothing: what was confirmed to them is stored, the rest they still have."""
    ledger = Ledger()
    with Mosquitto(tmp_path, autosave=100) as broker:
        settings = {"host": broker.host, "port": broker.port, "session": session}
        with (
            GatewayProcess(tmp_path, site(settings)) as gateway,
            Devices(ledger, broker.host, broker.port) as devices,
            Confirmed(broker) as confirmed,
        ):
            gateway.start()
            until(lambda: is_ready(gateway), "ready at first")
            with chatter(devices):
                for _ in range(ROUNDS):
                    before = len(confirmed.told) + 20
                    until(lambda before=before: len(confirmed.told) > before, "devices are told what is safe")
                    broker.kill()
                    broker.start()
                    until(lambda: is_ready(gateway), "the broker is found again")
            assert gateway.stop() == 0, gateway.log
        assert ledger.broken(gateway.data / "journal.db") == []
        assert judged_otherwise(gateway.data / "journal.db", gateway.site_file) == []


def test_a_session_that_the_broker_lost_is_named_devices_are_asked_and_nobody_is_accused(
    tmp_path: Path, session: str
) -> None:
    ledger = Ledger()
    with Mosquitto(tmp_path) as broker:
        settings = {"host": broker.host, "port": broker.port, "session": session}
        with (
            GatewayProcess(tmp_path, site(settings)) as gateway,
            Devices(ledger, broker.host, broker.port) as devices,
            Confirmed(broker) as confirmed,
        ):
            gateway.start()
            until(lambda: is_ready(gateway), "ready at first")
            for number in range(60):
                devices.a_bit_of_everything(number)
            devices.settled()
            until(lambda: confirmed.covers(ledger.sent), "all is confirmed to the devices")
            raised = gateway.query("SELECT DISTINCT alert FROM alert_transition")
            missed = "SELECT count(*) FROM visit_revision WHERE verdict = 'missed'"
            accused = gateway.query(missed)
            broker.stop()
            broker.forget()
            until(lambda: not is_ready(gateway), "the lost broker is told")
            before = len(confirmed.told)
            broker.start()
            until(lambda: is_ready(gateway), "the broker is found again")
            incidents = "SELECT body FROM log WHERE kind = 'incident'"
            until(lambda: bool(gateway.query(incidents)), "the loss is in the log")
            [(body,)] = gateway.query(incidents)
            assert msgspec.json.decode(body)["code"] == "session_lost"
            until(
                lambda: confirmed.covers(ledger.sent, before), "devices are told again up to where their record is safe"
            )
            key = devices.say("rdr-0", "tag_read", tag=TAG)
            until(lambda: confirmed.covers({key}), "and are heard again")
            news = {row[0] for row in gateway.query("SELECT DISTINCT alert FROM alert_transition")} - {
                row[0] for row in raised
            }
            assert not [alert for alert in news if alert.startswith(("device", "camera", "zone", "lamp"))], news
            assert gateway.query(missed) == accused
            assert gateway.stop() == 0, gateway.log
        assert ledger.broken(gateway.data / "journal.db", caught_up=True) == []
        assert judged_otherwise(gateway.data / "journal.db", gateway.site_file) == []


class Greedy(ScriptedBroker):
    """Sends as much as it likes; knows the session from the connection for copies."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.session: asyncio.StreamWriter | None = None

    async def _packet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await super()._packet(reader, writer)
        kind, body = self.packets[-1]
        if kind == CONNECT and b"-copies" not in body:
            self.session = writer


async def test_a_broker_that_ignores_the_window_is_not_read_from_faster_than_the_disk_takes_it(
    tmp_path: Path, session: str
) -> None:
    many, size = 16_000, 4000
    async with Greedy(5 if session == "mqtt5" else 4).listening() as broker:
        settings = {"host": broker.host, "port": broker.port, "session": session}
        with GatewayProcess(tmp_path, site(settings), program="tests.faults.victim") as gateway:
            slow = Fault(disk=Slow(0.2)).environment()
            await asyncio.to_thread(lambda: gateway.start(**SECRET, **slow))
            await asyncio.to_thread(until, lambda: broker.session is not None and is_ready(gateway), "ready", 20)
            assert gateway.process is not None
            at = datetime.now(UTC)
            for number in range(1, many + 1):
                body = {"kind": "light_level", "at": at, "boot": "b", "seq": number, "lux": 1.0, "more": "x" * size}
                payload = msgspec.json.encode(body)
                broker.session.write(broker.publish(b"lamplighter/s/lux-lamp-0/up", payload, number))
                if number % 500 == 0:
                    await broker.session.drain()
            await broker.until(PUBACK, many)
            acknowledged = [int.from_bytes(body[:2]) for kind, body in broker.packets if kind == PUBACK]
            assert acknowledged == list(range(1, many + 1))
            assert gateway.query("SELECT count(*) FROM log WHERE device = 'lux-lamp-0'") == [(many,)]
            assert peak_mib(gateway.process.pid) < MOST_MIB
            assert await asyncio.to_thread(gateway.stop) == 0


@contextlib.contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Path]:
    """A file system of its own, so small."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "faults", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_broker_whose_disk_is_full_goes_on_and_nothing_that_it_has_is_lost(tmp_path: Path) -> None:
    ledger = Ledger()
    with small_disk(tmp_path / "small", 256) as disk, Mosquitto(disk) as broker:
        settings = {"host": broker.host, "port": broker.port, "session": "mqtt5"}
        with (
            GatewayProcess(tmp_path, site(settings)) as gateway,
            Devices(ledger, broker.host, broker.port) as devices,
        ):
            gateway.start()
            until(lambda: is_ready(gateway), "ready at first")
            (disk / "filler").write_bytes(b"\0" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
            with chatter(devices):
                until(lambda: len(ledger.sent) > 400, "devices speak")
            devices.settled()
            until(lambda: all_stored(gateway, ledger), "all is stored")
            (disk / "filler").unlink()
            for number in range(20):
                devices.a_bit_of_everything(number)
            devices.settled()
            until(lambda: all_stored(gateway, ledger), "all is stored again")
            assert gateway.stop() == 0, gateway.log
        assert ledger.broken(gateway.data / "journal.db", caught_up=True) == []


def test_a_tap_overtakes_a_queue_on_a_slow_disk(tmp_path: Path, session: str) -> None:
    """30,000 messages wait, each commit takes 0.2 s: a tap made now is stored while most of them still wait."""
    waiting = 30_000
    ledger = Ledger()
    with Mosquitto(tmp_path, autosave=1_000_000) as broker:
        settings = {"host": broker.host, "port": broker.port, "session": session}
        slow = Fault(disk=Slow(0.2)).environment()
        with GatewayProcess(tmp_path, site(settings), program="tests.faults.victim") as gateway:
            gateway.start(**SECRET)
            until(lambda: is_ready(gateway), "ready at first")
            assert gateway.stop() == 0
            at = datetime.now(UTC)
            old = [(f"lamplighter/s/lux-lamp-{number % 4}/up", _light(at, number)) for number in range(waiting)]
            with Publisher(broker.port) as publisher:
                publisher.publish(old)
            gateway.start(**SECRET, **slow)
            until(lambda: "(copies): up" in gateway.log.rpartition("http://")[2], "both connections stand", 20)
            with Devices(ledger, broker.host, broker.port) as devices:
                key = devices.say("rdr-0", "tag_read", tag=TAG)
                call = devices.panic()
                stored = "SELECT (SELECT count(*) FROM log WHERE kind = 'light_level'), (SELECT count(*) FROM log WHERE n IS NOT NULL AND kind IN ('tag_read', 'panic'))"
                took = until(lambda: gateway.query(stored)[0][1] == 2, f"{key} and {call} are stored", 20)
                behind = waiting - gateway.query(stored)[0][0]
                devices.settled()
            until(lambda: gateway.query(stored)[0][0] == waiting, "the queue is drained")
            assert gateway.stop() == 0, gateway.log
            print(f"{session}: the tap was stored after {took:.2f} s, with {behind:,} of {waiting:,} still waiting")
            assert behind > waiting // 4
            assert took < 3
        assert ledger.broken(gateway.data / "journal.db", caught_up=True) == []
        assert judged_otherwise(gateway.data / "journal.db", gateway.site_file) == []


def _light(at: datetime, number: int) -> bytes:
    body: dict[str, Any] = {"kind": "light_level", "at": at, "boot": "old", "seq": number // 4 + 1, "lux": 1.0}
    return msgspec.json.encode(body)
