"""The console's pages beside the control room, as one table: what stands in the bar for whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from api.access.roles import Right

Group = Literal["watch", "work", "figures", "setup"]
"""`watch` stands in the bar itself; each other group is a menu."""


class Entry(NamedTuple):
    """One page: where it is, the key of its name in the texts, the right that it needs, and where it stands in the bar.

    `scoped`: it is there for who sees a part of the site, too.
    """

    path: str
    text: str
    right: Right
    group: Group
    scoped: bool = False


PAGES: tuple[Entry, ...] = (
    Entry("/", "room.title", "rounds", "watch", scoped=True),
    Entry("/alerts", "alerts.title", "alerts", "watch"),
    Entry("/rounds", "nights.title", "rounds", "watch"),
    Entry("/phone", "phone.title", "patrol", "work"),
    Entry("/lights", "lights.title", "estate", "watch"),
    Entry("/cameras", "cameras.title", "estate", "watch"),
    Entry("/work-orders", "orders.title", "alerts", "work"),
    Entry("/silences", "silences.title", "alerts", "work"),
    Entry("/on-duty", "on_duty.title", "alerts", "work"),
    Entry("/duty-checks", "duty.title", "rounds", "work"),
    Entry("/scores", "scores.title", "rounds", "figures"),
    Entry("/reports", "reports.title", "estate", "figures"),
    Entry("/devices", "devices.title", "estate", "watch"),
    Entry("/people", "people.title", "enrol", "setup"),
    Entry("/quarantine", "quarantine.title", "evidence", "setup"),
    Entry("/health", "health.title", "health", "setup"),
    Entry("/accounts", "accounts.title", "admit", "setup"),
    Entry("/keys", "keys.title", "accounts", "setup"),
    Entry("/audit", "audit.title", "audit", "setup"),
    Entry("/account", "account.title", "self", "setup", scoped=True),
)
"""In the order of the bar; shown where the reader has the right."""


def menus(may: Callable[[Right], bool], *, bounded: bool = False) -> Mapping[Group, Sequence[Entry]]:
    """What a reader finds in the bar, by group; groups without a page for him are left out. `bounded`: he sees a part of the site."""
    mine = [entry for entry in PAGES if may(entry.right) and (entry.scoped or not bounded)]
    found = {group: [entry for entry in mine if entry.group == group] for group in get_args(Group)}
    return {group: entries for group, entries in found.items() if entries}
