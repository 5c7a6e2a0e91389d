"""The power fails: at any write and sync of the databases nothing acknowledged is lost, and every other file is whole or not there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from api.cli import main
from gateway.errors import JournalError
from gateway.imports import ImportFolder, Outcome, make_order
from gateway.instants import instant
from gateway.journal.backup import backup, restore
from gateway.journal.checkpoints import KEY_FILE, KEYS, PUBLIC_FILE
from gateway.journal.notes import Key, SigningError, read_notes
from gateway.journal.store import Store
from gateway.runtime import Gateway
from gateway.service import PASSWORD_FILE, open_service
from gateway.site.model import Chain, Mqtt
from tests.faults import cuts
from tests.faults.disks import PowerCut
from tests.service.test_enrolment import Clock, site, the_night

SEED = 20261127
CUTS = int(os.environ.get("LAMPLIGHTER_FAULTS", "0"))
SECONDS_IN_CI = 12
FEWEST = 15
"""Cuts that a slow machine makes in that time, at the least."""


# -- the databases


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_nothing_acknowledged_is_lost_and_nothing_is_half_applied_wherever_the_power_is_cut(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    words = ["--seed", str(SEED), "--cuts", str(CUTS or 1000), "--seconds", str(7000 if CUTS else SECONDS_IN_CI)]
    ran = subprocess.run(
        [sys.executable, "-m", "tests.faults.cuts", str(tmp_path / "estates"), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout, ran.stderr
    result = msgspec.json.decode(ran.stdout, type=cuts.Result)
    print(result)
    assert result.broken == [], ran.stderr[-2000:]
    assert result.cuts >= (CUTS or FEWEST)


def cut_after_commits(folder: Path, settings: str, keeps: str, seed: int) -> int:
    """Rows of 30 that are left when the power is cut after each was committed, with the pragmas `settings`."""
    folder.mkdir()
    path = folder / "a.db"
    disk = PowerCut(at=10_000, keeps=keeps, seed=seed)  # type: ignore[arg-type]
    child = os.fork()
    if child == 0:
        vfs = cuts.disks.FaultyVfs(disk, die=lambda: os._exit(0))
        connection = apsw.Connection(str(path))
        for pragma in settings.split(";"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE t (n)")
        for number in range(30):
            connection.execute("INSERT INTO t VALUES (?)", (number,))
        vfs.cut()
    os.waitpid(child, 0)
    with closing(apsw.Connection(str(path))) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM t").get)
        except apsw.Error:
            return 0


@pytest.mark.parametrize("keeps", ["nothing", "some"])
def test_a_database_that_does_not_sync_each_commit_loses_rows_on_this_disk_and_one_that_does_loses_none(
    tmp_path: Path, keeps: str
) -> None:
    left = {
        settings: [cut_after_commits(tmp_path / f"{number}-{seed}", settings, keeps, seed) for seed in range(4)]
        for number, settings in enumerate(
            (
                "journal_mode=wal;synchronous=full",
                "journal_mode=delete;synchronous=extra",
                "journal_mode=delete;synchronous=full",
                "journal_mode=wal;synchronous=normal",
                "journal_mode=wal;synchronous=off",
                "journal_mode=delete;synchronous=off",
            )
        )
    }
    full, extra, rollback, normal, off, never = left.values()
    assert full == extra == [30] * 4
    assert set(rollback) <= {29, 30}, (
        "the end of the last commit is that a name goes, which only EXTRA syncs (SQLite says so)"
    )
    assert min(normal) < 30, "a commit of WAL with synchronous=NORMAL is not synced"
    assert min(off) < 30
    assert min(never) < 30


@pytest.mark.slow
def test_a_journal_that_does_not_sync_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = cuts.store.connect

    def careless(path: Path) -> apsw.Connection:
        connection = connect(path)
        connection.execute("PRAGMA synchronous = normal")
        return connection

    monkeypatch.setattr(cuts.store, "connect", careless)
    result = cuts.many(tmp_path / "estates", SEED, 40, 30)
    assert any("I1 " in each for each in result.broken), result


ROWS = 6
"""Commits of each of three lives; the sync fails in the first or the second."""
FAILING = range(1, 2 * ROWS, 1 if CUTS else 3)
"""The how manieth sync of the write-ahead log fails."""


def acknowledged_over_a_failed_sync(
    folder: Path, fails: int, keeps: str, *, rewrites: bool
) -> tuple[set[int], set[int]]:
    """What was committed, and what is there after a power cut: of a journal of which the `fails`-th sync of the log failed.

    The process that met it ends, and others start, on the same running system, whose memory of the file outlives them
    (here: one process that opens the journal anew). Only then the power is cut.
    """
    committed = folder.with_suffix(".committed")
    child = os.fork()
    if child == 0:
        vfs = cuts.disks.FaultyVfs(
            PowerCut(at=100_000, keeps=keeps, seed=fails, files="-wal", fails=fails),  # type: ignore[arg-type]
            die=lambda: os._exit(0),
        )
        if not rewrites:
            cuts.store._settle = lambda _: None
        said = committed.open("w")
        number = 0
        for _ in range(3):
            try:
                opened = Store(folder)
            except JournalError:
                continue  # the sync that fails is one of the start's
            try:
                for _ in range(ROWS):
                    number += 1
                    opened.writer.execute("INSERT INTO meta VALUES (?, 1)", (f"row {number}",))
                    said.write(f"{number}\n")
                    said.flush()
            except apsw.IOError:
                said.flush()  # and the process ends
            opened.writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # it is killed rather than stopped
            opened.close()
        vfs.cut()
    os.waitpid(child, 0)
    due = {int(line) for line in committed.read_text().split()}
    with closing(Store(folder)) as opened:
        rows = opened.writer.execute("SELECT key FROM meta WHERE key LIKE 'row %'").fetchall()
        assert opened.writer.execute("PRAGMA integrity_check").get == "ok"
    return due, {int(str(key).removeprefix("row ")) for (key,) in rows}


@pytest.mark.parametrize("keeps", ["nothing", "some"])
def test_what_is_acknowledged_after_a_failed_sync_and_a_new_start_outlives_a_power_cut(
    tmp_path: Path, keeps: str
) -> None:
    """Linux takes what it could not write for written: the start has to write the log anew, or rows behind it are lost with it."""
    for fails in FAILING:
        due, there = acknowledged_over_a_failed_sync(tmp_path / str(fails), fails, keeps, rewrites=True)
        assert len(due) > ROWS
        assert due <= there, f"the {fails}th sync failed"


def test_without_the_rewrite_what_is_acknowledged_after_a_failed_sync_is_lost(tmp_path: Path) -> None:
    """That the disk of the test above is as bad as a real one."""
    lost = [
        fails
        for fails in FAILING
        for due, there in [acknowledged_over_a_failed_sync(tmp_path / str(fails), fails, "nothing", rewrites=False)]
        if due - there
    ]
    assert lost


# -- everything else in the data folder


class Syncs:
    """Every name that a file takes while this watches, and whether its content and its folder were synced.

    A power cut leaves a file that got its name before its content was synced empty or torn, and forgets names of a folder that was
    not synced since.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._synced: dict[tuple[int, int], tuple[int, int]] = {}
        self.torn: list[str] = []
        self._named: dict[Path, set[str]] = {}
        for name in ("replace", "rename", "link"):
            monkeypatch.setattr(os, name, self._naming(getattr(os, name)))
        fsync = os.fsync

        def synced(handle: Any) -> None:
            fsync(handle)
            found = os.fstat(handle)
            if stat.S_ISDIR(found.st_mode):
                self._named = {
                    folder: names
                    for folder, names in self._named.items()
                    if (folder.stat().st_dev, folder.stat().st_ino) != (found.st_dev, found.st_ino)
                }
            else:
                self._synced[found.st_dev, found.st_ino] = (found.st_size, found.st_mtime_ns)

        monkeypatch.setattr(os, "fsync", synced)

    def _naming(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def named(source: Any, target: Any, *args: Any, **more: Any) -> Any:
            found = Path(source).stat()
            if self._synced.get((found.st_dev, found.st_ino)) != (found.st_size, found.st_mtime_ns):
                self.torn.append(Path(target).name)
            result = work(source, target, *args, **more)
            self._named.setdefault(Path(target).parent, set()).add(Path(target).name)
            return result

        return named

    @property
    def forgotten(self) -> list[str]:
        """Names that a cut now would forget."""
        return sorted(name for names in self._named.values() for name in names)


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Syncs:
    return Syncs(monkeypatch)


async def test_keys_imports_copies_and_the_password_are_on_disk_before_they_have_their_names(
    tmp_path: Path, syncs: Syncs
) -> None:
    clock = Clock()
    chained = msgspec.structs.replace(site(), chain=Chain(at=(time(6),), to="elsewhere.txt"))
    embedded = msgspec.structs.replace(chained, mqtt=Mqtt(embedded=True, host="127.0.0.1", port=0))
    data = tmp_path / "data"
    async with Gateway(embedded, data, clock=clock) as gateway, open_service(embedded, data, gateway):
        await the_night(gateway, clock)
        await gateway.checkpoints.make("asked")
        made = backup(data, tmp_path / "copy.db")
    imports = ImportFolder(data)
    order = make_order(b"1,2", "a.csv", "wand", "", datetime.now(UTC))
    imports.put(order, b"1,2")
    restore(made.path, tmp_path / "restored" / "data", instant(clock.time))
    for path in (data / PASSWORD_FILE, data / KEYS / KEY_FILE, data / KEYS / PUBLIC_FILE, data / "elsewhere.txt"):
        assert path.stat().st_size > 10, path
    assert (data / PASSWORD_FILE).stat().st_mode & 0o077 == 0
    assert (data / KEYS / KEY_FILE).stat().st_mode & 0o077 == 0
    assert syncs.torn == []
    assert syncs.forgotten == []


async def test_an_exported_file_is_on_disk_before_it_has_its_name(tmp_path: Path, syncs: Syncs) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path / "data", clock=clock) as gateway:
        await the_night(gateway, clock)
    assert main(["export", "--data", str(tmp_path / "data"), "-o", str(tmp_path / "evidence.jsonl")]) == 0
    assert (tmp_path / "evidence.jsonl").stat().st_size > 1000
    assert syncs.torn == []
    assert syncs.forgotten == []


