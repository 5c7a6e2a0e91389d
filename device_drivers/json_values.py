"""What JSON payloads hold: documents, numbers, words and times, each checked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from device_drivers.errors import DecodeError

LARGEST = 1e15
"""Nothing that is measured in a building, and no count of its energy or its time in ms, is larger: beyond is damage."""

EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
"""A device that says it is earlier has not set its clock."""
AHEAD = timedelta(seconds=60)
"""A time further ahead of the gateway than this is a wrong clock, as for taps (rounds.md, Clocks)."""

_NO_VALUE = frozenset({"", "nan", "NaN", "-nan", "null", "None", "none", "unknown", "unavailable"})

_MARK, _ENDS = b"\xef\xbb\xbf", b"\0 \t\r\n"

_MOST_DIGITS = 32
"""Characters of a whole number as text."""

_any = msgspec.json.Decoder()


def read_json(payload: bytes) -> Any:
    """A JSON document; integers beyond 64 bits are read as numbers with a fraction are.

    Raises:
        DecodeError: no JSON, something behind it, or nested too deeply.
    """
    try:
        return _any.decode(payload)
    except RecursionError as error:
        raise DecodeError("JSON nested too deeply") from error
    except ValueError as error:
        if (bare := bared(payload)) is not payload:
            return read_json(bare)
        raise DecodeError(f"not JSON: {error}") from error


def bared(payload: bytes) -> bytes:
    """A document without the byte order mark before it and the zeros behind it that end a text in C; itself if it has none."""
    bare = payload.removeprefix(_MARK).rstrip(_ENDS)
    return bare if len(bare) < len(payload) else payload


def read_object(payload: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        DecodeError: something else.
    """
    document = read_json(payload)
    if type(document) is not dict:
        raise DecodeError(f"{shown(document)}: expected a JSON object")
    return document


def read_text(payload: bytes) -> str:
    """Text in UTF-8.

    Raises:
        DecodeError: other bytes.
    """
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(f"not UTF-8: {error.reason} at byte {error.start}") from error


def number(value: Any, name: str) -> float | None:
    """A number, also as text; None where the device has no value (NaN, "unknown").

    Raises:
        DecodeError: something else (a flag, too), or a number beyond `LARGEST`.
    """
    kind = type(value)
    if kind is float or kind is int:
        found = value
    elif kind is str and len(value) <= 64:
        text = value.strip()
        if text in _NO_VALUE:
            return None
        try:
            if not text.isascii() or "_" in text:
                raise ValueError
            found = float(text)
        except ValueError:
            raise DecodeError(f"{name}: {shown(value)}, expected a number") from None
    else:
        raise DecodeError(f"{name}: {shown(value)}, expected a number")
    if found != found:  # noqa: PLR0124  a not-a-number is no value
        return None
    if not -LARGEST <= found <= LARGEST:
        raise DecodeError(f"{name}: {str(value)[:40]} is no measurement")
    return float(found)


def scaled(value: float, factor: float) -> float:
    """A number in another unit, without the digits that only binary has: 1.001 kWh are 1001 Wh."""
    return value if factor == 1 else float(f"{value * factor:.15g}")


def count(value: Any, name: str) -> int:
    """A count of 32 bits, also as text.

    Raises:
        DecodeError: something else.
    """
    found = _whole(value)
    if type(found) is not int or not 0 <= found < 1 << 32:
        raise DecodeError(f"{name}: {shown(value)}, expected a count")
    return found


def _whole(value: Any) -> Any:
    """The digits of a text as the number they say; anything else as it is."""
    if type(value) is str and len(value) <= _MOST_DIGITS and value.isascii() and (text := value.strip()).isdigit():
        return int(text)
    return value


def word(value: Any) -> str | None:
    """A scalar as the text that tables name it by (`true`, `1`, `ON`); None of a list or an object."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if kind is float:
        return str(int(value)) if value.is_integer() and -LARGEST <= value <= LARGEST else repr(value)
    return None


def instant(seconds: float, received: datetime) -> datetime | None:
    """A device's time from seconds since 1970; None if its clock cannot be trusted."""
    try:
        return trusted(datetime.fromtimestamp(seconds, UTC), received)
    except (ValueError, OverflowError, OSError):
        return None


def millis(value: Any, received: datetime) -> datetime | None:
    """A device's time from whole milliseconds since 1970, also as text; None if it is no such number or cannot be trusted."""
    value = _whole(value)
    return instant(value / 1000, received) if type(value) is int and 0 < value < LARGEST else None


def iso_time(value: Any, received: datetime) -> datetime | None:
    """A device's time from RFC 3339 text; None if it has no offset, is no time, or cannot be trusted."""
    if type(value) is not str or len(value) > 64:
        return None
    try:
        return trusted(datetime.fromisoformat(value), received)
    except ValueError:
        return None


def trusted(time: datetime, received: datetime) -> datetime | None:
    """The time, if it has an offset, is after 2015 and not ahead of the gateway by more than 60 s."""
    try:
        return time if time.tzinfo is not None and EARLIEST <= time <= received + AHEAD else None
    except OverflowError:  # the first and last day of the calendar, in another zone
        return None


def shown(value: Any) -> str:
    """A value in a message for people; lists and objects only by name, since they may be deep and large."""
    if isinstance(value, (dict, list)):
        return "a list" if isinstance(value, list) else "an object"
    return repr(str(value)[:80])
