"""Rows of an alert's history in words: what the book writes is read, what people write stays."""

from __future__ import annotations

import pytest

from api.console.history import reason
from tests.alerts.estate import Post


@pytest.mark.parametrize(
    ("why", "zh", "en"),
    [
        ("step 2: captain", "第 2 级上报 · 通知 队长", "Level 2 · told captain"),
        ("step 3, repeat 1: manager, li", "第 3 级上报 · 第 1 次重复 · 通知 项目经理, li", "Level 3 · repeat 1 · told manager, li"),
        ("step 2: li (duty:captain c-li)", "第 2 级上报 · 通知 li · 当班队长：c-li", "Level 2 · told li · captain on duty: c-li"),
        ("step 2 (duty:captain nobody on duty)", "第 2 级上报 · 队长无人当班", "Level 2 · no captain on duty"),
        ("step 2 (duty:captain no contact: c-he)", "第 2 级上报 · 当班队长没有联系方式：c-he", "Level 2 · captain on duty without a contact: c-he"),
        ("reminder after 1h: captain", "1h 后提醒 队长", "reminder after 1h to captain"),
        ("round_missed", "巡更漏检", "Round missed"),
        ("silence/3: 已知", "静默 3: 已知", "Silence 3: 已知"),
        ("maintenance/1: breaker", "计划检修 1: breaker", "Planned work 1: breaker"),
        ("silence_ended", "静默已结束，恢复通知", "Silence over, told again"),
        ("verified", "传感器确认已恢复", "Sensor confirms it is well"),
        ("step aside (please)", "step aside (please)", "step aside (please)"),
    ],
)  # fmt: skip
def test_a_row_says_what_was_done(why, zh, en):
    assert reason("zh_CN", why) == zh
    if why != "verified":
        assert reason("en", why) == en


def test_every_step_that_the_book_writes_is_read():
    post = Post().signal("raise", rule="camera_offline", subject="cam-2").at(24 * 60)
    written = [row.transition.why for row in post.rows if row.transition.why.startswith("step")]
    assert len(written) > 5
    for why in written:
        assert reason("zh_CN", why).startswith("第 "), why


def test_people_on_duty_are_called_by_their_names():
    why = "step 2: captain (duty:captain c-li, c-he; duty:manager no contact: h-zhou)"
    names = {"c-li": "李队", "h-zhou": "周经理"}
    said = reason("zh_CN", why, lambda person: names.get(person, person))
    assert said == "第 2 级上报 · 通知 队长 · 当班队长：李队, c-he · 当班经理没有联系方式：周经理"
