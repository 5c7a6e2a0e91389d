"""Books beside the alerts: work orders, duty checks … Each a small deterministic machine that the judge keeps in step.

A book is pure like the rules (time is an argument, nothing is read, written or sent) and hears four things: what became of alerts,
taps, actions of people, and time. It gives entries (appended to the journal for good) and signals (conditions for the alerts).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from device_drivers.observations import TagRead
from gateway.alerts.alert import AlertTransition, Notice
from gateway.instants import Instant
from gateway.rules.findings import Signal
from gateway.site.model import Site

if TYPE_CHECKING:
    from gateway.alerts.book import AlertBook
    from gateway.rules.engine import Engine

FORMAT = 1
"""Of the state of books inside a snapshot. It outlives the format of rules and alerts: orders may be open for months."""

BookName = Literal["silence", "duty", "work_order", "duty_check", "score"]
"""Whose entry or operation it is; the name of its rows in the journal and of its live events."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One appended journal row: what happened to one item of a book, and the item as it is after it.

    Attributes:
        at: when it happened.
        id: of the item.
        state: of the item after it.
        start: by what items are ordered (when a work order was reported, when a check was due).
        by, action, why: who did what and why.
        item: the item as the API shows it.
    """

    at: Instant
    book: BookName
    id: str
    state: str
    start: Instant
    by: str
    action: str
    why: str
    item: msgspec.Struct


class BookOperation(msgspec.Struct, frozen=True, kw_only=True):
    """A person's action on an item of a book. `subject` None: a new item. `details`: what the action needs, JSON values.

    `accepted`: it was acknowledged before a stop. It names what the site had then; whether the site has it now is not asked again.

    Names, telephone numbers and other words about persons are never among them: they stand in the journal's table `personal`, and
    the operation names its key.
    """

    at: Instant
    by: str
    book: BookName
    action: str
    subject: str | None = None
    details: Mapping[str, Any] = {}
    why: str = ""
    accepted: bool = False


class BookChanges(msgspec.Struct, kw_only=True):
    """What changed since it was last asked."""

    entries: list[Entry] = msgspec.field(default_factory=list)
    signals: list[Signal] = msgspec.field(default_factory=list)
    notices: list[Notice] = msgspec.field(default_factory=list)
    """Words to one person that are no alert."""


class Book(Protocol):
    """What the judge needs of a book. Calls come in order of time; a deadline before a call's time has fired already."""

    def told(self, transition: AlertTransition) -> None:
        """An alert's history has a new row."""

    def heard(self, tap: TagRead, at: Instant, received: Instant) -> bool:
        """A tag was read: at `at` by the reader's own clock, which may be long before `received`.

        Returns:
            Whether anything may have come of it: entries, signals, notices or another deadline.
        """

    def operate(self, operation: BookOperation) -> msgspec.Struct:
        """A person acts; gives the item after it.

        Raises:
            gateway.alerts.lifecycle.Refused: nothing changed.
        """

    def advance(self, now: Instant) -> None:
        """Fire own deadlines up to and including `now`."""

    def deadline(self) -> Instant | None:
        """The next own deadline."""

    def restarted(self, down_from: Instant, now: Instant) -> None:
        """The gateway was down: what nobody could hear or do meanwhile accuses nobody."""

    def drain(self) -> BookChanges:
        """What changed since the last call, in order."""

    def snapshot(self) -> Any:
        """The state, as plain values."""

    def restore(self, state: Any) -> None:
        """Take up a snapshot."""


def open_books(site: Site, started: Instant, alerts: AlertBook, engine: Engine) -> dict[BookName, Book]:
    """The books of a site, in the order in which they hear of things. Alerts and rules are there to be asked."""
    from gateway.alerts.duty import DutyBook  # noqa: PLC0415  books import the types above
    from gateway.alerts.silences import SilenceBook  # noqa: PLC0415
    from gateway.duty_checks.book import DutyChecks  # noqa: PLC0415
    from gateway.scores.book import ScoreBook  # noqa: PLC0415
    from gateway.work_orders.book import WorkOrders  # noqa: PLC0415
    from gateway.work_orders.sensors import of_engine  # noqa: PLC0415

    books: dict[BookName, Book] = {"silence": SilenceBook(alerts), "duty": DutyBook(alerts)}
    books["work_order"] = WorkOrders(site, started, of_engine(site, engine))
    books["duty_check"] = DutyChecks(site, engine, started)  # also to end what stands where a site has none any more
    books["score"] = ScoreBook(site)
    return books
