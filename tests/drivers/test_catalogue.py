"""What must hold for every driver in the catalogue."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import yaml

import device_drivers
from api.commands import drivers as command
from device_drivers.catalogue import DRIVERS, FAMILIES, MODELS
from device_drivers.driver import DeviceKind, DeviceSettings, Driver
from device_drivers.observations import Measurement, Observation
from device_drivers.zigbee2mqtt.properties import PROPERTIES
from gateway.site.schema import DeviceEntry

ROOT = Path(device_drivers.__file__).parent
KINDS = {kind.__struct_config__.tag for kind in get_args(Observation)}
UCUM = {"1", "%", "Cel", "Hz", "mV", "V", "A", "W", "Wh", "hPa", "lx", "s", "dB"}
NAME = re.compile(r"[a-z][a-z0-9_]*")


def folders() -> list[Path]:
    return [ROOT / family.__name__.split(".")[-2] for family in FAMILIES]


def sample_entries() -> list[tuple[str, dict[str, Any]]]:
    return [
        (folder.name, entry)
        for folder in folders()
        for entry in yaml.safe_load((folder / "sample.yaml").read_text(encoding="utf-8"))["devices"]
    ]


def test_names_are_unique_and_plain():
    names = [driver.name for family in FAMILIES for driver in family.DRIVERS]
    assert len(names) == len(set(names))
    assert all(NAME.fullmatch(name) for name in names)


def test_every_folder_with_a_record_is_in_the_catalogue():
    assert {path.parent for path in ROOT.glob("*/record.py")} == set(folders())


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_folder_is_complete(folder: Path):
    for name in ("README.md", "sample.yaml", "usual.yaml", "record.py", "device.py", "cases"):
        assert (folder / name).exists(), name


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=lambda driver: driver.name)
def test_record_is_coherent(driver: Driver):
    assert driver.summary
    assert driver.guarantee.endswith(".")
    assert driver.default_kind in get_args(DeviceKind)
    decoders = (driver.stream_decoder, driver.message_decoder, driver.file_decoder)
    assert sum(decoder is not None for decoder in decoders) == 1
    ways = (driver.topics, driver.line_poller, driver.web_poller, driver.call_server, driver.web_server)
    assert sum(way is not None for way in ways) <= 1
    assert (driver.transport == "mqtt") == (driver.topics is not None)
    if driver.message_decoder is not None:
        assert driver.listener is not None
    assert not (driver.transmits_only and driver.expect_every_s)
    assert driver.models


def test_models_are_unique_and_give_known_observations():
    assert len({(model.vendor, model.model) for model in MODELS}) == len(MODELS)
    for model in MODELS:
        assert model.driver in DRIVERS
        assert model.kind in get_args(DeviceKind)
        assert set(model.capabilities) <= KINDS
        assert model.capabilities


def test_units_are_of_ucum():
    assert {entry.unit for entry in PROPERTIES.values()} <= UCUM
    assert Measurement.__struct_defaults__


def test_every_property_of_a_group_names_a_field():
    for name, entry in PROPERTIES.items():
        assert entry.target not in ("power", "measurement") or entry.name, name


@pytest.mark.parametrize(("folder", "entry"), sample_entries(), ids=lambda value: str(value)[:40])
def test_sample_entries_are_accepted_and_can_be_bound(folder: str, entry: dict[str, Any]):
    driver = DRIVERS[entry["driver"]]
    assert folder == next(f.__name__.split(".")[-2] for f in FAMILIES if driver in f.DRIVERS)
    assert DeviceEntry.model_validate(entry).id == entry["id"]
    settings = DeviceSettings(**{key: entry[key] for key in DeviceSettings.__struct_fields__ if key in entry})
    driver.check(settings)
    if driver.topics is None:
        return
    for topic in driver.topics("riverside", settings):
        assert topic.strip("/") == topic
    assert driver.message_decoder is not None
    assert driver.message_decoder("riverside", settings)


@pytest.mark.parametrize("driver", [d for d in DRIVERS.values() if d.topics], ids=lambda driver: driver.name)
def test_a_device_made_from_a_topic_hears_that_topic(driver: Driver):
    assert driver.listener is not None
    assert driver.topics is not None
    topics = [
        step["topic"]
        for path in sorted(ROOT.glob("*/cases/*.yaml"))
        for case in [yaml.safe_load(path.read_text(encoding="utf-8"))]
        if case["driver"] == driver.name and case.get("observations")
        for step in case["feed"]
    ]
    assert topics
    for topic in topics:
        site, settings = driver.listener(topic)
        driver.check(settings)
        assert any(matches(pattern, topic) for pattern in driver.topics(site, settings)), topic


def matches(pattern: str, topic: str) -> bool:
    wanted, found = pattern.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted, found = wanted[:-1], found[: len(wanted) - 1]
    return len(wanted) == len(found) and all(w in ("+", f) for w, f in zip(wanted, found, strict=True))


def test_the_readme_shows_the_generated_table_of_drivers():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert command.markdown_of_drivers() in readme, "paste the first table of `lamplighter drivers --markdown`"


def test_every_model_is_printed_with_its_driver():
    printed = command.markdown()
    for model in MODELS:
        assert f"| {model.vendor} | {model.model} | {model.driver} |" in printed


def test_the_json_document_names_every_driver_and_model():
    document = msgspec.json.decode(command.document())
    assert [driver["name"] for driver in document["drivers"]] == list(DRIVERS)
    assert sum(len(driver["models"]) for driver in document["drivers"]) == len(MODELS)
