"""Copies of fresh taps and calls for help overtake a session that is behind, and change nothing where it is not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace

from gateway.overtaking import MOST_HELD, Overtaking, overtaking_filters
from gateway.runtime import Gateway
from gateway.site.model import Device, Expected, Lamp
from tests.intake.recording_link import NOW, RecordingLink, envelope
from tests.intake.test_intake import SITE, UP, tap

BUTTON = "lamplighter/riverside/btn/up"
CALL = b'{"kind":"panic","at":"2026-11-22T23:00:00+08:00"}'


@pytest.fixture
async def gateway(tmp_path: Path):
    async with Gateway(SITE, tmp_path, clock=lambda: NOW) as gateway:
        yield gateway


def stored(tmp_path: Path) -> list[tuple[object, ...]]:
    return apsw.Connection(str(tmp_path / "journal.db")).execute("SELECT device, kind, n FROM log").fetchall()


async def overtaken(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, *came: tuple[str, bytes], retained: bool = False
):
    monkeypatch.setattr("gateway.overtaking.HOLD_S", 0.01)
    link = RecordingLink()
    copies = Overtaking(SITE, gateway.intake)
    copies.messages(link, [envelope(topic, payload, 0, retained=retained) for topic, payload in came])
    await asyncio.sleep(0.05)
    await gateway.intake.drained()


async def test_a_numbered_tap_and_a_call_are_taken_when_the_session_does_not_bring_them(gateway, tmp_path, monkeypatch):
    await overtaken(gateway, monkeypatch, (UP, tap(7)), (BUTTON, CALL))
    assert stored(tmp_path) == [("rdr-gate", "tag_read", 7), ("btn", "panic", None)]


async def test_what_the_session_brings_afterwards_is_a_repeat_and_acknowledged(gateway, tmp_path, monkeypatch):
    link = RecordingLink()
    await overtaken(gateway, monkeypatch, (UP, tap(7)), (BUTTON, CALL))
    late = NOW + timedelta(seconds=20)
    gateway.intake.messages(
        link, [envelope(UP, tap(6), 1, at=late), envelope(UP, tap(7), 2, at=late), envelope(BUTTON, CALL, 3, at=late)]
    )
    await gateway.intake.drained()
    assert [row[2] for row in stored(tmp_path)] == [7, None, 6]
    assert gateway.intake.counters.repeats == 2
    assert [token.packet_id for token in link.acknowledged] == [1, 2, 3]


async def test_a_device_is_told_only_of_what_is_here_though_a_later_record_overtook(gateway, monkeypatch):
    told: list[tuple[str, bytes]] = []
    gateway.intake.send = lambda topic, payload: told.append((topic, payload))
    await overtaken(gateway, monkeypatch, (UP, tap(7)))
    assert told == []
    gateway.intake.messages(RecordingLink(), [envelope(UP, tap(5), 1)])
    await gateway.intake.drained()
    gateway.intake.messages(RecordingLink(), [envelope(UP, tap(6), 2), envelope(UP, tap(7), 3)])
    await gateway.intake.drained()
    assert [payload for _, payload in told] == [b'{"boot":"b1","seq":5}', b'{"boot":"b1","seq":7}']


async def test_a_copy_of_what_has_come_is_let_go(gateway, tmp_path, monkeypatch):
    gateway.intake.messages(RecordingLink(), [envelope(UP, tap(7), 1)])
    await overtaken(gateway, monkeypatch, (UP, tap(7)))
    assert len(stored(tmp_path)) == 1
    assert gateway.intake.counters.repeats == 0


@pytest.mark.parametrize(
    "payload",
    [
        b'{"kind":"reader_heartbeat","at":"2026-11-22T23:00:00+08:00","boot":"b1","last_seq":9}',
        b'{"kind":"tag_read","at":"2026-11-22T23:00:00+08:00","tag":"007B3972"}',
        b'{"kind":"tag_read","at":"2026-11-22T23:00:00"}',
        b'\xfftag_read"',
    ],
    ids=["heartbeat", "tap without a number", "unreadable", "not text"],
)
async def test_what_would_prove_a_time_complete_whose_taps_still_wait_does_not_overtake(
    gateway, tmp_path, monkeypatch, payload
):
    await overtaken(gateway, monkeypatch, (UP, payload))
    assert stored(tmp_path) == []
    assert gateway.intake.counters.quarantined == 0


async def test_what_happened_long_ago_does_not_overtake(gateway, tmp_path, monkeypatch):
    long_ago = tap(7).replace(b"2026-11-22T23:00:00", b"2026-11-22T22:59:50")
    assert long_ago != tap(7)
    await overtaken(gateway, monkeypatch, (UP, long_ago), (UP, tap(8)))
    assert [n for _, _, n in stored(tmp_path)] == [8]


async def test_stored_state_does_not_overtake(gateway, tmp_path, monkeypatch):
    await overtaken(gateway, monkeypatch, (UP, tap(1)), retained=True)
    assert stored(tmp_path) == []


async def test_of_too_many_copies_the_newest_are_taken(gateway, tmp_path, monkeypatch):
    await overtaken(gateway, monkeypatch, *((UP, tap(n)) for n in range(1, MOST_HELD + 11)))
    assert sorted(n for _, _, n in stored(tmp_path)) == list(range(11, MOST_HELD + 11))


def test_devices_that_lamps_rest_on_and_cameras_are_not_heard_twice():
    lamp = Lamp(id="lamp", place="gate", seen_by=("lux",), fed_by=("relay", 1), expected=Expected(mode="always"))
    kinds = {"lux": "sensor", "relay": "switch", "lamp": "lamp", "cam": "camera", "btn": "sensor"}
    more = {name: Device(id=name, driver="native", kind=kind, place="gate") for name, kind in kinds.items()}
    site = replace(SITE, devices={**SITE.devices, **more}, lamps={"lamp": lamp})
    assert overtaking_filters(site) == [UP, BUTTON]


async def test_while_nothing_is_written_copies_fill_no_memory(gateway, monkeypatch):
    monkeypatch.setattr("gateway.overtaking.HOLD_S", 0.0)
    monkeypatch.setattr("gateway.intake._FULL", 500)
    write, stalled = gateway._writer._write, True

    def stalling(batch: object) -> object:
        if stalled:
            raise apsw.FullError("disk full")
        return write(batch)

    gateway._writer._write = stalling
    gateway._writer._retry_s = 0.02
    copies = Overtaking(SITE, gateway.intake)
    for turn in range(40):
        copies.messages(RecordingLink(), [envelope(UP, tap(100 * turn + n)) for n in range(1, 101)])
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
    gathered = len(gateway.intake.batch.log)
    stalled = False
    await gateway.intake.drained()
    assert 500 < gathered <= 1200
