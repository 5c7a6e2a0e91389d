"""Periods of reports: their names, their edges, and the latest that are over."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from api.reports.periods import NoSuchPeriodError, latest, period, running
from api.reports.worker import SETTLE
from gateway.errors import ConfigError
from gateway.instants import DAY, HOUR, instant, parse_instant
from gateway.site.load import load_site
from gateway.site.model import Shift, Site

NIGHT = Shift(id="night", since=time(20), until=time(8), rotation=(("g-wang",),), first=date(2026, 1, 1))


def _site(zone: str = "Asia/Shanghai") -> Site:
    return Site(id="s", name="S", timezone=zone, latitude=31, longitude=121, shifts={"night": NIGHT})


def test_a_night_shift_belongs_to_the_date_on_which_it_begins() -> None:
    found = period(_site(), "shift:night:2026-11-25")
    assert (found.until - found.since) == 12 * HOUR
    assert found.since == instant(datetime(2026, 11, 25, 12, tzinfo=UTC))
    assert (found.first, found.last) == (date(2026, 11, 25), date(2026, 11, 25))


@pytest.mark.parametrize(
    ("name", "days"),
    [("day:2026-11-25", 1), ("week:2026-W53", 7), ("month:2026-02", 28), ("month:2028-02", 29), ("month:2026-12", 31)],
)
def test_periods_follow_each_other_without_a_gap(name: str, days: int) -> None:
    found = period(_site(), name)
    assert found.until - found.since == days * DAY
    assert found.id == name
    assert (found.last - found.first).days == days - 1


def test_a_day_with_a_change_of_clocks_has_23_or_25_hours() -> None:
    assert (
        period(_site("Europe/Berlin"), "day:2026-10-24").until - period(_site("Europe/Berlin"), "day:2026-10-24").since
        == 25 * HOUR
    )
    assert (
        period(_site("Europe/Berlin"), "day:2026-03-28").until - period(_site("Europe/Berlin"), "day:2026-03-28").since
        == 23 * HOUR
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        "day",
        "day:2026-13-01",
        "week:2026-W54",
        "week:2026-W00",
        "month:2026-00",
        "shift:2026-11-25",
        "shift:day:2026-11-25",
        "day:9999-12-31",
        "year:2026",
    ],
)
def test_what_is_no_period_is_refused_with_what_was_expected(name: str) -> None:
    with pytest.raises(NoSuchPeriodError, match="expected day:2026-11-25"):
        period(_site(), name)


@pytest.mark.parametrize("kind", ["shift", "day", "week", "month"])
def test_the_latest_period_is_the_last_one_that_is_over(kind: str) -> None:
    site = _site()
    now = instant(datetime(2026, 11, 26, 1, 0, tzinfo=UTC))
    (found,) = latest(site, kind, now)  # type: ignore[arg-type]
    assert found.until <= now
    longest = {"shift": 2, "day": 2, "week": 14, "month": 62}[kind] * DAY
    assert now - found.until < longest
    (later,) = latest(site, kind, found.until)  # type: ignore[arg-type]
    assert later == found
    (earlier,) = latest(site, kind, found.until - 1)  # type: ignore[arg-type]
    assert earlier.until <= found.until - 1
    assert SETTLE < HOUR


def test_of_each_shift_the_latest_is_given() -> None:
    day = Shift(id="day", since=time(8), until=time(20), rotation=(("g-wang",),), first=date(2026, 1, 1))
    site = Site(
        id="s", name="S", timezone="Asia/Shanghai", latitude=31, longitude=121, shifts={"day": day, "night": NIGHT}
    )
    found = latest(site, "shift", instant(datetime(2026, 11, 26, 1, 0, tzinfo=UTC)))
    assert [each.id for each in found] == ["shift:day:2026-11-25", "shift:night:2026-11-25"]


HEAD = """
site: {id: s, timezone: Asia/Shanghai, latitude: 31, longitude: 121}
people: [{id: g-wang, name: 王强}]
alerts: {contacts: {captain: {console: true}}}
SHIFTS
reports: {REPORTS}
"""
SHIFTS = 'shifts: [{id: night, from: "20:00", to: "08:00", rotation: [[g-wang]], since: 2026-01-01}]'


def _load(tmp_path: Path, reports: str, shifts: str = SHIFTS) -> Site:
    file = tmp_path / "site.yaml"
    file.write_text(HEAD.replace("SHIFTS", shifts).replace("REPORTS", reports), encoding="utf-8")
    return load_site(file, environ={})[0]


def test_the_site_file_names_who_is_told_of_each_kind(tmp_path: Path) -> None:
    assert _load(tmp_path, "shift: [captain], week: [captain]").reports == {"shift": ("captain",), "week": ("captain",)}


@pytest.mark.parametrize(
    ("reports", "shifts", "told"),
    [
        ("day: [boss]", SHIFTS, r"reports\.day\[0\]: found 'boss'; expected the id of a contact"),
        ("day: [captain, captain]", SHIFTS, r"reports\.day\[1\]"),
        ("hour: [captain]", SHIFTS, r"reports\.hour"),
        ("shift: [captain]", "", r"reports\.shift: there are no `shifts`"),
    ],
)
def test_what_is_wrong_in_reports_is_told_with_its_place(tmp_path: Path, reports: str, shifts: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        _load(tmp_path, reports, shifts)


@pytest.mark.parametrize(
    ("at", "found"),
    [
        ("2026-11-29T11:00:00+08:00", ["week:2026-W48", "month:2026-11"]),
        ("2026-12-01T07:59:00+08:00", ["week:2026-W49", "month:2026-11"]),  # a day begins at 08:00
        ("2026-11-30T07:59:00+08:00", ["week:2026-W48", "month:2026-11"]),
    ],
)
def test_the_week_and_the_month_that_run_now(at: str, found: list[str]) -> None:
    assert [each.id for each in running(_site(), parse_instant(at))] == found
