"""The guard's phone page in a real browser on a real gateway: with a network, without one, and back."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Response, expect

from api.access.invitations import Invitations
from api.app import create_app
from api.phone import page as phone_page
from api.server import listen, serve
from gateway.instants import MINUTE
from gateway.rules.findings import Visit as Judged
from gateway.runtime import Gateway
from gateway.site.model import RoundRule, Route, Visit
from tests.browser.test_console import CONTRAST
from tests.phone.night import GATE, ROOF, account, signed, site
from tests.support.chromium import close_windows

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SIZE = {"width": 390, "height": 844}
WORKER_READY = "() => navigator.serviceWorker.ready.then(() => true)"
SHOTS = os.environ.get("LAMPLIGHTER_PHONE_PICTURES")


class Ward:
    """A served gateway with a round that has just begun, and browsers on phones."""

    def __init__(self, gateway: Gateway, browser: Browser) -> None:
        self.gateway = gateway
        self.browser = browser
        self.invitations = Invitations()
        self.app = create_app(gateway, invitations=self.invitations)
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

    async def context(self, **more: Any) -> BrowserContext:
        return await self.browser.new_context(
            viewport=SIZE, device_scale_factor=2, has_touch=True, is_mobile=True, **more
        )

    async def enter(self, context: BrowserContext, *, person: str | None = "g-wang", language: str = "zh_CN") -> Page:
        """Somebody logs in; the page is ready, and works without a network from now on."""
        page = await context.new_page()
        page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        page.on("console", lambda said: self.mistakes.append(said.text) if "Content Security" in said.text else None)
        await self.know(context, person)
        await page.goto(f"{self.url}/phone?lang={language}")
        await expect(page.locator("#sync")).to_have_attribute("data-state", "received")
        await page.evaluate(WORKER_READY)
        await page.reload()
        await expect(page.locator("#sync")).to_have_attribute("data-state", "received")
        return page

    async def log_in(self, page: Page, person: str | None) -> None:
        """Somebody opens his link; the page of his phone follows."""
        await page.goto(await self.link(person))

    async def know(self, context: BrowserContext, person: str | None) -> None:
        """The log-in alone: the page that follows it would begin a phone, and be left before it hears which."""
        answer = await context.request.get(await self.link(person), max_redirects=0)
        assert answer.status == 303, answer.status

    async def link(self, person: str | None) -> str:
        name = f"u-{person}"
        await self.gateway.write(account(name, "guard", person, self.gateway.now()))
        return f"{self.url}/login/once?token={self.invitations.login(name, 'guard', self.gateway.now())}"

    def visit(self, checkpoint: str) -> Judged:
        (found,) = [
            each
            for each in self.gateway.judgement.engine.rounds.rounds()
            if each.start - datetime.now(each.start.tzinfo) < timedelta(hours=1)
        ]
        return next(each for each in found.visits if each.checkpoint == checkpoint)

    async def reads(self) -> list[tuple[str, int | None]]:
        rows = await self.gateway.archive.observations(kind="tag_read", limit=99)
        return [(row.device, row.n) for row in rows][::-1]


@pytest_asyncio.fixture(loop_scope="session")
async def ward(chromium: Browser, tmp_path: Path) -> AsyncIterator[Ward]:
    begins = (datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(minutes=1)).replace(second=0, microsecond=0)
    stops = tuple(
        Visit(checkpoint=name, after=minutes * MINUTE) for name, minutes in (("gate", 2), ("roof", 4), ("pump", 25))
    )
    which = site(
        routes={"r": Route(id="r", visits=stops)},
        rounds=(RoundRule(route="r", days=frozenset(range(7)), starts=(begins.time(),), lasts=40 * MINUTE),),
    )
    async with Gateway(which, tmp_path) as gateway:
        ward = Ward(gateway, chromium)
        async with ward.served():
            yield ward
            await close_windows(chromium)
    assert ward.mistakes == []


async def picture(page: Page, name: str) -> None:
    if SHOTS:
        await page.wait_for_timeout(200)
        await page.screenshot(path=Path(SHOTS) / f"{name}.png")


@pytest.mark.parametrize("language", ["zh_CN", "en"])
async def test_a_tag_on_the_wall_is_opened_and_received(ward: Ward, language: str) -> None:
    page = await ward.enter(await ward.context(), language=language)
    await expect(page.locator(".next .place")).to_have_text("南门")
    await picture(page, f"round-{language}")
    await page.goto(f"{ward.url}/t/{GATE}")
    await expect(page.locator(".point.received")).to_have_count(1)
    assert page.url == f"{ward.url}/phone"
    visit = ward.visit("gate")
    assert (visit.verdict, visit.person) == ("on_time", "g-wang")
    await expect(page.locator(".next .place")).to_have_text("天台")
    await expect(page.locator("#sync-words")).to_contain_text("全部收到" if language == "zh_CN" else "all received")
    await picture(page, f"received-{language}")
    await page.reload()
    await expect(page.locator("#sync")).to_have_attribute("data-state", "received")
    assert len(await ward.reads()) == 1, "loading the page again is no second tap"


@pytest.mark.parametrize("language", ["zh_CN", "en"])
async def test_taps_without_a_network_are_kept_over_a_reload_and_arrive_once(ward: Ward, language: str) -> None:
    context = await ward.context()
    page = await ward.enter(context, language=language)
    await context.set_offline(True)
    await page.goto(f"{ward.url}/t/{GATE}")
    await expect(page.locator("#sync")).to_have_attribute("data-kept", "1")
    await page.goto(f"{ward.url}/t/{ROOF}?q=1")
    await expect(page.locator("#sync")).to_have_attribute("data-kept", "2")
    await expect(page.locator("#sync-words")).to_contain_text(
        "存在手机里" if language == "zh_CN" else "kept on this phone"
    )
    await page.reload()
    await expect(page.locator("#sync")).to_have_attribute("data-kept", "2")
    await expect(page.locator(".points .point")).to_have_count(3)
    await picture(page, f"offline-{language}")
    assert await ward.reads() == []
    await context.set_offline(False)
    await expect(page.locator("#sync")).to_have_attribute("data-state", "received")
    await expect(page.locator("#sync")).to_have_attribute("data-kept", "0")
    await expect(page.locator(".point.received")).to_have_count(2)
    assert [n for _, n in await ward.reads()] == [1, 2]
    assert {ward.visit(name).verdict for name in ("gate", "roof")} == {"on_time"}
    await picture(page, f"back-{language}")


async def test_without_a_network_the_phone_knows_which_point_was_tapped(ward: Ward) -> None:
    context = await ward.context()
    page = await ward.enter(context)
    await context.set_offline(True)
    await page.goto(f"{ward.url}/t/{GATE}")
    await expect(page.locator(".point.kept")).to_have_count(1)
    await expect(page.locator(".point.kept .name")).to_have_text("南门")
    await expect(page.locator(".next .place")).to_have_text("天台")
    await expect(page.locator("#kept")).to_contain_text("南门")
    await picture(page, "kept")


@pytest.mark.parametrize("way", ["touch", "keyboard"])
async def test_a_call_for_help_is_held_and_says_when_the_gateway_has_it(ward: Ward, way: str) -> None:
    context = await ward.context()
    page = await ward.enter(context, language="en")
    button = page.locator("#panic")
    await button.hover()
    await page.mouse.down()
    await page.mouse.up()
    await expect(page.locator("#panic-dialog")).to_be_hidden()
    await context.set_offline(True)
    await hold(page, way)
    words = page.locator("#panic-words")
    await expect(words).to_contain_text("NOT received yet")
    await picture(page, f"panic-{way}")
    assert not called(ward)
    await context.set_offline(False)
    await expect(words).to_contain_text("The gateway has your call")
    assert [(alert.severity, alert.state) for alert in called(ward)] == [("critical", "open")]
    await picture(page, f"panic-received-{way}")
    await page.locator("#panic-over").click()
    await expect(page.locator("#flash")).to_contain_text("The call is over")
    assert not [alert for alert in called(ward) if alert.state == "open"]


async def hold(page: Page, way: str) -> None:
    if way == "touch":
        await page.locator("#panic").hover()
        await page.mouse.down()
    else:
        await page.locator("#panic").focus()
        await page.keyboard.down("Enter")
    await expect(page.locator("#panic")).to_have_class("holding")
    await expect(page.locator("#panic-dialog")).to_be_visible()
    await (page.mouse.up() if way == "touch" else page.keyboard.up("Enter"))


def called(ward: Ward) -> list[Any]:
    return [alert for alert in ward.gateway.judgement.alerts.alerts() if alert.rule == "panic"]


async def test_what_was_seen_is_reported_with_a_picture_that_says_nothing_of_the_camera(ward: Ward) -> None:
    context = await ward.context()
    page = await ward.enter(context)
    await context.set_offline(True)
    await page.locator("#incident").click()
    await page.get_by_text("漏水", exact=True).click()
    await page.locator("[name=checkpoint]").select_option("pump")
    await page.locator("[name=words]").fill("阀门在滴水")
    await page.locator("[name=picture]").set_input_files(
        {"name": "p.png", "mimeType": "image/png", "buffer": big_picture()}
    )
    await expect(page.locator("#picture-shown canvas")).to_be_visible()
    await picture(page, "incident")
    await page.locator("#incident-form [type=submit]").click()
    await expect(page.locator("#sync")).to_have_attribute("data-kept", "1")
    await page.reload()
    await expect(page.locator("#sync")).to_have_attribute("data-kept", "1")
    await context.set_offline(False)
    await expect(page.locator("#sync-words")).to_contain_text("已全部收到")
    (row,) = await ward.gateway.archive.observations(kind="incident", limit=9)
    said = json.loads(row.body)
    assert (said["text"], said["checkpoint"]) == ("漏水: 阀门在滴水", "pump")
    ((body,),) = await ward.gateway.query("SELECT body FROM personal WHERE key = ?", (f"incident/{said['photo']}",))
    kept = base64.b64decode(json.loads(body)["data"])
    assert kept.startswith(b"\xff\xd8\xff")
    assert len(kept) <= 300_000
    assert b"Exif" not in kept


def big_picture() -> bytes:
    """A PNG of 3000 × 2000 points that no picture made small can be like byte for byte."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    width, height = 3000, 2000
    row = b"\0" + bytes(column * 7 % 256 for column in range(width * 3))
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    exif = chunk(b"eXIf", b"Exif\0\0MM\0*")
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + exif
        + chunk(b"IDAT", zlib.compress(row * height))
        + chunk(b"IEND", b"")
    )


