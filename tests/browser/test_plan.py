"""The protection map in a real browser: places open beside it, by hand and by keyboard; it follows what is told; nothing scrolls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from api.access.invitations import Invitations
from api.app import create_app
from gateway.rules.findings import Zone
from gateway.site import model
from tests.api import scene
from tests.api.fake_gateway import FakeGateway
from tests.browser.test_console import CONTRAST, SIZES, Room
from tests.support.chromium import close_windows

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

DRAWING = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 200" onload="document.title=1">'
    b"<script>document.documentElement.remove()</script><rect width='400' height='200' fill='none' stroke='#222'/></svg>"
)


def with_plan(folder: Path) -> FakeGateway:
    """A gateway whose garage has a plan that would run a script if it could."""
    (folder / "garage.svg").write_bytes(DRAWING)
    shapes = (
        model.Shape(kind="place", id="garage", points=((0, 0), (200, 0), (200, 200), (0, 200))),
        model.Shape(kind="place", id="garage/b2", points=((200, 0), (400, 0), (400, 200), (200, 200))),
        model.Shape(kind="camera", id="cam-b2-1", points=((310, 160),)),
    )
    plan = model.Plan(
        place="garage",
        image=str(folder / "garage.svg"),
        media_type="image/svg+xml",
        left=0,
        top=0,
        width=400,
        height=200,
        shapes=shapes,
    )
    return FakeGateway(scene.Scene(site=msgspec.structs.replace(scene.site(), plans={"garage": plan})))


@pytest_asyncio.fixture(loop_scope="session")
async def room(chromium: Browser, tmp_path: Path) -> AsyncIterator[Room]:
    gateway, invitations = with_plan(tmp_path), Invitations()
    app = create_app(gateway, invitations=invitations, heartbeat_s=0.5)
    room = Room(gateway, chromium, invitations, app)
    async with room.served():
        yield room
        await close_windows(chromium)
    assert room.mistakes == []


def tile(page: Page, key: str):
    return page.locator(f'.floor-tile[data-key="{key}"]')


@pytest.mark.parametrize("how", ["click", "keyboard"])
async def test_a_place_opens_beside_the_map_and_the_focus_comes_back(room: Room, how: str) -> None:
    page = await room.enter(language="en")
    place = page.locator('.patch[data-key="patch garage/b2"]')
    if how == "click":
        await place.click()
    else:
        await place.focus()
        await page.keyboard.press("Enter")
    panel = page.locator("#panel")
    await expect(panel.locator(".place")).to_contain_text("Blind")
    await expect(panel).to_contain_text("cam-b2-1")
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await expect(place).to_be_focused()


async def test_a_script_in_a_plan_does_not_run_in_the_map_nor_alone(room: Room) -> None:
    page = await room.enter()
    title = await page.title()
    await expect(page.locator(".map-plan image")).to_be_visible()
    assert await page.title() == title
    await page.goto(f"{room.url}/plans/garage")
    assert await page.evaluate("document.documentElement !== null && document.querySelector('rect') !== null")


async def test_a_place_changes_on_the_map_as_soon_as_it_is_told(room: Room) -> None:
    page = await room.enter()
    gate = page.locator('.patch[data-key="patch gate"]')
    await expect(gate).not_to_have_class("patch box p-blind")
    room.gateway.scene.zones = [Zone(id="z-gate", state="blind", ok=0, need=1)]
    room.gateway.events.publish("zone", room.gateway.scene.zones[0])
    await expect(gate).to_have_class("patch box p-blind")
    await expect(tile(page, "building gate").locator("h3 .letter")).to_have_text("盲")


async def test_one_building_alone_fills_the_map_and_stays_chosen_when_it_is_fetched_again(room: Room) -> None:
    page = await room.enter()
    await page.locator('button[data-building="tower-2"]').click()
    await expect(page.locator(".floor-tile:visible")).to_have_count(1)
    room.gateway.events.publish("lamp", room.gateway.scene.lamps[0])
    async with page.expect_response(lambda answer: answer.url.endswith("/console/plan")):
        pass
    await expect(page.locator(".floor-tile:visible")).to_have_count(1)
    await page.locator('button[data-building=""]').click()
    await expect(page.locator(".floor-tile:visible")).to_have_count(6)


async def test_floors_with_trouble_stand_first(room: Room) -> None:
    page = await room.enter()
    troubled = await page.eval_on_selector_all(
        ".floor-tile", "tiles => tiles.map(tile => tile.classList.contains('trouble'))"
    )
    assert troubled == sorted(troubled, reverse=True)
    assert any(troubled)


@pytest.mark.parametrize("size", [(1440, 900), (1920, 1080)])
@pytest.mark.parametrize("language", ["zh_CN", "en"])
async def test_map_alerts_and_rounds_share_the_screen_without_scrolling(
    room: Room, size: tuple[int, int], language: str
) -> None:
    page = await room.enter(size=size, language=language, role="admin")
    bar = await page.locator(".bar").bounding_box()
    assert bar is not None
    assert bar["height"] < 60
    assert await page.evaluate("document.documentElement.scrollHeight - innerHeight") <= 0
    for part in ("#plan", "#alerts", "#rounds", "#zones"):
        box = await page.locator(part).bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + min(box["height"], 60) <= size[1]
        assert box["width"] > 250
    inside = await page.evaluate("(map => map.scrollHeight - map.clientHeight)(document.querySelector('.map'))")
    assert inside <= 1


async def test_text_of_the_map_and_of_a_place_has_enough_contrast(room: Room) -> None:
    page = await room.enter(language="en")
    assert await page.evaluate(CONTRAST) == []
    assert await page.evaluate(DRAWN_CONTRAST) == []
    await page.goto(f"{room.url}/places/garage/b2?lang=en")
    assert await page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("deficiency", ["achromatopsia", "deuteranopia", "protanopia", "tritanopia"])
async def test_states_are_told_apart_without_colour(room: Room, deficiency: str) -> None:
    """Every state that is wrong has a letter of its own and a pattern of its own, whoever looks."""
    page = await room.enter(language="en")
    session = await page.context.new_cdp_session(page)
    await session.send("Emulation.setEmulatedVisionDeficiency", {"type": deficiency})
    letters = await page.eval_on_selector_all(".map-head .letter", "all => all.map(each => each.textContent)")
    assert len(set(letters)) == len(letters) == 6
    fills = await page.eval_on_selector_all(
        ".patch > polygon, .patch.box > svg > rect",
        "all => all.map(each => [[...each.closest('.patch').classList].find(name => name.startsWith('p-')), each.getAttribute('fill')])",
    )
    assert all(name.startswith(("url(#map-", "p-")) for pair in fills for name in pair)
    shown = await page.eval_on_selector_all(
        ".patch.box.p-dark", "all => all.map(each => each.querySelector('.chip-of text')?.textContent)"
    )
    assert shown
    assert set(shown) == {"D"}


async def test_in_the_hand_the_map_stands_below_the_alerts_and_nothing_runs_over_the_edge(room: Room) -> None:
    page = await room.enter(size=SIZES["phone"])
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    tops = [
        await page.locator(part).evaluate("part => part.getBoundingClientRect().top")
        for part in ("#alerts", "#plan", "#rounds")
    ]
    assert tops == sorted(tops)
    await page.locator('.patch[data-key="patch garage/b2"]').click()
    await expect(page.locator("#panel .place")).to_be_visible()


async def test_a_menu_of_the_bar_closes_on_escape_and_on_a_click_elsewhere(room: Room) -> None:
    page = await room.enter()
    menu = page.locator("details.menu").first
    await menu.locator("summary").click()
    await expect(menu).to_have_attribute("open", "")
    await page.keyboard.press("Escape")
    await expect(menu).not_to_have_attribute("open", "")
    await expect(menu.locator("summary")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(menu).to_have_attribute("open", "")
    await page.locator("#clock").click()
    await expect(menu).not_to_have_attribute("open", "")


DRAWN_CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const f = (v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
  };
  const ratio = (one, other) => {
    const [a, b] = [light(parse(one)), light(parse(other))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const poor = [];
  for (const chip of document.querySelectorAll(".map .chip-of, .map .map-badge, .map .mark, .map .spot-lamp")) {
    const text = chip.querySelector("text");
    const shape = chip.querySelector("rect, polygon, circle, path");
    if (!text?.textContent.trim() || !shape) continue;
    const found = ratio(getComputedStyle(text).fill, getComputedStyle(shape).fill);
    if (found < 4.5) poor.push(`${chip.getAttribute("class")}: ${text.textContent} ${found.toFixed(2)}`);
  }
  for (const name of document.querySelectorAll(".map .patch-name, .map .merged")) {
    const style = getComputedStyle(name);
    const under = style.stroke === "none" ? "rgb(12, 18, 24)" : style.stroke;
    if (ratio(style.fill, under) < 4.5) poor.push(`${name.textContent} ${style.fill} ${under}`);
  }
  return [...new Set(poor)];
}"""


COVERED = """() => [...document.querySelectorAll('.box .patch-name')].filter(name => {
  const right = name.getBoundingClientRect().right;
  const points = [...name.closest('a').querySelectorAll('.mark, .spot-lamp, .spot-camera')];
  return points.some(point => { const box = point.getBoundingClientRect(); return box.width > 0 && box.left < right; });
}).map(name => name.textContent)"""


async def test_where_a_site_has_many_buildings_their_floors_names_are_not_covered(room: Room) -> None:
    page = await room.enter()
    narrow = "() => document.querySelector('.map').style.setProperty('grid-template-columns', 'repeat(9, 6.5rem)')"
    await page.evaluate(narrow)
    assert await page.locator(".box .patch-name").count() > 10
    assert await page.evaluate(COVERED) == []
