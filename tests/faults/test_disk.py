"""A disk that is full, fails or is slow: nothing acknowledged is lost, it is said, the console answers, and it goes on by itself where it may."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from api.cli import main
from api.commands.run import DISK_FAILED
from gateway.errors import DeliveryError, JournalError
from gateway.instants import SECOND
from gateway.journal.store import Store
from gateway.journal.writer import Batch, Writer
from gateway.outbox.local import LocalStore
from gateway.outbox.measurements import Point
from tests.faults import cuts
from tests.faults.disks import Refuses, Slow
from tests.faults.estate import SECRET, Devices, site
from tests.faults.ledger import Ledger, judged_otherwise
from tests.faults.victim import Fault
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto

SEED = 20261127
MOMENTS = int(os.environ.get("LAMPLIGHTER_FAULTS", "0"))


def ready(gateway: GatewayProcess) -> tuple[int, str]:
    """Status and text of /readyz."""
    try:
        with urllib.request.urlopen(f"{gateway.url}/readyz", timeout=5) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def tried_to_log_in(gateway: GatewayProcess) -> tuple[int, str]:
    """Status and text of an attempt that would be noted in the audit history."""
    request = urllib.request.Request(
        f"{gateway.url}/login",
        data=b"name=nobody&password=nothing-at-all",
        headers={"Origin": gateway.url, "Content-Type": "application/x-www-form-urlencoded"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def all_stored(gateway: GatewayProcess, ledger: Ledger) -> Callable[[], bool]:
    """Whether all that was ever sent is in the journal."""
    return lambda: gateway.query("SELECT count(*) FROM log WHERE n IS NOT NULL")[0][0] == len(ledger.sent)


def until(what: Callable[[], bool], longest_s: float = 60.0) -> None:
    deadline = time.monotonic() + longest_s
    while not what():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


# -- at every n-th write and sync, in a forked child (tests/faults/cuts.py)


def life_on(estate: cuts.Estate, disk: Any) -> int:
    return cuts.run(estate, estate.life(disk))


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("on", "code"),
    [
        ("write", "ENOSPC"),
        ("sync", "EIO"),
        pytest.param("write", "EIO", marks=pytest.mark.nightly),
        pytest.param("sync", "ENOSPC", marks=pytest.mark.nightly),
    ],
)
def test_refused_at_any_write_or_sync_nothing_acknowledged_is_lost(tmp_path: Path, code: str, on: str) -> None:
    """A whole short life: start, load, checkpoints, snapshots, stop. Full for two attempts, or broken from then on."""
    chance = random.Random(f"{SEED} {code} {on}")
    most = 260 if on == "write" else 90
    moments = range(1, most, max(most // MOMENTS, 1)) if MOMENTS else sorted(chance.sample(range(1, most), 5))
    ends = []
    one = cuts.Estate(tmp_path / "estate", SEED)
    for number, at in enumerate(moments):
        if number == 1:
            assert life_on(one, None) == 0  # the first moment is in the first start, the others in later lives
        full = code == "ENOSPC"
        disk = Refuses(code=code, on=on, at=at, times=2 if full else 0)  # type: ignore[arg-type]
        ends.append(life_on(one, disk))
        assert one.broken() == [], f"seed {SEED}, {disk}"
    print(f"seed {SEED}: {len(ends)} moments, ends {sorted(set(ends))}")
    assert life_on(one, None) == 0
    assert one.broken() == []
    assert list(one.waiting) == []
    if code == "ENOSPC" and on == "write":
        assert 4 in ends, "a disk that is full for a moment ends nothing"


# -- a real gateway


@contextmanager
def full_disk(folder: Path) -> Iterator[tuple[Path, Callable[[], None], Callable[[], None]]]:
    """A data folder, what fills its disk, and what makes room: a tmpfs of 64 MiB, where mounting is allowed."""
    data = folder / "data"
    data.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(data)], capture_output=True, check=False
    )
    if mounted.returncode:
        raise PermissionError(mounted.stderr.decode())
    filler = data / "filler"

    def fill() -> None:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    try:
        yield data, fill, lambda: filler.unlink(missing_ok=True)
    finally:
        subprocess.run(["umount", "-l", str(data)], check=False)


@contextmanager
def some_full_disk(folder: Path) -> Iterator[tuple[dict[str, str], Callable[[], None], Callable[[], None], str]]:
    """Environment of the gateway, what fills and what frees, and which of the two it is."""
    try:
        with full_disk(folder) as (_, fill, free):
            yield {}, fill, free, "tmpfs"
    except PermissionError:
        flag = folder / "full"
        fault = Fault(disk=Refuses(code="ENOSPC", while_exists=str(flag)))
        yield fault.environment(), flag.touch, lambda: flag.unlink(missing_ok=True), "VFS"


@pytest.mark.slow
@pytest.mark.mosquitto
def test_full_it_acknowledges_nothing_says_so_answers_and_goes_on_by_itself(tmp_path: Path) -> None:
    ledger = Ledger()
    with Mosquitto(tmp_path / "broker") as broker, some_full_disk(tmp_path) as (environment, fill, free, which):
        print(f"disk: {which}")
        settings = {"host": broker.host, "port": broker.port}
        with (
            GatewayProcess(tmp_path, site(settings), program="tests.faults.victim") as gateway,
            Devices(ledger, broker.host, broker.port) as devices,
        ):
            gateway.start(**SECRET, **environment)
            gateway.until_ready()
            for number in range(300):
                devices.a_bit_of_everything(number)
            devices.settled()
            until(all_stored(gateway, ledger))
            assert ready(gateway)[0] == 200
            fill()
            for number in range(2000):
                devices.a_bit_of_everything(number)
            until(lambda: ready(gateway)[0] == 503)
            held = len(ledger.acknowledged)
            assert "the disk takes nothing more" in gateway.log
            time.sleep(1.5)  # a retry of the journal's goes by
            assert len(ledger.acknowledged) == held, "nothing is acknowledged"
            for path in ("/healthz", "/login"):
                with urllib.request.urlopen(gateway.url + path, timeout=3) as answer:
                    assert answer.status == 200
            status, said = tried_to_log_in(gateway)
            assert (status, "nothing can be changed at the moment" in said) == (503, True)
            free()
            until(lambda: ready(gateway)[0] == 200)
            devices.settled()
            until(all_stored(gateway, ledger))
            assert "the journal is being written again" in gateway.log
            fill()

            def refused() -> bool:  # a full disk still takes what goes into space that the log has already
                devices.a_bit_of_everything(0)
                return ready(gateway)[0] == 503

            until(refused)
            began = time.monotonic()
            assert gateway.stop() == 0, "a stop does not wait for space"
            assert time.monotonic() - began < 15
            gateway.start(
                **SECRET, **environment
            )  # on a full disk: console and links are there, nothing is acknowledged
            until(lambda: ready(gateway)[0] == 503)
            free()
            until(lambda: ready(gateway)[0] == 200)
            devices.settled()
            until(all_stored(gateway, ledger))
            assert gateway.stop() == 0
        assert ledger.broken(gateway.data / "journal.db", caught_up=True) == []
        assert judged_otherwise(gateway.data / "journal.db", gateway.site_file) == []


@pytest.mark.slow
@pytest.mark.mosquitto
def test_a_failed_sync_ends_it_with_a_status_of_its_own_and_it_comes_back_clean(tmp_path: Path) -> None:
    ledger = Ledger()
    with Mosquitto(tmp_path) as broker:
        settings = {"host": broker.host, "port": broker.port}
        with (
            GatewayProcess(tmp_path, site(settings), program="tests.faults.victim") as gateway,
            Devices(ledger, broker.host, broker.port) as devices,
        ):
            broken = tmp_path / "broken"
            fault = Fault(disk=Refuses(code="EIO", on="sync", while_exists=str(broken), files="-wal"))
            gateway.start(**SECRET, **fault.environment())
            gateway.until_ready()
            for number in range(200):
                devices.a_bit_of_everything(number)
            devices.settled()
            broken.touch()
            for number in range(200):
                devices.a_bit_of_everything(number)
            assert gateway.process is not None
            assert gateway.process.wait(20) == DISK_FAILED
            assert "the journal could not be written" in gateway.log
            assert ledger.broken(gateway.data / "journal.db") == []
            gateway.start(**SECRET)
            devices.settled()
            until(all_stored(gateway, ledger))
            assert gateway.stop() == 0
        assert ledger.broken(gateway.data / "journal.db", caught_up=True) == []


@pytest.mark.slow
@pytest.mark.mosquitto
def test_slow_syncs_bound_what_is_taken_and_acknowledgements_still_come_after_the_commit(tmp_path: Path) -> None:
    ledger = Ledger()
    with Mosquitto(tmp_path) as broker:
        settings = {"host": broker.host, "port": broker.port}
        with (
            GatewayProcess(tmp_path, site(settings), program="tests.faults.victim") as gateway,
            Devices(ledger, broker.host, broker.port) as devices,
        ):
            gateway.start(**SECRET, **Fault(disk=Slow(sync_s=0.2)).environment())
            gateway.until_ready()
            began = time.monotonic()
            slowest = 0.0
            for number in range(800):
                devices.a_bit_of_everything(number)
                if number % 200 == 0:
                    assert ledger.broken(gateway.data / "journal.db") == [], "what is acknowledged is there already"
                    asked = time.monotonic()
                    urllib.request.urlopen(f"{gateway.url}/healthz", timeout=5).close()
                    slowest = max(slowest, time.monotonic() - asked)
            devices.settled(60)
            until(all_stored(gateway, ledger), 60)
            took = time.monotonic() - began
            print(
                f"800 messages in {took:.1f} s with syncs of 200 ms; slowest answer of the console {slowest * 1000:.0f} ms"
            )
            assert slowest < 2
            gateway.kill()
        assert ledger.broken(gateway.data / "journal.db", caught_up=True) == []


class FailsOnce:
    """A journal's connection whose first commit fails as a disk fails, and none after it."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._left = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> Any:
        if sql == "COMMIT" and self._left:
            self._left = 0
            raise apsw.IOError("disk I/O error")
        return self._connection.execute(sql, *values)


