"""A repair desk by night: alerts and work orders in step, as the judgement drives them, told by clock times."""

from __future__ import annotations

from typing import Any

import msgspec

from device_drivers.observations import TagRead
from gateway.alerts.alert import Operation
from gateway.alerts.book import AlertBook
from gateway.books import BookOperation, Entry
from gateway.instants import DAY, HOUR, MINUTE, Instant, moment, parse_instant
from gateway.rules.findings import Signal
from gateway.site.model import Alerting, AlertRule, Checkpoint, Circuit, Device, Expected, Lamp, Person, Place, Site
from gateway.work_orders.book import WorkOrders
from gateway.work_orders.order import Order

MIDNIGHT: Instant = parse_instant("2026-11-27T00:00:00+08:00")

LIU, WANG = "0063E77E", "007B3972"
WALL_F01, WALL_F06 = "04A1B2C3D40001", "04A1B2C3D40006"


def site(**more: Any) -> Site:
    """A tower whose floor 3 has no checkpoint, a garage with a reader, an annexe with nothing."""
    places = ("tower-1", "tower-1/f01", "tower-1/f03", "tower-1/f06", "garage", "garage/b2", "annexe")
    return Site(
        **{
            "id": "riverside",
            "name": "御溪花园",
            "timezone": "Asia/Shanghai",
            "latitude": 31.2,
            "longitude": 121.5,
            "places": {name: Place(id=name, name=name) for name in places},
            "people": {
                "m-liu": Person(id="m-liu", name="刘师傅", roles=("maintenance",), tags=(LIU,)),
                "g-wang": Person(id="g-wang", name="王强", roles=("guard",), tags=(WANG,)),
            },
            "devices": {
                "rdr": Device(id="rdr", driver="native", kind="reader", place="garage"),
                "wand": Device(id="wand", driver="native", kind="wand", portable=True),
                "phone": Device(id="phone", driver="native", kind="phone", portable=True),
                "cam": Device(id="cam", driver="native", kind="camera", place="garage/b2"),
            },
            "checkpoints": {
                "cp-f01": Checkpoint(id="cp-f01", place="tower-1/f01", tags=(WALL_F01,)),
                "cp-f06": Checkpoint(id="cp-f06", place="tower-1/f06", tags=(WALL_F06,)),
                "cp-garage": Checkpoint(id="cp-garage", place="garage", reader="rdr"),
            },
            "circuits": {"c-1": Circuit(id="c-1")},
            "lamps": {
                f"lamp-{floor}": Lamp(
                    id=f"lamp-{floor}", place=f"tower-1/{floor}", circuit="c-1", expected=Expected(mode="always")
                )
                for floor in ("f01", "f03", "f06")
            },
            "alerting": Alerting(rules={"day_burner": AlertRule(work_order="none")}),
        }
        | more
    )


def clock(text: str | int) -> Instant:
    """`"22:10"`: from noon on the evening before midnight, else after it; `"+1 02:00"` a day later."""
    if isinstance(text, int):
        return text
    days, _, rest = text.rpartition(" ")
    hour, minute, second = (int(part) for part in f"{rest}:00".split(":")[:3])
    day = int(days or 0) - (1 if hour >= 12 else 0)
    return MIDNIGHT + day * DAY + hour * HOUR + minute * MINUTE + second * 1_000_000


