"""`lamplighter check`: what it prints, and its exit status (interfaces.md)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.cli import main

CONFIG = Path(__file__).parents[2] / "config"

WRONG = """\
site: {id: s, timezone: Asia/Shanghai}
places:
  - {id: gate}
devices:
  - {id: rdr, driver: native, kind: reader, place: gte}
"""


@pytest.fixture
def wrong(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text(WRONG)
    return file


def test_a_valid_site_is_summed_up_in_one_line(capsys):
    assert main(["check", str(CONFIG / "demo.yaml")]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert "demo.yaml: valid, no warnings: 御溪花园 (demo) with 17 places, 8 people" in line


def test_warnings_are_printed_and_do_not_fail(tmp_path, capsys):
    file = tmp_path / "riverside.yaml"
    text = (CONFIG / "riverside.yaml").read_text(encoding="utf-8")
    file.write_text(
        text.replace(', device_id: "34020000001180000001"', "").replace(", channel: 2", ""), encoding="utf-8"
    )
    assert main(["check", str(file)]) == 0
    *warnings, last = capsys.readouterr().out.splitlines()
    assert len(warnings) == 2
    assert all(": warning: devices." in line for line in warnings)
    assert f"valid, {len(warnings)} warnings" in last


def test_an_error_is_printed_with_file_line_and_path(wrong, capsys):
    assert main(["check", str(wrong)]) == 2
    assert capsys.readouterr().out.splitlines() == [
        f"{wrong}:5: error: devices.rdr.place: found 'gte'; expected the id of a place (did you mean `gate`?)",
        f"{wrong}: not valid: 1 error and no warnings; nothing starts on it",
    ]


def test_errors_come_before_warnings(wrong, capsys):
    wrong.write_text(WRONG.replace("{id: gate}", "{id: gate}\n  - {id: a/b}"))
    assert main(["check", str(wrong)]) == 2
    levels = [line.split(": ")[1] for line in capsys.readouterr().out.splitlines()]
    assert levels[:2] == ["error", "warning"]


def test_json_holds_the_same(wrong, capsys):
    assert main(["check", str(wrong), "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert (document["valid"], document["site"]) == (False, None)
    [problem] = document["problems"]
    assert (problem["file"], problem["line"], problem["level"]) == (str(wrong), 5, "error")
    assert problem["path"] == "devices.rdr.place"
    assert main(["check", str(CONFIG / "small.yaml"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["valid"], document["site"], document["counts"]["lamps"], document["problems"]) == (
        True,
        "small",
        1,
        [],
    )


def test_a_file_that_is_not_there_is_refused_without_a_traceback(tmp_path, capsys):
    assert main(["check", str(tmp_path / "absent.yaml")]) == 2
    assert "cannot be read: No such file or directory" in capsys.readouterr().out


def test_secrets_need_not_be_there(capsys, monkeypatch):
    monkeypatch.delenv("LAMPLIGHTER_MQTT_PASSWORD", raising=False)
    assert main(["check", str(CONFIG / "small.yaml")]) == 0
