"""Grafana's dashboards: every query of every panel, run by the real InfluxDB on what the real telemetry writer wrote."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
import yaml
from msgspec.structs import replace

from api.commands.demo import Clock, demo_site, live_start, past
from api.simulated import estate_of
from device_drivers.observations import (
    CameraHeartbeat,
    CameraStats,
    DeviceStatus,
    Incident,
    LampFault,
    LampState,
    LightLevel,
    LinkStatus,
    Measurement,
    Motion,
    Observation,
    Panic,
    Power,
    Reachable,
    ReaderHeartbeat,
    RecordingState,
    StorageFault,
    SyncEnd,
    TagRead,
    VideoState,
)
from device_drivers.simulation.live import SerialLine
from device_drivers.simulation.world import World
from gateway.outbox.influx import InfluxWriter
from gateway.outbox.measurements import TABLE
from gateway.outbox.retry import Retry
from gateway.outbox.source import TelemetrySource
from gateway.outbox.telemetry import TelemetryWorker
from gateway.runtime import Gateway, utc_now
from gateway.site.model import Device, Influx, Site
from tests.deployment.first_start import DOCKER
from tests.outbox.influxd import Influxd
from tests.outbox.memory import MemoryLog, row
from tests.outbox.waiting import closed, running, until

GRAFANA = DOCKER / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
UNITS = {"lx": "lux", "W": "watt", "V": "volt", "A": "amp", "W.h": "watth", "s": "s", "%": "percent", "1/s": "fps"}
"""What a unit of the table (UCUM) is called in Grafana. Counts, states and values with units of their own have none."""
SHAPE = re.compile(r'r\._measurement == "(\w+)" and r\._field == "(\w+)"')
NOW = datetime.now(UTC).replace(microsecond=0)
PROBE_PLACE = "tower-1/f03"


class Panel(NamedTuple):
    board: str
    title: str
    unit: str
    query: str

    def __str__(self) -> str:
        return f"{self.board}: {self.title}"


def boards() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in FILES:
        yield file.stem, json.loads(file.read_text(encoding="utf-8"))


PANELS = [
    Panel(name, panel["title"], panel["fieldConfig"]["defaults"]["unit"], target["query"])
    for name, board in boards()
    for panel in board["panels"]
    for target in panel["targets"]
]
KIND = {(shape.measurement, field.name): field for shape in TABLE for field in shape.fields}


def probe(at: datetime) -> list[Observation]:
    """One observation of everything that a store can be told, all from one device, with values that are known."""
    said: dict[str, Any] = {"device": "probe", "at": at}
    return [
        TagRead(**said, tag="007B3972"),
        ReaderHeartbeat(**said, battery=81.0, device_now=at - timedelta(seconds=2), received=at),
        SyncEnd(**said, complete_to=at),
        Incident(**said, code="power"),
        Panic(**said),
        LightLevel(**said, lux=123.0),
        Motion(**said),
        LampState(**said, lamp="lamp-1", on=True),
        Power(**said, watts=60.0, volts=230.0, amps=0.26, energy_wh=1000.0, channel="1"),
        LampFault(**said, fault="open_circuit", lamp="lamp-1"),
        DeviceStatus(**said, online=True),
        CameraHeartbeat(**said, channel="garage"),
        VideoState(**said, state="loss", channel="garage"),
        CameraStats(**said, fps=25.0, channel="garage"),
        RecordingState(**said, recording=True, channel="garage"),
        StorageFault(**said, what="raid"),
        Reachable(**said, ok=True),
        Measurement(**said, quantity="temperature", value=21.5, unit="Cel"),
        LinkStatus(**said, up=True),
    ]


LATER = Power(device="probe", at=NOW - timedelta(minutes=10), energy_wh=1400.0, channel="1")
TRUE = "true"
KNOWN: dict[str, str] = {
    "Taps": "1",
    "Incidents": "1",
    "Panic": "1",
    "Hand-overs of wands": "1",
    "Taps by reader": "1",
    "Motion": TRUE,
    "Readers' clocks": "2",
    "Readers' batteries": "81",
    "Brightness": "123",
    "Lamps": TRUE,
    "Lamps' own faults": TRUE,
    "Power": "60",
    "Energy": "400",
    "Voltage": "230",
    "Current": "0.26",
    "The gateway's links": TRUE,
    "Devices": TRUE,
    "Frames a second": "25",
    "Pictures": TRUE,
    "Heartbeats of cameras": "1",
    "Recording": TRUE,
    "Recorders' disks": TRUE,
    "Reachable": TRUE,
    "Other measurements": "21.5",
}
ESTATE = {
    "Taps",
    "Taps by reader",
    "Hand-overs of wands",
    "Brightness",
    "Power",
    "Energy",
    "The gateway's links",
    "Devices",
    "Frames a second",
}
"""What the simulated estate of the demo says something of in an ordinary day."""


def flux(query: str, *, device: str = ".*", place: str = ".*") -> str:
    """The query as Grafana sends it: its variables written out, those of many values as a regular expression."""
    written = {
        "${device:regex}": device,
        "${place:regex}": place,
        "v.timeRangeStart": f"{NOW - timedelta(hours=26):%Y-%m-%dT%H:%M:%SZ}",
        "v.timeRangeStop": f"{NOW + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}",
        "v.windowPeriod": "5m",
        "v.defaultBucket": '"night"',
    }
    for name, value in written.items():
        query = query.replace(name, value)
    assert "${" not in query
    return query


async def deliver(source: TelemetrySource, influx: Influx, site: Site, last: int) -> None:
    writer = InfluxWriter(influx)
    worker = TelemetryWorker(source, writer, site, now=lambda: 0, retry=Retry(0.05, 0.1))
    async with closed(writer), running(worker.run()):
        await until(lambda: worker.written + worker.rejected > 0 and worker.lag == 0, 30.0)
        for _ in range(600):
            if await source.cursor("influxdb") >= last:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("it was not delivered in time")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def influxd(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Influxd]:
    """Holds a day of the demo's estate, through decoders and journal, and what the probe said."""
    with Influxd(tmp_path_factory.mktemp("influxd")) as server:
        folder = tmp_path_factory.mktemp("estate")
        lines: dict[str, SerialLine] = {}
        try:
            site = demo_site(folder, live_start(utc_now()), lines)
            clock = Clock(utc_now() - timedelta(hours=26))
            async with Gateway(site, folder, clock=clock.now) as gateway:
                await past(gateway, World(estate_of(site), clock.now(), 1, 2.4), clock, utc_now())
                [(last,)] = await gateway.query("SELECT max(seq) FROM log")
                await deliver(gateway.source, server.influx, site, last)
        finally:
            for line in lines.values():
                line.close()
        seen = [*probe(NOW - timedelta(minutes=30)), LATER]
        devices = {**site.devices, "probe": Device(id="probe", driver="native", kind="reader", place=PROBE_PLACE)}
        log = MemoryLog([row(number, each) for number, each in enumerate(seen, 1)])
        await deliver(log, server.influx, replace(site, devices=devices), len(seen))
        assert log.dead == {}
        yield server


