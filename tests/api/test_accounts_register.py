"""Accounts in the console's API: made, changed at once, and never without an administrator; one's own account."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api.access.agents import device_of
from api.access.passwords import Passwords
from gateway.instants import MINUTE
from tests.api.conftest import BASE, LogIn
from tests.api.fake_gateway import FakeGateway

PASSWORD = "four lamps on a wet street"


async def made(admin: httpx.AsyncClient, **wish: Any) -> dict[str, Any]:
    answer = await admin.post("/api/v1/users", json={"login": "wang", "role": "guard"} | wish)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def with_password(gateway: FakeGateway, name: str) -> None:
    stored = await Passwords().stored(PASSWORD)
    await gateway.write([("UPDATE accounts SET password = ? WHERE name = ?", (stored, name))])


async def change(admin: httpx.AsyncClient, name: str, **wish: Any) -> httpx.Response:
    return await admin.patch(f"/api/v1/users/{name}", json=wish)


async def test_an_account_is_made_listed_and_changed(admin: httpx.AsyncClient) -> None:
    user = await made(admin, called="  王  强 ", person="g-wang", places=["tower-1"])
    assert user["id"].startswith("u-")
    assert (user["login"], user["called"], user["person"], user["places"]) == ("wang", "王 强", "g-wang", ["tower-1"])
    assert not user["password"]
    assert user["id"] in {one["id"] for one in (await admin.get("/api/v1/users")).json()["items"]}
    changed = (await change(admin, "wang", role="viewer", called="小王", person=None, places=None)).json()
    assert (changed["role"], changed["called"], changed["person"], changed["places"]) == ("viewer", "小王", None, None)
    assert (await admin.get(f"/api/v1/users/{user['id']}")).json() == changed


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"login": "a b"}, 409),
        ({"login": "test-admin"}, 409),
        ({"login": "x", "role": "boss"}, 422),
        ({"login": "x", "person": "nobody"}, 409),
        ({"login": "x", "places": ["nowhere"]}, 409),
        ({"login": "x", "places": []}, 409),
        ({"login": "x", "role": "admin", "places": ["tower-1"]}, 409),
        ({"login": "x", "called": "x" * 65}, 409),
        ({"login": "x", "surname": "x"}, 422),
    ],
)
async def test_what_makes_no_sense_is_not_made(wish: dict[str, Any], status: int, admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/api/v1/users", json={"role": "guard"} | wish)
    assert answer.status_code == status, answer.text
    assert len((await admin.get("/api/v1/users")).json()["items"]) == 1


async def test_two_accounts_do_not_stand_for_one_person(admin: httpx.AsyncClient) -> None:
    await made(admin, person="g-wang")
    answer = await admin.post("/api/v1/users", json={"login": "other", "role": "guard", "person": "g-wang"})
    assert answer.status_code == 409


async def test_a_change_holds_at_once_for_who_is_logged_in(
    admin: httpx.AsyncClient, operator: httpx.AsyncClient
) -> None:
    assert (await operator.get("/api/v1/duty/swaps")).status_code == 200
    assert (await operator.get("/api/v1/users")).status_code == 200
    await change(admin, "test-operator", role="viewer")
    assert (await operator.get("/api/v1/users")).status_code == 403
    await change(admin, "test-operator", places=["tower-1"])
    assert len((await operator.get("/api/v1/lamps")).json()["items"]) == 12
    await change(admin, "test-operator", disabled=True)
    assert (await operator.get("/api/v1/site")).status_code == 401
    await change(admin, "test-operator", disabled=False)
    assert (await operator.get("/api/v1/site")).status_code == 401, "its sessions have ended"


async def test_all_sessions_of_an_account_end_at_once(admin: httpx.AsyncClient, operator: httpx.AsyncClient) -> None:
    assert (await operator.get("/api/v1/site")).status_code == 200
    assert (await admin.post("/api/v1/users/test-operator/sign-out")).json()["sessions"] == 0
    assert (await operator.get("/api/v1/site")).status_code == 401


async def test_who_is_a_guard_no_more_leaves_the_phone(admin: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    await made(admin)
    assert (await admin.post("/api/v1/users/wang/pin", json={"pin": "407193"})).json()["pin"]
    waiting = (await admin.post("/api/v1/users/wang/link")).json()["url"]
    await stranger.post("/login/pin", data={"name": "wang", "pin": "407193"})
    assert (await stranger.get("/api/v1/site")).status_code == 200
    assert not (await change(admin, "wang", role="manager")).json()["pin"]
    assert (await stranger.get("/api/v1/site")).status_code == 401
    assert (await stranger.get(waiting)).status_code == 401


@pytest.mark.parametrize("pin", ["1234", "0000", "12", "abcd", ""])
async def test_a_trivial_pin_is_not_given(pin: str, admin: httpx.AsyncClient) -> None:
    await made(admin)
    assert (await admin.post("/api/v1/users/wang/pin", json={"pin": pin})).status_code == 422
    assert (await admin.post("/api/v1/users/test-admin/pin", json={"pin": "407193"})).status_code == 409


@pytest.mark.parametrize("how", ["demoted", "disabled", "erased", "demoted by himself"])
async def test_the_last_administrator_stays(how: str, admin: httpx.AsyncClient, gateway: FakeGateway) -> None:
    await with_password(gateway, "test-admin")
    await made(admin, login="second", role="admin")  # nobody has chosen a password for it yet
    wishes: dict[str, dict[str, Any]] = {"demoted": {"role": "manager"}, "disabled": {"disabled": True}}
    if how == "erased":
        answer = await admin.post("/api/v1/users/test-admin/erase")
    else:
        answer = await change(admin, "test-admin", **wishes.get(how, {"role": "viewer", "places": ["tower-1"]}))
    assert answer.status_code == 409
    assert "last administrator" in answer.json()["detail"]
    assert (await admin.get("/api/v1/users")).status_code == 200
    rows = await gateway.query("SELECT outcome FROM audit WHERE subject = 'test-admin' ORDER BY seq DESC LIMIT 1", ())
    assert rows == [("refused",)]
    second = (await admin.get("/api/v1/users/second")).json()["id"]
    await with_password(gateway, second)
    assert (await change(admin, "test-admin", role="manager")).status_code == 200
    assert (await admin.get("/api/v1/audit")).status_code == 403


async def test_who_is_erased_is_gone_and_what_they_did_stays_under_a_number(
    admin: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    user = await made(admin, login="wangqiang", called="王强", role="operator")
    assert (await admin.post("/api/v1/users/wangqiang/erase")).status_code == 204
    assert (await admin.get("/api/v1/users/wangqiang")).status_code == 404
    for table in ("accounts", "personal", "audit", "sessions"):
        found = repr(await gateway.query(f"SELECT * FROM {table}", ()))
        assert "wangqiang" not in found
        assert "王强" not in found
    history = (await admin.get("/api/v1/audit", params={"subject": user["id"]})).json()["items"]
    assert [row["action"] for row in history] == ["person.erased", "account.add"]


async def test_an_operator_knows_of_guards_alone(operator: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    await made(admin)
    assert {one["role"] for one in (await operator.get("/api/v1/users")).json()["items"]} == {"guard"}
    assert (await operator.get("/api/v1/users/test-admin")).status_code == 404
    page = (await operator.get("/accounts")).text
    assert "wang" in page
    assert "test-admin" not in page
    assert "data-send" not in page, "nothing is made or changed there"


async def test_a_person_chooses_the_password_by_a_link_once(
    admin: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    await made(admin, login="chen", role="operator")
    url = (await admin.post("/api/v1/users/chen/password")).json()["url"]
    form = {"token": url.partition("token=")[2], "password": PASSWORD, "again": PASSWORD}
    assert (await stranger.get(url)).status_code == 200
    assert (await stranger.post("/login/link", data=form)).status_code == 401, "it opens nothing else"
    entered = await stranger.post("/login/password", data=form)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert (await admin.get("/api/v1/users/chen")).json()["password"]
    assert (await stranger.post("/login/password", data=form)).status_code == 401


async def test_another_s_old_sessions_end_when_the_password_is_chosen(
    admin: httpx.AsyncClient, operator: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    url = (await admin.post("/api/v1/users/test-operator/password")).json()["url"]
    assert (await operator.get("/api/v1/site")).status_code == 200, "until it is used nothing changes"
    form = {"token": url.partition("token=")[2], "password": PASSWORD, "again": PASSWORD}
    assert (await stranger.post("/login/password", data=form)).status_code == 303
    assert (await operator.get("/api/v1/site")).status_code == 401
    assert (await stranger.get("/api/v1/site")).status_code == 200


async def test_one_s_own_password_needs_the_old_one_and_ends_the_other_log_ins(
    log_in: LogIn, gateway: FakeGateway
) -> None:
    gateway.stopped_clock = True
    here, there = await log_in("operator"), await log_in("operator")
    await with_password(gateway, "test-operator")
    new = "a much better one, really"
    assert (await here.post("/api/v1/me/password", json={"old": "wrong", "new": new})).status_code == 409
    assert (await here.post("/api/v1/me/password", json={"old": PASSWORD, "new": "short"})).status_code == 422
    assert (await here.post("/api/v1/me/password", json={"old": PASSWORD, "new": new})).status_code == 204
    assert (await here.get("/api/v1/site")).status_code == 200
    assert (await there.get("/api/v1/site")).status_code == 401
    for _ in range(4):
        await here.post("/api/v1/me/password", json={"old": "wrong", "new": new})
    for status in (409, 429):
        assert (await here.post("/api/v1/me/password", json={"old": "wrong", "new": new})).status_code == status
    gateway.ahead += MINUTE
    assert (await here.post("/api/v1/me/password", json={"old": new, "new": PASSWORD})).status_code == 204


async def test_a_guard_changes_the_pin_by_the_old_one(log_in: LogIn) -> None:
    guard, operator = await log_in("guard"), await log_in("operator")
    assert (await guard.post("/api/v1/me/pin", json={"pin": "407193"})).status_code == 204
    assert (await guard.post("/api/v1/me/pin", json={"pin": "518204"})).status_code == 409
    assert (await guard.post("/api/v1/me/pin", json={"pin": "518204", "old": "999998"})).status_code == 409
    assert (await guard.post("/api/v1/me/pin", json={"pin": "1111", "old": "407193"})).status_code == 422
    assert (await guard.post("/api/v1/me/pin", json={"pin": "518204", "old": "407193"})).status_code == 204
    assert (await operator.post("/api/v1/me/pin", json={"pin": "407193"})).status_code == 409


async def test_one_sees_one_s_log_ins_and_ends_them(log_in: LogIn, gateway: FakeGateway) -> None:
    gateway.stopped_clock = True
    here = await log_in("operator")
    gateway.ahead += MINUTE
    there = await log_in("operator")
    found = (await here.get("/api/v1/me/sessions")).json()["items"]
    assert [one["this"] for one in found] == [True, False]
    assert found[0]["address"] == "127.0.0.1"
    token = here.cookies["lamplighter"]
    assert token not in repr(found)
    assert (await here.post(f"/api/v1/me/sessions/{found[1]['id']}/end")).status_code == 204
    assert (await there.get("/api/v1/site")).status_code == 401
    assert (await here.post(f"/api/v1/me/sessions/{found[1]['id']}/end")).status_code == 404
    third, other = await log_in("operator"), await log_in("viewer")
    stolen = (await other.get("/api/v1/me/sessions")).json()["items"][0]["id"]
    assert (await here.post(f"/api/v1/me/sessions/{stolen}/end")).status_code == 404, "another's is not one's own"
    assert (await here.post("/api/v1/me/sessions/end")).status_code == 204
    assert (await third.get("/api/v1/site")).status_code == 401
    assert (await other.get("/api/v1/site")).status_code == 200
    assert (await here.get("/api/v1/site")).status_code == 200


async def test_one_is_told_what_one_may(log_in: LogIn) -> None:
    me = (await (await log_in("viewer")).get("/api/v1/me")).json()
    assert (me["role"], me["places"], me["phone"]) == ("viewer", None, False)
    assert "estate" in me["rights"]
    assert "handle" not in me["rights"]


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36 Edg/120.0",
            "Windows · Edge",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) Version/17.1 Mobile/15E148 Safari/604.1",
            "iPhone · Safari",
        ),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/120.0 Mobile Safari/537.36 MicroMessenger/8.0", "Android · WeChat"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", "Linux · Firefox"),
        ("curl/8.4.0", "curl"),
        ("", ""),
    ],
)
def test_a_browser_is_called_by_system_and_name(agent: str, device: str) -> None:
    assert device_of(agent) == device


async def test_links_lead_to_the_address_that_was_asked(admin: httpx.AsyncClient) -> None:
    await made(admin)
    assert (await admin.post("/api/v1/users/wang/link")).json()["url"].startswith(f"{BASE}/login/link?token=")


async def test_pages_of_accounts_are_whole_in_both_languages(admin: httpx.AsyncClient) -> None:
    user = await made(admin, called="王强", person="g-wang", places=["garage/b2"])
    await admin.post("/api/v1/keys", json={"name": "wall", "role": "viewer", "rights": ["estate"], "places": ["gate"]})
    for path in ("/accounts", f"/accounts/{user['id']}", "/account", "/keys", "/audit"):
        for language in ("zh_CN", "en"):
            page = await admin.get(path, params={"lang": language})
            assert page.status_code == 200, path
            assert " style=" not in page.text
            assert "<h2>" in page.text
    assert "地下车库 负二层" in (await admin.get("/accounts")).text
