"""Rules and alerts as one deterministic machine: the log goes in, everything derived comes out.

The runtime feeds it live; `replay` feeds it an evidence file; a restart feeds it the tail of the journal. The same log
gives the same result in all three.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from device_drivers.observations import Observation, TagRead
from gateway.alerts.alert import AlertChanges, AlertTransition, Notice, Operation
from gateway.alerts.book import AlertBook
from gateway.alerts.duty import Swap, stand_in_of
from gateway.alerts.lifecycle import Refused
from gateway.alerts.succession import Told
from gateway.books import FORMAT as BOOKS_FORMAT
from gateway.books import Book, BookName, BookOperation, Entry, open_books
from gateway.clock import Doubt
from gateway.figures.history import History
from gateway.instants import Instant, instant
from gateway.journal.rows import Condition
from gateway.rules.engine import Engine
from gateway.rules.findings import Finding, Gap, Round, Signal, VisitRevision
from gateway.rules.operations import DeviceOperation
from gateway.site.model import Site

EVIDENCE_LIMIT = 20
"""An alert's history names so many pieces of evidence a row; of more the last."""


class Outcome(msgspec.Struct, kw_only=True):
    """What one batch of the log changed."""

    revisions: list[VisitRevision]
    transitions: list[AlertTransition]
    notices: list[Notice]
    touched: list[tuple[str, str]]
    conditions: list[Condition]
    entries: list[Entry]

    def followed_by(self, later: Outcome) -> Outcome:
        """Both as one; of what was touched twice the view is the same."""
        return Outcome(
            revisions=self.revisions + later.revisions,
            transitions=self.transitions + later.transitions,
            notices=self.notices + later.notices,
            touched=list(dict.fromkeys(self.touched + later.touched)),
            conditions=self.conditions + later.conditions,
            entries=self.entries + later.entries,
        )


