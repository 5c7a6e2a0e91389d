"""The plan: dated rounds and windows, in ordinary nights and in those of 23 and 25 hours (rounds.md, The plan)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.instants import DAY, HOUR, MINUTE, instant, parse_instant
from gateway.site.clocks import wall_time
from gateway.site.model import Checkpoint, MaxGap, RoundRule, Route, Site, Visit
from gateway.site.plans import plan_rounds, plan_windows

EVERY_DAY = frozenset(range(7))
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai")


def site_of(
    *rules: RoundRule,
    timezone: str = "Asia/Shanghai",
    holidays: str | None = None,
    windows: tuple[MaxGap, ...] = (),
    **route,
) -> Site:
    return Site(
        id="s",
        name="s",
        timezone=timezone,
        latitude=0,
        longitude=0,
        holidays=holidays,
        checkpoints={f"cp-{n}": Checkpoint(id=f"cp-{n}", place="p", max_gap=gap) for n, gap in enumerate(windows)},
        routes={
            name: Route(id=name, visits=(Visit(checkpoint="cp-0"),), **route) for name in {rule.route for rule in rules}
        },
        rounds=rules,
    )


def clock(text: str) -> time:
    return time.fromisoformat(text)


def shift(since: str, until: str, every: int = HOUR, **more) -> RoundRule:
    more = {"route": "night", "days": EVERY_DAY, "lasts": 40 * MINUTE} | more
    return RoundRule(since=clock(since), until=clock(until), every=every, **more)


def starts(*clocks: str, **more) -> RoundRule:
    more = {"route": "day", "days": EVERY_DAY, "lasts": 40 * MINUTE} | more
    return RoundRule(starts=tuple(clock(text) for text in clocks), **more)


def ids(site: Site, since: str, until: str) -> list[str]:
    """Rounds whose start lies between the local midnights of two dates."""
    zone = site.zone_info
    span = (wall_time(date.fromisoformat(text), time(0), zone).first for text in (since, until))
    return [dated.id for dated in plan_rounds(site, *span)]


def rounds_of_date(site: Site, day: str):
    """Rounds of one business date."""
    noon = parse_instant(f"{day}T12:00+00:00")
    return [
        dated for dated in plan_rounds(site, noon - 3 * DAY, noon + 5 * DAY) if dated.date == date.fromisoformat(day)
    ]


def test_a_shift_over_midnight_carries_the_date_of_its_beginning():
    rounds = rounds_of_date(site_of(shift("22:00", "06:00")), "2026-11-22")
    assert [dated.id for dated in rounds] == [
        "night@2026-11-22T22:00+08:00",
        "night@2026-11-22T23:00+08:00",
        "night@2026-11-23T00:00+08:00",
        "night@2026-11-23T01:00+08:00",
        "night@2026-11-23T02:00+08:00",
        "night@2026-11-23T03:00+08:00",
        "night@2026-11-23T04:00+08:00",
        "night@2026-11-23T05:00+08:00",
    ]
    assert {dated.end - dated.start for dated in rounds} == {40 * MINUTE}


def test_the_last_start_is_strictly_before_the_end_of_the_shift():
    site = site_of(shift("08:00", "10:00", 40 * MINUTE))
    assert [dated.id[-11:-6] for dated in rounds_of_date(site, "2026-11-22")] == ["08:00", "08:40", "09:20"]


def test_a_shift_whose_ends_are_equal_lasts_a_day():
    assert len(rounds_of_date(site_of(shift("08:00", "08:00", 2 * HOUR)), "2026-11-22")) == 12


def test_a_night_of_23_hours_has_a_round_fewer_and_one_of_25_a_round_more():
    site = site_of(shift("22:00", "06:00"), timezone="Europe/Berlin")
    assert [dated.id[6:] for dated in rounds_of_date(site, "2026-03-28")] == [
        "2026-03-28T22:00+01:00",
        "2026-03-28T23:00+01:00",
        "2026-03-29T00:00+01:00",
        "2026-03-29T01:00+01:00",
        "2026-03-29T03:00+02:00",
        "2026-03-29T04:00+02:00",
        "2026-03-29T05:00+02:00",
    ]
    assert [dated.id[6:] for dated in rounds_of_date(site, "2026-10-24")] == [
        "2026-10-24T22:00+02:00",
        "2026-10-24T23:00+02:00",
        "2026-10-25T00:00+02:00",
        "2026-10-25T01:00+02:00",
        "2026-10-25T02:00+02:00",
        "2026-10-25T02:00+01:00",
        "2026-10-25T03:00+01:00",
        "2026-10-25T04:00+01:00",
        "2026-10-25T05:00+01:00",
    ]


def test_lord_howe_changes_by_half_an_hour():
    site = site_of(shift("01:00", "04:00"), timezone="Australia/Lord_Howe")
    assert [dated.id[6:] for dated in rounds_of_date(site, "2026-10-04")] == [
        "2026-10-04T01:00+10:30",
        "2026-10-04T02:30+11:00",
        "2026-10-04T03:30+11:00",
    ]
    assert [dated.id[6:] for dated in rounds_of_date(site, "2026-04-05")] == [
        "2026-04-05T01:00+11:00",
        "2026-04-05T01:30+10:30",
        "2026-04-05T02:30+10:30",
        "2026-04-05T03:30+10:30",
    ]


def test_a_missing_start_moves_forward_by_the_gap():
    site = site_of(starts("02:30"), timezone="America/New_York")
    assert [dated.id for dated in rounds_of_date(site, "2026-03-08")] == ["day@2026-03-08T03:30-04:00"]


def test_a_missing_start_is_dropped_where_the_route_says_skip():
    site = site_of(starts("02:30", "05:00"), timezone="America/New_York", dst_gap="skip")
    assert [dated.id for dated in rounds_of_date(site, "2026-03-08")] == ["day@2026-03-08T05:00-04:00"]


def test_the_beginning_of_a_shift_moves_forward_even_where_the_route_says_skip():
    site = site_of(shift("02:30", "06:00"), timezone="Europe/Berlin", dst_gap="skip")
    assert rounds_of_date(site, "2026-03-29")[0].id == "night@2026-03-29T03:30+02:00"


def test_a_double_start_is_the_first_or_both():
    first = site_of(starts("01:30"), timezone="America/New_York")
    both = site_of(starts("01:30"), timezone="America/New_York", dst_overlap="both")
    assert [dated.id for dated in rounds_of_date(first, "2026-11-01")] == ["day@2026-11-01T01:30-04:00"]
    assert [dated.id for dated in rounds_of_date(both, "2026-11-01")] == [
        "day@2026-11-01T01:30-04:00",
        "day@2026-11-01T01:30-05:00",
    ]


def test_the_double_beginning_of_a_shift_is_the_first_even_where_the_route_says_both():
    site = site_of(shift("02:30", "03:00", 30 * MINUTE), timezone="Europe/Berlin", dst_overlap="both")
    assert [dated.id[6:] for dated in rounds_of_date(site, "2026-10-25")] == [
        "2026-10-25T02:30+02:00",
        "2026-10-25T02:00+01:00",
        "2026-10-25T02:30+01:00",
    ]


def test_a_start_moved_onto_another_is_one_round():
    site = site_of(starts("02:00", "03:00"), timezone="Europe/Berlin")
    assert [dated.id for dated in rounds_of_date(site, "2026-03-29")] == ["day@2026-03-29T03:00+02:00"]


def test_two_entries_that_give_one_id_give_one_round():
    site = site_of(shift("22:00", "06:00"), starts("22:00", "23:30", route="night"))
    assert [dated.id[-11:-6] for dated in rounds_of_date(site, "2026-11-22")][:3] == ["22:00", "23:00", "23:30"]


def test_a_start_not_later_than_its_predecessor_falls_on_the_next_day():
    site = site_of(starts("22:00", "02:00", "02:00", "01:00", days=frozenset({6})))
    assert [dated.id for dated in rounds_of_date(site, "2026-11-22")] == [
        "day@2026-11-22T22:00+08:00",
        "day@2026-11-23T02:00+08:00",
        "day@2026-11-24T02:00+08:00",
        "day@2026-11-25T01:00+08:00",
    ]
    assert rounds_of_date(site, "2026-11-23") == []


def test_days_are_those_of_the_business_date():
    site = site_of(shift("22:00", "06:00", 4 * HOUR, days=frozenset({4})))
    assert ids(site, "2026-11-16", "2026-11-23") == ["night@2026-11-20T22:00+08:00", "night@2026-11-21T02:00+08:00"]


def test_validity_bounds_the_business_date_with_both_ends():
    site = site_of(
        shift("22:00", "06:00", 4 * HOUR, valid_since=date(2026, 11, 20), valid_until=date(2026, 11, 21)),
    )
    assert ids(site, "2026-11-16", "2026-11-30") == [
        "night@2026-11-20T22:00+08:00",
        "night@2026-11-21T02:00+08:00",
        "night@2026-11-21T22:00+08:00",
        "night@2026-11-22T02:00+08:00",
    ]


@pytest.mark.parametrize(
    ("holidays", "expected"),
    [
        ("also", ["2026-09-30", "2026-10-01", "2026-10-02", "2026-10-08"]),
        ("only", ["2026-10-01", "2026-10-02"]),
        ("never", ["2026-09-30", "2026-10-08"]),
    ],
)
def test_holidays_restrict_the_weekdays_further(holidays, expected):
    site = site_of(starts("10:00", days=frozenset({2, 3, 4}), holidays=holidays), holidays="CN")
    dates = [text[4:14] for text in ids(site, "2026-09-28", "2026-10-09")]
    assert [day for day in dates if day != "2026-10-07"] == expected


def test_holidays_count_by_the_date_of_the_shift_not_of_the_start():
    site = site_of(starts("23:00", "01:00", holidays="only"), holidays="DE")
    assert ids(site, "2026-05-01", "2026-05-03") == ["day@2026-05-01T23:00+08:00", "day@2026-05-02T01:00+08:00"]


def test_a_span_holds_its_beginning_and_not_its_end():
    site = site_of(starts("10:00"))
    ten = parse_instant("2026-11-22T10:00+08:00")
    assert [dated.start for dated in plan_rounds(site, ten, ten + DAY)] == [ten]


def test_a_start_of_odd_seconds_says_them_in_its_id():
    site = site_of(shift("08:00", "08:02", 90_000_000))
    assert [dated.id for dated in rounds_of_date(site, "2026-11-22")] == [
        "night@2026-11-22T08:00+08:00",
        "night@2026-11-22T08:01:30+08:00",
    ]


def test_a_broken_clock_overflows_no_date():
    far = parse_instant("9999-12-31T23:00+00:00")
    assert plan_rounds(site_of(starts("10:00")), far - DAY, far) == []
    assert (
        plan_rounds(
            site_of(starts("10:00")), parse_instant("0001-01-01T00:00+00:00"), parse_instant("0001-01-02T00:00+00:00")
        )
        == []
    )


def gap(since: str, until: str) -> MaxGap:
    return MaxGap(since=clock(since), until=clock(until), at_most=HOUR)


def test_windows_follow_the_same_rules_for_dates_and_clock_changes():
    site = site_of(windows=(gap("22:00", "06:00"), gap("02:30", "04:00")), timezone="Europe/Berlin")
    since = parse_instant("2026-03-28T00:00+01:00")
    windows = plan_windows(site, since, since + 2 * DAY)
    assert [(window.checkpoint, str(window.date), window.end - window.start) for window in windows] == [
        ("cp-1", "2026-03-28", 90 * MINUTE),
        ("cp-0", "2026-03-28", 7 * HOUR),
        ("cp-1", "2026-03-29", 30 * MINUTE),
        ("cp-0", "2026-03-29", 8 * HOUR),
    ]


def test_a_window_that_the_clock_jumps_over_is_left_out():
    site = site_of(windows=(gap("02:00", "03:00"),), timezone="Europe/Berlin")
    since = parse_instant("2026-03-28T00:00+01:00")
    assert [str(window.date) for window in plan_windows(site, since, since + 3 * DAY)] == ["2026-03-28", "2026-03-30"]


# -- properties ------------------------------------------------------------------------------------------------------

clocks = st.times().map(lambda value: value.replace(second=0, microsecond=0))
days_around_changes = st.one_of(
    st.dates(date(2025, 1, 1), date(2028, 12, 31)),
    *(st.integers(-2, 2).map(lambda n, day=day: day + timedelta(days=n)) for day in (
        date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 10, 4), date(2026, 10, 25), date(2026, 11, 1),
    )),
)  # fmt: skip


def minutes_when(zone: ZoneInfo, day: date, value: time) -> list[int]:
    """Every instant at which the clocks of `zone` show this minute, found by looking at each minute of three days."""
    wanted = datetime.combine(day, value)
    base = datetime.combine(day - timedelta(days=1), time(0), tzinfo=UTC)
    every = (base + timedelta(minutes=n) for n in range(3 * 24 * 60))
    return [instant(at) for at in every if at.astimezone(zone).replace(tzinfo=None) == wanted]


@settings(max_examples=60, deadline=None)
@example("Europe/Berlin", date(2026, 3, 29), time(2, 0, fold=1))
@given(
    st.sampled_from(ZONES),
    days_around_changes,
    st.times(time(0), time(3, 59)).map(lambda v: v.replace(second=0, microsecond=0)),
)
def test_a_wall_time_is_every_minute_the_clock_shows_it(name, day, value):
    zone = ZoneInfo(name)
    wall = wall_time(day, value, zone)
    shown = minutes_when(zone, day, value)
    if shown:
        assert wall.exists
        assert [wall.first, wall.second][: len(shown)] == shown
        assert (wall.second is None) == (len(shown) == 1)
    else:
        jump = next(n for n in range(1, 121) if minutes_when(zone, day, _later(value, n))) - 1
        back = next(n for n in range(1, 121) if minutes_when(zone, day, _later(value, -n))) - 1
        moved = minutes_when(zone, day, _later(value, jump + back + 1))
        assert (wall.first, wall.second, wall.exists) == (moved[0], None, False)


def _later(value: time, minutes: int) -> time:
    total = value.hour * 60 + value.minute + minutes
    return time(total // 60 % 24, total % 60)


@st.composite
def sites(draw) -> Site:
    rules = []
    for _ in range(draw(st.integers(1, 3))):
        common = {
            "route": draw(st.sampled_from(("a", "b"))),
            "days": draw(st.frozensets(st.integers(0, 6), min_size=1)),
            "lasts": 20 * MINUTE,
            "holidays": draw(st.sampled_from(("also", "only", "never"))),
        }
        if draw(st.booleans()):
            every = draw(st.integers(15, 300)) * MINUTE
            rules.append(RoundRule(since=draw(clocks), until=draw(clocks), every=every, **common))
        else:
            rules.append(RoundRule(starts=tuple(draw(st.lists(clocks, min_size=1, max_size=4))), **common))
    return site_of(
        *rules,
        timezone=draw(st.sampled_from(ZONES)),
        holidays="DE",
        windows=(MaxGap(since=draw(clocks), until=draw(clocks), at_most=HOUR),),
        dst_gap=draw(st.sampled_from(("shift_forward", "skip"))),
        dst_overlap=draw(st.sampled_from(("first", "both"))),
    )


spans = st.tuples(days_around_changes, st.integers(0, 72 * 60), st.integers(0, 72 * 60)).map(
    lambda value: (at := parse_instant(f"{value[0]}T00:00+00:00"), at + value[1] * MINUTE, at + sum(value[1:]) * MINUTE)
)


@settings(max_examples=100, deadline=None)
@given(sites(), spans)
def test_a_plan_is_the_sum_of_its_parts_sorted_and_without_repeats(site, span):
    since, middle, until = span
    for plan in (plan_rounds, plan_windows):
        whole = plan(site, since, until)
        assert whole == plan(site, since, middle) + plan(site, middle, until)
        assert all(since <= item.start < until for item in whole)
        keys = [(item.start, item.id if plan is plan_rounds else item.checkpoint) for item in whole]
        assert keys == sorted(set(keys))


@settings(max_examples=100, deadline=None)
@given(sites(), spans)
def test_an_id_names_its_route_and_start(site, span):
    for dated in plan_rounds(site, span[0], span[2]):
        route, _, start = dated.id.partition("@")
        assert (route, parse_instant(start)) == (dated.route, dated.start)
        assert (
            datetime.fromisoformat(start).utcoffset()
            == datetime.fromisoformat(start).astimezone(site.zone_info).utcoffset()
        )


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ZONES), days_around_changes, clocks, clocks, st.integers(1, 300))
def test_a_shift_steps_elapsed_time_until_its_end(zone, day, since, until, every):
    site = site_of(
        RoundRule(route="a", days=EVERY_DAY, lasts=MINUTE, since=since, until=until, every=every * MINUTE),
        timezone=zone,
    )
    planned = [dated.start for dated in rounds_of_date(site, str(day))]
    last = day + timedelta(days=1) if until <= since else day
    start, end = wall_time(day, since, site.zone_info).first, wall_time(last, until, site.zone_info).first
    assert len(planned) == max(0, -((start - end) // (every * MINUTE)))
    assert planned == [start + n * every * MINUTE for n in range(len(planned))]
    assert all(at < end for at in planned)


@settings(max_examples=60, deadline=None)
@given(sites(), spans)
def test_more_entries_never_take_a_round_away(site, span):
    fewer = msgspec.structs.replace(site, rounds=site.rounds[:-1])
    assert {dated.id for dated in plan_rounds(fewer, *span[::2])} <= {
        dated.id for dated in plan_rounds(site, *span[::2])
    }
