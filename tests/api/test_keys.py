"""Keys of programs: shown once, kept hashed, ended on time and at once when revoked."""

from __future__ import annotations

import httpx
import pytest

from api.access.accounts import Accounts
from api.access.keys import LASTS, LASTS_AT_MOST, Keys
from api.access.rates import BURST, PER_SECOND, Rates
from gateway.instants import DAY, MINUTE, SECOND
from tests.api.conftest import LogIn
from tests.api.fake_gateway import FakeGateway


async def made(admin: httpx.AsyncClient, **wish: object) -> tuple[str, str]:
    """A key's id and text."""
    answer = await admin.post("/api/v1/keys", json={"name": "dashboard", "role": "viewer"} | wish)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    return found["key"]["id"], found["text"]


def bearing(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


async def test_a_program_needs_no_cookie_and_no_origin(
    admin: httpx.AsyncClient, stranger: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    key, text = await made(admin, role="operator")
    del stranger.headers["Origin"]
    assert (await stranger.get("/api/v1/site", headers=bearing(text))).status_code == 200
    answer = await stranger.post(
        "/api/v1/alerts/circuit_fault/c-t2-b/1/ack", headers=bearing(text), json={"why": "seen"}
    )
    assert answer.status_code == 200, answer.text
    assert "set-cookie" not in answer.headers
    assert gateway.operated[-1].by == key
    rows = await gateway.query("SELECT who, subject FROM audit WHERE action = 'alert.ack'", ())
    assert rows == [(key, "circuit_fault/c-t2-b/1")]


async def test_with_a_key_no_cookie_is_looked_at(admin: httpx.AsyncClient) -> None:
    _, text = await made(admin)
    assert (await admin.get("/api/v1/users", headers=bearing(text))).status_code == 403
    assert (await admin.get("/api/v1/users", headers=bearing("lk_aaaaaa_" + "x" * 43))).status_code == 401
    assert (await admin.get("/api/v1/users", headers=bearing(""))).status_code == 401
    assert (await admin.get("/api/v1/users")).status_code == 200


async def test_the_text_is_kept_nowhere(admin: httpx.AsyncClient, gateway: FakeGateway) -> None:
    key, text = await made(admin)
    secret = text.rpartition("_")[2]
    assert text.startswith(f"lk_{key.removeprefix('k-')}_")
    for table in ("api_key", "audit"):
        assert secret not in repr(await gateway.query(f"SELECT * FROM {table}", ()))
    listed = await admin.get("/api/v1/keys")
    assert secret not in listed.text
    assert listed.json()["items"][0]["id"] == key


@pytest.mark.parametrize(
    "spoiled", [lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"), lambda text: text + "A", lambda _: "lk_"]
)
async def test_a_key_that_is_not_quite_right_opens_nothing(
    admin: httpx.AsyncClient, stranger: httpx.AsyncClient, spoiled: object
) -> None:
    _, text = await made(admin)
    answer = await stranger.get("/api/v1/site", headers=bearing(spoiled(text)))  # type: ignore[operator]
    assert answer.status_code == 401
    assert "invalid_token" in answer.headers["www-authenticate"]


async def test_a_revoked_key_opens_nothing_from_that_moment(
    admin: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    key, text = await made(admin)
    assert (await stranger.get("/api/v1/site", headers=bearing(text))).status_code == 200
    assert (await admin.post(f"/api/v1/keys/{key}/revoke")).json()["works"] is False
    assert (await stranger.get("/api/v1/site", headers=bearing(text))).status_code == 401
    assert (await admin.post(f"/api/v1/keys/{key}/revoke")).status_code == 409
    assert (await admin.post("/api/v1/keys/k-nobody/revoke")).status_code == 404


async def test_a_key_ends_on_time(log_in: LogIn, stranger: httpx.AsyncClient, gateway: FakeGateway) -> None:
    gateway.stopped_clock = True
    admin = await log_in("admin")
    _, usual = await made(admin)
    _, short = await made(admin, days=1)
    gateway.ahead += DAY
    assert (await stranger.get("/api/v1/site", headers=bearing(short))).status_code == 401
    gateway.ahead += LASTS - DAY - SECOND
    assert (await stranger.get("/api/v1/site", headers=bearing(usual))).status_code == 200
    gateway.ahead += SECOND
    assert (await stranger.get("/api/v1/site", headers=bearing(usual))).status_code == 401


@pytest.mark.parametrize(
    "wish",
    [
        {"days": 0},
        {"days": -1},
        {"days": LASTS_AT_MOST // DAY + 1},
        {"name": ""},
        {"name": "x" * 65},
        {"role": "viewer", "rights": ["handle"]},
        {"role": "admin", "rights": ["accounts"]},
        {"role": "admin", "rights": ["erase"]},
        {"rights": []},
        {"places": []},
        {"places": ["nowhere"]},
    ],
)
async def test_a_key_that_makes_no_sense_is_not_made(admin: httpx.AsyncClient, wish: dict[str, object]) -> None:
    answer = await admin.post("/api/v1/keys", json={"name": "dashboard", "role": "viewer"} | wish)
    assert answer.status_code == 409, answer.text


async def test_it_is_noted_when_a_key_was_last_used_without_writing_each_time(
    log_in: LogIn, stranger: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.stopped_clock = True
    admin = await log_in("admin")
    _, text = await made(admin)
    seen = []
    for _ in range(12):
        await stranger.get("/api/v1/site", headers=bearing(text))
        rows = await gateway.query("SELECT seen FROM api_key", ())
        seen.append(rows[0][0])
        gateway.ahead += MINUTE
    assert seen[0] is not None
    assert len(set(seen)) == 2, "once at first, once after more than five minutes"


async def test_a_key_stands_for_no_person(admin: httpx.AsyncClient, gateway: FakeGateway) -> None:
    from api.access.concerned import person_of

    _, text = await made(admin, name="王强")
    session = await Keys(gateway, Accounts(gateway)).session(text)
    assert session is not None
    assert person_of(gateway.site, session.account) is None


def test_a_bucket_gives_a_burst_and_then_its_rate_and_is_bounded() -> None:
    rates, now = Rates(), 0
    assert all(rates.take("k-aaaaaa", now) == 0 for _ in range(BURST))
    wait = rates.take("k-aaaaaa", now)
    assert 0 < wait <= SECOND // PER_SECOND + 1
    assert rates.take("u-bbbbbb", now) == 0, "another's is another's"
    assert rates.take("k-aaaaaa", now + wait) == 0
    for _ in range(20 * PER_SECOND):
        now += SECOND // PER_SECOND
        assert rates.take("k-aaaaaa", now + wait) == 0, "its rate goes on for ever"
    for number in range(5000):
        rates.take(f"u-{number}", now)
    assert len(rates._buckets) <= 4096


async def test_a_program_that_never_waits_is_told_when_to_go_on(
    log_in: LogIn, stranger: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.stopped_clock = True
    admin = await log_in("admin")
    _, text = await made(admin)
    answers = [await stranger.get("/api/v1/nothing", headers=bearing(text)) for _ in range(BURST + 1)]
    assert {answer.status_code for answer in answers[:-1]} == {404}
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].json()["type"] == "urn:lamplighter:problem:rate"
    assert (await admin.get("/api/v1/site")).status_code == 200, "others are not held up"
    gateway.ahead += SECOND
    assert (await stranger.get("/api/v1/site", headers=bearing(text))).status_code == 200


async def test_a_key_without_the_right_to_names_is_told_none_whatever_its_role(
    admin: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    _, few = await made(admin, role="admin", rights=["estate", "rounds"])
    _, all_of = await made(admin, role="admin")
    told = (await stranger.get("/api/v1/people", headers=bearing(few))).json()["items"][0]
    assert (told["name"], told["tags"]) == (None, None)
    told = (await stranger.get("/api/v1/people", headers=bearing(all_of))).json()["items"][0]
    assert told["name"]
    assert told["tags"]
    page = await stranger.get("/rounds/night@2026-11-22T23:00+08:00", headers=bearing(few))
    assert page.status_code == 200
    assert "王强" not in page.text