@pytest.mark.parametrize("left", [b"", b"\x00" * 24, b"\xff\xfe\x01"])
async def test_a_password_that_a_power_cut_emptied_is_made_anew_and_never_empty(
    tmp_path: Path, left: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    embedded = msgspec.structs.replace(site(), mqtt=Mqtt(embedded=True, host="127.0.0.1", port=0))
    tmp_path.joinpath(PASSWORD_FILE).write_bytes(left)
    async with Gateway(embedded, tmp_path) as gateway, open_service(embedded, tmp_path, gateway) as service:
        assert len(service.broker.password or "") >= 20
        assert (tmp_path / PASSWORD_FILE).read_text() == service.broker.password
    assert "held no password; a new one is made" in caplog.text


@pytest.mark.parametrize("left", [b"", b"-----BEGIN PRIVATE KEY-----\nMC4CAQ"])
async def test_with_a_torn_key_the_gateway_comes_up_takes_evidence_and_says_that_it_cannot_sign(
    tmp_path: Path, left: bytes
) -> None:
    (tmp_path / KEYS).mkdir()
    (tmp_path / KEYS / KEY_FILE).write_bytes(left)
    clock = Clock()
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
        with pytest.raises(SigningError, match="is no private key in PEM"):
            await gateway.checkpoints.make("asked")
        assert any("no checkpoint can be signed" in each for each in gateway.health().problems)
        assert gateway.health().ready
        (tmp_path / KEYS / KEY_FILE).unlink()
        await gateway.checkpoints.make("asked")
        assert gateway.health().problems == ()


async def test_what_a_cut_left_half_written_elsewhere_spoils_no_later_checkpoint(tmp_path: Path) -> None:
    clock = Clock()
    chained = msgspec.structs.replace(site(), chain=Chain(at=(time(6),), to="elsewhere.txt"))
    elsewhere, public = tmp_path / "elsewhere.txt", tmp_path / KEYS / PUBLIC_FILE
    async with Gateway(chained, tmp_path, clock=clock) as gateway:
        first = await gateway.checkpoints.make("asked")
    elsewhere.write_bytes(elsewhere.read_bytes()[:-40])
    with closing(apsw.Connection(str(tmp_path / "journal.db"))) as journal:
        journal.execute("DELETE FROM cursor WHERE name = 'checkpoints'")  # noted only once it is on disk
    whole = public.read_text()
    public.write_text(whole[:-20])
    (tmp_path / KEYS / KEY_FILE).unlink()  # another key is made, and published behind what is torn
    async with Gateway(chained, tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
        second = await gateway.checkpoints.make("asked")
    assert second.note in elsewhere.read_text()
    assert second.note.partition("\n")[0] == first.note.partition("\n")[0]
    assert [note.size for note in read_notes(elsewhere.read_text())] == [first.size, second.size]
    assert [note.size for note in read_notes(elsewhere.read_text()[:-61])] == [first.size], (
        "the last one is being written"
    )
    assert str(Key.open(tmp_path / KEYS / KEY_FILE, "lamplighter/s").public) in public.read_text().splitlines()


def test_an_import_that_was_done_is_not_refused_because_its_end_was_cut_off(tmp_path: Path) -> None:
    folder = ImportFolder(tmp_path)
    order = make_order(b"rows", "a.csv", "wand", "", datetime.now(UTC))
    folder.put(order, b"rows")
    waiting = (folder.path / f"{order.id}.json").read_bytes()
    folder.settle(Outcome(order=order, state="done", received=datetime.now(UTC), new=3))
    (folder.path / f"{order.id}.json").write_bytes(waiting)  # the power went before its name was gone
    assert folder.waiting() == []
    found = folder.outcome(order)
    assert found is not None
    assert (found.state, found.new) == ("done", 3)
    assert sorted(path.name for path in folder.path.glob("*.*")) == []


def test_an_order_that_was_cut_before_its_outcome_waits_still(tmp_path: Path) -> None:
    folder = ImportFolder(tmp_path)
    order = make_order(b"rows", "a.csv", "wand", "", datetime.now(UTC))
    folder.put(order, b"rows")
    (folder.path / "done").mkdir()
    (folder.path / "done" / f".{order.id}.json.part").write_bytes(b"{")
    assert folder.waiting() == [order]
    assert folder.data(order) == b"rows"


@pytest.mark.parametrize("left", [b"", b"SQLite format 3\0", os.urandom(9000)])
def test_a_journal_that_is_no_more_one_is_left_as_it_is_and_the_way_out_is_said(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(left)
    if not left:
        Store(tmp_path).close()  # nothing was ever written: a first start
        return
    with pytest.raises(JournalError, match="lamplighter restore"):
        Store(tmp_path)
    assert path.read_bytes() == left
