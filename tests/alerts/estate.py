"""A site with things above and below each other and people on duty, for tests of silences, windows and the duty calendar."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import msgspec

from gateway.books import BookOperation, Entry
from gateway.instants import MINUTE, Instant, moment
from gateway.site.model import (
    Alerting,
    AlertRule,
    Checkpoint,
    Circuit,
    Contact,
    Device,
    Expected,
    Lamp,
    Parent,
    Person,
    Place,
    Route,
    Shift,
    Site,
    Step,
    Zone,
)
from tests.alerts.watch import POLICY, T0, Watch

NIGHT = Shift(
    id="night",
    since=time(20),
    until=time(8),
    rotation=(("g-wang", "c-li"), ("g-zhao", "c-chen")),
    first=date(2026, 11, 22),
)
"""On the night of T0 (22 November, 23:00) Wang and captain Li."""

ESTATE = Site(
    id="riverside",
    name="御溪花园",
    timezone="Asia/Shanghai",
    latitude=31.2,
    longitude=121.5,
    places={
        name: Place(id=name, name=name) for name in ("tower-1", "tower-1/f03", "tower-1/f04", "garage", "gate")
    },
    people={
        "g-wang": Person(id="g-wang", name="王强", roles=("guard",)),
        "g-zhao": Person(id="g-zhao", name="赵磊", roles=("guard",)),
        "c-li": Person(id="c-li", name="李队长", roles=("guard", "captain"), contact="li"),
        "c-chen": Person(id="c-chen", name="陈队长", roles=("guard", "captain"), contact="chen"),
        "g-sun": Person(id="g-sun", name="孙涛", roles=("guard",), contact="sun"),
        "c-mute": Person(id="c-mute", name="何队长", roles=("captain",)),
    },
    devices={
        "nvr-1": Device(id="nvr-1", driver="gb28181", kind="nvr", place="gate", network="switch-1"),
        "cam-1": Device(id="cam-1", driver="gb28181", kind="camera", place="garage", behind="nvr-1"),
        "cam-2": Device(id="cam-2", driver="gb28181", kind="camera", place="tower-1/f03"),
        "rdr-1": Device(id="rdr-1", driver="native", kind="reader", place="garage"),
        "wand-1": Device(id="wand-1", driver="native", kind="wand", portable=True),
    },
    checkpoints={"cp-garage": Checkpoint(id="cp-garage", place="garage", reader="rdr-1")},
    routes={"night": Route(id="night", visits=())},
    circuits={"c-1": Circuit(id="c-1", panel="panel-1")},
    lamps={
        "lamp-1": Lamp(id="lamp-1", place="tower-1/f03", circuit="c-1", expected=Expected(mode="always")),
        "lamp-2": Lamp(id="lamp-2", place="tower-1/f04", expected=Expected(mode="always")),
    },
    zones={"z-garage": Zone(id="z-garage", place="garage", cameras=("cam-1",))},
    parents={"panel-1": Parent(id="panel-1"), "switch-1": Parent(id="switch-1", power="panel-1")},
    shifts={"night": NIGHT},
    alerting=Alerting(
        policies={
            "default": POLICY,
            "duty": (
                Step(after=0, notify=("control-room",)),
                Step(after=10 * MINUTE, notify=("duty:captain",)),
                Step(after=30 * MINUTE, notify=("manager", "duty:captain")),
            ),
            "only": (Step(after=0, notify=("duty:captain",)), Step(after=10 * MINUTE, notify=("duty:manager",))),
        },
        contacts={
            name: Contact(id=name, console=True)
            for name in ("control-room", "captain", "manager", "li", "chen", "sun")
        },
        rules={"camera_offline": AlertRule(policy="duty"), "zone_blind": AlertRule(policy="only"),
               "reader_offline": AlertRule(policy="none")},
    ),
)  # fmt: skip


class Post(Watch):
    """The book of ESTATE with people who silence, plan work and stand in for each other."""

    def __init__(self, site: Site = ESTATE) -> None:
        super().__init__(site)
        self.entries: list[Entry] = []

    def silence(self, on: str, subject: str, minutes: float = 60, *, why: str = "known", **more: Any) -> str:
        """Make a silence of so many minutes from now; its id."""
        return self.quiet("silence", on, subject, until=self.minute + minutes, why=why, **more)

    def quiet(
        self, kind: str, on: str, subject: str, *, until: float, why: str = "known", by: str = "op", **more: Any
    ) -> str:
        """Make a silence or a window; `since` and `until` in minutes after T0; its id."""
        if "since" in more:
            more["from"] = clock(more.pop("since"))
        details = {"kind": kind, "on": on, "subject": subject, "until": clock(until), **more}
        item = self.book.silence(
            BookOperation(at=self.now, by=by, book="silence", action="create", details=details, why=why)
        )
        self._gather()
        return item.id

    def end(self, item: str, why: str = "mended") -> None:
        self.book.silence(BookOperation(at=self.now, by="op", book="silence", action="end", subject=item, why=why))
        self._gather()

    def swap(self, away: str | None, instead: str | None, day: str = "2026-11-22", shift: str = "night") -> str:
        details = {"shift": shift, "date": day, "away": away, "instead": instead}
        operation = BookOperation(at=self.now, by="op", book="duty", action="create", details=details, why="ill")
        item = self.book.duty.operate(operation)
        self._gather()
        return item.id

    @property
    def minute(self) -> float:
        return (self.now - T0) / MINUTE

    def _gather(self) -> Post:
        super()._gather()
        for part in (self.book.silences, self.book.duty):
            self.entries += part.entries
            part.entries = []
        return self

    def states(self) -> list[tuple[str, str, str]]:
        """(id, action, state) of every entry."""
        return [(entry.id, entry.action, entry.state) for entry in self.entries]

    def reborn(self) -> Post:
        """A new book from a snapshot that went over the wire, as after a restart of the process."""
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.book.snapshot()))
        fresh = type(self)(self.site)
        fresh.book.restore(state)
        self.book = fresh.book
        return self

    def told(self, alert: str) -> list[str]:
        """Contacts told of one alert, in order."""
        return [notice.contact for notice in self.notices if notice.alert == alert]


def clock(minute: float) -> str:
    """A minute after T0 as people and the API write it."""
    at: Instant = T0 + round(minute * MINUTE)
    return moment(at, ESTATE.zone_info).isoformat()
