"""Every test and case that the tables of README.md name exists, and every sentence there names one."""

from __future__ import annotations

import re
from fnmatch import filter as matching
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FOLDERS = ("rules", "site", "alerts", "figures", "intake", "explain", "outbox", "api", "drivers", "replay")
CASES = sorted(path.name for path in (HERE.parent / "replay" / "cases").iterdir())
TESTS = sorted(
    name
    for folder in FOLDERS
    for path in (HERE.parent / folder).glob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
)


def rows() -> list[tuple[str, list[str]]]:
    """The sentences of all tables, each with the names that show it."""
    lines = [line for line in (HERE / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [line.strip("| ").rsplit(" | ", 1) for line in lines if not line.startswith("| Sentence |")]
    return [(sentence, re.findall(r"`([^`]+)`", shown)) for sentence, shown in cells]


@pytest.mark.parametrize(("sentence", "names"), rows(), ids=lambda value: value if isinstance(value, str) else "")
def test_what_shows_a_sentence_exists(sentence: str, names: list[str]) -> None:
    assert names, f"nothing shows: {sentence}"
    lacking = [name for name in names if not matching(TESTS if name.startswith("test_") else CASES, name)]
    assert not lacking, f"no such test or case: {lacking}"
