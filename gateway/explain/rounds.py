"""Why a round, its visits and a gap are judged as they are (spec: rounds.md). Asks the judge, changes nothing in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from gateway.explain.cases import Case, Known, Used, case_of, known_of
from gateway.explain.explanation import Clock, Corroboration, Explanation, Item, Piece, Witness
from gateway.explain.names import Names
from gateway.explain.wording_rounds import Wording, numbers
from gateway.instants import Duration, Instant, moment, seconds
from gateway.judgement import Judgement
from gateway.rules import findings
from gateway.rules.clocks import AGREEMENT
from gateway.rules.clocks import judge_all as worth_of
from gateway.rules.gaps import GapState, pieces
from gateway.rules.intervals import END
from gateway.rules.marks import round_marks, visit_marks
from gateway.rules.records import Record
from gateway.rules.taps import Read
from gateway.rules.verdicts import verdict_of
from gateway.rules.visits import RoundState, VisitState
from gateway.site.model import Site

_RULES = {
    "served": "rounds.md, Verdicts of a visit, 1",
    "open": "rounds.md, Verdicts of a visit, 2",
    "settled": "rounds.md, Verdicts of a visit, 3",
    "stray_tap": "rounds.md, Verdicts of a visit, 3 and 5",
    "awaiting_reader": "rounds.md, Verdicts of a visit, 4",
    "deadline": "rounds.md, Verdicts of a visit, 5",
}


def explain_round(judgement: Judgement, round_id: str, now: Instant, *, named: bool = True) -> Explanation | None:
    """Why a round in memory is judged so, its visits as parts; None: memory holds no such round.

    Args:
        judgement: the judge; it stays as it is.
        round_id: `route@start`.
        now: at which it is told.
        named: people by name, else by id.
    """
    rounds = judgement.engine.rounds
    state = rounds.state(round_id)
    if state is None:
        return None
    told = _Telling(judgement, now, named=named)
    marks = round_marks(state, judgement.site, rounds.points)
    return Explanation(
        kind="round",
        id=state.id,
        result=verdict_of(state, rounds.now),
        known_at=told.time(now),
        rule="rounds.md, Verdicts of a visit, Round",
        sentence=told.wording.round(state, marks, rounds.now),
        expected=told.plan(state),
        marks=marks,
        parts=tuple(told.visit(visit) for visit in state.visits),
    )


def explain_gap(judgement: Judgement, gap_id: str, now: Instant, *, named: bool = True) -> Explanation | None:
    """Why a `max_gap` window (`checkpoint@start`) is judged so; None: memory holds no such window."""
    state = judgement.engine.rounds.window(gap_id)
    return None if state is None else _Telling(judgement, now, named=named).gap(gap_id, state)


class _Telling:
    """One telling: the judge, the time, the names."""

    def __init__(self, judgement: Judgement, now: Instant, *, named: bool) -> None:
        self.rounds = judgement.engine.rounds
        self.corroborations = judgement.engine.corroborations
        self.site: Site = judgement.site
        self.now = now
        self.wording = Wording(Names(judgement.site, named=named))

    def time(self, at: Instant) -> datetime:
        return moment(at, self.site.zone_info)

    # -- a visit

    def visit(self, visit: VisitState) -> Explanation:
        case = case_of(self.rounds, visit, self.now)
        marks = visit_marks(visit, self.rounds.point(visit.checkpoint), self.site)
        return Explanation(
            kind="visit",
            id=f"{visit.round.id}#{visit.position}",
            result=visit.verdict,
            cause=visit.cause,
            known_at=self.time(self.now),
            rule=_RULES[case.rule],
            sentence=self.wording.visit(case, marks, self._noticed(visit)),
            expected=self._expected(visit),
            evidence=tuple(self._items(case)),
            witnesses=tuple(self._witness(known) for known in case.witnesses),
            clocks=tuple(self._clocks(case)),
            marks=marks,
            corroboration=self._corroboration(visit),
        )

    def _noticed(self, visit: VisitState) -> findings.Corroboration | None:
        if visit.service is None:
            return None
        return self.corroborations.of(visit.checkpoint, visit.service.fit.time, self.now)

    def _corroboration(self, visit: VisitState) -> Corroboration | None:
        """What else was noticed at the place of the tap that serves a visit."""
        found = self._noticed(visit)
        if found is None or visit.service is None:
            return None
        at = visit.service.fit.time
        signs = [sign for sign in self.corroborations.signs(visit.checkpoint, at) if sign.device in found.by]
        return Corroboration(
            result=found.result,
            by=tuple(
                Item(
                    device=sign.device,
                    kind="light_level" if sign.sense == "light" else "motion",
                    at=self.time(at if sign.at is None else sign.at),
                    used=sign.at is not None,
                    why=sign.sense if sign.at is not None else "silent",
                )
                for sign in signs
                if sign.at is not None or found.result == "silent"
            ),
        )

    def plan(self, state: RoundState) -> dict[str, Any]:
        route = state.route
        return {
            "route": route.id,
            "date": state.date,
            "start": self.time(state.start),
            "end": self.time(state.end),
            "order": route.order,
            "visits": len(state.visits),
            "required": sum(not visit.optional for visit in state.visits),
            "guards": [*route.guards, *sorted(state.stand_ins if route.guards else ())],
            "accept_others": route.accept_others,
            "readers": list(route.readers),
        }

    def _expected(self, visit: VisitState) -> dict[str, Any]:
        route = visit.round.route
        expected: dict[str, Any] = {
            "checkpoint": visit.checkpoint,
            "position": visit.position,
            "due": None if visit.due is None else self.time(visit.due),
            "opens": self.time(visit.opens),
            "on_time_from": self.time(visit.before),
            "on_time_until": self.time(visit.after),
            "closes": self.time(visit.closes),
            "evidence_deadline": self.time(visit.deadline),
            "tolerance_s": None if visit.due is None else seconds(route.tolerance),
            "band_s": seconds(route.band),
            "guards": [*route.guards, *sorted(visit.round.stand_ins if route.guards else ())],
            "accept_others": route.accept_others,
            "optional": visit.optional,
            "two_person": visit.two_person,
        }
        if visit.two_person:
            expected["two_person_within_s"] = seconds(visit.two_person_within)
        return expected

    def _items(self, case: Case) -> Iterator[Item]:
        for used in sorted((*case.used, *case.unused), key=lambda each: (each.at, each.device, each.read)):
            yield self._item(used, used.read, used.why)
            if used.tap is not None:
                for read in sorted({each.read for each in used.tap.moments} - {used.read}):
                    yield self._item(used, read, "repeat")

    def _item(self, used: Used, read: Read, why: str) -> Item:
        judged = used.at if read is used.read and used.at != read.at else None
        value: dict[str, Any] = {"person": used.person}
        if used.other is not None:
            value["visit"] = used.other
        return Item(
            device=used.device,
            kind="tag_read",
            at=self.time(read.at),
            judged_at=None if judged is None else self.time(judged),
            received=self.time(read.received),
            key=read.key(used.device),
            used=used.why == "served",
            why=why,
            value=value,
        )

    def _witness(self, known: Known) -> Witness:
        record = known.record
        return Witness(
            device=record.id,
            complete=tuple(Piece(since=self.time(low), until=self.time(high)) for low, high in known.complete),
            missing=tuple(
                Piece(since=self.time(lack.start), until=self.time(lack.end), why=lack.why, numbers=numbers(lack))
                for lack in known.lacks
            ),
            last_heard=None if record.first_heard is None else self.time(record.last_heard),
            assumed=record.assumed,
        )

    def _clocks(self, case: Case) -> Iterator[Clock]:
        """How the clocks of the taps that serve were judged, and at the visit's close those of the other witnesses."""
        told = set()
        for used in case.used:
            record = self.rounds.record(used.device)
            if record is not None and record.own_clock and record.id not in told:
                told.add(record.id)
                mark = next((mark for mark in _CLOCK_MARKS if mark in used.marks), "")
                yield self._clock(record.id, used.at - used.read.at, record.measures_of(used.read), mark)
        for known in case.witnesses:
            record = known.record
            if record.own_clock and record.id not in told and record.first_heard is not None:
                yield self._clock_around(record, case.visit)

    def _clock_around(self, record: Record, visit: VisitState) -> Clock:
        """How a witness's clock was judged from a visit's opening to its close; the offset is that of the close."""
        first, last = record.measures_at(visit.opens), record.measures_at(visit.closes)
        worths = [worth_of([offset for _, offset in each]) for each in (first, last)]
        measures = tuple(sorted({*first, *last}))
        offsets = [offset for _, offset in measures]
        agree = max(offsets, default=0) - min(offsets, default=0) <= AGREEMENT
        certain = agree and all(worth.certain for worth in worths)
        return self._clock(record.id, worths[1].offsets[0], measures, "" if certain else "clock_uncertain")

    def _clock(self, device: str, offset: Duration, measures: Iterable[tuple[Instant, Duration]], mark: str) -> Clock:
        return Clock(
            device=device,
            offset_s=seconds(offset),
            measures=tuple({"at": self.time(at), "offset_s": seconds(each)} for at, each in measures),
            mark=mark,
        )

    # -- a gap

    def gap(self, gap_id: str, state: GapState) -> Explanation:
        rounds, window = self.rounds, state.window
        spans, witnesses, complete = rounds.stretches(state)
        found = pieces(spans, complete)
        until = min(window.end, rounds.now)
        known = [known_of(record, rounds.downs, window.start, until, self.now) for record in witnesses]
        told = dict.fromkeys(self.wording.lack(each.record.id, lack, until) for each in known for lack in each.lacks)
        result = "kept" if found else "unproved"
        if any(piece.length > state.at_most for piece in found):
            result = "exceeded"
        return Explanation(
            kind="gap",
            id=gap_id,
            result=result,
            known_at=self.time(self.now),
            rule="rounds.md, Largest gap",
            sentence=self.wording.gap(
                window.checkpoint,
                window=(window.start, window.end),
                at_most=state.at_most,
                pieces=found,
                lacks=list(told),
                until=until,
            ),
            expected={
                "checkpoint": window.checkpoint,
                "window_start": self.time(window.start),
                "window_end": None if window.end == END else self.time(window.end),
                "at_most_s": seconds(state.at_most),
                "largest_s": seconds(max((piece.length for piece in found), default=0)),
                "exceedances": [
                    {
                        "from": self.time(piece.start),
                        "to": self.time(piece.end),
                        "length_s": seconds(piece.length),
                        "open": piece.open,
                    }
                    for piece in found
                    if piece.length > state.at_most
                ],
            },
            evidence=tuple(self._taps_of(state, until)),
            witnesses=tuple(self._witness(each) for each in known),
        )

    def _taps_of(self, state: GapState, until: Instant) -> Iterator[Item]:
        """The taps of a window, and whether each ends a stretch."""
        checkpoint = state.window.checkpoint
        for tap in self.rounds.point(checkpoint).taps_between(state.window.start, until):
            counts = self.rounds.counts(checkpoint, tap)
            for each in tap.moments:
                yield Item(
                    device=tap.device,
                    kind="tag_read",
                    at=self.time(each.read.at),
                    judged_at=None if each.time == each.read.at else self.time(each.time),
                    received=self.time(each.read.received),
                    key=each.read.key(tap.device),
                    used=counts,
                    why="ends_stretch" if counts else "may_not_serve",
                    value={"person": tap.person},
                )


_CLOCK_MARKS = ("clock_ahead", "clock_uncertain", "clock_corrected")
"""Of several the one that says most about the time that counts."""
