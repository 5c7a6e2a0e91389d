"""Slips of the pen that beginners make: the message says what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.site.load import load_site
from tests.site.small import problems_with

SMALL = (Path(__file__).parents[2] / "config" / "small.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("  - {id: cp-garage", "\t- {id: cp-garage", "with spaces, not with a tab"),
        ("reader: rdr-garage}", "reader: rdr-garage", "a `{` in column 5 that is not closed"),
        ("driver: rdm6300,", "driver: rdm6300，", "type `,` instead of the full-width `，`"),
        ("driver: rdm6300,", "driver:rdm6300,", "expected a colon and a space after `driver`"),
        ("driver: rdm6300,", "driver：rdm6300,", "expected a colon and a space after `driver`"),
        ("link: {serial: /dev/ttyUSB0}", "link: /dev/ttyUSB0", "such as `{serial: /dev/ttyUSB0}`"),
        ('tags: ["0008075634"]', 'tags: "0008075634"', 'expected a list such as `["0008075634"]`'),
        ('tags: ["0008075634"]', "tags: [0008075634]", "expected a tag in quotes"),
        ("driver: rdm6300,", "driver: rdm630,", "did you mean `rdm6300`?"),
        ("driver: rdm6300,", "driver: RDM6300,", "did you mean `rdm6300`?"),
        ("behind: nvr,", "behind: NVR,", "did you mean `nvr`?"),
        ("zones:", "Zones: []\nzones:", "did you mean `zones`?"),
        ("{id: garage, name", "{id: 1, name", "one of digits alone in quotes"),
    ],
)
def test_a_slip_is_told_with_what_to_write_instead(tmp_path: Path, right: str, wrong: str, told: str) -> None:
    assert right in SMALL
    path = tmp_path / "site.yaml"
    path.write_text(SMALL.replace(right, wrong), encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(told)):
        load_site(path, secrets=False)


@pytest.mark.parametrize(
    ("written", "doubtful"),
    [("00 08075634", True), ("807563", True), ("0008075634", False), ("123,14706", False), ("hex:807563", False)],
)
def test_digits_that_stand_for_hexadecimal_are_doubted(tmp_path: Path, written: str, doubtful: bool) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SMALL.replace('"0008075634"]', f'"{written}"]'), encoding="utf-8")
    _, warnings = load_site(path, secrets=False)
    assert [one.path for one in warnings if "only digits" in one.message] == ["people.g-wang.tags[0]"] * doubtful


def test_a_route_to_a_wall_tag_that_is_mistyped_is_asked_for_its_readers_in_the_same_pass(tmp_path):
    told = problems_with(
        tmp_path,
        "  - {id: cp-garage, place: garage, reader: rdr-garage}\n",
        '  - {id: cp-garage, place: garage, tags: ["04A1B2C3D4E5FG"]}\n',
    )
    assert [problem.path for problem in told if problem.level == "error"] == [
        "checkpoints.cp-garage.tags[0]",
        "routes.night",
    ]


def test_a_network_switch_that_speaks_is_a_kind_of_device(tmp_path):
    silent = "link: {mqtt: frigate}, network: switch-1}\n"
    spoken = (
        silent.replace("switch-1", "core") + "  - {id: core, driver: native, kind: network_switch, expect_every: 60s}\n"
    )
    assert not problems_with(tmp_path, silent, spoken)
    told = problems_with(tmp_path, silent, spoken.replace("network_switch", "switch"))
    assert "did you mean `network_switch`?" in told[0].message
