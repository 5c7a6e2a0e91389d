"""Details of the audit history in words: ours are translated, what people wrote stays."""

from __future__ import annotations

import re

import httpx
import pytest

from api.console.audited import acted_on, actions, audited
from api.console.languages import LANGUAGES, Language, table
from tests.api import scene
from tests.api.conftest import LogIn


@pytest.mark.parametrize(
    ("action", "detail", "said"),
    [
        ("session.begin", "one-time link", "一次性链接"),
        ("account.add", "admin", "系统管理员"),
        ("chain.begin", "12 rows from before the chain were taken in", "校验链开始前的 12 行已纳入"),
        ("silence.create", "place:garage: 刷漆", "place:garage: 刷漆"),
    ],
)
def test_a_detail_is_said_in_words(action: str, detail: str, said: str) -> None:
    assert audited("zh_CN", action, detail) == said


@pytest.mark.parametrize(
    ("action", "detail", "said"),
    [
        (
            "work_order.repair",
            "the work order is assigned: record the arrival first",
            "维修单现为“已派单”，请先登记到场",
        ),
        ("duty.create", "gao is on that shift already", "高本来就在该班次"),
        ("session.begin", "wrong name or password", "账号或密码错误"),
        ("alert.ack", "somebody wrote this", "somebody wrote this"),
    ],
)
def test_why_a_step_was_refused_is_said_in_words(action: str, detail: str, said: str) -> None:
    assert audited("zh_CN", action, detail, "refused", lambda person: {"gao": "高"}.get(person, person)) == said


def test_why_a_device_was_cleared_names_what_was_the_matter() -> None:
    assert audited("zh_CN", "device.clear", "frozen: 已看过") == "画面冻结：已看过"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_group_and_every_action_of_the_books_has_a_word(language: Language) -> None:
    offered = actions(language)
    codes = {code for _, those in offered for code, _ in those}
    assert not [group for group, _ in offered if group.islower() and "_" in group]
    assert all(f"audit_group.{code.partition('.')[0]}" in table(language) for code in codes)
    assert {"duty_check.extra", "duty_check.finding", "duty_check.withdraw", "score.appeal", "score.publish"} <= codes
    assert {"account.", "account.add", "work_order.", "work_order.repair", "alert.ack"} <= codes


@pytest.mark.parametrize(
    ("action", "subject", "words", "href"),
    [
        ("alert.ack", "zone_blind/z-b2/1", "盲区 · 地下车库 负二层（z-b2）", "/alerts/zone_blind%2Fz-b2%2F1"),
        ("alert.ack", "round_missed/night@2026-11-22T23:00+08:00/1", "巡更漏检 · 线路 night 11-22 23:00", "/alerts/round_missed%2Fnight%402026-11-22T23%3A00%2B08%3A00%2F1"),
        ("work_order.close", "20261127-001", "20261127-001", "/work-orders/20261127-001"),
        ("work_order.report", "", "", None),
        ("device.disable", "wand-1", "wand-1", "/devices/wand-1"),
        ("device.disable", "gone", "gone", None),
        ("alert.ack", "typed wrong", "typed wrong", None),
        ("account.add", "chen", "chen", None),
    ],
)  # fmt: skip
def test_what_was_acted_on_is_said_in_words_and_leads_to_its_page(
    action: str, subject: str, words: str, href: str | None
) -> None:
    found = acted_on(scene.site("zh_CN"), action, subject, "zh_CN")
    assert (found.words, found.href, found.key) == (words, href, subject)


async def test_the_audit_page_names_an_alert_and_leads_to_it(log_in: LogIn) -> None:
    admin = await log_in("admin")
    alert = "zone_blind/z-b2/1"
    assert (await admin.post(f"/api/v1/alerts/{alert}/ack", json={})).status_code == 200
    page = (await admin.get("/audit", params={"lang": "zh_CN"})).text
    assert re.search(r'<a href="/alerts/zone_blind%2Fz-b2%2F1">盲区 · [^<]*（z-b2）</a>', page)
    assert f'<span class="sub mono">{alert}</span>' in page


async def test_the_action_is_chosen_from_a_list_by_its_name(log_in: LogIn) -> None:
    admin = await log_in("admin")
    page = (await admin.get("/audit", params={"lang": "zh_CN", "action": "session."})).text
    assert '<option value="session." selected>登录（全部）</option>' in page
    assert '<option value="work_order.repair">' in page
    assert "一次性链接" in page
    assert "<option selected>odd.</option>" in (await admin.get("/audit", params={"action": "odd."})).text


async def test_the_audit_page_says_how_somebody_came_in(log_in: LogIn) -> None:
    admin: httpx.AsyncClient = await log_in("admin")
    page = (await admin.get("/audit", params={"lang": "zh_CN"})).text
    assert "一次性链接" in page
    assert "one-time link" not in page
