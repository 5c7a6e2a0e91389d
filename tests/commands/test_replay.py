"""`lamplighter replay`: what of a file could not be read is said where a person sees it, too."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import msgspec
import pytest

from api.cli import main
from api.commands.replay import _write

DEMO = Path(__file__).parents[2] / "config" / "demo.yaml"


def test_lines_that_cannot_be_read_are_told_of_with_the_first_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "evidence.jsonl"
    file.write_text('{"kind":"advance","at":"2026-11-01T00:00:00Z"}\n# Title\n\nWords.\n')
    assert main(["replay", "--site", str(DEMO), str(file)]) == 1
    said = capsys.readouterr()
    assert len(json.loads(said.out)["rejected"]) == 2
    assert said.err.startswith(f"{file}: 2 lines could not be read; line 2: JSON is malformed")


def test_nothing_is_said_of_a_file_that_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "evidence.jsonl"
    file.write_text('{"kind":"advance","at":"2026-11-01T00:00:00Z"}\n')
    assert main(["replay", "--site", str(DEMO), str(file)]) == 0
    assert not capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "Words.\n"])
def test_a_file_that_says_nothing_of_when_it_was_shows_no_night(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    file = tmp_path / "evidence.jsonl"
    file.write_text(text)
    assert main(["replay", "--explain", "--site", str(DEMO), str(file)]) == (1 if text else 0)
    found = json.loads(capsys.readouterr().out)
    assert (found["rounds"], found["gaps"], found["unmatched"]) == ([], [], [])
    assert {each["kind"] for each in found["explanations"]}.isdisjoint({"round", "gap"})


def test_it_prints_item_by_item_what_one_text_of_the_whole_would_be() -> None:
    document = {"rounds": [{"id": "夜", "visits": [{"at": None}, {"marks": ["a\nb"]}]}, {}], "gaps": [], "lamps": ({"on": True},), "conflicting": 3, "more": {"x": [1]}}  # fmt: skip
    out = BytesIO()
    _write(document, out)
    assert out.getvalue() == msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