class Judgement:
    """Rules, then alerts, then the books beside them, in step."""

    def __init__(self, site: Site, started: Instant) -> None:
        self.site = site
        self.started = started
        self.engine = Engine(site, started)
        self.alerts = AlertBook(site, started)
        self.books = open_books(site, started, self.alerts, self.engine)
        self.history = History(site, self.engine, started)
        self._aside: dict[BookName, Book] = {}
        self._entries: list[Entry] = []
        self._notices: list[Notice] = []
        self._revisions: list[VisitRevision] = []
        self._touched: dict[tuple[str, str], None] = {}
        self._held: Outcome | None = None
        self._later_due: Instant | None = None
        """The next deadline of alerts and books; kept, since it is asked for every message and moves only where they do."""
        self._settle()

    @property
    def now(self) -> Instant:
        """The last instant judged."""
        return self.engine.now

    def plan_from(self, since: Instant) -> None:
        """Plan rounds and windows from `since` on, though the first evidence came later; keep all that is found to the end."""
        self.engine.plan_from(since)
        self.alerts.keep_all()

    def apply(self, observation: Observation, received: Instant, at: Instant | None = None) -> None:
        """Take one observation; deadlines up to `received` fire first. `at`: its own time, if that has been read already."""
        engine = self.engine
        if not self._due(received):
            if engine.rounds.gathered <= received:
                engine.gather(received)
                self._collect()
                if self._due(received):
                    self.advance(received)
        else:
            self.advance(received)
        engine.apply(observation, received, at)
        found = engine.found
        if found.signals or found.touched or found.revisions:
            self._collect(observation if found.signals else None)
        if type(observation) is TagRead:
            self._tell_books(observation, instant(observation.at) if at is None else at, received)

    def apply_late(self, observation: Observation, received: Instant, heard: Instant) -> None:
        """Take what arrived at `heard` and could not be read until now, `received` (`Engine.apply_late`)."""
        self.advance(received)
        at = instant(observation.at)
        self.engine.apply_late(observation, received, at, heard)
        self._collect(observation if self.engine.found.signals else None)
        if type(observation) is TagRead:
            self._tell_books(observation, at, received)

    def _due(self, now: Instant) -> bool:
        return self.engine.due(now) or (self._later_due is not None and self._later_due <= now)

    def _tell_books(self, tap: TagRead, at: Instant, received: Instant) -> None:
        news = False
        for book in self.books.values():
            news = book.heard(tap, at, received) or news
        if news:
            self._settle()

    def advance(self, now: Instant) -> None:
        """Let time pass up to `now`, rules and alerts in the order of their deadlines."""
        while (due := self.deadline()) is not None and due <= now:
            self.engine.advance(due)
            self._collect()
            if self._later_due is not None and self._later_due <= due:
                self.alerts.advance(due)
                for book in self.books.values():
                    book.advance(due)
                self._settle()
        self.engine.advance(now)
        self.engine.flush()
        self._collect()

    def conclude(self) -> None:
        """Nothing more will come: judge also what may wait a little."""
        self.engine.conclude()
        self._collect()

    def deadline(self) -> Instant | None:
        """The next instant at which something changes by time alone."""
        rules, later = self.engine.deadline(), self._later_due
        if rules is None or (later is not None and later < rules):
            return later
        return rules

    def restarted(self, down_from: Instant, now: Instant, doubt: Doubt | None = None) -> None:
        """The gateway was down from `down_from` until `now`; with `doubt`: nobody knows whether that was its time; see `Engine`."""
        self.history.restarted(down_from, now, doubt)
        self.engine.restarted(down_from, now, doubt)
        self._collect()
        self.alerts.restarted(down_from, now)
        for book in self.books.values():
            book.restarted(down_from, now)
        self._settle()

    def operate(self, operation: Operation | DeviceOperation | BookOperation) -> msgspec.Struct | None:
        """A person acts on an alert, a device or an item of a book, which is given as it is then.

        Raises:
            Refused: nothing changed.
        """
        self.advance(operation.at)
        if isinstance(operation, BookOperation):
            book = self.books.get(operation.book)
            if book is None:
                if operation.book in self._aside:
                    self._set_aside(operation)
                raise Refused(f"this site has no {operation.book}", "unknown")
            try:
                after = book.operate(operation)
                if isinstance(after, Swap):
                    self._stand_in()
                return after
            finally:
                self._settle()
        if isinstance(operation, DeviceOperation):
            self.engine.operate(operation)
            self._collect()
            return None
        try:
            return self.alerts.operate(operation)
        finally:
            self._settle()

    def _stand_in(self) -> None:
        """The rules hear of swaps too."""
        self.engine.stand_in([swap.as_stand_in() for swap in self.alerts.duty.swaps()])
        self._collect()

    def _set_aside(self, operation: BookOperation) -> None:
        """A book has heard this before, the rules have not."""
        if operation.book == "duty" and (agreed := stand_in_of(self.site, operation)) is not None:
            self.engine.stands_in(agreed, cancelled=operation.action == "cancel")
            self._collect()

    def rejudge(self, round_ids: Sequence[str], now: Instant) -> None:
        """Judge rounds in memory by the site as it is now, though they were planned by an earlier one."""
        self.advance(now)
        self.engine.rounds.replan(round_ids, self.now)
        self.engine.flush()
        self._collect()

    def signal(self, signal: Signal) -> None:
        """Tell the alerts of a condition that re-judging the past found."""
        self.alerts.signal(signal)
        self._settle()

    def _collect(self, observation: Observation | None = None) -> None:
        """Hand on what the rules found; `observation`: what they were just told."""
        engine = self.engine
        found = engine.found
        if not (found.signals or found.touched or found.revisions):
            self.history.pass_time(engine.now)
            return
        found = engine.drain()
        for signal in found.signals:
            self.alerts.signal(signal, _rests_on(signal, found.revisions, observation))
        if found.signals:
            self._settle()
        self._revisions += found.revisions
        if found.touched:
            self._touched |= found.touched
            self.history.look(found.touched, engine.now)
        self.history.pass_time(engine.now)

    def _settle(self) -> None:
        """What became of alerts is told to the books, what these find to the alerts, until nobody has news; then plan ahead."""
        if self.books:
            while True:
                for transition in self.alerts.news():
                    for book in self.books.values():
                        book.told(transition)
                signals = []
                for book in self.books.values():
                    changes = book.drain()
                    self._entries += changes.entries
                    self._notices += changes.notices
                    signals += changes.signals
                if not signals:
                    break
                for signal in signals:
                    self.alerts.signal(signal)
        due = self.alerts.deadline()
        for book in self.books.values():
            own = book.deadline()
            if own is not None and (due is None or own < due):
                due = own
        self._later_due = due

    def drain(self) -> Outcome:
        """What changed since the last call, in order."""
        self.engine.flush()
        self._collect()
        changes = self.alerts.drain()
        outcome = Outcome(
            revisions=self._revisions,
            transitions=changes.transitions,
            notices=changes.notices + self._notices,
            touched=list(self._touched),
            conditions=self.history.drain(),
            entries=self._entries,
        )
        self._revisions, self._touched, self._entries, self._notices = [], {}, [], []
        held, self._held = self._held, None
        return outcome if held is None else held.followed_by(outcome)

    def discard(self) -> None:
        """Let go of what `drain` would give, where nobody asks for it; nothing is judged by that."""
        self.alerts.drain()
        self.history.drain()
        self._revisions, self._touched, self._entries, self._notices = [], {}, [], []

    def put_back(self, outcome: Outcome) -> None:
        """Have the next `drain` give this first."""
        self._held = outcome

    def view(self, kind: str, subject: str) -> Finding | None:
        """The current view of a touched finding; None if it is gone."""
        engine = self.engine
        views: dict[str, Callable[[str], Finding | None]] = {
            "round": engine.rounds.round,
            "gap": engine.rounds.gap,
            "lamp": engine.lighting.lamp,
            "circuit": engine.lighting.circuit,
            "camera": engine.cameras.camera,
            "zone": engine.cameras.zone,
            "device": engine.devices.device,
        }
        return views[kind](subject)

    @staticmethod
    def start_of(view: Finding) -> Instant:
        """The instant by which findings of a kind are ordered: a round's start, a window's; 0 for what has none."""
        if isinstance(view, Round):
            return instant(view.start)
        return instant(view.window_start) if isinstance(view, Gap) else 0

    def state(self) -> dict[str, Any]:
        """Everything, to be encoded at once: parts of it are views of what goes on to change."""
        return {
            "engine": self.engine.snapshot(),
            "alerts": self.alerts.snapshot(),
            "books": {name: book.snapshot() for name, book in self.books.items()},
            "books_format": BOOKS_FORMAT,
        }

    def snapshot(self) -> bytes:
        """The state, to be stored with the sequence number of the last log row it holds."""
        return msgspec.msgpack.encode(self.state())

    def restore(self, state: bytes) -> None:
        """Take up a snapshot made by the same version."""
        value: Mapping[str, Any] = msgspec.msgpack.decode(state)
        self.engine.restore(value["engine"])
        self.alerts.restore(value["alerts"])
        self._restore_books(value)  # before anything is found: of what a new site file ends, the books are told
        self._stand_in()
        self.history.take_up()
        self._settle()

    def under(self, site: Site) -> tuple[Judgement, Outcome]:
        """A judgement that has heard the same, by another definition of the site, and what is otherwise by it. This one is not changed."""
        self.conclude()
        other = Judgement(site, self.started)
        other.restore(self.snapshot())
        news = other.drain()
        news.conditions.clear()
        return other, news

    def resite(self, site: Site) -> None:
        """Judge by other people, tags and portable readers from now on, and judge again by them what was heard before.

        The next `drain` tells what is otherwise.
        """
        self.conclude()
        held = self.drain()
        other, news = self.under(site)
        other.history = self.history
        other.history.follow(other.engine)
        vars(self).update(vars(other))
        self.put_back(held.followed_by(news))

    def take_swaps(self, earlier: Sequence[Swap]) -> None:
        """Know what people had agreed about shifts before the log begins that will be heard, each swap as it was then, in order."""
        if self.books:
            self.alerts.duty.take_up(earlier)
        self.engine.stand_in([swap.as_stand_in() for swap in earlier if swap.state == "agreed"])

    def set_books_aside(self) -> None:
        """Let the books hear nothing until `take_books`: what is judged until then they have heard before."""
        self._aside, self.books = self.books, {}

    def take_books(self, state: bytes, told: Told) -> bool:
        """Take up only the alerts and the books of a snapshot, made by this version or another; they hear on from here.

        Args:
            state: as `snapshot` made it.
            told: what the journal has of alerts.

        Returns:
            Whether the alerts could be taken up; `take_alerts` does it without them, at the end.
        """
        self.books = self._aside
        self.alerts.news()
        value: Mapping[str, Any] = msgspec.msgpack.decode(state)
        taken = self.alerts.succeed(value.get("alerts", {}), told)
        if value.get("books_format") == BOOKS_FORMAT:
            self._restore_books(value)
        if taken:
            self._stand_in()
        self._settle()
        return taken

    def take_alerts(self, told: Told) -> None:
        """Take up what the journal has of alerts, in place of what was found anew."""
        self.alerts.succeed_by_journal(told, self.now)
        self._settle()

    def tell_unheard_of(self, told: Told) -> None:
        """Tell what stands and was never told: this version finds more than the one before."""
        self.alerts.tell_unheard_of(told, self.now)
        self._settle()

    def tell_otherwise(self, told: Told, news: Outcome) -> None:
        """Tell what stands otherwise by this site file than people were told by an earlier one.

        Args:
            told: what the journal has of alerts.
            news: what is not in it yet.
        """
        self.alerts.tell_otherwise(told, AlertChanges(transitions=news.transitions, notices=news.notices), self.now)
        self._settle()

    def _restore_books(self, value: Mapping[str, Any]) -> None:
        for name, book in self.books.items():
            if name in value["books"]:
                book.restore(value["books"][name])


def _rests_on(signal: Signal, revisions: Sequence[VisitRevision], observation: Observation | None) -> tuple[str, ...]:
    """What a signal rests on: the visits judged with it and their evidence, and the observation that brought it about."""
    found: dict[str, None] = {}
    for revision in revisions:
        if revision.round == signal.subject:
            found[f"visit:{revision.round}#{revision.position}"] = None
            found |= dict.fromkeys(revision.evidence)
    if observation is not None:
        found[_key(observation)] = None
    return tuple(found)[-EVIDENCE_LIMIT:]


def _key(observation: Observation) -> str:
    """The key of repetition, as evidence is named (evidence.md)."""
    if observation.seq is not None:
        return f"{observation.device}/{observation.boot or ''}/{observation.seq}"
    return f"{observation.device}/{type(observation).__struct_config__.tag}/{instant(observation.at)}"
