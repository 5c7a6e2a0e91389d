"""`lamplighter plan`: the dated rounds, and what clock changes and holidays did to them (interfaces.md)."""

from __future__ import annotations

import json

import pytest

from api.cli import main

SITE = """\
site: {id: s, timezone: ZONE, holidays: DE}
places: [{id: gate}]
devices: [{id: rdr, driver: native, kind: reader, place: gate}]
checkpoints: [{id: cp, place: gate, reader: rdr}]
routes:
  - {id: night, visits: [{checkpoint: cp}]}
  - {id: early, visits: [{checkpoint: cp, after: 0m}], tolerance: 0s, band: 0s, MORE}
rounds:
  - {route: night, from: "22:00", to: "06:00", every: 1h, lasts: 20m}
  - {route: early, starts: ["02:30"], lasts: 10m, HOLIDAYS}
"""


@pytest.fixture
def plan(tmp_path, capsys):
    """Runs the command on a site; gives the exit status and both outputs."""

    def run(*words: str, zone="Europe/Berlin", more="", holidays="") -> tuple[int, str, str]:
        file = tmp_path / "site.yaml"
        text = SITE.replace("ZONE", zone).replace(", MORE", f", {more}" if more else "")
        file.write_text(text.replace(", HOLIDAYS", f", {holidays}" if holidays else ""))
        status = main(["plan", str(file), *words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_the_rounds_of_the_business_dates_with_both_ends(plan):
    status, out, _ = plan("--from", "2026-05-05", "--to", "2026-05-06", "--json")
    rounds = json.loads(out)
    assert status == 0
    assert [item["date"] for item in rounds if item["route"] == "night"] == ["2026-05-05"] * 8 + ["2026-05-06"] * 8
    assert rounds[0] == {
        "id": "early@2026-05-05T02:30+02:00",
        "route": "early",
        "date": "2026-05-05",
        "start": "2026-05-05T02:30:00+02:00",
        "end": "2026-05-05T02:40:00+02:00",
    }
    assert rounds[-1]["start"] == "2026-05-07T05:00:00+02:00"


def test_a_table_for_a_person(plan):
    _, out, _ = plan("--from", "2026-05-05", "--to", "2026-05-05")
    lines = out.splitlines()
    assert lines[0].split() == ["date", "route", "start", "end"]
    assert lines[1].split("  ") == ["2026-05-05 Tue", "early", "2026-05-05 02:30+02:00", "2026-05-05 02:40+02:00"]
    assert lines[-1] == "9 rounds on 1 date, times in Europe/Berlin"


def test_one_date_alone_is_that_date(plan):
    assert plan("--from", "2026-05-05")[1] == plan("--from", "2026-05-05", "--to", "2026-05-05")[1]


def test_a_night_of_23_hours_is_remarked_on(plan):
    _, out, _ = plan("--from", "2026-03-28", "--to", "2026-03-29")
    assert "2026-03-28: night of line 9 has 7 rounds instead of 8, as the shift is shorter" in out
    assert "2026-03-29: the clock is put forward by 1h at 02:00 on 2026-03-29: it then shows 03:00" in out
    assert "2026-03-29: early of line 10: 02:30 does not exist on 2026-03-29: walked at 03:30" in out


def test_a_dropped_start_is_remarked_on(plan):
    _, out, _ = plan("--from", "2026-03-29", more="dst_gap: skip")
    assert "02:30 does not exist on 2026-03-29: dropped (`dst_gap: skip`)" in out


@pytest.mark.parametrize(("more", "fate"), [("", "walked at the first"), ("dst_overlap: both", "walked at both")])
def test_a_night_of_25_hours_is_remarked_on(plan, more, fate):
    _, out, _ = plan("--from", "2026-10-24", "--to", "2026-10-25", more=more)
    assert "2026-10-24: night of line 9 has 9 rounds instead of 8" in out
    assert "2026-10-25: the clock is put back by 1h at 03:00 on 2026-10-25: it then shows 02:00" in out
    assert f"02:30 exists twice on 2026-10-25: {fate}" in out


def test_half_an_hour_is_put_forward_on_lord_howe(plan):
    _, out, _ = plan("--from", "2026-10-04", zone="Australia/Lord_Howe")
    assert "the clock is put forward by 30m at 02:00 on 2026-10-04: it then shows 02:30" in out


@pytest.mark.parametrize(
    ("when", "fate", "walked"),
    [("only", "walked, as only on holidays", 1), ("never", "not walked, as never on holidays", 0)],
)
def test_a_holiday_is_remarked_on(plan, when, fate, walked):
    _, out, _ = plan("--from", "2026-05-01", holidays=f"holidays: {when}")
    assert f"2026-05-01: a public holiday (DE): early of line 10 is {fate}" in out
    assert sum(" early " in line for line in out.splitlines() if "+02:00" in line) == walked


def test_an_ordinary_night_has_no_remarks(plan):
    _, out, _ = plan("--from", "2026-05-05", "--to", "2026-05-30")
    assert out.splitlines()[-1].startswith("234 rounds on 26 dates")


@pytest.mark.parametrize(
    "words", [("--from", "2026-05-05", "--to", "2026-05-04"), ("--from", "1999-01-01", "--to", "2026-01-01"), ("--from", "0001-01-01")]
)  # fmt: skip
def test_impossible_spans_are_refused(plan, words):
    status, out, err = plan(*words)
    assert (status, out) == (2, "")
    assert "lamplighter plan: " in err


def test_what_is_no_date_is_wrong_use(plan, capsys):
    with pytest.raises(SystemExit) as stopped:
        plan("--from", "tomorrow")
    assert stopped.value.code == 2
    assert "'tomorrow' is not a date; a date such as 2026-01-31 is expected" in capsys.readouterr().err


def test_an_invalid_site_is_refused_with_its_errors(tmp_path, capsys):
    file = tmp_path / "site.yaml"
    file.write_text("site: {id: s}\n")
    assert main(["plan", str(file)]) == 2
    assert f"{file}:1: error: site: `timezone` is missing" in capsys.readouterr().err
