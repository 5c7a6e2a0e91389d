"""Opening the journal: one SQLite file in WAL mode with synchronous=FULL, migrated by numbered SQL files."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import IO
from urllib.parse import quote

import apsw

from gateway.errors import JournalError
from gateway.instants import Instant
from gateway.journal import chain

FILE = "journal.db"
_CACHE_KIB = 4 * 1024
"""The writer's pages in memory. 16 MiB cost as much processor time a message, and 14 MiB more (tests/benchmarks)."""
_CHECKPOINT_PAGES = 4000
"""16 MiB of write-ahead log between checkpoints."""


class Store:
    """The journal's file and the lock that keeps a second gateway away.

    Args:
        folder: the data folder; made if it is not there.
        now: the wall clock, for what the opening itself notes in the audit history.

    Raises:
        JournalError: the folder cannot be written, is in use by another gateway, the disk is full, or the file was
            written by a newer version.
    """

    def __init__(self, folder: Path, now: Callable[[], Instant] = lambda: time.time_ns() // 1000) -> None:
        self.folder = folder
        self.path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(folder)
            self.writer = connect(self.path)
            _migrate(self.writer)
            self.epoch: str = self.writer.execute("SELECT value FROM meta WHERE key = 'epoch'").get
            chain.begin(self.writer, self.epoch, now())
        except OSError as error:
            raise JournalError(
                f"cannot use the data folder {folder}: {error.strerror or error}; choose another with --data"
            ) from error
        except apsw.FullError as error:
            raise JournalError(
                f"no space left on the disk of {folder}; free some space and start again (nothing was lost)"
            ) from error
        except apsw.Error as error:
            raise JournalError(f"cannot open {self.path}: {error}") from error

    def last_seq(self) -> int:
        """The highest `seq` in any table."""
        tables = (
            "log",
            "quarantine",
            "visit_revision",
            "alert_transition",
            "change",
            "condition",
            "notice",
            "entry",
            "checkpoint",
        )
        query = " UNION ALL ".join(f"SELECT max(seq) AS top FROM {table}" for table in tables)  # noqa: S608
        top: int = self.writer.execute(f"SELECT coalesce(max(top), 0) FROM ({query})").get  # noqa: S608
        return top

    def meta(self, key: str) -> str | int | None:
        """A value of the meta table."""
        value: str | int | None = self.writer.execute("SELECT value FROM meta WHERE key = ?", (key,)).get
        return value

    def close(self) -> None:
        """Close the writer's connection and give up the lock."""
        self.writer.close()
        self._lock.close()


def connect(path: Path) -> apsw.Connection:
    """The writing connection: WAL, every commit synced."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5000)
    for pragma in (
        "journal_mode = wal",
        "synchronous = full",
        f"cache_size = -{_CACHE_KIB}",
        f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
        "journal_size_limit = 67108864",
        "foreign_keys = on",
        "temp_store = memory",
        "secure_delete = fast",  # what is erased of a person is overwritten within its page
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def connect_reader(path: Path) -> apsw.Connection:
    """A reading connection; it never checkpoints."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(5000)
    for pragma in ("query_only = on", "wal_autocheckpoint = 0", "cache_size = -4096"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def connect_snapshot(path: Path) -> apsw.Connection:
    """A connection that cannot write, also to a journal on a disk that nobody can write (a copy)."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(5000)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        if path.with_name(f"{path.name}-wal").exists():
            raise
        address = f"file:{quote(str(path.absolute()))}?immutable=1"
        connection = apsw.Connection(address, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    connection.execute("PRAGMA cache_size = -4096")
    return connection


def in_use(folder: Path) -> bool:
    """Whether a gateway uses the data folder now."""
    try:
        with (folder / "lock").open("r+") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _lock(folder: Path) -> IO[str]:
    handle = (folder / "lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        handle.close()
        raise JournalError(
            f"another gateway is using the data folder {folder}; stop it, or choose another with --data"
        ) from error
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def migrations() -> list[tuple[int, str]]:
    """The numbered SQL files, in order."""
    found = [
        (int(item.name.split("_", 1)[0]), item.read_text(encoding="utf-8"))
        for item in (resources.files("gateway.journal") / "migrations").iterdir()
        if item.name.endswith(".sql")
    ]
    return sorted(found)


def _migrate(connection: apsw.Connection, new_epoch: Callable[[], str] = lambda: secrets.token_hex(8)) -> None:
    known = migrations()
    version: int = connection.execute("PRAGMA user_version").get
    newest = known[-1][0]
    if version > newest:
        raise JournalError(
            f"the journal has schema {version}, this version knows {newest}: install the version that wrote it, or newer"
        )
    for number, text in known:
        if number <= version:
            continue
        with connection:
            connection.execute(text)
            connection.execute(f"PRAGMA user_version = {number}")
    with connection:
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (new_epoch(),))
