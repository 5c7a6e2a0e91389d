"""What people do with alerts through the API, judged by the real book."""

from __future__ import annotations

import httpx
import pytest

from gateway.rules.operations import DeviceOperation
from tests.api.conftest import LogIn
from tests.api.fake_gateway import FakeGateway

ALERT = "/api/v1/alerts/circuit_fault/c-t2-b/1"


async def test_an_alert_is_acknowledged_worked_on_and_resolved(operator: httpx.AsyncClient) -> None:
    states = []
    for action, why in (("ack", ""), ("start", ""), ("comment", "electrician called"), ("resolve", "breaker reset")):
        answer = await operator.post(f"{ALERT}/{action}", json={"why": why})
        assert answer.status_code == 200, answer.text
        states.append(answer.json()["state"])
    assert states == ["acknowledged", "in_progress", "in_progress", "resolved"]
    history = (await operator.get(ALERT)).json()["history"]
    assert [(row["by"], row["to"]) for row in history[-4:]] == [
        ("test-operator", "acknowledged"),
        ("test-operator", "in_progress"),
        ("test-operator", "in_progress"),
        ("test-operator", "resolved"),
    ]
    assert history[-1]["why"] == "breaker reset"


async def test_what_the_table_does_not_allow_is_refused_and_changes_nothing(operator: httpx.AsyncClient) -> None:
    before = (await operator.get(ALERT)).json()
    answer = await operator.post(f"{ALERT}/close", json={"why": "because"})
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:lamplighter:problem:refused"
    assert (await operator.get(ALERT)).json() == before


@pytest.mark.parametrize("action", ["resolve", "close", "comment"])
async def test_what_needs_a_reason_is_not_done_without(
    action: str, operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    for body in ({}, {"why": "  "}):
        assert (await operator.post(f"{ALERT}/{action}", json=body)).status_code == 422
    assert gateway.operated == []


async def test_the_history_says_who_and_from_where(operator: httpx.AsyncClient, gateway: FakeGateway) -> None:
    await operator.post(f"{ALERT}/ack")
    await operator.post(f"{ALERT}/close", json={"why": "too early"})
    rows = await gateway.query(
        "SELECT who, address, action, subject, outcome FROM audit WHERE action LIKE 'alert.%' ORDER BY seq", ()
    )
    subject = "circuit_fault/c-t2-b/1"
    assert list(rows) == [
        ("test-operator", "127.0.0.1", "alert.ack", subject, "done"),
        ("test-operator", "127.0.0.1", "alert.close", subject, "refused"),
    ]


async def test_a_viewer_sees_no_buttons_and_an_operator_does(log_in: LogIn) -> None:
    assert "data-action=" not in (await (await log_in("viewer")).get("/console/alerts")).text
    assert 'data-action="ack"' in (await (await log_in("operator")).get("/console/alerts")).text


async def test_a_guard_sees_the_rounds_and_nothing_else(log_in: LogIn) -> None:
    page = (await (await log_in("guard")).get("/")).text
    assert 'id="rounds"' in page
    for part in ("alerts", "zones", "lights", "links"):
        assert f'id="{part}"' not in page


async def test_an_operator_ends_an_impairment_by_name_and_reason(
    operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    path = "/api/v1/devices/cam-garage-2"
    assert (await operator.post(f"{path}/clear", json={"why": "lens cleaned"})).status_code == 422
    assert (await operator.post(f"{path}/enable", json={"why": ""})).status_code == 422
    assert (await operator.post(f"{path}/explode", json={"why": "x"})).status_code == 422
    answer = await operator.post(f"{path}/clear", json={"why": "lens cleaned", "impairment": "blind"})
    assert answer.status_code == 204
    assert gateway.operated == [
        DeviceOperation(
            at=gateway.operated[0].at,
            by="test-operator",
            action="clear",
            device="cam-garage-2",
            impairment="blind",
            why="lens cleaned",
        )
    ]
