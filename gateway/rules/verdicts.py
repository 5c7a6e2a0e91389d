"""The verdict of one visit, by the five rules of rounds.md, Verdicts of a visit. Pure: evidence and `now` in, verdict out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from gateway.instants import Instant
from gateway.rules.findings import RoundVerdict, Verdict
from gateway.rules.intervals import Interval, missing
from gateway.rules.points import Point
from gateway.rules.records import Record
from gateway.rules.visits import RoundState, VisitState
from gateway.rules.witnesses import settled

Cause = Literal["awaiting_reader", "gateway_down", "reader_clock", "reader_gap", "reader_offline", "no_reader"]


ENDED_VERDICTS = frozenset({"completed", "missed", "incomplete", "unverifiable"})
"""Verdicts of a round in which no visit is pending."""
_SERVED = frozenset({"on_time", "early", "late"})


class Judged(NamedTuple):
    """A verdict, why it is no better, and the code of the rule that gave it."""

    verdict: Verdict
    cause: Cause | None
    reason: str


Concerned = tuple[VisitState, Sequence[Record]]
"""A visit, with its witnesses."""


def judge(
    visit: VisitState,
    point: Point,
    witnesses: Sequence[Record],
    downs: Sequence[Interval],
    now: Instant,
    *,
    holders: Sequence[Concerned] = (),
    spent: bool = False,
) -> Judged:
    """What is to be said of a visit now.

    Args:
        holders: visits that hold a tap which would serve this one (`Point.holders`). While one of them is open or not settled, a
            tap for it may come, and hand theirs on: until then nobody is accused.
        spent: a round that is forgotten held such a tap; whether it was decided cannot be told any more.
    """
    if visit.service is not None:
        return Judged(visit.service.fit.verdict, None, "served")
    if now <= visit.closes:
        return Judged("pending", None, "open")
    undecided = [(each, records) for each, records in holders if not _decided(each, records, now)]
    if not undecided and not spent and settled(witnesses, visit.opens, visit.closes):
        if not point.strayed(visit):
            return Judged("skipped" if visit.optional else "missed", None, "settled")
        return Judged("skipped" if visit.optional else "unverifiable", "reader_clock", "stray_tap")
    if now <= max([visit.deadline, *(each.deadline for each, _ in undecided)]):
        return Judged("pending", "awaiting_reader", "awaiting_reader")
    whole = undecided and settled(witnesses, visit.opens, visit.closes)
    cause = _cause(undecided if whole else [(visit, witnesses)], downs)
    return Judged("skipped" if visit.optional else "unverifiable", cause, "deadline")


def _decided(visit: VisitState, witnesses: Sequence[Record], now: Instant) -> bool:
    """Whether no further tap can come for a visit."""
    return now > visit.closes and settled(witnesses, visit.opens, visit.closes)


def next_look(visit: VisitState, holders: Sequence[Concerned], now: Instant) -> Instant | None:
    """When an unserved visit is to be judged again for its holders' sake: as one closes, or its deadline passes."""
    instants = [edge for each, _ in holders for edge in (each.closes + 1, each.deadline + 1) if edge > now]
    return min(instants, default=None) if visit.service is None else None


def _cause(concerned: Sequence[Concerned], downs: Sequence[Interval]) -> Cause:
    """What kept the record from being complete, the first that fits: a visit's own, or where that is whole its holders'."""
    unknown = [
        (record, visit.opens, missing(record.complete(), visit.opens, visit.closes))
        for visit, witnesses in concerned
        for record in witnesses
    ]
    unknown = [(record, opens, parts) for record, opens, parts in unknown if parts]
    for _, _, parts in unknown:
        if any(low < end and start < high for low, high in parts for start, end in downs):
            return "gateway_down"
    if any(record.only_impossible(opens) for record, opens, _ in unknown):
        return "reader_clock"
    for record, _, parts in unknown:
        if any(record.broken(low, high) for low, high in parts):
            return "reader_gap"
    heard = any(record.first_heard is not None for _, witnesses in concerned for record in witnesses)
    return "reader_offline" if heard else "no_reader"


def verdict_of(state: RoundState, now: Instant) -> RoundVerdict:
    """A round's verdict over its required visits (rounds.md, Round)."""
    verdicts = {visit.verdict for visit in state.visits if not visit.optional}
    if verdicts <= _SERVED:
        return "completed"
    if "pending" in verdicts:
        begun = now >= state.start or any(visit.service is not None for visit in state.visits)
        return "in_progress" if begun else "scheduled"
    if verdicts == {"missed"}:
        return "missed"
    return "incomplete" if "missed" in verdicts else "unverifiable"
