"""The local telemetry store: nothing lost, nothing twice, charts of any length, old samples dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest

from device_drivers.observations import CameraStats, Incident, LampState, LightLevel, Measurement, Observation, Power
from gateway.errors import DeliveryError
from gateway.instants import DAY, HOUR, SECOND, instant
from gateway.outbox.local import LocalStore
from gateway.outbox.measurements import Points
from gateway.outbox.telemetry import TelemetryWorker
from gateway.site.model import Site
from tests.outbox.memory import MemoryLog, row
from tests.outbox.waiting import running, until

SITE = Site(id="s", name="S", timezone="Asia/Shanghai", latitude=31.2, longitude=121.5)
T0 = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
START = instant(T0)


class Clock:
    now = START


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LocalStore]:
    store = LocalStore(tmp_path / "telemetry.db", 30 * DAY, lambda: Clock.now)
    yield store
    await store.close()


@pytest.fixture(autouse=True)
def _clock() -> None:
    Clock.now = START


def points(*seen: Observation):
    made = Points(SITE)
    return [made.point(row(number, one)) for number, one in enumerate(seen, 1)]


def series(folder: Path, device: str) -> list[tuple[str, str]]:
    """Quantity and channel of each series in the file."""
    connection = apsw.Connection(str(folder / "telemetry.db"), flags=apsw.SQLITE_OPEN_READONLY)
    found = connection.execute(
        "SELECT quantity, channel FROM series WHERE device = ? ORDER BY 1, 2", (device,)
    ).fetchall()
    connection.close()
    return found


def lux(n: int, at_s: float = 0.0) -> LightLevel:
    return LightLevel(device="lux-1", at=T0 + timedelta(seconds=at_s), lux=float(n))


async def test_what_was_written_is_read_back_and_a_repeat_changes_nothing(store):
    given = points(*(lux(n, n) for n in range(5)))
    await store.write(given)
    await store.write(given)
    found = await store.samples("lux-1", "lux", START, START + 5 * SECOND)
    assert [(sample.at, sample.mean, sample.samples) for sample in found] == [
        (START + n * SECOND, float(n), 1) for n in range(5)
    ]


async def test_the_range_holds_its_beginning_and_not_its_end(store):
    await store.write(points(lux(1, 0), lux(2, 10)))
    found = await store.samples("lux-1", "lux", START, START + 10 * SECOND)
    assert [sample.mean for sample in found] == [1.0]


async def test_a_long_range_is_down_sampled_with_its_extremes(store):
    await store.write(points(*(lux(n % 100, n) for n in range(1000))))
    found = await store.samples("lux-1", "lux", START, START + 1000 * SECOND, max_points=10)
    assert len(found) == 10
    assert {(sample.least, sample.greatest, sample.samples) for sample in found} == {(0.0, 99.0, 100)}
    assert [sample.at for sample in found] == [START + n * 100 * SECOND for n in range(10)]


async def test_channels_and_states_are_series_of_their_own(store, tmp_path):
    await store.write(
        points(
            Power(device="m", at=T0, watts=5.0, volts=230.0, channel=1),
            Power(device="m", at=T0, watts=7.0, channel=2),
            LampState(device="m", at=T0, on=True),
            Measurement(device="m", at=T0, quantity="temperature", unit="Cel", value=21.5),
            CameraStats(device="m", at=T0, channel=1, fps=25.0),
        )
    )
    assert series(tmp_path, "m") == [
        ("fps", "1"),
        ("on", ""),
        ("temperature", ""),
        ("volts", "1"),
        ("watts", "1"),
        ("watts", "2"),
    ]
    only = await store.samples("m", "watts", START, START + SECOND, channel="2")
    assert [sample.mean for sample in only] == [7.0]
    assert [sample.mean for sample in await store.samples("m", "on", START, START + SECOND)] == [1.0]
    assert await store.samples("nobody", "watts", START, START + SECOND) == []


async def test_texts_stay_in_the_journal(store, tmp_path):
    await store.write(points(Incident(device="w", at=T0, code="7", text="door open")))
    assert series(tmp_path, "w") == [("incidents", "")]


async def test_writing_drops_what_is_too_old_once_an_hour(store):
    async def kept() -> list[float]:
        return [
            sample.mean for sample in await store.samples("lux-1", "lux", 0, Clock.now + HOUR, max_points=10_000_000)
        ]

    await store.write(points(lux(1), lux(2, 2 * 86_400)))
    Clock.now = START + 31 * DAY
    await store.write(points(lux(3, 31 * 86_400)))
    assert await kept() == [2.0, 3.0]
    Clock.now += 2 * DAY - HOUR
    await store.write(points(lux(4, 32 * 86_400)))
    assert await kept() == [3.0, 4.0]


async def test_a_file_that_cannot_be_written_keeps_everything(tmp_path):
    store = LocalStore(tmp_path / "missing" / "telemetry.db", DAY, lambda: START)
    with pytest.raises(DeliveryError, match=r"telemetry\.db cannot be written"):
        await store.write(points(lux(1)))
    (tmp_path / "missing").mkdir()
    assert await store.write(points(lux(1))) == []
    assert len(await store.samples("lux-1", "lux", START, START + SECOND)) == 1
    await store.close()


async def test_the_worker_fills_it_and_a_new_start_goes_on_where_it_was(store):
    source = MemoryLog([row(n, lux(n, n)) for n in range(1, 8)])
    worker = TelemetryWorker(source, store, SITE, now=lambda: START, batch=3)
    async with running(worker.run()):
        await until(lambda: source.cursors.get("local") == 7)
    source.rows.append(row(8, lux(8, 8)))
    again = TelemetryWorker(source, store, SITE, now=lambda: START, batch=3)
    async with running(again.run()):
        await until(lambda: source.cursors.get("local") == 8)
    assert again.written == 1
    assert len(await store.samples("lux-1", "lux", START, START + 60 * SECOND)) == 8
