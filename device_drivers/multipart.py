"""Endless multipart answers cut into parts, as cameras really write them: wrong lengths, boundaries of any form, pictures between.

The boundary is learnt from the body itself, since the header says it with or without its dashes. Lengths are not believed:
what a whole part is, the driver says. The cut depends on the bytes alone, never on how they arrived.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MOST_PART = 65_536
"""Bytes of a part that are kept; a report has some hundred, one with regions and vehicles some thousand."""

_MOST_LINE = 256
"""Bytes of a boundary or header line."""

_SPACE = b" \t\r\n"
_TEXT = (b"xml", b"text", b"json")
"""What a content type has in it whose parts are read; others (pictures, sound) are passed over."""

_JPEG = b"\xff\xd8"
_BOUNDARY = re.compile(rb"\n--[^\r\n]{1,100}\r?\n[Cc]ontent-")
"""A boundary of whatever name, known by the header behind it."""

_KEPT = 160
"""Bytes at the end of a picture that may be the beginning of a boundary."""

Ends = Callable[[bytes], int]


class PartCutter:
    """Cuts a stream into parts.

    Args:
        ends: how many of these bytes make up the part that begins with them; 0: more must come. Its answer must not change
            with what follows.
    """

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self.rest = b""
        self._token = b"--"
        self._skipping = False
        self._binary = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; give the parts that they completed, also such as were ended by the next boundary."""
        self.rest = self.rest + data if self.rest else data
        found: list[bytes] = []
        while self.rest and self._step(found):
            pass
        return found

    def reset(self) -> list[bytes]:
        """The stream was cut: what was begun of a part, and start anew."""
        found = self.feed(b"\n")
        if not self._skipping and (left := self.rest.strip(_SPACE)):
            found.append(left)
        self.rest, self._token, self._skipping, self._binary = b"", b"--", False, False
        return found

    def _step(self, found: list[bytes]) -> bool:
        """Take one line, part or picture from the front; False: more bytes must come."""
        if self._skipping:
            return self._skip()
        rest = self.rest = self.rest.lstrip(_SPACE)
        if not rest:
            return False
        if rest[0] == 0x2D:  # a dash
            return self._boundary(rest, found)
        if rest[:8].lower() == b"content-":
            return self._header(rest, found)
        if len(rest) < 8 and b"content-".startswith(rest.lower()):
            return False
        if self._binary or rest[:2] == _JPEG:
            self._skipping = True
            return True
        return self._part(rest, found)

    def _boundary(self, rest: bytes, found: list[bytes]) -> bool:
        end = rest.find(b"\n", 0, _MOST_LINE)
        if end < 0:
            return self._too_long(rest, found)
        line = rest[:end].rstrip(_SPACE)
        self.rest = rest[end + 1 :]
        if line[:2] == b"--":
            self._token = line[:-2] if len(line) > 4 and line.endswith(b"--") else line
            self._binary = False
        else:
            found.append(line)
        return True

    def _header(self, rest: bytes, found: list[bytes]) -> bool:
        end = rest.find(b"\n", 0, _MOST_LINE)
        if end < 0:
            return self._too_long(rest, found)
        self.rest = rest[end + 1 :]
        name, _, value = rest[:end].partition(b":")
        if name.lower() == b"content-type":
            lowered = value.lower()
            self._binary = not any(word in lowered for word in _TEXT)
        return True

    def _part(self, rest: bytes, found: list[bytes]) -> bool:
        stop = rest.find(b"\n" + self._token, 0, MOST_PART)
        end = self._ends(rest[:MOST_PART] if stop < 0 else rest[: stop + 1])
        if end == 0:
            if stop >= 0:
                end = stop + 1
            elif len(rest) >= MOST_PART:
                end, self._skipping = MOST_PART, True
            else:
                return False
        self.rest = rest[end:]
        found.append(rest[:end].rstrip(_SPACE))
        return True

    def _skip(self) -> bool:
        """Pass over a picture, up to the next boundary."""
        mark = b"\n" + self._token
        ends: list[tuple[int, int]] = []
        if (at := self.rest.find(mark)) >= 0:
            ends.append((at + len(mark), at))
        if other := _BOUNDARY.search(self.rest):
            ends.append((other.end(), other.start()))
        if ends:
            self.rest, self._skipping, self._binary = self.rest[min(ends)[1] + 1 :], False, False
            return True
        self.rest = self.rest[-_KEPT:] if len(self.rest) > _KEPT else self.rest
        return False

    def _too_long(self, rest: bytes, found: list[bytes]) -> bool:
        if len(rest) < _MOST_LINE:
            return False
        found.append(rest[:_MOST_LINE])
        self.rest, self._skipping = rest[_MOST_LINE:], True
        return True
