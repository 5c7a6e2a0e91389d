"""Every recorded case of every driver: `device_drivers/FAMILY/cases/NAME.yaml`, described in device_drivers/README.md."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

import device_drivers
from device_drivers.catalogue import DRIVERS, FAMILIES
from device_drivers.driver import DeviceSettings, Reading, Readings, Reject
from device_drivers.errors import DecodeError
from device_drivers.observations import Observation

ROOT = Path(device_drivers.__file__).parent
CASES = sorted(ROOT.glob("*/cases/*.yaml"))
START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SITE = "riverside"
ENTRIES: dict[str, dict[str, Any]] = {
    name: entry
    for path in sorted(ROOT.glob("*/usual.yaml"))
    for name, entry in yaml.safe_load(path.read_text(encoding="utf-8")).items()
}
"""The usual entry of each driver, from which a case's own `device` differs."""
SHAPES = {"good", "bad", "cut", "glued"}
KEYS = {"about", "source", "shape", "driver", "device", "feed", "observations", "rejected"}


@cache
def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def arrival(step: dict[str, Any]) -> datetime:
    return START + timedelta(milliseconds=step.get("after_ms", 0))


def data(step: dict[str, Any]) -> bytes:
    if "base64" in step:
        return b64decode(step["base64"])
    return bytes.fromhex(step["hex"]) if "hex" in step else step["payload"].encode(step.get("encoding", "utf-8"))


def is_stream(path: Path) -> bool:
    return DRIVERS[load(path)["driver"]].stream_decoder is not None


def outcome(case: dict[str, Any], steps: list[tuple[dict[str, Any], bytes]]) -> tuple[list[Reading], list[Reject]]:
    """What the case's driver makes of the steps."""
    driver = DRIVERS[case["driver"]]
    settings = DeviceSettings(**{**ENTRIES[driver.name], **case.get("device", {})})
    driver.check(settings)
    results: list[Reading | Reject] = []
    if driver.stream_decoder is not None:
        stream = driver.stream_decoder(settings)
        for step, piece in steps:
            results += stream.feed(piece, arrival(step))
        results += stream.reset()
    elif driver.file_decoder is not None:
        files = driver.file_decoder(settings)
        for step, piece in steps:
            try:
                results += files.read(piece, step.get("name", ""), arrival(step)).found
            except DecodeError as error:
                results.append(Reject(piece, error.reason))
    else:
        assert driver.message_decoder is not None
        decoder = driver.message_decoder(SITE, settings)
        for step, piece in steps:
            try:
                found = decoder.decode(
                    step.get("topic", ""), piece, arrival(step), retained=step.get("retained", False)
                )
            except DecodeError as error:
                results.append(Reject(piece, error.reason))
            else:
                results += found
                results += found.rejects if isinstance(found, Readings) else ()
    return [r for r in results if isinstance(r, Reading)], [r for r in results if isinstance(r, Reject)]


def expected(case: dict[str, Any]) -> list[Observation]:
    """The case's observations; without `at` they are of the moment of arrival (`after_ms`, else of the last step)."""
    latest = case["feed"][-1].get("after_ms", 0)
    wanted = []
    for observation in case.get("observations", []):
        fields = dict(observation)
        after = fields.pop("after_ms", latest)
        fields.setdefault("at", arrival({"after_ms": after}).isoformat())
        wanted.append(msgspec.convert(fields, Observation))
    return wanted


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.parent.name}/{path.stem}")
def test_case_decodes_as_recorded(path: Path):
    case = load(path)
    assert set(case) <= KEYS
    assert case["shape"] in SHAPES
    assert case["about"]
    assert case["source"]
    readings, rejects = outcome(case, [(step, data(step)) for step in case["feed"]])
    assert [reading.observation for reading in readings] == expected(case)
    wanted = case.get("rejected", [])
    if wanted and not all(isinstance(piece, str) for piece in wanted):
        pytest.fail("`rejected` is a list of texts")
    reasons = " | ".join(reject.reason for reject in rejects)
    assert bool(rejects) == bool(wanted), reasons
    for text in wanted:
        assert text in reasons


@pytest.mark.parametrize("path", [path for path in CASES if is_stream(path)], ids=lambda path: path.stem)
def test_stream_says_the_same_when_it_arrives_byte_by_byte(path: Path):
    case = load(path)
    whole = outcome(case, [(step, data(step)) for step in case["feed"]])
    single = outcome(case, [(step, bytes([byte])) for step in case["feed"] for byte in data(step)])
    assert single == whole


@pytest.mark.parametrize("name", DRIVERS)
def test_driver_has_cases_of_every_shape(name: str):
    shapes = {load(path)["shape"] for path in CASES if load(path)["driver"] == name}
    assert shapes == SHAPES


def test_every_case_lies_in_the_folder_of_its_driver():
    folders = {driver.name: family.__name__.split(".")[-2] for family in FAMILIES for driver in family.DRIVERS}
    for path in CASES:
        assert folders[load(path)["driver"]] == path.parent.parent.name
