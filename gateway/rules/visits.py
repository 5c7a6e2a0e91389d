"""Dated rounds and their expected visits: the plan as it was frozen, and what is known of each (spec: rounds.md, The plan)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from operator import itemgetter
from typing import Any, Literal, NamedTuple

import msgspec

from gateway.instants import HOUR, MINUTE, Duration, Instant
from gateway.rules.clocks import SLACK
from gateway.rules.findings import RoundVerdict, Verdict
from gateway.rules.intervals import Interval
from gateway.rules.taps import Tap
from gateway.site.model import DatedRound, Person, Route, Site

READER_DEADLINE: Duration = 30 * MINUTE
WALL_DEADLINE: Duration = 24 * HOUR
"""`evidence_deadline` of a visit at a fixed reader, and at a tag on the wall (site.md)."""

Refusal = Literal["not_a_guard", "wrong_guard"]

_RANKS: dict[str, int] = {"on_time": 2, "early": 1, "late": 1}


class Fit(NamedTuple):
    """How one tap would serve one visit."""

    rank: int
    verdict: Verdict
    deviation: Duration
    time: Instant
    device_at: Instant
    marks: frozenset[str]


class Service(NamedTuple):
    """What serves a visit: one tap, or a pair (the later one last, whose time and person count)."""

    taps: tuple[Tap, ...]
    fit: Fit


class VisitState:
    """One expected visit of one round, and its verdict as judged last."""

    __slots__ = (
        "after", "before", "cause", "checkpoint", "closes", "deadline", "due", "known", "opens", "optional", "position",
        "revision", "round", "service", "two_person", "two_person_within", "verdict",
    )  # fmt: skip

    def __init__(self, owner: RoundState, position: int, facts: VisitFacts) -> None:
        self.round = owner
        self.position = position
        self.checkpoint = facts.checkpoint
        self.optional = facts.optional
        self.two_person = facts.two_person
        self.two_person_within = facts.two_person_within
        route, start, end = owner.route, owner.start, owner.end
        if facts.after is not None:
            self.due: Instant | None = start + facts.after
            self.before, self.after = self.due - route.tolerance, self.due + route.tolerance
        else:
            self.due = None
            self.before, self.after = start, end
        self.opens, self.closes = self.before - route.band, self.after + route.band
        self.deadline = self.closes + facts.evidence_deadline
        self.verdict: Verdict = "pending"
        self.revision = 0
        self.cause: str | None = None
        self.service: Service | None = None
        self.known: Instant | None = None
        """Once it has closed: up to when its witnesses' records were complete when that was last looked at, `closes` at most."""

    @property
    def key(self) -> tuple[str, str, int]:
        """Its name among what rests on a record."""
        return "visit", self.round.id, self.position

    @property
    def order(self) -> tuple[Instant, str, int]:
        """The order of visits at one checkpoint (rounds.md, aim 6)."""
        return self.opens, self.round.id, self.position

    def _class(self, time: Instant) -> Verdict | None:
        if time < self.opens or time > self.closes:
            return None
        if time < self.before:
            return "early"
        return "late" if time > self.after else "on_time"

    def deviation(self, time: Instant) -> Duration:
        """Signed distance to `due`; without one, to the round's time, 0 inside it."""
        if self.due is not None:
            return time - self.due
        return min(time - self.before, 0) + max(time - self.after, 0)

    def fit(self, tap: Tap) -> Fit | None:
        """How a tap would serve, by the time of it that serves best; None if by none."""
        best: Fit | None = None
        for moment in tap.moments:
            time, marks = moment.time, moment.marks
            verdict = self._class(time)
            if moment.corrected:
                for edge in (self.opens, self.before, self.after, self.closes):
                    if abs(time - edge) <= SLACK:
                        marks = marks | {"clock_uncertain"}
                        near = self._class(edge)
                        if near is not None and _RANKS[near] > (_RANKS[verdict] if verdict else 0):
                            verdict = near
            if verdict is None:
                continue
            fit = Fit(_RANKS[verdict], verdict, self.deviation(time), time, moment.read.at, marks)
            if best is None or (-fit.rank, abs(fit.deviation), fit.time) < (-best.rank, abs(best.deviation), best.time):
                best = fit
        return best

    def refusal(self, person: Person | None) -> Refusal | None:
        """Why a known person may not serve; an unknown one may."""
        route = self.round.route
        if person is None or person.id in route.guards or person.id in self.round.stand_ins:
            return None
        if "guard" not in person.roles and person.id not in self.round.acting:
            return "not_a_guard"
        return None if route.accept_others else "wrong_guard"

    def by_guard(self, person: Person | None) -> bool:
        """Whether a person is one of the route's guards (none named: has the role), or stands in for one."""
        guards = self.round.route.guards
        if person is None or person.id in self.round.stand_ins:
            return person is not None
        return person.id in guards if guards else "guard" in person.roles


class VisitFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the site said of one visit when its round was frozen."""

    checkpoint: str
    after: Duration | None
    optional: bool
    two_person: bool
    two_person_within: Duration
    evidence_deadline: Duration


class RoundState:
    """One dated round. `tells`: the alerts that stand for it, by rule, with what they last named: checkpoints and causes.

    `stand_ins`: who stands in for one of its route's guards (none named: for any guard); `acting`: who does for any guard.
    """

    __slots__ = (
        "_edges",
        "_frozen",
        "acting",
        "closes",
        "date",
        "end",
        "facts",
        "id",
        "not_started",
        "opens",
        "revision",
        "route",
        "shift",
        "stand_ins",
        "start",
        "tells",
        "verdict",
        "visits",
    )

    def __init__(self, dated: DatedRound, route: Route, facts: tuple[VisitFacts, ...]) -> None:
        self.id = dated.id
        self.date = dated.date
        self.start, self.end, self.shift = dated.start, dated.end, dated.shift
        self.route = route
        self.facts = facts
        self.visits = tuple(VisitState(self, position, each) for position, each in enumerate(facts, start=1))
        self.opens = min(visit.opens for visit in self.visits)
        self.closes = max(visit.closes for visit in self.visits)
        dues = [visit.due for visit in self.visits if visit.due is not None]
        self.not_started = (min(dues) if dues else self.start) + route.tolerance
        """When a round without a tap has not been started (rounds.md, Alerts)."""
        self._frozen: bytes | None = None
        """The plan as a snapshot has it, made once."""
        self.stand_ins: frozenset[str] = frozenset()
        self.acting: frozenset[str] = frozenset()
        self.tells: dict[str, tuple[str, ...]] = {}
        self.verdict: RoundVerdict = "scheduled"
        self.revision = 0
        """How often the round as a whole was judged otherwise; its first verdict with nothing pending is 1."""
        edges: dict[Instant, list[VisitState]] = {}
        for visit in self.visits:
            edges.setdefault(visit.deadline + 1, []).append(visit)
        always = {self.opens, self.start, self.not_started + 1, *(visit.closes + 1 for visit in self.visits)}
        self._edges = sorted((*((at, []) for at in always), *edges.items()), key=itemgetter(0))
        """When time alone may change something, and the visits without which it does not: they are served, and their deadline is nothing to them."""

    def next_edge(self, now: Instant) -> Instant | None:
        """When time alone may change something next; another one once a visit is no longer served."""
        edges = self._edges
        for index in range(bisect_right(edges, now, key=itemgetter(0)), len(edges)):
            at, visits = edges[index]
            if not visits or any(visit.service is None for visit in visits):
                return at
        return None

    @property
    def fixed_from(self) -> Instant:
        """From when its plan is frozen: it opens, or would without jitter, so that no other seed gives a second one."""
        return self.opens - self.shift

    @property
    def required(self) -> Iterator[VisitState]:
        return (visit for visit in self.visits if not visit.optional)

    @property
    def dated(self) -> DatedRound:
        return DatedRound(
            id=self.id, route=self.route.id, date=self.date, start=self.start, end=self.end, shift=self.shift
        )

    @property
    def span(self) -> Interval:
        return self.opens, self.closes

    def snapshot(self) -> Any:
        """The frozen plan and what was judged; what serves is found again from the evidence."""
        if self._frozen is None:
            plan = [msgspec.to_builtins(part) for part in (self.dated, self.route, self.facts)]
            self._frozen = msgspec.msgpack.encode(plan)
        return [
            self._frozen,
            [[visit.verdict, visit.revision, visit.cause, visit.known] for visit in self.visits],
            [[rule, list(named)] for rule, named in self.tells.items()],
            [self.verdict, self.revision],
        ]

    @classmethod
    def restored(cls, state: Any) -> RoundState:
        """A round from its snapshot."""
        frozen, visits, tells, judged = state
        dated, route, facts = msgspec.msgpack.decode(frozen)
        made = cls(
            msgspec.convert(dated, DatedRound),
            msgspec.convert(route, Route),
            msgspec.convert(facts, tuple[VisitFacts, ...]),
        )
        for visit, (verdict, revision, cause, *known) in zip(made.visits, visits, strict=True):
            visit.verdict, visit.revision, visit.cause = verdict, revision, cause
            visit.known = known[0] if known else None
        made._frozen = frozen
        made.tells = {rule: tuple(named) for rule, named in tells}
        made.verdict, made.revision = judged
        return made


def plan(site: Site, dated: DatedRound) -> RoundState:
    """A dated round with what the site says of its route and checkpoints now."""
    route = site.routes[dated.route]
    facts = []
    for visit in route.visits:
        checkpoint = site.checkpoints[visit.checkpoint]
        default = READER_DEADLINE if checkpoint.reader is not None and not checkpoint.tags else WALL_DEADLINE
        facts.append(
            VisitFacts(
                checkpoint=visit.checkpoint,
                after=visit.after,
                optional=visit.optional,
                two_person=checkpoint.two_person,
                two_person_within=checkpoint.two_person_within,
                evidence_deadline=default if route.evidence_deadline is None else route.evidence_deadline,
            )
        )
    return RoundState(dated, route, tuple(facts))
