"""Frames of the wand: `7E | address | code | type | command | length | data | sum | 7E`, with 7E and 7F escaped between."""

from __future__ import annotations

from typing import NamedTuple

from device_drivers.driver import Reject

MARK = 0x7E
_ESCAPE = 0x7F
_ESCAPED = {MARK: b"\x7f\x01", _ESCAPE: b"\x7f\x02"}
_BARE = {1: MARK, 2: _ESCAPE}

_HEAD = 6
LONGEST = 2 * (_HEAD + 255 + 1)
"""Bytes between two marks, if each of them were escaped."""

REPLY = 0x30
"""What a reply's type has more than its question's."""

OK, DAMAGED = (0x21, 0x01), (0x21, 0x03)
"""The wand has done it; the question came damaged."""

OUTSIDE = "bytes before any frame (no 7E)"
CUT = "frame cut short (no 7E at its end)"


class Frame(NamedTuple):
    """What stands between two marks. `code` is drawn by who asks, and comes back in the reply."""

    address: int
    code: int
    kind: int
    command: int
    data: bytes

    @property
    def what(self) -> tuple[int, int]:
        """Type and command."""
        return self.kind, self.command


def make_frame(address: int, code: int, kind: int, command: int, data: bytes = b"") -> bytes:
    """A frame as it goes over the line."""
    body = bytes((address, code >> 8, code & 0xFF, kind, command, len(data))) + data
    body += bytes((sum(body) & 0xFF,))
    inside = b"".join(_ESCAPED.get(octet) or bytes((octet,)) for octet in body)
    return bytes((MARK,)) + inside + bytes((MARK,))


def read_frame(inside: bytes) -> Frame:
    """The frame whose bytes between the marks these are.

    Raises:
        ValueError: what is wrong with them, in one sentence.
    """
    body = _bare(inside)
    if len(body) < _HEAD + 1:
        raise ValueError(f"frame of {len(body)} bytes, expected {_HEAD + 1} at least")
    if len(body) != _HEAD + body[5] + 1:
        raise ValueError(f"length {body[5]}, but {len(body) - _HEAD - 1} bytes of data")
    total = sum(body[:-1]) & 0xFF
    if total != body[-1]:
        raise ValueError(f"sum {body[-1]:02X}, expected {total:02X}")
    return Frame(body[0], body[1] << 8 | body[2], body[3], body[4], body[6:-1])


def _bare(inside: bytes) -> bytes:
    if _ESCAPE not in inside:
        return inside
    first, *others = inside.split(b"\x7f")
    body = bytearray(first)
    for piece in others:
        octet = _BARE.get(piece[0]) if piece else None
        if octet is None:
            raise ValueError("7F before something else than 01 or 02")
        body.append(octet)
        body += piece[1:]
    return bytes(body)


class Cutter:
    """Cuts a stream into frames. The outcome depends on the bytes alone, never on how they arrived."""

    def __init__(self) -> None:
        self._rest = b""
        self._inside = False

    def feed(self, data: bytes) -> list[Frame | Reject]:
        """Take the next bytes: whole frames, and what is none. Keeps less than `LONGEST` bytes."""
        found: list[Frame | Reject] = []
        *pieces, rest = (self._rest + data).split(b"\x7e")
        for piece in pieces:
            self._piece(self._shorten(piece, found), found)
            self._inside = True
        self._rest = self._shorten(rest, found)
        return found

    def flush(self) -> list[Frame | Reject]:
        """No more bytes come: what has no end is given up."""
        rest, self._rest = self._rest, b""
        inside, self._inside = self._inside, False
        return [Reject(rest, CUT if inside else OUTSIDE)] if rest else []

    def _shorten(self, piece: bytes, found: list[Frame | Reject]) -> bytes:
        while len(piece) >= LONGEST:
            found.append(Reject(piece[:LONGEST], CUT if self._inside else OUTSIDE))
            piece = piece[LONGEST:]
            self._inside = False
        return piece

    def _piece(self, piece: bytes, found: list[Frame | Reject]) -> None:
        if not piece:
            return
        if not self._inside:
            found.append(Reject(piece, OUTSIDE))
            return
        try:
            found.append(read_frame(piece))
        except ValueError as error:
            found.append(Reject(piece, str(error)))