async def test_what_one_guard_left_on_a_phone_is_his_when_another_logs_in(ward: Ward) -> None:
    context = await ward.context()
    page = await ward.enter(context)
    await context.set_offline(True)
    await page.goto(f"{ward.url}/t/{GATE}")
    await expect(page.locator("#sync")).to_have_attribute("data-kept", "1")
    await page.close()
    await context.set_offline(False)
    page = await ward.enter(context, person="g-li")
    await expect(page.locator("#who")).to_have_text("李明")
    await page.goto(f"{ward.url}/t/{ROOF}")
    await expect(page.locator(".point.received")).to_have_count(2)
    assert (ward.visit("gate").person, ward.visit("roof").person) == ("g-wang", "g-li")
    assert len({device for device, _ in await ward.reads()}) == 2


async def test_a_log_in_by_link_is_asked_about_before_anything_is_recorded(ward: Ward) -> None:
    context = await ward.context()
    page = await ward.enter(context)
    await ward.log_in(page, "g-li")
    await page.goto(f"{ward.url}/t/{GATE}")
    await expect(page.locator("#who")).to_have_text("李明")
    await expect(page.locator(".point.received")).to_have_count(1)
    assert ward.visit("gate").person == "g-li"


async def test_an_address_longer_than_any_tag_holds_keeps_no_other_tap_from_going(ward: Ward) -> None:
    context = await ward.context()
    page = await ward.enter(context)
    await context.set_offline(True)
    await page.goto(f"{ward.url}/t/x?long={'a' * 70_000}")
    await expect(page.locator("#sync")).to_have_attribute("data-kept", "1")
    await page.goto(f"{ward.url}/t/{GATE}")
    await expect(page.locator("#sync")).to_have_attribute("data-kept", "2")
    await context.set_offline(False)
    await expect(page.locator(".point.received")).to_have_count(1)
    await expect(page.locator("#sync")).to_have_attribute("data-kept", "0")
    assert len(await ward.gateway.archive.quarantine(limit=9)) == 1


