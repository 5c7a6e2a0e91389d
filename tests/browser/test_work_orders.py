"""Work orders in a real browser on a real gateway: a call is taken on a phone, the desk sees it, the paper is printed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from api.access.invitations import Invitations
from api.app import create_app
from api.server import listen, serve
from gateway.books import BookOperation
from gateway.runtime import Gateway
from tests.api import scene
from tests.support.chromium import close_windows

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SITE = msgspec.structs.replace(scene.site("zh_CN"), devices={}, zones={}, checkpoints={}, routes={})
PHONE, DESK = (390, 844), (1440, 900)


class Office:
    """A served gateway and a browser."""

    def __init__(self, gateway: Gateway, browser: Browser) -> None:
        self.gateway = gateway
        self.browser = browser
        self.invitations = Invitations()
        self.app = create_app(gateway, invitations=self.invitations, heartbeat_s=0.5)
        self.url = ""
        self.mistakes: list[str] = []

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        listener = listen("127.0.0.1", 0)
        self.url = listener.url
        running = asyncio.create_task(serve(self.app, listener))
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def enter(self, size: tuple[int, int], path: str) -> Page:
        context = await self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, timezone_id="America/Lima"
        )
        page = await context.new_page()
        page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        page.on("console", lambda said: self.mistakes.append(said.text) if said.type == "error" else None)
        token = self.invitations.login("chen", "operator", self.gateway.now())
        await page.goto(f"{self.url}/login/once?token={token}")
        await page.goto(f"{self.url}{path}?lang=zh_CN")
        return page

    async def act(self, action: str, order: str | None = None, **details: Any) -> str:
        """Somebody else acts."""
        operation = BookOperation(
            at=self.gateway.now(), by="lin", book="work_order", action=action, subject=order, details=details, why="x"
        )
        after: Any = await self.gateway.operate(operation)
        return str(after.id)


@pytest_asyncio.fixture(loop_scope="session")
async def office(chromium: Browser, tmp_path: Path) -> AsyncIterator[Office]:
    async with Gateway(SITE, tmp_path) as gateway:
        found = Office(gateway, chromium)
        async with found.served():
            yield found
            await close_windows(chromium)
    assert found.mistakes == []


async def fits(page: Page) -> None:
    """Nothing is cut off or scrolls sideways."""
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_call_is_taken_on_a_phone_and_goes_its_way(office: Office) -> None:
    page = await office.enter(PHONE, "/work-orders/new")
    await page.get_by_label("内容").fill("厨房水龙头漏水")
    await page.get_by_label("地点").select_option("tower-1/f03")
    await page.get_by_label("房号").fill("302")
    await page.get_by_label("报修人").fill("张女士")
    await page.get_by_label("电话").fill("13800000000")
    await page.get_by_label("急修：30 分钟内到场").check()
    await fits(page)
    await page.get_by_role("button", name="登记并开单").click()
    await expect(page.locator("h2").first).to_have_text("1号楼 3层 · 302")
    await expect(page.locator("[data-due]")).to_have_text("还剩 30 分")
    await page.get_by_role("button", name="派单").click()
    await page.locator("#do-assign").get_by_label("派给").select_option(label="刘师傅")
    await page.locator("#do-assign").get_by_role("button", name="确定").click()
    await expect(page.locator(".head-line")).to_contain_text("已派单")
    site_now = datetime.now(UTC).astimezone(SITE.zone_info)
    await page.get_by_role("button", name="到场").click()
    await page.locator("#do-arrive").get_by_label("时间").fill(f"{site_now - timedelta(days=1):%Y-%m-%dT%H:%M}")
    await page.locator("#do-arrive").get_by_role("button", name="确定").click()
    await expect(page.locator("#do-arrive .error")).to_contain_text("未完成：所填时间不能早于")
    office.mistakes.clear()  # the browser notes the refused request
    await page.locator("#do-arrive").get_by_label("时间").fill("")
    await page.locator("#do-arrive").get_by_role("button", name="确定").click()
    await expect(page.locator(".head-line")).to_contain_text("已到场")
    await expect(page.locator(".proof").first).to_contain_text("刘师傅")
    await fits(page)


async def test_a_gateway_that_does_not_answer_is_told_in_words_and_the_form_can_be_sent_again(office: Office) -> None:
    page = await office.enter(PHONE, "/work-orders/new")
    await page.route("**/api/v1/work-orders", lambda route: route.abort())
    await page.get_by_label("内容").fill("水管漏水")
    await page.get_by_role("button", name="登记并开单").click()
    await expect(page.locator(".report-form .error")).to_have_text("未完成：网关没有应答，请检查网络后再试。")
    office.mistakes.clear()  # the browser notes the lost request
    await page.unroute("**/api/v1/work-orders")
    await page.get_by_role("button", name="登记并开单").click()
    await expect(page.locator(".order-words")).to_have_text("水管漏水")


async def test_a_button_pressed_before_the_scripts_run_is_not_lost(office: Office) -> None:
    order = await office.act("report", personal="k")
    page = await office.enter(DESK, "/work-orders")
    held = asyncio.Event()

    async def late(route: Route) -> None:
        await held.wait()
        await route.continue_()

    await page.route("**/static/orders.js", late)
    await page.goto(f"{office.url}/work-orders/{order}", wait_until="commit")
    await page.get_by_role("button", name="到场").click()
    await expect(page.locator("#do-arrive")).not_to_be_visible()
    held.set()
    await expect(page.locator("#do-arrive")).to_be_visible()


async def test_a_form_opened_while_the_page_is_asked_for_again_stays_open(office: Office) -> None:
    order = await office.act("report", personal="k")
    page = await office.enter(DESK, f"/work-orders/{order}")
    asked, held = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        asked.set()
        await held.wait()
        await route.continue_()

    await page.route("**/work-orders/*part=1*", late)
    await office.act("comment", order)
    await asked.wait()
    await page.get_by_role("button", name="到场").click()
    await page.locator("#do-arrive textarea").fill("换灯管")
    async with page.expect_response("**/work-orders/*part=1*"):
        held.set()
    asked.clear()
    await expect(page.locator("#do-arrive textarea")).to_have_value("换灯管")
    await page.locator("#do-arrive [data-back]").click()
    async with asyncio.timeout(10):
        await asked.wait()  # what changed is shown once the form is closed


async def test_a_time_typed_is_the_sites_not_the_browsers(office: Office) -> None:
    order = await office.act("report", personal="k", at=(datetime.now(UTC) - timedelta(hours=2)).isoformat())
    page = await office.enter(DESK, f"/work-orders/{order}")
    said = (datetime.now(UTC) - timedelta(hours=1)).astimezone(SITE.zone_info)
    await page.get_by_role("button", name="到场").click()
    await page.locator("#do-arrive").get_by_label("时间").fill(f"{said:%Y-%m-%dT%H:%M}")
    await page.locator("#do-arrive").get_by_role("button", name="确定").click()
    await expect(page.locator(".proof").first).to_contain_text(f"{said:%m-%d %H:%M}")


async def test_what_others_do_appears_on_the_desks_list(office: Office) -> None:
    page = await office.enter(DESK, "/work-orders")
    await expect(page.locator(".empty")).to_contain_text("没有待处理的维修单")
    order = await office.act("report", personal="k", place="garage", urgency="emergency")
    row = page.locator(f"[data-key='{order}']")
    await expect(row).to_contain_text("地下车库")
    await expect(row).to_contain_text("还剩")
    await office.act("cancel", order)
    await expect(page.locator(".quiet").locator(f"[data-key='{order}']")).to_contain_text("已取消")


async def test_paper_and_ledger_fit_their_sheets(office: Office) -> None:
    order = await office.act("report", personal="k", place="garage")
    page = await office.enter(DESK, f"/work-orders/{order}/print")
    paper = await page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1, "the paper order is one sheet"
    for path in (f"/work-orders/{order}/print", "/work-orders/ledger"):
        phone = await office.enter(PHONE, path)
        await fits(phone)
