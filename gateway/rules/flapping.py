"""A camera that cannot decide (spec: cameras.md, Flapping).

One check each `expect_every` since first heard, at the state as all evidence of that instant leaves it. While nothing
changes no check needs to be made: those of a quiet camera cost nothing.
"""

from __future__ import annotations

from typing import Any

from gateway.instants import MINUTE, Duration, Instant

CHECKS = 21
BEGINS, ENDS = 30, 20
"""Per cent of weighted changes: flapping begins at 30 or more, ends below 20."""
OFFLINE_ENDS = 15 * MINUTE

_OLDEST, _STEP = 152, 4
"""Weights 0.8 … 1.2 of the 20 changes between 21 checks, in 190ths: exact, so that a threshold is one."""
_WHOLE = 20 * 190


class Flapping:
    """The checks of one camera.

    Attributes:
        active: it flaps.
        since: the first of the changes that made it so.
    """

    __slots__ = ("_checks", "_every", "_first", "_value", "active", "since")

    def __init__(self, every: Duration) -> None:
        self._every = every
        self._first: Instant | None = None
        self._checks: list[tuple[Instant, bool]] = []
        self._value: bool | None = None
        self.active = False
        self.since: Instant | None = None

    def turn(self, value: bool | None, now: Instant) -> None:
        """The camera is ok (True), not ok (False), or nothing is known of it (None) from now on."""
        if self._first is None:
            if value is None:
                return
            self._first = now
        elif self._value is not None and self._quiet():
            last = self._first + (now - 1 - self._first) // self._every * self._every
            if last >= self._first and (not self._checks or last > self._checks[-1][0]):
                self._checks = [*self._checks[1 - CHECKS :], (last, self._value)]
        self._value = value

    def deadline(self, now: Instant) -> Instant | None:
        """When the next check can tell something new."""
        if self._first is None or self._value is None or self._quiet():
            return None
        return self._first - (self._first - now) // self._every * self._every + 1

    def check(self, now: Instant) -> bool:
        """Make the check that is due; True if flapping began or ended."""
        if self._value is None or (self._checks and self._checks[-1][0] >= now - 1):
            return False
        self._checks = [*self._checks[1 - CHECKS :], (now - 1, self._value)]
        changed = self._changed()
        if not self.active and changed * 100 >= BEGINS * _WHOLE:
            self.active = True
            self.since = next(
                at for (_, before), (at, after) in zip(self._checks, self._checks[1:], strict=False) if before != after
            )
            return True
        if self.active and changed * 100 < ENDS * _WHOLE:
            self.active, self.since = False, None
            return True
        return False

    def stop(self) -> None:
        """It was offline for long: that is no flapping any more, and the past checks say nothing."""
        self.active, self.since = False, None
        self._checks = []

    @property
    def share(self) -> float:
        """Per cent of weighted changes among the last checks."""
        return round(self._changed() * 100 / _WHOLE, 1)

    @property
    def checks(self) -> tuple[tuple[Instant, bool], ...]:
        """The last checks that were made: when, and whether it was ok. Those while all are alike are not made."""
        return tuple(self._checks)

    def _quiet(self) -> bool:
        """All checks known are as the camera is now."""
        return not self.active and all(value == self._value for _, value in self._checks)

    def _changed(self) -> int:
        newest = CHECKS - 2
        values = [value for _, value in self._checks]
        return sum(
            _OLDEST + _STEP * (newest - age)
            for age, (after, before) in enumerate(zip(values[::-1], values[-2::-1], strict=False))
            if after != before
        )

    def snapshot(self) -> list[Any]:
        return [self._first, self._checks, self._value, self.active, self.since]

    def restore(self, state: list[Any]) -> None:
        self._first, checks, self._value, self.active, self.since = state
        self._checks = [(at, value) for at, value in checks]
