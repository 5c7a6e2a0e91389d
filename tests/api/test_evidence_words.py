"""What a verdict or an alert rests on is said in words: which round, which checkpoint, which reader, when."""

from __future__ import annotations

import re
from datetime import datetime
from html import unescape

import httpx
import pytest

from api.console.evidenced import evidenced
from gateway.instants import instant
from gateway.rules.findings import Signal
from tests.api import scene
from tests.api.fake_gateway import FakeGateway

SITE = scene.site("zh_CN")
AT = datetime(2026, 11, 22, 23, 5, 10, tzinfo=SITE.zone_info)
ROUND = "night@2026-11-22T23:00+08:00"


@pytest.mark.parametrize(
    ("key", "words", "href"),
    [
        (f"visit:{ROUND}#5", "线路 night 11-22 23:00 · 第 5 点", "/rounds/night%402026-11-22T23%3A00%2B08%3A00#visit-5"),
        (f"wand-1/tag_read/{instant(AT)}", "11-22 23:05:10 · wand-1 · 读卡", "/devices/wand-1"),
        ("wand-1/b7/5", "wand-1 · 第 5 条记录", "/devices/wand-1"),
        ("gone/b7/5", "gone · 第 5 条记录", None),
        ("somebody wrote this", "somebody wrote this", None),
    ],
)  # fmt: skip
def test_a_key_is_said_in_words(key: str, words: str, href: str | None) -> None:
    found = evidenced(SITE, key, "zh_CN")
    assert (found.words, found.href, found.key) == (words, href, key)


def test_a_numbered_record_has_its_time_where_the_round_tells_it() -> None:
    assert (
        evidenced(SITE, "wand-1/b7/5", "zh_CN", times={"wand-1/b7/5": AT}).words
        == "11-22 23:05:10 · wand-1 · 第 5 条记录"
    )


async def test_an_alert_names_the_checkpoint_of_a_visit_and_leads_to_it(
    operator: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    walked = next(each for each in gateway.judgement.engine.rounds.rounds() if len(each.visits) > 1)
    key = f"visit:{walked.id}#{walked.visits[1].position}"
    at = gateway.now()
    gateway.judgement.alerts.signal(
        Signal(rule="round_missed", subject=walked.id, action="raise", at=at, raised=at), (key,)
    )
    alert = next(each for each in gateway.judgement.alerts.alerts() if each.subject == walked.id)
    page = unescape((await operator.get(f"/alerts/{alert.id}", params={"lang": "zh_CN"})).text)
    found = re.search(r'<ul class="rests-on"><li><a href="([^"]+)">([^<]+)</a>', page)
    assert found is not None
    assert found[1].endswith(f"#visit-{walked.visits[1].position}")
    assert "第 2 点 地下车库" in found[2]
    assert page.count(key) == 1
