"""The book of alerts: signals of the rules, operators' actions and time in; transitions and notices out.

Pure like the rules: time is an argument, nothing is read, written or sent here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.alerts.alert import Alert, AlertChanges, Operation
from gateway.errors import LamplighterError
from gateway.instants import Instant
from gateway.rules.findings import Signal
from gateway.site.model import Site


class Refused(LamplighterError):
    """An illegal transition: nothing changed.

    Args:
        reason: why, in words.
        status: `unknown` (no such alert) or `illegal` (not from this state).
    """

    def __init__(self, reason: str, status: str = "illegal") -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class AlertBook:
    """All alerts of one site that are not yet final, and the last final ones."""

    def __init__(self, site: Site, started: Instant) -> None:
        self.site = site

    def signal(self, signal: Signal) -> None:
        """Take one signal of the rules."""

    def operate(self, operation: Operation) -> Alert:
        """A person acts.

        Raises:
            Refused: no such alert, or the table has no such transition.
        """
        raise Refused("no such alert", "unknown")

    def advance(self, now: Instant) -> None:
        """Fire deadlines (escalation, expiry of acknowledgements, verification) up to and including `now`."""

    def deadline(self) -> Instant | None:
        """The next own deadline."""
        return None

    def restarted(self, down_from: Instant, now: Instant) -> None:
        """The gateway was down: of the steps missed meanwhile one catch-up step fires."""

    def drain(self) -> AlertChanges:
        """What changed since the last call."""
        return AlertChanges()

    def alert(self, alert_id: str) -> Alert | None:
        """One alert as it is now."""
        return None

    def alerts(self, *, active: bool = False) -> list[Alert]:
        """Alerts, newest `raised` first; `active`: only open, acknowledged and in progress."""
        return []

    def snapshot(self) -> Any:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot."""
