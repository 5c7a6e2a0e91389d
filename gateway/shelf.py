"""What is finished and asked for at the end only: in memory while it is little, then in a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Generic, NoReturn, TypeVar

import msgspec

from device_drivers.errors import LamplighterError

T = TypeVar("T", bound=msgspec.Struct)

_IN_MEMORY = 1 << 20
_SIZE_BITS = 32


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


def no_room(error: OSError) -> NoReturn:
    """Say what to do where the temporary files do not fit."""
    raise LamplighterError(
        f"{tempfile.gettempdir()}: {error.strerror}; a long evidence file is sorted there: make room, or name another folder in TMPDIR"
    ) from error
