"""The whole way: what devices say, the journal over a restart, and the figures that the API gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import httpx
import msgspec

from api.access.invitations import Invitations
from api.app import create_app
from device_drivers import observations as seen
from gateway.instants import HOUR, MINUTE, Instant, moment
from gateway.journal.store import FILE, connect, migrations
from gateway.runtime import Gateway
from gateway.site.model import (
    Checkpoint,
    Circuit,
    Device,
    Expected,
    Lamp,
    Mqtt,
    Person,
    Place,
    RoundRule,
    Route,
    Site,
    Visit,
    Zone,
)
from tests.api.conftest import BASE
from tests.rules.lit_night import clock

ALWAYS = frozenset(range(7))


def site() -> Site:
    """A floor with a lamp and a camera, walked each hour."""
    return Site(
        id="s",
        name="s",
        timezone="Asia/Shanghai",
        latitude=31.2,
        longitude=121.5,
        places={"t1": Place(id="t1", name="1号楼"), "t1/f1": Place(id="t1/f1", name="1层", key=True)},
        people={"wang": Person(id="wang", name="王强", roles=("guard",), tags=("007B3972",))},
        devices={
            "lux": Device(id="lux", driver="native", kind="lux_sensor", place="t1/f1", expect_every=10 * MINUTE),
            "cam": Device(id="cam", driver="native", kind="camera", place="t1/f1", expect_every=MINUTE),
            "rdr": Device(id="rdr", driver="native", kind="reader", place="t1/f1", expect_every=MINUTE),
        },
        checkpoints={"cp": Checkpoint(id="cp", place="t1/f1", reader="rdr")},
        routes={"night": Route(id="night", visits=(Visit(checkpoint="cp"),))},
        rounds=(RoundRule(route="night", days=ALWAYS, lasts=40 * MINUTE, since=time(22), until=time(6), every=HOUR),),
        circuits={"c": Circuit(id="c")},
        lamps={
            "lamp": Lamp(
                id="lamp",
                place="t1/f1",
                circuit="c",
                seen_by=("lux",),
                expected=Expected(mode="times", on=time(18), off=time(6)),
            )
        },
        zones={"z": Zone(id="z", place="t1/f1", cameras=("cam",))},
        mqtt=Mqtt(embedded=True, port=0),
    )


class Clock:
    """The wall clock, as the test sets it."""

    def __init__(self, at: str) -> None:
        self.now = clock(at)

    def __call__(self) -> datetime:
        return moment(self.now, UTC)


def said(kind: type, at: Instant, device: str, **more: Any) -> bytes:
    return msgspec.json.encode(kind(device=device, at=moment(at, UTC), **more))


async def live(
    gateway: Gateway, wall: Clock, until: str, *, lit: bool = True, films: bool = True, taps: tuple[str, ...] = ()
) -> None:
    """Minutes go by: the reader, the camera and the light sensor speak in each, taps come at their time."""
    tapped = {clock(at) for at in taps}
    while wall.now < clock(until):
        now = wall.now
        gateway.intake.observe(said(seen.ReaderHeartbeat, now, "rdr"), now)
        gateway.intake.observe(said(seen.LightLevel, now, "lux", lux=100.0 if lit else 0.0), now)
        if films:
            gateway.intake.observe(said(seen.CameraHeartbeat, now, "cam"), now)
        if now in tapped:
            gateway.intake.observe(said(seen.TagRead, now, "rdr", tag="007B3972"), now)
        wall.now += MINUTE
        if now % (10 * MINUTE) == 0:
            gateway.intake.tick(wall.now)
            await gateway.intake.drained()
    gateway.intake.tick(wall.now)
    await gateway.intake.drained()


@asynccontextmanager
async def asking(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    invitations = Invitations()
    app = create_app(gateway, invitations=invitations)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Origin": BASE}) as client:
        token = invitations.login("boss", "manager", gateway.now())
        assert (await client.get("/login/once", params={"token": token})).status_code == 303
        yield client


async def test_a_night_with_a_fault_a_blind_zone_and_a_gateway_that_was_down(tmp_path: Path) -> None:
    wall = Clock("19:00")
    async with Gateway(site(), tmp_path, clock=wall) as gateway:
        await live(gateway, wall, "20:00", taps=("19:10",))
        await live(gateway, wall, "21:00", lit=False)
        await live(gateway, wall, "22:00", taps=("21:30",))
    wall.now = clock("22:30")
    async with Gateway(site(), tmp_path, clock=wall) as gateway:
        await live(gateway, wall, "23:00")
        await live(gateway, wall, "00:00", films=False)
        await live(gateway, wall, "02:00")
        period = {"since": "2026-11-22T19:00:00+08:00", "until": "2026-11-23T02:00:00+08:00"}
        async with asking(gateway) as client:
            (rate,) = (await client.get("/api/v1/lamps/intact", params=period | {"by": "floor"})).json()["items"]
            assert rate["id"] == "t1/f1"
            assert (rate["on_h"], rate["faulty_h"]) == (7, 1)
            # the gateway was down for half an hour; the light was seen again at once
            assert rate["unknown_h"] == 0.5
            assert rate["rate"] == 5.5 / 6.5
            answer = (await client.get("/api/v1/zones/minutes", params=period)).json()
            assert answer["known_from"] == "2026-11-22T19:00:00+08:00"
            (zone,) = answer["items"]
            # silent from 22:59 on: blind from 23:02, three minutes later, until 00:00
            assert (zone["blind_min"], zone["unknown_min"], zone["covered_min"]) == (58, 30, 332)
            (camera,) = (await client.get("/api/v1/cameras/intact", params=period)).json()["items"]
            assert (camera["lost_h"], camera["unknown_h"], camera["target"]) == (58 / 60, 0.5, 0.98)
            answer = (await client.get("/api/v1/protection", params=period)).json()
            assert (answer["hours"], len(answer["items"])) == (7, 2)
            tower, floor = answer["items"]
            assert tower["blind"] is None
            assert floor["dark"]["minutes"] == [0, 60, 0, 0, 0, 0, 0]
            assert floor["dark"]["unknown"] == [0, 0, 0, 30, 0, 0, 0]
            assert floor["blind"]["minutes"] == [0, 0, 0, 0, 58, 0, 0]
            # tapped at 19:10 and 21:30, so walked until 21:10 and 23:30. Blind is told at 23:05: from then on the checkpoint is to
            # be walked each half hour, and nobody came, until the camera sees at midnight. Who came while the gateway was down
            # nobody knows, so that "nobody for two hours" is known only from 00:30 on; the last heartbeat was at 01:59
            assert floor["unwalked"]["minutes"] == [0, 0, 20, 0, 55, 30, 59]
            assert floor["unwalked"]["unknown"] == [10, 0, 0, 0, 0, 30, 1]
            assert floor["all_three"]["total_min"] == 0


async def test_a_journal_of_before_the_history_begins_it_at_its_next_start(tmp_path: Path) -> None:
    store = connect(tmp_path / FILE)
    for number, text in migrations()[:2]:
        store.execute(text)
        store.execute(f"PRAGMA user_version = {number}")
    for key, value in (("epoch", "e"), ("started", clock("12:00")), ("advanced", clock("20:00"))):
        store.execute("INSERT INTO meta VALUES (?, ?)", (key, value))
    store.close()
    wall = Clock("21:00")
    async with Gateway(site(), tmp_path, clock=wall) as gateway:
        await live(gateway, wall, "22:00")
        async with asking(gateway) as client:
            period = {"since": "2026-11-22T19:00:00+08:00", "until": "2026-11-22T22:00:00+08:00"}
            answer = (await client.get("/api/v1/lamps/intact", params=period)).json()
            assert answer["known_from"] == "2026-11-22T21:00:00+08:00"
            assert [(item["on_h"], item["rate"]) for item in answer["items"]] == [(1, 1)]
            (zone,) = (await client.get("/api/v1/zones/minutes", params=period)).json()["items"]
            assert (zone["absent_min"], zone["covered_min"]) == (120, 60)


async def test_two_starts_without_anything_heard_write_nothing_twice(tmp_path: Path) -> None:
    wall = Clock("19:00")
    async with Gateway(site(), tmp_path, clock=wall) as gateway:
        await live(gateway, wall, "19:30")
    async with Gateway(site(), tmp_path, clock=wall):
        pass
    wall.now += 10 * MINUTE
    async with Gateway(site(), tmp_path, clock=wall) as gateway:
        gateway.intake.tick(wall.now)
        await gateway.intake.drained()
        rows = await gateway.query("SELECT since, kind, id, state, detail FROM condition ORDER BY seq")
        told: dict[tuple[str, str], tuple[str, str]] = {}
        for _, kind, name, *said in rows:
            assert told.get((kind, name)) != tuple(said), (kind, name, said)
            told[kind, name] = tuple(said)
        assert [row[3] for row in rows if row[1] == "gateway"] == ["up", "down", "up", "down", "up"]
