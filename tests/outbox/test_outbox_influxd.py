"""Telemetry against a real InfluxDB: up, away for a while, refusing points, refusing us; and the README's queries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

import gateway.outbox
from device_drivers.observations import CameraStats, LightLevel, Measurement, Observation, Power, TagRead
from gateway.outbox.influx import InfluxWriter
from gateway.outbox.line_protocol import line
from gateway.outbox.measurements import Point
from gateway.outbox.retry import Retry
from gateway.outbox.telemetry import TelemetryWorker
from gateway.site.model import Device, Influx, Site
from tests.outbox.influxd import Influxd, program
from tests.outbox.memory import MemoryLog, Row, row
from tests.outbox.waiting import closed, running, until

pytestmark = pytest.mark.influxdb

NOW = datetime.now(UTC).replace(microsecond=0)
SITE = Site(
    id="riverside",
    name="御溪花园",
    timezone="Asia/Shanghai",
    latitude=31.2,
    longitude=121.5,
    devices={"lux-1": Device(id="lux-1", driver="native", kind="sensor", place="tower-1/f03")},
)


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    program()
    with Influxd(tmp_path_factory.mktemp("influxd")) as server:
        yield server


def rows(*seen: Observation) -> list[Row]:
    return [row(number, one) for number, one in enumerate(seen, 1)]


def lux(count: int, back: timedelta = timedelta(minutes=20)) -> list[Observation]:
    return [LightLevel(device="lux-1", at=NOW - back + timedelta(seconds=n), lux=float(n)) for n in range(count)]


async def deliver(source: MemoryLog, influx: Influx) -> TelemetryWorker:
    writer = InfluxWriter(influx)
    worker = TelemetryWorker(source, writer, SITE, now=lambda: 0, retry=Retry(0.05, 0.1))
    async with closed(writer), running(worker.run()):
        await until(lambda: source.cursors.get("influxdb") == source.rows[-1].seq, 20.0)
    return worker


def counted(influxd: Influxd, influx: Influx) -> int:
    found = influxd.query(
        f'from(bucket: "{influx.bucket}") |> range(start: -30d) |> filter(fn: (r) => r._field == "lux") |> count()'
    )
    return sum(int(one["_value"]) for one in found)


async def test_every_point_arrives_and_a_repeat_overwrites_itself(influxd):
    influx = influxd.bucket("repeat")
    source = MemoryLog(rows(*lux(200)))
    await deliver(source, influx)
    source.cursors.clear()
    await deliver(source, influx)
    assert counted(influxd, influx) == 200


async def test_what_waits_while_influxdb_is_away_arrives_after_its_return(influxd):
    influx = influxd.bucket("away")
    source, writer = MemoryLog(rows(*lux(10))), InfluxWriter(influx)
    worker = TelemetryWorker(source, writer, SITE, now=lambda: 0, retry=Retry(0.05, 0.1), batch=4)
    influxd.stop()
    try:
        async with closed(writer), running(worker.run()):
            await until(lambda: worker.retried > 2)
            assert "cannot be reached" in (worker.problem or "")
            assert source.cursors == {}
            influxd.start()
            await until(lambda: source.cursors.get("influxdb") == 10, 20.0)
    finally:
        influxd.stop()
        influxd.start()
    assert (worker.problem, worker.written) == (None, 10)
    assert counted(influxd, influx) == 10


async def test_points_of_a_wrong_type_are_dead_letters_and_the_rest_arrives(influxd):
    influx = influxd.bucket("conflict")
    influxd.write(influx, f'illuminance,device=other lux="bright" {int(NOW.timestamp())}000000000')
    power = [Power(device="m-1", at=NOW - timedelta(seconds=n), watts=5.0 + n, channel=1) for n in range(5)]
    source = MemoryLog(rows(*power[:3], *lux(3, timedelta(seconds=30)), *power[3:]))
    worker = await deliver(source, influx)
    assert sorted(source.dead) == [4, 5, 6]
    assert "conflict" in source.dead[4]
    assert (worker.written, worker.rejected) == (5, 3)
    found = influxd.query(
        'from(bucket: "conflict") |> range(start: -1h) |> filter(fn: (r) => r._measurement == "power") |> count()'
    )
    assert [one["_value"] for one in found] == ["5"]


async def test_points_older_than_the_bucket_keeps_are_dead_letters(influxd):
    influx = influxd.bucket("short", retain_s=3600)
    source = MemoryLog(rows(*lux(2, timedelta(days=3)), *lux(2)))
    await deliver(source, influx)
    assert sorted(source.dead) == [1, 2]
    assert "retention" in source.dead[1]
    assert counted(influxd, influx) == 2


async def test_a_wrong_token_keeps_everything_and_says_so(influxd):
    influx = influxd.bucket("token")
    source, writer = MemoryLog(rows(*lux(3))), InfluxWriter(replace(influx, token="wrong"))
    worker = TelemetryWorker(source, writer, SITE, now=lambda: 0, retry=Retry(0.05, 0.1))
    async with closed(writer), running(worker.run()):
        await until(lambda: worker.retried > 0)
        assert worker.problem is not None
        assert worker.problem.startswith("InfluxDB refuses our token (401)")
    assert (source.cursors, source.dead) == ({}, {})
    await deliver(source, influx)
    assert counted(influxd, influx) == 3


async def test_an_unknown_bucket_keeps_everything_and_says_so(influxd):
    source, writer = MemoryLog(rows(*lux(1))), InfluxWriter(replace(influxd.influx, bucket="nowhere"))
    worker = TelemetryWorker(source, writer, SITE, now=lambda: 0, retry=Retry(0.05, 0.1))
    async with closed(writer), running(worker.run()):
        await until(lambda: worker.retried > 0)
        assert "bucket" in (worker.problem or "")
    assert source.dead == {}


NASTY = ["a b", "a,b=c", 'q"uote', "back\\slash", "end\\", "御溪 花园", "line\nend", "tab\there", "\\,", "\\ ", "a\\\\"]


@pytest.mark.parametrize("text", NASTY)
def test_any_text_is_one_valid_line(influxd, text):
    at = int(NOW.timestamp()) * 10**9
    point = Point("m", (("device", text), ("site", "s")), (("n", 1), ("text", text)), at, text, "")
    influxd.write(influxd.influx, line(point).decode())
    found = influxd.query(
        'from(bucket: "night") |> range(start: -1h) |> filter(fn: (r) => r._measurement == "m" and r.site == "s" and r._field == "n")'
    )
    assert found
    influxd.write(influxd.influx, line(point).decode())
    again = influxd.query(
        'from(bucket: "night") |> range(start: -1h) |> filter(fn: (r) => r._measurement == "m" and r.site == "s" and r._field == "n")'
    )
    assert len(again) == len(found)


async def test_the_queries_of_the_readme_answer(influxd):
    influx = influxd.bucket("readme")
    seen: list[Observation] = [
        *lux(60),
        *(
            Power(device="m-1", at=NOW - timedelta(minutes=n), watts=8.0, energy_wh=100.0 + n, channel=1)
            for n in range(30)
        ),
        *(
            CameraStats(device="nvr-1", channel=2, at=NOW - timedelta(minutes=n), fps=25.0 if n else 0.0)
            for n in range(9)
        ),
        *(TagRead(device="rdr-1", boot="b", seq=n, at=NOW - timedelta(minutes=n), tag="007B3972") for n in range(1, 5)),
        Measurement(device="th-1", at=NOW - timedelta(minutes=1), quantity="temperature", unit="Cel", value=21.5),
    ]
    await deliver(MemoryLog(rows(*seen)), influx)
    page = (Path(gateway.outbox.__file__).parent / "README.md").read_text(encoding="utf-8")
    queries = re.findall(r"```flux\n(.*?)```", page, re.DOTALL)
    assert len(queries) == 3
    for query in queries:
        found = influxd.query(query.replace('"lamplighter"', '"readme"'))
        assert found, query
