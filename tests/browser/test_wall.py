"""Wall mode: legible at 3 m on 1080p and 4K, pages that turn and can be stopped, an ended session told at full size, sound."""

from __future__ import annotations

import re

import msgspec
import pytest
from playwright.async_api import Page, expect

from gateway.rules.findings import Lamp
from gateway.site import model
from tests.api import scene
from tests.api.fake_gateway import FakeGateway
from tests.browser.test_console import CONTRAST, Room, room
from tests.browser.test_plan import DRAWN_CONTRAST

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

__all__ = ["room"]

HD, UHD = (1920, 1080), (3840, 2160)

MATTERS = (
    ".floor-tile h3 a, .map .patch-name, .map-head .legend li, .alert .what a, .alert .what p, .alert .age, "
    ".alert .badge, .alert .state, .round-list .start, .round-list .verdict, .head h2, #clock, #date, #live b"
)


async def on_the_wall(room: Room, size: tuple[int, int] = HD, language: str = "zh_CN") -> Page:
    page = await room.enter(size=size, language=language)
    await page.goto(f"{room.url}/?wall=1")
    await expect(page.locator("#live")).to_have_attribute("data-state", "live")
    return page


def many_floors(gateway: FakeGateway, towers: int = 14) -> None:
    """Give the site so many towers that they cannot stand on one wall."""
    places = dict(gateway.site.places)
    lamps = dict(gateway.site.lamps)
    for tower in range(10, 10 + towers):
        places[f"tower-{tower}"] = model.Place(id=f"tower-{tower}", name=f"{tower}号楼")
        for floor in range(1, 7):
            place = f"tower-{tower}/f{floor:02}"
            places[place] = model.Place(id=place, name=f"{floor}层")
            lamps[f"l-{tower}-{floor}"] = model.Lamp(
                id=f"l-{tower}-{floor}", place=place, expected=model.Expected(mode="always")
            )
    gateway.scene.site = gateway.site = msgspec.structs.replace(gateway.site, places=places, lamps=lamps)
    known = {lamp.id for lamp in gateway.scene.lamps}
    gateway.scene.lamps += [Lamp(id=lamp, state="ok", expected_on=True) for lamp in lamps if lamp not in known]


@pytest.mark.parametrize(("size", "least"), [(HD, 23.5), (UHD, 47)])
@pytest.mark.parametrize("language", ["zh_CN", "en"])
async def test_what_matters_is_large_enough_to_be_read_from_3_m(
    room: Room, size: tuple[int, int], least: float, language: str
) -> None:
    page = await on_the_wall(room, size, language)
    sizes = await page.eval_on_selector_all(
        MATTERS,
        "all => all.filter(each => each.checkVisibility()).map(each => [parseFloat(getComputedStyle(each).fontSize), each.textContent.trim()])",
    )
    assert len(sizes) > 20
    assert [each for each in sizes if each[0] < least] == []
    overflow = (
        "[document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight]"
    )
    assert max(await page.evaluate(overflow)) <= 0
    assert await page.locator("nav.pages").count() == 0


async def test_text_on_the_wall_has_enough_contrast(room: Room) -> None:
    page = await on_the_wall(room)
    assert await page.evaluate(CONTRAST) == []
    assert await page.evaluate(DRAWN_CONTRAST) == []


async def test_floors_that_do_not_fit_come_in_turn_and_the_turning_can_be_stopped(room: Room) -> None:
    from api.app import create_app

    many_floors(room.gateway)
    room.app = create_app(room.gateway, invitations=room.invitations, heartbeat_s=0.5)
    async with room.served():
        page = await room.enter(size=HD)
        await page.clock.install()
        await page.goto(f"{room.url}/?wall=1")
        at = page.locator("[data-map-at]")
        await expect(at).to_have_text(re.compile(r"^1/[2-9]$"))
        pages = (await at.text_content() or "").partition("/")[2]
        first = await page.locator(".floor-tile:visible").first.get_attribute("data-key")
        await page.clock.fast_forward(15_500)
        await expect(at).to_have_text(f"2/{pages}")
        assert await page.locator(".floor-tile:visible").first.get_attribute("data-key") != first
        await page.keyboard.press("p")
        await expect(page.locator("[data-map-pause]")).to_have_attribute("aria-pressed", "true")
        await page.clock.fast_forward(60_000)
        await expect(at).to_have_text(f"2/{pages}")
        await page.locator('[data-map-page="-1"]').click()
        await expect(at).to_have_text(f"1/{pages}")
        await page.context.close()


async def test_who_wants_less_motion_turns_the_pages_himself(room: Room) -> None:
    from api.app import create_app

    many_floors(room.gateway)
    room.app = create_app(room.gateway, invitations=room.invitations, heartbeat_s=0.5)
    async with room.served():
        page = await room.enter(size=HD)
        await page.emulate_media(reduced_motion="reduce")
        await page.clock.install()
        await page.goto(f"{room.url}/?wall=1")
        at = page.locator("[data-map-at]")
        await expect(at).to_have_text(re.compile(r"^1/[2-9]$"))
        await page.clock.fast_forward(60_000)
        await expect(at).to_have_text(re.compile("^1/"))
        await page.locator('[data-map-page="1"]').click()
        await expect(at).to_have_text(re.compile("^2/"))
        await page.context.close()


async def test_an_ended_session_is_told_over_the_whole_wall(room: Room) -> None:
    page = await on_the_wall(room)
    await room.gateway.write([("DELETE FROM sessions", ())])
    room.gateway.ahead += 60_000_000
    ended = page.locator("#ended")
    await expect(ended).to_be_visible(timeout=10_000)
    box = await ended.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == HD


async def test_the_wall_says_whether_the_screen_stays_awake_and_can_be_left(room: Room) -> None:
    page = await on_the_wall(room, language="en")
    await expect(page.locator("#awake [data-awake]:visible")).to_have_count(1)
    await page.keyboard.press("w")
    await expect(page.locator("nav.pages")).to_be_visible()
    await expect(page.locator("#live")).to_have_attribute("data-state", "live")
    await page.keyboard.press("w")
    await expect(page.locator("body.wall")).to_be_visible()


async def test_a_new_critical_alert_sounds_on_the_wall(room: Room) -> None:
    page = await room.enter(size=HD)
    await page.add_init_script(
        "window.tones = 0; const make = AudioContext.prototype.createOscillator; AudioContext.prototype.createOscillator = function () { window.tones += 1; return make.call(this); };"
    )
    await page.goto(f"{room.url}/?wall=1")
    await expect(page.locator("#live")).to_have_attribute("data-state", "live")
    await page.keyboard.press("m")
    await expect(page.locator('#sound [data-sound="on"]')).to_be_visible()
    assert await page.evaluate("window.tones") == 4
    room.panic()
    await expect(page.locator('.alerts > .alert[data-severity="critical"]').filter(has_text="wand-1")).to_be_visible()
    assert await page.evaluate("window.tones") == 8


async def test_an_alert_is_acknowledged_from_the_wall_by_the_keyboard(room: Room) -> None:
    page = await on_the_wall(room)
    await page.keyboard.press("j")
    await page.keyboard.press("a")
    await expect(page.locator(".alerts > .alert").first).to_have_attribute("data-state", "acknowledged")
    assert scene.SIGNALS
