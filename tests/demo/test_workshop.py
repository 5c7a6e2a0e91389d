"""The simulated technician: he goes to what the story breaks, and leaves alone what a person at the console made or took over."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.workshop import Workshop
from gateway.books import BookOperation
from gateway.instants import instant
from gateway.runtime import utc_now
from gateway.site.load import load_site
from gateway.work_orders.book import WorkOrders
from gateway.work_orders.lifecycle import State
from gateway.work_orders.order import Order, Source, Step

SITE, _ = load_site(Path("config/demo.yaml"))
NOW = utc_now()


class Desk(WorkOrders):
    """Holds the orders that it is given."""

    def __init__(self, order: Order) -> None:
        self.order = order

    def orders(self) -> list[Order]:
        return [self.order]


def order(source: Source, state: State = "reported", *steps: tuple[str, str]) -> Order:
    """One order; `steps`: (by, action) after it was reported."""
    made = "u-k3m9qx" if source != "rule" else "rule:lamp_failure"
    history = [
        Step(at=NOW, before=None, after=state, by=by, action=action) for by, action in ((made, "report"), *steps)
    ]
    return cast("Order", SimpleNamespace(
        id="20261125-001", source=source, state=state, history=history, prove_at=[], fault="ended", assignee="m-liu"
    ))  # fmt: skip


async def done(found: Order) -> list[tuple[str, str]]:
    """What desk and technician do about an order: (by, action)."""
    said: list[BookOperation] = []

    async def operate(operation: BookOperation) -> None:
        said.append(operation)

    gateway = SimpleNamespace(
        site=SITE,
        judgement=SimpleNamespace(books={"work_order": Desk(found)}),
        now=lambda: instant(NOW),
        operate=operate,
    )
    await Workshop(cast("Any", gateway), cast("Any", SimpleNamespace(now=NOW)), timedelta(seconds=45)).look()
    return [(operation.by, operation.action) for operation in said]


async def test_he_is_sent_to_what_the_story_breaks() -> None:
    assert await done(order("rule")) == [("desk", "assign")]
    assert await done(order("rule", "arrived", ("desk", "assign"), ("tap:rdr-gate", "arrive"))) == [("m-liu", "repair")]
    assert await done(order("rule", "repaired", ("desk", "assign"), ("m-liu", "repair"))) == [("desk", "close")]


@pytest.mark.parametrize("source", ["alert", "report"])
@pytest.mark.parametrize("state", ["reported", "assigned", "arrived", "repaired", "reopened"])
async def test_an_order_that_a_person_made_waits_for_a_person(source: Source, state: State) -> None:
    assert await done(order(source, state)) == []


@pytest.mark.parametrize("state", ["reported", "arrived", "repaired", "reopened"])
async def test_an_order_that_a_person_took_over_is_left_to_that_person(state: State) -> None:
    assert await done(order("rule", state, ("u-k3m9qx", "assign"))) == []


async def test_a_comment_takes_nothing_over() -> None:
    assert await done(order("rule", "reported", ("u-k3m9qx", "comment"))) == [("desk", "assign")]
