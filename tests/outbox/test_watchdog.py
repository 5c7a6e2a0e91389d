"""The dead-man's signal: it comes while evidence is taken and kept, and at no other time."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import apsw
import pytest

from gateway.errors import DeliveryError, LinkError, StalledError
from gateway.outbox.watchdog import Watchdog, topic_ping, web_ping
from gateway.runtime import Gateway
from gateway.service import Service, open_service
from gateway.site.model import Mqtt, Site
from gateway.site.model import Watchdog as Wanted
from tests.links.test_web_link import self_signed
from tests.outbox.receiver import Answer, Receiver, Request
from tests.outbox.waiting import running, until

SECRET = "4f1c9a52"


def url(watcher: Receiver) -> str:
    return f"http://127.0.0.1:{watcher.port}/{SECRET}"


def watchdog(ping, **options: object) -> Watchdog:
    return Watchdog(ping, **({"ready": lambda: True, "every_s": 0.02} | options))


async def test_a_ready_gateway_pings_again_and_again() -> None:
    async with Receiver() as watcher:
        dog = watchdog(web_ping(url(watcher)))
        async with running(dog.run()):
            await until(lambda: dog.sent >= 3)
        assert {request.path for request in watcher.received} == {f"/{SECRET}"}
    assert dog.problem is None
    assert dog.failed == 0


async def test_a_gateway_that_is_not_ready_sends_nothing_and_says_so() -> None:
    ready = False
    async with Receiver() as watcher:
        dog = watchdog(web_ping(url(watcher)), ready=lambda: ready)
        async with running(dog.run()):
            await until(lambda: dog.problem is not None)
            assert "not ready" in str(dog.problem)
            assert not watcher.received
            ready = True
            await until(lambda: dog.sent > 0)
            assert dog.problem is None
            ready = False
            await until(lambda: dog.problem is not None)
            before = len(watcher.received)
            await asyncio.sleep(0.2)
            assert len(watcher.received) == before


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(301, (("Location", "/elsewhere"),)), "the watcher answers 301 Moved Permanently; a redirect is not followed"),
        (Answer(404), "the watcher answers 404 Not Found"),
        (Answer(429, (("Retry-After", "9999"),)), "the watcher answers 429 Too Many Requests"),
        (Answer(500), "the watcher answers 500 Internal Server Error"),
        (Answer(299 + 700), "the watcher answers 999"),
    ],
)  # fmt: skip
async def test_what_is_not_taken_is_a_problem_with_its_reason_and_is_tried_again(answer: Answer, reason: str) -> None:
    answers = [answer, answer, Answer(200)]
    seen: list[Request] = []

    def say(request: Request) -> Answer:
        seen.append(request)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async with Receiver(say) as watcher:
        dog = watchdog(web_ping(url(watcher)))
        problems: list[str] = []
        async with running(dog.run()):
            await until(lambda: dog.failed > 0)
            problems.append(str(dog.problem))
            await until(lambda: dog.sent > 0)
        assert problems[0].startswith(reason)
        assert dog.failed == 2
        assert dog.problem is None
        assert {request.path for request in seen} == {f"/{SECRET}"}, "no redirect is followed"


@pytest.mark.parametrize(
    "where",
    [
        "http://127.0.0.1:1/" + SECRET,
        "gopher://127.0.0.1/" + SECRET,
        SECRET,
        "http://[" + SECRET,
        "http://:0/" + SECRET,
        "http://" + 70 * "a" + ".example/" + SECRET,
    ],
)
async def test_no_error_tells_the_address_which_is_a_secret(where: str) -> None:
    with pytest.raises(DeliveryError) as refused:
        await web_ping(where)()
    assert SECRET not in refused.value.reason
    assert "watcher" in refused.value.reason


async def test_a_watcher_that_hangs_holds_up_neither_the_next_ping_nor_another_watcher() -> None:
    async with Receiver(lambda _: Answer(hang=True)) as hanging, Receiver() as well:
        slow = watchdog(web_ping(url(hanging)), timeout_s=0.05)
        other = watchdog(web_ping(url(well)))
        async with running(slow.run()), running(other.run()):
            await until(lambda: slow.failed >= 2 and other.sent >= 3)
        assert "does not answer within 0.05 s" in str(slow.problem)
        assert slow.sent == 0


async def test_something_else_than_a_web_server_is_told_as_such() -> None:
    async def garbage(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-x\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(garbage, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DeliveryError, match="does not answer as a web server"):
            await web_ping(f"http://127.0.0.1:{port}/{SECRET}")()


async def test_a_watcher_whose_certificate_nobody_vouches_for_is_not_told(tmp_path: Path) -> None:
    context, _ = self_signed(tmp_path)

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 204 Yes\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DeliveryError, match="the watcher's certificate is not trusted on this machine"):
            await web_ping(f"https://127.0.0.1:{port}/{SECRET}")()


async def test_a_broker_that_is_away_is_a_failed_ping() -> None:
    async def publish(topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        raise LinkError("mqtt://b:1883", "connection refused")

    with pytest.raises(DeliveryError, match="the broker did not take it: connection refused"):
        await topic_ping(publish, "s/alive", "s", 60.0, lambda: 0)()


# -- with a whole gateway


def site(watcher: Receiver | None, topic: str | None = None) -> Site:
    return Site(
        id="s",
        name="s",
        timezone="Asia/Shanghai",
        latitude=0.0,
        longitude=0.0,
        mqtt=Mqtt(embedded=True, port=0),
        watchdog=Wanted(url=None if watcher is None else url(watcher), topic=topic, every=100_000),
    )


@asynccontextmanager
async def serving(site: Site, data: Path, **more: object) -> AsyncIterator[Service]:
    async with (
        Gateway(site, data, **more) as gateway,
        open_service(site, data, gateway) as service,
        running(service.run()),
    ):
        yield service


async def test_a_full_disk_stops_the_pings_and_space_starts_them_again(tmp_path: Path) -> None:
    async with Receiver() as watcher, serving(site(watcher), tmp_path) as service:
        gateway = service.gateway
        await until(lambda: watcher.received)
        connection = gateway._writer._connection
        pages = connection.execute("PRAGMA page_count").get
        await gateway.write([(f"PRAGMA max_page_count = {pages + 1}", ())])
        refused = asyncio.ensure_future(gateway.write([("INSERT INTO meta VALUES ('filler', zeroblob(1000000))", ())]))
        await until(lambda: not gateway.health().ready)
        await asyncio.sleep(0.3)  # a ping that was under way
        before = len(watcher.received)
        await asyncio.sleep(1.0)
        assert len(watcher.received) == before
        problems = gateway.health().problems
        assert any("the disk takes nothing more" in problem for problem in problems)
        assert any("watchdog_url: no ping is sent" in problem for problem in problems)
        await asyncio.to_thread(between_statements, lambda: connection.execute("PRAGMA max_page_count = 1000000"))
        with pytest.raises(StalledError):
            await asyncio.wait_for(refused, 10)
        await until(lambda: len(watcher.received) > before)
        await until(lambda: not gateway.health().problems)


def between_statements(act: Callable[[], object]) -> None:
    """Do something with the connection that the journal's thread uses meanwhile."""
    while True:
        try:
            act()
        except apsw.ThreadingViolationError:
            continue
        return


