"""What the repair desk and the technician of a simulated estate do about its work orders, so that a demo shows more than faults."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import timedelta

from device_drivers.simulation.world import World
from gateway.alerts.history import CLOCK
from gateway.alerts.lifecycle import Refused
from gateway.books import BookOperation
from gateway.instants import Instant
from gateway.runtime import Gateway
from gateway.work_orders.book import WorkOrders
from gateway.work_orders.order import Order

NOBODY_SENT = frozenset({"reported", "reopened"})
ENDED = frozenset({"ended", "ended_by_itself", "ended_unseen"})
DESK = "desk"


class Workshop:
    """Sends the first technician of the site to each new order of the story; he proves with his tag that he came.

    What a person at the console made or took over is left to that person.

    Args:
        world: in which he walks.
        way: how long he needs from the desk to the place.
    """

    def __init__(self, gateway: Gateway, world: World, way: timedelta) -> None:
        self._gateway = gateway
        self._world = world
        self._way = way
        site = gateway.site
        self._technician = next(
            (each for each in site.people.values() if "maintenance" in each.roles and each.tags), None
        )
        self._sent: set[str] = set()
        self._on_the_way: dict[str, Instant] = {}
        """Orders at whose place no reader would prove that he came: he says it himself, then."""

    async def look(self) -> None:
        """Send him to the orders that nobody was sent to yet; write down what he says, and close what the sensor has proved."""
        book = self._gateway.judgement.books["work_order"]
        assert isinstance(book, WorkOrders)
        if self._technician is None:
            return
        now = self._gateway.now()
        for order in filter(self._of_the_story, book.orders()):
            if order.state in NOBODY_SENT and order.id not in self._sent:
                self._sent.add(order.id)
                await self._say(order, "assign", DESK, {"to": self._technician.id})
                self._go(order, now)
            elif order.state == "assigned" and self._on_the_way.get(order.id, now + 1) <= now:
                del self._on_the_way[order.id]
                await self._say(order, "arrive", self._technician.id)
            elif order.state == "arrived" and order.fault in ENDED:
                await self._say(order, "repair", self._technician.id)
            elif order.state == "repaired":
                await self._say(order, "close", DESK)

    def _of_the_story(self, order: Order) -> bool:
        """Whether it came from what the estate's devices reported, and nobody at the console has taken a step in it."""
        assert self._technician is not None
        ours = {DESK, self._technician.id, CLOCK}
        steps = [step for step in order.history if step.action != "comment"]
        return order.source == "rule" and all(":" in step.by or step.by in ours for step in steps)

    async def _say(self, order: Order, action: str, by: str, details: Mapping[str, str] | None = None) -> None:
        operation = BookOperation(
            at=self._gateway.now(), by=by, book="work_order", action=action, subject=order.id, details=details or {}
        )
        with contextlib.suppress(Refused):  # its clock has taken the step itself meanwhile
            await self._gateway.operate(operation)

    def _go(self, order: Order, now: Instant) -> None:
        """He holds his tag to the reader nearest to the place."""
        site = self._gateway.site
        assert self._technician is not None
        for point in order.prove_at:
            checkpoint = site.checkpoints.get(point)
            reader = point if checkpoint is None else checkpoint.reader
            if reader is not None:
                self._world.tap(self._world.now + self._way, reader, self._technician.tags[0])
                return
        self._on_the_way[order.id] = now + self._way // timedelta(microseconds=1)
