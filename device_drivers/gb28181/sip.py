"""SIP messages (RFC 3261) as far as a registrar needs them: read, framed out of a stream, answered.

Heads are read as Latin-1, byte for byte, so that whatever a device wrote goes back to it unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

LONGEST_HEAD = 16 * 1024
"""Bytes of start line and headers; a real one has less than 1 KiB."""

LONGEST_BODY = 256 * 1024
"""Bytes; a page of a catalogue has a few KiB, and a datagram cannot be longer than 64 KiB."""

_MOST_HEADERS = 128

_LAST_BREAK = 2
"""Bytes that a datagram may be too short: some count a line break at the end that they do not send. Whether the body is
whole its XML tells.
"""

_COMPACT = {
    "i": "call-id",
    "m": "contact",
    "e": "content-encoding",
    "l": "content-length",
    "c": "content-type",
    "f": "from",
    "s": "subject",
    "k": "supported",
    "t": "to",
    "v": "via",
}
"""RFC 3261, 7.3.3."""

_SPELLED = {
    each: each.lower()
    for each in (
        *("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "User-Agent", "Content-Type"),
        *("Content-Length", "Expires", "Authorization", "Event", "Subscription-State", "Allow"),
    )
}
"""Headers as nearly all devices write them: found at once, without a look at case, blanks or folding."""

_NEEDED = ("via", "from", "to", "call-id", "cseq")
"""Without these nothing can be answered (RFC 3261, 8.1.1)."""

PHRASES: Mapping[int, str] = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    405: "Method Not Allowed",
    415: "Unsupported Media Type",
}


_START_LINE = re.compile(rb"(?:(?<![A-Z])[A-Z]{3,12} [^ \r\n]{1,500} SIP/2\.0|SIP/2\.0 [0-9]{3} [^\r\n]{0,200})\r\n")


class Message(NamedTuple):
    """One request or response.

    Args:
        method: of a request; "" for a response.
        uri: of a request; a response's status code as text.
        headers: by lower-case long name; of several with one name the first.
        vias: all Via values, the topmost first.
        body: as `Content-Length` says.
    """

    method: str
    uri: str
    headers: Mapping[str, str]
    vias: Sequence[str]
    body: bytes

    @property
    def transaction(self) -> tuple[str, str, str]:
        """What a retransmission has in common with its first: branch, Call-ID, CSeq (RFC 3261, 17.2.3)."""
        return parameter(self.vias[0], "branch"), self.headers["call-id"], self.headers["cseq"]


def read_message(data: bytes, start: int = 0, *, stream: bool = False) -> tuple[Message, int]:
    """The message that begins at `start`, and where it ends.

    Args:
        stream: `Content-Length` may not be left out; in a datagram the body then reaches to its end.

    Raises:
        ValueError: it is no SIP message, or cut off.
    """
    head_end = data.find(b"\r\n\r\n", start, start + LONGEST_HEAD)
    if head_end < 0:
        raise ValueError("SIP: the head has no end (an empty line after CR LF)")
    method, uri, headers, vias = _read_head(data[start:head_end].decode("latin-1"))
    begin = head_end + 4
    length = body_length(headers, stream=stream)
    end = len(data) if length is None else begin + length
    if end > len(data) + (0 if stream else _LAST_BREAK):
        raise ValueError(f"SIP: Content-Length says {length} bytes, {len(data) - begin} came")
    return Message(method, uri, headers, vias, data[begin:end]), min(end, len(data))


def next_start(data: bytes, start: int) -> int:
    """Where the next start line begins, from `start` on; the end if there is none."""
    found = _START_LINE.search(data, start)
    return len(data) if found is None else found.start()


def body_length(headers: Mapping[str, str], *, stream: bool) -> int | None:
    """What Content-Length says; None if it is not there (in a datagram).

    Raises:
        ValueError: not a number of bytes that we take, or missing in a stream.
    """
    text = headers.get("content-length")
    if text is None:
        if stream:
            raise ValueError("SIP: Content-Length is missing")
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise ValueError(f"SIP: Content-Length {text[:40]!r}, expected a number of bytes")
    if (length := int(text)) > LONGEST_BODY:
        raise ValueError(f"SIP: Content-Length {length}, more than {LONGEST_BODY}")
    return length


def _read_head(text: str) -> tuple[str, str, dict[str, str], list[str]]:
    """Method (or ""), URI (or status), headers, Via values."""
    first, *lines = text.split("\r\n")
    if first[:8] == "SIP/2.0 ":
        method, uri = "", first[8:11]
        if not (uri.isascii() and uri.isdecimal()):
            raise ValueError(f"SIP: status line {first[:80]!r}")
    else:
        parts = first.split(" ")
        if len(parts) != 3 or parts[2] != "SIP/2.0" or not (parts[0].isascii() and parts[0].isalpha()):
            raise ValueError(f"SIP: start line {first[:80]!r}, expected METHOD URI SIP/2.0")
        method, uri = parts[0].upper(), parts[1]
    if len(lines) > _MOST_HEADERS:
        raise ValueError(f"SIP: more than {_MOST_HEADERS} headers")
    headers: dict[str, str] = {}
    vias: list[str] = []
    spelled = _SPELLED.get
    last = ""
    for line in lines:
        written, colon, value = line.partition(":")
        name = spelled(written)
        if name is None:
            if line[:1] in (" ", "\t"):  # a folded header goes on
                if headers:
                    headers[last] += " " + line.strip()
                continue
            name = written.strip().lower()
            if not colon or not name or " " in name:
                raise ValueError(f"SIP: header {line[:80]!r} has no name")
            name = _COMPACT.get(name, name)
        value = value.strip()
        if name == "via":
            vias.append(value)
        if name not in headers:
            headers[name] = value
        last = name
    for needed in _NEEDED:
        if not headers.get(needed):
            raise ValueError(f"SIP: the header {needed} is missing")
    return method, uri, headers, vias


def user(address: str) -> str:
    """The user of an address such as `"name" <sip:34020000001320000001@192.168.1.107:5060>;tag=1`, "" if it has none."""
    scheme = address.find("sip:")
    if scheme < 0:
        return ""
    name, at, _ = address[scheme + 4 :].partition("@")
    return name if at and ">" not in name else ""


def host(uri: str) -> str:
    """The host of a SIP URI, "" if it has none."""
    rest = uri.partition("sip:")[2]
    _, at, behind = rest.partition("@")
    return (behind if at else rest).partition(";")[0].partition(">")[0].partition(":")[0]


def parameter(value: str, name: str) -> str:
    """A header's parameter (`;name=…`), "" if it is not there."""
    for piece in value.split(";")[1:]:
        key, _, given = piece.partition("=")
        if key.strip().lower() == name:
            return given.strip()
    return ""


