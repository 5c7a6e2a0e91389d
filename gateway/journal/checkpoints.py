"""Checkpoints: from time to time the chain's root is signed, kept in the journal, and written down elsewhere."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, time, timedelta, tzinfo
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from gateway.instants import DAY, SECOND, Instant, instant, moment
from gateway.journal.merkle import Tree
from gateway.journal.notes import Key, text_of
from gateway.journal.reader import Reader

KEYS = "keys"
KEY_FILE = "checkpoint.key"
PUBLIC_FILE = "checkpoint.pub"
"""Beside the journal, whatever the private key's path is: one verifier key a line, the newest last."""

Reason = Literal["start", "time", "report", "asked"]
Write = Callable[[list[tuple[str, tuple[Any, ...]]]], Awaitable[None]]

_AGAIN_S = 60.0
_KEY_TOLD = (
    "INSERT INTO audit (at, who, address, action, subject, outcome, detail) "
    "VALUES (?, 'gateway', 'local', 'checkpoint.key', ?, 'done', '')"
)
_CURSOR = "checkpoints"
_LATEST = "SELECT at, size, root, reason, note FROM checkpoint ORDER BY seq DESC LIMIT 1"


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The chain up to `size` rows at one instant. `note`: signed, as it is to be printed, sent and kept elsewhere."""

    at: Instant
    size: int
    root: bytes
    reason: str
    note: str


class Settings(NamedTuple):
    """`at`: clock times of `zone`; `to`: a file that every checkpoint is appended to; `key`: where the private key is."""

    at: Sequence[time]
    zone: tzinfo
    to: Path | None
    key: Path


class Checkpoints:
    """Makes the checkpoints of one journal.

    Args:
        origin: what the journal is called in them.
        data: the data folder.
        settings: when and where.
        reader, write: of the journal.
        append: adds a row to the batch that gathers; `commit` returns once it is on disk.
        now: the wall clock.
        problem: told what a person should know (empty: all is well).
    """

    def __init__(
        self,
        origin: str,
        data: Path,
        settings: Settings,
        *,
        reader: Reader,
        write: Write,
        append: Callable[..., int],
        commit: Callable[[], Awaitable[None]],
        now: Callable[[], Instant],
        problem: Callable[[str], None],
    ) -> None:
        self._origin = origin
        self._data = data
        self._settings = settings
        self._reader = reader
        self._write = write
        self._append = append
        self._commit = commit
        self._now = now
        self._problem = problem
        self._key: Key | None = None
        self._making = asyncio.Lock()

    async def make(self, reason: Reason) -> Checkpoint:
        """Sign the chain as it is on disk now. Where nothing came since the last one, that one is given.

        Raises:
            SigningError: the key cannot be read.
            JournalError: the disk failed.
        """
        async with self._making:
            key = await self._opened()
            await self._commit()
            size, peaks = (await self._reader.query("SELECT size, peaks FROM chain"))[0]
            last = await self.latest()
            if last is not None and size == last.size + 1:  # nothing but that checkpoint's own row
                return last
            at, root = self._now(), Tree.unpack(size, peaks).root()
            note = key.sign(text_of(self._origin, size, root, at))
            self._append("checkpoint", at, size, root, reason, note)
            await self._commit()
            await self._write_down()
            return Checkpoint(at=at, size=size, root=root, reason=reason, note=note)

    async def latest(self) -> Checkpoint | None:
        """The newest one."""
        rows = await self._reader.query(_LATEST)
        return _checkpoint(rows[0]) if rows else None

    async def page(self, before: int | None, limit: int) -> list[tuple[int, Checkpoint]]:
        """Checkpoints with a `seq` below `before`, newest first, with their `seq`."""
        sql = "SELECT at, size, root, reason, note, seq FROM checkpoint WHERE seq < ? ORDER BY seq DESC LIMIT ?"
        rows = await self._reader.query(sql, (1 << 62 if before is None else before, limit))
        return [(row[5], _checkpoint(row)) for row in rows]

    async def public_key(self) -> str:
        """The verifier key of what is signed now.

        Raises:
            SigningError: the key cannot be read.
        """
        return str((await self._opened()).public)

    async def run(self) -> None:
        """Make them at their times until cancelled; what fails is told, and tried again."""
        last = await self.latest()
        if last is None or last.note.partition("\n")[0] != self._origin:
            await self.make("start")
        while True:
            now = self._now()
            due = self.due(now)
            await asyncio.sleep(min((due - now) / SECOND, _AGAIN_S))
            if self._now() >= due:
                await self.make("time")

    def due(self, now: Instant) -> Instant:
        """The next time after `now`."""
        zone = self._settings.zone
        today = moment(now, zone).date()
        times = (
            instant(moment(0, zone).combine(today + timedelta(days=days), clock, tzinfo=zone).astimezone(UTC))
            for days in (0, 1)
            for clock in self._settings.at
        )
        return min((at for at in times if at > now), default=now + DAY)

    async def _opened(self) -> Key:
        if self._key is None:
            key = await asyncio.to_thread(Key.open, self._settings.key, self._origin.rpartition("/")[0])
            public = str(key.public)
            told = await self._reader.query("SELECT value FROM meta WHERE key = 'checkpoint_key'")
            if not told or told[0][0] != public:
                await asyncio.to_thread(self._publish, public)
                told_now = ("INSERT OR REPLACE INTO meta VALUES ('checkpoint_key', ?)", (public,))
                await self._write([(_KEY_TOLD, (self._now(), public)), told_now])
            self._key = key
        return self._key

    def _publish(self, public: str) -> None:
        path = self._data / KEYS / PUBLIC_FILE
        path.parent.mkdir(mode=0o700, exist_ok=True)
        known = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if public not in known:
            _append_synced(path, public + "\n")

    async def _write_down(self) -> None:
        """Append what is not yet in the file elsewhere; where that fails, the next checkpoint tries again."""
        path = self._settings.to
        if path is None:
            return
        cursor = await self._reader.cursor(_CURSOR)
        rows = await self._reader.query("SELECT seq, note FROM checkpoint WHERE seq > ? ORDER BY seq", (cursor,))
        try:
            await asyncio.to_thread(_append_synced, path, "".join(f"{row[1]}\n" for row in rows))
        except OSError as error:
            self._problem(f"checkpoints cannot be written to {path}: {error.strerror or error}")
            return
        await self._write([("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (_CURSOR, rows[-1][0]))])
        self._problem("")


def settings(at: Sequence[time], zone: tzinfo, data: Path, *, to: str | None, key: str | None) -> Settings:
    """Paths that are not absolute are taken from the data folder on."""
    return Settings(
        at=at,
        zone=zone,
        to=None if to is None else data / to,
        key=data / KEYS / KEY_FILE if key is None else data / key,
    )


def _append_synced(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _checkpoint(row: Sequence[Any]) -> Checkpoint:
    return Checkpoint(at=row[0], size=row[1], root=row[2], reason=row[3], note=row[4])
