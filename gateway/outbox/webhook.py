"""Own JSON webhooks: one signed POST a message (gateway/outbox/README.md, Webhooks).

The signature is HMAC-SHA256 over `TIMESTAMP.BODY`, as hexadecimal; with two secrets there are two, and the receiver takes either.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from gateway.alerts import wording
from gateway.errors import DeliveryError
from gateway.instants import SECOND, Instant, moment
from gateway.outbox.links import link
from gateway.outbox.message import Message
from gateway.outbox.retry import asked_s
from gateway.outbox.source import DueNotice
from gateway.site.model import Contact, Site, Webhook

TIMEOUT_S = 30.0
"""For one message, whatever the receiver does."""
SLOWLY_S = 300.0
"""A receiver that is set up wrongly (4xx, a redirect) is not tried again before this, and for 24 h like any other."""
WORDS = 200
"""Characters of the receiver's answer that are kept."""

TIMESTAMP = "Lamplighter-Timestamp"
SIGNATURE = "Lamplighter-Signature"
KEY = "Idempotency-Key"
_BUSY = frozenset({429, 503})
_PASSING = frozenset({408, 425})


class WebhookAlert(msgspec.Struct, frozen=True, kw_only=True):
    """The alert as it was when the notice arose. `messages` says the same in each language."""

    id: str
    rule: str
    subject: str
    severity: str
    state: str
    raised: datetime
    detected: datetime
    updated: datetime
    place: str | None
    caused_by: str | None
    messages: dict[str, str]
    url: str | None


class WebhookNotice(msgspec.Struct, frozen=True, kw_only=True):
    """One notice of a message; `title` and `body` are in the contact's language. `alert` null: it belongs to none."""

    key: str
    kind: str
    created: datetime
    title: str
    body: str
    alert: WebhookAlert | None


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted. `test`: somebody tries the receiver; there are no notices then."""

    version: int
    key: str
    site: dict[str, str]
    contact: str
    sent: datetime
    test: bool
    title: str
    body: str
    notices: tuple[WebhookNotice, ...]


class WebhookNotifier:
    """One webhook.

    Args:
        contact: whose it is.
        webhook: address and secrets; never logged, never part of an error.
        site: names the messages, gives the clock.
        now: the wall clock.
        timeout_s: for one message.
    """

    def __init__(
        self,
        contact: Contact,
        webhook: Webhook,
        site: Site,
        now: Callable[[], Instant],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._contact = contact
        self._webhook = webhook
        self._site = site
        self._now = now
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._timeout_s = timeout_s

    async def send(self, message: Message) -> str:
        """Post it.

        Raises:
            DeliveryError: no 2xx came, or nobody knows what came.
        """
        if urlsplit(self._webhook.url).scheme not in {"http", "https"}:
            raise DeliveryError(
                "the webhook's URL is no http or https address; see `alerts.contacts` in the site file", refused=True
            )
        now = self._now()
        body = msgspec.json.encode(document(message, self._site, self._contact, now))
        headers = {"Content-Type": "application/json", KEY: message.key} | signed(self._webhook, now // SECOND, body)
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.post(self._webhook.url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                said = _words(await answer.content.read(4 * WORDS))
                return _judged(answer.status, said, answer.headers.get("Retry-After"), now)
        except TimeoutError as error:
            raise DeliveryError(f"no answer within {self._timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Not the error's own words: they may hold the address, and a receiver's address may hold its secret.
            refused = isinstance(error, aiohttp.ClientConnectorError)
            raise DeliveryError(f"cannot be reached ({type(error).__name__})", refused=refused) from error


def signed(webhook: Webhook, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers by which a receiver knows that a body is ours and of now. `timestamp`: seconds since 1970 UTC."""
    secrets = [webhook.secret] + ([] if webhook.second_secret is None else [webhook.second_secret])
    marks = [f"v1={signature(secret, timestamp, body)}" for secret in secrets]
    return {TIMESTAMP: str(timestamp), SIGNATURE: ",".join(marks)}


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 (RFC 2104) over `timestamp.body`, as hexadecimal."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def document(message: Message, site: Site, contact: Contact, now: Instant) -> WebhookBody:
    """What is posted of a message."""
    return WebhookBody(
        version=1,
        key=message.key,
        site={"id": site.id, "name": site.name},
        contact=contact.id,
        sent=moment(now, site.zone_info),
        test=message.test,
        title=message.title,
        body=message.body,
        notices=tuple(_notice(notice, site, message.console_url) for notice in message.notices),
    )


def _notice(notice: DueNotice, site: Site, console_url: str | None) -> WebhookNotice:
    return WebhookNotice(
        key=notice.key,
        kind=notice.kind,
        created=moment(notice.created, site.zone_info),
        title=notice.title,
        body=notice.body,
        alert=_alert(notice, site, console_url),
    )


def _alert(notice: DueNotice, site: Site, console_url: str | None) -> WebhookAlert | None:
    about = notice.about
    if about is None:
        return None
    same: dict[str, Any] = {name: getattr(about, name) for name in _SAME}
    messages: dict[str, str] = {
        language: wording.message(site, about.rule, about.subject, about.details, language)
        for language in wording.LANGUAGES
    }
    return WebhookAlert(messages=messages, url=link(console_url, notice), **same)


_SAME = ("id", "rule", "subject", "severity", "state", "raised", "detected", "updated", "place", "caused_by")


def _judged(status: int, said: str, retry_after: str | None, now: Instant) -> str:
    """What the receiver said, if it took the message.

    Raises:
        DeliveryError: it did not.
    """
    if 200 <= status < 300:
        return f"accepted ({status})"
    reason = f"the receiver answers {status}" + (f": {said}" if said else "")
    if status in _BUSY:
        raise DeliveryError(reason, retry_after_s=asked_s(retry_after, now), refused=True)
    if 300 <= status < 400:
        raise DeliveryError(
            f"the receiver answers {status}, a redirect, which is not followed", retry_after_s=SLOWLY_S, refused=True
        )
    if 400 <= status < 500 and status not in _PASSING:
        raise DeliveryError(reason, retry_after_s=SLOWLY_S, refused=True)
    raise DeliveryError(reason)


def _words(answer: bytes) -> str:
    """The beginning of an answer in one line, for the record of the attempt."""
    text = answer.decode(errors="replace")
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:WORDS]
