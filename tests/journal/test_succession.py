"""A state in a form that this version cannot read is made anew from the log; what people were told, and did, is not.

Numbers of alerts name rows and notices that exist: given twice, the second call for help would be taken for the first.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import msgspec
import pytest

from gateway.alerts.alert import Action, Operation
from gateway.books import BookOperation
from gateway.instants import MINUTE, instant
from gateway.journal.rows import LogRow
from gateway.judgement import Judgement
from gateway.recovery import Down, feed
from gateway.repeats import Repeats
from gateway.runtime import Gateway
from gateway.site.load import load_site

SITE = """\
site: {id: s, name: s, timezone: Asia/Shanghai, latitude: 31.2, longitude: 121.5}
places: [{id: hall}]
devices:
  - {id: btn, driver: native, kind: sensor, place: hall}
  - {id: lux, driver: native, kind: lux_sensor, place: hall}
  - {id: cam, driver: native, kind: camera, place: hall, expect_every: 60s}
alerts:
  contacts: {room: {console: true}}
  policies: {default: [{after: 0s, notify: [room]}, {after: 30m, notify: [room]}]}
"""
START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
FORMS = ("rules in another form", "rules and alerts in another form")


class Days:
    """A gateway over days; between two of its lives the stored state may become unreadable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = START
        (folder / "site.yaml").write_text(SITE, encoding="utf-8")

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[Gateway]:
        site = load_site(self.folder / "site.yaml")[0]
        async with Gateway(site, self.folder / "data", clock=lambda: self.now) as gateway:
            yield gateway
            await self.settle(gateway)

    async def settle(self, gateway: Gateway) -> None:
        gateway.intake.tick(instant(self.now))
        await gateway.intake.drained()

    async def say(self, gateway: Gateway, day: float, device: str, kind: str, **said: object) -> None:
        self.now = START + timedelta(days=day)
        body = {"kind": kind, "device": device, "at": self.now.isoformat(), **said}
        gateway.intake.observe(json.dumps(body).encode(), instant(self.now))
        await self.settle(gateway)

    async def act(self, gateway: Gateway, alert: str, *actions: Action) -> None:
        for action in actions:
            self.now += timedelta(minutes=1)
            await gateway.operate(
                Operation(at=instant(self.now), by="room", action=action, alert=alert, why="seen to it")
            )

    async def quiet(self, gateway: Gateway, until: int) -> None:
        while (day := (self.now - START) / timedelta(days=1)) < until - 1:
            await self.say(gateway, day + 1, "lux", "light_level", lux=50)

    def unreadable(self, form: str) -> None:
        with closing(apsw.Connection(str(self.folder / "data" / "journal.db"))) as journal:
            if form == FORMS[0]:
                journal.execute("UPDATE snapshot SET format = '0'")
                return
            for seq, state in journal.execute("SELECT seq, state FROM snapshot").fetchall():
                whole = msgspec.msgpack.decode(state)
                judged = msgspec.msgpack.decode(whole["judgement"])
                judged["alerts"] = {"cases": "in a form that nobody knows"}
                whole["judgement"] = msgspec.msgpack.encode(judged)
                journal.execute(
                    "UPDATE snapshot SET format = '0', state = ? WHERE seq = ?", (msgspec.msgpack.encode(whole), seq)
                )

    def notices(self) -> list[str]:
        with closing(apsw.Connection(str(self.folder / "data" / "journal.db"))) as journal:
            return [key for (key,) in journal.execute("SELECT key FROM notice ORDER BY seq")]


def calls(gateway: Gateway) -> dict[str, str]:
    return {each.id: each.state for each in gateway.judgement.alerts.alerts(active=True) if each.rule == "panic"}


@pytest.mark.parametrize("form", FORMS)
async def test_a_call_after_it_is_told_under_a_number_of_its_own(tmp_path: Path, form: str) -> None:
    days = Days(tmp_path)
    async with days.gateway() as gateway:
        await days.say(gateway, 0, "btn", "panic", active=True)
        await days.act(gateway, "panic/btn/1", "resolve", "close")
        await days.quiet(gateway, 30)
    days.unreadable(form)
    async with days.gateway() as gateway:
        await days.say(gateway, 31, "btn", "panic", active=True)
        assert calls(gateway) == {"panic/btn/2": "open"}
    assert "panic/btn/2/raised/1/room" in days.notices()


@pytest.mark.parametrize("form", FORMS)
async def test_what_stands_for_longer_than_evidence_is_judged_stands_still(tmp_path: Path, form: str) -> None:
    days = Days(tmp_path)
    async with days.gateway() as gateway:
        await days.say(gateway, 0, "btn", "panic", active=True)
        await days.act(gateway, "panic/btn/1", "ack")
        days.now += timedelta(minutes=40)
        await days.quiet(gateway, 30)
        told = len(days.notices())
    days.unreadable(form)
    days.now += timedelta(minutes=1)
    async with days.gateway() as gateway:
        assert calls(gateway) == {"panic/btn/1": "open"}
        await days.say(gateway, 31, "btn", "panic", active=False)
        assert calls(gateway) == {}
    assert len(days.notices()) > told
    assert len(set(days.notices())) == len(days.notices())


