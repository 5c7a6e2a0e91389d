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


class Judged(NamedTuple):
    """A verdict, why it is no better, and the code of the rule that gave it."""

    verdict: Verdict
    cause: Cause | None
    reason: str


def judge(
    visit: VisitState, point: Point, witnesses: Sequence[Record], downs: Sequence[Interval], now: Instant
) -> Judged:
    """What is to be said of a visit now."""
    if visit.service is not None:
        return Judged(visit.service.fit.verdict, None, "served")
    if now <= visit.closes:
        return Judged("pending", None, "open")
    if settled(witnesses, visit.opens, visit.closes):
        if not point.strayed(visit):
            return Judged("skipped" if visit.optional else "missed", None, "settled")
        return Judged("skipped" if visit.optional else "unverifiable", "reader_clock", "stray_tap")
    if now <= visit.deadline:
        return Judged("pending", "awaiting_reader", "awaiting_reader")
    return Judged("skipped" if visit.optional else "unverifiable", _cause(visit, witnesses, downs), "deadline")


def _cause(visit: VisitState, witnesses: Sequence[Record], downs: Sequence[Interval]) -> Cause:
    """What kept the record from being complete, the first that fits."""
    unknown = [(record, missing(record.complete(), visit.opens, visit.closes)) for record in witnesses]
    unknown = [(record, parts) for record, parts in unknown if parts]
    for _, parts in unknown:
        if any(low < end and start < high for low, high in parts for start, end in downs):
            return "gateway_down"
    if any(record.only_impossible(visit.opens) for record, _ in unknown):
        return "reader_clock"
    for record, parts in unknown:
        if any(record.broken(low, high) for low, high in parts):
            return "reader_gap"
    return "reader_offline" if any(record.first_heard is not None for record in witnesses) else "no_reader"


def verdict_of(state: RoundState, now: Instant) -> RoundVerdict:
    """A round's verdict over its required visits (rounds.md, Round)."""
    verdicts = {visit.verdict for visit in state.required}
    if verdicts <= {"on_time", "early", "late"}:
        return "completed"
    if "pending" in verdicts:
        begun = now >= state.start or any(visit.service is not None for visit in state.visits)
        return "in_progress" if begun else "scheduled"
    if verdicts == {"missed"}:
        return "missed"
    return "incomplete" if "missed" in verdicts else "unverifiable"
