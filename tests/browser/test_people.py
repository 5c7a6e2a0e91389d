"""People and tags in a real browser over a real gateway: whose an unknown tag is, in two clicks; a new card by tapping it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from api.access.invitations import Invitations
from api.app import create_app
from device_drivers.driver import Reading
from device_drivers.observations import TagRead
from gateway.runtime import Gateway
from tests.browser.test_console import SIZES, Room
from tests.service.test_enrolment import CARD, OTHER, ROUND, Clock, site, the_night, verdict
from tests.support.chromium import close_windows

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NEW = "04A1B2C3D4E5F6"


@pytest_asyncio.fixture(loop_scope="session")
async def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture(loop_scope="session")
async def room(chromium: Browser, tmp_path: Path, clock: Clock) -> AsyncIterator[Room]:
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
        invitations = Invitations()
        room = Room(gateway, chromium, invitations, create_app(gateway, invitations=invitations, heartbeat_s=0.5))  # type: ignore[arg-type]
        async with room.served():
            yield room
            await close_windows(chromium)
    assert room.mistakes == []


@pytest.mark.parametrize(
    ("size", "language", "says"), [("desk", "zh_CN", "漏检 → 准时"), ("phone", "en", "Missed → On time")]
)
async def test_an_unknown_tag_is_somebody_s_in_two_clicks_with_what_it_changes_shown_before(
    room: Room, size: str, language: str, says: str
) -> None:
    page = await room.enter(size=SIZES[size], language=language, role="manager")
    await page.goto(f"{room.url}/people")
    row = page.locator(".unknown > li")
    await expect(row).to_contain_text(CARD)
    await row.locator("summary").click()
    await row.locator("select[name=owner]").select_option("person:g-wang")
    await expect(row.locator(".effect")).to_contain_text(says)
    assert verdict(room.gateway)[0] == "missed"  # type: ignore[arg-type]
    await row.locator("form.enrol button").click()
    await expect(row).to_have_count(0)
    assert verdict(room.gateway) == ("on_time", 2)  # type: ignore[arg-type]
    assert room.gateway.site.people["g-wang"].tags == (OTHER, CARD)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # a manager does not see whole numbers, which are enough to copy a card; it is taken back by what is shown
    await expect(page.locator(".people-table").first).to_contain_text(f"…{CARD[-4:]}")
    await expect(page.locator("body")).not_to_contain_text(OTHER)
    page.on("dialog", lambda dialog: dialog.accept())
    await page.locator(f'[data-withdraw="…{CARD[-4:]}"]').click()
    await expect(row).to_contain_text(CARD)
    assert verdict(room.gateway) == ("missed", 3)  # type: ignore[arg-type]


async def test_a_new_guard_is_enrolled_by_tapping_his_card(room: Room, clock: Clock) -> None:
    page = await room.enter(language="en", role="admin")
    await page.goto(f"{room.url}/people")
    async with page.expect_request("**/api/v1/events"):
        await page.locator("#tap-now").click()
    await page.wait_for_timeout(300)  # the stream is open at the server
    await tap(room, clock, OTHER)
    await expect(page.locator("[data-tap=known]")).to_contain_text("王强")
    await expect(page.locator("#tapped")).to_be_hidden()
    await tap(room, clock, NEW)
    await expect(page.locator("#tapped")).to_contain_text(NEW)
    form = page.locator("#tapped form")
    await form.locator("select[name=owner]").select_option("new:")
    await form.locator("input[name=name]").fill("李娜")
    await form.locator("input[name=id]").fill("g-li")
    await form.locator("button").click()
    await expect(page.locator(".people-table").first).to_contain_text("李娜")
    assert room.gateway.site.people["g-li"].tags == (NEW,)
    who = await room.gateway.query("SELECT action, subject FROM audit WHERE action LIKE '%.enrol' ORDER BY seq", ())
    assert who == [("person.enrol", "g-li"), ("tag.enrol", f"…{NEW[-4:]} g-li")]


async def tap(room: Room, clock: Clock, card: str) -> None:
    clock.time += timedelta(seconds=30)
    read = TagRead(device="rdr", at=clock.time, boot="c", seq=clock.time.minute * 60 + clock.time.second, tag=card)
    await room.gateway.hear("rdr", [Reading(read, None)])


async def test_on_a_phone_why_a_piece_of_evidence_did_not_count_has_the_whole_width(room: Room) -> None:
    page = await room.enter(size=SIZES["phone"], role="manager")
    await page.goto(f"{room.url}/rounds/{ROUND}")
    why = page.locator(".evidence tbody td:last-child")
    await expect(why.first).to_be_visible()
    assert await why.evaluate_all("all => all.every(each => each.offsetWidth > 0.9 * each.closest('tr').clientWidth)")
