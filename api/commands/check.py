"""`lamplighter check`: validate a site file and print every mistake with file, line, path and what was expected."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from gateway.errors import ConfigError, Problem
from gateway.site.load import load_site
from gateway.site.model import Site

COUNTED = {
    "places": "place",
    "people": "person",
    "devices": "device",
    "checkpoints": "checkpoint",
    "routes": "route",
    "rounds": "rounds entry",
    "circuits": "circuit",
    "lamps": "lamp",
    "zones": "zone",
}
"""Sections named in the summary, and one of each."""

PLURALS = {"person": "people", "rounds entry": "rounds entries"}
"""Those that do not end in s."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("site", type=Path, metavar="SITE", help="the site file")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(parsed: argparse.Namespace) -> int:
    """Print errors, warnings and a summary. Exit status: 0 valid (warnings are allowed), 2 not valid."""
    site: Site | None = None
    try:
        site, problems = load_site(parsed.site, secrets=False)
    except ConfigError as error:
        problems = error.problems
    if parsed.json:
        print(msgspec.json.format(msgspec.json.encode(_document(site, problems))).decode())
    else:
        for level in ("error", "warning"):
            for problem in problems:
                if problem.level == level:
                    print(problem)
        print(_summary(parsed.site, site, problems))
    return 2 if site is None else 0


def _document(site: Site | None, problems: list[Problem]) -> dict[str, Any]:
    return {
        "valid": site is not None,
        "site": None if site is None else site.id,
        "counts": None if site is None else {section: len(getattr(site, section)) for section in COUNTED},
        "problems": [
            {
                "file": problem.file,
                "line": problem.line,
                "level": problem.level,
                "path": problem.path,
                "message": problem.message,
            }
            for problem in problems
        ],
    }


def _summary(file: Path, site: Site | None, problems: list[Problem]) -> str:
    warnings = sum(problem.level == "warning" for problem in problems)
    if site is None:
        found = f"{_count(len(problems) - warnings, 'error')} and {_count(warnings, 'warning')}"
        return f"{file}: not valid: {found}; nothing starts on it"
    counts = ", ".join(_count(len(items), one) for section, one in COUNTED.items() if (items := getattr(site, section)))
    return f"{file}: valid, {_count(warnings, 'warning')}: {site.name} ({site.id}) with {counts or 'nothing in it'}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number or 'no'} {PLURALS.get(word, word + 's')}"
