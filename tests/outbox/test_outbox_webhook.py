"""Own webhooks to a real HTTP receiver: what is posted, that it verifies as the README shows, and what each answer leads to."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import DeliveryError
from gateway.instants import SECOND, instant
from gateway.outbox import retry
from gateway.outbox.about import About
from gateway.outbox.notices import compose
from gateway.outbox.retry import Retry, asked_s
from gateway.outbox.source import DueNotice
from gateway.outbox.trial import attempt, trial_message
from gateway.outbox.webhook import SIGNATURE, TIMESTAMP, WebhookNotifier
from gateway.site.model import Contact, Place, Site, Webhook
from tests.outbox.receiver import Answer, Receiver, Request

README = Path(__file__).parents[2] / "gateway" / "outbox" / "README.md"
AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
NOW = instant(AT)
SITE = Site(
    id="s",
    name="御溪花园",
    timezone="Asia/Shanghai",
    latitude=31.2,
    longitude=121.5,
    places={"gate": Place(id="gate", name="南门")},
)
CONTACT = Contact(id="dispatch", language="en")


def message(console_url: str | None = None) -> Any:
    local = AT.astimezone(SITE.zone_info)
    then = About(
        id="lamp_failure/lamp-1/2",
        rule="lamp_failure",
        subject="lamp-1",
        severity="minor",
        state="open",
        raised=local,
        detected=local,
        updated=local,
        message="…",
        place="gate",
    )
    raised = DueNotice(7, "k7", "dispatch", then.id, "raised", "Minor: lamp", "lamp-1.", NOW, about=then)
    report = DueNotice(8, "k8", "dispatch", "report/day:2026-11-21", "report", "Day", "All well.", NOW)
    return compose([raised, report], console_url)


def notifier(port: int, path: str = "/in", timeout_s: float = 5.0, **secrets: str) -> WebhookNotifier:
    webhook = Webhook(url=f"http://127.0.0.1:{port}{path}", **{"secret": "tide", **secrets})
    return WebhookNotifier(CONTACT, webhook, SITE, lambda: NOW, timeout_s)


def verified(request: Request, secret: str, now_s: float = NOW / SECOND) -> bool:
    """As a receiver does it that was written after the README."""
    found = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    room: dict[str, Any] = {}
    exec(found[1], room)
    headers = {TIMESTAMP: request.headers[TIMESTAMP.lower()], SIGNATURE: request.headers[SIGNATURE.lower()]}
    return bool(room["verified"](headers, request.body, secret, lambda: now_s))


async def refusal(answer: Answer) -> DeliveryError:
    async with Receiver(lambda _: answer) as receiver:
        with pytest.raises(DeliveryError) as caught:
            await notifier(receiver.port, timeout_s=0.2).send(message())
        assert len(receiver.received) == 1
        return caught.value


async def test_a_message_says_what_the_alert_was_and_carries_its_keys():
    async with Receiver() as receiver:
        assert await notifier(receiver.port).send(message("https://watch.example")) == "accepted (204)"
    [request] = receiver.received
    said = json.loads(request.body)
    assert said["key"] == request.headers["idempotency-key"] == message().key
    assert said["site"] == {"id": "s", "name": "御溪花园"}
    assert (said["sent"], said["test"]) == ("2026-11-22T23:00:00+08:00", False)
    alert = said["notices"][0].pop("alert")
    assert alert.pop("messages").keys() == {"zh_CN", "en"}
    assert alert == {
        "id": "lamp_failure/lamp-1/2", "rule": "lamp_failure", "subject": "lamp-1", "severity": "minor", "state": "open",
        "raised": "2026-11-22T23:00:00+08:00", "detected": "2026-11-22T23:00:00+08:00",
        "updated": "2026-11-22T23:00:00+08:00", "place": "gate", "caused_by": None,
        "url": "https://watch.example/alerts/lamp_failure/lamp-1/2",
    }  # fmt: skip
    assert [(each["key"], each["kind"]) for each in said["notices"]] == [("k7", "raised"), ("k8", "report")]
    assert said["notices"][1]["alert"] is None
    assert "https://watch.example/reports/day:2026-11-21" in said["body"]


async def test_a_receiver_written_after_the_readme_takes_what_is_ours_and_fresh():
    async with Receiver() as receiver:
        await notifier(receiver.port).send(message())
    [request] = receiver.received
    assert verified(request, "tide")
    assert not verified(request, "ebb")
    assert not verified(request._replace(body=request.body + b" "), "tide")
    stamp = {TIMESTAMP.lower(): str(NOW // SECOND + 1)}
    assert not verified(request._replace(headers=request.headers | stamp), "tide")
    assert verified(request, "tide", NOW / SECOND + 300)
    assert not verified(request, "tide", NOW / SECOND + 301)


async def test_while_secrets_are_changed_both_verify():
    async with Receiver() as receiver:
        await notifier(receiver.port, second_secret="ebb").send(message())
    [request] = receiver.received
    assert verified(request, "tide")
    assert verified(request, "ebb")
    assert not verified(request, "flood")


def test_the_readmes_example_has_at_most_ten_lines():
    found = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    assert len([line for line in found[1].splitlines() if line]) <= 10


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_any_2xx_is_done(status):
    async with Receiver(lambda _: Answer(status)) as receiver:
        assert await notifier(receiver.port).send(message()) == f"accepted ({status})"


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_receiver_says_when(status):
    assert (await refusal(Answer(status, (("Retry-After", "120"),)))).retry_after_s == 120
    when = format_datetime(AT + timedelta(minutes=7), usegmt=True)
    assert (await refusal(Answer(status, (("Retry-After", when),)))).retry_after_s == 420
    assert (await refusal(Answer(status))).retry_after_s is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
async def test_a_receiver_that_is_set_up_wrongly_is_tried_again_slowly(status):
    error = await refusal(Answer(status, body=b'{"error":\n "no such key"}'))
    assert error.reason == f'the receiver answers {status}: {{"error": "no such key"}}'
    assert error.retry_after_s == 300


async def test_a_redirect_is_a_failure_and_nothing_is_sent_to_where_it_leads():
    async with Receiver() as other:
        where = f"http://127.0.0.1:{other.port}/elsewhere"
        for status in (301, 302, 307, 308):
            error = await refusal(Answer(status, (("Location", where),)))
            assert f"{status}, a redirect" in error.reason
        assert other.received == []


async def test_what_passes_by_itself_is_tried_again_soon():
    for answer in (Answer(500), Answer(502), Answer(408), Answer(hang=True)):
        assert (await refusal(answer)).retry_after_s is None


async def test_neither_the_address_nor_a_secret_is_ever_said():
    for url in ("http://127.0.0.1:1/very-secret", "http://very-secret.invalid:99999/x", "ftp://very-secret/"):
        broken = WebhookNotifier(CONTACT, Webhook(url=url, secret="very-secret"), SITE, lambda: NOW, 2.0)
        with pytest.raises(DeliveryError) as caught:
            await broken.send(message())
        assert "secret" not in caught.value.reason


async def test_a_test_message_says_so_and_is_about_nothing():
    async with Receiver() as receiver:
        sent = trial_message(SITE, "dispatch", "chen", NOW)
        found = await attempt(notifier(receiver.port), sent, "dispatch")
    assert found == ("dispatch", True, "accepted (204)")
    said = json.loads(receiver.received[0].body)
    assert (said["test"], said["notices"]) == (True, [])
    assert "测试" in said["title"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), (" 30 ", 30), ("", None), (None, None), ("soon", None), ("-5", None), ("²", None),
     ("Sun, 22 Nov 2026 15:01:00 GMT", 60), ("Sun, 22 Nov 2026 15:01:00 -0000", 60), ("Sun, 22 Nov 2026 14:00:00 GMT", 0)],
)  # fmt: skip
def test_retry_after_in_seconds_or_as_a_date(text, seconds):
    assert asked_s(text, NOW) == seconds


def test_nobody_may_ask_for_more_than_an_hour():
    assert Retry(1, 1).wait_s(0, 7 * 24 * 3600) == retry.LONGEST_ASKED_S == 3600
