"""Files that appear whole and stay: neither a kill nor a power cut nor a full disk leaves one empty, torn or half under its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A file to be written, which takes its name only once all of it is on disk; what stood under that name stands until then.

    Args:
        path: its name. Until then it is `.NAME.part` beside it; one that a kill left there is written over.
        mode: who may use it, less the umask.

    Raises:
        OSError: it cannot be written; the name is as it was.
    """
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_whole(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write all of a file at once; on disk when this returns.

    Raises:
        OSError: it cannot be written; the name is as it was.
    """
    with whole_file(path, mode=mode) as file:
        file.write(data)


def make_folder(path: Path, *, mode: int = 0o777) -> None:
    """Make a folder, and those above it, unless it is there; its name is on disk when this returns.

    Raises:
        OSError: it cannot be made.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(mode=mode, exist_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """The names in a folder, as they are now, are on disk when this returns."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
