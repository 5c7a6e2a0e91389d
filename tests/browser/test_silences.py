"""Silences in a real browser: two clicks from the alert, the list with its end, planned work, who stands in; on desk and phone."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from playwright.async_api import expect

from tests.browser.test_console import SIZES, Room, room

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

__all__ = ["room"]


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_two_clicks_silence_an_alert_and_it_leaves_the_list(room: Room, size: str) -> None:
    page = await room.enter(size=SIZES[size])
    rows = page.locator(".alerts > .alert")
    before = await rows.count()
    await page.locator('[data-silence="circuit_fault/c-t2-b/1"]').click()
    await page.locator('#quiet button[value="3600"]').click()
    await expect(rows).to_have_count(before - 1)
    [silence] = room.gateway.judgement.alerts.silences.standing()
    assert (silence.on, silence.subject, silence.rule, silence.by) == ("circuit", "c-t2-b", "circuit_fault", "chen")
    assert silence.why
    assert room.mistakes == []


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_nothing_of_the_dialog_lies_outside_the_screen(room: Room, size: str) -> None:
    page = await room.enter(size=SIZES[size])
    await page.locator("[data-silence]").first.click()
    outer = await page.locator("#quiet").bounding_box()
    assert outer is not None
    for part in await page.locator("#quiet :is(button, input, select)").all():
        inner = await part.bounding_box()
        assert inner is not None
        assert outer["x"] <= inner["x"]
        assert inner["x"] + inner["width"] <= outer["x"] + outer["width"]


async def test_until_a_time_on_the_site_s_clock_wherever_the_browser_stands(room: Room) -> None:
    page = await room.enter()
    await page.locator('[data-silence="circuit_fault/c-t2-b/1"]').click()
    await page.locator("#quiet-until").fill("2026-11-24T06:30")
    await page.locator('#quiet button[value="until"]').click()
    await expect(page.locator("#done")).to_be_visible()
    [silence] = room.gateway.judgement.alerts.silences.standing()
    assert silence.until.isoformat() == "2026-11-24T06:30:00+08:00"


async def test_a_call_for_help_offers_no_silence(room: Room) -> None:
    page = await room.enter()
    room.panic()
    row = page.locator('.alert[data-key="panic/wand-1/1"]')
    await expect(row).to_be_visible()
    await expect(row.locator("[data-silence]")).to_have_count(0)


async def test_who_may_not_arrange_sees_no_button(room: Room) -> None:
    page = await room.enter(role="maintenance")
    await expect(page.locator('[data-action="ack"]').first).to_be_visible()
    await expect(page.locator("[data-silence]")).to_have_count(0)


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_planned_work_is_made_and_called_off_on_the_page(room: Room, size: str) -> None:
    page = await room.enter(size=SIZES[size])
    await page.goto(f"{room.url}/silences")
    await page.locator("input[name=subject]").fill("panel-t2")
    await expect(page.locator("select[name=on]")).to_have_value("parent")
    await page.locator("input[name=from]").fill("2026-11-23T09:00")
    await page.locator("input[name=until]").fill("2026-11-23T11:00")
    await page.locator("input[name=why]").fill("换断路器")
    await page.locator("form.arrange button").click()
    row = page.locator(".quiet-row")
    await expect(row).to_contain_text("panel-t2")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await row.locator("[data-end]").click()
    await page.locator("#reason-text").fill("下雨")
    await page.locator('#reason button[value="go"]').click()
    await expect(page.locator(".quiets.over")).to_contain_text("下雨")
    assert room.gateway.judgement.alerts.silences.standing() == []
    assert room.mistakes == []


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_a_place_is_chosen_by_its_name(room: Room, size: str) -> None:
    page = await room.enter(size=SIZES[size])
    await page.goto(f"{room.url}/silences")
    offered = page.locator("select[data-fills=subject]")
    names = await offered.locator("optgroup:not([hidden]) option").all_text_contents()
    assert "地下车库" in names
    assert not any("/" in name for name in names), "places are called by their names"
    await offered.select_option(label="地下车库")
    await expect(page.locator("input[name=subject]")).to_have_value("garage")
    await page.locator("select[name=on]").select_option("lamp")
    await expect(page.locator("input[name=subject]")).to_have_value("")
    shown = await offered.locator("optgroup:not([hidden]) option").all_text_contents()
    assert shown
    assert not set(shown) & set(names), "only what is of the chosen kind"
    await page.locator("input[name=subject]").fill("garage")
    await expect(offered).to_have_value("place:garage")
    await expect(page.locator("select[name=on]")).to_have_value("place")
    await page.locator("input[name=why]").fill("刷漆")
    await page.locator("form.arrange button").click()
    await expect(page.locator(".quiet-row").first).to_contain_text("地下车库")
    [silence] = room.gateway.judgement.alerts.silences.standing()
    assert (silence.on, silence.subject) == ("place", "garage")
    assert room.mistakes == []


async def test_somebody_stands_in_on_the_page(room: Room) -> None:
    page = await room.enter()
    await page.goto(f"{room.url}/on-duty")
    await page.locator("details.new summary").click()
    await page.locator("select[name=away]").select_option("g-wang")
    await page.locator("select[name=instead]").select_option("m-liu")
    await page.locator("input[name=why]").fill("发烧")
    await page.locator("form.arrange button").click()
    await expect(page.locator(".quiet-row").first).to_contain_text("刘师傅")
    await expect(page.locator(".quiet-row").first).to_contain_text("王强 不在岗")
    await page.locator("[data-cancel]").click()
    await page.locator("#reason-text").fill("好了")
    await page.locator('#reason button[value="go"]').click()
    await expect(page.locator("[data-cancel]")).to_have_count(0)
    assert room.gateway.judgement.alerts.duty.swaps() == []


async def test_on_an_alert_s_own_page_its_buttons_act(room: Room) -> None:
    page = await room.enter(size=SIZES["phone"])
    await page.goto(f"{room.url}/alerts/circuit_fault/c-t2-b/1")
    await page.locator('[data-action="ack"]').click()
    await expect(page.locator(".head-line .state")).to_have_text("已确认")
    await page.locator("[data-silence]").click()
    await page.locator('#quiet button[value="tonight"]').click()
    await expect(page.locator(".facts")).to_contain_text("静默 · 至 11-23 08:00")


async def test_what_nobody_took_is_red_and_says_so_in_words(room: Room) -> None:
    case = room.gateway.judgement.alerts._cases.find("circuit_fault/c-t2-b/1")
    assert case is not None
    case.alert = replace(case.alert, exhausted=True)
    page = await room.enter()
    sign = page.locator('.alert[data-key="circuit_fault/c-t2-b/1"] .exhausted')
    await expect(sign).to_have_text("逐级上报已用尽")
    await expect(sign).to_have_css("background-color", "rgb(255, 95, 87)")
