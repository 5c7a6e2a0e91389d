"""A site with a policy, and a book driven as the judgement drives it, for the tests of alerts."""

from __future__ import annotations

from gateway.alerts.alert import Action, Alert, AlertTransition, Notice, Operation
from gateway.alerts.book import AlertBook
from gateway.instants import MINUTE, Instant, parse_instant
from gateway.rules.findings import Signal
from gateway.site.model import Alerting, AlertRule, Contact, Expected, Lamp, Place, Route, Site, Step

T0: Instant = parse_instant("2026-11-22T23:00:00+08:00")

POLICY = (
    Step(after=0, notify=("control-room",)),
    Step(after=10 * MINUTE, notify=("captain",)),
    Step(after=30 * MINUTE, notify=("manager",)),
)

SITE = Site(
    id="riverside",
    name="御溪花园",
    timezone="Asia/Shanghai",
    latitude=31.2,
    longitude=121.5,
    places={"tower-1": Place(id="tower-1", name="1号楼"), "tower-1/f03": Place(id="tower-1/f03", name="3层")},
    lamps={"lamp-1": Lamp(id="lamp-1", place="tower-1/f03", expected=Expected(mode="always"))},
    routes={"night": Route(id="night", visits=())},
    alerting=Alerting(
        policies={"default": POLICY, "late": (Step(after=5 * MINUTE, notify=("captain",)),)},
        contacts={name: Contact(id=name, console=True) for name in ("control-room", "captain", "manager")},
        rules={"day_burner": AlertRule(severity="major", policy="late")},
    ),
)


class Watch:
    """The book of SITE; times are minutes after T0. `rows` and `notices` gather what came out."""

    def __init__(self, site: Site = SITE) -> None:
        self.site = site
        self.book = AlertBook(site, T0)
        self.now = T0
        self.rows: list[AlertTransition] = []
        self.notices: list[Notice] = []

    def at(self, minutes: float) -> Watch:
        """Let time pass."""
        self.now = max(self.now, T0 + round(minutes * MINUTE))
        self.book.advance(self.now)
        return self._gather()

    def signal(self, action: str, rule: str = "lamp_failure", subject: str = "lamp-1", **more: object) -> Watch:
        self.book.signal(Signal(rule=rule, subject=subject, action=action, at=self.now, **more))
        return self._gather()

    def act(self, action: Action, alert: str = "lamp_failure/lamp-1/1", by: str = "wang", why: str = "") -> Alert:
        changed = self.book.operate(Operation(at=self.now, by=by, action=action, alert=alert, why=why))
        self._gather()
        return changed

    def down_until(self, minutes: float) -> Watch:
        """The gateway is down from now on."""
        down_from, self.now = self.now, T0 + round(minutes * MINUTE)
        self.book.restarted(down_from, self.now)
        return self._gather()

    def reborn(self) -> Watch:
        """A new book from a snapshot, as after a restart of the process."""
        state = self.book.snapshot()
        self.book = AlertBook(self.site, T0)
        self.book.restore(state)
        return self

    def _gather(self) -> Watch:
        changes = self.book.drain()
        self.rows += changes.transitions
        self.notices += changes.notices
        return self

    def alert(self, alert_id: str = "lamp_failure/lamp-1/1") -> Alert:
        found = self.book.alert(alert_id)
        assert found is not None
        return found

    def contacts(self, *kinds: str) -> list[str]:
        """Who was told, in order, by notices of these kinds."""
        return [notice.contact for notice in self.notices if notice.kind in kinds]

    def steps(self) -> list[tuple[float, str]]:
        """(minute, what) of every escalation row."""
        return [
            (round((row.transition.at.timestamp() * 1e6 - T0) / MINUTE, 3), row.transition.why)
            for row in self.rows
            if row.transition.why.startswith(("step", "exhausted"))
        ]
