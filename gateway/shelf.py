"""What is finished and asked for at the end only: in memory while it is little, then in a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from typing import IO, Any, Generic, NoReturn, TypeVar

import msgspec

from device_drivers.errors import LamplighterError

T = TypeVar("T", bound=msgspec.Struct)

_IN_MEMORY = 1 << 20
_SIZE_BITS = 32
_TOGETHER = 1000
"""Things in an order of their own that are in memory at most."""


class Shelf(Generic[T]):
    """Things by name, in the order in which they were put away.

    Args:
        kind: of what they are.
        in_memory: bytes beyond which they go to a file.

    Raises:
        LamplighterError: (`put`) there is no room for it.
    """

    def __init__(self, kind: type[T], in_memory: int | None = None) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(kind).decode
        self._file = tempfile.SpooledTemporaryFile(max_size=in_memory or _IN_MEMORY, prefix="lamplighter-")  # noqa: SIM115 - as long as this lives
        self._end = 0
        self._places: dict[str, int] = {}

    def put(self, name: str, thing: T) -> None:
        """Put away under a name that is not here yet."""
        data = self._encode(thing)
        try:
            self._file.seek(self._end)
            self._file.write(data)
        except OSError as error:
            no_room(error)
        self._places[name] = self._end << _SIZE_BITS | len(data)
        self._end += len(data)

    def get(self, name: str) -> T | None:
        """What was put away under a name."""
        place = self._places.get(name)
        if place is None:
            return None
        self._file.seek(place >> _SIZE_BITS)
        return self._decode(self._file.read(place & ((1 << _SIZE_BITS) - 1)))

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __len__(self) -> int:
        return len(self._places)

    def names(self) -> list[str]:
        """All names."""
        return list(self._places)

    def __iter__(self) -> Iterator[T]:
        for name in self.names():
            thing = self.get(name)
            assert thing is not None
            yield thing


class Sorted(Generic[T]):
    """Things in an order of their own; of equal ones those first that were put away first.

    Args:
        kind: of what they are.
        order: what they are ordered by.

    Raises:
        LamplighterError: (`put`) there is no room for them.
    """

    def __init__(self, kind: type[T], order: Callable[[T], Any]) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(kind).decode
        self._order = order
        self._here: list[T] = []
        self._file: IO[bytes] | None = None
        self._ends = [0]
        """Where in the file each piece that is in order ends, and the next begins."""

    def put(self, thing: T) -> None:
        """Put away one more."""
        self._here.append(thing)
        if len(self._here) >= _TOGETHER:
            self._write()

    def _write(self) -> None:
        self._here.sort(key=self._order)
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="lamplighter-")  # noqa: SIM115 - as long as this lives
            self._file.seek(self._ends[-1])
            self._file.writelines(self._encode(thing) + b"\n" for thing in self._here)
            self._file.flush()
            self._ends.append(self._file.tell())
        except OSError as error:
            no_room(error)
        self._here.clear()

    def among(self, others: Iterable[T]) -> Iterator[T]:
        """All of them and others, one by one; of equal ones the others last."""
        pieces = map(self._piece, self._ends, self._ends[1:])
        return merge(*pieces, sorted(self._here, key=self._order), sorted(others, key=self._order), key=self._order)

    def _piece(self, start: int, end: int) -> Iterator[T]:
        assert self._file is not None
        while start < end:
            self._file.seek(start)
            line = self._file.readline()
            start += len(line)
            yield self._decode(line)


def no_room(error: OSError) -> NoReturn:
    """Say what to do where the temporary files do not fit."""
    raise LamplighterError(
        f"{tempfile.gettempdir()}: {error.strerror}; a long evidence file is sorted there: make room, or name another folder in TMPDIR"
    ) from error
