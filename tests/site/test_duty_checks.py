"""The site keys `duty_checks` and `scores`."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.instants import HOUR, MINUTE
from gateway.site.load import load_site
from gateway.site.model import Scores

FILE = """\
site: {id: s, timezone: Asia/Shanghai, jitter_seed: env:SEED}
places: [{id: gate}]
people:
  - {id: c-li, roles: [captain]}
  - {id: g-he, roles: [guard]}
devices: [{id: rdr, driver: native, kind: reader, place: gate}]
checkpoints: [{id: cp, place: gate, reader: rdr}]
duty_checks:
  - {id: captain, checkers: c-li, posts: cp, per_week: 3}
"""
SCORES = """scores:
  items:
    - {id: patrol, weight: 80.5, deduct: {visit_missed: 0.25}}
    - {id: lights, weight: 19.5, deduct: {lights_below: 1}, target: 95}
"""


@pytest.fixture
def load(tmp_path: Path):
    def read(text: str = FILE):
        file = tmp_path / "site.yaml"
        file.write_text(text)
        return load_site(file, environ={"SEED": "sixteen or more."})

    return read


def test_a_duty_check_needs_little_and_has_defaults(load):
    site, problems = load()
    check = site.duty_checks["captain"]
    assert [(each.level, each.path) for each in problems] == [("warning", "duty_checks.captain")], "nobody is told"
    assert (check.checkers, check.posts, check.per_week) == (("c-li",), ("cp",), 3)
    assert (check.since.hour, check.until.hour) == (22, 6)
    assert (check.told, check.checker_within, check.guard_within, check.apart) == (
        10 * MINUTE,
        30 * MINUTE,
        5 * MINUTE,
        6 * HOUR,
    )
    assert site.scores == Scores()


def test_a_checker_with_a_contact_is_told(load):
    contact = "alerts: {policies: {default: [{after: 0s, notify: [li]}]}, contacts: {li: {console: true}}}\n"
    assert load(FILE.replace("roles: [captain]", "roles: [captain], contact: li") + contact)[1] == []


def test_points_are_exact_thousandths(load):
    site, _ = load(FILE + SCORES)
    patrol, lights = site.scores.items
    assert (patrol.weight, patrol.points, patrol.target) == (80_500, {"visit_missed": 250}, None)
    assert (lights.name, lights.target) == ("lights", 95_000)


@pytest.mark.parametrize(
    ("before", "after", "path", "told"),
    [
        ("posts: cp", "posts: gate", "duty_checks.captain.posts[0]", "expected the id of a checkpoint"),
        ("checkers: c-li", "checkers: [g-who]", "duty_checks.captain.checkers[0]", "expected the id of a person"),
        ("checkers: c-li, ", "", "duty_checks.captain", "`checkers` is missing"),
        ("posts: cp,", "posts: [cp, cp],", "duty_checks.captain.posts[1]", "a second time"),
        ("per_week: 3", "per_week: 8", "duty_checks.captain.per_week", "at most 7"),
        ("per_week: 3", 'window: "22:00-23:30"', "duty_checks.captain.window", "expected more than 105m"),
        ("per_week: 3", "apart: 13h", "duty_checks.captain.apart", "at most 12h"),
        ("per_week: 3", "findings: {asleep: 睡}", "duty_checks.captain.findings.asleep", "known already"),
        (", jitter_seed: env:SEED", "", "duty_checks.captain", "`site.jitter_seed`"),
        ("duty_checks:", "scores: {daily: 70}\nduty_checks:", "scores", "make 100"),
        ("duty_checks:", SCORES.replace("80.5", "80") + "duty_checks:", "scores.items", "weights that make 99.5"),
        ("duty_checks:", SCORES.replace("visit_missed", "visit_mist") + "duty_checks:", "scores.items[0].deduct.visit_mist", "did you mean `visit_missed`"),
        ("duty_checks:", SCORES.replace(", target: 95", "") + "duty_checks:", "scores.items[1]", "`target`"),
        ("duty_checks:", SCORES.replace("id: lights", "id: patrol") + "duty_checks:", "scores.items[1].id", "a second time"),
        ("duty_checks:", SCORES.replace("  items", "  year_end_items") + "duty_checks:", "scores.year_end_items[0].deduct.visit_missed", "expected one of manual"),
    ],
)  # fmt: skip
def test_what_contradicts_is_refused_where_it_stands(load, before, after, path, told):
    with pytest.raises(ConfigError) as caught:
        load(FILE.replace(before, after, 1))
    assert any(each.path == path and told in each.message for each in caught.value.problems), [
        str(each) for each in caught.value.problems
    ]
