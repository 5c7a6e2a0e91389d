"""What a reader's reports prove to be complete (spec: rounds.md, What is known to be complete).

A trail is the reports of one reader in order, and lazily the stretches between them that are proved complete. Stretches
are computed once and only extended, so that asking costs what is new; a report that arrives out of order takes back
only the stretches it can touch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from operator import le, sub
from typing import Any, ClassVar, Literal

from gateway.instants import Duration, Instant
from gateway.rules.clocks import AGREEMENT, DOUBT, LOST, UNPLACED, Clock, Correction
from gateway.rules.intervals import BEGINNING, END, Interval, Union

PIECE = 256
"""Reports in one stored stretch: how much a late report may force to be computed again."""


class Numbers:
    """The sequence numbers that are here, as closed runs."""

    __slots__ = ("highs", "lows")

    def __init__(self) -> None:
        self.lows: list[int] = []
        self.highs: list[int] = []

    def add(self, number: int) -> bool:
        """Take a number; False if it was here already."""
        highs = self.highs
        if highs and number == highs[-1] + 1:
            highs[-1] = number
            return True
        index = bisect_left(highs, number)
        if index < len(highs) and self.lows[index] <= number:
            return False
        if index > 0 and highs[index - 1] == number - 1:
            highs[index - 1] = number
            if index < len(highs) and self.lows[index] == number + 1:
                highs[index - 1] = highs[index]
                del self.lows[index], highs[index]
        elif index < len(highs) and self.lows[index] == number + 1:
            self.lows[index] = number
        else:
            self.lows.insert(index, number)
            highs.insert(index, number)
        return True

    def forget(self, below: int) -> None:
        """Drop the runs that end below a number."""
        index = bisect_left(self.highs, below)
        del self.lows[:index], self.highs[:index]

    def has_all(self, above: int, up_to: int) -> bool:
        """Whether every number in (above, up_to] is here."""
        if up_to <= above:
            return True
        index = bisect_left(self.highs, up_to)
        return index < len(self.highs) and self.lows[index] <= above + 1

    def lacking(self, above: int, up_to: int) -> tuple[tuple[int, int], ...]:
        """The runs of numbers in (above, up_to] that are not here."""
        found = []
        at = above + 1
        for index in range(bisect_left(self.highs, at), len(self.highs)):
            if self.lows[index] > up_to:
                break
            if self.lows[index] > at:
                found.append((at, self.lows[index] - 1))
            at = self.highs[index] + 1
        if at <= up_to:
            found.append((at, up_to))
        return tuple(found)


Stretch = tuple[Instant, Instant, int]
"""First and last instant, and the index of the report at which it begins."""
Joint = Literal["joined", "hole", "cut"]


class Reports(ABC):
    """Reports of one reader in order, and what is complete between them."""

    __slots__ = ("_done", "_holes", "_joined", "_pieces", "places", "receiveds", "times")
    _SAVED: ClassVar[tuple[str, ...]] = ("places", "times", "receiveds")

    def __init__(self) -> None:
        self.places = array("q")
        self.times = array("q")
        self.receiveds = array("q")
        self._done = 0
        self._pieces: list[Stretch] = []
        self._joined = Union()
        """Of the stored stretches."""
        self._holes: list[Stretch] = []

    @abstractmethod
    def correction(self, index: int) -> Correction:
        """What the time of a report is worth."""

    @abstractmethod
    def joint(self, left: int, right: int, before: Instant, after: Instant) -> Joint:
        """What lies between two successive certain reports with true times `before` and `after`."""

    def alike(self, index: int, stop: int) -> int:  # noqa: ARG002  where nothing is alike
        """The last report before `stop` up to which all from `index` on are as certain as it is, corrected alike and joined."""
        return index

    def doubtful(self, index: int, stop: int) -> int:  # noqa: ARG002  likewise
        """The last report before `stop` up to which all from `index` on prove nothing, as it does."""
        return index

    @abstractmethod
    def settled_to(self) -> Instant:
        """Raw time up to which only late evidence can change what was computed."""

    @property
    @abstractmethod
    def ordered(self) -> bool:
        """No report is dated before one that stands before it."""

    @abstractmethod
    def bounds(self) -> Interval:
        """The least and the greatest that is added to any of its times."""

    def insert(self, index: int, place: int, time: Instant, received: Instant) -> Interval:
        """Put a report where it belongs; the raw times whose completeness it can change."""
        times = self.times
        self.places.insert(index, place)
        times.insert(index, time)
        self.receiveds.insert(index, received)
        self.take_back(index - 1)
        before = min(times[max(0, index - 1)], time)
        return before, max(times[index + 1], time) if index + 1 < len(times) else END

    def remove(self, place: int, time: Instant, received: Instant) -> None:
        """A report turned out to be another's repeat, or conflicting."""
        for index in range(len(self.times)):
            if (self.places[index], self.times[index], self.receiveds[index]) == (place, time, received):
                del self.places[index], self.times[index], self.receiveds[index]
                self.take_back(0)
                return

    def take_back(self, index: int) -> None:
        """Stretches that rest on the report at `index` or later ones will be computed again."""
        pieces, holes = self._pieces, self._holes
        while self._done > max(index, 0):
            if not pieces:
                self._done = 0
                break
            self._done = pieces.pop()[2]
            self._joined.take_back()
        while holes and holes[-1][2] >= self._done:
            holes.pop()

    def changed_since(self, since: Instant) -> None:
        """Raw times after `since` may be corrected differently, or be cut, from now on."""
        times = self.times
        index = bisect_right(times, since) if since > BEGINNING else 0
        while index > 0 and times[index - 1] > since:
            index -= 1
        self.take_back(index - 1)

    def true_time(self, index: int) -> Instant | None:
        """The corrected time of a report; None if it proves nothing: clock in doubt, ahead, or lost."""
        time, received = self.times[index], self.receiveds[index]
        correction = self.correction(index)
        if not correction.certain or time < received - LOST:
            return None
        time += correction.offsets[0]
        return time if time <= received + DOUBT else None

    def possible(self, index: int) -> bool:
        """Whether a report's time can be true at all: neither ahead of its `received` nor lost."""
        time, received = self.times[index], self.receiveds[index]
        if time < received - LOST:
            return False
        return min(time + offset for offset in self.correction(index).offsets) <= received + DOUBT

    def _stretches(self, start: int, stop: int) -> tuple[list[Stretch], list[Stretch], int]:
        """Complete stretches and holes between reports [start, stop), and the last report that proved something."""
        pieces: list[Stretch] = []
        holes: list[Stretch] = []
        last = -1
        at = first = begun = 0
        index = start
        while index < stop:
            time = self.true_time(index)
            if time is None:
                index = self.doubtful(index, stop) + 1
                continue
            joint = self.joint(last, index, at, time) if last >= 0 else "cut"
            if joint == "joined" and index - begun < PIECE:
                at = time
            else:
                if at > first:
                    pieces.append((first, at, begun))
                if joint == "hole":
                    holes.append((min(at, time), max(at, time), last))
                if joint == "joined":
                    pieces.append((at, time, last))
                at = first = time
                begun = index
            last = self.alike(index, stop)
            at += self.times[last] - self.times[index]
            index = last + 1
        if at > first:
            pieces.append((first, at, begun))
        return pieces, holes, last

    def _settle(self) -> None:
        """Store the stretches that only late evidence can change; the rest is computed each time it is asked."""
        limit = self.settled_to()
        times, done = self.times, self._done
        stop = len(times)
        while stop > done and times[stop - 1] > limit:
            stop -= 1
        if stop - done < 2:
            return
        pieces, holes, last = self._stretches(done, stop)
        if last <= done:
            return
        stored = self._pieces
        if pieces and stored:
            first, end, begun = stored[-1]
            low, high, since = pieces[0]
            if since == done and low == end and done - begun < PIECE // 2:  # it goes on where the last one ended
                del stored[-1]
                self._joined.take_back()
                pieces[0] = first, high, begun
        stored += pieces
        for low, high, _ in pieces:
            self._joined.add(low, high)
        self._holes += holes
        self._done = last

    def complete(self) -> list[Interval]:
        """Every stretch proved complete, not yet merged with those of the newest reports."""
        self._settle()
        tail, _, _ = self._stretches(self._done, len(self.times))
        return self._joined.parts + [(low, high) for low, high, _ in tail]

    def holes(self) -> list[Interval]:
        """Stretches in which a record is known to be missing."""
        self._settle()
        _, tail, _ = self._stretches(self._done, len(self.times))
        return [(low, high) for low, high, _ in self._holes] + [(low, high) for low, high, _ in tail]

    def forget(self, before: Instant) -> None:
        """Drop reports received before an instant, but the last."""
        index = 0
        while index < len(self.receiveds) - 1 and self.receiveds[index] < before:
            index += 1
        if not index:
            return
        del self.places[:index], self.times[:index], self.receiveds[:index]
        if self._done < index:
            self.take_back(0)
            return
        self._done -= index
        self._pieces = [(low, high, begun - index) for low, high, begun in self._pieces if begun >= index]
        self._joined = Union()
        for low, high, _ in self._pieces:
            self._joined.add(low, high)
        self._holes = [(low, high, begun - index) for low, high, begun in self._holes if begun >= index]

    def snapshot(self) -> Any:
        return [memoryview(getattr(self, name)).cast("B") for name in self._SAVED]

    def restore(self, state: Any) -> None:
        for name, data in zip(self._SAVED, state, strict=False):
            getattr(self, name).frombytes(data)


