"""The stream of one reader: frames to tag reads, one for each time a tag is held to it."""

from __future__ import annotations

from datetime import datetime, timedelta

from device_drivers.driver import Reading, Reject
from device_drivers.observations import TagRead
from device_drivers.rdm6300.frame import CUT, OUTSIDE, STX, Checksum, piece_end, read_frame

GONE_AFTER = timedelta(milliseconds=300)
"""A tag without a frame for longer than this has left (tag-readers.md, rdm6300, Timing)."""

_MOST_PRESENT = 8
"""Tags that may be in the field at once; a coil reads one, a bunch of keys a few in turn."""

_MOST_FRAMES = 4096
"""Bound of the cache of good frames: more tags than pass one reader in a night."""


class _Presence:
    """A tag in the reader's field: its latest frame, how many came, and the bytes while unconfirmed."""

    __slots__ = ("count", "first", "last", "piece")

    def __init__(self, piece: bytes, at: datetime) -> None:
        self.piece = piece
        self.first = self.last = at
        self.count = 0


class Rdm6300Decoder:
    """One reader's stream.

    Args:
        device: the reader's id.
        checksum: how frames are checked.
        confirm_frames: how many frames of a tag, each within 300 ms of the one before, make a read. What stays below
            is rejected, not dropped.
    """

    def __init__(self, device: str, *, checksum: Checksum = "xor", confirm_frames: int = 1) -> None:
        self._device = device
        self._checksum = checksum
        self._confirm = confirm_frames
        self._rest = b""
        self._tags: dict[bytes, str] = {}
        self._present: dict[str, _Presence] = {}

    def feed(self, data: bytes, received: datetime) -> list[Reading | Reject]:
        """Take the next bytes. A read's `at` is when the chunk with its first frame was received.

        Frames of one tag that follow within 300 ms belong to the read already given. Keeps less than 32 bytes.
        """
        stream = self._rest + data if self._rest else data
        found: list[Reading | Reject] = []
        tags = self._tags
        start, length = 0, len(stream)
        while start < length:
            end = start + 14
            tag = tags.get(stream[start:end])
            if tag is None:
                end = piece_end(stream, start)
                if end < 0:
                    break
                piece = stream[start:end]
                try:
                    tag = read_frame(piece, self._checksum)
                except ValueError as error:
                    if piece.strip(b"\r\n"):  # line ends between frames carry nothing
                        found.append(Reject(piece, str(error)))
                    start = end
                    continue
                self._remember(piece, tag)
            self._seen(tag, stream[start:end], received, found)
            start = end
        self._rest = stream[start:]
        return found

    def reset(self) -> list[Reading | Reject]:
        """The line was cut: an unfinished frame and unconfirmed reads are rejected, tags in the field forgotten."""
        found: list[Reading | Reject] = []
        for presence in self._present.values():
            self._unconfirmed(presence, found)
        self._present.clear()
        if self._rest.strip(b"\r\n"):
            found.append(Reject(self._rest, CUT if self._rest[0] == STX else OUTSIDE))
        self._rest = b""
        return found

    def _remember(self, piece: bytes, tag: str) -> None:
        if len(piece) == 14:
            if len(self._tags) >= _MOST_FRAMES:
                self._tags.clear()
            self._tags[piece] = tag

    def _seen(self, tag: str, piece: bytes, at: datetime, found: list[Reading | Reject]) -> None:
        presence = self._present.get(tag)
        # A clock set back must not swallow a tap: an earlier time is no continuation.
        if presence is None or not presence.last <= at <= presence.last + GONE_AFTER:
            self._leave(at, found)
            presence = self._present[tag] = _Presence(piece, at)
        presence.last = at
        presence.count += 1
        if presence.count == self._confirm:
            found.append(Reading(TagRead(device=self._device, at=presence.first, tag=tag)))

    def _leave(self, at: datetime, found: list[Reading | Reject]) -> None:
        """Forget the tags that have left the field by `at`, and the oldest if there are more than fit one."""
        latest = at - GONE_AFTER
        gone = [tag for tag, one in self._present.items() if not latest <= one.last <= at]
        if not gone and len(self._present) >= _MOST_PRESENT:
            gone = [next(iter(self._present))]
        for tag in gone:
            self._unconfirmed(self._present.pop(tag), found)

    def _unconfirmed(self, presence: _Presence, found: list[Reading | Reject]) -> None:
        if presence.count < self._confirm:
            reason = f"tag seen in {presence.count} frame(s), `confirm_frames` asks for {self._confirm}"
            found.append(Reject(presence.piece, reason))