async def test_two_windows_that_open_at_once_are_one_phone(ward: Ward) -> None:
    context = await ward.context()
    pages = [await context.new_page() for _ in range(3)]
    await ward.know(context, "g-wang")
    await asyncio.gather(*(page.goto(f"{ward.url}/phone") for page in pages))
    for page in pages:
        await expect(page.locator("#sync")).to_have_attribute("data-state", "received")
    assert len(ward.gateway.enrolled) == 1


NO_PICTURES = """() => {
    const before = window.fetch;
    window.fetch = (path, ...more) => (`${path}`.includes("/photos") ? Promise.reject(new TypeError("no network")) : before(path, ...more));
}"""


async def test_a_picture_that_one_guard_left_goes_when_another_is_logged_in(ward: Ward) -> None:
    context = await ward.context()
    page = await ward.enter(context)
    await page.evaluate(NO_PICTURES)
    await page.locator("#incident").click()
    await page.get_by_text("漏水", exact=True).click()
    await page.locator("input[name=picture]").set_input_files(
        {"name": "p.png", "mimeType": "image/png", "buffer": await page.screenshot()}
    )
    await expect(page.locator("#picture-shown canvas")).to_be_visible()
    await page.locator("#incident-form [type=submit]").click()
    await expect(page.locator("#sync-words")).to_contain_text("照片")
    await page.close()
    await ward.enter(context, person="g-li")
    for _ in range(50):
        if found := await ward.gateway.query("SELECT key FROM personal WHERE key LIKE 'incident/%'", ()):
            break
        await asyncio.sleep(0.1)
    assert len(found) == 1


