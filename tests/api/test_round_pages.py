"""Pages about rounds: the calendar of nights, a night, a visit with its evidence, what was known when, largest gaps, the map."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from api.access.invitations import Invitations
from gateway.rules.findings import Exceedance, Gap
from gateway.runtime import Gateway
from tests.api import scene
from tests.api.conftest import LogIn
from tests.api.fake_gateway import FakeGateway
from tests.api.test_quarantine_pages import client_of
from tests.service.test_rereading import ROUND, TEN, Clock, site, the_night


def inside(page: str) -> str:
    """A page without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


async def test_the_calendar_counts_each_night_by_noon_and_links_to_it(operator: httpx.AsyncClient) -> None:
    page = (await operator.get("/rounds?month=2026-11&lang=en")).text
    assert 'href="/rounds?night=2026-11-22"' in page
    night = page[page.index('href="/rounds?night=2026-11-22"') :]
    night = inside(night[: night.index("</a>")])
    assert "tonight" in night
    assert "missed" in night
    assert re.search(r"on time\s+\d+", night)


async def test_tonight_says_how_many_visits_are_due_so_far_and_how_many_are_still_to_come(
    operator: httpx.AsyncClient,
) -> None:
    visits = [visit for item in scene.Scene().rounds for visit in item.visits]
    to_come = sum(visit.verdict == "pending" and visit.cause is None for visit in visits)
    page = (await operator.get("/rounds?month=2026-11&lang=en")).text
    cell = page[page.index('href="/rounds?night=2026-11-22"') :]
    cell = inside(cell[: cell.index("</a>")])
    assert 0 < to_come < len(visits)
    assert re.search(rf"not due\s+{to_come}\b", cell), cell
    assert f"{len(visits) - to_come} of {len(visits)} visits due so far" in cell
    after = page[page.index('href="/rounds?night=2026-11-23"') :]
    assert "still to come" in inside(after[: after.index("</a>")])
    night = (await operator.get("/rounds?night=2026-11-22&lang=en")).text
    assert f"{len(visits) - to_come} of {len(visits)} visits due so far" in inside(night)


async def test_a_night_holds_its_rounds_with_every_mark(operator: httpx.AsyncClient) -> None:
    page = (await operator.get("/rounds?night=2026-11-22&lang=en")).text
    shown = scene.Scene().rounds[0]
    assert f"/rounds/{shown.id}".replace("@", "%40").replace("+", "%2B").replace(":", "%3A") in page
    assert "missed" in inside(page)
    empty = (await operator.get("/rounds?night=2026-10-01&lang=en")).text
    assert "There was no round in this night." in empty


async def test_the_control_room_asks_for_a_plan_only_where_there_is_none(tmp_path: Path) -> None:
    clock = Clock()
    clock.time = TEN + timedelta(hours=12)
    for number, (planned, asks) in enumerate(((site(), False), (replace(site(), rounds=()), True))):
        async with Gateway(planned, tmp_path / str(number), clock=clock) as gateway:
            client = await client_of(gateway, "operator")
            room = inside((await client.get("/", params={"lang": "en"})).text)
            assert ("Write routes and rounds into the site file" in room) is asks
            assert ("lasts from noon to noon" in room) is not asks
            await client.aclose()


@pytest.mark.parametrize("query", ["night=x", "night=1999-01-01", "month=2026-13", "month=x"])
async def test_a_night_that_is_no_date_is_refused(operator: httpx.AsyncClient, query: str) -> None:
    assert (await operator.get(f"/rounds?{query}")).status_code == 422


async def test_a_guard_appeals_his_own_deduction_and_no_other(
    gateway: FakeGateway, log_in: LogIn, stranger: httpx.AsyncClient, invitations: Invitations
) -> None:
    missed = next(
        item for item in gateway.scene.rounds if any(visit.verdict in {"missed", "late"} for visit in item.visits)
    )
    manager, guard = await log_in("manager"), await log_in("guard")
    assert "/api/v1/scores/appeals" in (await manager.get(f"/rounds/{missed.id}")).text
    assert "/api/v1/scores/appeals" not in (await guard.get(f"/rounds/{missed.id}")).text, "nobody's account"
    walker = next(visit.person for visit in missed.visits if visit.person is not None)
    token = invitations.login(walker, "guard", gateway.now())
    await stranger.get("/login/once", params={"token": token})
    assert "/api/v1/scores/appeals" in (await stranger.get(f"/rounds/{missed.id}")).text, "his own round"


