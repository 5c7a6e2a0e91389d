"""What became of a duty check: a pure function of the taps at the post, what is known to be complete, and the time.

Silence is not guilt: who did not tap is only called absent where the record would hold his tap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.duty_checks.check import State
from gateway.instants import MINUTE, Duration, Instant
from gateway.rules.intervals import Interval, covers

TOGETHER: Duration = MINUTE
"""A guard may tap so long before the checker: they stand at the reader together, and somebody is first."""


class PostTap(NamedTuple):
    """A tap at the post: every time at which it may have happened; `person` None: nobody knows whose."""

    times: tuple[Instant, ...]
    person: str | None
    key: str


class Asked(NamedTuple):
    """What is asked of a check.

    Args:
        told: the checker was told before it was due.
        deadline: until when evidence is awaited.
        on_shift: the guards who may be the one on post; empty: nobody knows who.
    """

    opens: Instant
    closes: Instant
    guard_within: Duration
    deadline: Instant
    checkers: frozenset[str]
    guards: frozenset[str]
    told: bool
    extra: bool
    on_shift: frozenset[str] = frozenset()


class Seen(NamedTuple):
    """What is known of the post.

    Args:
        taps: at the post, any order.
        complete: where all its witnesses' records are complete; empty: nowhere.
        cause: why not elsewhere.
        doubts: times of reads that may have been meant for the post: unknown cards, lost clocks.
        elsewhere: taps at the other checkpoints, any order.
    """

    taps: Sequence[PostTap]
    complete: list[Interval]
    cause: str
    doubts: Sequence[Instant] = ()
    elsewhere: Sequence[PostTap] = ()


class Outcome(NamedTuple):
    """What became of it, and by what. `elsewhere`: guards who tapped other checkpoints meanwhile."""

    state: State
    cause: str | None = None
    checker: str | None = None
    checker_at: Instant | None = None
    guard: str | None = None
    guard_at: Instant | None = None
    evidence: tuple[str, ...] = ()
    complete: Interval | None = None
    elsewhere: tuple[str, ...] = ()


def judge(asked: Asked, seen: Seen, now: Instant) -> Outcome:
    """The outcome by what is known at `now`."""
    came = sorted(
        (min(times), tap.key, tap.person, times)
        for tap in seen.taps
        if tap.person in asked.checkers and (times := _within(tap.times, asked.opens, asked.closes))
    )
    if not came:
        return _nobody_came(asked, seen, now)
    for at, key, checker, times in came:
        answers = [
            (min(near), each.key, each.person)
            for each in seen.taps
            if each.person in asked.guards
            and each.person != checker
            and (near := [t for t in each.times if any(c - TOGETHER <= t <= c + asked.guard_within for c in times)])
        ]
        if answers:
            guard_at, its_key, guard = min(answers)
            return Outcome("passed", None, checker, at, guard, guard_at, evidence=tuple(sorted({key, its_key})))
    at, key, checker, _ = came[0]
    here = Outcome("tapped", checker=checker, checker_at=at, evidence=(key,))
    if now <= asked.closes + asked.guard_within:
        return here  # he may come again, and be answered
    first, last = at - TOGETHER, max(max(times) for *_, times in came) + asked.guard_within
    if _doubtful(seen, first, last):
        return here._replace(state="unverifiable", cause="unknown_tap")
    if covers(seen.complete, first, last):
        return _nobody_answered(asked, seen, here, (first, last))
    return here if now <= asked.deadline else here._replace(state="unverifiable", cause=seen.cause)


def _nobody_answered(asked: Asked, seen: Seen, here: Outcome, over: Interval) -> Outcome:
    """Who walks his round is not absent from post: nobody is accused unless a guard on shift is left who does not."""
    first, last = over
    walked = [
        tap
        for tap in seen.elsewhere
        if (tap.person is None or tap.person in asked.guards - asked.checkers) and _within(tap.times, first, last)
    ]
    walkers = {tap.person for tap in walked}
    here = here._replace(elsewhere=tuple(sorted(person for person in walkers if person is not None)))
    if walked and (None in walkers or not asked.on_shift - walkers):
        keys = {tap.key for tap in walked}
        return here._replace(state="unverifiable", cause="on_round", evidence=tuple(sorted({*here.evidence, *keys})))
    return here._replace(state="guard_absent", complete=over)


def _nobody_came(asked: Asked, seen: Seen, now: Instant) -> Outcome:
    if now <= asked.closes:
        return Outcome("due")
    if not asked.told:
        return Outcome("unverifiable", cause="not_told")
    if _doubtful(seen, asked.opens, asked.closes):
        return Outcome("unverifiable", cause="unknown_tap")
    if covers(seen.complete, asked.opens, asked.closes):
        state: State = "not_done" if asked.extra else "checker_missed"
        return Outcome(state, complete=(asked.opens, asked.closes))
    return Outcome("due") if now <= asked.deadline else Outcome("unverifiable", cause=seen.cause)


def _within(times: Sequence[Instant], first: Instant, last: Instant) -> list[Instant]:
    return [time for time in times if first <= time <= last]


def _doubtful(seen: Seen, first: Instant, last: Instant) -> bool:
    """Whether a tap of nobody known, or a stray read, lies in [first, last]."""
    nobodys = (time for tap in seen.taps if tap.person is None for time in tap.times)
    return any(first <= time <= last for time in (*nobodys, *seen.doubts))
