"""Device clocks: what their own word about the time was worth when it arrived (spec: rounds.md, Clocks)."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from operator import add, le, lt, sub
from typing import Any, NamedTuple

from gateway.instants import DAY, SECOND, Duration, Instant
from gateway.rules.intervals import BEGINNING, END, Interval

AGREEMENT: Duration = 5 * SECOND
"""Two measures agree within this; an offset of at most this is taken as 0 (rounds.md, Clocks)."""
DOUBT: Duration = 60 * SECOND
"""An offset above this is marked; a lone measure above it proves nothing; so is an `at` this far after `received`."""
HAND_OVER: Duration = 2 * SECOND
"""A measure received this near a later-dated one measures the delay of a hand-over, not a clock."""
SLACK: Duration = 2 * SECOND
"""A corrected time this near a boundary gets the better class."""
LOST: Duration = 7 * DAY
"""A report dated longer than this before its `received` has lost its clock."""

_MANY = 256
"""Measures kept without looking whether one can still matter: a later one looks back 2 s."""

UNPLACED = -1
"""The place of a measure or report without a sequence number."""


class Correction(NamedTuple):
    """What is to be added to a device time: one offset, or two when it is not `certain` which (the lesser first)."""

    offsets: tuple[Duration, ...]
    certain: bool
    measured: bool


UNMEASURED = Correction((0,), certain=True, measured=False)
EXACT = Correction((0,), certain=True, measured=True)


def rounded(offset: Duration) -> Duration:
    """The offset that is applied: up to 5 s is none."""
    return 0 if -AGREEMENT <= offset <= AGREEMENT else offset


def calm(offsets: Sequence[Duration]) -> bool:
    """Whether measures find no offset to speak of, and agree with each other."""
    least, most = min(offsets), max(offsets)
    return least >= -AGREEMENT and most <= AGREEMENT and most - least <= AGREEMENT


def judge(before: Duration | None, after: Duration | None) -> Correction:
    """The correction of a time from the offsets measured next before and next after it."""
    if before is None and after is None:
        return UNMEASURED
    if before is not None and after is not None:
        if abs(before - after) <= AGREEMENT:
            offset = rounded(min(before, after))
            return EXACT if not offset else Correction((offset,), certain=True, measured=True)
        return Correction((rounded(min(before, after)), rounded(max(before, after))), certain=False, measured=True)
    lone = before if before is not None else after
    assert lone is not None
    return _alone(lone)


def judge_all(measures: Sequence[Duration]) -> Correction:
    """The correction by up to two measures, the one next before and the one next after; a lone one may stand for both."""
    if len(measures) == 1:
        return _alone(measures[0])
    return judge(*measures) if measures else UNMEASURED


def _alone(offset: Duration) -> Correction:
    """The correction by one measure only."""
    if abs(offset) > DOUBT:
        return Correction((offset, 0), certain=False, measured=True)
    offset = rounded(offset)
    return EXACT if not offset else Correction((offset,), certain=True, measured=True)


class Line:
    """Measures of one boot in order of (sequence number, device time)."""

    __slots__ = ("offsets", "places", "rising", "times")

    def __init__(self) -> None:
        self.rising = True
        """In order of device time, too."""
        self.places = array("q")
        self.times = array("q")
        self.offsets = array("q")

    def _range(self, place: int, time: Instant) -> tuple[int, int]:
        """Indices [first, last) of the entries exactly at (place, time)."""
        low = bisect_left(self.places, place)
        high = bisect_right(self.places, place, low)
        return bisect_left(self.times, time, low, high), bisect_right(self.times, time, low, high)

    def add(self, place: int, time: Instant, offset: Duration) -> None:
        if not self.times or (place, time) > (self.places[-1], self.times[-1]):
            if self.times and time < self.times[-1]:
                self.rising = False
            self.places.append(place)
            self.times.append(time)
            self.offsets.append(offset)
            return
        first, last = self._range(place, time)
        index = bisect_left(self.offsets, offset, first, last)
        self.places.insert(index, place)
        self.times.insert(index, time)
        self.offsets.insert(index, offset)
        around = self.times[max(0, index - 1) : index + 2]
        self.rising = self.rising and all(map(le, around, around[1:]))

    def remove(self, place: int, time: Instant, offset: Duration) -> None:
        if self.times and (self.places[-1], self.times[-1], self.offsets[-1]) == (place, time, offset):
            del self.places[-1], self.times[-1], self.offsets[-1]
            return
        first, last = self._range(place, time)
        for index in range(first, last):
            if self.offsets[index] == offset:
                del self.places[index], self.times[index], self.offsets[index]
                return

    def steady(self, first: int, last: int) -> bool:
        """Whether the entries [first, last] find no offset to speak of, and agree all with each other."""
        return calm(self.offsets[first : last + 1])

    def neighbours(self, place: int, time: Instant) -> tuple[int, int]:
        """Indices of the entries next before and next after (place, time); its own entry is both. -1, len: none."""
        first, last = self._range(place, time)
        return last - 1, min(first, last)

    def neighbours_of_record(self, place: int, time: Instant, least: Duration, most: Duration) -> tuple[int, int]:
        """Indices of the measures next before and next after the record with that number; no offset is below `least` or above `most`.

        A heartbeat with that `last_seq` was made after it, whatever its clock showed; of several with one number the times at
        which they were received tell their order, also when the clock was set back between.
        """
        first, last = self._range(place, time)
        if first < last:
            return last - 1, first
        after = bisect_left(self.places, place)
        before = after - 1
        if before >= 0:
            before = self._received_last(before, most)
        if after < len(self.places):
            after = self._received_first(after, least)
        return before, after

    def _received_first(self, low: int, least: Duration) -> int:
        """Of the entries from `low` on that have its number, the one received first."""
        found, first = low, self.times[low] + self.offsets[low]
        for index in range(low + 1, len(self.times)):
            if self.places[index] != self.places[low] or self.times[index] + least > first:
                break
            if (received := self.times[index] + self.offsets[index]) < first:
                found, first = index, received
        return found

    def _received_last(self, high: int, most: Duration) -> int:
        """Of the entries up to `high` that have its number, the one received last."""
        found, last = high, self.times[high] + self.offsets[high]
        for index in range(high - 1, -1, -1):
            if self.places[index] != self.places[high] or self.times[index] + most < last:
                break
            if (received := self.times[index] + self.offsets[index]) > last:
                found, last = index, received
        return found

    def neighbours_by_time(self, time: Instant) -> tuple[int, int]:
        first, last = bisect_left(self.times, time), bisect_right(self.times, time)
        return last - 1, min(first, last)


class Clock:
    """One boot's clock: the measures that count, and what they say of any of its times.

    Args:
        window: how far a measure reaches: 24 h, portable readers 7 days.
    """

    __slots__ = ("least", "loose", "most", "placed", "window")

    def __init__(self, window: Duration) -> None:
        self.window = window
        self.placed = Line()
        self.loose = Line()
        self.least: Duration = 0
        """The least offset ever measured, at most 0: how far before its raw time a corrected time may lie."""
        self.most: Duration = 0
        """Likewise the greatest, at least 0."""

    def add(self, place: int, time: Instant, offset: Duration) -> Instant:
        """Take a measure; the raw time from which corrections may have changed."""
        line = self.placed if place >= 0 else self.loose
        if offset < self.least:
            self.least = offset
        elif offset > self.most:
            self.most = offset
        index = len(line.times)
        line.add(place, time, offset)
        if line.times[index] != time:
            return BEGINNING
        while index > 0 and line.times[index - 1] == time:
            index -= 1
        if index > 0 and line.times[index - 1] > time:  # it was set back: what lies between may be dated before both
            return BEGINNING
        return line.times[index - 1] if index > 0 else BEGINNING

    def extend(self, places: array[int], times: array[int], offsets: array[int]) -> Instant:
        """Take measures with numbers, in order and dated after all others; the raw time from which corrections may have changed."""
        since = self.add(places[0], times[0], offsets[0])
        self.least = min(self.least, *offsets)
        self.most = max(self.most, *offsets)
        self.placed.places.extend(places[1:])
        self.placed.times.extend(times[1:])
        self.placed.offsets.extend(offsets[1:])
        return since

    def follows(self, place: int, time: Instant) -> bool:
        """Whether a measure comes after all others with numbers."""
        line = self.placed
        return place >= 0 and (not line.times or (place >= line.places[-1] and time > line.times[-1]))

    def remove(self, place: int, time: Instant, offset: Duration) -> None:
        """A measure turned out to count for nothing."""
        (self.placed if place >= 0 else self.loose).remove(place, time, offset)

    def settled_to(self) -> Instant:
        """Raw time up to which corrections change only through late measures (the newest measure; without one: all)."""
        times = self.placed.times or self.loose.times
        return times[-1] if times else END

    def calm_after(self, time: Instant, offsets: Sequence[Duration]) -> bool:
        """Whether measures from a time on, after all others, change nothing: they and the newest, near enough, are `calm`."""
        line = self.placed if self.placed.times else self.loose
        near = bool(line.times) and 0 <= time - line.times[-1] <= self.window
        return near and all(calm(pair) for pair in pairwise([line.offsets[-1], *offsets]))

    def calm_at(self, place: int, time: Instant, offset: Duration) -> bool:
        """Whether a measure changes nothing: it and those next to it, one at least, are `calm`."""
        _, before, _, after = self.nearest(place, time)
        beside = [each for each in (before, after) if each is not None]
        return bool(beside) and calm([offset, *beside])

    def correction(self, place: int, time: Instant) -> Correction:
        """What a device time is worth; `place` is its sequence number, UNPLACED without one."""
        _, before, _, after = self.nearest(place, time)
        return judge(before, after)

    def nearest(
        self, place: int, time: Instant, *, record: bool = False
    ) -> tuple[Instant, Duration | None, Instant, Duration | None]:
        """The measures next before and next after a device time that are near enough: each its device time and its offset.

        Args:
            record: it is of a record with that number, not of a report made after it.
        """
        placed, loose = self.placed, self.loose
        before_time, before = BEGINNING, None
        after_time, after = END, None
        if placed.times:
            if place < 0:
                low, high = placed.neighbours_by_time(time)
            elif record:
                low, high = placed.neighbours_of_record(place, time, self.least, self.most)
            else:
                low, high = placed.neighbours(place, time)
            if low >= 0 and abs(time - placed.times[low]) <= self.window:
                before_time, before = placed.times[low], placed.offsets[low]
            if high < len(placed.times) and abs(placed.times[high] - time) <= self.window:
                after_time, after = placed.times[high], placed.offsets[high]
        if loose.times:
            low, high = loose.neighbours_by_time(time)
            if low >= 0 and time - loose.times[low] <= self.window and loose.times[low] >= before_time:
                before_time, before = loose.times[low], loose.offsets[low]
            if high < len(loose.times) and loose.times[high] - time <= self.window and loose.times[high] <= after_time:
                after_time, after = loose.times[high], loose.offsets[high]
        return before_time, before, after_time, after

    def correction_of(self, number: int, time: Instant) -> Correction:
        """What the device time of a record is worth; UNPLACED: it has no number."""
        _, before, _, after = self.nearest(number, time, record=True)
        return judge(before, after)

    def agree(self, left: tuple[int, Instant], right: tuple[int, Instant]) -> bool:
        """Whether the measures around two successive reports, each by place and time, agree with each other."""
        _, earlier, _, before = self.nearest(*left)
        _, after, _, later = self.nearest(*right)
        one, other = (earlier if before is None else before), (later if after is None else after)
        return one is None or other is None or abs(one - other) <= AGREEMENT

    def received(self) -> Iterator[Instant]:
        """When each measure was received."""
        for line in (self.placed, self.loose):
            yield from map(add, line.times, line.offsets)

    def doubts(self, heard: Sequence[Instant]) -> list[Interval]:
        """True times about which nothing can be complete: between measures that disagree, and beside a lone bad one.

        Args:
            heard: when the measures of all boots were received, in order. A lone one says nothing of what lies beyond another.
        """
        found: list[Interval] = []
        for line in (self.placed, self.loose):
            times, offsets, last = line.times, line.offsets, len(line.times) - 1
            for index, offset in enumerate(offsets):
                here = times[index] + offset
                bad = abs(offset) > DOUBT
                if bad and (index == 0 or times[index] - times[index - 1] > self.window):
                    before = bisect_left(heard, here)
                    found.append((max([BEGINNING, *heard[before - 1 : before]]), here))
                apart = END if index == last else times[index + 1] - times[index]
                if bad and apart > self.window:
                    after = bisect_right(heard, here)
                    found.append((here, min([here + self.window, *heard[after : after + 1]])))
                if apart <= 2 * self.window:  # both reach what is midway
                    found += _between((times[index], offset), (times[index + 1], offsets[index + 1]))
            received = array("q", map(add, times, offsets))
            if not all(
                map(le, received, received[1:])
            ):  # it was set back: as they came, others stand next to each other
                by_receipt = sorted(zip(received, times, offsets, strict=True))
                for (here, *one), (there, *other) in pairwise(by_receipt):
                    if there - here <= 2 * self.window:
                        found += _between((one[0], one[1]), (other[0], other[1]))
        return found + self._doubts_across()

    def _doubts_across(self) -> list[Interval]:
        """Between a measure with a place and one without, next to each other by device time, that disagree."""
        if not self.placed.times or not self.loose.times:
            return []
        both = sorted(
            (time, offset, line is self.loose)
            for line in (self.placed, self.loose)
            for time, offset in zip(line.times, line.offsets, strict=True)
        )
        found = []
        for (time, offset, loose), (next_time, next_offset, next_loose) in pairwise(both):
            if loose is not next_loose and next_time - time <= 2 * self.window:
                found += _between((time, offset), (next_time, next_offset))
        return found

    def forget(self, before: Instant) -> None:
        """Drop measures received before an instant."""
        for line in (self.placed, self.loose):
            index = 0
            while index < len(line.times) and line.times[index] + line.offsets[index] < before:
                index += 1
            if index:
                del line.places[:index], line.times[:index], line.offsets[:index]

    def snapshot(self) -> Any:
        return [
            self.least,
            self.most,
            *(
                [memoryview(part).cast("B") for part in (line.places, line.times, line.offsets)]
                for line in (self.placed, self.loose)
            ),
        ]

    def restore(self, state: Any) -> None:
        self.least, self.most = state[0], state[1]
        for line, saved in zip((self.placed, self.loose), state[2:], strict=True):
            for name, data in zip(("places", "times", "offsets"), saved, strict=True):
                getattr(line, name).frombytes(data)
            line.rising = all(map(le, line.times, line.times[1:]))


def _between(left: tuple[Instant, Duration], right: tuple[Instant, Duration]) -> list[Interval]:
    """What is in doubt between two measures, each its device time and offset: nothing if they agree. What is read there may be corrected or not."""
    if abs(left[1] - right[1]) <= AGREEMENT:
        return []
    edges = [time + each for time, offset in (left, right) for each in (offset, rounded(offset))]
    return [(min(edges), max(edges))]


def _since(changed: Instant, gone: Instant) -> Instant:
    """From when corrections may have changed by a measure, where one dated at `gone` (END: none) counts no more.

    `changed` is the time of the measure before the new one: if that is not before both, the one before the other is unknown here.
    """
    return changed if gone == END or changed <= gone else BEGINNING


class Measures:
    """All measures of one device in order of `received`, to tell which count (rounds.md, Clocks: hand-over)."""

    __slots__ = ("_rising", "boots", "places", "receiveds", "times")

    def __init__(self) -> None:
        self._rising = False
        """The last entry counts, so it is dated after all others received within 2 s before it."""
        self.receiveds = array("q")
        self.times = array("q")
        self.places = array("q")
        self.boots = array("l")

    def add(self, clocks: Sequence[Clock], boot: int, place: int, time: Instant, received: Instant) -> Instant:
        """Take a measure of the clock numbered `boot`; the raw time from which corrections may have changed."""
        receiveds, times = self.receiveds, self.times
        count = len(receiveds)
        apart = not count or received - receiveds[-1] > HAND_OVER
        if apart or (self._rising and received >= receiveds[-1] and time > times[-1] and boot == self.boots[-1]):
            gone = END
            if not apart:
                gone = times[-1]
                clocks[boot].remove(self.places[-1], gone, receiveds[-1] - gone)
            receiveds.append(received)
            times.append(time)
            self.places.append(place)
            self.boots.append(boot)
            self._rising = True
            return _since(clocks[boot].add(place, time, received - time), gone)
        self._rising = False
        low = bisect_left(receiveds, received - HAND_OVER)
        high = bisect_right(receiveds, received + HAND_OVER)
        counts, gone, elsewhere = True, END, False
        for index in range(low, high):
            other = times[index]
            if other > time:
                counts = False
            elif other < time:
                clocks[self.boots[index]].remove(self.places[index], other, receiveds[index] - other)
                gone = min(gone, other)
                elsewhere |= self.boots[index] != boot
        at = bisect_right(receiveds, received)
        receiveds.insert(at, received)
        times.insert(at, time)
        self.places.insert(at, place)
        self.boots.insert(at, boot)
        if not counts:
            return BEGINNING if gone < END else END
        changed = clocks[boot].add(place, time, received - time)
        return BEGINNING if elsewhere else _since(changed, gone)

    def extend(
        self,
        clocks: Sequence[Clock],
        boot: int,
        places: array[int],
        times: array[int],
        receiveds: array[int],
    ) -> Instant:
        """Take measures of one boot, each dated after all before it; the raw time from which corrections may have changed.

        Of those that come within 2 s of each other only the last counts, so the others need not be looked at one by one.
        """
        if self._apart(clocks[boot], places, times, receiveds):
            self.receiveds.append(receiveds[-1])
            self.times.append(times[-1])
            self.places.append(places[-1])
            self.boots.append(boot)
            self._rising = True
            return clocks[boot].extend(places, times, array("q", map(sub, receiveds, times)))
        since = self.add(clocks, boot, places[0], times[0], receiveds[0])
        index, count = 1, len(times)
        while index < count:
            last = index
            if self._rising and receiveds[index] >= self.receiveds[-1]:
                while last + 1 < count and 0 <= receiveds[last + 1] - receiveds[last] <= HAND_OVER:
                    last += 1
            gone = END
            if last > index:
                if receiveds[index] - self.receiveds[-1] <= HAND_OVER:
                    gone = self.times[-1]
                    clocks[boot].remove(self.places[-1], gone, self.receiveds[-1] - gone)
                self.receiveds.extend(receiveds[index:last])
                self.times.extend(times[index:last])
                self.places.extend(places[index:last])
                self.boots.extend([boot] * (last - index))
            since = min(since, _since(self.add(clocks, boot, places[last], times[last], receiveds[last]), gone))
            index = last + 1
        self.trim()
        return since

    def trim(self) -> None:
        """Let go of those that no later one can look back to; nothing is received before what was received last."""
        if len(self.receiveds) > _MANY:
            self.forget(self.receiveds[-1] - HAND_OVER)

    def _apart(self, clock: Clock, places: array[int], times: array[int], receiveds: array[int]) -> bool:
        """Whether each is received more than 2 s after the one before, in order of number and time, so that all count."""
        before = self.receiveds[-1] if self.receiveds else receiveds[0] - HAND_OVER - 1
        return (
            receiveds[0] - before > HAND_OVER
            and clock.follows(places[0], times[0])
            and all(map(lt, times, times[1:]))
            and all(map(le, places, places[1:]))
            and (len(receiveds) == 1 or min(map(sub, receiveds[1:], receiveds)) > HAND_OVER)
        )

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Boots have other numbers now."""
        self.boots = array("l", (numbers[boot] for boot in self.boots))

    def forget(self, before: Instant) -> None:
        """Drop what was received before an instant."""
        index = bisect_left(self.receiveds, before)
        if index:
            del self.receiveds[:index], self.times[:index], self.places[:index], self.boots[:index]

    def snapshot(self) -> Any:
        parts = (self.receiveds, self.times, self.places)
        return [*(memoryview(part).cast("B") for part in parts), self.boots.tolist()]

    def restore(self, state: Any) -> None:
        self.receiveds.frombytes(state[0])
        self.times.frombytes(state[1])
        self.places.frombytes(state[2])
        self.boots.extend(state[3])
