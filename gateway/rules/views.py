"""Rounds, gaps and unmatched taps as the API shows them (spec: interfaces.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from gateway.instants import Instant, moment, seconds
from gateway.rules.findings import Corroboration, Exceedance, Gap, Round, Unmatched, Visit
from gateway.rules.gaps import GapState, Piece
from gateway.rules.intervals import END
from gateway.rules.marks import round_marks, visit_marks
from gateway.rules.points import Point
from gateway.rules.records import Record
from gateway.rules.taps import Loose, Tap
from gateway.rules.verdicts import verdict_of
from gateway.rules.visits import RoundState, VisitState
from gateway.rules.witnesses import watermark
from gateway.site.model import Site

Corroborate = Callable[[str, Instant, Instant], Corroboration | None]


class Views:
    """Turns states into what is shown, times in the site's zone.

    Args:
        points: the site's checkpoints as far as anything is known of them.
        witnesses: the witnesses of a visit.
        corroborate: what else was noticed at a checkpoint at an instant, as known at another.
    """

    def __init__(
        self,
        site: Site,
        points: Mapping[str, Point],
        witnesses: Callable[[VisitState], list[Record]],
        corroborate: Corroborate | None = None,
    ) -> None:
        self._site = site
        self._zone = site.zone_info
        self._points = points
        self._witnesses = witnesses
        self._corroborate = corroborate

    def _time(self, at: Instant) -> datetime:
        return moment(at, self._zone)

    def round(self, state: RoundState, now: Instant) -> Round:
        return Round(
            id=state.id,
            route=state.route.id,
            date=state.date,
            start=self._time(state.start),
            end=self._time(state.end),
            verdict=verdict_of(state, now),
            revision=state.revision,
            marks=round_marks(state, self._site, self._points),
            visits=tuple(self.visit(visit, now) for visit in state.visits),
        )

    def visit(self, visit: VisitState, now: Instant) -> Visit:
        service = visit.service
        known = watermark(self._witnesses(visit), visit.opens, now)
        return Visit(
            checkpoint=visit.checkpoint,
            position=visit.position,
            due=None if visit.due is None else self._time(visit.due),
            opens=self._time(visit.opens),
            closes=self._time(visit.closes),
            verdict=visit.verdict,
            revision=visit.revision,
            at=None if service is None else self._time(service.fit.time),
            device_at=None if service is None else self._time(service.fit.device_at),
            person=None if service is None else service.taps[-1].person,
            deviation_s=None if service is None else seconds(service.fit.deviation),
            marks=visit_marks(visit, self._points[visit.checkpoint], self._site),
            cause=visit.cause,
            watermark=None if known is None else self._time(known),
            corroboration=(
                None
                if service is None or self._corroborate is None
                else self._corroborate(visit.checkpoint, service.fit.time, now)
            ),
        )

    def gap_id(self, state: GapState) -> str:
        """`checkpoint@start`, start as local time with offset."""
        return f"{state.window.checkpoint}@{self._time(state.window.start).isoformat()}"

    def gap(self, state: GapState, found: Sequence[Piece]) -> Gap:
        exceeded = [piece for piece in found if piece.length > state.at_most]
        return Gap(
            id=self.gap_id(state),
            checkpoint=state.window.checkpoint,
            window_start=self._time(state.window.start),
            window_end=None if state.window.end == END else self._time(state.window.end),
            largest_s=seconds(max((piece.length for piece in found), default=0)),
            exceeded=bool(exceeded),
            exceedances=tuple(
                Exceedance(
                    since=self._time(piece.start),
                    until=self._time(piece.end),
                    length_s=seconds(piece.length),
                    open=piece.open,
                )
                for piece in exceeded
            ),
        )

    def tap(self, tap: Tap, reason: str) -> Unmatched:
        return Unmatched(device=tap.device, tag=tap.tag, at=self._time(tap.at), person=tap.person, reason=reason)

    def loose(self, device: str, loose: Loose) -> Unmatched:
        return Unmatched(
            device=device, tag=loose.read.tag, at=self._time(loose.at), person=loose.person, reason=loose.reason
        )
