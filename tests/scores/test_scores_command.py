"""`lamplighter scores rank`."""

from __future__ import annotations

import json

import msgspec
import pytest

from api.cli import main
from tests.scores.test_ranking import document


@pytest.fixture
def files(tmp_path):
    def write(*scores: float) -> list[str]:
        paths = []
        for index, score in enumerate(scores):
            path = tmp_path / f"{index}.json"
            path.write_bytes(msgspec.json.encode(document(f"s{index}", score)))
            paths.append(str(path))
        return paths

    return write


def test_sites_are_ranked_and_a_failed_year_shows_in_the_exit_status(files, capsys):
    assert main(["scores", "rank", *files(90, 70, 65, 59)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3", "4"]
    assert "FAILED" in lines[4]
    assert "s3" in lines[4]
    assert main(["scores", "rank", *files(90, 70, 65, 60)]) == 0


def test_the_ranking_as_json(files, capsys):
    assert main(["scores", "rank", "--json", *files(61, 95)]) == 0
    assert [(each["rank"], each["site"], each["fails"]) for each in json.loads(capsys.readouterr().out)] == [
        (1, "s1", False), (2, "s0", False),
    ]  # fmt: skip


def test_what_cannot_be_ranked_is_refused_with_its_reason(files, tmp_path, capsys):
    [path] = files(61.0)
    text = (tmp_path / "0.json").read_text()
    (tmp_path / "forged.json").write_text(text.replace("61.0", "91.0"))
    (tmp_path / "other.json").write_text("{}")
    for name, told in (
        ("forged.json", "changed after it was made"),
        ("other.json", "expected a score document"),
        ("none.json", "cannot be read"),
    ):
        assert main(["scores", "rank", path, str(tmp_path / name)]) == 2
        assert told in capsys.readouterr().err
