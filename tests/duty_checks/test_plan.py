"""Random moments of duty checks: inside their windows, apart, reproducible, and committed to."""

from __future__ import annotations

import hmac
from datetime import date, time, timedelta
from hashlib import sha256
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.duty_checks.plan import commitment, fingerprint, monday_of, opened, plan_week, week_of, window
from gateway.instants import HOUR, MINUTE, instant, moment
from gateway.site.model import DutyCheck, Site

MONDAY = date(2026, 11, 23)


def site_of(zone: str = "Asia/Shanghai") -> Site:
    return Site(id="s", name="S", timezone=zone, latitude=0, longitude=0)


def check_of(**more) -> DutyCheck:
    return DutyCheck(
        **{"id": "captain", "checkers": ("c-li",), "posts": ("cp-gate", "cp-garage"), "per_week": 3} | more
    )


checks = st.builds(
    check_of,
    per_week=st.integers(1, 7),
    since=st.times(max_value=time(23, 59)).map(lambda t: t.replace(second=0, microsecond=0)),
    until=st.just(time(6)),
    told=st.sampled_from([0, 10 * MINUTE, 20 * MINUTE]),
    checker_within=st.sampled_from([10 * MINUTE, 30 * MINUTE]),
    apart=st.sampled_from([0, 6 * HOUR, 12 * HOUR]),
).filter(lambda check: not time(3) < check.since <= time(6, 0))
zones = st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC"])
weeks = st.dates(date(2020, 1, 1), date(2035, 1, 1)).map(monday_of)


@given(checks, zones, weeks, st.text(min_size=1))
def test_every_check_lies_whole_in_its_window_and_in_another_night(check, zone, monday, seed):
    site = site_of(zone)
    planned = plan_week(site, check, monday, seed)
    assert len(planned) == check.per_week
    windows = [window(site, check, monday + timedelta(days=number)) for number in range(7)]
    used = []
    for each in planned:
        inside = [
            number
            for number, (start, end) in enumerate(windows)
            if start <= each.at - check.told and each.at + check.checker_within + check.guard_within <= end
        ]
        assert inside, (moment(each.at, site.zone_info), windows)
        used.append(inside[-1] if len(used) == 0 else next(n for n in inside if n not in used))
        assert each.post in check.posts
        assert each.at % MINUTE == 0
    assert len(set(used)) == check.per_week
    for left, right in pairwise(planned):
        assert right.at - left.at >= check.apart


@given(checks, weeks, st.text(min_size=1))
def test_the_same_seed_gives_the_same_week(check, monday, seed):
    assert plan_week(site_of(), check, monday, seed) == plan_week(site_of(), check, monday, seed)


def test_another_seed_week_or_check_gives_other_moments():
    site = site_of()
    plans = {
        plan_week(site, check_of(), MONDAY, "one"),
        plan_week(site, check_of(), MONDAY, "two"),
        plan_week(site, check_of(id="manager"), MONDAY, "one"),
        plan_week(site, check_of(), MONDAY + timedelta(days=7), "one"),
    }
    assert len(plans) == 4


def test_moments_are_spread_over_nights_and_hours():
    site = site_of()
    found = [
        moment(each.at, site.zone_info)
        for number in range(200)
        for each in plan_week(site, check_of(per_week=1), MONDAY + timedelta(days=7 * number), "seed")
    ]
    assert len({each.weekday() for each in found}) == 7
    assert len({each.hour for each in found}) == 8


def test_whoever_has_the_seed_works_it_out_by_hand():
    """As the README writes it, without our code."""
    site, check = site_of("UTC"), check_of(per_week=1, posts=("cp",))
    [planned] = plan_week(site, check, MONDAY, "the seed")

    def draw(purpose: str) -> int:
        message = f"s|duty_check|captain|2026-W48|{purpose}".encode()
        return int.from_bytes(hmac.digest(b"the seed", message, "sha256")[:8], "big")

    day = min((MONDAY + timedelta(days=number) for number in range(7)), key=lambda day: draw(f"night {day}"))
    start, end = window(site, check, day)
    first, last = start + 10 * MINUTE, end - 35 * MINUTE
    assert planned.at == first + draw(f"minute {day}") % ((last - first) // MINUTE + 1) * MINUTE


def test_the_commitment_binds_every_moment_and_tells_none():
    site, check = site_of(), check_of()
    planned = plan_week(site, check, MONDAY, "seed")
    value = opened(site, check, MONDAY, planned, "seed")
    assert commitment(value) == sha256(msgspec.json.encode(value)).hexdigest()
    moved = planned[0].__class__(at=planned[0].at + MINUTE, post=planned[0].post)
    assert commitment(opened(site, check, MONDAY, (moved, *planned[1:]), "seed")) != commitment(value)
    salted = msgspec.structs.replace(value, salt="")
    assert commitment(salted) != commitment(value), "without the salt a week's few moments could be tried out"
    assert fingerprint(site, "seed") == fingerprint(site, "seed") != fingerprint(site, "other")


def test_weeks_are_those_of_iso_8601():
    assert week_of(date(2026, 1, 1)) == "2026-W01"
    assert week_of(date(2027, 1, 3)) == "2026-W53"
    assert (
        instant(moment(window(site_of(), check_of(), MONDAY)[0], site_of().zone_info))
        == window(site_of(), check_of(), MONDAY)[0]
    )
