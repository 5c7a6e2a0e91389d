"""The table of measurements as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import gateway.outbox
from device_drivers.observations import Observation
from gateway.outbox.measurements import ROWS, TABLE

PAGE = (Path(gateway.outbox.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_every_kind_of_observation_has_a_row():
    assert set(ROWS) == {str(kind.__struct_config__.tag) for kind in get_args(Observation)}
    assert len(ROWS) == len(TABLE)


def test_tags_and_plain_fields_are_attributes_of_their_kind():
    kinds = {str(kind.__struct_config__.tag): kind for kind in get_args(Observation)}
    for row in TABLE:
        assert set(row.tags) <= set(kinds[row.kind].__struct_fields__)


def test_a_field_of_one_measurement_has_one_type():
    types: dict[tuple[str, str], str] = {}
    for row in TABLE:
        for field in row.fields:
            assert types.setdefault((row.measurement, field.name), field.type) == field.type


def test_no_persons_tag_or_name_is_in_telemetry():
    names = {field.name for row in TABLE for field in row.fields} | {tag for row in TABLE for tag in row.tags}
    assert not names & {"tag", "person", "counter"}


def test_the_readme_names_every_measurement_field_tag_and_kind():
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    for row in TABLE:
        (line,) = [line for line in lines if line.startswith(f"| `{row.measurement}` |") and f"`{row.kind}`" in line]
        for name in (*row.tags, *(field.name for field in row.fields)):
            assert f"`{name}`" in line, (row.kind, name)
