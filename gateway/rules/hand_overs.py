"""Hand-overs of a reader: up to when it said, at each, that everything it had recorded is here (`sync_end`)."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.instants import Instant
from gateway.rules.clocks import DOUBT, LOST, Clock
from gateway.rules.intervals import BEGINNING, Interval


class HandOver(NamedTuple):
    """When it was said by the device's clock and by ours, in which of its boots, with which number (UNPLACED: none)."""

    at: Instant
    received: Instant
    boot: int
    place: int


class HandOvers:
    """All hand-overs, by `complete_to` of the device's clock."""

    __slots__ = ("_said", "to")

    def __init__(self) -> None:
        self.to = array("q")
        """Up to when, of each."""
        self._said: list[HandOver] = []

    def __bool__(self) -> bool:
        return bool(self._said)

    def add(self, to: Instant, said: HandOver) -> Instant:
        """Take one; of those that say the same the one received first counts. Up to when the one before it was, else BEGINNING."""
        where = bisect_left(self.to, to)
        same = where < len(self.to) and self.to[where] == to
        if same and said.at == self._said[where].at:
            if said.received < self._said[where].received:
                self._said[where] = said
        else:
            self.to.insert(where, to)
            self._said.insert(where, said)
        return self.to[where - 1] if where else BEGINNING

    def reached(self, clocks: Sequence[Clock]) -> Instant | None:
        """The latest true time to which everything was handed over; None: none that can be believed."""
        for to, said in zip(reversed(self.to), reversed(self._said), strict=True):
            if to < said.received - LOST or said.at < said.received - LOST:
                continue
            correction = clocks[said.boot].correction(said.place, to)
            if correction.certain and to + correction.offsets[0] <= said.received + DOUBT:
                return to + correction.offsets[0]
        return None

    def unproven(self, clocks: Sequence[Clock]) -> list[Interval]:
        """True times of which no hand-over speaks: from the last that can be believed up to one said ahead of its receipt, or the next after that.

        A hand-over reaches back to the one before it, and no further; also where the one before completed nothing.
        """
        found: list[Interval] = []
        known = BEGINNING
        ahead: Instant | None = None
        for to, said in sorted(zip(self.to, self._said, strict=True), key=lambda each: (each[1].received, each[0])):
            if to < said.received - LOST or said.at < said.received - LOST:
                continue
            correction = clocks[said.boot].correction(said.place, to)
            if not correction.certain:
                continue  # what such a clock leaves open, its measures say
            time = to + correction.offsets[0]
            if time > said.received + DOUBT:
                ahead = time if ahead is None else max(ahead, time)
                continue
            if ahead is not None:
                found.append((known, min(ahead, time)))
                ahead = None
            known = max(known, time)
        return found

    def before_boot(self, boot: int, received: Instant) -> Instant | None:
        """Up to when, by the device, the last was that was received before an instant in another boot; None: there was none."""
        return max(
            (
                to
                for to, said in zip(self.to, self._said, strict=True)
                if said.boot != boot and said.received < received
            ),
            default=None,
        )

    def receiveds(self) -> Iterator[Instant]:
        """When each was received."""
        return (said.received for said in self._said)

    def boots(self) -> Iterator[int]:
        """In which boot each was said."""
        return (said.boot for said in self._said)

    def possible_since(self, since: Instant, clocks: Sequence[Clock]) -> bool | None:
        """Whether one received from an instant on has times that can be; None: there was none."""
        found = None
        for to, said in zip(self.to, self._said, strict=True):
            if said.received >= since:
                offset = min(clocks[said.boot].correction(said.place, said.at).offsets)
                latest = said.received + DOUBT
                if said.at >= said.received - LOST and said.at + offset <= latest and to + offset <= latest:
                    return True
                found = False
        return found

    def before(self, time: Instant) -> Instant:
        """The latest `complete_to` before a time of the device's clock, else BEGINNING."""
        index = bisect_left(self.to, time)
        return self.to[index - 1] if index else BEGINNING

    def forget(self, before: Instant) -> None:
        """Drop those received before an instant; the last stays."""
        keep = bisect_left([said.received for said in self._said], before) if self._said else 0
        keep = min(keep, len(self.to) - 1)
        if keep > 0:
            del self.to[:keep], self._said[:keep]

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Boots have other numbers now."""
        self._said = [said._replace(boot=numbers[said.boot]) for said in self._said]

    def snapshot(self) -> list[Any]:
        return [self.to.tolist(), [list(said) for said in self._said]]

    def restore(self, state: Sequence[Any]) -> None:
        """Take up a snapshot."""
        self.to.extend(state[0])
        self._said = [HandOver(*said) for said in state[1]]
