"""Figures over a period, through the API: what is asked, what is refused, and the shape in which it comes."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import httpx
import pytest

from gateway.figures.history import seat_of
from gateway.instants import DAY, HOUR, Instant, moment
from gateway.journal.rows import Condition
from tests.api.conftest import LogIn
from tests.api.fake_gateway import FakeGateway

ROUTES = ("lamps/intact", "cameras/intact", "zones/minutes", "protection", "checkpoints/predictability")
PERIODS = ROUTES[:4]


def told(gateway: FakeGateway) -> Instant:
    """All lamps lit, all zones covered and all cameras seeing for two days before what was judged last."""
    until = gateway.judgement.now
    since = until - 2 * DAY
    rows = [Condition(since, since, "gateway", "", "up", "")]
    for lamp in gateway.site.lamps.values():
        rows.append(Condition(since, since, "seat", lamp.id, lamp.expected.mode, seat_of(lamp)))
        rows.append(Condition(since, since, "lamp", lamp.id, "ok", ""))
    for zone in gateway.site.zones.values():
        rows.append(Condition(since, since, "zone", zone.id, "covered", ""))
        rows += [Condition(since, since, "camera", camera, "seeing", "") for camera in zone.cameras]
    gateway.told = rows
    return until


def written(at: Instant) -> str:
    return moment(at, UTC).isoformat()


async def ask(client: httpx.AsyncClient, path: str, **params: Any) -> httpx.Response:
    return await client.get(f"/api/v1/{path}", params=params)


async def test_without_a_period_the_last_seven_days_up_to_what_was_judged(
    gateway: FakeGateway, operator: httpx.AsyncClient
) -> None:
    until = told(gateway)
    answer = (await ask(operator, "zones/minutes")).json()
    assert (answer["until"], answer["since"]) == tuple(
        moment(at, gateway.site.zone_info).isoformat() for at in (until, until - 7 * DAY)
    )
    assert answer["known_from"] == moment(until - 2 * DAY, gateway.site.zone_info).isoformat()
    assert {zone["covered_min"] for zone in answer["items"]} == {2 * 24 * 60}
    assert {zone["absent_min"] for zone in answer["items"]} == {5 * 24 * 60}


async def test_what_lies_ahead_is_not_counted(gateway: FakeGateway, operator: httpx.AsyncClient) -> None:
    until = told(gateway)
    asked = {"since": written(until - HOUR), "until": written(until + DAY)}
    answer = (await ask(operator, "zones/minutes", **asked)).json()
    assert answer["until"] == moment(until, gateway.site.zone_info).isoformat()
    assert {zone["covered_min"] for zone in answer["items"]} == {60}
    ahead = {"since": written(until + DAY), "until": written(until + 2 * DAY)}
    assert {zone["covered_min"] for zone in (await ask(operator, "zones/minutes", **ahead)).json()["items"]} == {0}


async def test_every_set_of_lamps_and_cameras_can_be_asked_for(
    gateway: FakeGateway, operator: httpx.AsyncClient
) -> None:
    told(gateway)
    for by in ("lamp", "circuit", "floor", "building", "site"):
        items = (await ask(operator, "lamps/intact", by=by)).json()["items"]
        assert items
        assert {item["rate"] for item in items} <= {1, None}, by
    for by in ("camera", "zone", "place", "site"):
        items = (await ask(operator, "cameras/intact", by=by)).json()["items"]
        assert {item["rate"] for item in items} == {1}, by
    assert (await ask(operator, "lamps/intact", by="moon")).status_code == 422


async def test_a_lamp_or_camera_is_still_found_by_its_id(operator: httpx.AsyncClient, gateway: FakeGateway) -> None:
    lamp = gateway.scene.lamps[0].id
    assert (await ask(operator, f"lamps/{lamp}")).json()["id"] == lamp
    assert (await ask(operator, "lamps/intact")).json()["items"] == []


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-11-22T00:00:00+08:00", "2026-11-21T00:00:00+08:00"),
        ("2025-11-22T00:00:00+08:00", "2026-11-22T00:00:00+08:00"),
        ("yesterday", "2026-11-22T00:00:00+08:00"),
        ("2026-11-22T00:00:00", "2026-11-22T00:00:00+08:00"),
    ],
)
async def test_a_period_that_is_none_or_too_long_is_refused(
    operator: httpx.AsyncClient, since: str, until: str
) -> None:
    for path in PERIODS:
        answer = await ask(operator, path, since=since, until=until)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), path


async def test_a_period_in_which_too_much_happened_is_refused_and_says_what_to_do(
    gateway: FakeGateway, operator: httpx.AsyncClient
) -> None:
    gateway.too_much = True
    answer = await ask(operator, "lamps/intact")
    assert answer.status_code == 422
    assert "shorter" in answer.json()["detail"]


async def test_the_map_gives_whole_hours_of_every_place_or_of_one(
    gateway: FakeGateway, operator: httpx.AsyncClient
) -> None:
    until = told(gateway)
    asked = {"since": written(until - 5 * HOUR - HOUR // 3), "until": written(until)}
    answer = (await ask(operator, "protection", **asked)).json()
    assert [item["place"] for item in answer["items"]] == sorted(gateway.site.places)
    assert answer["hours"] in {6, 7}
    lengths = {
        len(item[name][part])
        for item in answer["items"]
        for name in ("blind", "dark", "unwalked", "all_three")
        if item[name] is not None
        for part in ("minutes", "unknown")
    }
    assert lengths == {answer["hours"]}
    zone = next(iter(gateway.site.zones.values()))
    one = (await ask(operator, "protection", place=zone.place, **asked)).json()
    assert one["items"] == [item for item in answer["items"] if item["place"] == zone.place]
    assert one["items"][0]["blind"]["minutes"][-2] == 0
    assert (await ask(operator, "protection", place="moon")).status_code == 404


async def test_figures_come_in_pages(gateway: FakeGateway, operator: httpx.AsyncClient) -> None:
    told(gateway)
    whole = (await ask(operator, "protection")).json()["items"]
    found, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        answer = (await ask(operator, "protection", limit=1, **more)).json()
        found += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            break
    assert found == whole
    assert len(found) > 1


async def test_what_did_not_change_is_not_sent_again(gateway: FakeGateway, operator: httpx.AsyncClient) -> None:
    told(gateway)
    for path in ROUTES:
        first = await ask(operator, path)
        assert first.status_code == 200, (path, first.text)
        again = await operator.get(f"/api/v1/{path}", headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304, path


async def test_a_guard_sees_none_of_it_and_who_only_looks_sees_all_but_how_to_time_the_guard(log_in: LogIn) -> None:
    guard, viewer = await log_in("guard"), await log_in("viewer")
    for path in ROUTES:
        assert (await ask(guard, path)).status_code == 403, path
        expected = 403 if "predictability" in path else 200
        assert (await ask(viewer, path)).status_code == expected, path


async def test_predictability_names_each_checkpoint_on_a_route_and_says_nothing_from_nothing(
    gateway: FakeGateway, operator: httpx.AsyncClient
) -> None:
    answer = (await ask(operator, "checkpoints/predictability")).json()
    routed = {visit.checkpoint for route in gateway.site.routes.values() for visit in route.visits}
    assert {item["checkpoint"] for item in answer["items"]} == routed
    assert {(item["visits"], item["bits"], item["share"]) for item in answer["items"]} == {(0, None, None)}
    assert answer["known_from"] is None
