"""How the gateway itself is: its journal, disk, memory and queues. Asked by the health page; nothing here grows with the journal."""

from __future__ import annotations

import contextlib
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import apsw
import msgspec

from gateway.instants import Duration, Instant
from gateway.journal.reader import Reader
from gateway.journal.retention import KEPT_FROM
from gateway.journal.store import FILE

COUNTED = 10_000
"""What waits is counted up to so many."""

_WAITING = """SELECT count(*), min(created) FROM (
SELECT created FROM notice WHERE next_try IS NOT NULL ORDER BY next_try LIMIT ?)"""
_DEAD = "SELECT count(*) FROM (SELECT 1 FROM dead_letter LIMIT ?)"
_FIRST = "SELECT received FROM log WHERE seq > ? ORDER BY seq LIMIT 1"


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """What still has to be delivered: how many at most (10,000: or more), and since when the oldest waits."""

    name: str
    waiting: int
    oldest: Instant | None


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """How the gateway is. Sizes in bytes; instants in µs since 1970 UTC.

    Args:
        started: the journal's first start; `up_since`: this one's.
        journal_bytes: the journal's file with its write-ahead log.
        rows: the highest number of a row.
        commits: since this start; `last_commit`: the time of the last one.
        memory_bytes: resident; None: this system does not say.
        kept_from: evidence from then on is there; None: all of it.
        retain: for how long evidence is kept.
        snapshot_at: when the state of the judge was last stored, `snapshot_rows` rows ago.
        dead_letters: what a receiver refused for good (10,000: or more).
    """

    started: Instant
    up_since: Instant
    journal_bytes: int
    disk_free: int
    disk_total: int
    rows: int
    commits: int
    last_commit: Instant | None
    memory_bytes: int | None
    kept_from: Instant | None
    retain: Duration
    snapshot_at: Instant | None
    snapshot_rows: int
    snapshot_bytes: int
    dead_letters: int
    queues: tuple[Queue, ...]
    versions: dict[str, str]


async def queues(reader: Reader, rows: int) -> tuple[Queue, ...]:
    """Notices that wait to be sent, and rows of the log that a delivery has not got yet."""
    [(waiting, oldest)] = await reader.query(_WAITING, (COUNTED,))
    found = [Queue(name="notices", waiting=waiting, oldest=oldest)]
    for name, seq in await reader.query("SELECT name, seq FROM cursor ORDER BY name"):
        first = await reader.query(_FIRST, (seq,))
        behind = max(0, rows - seq) if first else 0
        found.append(Queue(name=name, waiting=min(behind, COUNTED), oldest=first[0][0] if first else None))
    return tuple(found)


async def stored(reader: Reader, rows: int) -> dict[str, Any]:
    """What the journal says of itself."""
    snapshot = await reader.query("SELECT at, seq, length(state) FROM snapshot ORDER BY seq DESC LIMIT 1")
    kept = await reader.query("SELECT value FROM meta WHERE key = ?", (KEPT_FROM,))
    [(dead,)] = await reader.query(_DEAD, (COUNTED,))
    at, seq, size = snapshot[0] if snapshot else (None, rows, 0)
    return {
        "snapshot_at": at,
        "snapshot_rows": max(0, rows - seq),
        "snapshot_bytes": size,
        "kept_from": int(kept[0][0]) if kept else None,
        "dead_letters": dead,
        "queues": await queues(reader, rows),
    }


def disk(folder: Path) -> dict[str, int]:
    """The journal's size and the room that is left for it."""
    size = 0
    for name in (FILE, f"{FILE}-wal"):
        with contextlib.suppress(OSError):
            size += (folder / name).stat().st_size
    usage = shutil.disk_usage(folder)
    return {"journal_bytes": size, "disk_free": usage.free, "disk_total": usage.total}


def memory() -> int | None:
    """Resident memory of this process (Linux, proc(5)); None where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return None


def versions() -> dict[str, str]:
    """Of this program and what it stands on."""
    found = {"Python": platform.python_version(), "SQLite": apsw.sqlite_lib_version(), "APSW": apsw.apsw_version()}
    with contextlib.suppress(PackageNotFoundError):
        found = {"Lamplighter": version("lamplighter"), **found}
    return found
