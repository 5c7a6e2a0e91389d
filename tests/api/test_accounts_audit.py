"""Every route that changes something leaves a row in the audit history; and how that history is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from api.access.accounts import Accounts, Origin
from api.access.invitations import Invitations
from api.access.links import new_link
from api.access.passwords import Passwords
from gateway.instants import HOUR
from tests.api.conftest import LogIn
from tests.api.fake_gateway import FakeGateway
from tests.api.test_access import PARAMETERS

SAFE = {"GET", "HEAD"}
PASSWORD = "four lamps on a wet street"

NO_CHANGE = {
    "/api/v1/quarantine/reread/preview": "shows what would be",
    "/quarantine/effect": "shows what would be",
    "/api/v1/phone/records": "what a phone hands in is evidence, kept as such under the phone's id",
    "/api/v1/phone/photos": "what a phone hands in is evidence, kept as such under the phone's id",
}
"""Routes with an unsafe method that leave no row, and why that is right."""

ELSEWHERE = {
    "/api/v1/contacts/{contact_id}/test": "tests/api/test_notices.py",
    "/api/v1/duty-checks": "tests/duty_checks/test_duty_checks_api.py",
    "/api/v1/duty-checks/{key:path}/findings": "tests/duty_checks/test_duty_checks_api.py",
    "/api/v1/duty-checks/{key:path}/withdraw": "tests/duty_checks/test_duty_checks_api.py",
    "/api/v1/duty-checks/photos": "tests/duty_checks/test_duty_checks_api.py",
    "/api/v1/duty-checks/photos/{key:path}/erase": "tests/duty_checks/test_duty_checks_api.py",
    "/api/v1/scores/appeals": "tests/scores/test_scores_api.py",
    "/api/v1/phone/begin": "tests/phone/test_phone_api.py",
}
"""Routes that need more than this scene has; the file that shows their rows."""

BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/tags": {"tag": "04AABBCCDDEEFF", "person": "g-li"},
    "/api/v1/tags/withdraw": {"tag": "04AABBCCDDEEFF"},
    "/api/v1/people": {"id": "g-new", "name": "新人"},
    "/api/v1/devices/{device_id:path}/{action}": {"why": "cleaned"},
    "/api/v1/work-orders/from-alert": {"alert": "lamp_failure/lamp-t1-f03-a/1"},
    "/api/v1/me/password": {"old": PASSWORD, "new": "another long one"},
    "/api/v1/me/pin": {"pin": "407193"},
    "/api/v1/users/{name}": {"called": "小王"},
    "/api/v1/users/{name}/pin": {"pin": "407193"},
}
"""Bodies where the example in the OpenAPI document does not fit this scene."""

PATHS = {
    "/api/v1/people/{person_id}/withdraw": "/api/v1/people/g-new/withdraw",
    "/api/v1/scores/year-end/{key:path}/{action}": "/api/v1/scores/year-end/2026/close",
}


@pytest.fixture
async def boss(log_in: LogIn, gateway: FakeGateway) -> httpx.AsyncClient:
    client = await log_in("admin")
    stored = await Passwords().stored(PASSWORD)
    await gateway.write([("UPDATE accounts SET password = ? WHERE name = 'test-admin'", (stored,))])
    return client


async def rows(gateway: FakeGateway) -> int:
    found: int = (await gateway.query("SELECT count(*) FROM audit", ()))[0][0]
    return found


def changing(app: Any) -> list[tuple[str, str]]:
    """Methods and paths of all routes that change something."""
    return [
        (method, route.path)
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods - SAFE)
        if route.path not in {*NO_CHANGE, *ELSEWHERE}
    ]


def example(app: Any, method: str, path: str) -> dict[str, Any]:
    operation = app.openapi()["paths"].get(path.replace(":path", ""), {}).get(method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    found: dict[str, Any] = content.get("example", {})
    return found


async def test_every_route_that_changes_something_leaves_a_row(
    app: Any, boss: httpx.AsyncClient, log_in: LogIn, gateway: FakeGateway, invitations: Invitations
) -> None:
    """Each is called so that it does something, or is refused by the rules: both are in the history."""
    assert len(changing(app)) > 45
    await log_in("guard")
    silent = []
    for method, path in changing(app):
        if path.startswith(("/login", "/setup", "/logout")):
            continue
        client = await log_in("guard") if path == "/api/v1/me/pin" else boss
        name, key = "test-guard", ""
        if path.endswith("/revoke"):
            key = (await boss.post("/api/v1/keys", json={"name": "x", "role": "viewer"})).json()["key"]["id"]
        if path == "/api/v1/me/sessions/{session_id}/end":
            other = await log_in("admin")
            key = next(one["id"] for one in (await boss.get("/api/v1/me/sessions")).json()["items"] if not one["this"])
            assert other is not None
        if path.endswith("/erase") and "users" in path:
            name = (await boss.post("/api/v1/users", json={"login": "gone", "role": "viewer"})).json()["id"]
        values = PARAMETERS | {"{name}": name, "{key_id}": key, "{session_id}": key}
        called = PATHS.get(path, path)
        for parameter, value in values.items():
            called = called.replace(parameter, value)
        before = await rows(gateway)
        answer = await client.request(method, called, json=BODIES.get(path) or example(app, method, path))
        assert answer.status_code < 500, (path, answer.text)
        if await rows(gateway) == before:
            silent.append((method, path, answer.status_code, answer.text[:200]))
    assert silent == []


async def test_every_way_in_and_out_leaves_a_row(
    app: Any, stranger: httpx.AsyncClient, boss: httpx.AsyncClient, gateway: FakeGateway, invitations: Invitations
) -> None:
    ways = {path for _, path in changing(app) if path.startswith(("/login", "/setup", "/logout"))}
    assert ways == {"/login", "/login/pin", "/login/link", "/login/password", "/setup", "/logout"}
    pin = await Passwords().stored("407193")
    await gateway.write(
        [("INSERT INTO accounts (name, role, created, changed, pin) VALUES ('wang', 'guard', 0, 0, ?)", (pin,))]
    )
    tokens = {}
    for purpose in ("phone", "password"):
        path, statements = new_link("wang", purpose, "test", gateway.now())  # type: ignore[arg-type]
        await gateway.write(list(statements))
        tokens[purpose] = path.partition("token=")[2]
    chosen = {"token": tokens["password"], "password": PASSWORD, "again": PASSWORD}
    for path, form, status in (
        ("/login", {"name": "test-admin", "password": PASSWORD}, 303),
        ("/login", {"name": "test-admin", "password": "wrong"}, 401),
        ("/login", {"name": "nobody", "password": "wrong"}, 401),
        ("/login/pin", {"name": "wang", "pin": "407193"}, 303),
        ("/login/pin", {"name": "wang", "pin": "999998"}, 401),
        ("/login/link", {"token": tokens["phone"]}, 303),
        ("/login/password", chosen, 303),
    ):
        before = await rows(gateway)
        assert (await stranger.post(path, data=form)).status_code == status, path
        assert await rows(gateway) > before, path
    before = await rows(gateway)
    await boss.post("/logout")
    assert await rows(gateway) > before
    await gateway.write([("UPDATE accounts SET password = NULL", ())])
    token = invitations.setup(gateway.now())
    form = {"token": token, "name": "first", "password": PASSWORD, "again": PASSWORD}
    before = await rows(gateway)
    assert (await stranger.post("/setup", data=form)).status_code == 303
    assert await rows(gateway) >= before + 2, "the account and its log-in"


@pytest.mark.parametrize(("path", "file"), ELSEWHERE.items())
def test_rows_that_are_shown_elsewhere_are_shown_there(path: str, file: str) -> None:
    text = Path(file).read_text()
    assert "FROM audit" in text
    assert path.rpartition("/")[2].replace("{key:path}", "") in text


async def written(gateway: FakeGateway) -> None:
    accounts = Accounts(gateway)
    for who, action, subject in (
        ("u-aaaaaa", "account.add", "u-bbbbbb"),
        ("u-aaaaaa", "account.role", "u-bbbbbb"),
        ("k-cccccc", "alert.ack", "lamp_failure/x/1"),
        ("u-bbbbbb", "alert.ack", "lamp_failure/y/1"),
        ("u-bbbbbb", "accounts_of_nothing", "u-aaaaaa"),
    ):
        gateway.ahead += HOUR
        await accounts.record(who, Origin(address="10.0.0.1"), action, subject)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"who": "u-aaaaaa"}, 2),
        ({"action": "alert.ack"}, 2),
        ({"action": "account."}, 3),
        ({"subject": "u-bbbbbb"}, 2),
        ({"who": "u-bbbbbb", "action": "alert.ack"}, 1),
        ({"who": "k-cccccc"}, 1),
        ({"who": "nobody"}, 0),
        ({"since": "2030-01-01T00:00:00Z"}, 0),
    ],
)
async def test_the_history_is_found_by_who_what_to_whom_and_when(
    query: dict[str, str], count: int, log_in: LogIn, gateway: FakeGateway
) -> None:
    gateway.stopped_clock = True
    admin = await log_in("admin")
    await written(gateway)
    found = (await admin.get("/api/v1/audit", params=query)).json()
    assert len(found["items"]) == count
    assert (await admin.get("/audit", params={k: v[:10] for k, v in query.items()} | {"lang": "en"})).status_code == 200


async def test_the_history_comes_newest_first_in_pages_that_skip_nothing(log_in: LogIn, gateway: FakeGateway) -> None:
    admin = await log_in("admin")
    await written(gateway)
    await written(gateway)
    everything = [row["row"] for row in (await admin.get("/api/v1/audit")).json()["items"]]
    assert everything == sorted(everything, reverse=True)
    assert len(everything) >= 11
    paged: list[int] = []
    cursor = None
    while True:
        params: dict[str, str] = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await admin.get("/api/v1/audit", params=params)).json()
        paged += [row["row"] for row in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert paged == everything


async def test_no_question_about_the_history_reads_all_of_it(gateway: FakeGateway) -> None:
    for where in ("who = 'x'", "action = 'x'", "subject = 'x'", "action >= 'account.' AND action < 'account/'"):
        plan = await gateway.query(
            f"EXPLAIN QUERY PLAN SELECT seq FROM audit WHERE {where} ORDER BY seq DESC LIMIT 10", ()
        )
        assert "USING" in repr(plan), (where, plan)
        assert "SCAN audit'" not in repr(plan), (where, plan)


@pytest.mark.parametrize(
    "query", ["since=yesterday", "until=2026-13-01", "cursor=x", "since=9999-12-31&until=9999-12-31"]
)
async def test_a_question_that_makes_no_sense_is_refused(query: str, admin: httpx.AsyncClient) -> None:
    assert (await admin.get(f"/audit?{query}", headers={"Accept": "text/html"})).status_code == 422