async def test_a_session_that_ended_loses_nothing(ward: Ward) -> None:
    context = await ward.context()
    page = await ward.enter(context)
    await context.clear_cookies(name="lamplighter")
    await page.goto(f"{ward.url}/t/{GATE}")
    await expect(page.locator("#sync")).to_have_attribute("data-state", "login")
    await expect(page.locator("#sync")).to_have_attribute("data-kept", "1")
    await picture(page, "session-ended")
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.dismiss()))
    await page.locator("#leave button").click()
    assert page.url == f"{ward.url}/phone", "leaving is asked about while something is kept"
    await ward.log_in(page, "g-wang")
    await page.goto(f"{ward.url}/phone")
    await expect(page.locator(".point.received")).to_have_count(1)
    assert len(await ward.reads()) == 1
    assert len(ward.gateway.enrolled) == 1, "it is the same phone"


async def test_the_first_load_is_small_and_everything_touched_is_large(ward: Ward) -> None:
    context = await ward.context()
    page = await context.new_page()
    sizes: dict[str, int] = {}

    async def weigh(response: Response) -> None:
        if response.status == 200 and response.request.method == "GET":
            sizes[response.url] = len(await response.body())

    await ward.log_in(page, "g-wang")
    await page.goto("about:blank")
    context.on("response", weigh)
    await page.goto(f"{ward.url}/phone")
    await expect(page.locator("#sync")).to_have_attribute("data-state", "received")
    await page.evaluate(WORKER_READY)
    assert any(url.endswith("phone.js") for url in sizes)
    assert sum(sizes.values()) <= 200_000, sizes
    for box in await page.locator("button:visible, a:visible, summary:visible").all():
        size = await box.bounding_box()
        assert size is not None
        assert size["height"] >= 44, await box.inner_text()
        assert size["width"] >= 44, await box.inner_text()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_tap_that_no_round_wants_is_told_kindly_and_nothing_moves_under_the_finger(ward: Ward) -> None:
    page = await ward.enter(await ward.context())
    summary = page.locator(".round summary")
    await summary.click()
    await summary.focus()
    await page.goto(f"{ward.url}/t/{GATE}")
    await expect(page.locator(".point.received")).to_have_count(1)
    await page.goto(f"{ward.url}/t/04FFFFFFFF0001")
    await expect(page.locator("#flash")).to_contain_text("此标签未登记")
    await expect(page.locator("#unserved")).to_contain_text("登记后仍然有效")
    summary = page.locator(".round summary")
    await summary.focus()
    await page.wait_for_timeout(1500)
    await expect(summary).to_be_focused()


