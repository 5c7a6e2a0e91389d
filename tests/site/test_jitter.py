"""Random starts inside set limits: in their limits, reproducible from the seed, never on a neighbour (gateway/site/README.md)."""

from __future__ import annotations

import hashlib
import hmac
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.instants import DAY, HOUR, MINUTE, parse_instant
from gateway.site.load import load_site
from gateway.site.model import DatedRound, RoundRule, Site
from gateway.site.plans import SeedMissingError, plan_dates, plan_rounds, slots
from tests.site.test_plans import ZONES, clocks, days_around_changes, shift, site_of, starts

NIGHT = date(2026, 5, 5)


def seeded(*rules: RoundRule, seed: str | None = "let nobody know", **more) -> Site:
    return msgspec.structs.replace(site_of(*rules, **more), jitter_seed=seed)


def night(site: Site, day: date = NIGHT) -> list[DatedRound]:
    return plan_dates(site, day, day)


def test_starts_are_put_off_inside_their_limit_and_the_id_tells_the_real_start():
    rounds = night(seeded(shift("22:00", "06:00", jitter=20 * MINUTE)))
    usual = night(site_of(shift("22:00", "06:00")))
    shifts = [put_off.start - nominal.start for put_off, nominal in zip(rounds, usual, strict=True)]
    assert all(0 <= each <= 20 * MINUTE and each % MINUTE == 0 for each in shifts)
    assert len(set(shifts)) > 3
    assert [dated.shift for dated in rounds] == shifts
    for dated in rounds:
        assert parse_instant(dated.id.removeprefix("night@")) == dated.start
        assert dated.end - dated.start == 40 * MINUTE


def test_anybody_with_the_seed_can_check_a_start():
    for dated in night(seeded(shift("22:00", "06:00", jitter=20 * MINUTE))):
        hour = (dated.start - dated.shift - parse_instant("2026-05-05T22:00+08:00")) // HOUR
        usual = f"night@2026-05-0{5 + (hour > 1)}T{(22 + hour) % 24:02}:00+08:00"
        digest = hmac.new(b"let nobody know", f"s|{usual}".encode(), hashlib.sha256).digest()
        assert dated.shift == int.from_bytes(digest[:8], "big") % 21 * MINUTE


def test_a_known_start():
    [first, *_] = night(seeded(shift("22:00", "06:00", jitter=20 * MINUTE)))
    assert first.id == "night@2026-05-05T22:01+08:00"


def test_other_seeds_sites_routes_and_dates_give_other_starts():
    rule = shift("22:00", "06:00", jitter=20 * MINUTE)
    plain = [dated.shift for dated in night(seeded(rule))]
    assert plain == [dated.shift for dated in night(seeded(rule))]
    other = msgspec.structs.replace(seeded(rule), id="other")
    for changed in (
        night(seeded(rule, seed="another")),
        night(other),
        night(seeded(msgspec.structs.replace(rule, route="outer"))),
        night(seeded(rule), NIGHT + timedelta(days=1)),
    ):
        assert [dated.shift for dated in changed] != plain


