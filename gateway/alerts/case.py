"""What the book keeps of one alert beside its public face: the deadlines, who was told, what the rule last said."""

from __future__ import annotations

import msgspec

from gateway.alerts.alert import Alert
from gateway.alerts.catalogue import accused
from gateway.instants import Instant, instant

HISTORY_FIRST = 10
HISTORY_LAST = 90
"""An alert in memory keeps the first 10 and the last 90 rows of its history; the journal keeps all."""


class Case(msgspec.Struct, kw_only=True):
    """One alert in the book.

    Args:
        alert: as the API shows it.
        policy: of escalation, as the site named it when the alert opened.
        cause: the alert that keeps it silent (inhibition); None: none does.
        quiet: the silence or maintenance window that does; both may, and each alone is enough.
        holds: the rule still says that the condition stands.
        tellings: how many times somebody was told; numbers the idempotency keys.
        told: contacts told since the alert was raised, in order.
        standing: contacts told since it was last opened, who are to hear of its end.
        last_told: contacts of the latest telling.
        told_at: when that was, or a call that came again was noted for nobody; None: not known here.
        told_of: what it named as missed when each of them was last told, or all of them; None, or who is not in it: what it names now.
        disproved: it was retracted, be it after it was closed.
        repeats: repetitions of the last escalation step done.
        resolved_at: when it was last resolved.
        reminded: how many of the rule's reminders have passed since it was last opened.
        step_at, expire_at, verify_at, lift_at, remind_at: own deadlines: next escalation step, expiry of the acknowledgement,
            closing by the sensor, end of a suppression whose cause never came, next reminder.
    """

    alert: Alert
    policy: str | None = None
    cause: str | None = None
    quiet: str | None = None
    holds: bool = True
    tellings: int = 0
    told: list[str] = msgspec.field(default_factory=list)
    standing: list[str] = msgspec.field(default_factory=list)
    last_told: list[str] = msgspec.field(default_factory=list)
    told_at: Instant | None = None
    told_of: dict[str, list[str]] | list[str] | None = None
    disproved: bool = False
    repeats: int = 0
    reminded: int = 0
    resolved_at: Instant | None = None
    step_at: Instant | None = None
    expire_at: Instant | None = None
    verify_at: Instant | None = None
    lift_at: Instant | None = None
    remind_at: Instant | None = None

    @property
    def suppressed(self) -> str | None:
        """What its alert says of why nobody is told: its cause before a silence, since it names what to look at."""
        return self.cause or self.quiet

    def heard_of(self, contact: str) -> list[str]:
        """What somebody believes to be missed: what it named when he was last told."""
        known = self.told_of.get(contact) if isinstance(self.told_of, dict) else self.told_of
        return accused(self.alert.rule, self.alert.details) if known is None else known

    def hears_of(self, contact: str, named: list[str]) -> None:
        """Somebody is told that these are missed."""
        if not isinstance(self.told_of, dict):
            self.told_of = {each: self.heard_of(each) for each in self.told}
        self.told_of[contact] = named

    def not_before(self, at: Instant) -> Instant:
        """`at`, but not before the alert's last row: its history runs forward."""
        return max(at, instant(self.alert.updated))

    def deadline(self) -> Instant | None:
        """The earliest of its deadlines."""
        dues = (self.step_at, self.expire_at, self.verify_at, self.lift_at, self.remind_at)
        return min((due for due in dues if due is not None), default=None)

    def disarm(self) -> None:
        """No deadline any more."""
        self.step_at = self.expire_at = self.verify_at = self.lift_at = self.remind_at = None
