"""A hot copy of the journal, and a journal made of one.

The copy is one file, whole at one instant, taken while the gateway writes. A restored journal has a new epoch: what left the site under
the old one (row numbers, checkpoints) is not taken for its own (DESIGN.md, Beyond one site).
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import apsw

from gateway.errors import JournalError
from gateway.instants import Instant
from gateway.journal.chain import begin, extend
from gateway.journal.store import FILE, connect_snapshot, in_use, lock, migrations
from gateway.journal.verification import Checked, NotChainedError, verify
from gateway.whole_file import make_folder, sync_folder

_PAGES = 2000
"""Copied in one go, 8 MiB; between them the progress is told."""
_PART = ".part"

Progress = Callable[[int, int], None]


def _silent(_done: int, _all: int) -> None:
    pass


class Backup(NamedTuple):
    """A copy that was made: where, its bytes, the rows of its log, and the instant up to which it knows everything."""

    path: Path
    size: int
    rows: int
    until: Instant


class Restored(NamedTuple):
    """A journal that was made of a copy: where, its new epoch, up to when it knows everything, and whether its chain is whole."""

    path: Path
    epoch: str
    until: Instant
    checked: Checked | None


def backup(data: Path, target: Path, progress: Progress = _silent) -> Backup:
    """Copy the journal of a data folder to the file `target`, also while a gateway writes it.

    The copy appears under its name only once it is whole, checked and on disk.

    Args:
        progress: told of pages done and of all.

    Raises:
        JournalError: there is no journal, `target` exists or cannot be written, or the copy is not whole.
    """
    source = data / FILE
    if not source.is_file():
        raise JournalError(f"there is no journal in {data}; give its folder with --data")
    if target.exists():
        raise JournalError(f"{target} exists already; nothing is written over it")
    part = target.with_name(target.name + _PART)
    try:
        _clear(part)
        _copy(source, part, progress)
        found = _look(part)
        part.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise JournalError(f"cannot write {target}: {error.strerror or error}") from error
    except apsw.FullError as error:
        raise JournalError(f"no space left for {target}") from error
    except apsw.Error as error:
        raise JournalError(f"cannot copy {source} to {target}: {error}") from error
    finally:
        _clear(part)
    return Backup(target, target.stat().st_size, *found)


def restore(source: Path, data: Path, now: Instant, *, check: bool = True, progress: Progress = _silent) -> Restored:
    """Make the journal of an empty data folder of a copy, or of the journal of a machine that is no more.

    Args:
        now: for the audit history.
        check: recompute the chain of the copy first.
        progress: told of leaves checked and of all.

    Raises:
        JournalError: the copy is damaged or from a newer version, or the folder has a journal or is in use.
    """
    target = data / FILE
    if not source.is_file():
        raise JournalError(f"there is no file {source}")
    if target.exists() or in_use(data):
        raise JournalError(
            f"{data} has a journal already, which is never overwritten: stop the gateway and move the folder away, or choose another with --data"
        )
    for rest in (f"{FILE}-wal", f"{FILE}-journal"):
        if (data / rest).exists():
            raise JournalError(
                f"{data} has the {rest} of another journal, whose rows would be mixed in: move it away, or choose another folder with --data"
            )
    part = target.with_name(FILE + _PART)
    held = None
    try:
        make_folder(data, mode=0o700)
        held = lock(data)  # no gateway begins a journal here meanwhile
        _clear(part)
        _take_over(source.resolve(), part)
        _, until = _look(part)
        checked = _checked(part, progress) if check else None
        if checked is not None and not checked.intact:
            fault = checked.faults[0]
            raise JournalError(
                f"{source} is not as it was written ({fault.text}). To use it all the same, say --no-verify"
            )
        epoch = _renew(part, now, source.name)
        _sync(part)
        part.replace(target)
        sync_folder(data)
    except OSError as error:
        raise JournalError(f"cannot write into {data}: {error.strerror or error}") from error
    except (apsw.FullError, apsw.IOError) as error:
        raise JournalError(f"cannot write into {data}: {error}") from error
    except apsw.Error as error:
        raise JournalError(f"{source} is no copy of a journal, or is damaged: {error}") from error
    finally:
        if held is not None:
            _clear(part)
            held.close()
    return Restored(target, epoch, until, checked)


def _clear(part: Path) -> None:
    """Take away what is half, and a rollback journal beside it, which would be played into whatever comes under that name next."""
    for beside in ("", "-journal", "-wal", "-shm"):
        part.with_name(part.name + beside).unlink(missing_ok=True)


def _take_over(source: Path, part: Path) -> None:
    """Copy the file, with what a gateway that was cut off has left in the write-ahead log beside it; nothing is written there."""
    wal = source.with_name(f"{source.name}-wal")
    if not wal.exists():
        shutil.copyfile(source, part)
        return
    if _used(source.parent):
        raise JournalError(f"a gateway is writing {source}: copy it with `lamplighter backup`, and restore the copy")
    shutil.copyfile(source, part)
    shutil.copyfile(wal, part.with_name(f"{part.name}-wal"))
    with closing(apsw.Connection(str(part))) as connection:
        connection.execute("PRAGMA journal_mode = delete")


def _used(folder: Path) -> bool:
    try:
        return in_use(folder)
    except OSError:  # what cannot be written nobody writes
        return False


def _copy(source: Path, part: Path, progress: Progress) -> None:
    reading = connect_snapshot(source)
    writing = apsw.Connection(str(part))
    try:
        with reading:  # one view of the journal throughout: what is written meanwhile does not begin the copy anew
            reading.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            with writing.backup("main", reading, "main") as copying:
                while not copying.done:
                    copying.step(_PAGES)
                    progress(copying.page_count - copying.remaining, copying.page_count)
        writing.execute("PRAGMA journal_mode = delete")  # one file, nothing beside it
    finally:
        writing.close()
        reading.close()
    _sync(part)


def _look(part: Path) -> tuple[int, Instant]:
    """The rows of the log and the instant up to which a copy knows everything; raises if it is not whole."""
    connection = apsw.Connection(str(part), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        wrong = connection.execute("PRAGMA quick_check(1)").get
        if wrong != "ok":
            raise JournalError(f"{part.name.removesuffix(_PART)} is damaged: {wrong}")
        version, newest = connection.execute("PRAGMA user_version").get, migrations()[-1][0]
        if version > newest:
            raise JournalError(
                f"the copy has schema {version}, this version knows {newest}: install the version that wrote it, or newer"
            )
        until = connection.execute("SELECT value FROM meta WHERE key = 'advanced'").get or 0
        return connection.execute("SELECT count(*) FROM log").get, int(until)
    finally:
        connection.close()


def _checked(part: Path, progress: Progress) -> Checked | None:
    connection = apsw.Connection(str(part), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return verify(connection, progress=progress)
    except NotChainedError:
        return None  # from before the chain
    finally:
        connection.close()


def _renew(part: Path, now: Instant, name: str) -> str:
    connection = apsw.Connection(str(part))
    epoch = secrets.token_hex(8)
    try:
        connection.execute("PRAGMA synchronous = full")
        chained = connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'chain')").get
        with connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (epoch,))
            connection.execute(
                "INSERT INTO audit (at, who, address, action, subject, outcome, detail) "
                "VALUES (?, 'gateway', 'local', 'journal.restore', ?, 'done', ?)",
                (now, epoch, name[:200]),
            )
            if chained:
                extend(connection, ("audit",))
        if chained:
            begin(connection, epoch, now)
    finally:
        connection.close()
    return epoch


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
