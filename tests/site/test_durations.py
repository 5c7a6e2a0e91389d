"""Durations, clock times and weekdays as the site file writes them (site.md)."""

from __future__ import annotations

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.instants import DAY, HOUR, MINUTE, SECOND
from gateway.site.durations import parse_clock, parse_days, parse_duration, parse_span, written


@pytest.mark.parametrize(
    ("text", "duration"),
    [("90s", 90 * SECOND), ("5m", 5 * MINUTE), ("2h", 2 * HOUR), ("1d", DAY), ("0m", 0), ("-10m", -10 * MINUTE)],
)
def test_a_duration_is_a_number_and_a_unit(text, duration):
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "1.5h", "5M", "5min", "1h30m", "５m", "--5m", "9999999999d"])
def test_anything_else_is_no_duration(text):
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)


@given(st.integers(0, 10**8).map(lambda seconds: seconds * SECOND))
def test_a_duration_is_written_as_it_is_read(duration):
    assert parse_duration(written(duration)) == duration


def test_a_duration_is_written_in_its_largest_whole_unit():
    assert [written(value) for value in (0, 90 * SECOND, 120 * SECOND, 90 * MINUTE, 48 * HOUR)] == [
        "0s", "90s", "2m", "90m", "2d",
    ]  # fmt: skip


def test_clock_times_go_from_0_to_23_59():
    assert [parse_clock(text) for text in ("00:00", "6:05", "23:59")] == [time(0), time(6, 5), time(23, 59)]


@pytest.mark.parametrize("text", ["24:00", "22", "22:60", "22:00:00", "10pm", "-1:00", ""])
def test_anything_else_is_no_clock_time(text):
    with pytest.raises(ValueError, match="expected a clock time"):
        parse_clock(text)


def test_a_span_is_two_clock_times():
    assert parse_span("22:00-06:00") == parse_span("22:00 - 06:00") == (time(22), time(6))
    for text in ("22:00", "22:00-", "-06:00", "22:00-06:00-07:00"):
        with pytest.raises(ValueError, match="expected two clock times"):
            parse_span(text)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-sun", range(7)),
        ("Mon-Fri", range(5)),
        ("sat", [5]),
        ("fri-mon", [4, 5, 6, 0]),
        ("mon, wed-thu", [0, 2, 3]),
        ("sun-sun", [6]),
    ],
)
def test_weekdays_are_names_and_spans_of_names(text, days):
    assert parse_days(text) == frozenset(days)


@pytest.mark.parametrize("text", ["", "mon-", "-fri", "monday", "mon-fri-sun", "mon,,fri"])
def test_anything_else_is_no_weekday(text):
    with pytest.raises(ValueError, match="expected weekdays"):
        parse_days(text)
