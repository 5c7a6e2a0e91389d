"""Devices and what could not be read, in a real browser on a real gateway: a site's mistake is mended, its taps are read, the verdict follows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from api.access.invitations import Invitations
from api.app import create_app
from gateway.rules.operations import DeviceOperation
from gateway.runtime import Gateway
from tests.browser.test_console import Room, room, runs_over
from tests.service.test_rereading import ROUND, SENSOR, Clock, site, the_night, visit
from tests.support.chromium import close_windows

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

__all__ = ["room"]


async def test_what_could_not_be_read_is_tried_and_read_by_the_keyboard_alone(
    chromium: Browser, tmp_path: Path
) -> None:
    clock = Clock()
    async with Gateway(site(topic="rdr-gaet"), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        taps = [row.seq for row in await gateway.archive.quarantine(limit=1000) if row.topic == SENSOR]
        invitations = Invitations()
        here = Room(gateway, chromium, invitations, create_app(gateway, invitations=invitations))  # type: ignore[arg-type]
        async with here.served():
            context = await chromium.new_context(viewport={"width": 390, "height": 844})
            page = await context.new_page()
            page.on("pageerror", lambda error: here.mistakes.append(str(error)))
            token = invitations.login("chen", "operator", gateway.now())
            await page.goto(f"{here.url}/login/once?token={token}")
            await page.goto(f"{here.url}/quarantine?row={taps[0]}&lang=en")
            meant = page.locator(".unread > .is-meant")
            await meant.locator("summary").press("Enter")
            await expect(meant.locator("pre").first).to_contain_text("7b 22 54 69 6d 65 22")
            await meant.locator('[name="chosen"]').press("Space")
            await page.locator("#try-chosen").press("Enter")
            effect = page.locator("#effect")
            await expect(effect).to_contain_text("can be read")
            await expect(effect).to_contain_text("Unverifiable → On time")
            assert visit(gateway)[0] == "unverifiable"
            if shot := os.environ.get("LAMPLIGHTER_SCREENSHOT"):
                await page.screenshot(path=Path(shot), full_page=True)
            await page.locator("#read-again").press("Enter")
            await expect(page.locator(".unread > .is-meant .o-read")).to_contain_text("Read again")
            assert visit(gateway)[:2] == ("on_time", 2)
            await page.goto(f"{here.url}/rounds/{ROUND}?lang=en")
            await expect(page.locator("#visit-1")).to_contain_text("History of the verdict: 2")
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert await page.evaluate(wide) == 0
            await close_windows(chromium)
        assert here.mistakes == []


async def test_on_a_phone_what_a_device_said_is_read_without_moving_the_table(
    chromium: Browser, tmp_path: Path
) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
        invitations = Invitations()
        here = Room(gateway, chromium, invitations, create_app(gateway, invitations=invitations))  # type: ignore[arg-type]
        async with here.served():
            context = await chromium.new_context(viewport={"width": 390, "height": 844})
            page = await context.new_page()
            await page.goto(f"{here.url}/login/once?token={invitations.login('chen', 'operator', gateway.now())}")
            await page.goto(f"{here.url}/devices/rdr?lang=en")
            said = page.locator(".scroll.table").first
            for at in range(3):
                await expect(said.locator("tbody td").nth(at)).to_be_visible()
            assert await said.evaluate("it => it.scrollWidth - it.clientWidth") == 0
            await close_windows(chromium)


async def test_a_device_is_taken_out_of_service_with_a_reason(room: Room) -> None:
    page = await room.enter(language="en")
    await page.goto(f"{room.url}/devices?find=wand")
    await page.get_by_role("link", name="wand-1").click()
    await page.get_by_text("Take out of service", exact=True).first.click()
    await page.locator('form[data-post] input[name="why"]').fill("being repaired")
    async with page.expect_navigation():
        await page.locator("form[data-post] button").click()
    done = [each for each in room.gateway.operated if isinstance(each, DeviceOperation)]
    assert [(each.device, each.action, each.why, each.by) for each in done] == [
        ("wand-1", "disable", "being repaired", "chen")
    ]


@pytest.mark.parametrize("language", ["zh_CN", "en"])
async def test_pages_fit_each_screen(room: Room, language: str) -> None:
    page = await room.enter(language=language)
    for path in ("/alerts?show=all", "/devices", "/devices/wand-1", "/quarantine", "/health"):
        await page.goto(f"{room.url}{path}")
        assert await runs_over(page) == [], path
