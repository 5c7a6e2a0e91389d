"""A stream of frames that are known by their length and checksum: cut by a Hunter, read one by one, given up in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from device_drivers.driver import Reading, Reject
from device_drivers.hunt import Hunter

SILENCE = timedelta(seconds=1)
"""After a longer pause an unfinished frame is given up: a stray first byte must not swallow the tap that comes an hour later."""

Read = Callable[[bytes, datetime], Iterable[Reading | Reject]]


class FramedDecoder:
    """A `StreamDecoder` of one line.

    Args:
        hunter: cuts the frames.
        read: what one whole frame brings; raises ValueError (its text is the reason) where it is a frame and yet wrong.
        padding: bytes that may stand between frames and say nothing.
        silence: after a longer pause what has begun is given up.
    """

    def __init__(self, hunter: Hunter, read: Read, *, padding: bytes = b"", silence: timedelta = SILENCE) -> None:
        self._hunter = hunter
        self._read = read
        self._padding = padding
        self._silence = silence
        self._latest: datetime | None = None

    def feed(self, data: bytes, received: datetime) -> list[Reading | Reject]:
        """Take the next bytes. Never raises; keeps at most two frames' length; reads the next good frame."""
        latest, self._latest = self._latest, received
        if latest is None or latest == received or timedelta(0) <= received - latest <= self._silence:
            return self._pieces(self._hunter.feed(data), received)
        return self._pieces(self._hunter.flush(), latest) + self._pieces(self._hunter.feed(data), received)

    def reset(self) -> list[Reading | Reject]:
        """The line was cut: what was begun is given up; good frames in it are still read."""
        latest, self._latest = self._latest, None
        return [] if latest is None else self._pieces(self._hunter.flush(), latest)

    def _pieces(self, pieces: list[bytes | Reject], at: datetime) -> list[Reading | Reject]:
        found: list[Reading | Reject] = []
        for piece in pieces:
            if isinstance(piece, Reject):
                if piece.data.strip(self._padding):
                    found.append(piece)
                continue
            try:
                found += self._read(piece, at)
            except ValueError as error:
                found.append(Reject(piece, str(error)))
        return found
