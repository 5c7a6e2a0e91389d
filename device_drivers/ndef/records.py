"""URIs and texts of an NDEF message, read with ndeflib; and of what readers pass instead of one."""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Iterable
from typing import NamedTuple

import ndef
from ndef.uri import UriRecord

from device_drivers.driver import reason_of
from device_drivers.errors import DecodeError

LONGEST = 8192
"""Bytes of a message; the largest common tag holds 888."""

_TLV, _TERMINATOR, _NULL = 0x03, 0xFE, 0x00
"""The block of a type 2 tag that holds a message, the end of blocks, and filling (NFC Forum, Type 2 Tag)."""
_CONTROL, _CONTROL_OCTETS = (b"\x01\x03", b"\x02\x03"), 5
"""Blocks that say which bytes are locked or reserved: an NTAG 213 leaves the factory with one before its message."""

_URL_BEGINS = (b"http://", b"https://")
_TEXT_MARK = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8."""

_PREFIXES: tuple[str, ...] = UriRecord._prefix_strings  # noqa: SLF001  the table of the URI record; the library has no public name for it
_HEX = frozenset(b"0123456789abcdefABCDEF")
_BETWEEN_OCTETS = b" :-\t\r\n"


_UTF_16 = 0x80
"""In a text record's first byte; its other low bits are the length of the language behind it."""
_MARKS = (b"\xfe\xff", b"\xff\xfe")


class _TextRecord(ndef.TextRecord):  # type: ignore[misc]  # the library has no types
    """A text record. The library reads UTF-16 without a byte order mark by the host's order; it is big-endian (RTD Text 1.0, 3.4)."""

    @classmethod
    def _decode_payload(cls, octets: bytes, errors: str) -> ndef.TextRecord:
        start = 1 + (octets[0] & 0x3F)
        if octets[0] & _UTF_16 and not octets[start:].startswith(_MARKS):
            octets = octets[:start] + _MARKS[0] + octets[start:]
        return super()._decode_payload(octets, errors)


for _holder in (ndef.Record, ndef.SmartposterRecord):
    _holder.register_type(_TextRecord)


_KINDS = {
    "Record": "",
    "UriRecord": "URI record: ",
    _TextRecord.__name__: "text record: ",
    "SmartposterRecord": "smart poster: ",
}
"""Kinds of records by their class, for people."""


class Text(NamedTuple):
    """A text record."""

    text: str
    language: str


class Uri(NamedTuple):
    """A URI record, its prefix written out."""

    uri: str


def read_message(data: bytes) -> list[Uri | Text]:
    """The URIs and texts that a reader passed, of all messages, in order.

    Raises:
        DecodeError: it is nothing that is known, or one of its messages is not.
    """
    unread: list[str] = []
    found = [record for message in read_messages(data, unread) for record in message]
    if unread:
        raise DecodeError(reason_of(unread), data[:64])
    return found


def read_messages(data: bytes, unread: list[str]) -> list[list[Uri | Text]]:
    """The URIs and texts of each message that a reader passed, in order; other records are understood and left out.

    Taken are an NDEF message, several, the block of a tag's memory that holds one, any of them in hexadecimal, the inside of a
    URI record alone, and URLs as text, one a line.

    Args:
        unread: is told of each of several messages, or lines, that cannot be read; the others count.

    Raises:
        DecodeError: it is none of them.
    """
    if len(data) > LONGEST:
        raise DecodeError(f"{len(data)} bytes, more than a tag holds", data[:64])
    if not data:
        raise DecodeError("an empty message")
    text = data.removeprefix(_TEXT_MARK).strip()
    if text[:8].lower().startswith(_URL_BEGINS):
        return _lines(text, unread)
    digits = data.translate(None, _BETWEEN_OCTETS)
    if data[0] in _HEX and len(digits) >= 6 and len(digits) % 2 == 0 and _HEX.issuperset(digits):
        data = unhexlify(digits)
    if (block := _block(data)) is not None:
        return [_records(block)]
    if data[0] & 0x80:
        return _messages(data, unread)
    try:
        return [[_bare_uri(data)]]
    except DecodeError as error:
        reason = error.reason
    try:
        return [_records(data)]
    except DecodeError as error:
        raise DecodeError(f"{reason} ({error.reason})" if reason else error.reason, data[:64]) from None


