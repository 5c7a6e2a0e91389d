"""Everything is denied unless a route says otherwise: all routes, for strangers and for each role."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi.routing import APIRoute

from api.access.door import OPEN, Needs, is_open
from api.access.keys import NEVER, key_added
from api.access.roles import RIGHTS, ROLES, Right, Role, allowed
from api.app import create_app
from tests.api.conftest import BASE, LogIn
from tests.api.fake_gateway import FakeGateway

PARAMETERS = {
    "{person_id}": "g-li",
    "{alert_id:path}": "circuit_fault/c-t2-b/1",
    "{device_id:path}": "cam-pump",
    "{round_id:path}": "night@2026-11-22T23:00+08:00",
    "{key:path}": "no/such@thing:+",
    "{silence_id:path}": "silence/1",
    "{swap_id:path}": "duty/1",
    "{report_id}": "day:2026-11-22",
    "{order_id}": "20261123-001",
    "{contact_id}": "nobody",
    "{name}": "console.css",
    "{session_id}": "0123456789abcdef",
    "{key_id}": "k-aaaaaa",
    "{action}": "enable",
}
STREAM = "/api/v1/events"
LEAVES = ("/logout", "/api/v1/me/sessions/end")

SECTIONS: dict[str, Right] = {
    "summary": "rounds",
    "alerts": "alerts",
    "plan": "estate",
    "rounds": "rounds",
    "zones": "estate",
    "lights": "estate",
    "links": "estate",
}


class Asked(NamedTuple):
    """A method and path of the application; the right it asks for (None: open), and whether it knows parts of the site."""

    method: str
    path: str
    right: Right | None
    scoped: bool = False


async def routes(parameters: dict[str, str] = PARAMETERS) -> list[Asked]:
    """Every method and path of the application, with `parameters` for what stands in paths."""
    app = create_app(FakeGateway())
    found: list[Asked] = []
    for route in app.routes:
        assert isinstance(route, APIRoute), f"{route!r} is no route that the matrix knows"
        needed = [item.dependency for item in route.dependencies if isinstance(item.dependency, Needs)]
        assert needed or is_open(route.path), route.path
        path = route.path
        for parameter, value in parameters.items():
            path = path.replace(parameter, value)
        for method in sorted(route.methods):
            if path == "/console/{section}":
                found += [
                    Asked(method, f"/console/{section}", right, section not in {"plan", "links"})
                    for section, right in SECTIONS.items()
                ]
            elif needed:
                found.append(Asked(method, path, needed[0].right, needed[0].scoped))
            else:
                found.append(Asked(method, path, None))
    return found


async def test_the_matrix_covers_the_whole_application() -> None:
    known = await routes()
    assert len(known) > 40
    assert {each.path for each in known if each.right is None} == {*OPEN, "/static/console.css"}
    assert ("GET", "/openapi.json", "rounds") in {each[:3] for each in known}
    assert not [each.path for each in known if "{" in each.path]


async def test_a_stranger_reaches_only_what_is_open(stranger: httpx.AsyncClient) -> None:
    for method, path, right, _ in await routes():
        answer = await stranger.request(method, path)
        if right is None:
            assert answer.status_code not in {403, 404, 500}, (method, path)
        else:
            assert answer.status_code == 401, (method, path, answer.status_code)
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_reaches_exactly_its_rights(role: Role, log_in: LogIn) -> None:
    client = await log_in(role)
    for method, path, right, _ in await routes():
        if right is None or path in {*LEAVES, STREAM}:
            continue
        answer = await client.request(method, path)
        assert (answer.status_code == 403) == (not allowed(role, right)), (role, method, path, answer.status_code)
        assert answer.status_code < 500, (role, method, path, answer.text)


@pytest.mark.parametrize("role", [role for role in ROLES if role != "admin"])
async def test_who_sees_a_part_of_the_site_is_refused_where_a_route_knows_no_parts(
    role: Role, log_in: LogIn, gateway: FakeGateway
) -> None:
    client = await log_in(role)
    await gateway.write([("UPDATE accounts SET places = ? WHERE name = ?", ('["tower-1"]', f"test-{role}"))])
    for method, path, right, scoped in await routes():
        if right is None or path in {*LEAVES, STREAM}:
            continue
        answer = await client.request(method, path)
        refused = not (allowed(role, right) and scoped)
        assert (answer.status_code == 403) == refused, (role, method, path, answer.status_code)
        if allowed(role, right) and refused:
            assert answer.json()["type"] == "urn:lamplighter:problem:scope", (method, path)
        assert answer.status_code < 500, (role, method, path, answer.text)


@pytest.mark.parametrize("role", ROLES)
async def test_a_key_reaches_the_rights_of_its_role_but_lets_nobody_in(
    role: Role, stranger: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    text = await made_key(gateway, role)
    headers = {"Authorization": f"Bearer {text}"}
    del stranger.headers["Origin"]
    for method, path, right, _ in await routes():
        if right is None or path == STREAM:
            continue
        answer = await stranger.request(method, path, headers=headers)
        reaches = allowed(role, right) and right not in {"accounts", "admit", "self", "erase"}
        assert (answer.status_code == 403) == (not reaches), (role, method, path, answer.status_code)
        assert answer.status_code < 500, (role, method, path, answer.text)


async def test_a_key_with_few_rights_reaches_those(stranger: httpx.AsyncClient, gateway: FakeGateway) -> None:
    text = await made_key(gateway, "admin", rights=("estate", "health"))
    for method, path, right, _ in await routes():
        if right is None or path == STREAM or path.startswith("/console/"):
            continue
        answer = await stranger.request(method, path, headers={"Authorization": f"Bearer {text}"})
        assert (answer.status_code == 403) == (right not in {"estate", "health"}), (method, path, answer.status_code)


async def test_a_bounded_key_is_refused_as_a_bounded_account_is(
    stranger: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    text = await made_key(gateway, "manager", places=("tower-1",))
    for method, path, right, scoped in await routes():
        if right is None or path == STREAM:
            continue
        answer = await stranger.request(method, path, headers={"Authorization": f"Bearer {text}"})
        reaches = allowed("manager", right) and right not in NEVER and scoped
        assert (answer.status_code == 403) == (not reaches), (method, path, answer.status_code)
        assert answer.status_code < 500, (method, path, answer.text)


async def made_key(
    gateway: FakeGateway, role: Role, *, rights: tuple[Right, ...] | None = None, places: tuple[str, ...] | None = None
) -> str:
    """A key's text."""
    text, change = key_added("test", role, "test", gateway.now(), rights=rights, places=places)
    await gateway.write(list(change.statements))
    return text


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/nothing", "/api/v2/site", "/static/../app.py", "/console/alerts/"]
)
async def test_what_is_not_there_tells_strangers_nothing(path: str, stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get(path)).status_code in {401, 404}
    assert (await stranger.get("/api/v1/nothing")).status_code == 401


