"""Public holidays of a country or one of its regions, from the `holidays` library: `CN`, `DE`, `DE-BE`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache


def is_calendar(code: str) -> bool:
    """Whether there is a calendar for `code`: a country (ISO 3166-1, two letters), or country-region (ISO 3166-2)."""
    import holidays  # noqa: PLC0415 40 ms of a start that only sites with a calendar pay

    country, _, region = code.partition("-")
    regions: dict[str, list[str]] = holidays.list_supported_countries(include_aliases=True)
    return country in regions and (not region or region in regions[country])


@lru_cache(maxsize=512)
def holidays_of(code: str, year: int) -> Mapping[date, str]:
    """The public holidays of one year with their names in the calendar's own language, whatever the gateway's locale.

    China's are as the State Council announces them each November for the next year; for a year that the installed
    library does not know yet only the statutory days are given, without the bridging days.

    Raises:
        ValueError: there is no calendar for `code`.
    """
    import holidays  # noqa: PLC0415 as above

    if not is_calendar(code):
        raise ValueError(f"there is no holiday calendar {code!r}")
    country, _, region = code.partition("-")
    own = holidays.country_holidays(country).default_language
    return dict(holidays.country_holidays(country, subdiv=region or None, years=year, language=own))


def is_holiday(code: str | None, day: date) -> bool:
    """Whether `day` is a public holiday of `code`; without a calendar none is."""
    return holiday_name(code, day) is not None


def holiday_name(code: str | None, day: date) -> str | None:
    """What public holiday of `code` the day is; None: it is none."""
    return None if code is None else holidays_of(code, day.year).get(day)
