"""Pages of lights in a real browser: filters, why, charts with their tables, out of service with a reason; on desk and phone."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from gateway.instants import DAY, MINUTE, instant
from gateway.journal.rows import Condition
from gateway.outbox.local import Sample
from gateway.rules.operations import DeviceOperation
from tests.api import scene
from tests.browser.test_console import CONTRAST, SIZES, Room, room

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

__all__ = ["room"]

NOW = instant(scene.NOW)


@pytest.mark.parametrize("size", ["desk", "phone"])
@pytest.mark.parametrize("language", ["zh_CN", "en"])
async def test_from_the_room_to_a_lamp_that_is_out(room: Room, size: str, language: str) -> None:
    page = await room.enter(size=SIZES[size], language=language)
    await page.locator("#lights .go").click()
    await page.locator('.filters a[href*="show=faulty"]').click()
    await expect(page.locator(".lamp-rows > li")).to_have_count(7)
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    await page.locator('.lamp-what > a[href="/lights/lamp-t1-f03-a"]').click()
    await expect(page.locator(".lamp-page h2")).to_have_text("lamp-t1-f03-a")
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert await page.evaluate(CONTRAST) == []


async def test_the_intact_rate_comes_after_the_page_with_a_table_behind_it(room: Room) -> None:
    room.gateway.told = [
        Condition(NOW - 3 * DAY, NOW - 3 * DAY, "gateway", "", "up", ""),
    ]
    page = await room.enter(language="en")
    await page.goto(f"{room.url}/lights")
    chart = page.locator("figure.chart")
    await expect(chart.locator("svg[role=img]")).to_be_visible()
    await expect(chart.locator("tbody tr").first).to_be_hidden()
    await chart.locator("summary").focus()
    await page.keyboard.press("Enter")
    await expect(chart.locator("tbody tr")).to_have_count(14)
    await expect(chart.locator("tbody tr").first).to_be_visible()
    assert await page.evaluate(CONTRAST) == []


async def test_a_chart_is_told_to_who_does_not_see_it(room: Room) -> None:
    page = await room.enter(language="en")
    await page.goto(f"{room.url}/lights")
    drawing = page.get_by_role("img", name="Intact rate, last 14 days")
    await expect(drawing).to_be_visible()
    described = await drawing.evaluate(
        "each => document.getElementById(each.getAttribute('aria-labelledby').split(' ')[1]).textContent"
    )
    assert "days recorded" in described


async def test_a_camera_is_taken_out_of_service_with_a_reason(room: Room) -> None:
    page = await room.enter(language="en")
    await page.goto(f"{room.url}/cameras/cam-b2-1")
    await page.get_by_role("button", name="Take out of service").click()
    await expect(page.locator("#reason h2")).to_have_text("Why it is taken out of service")
    await page.keyboard.press("Escape")
    assert room.gateway.operated == []
    await page.get_by_role("button", name="Take out of service").click()
    await page.locator("#reason-text").fill("lens is being replaced")
    async with page.expect_response(lambda answer: "/disable" in answer.url) as answer:
        await page.locator('#reason button[value="go"]').click()
    assert (await answer.value).status == 204
    [operation] = room.gateway.operated
    assert isinstance(operation, DeviceOperation)
    assert (operation.action, operation.device, operation.why) == ("disable", "cam-b2-1", "lens is being replaced")


async def test_a_lamp_of_the_room_opens_beside_it(room: Room) -> None:
    room.gateway.telemetry["lux-t1/f03", "lux"] = [Sample(NOW - 10 * MINUTE, 1, 1, 1, 1)]
    page = await room.enter(language="en")
    await page.locator('.cell[href="/lights/lamp-t1-f03-a"]').click()
    await expect(page.locator("#panel .lamp-page")).to_contain_text("lamp-t1-f03-a")
    await page.keyboard.press("Escape")
    await expect(page.locator("#panel")).to_be_hidden()
