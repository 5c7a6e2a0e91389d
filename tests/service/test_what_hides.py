"""What could not be read, or was lost on its way, may have been the tap that is looked for: then nobody is accused."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from device_drivers.driver import DeviceSettings, Reading
from device_drivers.observations import TagRead
from device_drivers.patrol_export.record import DRIVERS
from gateway.imports import with_hidden
from gateway.instants import instant
from gateway.rules.round_alerts import RoundAlerts
from gateway.rules.unread import TRUE, Stamp, Unread
from gateway.runtime import Gateway
from gateway.site.load import load_site
from tests.intake.recording_link import RecordingLink, envelope

MIDNIGHT = datetime.fromisoformat("2026-11-23T00:00:00+08:00")
TAP, CHIP = "0008075", "04A1B2C3D4E5F6"
SITE = """\
site: {{id: s, name: s, timezone: Asia/Shanghai, latitude: 31.2, longitude: 121.5}}
places: [{{id: gate}}, {{id: roof}}]
people: [{{id: wang, roles: [guard], tags: ["0008075634"]}}]
devices:
  - {{id: rdr-gate, driver: native, kind: reader, place: gate, expect_every: 60s}}
  - {wand}
checkpoints:
  - {{id: cp-gate, place: gate, reader: rdr-gate}}
  - {{id: cp-roof, place: roof, tags: [04A1B2C3D4E5F6]}}
