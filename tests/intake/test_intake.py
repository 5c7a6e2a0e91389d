"""The path of everything that arrives: on disk before it is acknowledged, once, in order, or in quarantine."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import apsw
import msgspec
import pytest

from device_drivers.driver import Reading
from device_drivers.native.decoder import read_observation
from gateway.instants import MINUTE, instant
from gateway.runtime import Gateway
from gateway.site.model import Checkpoint, Device, Person, Place, Site
from tests.intake.recording_link import NOW, RecordingLink, envelope

UP = "lamplighter/riverside/rdr-gate/up"
SITE = Site(
    id="riverside",
    name="御溪花园",
    timezone="Asia/Shanghai",
    latitude=31.2,
    longitude=121.5,
    places={"gate": Place(id="gate", name="南门")},
    people={"g-wang": Person(id="g-wang", name="王强", roles=("guard",), tags=("007B3972",))},
    devices={
        "rdr-gate": Device(
            id="rdr-gate", driver="native", kind="reader", place="gate", expect_every=MINUTE, sends_seq=True
        )
    },
    checkpoints={"cp-gate": Checkpoint(id="cp-gate", place="gate", reader="rdr-gate")},
)


def tap(n: int, tag: str = "007B3972") -> bytes:
    return b'{"kind":"tag_read","at":"2026-11-22T23:00:00+08:00","boot":"b1","seq":%d,"tag":"%s"}' % (n, tag.encode())


@pytest.fixture
async def gateway(tmp_path: Path):
    async with Gateway(SITE, tmp_path, clock=lambda: NOW) as gateway:
        yield gateway


def stored(tmp_path: Path, sql: str) -> list[tuple[object, ...]]:
    return apsw.Connection(str(tmp_path / "journal.db")).execute(sql).fetchall()


async def test_nothing_is_acknowledged_before_it_is_on_disk(gateway: Gateway, tmp_path: Path) -> None:
    await gateway.intake.drained()
    link = RecordingLink()
    other = apsw.Connection(str(tmp_path / "journal.db"))
    other.execute("BEGIN IMMEDIATE")
    gateway.intake.messages(link, [envelope(UP, tap(1))])
    for _ in range(20):
        await asyncio.sleep(0.01)
    assert link.acknowledged == []
    other.execute("ROLLBACK")
    await gateway.intake.drained()
    assert [token.packet_id for token in link.acknowledged] == [1]
    assert stored(tmp_path, "SELECT device, kind, n FROM log") == [("rdr-gate", "tag_read", 1)]


async def test_acknowledgements_keep_the_order_of_arrival_over_batches(gateway: Gateway) -> None:
    link = RecordingLink()
    for start in range(1, 4000, 100):
        gateway.intake.messages(link, [envelope(UP, tap(n), n) for n in range(start, start + 100)])
        await asyncio.sleep(0)
    await gateway.intake.drained()
    assert [token.packet_id for token in link.acknowledged] == list(range(1, 4001))


async def test_what_cannot_be_read_is_quarantined_with_the_reason_and_acknowledged(gateway: Gateway) -> None:
    link = RecordingLink()
    bad = [
        envelope(UP, b"\xff\xfe", 1),
        envelope(UP, b'{"kind":"tag_read","at":"2026-11-22T23:00:00","tag":"00"}', 2),
        envelope("lamplighter/riverside/other/up", b'{"kind":"tag_read","device":"rdr-gate"}', 3),
        envelope("something/else", b"1", 4),
        envelope(UP, tap(9), 5, retained=True),
    ]
    gateway.intake.messages(link, bad)
    await gateway.intake.drained()
    rows = await gateway.archive.quarantine(limit=10)
    assert len(rows) == 5
    assert sorted(bytes(row.payload) for row in rows) == sorted(each.payload for each in bad)
    assert all(row.reason for row in rows)
    assert len(link.acknowledged) == 5
    assert [row.kind for row in await gateway.archive.observations(limit=10)] == [
        "link"
    ]  # only our own word: a tap may be among it


async def test_a_redelivered_tap_is_stored_once_and_acknowledged_again(gateway: Gateway, tmp_path: Path) -> None:
    link = RecordingLink()
    for _ in range(3):
        gateway.intake.messages(link, [envelope(UP, tap(1))])
        await gateway.intake.drained()
    assert stored(tmp_path, "SELECT count(*) FROM log") == [(1,)]
    assert len(link.acknowledged) == 3
    assert gateway.intake.counters.repeats == 2


async def test_another_content_under_a_known_key_is_kept_aside(gateway: Gateway, tmp_path: Path) -> None:
    link = RecordingLink()
    gateway.intake.messages(link, [envelope(UP, tap(1)), envelope(UP, tap(1, "0000AAAA"))])
    await gateway.intake.drained()
    assert stored(tmp_path, "SELECT kind, n FROM log") == [("tag_read", 1), ("link", None)]
    (word,) = stored(tmp_path, "SELECT body FROM log WHERE kind = 'link'")
    assert b"a number again" in word[0]
    (row,) = await gateway.archive.quarantine(limit=10)
    assert "another content under the key" in row.reason
    assert b"0000AAAA" in row.payload


async def test_another_content_under_a_known_key_makes_the_record_doubtful_also_if_it_was_read_late(
    gateway: Gateway, tmp_path: Path
) -> None:
    gateway.intake.messages(RecordingLink(), [envelope(UP, tap(1))])
    body = tap(1, "0000AAAA")
    said = read_observation(body[:-1] + b',"device":"rdr-gate"}')
    assert gateway.intake.late([Reading(said, body)], instant(NOW), body) == (0, 1)
    assert gateway.intake.late([Reading(said, tap(1))], instant(NOW), body) == (0, 1), "a repeat"
    await gateway.intake.drained()
    assert stored(tmp_path, "SELECT kind, n FROM log") == [("tag_read", 1), ("link", None)]


async def test_unknown_fields_of_a_native_record_are_kept(gateway: Gateway) -> None:
    body = tap(1)[:-1] + b',"rssi":-61}'
    gateway.intake.messages(RecordingLink(), [envelope(UP, body)])
    await gateway.intake.drained()
    (row,) = await gateway.archive.observations(device="rdr-gate", limit=5)
    assert msgspec.json.decode(row.body)["rssi"] == -61


async def test_a_device_is_told_the_highest_number_without_a_hole(gateway: Gateway) -> None:
    told: list[tuple[str, dict[str, object]]] = []
    gateway.intake.send = lambda topic, payload: told.append((topic, msgspec.json.decode(payload)))
    for numbers in ((1, 2, 4), (3,)):
        gateway.intake.messages(RecordingLink(), [envelope(UP, tap(n)) for n in numbers])
        await gateway.intake.drained()
    topic = "lamplighter/riverside/rdr-gate/down/ack"
    assert told == [(topic, {"boot": "b1", "seq": 2}), (topic, {"boot": "b1", "seq": 4})]


async def test_a_flood_pauses_the_link_and_goes_on_when_written(gateway: Gateway, tmp_path: Path) -> None:
    link = RecordingLink()
    gateway.intake.messages(link, [envelope(UP, tap(n), n) for n in range(1, 9001)])
    assert link.paused
    await gateway.intake.drained()
    assert not link.paused
    assert stored(tmp_path, "SELECT count(*) FROM log") == [(9000,)]


async def test_a_tap_is_a_live_event_and_an_interrupted_listener_misses_none(gateway: Gateway) -> None:
    link = RecordingLink()
    before = gateway.events.latest
    for n in range(1, 4):
        gateway.intake.messages(link, [envelope(UP, tap(n))])
        await gateway.intake.drained()
    seen = []
    async with asyncio.timeout(5):
        async for event in gateway.events.subscribe(before):
            if event.kind == "tap":
                seen.append(msgspec.json.decode(event.data)["observation"]["seq"])
            if len(seen) == 2:
                last = event.id
                break
        async for event in gateway.events.subscribe(last):
            if event.kind == "tap":
                seen.append(msgspec.json.decode(event.data)["observation"]["seq"])
                break
    assert seen == [1, 2, 3]


async def test_a_listener_who_comes_after_a_restart_reads_on_from_the_journal(tmp_path: Path) -> None:
    async with Gateway(SITE, tmp_path, clock=lambda: NOW) as gateway:
        start = gateway.events.latest
        gateway.intake.messages(RecordingLink(), [envelope(UP, tap(n)) for n in range(1, 1201)])
        await gateway.intake.drained()
    async with Gateway(SITE, tmp_path, clock=lambda: NOW + timedelta(seconds=1)) as gateway:
        numbers = []
        async with asyncio.timeout(5):
            async for event in gateway.events.subscribe(start):
                if event.kind == "tap":
                    numbers.append(msgspec.json.decode(event.data)["observation"]["seq"])
                if len(numbers) == 1200:
                    break
        assert numbers == list(range(1, 1201))


async def test_after_a_restart_a_repeat_is_still_a_repeat(tmp_path: Path) -> None:
    for _ in range(3):
        async with Gateway(SITE, tmp_path, clock=lambda: NOW) as gateway:
            gateway.intake.messages(RecordingLink(), [envelope(UP, tap(n)) for n in (3, 1, 2)])
            await gateway.intake.drained()
    assert stored(tmp_path, "SELECT count(*) FROM log WHERE kind = 'tag_read'") == [(3,)]


async def test_a_clock_that_steps_back_does_not_stop_the_intake(tmp_path: Path) -> None:
    moments = iter([NOW, NOW, NOW - timedelta(hours=1)] + [NOW - timedelta(hours=1)] * 50)
    async with Gateway(SITE, tmp_path, clock=lambda: next(moments)) as gateway:
        gateway.intake.messages(RecordingLink(), [envelope(UP, tap(1), at=NOW - timedelta(hours=1))])
        await gateway.intake.drained()
        rows = await gateway.archive.observations(limit=5)
        assert len(rows) == 1


async def test_a_fault_of_the_judge_loses_nothing_is_shown_and_does_not_keep_the_gateway_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with Gateway(SITE, tmp_path, clock=lambda: NOW) as gateway:
        with monkeypatch.context() as patch:
            patch.setattr(gateway.judgement.engine.rounds, "apply", broken)
            link = RecordingLink()
            gateway.intake.messages(link, [envelope(UP, tap(1)), envelope(UP, tap(2))])
            await gateway.intake.drained()
            assert len(link.acknowledged) == 2
            assert len(await gateway.archive.observations(kind="tag_read", limit=5)) == 2
            assert any("could not be judged" in problem for problem in gateway.health().problems)
    apsw.Connection(str(tmp_path / "journal.db")).execute("DELETE FROM snapshot")
    with monkeypatch.context() as patch:
        patch.setattr("gateway.rules.rounds.Rounds.apply", broken)
        async with Gateway(SITE, tmp_path, clock=lambda: NOW) as gateway:
            assert len(await gateway.archive.observations(kind="tag_read", limit=5)) == 2


async def test_many_devices_are_told_together_and_none_is_forgotten(gateway: Gateway) -> None:
    told: dict[str, int] = {}
    times: list[int] = []

    def send(topic: str, payload: bytes) -> None:
        told[topic] = msgspec.json.decode(payload)["seq"]
        times.append(gateway.intake.counters.batches)

    gateway.intake.send = send
    link = RecordingLink()
    for n in range(1, 21):
        gateway.intake.messages(
            link, [envelope(f"lamplighter/riverside/dev-{device}/up", tap(n)) for device in range(100)]
        )
        await gateway.intake.drained()
    async with asyncio.timeout(5):
        while told != {f"lamplighter/riverside/dev-{device}/down/ack": 20 for device in range(100)}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert len(times) < 1000, "not each device after each batch"
