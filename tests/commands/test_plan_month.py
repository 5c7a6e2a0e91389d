"""`lamplighter plan --month`: a month as a table and as JSON, with what clock changes, holidays and random starts did."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from api.cli import main

SITE = """\
site: {id: s, timezone: ZONE, holidays: CALENDAR, jitter_seed: env:PLAN_SEED}
places: [{id: gate}]
devices: [{id: rdr, driver: native, kind: reader, place: gate}]
checkpoints: [{id: cp, place: gate, reader: rdr}]
routes:
  - {id: night, visits: [{checkpoint: cp}]}
  - {id: early, visits: [{checkpoint: cp, after: 0m}], tolerance: 0s, band: 0s, MORE}
rounds:
  - {route: night, from: "22:00", to: "06:00", every: 1h, lasts: 20m, NIGHT}
  - {route: early, starts: ["02:30"], lasts: 10m, EARLY}
"""


@pytest.fixture
def plan(tmp_path, capsys, monkeypatch):
    """Runs the command on a site; gives the exit status and both outputs."""

    def run(
        *words: str, zone="Europe/Berlin", calendar="DE", more="", night="", early="", seed="x"
    ) -> tuple[int, str, str]:
        monkeypatch.delenv("PLAN_SEED", raising=False)
        if seed:
            monkeypatch.setenv("PLAN_SEED", seed)
        text = SITE.replace("ZONE", zone).replace("CALENDAR", calendar)
        for key, value in (("MORE", more), ("NIGHT", night), ("EARLY", early)):
            text = text.replace(f", {key}", f", {value}" if value else "")
        file = tmp_path / "site.yaml"
        file.write_text(text)
        status = main(["plan", str(file), *words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def month(plan):
    """The JSON document of a month."""

    def read(text: str, **more) -> dict[str, Any]:
        status, out, _ = plan("--month", text, "--json", **more)
        assert status == 0
        return json.loads(out)

    return read


def of(document: dict[str, Any], day: str) -> dict[str, Any]:
    [found] = [each for each in document["dates"] if each["date"] == day]
    return found


def codes(document: dict[str, Any], day: str) -> list[str]:
    return [each["code"] for each in of(document, day)["remarks"]]


def line(out: str, day: str, route: str) -> str:
    """The line of a date and route; only the first one of a date tells it."""
    lines = out.splitlines()
    start = next(index for index, text in enumerate(lines) if text.startswith(day))
    return next(text for text in lines[start:] if f" {route} " in text)


def test_a_month_is_every_date_with_its_routes_and_starts(plan):
    status, out, _ = plan("--month", "2026-06")
    assert status == 0
    assert out.splitlines()[0].split() == ["date", "route", "rounds", "starts", "remarks"]
    assert line(out, "2026-06-02 Tue", "night").split() == ["night", "8", "22:00", "23:00", "00:00", "01:00", "02:00", "03:00", "04:00", "05:00"]  # fmt: skip
    assert line(out, "2026-06-02 Tue", "early").split() == ["2026-06-02", "Tue", "early", "1", "02:30"]
    assert out.splitlines()[-1] == "270 rounds on 30 dates, times in Europe/Berlin"


def test_without_dates_it_is_this_month(plan):
    today = datetime.now(UTC).strftime("%Y-%m")
    shown = plan(zone="UTC")[1]
    assert f"{today}-01" in shown
    assert shown in (
        plan("--month", today, zone="UTC")[1],
        plan("--month", datetime.now(UTC).strftime("%Y-%m"), zone="UTC")[1],
    )


def test_dates_as_they_were_are_still_a_list(plan):
    rounds = json.loads(plan("--from", "2026-05-05", "--to", "2026-05-05", "--json")[1])
    assert [set(each) for each in rounds] == [{"id", "route", "date", "start", "end"}] * 9


def test_a_month_beside_dates_is_refused(plan):
    status, _, err = plan("--month", "2026-05", "--from", "2026-05-05")
    assert (status, "--month stands alone" in err) == (2, True)


@pytest.mark.parametrize("text", ["2026-13", "May", "2026-05-05"])
def test_what_is_no_month_is_wrong_use(plan, capsys, text):
    with pytest.raises(SystemExit) as stopped:
        plan("--month", text)
    assert stopped.value.code == 2
    assert "a month such as 2026-11 is expected" in capsys.readouterr().err


# -- clock changes -----------------------------------------------------------------------------------------------------


def test_a_start_that_was_moved_says_by_how_much(month):
    spring = month("2026-03")
    assert [each["hours"] for each in spring["dates"]].count(24) == 30
    assert of(spring, "2026-03-29")["hours"] == 23
    assert codes(spring, "2026-03-28") == ["fewer_rounds"]
    assert codes(spring, "2026-03-29") == ["clock_change", "moved"]
    assert of(spring, "2026-03-29")["remarks"][1]["shifted_s"] == 3600
    [moved] = [each for each in spring["rounds"] if "shifted_s" in each]
    assert (moved["id"], moved["shifted_s"]) == ("early@2026-03-29T03:30+02:00", 3600)
    assert "02:30 does not exist" in moved["remarks"][0]
    assert of(spring, "2026-03-28")["rounds"] == 8


def test_a_dropped_start_is_named_where_no_round_is(month, plan):
    spring = month("2026-03", more="dst_gap: skip")
    assert codes(spring, "2026-03-29") == ["clock_change", "dropped"]
    assert not [each for each in spring["rounds"] if each["route"] == "early" and each["date"] == "2026-03-29"]
    out = plan("--month", "2026-03", more="dst_gap: skip")[1]
    assert "early of line 10: 02:30 does not exist on 2026-03-29: dropped" in out


def test_a_start_that_exists_twice_says_which_one_it_is(month):
    autumn = month("2026-10", more="dst_overlap: both")
    assert of(autumn, "2026-10-25")["hours"] == 25
    assert codes(autumn, "2026-10-24") == ["more_rounds"]
    assert codes(autumn, "2026-10-25") == ["clock_change", "doubled"]
    twice = [each for each in autumn["rounds"] if "of_two" in each]
    assert [(each["id"], each["of_two"]) for each in twice] == [
        ("early@2026-10-25T02:30+02:00", "first"),
        ("early@2026-10-25T02:30+01:00", "second"),
    ]
    first = [each for each in month("2026-10")["rounds"] if "of_two" in each]
    assert [(each["id"], each["of_two"]) for each in first] == [("early@2026-10-25T02:30+02:00", "first")]


def test_a_shift_whose_ends_do_not_exist_or_exist_twice_says_so(month, monkeypatch):
    monkeypatch.setitem(globals(), "SITE", SITE.replace('from: "22:00", to: "06:00"', 'from: "02:10", to: "05:10"'))
    spring, autumn = month("2026-03"), month("2026-10")
    texts = [each["text"] for each in of(spring, "2026-03-29")["remarks"] if each["route"] == "night"]
    assert texts == ["night of line 9: `from` 02:10 does not exist on 2026-03-29: it begins at 03:10", "night of line 9 has 2 rounds instead of 3, as the shift is shorter or longer in elapsed time"]  # fmt: skip
    assert [each["shifted_s"] for each in spring["rounds"] if each.get("route") == "night" and "shifted_s" in each] == [
        3600
    ]
    texts = [each["text"] for each in of(autumn, "2026-10-25")["remarks"] if each["route"] == "night"]
    assert texts[0] == "night of line 9: `from` 02:10 exists twice on 2026-10-25: it begins at the first"


def test_remarks_stand_beside_their_date_and_starts_are_marked(plan):
    out = plan("--month", "2026-03")[1]
    assert "  03:30*  " in line(out, "2026-03-29 Sun", "early")
    assert "the clock is put forward by 1h at 02:00" in line(out, "2026-03-29 Sun", "early")
    assert "night of line 9 has 7 rounds instead of 8" in "\n".join(out.splitlines()[out.splitlines().index(next(text for text in out.splitlines() if text.startswith("2026-03-28"))) :][:2])  # fmt: skip
    assert "* a start that the remarks beside it are about" in out


# -- holidays ----------------------------------------------------------------------------------------------------------


def test_a_day_left_out_because_of_a_holiday_names_it(month, plan):
    may = month("2026-05", early="holidays: never")
    assert (codes(may, "2026-05-01"), of(may, "2026-05-01")["holiday"]) == (["holiday_left_out"], "Erster Mai")
    assert (of(may, "2026-05-01")["rounds"], of(may, "2026-05-02")["rounds"]) == (8, 9)
    out = plan("--month", "2026-05", early="holidays: never")[1]
    assert "a public holiday (DE): early of line 10 is not walked, as never on holidays (Erster Mai)" in out


def test_a_day_added_because_of_a_holiday_names_it_at_each_round(month):
    may = month("2026-05", early="holidays: only")
    added = [each for each in may["rounds"] if each["route"] == "early"]
    assert [each["date"] for each in added] == ["2026-05-01", "2026-05-14", "2026-05-25"]
    assert [each["holiday"] for each in added] == ["Erster Mai", "Christi Himmelfahrt", "Pfingstmontag"]
    assert codes(may, "2026-05-14") == ["holiday_added"]


def test_a_holiday_that_changes_nothing_is_named_in_the_table(plan):
    assert "a public holiday (DE): Erster Mai" in plan("--month", "2026-05")[1]


def test_the_name_of_a_holiday_is_the_calendars_whatever_the_locale(month, monkeypatch):
    for locale in ("en_US.UTF-8", "de_DE.UTF-8"):
        monkeypatch.setenv("LANG", locale)
        monkeypatch.setenv("LANGUAGE", locale[:2])
        assert of(month("2026-10", zone="Asia/Shanghai", calendar="CN"), "2026-10-01")["holiday"] == "国庆节"


# -- random starts -----------------------------------------------------------------------------------------------------


def test_random_starts_are_shown_with_how_late_they_are(month, plan):
    june = month("2026-06", night="jitter: 15m")
    night = [each for each in june["rounds"] if each["route"] == "night"]
    assert all(0 <= each["jitter_s"] <= 900 for each in night)
    assert all(int(each["start"][14:16]) * 60 == each["jitter_s"] for each in night)
    assert "jitter_s" not in next(each for each in june["rounds"] if each["route"] == "early")
    assert night != [
        each for each in month("2026-06", night="jitter: 15m", seed="y")["rounds"] if each["route"] == "night"
    ]
    out = plan("--month", "2026-06", night="jitter: 15m")[1]
    assert out.splitlines()[-1] == "night of line 9 starts at random, up to 15m late"
    start = datetime.fromisoformat(night[0]["start"])
    assert f"{start:%H:%M}" in line(out, "2026-06-01 Mon", "night")


def test_without_the_seed_there_is_no_plan_to_show(plan):
    status, out, err = plan("--month", "2026-06", night="jitter: 15m", seed=None)
    assert (status, out) == (2, "")
    assert "are not known without the seed that `site.jitter_seed` names" in err
    assert plan("--month", "2026-06", seed=None)[0] == 0


def test_without_the_seed_nothing_is_judged_by_another_plan(plan, tmp_path, capsys):
    plan("--month", "2026-06", night="jitter: 15m", seed=None)
    evidence = tmp_path / "evidence.jsonl"
    evidence.write_text('{"kind": "advance", "at": "2026-06-02T12:00:00+02:00"}\n')
    assert main(["replay", "--site", str(tmp_path / "site.yaml"), str(evidence)]) == 2
    assert "are not known without the seed" in capsys.readouterr().err


def test_of_very_many_starts_the_first_and_last_are_shown(plan, monkeypatch):
    monkeypatch.setitem(globals(), "SITE", SITE.replace("every: 1h, lasts: 20m", "every: 30m, lasts: 5m"))
    shown = line(plan("--month", "2026-06")[1], "2026-06-01 Mon", "night").split()
    assert shown[:4] + shown[7:10] + shown[-1:] == ["night", "16", "22:00", "22:30", "00:30", "…", "03:00", "05:30"]
