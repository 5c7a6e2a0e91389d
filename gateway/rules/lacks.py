"""Why a stretch of a reader's record is not complete: told to people, decides nothing (spec: rounds.md, What is known to be complete).

The stretches themselves are `Record.complete`'s; here each missing one is cut into parts, and each part is given the first
reason that fits, in the order in which a verdict's cause is chosen.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from gateway.instants import Instant
from gateway.rules.intervals import BEGINNING, END, Interval, clipped, missing, without
from gateway.rules.records import Record
from gateway.rules.trails import Reports, Signs, Trail

Why = Literal[
    "gateway_down",
    "clock_lost",
    "impossible_times",
    "clock_uncertain",
    "number_missing",
    "restarted",
    "unreadable",
    "link_down",
    "offline",
    "silent",
    "before_first",
    "not_handed_in",
    "awaited",
    "proves_nothing",
    "never_heard",
]
"""The gateway was down; a read without a usable date; only times that cannot be; measures of the clock disagree; sequence
numbers are missing; another boot; what it sent could not be read, or has a number given before; its link or port was down;
it, or its last will, said offline; nothing heard for too long; before the first report; a portable's record not handed over
yet; its next report is still due; a reader whose silence is never taken for proof; never heard.
"""

Numbers = tuple[tuple[int, int], ...]


class Lack(NamedTuple):
    """A part of a missing stretch. `numbers`: the runs of sequence numbers that are missing in it."""

    start: Instant
    end: Instant
    why: Why
    numbers: Numbers = ()


class _Break(NamedTuple):
    """Two successive reports of which the stretch between is not proved."""

    start: Instant
    end: Instant
    why: Why
    numbers: Numbers = ()


def lacks(record: Record, downs: Sequence[Interval], first: Instant, last: Instant, now: Instant) -> list[Lack]:
    """The missing parts of [first, last] in a record, in order, each with its reason.

    Args:
        downs: when the gateway was down.
        now: to tell what is late from what is still due.
    """
    gone = missing(record.complete(), first, last)
    if not gone:
        return []
    reasons: list[_Break] = [_Break(low, high, "gateway_down") for low, high in downs]
    if record.first_heard is None:
        return sorted(_painted(gone, [*reasons, _Break(BEGINNING, END, "never_heard")]))
    reasons += [_Break(low, high, "clock_lost") for low, high in record.lost_spans()]
    near = [found for reports in record.reports() for found in _breaks(record, reports, first, last)]
    reasons += [each for each in near if each.why == "gateway_down"]
    reasons += [each for each in near if each.why != "gateway_down"]
    reasons += [_Break(low, high, "clock_uncertain") for low, high in record.doubts()]
    reasons += [_Break(low, high, "clock_uncertain") for low, high in record.unproven()]
    reasons += [_Break(low, high, "number_missing") for low, high in record.holes()]
    reasons += [_Break(low, high, "restarted") for low, high in record.restarts()]
    reasons += [_Break(low, high, "unreadable") for low, high in record.hidden()]
    reasons += _ends(record, first, now)
    return sorted(_painted(gone, reasons))


def _painted(gone: Sequence[Interval], reasons: Sequence[_Break]) -> Iterator[Lack]:
    """Every missing stretch in parts, each with the first reason that reaches it."""
    rest = list(gone)
    for reason in reasons:
        if reason.start >= reason.end:
            continue
        for low, high in clipped(rest, reason.start, reason.end):
            if low < high or reason.start < low < reason.end:
                yield Lack(low, high, reason.why, reason.numbers)
        rest = without(rest, [(reason.start, reason.end)])


def _breaks(record: Record, reports: Reports, first: Instant, last: Instant) -> Iterator[_Break]:
    """Where the reports around [first, last] do not join, and why."""
    before: tuple[int, Instant] | None = None
    doubtful: list[int] = []
    for index in _around(reports, first, last):
        time = reports.true_time(index)
        if time is None:
            doubtful.append(index)
            continue
        if before is not None and reports.joint(before[0], index, before[1], time) != "joined":
            start, end = min(before[1], time), max(before[1], time)
            yield _why(record, reports, (before[0], index), (start, end))
        before, doubtful = (index, time), []
    if doubtful:
        why: Why = "clock_uncertain" if any(reports.possible(index) for index in doubtful) else "impossible_times"
        yield _Break(before[1] if before is not None else first, last, why)


def _around(reports: Reports, first: Instant, last: Instant) -> range:
    """The reports that may lie in [first, last], and those next before and after that prove something."""
    times = reports.times
    least, most = reports.bounds()
    begin, stop = 0, len(times)
    if reports.ordered:
        begin, stop = bisect_left(times, first - most), bisect_right(times, last - least)
    inside = [index for index in range(begin, stop) if first <= _likely(reports, index) <= last]
    after = range(begin if reports.ordered else 0, len(times))
    low = inside[0] if inside else next((index for index in after if _likely(reports, index) > last), len(times))
    high = inside[-1] if inside else low - 1
    while low > 0 and (low > high or reports.true_time(low) is None or _likely(reports, low) >= first):
        low -= 1
        if reports.true_time(low) is not None:
            break
    while high < len(times) - 1:
        high += 1
        if reports.true_time(high) is not None:
            break
    return range(low, high + 1)


def _likely(reports: Reports, index: int) -> Instant:
    return reports.times[index] + reports.correction(index).offsets[0]


def _why(record: Record, reports: Reports, indices: tuple[int, int], span: Interval) -> _Break:
    """Why two successive reports that prove something do not join."""
    (left, right), (start, end) = indices, span
    if isinstance(reports, Trail):
        gone = reports.numbers.lacking(reports.places[left], reports.places[right])
        return _Break(start, end, "number_missing" if gone else "clock_uncertain", gone)
    assert isinstance(reports, Signs)
    if any(low < end and start < high for low, high in reports.downs):
        return _Break(start, end, "gateway_down")
    index = bisect_left(reports.cuts, start)
    if index < len(reports.cuts) and reports.cuts[index] <= end:
        return _Break(start, end, _cut_by(record, reports.cuts[index]))
    if end - start > reports.limit:
        return _Break(start, end, "silent")
    return _Break(start, end, "restarted" if reports.places[left] != reports.places[right] else "clock_uncertain")


def _cut_by(record: Record, cut: Instant) -> Why:
    if record.cut_by_noise(cut):
        return "unreadable"
    return "link_down" if record.cut_by_link(cut) else "offline"


def _ends(record: Record, first: Instant, now: Instant) -> list[_Break]:
    """Before all that a record proves, and after it."""
    if record.proves_nothing:
        return [_Break(first, END, "proves_nothing"), _Break(BEGINNING, first, "proves_nothing")]
    proved = record.complete()
    known = [time for reports in record.reports() for time in _proving(reports)]
    until = max((*known, *(high for _, high in proved)), default=None)
    if until is None:
        return [
            _Break(BEGINNING, END, "impossible_times" if record.only_impossible(first) else _late(record, END, now))
        ]
    since = min((*known, *(low for low, _ in proved)), default=BEGINNING)
    return [
        _Break(BEGINNING, since, "before_first"),
        _Break(until, END, "impossible_times" if record.only_impossible(first) else _late(record, until, now)),
        _Break(BEGINNING, END, "not_handed_in" if record.portable else "silent"),
    ]


def _proving(reports: Reports) -> Iterator[Instant]:
    """The first and the last time of reports that proves something."""
    for order in (range(len(reports.times)), range(len(reports.times) - 1, -1, -1)):
        found = (time for index in order if (time := reports.true_time(index)) is not None)
        if (time := next(found, None)) is not None:
            yield time


def _late(record: Record, since: Instant, now: Instant) -> Why:
    """Why nothing came after `since`."""
    if record.portable:
        return "not_handed_in"
    if (cut := record.cut_after(since)) is not None and (record.link_down or not record.cut_by_link(cut)):
        return _cut_by(record, cut)
    every = record.expect_every
    return "awaited" if every is not None and now - record.last_heard <= 3 * every else "silent"
