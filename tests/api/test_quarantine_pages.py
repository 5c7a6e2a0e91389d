"""What could not be read is shown with its bytes and reason, and read again over the console, with what that changes shown before."""

from __future__ import annotations

from pathlib import Path

import httpx
import msgspec

from api.access.invitations import Invitations
from api.app import create_app
from api.ports import GatewayPort
from gateway.runtime import Gateway
from tests.api.conftest import BASE
from tests.service.test_rereading import ROUND, SENSOR, Clock, site, the_night, visit


async def client_of(gateway: GatewayPort, role: str) -> httpx.AsyncClient:
    invitations = Invitations()
    app = create_app(gateway, invitations=invitations)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE, headers={"Origin": BASE})
    token = invitations.login(f"test-{role}", role, gateway.now())  # type: ignore[arg-type]
    assert (await client.get("/login/once", params={"token": token})).status_code == 303
    return client


async def test_a_row_is_tried_read_and_marked_and_its_visit_is_served(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(topic="rdr-gaet"), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        client = await client_of(gateway, "operator")
        page = (await client.get("/quarantine", params={"lang": "en"})).text
        assert "no device of the site is bound to this topic" in page
        assert SENSOR in page or "tele/rdr-gate/STATE" in page
        assert "7b 22 54 69 6d 65 22" in page or "7b 22 55 70 74 69 6d 65" in page, "the bytes, as hexadecimal"

        rows = []
        cursor = None
        while True:
            found = (await client.get("/api/v1/quarantine", params={"cursor": cursor} if cursor else {})).json()
            rows += [item["row"] for item in found["items"]]
            cursor = found["next"]
            if cursor is None:
                break
        shown = (await client.post("/quarantine/effect", json={"rows": rows}, params={"lang": "en"})).text
        assert "Unverifiable → <b>On time</b>" in shown
        assert visit(gateway)[0] == "unverifiable"

        done = await client.post("/api/v1/quarantine/reread", json={"rows": rows})
        assert done.status_code == 200, done.text
        assert visit(gateway)[:2] == ("on_time", 2)
        again = (await client.get("/api/v1/quarantine")).json()["items"][0]
        assert again["again"]["outcome"] == "read"
        assert "Read again" in (await client.get("/quarantine", params={"lang": "en"})).text
        audit = await gateway.query("SELECT action, outcome, detail FROM audit WHERE action = 'quarantine.reread'", ())
        assert [(row[0], row[1]) for row in audit] == [("quarantine.reread", "done")]
        why = (await client.get(f"/rounds/{ROUND}", params={"lang": "en"})).text
        assert "History of the verdict: 2" in why
        await client.aclose()


async def test_a_visit_is_made_missed_by_nobody_but_a_manager(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(topic="rdr-gaet"), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        states = [row.seq for row in await gateway.archive.quarantine(limit=1000) if row.topic != SENSOR]
        operator, manager = await client_of(gateway, "operator"), await client_of(gateway, "manager")
        answer = await operator.post("/api/v1/quarantine/reread", json={"rows": states})
        assert answer.json()["worse"] == 1
        answer = await operator.post("/api/v1/quarantine/reread", json={"rows": states, "also_worse": True})
        assert answer.status_code == 403
        assert visit(gateway)[0] == "unverifiable"
        answer = await manager.post("/api/v1/quarantine/reread", json={"rows": states, "also_worse": True})
        assert answer.status_code == 200
        assert visit(gateway)[0] == "missed"
        outcomes = await gateway.query("SELECT outcome FROM audit WHERE action = 'quarantine.reread' ORDER BY seq", ())
        assert outcomes == [("refused",), ("done",)]
        await operator.aclose()
        await manager.aclose()


async def test_rows_are_few_and_of_the_quarantine(operator: httpx.AsyncClient) -> None:
    for rows in ([], list(range(1, 202))):
        answer = await operator.post("/api/v1/quarantine/reread", json={"rows": rows})
        assert answer.status_code == 422, answer.text
    answer = await operator.post("/api/v1/quarantine/reread/preview", json={"rows": [1]})
    assert msgspec.json.decode(answer.content)["rows"] == []


async def test_the_page_of_one_row_shows_it_and_what_came_before(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(topic="rdr-gaet"), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
        client = await client_of(gateway, "maintenance")
        newest = (await gateway.archive.quarantine(limit=1))[0].seq
        page = (await client.get("/quarantine", params={"row": newest - 3})).text
        assert f'id="row-{newest - 3}" class="is-meant"' in page
        assert f'id="row-{newest}"' not in page
        assert (await client.get("/quarantine", params={"row": -1})).status_code == 422
        await client.aclose()
