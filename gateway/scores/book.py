"""The book of what people say of the score: points taken by an inspection, appeals and their decisions, the year-end, publications.

What is computed is not kept here: a score follows from its evidence whenever it is asked for (`sheet.py`). Pure: time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from device_drivers.observations import TagRead
from gateway.alerts.alert import AlertTransition
from gateway.alerts.lifecycle import Refused
from gateway.books import BookChanges, BookOperation, Entry
from gateway.instants import DAY, Duration, Instant, instant, moment
from gateway.scores.period import period_of
from gateway.scores.table import DAILY, POINT, YEAR_END
from gateway.site.model import ScoreItem, Site

Part = Literal["daily", "year_end"]
Item = TypeVar("Item", bound=msgspec.Struct)

MOST_MARKS = 2000
MOST_APPEALS = 2000
"""In memory; beyond it the oldest one that changes no score any more is let go (the journal has it); without one a new one is refused."""
KEPT: Duration = 800 * DAY
"""What was said so long ago belongs to a year that is over and ranked."""
WORDS_LONGEST = 1000
BACK: Duration = 400 * DAY
"""An inspection may be written down so much later: the year-end looks back on its year."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Points taken by a person: of which item, how many, for what. `withdrawn`: why it no longer counts."""

    id: str
    kind: Literal["mark"] = "mark"
    part: Part
    item: str
    points: float
    at: datetime
    words: str
    by: str
    person: str | None = None
    place: str | None = None
    withdrawn: str | None = None


class Appeal(msgspec.Struct, frozen=True, kw_only=True):
    """An appeal (申诉) against a deduction. Accepted, it cancels the deduction; both stay in the history.

    Attributes:
        key: of the deduction; `revision` of its evidence, and `points`, as they were when it was made.
        decided_by, decision: who decided it, and why.
    """

    id: str
    kind: Literal["appeal"] = "appeal"
    key: str
    period: str
    points: float
    revision: int | None = None
    by: str
    at: datetime
    why: str
    state: Literal["open", "accepted", "rejected", "withdrawn"]
    decided_by: str | None = None
    decided: datetime | None = None
    decision: str | None = None

    def decided_before(self, at: datetime) -> bool:
        """Whether it was decided before an instant."""
        return self.decided is not None and self.decided < at


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A published score: the document itself stands in the entry of its revision."""

    id: str
    kind: Literal["sheet"] = "sheet"
    period: str
    revision: int
    score: float | None
    digest: str
    at: datetime
    by: str
    document: Mapping[str, Any]


class YearEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a year's assessment is closed: only then the year has a score."""

    id: str
    kind: Literal["year_end"] = "year_end"
    year: str
    closed: bool
    at: datetime
    by: str


