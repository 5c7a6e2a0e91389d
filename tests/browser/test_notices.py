"""Who was told, on the alert's page in a real browser, on desk and phone."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from playwright.async_api import expect

from gateway.instants import MINUTE, SECOND, instant
from gateway.site.model import Alerting, Contact, Webhook
from tests.api.scene import NOW
from tests.browser.test_console import SIZES, Room, room

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

__all__ = ["room"]

ALERT = "circuit_fault/c-t2-b/1"
AT = instant(NOW)


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_the_alerts_page_says_who_was_told_and_fits(room: Room, size: str) -> None:
    insert = (
        "INSERT INTO notice (seq, key, created, contact, alert, kind, title, body, attempts, next_try, held) "
        "VALUES (?,?,?,?,?,'raised','t','b',?,?,?)"
    )
    await room.gateway.write([
        (insert, (2, "k2", AT, "captain", ALERT, 2, None, None)),
        (insert, (3, "k3", AT, "manager", ALERT, 0, AT + 60 * MINUTE, "quiet")),
        (insert, (4, "k4", AT, "dispatch", ALERT, 1, AT + 30 * SECOND, None)),
        *(
            ("INSERT INTO notice_attempt (notice, at, ok, detail) VALUES (?,?,?,?)", row)
            for row in (
                (2, AT, 0, "no answer within 30 s"),
                (2, AT + 40 * SECOND, 1, "accepted"),
                (4, AT, 0, 'the receiver answers 401: {"error":"this_is_one_very_long_word_without_any_place_to_break_it_at"}'),
            )
        ),
    ])  # fmt: skip
    contacts = {
        "captain": Contact(id="captain", url="json://x"),
        "manager": Contact(id="manager", console=True),
        "dispatch": Contact(id="dispatch", webhook=Webhook(url="https://x", secret="s")),
    }
    room.gateway.site = room.gateway.scene.site = replace(room.gateway.site, alerting=Alerting(contacts=contacts))
    page = await room.enter(size=SIZES[size])
    await page.goto(f"{room.url}/alerts/{ALERT}")
    rows = page.locator(".told > li")
    await expect(rows).to_have_count(3)
    await expect(rows.nth(0)).to_contain_text("已送达")
    await expect(rows.nth(1)).to_contain_text("免打扰时段")
    await expect(rows.nth(2)).to_contain_text("重试")
    for row in await rows.all():
        assert await row.evaluate("row => row.scrollWidth <= row.clientWidth")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert room.mistakes == []
