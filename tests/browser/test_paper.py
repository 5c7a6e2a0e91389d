"""What is printed: paper is narrower than a desk and is not a phone."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.test_console import SIZES, Room, room

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

__all__ = ["room"]

A4_PX = (703, 1017)
"""A4 within margins of 12 mm and 14 mm, at 96 px an inch."""


async def test_a_ledger_is_printed_as_tables(room: Room) -> None:
    page = await room.enter(size=A4_PX, role="manager")
    await page.emulate_media(media="print")
    await page.goto(f"{room.url}/work-orders/ledger")
    await expect(page.locator("thead").first).to_have_css("display", "table-header-group")
    await expect(page.locator("tbody tr").first).to_have_css("display", "table-row")
    await expect(page.locator(".actions")).to_be_hidden()


@pytest.mark.parametrize("path", ["/rounds", "/scores", "/lights", "/alerts"])
async def test_a_page_is_printed_dark_on_light_without_what_can_only_be_pressed(room: Room, path: str) -> None:
    page = await room.enter(size=SIZES["desk"], role="manager")
    await page.goto(f"{room.url}{path}")
    await page.emulate_media(media="print")
    await expect(page.locator("main h2").first).to_have_css("color", "rgb(0, 0, 0)")
    await expect(page.locator("main")).to_have_css("background-color", "rgb(255, 255, 255)")
    await expect(page.locator("header.bar")).to_be_hidden()
    for button in await page.locator("main button").all():
        await expect(button).to_be_hidden()
