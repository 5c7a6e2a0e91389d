"""One night with a guard's phone: the real gateway and application, a phone whose clock and network are the test's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import httpx

from api.access.invitations import Invitations
from api.app import create_app
from device_drivers.ntag424.device import encrypted_url
from device_drivers.phone.device import PhoneQueue
from gateway.instants import MINUTE, Instant
from gateway.rules.findings import Visit as Judged
from gateway.runtime import Gateway
from gateway.site.model import Checkpoint, Device, Person, Place, RoundRule, Route, Site, Visit

TEN = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
"""22:00 in Shanghai: the round begins."""
ROUND = "r@2026-11-25T22:00+08:00"
GATE, ROOF = "04A1B2C3D40001", "04A1B2C3D40002"
SUN = {"file_key": "00112233445566778899AABBCCDDEEFF", "meta_key": "FFEEDDCCBBAA99887766554433221100"}
SIGNED = "04112233445566"
BASE = "http://gateway.test"


def site(**changed: Any) -> Site:
    """Three points with tags on the wall, walked by whoever is a guard, with phones only: due 22:05, 22:20 and 22:40, give or take 10 min."""
    stops = (("gate", 5), ("roof", 20), ("pump", 40))
    given: dict[str, Any] = {
        "id": "s",
        "name": "滨江花园",
        "timezone": "Asia/Shanghai",
        "latitude": 31.2,
        "longitude": 121.5,
        "places": {
            "gate": Place(id="gate", name="南门"),
            "roof": Place(id="roof", name="天台"),
            "pump": Place(id="pump", name="水泵房"),
        },
        "people": {
            "g-wang": Person(id="g-wang", name="王强", roles=("guard",)),
            "g-li": Person(id="g-li", name="李明", roles=("guard",)),
        },
        "devices": {
            "sun": Device(
                id="sun", enabled=False, driver="ntag424", kind="phone", portable=True, own_clock=False, settings=SUN
            )
        },
        "checkpoints": {
            name: Checkpoint(id=name, place=name, tags=(tag,))
            for name, tag in (("gate", GATE), ("roof", ROOF), ("pump", SIGNED))
        },
        "routes": {
            "r": Route(
                id="r",
                visits=tuple(Visit(checkpoint=name, after=minutes * MINUTE) for name, minutes in stops),
                guards=("g-wang",),
            )
        },
        "rounds": (RoundRule(route="r", days=frozenset(range(7)), starts=(time(22),), lasts=50 * MINUTE),),
        "digest": "as filed",
    }
    return Site(**(given | changed))


class Clock:
    def __init__(self) -> None:
        self.time = TEN - timedelta(minutes=30)

    def __call__(self) -> datetime:
        return self.time


class Night:
    """The gateway, and time as the test tells it."""

    def __init__(self, gateway: Gateway, clock: Clock) -> None:
        self.gateway = gateway
        self.clock = clock
        self.invitations = Invitations()
        self.app = create_app(gateway, invitations=self.invitations)

    def at(self, text: str) -> datetime:
        """It is "22:05" or "22:05:10" now; deadlines up to then have passed."""
        hour, minute, second = (int(part) for part in f"{text}:00".split(":")[:3])
        self.clock.time = TEN.replace(hour=0) + timedelta(hours=hour - 8, minutes=minute, seconds=second)
        if hour < 12:
            self.clock.time += timedelta(days=1)
        self.gateway.intake.tick(self.gateway.now())
        return self.clock.time

    def visit(self, checkpoint: str) -> Judged:
        found = self.gateway.judgement.engine.rounds.round(ROUND)
        assert found is not None
        return next(each for each in found.visits if each.checkpoint == checkpoint)

    def verdicts(self) -> dict[str, str]:
        return {name: self.visit(name).verdict for name in ("gate", "roof", "pump")}

    @asynccontextmanager
    async def phone(self, person: str | None = "g-wang", role: str = "guard", **said: Any) -> AsyncIterator[Phone]:
        """A browser on which somebody logs in."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Origin": BASE}) as client:
            phone = Phone(self, client, **said)
            await phone.log_in(person, role)
            yield phone


def account(name: str, role: str, person: str | None, now: Instant) -> list[tuple[str, tuple[object, ...]]]:
    """The statements that make a person's account, if there is none."""
    return [
        (
            "INSERT OR IGNORE INTO accounts (name, role, disabled, created, changed, person) VALUES (?, ?, 0, ?, ?, ?)",
            (name, role, now, now, person),
        )
    ]


class Phone:
    """A browser with the page's queue.

    Args:
        ahead: by how much its clock is wrong.
    """

    def __init__(
        self, night: Night, client: httpx.AsyncClient, *, ahead: timedelta = timedelta(), boot: str = "q1"
    ) -> None:
        self.night = night
        self.client = client
        self.ahead = ahead
        self.queue = PhoneQueue(boot)
        self.device = ""

    async def log_in(self, person: str | None, role: str = "guard") -> None:
        night = self.night
        name = f"u-{person or role}"
        await night.gateway.write(account(name, role, person, night.gateway.now()))
        token = night.invitations.login(name, role, night.gateway.now())  # type: ignore[arg-type]
        assert (await self.client.get("/login/once", params={"token": token})).status_code == 303

    async def begin(self) -> dict[str, Any]:
        answer = await self.client.post("/api/v1/phone/begin")
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        self.device = said["device"]
        return said

    def clock(self) -> datetime:
        return self.night.clock() + self.ahead

    def tap(self, tag: str) -> int:
        return self.queue.tap(self.clock(), tag)

    def open(self, url: str, via: str = "nfc") -> int:
        return self.queue.link(self.clock(), url, via)

    async def send(
        self, device: str | None = None, *, keep: bool = False, only: list[int] | None = None
    ) -> dict[str, Any]:
        """Hand in what is kept; `keep`: the answer is lost on the way."""
        body = json.loads(self.queue.hand_over(self.clock(), only)) | {"device": device or self.device}
        answer = await self.client.post("/api/v1/phone/records", json=body)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        if not keep:
            self.queue.acknowledge([record["seq"] for record in body["records"]][: said["taken"]])
        return said

    async def plan(self) -> dict[str, Any]:
        answer = await self.client.get("/api/v1/phone/plan")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def signed(counter: int) -> str:
    """What the signed tag at the pump shows at its tap number `counter`."""
    return encrypted_url(
        bytes.fromhex(SIGNED),
        counter,
        meta_key=bytes.fromhex(SUN["meta_key"]),
        file_key=bytes.fromhex(SUN["file_key"]),
        base="https://watch.example/t/pump",
    )


@asynccontextmanager
async def night(data: Path, which: Site | None = None, clock: Clock | None = None) -> AsyncIterator[Night]:
    """From 21:30 on."""
    clock = clock or Clock()
    async with Gateway(which or site(), data, clock=clock) as gateway:
        yield Night(gateway, clock)
