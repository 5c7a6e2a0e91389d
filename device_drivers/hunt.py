"""Finding frames in a stream that has no certain marks: what is no frame is passed over byte by byte, and told of.

For protocols whose frames are known by their length and checksum (Modbus, DL/T 645). The outcome depends on the bytes alone,
never on how they arrived.
"""

from __future__ import annotations

from collections.abc import Callable

from device_drivers.driver import Reject

WAIT = -1
"""More bytes are needed to say."""

NONE = 0
"""No frame begins here."""


class Hunter:
    """Cuts one stream.

    Args:
        length: given the stream and a place in it, how long the frame is that begins there; WAIT or NONE. What it says of a
            place must not change when more bytes come, but from WAIT.
        why_not: why bytes are no frame, in one sentence.
        longest: bytes of the longest frame: no more are kept waiting, and no more make one Reject.
    """

    def __init__(self, length: Callable[[bytes, int], int], why_not: Callable[[bytes], str], longest: int) -> None:
        self._length = length
        self._why_not = why_not
        self._longest = longest
        self._rest = b""
        self._junk = b""

    def feed(self, data: bytes) -> list[bytes | Reject]:
        """Take the next bytes: whole frames, and what was passed over between them. Never raises."""
        found: list[bytes | Reject] = []
        self._rest = self._cut(self._rest + data if self._rest else data, found, more=True)
        return found

    def flush(self) -> list[bytes | Reject]:
        """No more bytes come: what was waited for is given up; good frames in what waits are still found."""
        found: list[bytes | Reject] = []
        self._cut(self._rest, found, more=False)
        self._rest = b""
        self._give_up(found)
        return found

    @property
    def held(self) -> int:
        """Bytes kept."""
        return len(self._rest) + len(self._junk)

    def _cut(self, stream: bytes, found: list[bytes | Reject], *, more: bool) -> bytes:
        start, end = 0, len(stream)
        while start < end:
            size = self._length(stream, start)
            if size > 0:
                if self._junk:
                    self._give_up(found)
                found.append(stream[start : start + size])
                start += size
            elif size == WAIT and more:
                break
            else:
                self._junk += stream[start : start + 1]
                start += 1
                if len(self._junk) >= self._longest:
                    self._give_up(found)
        return stream[start:]

    def _give_up(self, found: list[bytes | Reject]) -> None:
        if self._junk:
            found.append(Reject(self._junk, self._why_not(self._junk)))
            self._junk = b""
