"""Slips of notation: the message names the line, the column that was found and the one that was expected, or the sign to type."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.site.load import load_site

BASE = """\
site:
  id: small
  timezone: Asia/Shanghai

places:
  - id: garage
    name: 地下车库
  - id: gate
    name: 南门

people:
  - id: g-wang
    name: 王强
    roles: [guard]
    tags: ["0008075634"]

devices:
  - id: rdr-garage
    driver: rdm6300
    link:
      serial: /dev/ttyUSB0
    place: garage

checkpoints:
  - {id: cp-garage, place: garage, reader: rdr-garage}

routes:
  - id: night
    visits:
      - checkpoint: cp-garage
        after: 0m
      - checkpoint: cp-garage
        after: 10m

rounds:
  - route: night
    from: "22:00"
    to: "06:00"
    lasts: 30m
"""


def _refused(tmp_path: Path, text: str) -> ConfigError:
    file = tmp_path / "site.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_site(file, secrets=False)
    return caught.value


@pytest.mark.parametrize(
    ("right", "wrong", "line", "told"),
    [
        # a column that is not its neighbours'
        ("    driver: rdm", "   driver: rdm", 19, ["column 4", "column 5, as `id:` in line 18"]),
        ("    place: garage\n\n", "     place: garage\n\n", 22, ["column 6", "column 5, as `id:` in line 18"]),
        ("    name: 王强", "     name: 王强", 13, ["column 6", "column 5, as `id:` in line 12"]),
        ("  - id: gate\n    n", " - id: gate\n   n", 8, ["column 2", "column 3, as `- id:` in line 6"]),
        ("  - id: gate\n    n", "   - id: gate\n     n", 8, ["column 4", "column 3, as `- id:` in line 6"]),
        ("      - checkpoint: cp-garage\n        after: 10m", "    - checkpoint: cp-garage\n      after: 10m", 32,
         ["column 5", "column 7, as `- checkpoint:` in line 30"]),
        ("\npeople:", "\n people:", 11, ["column 2", "column 1, as `site:` in line 1"]),
        ("site:\n", " site:\n", 1, ["column 2", "line 5 in column 1", "sections begin in column 1"]),
        # dashes
        ("  - id: gate\n    n", "  id: gate\n  n", 8, ["without `- `", "a new entry is `- id: gate`"]),
        ("  - id: garage\n", "    id: garage\n", 6, ["expected a dash", "`- id:`"]),
        ("  - id: gate\n", "  -id: gate\n", 8, ["no blank after its dash", "`- id: gate`"]),
        ("  - id: gate\n", "    id: gate\n", 8, ["a second time; it stands in line 6", "put `- ` before `id`"]),
        # blanks that are none
        ("    name: 王强", "\tname: 王强", 13, ["with spaces, not with a tab"]),
        ("    name: 王强", "\u3000\u3000name: 王强", 13, ["a plain blank instead of U+3000"]),
        ("    name: 王强", "\u00a0\u00a0name: 王强", 13, ["a plain blank instead of U+00A0"]),
        # colons
        ("    name: 王强", "    name:王强", 13, ["a colon and a space after `name`"]),
        ("  - id: gate\n", "  - id:gate\n", 8, ["a colon and a space after `id`"]),
        ("\npeople:\n", "\npeople\n", 11, ["a colon and a space after `people`"]),
        ("\npeople:\n", "\npeople：\n", 11, ["type `:` instead of the full-width `：`"]),
        ("    name: 王强", "    name: 王强: 队长", 13, ["a second `: ` in column 13", "in quotes"]),
        # quotes
        ('from: "22:00"', 'from: "22:00', 37, ['a quote " in column 11 that is not closed']),
        ('"0008075634"]', '"0008075634]', 15, ['a quote " in column 12 that is not closed']),
        ('from: "22:00"', 'from: "22:00" Uhr', 37, ["`Uhr` in column 19, after a closed quote"]),
        ("    name: 王强", "    name: @王强", 13, ["begins with `@`", "in quotes"]),
        # brackets
        ("reader: rdr-garage}", "reader: rdr-garage", 25, ["a `{` in column 5 that is not closed"]),
        ("roles: [guard]", "roles: [guard}", 14, ["closes with `}`", "expected `]`"]),
        ("reader: rdr-garage}", "reader: rdr-garage}}", 25, ["that closes nothing"]),
        ("place: garage, reader", "place: garage reader", 25, ["a comma between two entries"]),
        ("place: garage, reader", "place: garage，reader", 25, ["type `,` instead of the full-width `，`"]),
        ("- {id: cp", "- ｛id: cp", 25, ["type `{` instead of the full-width `｛`"]),
        ("  - id: gate\n", "  － id: gate\n", 8, ["type `-` instead of the full-width `－`"]),
    ],
)  # fmt: skip
def test_a_slip_of_notation_is_told_with_its_line_and_what_to_change(
    tmp_path: Path, right: str, wrong: str, line: int, told: list[str]
) -> None:
    assert right in BASE
    first = _refused(tmp_path, BASE.replace(right, wrong, 1)).problems[0]
    assert (first.file, first.line) == (str(tmp_path / "site.yaml"), line), first
    assert [words for words in told if words not in first.message] == []


def test_a_full_width_comma_in_a_name_is_not_blamed_for_a_wrong_column(tmp_path: Path) -> None:
    text = BASE.replace("    name: 王强", "    name: 王强，队长").replace("    roles:", "   roles:")
    [problem] = _refused(tmp_path, text).problems
    assert "column 4" in problem.message
    assert "instead of" not in problem.message


def test_every_shifted_line_and_every_missing_sign_is_explained_or_accepted(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    lines = BASE.splitlines()
    changed = [
        [*lines[:at], other, *lines[at + 1 :]]
        for at, line in enumerate(lines)
        for other in [" " + line, line[1:], "\t" + line, *(line[:cut] + line[cut + 1 :] for cut in range(len(line)))]
    ]
    for text in ("\n".join(each) for each in changed):
        file.write_text(text, encoding="utf-8")
        with suppress(ConfigError):
            load_site(file, secrets=False)
        file.write_text(text.rpartition("\n")[0].rstrip("m") + '"', encoding="utf-8")
        with suppress(ConfigError):
            load_site(file, secrets=False)


def test_what_belongs_to_a_key_and_stands_in_its_column_is_told_to_be_indented(tmp_path: Path) -> None:
    text = BASE.replace("    link:\n      serial:", "    link:\n    serial:")
    first = _refused(tmp_path, text).problems[0]
    assert (first.line, first.path) == (20, "devices.rdr-garage.link")
    assert "indented further than `link`" in first.message


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("        after: 10m\n", "        after: 10m\n        tolerance: 5m\n", "a key beside `visits`"),
        ("    tags: [", "    zones: []\n    tags: [", "a section, which begins in column 1"),
    ],
)
def test_a_key_of_something_above_is_told_where_it_belongs(tmp_path: Path, right: str, wrong: str, told: str) -> None:
    assert right in BASE
    assert told in _refused(tmp_path, BASE.replace(right, wrong, 1)).problems[0].message
