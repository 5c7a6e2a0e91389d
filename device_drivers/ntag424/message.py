"""The parts of a SUN message, as they stand in a URL, and which of its text may have been signed."""

from __future__ import annotations

from binascii import Error, unhexlify
from collections.abc import Mapping
from typing import Literal, NamedTuple

from device_drivers.errors import DecodeError

Part = Literal["picc_data", "enc", "cmac", "uid", "ctr"]
MacFrom = Literal["auto", "file", "picc", "start", "none", "parameter"]

NAMES: Mapping[Part, tuple[str, ...]] = {
    "picc_data": ("picc_data", "picc", "e", "p"),
    "enc": ("enc", "f"),
    "cmac": ("cmac", "mac", "c", "m"),
    "uid": ("uid", "u"),
    "ctr": ("ctr", "counter", "n"),
}
"""Names of the parameters that are looked for; a tag's are free, the site may say its own."""

LONGEST = 2048
"""Characters of a URL; a tag holds 256 bytes."""

_MAC_DIGITS = 16
_MOST_PLACES = 24
"""Places before the MAC from which it may be taken; those nearest to it."""


class SunMessage(NamedTuple):
    """What a URL brought.

    Args:
        picc: encrypted identity and counter; b"" in plain mode.
        uid / counter: in plain mode, as they stand there (the counter most significant byte first).
        enc: encrypted file data; b"" if there is none.
        mac: 8 bytes.
        url: the whole, of which the rest are places: where the first part begins, the file data, and the MAC.
    """

    picc: bytes
    uid: bytes
    counter: bytes
    enc: bytes
    mac: bytes
    url: str
    first_at: int
    enc_at: int
    enc_end: int
    mac_at: int

    def signed(self, place: MacFrom) -> tuple[bytes, ...]:
        """Texts of which the MAC may be: what the tag may have signed from where its `SDMMACInputOffset` says up to the MAC.

        The file data alone is what a tag signs whose MAC follows it without a name between.
        """
        match place:
            case "none":
                return (b"",)
            case "file":
                if not self.enc:
                    return ()
                return self._text(self.enc_at, self.mac_at), self._text(self.enc_at, self.enc_end)
            case "picc":
                return (self._text(self.first_at, self.mac_at),)
            case "parameter":
                return tuple(self._text(start, self.mac_at) for start in self._beginnings())
            case _:
                scheme = self.url.find("://")
                return (self._text(scheme + 3 if scheme >= 0 else 0, self.mac_at),)

    def _beginnings(self) -> list[int]:
        """Where the URL, and before the MAC each parameter with and without its sign, and its value, begins."""
        signs = [(place, sign) for place, sign in enumerate(self.url[: self.mac_at]) if sign in "?&="]
        starts = {0, *(place + 1 for place, _ in signs), *(place for place, sign in signs if sign != "=")}
        return sorted(starts, reverse=True)[:_MOST_PLACES]

    def _text(self, start: int, end: int) -> bytes:
        return self.url[start:end].encode("ascii", "replace")


class _Value(NamedTuple):
    """Of a parameter: its text and where it stands in the URL; `start` -1: the parameter stands twice."""

    text: str
    start: int


_TWICE = _Value("", -1)


def read_url(url: str, names: Mapping[Part, tuple[str, ...]] = NAMES) -> SunMessage:
    """The SUN message in a URL.

    Raises:
        DecodeError: there is none, or a part of it is not what it should be.
    """
    if len(url) > LONGEST:
        raise DecodeError(f"a URL of {len(url)} characters; a tag holds 256")
    values = _parameters(url)
    mac, mac_name = _find(values, names["cmac"])
    picc, picc_name = _find(values, names["picc_data"])
    if mac is None and picc is not None:
        return _bulk(url, picc, picc_name)
    if mac is None:
        raise DecodeError(f"no SUN message: the URL has no parameter {' or '.join(names['cmac'])}")
    if len(mac.text) != _MAC_DIGITS:
        raise DecodeError(f"{mac_name} has {len(mac.text)} digits, expected {_MAC_DIGITS}")
    enc, enc_name = _find(values, names["enc"])
    if enc is not None and not enc.text:
        enc = None
    first = picc
    if picc is not None:
        if len(picc.text) not in (32, 48):
            raise DecodeError(f"{picc_name} has {len(picc.text)} digits, expected 32 (AES) or 48 (LRP)")
        uid = counter = b""
    else:
        uid, counter, first = _plain(values, names)
    if enc is not None and len(enc.text) % 32:
        raise DecodeError(f"{enc_name} has {len(enc.text)} digits, expected a multiple of 32")
    assert first is not None
    return SunMessage(
        b"" if picc is None else _octets(picc, picc_name),
        uid,
        counter,
        b"" if enc is None else _octets(enc, enc_name),
        _octets(mac, mac_name),
        url,
        first.start,
        0 if enc is None else enc.start,
        0 if enc is None else enc.start + len(enc.text),
        mac.start,
    )


def _parameters(url: str) -> dict[str, _Value]:
    """Each parameter's value. Not decoded: what a tag mirrors is hexadecimal."""
    start = url.find("?") + 1
    if not start:
        raise DecodeError("no SUN message: the URL has no parameters")
    end = url.find("#", start)
    values: dict[str, _Value] = {}
    for pair in url[start : end if end >= 0 else None].split("&"):
        equals = pair.find("=") + 1
        if equals:
            name = pair[: equals - 1]
            values[name] = _Value(pair[equals:], start + equals) if name not in values else _TWICE
        start += len(pair) + 1
    return values


def _find(values: Mapping[str, _Value], names: tuple[str, ...]) -> tuple[_Value | None, str]:
    for name in names:
        if name in values:
            found = values[name]
            if found is _TWICE:
                raise DecodeError(f"{name} stands twice in the URL")
            return found, name
    return None, names[0]


def _plain(values: Mapping[str, _Value], names: Mapping[Part, tuple[str, ...]]) -> tuple[bytes, bytes, _Value]:
    uid, uid_name = _find(values, names["uid"])
    counter, counter_name = _find(values, names["ctr"])
    if uid is None:
        raise DecodeError(f"no SUN message: neither {names['picc_data'][0]} nor {uid_name} in the URL")
    if len(uid.text) != 14:
        raise DecodeError(f"{uid_name} has {len(uid.text)} digits, expected 14")
    if counter is not None and len(counter.text) != 6:
        raise DecodeError(f"{counter_name} has {len(counter.text)} digits, expected 6")
    return _octets(uid, uid_name), b"" if counter is None else _octets(counter, counter_name), uid


def _bulk(url: str, value: _Value, name: str) -> SunMessage:
    """All parts in one parameter, one behind the other."""
    digits = len(value.text) - _MAC_DIGITS
    picc = {0: 32, 16: 48}.get(digits % 32, 0)
    if not picc or digits < picc:
        raise DecodeError(
            f"{name} has {len(value.text)} digits: it holds no SUN message with its MAC, and none stands beside it"
        )
    octets, enc, mac = _octets(value, name), value.start + picc, value.start + digits
    return SunMessage(
        octets[: picc // 2], b"", b"", octets[picc // 2 : -8], octets[-8:], url, value.start, enc, mac, mac
    )


def _octets(value: _Value, name: str) -> bytes:
    try:
        return unhexlify(value.text)
    except (Error, ValueError):
        raise DecodeError(f"{name} is not hexadecimal") from None
