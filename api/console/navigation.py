"""The console's pages beside the control room, as one table: what stands in the bar for whom."""

from __future__ import annotations

from typing import NamedTuple

from api.access.roles import Right


class Entry(NamedTuple):
    """One page: where it is, the key of its name in the texts, and the right that it needs."""

    path: str
    text: str
    right: Right


PAGES: tuple[Entry, ...] = (
    Entry("/", "room.title", "rounds"),
    Entry("/work-orders", "orders.title", "alerts"),
    Entry("/silences", "silences.title", "alerts"),
    Entry("/on-duty", "on_duty.title", "alerts"),
    Entry("/duty-checks", "duty.title", "rounds"),
    Entry("/scores", "scores.title", "rounds"),
    Entry("/reports", "reports.title", "estate"),
)
"""In the order of the bar; shown where the reader has the right."""
