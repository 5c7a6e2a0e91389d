"""The console in a real browser on a real server: what the operator does at night."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request, expect

from api.access.invitations import Invitations
from api.access.roles import Role
from api.app import create_app
from api.console.room import TOLD_SHOWN
from api.server import listen, serve
from gateway.alerts.alert import Operation
from gateway.instants import SECOND
from gateway.rules.findings import Signal
from tests.api import scene
from tests.api.fake_gateway import FakeGateway
from tests.support.chromium import close_windows

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

DESK = (1366, 768)
SIZES = {"wall": (1920, 1080), "desk": DESK, "phone": (390, 844)}


class Room:
    """A served console and a browser."""

    def __init__(self, gateway: FakeGateway, browser: Browser, invitations: Invitations, app: Any) -> None:
        self.gateway = gateway
        self.browser = browser
        self.invitations = invitations
        self.app = app
        self.url = ""
        self.mistakes: list[str] = []

    @asynccontextmanager
    async def served(self, port: int = 0) -> AsyncIterator[None]:
        listener = listen("127.0.0.1", port)
        self.url = listener.url
        running = asyncio.create_task(serve(self.app, listener))
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def enter(self, *, size: tuple[int, int] = DESK, language: str = "zh_CN", role: Role = "operator") -> Page:
        context = await self.browser.new_context(viewport={"width": size[0], "height": size[1]})
        page = await context.new_page()
        page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        page.on("console", lambda said: self.mistakes.append(said.text) if "Content Security" in said.text else None)
        token = self.invitations.login("chen", role, self.gateway.now())
        await page.goto(f"{self.url}/login/once?token={token}")
        await page.goto(f"{self.url}/?lang={language}")
        await expect(page.locator("#live")).to_have_attribute("data-state", "live")
        return page

    def panic(self, subject: str = "wand-1") -> None:
        """A guard calls for help."""
        now = self.gateway.now()
        self.gateway.signal(Signal(rule="panic", subject=subject, action="raise", at=now, raised=now))


@pytest_asyncio.fixture(loop_scope="session")
async def room(chromium: Browser) -> AsyncIterator[Room]:
    gateway, invitations = FakeGateway(), Invitations()
    app = create_app(gateway, invitations=invitations, heartbeat_s=0.5)
    room = Room(gateway, chromium, invitations, app)
    async with room.served():
        yield room
        await close_windows(chromium)
    assert room.mistakes == []


async def test_a_live_alert_appears_and_is_acknowledged_by_the_keyboard(room: Room) -> None:
    page = await room.enter(size=SIZES["wall"], language="en")
    rows = page.locator(".alerts > .alert")
    await expect(rows).to_have_count(len(scene.SIGNALS))
    room.panic()
    panic = rows.filter(has_text="wand-1").filter(has_text="Panic")
    await expect(panic).to_be_visible()
    await expect(page.locator("#told")).to_contain_text("New alert: Critical Panic")
    assert (await page.title()).startswith(f"({len(scene.SIGNALS) + 1}) ")
    await page.keyboard.press("j")
    await expect(panic.locator("a")).to_be_focused()
    await page.keyboard.press("a")
    await expect(panic).to_have_attribute("data-state", "acknowledged")
    await expect(panic.locator("a")).to_be_focused()
    assert [(operation.action, operation.by) for operation in room.gateway.operated] == [("ack", "chen")]
    if shot := os.environ.get("LAMPLIGHTER_SCREENSHOT"):
        await page.wait_for_timeout(3200)
        await page.screenshot(path=Path(shot))


async def test_in_a_long_list_only_what_is_new_is_announced_and_all_are_counted(room: Room) -> None:
    now = room.gateway.now()
    for number in range(2 * TOLD_SHOWN):
        room.gateway.judgement.alerts.signal(
            Signal(rule="panic", subject=f"w{number:03}", action="raise", at=now, raised=now)
        )
    page = await room.enter(language="en")
    rows = page.locator(".alerts > .alert")
    await expect(rows).to_have_count(TOLD_SHOWN)
    assert (await page.title()).startswith(f"({2 * TOLD_SHOWN + len(scene.SIGNALS)}) ")
    room.gateway.stopped_clock = True
    room.gateway.ahead = now + SECOND - room.gateway.now()
    await room.gateway.operate(Operation(at=room.gateway.now(), by="li", action="ack", alert="panic/w000/1"))
    await expect(page.locator(f'[data-key="panic/w{TOLD_SHOWN:03}/1"]')).to_be_visible()
    await expect(page.locator('[data-key="panic/w000/1"]')).to_have_count(0)
    assert await page.locator("#told").text_content() == ""
    assert (await page.title()).startswith(f"({2 * TOLD_SHOWN + len(scene.SIGNALS) - 1}) ")
    room.gateway.ahead += SECOND
    room.panic("wand-1")
    await expect(rows.first).to_contain_text("wand-1")
    await expect(page.locator("#told")).to_contain_text("New alert: Critical Panic")


async def test_resolving_asks_for_a_reason_which_stands_in_the_history(room: Room) -> None:
    page = await room.enter()
    row = page.locator(".alerts > .alert").filter(has_text="c-t2-b")
    await row.get_by_role("button", name="解除").click()
    await page.locator("#reason-text").fill("已复位断路器")
    await page.get_by_role("button", name="确定").click()
    await expect(row).to_have_count(0)
    await page.locator("details[data-key=ended] summary").click()
    await page.locator("details[data-key=ended] a").click()
    await expect(page.locator("#panel .history")).to_contain_text("已复位断路器")
    await page.keyboard.press("Escape")
    await expect(page.locator("#panel")).to_be_hidden()


async def test_who_is_asked_for_a_reason_reads_which_alert_it_is(room: Room) -> None:
    page = await room.enter()
    row = page.locator(".alerts > .alert").filter(has_text="c-t2-b")
    says = await row.locator(".what p").inner_text()
    await row.locator('[data-action="resolve"]').click()
    await expect(page.locator("#reason-what")).to_contain_text(await row.locator(".what a").inner_text())
    await expect(page.locator("#reason-what")).to_contain_text(says)
    await page.keyboard.press("Escape")
    await row.locator("[data-silence]").click()
    await expect(page.locator("#quiet-what")).to_contain_text(says)
    await page.keyboard.press("Escape")
    await row.locator(".what a").click()
    await page.locator('#panel [data-action="resolve"]').click()
    await expect(page.locator("#reason-what")).to_contain_text(says)


async def test_a_reason_that_is_not_given_changes_nothing(room: Room) -> None:
    page = await room.enter()
    await page.keyboard.press("j")
    await page.keyboard.press("r")
    await expect(page.locator("#reason")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#reason")).to_be_hidden()
    assert room.gateway.operated == []


async def test_what_changed_is_fetched_again_and_nothing_else(room: Room) -> None:
    page = await room.enter()
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/console/" in request.url:
            asked.append(request.url.rpartition("/")[2])

    page.on("request", note)
    lamps = room.gateway.scene.lamps
    index = next(number for number, lamp in enumerate(lamps) if lamp.id == "lamp-t1-f03-a")
    lamps[index] = scene.Lamp(id="lamp-t1-f03-a", state="ok", expected_on=True, lit=True)
    cell = page.locator('.cell[title^="lamp-t1-f03-a"]')
    await expect(cell).to_have_class("cell l-faulty")
    room.gateway.events.publish("lamp", lamps[index])
    await expect(cell).to_have_count(0)
    await page.wait_for_timeout(1200)
    assert set(asked) == {"lights", "summary", "plan"}


async def test_the_page_says_when_it_is_not_live_and_catches_up_by_itself(room: Room) -> None:
    page = await room.enter()
    room.app.state.closing.set()
    await page.context.set_offline(True)
    banner = page.locator("#lost")
    await expect(banner).to_be_visible()
    await expect(banner).to_have_text(re.compile(r"^连接中断 · 以下为 02:4\d:\d\d 的数据$"))
    room.panic()
    await page.wait_for_timeout(300)
    await expect(page.locator(".alert").filter(has_text="紧急求助")).to_have_count(0)
    room.app.state.closing.clear()
    await page.context.set_offline(False)
    await expect(banner).to_be_hidden(timeout=10_000)
    await expect(page.locator(".alerts > .alert").filter(has_text="紧急求助")).to_be_visible()


async def test_in_the_hand_the_word_of_a_broken_connection_stays_in_sight(room: Room) -> None:
    page = await room.enter(size=SIZES["phone"])
    await page.locator(".alerts .what a").last.click()
    await expect(page.locator("#panel")).to_be_visible()
    await page.context.set_offline(True)
    room.app.state.closing.set()
    await expect(page.locator("#lost")).to_be_in_viewport()
    await expect(page.locator("#panel-close")).to_be_in_viewport()
    await page.locator("#panel-close").click()


async def test_an_ended_session_leads_back_to_the_log_in(room: Room) -> None:
    page = await room.enter()
    await room.gateway.write([("DELETE FROM sessions", ())])
    room.gateway.ahead += 60_000_000
    await expect(page.locator("#ended")).to_be_visible(timeout=10_000)
    await page.locator("#ended a").click()
    await expect(page.locator("input[name=password]")).to_be_visible()


async def test_a_round_opens_beside_the_room_with_each_visit_and_why(room: Room) -> None:
    page = await room.enter()
    await page.locator('.band[href*="T23%3A00"]').focus()
    await page.keyboard.press("Enter")
    panel = page.locator("#panel")
    await expect(panel.locator("tbody tr.v-missed")).to_contain_text("地下车库 负二层")
    await expect(panel).to_contain_text("时段内读卡器记录完整，没有有效打点")
    await page.keyboard.press("Escape")
    await expect(page.locator('.band[href*="T23%3A00"]')).to_be_focused()


async def runs_over(page: Page) -> list[str]:
    """The sizes at which the page that is open runs over the edge of the screen."""
    found = []
    for size, (width, height) in SIZES.items():
        await page.set_viewport_size({"width": width, "height": height})
        if await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") > 0:
            found.append(size)
    return found


@pytest.mark.parametrize("language", ["zh_CN", "en"])
async def test_nothing_runs_over_the_edge(room: Room, language: str) -> None:
    page = await room.enter(language=language)
    for size, (width, height) in SIZES.items():
        await page.set_viewport_size({"width": width, "height": height})
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, size
        if size != "phone":
            assert await page.evaluate("document.documentElement.scrollHeight - innerHeight") <= 0, size
        await expect(page.locator(".round-list" if size == "phone" else ".drawing")).to_be_visible()


async def test_text_has_enough_contrast(room: Room) -> None:
    page = await room.enter(language="en")
    poor = await page.evaluate(CONTRAST)
    assert poor == []


CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const f = (v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [0, 0, 0];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue.trim());
    if (!own || element.closest("svg, [hidden], template, dialog") || !element.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(element.className + ": " + element.textContent.trim().slice(0, 30));
  }
  return poor;
}"""
