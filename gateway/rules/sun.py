"""Where the sun stands: the nights of a site, computed once a day and kept."""

from __future__ import annotations

from datetime import UTC

from astral import Observer
from astral.sun import elevation

from gateway.instants import DAY, MINUTE, SECOND, Instant, moment

HORIZON = -0.833
"""Degrees: sunrise and sunset, refraction and the disc's radius included (lighting.md, Expected on)."""

DARK = -6.0
"""Degrees: civil twilight's end; from here a lux value at a window or outdoors speaks of lamps (lighting.md, Proof)."""

_STEP = 15 * MINUTE
_KEPT_DAYS = 64


class Sun:
    """The sun over one point.

    Args:
        latitude: degrees, north positive.
        longitude: degrees, east positive.
    """

    __slots__ = ("_crossings", "_observer")

    def __init__(self, latitude: float, longitude: float) -> None:
        self._observer = Observer(latitude, longitude)
        self._crossings: dict[tuple[float, int], tuple[tuple[Instant, bool], ...]] = {}

    def below(self, degrees: float, at: Instant) -> bool:
        """Whether the sun's centre is geometrically below `degrees` at `at` (exact to the second)."""
        return float(elevation(self._observer, moment(at, UTC), with_refraction=False)) < degrees

    def nights(self, degrees: float, lo: Instant, hi: Instant) -> list[tuple[Instant, Instant]]:
        """Spans [start, end) with the sun below `degrees` that overlap [lo, hi].

        One that was running already on the day of `lo`, or runs on after the day of `hi`, is cut at that day's bound.
        """
        first, last = lo // DAY, hi // DAY
        start = first * DAY if self.below(degrees, first * DAY) else None
        found = []
        for day in range(first, last + 1):
            for at, below in self._day(degrees, day):
                if below:
                    start = at
                elif start is not None:
                    found.append((start, at))
                    start = None
        if start is not None:
            found.append((start, (last + 1) * DAY))
        return found

    def _day(self, degrees: float, day: int) -> tuple[tuple[Instant, bool], ...]:
        """The crossings of one UTC day: when, and whether the sun is below from then on."""
        key = (degrees, day)
        if (known := self._crossings.get(key)) is not None:
            return known
        found = []
        lo = day * DAY
        was = self.below(degrees, lo)
        while lo < (day + 1) * DAY:
            hi = lo + _STEP
            now = self.below(degrees, hi)
            if now != was:
                found.append((self._bisect(degrees, lo, hi, was), now))
            lo, was = hi, now
        if len(self._crossings) >= _KEPT_DAYS:
            del self._crossings[next(iter(self._crossings))]
        self._crossings[key] = tuple(found)
        return self._crossings[key]

    def _bisect(self, degrees: float, lo: Instant, hi: Instant, was: bool) -> Instant:
        """The first whole second in (lo, hi] at which the side differs from `was`."""
        while hi - lo > SECOND:
            middle = (lo + hi) // 2 // SECOND * SECOND
            if self.below(degrees, middle) == was:
                lo = middle
            else:
                hi = middle
        return hi
