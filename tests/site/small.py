"""The README's first site file with one thing written otherwise, and what the loader says of it."""

from __future__ import annotations

from pathlib import Path

from gateway.errors import ConfigError, Problem
from gateway.site.load import load_site

SMALL = (Path(__file__).parents[2] / "config" / "small.yaml").read_text(encoding="utf-8")


def problems_with(tmp_path: Path, right: str, wrong: str) -> list[Problem]:
    """The problems of the file in which `wrong` stands for `right`."""
    assert right in SMALL
    file = tmp_path / "site.yaml"
    file.write_text(SMALL.replace(right, wrong), encoding="utf-8")
    try:
        return load_site(file, secrets=False)[1]
    except ConfigError as error:
        return error.problems
