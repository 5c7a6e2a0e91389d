"""Periods by the site's clock, and when a quarter's inspection is due."""

from __future__ import annotations

from datetime import date

import pytest

from gateway.instants import moment
from gateway.scores.period import due_of, period_of, quarter_of
from gateway.site.model import Site

SITE = Site(id="s", name="S", timezone="Asia/Shanghai", latitude=0, longitude=0)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026-Q1", "2026-01-01T00:00:00+08:00", "2026-04-01T00:00:00+08:00"),
        ("2026-Q4", "2026-10-01T00:00:00+08:00", "2027-01-01T00:00:00+08:00"),
        ("2026-12", "2026-12-01T00:00:00+08:00", "2027-01-01T00:00:00+08:00"),
        ("2026-02", "2026-02-01T00:00:00+08:00", "2026-03-01T00:00:00+08:00"),
        ("2026", "2026-01-01T00:00:00+08:00", "2027-01-01T00:00:00+08:00"),
    ],
)
def test_a_period_begins_and_ends_at_local_midnights(text, since, until):
    period = period_of(SITE, text)
    assert moment(period.since, SITE.zone_info).isoformat() == since
    assert moment(period.until, SITE.zone_info).isoformat() == until


@pytest.mark.parametrize("text", ["", "2026-Q5", "2026-13", "2026-00", "26", "2026-q1", "9999", "0001-Q1", "2026-Q1 "])
def test_anything_else_is_no_period(text):
    with pytest.raises(ValueError, match="expected"):
        period_of(SITE, text)


def test_quarters_are_sent_in_early_in_the_month_after():
    assert [due_of(f"2026-Q{number}") for number in (1, 2, 3, 4)] == [
        date(2026, 4, 5), date(2026, 7, 5), date(2026, 10, 5), date(2027, 1, 5),
    ]  # fmt: skip
    assert due_of("2026-04") is None
    assert [quarter_of(date(2026, month, 1)) for month in (1, 3, 4, 12)] == ["2026-Q1", "2026-Q1", "2026-Q2", "2026-Q4"]
