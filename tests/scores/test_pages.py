"""The pages of duty checks and scores in a real browser: a guard appeals, the manager decides, on desk and phone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from api.server import listen, serve
from tests.scores.conftest import Estate
from tests.support.chromium import ARGUMENTS, CHROMIUM

pytestmark = pytest.mark.browser

DESK, PHONE = (1440, 900), (390, 844)


class Console:
    def __init__(self, estate: Estate, browser: Browser, url: str) -> None:
        self.estate, self.browser, self.url = estate, browser, url
        self.mistakes: list[str] = []

    async def enter(self, name: str, role, path: str, size=DESK, language: str = "zh_CN") -> Page:
        context = await self.browser.new_context(viewport={"width": size[0], "height": size[1]})
        page = await context.new_page()
        page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        page.on("console", lambda said: self.mistakes.append(said.text) if "Content Security" in said.text else None)
        token = self.estate.invitations.login(name, role, self.estate.gateway.now())
        await page.goto(f"{self.url}/login/once?token={token}")
        await page.goto(f"{self.url}{path}{'&' if '?' in path else '?'}lang={language}")
        return page

    async def shot(self, page: Page, name: str) -> None:
        width = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert width <= 0, "nothing is wider than the screen"
        if folder := os.environ.get("LAMPLIGHTER_SCREENSHOTS"):
            await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@asynccontextmanager
async def opened(estate: Estate) -> AsyncIterator[Console]:
    listener = listen("127.0.0.1", 0)
    running = asyncio.create_task(serve(estate.app, listener))
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            console = Console(estate, browser, listener.url)
            yield console
            await browser.close()
            assert console.mistakes == []
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def night(estate: Estate) -> None:
    """A missed point; an extra check passed, one with the guard absent."""
    await estate.go(61)
    await estate.tap("rdr", "00000002")
    await estate.go(60)
    captain = await estate.enter("c-li", "operator")
    for tags in (("00000001", "00000002"), ("00000001",)):
        await captain.post("/api/v1/duty-checks", json={"check": "captain", "post": "cp"})
        await estate.go(1)
        for tag in tags:
            await estate.tap("rdr", tag)
        await estate.go(40)
    boss = await estate.enter("boss", "manager")
    mark = {"item": "inspection", "points": 1.5, "words": "门岗值班记录不全"}
    assert (await boss.post("/api/v1/scores/marks", json=mark)).status_code == 200


async def test_a_guard_appeals_and_the_manager_decides(estate) -> None:
    await night(estate)
    async with opened(estate) as console:
        guard = await console.enter("g-he", "guard", "/scores", PHONE)
        await console.shot(guard, "scores-guard-phone-0")
        deduction = guard.locator(".deductions li").filter(has_text="漏检")
        await deduction.get_by_text("申诉", exact=True).first.click()
        await deduction.locator("textarea").fill("到过，读卡器未响")
        await console.shot(guard, "scores-guard-phone")
        await deduction.get_by_role("button", name="申诉").click()
        await expect(guard.locator(".a-open")).to_contain_text("到过，读卡器未响")

        boss = await console.enter("boss", "manager", "/scores")
        await expect(boss.locator(".total b")).to_have_text("96")
        await console.shot(boss, "scores-desk")
        appeal = boss.locator(".a-open")
        await appeal.get_by_text("处理", exact=True).click()
        await appeal.locator("textarea").fill("录像核实，本人在场")
        await appeal.get_by_role("button", name="确定").click()
        await expect(boss.locator(".a-accepted")).to_contain_text("录像核实，本人在场")
        await expect(boss.locator(".total b")).to_have_text("96.5")
        await expect(boss.locator(".deductions .cancelled")).to_contain_text("申诉成立")
        await boss.get_by_role("button", name="公布").click()
        await expect(boss.locator("ol.history li")).to_have_count(1)
        await console.shot(boss, "scores-decided-desk")
        english = await console.enter("boss2", "admin", "/scores?period=2026", language="en")
        await expect(english.locator("h3").first).to_have_text("Self-rating and papers")
        await console.shot(english, "scores-year-desk-en")


async def test_the_manager_enters_what_an_inspection_found_and_each_click_sends_once(estate) -> None:
    await night(estate)
    async with opened(estate) as console:
        boss = await console.enter("boss", "manager", "/scores")
        sent: list[str] = []
        boss.on("request", lambda asked: sent.append(asked.url) if asked.method == "POST" else None)
        form = boss.locator('form:has(select[name="item"])')
        await boss.locator('details:has(select[name="item"]) > summary').click()
        await form.locator('input[name="points"]').fill("2")
        await form.locator('[name="words"]').fill("岗亭灭火器过期")
        await form.locator("button").click()
        await expect(boss.locator(".deductions")).to_contain_text(["岗亭灭火器过期"])
        await expect(boss.locator(".total b")).to_have_text("94")
        await boss.get_by_role("button", name="公布").click()
        await expect(boss.locator("ol.history li")).to_have_count(1)
        assert [url.partition("?")[0].rpartition("/")[2] for url in sent] == ["marks", "publish"]


async def test_a_finding_is_entered_from_the_phone_with_a_picture(estate, tmp_path) -> None:
    await night(estate)
    picture = tmp_path / "post.png"
    async with opened(estate) as console:
        page = await console.enter("c-li", "operator", "/duty-checks", PHONE)
        await page.screenshot(path=picture)
        check = page.locator(".check").first
        await expect(check).to_contain_text("无人应答")
        await check.get_by_text("登记发现的问题").click()
        await check.locator("select[name=code]").select_option("absent")
        await check.locator("textarea").fill("岗亭无人")
        await check.locator("input[type=file]").set_input_files(picture)
        await check.get_by_role("button", name="登记").click()
        await expect(page.locator(".findings")).to_contain_text("岗亭无人")
        await console.shot(page, "duty-phone")
        boss = await console.enter("boss", "manager", "/duty-checks")
        await expect(boss.locator(".findings a")).to_have_text("照片")
        await expect(boss.locator(".assess-table tbody tr")).to_have_count(1)
        await boss.locator(".plans summary").click()
        await console.shot(boss, "duty-desk")
        english = await console.enter("boss2", "manager", "/duty-checks", language="en")
        await console.shot(english, "duty-desk-en")
