"""`lamplighter drivers`: the drivers and device models, from their records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from unicodedata import east_asian_width

import msgspec

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import Driver, Model

_DRIVER_COLUMNS: dict[str, Callable[[Driver], str]] = {
    "driver": lambda driver: driver.name,
    "over": lambda driver: driver.transport,
    "usual kind": lambda driver: driver.default_kind,
    "speaks every": lambda driver: f"{driver.expect_every_s:g} s" if driver.expect_every_s else "-",
    "times from": lambda driver: "device" if driver.own_clock else "gateway",
    "for": lambda driver: driver.summary,
}
_MODEL_COLUMNS: dict[str, Callable[[Model], str]] = {
    "vendor": lambda model: model.vendor,
    "model": lambda model: model.model,
    "driver": lambda model: model.driver,
    "kind": lambda model: model.kind,
    "gives": lambda model: ", ".join(model.capabilities),
    "note": lambda model: model.note,
}


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as one JSON document")
    form.add_argument("--markdown", action="store_true", help="as Markdown tables")


def run(arguments: argparse.Namespace) -> int:
    """Print the tables."""
    if arguments.json:
        sys.stdout.write(document() + "\n")
    elif arguments.markdown:
        sys.stdout.write(markdown())
    else:
        sys.stdout.write(text())
    return 0


def document() -> str:
    """All records as JSON: `{"drivers": [… each with its models]}`."""
    drivers = [
        {
            "name": driver.name,
            "transport": driver.transport,
            "summary": driver.summary,
            "guarantee": driver.guarantee,
            "default_kind": driver.default_kind,
            "own_clock": driver.own_clock,
            "transmits_only": driver.transmits_only,
            "sends_seq": driver.sends_seq,
            "expect_every_s": driver.expect_every_s,
            "models": driver.models,
        }
        for driver in DRIVERS.values()
    ]
    return msgspec.json.format(msgspec.json.encode({"drivers": drivers}), indent=2).decode()


def markdown() -> str:
    """Both tables in Markdown."""
    return markdown_of_drivers() + "\n" + _markdown(_tables()[1])


def markdown_of_drivers() -> str:
    """The table of drivers in Markdown, as in device_drivers/README.md."""
    return _markdown(_tables()[0])


def text() -> str:
    """Both tables for a terminal, and what each driver guarantees."""
    drivers, models = _tables()
    guarantees = "".join(f"{driver.name}: {driver.guarantee}\n" for driver in DRIVERS.values())
    return f"{_aligned(drivers)}\n{_aligned(models)}\n{guarantees}"


def _tables() -> tuple[list[list[str]], list[list[str]]]:
    drivers = [[column(driver) for column in _DRIVER_COLUMNS.values()] for driver in DRIVERS.values()]
    models = [
        [column(model) for column in _MODEL_COLUMNS.values()] for driver in DRIVERS.values() for model in driver.models
    ]
    return [list(_DRIVER_COLUMNS), *drivers], [list(_MODEL_COLUMNS), *models]


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)) for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _width(cell: str) -> int:
    """Columns on a terminal; Chinese characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in cell)
