"""One case a sentence of the specification: a site, evidence, and what `lamplighter replay` must print (README.md here)."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from api.cli import main

CASES = Path(__file__).parent / "cases"


def differences(expected: Any, printed: Any, where: str = "") -> list[str]:
    """Where `printed` lacks what `expected` says; what `expected` does not name is not looked at."""
    if isinstance(expected, dict) and isinstance(printed, list):
        return _of_items(expected, {item["id"]: item for item in printed}, where)
    if isinstance(expected, dict) and isinstance(printed, dict):
        missing = [f"{where}.{key}: is missing" for key in expected if key not in printed]
        return missing + [
            line
            for key in expected
            if key in printed
            for line in differences(expected[key], printed[key], f"{where}.{key}")
        ]
    if isinstance(expected, list) and isinstance(printed, list) and len(expected) == len(printed):
        pairs = enumerate(zip(expected, printed, strict=True))
        return [line for n, (one, other) in pairs for line in differences(one, other, f"{where}[{n}]")]
    return [] if _value(expected) == _value(printed) else [f"{where}: expected {expected!r}, printed {printed!r}"]


def _of_items(expected: dict[str, Any], printed: dict[str, Any], where: str) -> list[str]:
    found = []
    for name, item in expected.items():
        if name == "#":
            found += [] if len(printed) == item else [f"{where}: expected {item} items, printed {sorted(printed)}"]
        elif item is None:
            found += [f"{where}[{name}]: must not be there"] if name in printed else []
        elif name not in printed:
            found.append(f"{where}[{name}]: is missing among {sorted(printed)}")
        else:
            found += differences(item, printed[name], f"{where}[{name}]")
    return found


def _value(item: Any) -> Any:
    """Times are instants: in which zone they are written is not compared."""
    if isinstance(item, str):
        try:
            time = datetime.fromisoformat(item)
        except ValueError:
            return item
        return time if time.tzinfo else item
    return item


@pytest.mark.parametrize(
    "case", sorted(path.parent for path in CASES.glob("*/expected.json")), ids=lambda path: path.name
)
def test_replay_prints_what_the_sentence_says(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    arguments = expected.get("arguments", [])
    try:
        status = main(["replay", "--site", str(case / "site.yaml"), *arguments, str(case / "evidence.jsonl")])
    except SystemExit as wrong_use:
        status = wrong_use.code
    printed = capsys.readouterr().out
    assert status == expected.get("exit", 0)
    if "document" in expected:
        assert differences(expected["document"], json.loads(printed)) == [], expected["proves"]
