"""The API of enrolment: numbers as people write them, refusals with their reason, and who sees whole numbers."""

from __future__ import annotations

import pytest

from tests.api.conftest import LogIn
from tests.api.fake_gateway import FakeGateway


async def test_a_card_is_enrolled_by_the_number_printed_on_it(log_in: LogIn, gateway: FakeGateway) -> None:
    manager = await log_in("manager")
    body = {"tag": "0012820980", "person": "g-wang"}
    answer = await manager.post("/api/v1/tags", json=body | {"preview": True})
    assert (answer.status_code, answer.json()) == (200, {"done": False, "visits": [], "alerts": {}})
    assert gateway.enrolled == {}
    assert (await manager.post("/api/v1/tags", json=body)).json()["done"]
    assert "00C3A1F4" in gateway.site.people["g-wang"].tags
    owner = await manager.get("/api/v1/tags/owner", params={"tag": "hex:0000C3A1F4"})
    assert owner.json()["person"] == "g-wang", "a reader may give a byte more"
    shown = [tag for tag in (await manager.get("/api/v1/tags")).json()["items"] if tag["source"] == "console"]
    assert [tag["tag"] for tag in shown] == ["…A1F4"]
    admin = await log_in("admin")
    assert "00C3A1F4" in [tag["tag"] for tag in (await admin.get("/api/v1/tags")).json()["items"]]
    assert (await manager.post("/api/v1/tags/withdraw", json={"tag": "…A1F4"})).status_code == 200
    assert "00C3A1F4" not in gateway.site.people["g-wang"].tags


async def test_a_person_is_withdrawn_with_his_cards(log_in: LogIn, gateway: FakeGateway) -> None:
    manager = await log_in("manager")
    body = {"id": "g-new", "name": "新人", "tag": "0012820980"}
    assert (await manager.post("/api/v1/people", json=body)).status_code == 200
    assert gateway.site.people["g-new"].tags == ("00C3A1F4",)
    assert (await manager.post("/api/v1/people/g-new/withdraw")).status_code == 200
    assert "g-new" not in gateway.site.people
    assert gateway.enrolled == {}


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("tags", {"tag": "no tag", "person": "g-wang"}, 422, "is not a tag"),
        ("tags", {"tag": "04A1B2C3"}, 409, "a person or a checkpoint is expected"),
        ("tags", {"tag": "04A1B2C3", "person": "g-none"}, 409, "there is no person g-none"),
        ("tags", {"tag": "04A1B2C3", "person": "g-wang", "whose": 1}, 422, "unknown field"),
        ("tags/withdraw", {"tag": "…0000"}, 409, "was not enrolled here"),
        ("people", {"id": "g-new", "name": " "}, 422, "what the person is called"),
        ("people", {"id": "g-new", "name": "x", "roles": ["king"]}, 422, "king"),
        ("people", {"id": "g-wang", "name": "x"}, 409, "a person g-wang already"),
        ("people/g-wang/withdraw", {}, 409, "the site file"),
    ],
)
async def test_what_cannot_be_is_refused_with_the_reason(
    *, path: str, body: dict[str, object], status: int, says: str, log_in: LogIn, gateway: FakeGateway
) -> None:
    manager = await log_in("manager")
    answer = await manager.post(f"/api/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["detail"]
    assert gateway.enrolled == {}
