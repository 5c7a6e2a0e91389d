"""The figures of the repair ledger (报修台帐): each a share of a whole, what is not known yet or cannot be known counted apart.

All are of the orders that were reported in the period, so that whoever counts the ledger's rows comes to the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from gateway.instants import Instant, instant, moment
from gateway.site.model import Site
from gateway.work_orders.order import Order

FigureName = Literal["arrival_in_time", "repair_in_time", "rework", "follow_up"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A share: `numerator` of `denominator`; `pending` is not decided yet, `unknown` never will be; both are in neither.

    `rate` None: nothing to divide by.
    """

    name: FigureName
    numerator: int
    denominator: int
    pending: int
    unknown: int
    rate: float | None


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """A month's figures.

    Attributes:
        known_to: up to when anything is known: the end of the month, or now.
        count: of all orders reported; `cancelled` of them.
        by_source, by_urgency, by_area: how many of which.
        discontent: reporters who were asked and were not content.
        arrival_proved, repair_proved: of how many arrivals and repairs there is a proof, not only a word.
    """

    month: str
    since: datetime
    until: datetime
    known_to: datetime
    count: int
    cancelled: int
    open: int
    by_source: dict[str, int]
    by_urgency: dict[str, int]
    by_area: dict[str, int]
    figures: tuple[Figure, ...]
    discontent: int
    arrivals: int
    arrivals_proved: int
    repairs: int
    repairs_proved: int


def month_of(site: Site, month: str) -> tuple[Instant, Instant]:
    """The first instants of a month, as `2026-11`, and of the next, on the site's clock.

    Raises:
        ValueError: it is none.
    """
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=site.zone_info)
    after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return instant(first), instant(after)


def ledger(site: Site, month: str, orders: Sequence[Order], now: Instant) -> Ledger:
    """The figures of the orders reported in a month."""
    since, until = month_of(site, month)
    zone = site.zone_info
    arrived = [order.arrival for order in orders if order.arrival is not None]
    repaired = [order.repair for order in orders if order.repair is not None]
    return Ledger(
        month=month,
        since=moment(since, zone),
        until=moment(until, zone),
        known_to=moment(min(until, max(now, since)), zone),
        count=len(orders),
        cancelled=sum(order.state == "cancelled" for order in orders),
        open=sum(order.state not in {"cancelled", "closed"} for order in orders),
        by_source=_counted(("rule", "alert", "report"), (order.source for order in orders)),
        by_urgency=_counted(("emergency", "ordinary"), (order.urgency for order in orders)),
        by_area=_counted(("everyday", "warranty", "common"), (order.area for order in orders)),
        figures=(
            _in_time("arrival_in_time", [order for order in orders if order.clock == "arrival"]),
            _in_time("repair_in_time", [order for order in orders if order.clock == "repair"]),
            _rework(orders, now - site.work_orders.rework_within),
            _follow_up(orders, now),
        ),
        discontent=sum(any(each.content is False for each in order.follow_ups) for order in orders),
        arrivals=len(arrived),
        arrivals_proved=sum(each.proved is not None for each in arrived),
        repairs=len(repaired),
        repairs_proved=sum(each.proved is not None for each in repaired),
    )


def _in_time(name: FigureName, orders: Iterable[Order]) -> Figure:
    """Of the steps that were owed. Nobody is late for what could not be recorded; what was owed no more is left out."""
    said = [order.punctual for order in orders]
    good, late = said.count("in_time"), said.count("late")
    return _figure(name, good, good + late, pending=said.count("running"), unknown=said.count("unknown"))


def _rework(orders: Iterable[Order], settled: Instant) -> Figure:
    """Of what was repaired: came back, or not, within the site's `rework_within`; before that has passed it is pending."""
    back = held = pending = 0
    for order in orders:
        if order.reworked:
            back += 1
        elif order.repair is not None and order.state != "cancelled":
            if instant(order.repair.at) < settled:
                held += 1
            else:
                pending += 1
    return _figure("rework", back, back + held, pending=pending)


def _follow_up(orders: Iterable[Order], now: Instant) -> Figure:
    """Of the reports whose follow-up has fallen due or was made: how many reporters were asked and answered."""
    asked = missing = pending = 0
    for order in orders:
        if order.source != "report":
            continue
        if any(each.content is not None for each in order.follow_ups):
            asked += 1
        elif order.state == "closed" or (order.follow_up_due is not None and instant(order.follow_up_due) < now):
            missing += 1
        elif order.follow_up_due is not None:
            pending += 1
    return _figure("follow_up", asked, asked + missing, pending=pending)


def _figure(name: FigureName, numerator: int, denominator: int, *, pending: int, unknown: int = 0) -> Figure:
    return Figure(
        name=name,
        numerator=numerator,
        denominator=denominator,
        pending=pending,
        unknown=unknown,
        rate=round(numerator / denominator, 4) if denominator else None,
    )


def _counted(names: Sequence[str], values: Iterable[str]) -> dict[str, int]:
    found = list(values)
    return {name: found.count(name) for name in names}
