"""The same application on the real gateway: its journal, its book of alerts, its events."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from api.access.invitations import Invitations
from api.app import create_app
from api.ports import GatewayPort
from gateway.rules.findings import Signal
from gateway.runtime import Gateway
from tests.api import scene
from tests.api.conftest import BASE

SITE = scene.site("en")


async def test_an_account_and_its_session_survive_a_restart(tmp_path: Path) -> None:
    async with Gateway(SITE, tmp_path) as gateway, client_of(gateway, invitations := Invitations()) as client:
        token = invitations.setup(gateway.now())
        form = {"token": token, "name": "boss", "password": "four lamps on a wet street"}
        answer = await client.post("/setup", data=form | {"again": form["password"]})
        assert answer.status_code == 303, answer.text
        cookies = dict(client.cookies)
    async with Gateway(SITE, tmp_path) as gateway, client_of(gateway, Invitations()) as client:
        client.cookies.update(cookies)
        assert (await client.get("/api/v1/site")).json()["name"] == "Riverside Garden"
        names = [name for (name,) in await gateway.query("SELECT name FROM accounts", ())]
        rows = await gateway.query("SELECT who, action FROM audit WHERE who <> 'gateway' ORDER BY seq", ())
        assert [tuple(row) for row in rows] == [("set-up link", "account.add"), (names[0], "session.begin")]
        assert "boss" not in names[0], "what stands in histories says nothing of the person"


async def test_every_page_and_list_works_on_a_gateway_that_has_heard_nothing(tmp_path: Path) -> None:
    async with Gateway(SITE, tmp_path) as gateway, client_of(gateway, invitations := Invitations()) as client:
        await enter(client, gateway, invitations)
        for name in [
            "site",
            "places",
            "people",
            "devices",
            "rounds",
            "gaps",
            "unmatched",
            "lamps",
            "circuits",
            "cameras",
            "zones",
            "alerts",
            "observations",
            "quarantine",
        ]:
            answer = await client.get(f"/api/v1/{name}")
            assert answer.status_code == 200, (name, answer.text)
        for path in ("/", "/console/summary", "/console/rounds", "/metrics", "/openapi.json"):
            assert (await client.get(path)).status_code == 200, path


async def test_an_alert_of_the_rules_is_acknowledged_and_told_live(tmp_path: Path) -> None:
    async with Gateway(SITE, tmp_path) as gateway, client_of(gateway, invitations := Invitations()) as client:
        await enter(client, gateway, invitations)
        now = gateway.now()
        listener = asyncio.create_task(heard(gateway))
        gateway.judgement.alerts.signal(Signal(rule="panic", subject="wand-1", action="raise", at=now, raised=now))
        gateway.intake.tick(now)
        await gateway.intake.drained()
        alerts = (await client.get("/api/v1/alerts", params={"active": True})).json()["items"]
        assert [(alert["rule"], alert["severity"]) for alert in alerts] == [("panic", "critical")]
        answer = await client.post(f"/api/v1/alerts/{alerts[0]['id']}/ack")
        assert (answer.status_code, answer.json()["state"]) == (200, "acknowledged")
        async with asyncio.timeout(5):
            assert await listener == "alert"


async def heard(gateway: GatewayPort) -> str:
    """The kind of the next event."""
    async for event in gateway.events.subscribe(None):
        return event.kind
    raise AssertionError


def client_of(gateway: GatewayPort, invitations: Invitations) -> httpx.AsyncClient:
    app = create_app(gateway, invitations=invitations)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE, headers={"Origin": BASE})


async def enter(client: httpx.AsyncClient, gateway: GatewayPort, invitations: Invitations) -> None:
    token = invitations.login("test", "admin", gateway.now())
    assert (await client.get("/login/once", params={"token": token})).status_code == 303