def test_every_minute_of_the_limit_is_used_about_as_often():
    site = seeded(shift("22:00", "06:00", jitter=9 * MINUTE))
    counts = [0] * 10
    for dated in plan_dates(site, date(2026, 1, 1), date(2026, 12, 31)):
        counts[dated.shift // MINUTE] += 1
    assert sum(counts) == 8 * 365
    assert all(abs(count - 292) < 75 for count in counts)  # ± 4.5 standard deviations


def test_an_entry_without_jitter_starts_on_time_and_needs_no_seed():
    assert {dated.shift for dated in night(seeded(shift("22:00", "06:00"), seed=None))} == {0}


def test_without_the_seed_nothing_is_planned_rather_than_something_wrong():
    with pytest.raises(SeedMissingError, match=r"site\.jitter_seed"):
        night(seeded(shift("22:00", "06:00", jitter=20 * MINUTE), seed=None))


def test_the_last_start_of_a_shift_stays_in_it():
    rule = shift("22:00", "06:10", lasts=10 * MINUTE, jitter=40 * MINUTE)
    for day in range(60):
        last = night(seeded(rule), NIGHT + timedelta(days=day))[-1]
        assert last.start - last.shift + 10 * MINUTE > last.start


def test_where_the_clock_brings_two_starts_together_the_round_before_has_no_room():
    rule = starts("01:50", "03:10", jitter=40 * MINUTE)
    assert [slot.room for slot in slots(seeded(rule, timezone="Europe/Berlin"), rule, date(2026, 3, 29))] == [
        0,
        40 * MINUTE,
    ]
    assert [slot.room for slot in slots(seeded(rule, timezone="Europe/Berlin"), rule, NIGHT)] == [40 * MINUTE] * 2


jittered = st.one_of(
    st.builds(
        lambda since, until, every, lasts, jitter: RoundRule(
            route="a", days=frozenset(range(7)), since=since, until=until, every=every * MINUTE,
            lasts=lasts * MINUTE, jitter=jitter * MINUTE,
        ),
        clocks, clocks, st.integers(15, 300), st.integers(1, 120), st.integers(1, 200),
    ),
    st.builds(
        lambda listed, lasts, jitter: RoundRule(
            route="a", days=frozenset(range(7)), starts=tuple(listed), lasts=lasts * MINUTE, jitter=jitter * MINUTE
        ),
        st.lists(clocks, min_size=1, max_size=4), st.integers(1, 120), st.integers(1, 200),
    ),
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(
    jittered,
    st.sampled_from(ZONES),
    days_around_changes,
    st.text(min_size=1, max_size=8),
    st.sampled_from(("first", "both")),
)
def test_no_start_leaves_its_shift_or_meets_a_neighbour(rule, zone, day, seed, overlap):
    site = seeded(rule, seed=seed, timezone=zone, dst_overlap=overlap)
    steady = msgspec.structs.replace(site, rounds=(msgspec.structs.replace(rule, jitter=0),))
    dates = (day - timedelta(days=4), day + timedelta(days=4))
    usual, put_off = plan_dates(steady, *dates), plan_dates(site, *dates)
    assert [dated.start - dated.shift for dated in put_off] == [dated.start for dated in usual]
    for mine, following in zip(put_off, [*usual[1:], None], strict=True):
        assert 0 <= mine.shift <= rule.jitter
        if mine.shift and following is not None:
            assert mine.end <= following.start
    if rule.until is not None:
        last = {dated.date: dated.start for dated in usual}
        assert all(dated.shift == 0 or dated.start < last[dated.date] + rule.every for dated in put_off)


@settings(max_examples=60, deadline=None)
@given(jittered, st.sampled_from(ZONES), days_around_changes, st.integers(0, 72), st.integers(0, 72))
def test_a_plan_with_random_starts_is_the_sum_of_its_parts(rule, zone, day, hours, more):
    site = seeded(rule, timezone=zone)
    since = parse_instant(f"{day}T00:00+00:00")
    middle, until = since + hours * HOUR, since + (hours + more) * HOUR
    whole = plan_rounds(site, since, until)
    assert whole == plan_rounds(site, since, middle) + plan_rounds(site, middle, until)
    dates = plan_dates(site, day - timedelta(days=9), day + timedelta(days=9))
    assert whole == [dated for dated in dates if since <= dated.start < until]
    assert whole or until - since < DAY + rule.jitter or not slots(site, rule, day)


# -- the site file -----------------------------------------------------------------------------------------------------

FILE = """\
site: {id: s, timezone: Asia/Shanghai, jitter_seed: env:SEED}
places: [{id: gate}]
devices: [{id: rdr, driver: native, kind: reader, place: gate}]
checkpoints: [{id: cp, place: gate, reader: rdr}]
routes:
  - {id: night, visits: [{checkpoint: cp}]}
rounds:
  - {route: night, from: "22:00", to: "06:00", every: 1h, lasts: 20m, jitter: 20m}
"""


@pytest.fixture
def load(tmp_path: Path):
    def read(text: str = FILE, environ: dict[str, str] | None = None, **more):
        file = tmp_path / "site.yaml"
        file.write_text(text)
        return load_site(file, environ={"SEED": "sixteen or more."} if environ is None else environ, **more)

    return read


def wrong(load, text: str, **more) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, **more)
    return [str(one).partition("site.yaml:")[2] for one in caught.value.problems if one.level == "error"]


def test_the_seed_is_read_from_its_secret_also_to_check_and_plan(load):
    for secrets in (True, False):
        site, problems = load(secrets=secrets)
        assert (site.jitter_seed, site.rounds[0].jitter, problems) == ("sixteen or more.", 20 * MINUTE, [])


def test_a_seed_that_is_not_there_keeps_the_gateway_from_starting_and_is_a_warning_to_check(load):
    [problem] = wrong(load, FILE, environ={})
    assert problem.startswith(
        "1: error: site.jitter_seed: found `env:SEED`, but the environment variable SEED is not set"
    )
    site, problems = load(environ={}, secrets=False)
    assert site.jitter_seed is None
    assert [(problem.level, problem.line, problem.path) for problem in problems] == [("warning", 1, "site.jitter_seed")]


def test_a_seed_that_could_be_guessed_is_warned_of_and_never_shown(load):
    [problem] = load(environ={"SEED": "fifteen letters"})[1]
    assert (problem.level, problem.line, problem.path) == ("warning", 1, "site.jitter_seed")
    assert "fifteen" not in problem.message


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("env:SEED", "hunter2", "1: error: site.jitter_seed: expected `env:NAME` or `file:PATH`"),
        (", jitter_seed: env:SEED", "", "8: error: rounds[0].jitter: found without `site.jitter_seed`; expected `jitter_seed: env:NAME`"),
        ("jitter: 20m", "jitter: 41m", "8: error: rounds[0].jitter: found 41m; expected at most 40m, as a round lasts 20m and the next one may begin 1h"),
        ("jitter: 20m", "jitter: 90s", "8: error: rounds[0].jitter: found '90s'; expected whole minutes such as `10m`"),
        ("jitter: 20m", "jitter: -5m", "8: error: rounds[0].jitter: found '-5m'; expected a duration of at least 0s"),
        ("jitter: 20m", "jitter: 5", "8: error: rounds[0].jitter: found 5; expected a duration such as"),
        ('from: "22:00", to: "06:00", every: 1h', 'starts: ["22:00", "22:30"]', "8: error: rounds[0].jitter: found 20m; expected at most 10m"),
        ('from: "22:00", to: "06:00", every: 1h', 'starts: ["00:10", "23:50"]', "8: error: rounds[0].jitter: found 20m; expected at most 0s"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_and_line(load, before, after, told):
    [problem] = wrong(load, FILE.replace(before, after))
    assert problem.startswith(told)


def test_visits_that_one_tap_could_serve_only_because_of_jitter_are_warned_of(load):
    assert load(FILE.replace("jitter: 20m", "jitter: 29m"))[1] == []
    [problem] = load(FILE.replace("jitter: 20m", "jitter: 30m"))[1]
    assert (problem.level, problem.line) == ("warning", 8)
    assert "their intervals overlap" in problem.message
