"""A tap may be among bytes that nobody can read: then nobody is accused for it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from gateway.explain.rounds import explain_round
from gateway.links.link import Envelope
from gateway.runtime import Gateway
from tests.intake.recording_link import RecordingLink
from tests.service.test_enrolment import OTHER, ROUND, TEN, Clock, site, verdict


def say(gateway: Gateway, link: RecordingLink, clock: Clock, payload: bytes) -> None:
    gateway.intake.messages(link, [Envelope("lamplighter/s/rdr/up", payload, clock.time, False, None)])


async def night(gateway: Gateway, clock: Clock, broken: timedelta | None) -> None:
    """The reader, which numbers nothing, tells each minute that it lives; once something of it cannot be read."""
    link = RecordingLink()
    while clock.time < TEN + timedelta(hours=1):
        clock.time += timedelta(minutes=1)
        said = {"kind": "reader_heartbeat", "at": clock.time.isoformat()}
        say(gateway, link, clock, msgspec.json.encode(said))
        if broken is not None and clock.time == TEN + broken:
            clock.time += timedelta(seconds=20)
            say(gateway, link, clock, b'{"kind":"tag_read","at":"2026-11-25T22:05:')
            clock.time -= timedelta(seconds=20)
    await gateway.intake.wake()


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (None, "missed"),
        (timedelta(minutes=5), "unverifiable"),
        (timedelta(minutes=-20), "missed"),
        (timedelta(minutes=40), "missed"),
    ],
)
async def test_a_visit_in_whose_time_something_could_not_be_read_is_never_missed(
    broken: timedelta | None, found: str, tmp_path: Path
) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        await night(gateway, clock, broken)
        assert verdict(gateway)[0] == found
        assert len(await gateway.archive.quarantine(limit=5)) == (0 if broken is None else 1)
        if found == "unverifiable":
            shown = gateway.judgement.engine.rounds.round(ROUND)
            assert shown is not None
            assert shown.visits[0].cause == "reader_gap"
            why = explain_round(gateway.judgement, ROUND, gateway.now(), named=False)
            assert why is not None
            assert "读不懂" in why.parts[0].sentence.zh
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        assert verdict(gateway)[0] == found, "a restart changes nothing"


async def test_a_tap_that_can_be_read_counts_though_others_cannot(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        clock.time = TEN + timedelta(minutes=5)
        link = RecordingLink()
        say(gateway, link, clock, b"?")
        said = {"kind": "tag_read", "at": clock.time.isoformat(), "tag": OTHER}
        say(gateway, link, clock, msgspec.json.encode(said))
        await gateway.intake.wake()
        assert verdict(gateway)[0] == "on_time"


async def test_a_line_full_of_noise_is_told_of_twice_a_second_and_fills_no_memory(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        link = RecordingLink()
        for _ in range(6000):
            clock.time += timedelta(milliseconds=50)
            say(gateway, link, clock, b"\xff")
        await gateway.intake.wake()
        cuts = await gateway.query("SELECT count(*) FROM log WHERE kind = 'link'")
        assert cuts == [(600,)]
        record = gateway.judgement.engine.rounds.record("rdr")
        assert record is not None
        assert len(record.snapshot()["cuts"]) < 70
        assert record.snapshot()["cuts"][-1] == record.snapshot()["unread_cuts"][-1]