def answer(
    request: Message,
    code: int,
    peer: tuple[str, int],
    tag: str,
    extra: Sequence[tuple[str, str]] = (),
) -> bytes:
    """The response to a request; it is sent to where the request came from (RFC 3581).

    Args:
        peer: the packet's source, written into the topmost Via.
        tag: of the To header, if the request has none there.
        extra: further headers.
    """
    top, *below = request.vias
    to = request.headers["to"]
    lines = [
        f"SIP/2.0 {code} {PHRASES[code]}",
        f"Via: {_received(top, peer)}",
        *(f"Via: {via}" for via in below),
        f"From: {request.headers['from']}",
        f"To: {to}" if parameter(to, "tag") else f"To: {to};tag={tag}",
        f"Call-ID: {request.headers['call-id']}",
        f"CSeq: {request.headers['cseq']}",
        *(f"{name}: {value}" for name, value in extra),
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def _received(via: str, peer: tuple[str, int]) -> str:
    """The Via with `received` and, where it was asked for, `rport` filled in."""
    first, *pieces = via.split(",", 1)[0].split(";")
    kept = [piece for piece in pieces if piece.partition("=")[0].strip().lower() not in ("rport", "received")]
    asked = len(kept) < len(pieces)
    added = [f"received={peer[0]}", *([f"rport={peer[1]}"] if asked else [])]
    return ";".join([first, *kept, *added])


class SipStream:
    """Cuts a TCP stream into messages. Keeps at most one unfinished message (272 KiB).

    After something that is no message it goes on at the next line that is a start line; what was passed over is given
    then, or by `end`, with the reason. The same bytes give the same result however they were cut. After `MOST_FAULTS` without
    a message nothing more is read: whoever sends that is no device.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._need = 0  # bytes of the message that has begun, once its head is known
        self._passed: bytes | None = None  # of what is being passed over, the first bytes
        self._reason = ""
        self._faults = 0  # since the last message

    @property
    def unfinished(self) -> bool:
        """A message has begun and not ended, or never will."""
        return bool(self._rest) or self._faults > MOST_FAULTS

    def feed(self, data: bytes) -> list[Message | tuple[bytes, str]]:
        """Take the next bytes; give the messages, and what could not be read with the reason."""
        self._rest += data
        found: list[Message | tuple[bytes, str]] = []
        while self._rest:
            if self._faults > MOST_FAULTS:
                self._rest = b""
                break
            if self._passed is not None and not self._pass_over(found):
                break
            self._rest = self._rest.lstrip(_BETWEEN) if not self._need else self._rest
            try:
                if not self._whole():
                    break
                message, end = read_message(self._rest, stream=True)
            except ValueError as error:
                self._passed, self._reason, self._need = b"", str(error), 0
                self._faults += 1
                self._drop_line()
                continue
            found.append(message)
            self._rest, self._need, self._faults = self._rest[end:], 0, 0
        return found

    def end(self) -> list[tuple[bytes, str]]:
        """The connection was closed: give up what is unfinished."""
        left = [] if self._passed is None else [(self._passed, self._reason)]
        if self._rest and self._passed is None:
            left.append((self._rest, "SIP: cut off by the end of the connection"))
        self._rest, self._need, self._passed = b"", 0, None
        return left

    def _whole(self) -> bool:
        """Whether the first message is complete.

        Raises:
            ValueError: it never will be.
        """
        rest = self._rest
        if not self._need:
            line_end = rest.find(b"\r\n", 0, LONGEST_START + 2)
            if line_end < 0:
                if len(rest) < LONGEST_START + 2:
                    return False
                raise ValueError(f"SIP: {rest[:40]!r} is no start line")
            if not _is_start(rest[:line_end]):
                raise ValueError(f"SIP: {rest[: min(line_end, 40)]!r} is no start line")
            head_end = rest.find(b"\r\n\r\n", 0, LONGEST_HEAD + 4)
            if head_end < 0:
                if len(rest) < LONGEST_HEAD + 4:
                    return False
                raise ValueError(f"SIP: a head of more than {LONGEST_HEAD} bytes")
            headers = _read_head(rest[:head_end].decode("latin-1"))[2]
            self._need = head_end + 4 + (body_length(headers, stream=True) or 0)
        return len(rest) >= self._need

    def _pass_over(self, found: list[Message | tuple[bytes, str]]) -> bool:
        """Drop lines up to the next start line; whether it was found."""
        while (line_end := self._rest.find(b"\n", 0, LONGEST_START + 2)) >= 0 or len(self._rest) >= LONGEST_START + 2:
            if line_end > 0 and _is_start(self._rest[:line_end].rstrip(b"\r")):
                found.append((self._passed or b"", self._reason))
                self._passed = None
                return True
            self._drop_line()
        return False

    def _drop_line(self) -> None:
        line_end = self._rest.find(b"\n", 0, LONGEST_START + 2)
        cut = line_end + 1 if line_end >= 0 else LONGEST_START + 2
        passed = (self._passed or b"") + self._rest[:cut]
        self._passed, self._rest = passed[:KEPT], self._rest[cut:]


LONGEST_START = 2048
"""Bytes of a start line."""

MOST_FAULTS = 16
"""Things that are no message, one after the other, before a connection is given up."""

KEPT = 2048
"""Bytes kept of what could not be read."""

_BETWEEN = b"\r\n\0"
"""What may stand between two messages: keep-alives (RFC 5626, 3.5.1)."""


def _is_start(line: bytes) -> bool:
    return line.endswith(b" SIP/2.0") or line.startswith(b"SIP/2.0 ")
