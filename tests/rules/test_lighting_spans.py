"""When lamps are expected on: sun and clock (lighting.md, Expected on)."""

from __future__ import annotations

from datetime import date, time
from zoneinfo import ZoneInfo

import pytest
from astral import Observer
from astral.sun import sunrise, sunset

from gateway.instants import DAY, HOUR, MINUTE, instant, moment, parse_instant
from gateway.rules.spans import always, dusk_to_dawn, sun_below, times
from gateway.rules.sun import DARK, HORIZON, Sun

SHANGHAI = ZoneInfo("Asia/Shanghai")
SUN = Sun(31.2, 121.5)


@pytest.mark.parametrize("day", [date(2026, 3, 1), date(2026, 6, 21), date(2026, 11, 22), date(2026, 12, 31)])
def test_dusk_and_dawn_agree_with_the_almanac_within_a_minute(day: date) -> None:
    plan = dusk_to_dawn(SUN, HORIZON, 0)
    observer = Observer(31.2, 121.5)
    dusk = instant(sunset(observer, day, tzinfo=SHANGHAI))
    night = plan.span(dusk + HOUR)
    assert night.on
    assert night.since is not None
    assert abs(night.since - dusk) < MINUTE
    dawn = instant(sunrise(observer, moment(dusk + DAY, SHANGHAI).date(), tzinfo=SHANGHAI))
    assert night.until is not None
    assert abs(night.until - dawn) < MINUTE


def test_dark_lies_within_the_night() -> None:
    at = parse_instant("2026-11-22T23:00:00+08:00")
    night, dark = dusk_to_dawn(SUN, HORIZON, 0).span(at), sun_below(SUN, DARK).span(at)
    assert night.since is not None
    assert dark.since is not None
    assert night.until is not None
    assert dark.until is not None
    assert night.since < dark.since < dark.until < night.until


def test_each_instant_lies_in_the_span_it_gets_and_spans_alternate() -> None:
    plan = dusk_to_dawn(SUN, HORIZON, -10 * MINUTE)
    at = parse_instant("2026-11-20T12:00:00+08:00")
    was = plan.span(at)
    for _ in range(10):
        assert was.until is not None
        assert plan.span(was.until - 1) == was
        follow = plan.span(was.until)
        assert (follow.on, follow.since) == (not was.on, was.until)
        was = follow


def test_offset_is_added_at_dusk_and_subtracted_at_dawn() -> None:
    at = parse_instant("2026-11-22T23:00:00+08:00")
    plain, early = (dusk_to_dawn(SUN, HORIZON, offset).span(at) for offset in (0, -10 * MINUTE))
    assert plain.since is not None
    assert plain.until is not None
    assert early.since == plain.since - 10 * MINUTE
    assert early.until == plain.until + 10 * MINUTE


def test_polar_night_is_on_and_polar_day_is_off_without_edges() -> None:
    plan = dusk_to_dawn(Sun(75.0, 20.0), HORIZON, 0)
    winter, summer = (plan.span(parse_instant(f"2026-{month}-21T12:00:00Z")) for month in ("12", "06"))
    assert (winter.on, winter.since, winter.until) == (True, None, None)
    assert (summer.on, summer.since, summer.until) == (False, None, None)


def test_times_past_midnight() -> None:
    span = times(time(18), time(6), SHANGHAI).span(parse_instant("2026-11-23T05:59:59+08:00"))
    assert span.on
    assert span.since == parse_instant("2026-11-22T18:00:00+08:00")
    assert span.until == parse_instant("2026-11-23T06:00:00+08:00")
    assert not times(time(18), time(6), SHANGHAI).span(parse_instant("2026-11-23T06:00:00+08:00")).on


def test_times_follow_the_clock_over_summer_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    span = times(time(22), time(6), berlin).span(parse_instant("2026-10-25T00:00:00Z"))
    assert span.since is not None
    assert span.until is not None
    assert span.until - span.since == 9 * HOUR


def test_equal_times_and_always_never_change() -> None:
    at = parse_instant("2026-11-22T23:00:00+08:00")
    for plan in (times(time(18), time(18), SHANGHAI), always()):
        assert (plan.span(at).on, plan.span(at).since, plan.span(at).until) == (True, None, None)
