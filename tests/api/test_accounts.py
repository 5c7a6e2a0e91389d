"""Log-in, one-time links, set-up, sessions, and the history of all that."""

from __future__ import annotations

import re

import httpx
import pytest

from api.access.accounts import IDLE, LONGEST, Accounts, Origin
from api.access.invitations import GOOD_FOR, Invitations
from api.access.passwords import Passwords
from api.access.throttle import LIMITS, Throttle
from gateway.instants import MINUTE, SECOND
from tests.api.conftest import BASE, LogIn
from tests.api.fake_gateway import FakeGateway

HERE = Origin(address="127.0.0.1")
PASSWORD = "four lamps on a wet street"


@pytest.fixture
async def chen(gateway: FakeGateway) -> str:
    """An operator with a password."""
    gateway.stopped_clock = True
    stored = await Passwords().make("chen", PASSWORD)
    await Accounts(gateway).add("chen", "operator", stored, HERE, "test")
    return "chen"


async def attempt(client: httpx.AsyncClient, name: str, password: str, **fields: str) -> httpx.Response:
    return await client.post("/login", data={"name": name, "password": password, **fields})


async def history(gateway: FakeGateway) -> list[tuple[str, ...]]:
    return list(await gateway.query("SELECT who, address, action, outcome FROM audit ORDER BY seq", ()))


async def test_the_right_password_opens_a_session(stranger: httpx.AsyncClient, chen: str, gateway: FakeGateway) -> None:
    answer = await attempt(stranger, chen, PASSWORD, next="/rounds/x")
    assert (answer.status_code, answer.headers["location"]) == (303, "/rounds/x")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("lamplighter=")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert (await stranger.get("/api/v1/site")).status_code == 200
    assert ("chen", "127.0.0.1", "session.begin", "done") in await history(gateway)


async def test_over_tls_the_cookie_is_bound_to_the_host(app: object, chen: str) -> None:
    base = BASE.replace("http:", "https:")
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=base, headers={"Origin": base}) as client:
        answer = await attempt(client, chen, PASSWORD)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-lamplighter=")
        assert "Secure" in cookie
        assert "Domain" not in cookie
        assert (await client.get("/api/v1/site")).status_code == 200
        assert answer.headers["strict-transport-security"]


async def test_the_token_is_not_stored(stranger: httpx.AsyncClient, chen: str, gateway: FakeGateway) -> None:
    await attempt(stranger, chen, PASSWORD)
    token = stranger.cookies["lamplighter"]
    stored = await gateway.query("SELECT * FROM sessions", ())
    assert token not in repr(stored)
    passwords = await gateway.query("SELECT password FROM accounts", ())
    assert passwords[0][0].startswith("$argon2id$")


@pytest.mark.parametrize(("name", "password"), [("chen", "wrong"), ("nobody", PASSWORD), ("", ""), ("chen", "")])
async def test_a_wrong_log_in_says_the_same_whatever_was_wrong(
    stranger: httpx.AsyncClient, chen: str, gateway: FakeGateway, name: str, password: str
) -> None:
    answer = await attempt(stranger, name, password)
    assert answer.status_code == 401
    assert "账号或密码不正确" in answer.text
    assert "set-cookie" not in answer.headers
    who = "chen" if name == "chen" else "unknown"  # what was typed may be a person's name, or a password
    assert (await history(gateway))[-1] == (who, "127.0.0.1", "session.begin", "refused")


async def test_a_disabled_account_does_not_get_in_and_its_sessions_end(
    stranger: httpx.AsyncClient, chen: str, gateway: FakeGateway
) -> None:
    await attempt(stranger, chen, PASSWORD)
    await gateway.write([("UPDATE accounts SET disabled = 1 WHERE name = ?", (chen,))])
    gateway.ahead += MINUTE
    assert (await stranger.get("/api/v1/site")).status_code == 401
    assert (await attempt(stranger, chen, PASSWORD)).status_code == 401


async def test_after_five_wrong_attempts_even_the_right_password_waits(
    stranger: httpx.AsyncClient, chen: str, gateway: FakeGateway
) -> None:
    for _ in range(LIMITS["account from address"].free):
        assert (await attempt(stranger, chen, "wrong")).status_code == 401
    answer = await attempt(stranger, chen, PASSWORD)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    gateway.ahead += int(answer.headers["retry-after"]) * SECOND
    assert (await attempt(stranger, chen, PASSWORD)).status_code == 303


def test_guessing_from_elsewhere_never_locks_the_owner_out_for_long() -> None:
    throttle, now = Throttle(), 0
    for number in range(1000):
        throttle.failed("chen", f"10.0.{number // 250}.{number % 250}", now)
    assert 0 < throttle.wait("chen", "192.168.1.7", now) <= 10 * SECOND


def test_one_address_cannot_try_many_accounts() -> None:
    throttle = Throttle()
    for number in range(LIMITS["address"].free + 6):
        throttle.failed(f"account-{number}", "10.0.0.1", 0)
    assert throttle.wait("another", "10.0.0.1", 0) == 60 * SECOND
    assert throttle.wait("another", "10.0.0.2", 0) == 0


def test_what_the_throttle_remembers_is_bounded() -> None:
    throttle = Throttle()
    for number in range(20_000):
        throttle.failed(f"account-{number}", "10.0.0.1", 0)
    assert len(throttle._failures) <= 10_000


@pytest.mark.parametrize("after", [IDLE, LONGEST])
async def test_a_session_ends_by_itself(
    stranger: httpx.AsyncClient, chen: str, gateway: FakeGateway, after: int
) -> None:
    await attempt(stranger, chen, PASSWORD)
    if after == LONGEST:
        for _ in range(LONGEST // (IDLE // 2) - 1):
            gateway.ahead += IDLE // 2
            assert (await stranger.get("/api/v1/site")).status_code == 200, "used in time, it goes on"
        gateway.ahead += IDLE // 2
    else:
        gateway.ahead += IDLE
    assert (await stranger.get("/api/v1/site")).status_code == 401


async def test_logging_out_ends_the_session_at_the_server(operator: httpx.AsyncClient) -> None:
    token = operator.cookies["lamplighter"]
    answer = await operator.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    operator.cookies.set("lamplighter", token, domain="gateway.test", path="/")
    assert (await operator.get("/api/v1/site")).status_code == 401


async def test_a_one_time_link_works_once_and_not_for_ever(
    stranger: httpx.AsyncClient, invitations: Invitations, gateway: FakeGateway
) -> None:
    token = invitations.login("demo", "operator", gateway.now())
    prefetch = await stranger.get("/login/once", params={"token": token}, headers={"Sec-Purpose": "prefetch"})
    assert prefetch.status_code == 204
    assert (await stranger.get("/login/once", params={"token": token})).status_code == 303
    stranger.cookies.clear()
    assert (await stranger.get("/login/once", params={"token": token})).status_code == 401
    late = invitations.login("demo", "operator", gateway.now())
    gateway.ahead += GOOD_FOR
    assert (await stranger.get("/login/once", params={"token": late})).status_code == 401
    assert (await stranger.get("/login/once")).status_code == 401


async def test_an_account_of_a_one_time_link_has_no_password(
    log_in: LogIn, stranger: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    await log_in("viewer")
    assert (await attempt(stranger, "test-viewer", "")).status_code == 401
    assert not await Accounts(gateway).any()


async def test_the_first_start_makes_the_administrator_by_its_link_and_only_once(
    stranger: httpx.AsyncClient, invitations: Invitations, gateway: FakeGateway
) -> None:
    assert "一次性设置链接" in (await stranger.get("/login")).text
    token = invitations.setup(gateway.now())
    refused = await stranger.get("/setup", params={"token": "guessed"})
    assert refused.status_code == 401
    assert "重新启动网关" in refused.text
    assert (await stranger.get("/setup", params={"token": token})).status_code == 200
    form = {"token": token, "name": "boss", "password": PASSWORD, "again": PASSWORD}
    for mistake in ({"again": "another"}, {"password": "short", "again": "short"}, {"name": "a b"}, {"name": ""}):
        assert (await stranger.post("/setup", data=form | mistake)).status_code == 422, mistake
    assert (await stranger.post("/setup", data=form)).status_code == 303
    assert (await stranger.get("/metrics")).status_code == 200
    stranger.cookies.clear()
    assert (await stranger.post("/setup", data=form | {"name": "second"})).status_code == 401
    refused = await stranger.get("/setup", params={"token": token})
    assert "已完成设置" in refused.text
    assert "重新启动网关" not in refused.text
    again = invitations.setup(gateway.now())
    assert (await stranger.post("/setup", data=form | {"token": again, "name": "second"})).status_code == 401
    assert (await attempt(stranger, "boss", PASSWORD)).status_code == 303


@pytest.mark.parametrize("target", ["//evil.test", "https://evil.test", "/\\evil.test", "", "javascript:alert(1)"])
async def test_the_log_in_never_leads_to_another_site(stranger: httpx.AsyncClient, chen: str, target: str) -> None:
    assert (await attempt(stranger, chen, PASSWORD, next=target)).headers["location"] == "/"


async def test_what_is_typed_is_shown_as_text(stranger: httpx.AsyncClient) -> None:
    page = (await attempt(stranger, '"><script>alert(1)</script>', "x")).text
    assert "<script>alert" not in page
    assert re.search(r'value="&#34;&gt;&lt;script', page)


async def test_the_history_cannot_be_changed(operator: httpx.AsyncClient, gateway: FakeGateway) -> None:
    assert await history(gateway)
    for statement in ("DELETE FROM audit", "UPDATE audit SET who = 'nobody'"):
        with pytest.raises(Exception, match="append-only"):
            await gateway.write([(statement, ())])
