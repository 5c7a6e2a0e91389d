"""Details of the audit history in words: ours are translated, what people wrote stays."""

from __future__ import annotations

import httpx
import pytest

from api.console.audited import audited
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


async def test_the_audit_page_says_how_somebody_came_in(log_in: LogIn) -> None:
    admin: httpx.AsyncClient = await log_in("admin")
    page = (await admin.get("/audit", params={"lang": "zh_CN"})).text
    assert "一次性链接" in page
    assert "one-time link" not in page