@pytest.mark.parametrize("form", FORMS)
async def test_what_somebody_works_on_is_worked_on(tmp_path: Path, form: str) -> None:
    days = Days(tmp_path)
    async with days.gateway() as gateway:
        await days.say(gateway, 0, "btn", "panic", active=True)
        await days.act(gateway, "panic/btn/1", "resolve", "close")
        await days.say(gateway, 22, "btn", "panic", active=True)
        await days.act(gateway, "panic/btn/2", "ack", "start")
        await days.quiet(gateway, 25)
        told = days.notices()
    days.unreadable(form)
    async with days.gateway() as gateway:
        days.now += timedelta(hours=3)
        await days.settle(gateway)
        assert calls(gateway) == {"panic/btn/2": "in_progress"}
    assert days.notices() == told


@pytest.mark.parametrize("form", FORMS)
async def test_what_only_this_version_finds_is_told_once(tmp_path: Path, form: str) -> None:
    days = Days(tmp_path)
    async with days.gateway() as gateway:
        await days.say(gateway, 0, "cam", "camera_heartbeat", status="ok")
        await days.say(gateway, 1, "lux", "light_level", lux=50)
        offline = [each.id for each in gateway.judgement.alerts.alerts(active=True)]
    assert offline
    with closing(apsw.Connection(str(tmp_path / "data" / "journal.db"))) as journal:  # as if it had not been found
        journal.execute("DELETE FROM finding WHERE kind = 'alert'")
        journal.execute("DELETE FROM notice")
        for seq, state in journal.execute("SELECT seq, state FROM snapshot").fetchall():
            whole = msgspec.msgpack.decode(state)
            judged = msgspec.msgpack.decode(whole["judgement"])
            judged["alerts"]["cases"] = {"live": b"[]", "final": b"[]", "occurrences": {}}
            whole["judgement"] = msgspec.msgpack.encode(judged)
            journal.execute("UPDATE snapshot SET state = ? WHERE seq = ?", (msgspec.msgpack.encode(whole), seq))
    days.unreadable(form)
    days.now += timedelta(minutes=1)
    for _ in range(2):
        async with days.gateway() as gateway:
            assert [each.id for each in gateway.judgement.alerts.alerts(active=True)] == offline
        days.now += timedelta(minutes=1)
    assert sum("/raised/" in key for key in days.notices()) == len(offline)


def test_what_fell_due_before_a_stop_that_lies_in_the_log_is_found_before_it(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE)
    began = instant(START)
    judgement = Judgement(load_site(tmp_path / "site.yaml", secrets=False)[0], began)
    repeats = Repeats(lambda *_: None, whole=True)
    said = b'{"kind":"camera_heartbeat","device":"cam","at":"2026-11-01T12:00:00Z","status":"ok"}'
    feed(judgement, repeats, LogRow(1, began, "cam", "camera_heartbeat", began, None, None, said))
    stopped = began + 20 * MINUTE
    down = msgspec.json.encode(Down(since=stopped))
    feed(judgement, repeats, LogRow(2, stopped + MINUTE, "", "restart", stopped + MINUTE, None, None, down))
    assert [each.id for each in judgement.alerts.alerts()] == ["camera_offline/cam/1"]


async def test_whom_a_silence_kept_silent_that_nobody_can_read_any_more_speaks(tmp_path: Path) -> None:
    days = Days(tmp_path)
    async with days.gateway() as gateway:
        wish = {"kind": "silence", "on": "device", "subject": "cam", "until": (START + timedelta(days=20)).isoformat()}
        operation = BookOperation(
            at=instant(days.now), by="op", book="silence", action="create", details=wish, why="known"
        )
        await gateway.operate(operation)
        await days.say(gateway, 0, "cam", "camera_heartbeat", status="ok")
        await days.say(gateway, 1, "lux", "light_level", lux=50)
        [alert] = [each for each in gateway.judgement.alerts.alerts(active=True) if each.subject == "cam"]
        assert alert.suppressed == "silence/1"
        assert not any(key.startswith(alert.id) for key in days.notices())
    days.unreadable(FORMS[1])
    days.now += timedelta(minutes=1)
    async with days.gateway() as gateway:
        await days.settle(gateway)
        found = gateway.judgement.alerts.alert(alert.id)
        assert found is not None
        assert (found.state, found.suppressed) == ("open", None)
    assert f"{alert.id}/raised/1/room" in days.notices()
