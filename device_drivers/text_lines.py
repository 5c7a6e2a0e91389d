"""Cutting a stream of short text lines: what ends one, and how long one may be."""

from __future__ import annotations

ENDS = b"\r\n\x02\x03\x00"
"""Any of these parts two lines; some converters and probes put STX and ETX around them."""

_PARTS = bytes.maketrans(ENDS, b"\n" * len(ENDS))


def one_end(data: bytes) -> bytes:
    """The bytes with one kind of line end."""
    return data.translate(_PARTS)


def cut_lines(stream: bytes, longest: int) -> tuple[list[bytes], bytes]:
    """The lines of a stream that went through `one_end`, and what has no end yet.

    Empty lines are left out; a longer line than `longest` becomes several, and so what is left is always shorter than that.
    """
    *lines, rest = stream.split(b"\n")
    whole = [line[start : start + longest] for line in lines for start in range(0, len(line), longest)]
    while len(rest) >= longest:
        whole.append(rest[:longest])
        rest = rest[longest:]
    return [line for line in whole if line.strip()], rest
