"""NDEF messages to tag reads: which tag a URL or a text names. Anybody can copy them: weak evidence (method nfc)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from device_drivers.driver import Reading, beside_unread
from device_drivers.errors import DecodeError
from device_drivers.observations import TagRead

if TYPE_CHECKING:
    from device_drivers.ndef.records import Text, Uri
    from device_drivers.ntag424.decoder import Ntag424Decoder

PARAMETERS = ("tag", "uid", "id")
"""Parameters of a URL that may hold the tag's number."""

TAP_PATH = "/t/"
"""Where tags on the wall point to in the console; what follows may be the tag's number."""

_SHORTEST, _LONGEST = 8, 20
"""Hexadecimal digits of a tag's number: 4 to 10 bytes."""

_HEX = frozenset("0123456789ABCDEF")
_SUN_NUMBERS = frozenset({32, 48})
_MAC_DIGITS = 16

_MOST = 4096
_KEPT_BYTES = 512
"""Bounds of the cache of messages: more tags than a property has, and longer ones than a URL."""


class NdefDecoder:
    """One reader or phone that passes the contents of tags.

    Args:
        device: its id.
        parameters: of a URL, in the order in which they are looked for.
        sun: verifies signed URLs; None: they are refused.
    """

    def __init__(self, device: str, parameters: Sequence[str] = PARAMETERS, sun: Ntag424Decoder | None = None) -> None:
        self._device = device
        self._parameters = tuple(parameters)
        self._sun = sun
        self._known: dict[bytes, tuple[str, ...]] = {}

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:  # noqa: ARG002
        """Decode one message. `at` is `received`. Of several glued ones that which cannot be read is a reject; the others count."""
        if retained:
            raise DecodeError("a retained tap is old state, not an event")
        tags = self._known.get(payload)
        if tags is not None:
            return self._taps(tags, received)
        from device_drivers.ndef.records import read_messages  # noqa: PLC0415  starts without the library

        unread: list[str] = []
        messages = dict.fromkeys(tuple(records) for records in read_messages(payload, unread))  # read twice: one tap
        if any(is_signed(url) for records in messages for url in _urls(records)):
            readings = [reading for records in messages for reading in self._read(records, received, unread)]
            return beside_unread(readings, payload, unread)
        tags = tuple(dict.fromkeys(tag for records in messages if (tag := self._tag(records)) is not None))
        if not unread and len(payload) <= _KEPT_BYTES:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[payload] = tags
        return beside_unread(self._taps(tags, received), payload, unread)

    def _taps(self, tags: Sequence[str], received: datetime) -> list[Reading]:
        return [Reading(TagRead(device=self._device, at=received, tag=tag, method="nfc")) for tag in tags]

    def _read(self, records: Sequence[Uri | Text], received: datetime, unread: list[str]) -> list[Reading]:
        """The taps of one message, where it or one beside it is signed; `unread` is told of those that prove nothing."""
        signed = [url for url in _urls(records) if is_signed(url)]
        if not signed:
            tag = self._tag(records)
            return [] if tag is None else self._taps((tag,), received)
        found = []
        for url in signed:
            try:
                found.append(self._signed(url, received))
            except DecodeError as error:
                unread.append(error.reason)
        return found

    def _signed(self, url: str, received: datetime) -> Reading:
        if self._sun is None:
            raise DecodeError("a signed URL (SUN), but no keys: give `sun` in the device's settings")
        return self._sun.tap(url, received)

    def _tag(self, records: Sequence[Uri | Text]) -> str | None:
        """The tag that a message names: by its number if one stands there, else by what it says as a whole."""
        for record in records:
            if (tag := self._number(record)) is not None:
                return tag
        said = next((record[0] for record in records if record[0]), None)
        return None if said is None else digest(said)

    def _number(self, record: Uri | Text) -> str | None:
        uri = getattr(record, "uri", None)
        return number(record[0]) if uri is None else number_in_url(uri, self._parameters)


def _urls(records: Sequence[Uri | Text]) -> list[str]:
    return [url for record in records if (url := getattr(record, "uri", None)) is not None]


def digest(text: str) -> str:
    """A tag number for a text without one: the first 8 bytes of its SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16].upper()


def number(text: str) -> str | None:
    """A tag's number, also as an NTAG 21x mirrors it, `04A1B2C3D4E5F6x00001A` with its counter; None if it is none."""
    word = text.split("x", 1)[0].replace(":", "").replace("-", "").replace(" ", "").upper()
    return word if _SHORTEST <= len(word) <= _LONGEST and len(word) % 2 == 0 and _HEX.issuperset(word) else None


def number_in_url(url: str, names: Sequence[str] = PARAMETERS) -> str | None:
    """A tag's number in an address: in one of these parameters, else in the path behind `/t/`; None if there is none."""
    values = parameters(url)
    for name in names:
        if name in values and (found := number(unquote(values[name]))) is not None:
            return found
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    return number(unquote(path.rpartition(TAP_PATH)[2])) if TAP_PATH in path else None


def parameters(url: str) -> Mapping[str, str]:
    """The parameters of a URL; of those that stand twice the first."""
    query = url.partition("?")[2].partition("#")[0]
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, equals, value = pair.partition("=")
        if equals:
            found.setdefault(name, value)
    return found


def is_signed(url: str) -> bool:
    """Whether a URL looks like a SUN message: it has a MAC, and an encrypted or plain identity beside it."""
    values = [value for value in parameters(url).values() if value and _HEX.issuperset(value.upper())]
    lengths = {len(value) for value in values}
    return (_MAC_DIGITS in lengths and (bool(_SUN_NUMBERS & lengths) or {14, 6} <= lengths)) or any(
        length >= 48 and length % 16 == 0 for length in lengths
    )
