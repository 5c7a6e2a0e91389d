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

_C = b"Cc"
_JPEG = b"\xff\xd8"
_BOM = b"\xef\xbb\xbf"
"""A byte order mark; before a part it says nothing."""
_BOUNDARY = re.compile(rb"\n--[^\r\n]{1,100}\r?\n[Cc]ontent-")
"""A boundary of whatever name, known by the header behind it."""

_KEPT = 160
"""Bytes at the end of a picture that may be the beginning of a boundary."""

Ends = Callable[[bytes, int, int], int]


class PartCutter:
    """Cuts a stream into parts.

    Args:
        ends: given a buffer, where a part begins in it, and up to where it may be looked at: where the part ends; 0: more must
            come. Its answer must not change with what follows.
    """

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self.rest = b""
        self._token = b"--"
        self._mark = b"\n--"
        self._skipping = False
        self._binary = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; give the parts that they completed, also such as were ended by the next boundary."""
        data = self.rest + data if self.rest else data
        found: list[bytes] = []
        at, end = 0, len(data)
        while at < end:
            if self._skipping:
                moved = self._skip(data, at)
            else:
                while at < end and data[at] in _SPACE:
                    at += 1
                if at == end:
                    break
                moved = self._step(data, at, found)
            if moved <= 0:
                at = at if moved == 0 else -moved
                break
            at = moved
        self.rest = data[at:] if at < end else b""
        return found

    def reset(self) -> list[bytes]:
        """The stream was cut: what was begun of a part, and start anew."""
        found = self.feed(b"\n")
        if not self._skipping and (left := self.rest.strip(_SPACE)):
            found.append(left)
        self.rest, self._token, self._mark, self._skipping, self._binary = b"", b"--", b"\n--", False, False
        return found

    # Each gives where it came to; 0: more bytes must come; less than 0: likewise, and all before may be forgotten.

    def _step(self, data: bytes, at: int, found: list[bytes]) -> int:
        """Take one line, part or the beginning of a picture at `at`, which is no white space."""
        first = data[at]
        if first == 0x2D:  # a dash
            return self._boundary(data, at, found)
        if first in _C:
            word = data[at : at + 8].lower()
            if word == b"content-":
                return self._header(data, at, found)
            if len(word) < 8 and b"content-".startswith(word):
                return 0
        if self._binary or data[at : at + 2] == _JPEG:
            self._skipping = True
            return at
        if first == _BOM[0] and _BOM.startswith(data[at : at + 3]):
            return at + 3 if len(data) >= at + 3 else 0
        return self._part(data, at, found)

    def _boundary(self, data: bytes, at: int, found: list[bytes]) -> int:
        end = data.find(b"\n", at, at + _MOST_LINE)
        if end < 0:
            return self._too_long(data, at, found)
        line = data[at:end].rstrip(_SPACE)
        if line[:2] == b"--":
            if line != self._token:
                self._token = line[:-2] if len(line) > 4 and line.endswith(b"--") else line
                self._mark = b"\n" + self._token
            self._binary = False
        else:
            found.append(line)
        return end + 1

    def _header(self, data: bytes, at: int, found: list[bytes]) -> int:
        end = data.find(b"\n", at, at + _MOST_LINE)
        if end < 0:
            return self._too_long(data, at, found)
        if data[at + 8] in b"Tt":  # Content-Type, not Content-Length
            lowered = data[at:end].lower()
            if lowered.startswith(b"content-type:"):
                self._binary = not any(word in lowered for word in _TEXT)
        return end + 1

    def _part(self, data: bytes, at: int, found: list[bytes]) -> int:
        limit = at + MOST_PART
        stop = data.find(self._mark, at, limit)
        end = self._ends(data, at, min(limit, len(data)) if stop < 0 else stop + 1)
        if end == 0:
            if stop >= 0:
                end = stop + 1
            elif len(data) >= limit:
                end, self._skipping = limit, True
            else:
                return 0
        found.append(data[at:end].rstrip(_SPACE))
        return end

    def _skip(self, data: bytes, at: int) -> int:
        """Pass over a picture, up to the next boundary."""
        ends: list[tuple[int, int]] = []
        if (found := data.find(self._mark, at)) >= 0:
            ends.append((found + len(self._mark), found))
        if other := _BOUNDARY.search(data, at):
            ends.append((other.end(), other.start()))
        if ends:
            self._skipping = self._binary = False
            return min(ends)[1] + 1
        return -max(at, len(data) - _KEPT)

    def _too_long(self, data: bytes, at: int, found: list[bytes]) -> int:
        if len(data) < at + _MOST_LINE:
            return 0
        found.append(data[at : at + _MOST_LINE])
        self._skipping = True
        return at + _MOST_LINE