@pytest.mark.influxdb
@pytest.mark.slow
@pytest.mark.parametrize("panel", PANELS, ids=str)
def test_a_panel_shows_what_was_said(influxd: Influxd, panel: Panel) -> None:
    for place in (".*", r"tower-1\/f03", r"(gate|tower-1\/f03)"):
        rows = influxd.query(flux(panel.query, device="probe", place=place))
        assert [each["_value"] for each in rows] == [KNOWN[panel.title]], place
    assert influxd.query(flux(panel.query, device="probe", place="gate")) == []


@pytest.mark.influxdb
@pytest.mark.slow
@pytest.mark.parametrize("panel", [each for each in PANELS if each.title in ESTATE], ids=str)
def test_a_panel_shows_the_estate(influxd: Influxd, panel: Panel) -> None:
    rows = influxd.query(flux(panel.query))
    if "group()" in panel.query:
        assert sum(float(row["_value"]) for row in rows) > 1, "more than the probe's"
    else:
        assert [row for row in rows if row["device"] != "probe"]
        assert panel.title == "Energy" or all(row["_time"] for row in rows)


@pytest.mark.influxdb
@pytest.mark.slow
def test_the_variables_offer_the_devices_and_places(influxd: Influxd) -> None:
    for name, board in boards():
        for variable in board["templating"]["list"]:
            offered = {row["_value"] for row in influxd.query(flux(variable["query"]))}
            assert {"device": "probe", "place": PROBE_PLACE}[variable["name"]] in offered, name
            assert len(offered) > 5


def test_there_are_three_dashboards_and_each_panel_is_known() -> None:
    assert [file.stem for file in FILES] == ["devices", "lights", "night"]
    assert {panel.title for panel in PANELS} == set(KNOWN)
    assert len({board["uid"] for _, board in boards()}) == 3


@pytest.mark.parametrize("panel", PANELS, ids=str)
def test_a_panels_unit_is_that_of_its_field(panel: Panel) -> None:
    found = SHAPE.search(panel.query)
    assert found is not None
    field = KIND[found[1], found[2]]
    if "_value: 1" in panel.query or field.type == "int":
        assert panel.unit == "short"
    elif field.type == "bool":
        assert panel.unit == "none"
    else:
        assert panel.unit == UNITS.get(field.unit, "none")


def test_panels_lie_beside_each_other() -> None:
    for name, board in boards():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not taken & cells, (name, panel["title"])
            assert at["x"] + at["w"] <= 24
            taken |= cells
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_every_panel_asks_the_data_source_that_is_provisioned() -> None:
    [source] = yaml.safe_load((GRAFANA / "datasource.yaml").read_text())["datasources"]
    for _, board in boards():
        asked = [*board["panels"], *(target for panel in board["panels"] for target in panel["targets"])]
        asked += board["templating"]["list"]
        assert {json.dumps(each["datasource"]) for each in asked} == {
            json.dumps({"type": "influxdb", "uid": source["uid"]})
        }
    [provider] = yaml.safe_load((GRAFANA / "dashboards.yaml").read_text())["providers"]
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    mounts = compose["services"]["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounts
