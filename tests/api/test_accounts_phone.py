"""A guard's phone enters by a personal link or by PIN."""

from __future__ import annotations

from itertools import pairwise

import httpx
import pytest

from api.access.accounts import LONGEST, PHONE_IDLE, PHONE_LONGEST, Accounts
from api.access.links import GOOD_FOR, new_link
from api.access.passwords import Passwords, WeakPassword
from api.access.pins import LIMITS, check_pin
from api.app import create_app
from gateway.instants import DAY, MINUTE, SECOND
from tests.api.conftest import BASE, LogIn
from tests.api.fake_gateway import FakeGateway

PIN = "407193"


@pytest.fixture
async def wang(gateway: FakeGateway) -> str:
    """A guard with a PIN; what is typed is `wang`."""
    gateway.stopped_clock = True
    await gateway.write(
        [
            (
                "INSERT INTO accounts (name, role, created, changed, login, pin) VALUES ('u-wang22', 'guard', 0, 0, 'wang', ?)",
                (await Passwords().stored(PIN),),
            )
        ]
    )
    return "u-wang22"


async def attempt(client: httpx.AsyncClient, name: str, pin: str) -> httpx.Response:
    return await client.post("/login/pin", data={"name": name, "pin": pin})


async def history(gateway: FakeGateway) -> list[tuple[str, ...]]:
    return list(await gateway.query("SELECT who, action, subject, outcome, detail FROM audit ORDER BY seq", ()))


async def link(client: httpx.AsyncClient, name: str) -> str:
    answer = await client.post(f"/api/v1/users/{name}/link")
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["url"]
    return found


@pytest.mark.parametrize("role", ["operator", "manager", "admin"])
async def test_a_personal_link_lets_a_phone_in_once_and_no_preview_uses_it_up(
    role: str, log_in: LogIn, stranger: httpx.AsyncClient, wang: str, gateway: FakeGateway
) -> None:
    url = await link(await log_in(role), "wang")  # type: ignore[arg-type]
    assert url.startswith(f"{BASE}/login/link?token=")
    token = url.partition("token=")[2]
    for _ in range(3):
        page = await stranger.get(url)
        assert page.status_code == 200
        assert page.text.count("<button") == 1
        assert "set-cookie" not in page.headers
    entered = await stranger.post("/login/link", data={"token": token})
    assert (entered.status_code, entered.headers["location"]) == (303, "/phone")
    assert f"Max-Age={PHONE_LONGEST // SECOND}" in entered.headers["set-cookie"]
    session = await Accounts(gateway).session(stranger.cookies["lamplighter"])
    assert session is not None
    assert session.phone
    assert session.account.name == wang
    assert (wang, "session.begin", wang, "done", f"personal link made by test-{role}") in await history(gateway)
    stranger.cookies.clear()
    assert (await stranger.get(url)).status_code == 401
    assert (await stranger.post("/login/link", data={"token": token})).status_code == 401


async def test_a_link_holds_over_a_restart_and_is_stored_hashed(
    operator: httpx.AsyncClient, wang: str, gateway: FakeGateway
) -> None:
    url = await link(operator, wang)
    token = url.partition("token=")[2]
    assert token not in repr(await gateway.query("SELECT * FROM entry_link", ()))
    assert token not in repr(await history(gateway))
    transport = httpx.ASGITransport(app=create_app(gateway))
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Origin": BASE}) as phone:
        assert (await phone.post("/login/link", data={"token": token})).status_code == 303


async def test_a_link_is_void_after_a_day_and_when_another_was_made(
    operator: httpx.AsyncClient, stranger: httpx.AsyncClient, wang: str, gateway: FakeGateway
) -> None:
    first, second = await link(operator, wang), await link(operator, wang)
    assert (await stranger.get(first)).status_code == 401
    gateway.ahead += GOOD_FOR - SECOND
    assert (await stranger.get(second)).status_code == 200
    gateway.ahead += SECOND
    assert (await stranger.get(second)).status_code == 401
    assert (await stranger.post("/login/link", data={"token": second.partition("token=")[2]})).status_code == 401


async def test_a_link_is_shown_as_a_qr_code_and_kept_by_no_cache(operator: httpx.AsyncClient, wang: str) -> None:
    answer = await operator.post(f"/api/v1/users/{wang}/link")
    assert answer.headers["cache-control"] == "no-store"
    qr = answer.json()["qr"]
    assert qr.startswith("<svg")
    assert "style=" not in qr


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("guard", 403), ("maintenance", 403)])
async def test_others_make_no_links(role: str, status: int, log_in: LogIn, wang: str) -> None:
    client = await log_in(role)  # type: ignore[arg-type]
    assert (await client.post(f"/api/v1/users/{wang}/link")).status_code == status


