"""What is asked of rounds: their views, and what an explanation needs. Nothing of it judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from gateway.instants import DAY, Instant, instant
from gateway.rules.findings import Conflict, Gap, Round, Unmatched
from gateway.rules.gaps import GapState, Piece, pieces, stretches
from gateway.rules.intervals import Interval
from gateway.rules.points import Point
from gateway.rules.records import Record
from gateway.rules.rounds_held import Held, taps_used
from gateway.rules.taps import Loose, Tap
from gateway.rules.visits import RoundState, VisitState
from gateway.rules.witnesses import known


class Shown(Held):
    """Answers by what was judged last; what waits a little is judged first (`flush`)."""

    def walked(self, checkpoint: str, first: Instant, last: Instant) -> tuple[list[Instant], list[Interval]]:
        """When anyone who may serve tapped at a checkpoint in [first, last], and what of it is complete for every witness."""
        point, routes = self._points.get(checkpoint), self._routes_with(checkpoint)
        taps = () if point is None else point.taps_between(first, last)
        times = {each.time for tap in taps if self._counts(checkpoint, tap) for each in tap.moments}
        witnesses = self._witnesses.of(checkpoint, routes, last) if routes else []
        return sorted(at for at in times if first <= at <= last), known(witnesses, first, min(last, self.now))

    # -- what is shown -----------------------------------------------------------------------------------------------

    def rounds(self, since: Instant | None = None, until: Instant | None = None) -> list[Round]:
        """Rounds in memory that have opened by now or are planned next (24 h ahead), by start; optionally with start in [since, until)."""
        self.flush(self.now)
        shown = [
            (state.start, state.id)
            for state in self._rounds.values()
            if state.opens <= self.now + DAY
            and (since is None or state.start >= since)
            and (until is None or state.start < until)
        ]
        views = [self._views.round(self._rounds[round_id], self.now) for _, round_id in sorted(shown)]
        past = [
            view
            for view in self._retired
            if (since is None or instant(view.start) >= since) and (until is None or instant(view.start) < until)
        ]
        return past + views

    def rounds_by_id(self, since: Instant) -> Iterator[Round]:
        """What `rounds` gives with start from `since` on, by id and one by one."""
        self.flush(self.now)
        ids = [state.id for state in self._rounds.values() if state.opens <= self.now + DAY]
        for round_id in sorted((*self._retired.names(), *ids)):
            view = self.round(round_id)
            if view is not None and instant(view.start) >= since:
                yield view

    def shows(self, round_id: str) -> bool:
        """Whether `rounds` tells of it."""
        state = self._rounds.get(round_id)
        return round_id in self._retired if state is None else state.opens <= self.now + DAY

    def tally(self, since: Instant, until: Instant) -> list[tuple[Instant, list[tuple[str, str | None]]]]:
        """Starts in [since, until) of rounds in memory, each with its visits' verdicts and causes: what `rounds` shows, without the views."""
        self.flush(self.now)
        found: list[tuple[Instant, list[tuple[str, str | None]]]] = [
            (state.start, [(visit.verdict, visit.cause) for visit in state.visits])
            for state in self._rounds.values()
            if since <= state.start < until and state.opens <= self.now + DAY
        ]
        for view in self._retired:
            if since <= (start := instant(view.start)) < until:
                found.append((start, [(visit.verdict, visit.cause) for visit in view.visits]))
        return found

    def round(self, round_id: str) -> Round | None:
        """One round as judged now."""
        state = self._rounds.get(round_id)
        if state is None:
            return self._retired.get(round_id)
        return self._views.round(state, self.now)

    def gaps(self) -> list[Gap]:
        """Every `max_gap` window in memory that has opened, by checkpoint and start."""
        self.flush(self.now)
        views = {key: self._gap_view(state) for key, state in self._gaps.items() if state.window.start <= self.now}
        views |= self._retired_gaps
        return [views[key] for key in sorted(views)]

    def gap(self, gap_id: str) -> Gap | None:
        """One window by `checkpoint@start`, start as local time with offset."""
        for state in self._gaps.values():
            if self._views.gap_id(state) == gap_id:
                return self._gap_view(state)
        return None

    def _gap_view(self, state: GapState) -> Gap:
        point = self._points.get(state.window.checkpoint)
        spans = stretches(state, point, lambda tap: self._counts(state.window.checkpoint, tap), self.now)
        return self._views.gap(state, pieces(spans, self._complete_in(state)[1]))

    def unmatched(self) -> list[Unmatched]:
        """Taps that served nothing, by time."""
        return list(self.unmatched_by_time())

    def unmatched_by_time(self) -> Iterator[Unmatched]:
        """The same one by one."""
        self.flush(self.now)
        found = []
        for (device, _), loose in self._unknown.items():
            found.append(self._views.loose(device, loose))
        for record in self._records.values():
            found += [self._views.loose(record.id, loose) for loose in record.reads.loose.values()]
        for point in self._points.values():
            served = taps_used(point)
            for tap in point.taps:
                if (reason := point.reason(tap, served)) is not None:
                    found.append(self._views.tap(tap, reason))
        return self._retired_unmatched.among(found)

    def conflicts(self) -> list[Conflict]:
        """Keys with more than one content: those are told apart before they reach the rules."""
        return []

    # -- what an explanation asks; nothing of it judges ---------------------------------------------------------------

    def state(self, round_id: str) -> RoundState | None:
        """A round in memory as judged last, its frozen plan included."""
        return self._rounds.get(round_id)

    def window(self, gap_id: str) -> GapState | None:
        """A `max_gap` window in memory by `checkpoint@start`."""
        return next((state for state in self._gaps.values() if self._views.gap_id(state) == gap_id), None)

    def gap_id(self, gap: Gap) -> str:
        """`checkpoint@start` of a window that is shown."""
        return f"{gap.checkpoint}@{gap.window_start.isoformat()}"

    @property
    def points(self) -> Mapping[str, Point]:
        """Checkpoints of which anything is known."""
        return self._points

    def point(self, checkpoint: str) -> Point:
        """A checkpoint's visits and taps."""
        return self._points.get(checkpoint) or Point(self.site.people)

    def witnesses(self, visit: VisitState) -> list[Record]:
        """Whose complete records settle a visit."""
        return self._of(visit)

    def stretches(self, gap: GapState) -> tuple[list[Piece], list[Record], list[Interval]]:
        """Of a window: its stretches without a tap, its witnesses, and what is complete for all of them."""
        counts = partial(self._counts, gap.window.checkpoint)
        spans = stretches(gap, self._points.get(gap.window.checkpoint), counts, self.now)
        return spans, *self._complete_in(gap)

    def counts(self, checkpoint: str, tap: Tap) -> bool:
        """Whether a tap ends a stretch of its checkpoint's windows."""
        return self._counts(checkpoint, tap)

    def record(self, device: str) -> Record | None:
        """The evidence of a reader, if it is known."""
        return self._records.get(device)

    def strays(self, checkpoint: str) -> Iterator[tuple[str, Loose]]:
        """Reads that are no taps and yet may have been meant for a checkpoint, with their readers.

        They are of its wall tags, at its fixed reader, or by a portable reader of a tag nobody knows.
        """
        place = self.site.checkpoints.get(checkpoint)
        if place is None:
            return
        for device, loose in [(device, loose) for (device, _), loose in self._unknown.items()]:
            owner = self._tags.find(loose.read.tag)
            if owner is not None and owner.checkpoint == checkpoint:
                yield device, loose
        for record in self._records.values():
            for loose in record.reads.loose.values():
                owner = self._tags.find(loose.read.tag)
                here = record.id == place.reader or (owner is not None and owner.checkpoint == checkpoint)
                if here or (owner is None and record.portable and place.tags):
                    yield record.id, loose

    @property
    def downs(self) -> Sequence[Interval]:
        """When the gateway was down, or its time not known, as far back as it matters; what lasts has no end."""
        return self._downs