class Trail(Reports):
    """Reports of one boot of a reader with sequence numbers; a report's place is its number, or its `last_seq`."""

    __slots__ = ("_delays", "_falls", "_falls_of", "_rising", "clock", "numbers")

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.numbers = Numbers()
        self._rising = True
        """No report is dated before one of a lower place."""
        self._falls: list[int] = []
        self._falls_of = 0
        """Numbers dated before the one below them, as of so many reports."""
        self._delays: Interval = (END, BEGINNING)
        """The least and the greatest `received` less time of all reports there ever were."""

    def add(self, place: int, time: Instant, received: Instant) -> Interval:
        """Take a report: all numbers up to `place` existed at device time `time`. The raw times it can touch."""
        places, times = self.places, self.times
        if not times or place > places[-1] or (place == places[-1] and time >= times[-1]):
            self._note(times[-1] if times else time, (time,), (received,))
            places.append(place)
            times.append(time)
            self.receiveds.append(received)
            return (times[-2] if len(times) > 1 else time), time
        self._note(time, (time,), (received,))
        low = bisect_left(places, place)
        high = bisect_right(places, place, low)
        index = bisect_right(times, time, low, high)
        before, after = times[max(0, index - 1)], times[index] if index < len(times) else END
        self._rising = self._rising and (index == 0 or before <= time) and time <= after
        touched = self.insert(index, place, time, received)
        return touched if self._rising else (touched[0], END)  # it may show that the clock was set back

    def extend(self, places: array[int], times: array[int], receiveds: array[int]) -> bool:
        """Take reports that come after all others, in order of place and time; False: they do not, and none was taken."""
        if self.times and (places[0] < self.places[-1] or times[0] < self.times[-1]):
            return False
        if any(left > right for left, right in pairwise(places)):
            return False
        self._note(self.times[-1] if self.times else times[0], times, receiveds)
        self.places.extend(places)
        self.times.extend(times)
        self.receiveds.extend(receiveds)
        return True

    def forget(self, before: Instant) -> None:
        super().forget(before)
        if self.places:
            self.numbers.forget(self.places[0])

    def _note(self, before: Instant, times: Sequence[Instant], receiveds: Sequence[Instant]) -> None:
        delays = list(map(sub, receiveds, times))
        self._delays = (min(self._delays[0], *delays), max(self._delays[1], *delays))
        self._rising = self._rising and before <= times[0] and (len(times) == 1 or all(map(le, times, times[1:])))

    def restore(self, state: Any) -> None:
        super().restore(state)
        if self.times:
            self._note(self.times[0], self.times, self.receiveds)

    def _between(self, index: int, stop: int) -> int:
        """The last report before `stop` that is corrected by the same two measures as `index`, and those between alike."""
        clock, places, times = self.clock, self.places, self.times
        line = clock.placed
        if not self._rising or clock.loose.times or not line.times:
            return index
        low, high = line.neighbours(places[index], times[index])
        if low >= high:
            return index  # it is a measure itself
        last = stop - 1
        if high < len(line.times):
            first = bisect_left(places, line.places[high], index, stop)
            same = bisect_right(places, line.places[high], first, stop)
            last = bisect_left(times, line.times[high], first, same) - 1
            if line.times[high] - times[index] > clock.window:
                return index
        if last <= index or (low >= 0 and times[last] - line.times[low] > clock.window):
            return index
        return last

    def _steady(self, index: int, stop: int) -> int:
        """The last report before `stop` up to which no clock measure finds an offset to speak of, so that none is corrected."""
        clock, places, times = self.clock, self.places, self.times
        line = clock.placed
        if not (self._rising and line.rising and line.times) or clock.loose.times:
            return index
        low = min(line.neighbours(places[index], times[index]))
        if low < 0 or line.times[low] > times[index]:
            return index
        last = min(stop, index + PIECE) - 1
        while last > index:
            high = max(line.neighbours(places[last], times[last]))
            if high >= len(line.times):
                end = bisect_right(times, line.times[-1], index, last) - 1
                last = end if end < last else last - 1
                continue
            near = line.times[high] >= times[last] and line.times[high] - line.times[low] <= clock.window
            if near and line.steady(low, high):
                return last
            last = index + (last - index) // 4
        return index

    def doubtful(self, index: int, stop: int) -> int:
        """Between two measures that disagree, and beside a lone one that is far off."""
        return index if self.correction(index).certain else self._between(index, stop)

    def alike(self, index: int, stop: int) -> int:
        """Reports between the same two measures, or between measures that find nothing wrong: in order of time, none ever dated
        impossibly, and no number missing.
        """
        last = self._between(index, stop)
        if last == index:
            last = self._steady(index, stop)
        if last == index or self._delays[1] > LOST or self._delays[0] < self.correction(index).offsets[0] - DOUBT:
            return index
        return last if self.numbers.has_all(self.places[index], self.places[last]) else index

    def filled(self, number: int) -> Interval:
        """A number below the newest is here now. The raw times between which it was missing."""
        index = bisect_left(self.places, number)
        self.take_back(index - 1)
        low = self.times[index - 1] if index > 0 else BEGINNING
        high = self.times[index] if index < len(self.times) else END
        return min(low, high), max(low, high)

    def correction(self, index: int) -> Correction:
        return self.clock.correction(self.places[index], self.times[index])

    def settled_to(self) -> Instant:
        return self.clock.settled_to()

    @property
    def ordered(self) -> bool:
        return self._rising

    def bounds(self) -> Interval:
        return self.clock.least, self.clock.most

    def joint(self, left: int, right: int, before: Instant, after: Instant) -> Joint:
        """Complete if every number above the left one's up to the right one's is here, and the clock is certain."""
        low, high = self.places[left], self.places[right]
        if not self.numbers.has_all(low, high):
            return "hole"
        if after < before:
            return "cut"
        first, last = self.times[left], self.times[right]
        if low != high and not self.clock.agree((low, first), (high, last)):
            return "cut"
        if not self._rising and self._set_back(low, first, high):
            return "cut"
        if last - first > 1:
            middle = (first + last) // 2
            if not self.clock.correction(low if low == high else UNPLACED, middle).certain:
                return "cut"
        return "joined"

    def holes(self) -> list[Interval]:
        return [*super().holes(), *self._first_hole(), *self._last_holes()]

    def _first_hole(self) -> list[Interval]:
        """Where a record is missing after reports whose times are not known, before the first whose time is."""
        index, stop, time = 0, len(self.times), None
        while index < stop and (time := self.true_time(index)) is None:
            index = self.doubtful(index, stop) + 1
        if time is None or index == 0 or self.numbers.has_all(self.places[0], self.places[index]):
            return []
        first, received = self.times[0], self.receiveds[0]
        low = received if first < received - LOST else first + self.clock.least
        return [(low, time)] if low < time else []

    def _last_holes(self) -> list[Interval]:
        """Where records are missing beside reports after the last whose time is known, at the widest of what their times may be."""
        found = []
        index = len(self.times) - 1
        while index > 0 and self.true_time(index) is None:
            if not self.numbers.has_all(self.places[index - 1], self.places[index]):
                low, _ = self._made(index - 1)
                _, high = self._made(index)
                found.append((min(low, high), high))
            index -= 1
        return found

    def _made(self, index: int) -> Interval:
        """When a report may have been made, at the earliest and at the latest; with a lost clock: when it came."""
        time, received = self.times[index], self.receiveds[index]
        if time < received - LOST:
            return received, received
        offsets = self.correction(index).offsets
        return time + min(offsets), min(time + max(offsets), received)

    def _set_back(self, low: int, first: Instant, high: int) -> bool:
        """Whether its own numbers show that the clock was set back since the measure by which a stretch is judged, and none came after.

        Then that measure says nothing of it: a record with a higher number was not made earlier.
        """
        line = self.clock.placed
        before, after = line.neighbours(low, first)
        if before < 0 or after < len(line.times):
            return False
        if self._falls_of != len(self.places):
            pairs = zip(self.places[1:], pairwise(self.times), strict=True)
            self._falls = [place for place, (left, right) in pairs if right < left - AGREEMENT]
            self._falls_of = len(self.places)
        index = bisect_right(self._falls, line.places[before])
        return index < len(self._falls) and self._falls[index] <= high


