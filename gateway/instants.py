"""Instants as integers: microseconds since 1970-01-01 UTC. Rules compare these; datetimes stand at the edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from math import ceil

Instant = int
"""Microseconds since the Unix epoch, UTC."""

Duration = int
"""Microseconds."""

SECOND: Duration = 1_000_000
MINUTE: Duration = 60 * SECOND
HOUR: Duration = 60 * MINUTE
DAY: Duration = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(moment: datetime) -> Instant:
    """The instant of an aware datetime, exactly."""
    span = moment - _EPOCH
    return (span.days * 86_400 + span.seconds) * SECOND + span.microseconds


def moment(at: Instant, zone: tzinfo) -> datetime:
    """The aware datetime of an instant in `zone`, exactly."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(zone)


def parse_instant(text: str) -> Instant:
    """The instant of an RFC 3339 time with offset.

    Raises:
        ValueError: not such a time, or without an offset.
    """
    value = datetime.fromisoformat(text.upper())
    if value.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write for example {value.isoformat()}+08:00")
    return instant(value)


def seconds(duration: Duration) -> float | int:
    """A duration in seconds, an int where it is whole."""
    whole, rest = divmod(duration, SECOND)
    return whole if not rest else duration / SECOND


def told_s(length_s: float) -> int:
    """A length in whole seconds as people are told it: rounded up, so it reads as more than a limit of whole seconds exactly if it is more.

    Args:
        length_s: seconds, not negative; less than a microsecond too much is a float's dust.
    """
    return ceil(round(length_s, 6))
