"""Accounts in a real browser: one is made and enters by its link, on desk and phone; keys; one's own log-ins."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.browser.test_console import SIZES, Room, room

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

__all__ = ["room"]


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_a_guard_is_made_and_lets_the_phone_in_by_the_link(room: Room, size: str) -> None:
    page = await room.enter(size=SIZES[size], role="admin")
    await page.goto(f"{room.url}/accounts")
    await page.locator("summary.button").click()
    await page.locator("[name=login]").fill("wangqiang")
    await page.locator("[name=called]").fill("王强")
    await page.locator("form[data-send] button.primary").click()
    await expect(page.locator("#once")).to_be_visible()
    await expect(page.locator("#once svg")).to_be_visible()
    link = await page.locator("#once-text").input_value()
    await page.locator("#once-close").click()
    await expect(page.locator("table tbody tr", has_text="王强")).to_be_visible()
    phone = await room.browser.new_context(viewport={"width": SIZES["phone"][0], "height": SIZES["phone"][1]})
    guest = await phone.new_page()
    await guest.goto(link)
    await expect(guest.locator("main")).to_contain_text("王强")
    await guest.locator("button.primary").click()
    await guest.wait_for_url("**/phone")
    await guest.goto(link)
    await expect(guest.locator("[role=alert]")).to_be_visible()
    await phone.close()
    assert room.mistakes == []


async def test_the_last_administrator_is_told_so_in_his_language(room: Room) -> None:
    page = await room.enter(role="admin")
    await page.goto(f"{room.url}/accounts/chen")
    await page.locator("[data-do][data-method=PATCH]").click()
    await page.locator("#sure-go").click()
    await expect(page.locator("#done")).to_contain_text("最后一个系统管理员")
    room.mistakes.clear()  # the browser itself notes an answer of 409


async def test_a_key_is_shown_once(room: Room) -> None:
    page = await room.enter(role="admin")
    await page.goto(f"{room.url}/keys?lang=en")
    await page.locator("[name=name]").fill("dashboard")
    await page.locator("input[name=limited][value=some]").check()
    await page.locator("input[name=rights][value=estate]").check()
    await expect(page.locator("input[name=rights][value=handle]")).to_be_hidden()
    await page.locator("form[data-send] button.primary").click()
    await expect(page.locator("#once-text")).to_have_value(re.compile(r"^lk_\w{6}_.{43}$"))
    text = await page.locator("#once-text").input_value()
    await page.locator("#once-close").click()
    await expect(page.locator("table tbody tr", has_text="dashboard")).to_be_visible()
    assert text not in await page.content()
    await page.wait_for_load_state()  # the page is read again; a click before that would be lost
    await page.locator("[data-do$=revoke]").click()
    await page.locator("#sure-go").click()
    await expect(page.locator(".state.is-out")).to_be_visible()
    assert room.mistakes == []


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_nothing_of_the_pages_lies_outside_the_screen(room: Room, size: str) -> None:
    page = await room.enter(size=SIZES[size], role="admin")
    for path in ("/accounts", "/accounts/chen", "/account", "/keys", "/audit"):
        await page.goto(room.url + path)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        small = await page.evaluate(
            "[...document.querySelectorAll('main button, main a, main summary')]"
            ".filter((one) => one.offsetParent && one.getBoundingClientRect().height < 24).map((one) => one.outerHTML)"
        )
        assert small == [], path
