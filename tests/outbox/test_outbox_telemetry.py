"""Telemetry against answers that a healthy InfluxDB does not give: a stub on a real socket."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from device_drivers.observations import LightLevel, Panic, Power, TagRead
from gateway.errors import DeliveryError
from gateway.outbox.influx import InfluxWriter
from gateway.outbox.measurements import Points
from gateway.outbox.retry import Retry
from gateway.outbox.telemetry import TelemetryWorker, TelemetryWriter
from gateway.site.model import Device, Influx, Site
from tests.outbox.memory import MemoryLog, Row, row
from tests.outbox.receiver import Answer, Receiver, Request
from tests.outbox.waiting import closed, running, until

SITE = Site(
    id="riverside",
    name="御溪花园",
    timezone="Asia/Shanghai",
    latitude=31.2,
    longitude=121.5,
    devices={"lux-1": Device(id="lux-1", driver="native", kind="sensor", place="tower-1/f03")},
)
T0 = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
QUICK = Retry(first_s=0.01, longest_s=0.02)


def lux(count: int) -> list[Row]:
    return [
        row(number, LightLevel(device="lux-1", at=T0 + timedelta(seconds=number), lux=float(number)))
        for number in range(1, count + 1)
    ]


def influx(receiver: Receiver) -> Influx:
    return Influx(url=f"http://127.0.0.1:{receiver.port}", org="o", bucket="b", token="t")


def worker_of(source: MemoryLog, writer: TelemetryWriter, **options: object) -> TelemetryWorker:
    return TelemetryWorker(source, writer, SITE, now=lambda: 0, **({"retry": QUICK} | options))


def lines(requests: list[Request]) -> list[bytes]:
    return [line for request in requests for line in request.body.split(b"\n")]


async def test_every_row_is_written_once_in_order_and_the_cursor_moves_after_it():
    async with Receiver() as receiver:
        source, writer = MemoryLog(lux(7)), InfluxWriter(influx(receiver))
        worker = worker_of(source, writer, batch=3)
        async with closed(writer), running(worker.run()):
            await until(lambda: source.cursors.get("influxdb") == 7)
        assert lines(receiver.received)[0].startswith(
            b"illuminance,device=lux-1,place=tower-1/f03,site=riverside lux=1.0 "
        )
        assert [line.split(b" ")[1] for line in lines(receiver.received)] == [b"lux=%d.0" % n for n in range(1, 8)]
        assert (worker.written, worker.rejected, worker.retried, worker.problem, worker.lag) == (7, 0, 0, None, 0)


async def test_a_wake_up_delivers_at_once():
    async with Receiver() as receiver:
        source, writer, wake = MemoryLog([]), InfluxWriter(influx(receiver)), asyncio.Event()
        async with closed(writer), running(worker_of(source, writer, wake=wake).run()):
            await asyncio.sleep(0.05)
            source.rows += lux(1)
            wake.set()
            await until(lambda: source.cursors.get("influxdb") == 1, longest_s=2.0)


async def test_a_batch_too_large_is_split_until_it_fits():
    def at_most_two(request: Request) -> Answer:
        return Answer(413) if request.body.count(b"\n") > 1 else Answer()

    async with Receiver(at_most_two) as receiver:
        source, writer = MemoryLog(lux(9)), InfluxWriter(influx(receiver))
        async with closed(writer), running(worker_of(source, writer).run()):
            await until(lambda: source.cursors.get("influxdb") == 9)
        accepted = [request for request in receiver.received if request.body.count(b"\n") <= 1]
        assert len(lines(accepted)) == len(set(lines(accepted))) == 9
        assert source.dead == {}


async def test_a_single_point_too_large_is_a_dead_letter():
    async with Receiver(lambda request: Answer(413) if b"lux=2.0" in request.body else Answer()) as receiver:
        source, writer = MemoryLog(lux(3)), InfluxWriter(influx(receiver))
        async with closed(writer), running(worker_of(source, writer).run()):
            await until(lambda: source.cursors.get("influxdb") == 3)
        assert list(source.dead) == [2]
        assert "413" in source.dead[2]


@pytest.mark.parametrize("status", [400, 406, 422])
async def test_refused_points_are_found_and_the_others_go_on(status):
    bad = {b"lux=3.0", b"lux=11.0", b"lux=12.0"}

    def refuse(request: Request) -> Answer:
        if any(word + b" " in request.body for word in bad):
            return Answer(status, body=b'{"code":"invalid","message":"field type conflict"}')
        return Answer()

    async with Receiver(refuse) as receiver:
        source, writer = MemoryLog(lux(20)), InfluxWriter(influx(receiver))
        worker = worker_of(source, writer)
        async with closed(writer), running(worker.run()):
            await until(lambda: source.cursors.get("influxdb") == 20)
        assert sorted(source.dead) == [3, 11, 12]
        assert source.dead[3] == f"field type conflict ({status})"
        assert (worker.written, worker.rejected) == (17, 3)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(401), "refuses our token (401)"),
        (Answer(403), "may not write this bucket (403)"),
        (Answer(404), "no such organisation or bucket (404)"),
        (Answer(429), "slow down (429)"),
        (Answer(500), "500"),
        (Answer(503), "503"),
        (Answer(302, (("Location", "http://127.0.0.1:1/"),)), "302"),
        (Answer(200, body=b"<html>please log in</html>"), "is not InfluxDB"),
    ],
)
async def test_other_answers_keep_everything_and_say_why_until_it_is_well(answer, said):
    answers = [answer, answer]

    async with Receiver(lambda _: answers.pop() if answers else Answer()) as receiver:
        source, writer = MemoryLog(lux(4)), InfluxWriter(influx(receiver))
        worker = worker_of(source, writer, retry=Retry(first_s=0.2, longest_s=0.2))
        async with closed(writer), running(worker.run()):
            await until(lambda: worker.problem is not None)
            assert said in worker.problem
            assert source.cursors == {}
            await until(lambda: source.cursors.get("influxdb") == 4)
        assert worker.problem is None
        assert worker.retried == 2
        assert source.dead == {}
        assert len(lines(receiver.received[-1:])) == 4


async def test_a_receiver_that_hangs_is_given_up_and_tried_again():
    hang = [True]
    async with Receiver(lambda _: Answer(hang=hang.pop()) if hang else Answer()) as receiver:
        source, writer = MemoryLog(lux(2)), InfluxWriter(influx(receiver), timeout_s=0.2)
        worker = worker_of(source, writer)
        async with closed(writer), running(worker.run()):
            await until(lambda: source.cursors.get("influxdb") == 2)
        assert worker.retried == 1


async def test_no_listener_is_a_problem_in_words():
    writer = InfluxWriter(Influx(url="http://127.0.0.1:1", org="o", bucket="b", token="secret-token"))
    with pytest.raises(DeliveryError, match="cannot be reached") as caught:
        await writer.write([Points(SITE).point(lux(1)[0])])
    assert "secret-token" not in str(caught.value)
    await writer.close()


@pytest.mark.parametrize(("header", "least_s"), [("7", 7.0), ("Wed, 21 Oct 2099 07:28:00 GMT", 3600.0), ("soon", 0.0)])
async def test_retry_after_is_honoured_in_seconds_and_as_a_date(header, least_s):
    async with Receiver(lambda _: Answer(429, (("Retry-After", header),))) as receiver:
        writer = InfluxWriter(influx(receiver))
        with pytest.raises(DeliveryError) as caught:
            await writer.write([Points(SITE).point(lux(1)[0])])
        await writer.close()
    assert Retry(first_s=0.01).wait_s(0, caught.value.retry_after_s) >= least_s


def test_waits_double_with_jitter_up_to_a_limit():
    low, high = Retry(1.0, 60.0, lambda: 0.0), Retry(1.0, 60.0, lambda: 1.0)
    assert [low.wait_s(failures) for failures in (0, 1, 2, 10, 400)] == [0.5, 1.0, 2.0, 30.0, 30.0]
    assert [high.wait_s(failures) for failures in (0, 1, 2, 10)] == [1.0, 2.0, 4.0, 60.0]


async def test_a_body_that_is_no_observation_is_a_dead_letter_and_stops_nothing():
    rows = lux(3)
    rows[1] = rows[1]._replace(body=b'{"kind":"light_level","at":"yesterday"}')
    async with Receiver() as receiver:
        source, writer = MemoryLog(rows), InfluxWriter(influx(receiver))
        async with closed(writer), running(worker_of(source, writer).run()):
            await until(lambda: source.cursors.get("influxdb") == 3)
    assert list(source.dead) == [2]
    assert "not an observation" in source.dead[2]


def test_rows_that_are_no_observations_make_no_point():
    restart = lux(1)[0]._replace(kind="restart", body=b'{"kind":"restart"}')
    assert Points(SITE).point(restart) is None


def test_an_observation_without_a_value_makes_no_point():
    assert Points(SITE).point(row(1, Power(device="m", at=T0))) is None


def test_the_device_comes_from_the_column_where_the_body_lacks_it():
    point = Points(SITE).point(row(1, LightLevel(at=T0, lux=1.0))._replace(device="lux-1"))
    assert ("device", "lux-1") in point.tags


def test_two_taps_of_one_second_stay_two_and_a_repeat_stays_one():
    points = Points(SITE)
    first, second = (
        points.point(row(number, TagRead(device="wand", at=T0, boot="b", seq=number, tag="AA"))) for number in (1, 2)
    )
    again = points.point(row(9, TagRead(device="wand", at=T0, boot="b", seq=1, tag="AA", received=T0)))
    assert first.time_ns != second.time_ns
    assert again == first
    assert first.time_ns // 1000 * 1000 == second.time_ns // 1000 * 1000


def test_without_a_sequence_number_a_repeat_received_later_is_the_same_point():
    points = Points(SITE)
    first = points.point(row(1, Panic(device="p", at=T0, received=T0)))
    again = points.point(row(2, Panic(device="p", at=T0, received=T0 + timedelta(minutes=5))))
    assert first == again


async def test_behind_since_names_the_oldest_row_not_written():
    async with Receiver(lambda _: Answer(500)) as receiver:
        source, writer = MemoryLog(lux(2)), InfluxWriter(influx(receiver))
        worker = worker_of(source, writer)
        async with closed(writer), running(worker.run()):
            await until(lambda: worker.retried > 0)
            assert (worker.lag, worker.behind_since) == (2, source.rows[0].received)
