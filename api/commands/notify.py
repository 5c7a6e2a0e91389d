"""`lamplighter notify`: whether a contact is reached, with a message that says it is a test."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import sys
import time
from pathlib import Path

import msgspec

from device_drivers.errors import LamplighterError
from gateway.instants import Instant
from gateway.site.load import load_site
from gateway.site.model import Site

BY = "lamplighter notify"


class NotifyError(LamplighterError):
    """The site has no such contact."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--test", required=True, metavar="CONTACT", help="the contact to send a test message to")
    parser.add_argument("--site", required=True, type=Path, metavar="SITE", help="the site file")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(parsed: argparse.Namespace) -> int:
    """Send it and print what the receiver said. Exit status: 0 it took it, 1 it did not, 2 there is no such contact.

    Raises:
        NotifyError: the site has no such contact.
        ConfigError: the site file is wrong, or a secret is missing.
    """
    from gateway.outbox.notifiers import notifier  # noqa: PLC0415  Apprise takes a moment to load
    from gateway.outbox.trial import attempt, trial_message  # noqa: PLC0415

    site, _ = load_site(parsed.site)
    contact = site.alerting.contacts.get(parsed.test)
    if contact is None:
        raise NotifyError(_unknown(site, parsed.test))
    message = trial_message(site, contact.id, BY, _now())
    found = asyncio.run(attempt(notifier(contact, site, _now), message, contact.id))
    if parsed.json:
        print(msgspec.json.encode({**found._asdict(), "key": message.key}).decode())
    else:
        print(
            f"{contact.id}: {'delivered' if found.ok else 'not delivered'}: {found.said}",
            file=sys.stdout if found.ok else sys.stderr,
        )
    return 0 if found.ok else 1


def _unknown(site: Site, name: str) -> str:
    near = difflib.get_close_matches(name, site.alerting.contacts, 1)
    known = ", ".join(site.alerting.contacts) or "none"
    return f"no contact {name!r}" + (f" (did you mean {near[0]!r}?)" if near else "") + f"; the site has: {known}"


def _now() -> Instant:
    return time.time_ns() // 1000