async def test_an_application_with_a_route_that_asks_nothing_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    from api.resources import estate

    add = estate.add

    def careless(app: Any, gateway: Any) -> None:
        add(app, gateway)

        @app.get("/api/v1/secrets")
        async def secrets() -> None: ...

    monkeypatch.setattr(estate, "add", careless)
    with pytest.raises(RuntimeError, match="/api/v1/secrets"):
        create_app(FakeGateway())


def test_every_right_is_held_by_the_administrator_and_none_by_an_unknown_role() -> None:
    assert all("admin" in roles for roles in RIGHTS.values())
    assert all(roles <= set(ROLES) for roles in RIGHTS.values())


async def test_a_page_asked_for_by_a_stranger_leads_to_the_log_in(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/rounds/night@2026-11-22T23:00+08:00", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=/rounds/night")


async def test_only_those_who_send_somebody_read_names_and_only_administrators_tags(log_in: LogIn) -> None:
    seen = {}
    for role in ("viewer", "maintenance", "operator", "admin"):
        people = (await (await log_in(role)).get("/api/v1/people")).json()["items"]
        seen[role] = (people[0]["name"], people[0]["tags"])
    assert seen["viewer"] == seen["maintenance"] == (None, None)
    assert seen["operator"] == ("李明", None)
    assert seen["admin"] == ("李明", ["007B3973"])


async def test_the_round_page_shows_names_only_to_those_who_may_read_them(log_in: LogIn) -> None:
    path = "/rounds/night@2026-11-22T23:00+08:00"
    assert "王强" in (await (await log_in("operator")).get(path)).text
    page = (await (await log_in("guard")).get(path)).text
    assert "王强" not in page
    assert "g-wang" in page


FORGED: list[tuple[str, dict[str, str | None]]] = [
    ("another site's page", {"Origin": "http://evil.test"}),
    ("another port", {"Origin": BASE + ":81"}),
    ("another scheme", {"Origin": BASE.replace("http:", "https:")}),
    ("a sandboxed frame", {"Origin": "null"}),
    ("no origin at all", {"Origin": None}),
    ("a sister site", {"Sec-Fetch-Site": "same-site"}),
    ("a cross-site form", {"Sec-Fetch-Site": "cross-site"}),
]


@pytest.mark.parametrize(("how", "headers"), FORGED, ids=[how for how, _ in FORGED])
async def test_a_forged_request_does_nothing(
    how: str, headers: dict[str, str | None], operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    for name, value in headers.items():
        if value is None:
            del operator.headers[name]
        else:
            operator.headers[name] = value
    answer = await operator.post("/api/v1/alerts/circuit_fault/c-t2-b/1/ack")
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:lamplighter:problem:forged"
    assert gateway.operated == []


async def test_every_answer_carries_the_security_headers(
    stranger: httpx.AsyncClient, operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.archive.rounds = None  # type: ignore[assignment, method-assign]
    answers = [
        await stranger.get("/login"),
        await stranger.get("/api/v1/site"),
        await operator.get("/api/v1/site"),
        await operator.get("/static/room.js"),
        await operator.get("/nothing"),
        await operator.get("/api/v1/rounds"),
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 200, 200, 404, 500]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "no-store" in answer.headers["cache-control"] or "no-cache" in answer.headers["cache-control"]


async def test_no_page_needs_inline_script_or_style(operator: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    pages = [
        (await operator.get("/")).text,
        (await operator.get("/rounds/night@2026-11-22T23:00+08:00")).text,
        (await operator.get("/alerts/circuit_fault/c-t2-b/1")).text,
        (await stranger.get("/login")).text,
    ]
    for page in pages:
        assert page.startswith("<!doctype html>")
        assert " style=" not in page
        assert "<style" not in page
        assert " onclick" not in page
        assert page.count("<script") == len(re.findall(r'<script (type="module" )?src="/static/', page))