async def test_a_disk_that_hangs_without_an_error_stops_the_pings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.runtime._STANDS_STILL_S", 1.0)
    monkeypatch.setattr("gateway.runtime._ALIVE", 200_000)
    async with Receiver() as watcher, serving(site(watcher), tmp_path) as service:
        gateway = service.gateway
        await until(lambda: watcher.received)
        with contextlib.closing(apsw.Connection(str(tmp_path / "journal.db"))) as other:
            patient = gateway._writer._connection.set_busy_timeout
            await asyncio.to_thread(between_statements, lambda: patient(60_000))
            other.execute("BEGIN IMMEDIATE")
            await until(lambda: not gateway.health().ready)
            assert any("nothing was written to disk for" in problem for problem in gateway.health().problems)
            await asyncio.sleep(0.3)
            before = len(watcher.received)
            await asyncio.sleep(1.0)
            assert len(watcher.received) == before
            other.execute("ROLLBACK")
        await until(lambda: len(watcher.received) > before)


async def test_a_clock_task_that_is_dead_stops_the_pings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.runtime._STANDS_STILL_S", 1.0)
    monkeypatch.setattr("gateway.runtime._ALIVE", 200_000)
    async with Receiver() as watcher, serving(site(watcher), tmp_path) as service:
        gateway = service.gateway
        await until(lambda: watcher.received)

        def dead(_now: int) -> None:
            raise RuntimeError("the clock is broken")

        with monkeypatch.context() as broken:
            broken.setattr(gateway, "_sign_open_ports", dead)
            broken.setattr("gateway.runtime._PORT_SIGN_S", 0.0)
            await until(lambda: not gateway.health().ready)
            await asyncio.sleep(0.3)
            before = len(watcher.received)
            await asyncio.sleep(1.0)
            assert len(watcher.received) == before
            assert any("stands still" in problem for problem in gateway.health().problems)
        await until(lambda: len(watcher.received) > before)


async def test_a_wall_clock_that_is_set_back_stops_neither_the_judge_nor_the_pings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.runtime._STANDS_STILL_S", 1.0)
    monkeypatch.setattr("gateway.runtime._ALIVE", 200_000)
    back = timedelta()
    async with (
        Receiver() as watcher,
        serving(site(watcher), tmp_path, clock=lambda: datetime.now(UTC) - back) as service,
    ):
        gateway = service.gateway
        await until(lambda: watcher.received)
        back = timedelta(hours=1)
        commits = gateway.health().counters["journal_commits"]
        await until(lambda: gateway.health().counters["journal_commits"] >= commits + 10)
        assert gateway.health().ready


async def test_a_message_on_a_topic_comes_while_the_gateway_lives_and_is_not_retained(tmp_path: Path) -> None:
    async with serving(site(None, "site/alive"), tmp_path) as service:
        await until(lambda: service.mqtt.state.up)
        broker = service.broker
        async with aiomqtt.Client(
            broker.host, broker.port, username=broker.username, password=broker.password
        ) as client:
            await client.subscribe("site/alive", qos=1)
            async with asyncio.timeout(10):
                message = await anext(client.messages)
        assert (message.qos, message.retain) == (1, False)
        said = json.loads(message.payload)
        assert said["site"] == "s"
        assert said["every_s"] == 0.1
        assert service.gateway.health().counters["watchdog_topic_sent"] >= 1
