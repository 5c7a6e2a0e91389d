"""Cut off, and started with another site file: what people had entered stays, and no number is given twice."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.books import BookOperation
from gateway.instants import instant
from gateway.rules.findings import Signal
from gateway.site.model import Device, Person, Place, Shift, Site
from tests.phone.night import Clock, Night, night, site

WAS = site(
    places=site().places | {"annexe": Place(id="annexe", name="附楼")},
    people=site().people | {"g-sun": Person(id="g-sun", name="孙", roles=("guard",))},
    digest="before",
)
IS = site(digest="after")


@asynccontextmanager
async def cut_off(folder: Path, was: Site, clock: Clock) -> AsyncIterator[Night]:
    """A gateway, of whose data folder a copy is left as a power cut would leave it."""
    async with night(folder / "running", was, clock) as found:
        yield found
        await found.gateway.intake.drained()
        shutil.copytree(folder / "running", folder / "left", ignore=shutil.ignore_patterns("lock"))


async def test_an_order_stays_whose_place_the_next_site_file_no_longer_has(tmp_path: Path) -> None:
    clock = Clock()
    async with cut_off(tmp_path, WAS, clock) as before, before.phone(None, "operator") as desk:
        before.at("21:31")
        said = {"what": "水从天花板漏下来", "name": "张", "place": "annexe", "urgency": "emergency"}
        order = (await desk.client.post("/api/v1/work-orders", json=said)).json()["id"]
    async with night(tmp_path / "left", IS, clock) as after, after.phone(None, "operator") as desk:
        after.at("22:10")
        answer = await desk.client.post(f"/api/v1/work-orders/{order}/assign", json={"to": "m"})
        assert (answer.status_code, answer.json().get("place")) == (200, "annexe")
        assert [
            alert.subject for alert in after.gateway.judgement.alerts.alerts() if alert.rule == "work_order_late"
        ] == [order]
        answer = await desk.client.post("/api/v1/work-orders", json={"what": "灯", "name": "李", "place": "roof"})
        assert answer.json()["id"] != order
        assert (await desk.client.get(f"/api/v1/work-orders/{order}")).json()["place"] == "annexe"


SHIFT = Shift(id="night", since=time(20), until=time(8), rotation=(("g-wang",),), first=date(2026, 11, 25))
WITH_SHIFTS = msgspec.structs.replace(WAS, shifts={"night": SHIFT, "late": msgspec.structs.replace(SHIFT, id="late")})
SHORT_OF_ONE = msgspec.structs.replace(IS, shifts={"night": SHIFT})
ENTERED = {
    "a silence of a place": (
        ("silence", "create", {"kind": "silence", "on": "place", "subject": "annexe", "until": "2026-11-26T06:00:00+08:00"}),
        ("silence", "create", {"kind": "silence", "on": "place", "subject": "roof", "until": "2026-11-26T06:00:00+08:00"}),
    ),
    "a swap with a person": (
        ("duty", "create", {"shift": "night", "date": "2026-11-25", "away": "g-wang", "instead": "g-sun"}),
        ("duty", "create", {"shift": "night", "date": "2026-11-25", "instead": "g-li"}),
    ),
    "a swap of a shift": (
        ("duty", "create", {"shift": "late", "date": "2026-11-25", "away": "g-wang", "instead": "g-li"}),
        ("duty", "create", {"shift": "night", "date": "2026-11-25", "away": "g-wang", "instead": "g-li"}),
    ),
    "an inspection of a place and a person": (
        ("score", "mark", {"part": "daily", "item": "patrol", "points": 0.5, "place": "annexe", "person": "g-sun"}),
        ("score", "mark", {"part": "daily", "item": "patrol", "points": 0.5, "place": "roof"}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ENTERED)
async def test_what_names_something_that_the_next_site_file_no_longer_has_stays(tmp_path: Path, what: str) -> None:
    clock = Clock()

    def said(book: Any, action: str, details: dict[str, Any]) -> BookOperation:
        return BookOperation(at=instant(clock.time), by="chen", book=book, action=action, details=details, why="agreed")

    first, second = ENTERED[what]
    async with cut_off(tmp_path, WITH_SHIFTS, clock) as before:
        before.at("21:31")
        made: Any = await before.gateway.operate(said(*first))
    async with night(tmp_path / "left", SHORT_OF_ONE, clock) as after:
        after.at("21:40")
        book = after.gateway.judgement.books[first[0]].snapshot() or after.gateway.judgement.alerts.snapshot()
        assert made.id in str(book)
        next_one: Any = await after.gateway.operate(said(*second))
    assert next_one.id != made.id


async def test_an_order_by_rule_gives_its_number_to_no_other_though_its_alert_is_gone(tmp_path: Path) -> None:
    clock = Clock()
    camera = Device(id="cam", driver="native", kind="camera", place="gate")
    with_camera = site(devices=site().devices | {"cam": camera}, digest="before")
    async with cut_off(tmp_path, with_camera, clock) as before:
        before.at("21:31")
        before.gateway.judgement.signal(
            Signal(rule="camera_offline", subject="cam", action="raise", at=before.gateway.now())
        )
        before.at("21:32")
        orders: Any = before.gateway.judgement.books["work_order"]
        (order,) = orders.orders()
    async with night(tmp_path / "left", IS, clock) as after, after.phone(None, "operator") as desk:
        after.at("21:40")
        answer = await desk.client.post("/api/v1/work-orders", json={"what": "灯", "name": "李", "place": "roof"})
    assert answer.json()["id"] > order.id


async def test_what_people_did_with_an_order_stays_with_it_though_the_order_before_it_is_gone(tmp_path: Path) -> None:
    clock = Clock()
    camera = Device(id="cam", driver="native", kind="camera", place="gate")
    with_camera = site(devices=site().devices | {"cam": camera}, digest="before")
    report = {"what": "灯", "name": "李", "place": "roof"}
    async with cut_off(tmp_path, with_camera, clock) as before, before.phone(None, "operator") as desk:
        before.at("21:31")
        now = before.gateway.now()
        before.gateway.judgement.signal(Signal(rule="camera_offline", subject="cam", action="raise", at=now))
        before.at("21:32")
        order = (await desk.client.post("/api/v1/work-orders", json=report)).json()["id"]
        before.at("21:33")
        assert (await desk.client.post(f"/api/v1/work-orders/{order}/assign", json={"to": "m"})).status_code == 200
    async with night(tmp_path / "left", IS, clock) as after, after.phone(None, "operator") as desk:
        after.at("21:40")
        orders: Any = after.gateway.judgement.books["work_order"]
        assert [(each.id, each.place, each.assignee) for each in orders.orders()] == [(order, "roof", "m")]
        assert (await desk.client.post("/api/v1/work-orders", json=report)).json()["id"] > order


@pytest.mark.parametrize(("rule", "becomes"), [("camera_offline", "cancelled"), ("camera_impaired", "assigned")])
async def test_an_order_by_rule_whose_alert_the_next_site_file_does_not_find_can_be_ended(
    tmp_path: Path, rule: str, becomes: str
) -> None:
    clock = Clock()
    camera = Device(id="cam", driver="native", kind="camera", place="gate")
    with_camera = site(devices=site().devices | {"cam": camera}, digest="before")
    async with cut_off(tmp_path, with_camera, clock) as before, before.phone(None, "operator") as desk:
        before.gateway.intake.snapshot_due = lambda: True
        before.at("21:31")
        await before.gateway.intake.drained()
        before.gateway.intake.snapshot_due = lambda: False
        before.gateway.judgement.signal(Signal(rule=rule, subject="cam", action="raise", at=before.gateway.now()))
        before.at("21:32")
        orders: Any = before.gateway.judgement.books["work_order"]
        (order,) = orders.orders()
        assert (await desk.client.post(f"/api/v1/work-orders/{order.id}/assign", json={"to": "m"})).status_code == 200
    for text in ("21:40", "21:50"):
        async with night(tmp_path / "left", IS, clock) as after, after.phone(None, "operator") as desk:
            after.at(text)
            await after.gateway.intake.drained()
            shown = (await desk.client.get(f"/api/v1/work-orders/{order.id}")).json()
            assert (shown["state"], shown["assignee"], shown["due"]) == (becomes, "m", order.due.isoformat())
            stored = [
                each for each in await after.gateway.archive.items("work_order", 0, 1 << 62, 9) if each["rule"] == rule
            ]
            assert [(each["id"], each["state"]) for each in stored] == [(order.id, becomes)]
    async with night(tmp_path / "left", IS, clock) as after, after.phone(None, "operator") as desk:
        after.at("21:55")
        done = await desk.client.post(f"/api/v1/work-orders/{order.id}/cancel", json={"why": "no camera any more"})
        assert (becomes, done.status_code) in {("cancelled", 409), ("assigned", 200)}
        shown = (await desk.client.get(f"/api/v1/work-orders/{order.id}")).json()
        assert shown["state"] == "cancelled"