async def test_a_new_version_of_the_page_comes_without_losing_what_is_kept(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = await ward.context()
    async with ward.served():
        page = await ward.enter(context)
        assert await page.evaluate("caches.keys()") != ["phone-another"]
    await page.goto(f"{ward.url}/t/{GATE}")
    await expect(page.locator("#sync")).to_have_attribute("data-kept", "1")
    await expect(page.locator("#sync")).to_have_attribute("data-state", "offline")
    monkeypatch.setattr(phone_page, "_version", lambda: "another")
    ward.app = create_app(ward.gateway, invitations=ward.invitations)
    async with ward.served(int(ward.url.rpartition(":")[2])):
        await page.reload()
        await expect(page.locator(".point.received")).to_have_count(1)
        async with asyncio.timeout(10):
            while await page.evaluate("caches.keys()") != ["phone-another"]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await page.reload()
        await expect(page.locator(".point.received")).to_have_count(1)
    assert len(await ward.reads()) == 1


NFC = """() => {
  window.NDEFReader = class {
    scan() { window.tag = (message, serialNumber) => this.onreading({ message, serialNumber }); return Promise.resolve(); }
  };
}"""


async def test_a_tag_is_read_by_the_page_itself_where_the_browser_can(ward: Ward) -> None:
    context = await ward.context()
    await context.add_init_script(f"({NFC})()")
    page = await ward.enter(context)
    await page.locator("#nfc").click()
    await expect(page.locator("#nfc")).to_have_attribute("aria-pressed", "true")
    await page.evaluate("window.tag({ records: [] }, '04:a1:b2:c3:d4:00:01')")
    await expect(page.locator(".point.received")).to_have_count(1)
    url = signed(7)
    await page.evaluate(
        "(url) => window.tag({ records: [{ recordType: 'url', data: new DataView(new TextEncoder().encode(url).buffer) }] }, '04:11')",
        url,
    )
    await expect(page.locator("#done li")).to_have_count(2)
    (read,) = [json.loads(row.body) for row in await ward.gateway.archive.observations(kind="tag_read", limit=1)]
    assert (read["method"], read["counter"], read["person"]) == ("sun", 7, "g-wang")


QR = """() => {
  window.BarcodeDetector = class {
    static getSupportedFormats() { return Promise.resolve(["qr_code"]); }
    detect(video) { return Promise.resolve(video.readyState >= 2 && window.code ? [{ rawValue: window.code }] : []); }
  };
}"""


async def test_a_code_is_looked_for_by_the_camera_and_marked_as_such(ward: Ward) -> None:
    context = await ward.context(permissions=["camera"])
    await context.add_init_script(f"({QR})()")
    page = await ward.enter(context)
    await page.locator("#qr").click()
    await expect(page.locator("#qr-video")).to_be_visible()
    await page.evaluate("(code) => { window.code = code; }", f"{ward.url}/t/{GATE}?q=1")
    await expect(page.locator(".point.received")).to_have_count(1)
    await expect(page.locator("#qr-dialog")).to_be_hidden()
    (row,) = await ward.gateway.archive.observations(kind="tag_read", limit=9)
    assert json.loads(row.body)["method"] == "qr"
    assert await page.evaluate("document.querySelector('#qr-video').srcObject === null"), "the camera is off again"


async def test_every_state_is_legible_and_nothing_runs_over_the_edge(ward: Ward) -> None:
    context = await ward.context()
    page = await ward.enter(context)
    await page.goto(f"{ward.url}/t/04FFFFFFFF0001")
    await expect(page.locator("#unserved li")).to_have_count(1)
    assert await page.evaluate(CONTRAST) == []
    await context.set_offline(True)
    await page.goto(f"{ward.url}/t/{GATE}")
    await expect(page.locator("#sync")).to_have_attribute("data-kept", "1")
    assert await page.evaluate(CONTRAST) == []
    for width in (320, 195):
        await page.set_viewport_size({"width": width, "height": 600})
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width
    await picture(page, "narrow")


async def test_a_call_that_was_not_received_stays_in_sight_and_goes_first_after_a_reload(ward: Ward) -> None:
    context = await ward.context()
    page = await ward.enter(context)
    await context.set_offline(True)
    await page.goto(f"{ward.url}/t/{GATE}")
    await expect(page.locator("#sync")).to_have_attribute("data-kept", "1")
    await hold(page, "touch")
    await page.reload()
    await expect(page.locator("#sync-words")).to_contain_text("紧急求助还没有收到")
    await context.set_offline(False)
    await expect(page.locator("#sync-words")).to_contain_text("已全部收到")
    rows = await ward.gateway.archive.observations(limit=99)
    assert [row.kind for row in rows if row.kind in {"panic", "tag_read"}][::-1] == ["panic", "tag_read"]
