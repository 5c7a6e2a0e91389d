"""Who is on duty: the site's calendar, and who stands in for whom (替班) for one shift, by word of a person.

Pure: time is an argument. Escalation asks whom to tell at the moment a step is taken; `DutyBook` is the face to the judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from device_drivers.observations import TagRead
from gateway.alerts.alert import AlertTransition
from gateway.alerts.lifecycle import Refused
from gateway.books import BookChanges, BookOperation, Entry
from gateway.instants import DAY, Duration, Instant, instant, moment
from gateway.rules.stand_ins import StandIn
from gateway.rules.timers import Timers
from gateway.site.model import Site
from gateway.site.shifts import DatedShift, after_swap, dated_shift, on_shift

if TYPE_CHECKING:
    from gateway.alerts.book import AlertBook

DUTY = "duty:"
AHEAD: Duration = 62 * DAY
"""Nobody stands in for a shift that begins on a later day; the calendar's exceptions are for that."""
STANDING_LIMIT = 200
"""Swaps of shifts not yet over; beyond it a further one is refused."""
ENDED_KEPT = 100
REASON_LONGEST = 500

CLOCK = "clock"
State = Literal["agreed", "over", "cancelled"]


class Swap(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from"}):
    """Somebody stands in for one shift, as the API shows it.

    Args:
        id: `duty/NUMBER`.
        shift, date: which shift, by the local date on which it begins.
        since, until: of the shift.
        away: who is not there; None: the other one comes beside all.
        instead: who is; None: nobody, the place stays empty.
        by, why: who said so, and why.
    """

    id: str
    state: State
    shift: str
    date: date
    since: datetime
    until: datetime
    away: str | None = None
    instead: str | None = None
    by: str
    why: str

    def as_stand_in(self) -> StandIn:
        """As the rules regard it."""
        return StandIn(self.shift, self.date, self.away, self.instead, instant(self.since), instant(self.until))


class SwapWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person asks for: the `details` of the operation."""

    shift: str
    date: date
    away: str | None = None
    instead: str | None = None


def _says(operation: BookOperation, swap: Swap) -> bool:
    """Whether an operation names a swap by value."""
    said = operation.details
    named = (said.get("shift"), said.get("date"), said.get("away"), said.get("instead"))
    return named == (swap.shift, swap.date.isoformat(), swap.away, swap.instead)


def stand_in_of(site: Site, operation: BookOperation) -> StandIn | None:
    """What an operation of the duty calendar says by value; None: it does not, or the site has no such shift."""
    try:
        wish = msgspec.convert(dict(operation.details), SwapWish)
    except msgspec.ValidationError:
        return None
    known = site.shifts.get(wish.shift)
    shift = None if known is None else dated_shift(site, known, wish.date)
    return None if shift is None else StandIn(wish.shift, wish.date, wish.away, wish.instead, shift.start, shift.end)


class Reached(NamedTuple):
    """Whom a step reaches. `note`: what the history says of those on duty; empty: nobody was asked for by duty."""

    contacts: tuple[str, ...]
    note: str = ""


class Duty:
    """Who is on duty on one site, swaps included."""

    def __init__(self, site: Site) -> None:
        self.entries: list[Entry] = []
        self._site = site
        self._zone = site.zone_info
        self._standing: dict[str, Swap] = {}
        self._ended: dict[str, State] = {}
        self._number = 0
        self._timers: Timers[str] = Timers()

    # What is asked

    def on(self, at: Instant) -> list[DatedShift]:
        """The shifts that run at `at`, with the people who are really on them; of shifts that are over, as the calendar has them."""
        return [self.swapped(shift) for shift in on_shift(self._site, at)]

    def swaps(self) -> list[Swap]:
        """Swaps of shifts that are not over, in the order in which they were made."""
        return list(self._standing.values())

    def reached(self, notify: Sequence[str], at: Instant, *, fallback: Sequence[str] = ()) -> Reached:
        """The contacts of a step at `at`: those it names, and those of the people on duty it names, in its order.

        Args:
            notify: contacts and `duty:ROLE`.
            fallback: who is told if that is nobody.
        """
        if not any(name.startswith(DUTY) for name in notify):
            return Reached(tuple(notify))
        contacts: dict[str, None] = {}
        said: list[str] = []
        for name in notify:
            if not name.startswith(DUTY):
                contacts[name] = None
                continue
            people = self._with(name.removeprefix(DUTY), at)
            found = {person: contact for person in people if (contact := self._contact(person)) is not None}
            contacts |= dict.fromkeys(found.values())
            if found:
                said.append(f"{name} {' '.join(found)}")
            else:
                said.append(f"{name} {'no contact: ' + ' '.join(people) if people else 'nobody on duty'}")
        return Reached(tuple(contacts) or tuple(fallback), "; ".join(said))

    def _with(self, role: str, at: Instant) -> list[str]:
        """Who is on duty in a role; captain is also whoever leads the shift or stands in for who does."""
        people: dict[str, None] = {}
        for shift in self.on(at):
            if role == "captain" and shift.captains:
                people |= dict.fromkeys(shift.captains)
                continue
            acting = self._acting(shift)
            for person in shift.people:
                if any(role in self._roles(one) for one in (person, *acting.get(person, ()))):
                    people[person] = None
        return list(people)

    def _acting(self, shift: DatedShift) -> dict[str, list[str]]:
        """For whom a person stands in on a shift, whose roles he has then."""
        acting: dict[str, list[str]] = {}
        for swap in self._standing.values():
            if (
                (swap.shift, swap.date) == (shift.shift, shift.date)
                and swap.instead is not None
                and swap.away is not None
            ):
                acting.setdefault(swap.instead, []).extend((swap.away, *acting.get(swap.away, ())))
        return acting

    def _roles(self, person: str) -> tuple[str, ...]:
        known = self._site.people.get(person)
        return () if known is None else known.roles

    def _contact(self, person: str) -> str | None:
        known = self._site.people.get(person)
        found = None if known is None else known.contact
        return found if found in self._site.alerting.contacts else None

    def swapped(self, shift: DatedShift) -> DatedShift:
        """A dated shift of the calendar with the people who are really on it."""
        for swap in self._standing.values():
            shift = after_swap(shift, swap)
        return shift

    # What is done

    def operate(self, operation: BookOperation) -> Swap:
        """A person says who stands in (`create`), or that it is off (`cancel`).

        Raises:
            Refused: nothing changed.
        """
        why = operation.why.strip()
        if len(why) > REASON_LONGEST:
            raise Refused(f"expected a reason of at most {REASON_LONGEST} characters", "invalid")
        match operation.action:
            case "create":
                return self._create(operation, why)
            case "cancel":
                return self._cancel(operation, why)
            case other:
                raise Refused(f"the duty calendar knows no {other!r}: expected create or cancel", "invalid")

    def deadline(self) -> Instant | None:
        return self._timers.next()

    def advance(self, now: Instant) -> None:
        """Swaps of shifts that are over by `now` are over."""
        while (at := self._timers.next()) is not None and at <= now:
            for name in sorted(name for _, name in self._timers.due(at)):
                self._over(self._standing[name], "over", at, CLOCK, "over", "the shift is over")

    def _create(self, operation: BookOperation, why: str) -> Swap:
        try:
            wish = msgspec.convert(dict(operation.details), SwapWish)
        except msgspec.ValidationError as error:
            raise Refused(f"this is no swap: {error}", "invalid") from error
        if wish.date > moment(operation.at + AHEAD, self._zone).date():
            raise Refused(
                f"expected a shift within {AHEAD // DAY} days; the calendar's exceptions are for later ones", "invalid"
            )
        known = self._site.shifts.get(wish.shift)
        shift = None if known is None else dated_shift(self._site, known, wish.date)
        if shift is None and operation.accepted:
            shift = self._gone(wish)
        if shift is None:
            raise Refused(f"no shift {wish.shift!r} begins on {wish.date}", "invalid")
        if not operation.accepted:
            self._check(wish, self.swapped(shift), operation.at)
        self._number += 1
        swap = Swap(
            id=f"duty/{self._number}",
            state="agreed",
            shift=wish.shift,
            date=wish.date,
            since=moment(shift.start, self._zone),
            until=moment(shift.end, self._zone),
            away=wish.away,
            instead=wish.instead,
            by=operation.by,
            why=why,
        )
        self._file(swap)
        self._enter(swap, operation.at, operation.by, "create", why)
        return swap

    def _gone(self, wish: SwapWish) -> DatedShift:
        """A shift that the site no longer has: when it was is not known beyond its day."""
        midnight = instant(datetime.combine(wish.date, time(), self._zone))
        return DatedShift(shift=wish.shift, date=wish.date, start=midnight, end=midnight + DAY, people=())

    def _check(self, wish: SwapWish, shift: DatedShift, at: Instant) -> None:
        """Raises `Refused` with what was expected."""
        if shift.end <= at:
            raise Refused("that shift is over")
        if wish.away is None and wish.instead is None:
            raise Refused("expected who is away, who is there instead, or both", "invalid")
        if wish.away is not None and wish.away not in shift.people:
            raise Refused(f"{wish.away} is not on that shift", "invalid")
        if wish.instead is not None:
            if wish.instead not in self._site.people:
                raise Refused(f"the site has no person {wish.instead!r}", "invalid")
            if wish.instead in shift.people:
                raise Refused(f"{wish.instead} is on that shift already", "invalid")
        if len(self._standing) >= STANDING_LIMIT:
            raise Refused(f"{STANDING_LIMIT} swaps stand already: cancel some first")

    def _cancel(self, operation: BookOperation, why: str) -> Swap:
        swap = self._standing.get(operation.subject or "")
        if operation.details and (swap is None or not _says(operation, swap)):  # counted otherwise where it was said
            swap = next((each for each in reversed(self._standing.values()) if _says(operation, each)), None)
        if swap is None:
            over = self._ended.get(operation.subject or "")
            if over is None:
                raise Refused(f"no such swap stands: {operation.subject}", "unknown")
            raise Refused(f"it is {over} already")
        return self._over(swap, "cancelled", operation.at, operation.by, "cancel", why)

    def _file(self, swap: Swap) -> None:
        self._standing[swap.id] = swap
        self._timers.set(swap.id, instant(swap.until))

    def _over(self, swap: Swap, state: State, at: Instant, by: str, action: str, why: str) -> Swap:  # noqa: PLR0917
        swap = replace(swap, state=state)
        del self._standing[swap.id]
        self._timers.set(swap.id, None)
        self._ended[swap.id] = state
        if len(self._ended) > ENDED_KEPT:
            del self._ended[next(iter(self._ended))]
        self._enter(swap, at, by, action, why)
        return swap

    def _enter(self, swap: Swap, at: Instant, by: str, action: str, why: str) -> None:
        start = instant(swap.since)
        self.entries.append(
            Entry(
                at=at, book="duty", id=swap.id, state=swap.state, start=start, by=by, action=action, why=why, item=swap
            )
        )

    def take_up(self, earlier: Sequence[Swap]) -> None:
        """Know what was agreed before this began, each swap as it was then, in order."""
        for swap in earlier:
            self._number = max(self._number, int(swap.id.rpartition("/")[2]))
            if swap.state == "agreed":
                self._file(swap)

    def snapshot(self) -> Any:
        return {"standing": msgspec.json.encode(self.swaps()), "ended": dict(self._ended), "number": self._number}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot."""
        for swap in msgspec.json.decode(state["standing"], type=list[Swap]):
            self._file(swap)
        self._ended = dict(state["ended"])
        self._number = state["number"]


class DutyBook:
    """The book `duty` of the judge: the alerts ask the calendar, this hands on."""

    def __init__(self, alerts: AlertBook) -> None:
        self._alerts = alerts

    def told(self, transition: AlertTransition) -> None:
        """Nothing an alert does changes who is on duty."""

    def heard(self, tap: TagRead, at: Instant, received: Instant) -> bool:  # noqa: ARG002
        """No tap does either."""
        return False

    def operate(self, operation: BookOperation) -> Swap:
        """A person says who stands in for whom.

        Raises:
            Refused: nothing changed.
        """
        return self._alerts.duty.operate(operation)

    def advance(self, now: Instant) -> None:
        """Swaps of shifts that are over are over."""
        self._alerts.duty.advance(now)

    def deadline(self) -> Instant | None:
        return self._alerts.duty.deadline()

    def restarted(self, down_from: Instant, now: Instant) -> None:  # noqa: ARG002
        """A shift went on without us."""
        self._alerts.duty.advance(now)

    def drain(self) -> BookChanges:
        """What was agreed, cancelled and over since the last call, in order."""
        entries, self._alerts.duty.entries = self._alerts.duty.entries, []
        return BookChanges(entries=entries)

    def snapshot(self) -> Any:
        """It stands in the alerts' own."""
        return None

    def restore(self, state: Any) -> None:
        """Likewise."""
