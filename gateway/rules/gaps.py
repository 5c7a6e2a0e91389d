"""The largest gap of a checkpoint, apart from rounds (spec: rounds.md, Largest gap)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from gateway.instants import Duration, Instant
from gateway.rules.intervals import END, Interval, clipped
from gateway.rules.points import Point
from gateway.rules.taps import Tap
from gateway.site.model import DatedWindow


class Piece(NamedTuple):
    """A stretch without a tap that is known to be complete. `open`: no tap ended it, and the window goes on."""

    start: Instant
    end: Instant
    open: bool

    @property
    def length(self) -> Duration:
        return self.end - self.start


class GapState:
    """One dated window. `tells`: the pieces that stand as alerts, by subject.

    `patrol`: it is not the checkpoint's own `max_gap`, but a compensating patrol (`compensation`), open until its end is known.
    """

    __slots__ = ("at_most", "patrol", "quiet", "tells", "window")

    def __init__(self, window: DatedWindow, at_most: Duration, *, patrol: bool = False) -> None:
        self.window = window
        self.at_most = at_most
        self.patrol = patrol
        self.tells: dict[str, Piece] = {}
        self.quiet: Interval = (window.start, window.start)
        """Evidence that completes only times in it cannot make a piece too long."""

    @property
    def key(self) -> tuple[str, str, int]:
        """Its name among what rests on a record."""
        return "gap", self.window.checkpoint, self.window.start

    def begun(self, now: Instant) -> bool:
        """Whether it is no longer planned anew by the site file; a patrol, asked for again as it ends, begins an instant later."""
        return self.patrol or self.window.start <= now

    def close(self, end: Instant) -> None:
        """The window ends, or ended, at `end`."""
        self.window = msgspec.structs.replace(self.window, end=end)

    def snapshot(self) -> Any:
        return [
            msgspec.to_builtins(self.window),
            self.at_most,
            [[name, list(piece)] for name, piece in self.tells.items()],
            self.patrol,
        ]

    @classmethod
    def restored(cls, state: Any) -> GapState:
        made = cls(msgspec.convert(state[0], DatedWindow), state[1], patrol=len(state) > 3 and state[3])
        made.tells = {name: Piece(*piece) for name, piece in state[2]}
        return made


def stretches(state: GapState, point: Point | None, counts: Callable[[Tap], bool], now: Instant) -> list[Piece]:
    """Stretches of the window without a tap, up to its end or `now`."""
    start, end = state.window.start, min(state.window.end, now)
    times: set[Instant] = set()
    if point is not None and end > start:
        for tap in point.taps_between(start, end):
            if counts(tap):
                times |= {moment.time for moment in tap.moments if start <= moment.time <= end}
    ordered = sorted(times | {start, end})
    return [
        Piece(low, high, high == now and high not in times and now < state.window.end)
        for low, high in pairwise(ordered)
    ]


def pieces(spans: Iterable[Piece], complete: Sequence[Interval]) -> list[Piece]:
    """The complete pieces of the stretches; `complete` is what is known for every witness."""
    return [
        Piece(low, high, span.open)
        for span in spans
        for low, high in clipped(complete, span.start, span.end)
        if high > low
    ]


def next_time(state: GapState, point: Point | None, counts: Callable[[Tap], bool], now: Instant) -> Instant:
    """The next time after `now` at which a tap that is already here happened (a clock may run ahead); else END."""
    taps = point.taps_between(now, state.window.end) if point is not None else ()
    times = (moment.time for tap in taps if counts(tap) for moment in tap.moments)
    return min((time for time in times if time > now), default=END)


def next_excess(state: GapState, spans: Sequence[Piece], found: Sequence[Piece]) -> Instant:
    """The first instant at which a piece not told of yet may be too long, if nothing comes that was recorded before.

    While the last piece is too long already, a further one can only begin where that one ends: at a hole in the record.
    """
    since = spans[-1].start if spans else state.window.start
    going_on = [piece for piece in found if piece.open]
    if any(piece.length > state.at_most for piece in going_on):
        last = going_on[-1]
        since = last.end if last.length > state.at_most else last.start
    return since + state.at_most + 1
