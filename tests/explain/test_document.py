"""`replay --explain` adds why each thing is judged so, and changes nothing else that is printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.cli import main

CASES = Path(__file__).parents[1] / "replay" / "cases"


def printed(case: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    folder = CASES / case
    main(["replay", "--site", str(folder / "site.yaml"), *arguments, str(folder / "evidence.jsonl")])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.parametrize("case", ["held-tap", "rounds-alert-gap-two-checkpoints", "rounds-clock-ahead"])
def test_everything_printed_is_explained_and_stays_as_it_was(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    plain, told = printed(case, capsys), printed(case, capsys, "--explain")
    explanations = told.pop("explanations")
    assert told == plain
    verdicts = {each["id"]: each["result"] for each in explanations if each["kind"] == "round"}
    assert verdicts == {each["id"]: each["verdict"] for each in plain["rounds"]}
    assert sum(each["kind"] == "gap" for each in explanations) == len(plain["gaps"])
    for kind in ("lamp", "circuit", "camera", "zone"):
        explained = {each["id"] for each in explanations if each["kind"] == kind}
        assert explained == {each["id"] for each in plain[f"{kind}s"]}
    for each in explanations:
        assert each["sentence"]["zh"]
        assert each["sentence"]["en"]
