"""Checkpoints: from time to time the chain's root is signed, kept in the journal, and written down elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, time, timedelta, tzinfo
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from gateway.instants import DAY, SECOND, Instant, instant, moment
from gateway.journal.merkle import Tree
from gateway.journal.notes import Key, PublicKey, SigningError, read_note, text_of
from gateway.journal.reader import Reader
from gateway.journal.signer import Counter
from gateway.whole_file import make_folder, sync_folder, write_whole

KEYS = "keys"
KEY_FILE = "checkpoint.key"
PUBLIC_FILE = "checkpoint.pub"
"""Beside the journal, whatever the private key's path is: one verifier key a line, the newest last."""

Reason = Literal["start", "time", "report", "asked"]
Write = Callable[[list[tuple[str, tuple[Any, ...]]]], Awaitable[object]]

_AGAIN_S = 60.0
_LEAVES = 5000
"""Read at once for a signer."""
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
    """`at`: clock times of `zone`; `to`: a file that every checkpoint is appended to; `key`: where the private key is.

    `signer`: the socket of the process that has the key instead.
    """

    at: Sequence[time]
    zone: tzinfo
    to: Path | None
    key: Path
    signer: Path | None = None


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
        self._counter = Counter(settings.signer, origin) if settings.signer is not None else None
        self._key: Key | None = None
        self._told: PublicKey | None = None
        self._making = asyncio.Lock()

    async def make(self, reason: Reason) -> Checkpoint:
        """Sign the chain as it is on disk now. Where nothing came since the last one, that one is given.

        Raises:
            SigningError: the key cannot be read.
            JournalError: the disk failed.
        """
        async with self._making:
            try:
                return await self._make(reason)
            except SigningError as error:
                self._problem(f"no checkpoint can be signed: {error}")
                raise

    async def _make(self, reason: Reason) -> Checkpoint:
        await self._opened()
        await self._commit()
        size, peaks = (await self._reader.query("SELECT size, peaks FROM chain"))[0]
        last = await self.latest()
        if last is not None and size == last.size + 1:  # nothing but that checkpoint's own row
            self._problem(await self._write_down())
            return last
        root = Tree.unpack(size, peaks).root()
        at, note = await self._signed(size, root)
        self._append("checkpoint", at, size, root, reason, note)
        await self._commit()
        self._problem(await self._write_down())
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
        return str(await self._opened())

    async def run(self) -> None:
        """Make them at their times until cancelled; what fails is told, and tried again."""
        last = await self.latest()
        reason: Reason | None = None
        if last is None or last.note.partition("\n")[0] != self._origin:
            reason = "start"
        due = self.due(self._now())
        while True:
            now = self._now()
            if now >= due:
                reason, due = "time", self.due(now)
            if reason is not None:
                with contextlib.suppress(SigningError):
                    await self.make(reason)
                    reason = None
            await asyncio.sleep(min(max(due - now, 0) / SECOND, _AGAIN_S))

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

    async def _signed(self, size: int, root: bytes) -> tuple[Instant, str]:
        """The note, and its time: the signer's own, if there is one."""
        if self._counter is not None:
            note = await self._counter.sign(size, root, self._leaves)
            return read_note(note).at or self._now(), note
        assert self._key is not None
        at = self._now()
        return at, self._key.sign(text_of(self._origin, size, root, at))

    async def _leaves(self, first: int, end: int) -> AsyncIterator[bytes]:
        sql = "SELECT hash FROM leaf WHERE number >= ? AND number < ? ORDER BY number"
        for start in range(first, end, _LEAVES):
            yield b"".join(row[0] for row in await self._reader.query(sql, (start, min(start + _LEAVES, end))))

    async def _opened(self) -> PublicKey:
        """The key that signs; a new one is told first."""
        if self._counter is not None:
            key = await self._counter.public()
        else:
            if self._key is None:
                name = self._origin.rpartition("/")[0]
                self._key = await asyncio.to_thread(Key.open, self._settings.key, name)
            key = self._key.public
        if key != self._told:
            public = str(key)
            told = await self._reader.query("SELECT value FROM meta WHERE key = 'checkpoint_key'")
            if not told or told[0][0] != public:
                await asyncio.to_thread(self._publish, public)
                told_now = ("INSERT OR REPLACE INTO meta VALUES ('checkpoint_key', ?)", (public,))
                await self._write([(_KEY_TOLD, (self._now(), public)), told_now])
            self._told = key
        return key

    def _publish(self, public: str) -> None:
        path = self._data / KEYS / PUBLIC_FILE
        make_folder(path.parent, mode=0o700)
        known = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        if public not in known:
            write_whole(path, "".join(f"{line}\n" for line in (*filter(None, known), public)).encode())

    async def _write_down(self) -> str:
        """Append what is not yet in the file elsewhere; what is in the way: the next checkpoint tries again."""
        path = self._settings.to
        if path is None:
            return ""
        cursor = await self._reader.cursor(_CURSOR)
        rows = await self._reader.query("SELECT seq, note FROM checkpoint WHERE seq > ? ORDER BY seq", (cursor,))
        if not rows:
            return ""
        try:
            await asyncio.to_thread(_append_synced, path, "".join(f"{row[1]}\n" for row in rows))
        except OSError as error:
            return f"checkpoints cannot be written to {path}: {error.strerror or error}"
        await self._write([("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (_CURSOR, rows[-1][0]))])
        return ""


def settings(
    at: Sequence[time], zone: tzinfo, data: Path, *, to: str | None, key: str | None, signer: str | None = None
) -> Settings:
    """Paths that are not absolute are taken from the data folder on."""
    return Settings(
        at=at,
        zone=zone,
        to=None if to is None else data / to,
        key=data / KEYS / KEY_FILE if key is None else data / key,
        signer=None if signer is None else data / signer,
    )


def _append_synced(path: Path, text: str) -> None:
    """Append; what a full disk or a power cut left of an earlier attempt is ended first, so that it spoils nothing behind it."""
    made = not path.exists()
    with path.open("a+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 2, 0))
        torn = size > 0 and not file.read().endswith(b"\n\n")
        file.write(b"\n\n" * torn + text.encode())
        file.flush()
        os.fsync(file.fileno())
    if made:
        sync_folder(path.parent)


def _checkpoint(row: Sequence[Any]) -> Checkpoint:
    return Checkpoint(at=row[0], size=row[1], root=row[2], reason=row[3], note=row[4])
