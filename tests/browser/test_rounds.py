"""Rounds and alerts in a real browser: from the calendar to a visit's evidence, and several alerts acknowledged at once."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.api import scene
from tests.browser.test_console import SIZES, Room, room, runs_over

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


async def test_on_a_phone_a_month_is_seen_at_once_each_night_large_enough_for_a_finger(room: Room) -> None:
    page = await room.enter(size=SIZES["phone"])
    await page.goto(f"{room.url}/rounds?month=2026-11")
    await expect(page.locator(".calendar thead")).to_be_visible()
    assert await page.locator(".calendar").evaluate("it => it.getBoundingClientRect().height") < 600
    small = "all => all.map(each => each.getBoundingClientRect()).filter(it => it.width < 40 || it.height < 44).length"
    assert await page.locator(".calendar a").evaluate_all(small) == 0
    await expect(page.locator('a[href="/rounds?night=2026-11-22"] .n-missed')).to_be_visible()


async def test_on_a_phone_no_visit_of_a_night_is_cut_off_and_each_says_where(room: Room) -> None:
    page = await room.enter(size=SIZES["phone"])
    await page.goto(f"{room.url}/rounds?night=2026-11-22")
    cells = page.locator("td:has(.visit-cell)")
    assert await cells.count() > 0
    beyond = "all => all.filter(each => each.getBoundingClientRect().right > innerWidth).length"
    assert await page.locator(".visit-cell").evaluate_all(beyond) == 0
    named = "all => all.every(each => getComputedStyle(each, '::before').content.length > 2)"
    assert await cells.evaluate_all(named)


async def test_on_a_phone_the_map_of_hours_has_room_for_names_and_confuses_no_two(room: Room) -> None:
    page = await room.enter(size=SIZES["phone"])
    await page.goto(f"{room.url}/rounds/map")
    seen = """all => all.map(name => [...name.childNodes].filter(part => part.nodeType === 3
        || getComputedStyle(part).display !== 'none').map(part => part.textContent).join('').trim())"""
    names = await page.locator(".chart .row-name").evaluate_all(seen)
    assert len(set(names)) == len(names) == len(scene.STOPS)
    assert "地下车库 负二层" not in names
    assert "负二层" in names
    assert "1号楼 1层" in names
