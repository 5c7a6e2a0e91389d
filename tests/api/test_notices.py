"""Who was told, when, how and with which result: through the API and on the alert's page; and the test of a contact."""

from __future__ import annotations

import re
from typing import Any

import httpx
import msgspec
import pytest

from api.console.told import said
from gateway.alerts.alert import AlertTransition, Transition
from gateway.instants import MINUTE, SECOND, instant, moment
from gateway.site.model import Alerting, Contact, Webhook
from tests.api.conftest import LogIn
from tests.api.fake_gateway import FakeGateway
from tests.api.scene import NOW
from tests.outbox.receiver import Answer, Receiver

NOTICES = "/api/v1/notices"
ALERT = "circuit_fault/c-t2-b/1"
AT = instant(NOW)


@pytest.fixture
async def told(gateway: FakeGateway) -> FakeGateway:
    """A journal with notices in every state: sent after a failure, held, given up, not told, a report, a duty check to come."""
    alert = gateway.judgement.alerts.alert(ALERT)
    assert alert is not None
    row = Transition(at=moment(AT, gateway.site.zone_info), before=None, after="open", by="rule:x", why="raised")
    body = msgspec.json.encode(AlertTransition(alert=alert, transition=row))
    insert = "INSERT INTO notice (seq, key, created, contact, alert, kind, title, body, attempts, next_try, held) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
    rows = [
        (2, ALERT, "captain", "raised", 2, None, None),
        (3, ALERT, "manager", "raised", 0, AT + 60 * MINUTE, "quiet"),
        (4, ALERT, "gone", "raised", 1, None, None),
        (5, ALERT, "manager", "resolved", 0, None, "never_told"),
        (6, "report/day:2026-11-22", "manager", "report", 0, AT, None),
        (7, "duty_check/captain", "captain", "raised", 0, AT, None),
    ]
    attempts = [(2, AT, 0, "the receiver answers 503"), (2, AT + 20 * SECOND, 1, "accepted (204)"), (4, AT, 0, "no")]
    await gateway.write([
        ("INSERT INTO alert_transition VALUES (1, ?, ?, 'open', ?)", (AT, ALERT, body)),
        *(
            (insert, (seq, f"k{seq}", AT, contact, about, kind, f"title {seq}", "王强", tried, due, held))
            for seq, about, contact, kind, tried, due, held in rows
        ),
        *(("INSERT INTO notice_attempt (notice, at, ok, detail) VALUES (?,?,?,?)", each) for each in attempts),
    ])  # fmt: skip
    return gateway