def _lines(text: bytes, unread: list[str]) -> list[list[Uri | Text]]:
    found: list[list[Uri | Text]] = []
    for line in text.splitlines():
        if not (url := line.strip()):
            continue
        try:
            if not url[:8].lower().startswith(_URL_BEGINS):
                raise DecodeError("a line that is no URL")
            found.append([Uri(_printable(url))])
        except DecodeError as error:
            unread.append(error.reason)
    return found


def _block(data: bytes) -> bytes | None:
    """The message inside a tag's memory, behind what it has from the factory; None if this is none.

    Raises:
        DecodeError: nothing is written there.
    """
    begin = 0
    while data[begin : begin + 1] == b"\0" or data[begin : begin + 2] in _CONTROL:
        begin += 1 if data[begin] == _NULL else _CONTROL_OCTETS
    data = data[begin:]
    if len(data) < 2 or data[0] != _TLV:
        return None
    start = 2 if data[1] != 0xFF else 4
    length = data[1] if start == 2 else int.from_bytes(data[2:4], "big")
    rest = data[start + length :]
    if rest and rest[0] not in (_TERMINATOR, _NULL):
        return None
    if not length:
        raise DecodeError("nothing is written on this tag: its memory has no message", data[:64])
    if length < 3 or len(data) < start + length or not data[start] & 0x80:
        return None
    return data[start : start + length]


def _messages(data: bytes, unread: list[str]) -> list[list[Uri | Text]]:
    """One message or several glued ones; filling behind them is left out."""
    found: list[list[Uri | Text]] = []
    while data:
        end = _message_end(data)
        try:
            found.append(_records(data[:end]))
        except DecodeError as error:
            unread.append(error.reason)
        data = data[end:]
        if data and data[0] == _TERMINATOR:
            break
        data = data.lstrip(b"\0")
    return found


def _message_end(data: bytes) -> int:
    """Where the first message ends: behind the record that says it is the last (NFC Forum NDEF 1.0, 3.2)."""
    start = 0
    while start < len(data):
        head = data[start]
        short, named = head & 0x10, head & 0x08
        fields = start + 2 + (1 if short else 4)
        if fields + bool(named) > len(data):
            break
        length = data[start + 1] + int.from_bytes(data[start + 2 : fields], "big")
        length += data[fields] if named else 0
        start = fields + bool(named) + length
        if head & 0x40:
            return start
    return len(data)


def _records(message: bytes) -> list[Uri | Text]:
    return _said(_decoded(message))


def _decoded(message: bytes) -> list[ndef.Record]:
    try:
        return list(ndef.message_decoder(message))
    except ndef.DecodeError as error:
        raise DecodeError(_reason(str(error)), message[:64]) from error
    except Exception as error:  # what else its record classes raise on nonsense
        raise DecodeError(f"an NDEF record that cannot be read ({error})", message[:64]) from error


def _reason(text: str) -> str:
    """The library's reason; it begins with the Python name of the record's class, where it has one."""
    name, _, rest = text.partition(" ")
    path, dot, last = name.rpartition(".")
    return f"{_KINDS.get(last, f'{last}: ')}{rest}" if path and dot and last.isidentifier() else text


def _said(records: Iterable[ndef.Record]) -> list[Uri | Text]:
    found: list[Uri | Text] = []
    for record in records:
        if isinstance(record, UriRecord):
            found.append(Uri(record.iri))
        elif isinstance(record, ndef.TextRecord):
            found.append(Text(record.text, record.language))
        elif isinstance(record, ndef.SmartposterRecord) and record.resource is not None:
            found.append(Uri(record.resource.iri))
    return found


def _bare_uri(data: bytes) -> Uri:
    """The inside of a URI record: a prefix code, then text.

    It cannot be taken for a message: a message's first byte says that it is the first record (80), a code is below 24; and
    a message's lengths are no printable text.
    """
    text = _printable(data[1:])
    if data[0] >= len(_PREFIXES):
        raise DecodeError(f"URI identifier code {data[0]} is out of range", data[:64])
    if len(text) < 2:
        raise DecodeError("too short for a URI", data[:64])
    return Uri(_PREFIXES[data[0]] + text)


def _printable(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if not text or not text.isprintable():
        raise DecodeError("text that is empty, not UTF-8 or cannot be printed", data[:64])
    return text
