"""The writer: one transaction a batch, on disk before anyone is told, waiting when the disk is full."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import apsw
import pytest

from gateway.errors import JournalError
from gateway.journal.reader import Reader
from gateway.journal.store import Store, migrations
from gateway.journal.writer import Batch, Writer


def log_row(seq: int, device: str = "lux-1", n: int | None = None, at: int | None = None) -> tuple[object, ...]:
    return (seq, seq * 1000, device, "light_level", seq * 1000 if at is None else at, "b1", n, b'{"lux":1}', None)


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path / "data")
    yield store
    store.close()


async def write(store: Store, batch: Batch) -> None:
    writer = Writer(store.writer)
    try:
        await writer.submit(batch)
    finally:
        await asyncio.to_thread(writer.close)


def test_the_store_is_wal_with_full_sync(store: Store) -> None:
    assert store.writer.execute("PRAGMA journal_mode").get == "wal"
    assert store.writer.execute("PRAGMA synchronous").get == 2


def test_what_is_erased_of_persons_is_no_longer_in_the_file(store: Store) -> None:
    for number in range(40):
        row = (f"account/u-{number:03}", 1, f"person {number:03}, ".encode() * 4)
        store.writer.execute("INSERT INTO personal VALUES (?, ?, ?)", row)
    store.writer.execute("UPDATE personal SET body = NULL WHERE key < 'account/u-030'")
    store.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = store.path.read_bytes()
    assert [number for number in range(40) if f"person {number:03}".encode() in content] == list(range(30, 40))


def test_a_second_gateway_is_refused(store: Store) -> None:
    with pytest.raises(JournalError, match="another gateway is using"):
        Store(store.folder)


def test_each_journal_has_an_epoch_that_a_reopening_keeps(tmp_path: Path) -> None:
    first = Store(tmp_path / "a")
    epoch = first.epoch
    first.close()
    again, other = Store(tmp_path / "a"), Store(tmp_path / "b")
    assert again.epoch == epoch != other.epoch
    again.close()
    other.close()


def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.writer.execute(f"PRAGMA user_version = {migrations()[-1][0] + 1}")
    store.close()
    with pytest.raises(JournalError, match="install the version that wrote it"):
        Store(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="choose another with --data"):
        Store(tmp_path / "file" / "data")


@pytest.mark.parametrize("rows", [1, 24, 25, 26, 249, 250, 276, 1001])
async def test_any_number_of_rows_is_written_once_and_in_order(store: Store, rows: int) -> None:
    batch = Batch()
    batch.log = [log_row(seq) for seq in range(1, rows + 1)]
    await write(store, batch)
    assert store.writer.execute("SELECT count(*), min(seq), max(seq) FROM log").fetchone() == (rows, 1, rows)


async def test_a_batch_that_fails_leaves_nothing_behind(store: Store) -> None:
    batch = Batch()
    batch.log = [log_row(1), log_row(2)]
    batch.statements.append(("INSERT INTO no_such_table VALUES (1)", ()))
    with pytest.raises(JournalError):
        await write(store, batch)
    assert store.writer.execute("SELECT count(*) FROM log").get == 0


async def test_a_batch_is_one_transaction(store: Store) -> None:
    """What is to be told stands or falls with the alert that it is of: a kill may come between two."""
    commits = []
    store.writer.set_commit_hook(lambda: bool(commits.append(1)))
    batch = Batch()
    batch.log = [log_row(1)]
    batch.add("alert_transition", (2, 2000, "panic/btn/1", "raised", b"{}"))
    batch.add("finding", ("alert", "panic/btn/1", 2000, 2, b"{}"))
    batch.add("notice", (3, "key", 2000, "guardroom", "panic/btn/1", "raised", "title", "body", 2000))
    batch.statements.append(("INSERT OR REPLACE INTO cursor VALUES (?, ?)", ("local", 1)))
    batch.advanced = 2000
    await write(store, batch)
    store.writer.set_commit_hook(None)
    assert len(commits) == 1
    tables = ("log", "alert_transition", "finding", "notice", "cursor")
    assert [store.writer.execute(f"SELECT count(*) FROM {table}").get for table in tables] == [1] * len(tables)


async def test_a_full_disk_is_waited_for_and_the_batch_is_kept(store: Store) -> None:
    pages = store.writer.execute("PRAGMA page_count").get
    store.writer.execute(f"PRAGMA max_page_count = {pages + 1}")
    told: list[str] = []
    stalled = asyncio.Event()

    def tell(reason: str) -> None:
        told.append(reason)
        stalled.set()

    writer = Writer(store.writer, tell, retry_s=0.01)
    batch = Batch()
    batch.log = [log_row(seq, device="x" * 500) for seq in range(1, 200)]
    future = writer.submit(batch)
    await asyncio.wait_for(stalled.wait(), 5)
    assert not future.done()
    # the writer's thread retries on its own connection: freeing space is what a person does outside
    done = threading.Event()

    def free() -> None:
        while not done.is_set():
            try:
                store.writer.execute("PRAGMA max_page_count = 1000000")
                return
            except apsw.ThreadingViolationError:
                continue

    await asyncio.to_thread(free)
    await asyncio.wait_for(future, 5)
    done.set()
    assert told[0]
    assert told[-1] == ""
    assert store.writer.execute("SELECT count(*) FROM log").get == 199
    await asyncio.to_thread(writer.close)


async def test_one_device_is_found_by_number_across_buckets(store: Store) -> None:
    batch = Batch()
    batch.log = [
        log_row(1, "a", n=7),
        log_row(70_000, "a", n=7),
        log_row(70_001, "b", n=7),
        log_row(140_000, "a", at=7),
    ]
    await write(store, batch)
    reader = Reader(store.path)
    assert [row.seq for row in reader.find("a", 7)] == [140_000, 70_000, 1]
    answer = await reader.observations(device="a", limit=2)
    assert [row.seq for row in answer] == [140_000, 70_000]
    assert [row.seq for row in await reader.observations(device="a", before=70_000, limit=2)] == [1]
    assert [row.seq for row in await reader.observations(kind="light_level", limit=2)] == [140_000, 70_001]
    await asyncio.to_thread(reader.close)


async def test_the_first_row_received_at_or_after_an_instant_is_found_by_halving(store: Store) -> None:
    batch = Batch()
    batch.log = [log_row(seq) for seq in (3, 4, 9, 20, 21, 50)]
    await write(store, batch)
    reader = Reader(store.path)
    for received in range(2_000, 52_000, 500):
        before = reader.seq_before(received)
        later = [row[0] for row in batch.log if row[1] >= received]
        found = [row.seq for row in reader.log_after(before)]
        assert found in (later, batch.log[-len(later) - 1 :] and [row[0] for row in batch.log[-len(later) - 1 :]])
    await asyncio.to_thread(reader.close)


async def test_a_reader_sees_only_what_is_committed_and_cannot_write(store: Store) -> None:
    reader = Reader(store.path)
    with pytest.raises(apsw.Error):
        await reader.query("INSERT INTO meta VALUES ('x', 1)")
    await asyncio.to_thread(reader.close)


def test_the_data_folder_is_for_its_owner_alone_and_one_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    for name, mode in (("new", 0o700), ("here", 0o750)):
        if name == "here":
            (tmp_path / name).mkdir(mode=mode)
        Store(tmp_path / name).close()
        assert (tmp_path / name).stat().st_mode & 0o777 == mode
