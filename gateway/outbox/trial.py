"""A test message: whether a contact is reached, tried by a person through the contact's own notifier."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from gateway.alerts.wording import Language, clock, language_of
from gateway.errors import DeliveryError
from gateway.instants import Instant, moment
from gateway.outbox.message import Message
from gateway.outbox.notifiers import Notifier
from gateway.site.model import Site

TITLES: dict[Language, str] = {"zh_CN": "【测试】{site}", "en": "[TEST] {site}"}
BODIES: dict[Language, str] = {
    "zh_CN": "这是一条测试消息，{at} 由 {by} 发出，无需处理。今后的报警通知将发到这里。",
    "en": "This is a test message, sent {at} by {by}; nothing needs to be done. Notices of alerts will arrive here.",
}


class Trial(NamedTuple):
    """What became of it. `said`: the receiver's words, or why it was not reached."""

    contact: str
    ok: bool
    said: str


def trial_message(site: Site, contact: str, by: str, now: Instant) -> Message:
    """The message, in the contact's language, marked as a test. `by`: who sends it, for the reader."""
    language = language_of(site, contact)
    key = hashlib.sha256(f"test\n{contact}\n{now}".encode()).hexdigest()[:32]
    body = BODIES[language].format(at=clock(site, moment(now, site.zone_info)), by=by)
    title = TITLES[language].format(site=site.name)
    return Message(key, (), title, f"{body}\n#{key[:8]}", console_url=site.console_url, test=True)


async def attempt(notifier: Notifier, message: Message, contact: str) -> Trial:
    """Send it once."""
    try:
        return Trial(contact, True, await notifier.send(message))
    except DeliveryError as error:
        return Trial(contact, False, error.reason)
