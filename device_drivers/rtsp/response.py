"""RTSP responses (RFC 2326): where one ends, and what it says."""

from __future__ import annotations

from typing import NamedTuple

from device_drivers.errors import DecodeError

START = b"RTSP/"
MOST_HEAD = 8192
MOST_BODY = 65_536
"""Bytes of headers and body that are read; a description has some thousand."""


class Response(NamedTuple):
    """One response. Header names are lower case; `challenges` are all lines of WWW-Authenticate."""

    status: int
    reason: str
    sequence: int | None
    challenges: tuple[str, ...]
    body: bytes


def response_end(data: bytes) -> int:
    """How many of the bytes make up the response at their beginning; 0: more must come."""
    head = _head_end(data)
    if head == 0:
        return 0
    length = _length(data[:head])
    end = head + min(length, MOST_BODY)
    return end if len(data) >= end else 0


def read_response(data: bytes) -> Response:
    """Read a whole response.

    Raises:
        DecodeError: not RTSP, cut, or a status or length that is no number.
    """
    if not data.startswith(START):
        found = "HTTP, not RTSP: is the port right?" if data.startswith(b"HTTP/") else "not RTSP"
        raise DecodeError(found)
    head = _head_end(data)
    if head == 0:
        raise DecodeError("response cut short")
    lines = data[:head].decode("utf-8", "replace").splitlines()
    version, _, rest = lines[0].partition(" ")
    status, _, reason = rest.strip().partition(" ")
    if not status.isdecimal() or not status.isascii() or not 100 <= int(status[:4]) <= 599 or len(status) != 3:
        raise DecodeError(f"status {status[:80]!r}, expected a number from 100 to 599 after {version[:20]!r}")
    sequence: int | None = None
    offered: list[str] = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            continue
        match name.strip().lower():
            case "cseq":
                text = value.strip()
                sequence = int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else None
            case "www-authenticate":
                offered.append(value.strip())
            case "content-length":
                length = value.strip()
                if not length.isdecimal() or not length.isascii() or len(length) > 9:
                    raise DecodeError(f"Content-Length {length[:80]!r} is no number")
                if len(data) < head + min(int(length), MOST_BODY):
                    raise DecodeError("response cut short in its body")
    return Response(int(status), reason.strip(), sequence, tuple(offered), data[head:])


def _head_end(data: bytes) -> int:
    """Where the empty line ends; some devices end lines with LF alone."""
    strict, loose = data.find(b"\r\n\r\n", 0, MOST_HEAD), data.find(b"\n\n", 0, MOST_HEAD)
    if strict >= 0 and (loose < 0 or strict < loose):
        return strict + 4
    return loose + 2 if loose >= 0 else 0


def _length(head: bytes) -> int:
    at = head.lower().find(b"\ncontent-length:")
    if at < 0:
        return 0
    value = head[at + 16 :].partition(b"\n")[0].strip()
    return int(value) if value.isdigit() and len(value) < 10 else 0
