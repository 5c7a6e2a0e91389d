"""A real gateway whose clock the test sets, and clients of any role."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest

from api.access.invitations import Invitations
from api.app import create_app
from device_drivers import observations as seen
from gateway.instants import MINUTE, Instant, instant, moment
from gateway.runtime import Gateway
from gateway.site.model import Checkpoint, Device, DutyCheck, Person, Place, RoundRule, Route, Site, Visit

BASE = "http://gateway.test"
START = datetime(2026, 11, 24, 12, tzinfo=UTC)

SITE = Site(
    id="s",
    name="御溪花园",
    timezone="UTC",
    latitude=0,
    longitude=0,
    places={"gate": Place(id="gate", name="南门"), "yard": Place(id="yard", name="小区四周")},
    people={
        "c-li": Person(id="c-li", name="李队长", roles=("captain",), tags=("00000001",)),
        "g-he": Person(id="g-he", name="何平", roles=("guard",), tags=("00000002",)),
        "g-wu": Person(id="g-wu", name="吴刚", roles=("guard",), tags=("00000003",)),
    },
    devices={
        "rdr": Device(id="rdr", driver="native", kind="reader", place="gate", expect_every=MINUTE),
        "rdr-2": Device(id="rdr-2", driver="native", kind="reader", place="yard", expect_every=MINUTE),
    },
    checkpoints={
        "cp": Checkpoint(id="cp", place="gate", reader="rdr"),
        "cp-2": Checkpoint(id="cp-2", place="yard", reader="rdr-2"),
    },
    routes={
        "night": Route(
            id="night", visits=(Visit(checkpoint="cp", after=0), Visit(checkpoint="cp-2", after=10 * MINUTE))
        )
    },
    rounds=(
        RoundRule(
            route="night", days=frozenset(range(7)), starts=(datetime(2026, 1, 1, 13).time(),), lasts=20 * MINUTE
        ),
    ),
    duty_checks={"captain": DutyCheck(id="captain", checkers=("c-li",), posts=("cp",), per_week=3)},
    jitter_seed="a seed of some length",
)


class Estate:
    """The gateway, its application and its clock."""

    def __init__(self, tmp_path) -> None:
        self.now = START
        self.gateway = Gateway(SITE, tmp_path, clock=lambda: self.now)
        self.invitations = Invitations()

    def open(self) -> None:
        self.app = create_app(self.gateway, invitations=self.invitations)

    async def go(self, minutes: int, *, readers: tuple[str, ...] = ("rdr", "rdr-2")) -> None:
        """Time passes, and the readers say that they live."""
        for _ in range(minutes):
            self.now += timedelta(minutes=1)
            for reader in readers:
                self.hear(seen.ReaderHeartbeat(device=reader, at=self.now))
        self.gateway.intake.tick(self.gateway.now())
        await self.gateway.intake.drained()

    def hear(self, observation: seen.Observation, received: Instant | None = None) -> None:
        self.gateway.intake.observe(msgspec.json.encode(observation), received or self.gateway.now())

    async def tap(self, reader: str, tag: str, ago: int = 0) -> None:
        at = moment(self.gateway.now() - ago * MINUTE, UTC)
        self.hear(seen.TagRead(device=reader, at=at, tag=tag))
        await self.gateway.intake.drained()

    async def enter(self, name: str, role) -> httpx.AsyncClient:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url=BASE, headers={"Origin": BASE})
        token = self.invitations.login(name, role, self.gateway.now())
        assert (await client.get("/login/once", params={"token": token})).status_code == 303
        return client


Enter = Callable[[str, str], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def estate(tmp_path) -> AsyncIterator[Estate]:
    found = Estate(tmp_path)
    async with found.gateway:
        found.open()
        assert instant(START) == found.gateway.now()
        yield found