routes: [{{id: r, visits: [{{checkpoint: {checkpoint}}}], readers: [wand-1]}}]
rounds: [{{route: r, days: mon-sun, starts: ["22:00"], lasts: 40m}}]
{mqtt}
"""
NATIVE = "{id: wand-1, driver: native, kind: wand, portable: true}"
EXPORTS = "{id: wand-1, driver: patrol_export, portable: true}"


def at(text: str) -> datetime:
    """ "22:10" of the evening of the 23rd, "+1 22:10" of the next."""
    days, _, rest = text.rpartition(" ")
    hour, minute, second = (int(part) for part in f"{rest}:00".split(":")[:3])
    return MIDNIGHT + timedelta(days=int(days or 0), hours=hour, minutes=minute, seconds=second)


class Night:
    """A gateway whose clock the test sets."""

    def __init__(self, folder: Path, checkpoint: str, wand: str = NATIVE, *, external: bool = False) -> None:
        self.now = at("21:00")
        self.folder = folder
        path = folder / "site.yaml"
        mqtt = "mqtt: {host: broker.example}" if external else ""
        path.write_text(SITE.format(wand=wand, checkpoint=checkpoint, mqtt=mqtt), encoding="utf-8")
        self.site = load_site(path)[0]

    def gateway(self) -> Gateway:
        return Gateway(self.site, self.folder / "data", clock=lambda: self.now)

    async def come(self, gateway: Gateway, device: str, payload: bytes, when: str | datetime) -> None:
        self.now = at(when) if isinstance(when, str) else when
        gateway.intake.messages(RecordingLink(), [envelope(f"lamplighter/s/{device}/up", payload, at=self.now)])
        await gateway.intake.drained()

    async def verdict(self, gateway: Gateway, when: str) -> str:
        self.now = at(when)
        gateway.intake.tick(instant(self.now))
        await gateway.intake.drained()
        return next(each for each in gateway.judgement.engine.rounds.rounds() if "11-23" in each.id).visits[0].verdict


def beat(when: datetime) -> bytes:
    return json.dumps({"kind": "reader_heartbeat", "at": when.isoformat()}).encode()


def sync(when: datetime) -> bytes:
    return json.dumps({"kind": "sync_end", "at": when.isoformat(), "complete_to": when.isoformat()}).encode()


def cut_off(when: datetime) -> bytes:
    """A tap of which the end is missing."""
    return b'{"kind":"tag_read","at":"%s","tag":"%s' % (when.isoformat().encode(), TAP.encode())


@pytest.mark.parametrize("delayed", [False, True])
async def test_an_unreadable_tap_is_doubted_when_it_was_made_not_when_it_came(tmp_path: Path, delayed: bool) -> None:
    night = Night(tmp_path, "cp-gate", external=True)
    async with night.gateway() as gateway:
        for minute in range(80):
            made = at("21:40") + timedelta(minutes=minute)
            await night.come(gateway, "rdr-gate", beat(made), "23:00" if delayed else made)
            if minute == 30:
                made += timedelta(seconds=5)
                await night.come(gateway, "rdr-gate", cut_off(made), "23:00" if delayed else made)
        assert await night.verdict(gateway, "23:05") == "pending"
        assert await night.verdict(gateway, "+2 00:00") == "unverifiable"


@pytest.mark.parametrize(("unreadable", "verdict"), [({50}, "missed"), ({10, 50, 65}, "pending")])
async def test_of_a_backlog_each_that_cannot_be_read_is_doubted_and_no_other_time(
    tmp_path: Path, unreadable: set[int], verdict: str
) -> None:
    night = Night(tmp_path, "cp-gate", external=True)
    async with night.gateway() as gateway:
        for minute in range(120):  # from 21:00; the round is from 22:00 to 22:40
            made = at("21:00") + timedelta(minutes=minute)
            await night.come(gateway, "rdr-gate", beat(made), "23:00")
            if minute in unreadable:
                await night.come(gateway, "rdr-gate", cut_off(made), "23:00")
        assert await night.verdict(gateway, "23:05") == verdict


async def test_of_a_wand_without_numbers_a_hand_over_does_not_cover_what_could_not_be_read(tmp_path: Path) -> None:
    night = Night(tmp_path, "cp-roof")
    async with night.gateway() as gateway:
        await night.come(gateway, "wand-1", cut_off(at("22:10")), "22:10")
        await night.come(gateway, "wand-1", sync(at("23:00")), "23:00")
        assert await night.verdict(gateway, "23:05") == "pending"
        await night.come(gateway, "wand-1", sync(at("+1 23:00")), "+1 23:00")
        assert await night.verdict(gateway, "+2 00:00") == "unverifiable"


async def test_what_was_sent_while_the_broker_lost_our_session_is_no_silence(tmp_path: Path) -> None:
    night = Night(tmp_path, "cp-gate", external=True)
    async with night.gateway() as gateway:
        for minute in range(25):
            made = at("21:40") + timedelta(minutes=minute)
            await night.come(gateway, "rdr-gate", beat(made), made)
        night.now = at("22:04:30")
    night.now = at("22:05:50")  # a tap at 22:05 went to the broker, which had forgotten us
    async with night.gateway() as gateway:
        gateway.intake.session_lost(RecordingLink(), "the broker had no session of this client id any more")
        for minute in range(55):
            made = at("22:06") + timedelta(minutes=minute)
            await night.come(gateway, "rdr-gate", beat(made), made)
        assert await night.verdict(gateway, "23:05") == "pending"


HEADER = "Patrol Time,Chip ID,Reader\n"
OTHER = "04A1B2C3D4E5F7"


@pytest.mark.parametrize("row", ["2026-11-23 22:10:00,04A1B2C3D4E5??,1\n", "2026-11-23 22:1?:00,04A1B2C3D4E5F6,1\n"])
async def test_a_row_that_cannot_be_read_is_not_forgotten_by_the_next_file(tmp_path: Path, row: str) -> None:
    night = Night(tmp_path, "cp-roof", EXPORTS)
    decoder = DRIVERS[0].file_decoder
    assert decoder is not None
    given: dict[str, Any] = {"timezone": "Asia/Shanghai", "readers": {}, "people": {}}
    reads = decoder(DeviceSettings(id="wand-1", settings=given))

    async def hand_in(gateway: Gateway, text: str, when: str) -> None:
        night.now = at(when)
        sheet = with_hidden(reads.read((HEADER + text).encode(), "x.csv", night.now.astimezone(UTC)))
        for item in sheet.found:
            if isinstance(item, Reading):
                gateway.intake.found(RecordingLink(), "x.csv", [item], night.now)
        await gateway.intake.drained()

    async with night.gateway() as gateway:
        first = f"2026-11-23 21:30:00,{OTHER},1\n" + row + f"2026-11-23 23:10:00,{OTHER},1\n"
        await hand_in(gateway, first, "+1 01:00")
        assert await night.verdict(gateway, "+1 20:00") == "pending"
        await hand_in(gateway, f"2026-11-24 22:20:00,{CHIP},1\n2026-11-24 23:10:00,{OTHER},1\n", "+2 01:00")
        assert await night.verdict(gateway, "+2 02:00") == "unverifiable"


@pytest.mark.parametrize("live_first", [False, True])
async def test_a_backlog_that_begins_with_the_unreadable_tap(tmp_path: Path, live_first: bool) -> None:
    night = Night(tmp_path, "cp-gate", external=True)
    async with night.gateway() as gateway:
        for minute in range(30):
            made = at("21:41") + timedelta(minutes=minute)
            await night.come(gateway, "rdr-gate", beat(made), made)
        if live_first:
            await night.come(gateway, "rdr-gate", beat(at("23:00:30")), "23:00:30")
        await night.come(gateway, "rdr-gate", cut_off(at("22:10:30")), "23:00:31")
        for minute in range(50):
            await night.come(gateway, "rdr-gate", beat(at("22:11") + timedelta(minutes=minute)), "23:00:31")
        for minute in range(5):
            made = at("23:01") + timedelta(minutes=minute)
            await night.come(gateway, "rdr-gate", beat(made), made)
        assert await night.verdict(gateway, "23:06") == "pending"


def test_a_row_of_a_wand_that_has_no_other_in_its_file() -> None:
    decoder = DRIVERS[0].file_decoder
    assert decoder is not None
    given = {"timezone": "Asia/Shanghai", "readers": {"1": "wand-1", "2": "wand-2"}, "people": {}}
    text = f"2026-11-23 21:30:00,{OTHER},2\n2026-11-23 22:10:00,04A1B2C3D4E5??,1\n"
    sheet = decoder(DeviceSettings(id="", settings=given)).read((HEADER + text).encode(), "x.csv", at("+1 01:00"))
    assert [(each.device, each.since < at("22:10") < each.until) for each in sheet.hidden] == [("wand-1", True)]


async def test_a_wands_heartbeat_says_nothing_of_what_it_recorded_before(tmp_path: Path) -> None:
    night = Night(tmp_path, "cp-roof")
    async with night.gateway() as gateway:
        await night.come(gateway, "wand-1", sync(at("21:10")), "21:10")
        await night.come(gateway, "wand-1", beat(at("23:00")), "23:00")
        await night.come(gateway, "wand-1", cut_off(at("22:10")), "23:00:02")
        await night.come(gateway, "wand-1", sync(at("23:00:05")), "23:00:05")
        assert await night.verdict(gateway, "23:05") == "pending"


async def accuse(night: Night, gateway: Gateway, *, unreadable: bool) -> None:
    """An hour and a half in which nobody tapped, all of it heard at 23:00; with `unreadable` one message cannot be read."""
    for minute in range(90):
        await night.come(gateway, "rdr-gate", beat(at("21:30") + timedelta(minutes=minute)), "23:00")
        if unreadable and minute == 40:
            await night.come(gateway, "rdr-gate", cut_off(at("22:10:05")), "23:00")
    assert await night.verdict(gateway, "23:05") == "missed"


async def test_what_the_rules_of_a_newer_version_disprove_is_retracted(tmp_path: Path, monkeypatch) -> None:
    """Told by a version that did not doubt what it could not read; its state is in another form."""
    night = Night(tmp_path, "cp-gate", external=True)
    with monkeypatch.context() as old:
        old.setattr(Unread, "miss", lambda _, received: (Stamp(TRUE, received), Stamp(TRUE, received)))
        async with night.gateway() as gateway:
            await accuse(night, gateway, unreadable=True)
    monkeypatch.setattr("gateway.recovery.FORMAT", "another")
    night.now = at("23:10")
    async with night.gateway() as gateway:
        assert await night.verdict(gateway, "+2 23:12") == "unverifiable"
        states = {each.rule: each.state for each in gateway.judgement.alerts.alerts() if "11-23" in each.subject}
    assert (states["round_missed"], states["round_unverifiable"]) == ("retracted", "open")


@pytest.mark.parametrize("reread", [False, True])
async def test_what_is_read_again_of_two_does_not_uncover_the_other(tmp_path: Path, reread: bool) -> None:
    night = Night(tmp_path, "cp-roof")
    async with night.gateway() as gateway:
        await night.come(gateway, "wand-1", sync(at("21:00")), "21:00")
        await night.come(gateway, "wand-1", cut_off(at("21:50")), "23:00")
        await night.come(gateway, "wand-1", cut_off(at("22:10")), "23:00:01")
        if reread:
            night.now = at("23:30")
            tap = TagRead(device="wand-1", at=at("21:50"), tag=OTHER)
            gateway.intake.late([Reading(tap, None)], instant(at("23:00")), b"x")
            await gateway.intake.drained()
        await night.come(gateway, "wand-1", sync(at("23:40")), "23:40")
        assert await night.verdict(gateway, "23:45") == "pending"


@asynccontextmanager
async def cut_off_gateway(night: Night, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    """Dropped in the middle of its work, with no snapshot since its start; the next start has rules of another form."""
    kept = night.folder / "kept"
    async with night.gateway() as gateway:
        for minute in range(10):
            await night.come(gateway, "rdr-gate", beat(at("21:20") + timedelta(minutes=minute)), "21:30")
    with monkeypatch.context() as patched:
        patched.setattr("gateway.runtime._SNAPSHOT_EVERY", 10**15)
        async with night.gateway() as gateway:
            yield gateway
            await gateway.intake.drained()
            shutil.copytree(night.folder / "data", kept, ignore=shutil.ignore_patterns("lock"))
    shutil.rmtree(night.folder / "data")
    kept.rename(night.folder / "data")
    monkeypatch.setattr("gateway.recovery.FORMAT", "another")


async def alerts_of(night: Night, gateway: Gateway) -> tuple[dict[str, str], dict[str, str]]:
    """Standing alerts by id with their states: in the book, and in the journal."""
    await gateway.intake.drained()
    final = {"closed", "retracted"}
    book = {each.id: each.state for each in gateway.judgement.alerts.alerts() if each.state not in final}
    journal = {each["id"]: each["state"] for each in await gateway.archive.alerts() if each["state"] not in final}
    return book, journal


async def test_what_was_told_since_the_last_snapshot_by_another_version_is_not_lost(
    tmp_path: Path, monkeypatch
) -> None:
    night = Night(tmp_path, "cp-gate", external=True)
    with monkeypatch.context() as old:
        old.setattr(Unread, "miss", lambda _, received: (Stamp(TRUE, received), Stamp(TRUE, received)))
        async with cut_off_gateway(night, old) as gateway:
            await accuse(night, gateway, unreadable=True)
    monkeypatch.setattr("gateway.recovery.FORMAT", "another")
    night.now = at("23:10")
    async with night.gateway() as gateway:
        assert await night.verdict(gateway, "+2 23:12") == "unverifiable"
        book, journal = await alerts_of(night, gateway)
        assert book == journal
        assert not any("round_missed" in each for each in book)


async def test_what_only_this_version_finds_since_the_last_snapshot_is_told(tmp_path: Path, monkeypatch) -> None:
    night = Night(tmp_path, "cp-gate", external=True)
    with monkeypatch.context() as old:
        old.setattr(RoundAlerts, "_ended", lambda *_: None)
        async with cut_off_gateway(night, old) as gateway:
            await accuse(night, gateway, unreadable=False)
    monkeypatch.setattr("gateway.recovery.FORMAT", "another")
    night.now = at("23:10")
    async with night.gateway() as gateway:
        await night.verdict(gateway, "23:12")
        book, journal = await alerts_of(night, gateway)
        assert book == journal
        assert any("round_missed" in each for each in book)
