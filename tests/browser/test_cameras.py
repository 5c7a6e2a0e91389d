"""Pages of cameras in a real browser: zones and levels of proof, charts by night, one camera; on desk and phone, by keyboard."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from gateway.instants import DAY, MINUTE, instant
from gateway.journal.rows import Condition
from tests.api import scene
from tests.browser.test_console import CONTRAST, SIZES, Room, room

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

__all__ = ["room"]

NOW = instant(scene.NOW)


def past(room: Room) -> None:
    """A garage that was blind for three quarters of an hour last night."""
    began = NOW - 5 * DAY
    room.gateway.told = [
        Condition(began, began, "gateway", "", "up", ""),
        Condition(began, began, "zone", "z-b2", "covered", ""),
        Condition(NOW - DAY, NOW - DAY, "zone", "z-b2", "blind", ""),
        Condition(NOW - DAY + 45 * MINUTE, NOW - DAY + 45 * MINUTE, "zone", "z-b2", "covered", ""),
        Condition(began, began, "camera", "cam-b2-1", "seeing", ""),
        Condition(NOW - 31 * MINUTE, NOW - 31 * MINUTE, "camera", "cam-b2-1", "lost", "offline"),
    ]
    room.gateway.judgement.advance(NOW)


@pytest.mark.parametrize("size", ["desk", "phone"])
@pytest.mark.parametrize("language", ["zh_CN", "en"])
async def test_zones_with_their_cameras_their_nights_and_their_outages(room: Room, size: str, language: str) -> None:
    past(room)
    page = await room.enter(size=SIZES[size], language=language)
    await page.goto(f"{room.url}/cameras")
    await expect(page.locator(".zone-of").first).to_have_attribute("id", "z-b2")
    await expect(page.locator(".zone-charts figure")).to_have_count(6)
    await expect(page.locator('[data-load="/charts/outages"] tbody tr')).to_have_count(1)
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert await page.evaluate(CONTRAST) == []


async def test_one_camera_by_the_keyboard_alone(room: Room) -> None:
    past(room)
    page = await room.enter(language="en")
    await page.goto(f"{room.url}/cameras")
    link = page.locator('a[href="/cameras/cam-b2-1"]').first
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await link.evaluate("each => each === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    await expect(page.locator(".camera-page h2")).to_have_text("cam-b2-1")
    await expect(page.locator(".camera-page figure.chart")).to_be_visible()
    await expect(page.locator(".above")).to_contain_text("nvr-1")
    assert await page.evaluate(CONTRAST) == []


async def test_at_twice_the_size_nothing_is_lost(room: Room) -> None:
    past(room)
    page = await room.enter(language="en", size=(720, 450))
    for path in ("/cameras", "/cameras/cam-b2-1", "/lights", "/lights/lamp-t1-f03-a", "/places/garage", "/"):
        await page.goto(f"{room.url}{path}")
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path


async def test_on_a_phone_a_camera_and_what_proves_it_take_a_few_lines(room: Room) -> None:
    page = await room.enter(size=SIZES["phone"])
    await page.goto(f"{room.url}/cameras")
    heights = await page.locator(".levels tbody tr").evaluate_all(
        "all => all.map(each => each.getBoundingClientRect().height)"
    )
    assert max(heights) < 150
    levels = page.locator(".levels tbody tr").first.locator("td[data-label]")
    tops = await levels.evaluate_all("all => all.map(each => each.getBoundingClientRect().top)")
    assert len(set(tops)) == 1
