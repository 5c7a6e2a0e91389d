"""Pages of a site in trouble: bounded whatever stands, and what is not shown is said."""

from __future__ import annotations

import re
from typing import Any

import httpx
import msgspec
import pytest

from api.console.lights import ROWS_A_BUILDING
from api.console.room import QUIET_SHOWN, TOLD_SHOWN, TROUBLED_SHOWN
from gateway.alerts.alert import Operation
from gateway.instants import MINUTE, SECOND
from gateway.rules.findings import Signal
from tests.api import scene
from tests.api.fake_gateway import FakeGateway

MANY = 5000
MOST_KIB = 300
ROW = re.compile(r'<li class="alert [^"]*" data-key="([^"]*)"')
STANDING = len(scene.SIGNALS) + MANY
"""The scene's alerts, and as many lamps out as the book is asked to hold."""


def tell(gateway: FakeGateway, rule: str, subject: str, **more: Any) -> None:
    """A rule finds something."""
    now = gateway.now()
    gateway.judgement.alerts.signal(Signal(rule=rule, subject=subject, action="raise", at=now, **more))


@pytest.fixture
def storm(gateway: FakeGateway) -> FakeGateway:
    """A night on which thousands of lamps are out."""
    gateway.stopped_clock = True
    for number in range(MANY):
        tell(gateway, "lamp_failure", f"lamp-{number}", details={"lux": 0.4})
    return gateway


@pytest.mark.usefixtures("storm")
@pytest.mark.parametrize("path", ["/", "/console/alerts", "/alerts"])
async def test_a_page_stays_small_however_many_alerts_stand(operator: httpx.AsyncClient, path: str) -> None:
    answer = await operator.get(path)
    assert answer.status_code == 200
    assert len(answer.content) < MOST_KIB * 1024


@pytest.mark.usefixtures("storm")
async def test_the_room_says_how_many_alerts_it_does_not_list(operator: httpx.AsyncClient) -> None:
    page = (await operator.get("/", params={"lang": "en"})).text
    assert len(ROW.findall(page)) == TOLD_SHOWN
    assert f"{STANDING} to handle" in page
    assert f'<a href="/alerts?show=active">{STANDING - TOLD_SHOWN} more, not listed here</a>' in page
    assert f'data-open="{STANDING}"' in page


async def test_the_room_says_how_many_covered_alerts_it_does_not_list(
    gateway: FakeGateway, operator: httpx.AsyncClient
) -> None:
    for number in range(QUIET_SHOWN + 7):
        tell(gateway, "lamp_failure", f"lamp-{number}", caused_by="circuit_fault:c-t2-b")
    page = (await operator.get("/console/alerts", params={"lang": "en"})).text
    assert f"{QUIET_SHOWN + 7} more, merged" in page
    assert '<a href="/alerts?show=quiet">7 more, not listed here</a>' in page


async def test_a_short_list_hides_nothing_and_says_nothing(operator: httpx.AsyncClient) -> None:
    page = (await operator.get("/", params={"lang": "en"})).text
    assert len(ROW.findall(page)) == len(scene.SIGNALS)
    assert "not listed here" not in page


async def test_a_new_critical_alert_is_listed_first_among_thousands(
    storm: FakeGateway, operator: httpx.AsyncClient
) -> None:
    tell(storm, "panic", "wand-1")
    assert ROW.findall((await operator.get("/")).text)[0] == "panic/wand-1/1"


async def test_a_critical_alert_that_began_long_ago_and_is_found_now_is_listed(
    gateway: FakeGateway, operator: httpx.AsyncClient
) -> None:
    gateway.stopped_clock = True
    for number in range(2 * TOLD_SHOWN):
        tell(gateway, "panic", f"wand-{number}")
    gateway.ahead += SECOND
    tell(gateway, "panic", "late", raised=gateway.now() - 90 * MINUTE)
    assert "panic/late/1" in ROW.findall((await operator.get("/")).text)


async def test_what_nobody_has_acknowledged_is_listed_before_what_somebody_has(
    gateway: FakeGateway, operator: httpx.AsyncClient
) -> None:
    gateway.stopped_clock = True
    tell(gateway, "panic", "waiting")
    gateway.ahead += SECOND
    for number in range(2 * TOLD_SHOWN):
        tell(gateway, "panic", f"wand-{number}")
        alert = f"panic/wand-{number}/1"
        gateway.judgement.alerts.operate(Operation(at=gateway.now(), by="chen", action="ack", alert=alert))
    assert "panic/waiting/1" in ROW.findall((await operator.get("/")).text)


@pytest.mark.usefixtures("storm")
async def test_all_alerts_come_by_pages_each_once(operator: httpx.AsyncClient) -> None:
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await operator.get("/api/v1/alerts", params={"active": "true", "limit": "1000", **cursor})).json()
        found += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert len(found) == len(set(found)) == STANDING


async def test_the_room_lists_a_few_devices_that_are_not_well_and_leads_to_the_rest(
    operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.scene.devices = [msgspec.structs.replace(each, state="unknown") for each in gateway.scene.devices]
    page = (await operator.get("/console/links", params={"lang": "en"})).text
    listed = page.count('data-key="device ')
    assert listed == TROUBLED_SHOWN < len(gateway.scene.devices)
    assert f'<a href="/devices">{len(gateway.scene.devices) - listed} more</a>' in page


async def test_the_page_of_lights_says_why_of_a_few_lamps_a_building_the_faulty_first_and_leads_to_the_rest(
    operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.scene.lamps = [
        each if each.state == "faulty" else msgspec.structs.replace(each, state="unknown", cause="never_heard")
        for each in gateway.scene.lamps
    ]
    page = (await operator.get("/lights", params={"lang": "en"})).text
    parts = dict(re.findall(r'<section class="building-of" data-key="([^"]+)">(.*?)</section>', page, re.DOTALL))
    for building, part in parts.items():
        lamps = [lamp for lamp in gateway.scene.lamps if gateway.site.lamps[lamp.id].place.startswith(f"{building}/")]
        faulty = [lamp.id for lamp in lamps if lamp.state == "faulty"]
        listed = re.findall(r'<li data-key="(lamp-[^"]+)">', part)
        assert set(faulty) <= set(listed)
        assert len(listed) == max(ROWS_A_BUILDING, len(faulty)) < len(lamps)
        assert f'<a href="/lights?building={building}">{len(lamps) - len(listed)} more to look at</a>' in part
    assert len(parts) == 3