async def test_personal_links_are_for_guards_alone(admin: httpx.AsyncClient, operator: httpx.AsyncClient) -> None:
    answer = await admin.post("/api/v1/users/test-operator/link")
    assert answer.status_code == 409
    assert "guards" in answer.json()["detail"]
    assert (await operator.post("/api/v1/users/test-admin/link")).status_code == 404, "not told that it exists"


async def test_a_disabled_guard_enters_neither_way(
    stranger: httpx.AsyncClient, wang: str, gateway: FakeGateway
) -> None:
    path, statements = new_link(wang, "phone", "test", gateway.now())
    await gateway.write([*statements, ("UPDATE accounts SET disabled = 1 WHERE name = ?", (wang,))])
    assert (await stranger.get(path)).status_code == 401
    assert (await attempt(stranger, "wang", PIN)).status_code == 401


async def test_a_phone_stays_in_for_thirty_days_but_not_unused_for_fourteen(
    stranger: httpx.AsyncClient, wang: str, gateway: FakeGateway
) -> None:
    entered = await attempt(stranger, "wang", PIN)
    assert (entered.status_code, entered.headers["location"]) == (303, "/phone")
    cookie = stranger.cookies["lamplighter"]
    for _ in range(2):
        gateway.ahead += 13 * DAY
        assert (await stranger.get("/api/v1/site")).status_code == 200
    gateway.ahead += 4 * DAY
    assert (await stranger.get("/api/v1/site")).status_code == 401
    stranger.cookies.clear()
    await attempt(stranger, "wang", PIN)
    assert stranger.cookies["lamplighter"] != cookie
    gateway.ahead += PHONE_IDLE
    assert (await stranger.get("/api/v1/site")).status_code == 401


async def test_other_sessions_do_not_last_as_long(log_in: LogIn, gateway: FakeGateway) -> None:
    gateway.stopped_clock = True
    client = await log_in("guard")
    gateway.ahead += LONGEST
    assert (await client.get("/api/v1/site")).status_code == 401


@pytest.mark.parametrize(("name", "pin"), [("wang", "999998"), ("nobody", PIN), ("", ""), ("wang", ""), ("boss", PIN)])
async def test_a_wrong_pin_says_the_same_whatever_was_wrong(
    stranger: httpx.AsyncClient, wang: str, gateway: FakeGateway, name: str, pin: str
) -> None:
    stored = await Passwords().stored(PIN)
    await gateway.write(
        [("INSERT INTO accounts (name, role, created, changed, pin) VALUES ('boss', 'manager', 0, 0, ?)", (stored,))]
    )
    answer = await attempt(stranger, name, pin)
    assert answer.status_code == 401
    assert "账号或 PIN 码不正确" in answer.text
    assert "set-cookie" not in answer.headers


async def test_wrong_pins_cost_up_to_a_quarter_of_an_hour(
    stranger: httpx.AsyncClient, wang: str, gateway: FakeGateway
) -> None:
    for _ in range(LIMITS["account from address"].free):
        assert (await attempt(stranger, "wang", "999998")).status_code == 401
    waits = []
    while not waits or waits[-1] < 15 * 60:
        answer = await attempt(stranger, "wang", PIN)
        assert answer.status_code == 429, "even the right PIN waits"
        waits.append(int(answer.headers["retry-after"]))
        gateway.ahead += waits[-1] * SECOND
        assert (await attempt(stranger, "wang", "999998")).status_code == 401
    assert all(after == 2 * before for before, after in pairwise(waits[:-1]))
    gateway.ahead += 15 * MINUTE
    assert (await attempt(stranger, "wang", PIN)).status_code == 303


async def test_a_password_does_not_open_by_pin_nor_a_pin_by_password(
    stranger: httpx.AsyncClient, wang: str, gateway: FakeGateway
) -> None:
    stored = await Passwords().make("wang", "four lamps on a wet street")
    await gateway.write([("UPDATE accounts SET password = ? WHERE name = ?", (stored, wang))])
    assert (await attempt(stranger, "wang", "four lamps on a wet street")).status_code == 401
    assert (await stranger.post("/login", data={"name": "wang", "password": PIN})).status_code == 401


@pytest.mark.parametrize(
    "pin",
    [
        "",
        "123",
        "1987",
        "2024",
        "2580",
        "1314",
        "5201314",
        "123456789",
        "12a4",
        "１２３４",
        " 4071",
        "0000",
        "1234",
        "9876",
        "8901",
        "2468",
        "1212",
        "407407",
    ],
)
def test_a_trivial_pin_is_not_taken(pin: str) -> None:
    with pytest.raises(WeakPassword):
        check_pin(pin)


def test_few_pins_are_refused() -> None:
    refused = 0
    for number in range(10_000):
        try:
            check_pin(f"{number:04}")
        except WeakPassword:
            refused += 1
    assert 0 < refused < 500
