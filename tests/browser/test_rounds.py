"""Rounds and alerts in a real browser: from the calendar to a visit's evidence, and several alerts acknowledged at once."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.api import scene
from tests.browser.test_console import Room, room, runs_over

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

__all__ = ["room"]


async def test_from_the_calendar_to_the_visit_that_was_missed(room: Room) -> None:
    page = await room.enter(language="en")
    await page.goto(f"{room.url}/rounds?month=2026-11")
    await page.locator('a[href="/rounds?night=2026-11-22"]').click()
    await expect(page.get_by_role("heading", level=2)).to_contain_text("Night of")
    missed = page.locator(".visit-cell", has=page.locator(".dot.v-missed")).first
    await missed.click()
    await expect(page.locator(".visit.v-missed").first).to_be_visible()
    assert "#visit-" in page.url


@pytest.mark.parametrize("language", ["zh_CN", "en"])
async def test_pages_of_rounds_fit_each_screen(room: Room, language: str) -> None:
    page = await room.enter(language=language)
    shown = scene.Scene().rounds[0].id
    for path in ("/rounds", "/rounds?night=2026-11-22", f"/rounds/{shown}", "/rounds/gaps", "/rounds/map"):
        await page.goto(f"{room.url}{path}")
        assert await runs_over(page) == [], path


async def test_several_alerts_are_acknowledged_at_once_and_one_by_the_keyboard(room: Room) -> None:
    page = await room.enter(language="en")
    await page.goto(f"{room.url}/alerts")
    rows = page.locator(".alerts > .alert")
    first = rows.first
    await page.keyboard.press("j")
    await expect(first.locator(".what a")).to_be_focused()
    await page.keyboard.press("x")
    await expect(first.locator('[name="chosen"]')).to_be_checked()
    await page.locator("#choose-all").check()
    count = await page.locator('[name="chosen"]:checked').count()
    assert count > 1
    await page.locator("#ack-chosen").click()
    await expect(page.locator(".alerts > .is-acknowledged")).to_have_count(count)
    assert [each.action for each in room.gateway.operated] == ["ack"] * count
