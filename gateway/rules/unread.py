"""What of a reader's record may hide in what could not be read of it (spec: DESIGN.md, invariant 3: silence proves nothing).

What could not be read was recorded after what was read before it and before what was read after it, and not after it came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from gateway.instants import Duration, Instant
from gateway.rules.clocks import Clock
from gateway.rules.intervals import BEGINNING, Interval

LIMIT = 200
"""Spans kept of one reader; of more the two oldest become one."""
MARGIN: Duration = 10_000_000
"""What cannot be read comes in heaps, of which the gateway notes the first: the rest of one lies within this."""

TRUE = -1
"""In place of a boot: the time is true, not a device's."""


class Stamp(NamedTuple):
    """A time by the clock of a boot (its index), or TRUE."""

    boot: int
    time: Instant

    def bounds(self, clocks: Sequence[Clock]) -> Interval:
        """The true times that it may be."""
        if self.boot == TRUE:
            return self.time, self.time
        clock = clocks[self.boot]
        return self.time + clock.least, self.time + clock.most


_EVER = Stamp(TRUE, BEGINNING)


class Unread:
    """The spans of one reader in which something may be recorded that could not be read."""

    def __init__(self) -> None:
        self._spans: list[tuple[Stamp, Stamp]] = []
        self._last = _EVER
        """What was read of it last."""
        self.open = False
        """Nothing later was read since what could not be read: the last span may become shorter."""
        self._first = False
        """Nothing at all was."""

    def __bool__(self) -> bool:
        return bool(self._spans)

    def miss(self, received: Instant) -> tuple[Stamp, Stamp]:
        """Something that came at `received` could not be read."""
        until = Stamp(TRUE, received + MARGIN)
        if self.open and self._last.time <= self._spans[-1][1].time:
            self._spans[-1] = span = self._spans[-1][0], until
            return span
        self.open = self._first = True
        return self._add((self._last, until))

    def hide(self, first: Stamp, last: Stamp) -> tuple[Stamp, Stamp]:
        """What could not be read was recorded in [first, last]."""
        return self._add((first, last), open_last=self.open)

    def _add(self, span: tuple[Stamp, Stamp], *, open_last: bool = False) -> tuple[Stamp, Stamp]:
        self._spans.insert(len(self._spans) - open_last, span)
        if len(self._spans) > LIMIT:
            stamps = [stamp for span in self._spans[:2] for stamp in span]
            self._spans[:2] = [(min(stamps, key=lambda each: each.time), max(stamps, key=lambda each: each.time))]
        return span

    def read(
        self, stamp: Stamp, clocks: Sequence[Clock], before: Callable[[], Instant] = lambda: BEGINNING
    ) -> tuple[Stamp, Stamp] | None:
        """Something was read that was recorded at `stamp`; the span that this changes, or one more.

        Args:
            before: the latest time before it, by its own clock, of anything that was read.
        """
        self._last = stamp
        if not self.open:
            return None
        soon, self._first = self._first, False
        first, last = was = self._spans[-1]
        if stamp.bounds(clocks)[1] < first.bounds(clocks)[0]:
            # Of a backlog that comes behind something newer: what could not be read may be of it. Later ones say nothing.
            return self.hide(Stamp(stamp.boot, before()), stamp) if soon else None
        self.open = False
        if stamp.bounds(clocks)[1] >= last.time:
            return None
        self._spans[-1] = first, stamp
        return was

    def handed_over(self, stamp: Stamp, clocks: Sequence[Clock]) -> None:
        """Everything up to `stamp` was handed over: what cannot be read next is later."""
        if stamp.bounds(clocks)[0] > self._last.bounds(clocks)[1]:
            self._last = stamp

    def spans(self, clocks: Sequence[Clock]) -> Iterator[Interval]:
        """In true time, as wide as the clock leaves them; they may overlap."""
        for first, last in self._spans:
            yield (
                min(first.bounds(clocks)[0], last.bounds(clocks)[0]),
                max(first.bounds(clocks)[1], last.bounds(clocks)[1]),
            )

    def boots(self) -> set[int]:
        """The boots that it knows."""
        return {stamp.boot for span in (*self._spans, (self._last,)) for stamp in span} - {TRUE}

    def renumber(self, numbers: dict[int, int]) -> None:
        """Boots have other indices now."""
        if not (self._spans or self._last.boot != TRUE):
            return

        def moved(stamp: Stamp) -> Stamp:
            return stamp if stamp.boot == TRUE else Stamp(numbers[stamp.boot], stamp.time)

        self._spans = [(moved(first), moved(last)) for first, last in self._spans]
        self._last = moved(self._last)

    def forget(self, before: Instant) -> None:
        """Drop what was over by an instant."""
        while self._spans and not (self.open and len(self._spans) == 1) and self._spans[0][1].time < before:
            del self._spans[0]

    def snapshot(self) -> Any:
        return [[[*first, *last] for first, last in self._spans], list(self._last), self.open, self._first]

    def restore(self, state: Any) -> None:
        """Take up a snapshot."""
        spans, last, self.open, self._first = state
        self._spans = [(Stamp(a, b), Stamp(c, d)) for a, b, c, d in spans]
        self._last = Stamp(*last)