async def items(client: httpx.AsyncClient, **wanted: Any) -> list[dict[str, Any]]:
    answer = await client.get(NOTICES, params=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_every_notice_with_its_state_and_every_attempt(told: FakeGateway, log_in: LogIn) -> None:
    found = await items(await log_in("manager"))
    assert [(each["id"], each["state"], each["held"]) for each in found] == [
        (7, "waiting", None),
        (6, "waiting", None),
        (5, "not_told", "never_told"),
        (4, "given_up", None),
        (3, "held", "quiet"),
        (2, "sent", None),
    ]
    assert [(each["ok"], each["said"]) for each in found[-1]["attempts"]] == [
        (False, "the receiver answers 503"),
        (True, "accepted (204)"),
    ]
    assert found[-1]["alert"] == ALERT
    assert found[1]["alert"] is None
    assert found[3]["how"] == "gone"


async def test_by_alert_contact_and_state_page_by_page(told: FakeGateway, operator: httpx.AsyncClient) -> None:
    assert [each["id"] for each in await items(operator, alert=ALERT, contact="manager")] == [5, 3]
    for state, ids in {"sent": [2], "held": [3], "given_up": [4], "not_told": [5], "retrying": []}.items():
        assert [each["id"] for each in await items(operator, state=state)] == ids
    seen, cursor = [], None
    while True:
        page = (await operator.get(NOTICES, params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [each["id"] for each in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert seen == [6, 5, 4, 3, 2]


async def test_a_duty_check_to_come_is_known_only_to_who_may_see_all_checks(told: FakeGateway, log_in: LogIn) -> None:
    for role, known in (
        ("viewer", False),
        ("maintenance", False),
        ("operator", False),
        ("manager", True),
        ("admin", True),
    ):
        found = await items(await log_in(role))  # type: ignore[arg-type]
        assert (7 in [each["id"] for each in found]) is known, role


async def test_who_may_not_see_names_sees_no_text(told: FakeGateway, log_in: LogIn) -> None:
    assert {each["body"] for each in await items(await log_in("viewer"))} == {None}
    assert {each["body"] for each in await items(await log_in("operator"))} == {"王强"}


async def test_the_alerts_page_says_who_was_told(told: FakeGateway, operator: httpx.AsyncClient) -> None:
    page = await operator.get(f"/alerts/{ALERT}", params={"lang": "en"})
    assert page.status_code == 200
    for words in ("Who was told", "captain", "the receiver answers 503", "accepted 204", "quiet hours", "not sent"):
        assert words in page.text
    assert page.text.index("captain") < page.text.index("manager")


async def test_times_of_another_night_stand_with_their_date_and_what_was_sent_much_later_says_so(
    told: FakeGateway, operator: httpx.AsyncClient
) -> None:
    page = (await operator.get(f"/alerts/{ALERT}", params={"lang": "en"})).text
    times = re.findall(r"<time datetime=[^>]*>([^<]*)</time><span class=\"by\">", page)
    assert times
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d", time) for time in times), "tonight's without"
    assert "told later" not in page
    await told.write([
        ("UPDATE notice SET created = ? WHERE seq = 2", (AT - 6 * 24 * 60 * MINUTE,)),
    ])  # fmt: skip
    page = (await operator.get(f"/alerts/{ALERT}", params={"lang": "en"})).text
    before = moment(AT - 6 * 24 * 60 * MINUTE, told.site.zone_info)
    assert f">{before:%m-%d %H:%M:%S}</time>" in page
    assert page.count("told later") == 1


async def test_a_link_to_an_alert_that_is_long_over_still_opens(told: FakeGateway, operator: httpx.AsyncClient) -> None:
    old = msgspec.json.decode(msgspec.json.encode(told.judgement.alerts.alert(ALERT)))
    told.old_alerts.append(old | {"id": "circuit_fault/c-t2-b/0"})
    assert (await operator.get("/alerts/circuit_fault/c-t2-b/0")).status_code == 200


@pytest.fixture
async def receiver(gateway: FakeGateway) -> Any:
    async with Receiver() as made:
        hook = Webhook(url=f"http://127.0.0.1:{made.port}/in", secret="s")
        contacts = {"dispatch": Contact(id="dispatch", webhook=hook, language="en")}
        gateway.site = gateway.scene.site = msgspec.structs.replace(gateway.site, alerting=Alerting(contacts=contacts))
        yield made


async def test_a_contact_is_tested_and_the_audit_knows(receiver: Receiver, gateway: FakeGateway, log_in: LogIn) -> None:
    manager = await log_in("manager")
    answer = await manager.post("/api/v1/contacts/dispatch/test")
    assert answer.json() == {"contact": "dispatch", "ok": True, "said": "accepted (204)"}
    posted = msgspec.json.decode(receiver.received[0].body)
    assert posted["test"]
    assert "TEST" in posted["title"]
    audit = "SELECT who, subject, outcome, detail FROM audit WHERE action = 'contact.test'"
    assert await gateway.query(audit, ()) == [("test-manager", "dispatch", "done", "accepted (204)")]
    assert (await manager.post("/api/v1/contacts/dispatch/test")).status_code == 429
    assert len(receiver.received) == 1
    gateway.ahead += 11 * SECOND
    receiver.answer = lambda _: Answer(401)
    answer = await manager.post("/api/v1/contacts/dispatch/test")
    assert answer.json() == {"contact": "dispatch", "ok": False, "said": "the receiver answers 401"}
    assert (await gateway.query(audit, ()))[-1][2] == "failed"


async def test_only_managers_and_administrators_test_contacts(receiver: Receiver, operator: httpx.AsyncClient) -> None:
    assert (await operator.post("/api/v1/contacts/dispatch/test")).status_code == 403
    assert receiver.received == []


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ("shown on the console", "控制台已显示"),
        ("accepted", "接收方已接收"),
        ("accepted (204)", "接收方已接收 204"),
        ("no answer within 30 s; given up after 24 h", "30 秒内无应答 · 24 小时后停止重试"),
        ("the receiver answers 503", "接收方返回 503"),
        ("the receiver answers 401: unknown key", "接收方返回 401：unknown key"),
        ("the receiver answers 302, a redirect, which is not followed", "接收方返回 302（重定向），未跟随"),
        ("cannot be reached (ClientConnectorError)", "无法连接（ClientConnectorError）"),
        ("the site file has no such contact any more", "站点文件中已无此联系人"),
        ("errcode 93000, invalid webhook url", "errcode 93000, invalid webhook url"),
    ],
)
def test_the_gateways_own_words_are_the_readers(detail: str, words: str) -> None:
    assert said("zh_CN", detail) == words
    assert said("en", detail).startswith(detail.partition(" (")[0].partition(";")[0])
