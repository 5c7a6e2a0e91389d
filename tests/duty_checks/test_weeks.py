"""Weekly counts against what is asked for."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.duty_checks.weeks import count
from gateway.instants import instant
from gateway.site.model import DutyCheck, Site

SITE = Site(
    id="s", name="S", timezone="Asia/Shanghai", latitude=0, longitude=0,
    duty_checks={"captain": DutyCheck(id="captain", checkers=("c",), posts=("cp",), per_week=3)},
)  # fmt: skip
NOW = instant(datetime(2026, 12, 2, tzinfo=UTC))
PLAN = {
    "kind": "plan",
    "check": "captain",
    "week": "2026-W48",
    "per_week": 3,
    "owed": 3,
    "state": "revealed",
    "commitment": "ab",
}


def item(state: str, kind: str = "planned", week: str = "2026-W48") -> dict[str, str]:
    return {"kind": kind, "check": "captain", "week": week, "state": state}


def test_extra_checks_count_and_a_guards_absence_is_a_check_that_was_made():
    [week] = count(
        SITE, [PLAN, item("passed"), item("checker_missed"), item("guard_absent"), item("passed", "extra")], NOW
    )
    assert (week.made, week.extra, week.missed, week.guard_absent, week.reached) == (3, 1, 1, 1, True)
    assert (week.commitment, week.revealed) == ("ab", True)


def test_too_few_are_told_only_of_a_week_that_is_over_and_known():
    assert count(SITE, [PLAN, item("passed"), item("checker_missed"), item("checker_missed")], NOW)[0].reached is False
    assert count(SITE, [PLAN, item("passed"), item("passed"), item("unverifiable")], NOW)[0].reached is None
    assert count(SITE, [PLAN, item("passed"), item("passed"), item("due")], NOW)[0].reached is None
    this = PLAN | {"week": "2026-W49", "state": "committed"}
    assert count(SITE, [this, item("checker_missed", week="2026-W49")], NOW)[0].reached is None


def test_too_few_are_not_told_before_the_last_night_of_a_week_is_over():
    monday = instant(datetime(2026, 11, 29, 18, tzinfo=UTC))
    plan = PLAN | {"state": "committed"}
    assert count(SITE, [plan, item("passed"), item("passed")], monday)[0].reached is None
    assert count(SITE, [PLAN, item("passed"), item("passed")], monday)[0].reached is False


def test_only_what_lay_after_the_first_start_is_owed():
    assert count(SITE, [PLAN | {"owed": 1}, item("passed")], NOW)[0].reached is True


def test_the_newest_week_comes_first():
    weeks = [each.week for each in count(SITE, [PLAN, item("passed", week="2026-W49")], NOW)]
    assert weeks == ["2026-W49", "2026-W48"]
