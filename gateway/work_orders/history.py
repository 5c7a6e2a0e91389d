"""The history of orders: what a step makes of an order by the table, written to the order and for good to the journal."""

from __future__ import annotations

from gateway.books import BookName, Entry
from gateway.instants import Instant, moment
from gateway.site.model import Site
from gateway.work_orders import lifecycle
from gateway.work_orders.case import Case
from gateway.work_orders.lifecycle import FINAL, Trigger
from gateway.work_orders.order import Order, Step

NAME: BookName = "work_order"


class History:
    """Writes the rows of all orders of a site; `entries` are those that the journal has yet to hear of."""

    def __init__(self, site: Site) -> None:
        self.entries: list[Entry] = []
        self._within = site.work_orders
        self._zone = site.zone_info

    def view(self, case: Case) -> Order:
        """An order as the API shows it."""
        return case.order(self._within, self._zone)

    def record(  # noqa: PLR0917
        self, case: Case, trigger: Trigger, at: Instant, by: str, action: str, why: str = "", *, item: str = ""
    ) -> None:
        """A row of an order's history; whoever did its first step owns it.

        Raises:
            Refused: the table has no such step, and nothing changed.
        """
        before = None if trigger in {"raise", "open", "report"} else case.state
        state = lifecycle.after(before, trigger)
        why = ": ".join(part for part in (item, why.strip()) if part)
        if case.owner is None and ":" not in by and by != "clock":
            case.owner = by
        case.state = state
        if state in FINAL and case.closed is None:
            case.closed = at
        case.note(Step(at=moment(at, self._zone), before=before, after=state, by=by, action=action, why=why))
        self.entries.append(
            Entry(
                at=at,
                book=NAME,
                id=case.id,
                state=state,
                start=case.reported,
                by=by,
                action=action,
                why=why,
                item=self.view(case),
            )
        )
