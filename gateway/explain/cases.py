"""Everything that a visit's verdict rests on, gathered from the judge without touching it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from gateway.instants import Instant
from gateway.rules.intervals import Interval, clipped
from gateway.rules.lacks import Lack, lacks
from gateway.rules.points import STRAY, Point
from gateway.rules.records import Record
from gateway.rules.rounds import Rounds
from gateway.rules.taps import Read, Tap
from gateway.rules.visits import VisitState
from gateway.rules.witnesses import settled

Rule = Literal["served", "open", "settled", "stray_tap", "awaiting_reader", "deadline"]
"""Which of the rules of rounds.md, Verdicts of a visit, decided (`verdicts.Judged.reason`)."""


class Used(NamedTuple):
    """A tap, or a read that is no tap, near a visit.

    Args:
        tap: None for a read that is no tap; then `person` is whose it was, if known.
        read: the read whose time is judged, and `at` that time.
        why: `served` or the reason why it did not serve this visit.
        other: the visit that it served instead.
        within: it lies in the visit's interval.
        marks: what its time is worth.
    """

    device: str
    tap: Tap | None
    person: str | None
    read: Read
    at: Instant
    why: str
    other: str | None = None
    within: bool = False
    marks: frozenset[str] = frozenset()


class Known(NamedTuple):
    """A witness: what of the visit's time is complete in its record, and what is not, and why."""

    record: Record
    complete: tuple[Interval, ...]
    lacks: tuple[Lack, ...]


class Case(NamedTuple):
    """One visit with all that bears on it."""

    visit: VisitState
    rule: Rule
    used: tuple[Used, ...]
    unused: tuple[Used, ...]
    witnesses: tuple[Known, ...]
    holders: tuple[VisitState, ...]
    """Visits that hold a tap which could be this one's, and are not decided themselves."""
    now: Instant

    @property
    def held(self) -> bool:
        """Only such a visit keeps this one from being decided."""
        return bool(self.holders) and not any(known.lacks for known in self.witnesses)

    @property
    def refused(self) -> list[Used]:
        """What was read in the visit's time, or near it, and yet does not serve it: the nearest first."""
        told = [each for each in self.unused if each.within or each.why not in {"served_other", "already_served"}]
        return sorted(told, key=lambda each: (not each.within, _distance(self.visit, each.at), each.at))

    @property
    def strays(self) -> list[Used]:
        """Taps that forbid to call the visit missed."""
        return [
            each for each in self.unused if each.tap is not None and not each.tap.measured and each.why == "no_round"
        ]


def case_of(rounds: Rounds, visit: VisitState, now: Instant) -> Case:
    """The case of one visit as it was judged last."""
    point = rounds.point(visit.checkpoint)
    until = min(visit.closes, now)
    witnesses = rounds.witnesses(visit)
    known = tuple(known_of(record, rounds.downs, visit.opens, until, now) for record in witnesses)
    near = sorted(_near(rounds, visit, point), key=lambda each: (each.at, each.device, each.read))
    used = tuple(each for each in near if each.why == "served")
    unused = tuple(each for each in near if each.why != "served")
    rule = _rule(visit, point, witnesses)
    holders = tuple(_undecided(rounds, visit, point, now)) if rule in {"awaiting_reader", "deadline"} else ()
    return Case(visit, rule, used, unused, known, holders, now)


def _undecided(rounds: Rounds, visit: VisitState, point: Point, now: Instant) -> Iterator[VisitState]:
    for each in point.holders(visit):
        if now <= each.closes or not settled(rounds.witnesses(each), each.opens, each.closes):
            yield each


def _rule(visit: VisitState, point: Point, witnesses: Sequence[Record]) -> Rule:
    """Which rule gave the verdict that stands."""
    if visit.verdict in {"on_time", "early", "late"}:
        return "served"
    if visit.verdict == "pending":
        return "open" if visit.cause is None else "awaiting_reader"
    if visit.cause is None:
        return "settled"
    if visit.cause == "reader_clock" and point.strayed(visit) and settled(witnesses, visit.opens, visit.closes):
        return "stray_tap"
    return "deadline"


def known_of(record: Record, downs: Sequence[Interval], opens: Instant, until: Instant, now: Instant) -> Known:
    """What of [opens, until] is complete in a record, and what is not, and why."""
    if until < opens:
        return Known(record, (), ())
    complete = tuple(clipped(record.complete(), opens, until))
    return Known(record, complete, tuple(lacks(record, downs, opens, until, now)))


def _near(rounds: Rounds, visit: VisitState, point: Point) -> Iterator[Used]:
    """Taps and other reads within an hour of a visit's interval."""
    first, last = visit.opens - STRAY, visit.closes + STRAY
    service = visit.service
    served = set(service.taps) if service is not None else set()
    others = {
        tap: f"{other.round.id}#{other.position}"
        for other in point.visits
        if other.service is not None and other is not visit
        for tap in other.service.taps
    }
    taken = set(others) | served
    for tap in served:
        fit = visit.fit(tap)
        assert fit is not None
        yield _of_tap(tap, visit, "served", at=fit.time)
    for tap in point.taps_between(first, last):
        if tap not in served:
            why = "served_other" if tap in others else _reason(visit, point, tap, taken)
            yield _of_tap(tap, visit, why, other=others.get(tap))
    for device, loose in rounds.strays(visit.checkpoint):
        lost = loose.reason == "clock_lost" and visit.opens <= loose.read.received <= visit.deadline
        if lost or first <= loose.at <= last:
            within = not lost and visit.opens <= loose.at <= visit.closes
            yield Used(device, None, loose.person, loose.read, loose.at, loose.reason, within=within)


def _reason(visit: VisitState, point: Point, tap: Tap, taken: set[Tap]) -> str:
    """Why a tap that served nothing did not serve this visit; what is said of it as unmatched, unless the visit says more."""
    if visit.fit(tap) is not None:
        person = point.people.get(tap.person) if tap.person else None
        if (refusal := visit.refusal(person)) is not None:
            return refusal
        if visit.two_person and visit.service is None:
            return "second_person_missing"
    return point.reason(tap, taken) or "already_served"


def _of_tap(tap: Tap, visit: VisitState, why: str, *, at: Instant | None = None, other: str | None = None) -> Used:
    """A tap with the one of its times that concerns a visit most."""
    if at is None:
        chosen = min(tap.moments, key=lambda each: (_distance(visit, each.time), each.time))
    else:
        chosen = next(each for each in tap.moments if each.time == at)
    within = visit.opens <= chosen.time <= visit.closes
    return Used(tap.device, tap, tap.person, chosen.read, chosen.time, why, other, within, chosen.marks | tap.marks)


def _distance(visit: VisitState, at: Instant) -> int:
    return max(visit.opens - at, at - visit.closes, 0)
