"""How one message reaches one contact: shown on the console, posted to a webhook, or sent through Apprise.

Apprise and aiohttp cost 17 MiB and a moment to load: only a site whose contacts need them has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.instants import Instant
from gateway.outbox.message import Message
from gateway.site.model import Contact, Site


class Notifier(Protocol):
    """One contact's way of being told."""

    async def send(self, message: Message) -> str:
        """Deliver; returns what the receiver said, for the record of the attempt.

        Raises:
            DeliveryError: it was not delivered, or nobody knows whether it was.
        """


class ConsoleNotifier:
    """The console shows every alert by itself; being shown is being told."""

    async def send(self, message: Message) -> str:  # noqa: ARG002
        return "shown on the console"


def notifiers(site: Site, now: Callable[[], Instant]) -> dict[str, Notifier]:
    """A notifier for each contact of the site."""
    return {name: notifier(contact, site, now) for name, contact in site.alerting.contacts.items()}


def notifier(contact: Contact, site: Site, now: Callable[[], Instant]) -> Notifier:
    """How a contact is told: by its webhook or its URL, else by the console."""
    if contact.webhook is not None:
        from gateway.outbox.webhook import WebhookNotifier  # noqa: PLC0415  aiohttp

        return WebhookNotifier(contact, contact.webhook, site, now)
    if contact.url:
        from gateway.outbox.apprise_notifier import AppriseNotifier  # noqa: PLC0415

        return AppriseNotifier(contact)
    return ConsoleNotifier()