class Signs(Reports):
    """Signs of life of a fixed reader without sequence numbers; a sign's place is the number of its boot.

    Args:
        limit: how far apart two signs may be: 3 × `expect_every`.
        clocks: the clock of each boot.
        cuts: true times of `link up:false` and `device_status online:false`, sorted.
        downs: when the gateway was down, sorted; empty for a reader on an external broker.
    """

    __slots__ = ("clocks", "cuts", "downs", "limit")

    def __init__(
        self, limit: Duration, clocks: Sequence[Clock], cuts: Sequence[Instant], downs: Sequence[Interval]
    ) -> None:
        super().__init__()
        self.limit = limit
        self.clocks = clocks
        self.cuts = cuts
        self.downs = downs

    def add(self, boot: int, time: Instant, received: Instant) -> Interval:
        """Take a sign of life. The raw times it can touch."""
        times = self.times
        if not times or time >= times[-1]:
            times.append(time)
            self.places.append(boot)
            self.receiveds.append(received)
            return (times[-2] if len(times) > 1 else time), time
        return self.insert(bisect_right(times, time), boot, time, received)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Boots have other numbers now."""
        self.places = array("q", (numbers[boot] for boot in self.places))

    def cut(self, at: Instant) -> Instant:
        """Something ended completeness at a true time; from which true time on it may be otherwise."""
        least, most = self.bounds()
        before = bisect_left(self.times, at - most)
        since = self.times[before - 1] if before else BEGINNING
        self.changed_since(since)
        return since + least

    def correction(self, index: int) -> Correction:
        return self.clocks[self.places[index]].correction(UNPLACED, self.times[index])

    def settled_to(self) -> Instant:
        return min((clock.settled_to() for clock in self.clocks), default=END)

    @property
    def ordered(self) -> bool:
        return True

    def bounds(self) -> Interval:
        return min(clock.least for clock in self.clocks), max(clock.most for clock in self.clocks)

    def joint(self, left: int, right: int, before: Instant, after: Instant) -> Joint:
        """Complete if the signs are near enough and nothing that silences the reader lies between."""
        if not 0 <= after - before <= self.limit:
            return "cut"
        index = bisect_left(self.cuts, before)
        if index < len(self.cuts) and self.cuts[index] <= after:
            return "cut"
        for low, high in self.downs:
            if low < after and before < high:
                return "cut"
        first, last = self.times[left], self.times[right]
        boot = self.places[left]
        if boot == self.places[right] and last - first > 1:
            middle = (first + last) // 2
            if not self.clocks[boot].correction(UNPLACED, middle).certain:
                return "cut"
        return "joined"