class Desk:
    """The book of orders beside the book of alerts. `restarts`: both through a snapshot after each step."""

    def __init__(self, which: Site | None = None, *, restarts: bool = False) -> None:
        self.site = which or site()
        self.restarts = restarts
        start = clock("12:00")
        self.mute: set[str] = set()
        """Subjects whose sensors cannot speak."""
        self.alerts, self.book = AlertBook(self.site, start), WorkOrders(self.site, start, self._speaks)
        self.now = start
        self.entries: list[Entry] = []
        self.signals: list[Signal] = []

    # What happens

    def at(self, when: str | int) -> Desk:
        """Let time pass."""
        self.now = max(self.now, clock(when))
        while True:
            dues = [due for due in (self.alerts.deadline(), self.book.deadline()) if due is not None]
            if not dues or min(dues) > self.now:
                return self
            self.alerts.advance(min(dues))
            self.book.advance(min(dues))
            self._settle()

    def signal(self, action: str, rule: str, subject: str, when: str | int | None = None, **more: Any) -> Desk:
        """A rule finds something."""
        self.at(self.now if when is None else when)
        self.alerts.signal(Signal(**{"rule": rule, "subject": subject, "action": action, "at": self.now} | more))
        return self._settle()

    def fault(self, when: str | int, rule: str = "circuit_fault", subject: str = "c-1", **more: Any) -> str:
        """An alert is raised; the id of the newest order."""
        self.signal("raise", rule, subject, when, **more)
        return self.newest()

    def ends(self, when: str | int, rule: str = "circuit_fault", subject: str = "c-1", **more: Any) -> Desk:
        return self.signal(more.pop("action", "resolve"), rule, subject, when, **more)

    def on_alert(self, when: str | int, action: Any, alert: str = "circuit_fault/c-1/1") -> Desk:
        self.at(when)
        self.alerts.operate(Operation(at=self.now, by="chen", action=action, alert=alert, why="because"))
        return self._settle()

    def do(
        self, when: str | int, action: str, order: str | None = None, *, by: str = "chen", why: str = "", **details: Any
    ) -> Order:
        """A person acts; a time in the details may be a clock time."""
        self.at(when)
        said = {key: self._said(key, value) for key, value in details.items()}
        operation = BookOperation(
            at=self.now, by=by, book="work_order", action=action, subject=order, details=said, why=why
        )
        try:
            return self.book.operate(operation)
        finally:
            self._settle()

    def report(self, when: str | int, **more: Any) -> str:
        return self.do(when, "report", **({"personal": "k1", "place": "tower-1/f03"} | more)).id

    def tap(self, at: str | int, tag: str, device: str = "rdr", received: str | int | None = None, person: str | None = None) -> Desk:  # fmt: skip
        """A tag is read; the wand hands it over later."""
        when = clock(at)
        heard = when if received is None else clock(received)
        self.at(heard)
        self.book.heard(
            TagRead(device=device, at=moment(when, self.site.zone_info), tag=tag, person=person), when, self.now
        )
        return self._settle()

    def down(self, since: str | int, until: str | int) -> Desk:
        """The gateway is down."""
        self.at(since)
        down_from, self.now = self.now, max(self.now, clock(until))
        self.alerts.restarted(down_from, self.now)
        self.book.restarted(down_from, self.now)
        return self._settle()

    def reborn(self) -> Desk:
        """New books from a snapshot, as after a restart of the process."""
        alerts, book = msgspec.msgpack.decode(msgspec.msgpack.encode((self.alerts.snapshot(), self.book.snapshot())))
        self.alerts, self.book = AlertBook(self.site, 0), WorkOrders(self.site, 0, self._speaks)
        self.alerts.restore(alerts)
        self.book.restore(book)
        return self

    def _speaks(self, _rule: str, subject: str) -> bool:
        return subject not in self.mute

    def _said(self, key: str, value: Any) -> Any:
        return moment(clock(value), self.site.zone_info).isoformat() if key in {"at", "agreed"} else value

    def _settle(self) -> Desk:
        while True:
            for transition in self.alerts.news():
                self.book.told(transition)
            changes = self.book.drain()
            self.entries += changes.entries
            self.signals += changes.signals
            if not changes.signals:
                break
            for signal in changes.signals:
                self.alerts.signal(signal)
        self.alerts.drain()
        return self.reborn() if self.restarts else self

    # What is seen

    def order(self, order_id: str) -> Order:
        found = self.book.order(order_id)
        assert found is not None, order_id
        return found

    def newest(self) -> str:
        ids = [each.id for each in (*self.book.orders(), *self.book.recent())]
        return max(ids, default="")

    def states(self) -> dict[str, str]:
        return {each.id: each.state for each in (*self.book.orders(), *self.book.recent())}

    def late(self) -> dict[str, str]:
        """State of each alert of a late order, by order."""
        return {each.subject: each.state for each in self.alerts.alerts() if each.rule == "work_order_late"}

    def steps(self, order_id: str) -> list[str]:
        """`clock action` of an order's history."""
        return [f"{step.at:%H:%M} {step.action}" for step in self.order(order_id).history]
