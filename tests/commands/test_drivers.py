"""`lamplighter drivers`: the catalogue for people and for programs."""

from __future__ import annotations

import json

import pytest

from api.cli import main
from device_drivers.catalogue import DRIVERS, MODELS


def test_every_driver_and_model_stands_in_the_table(capsys: pytest.CaptureFixture[str]):
    assert main(["drivers"]) == 0
    table = capsys.readouterr().out
    for driver in DRIVERS.values():
        assert f"\n{driver.name} " in table
        assert driver.guarantee in table
    for model in MODELS:
        assert model.model in table


def test_columns_are_aligned(capsys: pytest.CaptureFixture[str]):
    main(["drivers"])
    head, *rows = capsys.readouterr().out.split("\n\n")[0].splitlines()
    column = head.index("over")
    assert {row[column - 1] for row in rows} == {" "}
    assert all(row[column] != " " for row in rows)


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]):
    assert main(["drivers", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [driver["name"] for driver in document["drivers"]] == list(DRIVERS)
    assert document["drivers"][0]["models"][0]["capabilities"]


def test_two_forms_at_once_are_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as left:
        main(["drivers", "--json", "--markdown"])
    assert left.value.code == 2
    assert "not allowed with" in capsys.readouterr().err
