"""The gateway's own time: the machine's wall clock, believed only as far as the time that has passed bears it out.

Time never goes back, and what is not known to be true is not taken for time in which things were silent. Beside the wall clock
stands the machine's steady one, which nobody sets:

- they agree: the wall clock is the time.
- the wall clock was put forward: it is followed at once. What lies between was not lived through (`Doubt` "set").
- it was put forward by more than `FAR` (at a start: `FAR_OFF`): a dead battery or a wrong year. It is not followed: time goes on by
  the steady clock, in doubt, until the wall clock comes back, or the gateway is started with the word of a person that it is right.
- it was put back: time goes on, in doubt; by up to `NEAR` at half the pace, so that the wall clock comes up with it; more is held for
  a wall clock that does not know the time (1970) and will be set.
- so at a start, against the last instant that the journal knows. Of how long the gateway was away nothing is known then: if the wall
  clock is wrong by more than `NEAR`, the judge's time stands still until it is right.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from gateway.errors import JournalError
from gateway.instants import DAY, SECOND, Duration, Instant, moment, parse_instant

STEP: Duration = 10 * SECOND
"""A wall clock that moves by more than this against the steady one was set."""
NEAR: Duration = DAY
FAR: Duration = 7 * DAY
FAR_OFF: Duration = 400 * DAY
EARLIEST: Instant = parse_instant("2026-01-01T00:00:00Z")
"""No journal is older than this program."""

Doubt = Literal["doubted", "set"]
"""What happened to the time: nobody knows whether it is right, from now on; it is known (again)."""


class SteadyClock:
    """Gives the time. Any thread may ask; `judged` only that of the judge.

    Args:
        wall: the machine's wall clock.
        steady: seconds on a clock that is never set.

    Attributes:
        problem: what a person should know; "": nothing.
        doubted: whether the time may be wrong.
        stands: whether the judge's time stands still.
    """

    def __init__(
        self,
        wall: Callable[[], Instant] = lambda: time.time_ns() // 1000,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._lock = threading.Lock()
        self._read_at = steady()
        self._own = wall()
        self._lived = False
        """Whether the wall clock has been right since the start."""
        self._off: Duration = 0
        self.doubted = False
        self.stands = False
        self._stood = self._own
        self._stepped = False
        self.tell: Callable[[Doubt], None] = lambda _: None
        """Called by `judged` before it gives a time after a step, so that nothing is judged by it before that."""

    def begin(self, last: Instant | None, *, trusted: bool = False) -> None:
        """Start from the last instant that the journal knows; None: it is new. `trusted`: a person says that the wall clock is right.

        Raises:
            JournalError: there is nothing to start from.
        """
        now = self._wall()
        if last is None and now < EARLIEST:
            raise JournalError(
                f"the machine's clock shows {_shown(now)}: set it (or wait for its time server) before the first start"
            )
        self._read_at = self._steady()
        self._own = now
        self._lived = True
        if last is None or -STEP <= now - last <= FAR_OFF or (trusted and now > last):
            self._own = now if last is None else max(now, last)
            return
        self._own = self._stood = last
        self._lived = False
        self._doubt(now - last)

    def _doubt(self, off: Duration) -> None:
        self._off = off
        self.stands = not self._lived and abs(off) > NEAR
        if not self.doubted:
            self.doubted = True
            self._stepped = True

    def now(self) -> Instant:
        """The time; it never goes back."""
        with self._lock:
            steady, wall = self._steady(), self._wall()
            passed = round((steady - self._read_at) * SECOND)
            self._read_at = steady
            if self.doubted:
                self._go_on_doubting(wall, passed)
            else:
                self._go_on(wall, passed)
            return self._own

    def _go_on(self, wall: Instant, passed: Duration) -> None:
        off = wall - self._own - passed
        if -STEP <= off <= FAR:
            self._stepped = self._stepped or off > STEP
            self._own = max(self._own, wall)
        else:
            self._own += passed
            self._doubt(off)

    def _go_on_doubting(self, wall: Instant, passed: Duration) -> None:
        self._own += passed // 2 if -NEAR <= self._off < 0 else passed
        off = wall - self._own
        if -STEP <= off <= (FAR if self._lived else FAR_OFF):
            self._own = max(self._own, wall)
            self._lived, self.doubted, self.stands, self._off = True, False, False, 0
            self._stepped = True
        else:
            self._doubt(off)

    def __call__(self) -> datetime:
        """The time, aware, in UTC."""
        return moment(self.now(), UTC)

    def judged(self) -> datetime:
        """The judge's time: it stands still while nobody knows how long the gateway was away."""
        now = self.now()
        if self._stepped:
            self._stepped = False
            self.tell("doubted" if self.doubted else "set")
        if self.stands:
            now = self._stood
        return moment(now, UTC)

    @property
    def problem(self) -> str:
        """What a person should know; "": nothing."""
        if not self.doubted:
            return ""
        off, shown = self._off, _shown(self._own + self._off)
        if off > 0:
            said = (
                f"the machine's clock shows {shown}, {_long(off)} later than the time that the gateway has lived through: it is not "
                "believed. Set it; if it is right, start the gateway with --trust-clock"
            )
        else:
            said = f"the machine's clock shows {shown}, {_long(-off)} before what was recorded already: set it, or see to its time server"
        meanwhile = (
            "nothing is judged by time until it is right; what arrives is kept"
            if self.stands
            else "what is not heard meanwhile counts as unknown"
        )
        return f"{said}; {meanwhile}"


def _shown(at: Instant) -> str:
    return f"{moment(at, UTC):%Y-%m-%d %H:%M} UTC"


def _long(span: Duration) -> str:
    for unit, size in (("days", DAY), ("hours", 3600 * SECOND), ("minutes", 60 * SECOND)):
        if span >= 2 * size:
            return f"{span // size} {unit}"
    return f"{span // SECOND} s"
