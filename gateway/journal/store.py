"""Opening the journal: one SQLite file in WAL mode with synchronous=FULL, migrated by numbered SQL files."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
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
from gateway.whole_file import make_folder, sync_folder

_log = logging.getLogger(__name__)

FILE = "journal.db"
_CACHE_KIB = 4 * 1024
"""The writer's pages in memory. 16 MiB cost as much processor time a message, and 14 MiB more (tests/benchmarks)."""
_CHECKPOINT_PAGES = 4000
"""16 MiB of write-ahead log between checkpoints."""
BEFORE = ".before-"
"""What stands between the journal's name and the number of the schema that it had, in the name of the copy made before an upgrade."""
_ROOM = 64 << 20
"""Bytes that a copy before an upgrade must leave free, or a tenth of the journal."""
_PAGES = 2000


class Store:
    """The journal's file and the lock that keeps a second gateway away.

    Args:
        folder: the data folder; made if it is not there.
        now: the wall clock, for what the opening itself notes in the audit history.

    Raises:
        JournalError: the folder cannot be written, is in use by another gateway, the disk is full, or the file was
            written by a newer version.

    Attributes:
        upgraded: what was done to a journal that an older version wrote, in a sentence; "": nothing.
    """

    def __init__(self, folder: Path, now: Callable[[], Instant] = lambda: time.time_ns() // 1000) -> None:
        self.folder = folder
        self.path = folder / FILE
        try:
            make_folder(folder, mode=0o700)
            self._lock = lock(folder)
        except OSError as error:
            raise JournalError(
                f"cannot use the data folder {folder}: {error.strerror or error}; choose another with --data"
            ) from error
        opened: list[apsw.Connection] = []
        try:
            _check_version(self.path)
            opened.append(connect(self.path))
            self.writer = opened[0]
            _settle(self.writer)
            self.upgraded = _upgrade(self.writer, self.path)
            self.epoch: str = self.writer.execute("SELECT value FROM meta WHERE key = 'epoch'").get
            chain.begin(self.writer, self.epoch, now())
            if self.upgraded:
                _log.warning("%s", self.upgraded)
                chain.note(self.writer, now(), "journal.upgrade", self.epoch, self.upgraded)
        except BaseException as error:
            for connection in opened:
                with contextlib.suppress(apsw.Error):
                    connection.close()
            self._lock.close()
            match error:
                case apsw.FullError():
                    raise JournalError(
                        f"no space left on the disk of {folder}; free some space and start again (nothing was lost)"
                    ) from error
                case apsw.NotADBError() | apsw.CorruptError():
                    raise JournalError(
                        f"{self.path} is damaged ({error}): keep the folder as it is, and make a journal of the newest copy "
                        "in another one with `lamplighter restore`"
                    ) from error
                case apsw.Error() | OSError():
                    raise JournalError(f"cannot open {self.path}: {error}") from error
            raise

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
        """Close the writer's connection and give up the lock. What a full or failed disk does not take now stays in the write-ahead log."""
        with contextlib.suppress(apsw.Error):
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


def lock(folder: Path) -> IO[bytes]:
    """Keep every gateway away from a data folder until what this gives is closed.

    Raises:
        JournalError: one uses it.
        OSError: the folder cannot be written.
    """
    handle = (folder / "lock").open("ab", buffering=0)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        handle.close()
        raise JournalError(
            f"another gateway is using the data folder {folder}; stop it, or choose another with --data"
        ) from error
    with contextlib.suppress(OSError):  # who holds it, for people: not worth a start on a full disk
        handle.truncate(0)
        handle.write(str(os.getpid()).encode())
    return handle


def migrations() -> list[tuple[int, str]]:
    """The numbered SQL files, in order."""
    found = [
        (int(item.name.split("_", 1)[0]), item.read_text(encoding="utf-8"))
        for item in (resources.files("gateway.journal") / "migrations").iterdir()
        if item.name.endswith(".sql")
    ]
    return sorted(found)


def _check_version(path: Path) -> None:
    """Raise JournalError for a journal that a newer version wrote, which is not touched."""
    if not path.exists():
        return
    connection = apsw.Connection(str(path))
    try:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.set_busy_timeout(5000)
        version, newest = connection.execute("PRAGMA user_version").get, migrations()[-1][0]
    finally:
        connection.close()
    if version > newest:
        raise JournalError(
            f"the journal has schema {version}, this version knows {newest}: install the version that wrote it, or newer "
            "(nothing was changed)"
        )


def _settle(connection: apsw.Connection) -> None:
    """Bring the write-ahead log into the file before anything is written behind it.

    After a failed sync the system gives back what it did not write as if it were on disk (Linux marks the pages clean), and syncs them
    no more: rows behind it would be lost with it at a power cut. Copied, it is written anew.
    """
    with contextlib.suppress(
        apsw.FullError, apsw.BusyError
    ):  # no room for it, or a copy is being made: it stays where it is
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _upgrade(connection: apsw.Connection, path: Path) -> str:
    """Bring the schema up to date; of a journal that an older version wrote a copy is kept as the way back.

    Gives what was done, in a sentence; "": nothing.
    """
    version: int = connection.execute("PRAGMA user_version").get
    newest = migrations()[-1][0]
    said = ""
    if 0 < version < newest:
        kept = _keep(connection, path, version)
        said = f"the journal was brought from schema {version} to {newest}; " + (
            f"as it was before it is kept as {kept.name}"
            if kept is not None
            else "there was no room to keep it as it was before"
        )
    _migrate(connection)
    return said


def _keep(connection: apsw.Connection, path: Path, version: int) -> Path | None:
    """A copy of the journal as it is, in place of earlier ones; None: the disk has no room for it."""
    kept = path.with_name(f"{path.name}{BEFORE}{version:04}")
    size = connection.execute("PRAGMA page_count").get * connection.execute("PRAGMA page_size").get
    if shutil.disk_usage(path.parent).free < size + max(size // 10, _ROOM):
        return None
    part = path.with_name(f".{kept.name}.part")
    for name in (part, part.with_name(f"{part.name}-journal")):
        name.unlink(missing_ok=True)
    try:
        copy = apsw.Connection(str(part))
        try:
            with copy.backup("main", connection, "main") as copying:
                while not copying.done:
                    copying.step(_PAGES)
            copy.execute("PRAGMA journal_mode = delete")
        finally:
            copy.close()
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(kept)
        sync_folder(path.parent)
    except apsw.FullError:
        return None
    finally:
        part.unlink(missing_ok=True)
    for old in path.parent.glob(f"{path.name}{BEFORE}????"):
        if old != kept:
            old.unlink()
    return kept


def _migrate(connection: apsw.Connection, new_epoch: Callable[[], str] = lambda: secrets.token_hex(8)) -> None:
    known = migrations()
    version: int = connection.execute("PRAGMA user_version").get
    with connection:  # all or nothing: a journal is never between two versions of this program
        for number, text in known:
            if number > version:
                connection.execute(text)
                connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (new_epoch(),))