class ScoreBook:
    """What people say of one site's scores."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._zone = site.zone_info
        self._changes = BookChanges()
        self._marks: dict[str, Mark] = {}
        self._appeals: dict[str, Appeal] = {}
        self._published: dict[str, tuple[int, str]] = {}
        self._closed: dict[str, bool] = {}
        self._numbers = {"mark": 0, "appeal": 0}

    def told(self, transition: AlertTransition) -> None:
        """Alerts cost no points."""

    def heard(self, tap: TagRead, at: Instant, received: Instant) -> bool:  # noqa: ARG002
        """Taps are judged elsewhere."""
        return False

    def operate(self, operation: BookOperation) -> msgspec.Struct:
        """`mark`, `withdraw` (a mark), `appeal`, `accept`, `reject`, `retract` (an appeal), `publish`, `close`, `reopen` (a year-end).

        Raises:
            Refused: nothing changed.
        """
        match operation.action:
            case "mark":
                return self._mark(operation)
            case "withdraw":
                return self._withdraw(operation)
            case "appeal":
                return self._appeal(operation)
            case "accept" | "reject" | "retract":
                return self._decide(operation)
            case "publish":
                return self._publish(operation)
            case "close" | "reopen":
                return self._close(operation)
            case _:
                raise Refused(f"scores know no action {operation.action!r}")

    def advance(self, now: Instant) -> None:
        """Nothing here changes by time."""

    def deadline(self) -> Instant | None:
        """None: nothing here changes by time."""
        return None

    def restarted(self, down_from: Instant, now: Instant) -> None:
        """Nothing that people said is lost."""

    def drain(self) -> BookChanges:
        """What changed since the last call."""
        changes, self._changes = self._changes, BookChanges()
        return changes

    def _mark(self, operation: BookOperation) -> Mark:
        said = _details(operation, Said)
        words = operation.why.strip()
        if not operation.accepted:
            self._check(said)
        if not words or len(words) > WORDS_LONGEST:
            raise Refused(f"points are taken with words, at most {WORDS_LONGEST} characters")
        at = operation.at if said.at is None else instant(said.at)
        if not operation.at - BACK <= at <= operation.at:
            raise Refused("an inspection lies in the past, at most 400 days back")
        old = moment(operation.at - KEPT, self._zone)
        _make_room(self._marks, MOST_MARKS, lambda mark: mark.withdrawn is not None or mark.at < old)
        self._numbers["mark"] += 1
        mark = Mark(
            id=f"mark-{self._numbers['mark']}",
            part=said.part,
            item=said.item,
            points=round(said.points * POINT) / POINT,
            at=moment(at, self._zone),
            words=words,
            by=operation.by,
            person=said.person,
            place=said.place,
        )
        self._marks[mark.id] = mark
        return self._enter(operation, mark, mark.id, "counted", mark.at)

    def _check(self, said: Said) -> None:
        """Raises `Refused` with what the site expects."""
        item = next((each for each in items_of(self.site, said.part) if each.id == said.item), None)
        if item is None:
            raise Refused(f"there is no item {said.item!r}", "unknown")
        most = item.points.get("manual", 0)
        if not 0 < said.points <= 100 or not 0 < round(said.points * POINT) <= most:
            raise Refused(f"{item.id}: expected more than 0 and at most {most / POINT:g} points")
        if said.person is not None and said.person not in self.site.people:
            raise Refused(f"there is no person {said.person!r}", "unknown")
        if said.place is not None and said.place not in self.site.places:
            raise Refused(f"there is no place {said.place!r}", "unknown")

    def _withdraw(self, operation: BookOperation) -> Mark:
        mark = self._marks.get(operation.subject or "")
        if mark is None or mark.withdrawn is not None:
            raise Refused(f"there is no inspection {operation.subject!r} that counts", "unknown")
        mark = replace(mark, withdrawn=_reason(operation))
        self._marks[mark.id] = mark
        return self._enter(operation, mark, mark.id, "withdrawn", mark.at)

    def _appeal(self, operation: BookOperation) -> Appeal:
        said = _details(operation, Against)
        why = _reason(operation)
        if any(each.key == said.key and each.state in {"open", "accepted"} for each in self._appeals.values()):
            raise Refused("there is an appeal against it already that is open or was accepted")
        old = moment(operation.at - KEPT, self._zone)
        _make_room(
            self._appeals,
            MOST_APPEALS,
            lambda each: each.state in {"rejected", "withdrawn"} or each.decided_before(old),
        )
        self._numbers["appeal"] += 1
        appeal = Appeal(
            id=f"appeal-{self._numbers['appeal']}",
            key=said.key,
            period=said.period,
            points=said.points,
            revision=said.revision,
            by=operation.by,
            at=moment(operation.at, self._zone),
            why=why,
            state="open",
        )
        self._appeals[appeal.id] = appeal
        return self._enter(operation, appeal, appeal.id, "open", appeal.at)

    def _decide(self, operation: BookOperation) -> Appeal:
        appeal = self._appeals.get(operation.subject or "")
        if appeal is None:
            raise Refused(f"there is no appeal {operation.subject!r}", "unknown")
        if appeal.state != "open":
            raise Refused(f"{appeal.id} is {appeal.state} already; nothing changed")
        mine = operation.by == appeal.by
        if operation.action == "retract" and not mine:
            raise Refused("only who made an appeal takes it back")
        if operation.action != "retract" and mine:
            raise Refused("nobody decides his own appeal")
        state: Any = {"accept": "accepted", "reject": "rejected", "retract": "withdrawn"}[operation.action]
        appeal = replace(
            appeal,
            state=state,
            decided_by=operation.by,
            decided=moment(operation.at, self._zone),
            decision=_reason(operation),
        )
        self._appeals[appeal.id] = appeal
        return self._enter(operation, appeal, appeal.id, state, appeal.at)

    def _publish(self, operation: BookOperation) -> Published:
        said = _details(operation, Sheet)
        revision, digest = self._published.get(said.period, (0, ""))
        if said.revision != revision + 1:
            raise Refused(f"{said.period} was published meanwhile (revision {revision}); look at it and publish again")
        if digest == said.content:
            raise Refused(f"{said.period} is published as it is already (revision {revision})")
        self._published[said.period] = (said.revision, said.content)
        sheet = Published(
            id=f"sheet/{said.period}",
            period=said.period,
            revision=said.revision,
            score=said.document.get("score"),
            digest=str(said.document.get("digest", "")),
            at=moment(operation.at, self._zone),
            by=operation.by,
            document=said.document,
        )
        start = moment(period_of(self.site, said.period).since, self._zone)
        return self._enter(operation, sheet, sheet.id, "published", start)

    def _close(self, operation: BookOperation) -> YearEnd:
        year = operation.subject or ""
        try:
            period = period_of(self.site, year)
        except ValueError as error:
            raise Refused(f"{year!r}: {error}", "unknown") from error
        if period.kind != "year":
            raise Refused(f"{year!r}: expected a year")
        closed = operation.action == "close"
        if self._closed.get(year, False) is closed:
            raise Refused(f"the year-end assessment of {year} is {'closed' if closed else 'open'} already")
        if not closed:
            _reason(operation)
        self._closed[year] = closed
        value = YearEnd(
            id=f"year_end/{year}", year=year, closed=closed, at=moment(operation.at, self._zone), by=operation.by
        )
        return self._enter(operation, value, value.id, "closed" if closed else "open", moment(period.since, self._zone))

    def _enter(self, operation: BookOperation, item: Item, name: str, state: str, start: datetime) -> Item:
        self._changes.entries.append(
            Entry(
                at=operation.at,
                book="score",
                id=name,
                state=state,
                start=instant(start),
                by=operation.by,
                action=operation.action,
                why=operation.why,
                item=item,
            )
        )
        return item

    # What is asked

    def marks(self) -> list[Mark]:
        """In the order in which they were made."""
        return list(self._marks.values())

    def appeals(self) -> list[Appeal]:
        """In the order in which they were made."""
        return list(self._appeals.values())

    def revision(self, period: str) -> int:
        """How often a period was published."""
        return self._published.get(period, (0, ""))[0]

    def closed(self, year: str) -> bool:
        """Whether a year's assessment is closed."""
        return self._closed.get(year, False)

    def snapshot(self) -> Any:
        return msgspec.to_builtins(
            {
                "marks": list(self._marks.values()),
                "appeals": list(self._appeals.values()),
                "published": {period: list(value) for period, value in self._published.items()},
                "closed": self._closed,
                "numbers": self._numbers,
            }
        )

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot. What was said of an item that the site no longer has stays, and costs nothing there."""
        self._marks = {each.id: each for each in msgspec.convert(state["marks"], list[Mark])}
        self._appeals = {each.id: each for each in msgspec.convert(state["appeals"], list[Appeal])}
        self._published = msgspec.convert(state["published"], dict[str, tuple[int, str]])
        self._closed = dict(state["closed"])
        self._numbers = dict(state["numbers"])


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Details of `mark`; the words are the operation's `why`."""

    item: str
    points: float
    part: Part = "daily"
    at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    person: str | None = None
    place: str | None = None


class Against(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Details of `appeal`: the deduction as it was."""

    key: str
    period: str
    points: float
    revision: int | None = None


class Sheet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Details of `publish`: the sealed document, and the digest of what it says apart from its revision and time."""

    period: str
    revision: int
    content: str
    document: dict[str, Any]


def items_of(site: Site, part: Part) -> tuple[ScoreItem, ...]:
    """The table of a part of the assessment."""
    return (site.scores.items or DAILY) if part == "daily" else (site.scores.year_end_items or YEAR_END)


def _reason(operation: BookOperation) -> str:
    why = operation.why.strip()
    if not why or len(why) > WORDS_LONGEST:
        raise Refused(f"expected a reason, of at most {WORDS_LONGEST} characters")
    return why


def _make_room(kept: dict[str, Any], most: int, done: Callable[[Any], bool]) -> None:
    if len(kept) < most:
        return
    oldest = next((name for name, each in kept.items() if done(each)), None)
    if oldest is None:
        raise Refused(f"there are {most} already")
    del kept[oldest]


def _details(operation: BookOperation, shape: type[Any]) -> Any:
    try:
        return msgspec.convert(dict(operation.details), shape)
    except msgspec.ValidationError as error:
        raise Refused(f"details: {error}") from error
