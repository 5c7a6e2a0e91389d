"""The duty calendar of the site file: who is on which shift by date, turn and exception, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.instants import parse_instant
from gateway.site.load import load_site
from gateway.site.shifts import on_shift

HEAD = """site: {id: s, timezone: ZONE}
people:
  - {id: g-wang, roles: [guard]}
  - {id: g-zhao, roles: [guard]}
  - {id: c-li, roles: [guard, captain], contact: li}
  - {id: c-chen, roles: [guard, captain]}
alerts: {contacts: {li: {console: true}}}
"""
NIGHT = """shifts:
  - {id: night, from: "20:00", to: "08:00", rotation: [[g-wang, c-li], [g-zhao, c-chen]], since: 2026-01-01}
"""


@pytest.fixture
def load(tmp_path: Path):
    def read(text: str, zone: str = "Asia/Shanghai"):
        file = tmp_path / "site.yaml"
        file.write_text(HEAD.replace("ZONE", zone) + text)
        return load_site(file, environ={})

    return read


def on(site, at: str) -> list[tuple]:
    return [(one.shift, str(one.date), one.people, one.captains) for one in on_shift(site, parse_instant(at))]


def test_groups_take_turns_by_calendar_day(load):
    site, problems = load(NIGHT)
    assert problems == []
    assert on(site, "2026-01-01T20:00:00+08:00") == [("night", "2026-01-01", ("g-wang", "c-li"), ("c-li",))]
    assert on(site, "2026-01-02T23:00:00+08:00") == [("night", "2026-01-02", ("g-zhao", "c-chen"), ("c-chen",))]
    assert on(site, "2026-01-03T23:00:00+08:00") == [("night", "2026-01-03", ("g-wang", "c-li"), ("c-li",))]


def test_a_night_belongs_to_the_date_on_which_it_begins_and_its_end_is_the_next_ones(load):
    site, _ = load(NIGHT)
    assert on(site, "2026-01-02T07:59:59+08:00")[0][1] == "2026-01-01"
    assert on(site, "2026-01-02T08:00:00+08:00") == []


def test_nobody_is_on_duty_before_the_calendar_begins(load):
    site, _ = load(NIGHT)
    assert on(site, "2025-12-31T23:00:00+08:00") == []


def test_a_turn_of_a_week_keeps_a_group_for_seven_days(load):
    site, _ = load(NIGHT.replace("since:", "turn: 7d, since:"))
    assert [on(site, f"2026-01-{day:02}T22:00:00+08:00")[0][2][0] for day in (1, 7, 8, 14, 15)] == [
        "g-wang", "g-wang", "g-zhao", "g-zhao", "g-wang",
    ]  # fmt: skip


def test_weekdays_bound_a_shift_and_an_exception_names_who_is_on_it_whatever_the_day(load):
    site, _ = load(NIGHT.replace("since:", "days: mon-fri, exceptions: {2026-01-03: [c-chen], 2026-01-05: []}, since:"))
    assert on(site, "2026-01-03T22:00:00+08:00") == [("night", "2026-01-03", ("c-chen",), ("c-chen",))]
    assert on(site, "2026-01-04T22:00:00+08:00") == []
    assert on(site, "2026-01-05T22:00:00+08:00") == [("night", "2026-01-05", (), ())]


def test_who_is_named_captain_leads_whatever_the_roles(load):
    site, _ = load(NIGHT.replace("since:", "captain: g-wang, since:"))
    assert on(site, "2026-01-01T22:00:00+08:00")[0][3] == ("g-wang",)
    assert on(site, "2026-01-02T22:00:00+08:00")[0][3] == ("c-chen",)


def test_a_night_in_which_the_clock_is_changed_begins_and_ends_by_the_clock_on_the_wall(load):
    site, _ = load(NIGHT, zone="Europe/Berlin")
    assert on(site, "2026-10-25T07:59:59+01:00")[0][1] == "2026-10-24"
    assert on(site, "2026-10-25T08:00:00+01:00") == []
    assert on(site, "2026-03-29T07:59:59+02:00")[0][1] == "2026-03-28"


def test_the_contact_of_a_person_is_in_the_model(load):
    assert load("")[0].people["c-li"].contact == "li"


POLICY = "alerts: {contacts: {li: {console: true}}, policies: {default: [{after: 0s, notify: [WHO]}]}}"


def test_policies_tell_whoever_is_on_duty_and_are_warned_of_nights_with_nobody(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(
        HEAD.replace("ZONE", "UTC").replace("alerts:", POLICY.replace("WHO", "'duty:captain'") + "\n#") + NIGHT
    )
    site, problems = load_site(file, environ={})
    assert site.alerting.policies["default"][0].notify == ("duty:captain",)
    assert [(one.path, one.level) for one in problems] == [("alerts.policies.default", "warning")]


@pytest.mark.parametrize(
    ("who", "shifts", "told"),
    [
        ("'duty:guard'", NIGHT, "found `duty:guard`; expected `duty:` and one of captain, manager, maintenance, operator"),
        ("'duty:captian'", NIGHT, "(did you mean `captain`?)"),
        ("'duty:captain'", "", "there are no `shifts`"),
        ("'watch:captain'", NIGHT, "expected the id of a contact, or whoever is on duty"),
        ("lii", NIGHT, "found 'lii'; expected the id of a contact (did you mean `li`?)"),
    ],
)  # fmt: skip
def test_who_cannot_be_told_is_refused(tmp_path, who, shifts, told):
    file = tmp_path / "site.yaml"
    file.write_text(HEAD.replace("ZONE", "UTC").replace("alerts:", POLICY.replace("WHO", who) + "\n#") + shifts)
    with pytest.raises(ConfigError) as caught:
        load_site(file, environ={})
    assert told in "\n".join(str(problem) for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("text", "path", "told"),
    [
        (NIGHT.replace("c-chen", "c-chan"), "shifts.night.rotation[1][1]", "found 'c-chan'; expected the id of a person"),
        (NIGHT.replace("since:", "captain: g-who, since:"), "shifts.night.captain[0]", "found 'g-who'"),
        (NIGHT.replace("g-zhao, c-chen", "g-zhao").replace("since:", "captain: c-chen, since:"), "shifts.night.captain[0]", "never on this shift"),
        (NIGHT.replace("since:", "exceptions: {2026-01-03: [nobody]}, since:"), "shifts.night.exceptions.2026-01-03[0]", "found 'nobody'"),
        (NIGHT.replace("since:", "exceptions: {soon: []}, since:"), "shifts.night.exceptions.soon", "expected a date"),
        (NIGHT.replace("since:", "turn: 12h, since:"), "shifts.night.turn", "expected whole days"),
        (NIGHT.replace("[[g-wang, c-li], [g-zhao, c-chen]]", "[]"), "shifts.night.rotation", "at least 1"),
        (NIGHT.replace(", since: 2026-01-01", ""), "shifts.night", "`since` is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_shift_is_told_with_its_place(load, text, path, told):
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert any(told in problem.message for problem in caught.value.problems if problem.path == path), [
        str(problem) for problem in caught.value.problems
    ]


def test_a_person_without_such_a_contact_is_refused(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(HEAD.replace("ZONE", "UTC").replace("contact: li", "contact: lee"))
    with pytest.raises(ConfigError, match=r"people\.c-li\.contact: found 'lee'; expected the id of a contact"):
        load_site(file, environ={})
