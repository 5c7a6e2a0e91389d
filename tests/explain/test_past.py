"""What was known then: the stored evidence judged again up to an earlier time, in a process of its own."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from api.access.invitations import Invitations
from gateway.explain.explanation import Explanation
from gateway.instants import instant
from gateway.runtime import Gateway
from gateway.site.load import load_site
from gateway.site.model import Site
from tests.api.test_real_gateway import client_of, enter

ZONE = ZoneInfo("Asia/Shanghai")
EVENING = datetime(2026, 11, 22, 18, 0, tzinfo=ZONE)
ROUND = "night@2026-11-22T23:00+08:00"

SITE: dict[str, Any] = {
    "site": {"id": "s", "name": "s", "timezone": ZONE.key, "language": "en", "latitude": 31.2, "longitude": 121.5},
    "places": [{"id": "gate", "name": "gate"}],
    "people": [{"id": "g-wang", "name": "王强", "roles": ["guard"], "tags": ["007B3972"]}],
    "devices": [
        {"id": "rdr", "driver": "native", "kind": "reader", "place": "gate", "expect_every": "60s"},
        {"id": "lux", "driver": "native", "kind": "lux_sensor", "place": "gate", "expect_every": "10m"},
    ],
    "checkpoints": [{"id": "cp", "place": "gate", "reader": "rdr"}],
    "routes": [{"id": "night", "visits": [{"checkpoint": "cp"}], "band": "0s"}],
    "rounds": [{"route": "night", "starts": ["23:00"], "lasts": "40m", "days": "sun"}],
    "circuits": [{"id": "c"}],
    "lamps": [{"id": "lamp", "place": "gate", "circuit": "c", "seen_by": "lux", "expected": {"mode": "always"}}],
}


class Clock:
    def __init__(self) -> None:
        self.now = EVENING

    def __call__(self) -> datetime:
        return self.now


def loaded(folder: Path) -> Site:
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(SITE, allow_unicode=True), encoding="utf-8")
    return load_site(path)[0]


def at(clock: str, day: int = 22) -> datetime:
    hour, minute = clock.split(":")
    return datetime(2026, 11, day, int(hour), int(minute), tzinfo=ZONE)


async def told(gateway: Gateway, clock: Clock, when: datetime, body: dict[str, Any]) -> None:
    clock.now = when
    gateway.intake.observe(json.dumps(body).encode(), instant(when))
    await gateway.intake.wake()


def heartbeat(n: int, when: datetime) -> dict[str, Any]:
    said = {"kind": "reader_heartbeat", "device": "rdr", "at": when.isoformat(), "device_now": when.isoformat()}
    return said | {"boot": "b", "seq": n, "last_seq": n}


async def test_a_round_is_told_as_it_was_known_then_and_after_memory_let_it_go(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(loaded(tmp_path), tmp_path / "data", clock=clock) as gateway:
        await told(gateway, clock, at("22:00"), heartbeat(1, at("22:00")))
        await told(gateway, clock, at("09:00", 23), heartbeat(2, at("09:00", 23)))

        async def visit(known_at: datetime) -> Explanation:
            found = await gateway.explain_past("round", ROUND, instant(known_at), named=True)
            assert found is not None
            return found.parts[0]

        waiting = await visit(at("23:50"))
        assert (waiting.result, waiting.cause) == ("pending", "awaiting_reader")
        assert (await visit(at("03:10", 23))).result == "unverifiable"
        assert (await visit(at("09:00", 23))).result == "missed"
        clock.now = at("09:00", 23) + timedelta(days=40)
        gateway.intake.tick(instant(clock.now))
        assert gateway.judgement.engine.rounds.state(ROUND) is None
        long_after = await visit(clock.now)
        assert long_after.result == "missed"
        assert long_after.witnesses


async def test_a_lamp_is_told_as_it_was_known_then(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(loaded(tmp_path), tmp_path / "data", clock=clock) as gateway:
        for minute in range(0, 120, 10):
            when = at("20:00") + timedelta(minutes=minute)
            lux = 1 if minute >= 60 else 80
            await told(
                gateway, clock, when, {"kind": "light_level", "device": "lux", "at": when.isoformat(), "lux": lux}
            )
        results = [
            (await gateway.explain_past("lamp", "lamp", instant(at(clock)), named=True)) for clock in ("20:30", "21:55")
        ]
    assert [each and each.result for each in results] == ["ok", "faulty"]


async def test_a_patrol_for_a_blind_zone_is_told_as_it_was_known_then_wherever_its_camera_hangs(tmp_path: Path) -> None:
    clock = Clock()
    site = tmp_path / "site.yaml"
    camera = {"id": "cam", "driver": "native", "kind": "camera", "place": "yard", "expect_every": "1h"}
    more = SITE | {
        "places": [*SITE["places"], {"id": "yard", "name": "yard"}],
        "devices": [*SITE["devices"], camera],
        "zones": [{"id": "z", "place": "gate", "cameras": ["cam"]}],
    }
    site.write_text(yaml.safe_dump(more, allow_unicode=True), encoding="utf-8")
    async with Gateway(load_site(site)[0], tmp_path / "data", clock=clock) as gateway:
        await told(gateway, clock, at("22:00"), heartbeat(1, at("22:00")))
        blind = {"kind": "video_state", "device": "cam", "at": at("22:01").isoformat(), "state": "blind"}
        await told(gateway, clock, at("22:01"), blind)
        await told(gateway, clock, at("22:50"), heartbeat(2, at("22:50")))
        patrol = "cp@2026-11-22T22:04:00+08:00"
        assert gateway.judgement.engine.rounds.window(patrol) is not None
        results = [
            (await gateway.explain_past("gap", patrol, instant(at(clock)), named=True)) for clock in ("22:20", "22:50")
        ]
    assert [each and each.result for each in results] == ["unproved", "exceeded"]


async def test_before_the_first_start_and_of_unknown_things_nothing_is_told(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(loaded(tmp_path), tmp_path / "data", clock=clock) as gateway:
        clock.now = at("23:30")
        assert await gateway.explain_past("round", ROUND, instant(EVENING) - 1, named=True) is None
        assert await gateway.explain_past("round", "night@never", instant(clock.now), named=True) is None
        assert await gateway.explain_past("lamp", "no-such", instant(clock.now), named=True) is None


async def test_the_api_tells_what_was_known_then_and_what_memory_no_longer_holds(tmp_path: Path) -> None:
    clock = Clock()
    site = loaded(tmp_path)
    invitations = Invitations()
    async with Gateway(site, tmp_path / "data", clock=clock) as gateway, client_of(gateway, invitations) as client:
        await told(gateway, clock, at("22:00"), heartbeat(1, at("22:00")))
        await told(gateway, clock, at("09:00", 23), heartbeat(2, at("09:00", 23)))
        await enter(client, gateway, invitations)
        path = f"/api/v1/rounds/{ROUND}/explain"

        async def verdicts(as_of: str | None) -> list[str]:
            answer = await client.get(path, params={"as_of": as_of} if as_of else {})
            assert answer.status_code == 200, answer.text
            [visit] = answer.json()["parts"]
            return [visit["result"], *(each["verdict"] for each in visit.get("revisions", []))]

        assert await verdicts(at("23:50").isoformat()) == ["pending"]
        assert await verdicts(at("03:10", 23).isoformat()) == ["unverifiable", "unverifiable"]
        assert await verdicts(None) == ["missed", "unverifiable", "missed"]
        clock.now = at("09:00", 23) + timedelta(days=10)
        gateway.intake.tick(instant(clock.now))
        await gateway.intake.drained()
        await enter(client, gateway, invitations)
        assert await verdicts(None) == ["missed", "unverifiable", "missed"]
        for as_of, status in (("yesterday", 422), ("2100-01-01T00:00:00Z", 422), ("2020-01-01T00:00:00Z", 404)):
            assert (await client.get(path, params={"as_of": as_of})).status_code == status


async def test_what_else_was_noticed_at_a_taps_place_is_known_of_the_past_too(tmp_path: Path) -> None:
    clock = Clock()
    site = tmp_path / "site.yaml"
    more = SITE | {
        "devices": [*SITE["devices"], {"id": "pir", "driver": "native", "kind": "motion_sensor", "place": "gate"}]
    }
    site.write_text(yaml.safe_dump(more, allow_unicode=True), encoding="utf-8")
    async with Gateway(load_site(site)[0], tmp_path / "data", clock=clock) as gateway:
        moved = {"kind": "motion", "device": "pir", "active": True}
        await told(gateway, clock, at("22:00"), heartbeat(1, at("22:00")))
        await told(gateway, clock, at("22:30"), moved | {"at": at("22:30").isoformat()})
        tap = {"kind": "tag_read", "device": "rdr", "tag": "007B3972", "boot": "b", "seq": 2}
        await told(gateway, clock, at("23:10"), tap | {"at": at("23:10").isoformat()})
        await told(gateway, clock, at("23:10"), moved | {"at": (at("23:10") + timedelta(seconds=20)).isoformat()})
        await told(gateway, clock, at("23:50"), heartbeat(3, at("23:50")))
        found = await gateway.explain_past("round", ROUND, instant(at("23:55")), named=True)
    assert found is not None
    assert found.parts[0].corroboration is not None
    assert found.parts[0].corroboration.result == "supported"
