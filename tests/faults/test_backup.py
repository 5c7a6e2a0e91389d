"""A copy while the gateway is at work: whole or not there, whatever happens to it; what is made of it has all that was in it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from api.cli import main
from gateway.errors import JournalError
from gateway.journal.backup import backup, restore
from gateway.journal.store import Store, connect_snapshot
from gateway.journal.verification import verify
from tests.faults.estate import SECRET, Devices, site
from tests.faults.ledger import Key, Ledger, judged_otherwise
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto

SEED = 20261127
KILLS = int(os.environ.get("LAMPLIGHTER_FAULTS", "0")) // 10 or 6


def keys_in(path: Path) -> set[Key]:
    with closing(connect_snapshot(path)) as journal:
        return {Key(*row) for row in journal.execute("SELECT device, boot, n FROM log WHERE n IS NOT NULL")}


@pytest.mark.slow
@pytest.mark.mosquitto
@pytest.mark.timeout(3600)
def test_copies_and_exports_under_load_are_whole_or_not_there_and_what_is_restored_loses_nothing_that_was_in_them(
    tmp_path: Path,
) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    ledger = Ledger()
    copies = tmp_path / "copies"
    copies.mkdir()
    with Mosquitto(tmp_path / "broker") as broker:
        estate = site({"host": broker.host, "port": broker.port})
        with (
            GatewayProcess(tmp_path, estate) as gateway,
            Devices(ledger, broker.host, broker.port) as devices,
        ):
            gateway.start(**SECRET)
            gateway.until_ready()
            said = 0

            def talk(seconds: float) -> None:
                nonlocal said
                until = time.monotonic() + seconds
                while time.monotonic() < until:
                    devices.a_bit_of_everything(said)
                    said += 1
                    time.sleep(0.001)

            talk(0.5)
            words = [sys.executable, "-m", "api"]
            for number in range(KILLS):
                target = copies / f"killed-{number}"
                command = (
                    [*words, "backup", "--data", str(gateway.data), str(target)]
                    if number % 2
                    else [*words, "export", "--data", str(gateway.data), "-o", str(target)]
                )
                running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                talk(chance.uniform(0.05, 0.6))
                running.send_signal(signal.SIGKILL)
                running.wait()
                if target.exists() and number % 2:
                    with closing(connect_snapshot(target)) as journal:
                        assert verify(journal).intact, "under its name it is whole"
                elif target.exists():
                    assert target.read_bytes().endswith(b"}\n")
            held = set(ledger.acknowledged)
            made = backup(gateway.data, copies / "whole.db")
            in_it = keys_in(made.path)
            assert held <= in_it, "what was acknowledged before the copy is in it"
            with closing(connect_snapshot(made.path)) as journal:
                checked = verify(journal)
                assert checked.intact
                old = journal.execute("SELECT value FROM meta WHERE key = 'epoch'").get
            # The disk is lost. The copy is restored elsewhere, killed in the middle, and again.
            talk(0.3)
            gateway.kill()
            for _ in range(KILLS):
                running = subprocess.Popen(
                    [*words, "restore", str(made.path), "--data", str(tmp_path / "new" / "data")],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                try:
                    running.wait(chance.uniform(0.05, 0.7))
                except subprocess.TimeoutExpired:
                    running.kill()
                    running.wait()
                if (tmp_path / "new" / "data" / "journal.db").exists():
                    break
            else:
                restore(made.path, tmp_path / "new" / "data", time.time_ns() // 1000)
            assert keys_in(tmp_path / "new" / "data" / "journal.db") == in_it
        with (
            GatewayProcess(tmp_path / "new", estate) as again,
            Devices(ledger, broker.host, broker.port, name="later") as devices,
        ):
            again.start(**SECRET)
            again.until_ready()
            for number in range(300):
                devices.a_bit_of_everything(number)
            devices.settled()
            assert again.stop() == 0
            journal_file = again.data / "journal.db"
            assert in_it <= keys_in(journal_file)
            with closing(connect_snapshot(journal_file)) as journal:
                assert verify(journal).intact
                assert journal.execute("SELECT value FROM meta WHERE key = 'epoch'").get != old
                told = journal.execute(
                    "SELECT action FROM audit WHERE action IN ('journal.restore', 'chain.epoch') ORDER BY seq"
                )
                assert [row[0] for row in told] == ["journal.restore", "chain.epoch"]
            assert judged_otherwise(journal_file, again.site_file) == []
            assert not list(again.data.glob("*.part*"))


def test_what_a_killed_restore_left_is_not_mixed_into_the_next(tmp_path: Path) -> None:
    Store(tmp_path / "data").close()
    made = backup(tmp_path / "data", tmp_path / "copy.db")
    new = tmp_path / "new"
    new.mkdir()
    # A half copy, and beside it the rollback journal of a transaction in it: SQLite would play it into what comes under that name.
    half = new / "journal.db.part"
    child = os.fork()
    if child == 0:
        half.write_bytes(made.path.read_bytes())
        connection = apsw.Connection(str(half))
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE mixed_in (a)")
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) "
            "INSERT INTO mixed_in SELECT randomblob(400) FROM n"
        )
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert (new / "journal.db.part-journal").stat().st_size > 0
    restore(made.path, new, 0)
    with closing(connect_snapshot(new / "journal.db")) as journal:
        assert journal.execute("PRAGMA integrity_check").get == "ok"
        assert not journal.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'mixed_in'").get
    assert sorted(path.name for path in new.iterdir()) == ["journal.db", "lock"]


def test_a_copy_is_not_restored_beside_the_log_of_another_journal(tmp_path: Path) -> None:
    Store(tmp_path / "data").close()
    made = backup(tmp_path / "data", tmp_path / "copy.db")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "journal.db-wal").write_bytes(b"of a journal that somebody deleted")
    with pytest.raises(JournalError, match="of another journal"):
        restore(made.path, tmp_path / "new", 0)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["journal.db-wal"]


def test_halves_that_killed_copies_left_go_with_a_later_copy_and_one_under_way_stays(tmp_path: Path) -> None:
    Store(tmp_path / "data").close()
    copies = tmp_path / "copies"
    copies.mkdir()
    old = copies / "journal-20260101T000000Z.db.part"
    young = copies / "journal-20260102T000000Z.db.part"
    other = copies / "notes.part"
    for path in (old, young, other):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    assert main(["backup", "--data", str(tmp_path / "data"), str(copies), "--keep", "2"]) == 0
    assert not old.exists()
    assert young.exists()
    assert other.exists()
