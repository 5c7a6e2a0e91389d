"""What could not be read when it came is read again once the site file is mended, and counts as of the time at which it arrived."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec

from device_drivers.driver import Reject
from gateway.instants import MINUTE, instant
from gateway.rereading import CONFLICT, CONVERSATION, Reread
from gateway.runtime import Gateway
from gateway.site.model import Checkpoint, Device, Person, Place, RoundRule, Route, Site, Visit
from tests.intake.recording_link import RecordingLink, envelope

TEN = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
"""22:00 in Shanghai."""
ROUND = "r@2026-11-25T22:00+08:00"
CARD = "007B3972"
SENSOR = "tele/rdr-gate/SENSOR"
TAP = b'{"Time":"2026-11-25T22:05:00","RDM6300":{"UID":"007B3972"}}'
ON_THE_BRIDGE = b'{"SSerialReceived":"\\u00026F007B397295\\u0003"}'
"""The same card; its checksum is that of a clone (`sum`), another than the usual one."""


def site(topic: str = "rdr-gate", settings: Mapping[str, Any] | None = None) -> Site:
    """A gate with a card reader on a Tasmota board, walked once at 22:00 within ten minutes."""
    reader = Device(
        id="rdr",
        driver="tasmota",
        kind="reader",
        expect_every=5 * MINUTE,
        own_clock=False,
        link={"mqtt": topic},
        settings=settings or {},
    )
    return Site(
        id="s",
        name="s",
        timezone="Asia/Shanghai",
        latitude=31.2,
        longitude=121.5,
        places={"gate": Place(id="gate", name="南门")},
        people={"g-wang": Person(id="g-wang", name="王强", roles=("guard",), tags=(CARD,))},
        devices={"rdr": reader},
        checkpoints={"cp": Checkpoint(id="cp", place="gate", reader="rdr")},
        routes={"r": Route(id="r", visits=(Visit(checkpoint="cp", after=5 * MINUTE),))},
        rounds=(RoundRule(route="r", days=frozenset(range(7)), starts=(time(22),), lasts=10 * MINUTE),),
        digest=f"{topic} {settings}",
    )


class Clock:
    def __init__(self) -> None:
        self.time = TEN - timedelta(minutes=30)

    def __call__(self) -> datetime:
        return self.time


async def the_night(gateway: Gateway, clock: Clock) -> None:
    """Each minute the board tells how it is; at 22:05 it reads a card."""
    while clock.time < TEN + timedelta(hours=2):
        clock.time += timedelta(minutes=1)
        hear(gateway, clock, "tele/rdr-gate/STATE", b'{"Uptime":"0T01:00:00","Vcc":3.3}')
        if clock.time == TEN + timedelta(minutes=5):
            hear(gateway, clock, SENSOR, TAP)
        gateway.intake.tick(instant(clock.time))
        await gateway.intake.drained()


def hear(gateway: Gateway, clock: Clock, topic: str, payload: bytes, *, retained: bool = False) -> None:
    gateway.intake.messages(RecordingLink(), [envelope(topic, payload, at=clock.time, retained=retained)])


def visit(gateway: Gateway) -> tuple[str, int, tuple[str, ...]]:
    found = gateway.judgement.engine.rounds.round(ROUND)
    assert found is not None
    return found.visits[0].verdict, found.visits[0].revision, found.visits[0].marks


def outcomes(rows: tuple[Reread, ...]) -> list[tuple[str, int]]:
    return [(each.outcome, each.new) for each in rows]


async def unread(gateway: Gateway) -> list[int]:
    return sorted(row.seq for row in await gateway.archive.quarantine(limit=1000))


async def test_a_card_read_under_an_unknown_topic_serves_its_visit_once_the_topic_is_bound(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(topic="rdr-gaet"), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
        assert visit(gateway)[:2] == ("unverifiable", 1)
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        rows = await unread(gateway)
        assert len(rows) == 151, "all of it was kept"
        seen = await gateway.rereadable(rows)
        assert [(each["before"], each["verdict"]) for each in seen.revisions] == [("unverifiable", "on_time")]
        assert visit(gateway)[0] == "unverifiable", "a preview does nothing"
        assert await gateway.query("SELECT count(*) FROM log WHERE device = 'rdr'") == [(0,)]

        done = await gateway.reread(rows, "u-chen")
        assert {each.outcome for each in done.rows} == {"read"}
        assert visit(gateway) == ("on_time", 2, ()), "it arrived in time: no mark says that it was handed in late"
        found = gateway.judgement.engine.rounds.round(ROUND)
        assert found is not None
        assert found.visits[0].at == TEN + timedelta(minutes=5)
        assert found.visits[0].person == "g-wang"
        revisions = await gateway.query("SELECT revision, verdict FROM visit_revision ORDER BY seq")
        assert revisions == [(1, "unverifiable"), (2, "on_time")]
        assert await unread(gateway) == rows, "the rows stay"
        stayed = await gateway.archive.quarantined(rows[:1])
        assert stayed[0].again is not None
        assert (stayed[0].again.by, stayed[0].again.outcome) == ("u-chen", "read")

        before = await gateway.query("SELECT count(*) FROM log")
        again = await gateway.reread(rows, "u-chen")
        assert {each.outcome for each in again.rows} == {"already"}
        assert await gateway.query("SELECT count(*) FROM log") == before, "nothing is there twice"
        received = await gateway.query("SELECT received FROM log ORDER BY seq")
        assert received == sorted(received), "and the log stays in order"

    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        assert visit(gateway) == ("on_time", 2, ()), "a restart takes it up"
        assert await gateway.query("SELECT count(*) FROM visit_revision") == [(2,)]


async def test_after_a_crash_what_was_read_again_is_judged_from_the_log_as_it_was(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(topic="rdr-gaet"), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        await gateway.reread(await unread(gateway), "u-chen")
        # As a kill leaves it: no last snapshot is written.
        gateway._failed.set_exception(RuntimeError("killed"))
        gateway._failed.exception()
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        assert visit(gateway) == ("on_time", 2, ())
        await gateway.intake.wake()
        assert await gateway.query("SELECT count(*) FROM visit_revision") == [(2,)]
        why = await gateway.explain_past("round", ROUND, instant(clock.time), named=True)
        assert why is not None
        assert why.parts[0].result == "on_time"
        then = await gateway.explain_past("round", ROUND, instant(TEN + timedelta(hours=1)), named=True)
        assert then is not None
        assert then.parts[0].result == "unverifiable", "what was known then does not change"


async def test_what_a_decoder_refused_for_a_mistake_in_the_site_file_is_read_once_it_is_mended(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        hear(gateway, clock, "tele/rdr-gate/RESULT", ON_THE_BRIDGE)
        await gateway.intake.drained()
        rows = await unread(gateway)
        seen = await gateway.rereadable(rows)
        assert outcomes(seen.rows) == [("unreadable", 0)]
        done = await gateway.reread(rows, "u-chen")
        assert outcomes(done.rows) == [("unreadable", 0)], "still a mistake: it stays"
        assert "checksum" in done.rows[0].reason
        assert (await gateway.archive.quarantined(rows))[0].again is not None
    async with Gateway(site(settings={"checksum": "sum"}), tmp_path, clock=clock) as gateway:
        done = await gateway.reread(rows, "u-chen")
        assert outcomes(done.rows) == [("read", 1)]
        assert [row.kind for row in await gateway.archive.observations(device="rdr")] == ["tag_read", "link"]
        history = await gateway.query("SELECT by, outcome, observations FROM read_again ORDER BY seq")
        assert history == [("u-chen", "unreadable", 0), ("u-chen", "read", 1)]


async def test_a_visit_is_not_missed_because_only_signs_of_life_were_read_again(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(topic="rdr-gaet"), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        states = [row.seq for row in await gateway.archive.quarantine(limit=1000) if row.topic != SENSOR]
        assert (await gateway.rereadable(states)).worse == 1
        done = await gateway.reread(states, "u-chen")
        assert ({each.outcome for each in done.rows}, done.worse) == ({"withheld"}, 1)
        assert visit(gateway)[:2] == ("unverifiable", 1)
        assert await gateway.query("SELECT count(*) FROM read_again") == [(0,)]
        done = await gateway.reread(states, "u-chen", also_worse=True)
        assert visit(gateway)[:2] == ("missed", 2), "somebody said that it may be"
        rest = [row.seq for row in await gateway.archive.quarantine(limit=1000) if row.topic == SENSOR]
        await gateway.reread(rest, "u-chen")
        assert visit(gateway)[:2] == ("on_time", 3)


async def test_old_state_that_the_broker_had_kept_is_no_tap_however_late_it_is_read(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(topic="rdr-gaet"), tmp_path, clock=clock) as gateway:
        clock.time = TEN + timedelta(minutes=5)
        hear(gateway, clock, SENSOR, TAP, retained=True)
        await gateway.intake.drained()
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        done = await gateway.reread(await unread(gateway), "u-chen")
        assert outcomes(done.rows) == [("unreadable", 0)]
        assert "retained" in done.rows[0].reason


async def test_what_arrived_more_than_seven_days_ago_is_left_alone(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(topic="rdr-gaet"), tmp_path, clock=clock) as gateway:
        hear(gateway, clock, SENSOR, TAP)
        await gateway.intake.drained()
    clock.time += timedelta(days=7, seconds=1)
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        done = await gateway.reread(await unread(gateway), "u-chen")
        assert outcomes(done.rows) == [("too_old", 1)]
        assert await gateway.query("SELECT count(*) FROM log WHERE device = 'rdr'") == [(0,)]


async def test_what_was_said_long_ago_is_no_sign_of_life_now(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(topic="rdr-gaet"), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        await gateway.reread(await unread(gateway), "u-chen")
        found = gateway.judgement.engine.devices.device("rdr")
        assert found is not None
        assert (found.state, found.last_heard) == ("unknown", None)


async def test_the_same_record_sent_again_by_its_device_is_there_once(tmp_path: Path) -> None:
    clock = Clock()
    body = b'{"kind":"tag_read","at":"2026-11-25T22:05:00+08:00","boot":"b1","seq":1,"tag":"007B3972"}'
    native = msgspec.structs.replace(site().devices["rdr"], driver="native", link={}, own_clock=True)
    there = msgspec.structs.replace(site(), devices={"rdr": native})
    other = msgspec.structs.replace(there, id="another")
    async with Gateway(other, tmp_path, clock=clock) as gateway:
        clock.time = TEN + timedelta(minutes=5)
        hear(gateway, clock, "lamplighter/s/rdr/up", body)
        await gateway.intake.drained()
    async with Gateway(there, tmp_path, clock=clock) as gateway:
        rows = await unread(gateway)
        assert outcomes((await gateway.rereadable(rows)).rows) == [("read", 1)]
        hear(gateway, clock, "lamplighter/s/rdr/up", body)
        await gateway.intake.drained()
        assert outcomes((await gateway.rereadable(rows)).rows) == [("repeated", 0)]
        assert outcomes((await gateway.reread(rows, "u-chen")).rows) == [("repeated", 0)]
        assert await gateway.query("SELECT kind FROM log WHERE device = 'rdr' ORDER BY seq") == [("tag_read",)]


async def test_a_frame_from_a_serial_line_is_read_by_its_readers_decoder_as_it_is_now(tmp_path: Path) -> None:
    clock = Clock()
    wired = msgspec.structs.replace(site().devices["rdr"], driver="rdm6300", link={"serial": "/dev/ttyUSB0"})
    mended = msgspec.structs.replace(wired, settings={"checksum": "sum"})
    async with Gateway(msgspec.structs.replace(site(), devices={"rdr": wired}), tmp_path, clock=clock) as gateway:
        clock.time = TEN + timedelta(minutes=5)
        gateway.intake.chunk(RecordingLink(), "rdr", b"\x026F007B397295\x03", clock.time)
        await gateway.intake.drained()
        rows = await unread(gateway)
        assert len(rows) == 1
    clock.time += timedelta(hours=1)
    async with Gateway(msgspec.structs.replace(site(), devices={"rdr": mended}), tmp_path, clock=clock) as gateway:
        done = await gateway.reread(rows, "u-chen")
        assert outcomes(done.rows) == [("read", 1)]
        assert visit(gateway)[0] == "on_time"
        found = gateway.judgement.engine.rounds.round(ROUND)
        assert found is not None
        assert found.visits[0].at == TEN + timedelta(minutes=5)


async def test_bytes_of_a_conversation_and_what_contradicts_a_record_stay_with_the_reason(tmp_path: Path) -> None:
    clock = Clock()
    native = msgspec.structs.replace(site().devices["rdr"], driver="native", link={}, own_clock=True)
    there = msgspec.structs.replace(site(), devices={"rdr": native})
    body = b'{"kind":"tag_read","at":"2026-11-25T22:05:00+08:00","boot":"b1","seq":1,"tag":"%s"}'
    async with Gateway(there, tmp_path, clock=clock) as gateway:
        for tag in (b"007B3972", b"0000AB12"):
            hear(gateway, clock, "lamplighter/s/rdr/up", body % tag)
        await gateway.hear("rdr", [Reject(b"\x00", "no answer that could be read")])
        rows = await unread(gateway)
        done = await gateway.reread(rows, "u-chen")
        assert outcomes(done.rows) == [("unreadable", 0), ("unreadable", 0)]
        assert done.rows[0].reason == CONFLICT
        assert done.rows[1].reason == CONVERSATION
        sql = "SELECT kind, json_extract(body, '$.reason') FROM log WHERE device = 'rdr' ORDER BY seq"
        assert await gateway.query(sql) == [
            ("tag_read", None),
            ("link", "it gave a number again that it had used"),
            ("link", "what it sent could not be read and is in quarantine"),
        ]