async def test_after_a_failed_commit_nothing_is_written_though_the_disk_would_take_it_again(tmp_path: Path) -> None:
    """What comes later rests on what was lost: a step of an alert without its beginning, a verdict without its evidence."""
    opened = Store(tmp_path)
    told: list[JournalError] = []
    writer = Writer(FailsOnce(opened.writer), failed=told.append)  # type: ignore[arg-type]
    first, second = (
        writer.submit(batch)
        for batch in (Batch(), Batch())
        if not batch.statements.append(("INSERT INTO meta VALUES (?, 1)", (f"probe {id(batch)}",)))
    )
    for each in (first, second):
        with pytest.raises(JournalError, match="disk I/O error"):
            await each
    with pytest.raises(JournalError, match="disk I/O error"):
        await writer.execute([("INSERT INTO meta VALUES ('probe later', 1)", ())])
    writer.close()
    assert len(told) == 1
    assert opened.writer.execute("SELECT count(*) FROM meta WHERE key LIKE 'probe%'").get == 0
    opened.close()


# -- what else lies on it


def _points(number: int) -> list[Point]:
    return [Point("illuminance", (("device", "lux"),), (("lux", 1.0),), number, "lux", "")]


async def test_telemetry_that_is_damaged_is_said_set_aside_and_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "telemetry.db"
    local = LocalStore(file, 3600 * SECOND, lambda: 0)
    assert await local.write(_points(1)) == []
    await local.close()
    damaged = b"no database at all" * 400
    file.write_bytes(damaged)
    (tmp_path / "telemetry.db-wal").write_bytes(b"what was written last")
    (tmp_path / "telemetry.db.damaged-journal").write_bytes(b"of the one before")
    local = LocalStore(file, 3600 * SECOND, lambda: 0)
    with pytest.raises(DeliveryError, match=r"telemetry\.db was damaged .* kept as telemetry\.db\.damaged"):
        await local.write(_points(1))
    assert await local.write(_points(1)) == []
    assert (tmp_path / "telemetry.db.damaged").read_bytes() == damaged
    assert (tmp_path / "telemetry.db.damaged-wal").read_bytes() == b"what was written last"
    assert not (tmp_path / "telemetry.db.damaged-journal").exists()
    await local.close()


