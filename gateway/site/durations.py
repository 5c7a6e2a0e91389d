"""Durations (`90s`, `5m`, `2h`, `1d`), clock times (`22:00`) and weekdays (`mon-fri`) as people write them."""

from __future__ import annotations

import re
from datetime import time

from gateway.instants import DAY, HOUR, MINUTE, SECOND, Duration

UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

LONGEST = 3660 * DAY
"""Ten years: longer is a slip of the pen."""

_DURATION = re.compile(r"(-?)([0-9]{1,12})([smhd])", re.ASCII)
_RATE = re.compile(r"([1-9][0-9]{0,3})/h", re.ASCII)
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})", re.ASCII)


def parse_duration(text: str) -> Duration:
    """The microseconds of `90s`, `5m`, `2h`, `1d`; a leading minus is for offsets.

    Raises:
        ValueError: it is no such duration, or longer than ten years.
    """
    if (found := _DURATION.fullmatch(text)) is None:
        raise ValueError("expected a duration such as `90s`, `5m`, `2h` or `1d`")
    sign, number, unit = found.groups()
    duration = int(number) * UNITS[unit]
    if duration > LONGEST:
        raise ValueError("expected a duration of at most ten years")
    return -duration if sign else duration


def parse_clock(text: str) -> time:
    """The time of day of `22:00`, hours 0 to 23.

    Raises:
        ValueError: it is no such time.
    """
    found = _CLOCK.fullmatch(text)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise ValueError('expected a clock time such as "22:00", from "00:00" to "23:59"')
    return time(int(found[1]), int(found[2]))


def parse_end(text: str) -> time:
    """The time of day at which something ends; `24:00` is the midnight at the end of the day.

    Raises:
        ValueError: it is no such time.
    """
    return time(0) if text == "24:00" else parse_clock(text)


def parse_span(text: str) -> tuple[time, time]:
    """Both clock times of `22:00-06:00`.

    Raises:
        ValueError: it is no such span.
    """
    since, _, until = text.partition("-")
    try:
        return parse_clock(since.strip()), parse_end(until.strip())
    except ValueError as error:
        raise ValueError('expected two clock times such as "22:00-06:00"') from error


def parse_rate(text: str) -> int:
    """How many an hour `10/h` is.

    Raises:
        ValueError: it is no such rate, or none an hour.
    """
    if (found := _RATE.fullmatch(text)) is None:
        raise ValueError("expected so many messages an hour, such as `10/h`")
    return int(found[1])


def parse_days(text: str) -> frozenset[int]:
    """The weekdays, Monday 0, of `mon`, `mon-fri`, `fri-mon` or `sat, sun`.

    Raises:
        ValueError: it names no weekdays.
    """
    days: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if first not in WEEKDAYS or (dash and last not in WEEKDAYS):
            raise ValueError(f"expected weekdays such as `mon-fri` or `[sat, sun]`, of {', '.join(WEEKDAYS)}")
        start = WEEKDAYS.index(first)
        length = (WEEKDAYS.index(last) - start) % 7 if dash else 0
        days |= {(start + n) % 7 for n in range(length + 1)}
    return frozenset(days)


def written(duration: Duration) -> str:
    """A duration as the site file writes it, in the largest unit that holds it whole."""
    if duration == 0:
        return "0s"
    unit, size = next((unit, size) for unit, size in reversed(UNITS.items()) if duration % size == 0 or unit == "s")
    return f"{duration // size}{unit}"
