"""How exports write a time: the forms as a table, and whether a column of `05/06/2026` has the day or the month first.

A column is decided as a whole: one value above 12 tells for all of them; if none does, nobody guesses.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Literal, NamedTuple

from device_drivers.patrol_export.characters import simplified
from device_drivers.patrol_export.tables import Cell

Order = Literal["ymd", "mdy", "dmy"]

_DATES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"(?P<y>\d{4})\s*[-/.年]\s*(?P<m>\d{1,2})\s*[-/.月]\s*(?P<d>\d{1,2})\s*[日号]?"),
        "2026/05/01, 2026年5月1日",
    ),
    (re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?=\D|$|\d{6}$)"), "20260501"),
    (re.compile(r"(?P<d>\d{1,2})[-/. ](?P<name>[a-z]{3,9})\.?[-/., ]+(?P<y>\d{4})"), "01-May-2026"),
    (re.compile(r"(?P<name>[a-z]{3,9})\.?\s+(?P<d>\d{1,2}),?\s+(?P<y>\d{4})"), "May 1, 2026"),
    (re.compile(r"(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<c>\d{4}|\d{2})(?!\d)"), "01/05/2026"),
)
"""Each form of a date, and how it looks."""

_CLOCK = re.compile(
    r"[t\s,]*(?P<before>上午|下午|凌晨|早上|中午|晚上|am|pm)?\s*"
    r"(?:(?P<h>\d{1,2})\s*[:时点]\s*(?P<m>\d{1,2})(?:\s*[:分]\s*(?P<s>\d{1,2})(?:[.,]\d+)?\s*秒?)?分?|(?P<compact>\d{6}))"
    r"\s*(?P<after>am|pm|a\.m\.|p\.m\.)?\s*(?P<zone>z|utc|[+-]\d{2}:?\d{2})?"
)
_WEEKDAY = re.compile(r"\(?(?:星期|周|礼拜)[一二三四五六日天]\)?|\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\b,?")
_NUMBER = re.compile(r"\d{1,7}(?:\.\d+)?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_BEFORE_NOON = {**{hour: hour for hour in range(12)}, 12: 0}
_AFTER_NOON = {**{hour: hour + 12 for hour in range(12)}, **{hour: hour for hour in range(12, 25)}}
_NOON = {**{hour: hour for hour in range(10, 15)}, 1: 13, 2: 14}
_EVENING = {hour: of_day for hour, of_day in _AFTER_NOON.items() if of_day >= 17}
_PARTS_OF_DAY: Mapping[str, Mapping[int, int]] = {
    **dict.fromkeys(("上午", "凌晨", "早上", "am", "a.m."), _BEFORE_NOON),
    **dict.fromkeys(("下午", "pm", "p.m."), _AFTER_NOON),
    "中午": _NOON,
    "晚上": _EVENING,
}
"""By the word beside a time: the hour of the day for the hour that stands there. One that is not here cannot be (13 in the morning), or
would be of another day than its date (12 at night).
"""

_NO_HOUR = 25

_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 a date on the wall, as Excel counts
_EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001
_MOST_DAYS = 2_958_465
"""31 December 9999, as Excel counts."""


class UndecidedError(ValueError):
    """A column whose dates can be read in two ways."""


class Reading(NamedTuple):
    """How times of a file are read.

    Args:
        zone: of times that name none.
        order: which of the three numbers of a date is which where the year is not plainly first; None: no date of the file needs it.
        excel_1904: day numbers count from 1904.
    """

    zone: tzinfo
    order: Order | None
    excel_1904: bool = False


def decide_order(cells: Iterable[Cell], told: Order | None) -> Order | None:
    """Day or month first, from all dates of the column.

    Raises:
        UndecidedError: it cannot be told, or the column contradicts itself; the text says what to do.
    """
    pairs: set[tuple[int, int]] = set()
    short = excel = False
    for cell in cells:
        if isinstance(cell, datetime):
            excel = True
        elif isinstance(cell, str) and (match := _slashed(cell)) is not None:
            pairs.add((int(match["a"]), int(match["b"])))
            short |= len(match["c"]) == 2
    if not pairs:
        return told
    if excel:
        raise UndecidedError(
            "the time column has dates beside texts such as 13/05/2026: a spreadsheet program has read some of them with day "
            "and month exchanged; import the file as the patrol program wrote it"
        )
    if told is not None:
        return told
    if short:
        raise UndecidedError(
            "the dates have years of two digits; say `dates: ymd`, `mdy` or `dmy` in the wand's settings"
        )
    day_first = any(first > 12 for first, _ in pairs)
    month_first = any(second > 12 for _, second in pairs)
    if day_first and month_first:
        raise UndecidedError(
            "some dates have the day first and some the month: export the file again with one form of date"
        )
    if not (day_first or month_first):
        if all(first == second for first, second in pairs):
            return "dmy"
        raise UndecidedError(
            "whether the day or the month stands first cannot be told from these dates; say `dates: dmy` or `dates: mdy` in "
            "the wand's settings, or export a longer time"
        )
    return "dmy" if day_first else "mdy"


def _slashed(text: str) -> re.Match[str] | None:
    if text[:4].isdecimal():
        return None
    word = _normal(text)
    if any(pattern.match(word) for pattern, _ in _DATES[:-1]):
        return None
    return _DATES[-1][0].match(word)


def _normal(text: str) -> str:
    if text.isascii() and text.lower() == text.upper():
        return text.strip()  # digits and signs: the usual form
    word = simplified(unicodedata.normalize("NFKC", text).casefold()).strip()
    return _WEEKDAY.sub(" ", word).strip()


def read_time(cell: Cell, clock: Cell, how: Reading) -> datetime:
    """The aware time of a row; `clock` is the time of day where it stands in a column of its own.

    Raises:
        ValueError: what is wrong, in a few words.
    """
    day, of_day, zone = _day(cell, how)
    if clock is not None:
        of_day, other = _time_of_day(clock)
        zone = other or zone
    if of_day is None:
        raise ValueError(f"no time of day in {str(cell)[:40]!r}")
    try:
        local = datetime.combine(day, time()) + of_day
        offset = local.replace(tzinfo=zone or how.zone).utcoffset() or timedelta(0)
        aware = local.replace(tzinfo=timezone(offset))  # of a zone with summer time, two times are compared by the wall
        aware.astimezone(UTC)
    except (OverflowError, ValueError):
        raise ValueError(f"the date of {str(cell)[:40]!r} is beyond what can be reckoned with") from None
    return aware


def is_time_of_day(cell: Cell) -> bool:
    """Whether a cell holds a time of day without its date."""
    match cell:
        case str():
            match = _CLOCK.fullmatch(_normal(cell))
            return match is not None and match["compact"] is None
        case time():
            return True
        case int() | float():
            return 0 <= cell < 1
        case _:
            return False


def _day(cell: Cell, how: Reading) -> tuple[date, timedelta | None, tzinfo | None]:
    match cell:
        case None:
            raise ValueError("no time")
        case datetime():
            return _split(cell)
        case time():
            raise ValueError(f"a time of day without its date ({cell:%H:%M:%S})")
        case int() | float() if cell < _MOST_DAYS + 1:
            return _split(_serial(cell, how))
        case int() | float():
            cell = f"{cell:.0f}"  # 20260501001949 written as a number
    word = _normal(cell)
    if _NUMBER.fullmatch(word) and ("." in word or len(word) < 8):
        return _split(_serial(float(word), how))
    for pattern, _ in _DATES:
        if (match := pattern.match(word)) is not None:
            day = _date(match, how.order, cell)
            rest = word[match.end() :].strip()
            if not rest:
                return day, None, None
            of_day, zone = _time_of_day(rest)
            return day, of_day, zone
    raise ValueError(f"{cell[:40]!r} is no time (known are {'; '.join(look for _, look in _DATES)})")


def _serial(number: float, how: Reading) -> datetime:
    """Excel counts days from 1899-12-30 (or 1904-01-01); fractions are rounded to the second."""
    if not 1 <= number <= _MOST_DAYS:
        raise ValueError(f"{number:g} is no day number of a spreadsheet")
    return (_EPOCH_1904 if how.excel_1904 else _EPOCH) + timedelta(seconds=round(number * 86_400))


def _split(moment: datetime) -> tuple[date, timedelta | None, tzinfo | None]:
    if moment.microsecond >= 500_000:
        moment += timedelta(seconds=1)
    of_day = timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second)
    return moment.date(), of_day, moment.tzinfo


def _date(match: re.Match[str], order: Order | None, cell: str) -> date:
    parts = match.groupdict()
    if "name" in parts:
        month = parts["name"][:3]
        if month not in _MONTHS:
            raise ValueError(f"{cell[:40]!r} names no month")
        year, number, day = int(parts["y"]), _MONTHS.index(month) + 1, int(parts["d"])
    elif "y" in parts:
        year, number, day = int(parts["y"]), int(parts["m"]), int(parts["d"])
    else:
        year, number, day = _ordered(parts, order, cell)
    try:
        return date(year, number, day)
    except ValueError:
        raise ValueError(f"{cell[:40]!r} is no date") from None


def _ordered(parts: dict[str, str], order: Order | None, cell: str) -> tuple[int, int, int]:
    first, second, third = int(parts["a"]), int(parts["b"]), int(parts["c"])
    match order:
        case "ymd":
            if len(parts["c"]) == 4:
                raise ValueError(f"{cell[:40]!r} does not have its year first, as `dates: ymd` says")
            return 2000 + first, second, third
        case "mdy" | "dmy":
            year = third if third >= 100 else 2000 + third
            return (year, first, second) if order == "mdy" else (year, second, first)
        case None:
            raise ValueError(f"{cell[:40]!r}: whether the day or the month stands first is not known")


def _time_of_day(cell: Cell) -> tuple[timedelta, tzinfo | None]:
    match cell:
        case datetime():
            return timedelta(hours=cell.hour, minutes=cell.minute, seconds=cell.second), None
        case time():
            return timedelta(hours=cell.hour, minutes=cell.minute, seconds=cell.second), None
        case int() | float() if 0 <= cell < 1:
            return timedelta(seconds=round(cell * 86_400)), None
        case str() if (match := _CLOCK.fullmatch(_normal(cell))) is not None:
            return _clock(match, cell)
        case _:
            raise ValueError(f"{str(cell)[:40]!r} is no time of day")


def _clock(match: re.Match[str], text: str) -> tuple[timedelta, tzinfo | None]:
    if match["compact"]:
        hour, minute, second = (int(match["compact"][at : at + 2]) for at in (0, 2, 4))
    else:
        hour, minute, second = int(match["h"]), int(match["m"]), int(match["s"] or 0)
    if (part := match["after"] or match["before"]) is not None:
        hour = _PARTS_OF_DAY[part].get(hour, _NO_HOUR)
    if minute > 59 or second > 59 or hour > 24 or (hour == 24 and (minute or second)):
        raise ValueError(f"{text[:40]!r} is no time of day")
    return timedelta(hours=hour, minutes=minute, seconds=second), _zone(match["zone"])


def _zone(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text in ("z", "utc"):
        return UTC
    digits = text[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError(f"{text} is no offset")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)
