"""Disks that fail, as SQLite sees them: a VFS over the real one. Become the default VFS of this process with `install`.

A power cut keeps what was synced. What was written and not synced is lost (`keeps="nothing"`), or a random part of it is there, in
blocks of 4 KiB in any order, the last one torn (`keeps="some"`): the worst that a disk without a cache of its own may do.
Names are as unsafe as contents: a file that was made, or deleted, since its folder was last synced is not there, or is there again.
SQLite's unix VFS syncs the folder with the first sync of a journal or write-ahead log, and where a deletion asks for it.
The shared memory of a write-ahead log (`-shm`) is never synced: after a cut it is garbage.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import apsw
import msgspec

BLOCK = 4096
NAME = "lamplighter-faults"


class PowerCut(msgspec.Struct, frozen=True, tag="cut"):
    """The power fails at the n-th write or sync. `files`: only those whose name ends so are counted; all are cut.

    `fails`: the so manieth sync of those files gives EIO, and what it had to sync is lost as Linux loses it: the process, and every
    later one, reads it until the power is cut, and no later sync brings it to the disk unless it is written anew.
    """

    at: int
    on: Literal["write", "sync"] = "write"
    keeps: Literal["nothing", "some"] = "nothing"
    seed: int = 0
    files: str = ""
    fails: int = 0


class Refuses(msgspec.Struct, frozen=True, tag="refuses"):
    """From the n-th write or sync on (`times` of them; 0: all) the disk says ENOSPC or EIO; with `while_exists` only while that file is there."""

    code: Literal["ENOSPC", "EIO"]
    on: Literal["write", "sync"] = "write"
    at: int = 1
    times: int = 0
    while_exists: str = ""
    files: str = ""


class Slow(msgspec.Struct, frozen=True, tag="slow"):
    """Each sync takes so long."""

    sync_s: float


Disk = PowerCut | Refuses | Slow


class _Unsynced(NamedTuple):
    """One write (`data`) or truncation (`data` is None, `offset` the new size) since the last sync."""

    offset: int
    data: bytes | None


class _Content:
    """One file as its process sees it, and what of that is not synced. Shared by all handles of the file."""

    def __init__(self, path: str) -> None:
        self.path = path
        there = Path(path).exists() if path else False
        self.image = bytearray(Path(path).read_bytes() if there else b"")
        self.unsynced: list[_Unsynced] = []
        self.named = there
        """Its name is on disk, too."""

    def write(self, data: bytes, offset: int) -> None:
        if len(self.image) < offset:
            self.image.extend(bytes(offset - len(self.image)))
        self.image[offset : offset + len(data)] = data
        self.unsynced.append(_Unsynced(offset, bytes(data)))

    def truncate(self, size: int) -> None:
        del self.image[size:]
        self.unsynced.append(_Unsynced(size, None))

    def sync(self) -> None:
        self._to_disk(self.unsynced)
        self.unsynced = []

    def cut(self, chance: random.Random) -> None:
        """Some blocks of what is not synced reach the disk, in any order; the last of them is torn."""
        blocks: list[_Unsynced] = []
        for offset, data in self.unsynced:
            if data is None:
                blocks.append(_Unsynced(offset, None))
                continue
            start = 0
            while start < len(data):
                end = min(len(data), start + BLOCK - (offset + start) % BLOCK)
                blocks.append(_Unsynced(offset + start, data[start:end]))
                start = end
        kept = [block for block in blocks if chance.random() < 0.5]
        chance.shuffle(kept)
        if kept and kept[-1].data:
            offset, data = kept[-1]
            assert data is not None
            kept[-1] = _Unsynced(offset, data[: chance.randrange(len(data))])
        self._to_disk(kept)

    def _to_disk(self, what: list[_Unsynced]) -> None:
        if not what:
            return
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            for offset, data in what:
                if data is None:
                    os.ftruncate(descriptor, offset)
                else:
                    os.pwrite(descriptor, data, offset)
        finally:
            os.close(descriptor)


class Counted:
    """How often the disk was written and synced so far, over all files that count."""

    def __init__(self) -> None:
        self.write = self.sync = 0


class FaultyVfs(apsw.VFS):
    """The default VFS of a process whose disk fails as `disk` says.

    Args:
        disk: how.
        die: what a power cut does once the disk is as it is to be found; the default ends the process at once. It does not come back.
    """

    def __init__(self, disk: Disk, die: Callable[[], None] | None = None) -> None:
        self.disk = disk
        self.counted = Counted()
        self.contents: dict[str, _Content] = {}
        self.deleted: dict[str, bytes] = {}
        """What lay on disk under names whose deletion is not on disk."""
        self.dead = False
        self._die = die or (lambda: os.kill(os.getpid(), signal.SIGKILL))
        super().__init__(NAME, "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path and isinstance(self.disk, PowerCut):
            return _CutFile(self, path, name, flags)
        return _File(self, path or "", name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        path = Path(filename)
        content = self.contents.pop(filename, None)
        if isinstance(self.disk, PowerCut) and path.exists() and (content is None or content.named):
            self.deleted[filename] = path.read_bytes()
        super().xDelete(filename, syncdir)
        if syncdir:
            self.folder_synced(path.parent)

    def folder_synced(self, folder: Path) -> None:
        """The names in a folder are on disk as they are."""
        for path, content in list(self.contents.items()):
            if Path(path).parent == folder:
                content.named = True
        for path in [path for path in self.deleted if Path(path).parent == folder]:
            del self.deleted[path]

    def happens(self, on: Literal["write", "sync"], path: str) -> None:
        """A write or sync is asked for: the place where the disk fails."""
        disk = self.disk
        if isinstance(disk, Slow):
            if on == "sync":
                time.sleep(disk.sync_s)
            return
        if not path.endswith(disk.files):
            return
        setattr(self.counted, on, getattr(self.counted, on) + 1)
        count = getattr(self.counted, on)
        if isinstance(disk, PowerCut):
            if on == "sync" and count == disk.fails:
                self.contents[path].unsynced = []
                raise apsw.IOError(os.strerror(errno.EIO))
            if on == disk.on and count == disk.at:
                self.cut()
        elif disk.on == on and disk.at <= count and (not disk.times or count < disk.at + disk.times):
            if disk.while_exists and not Path(disk.while_exists).exists():
                return
            if disk.code == "ENOSPC":
                raise apsw.FullError(os.strerror(errno.ENOSPC))
            raise apsw.IOError(os.strerror(errno.EIO))

    def cut(self) -> None:
        """The power fails now."""
        assert isinstance(self.disk, PowerCut)
        self.dead = True
        try:
            self._leave()
        finally:
            self._die()
        while True:  # a signal takes a moment; nothing goes on meanwhile
            time.sleep(1)

    def _leave(self) -> None:
        """Make the files as they are found when the power is back."""
        assert isinstance(self.disk, PowerCut)
        chance = random.Random(self.disk.seed)
        some = self.disk.keeps == "some"
        for path, content in list(self.contents.items()):
            if some:
                content.cut(chance)
            if not content.named and not (some and chance.random() < 0.5):
                Path(path).unlink(missing_ok=True)
        for path, data in list(self.deleted.items()):
            if not Path(path).exists() and (not some or chance.random() < 0.5):
                Path(path).write_bytes(data)
        for path in list(self.contents):
            shared = Path(f"{path.removesuffix('-wal')}-shm")
            if shared.exists():
                with shared.open("r+b") as file:  # the same file: who still has it mapped reads garbage, too
                    file.write(chance.randbytes(shared.stat().st_size))


class _File(apsw.VFSFile):
    def __init__(self, vfs: FaultyVfs, path: str, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._vfs, self._path = vfs, path

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._vfs.happens("write", self._path)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._vfs.happens("sync", self._path)
        super().xSync(flags)


class _CutFile(apsw.VFSFile):
    """A file whose writes stay in memory until they are synced."""

    def __init__(self, vfs: FaultyVfs, path: str, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        existed = Path(path).exists()
        super().__init__("unix", name, flags)
        self._vfs = vfs
        if flags[0] & apsw.SQLITE_OPEN_DELETEONCLOSE:
            self._content = _Content("")
        else:
            if path not in vfs.contents:
                vfs.contents[path] = _Content(path)
                vfs.contents[path].named = existed
            self._content = vfs.contents[path]
        self._journals = bool(flags[0] & (apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL))

    def _alive(self) -> None:
        while self._vfs.dead:  # the power is off: whoever comes here comes no further
            time.sleep(1)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._alive()
        return bytes(self._content.image[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._alive()
        self._content.write(data, offset)
        self._vfs.happens("write", self._content.path)
        self._alive()

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._alive()
        self._content.truncate(size)

    def xFileSize(self) -> int:  # noqa: N802
        self._alive()
        return len(self._content.image)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._alive()
        self._vfs.happens("sync", self._content.path)
        self._alive()
        self._content.sync()
        if self._journals:
            self._vfs.folder_synced(Path(self._content.path).parent)


def install(disk: Disk) -> FaultyVfs:
    """Let every database that this process opens from now on lie on such a disk."""
    return FaultyVfs(disk)
