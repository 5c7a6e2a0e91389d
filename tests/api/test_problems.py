"""Errors are problem details that say what to do; bodies and parameters are bounded."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from api.access.roles import Role
from api.body import MOST_BYTES
from tests.api.conftest import LogIn
from tests.api.fake_gateway import FakeGateway

ACK = "/api/v1/alerts/circuit_fault/c-t2-b/1/ack"

CASES = [
    ("GET", "/api/v1/nothing", 404),
    ("GET", "/api/v1/lamps/no/such", 404),
    ("GET", "/api/v1/rounds/night@never", 404),
    ("GET", "/api/v1/rounds/night@2026-11-22T23:01+08:00", 404),
    ("GET", "/api/v1/alerts/no/such/1", 404),
    ("POST", "/api/v1/alerts/no/such/1/ack", 404),
    ("POST", "/api/v1/devices/none/enable", 422),
    ("DELETE", "/api/v1/site", 405),
    ("POST", "/api/v1/rounds", 405),
    ("GET", "/api/v1/rounds?limit=0", 422),
    ("GET", "/api/v1/rounds?limit=many", 422),
    ("GET", "/api/v1/rounds?since=yesterday", 422),
    ("GET", "/api/v1/rounds?since=2026-11-22T23:00:00", 422),
    ("GET", "/api/v1/duty?at=9999-12-31T23:59:59Z", 422),
    ("GET", "/api/v1/zones/minutes?until=0001-01-01T00:00:00Z", 422),
    ("GET", "/api/v1/rounds?since=2026-11-22T23:00:00+08:00", 422),
    ("GET", "/api/v1/rounds?since=2020-01-01T00:00:00Z&until=2026-01-01T00:00:00Z", 422),
    ("GET", "/api/v1/lamps?cursor=nonsense", 422),
    ("GET", "/api/v1/observations?cursor=WyJhIl0", 422),
    ("GET", "/api/v1/gaps?cursor=WzEsMl0", 422),
    ("GET", "/api/v1/alerts?cursor=WzFd", 422),
    ("GET", "/console/nothing", 422),
]


@pytest.mark.parametrize(("method", "path", "status"), CASES)
async def test_a_wrong_request_gets_a_problem(method: str, path: str, status: int, operator: httpx.AsyncClient) -> None:
    answer = await operator.request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["instance"] == path.partition("?")[0]
    assert problem["title"]
    assert problem["detail"]


async def test_a_lost_plus_sign_is_explained(operator: httpx.AsyncClient) -> None:
    answer = await operator.get("/api/v1/rounds?since=2026-11-22T23:00:00+08:00")
    assert "%2B" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"why": 7}', b'{"wy": "typed wrong"}', b'{"why": "' + b"x" * 2000 + b'"}', b"\xff"]
)
async def test_a_body_that_cannot_be_used_changes_nothing(
    body: bytes, operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    answer = await operator.post(ACK, content=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert gateway.operated == []


async def test_a_body_too_long_is_refused_by_its_length(operator: httpx.AsyncClient, gateway: FakeGateway) -> None:
    answer = await operator.post(ACK, content=b" " * (MOST_BYTES + 1))
    assert answer.status_code == 413
    assert gateway.operated == []


async def test_a_body_too_long_is_refused_even_if_it_hides_its_length(
    operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(MOST_BYTES // 1024 + 2):
            yield b" " * 1024

    answer = await operator.post(ACK, content=endless())
    assert answer.status_code == 413
    assert gateway.operated == []


async def test_a_fault_of_ours_tells_nothing_of_the_inside(operator: httpx.AsyncClient, gateway: FakeGateway) -> None:
    gateway.archive.rounds = None  # type: ignore[assignment, method-assign]
    answer = await operator.get("/api/v1/rounds")
    assert answer.status_code == 500
    assert answer.json()["title"] == "Internal Server Error"
    assert "NoneType" not in answer.text


async def test_a_form_of_very_many_fields_is_refused(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.post("/login", content="&".join(f"f{number}=1" for number in range(100)))
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("role", "path", "says"),
    [("operator", "/people", "not for your account"), ("operator", "/rounds/none", "nothing here")],
)
async def test_a_person_in_a_browser_sees_a_page(role: Role, path: str, says: str, log_in: LogIn) -> None:
    client = await log_in(role)
    page = await client.get(path, params={"lang": "en"}, headers={"Accept": "text/html"})
    assert page.status_code in {403, 404}
    assert page.headers["content-type"].startswith("text/html")
    assert says in page.text
    program = await client.get(path)
    assert (program.status_code, program.headers["content-type"]) == (page.status_code, "application/problem+json")


@pytest.mark.parametrize(("path", "says"), [("/rounds?month=x", "无法识别"), ("/audit", "无权查看")])
async def test_a_person_reads_what_is_wrong_in_their_language(
    operator: httpx.AsyncClient, path: str, says: str
) -> None:
    joint = "&" if "?" in path else "?"
    page = (await operator.get(f"{path}{joint}lang=zh_CN", headers={"accept": "text/html"})).text
    assert says in page
    shown = page[page.index("<main") : page.index("<details><summary")]
    assert not re.search(r">[^<]*[a-z]{4,} [a-z]{2,}[^<]*<", shown), (
        "English stands only in the fold for whoever mends it"
    )
