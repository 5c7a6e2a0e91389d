"""Judging an evidence file: the same machine as live, with no network and no stored state (spec: evidence.md)."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, timedelta
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from gateway.alerts.alert import Alert, Operation
from gateway.alerts.book import Refused
from gateway.books import BookOperation
from gateway.collecting import seldom_collected
from gateway.evidence import HEARD, Advance, Evidence, Line, Operator, Rejected, Restart, Target, read_evidence
from gateway.instants import DAY, Duration, Instant, instant, moment, parse_instant
from gateway.judgement import Judgement
from gateway.orderly import Disorder, Lines, Orderly
from gateway.rules.findings import Round
from gateway.rules.operations import DeviceOperation
from gateway.site.model import Site
from gateway.work_orders.book import WorkOrders

__all__ = [
    "Evidence",
    "Explain",
    "Later",
    "Operator",
    "Replayed",
    "Target",
    "line_of",
    "operate",
    "operation_of",
    "read_evidence",
    "replay",
    "replay_lines",
]

COLLECT_EACH: Duration = 7 * DAY
"""So often garbage is looked for at least: a round that is forgotten and its visits refer to each other, and seldom is too seldom for a year of them."""

Explain = Callable[[Judgement, Instant, Instant], Any]
"""Explains what was judged: the judge at the end, from when rounds are printed, and the time at the end."""


class Later:
    """Items of a document that are made one by one, each time they are asked for."""

    def __init__(self, made: Callable[[], Iterator[Any]]) -> None:
        self._made = made

    def __iter__(self) -> Iterator[Any]:
        return self._made()


class Replayed(NamedTuple):
    """What `lamplighter replay` prints, and what could not be read (it is listed there, too).

    Args:
        parts: the document; rounds, alerts and taps that served nothing, of which a long file has many, are `Later`.
    """

    parts: dict[str, Any]
    rejected: list[Rejected]

    @property
    def document(self) -> dict[str, Any]:
        """The document as one."""
        return _whole(self.parts)


def _whole(parts: dict[str, Any]) -> dict[str, Any]:
    return {name: list(part) if isinstance(part, Later) else part for name, part in parts.items()}


def replay_lines(
    site: Site,
    lines: Iterable[bytes],
    *,
    since: Instant | None = None,
    until: Instant | None = None,
    explain: Explain | None = None,
) -> Replayed:
    """Judge an evidence file: while it is read as long as it is in order, else once it is sorted. Arguments as for `replay`.

    Raises:
        LamplighterError: there is no room for temporary files.
    """
    source = Lines(lines)
    try:
        return _replay_in_order(site, source.once(), since, until, explain)
    except Disorder:
        pass
    evidence = read_evidence(source.again())
    return Replayed(replay(site, evidence, since=since, until=until, explain=explain), evidence.rejected)


def _replay_in_order(
    site: Site, lines: Iterable[bytes], since: Instant | None, until: Instant | None, explain: Explain | None
) -> Replayed:
    """Judge lines as they come.

    Raises:
        Disorder: they must be sorted first.
    """
    orderly = Orderly(partial(_midnight, site))
    head, following = orderly.begin(lines)
    first, begins = orderly.first, orderly.since
    assert first is not None
    assert begins is not None
    since = begins if since is None else since
    judgement = _judge_from(site, first, min(since, begins))
    _judge(judgement, chain(head, following), first)
    evidence = Evidence()
    evidence.first, evidence.last, evidence.rejected = first, orderly.last, orderly.rejected
    return Replayed(_concluded(judgement, evidence, since, until, explain), orderly.rejected)


def replay(
    site: Site,
    evidence: Evidence,
    *,
    since: Instant | None = None,
    until: Instant | None = None,
    explain: Explain | None = None,
) -> dict[str, Any]:
    """Judge evidence; give the document that `lamplighter replay` prints.

    Args:
        site: the checked model.
        evidence: what `read_evidence` gave.
        since: rounds and windows that start earlier are not printed (they are judged all the same: what serves one, or a reader that
            did, bears on others); default: the local midnight of the earliest `at` that is at most 7 days before its `received`.
        until: go on to this instant at the end.
        explain: what it gives is added as `explanations`.
    """
    first = (until or 0) if evidence.first is None else evidence.first
    begins = _midnight(site, first if evidence.dated is None else evidence.dated)
    if since is None and evidence.last is None and until is None:
        begins = first + DAY  # no line says when it was: no night is shown
    since = begins if since is None else since
    judgement = _judge_from(site, first, min(since, begins))
    _judge(judgement, evidence.lines(), first)
    return _whole(_concluded(judgement, evidence, since, until, explain))


def _judge_from(site: Site, first: Instant, since: Instant) -> Judgement:
    """A judge who knows nothing yet but the plan."""
    judgement = Judgement(site, first)
    _unattended(judgement)
    judgement.plan_from(since)
    return judgement


def _concluded(
    judgement: Judgement, evidence: Evidence, since: Instant, until: Instant | None, explain: Explain | None
) -> dict[str, Any]:
    """The document, once all lines were judged."""
    ends = [end for end in (evidence.last, until) if end is not None]
    now = max(ends, default=judgement.now)
    judgement.advance(now)
    judgement.conclude()
    result = document(judgement, evidence, since, now)
    if explain is not None:
        result["explanations"] = explain(judgement, since, now)
    return result


def _judge(judgement: Judgement, lines: Iterable[Line], first: Instant) -> None:
    """Judge all lines in order."""
    last_heard = first
    apply = judgement.apply
    told = collected = first
    with seldom_collected():
        for received, rank, at, _, _, item in lines:
            if received - told > DAY:
                judgement.discard()
                told = received
                if received - collected > COLLECT_EACH:
                    gc.collect()
                    collected = received
            if rank == HEARD:
                if item is not None:  # else a repetition, which says nothing
                    apply(item, received, at)
                last_heard = received
                continue
            match item:
                case Advance():
                    judgement.advance(at)
                case Restart(clock=doubt):
                    judgement.advance(last_heard)
                    judgement.restarted(max(last_heard, judgement.now), at, doubt)
                case Operator():
                    operate(judgement, item)


def _unattended(judgement: Judgement) -> None:
    """Nobody keeps a desk beside an evidence file, unless it holds what people did with work orders."""
    orders = judgement.books.get("work_order")
    if isinstance(orders, WorkOrders):
        orders.attended = False


def operate(judgement: Judgement, line: Operator, *, accepted: bool = False) -> None:
    """Carry out an operator's line; what the lifecycle refuses changes nothing.

    Args:
        accepted: it stands in the gateway's own log, and was acknowledged (`BookOperation`).
    """
    with contextlib.suppress(Refused):
        judgement.operate(operation_of(line, accepted=accepted))


def operation_of(line: Operator, *, accepted: bool = False) -> Operation | DeviceOperation | BookOperation:
    """The operation that a line of the log or of an evidence file stands for."""
    at = instant(line.at)
    if line.book is not None:
        return BookOperation(
            at=at,
            by=line.by,
            book=line.book,
            action=line.action,
            subject=line.subject,
            details=line.details,
            why=line.why,
            accepted=accepted,
        )
    if line.device is not None:
        return DeviceOperation(
            at=at,
            by=line.by,
            action=line.action,  # type: ignore[arg-type]
            device=line.device,
            impairment=line.impairment,
            why=line.why,
        )
    target = line.alert
    if isinstance(target, Target):
        return Operation(at=at, by=line.by, action=line.action, rule=target.rule, subject=target.subject, why=line.why)  # type: ignore[arg-type]
    return Operation(at=at, by=line.by, action=line.action, alert=target, why=line.why)  # type: ignore[arg-type]


def line_of(operation: Operation | DeviceOperation | BookOperation) -> Operator:
    """The line by which an operation stands in the log; `operation_of` reads it back."""
    at, by, action, why = moment(operation.at, UTC), operation.by, operation.action, operation.why
    if isinstance(operation, BookOperation):
        return Operator(
            at=at,
            by=by,
            action=action,
            book=operation.book,
            subject=operation.subject,
            details=operation.details,
            why=why,
        )
    if isinstance(operation, DeviceOperation):
        return Operator(at=at, by=by, action=action, device=operation.device, impairment=operation.impairment, why=why)
    target: str | Target | None = operation.alert
    if target is None:
        target = Target(rule=operation.rule or "", subject=operation.subject or "")
    return Operator(at=at, by=by, action=action, alert=target, why=why)


def document(judgement: Judgement, evidence: Evidence, since: Instant, now: Instant) -> dict[str, Any]:
    """What is known at `now`, each item as the API gives it, sorted by id."""
    engine = judgement.engine

    def rounds() -> Iterator[Round]:
        for each in engine.rounds.rounds_by_id(since):
            if any(instant(visit.opens) <= now for visit in each.visits):
                yield each

    gaps = [each for each in engine.rounds.gaps() if since <= instant(each.window_start) <= now]
    result: dict[str, Any] = {
        "rounds": Later(rounds),
        "gaps": sorted(gaps, key=lambda each: (each.checkpoint, each.window_start)),
        "lamps": engine.lighting.lamps(),
        "circuits": engine.lighting.circuits(),
        "cameras": engine.cameras.cameras(),
        "zones": engine.cameras.zones(),
        "alerts": Later(partial(_printed, judgement, since)),
        "unmatched": Later(engine.rounds.unmatched_by_time),
        "conflicting": evidence.conflicting,
    }
    if evidence.rejected:
        result["rejected"] = evidence.rejected
    return result


def _printed(judgement: Judgement, since: Instant) -> Iterator[Alert]:
    """The alerts, but those of rounds and windows that were over before the first evidence and are not printed."""
    rounds, first = judgement.engine.rounds, judgement.started
    over = {
        each.id
        for each in rounds.rounds(until=min(since, first))
        if all(instant(visit.closes) < first for visit in each.visits)
    }
    windows = [
        (each.checkpoint, instant(each.window_start), instant(each.window_end))
        for each in rounds.gaps()
        if each.window_end is not None and instant(each.window_end) < first and instant(each.window_start) < since
    ]

    def passed(alert: Alert) -> bool:
        if alert.rule != "gap_exceeded":
            return alert.rule.startswith("round_") and alert.subject in over
        checkpoint, _, begins = alert.subject.rpartition("@")
        return any(at == checkpoint and low <= parse_instant(begins) <= high for at, low, high in windows)

    return (each for each in judgement.alerts.by_id() if not passed(each))


def _midnight(site: Site, at: Instant) -> Instant:
    day = moment(at, site.zone_info).replace(hour=0, minute=0, second=0, microsecond=0)
    return instant((day + timedelta(0)).astimezone(UTC))
