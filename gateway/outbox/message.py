"""One message to one contact, as its notifier gets it."""

from __future__ import annotations

from typing import NamedTuple

from gateway.outbox.source import DueNotice


class Message(NamedTuple):
    """One message: `key` is its idempotency key, `keys` those of the `notices` in it."""

    key: str
    keys: tuple[str, ...]
    title: str
    body: str
    notices: tuple[DueNotice, ...] = ()
    console_url: str | None = None
    test: bool = False
    """Somebody tries the contact; it is about nothing."""
