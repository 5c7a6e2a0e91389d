"""GetSystemDateAndTime: the question that every ONVIF device answers without a log-in (ONVIF Core, 8.3.5)."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from device_drivers.errors import DecodeError
from device_drivers.onvif.soap import below, child, text

QUESTION = '<d:GetSystemDateAndTime xmlns:d="http://www.onvif.org/ver10/device/wsdl"/>'

_PARTS = (
    ("Date", "Year"),
    ("Date", "Month"),
    ("Date", "Day"),
    ("Time", "Hour"),
    ("Time", "Minute"),
    ("Time", "Second"),
)


def read_clock(content: Element) -> datetime | None:
    """The device's time from GetSystemDateAndTimeResponse; None where it gives no UTC (some leave it out).

    Raises:
        DecodeError: no answer of this kind, or a time that there is not.
    """
    answered = child(content, "SystemDateAndTime")
    if answered is None:
        raise DecodeError("no SystemDateAndTime")
    utc = child(answered, "UTCDateTime")
    if utc is None:
        return None
    numbers: list[int] = []
    for part, name in _PARTS:
        value = text(below(utc, part, name))
        if not value.isdecimal() or not value.isascii() or len(value) > 4:
            raise DecodeError(f"UTCDateTime: {name} {value[:80]!r} is no number")
        numbers.append(int(value))
    year, month, day, hour, minute, second = numbers
    try:
        return datetime(year, month, day, hour, minute, min(second, 59) if second == 60 else second, tzinfo=UTC)
    except ValueError as error:
        raise DecodeError(f"UTCDateTime: {error}") from error
