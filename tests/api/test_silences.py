"""Silences, planned work and who is on duty through the API, judged by the real book."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from tests.api.conftest import LogIn
from tests.api.fake_gateway import FakeGateway
from tests.api.scene import NOW

ALERT = "circuit_fault/c-t2-b/1"
SILENCES = "/api/v1/silences"
SWAPS = "/api/v1/duty/swaps"
HOUR = {"lasts_s": 3600, "why": "breaker is on order"}


async def make(client: httpx.AsyncClient, **wish: Any) -> dict[str, Any]:
    answer = await client.post(SILENCES, json={"on": "circuit", "subject": "c-t2-b", **HOUR, **wish})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_alert_is_silenced_for_an_hour_and_says_so(operator: httpx.AsyncClient) -> None:
    answer = await operator.post(f"/api/v1/alerts/{ALERT}/silence", json=HOUR)
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert (made["on"], made["subject"], made["rule"], made["by"]) == (
        "circuit",
        "c-t2-b",
        "circuit_fault",
        "test-operator",
    )
    assert made["until"].startswith("2026-11-23T03:47")
    alert = (await operator.get(f"/api/v1/alerts/{ALERT}")).json()
    assert alert["suppressed"] == made["id"] == "silence/1"
    assert alert["history"][-1] | {"at": ""} == {
        "at": "", "from": "open", "to": "open", "by": "test-operator", "why": "silence/1: breaker is on order",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "named"),
    [
        ("rule", ("circuit", "c-t2-b", "circuit_fault")),
        ("subject", ("circuit", "c-t2-b", None)),
    ],
)
async def test_how_much_is_silenced_is_chosen(operator: httpx.AsyncClient, scope: str, named: tuple[Any, ...]) -> None:
    made = (await operator.post(f"/api/v1/alerts/{ALERT}/silence", json={**HOUR, "scope": scope})).json()
    assert (made["on"], made["subject"], made["rule"]) == named


async def test_tonight_lasts_until_the_running_shift_ends_or_else_until_eight(
    operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    silence = {"tonight": True, "why": "known"}
    made = (await operator.post(f"/api/v1/alerts/{ALERT}/silence", json=silence)).json()
    assert made["until"] == "2026-11-23T08:00:00+08:00"
    gateway.ahead = 6 * 3600 * 1_000_000  # 08:47: no shift runs
    made = (await operator.post(f"/api/v1/alerts/{ALERT}/silence", json=silence)).json()
    assert made["until"] == "2026-11-24T08:00:00+08:00"


async def test_what_stands_is_listed_and_ended_by_hand(operator: httpx.AsyncClient) -> None:
    await make(operator)
    [item] = (await operator.get(SILENCES)).json()["items"]
    assert (item["id"], item["state"], item["alerts"]) == ("silence/1", "active", 1)
    ended = await operator.post(f"{SILENCES}/silence/1/end", json={"why": "it is back"})
    assert (ended.status_code, ended.json()["state"], ended.json()["ended_why"]) == (200, "ended", "it is back")
    assert (await operator.get(SILENCES)).json()["items"] == []
    assert (await operator.get(f"/api/v1/alerts/{ALERT}")).json()["suppressed"] is None


async def test_ended_ones_are_found_by_time_and_have_a_history(operator: httpx.AsyncClient) -> None:
    await make(operator)
    await operator.post(f"{SILENCES}/silence/1/end", json={"why": "it is back"})
    listed = (await operator.get(SILENCES, params={"since": "2026-11-22T00:00:00+08:00"})).json()["items"]
    assert [item["state"] for item in listed] == ["ended"]
    found = (await operator.get(f"{SILENCES}/silence/1")).json()
    assert found["item"]["state"] == "ended"
    assert [(row["state"], row["by"], row["why"]) for row in found["history"]] == [
        ("active", "test-operator", "breaker is on order"),
        ("ended", "test-operator", "it is back"),
    ]
    assert (await operator.get(f"{SILENCES}/silence/9")).status_code == 404


async def test_planned_work_is_told_ahead_and_listed_apart(operator: httpx.AsyncClient) -> None:
    await make(operator)
    start = (NOW + timedelta(hours=8)).isoformat()
    work = await make(operator, kind="maintenance", on="parent", subject="panel-t2", **{"from": start})
    assert (work["id"], work["state"], work["from"]) == ("maintenance/1", "planned", start)
    assert work["until"] == (NOW + timedelta(hours=9)).isoformat()
    listed = (await operator.get(SILENCES, params={"kind": "maintenance"})).json()["items"]
    assert [item["id"] for item in listed] == ["maintenance/1"]
    off = await operator.post(f"{SILENCES}/maintenance/1/end", json={"why": "rain"})
    assert off.json()["state"] == "cancelled"


@pytest.mark.parametrize(
    ("wish", "status", "told"),
    [
        ({"why": " "}, 422, "needs a reason"),
        ({"why": None}, 422, "why"),
        ({"subject": "c-t9"}, 422, "no circuit 'c-t9'"),
        ({"on": "person"}, 422, "on"),
        ({"lasts_s": 31 * 86400}, 422, "lasts_s"),
        ({"lasts_s": None}, 422, "one of `until`, `lasts_s` and `tonight`"),
        ({"until": NOW.isoformat()}, 422, "one of `until`, `lasts_s` and `tonight`"),
        ({"lasts_s": None, "until": "2026-11-22T00:00:00+08:00"}, 422, "later end"),
        ({"lasts_s": None, "until": "2026-12-01T00:00:00"}, 422, "offset"),
        ({"on": "site", "subject": "riverside"}, 422, "name a rule"),
        ({"rule": "panic"}, 422, "call for help"),
        ({"reason": "x"}, 422, "reason"),
        ({"kind": "maintenance", "from": "9999-12-31T23:59:59Z"}, 422, "within 365 days"),
        ({"kind": "maintenance", "from": "0001-01-01T00:00:00+14:00"}, 422, "within 365 days"),
    ],
)
async def test_what_cannot_be_is_refused_with_what_was_expected(
    operator: httpx.AsyncClient, gateway: FakeGateway, wish: dict[str, Any], status: int, told: str
) -> None:
    answer = await operator.post(SILENCES, json={"on": "circuit", "subject": "c-t2-b", **HOUR, **wish})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert told in answer.json()["detail"]
    assert gateway.judgement.alerts.silences.standing() == []


async def test_ending_twice_is_told_from_ending_what_never_was(operator: httpx.AsyncClient) -> None:
    await make(operator)
    end = {"why": "back"}
    assert [
        (await operator.post(f"{SILENCES}/{name}/end", json=end)).status_code
        for name in ("silence/1", "silence/1", "silence/2")
    ] == [200, 409, 404]


async def test_who_may_see_alerts_sees_silences_and_only_who_runs_the_site_makes_them(log_in: LogIn) -> None:
    for role, may in (("viewer", False), ("maintenance", False), ("operator", True), ("manager", True)):
        client = await log_in(role)  # type: ignore[arg-type]
        assert (await client.get(SILENCES)).status_code == 200
        answer = await client.post(SILENCES, json={"on": "circuit", "subject": "c-t2-b", **HOUR})
        assert (answer.status_code == 200) == may, (role, answer.text)
    assert (await (await log_in("guard")).get(SILENCES)).status_code == 403


async def test_all_of_it_is_in_the_audit(operator: httpx.AsyncClient, gateway: FakeGateway) -> None:
    await make(operator)
    await operator.post(f"{SILENCES}/silence/1/end", json={"why": "it is back"})
    await operator.post(f"{SILENCES}/silence/1/end", json={"why": "again"})
    swap = {"shift": "night", "date": "2026-11-22", "away": "g-wang", "instead": "m-liu", "why": "ill"}
    await operator.post(SWAPS, json=swap)
    rows = await gateway.query(
        "SELECT action, subject, outcome, detail FROM audit WHERE action LIKE 'silence.%' OR action LIKE 'duty.%' ORDER BY seq",
        (),
    )
    assert list(rows) == [
        ("silence.create", "silence/1", "done", "circuit:c-t2-b: breaker is on order"),
        ("silence.end", "silence/1", "done", "circuit:c-t2-b: it is back"),
        ("silence.end", "silence/1", "refused", "it is ended already"),
        ("duty.create", "duty/1", "done", "night 2026-11-22: g-wang → m-liu; ill"),
    ]


async def test_making_one_is_told_live(operator: httpx.AsyncClient, gateway: FakeGateway) -> None:
    await make(operator)
    assert [event.kind for event in gateway.events.all][-2:] == ["silence", "alert"]


# On duty


async def test_who_is_on_duty_is_told_with_names_to_those_who_send_somebody(log_in: LogIn) -> None:
    seen = {}
    for role in ("viewer", "manager"):
        found = (await (await log_in(role)).get("/api/v1/duty")).json()  # type: ignore[arg-type]
        [shift] = found["shifts"]
        assert (shift["shift"], shift["date"], shift["from"]) == ("night", "2026-11-22", "2026-11-22T20:00:00+08:00")
        seen[role] = shift["people"]
    assert seen["manager"] == [{"id": "g-wang", "name": "王强", "captain": True, "contact": False}]
    assert seen["viewer"][0]["name"] is None


async def test_another_time_may_be_asked_for(operator: httpx.AsyncClient) -> None:
    for at, people in (("2026-11-24T01:00:00+08:00", ["g-li"]), ("2026-11-24T12:00:00+08:00", None)):
        found = (await operator.get("/api/v1/duty", params={"at": at})).json()
        assert [person["id"] for shift in found["shifts"] for person in shift["people"]] == (people or [])
    assert (await operator.get("/api/v1/duty", params={"at": "tonight"})).status_code == 422


async def test_somebody_stands_in_tonight_until_it_is_off(operator: httpx.AsyncClient) -> None:
    swap = {"shift": "night", "date": "2026-11-22", "away": "g-wang", "instead": "m-liu", "why": "ill"}
    made = await operator.post(SWAPS, json=swap)
    assert (made.status_code, made.json()["id"], made.json()["state"]) == (200, "duty/1", "agreed")

    async def captain() -> str:
        return (await operator.get("/api/v1/duty")).json()["shifts"][0]["people"][0]["id"]

    assert await captain() == "m-liu"
    assert [item["id"] for item in (await operator.get(SWAPS)).json()["items"]] == ["duty/1"]
    off = await operator.post(f"{SWAPS}/duty/1/cancel", json={"why": "well again"})
    assert (off.status_code, off.json()["state"]) == (200, "cancelled")
    assert await captain() == "g-wang"
    assert (await operator.get(SWAPS)).json()["items"] == []


async def test_a_night_that_is_over_is_told_as_it_was(operator: httpx.AsyncClient, gateway: FakeGateway) -> None:
    swap = {"shift": "night", "date": "2026-11-22", "away": "g-wang", "instead": "m-liu", "why": "ill"}
    await operator.post(SWAPS, json=swap)
    gateway.ahead = 6 * 3600 * 1_000_000
    gateway.judgement.alerts.duty.advance(gateway.now())
    gateway._tell()
    assert (await operator.get(SWAPS)).json()["items"] == []
    found = (await operator.get("/api/v1/duty", params={"at": "2026-11-23T01:00:00+08:00"})).json()
    assert [person["id"] for person in found["shifts"][0]["people"]] == ["m-liu"]
    listed = (await operator.get(SWAPS, params={"since": "2026-11-22T00:00:00+08:00"})).json()["items"]
    assert [item["state"] for item in listed] == ["over"]


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"away": "g-li"}, "g-li is not on that shift"),
        ({"instead": "nobody"}, "no person 'nobody'"),
        ({"shift": "day"}, "no shift 'day'"),
        ({"date": "tomorrow"}, "date"),
    ],
)
async def test_a_swap_that_cannot_be_is_refused(operator: httpx.AsyncClient, wish: dict[str, Any], told: str) -> None:
    swap = {"shift": "night", "date": "2026-11-22", "away": "g-wang", "instead": "m-liu", "why": "ill", **wish}
    answer = await operator.post(SWAPS, json=swap)
    assert answer.status_code == 422
    assert told in answer.json()["detail"]


async def test_what_is_silenced_is_chosen_by_name(operator: httpx.AsyncClient, gateway: FakeGateway) -> None:
    msgspec.structs.force_setattr(gateway.site.routes["night"], "name", "夜间巡更")
    page = (await operator.get("/silences")).text
    assert re.search(r'<option value="route:night">夜间巡更</option>', page)