def test_a_data_folder_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(JournalError, match="cannot use the data folder"):
        Store(tmp_path / "data")
    if Path("/proc/version").exists():
        with pytest.raises(JournalError, match="cannot use the data folder"):
            Store(Path("/proc/lamplighter"))


FULL = """
import sys
from tests.faults import disks
kept = disks.install(disks.Refuses(code=sys.argv[1], files=sys.argv[2]))
from api.cli import main
sys.exit(main(sys.argv[3:]))
"""


def command_on(code: str, files: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", FULL, code, files, *words], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("code", ["ENOSPC", "EIO"])
def test_a_command_on_a_disk_that_refuses_says_so_and_leaves_nothing_half(tmp_path: Path, code: str) -> None:
    data = tmp_path / "data"
    Store(data).close()
    before = (data / "journal.db").read_bytes()
    for words, files in (
        (("backup", "--data", str(data), str(tmp_path / "copy.db")), ".part"),
        (("user", "add", "--data", str(data), "li", "--role", "guard"), "journal.db-wal"),
    ):
        ran = command_on(code, files, *words)
        assert ran.returncode == 2, ran.stderr
        assert "Traceback" not in ran.stderr
        assert ran.stderr.startswith(f"lamplighter {words[0]}: ")
    assert not (tmp_path / "copy.db").exists()
    assert [path.name for path in tmp_path.glob("copy*")] == []
    assert (data / "journal.db").read_bytes() == before
    assert main(["backup", "--data", str(data), str(tmp_path / "copy.db")]) == 0
    ran = command_on(code, ".part", "restore", str(tmp_path / "copy.db"), "--data", str(tmp_path / "new"))
    assert ran.returncode == 2
    assert "cannot write into" in ran.stderr
    assert not (tmp_path / "new" / "journal.db").exists()


def test_an_export_that_finds_no_room_leaves_no_file(tmp_path: Path) -> None:
    Store(tmp_path / "data").close()
    if not Path("/dev/full").exists():
        return
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "api", "export", "--data", str(tmp_path / "data")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode in {0, 2}
    assert "Traceback" not in ran.stderr