async def test_what_was_known_stands_beside_what_is_known(tmp_path: Path) -> None:
    clock = Clock()
    async with Gateway(site(topic="rdr-gaet"), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        rows = sorted(row.seq for row in await gateway.archive.quarantine(limit=1000))
        await gateway.reread(rows, "u-chen")
        clock.time += timedelta(minutes=1)
        client = await client_of(gateway, "operator")
        page = (await client.get(f"/rounds/{ROUND}", params={"lang": "en", "as_of": "2026-11-25T23:00"})).text
        assert "What was known at 11-25 23:00" in page
        assert "The round then: Unverifiable; now: Completed." in inside(page)
        assert 'class="differs"' in page
        answer = await client.get(f"/rounds/{ROUND}", params={"as_of": "2027-01-01T00:00"})
        assert answer.status_code == 422
        assert (await client.get(f"/rounds/{ROUND}", params={"as_of": "yesterday"})).status_code == 422
        await client.aclose()


async def test_a_missed_visit_with_a_strangers_card_says_that_enrolling_it_helps_and_leads_there(
    tmp_path: Path,
) -> None:
    clock = Clock()
    async with Gateway(replace(site(), people={}), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
        for role, leads in (("operator", False), ("admin", True)):
            client = await client_of(gateway, role)
            page = (await client.get(f"/rounds/{ROUND}", params={"lang": "en"})).text
            evidence = re.findall(r'<tr class="is-unused">.*</tr>', page)
            assert "once it is enrolled, the visit is judged anew" in inside(" ".join(evidence))
            assert any('href="/people"' in row for row in evidence) is leads
            await client.aclose()


async def test_largest_gaps_of_a_week_and_a_month_and_the_map_of_hours(operator: httpx.AsyncClient) -> None:
    for days in (7, 30):
        page = (await operator.get(f"/rounds/gaps?days={days}&lang=en")).text
        assert "<svg" in page
        assert "min" in inside(page)
    assert (await operator.get("/rounds/gaps?days=8")).status_code == 422
    for count in (14, 30):
        assert "<svg" in (await operator.get(f"/rounds/map?count={count}")).text
    assert (await operator.get("/rounds/timing?lang=en")).status_code == 200


async def test_an_old_window_counts_among_the_largest_gaps(operator: httpx.AsyncClient, gateway: FakeGateway) -> None:
    start = (scene.NIGHT - timedelta(days=20)).isoformat()
    end = (scene.NIGHT - timedelta(days=20) + timedelta(hours=5)).isoformat()
    gateway.old_gaps.append(
        {
            "checkpoint": "cp-pump",
            "window_start": start,
            "window_end": None,
            "largest_s": 18000.0,
            "exceeded": True,
            "exceedances": [{"from": start, "to": end, "length_s": 18000.0, "open": False}],
        }
    )
    assert "300 min" not in inside((await operator.get("/rounds/gaps?days=7&lang=en")).text)
    assert "300 min" in inside((await operator.get("/rounds/gaps?days=30&lang=en")).text)


@pytest.mark.parametrize(
    ("since", "length_s", "when"),
    [
        ("2026-11-23T00:59:00", 7202.0, "11-23 00:59:00–02:59:02"),
        ("2026-11-23T00:59:00", 7260.0, "11-23 00:59–03:00"),
        ("2026-11-23T00:59:00.4", 7200.3, "11-23 00:59:00–02:59:01"),
        ("2026-11-22T23:30:00", 7260.0, "11-22 23:30–11-23 01:31"),
    ],
)
async def test_the_ends_of_a_gap_are_as_far_apart_as_its_length_says_and_lead_to_its_night(
    operator: httpx.AsyncClient, gateway: FakeGateway, since: str, length_s: float, when: str
) -> None:
    start = datetime.fromisoformat(since).replace(tzinfo=gateway.site.zone_info)
    long = Exceedance(since=start, until=start + timedelta(seconds=length_s), length_s=length_s, open=False)
    gateway.scene.gaps[:] = [
        Gap(
            checkpoint="cp-garage-2",
            window_start=scene.NIGHT,
            window_end=scene.NIGHT + timedelta(hours=8),
            largest_s=length_s,
            exceeded=True,
            exceedances=(long,),
        )
    ]
    page = (await operator.get("/rounds/gaps?days=7&lang=en")).text
    assert f'<a href="/rounds?night=2026-11-22">{when}</a>' in page


@pytest.mark.parametrize(
    ("largest_s", "exceeded", "shown"),
    [(7200.3, True, "120 min 1 s"), (7218.0, True, "120 min 18 s"), (7199.6, False, "120 min"), (7200.0, False, "120 min")],
)  # fmt: skip
async def test_a_gap_reads_as_longer_than_its_limit_exactly_if_it_exceeds_it(
    operator: httpx.AsyncClient, gateway: FakeGateway, largest_s: float, *, exceeded: bool, shown: str
) -> None:
    start, end = scene.NIGHT, scene.NIGHT + timedelta(seconds=largest_s)
    long = Exceedance(since=start, until=end, length_s=largest_s, open=False)
    gateway.scene.gaps[:] = [
        Gap(
            checkpoint="cp-garage-2",
            window_start=start,
            window_end=start + timedelta(hours=8),
            largest_s=largest_s,
            exceeded=exceeded,
            exceedances=(long,) if exceeded else (),
        )
    ]
    page = (await operator.get("/rounds/gaps?days=7&lang=en")).text
    cells = re.findall(r'<td data-label="Largest gap">([^<]*)</td>', page)
    assert shown in cells
    assert f"{shown}</title>" in page, "the drawing says the same"


async def test_a_round_s_page_says_its_day_also_in_its_own_night_and_whose_shift_it_is_of(
    operator: httpx.AsyncClient,
) -> None:
    page = (await operator.get("/rounds/night@2026-11-23T00:00+08:00", params={"lang": "en"})).text
    assert re.search(r"<h2>[^<]*<span class=\"nowrap\">11-23 00:00–", page)
    assert "shift of 2026-11-22" in page
