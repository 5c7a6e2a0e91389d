"""Details of the audit history in words: ours are translated, what people wrote stays."""

from __future__ import annotations

import httpx
import pytest

from api.console.audited import actions, audited
from api.console.languages import LANGUAGES, Language, table
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
