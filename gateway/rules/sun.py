"""Where the sun stands: the nights of a site, computed once a day and kept."""

from __future__ import annotations

from datetime import UTC
from functools import lru_cache

from astral import Observer
from astral.sun import elevation

from gateway.instants import DAY, MINUTE, SECOND, Instant, moment

HORIZON = -0.833
"""Degrees: sunrise and sunset, refraction and the disc's radius included (lighting.md, Expected on)."""

DARK = -6.0
"""Degrees: civil twilight's end; from here a lux value at a window or outdoors speaks of lamps (lighting.md, Proof)."""

_STEP = 15 * MINUTE
_KEPT_DAYS = 256


class Sun:
    """The sun over one point.

    Args:
        latitude: degrees, north positive.
        longitude: degrees, east positive.
    """

    __slots__ = ("_latitude", "_longitude")

    def __init__(self, latitude: float, longitude: float) -> None:
        self._latitude = latitude
        self._longitude = longitude

    def nights(self, degrees: float, lo: Instant, hi: Instant) -> list[tuple[Instant, Instant]]:
        """Spans [start, end) with the sun below `degrees` that overlap [lo, hi], exact to the second.

        One that was running already on the day of `lo`, or runs on after the day of `hi`, is cut at that day's bound.
        """
        first, last = lo // DAY, hi // DAY
        start: Instant | None = None
        found = []
        for day in range(first, last + 1):
            below_at_first, crossings = _day(self._latitude, self._longitude, degrees, day)
            if day == first and below_at_first:
                start = day * DAY
            for at, below in crossings:
                if below:
                    start = at
                elif start is not None:
                    found.append((start, at))
                    start = None
        if start is not None:
            found.append((start, (last + 1) * DAY))
        return found


@lru_cache(maxsize=_KEPT_DAYS)
def _day(latitude: float, longitude: float, degrees: float, day: int) -> tuple[bool, tuple[tuple[Instant, bool], ...]]:
    """One UTC day: whether the sun is below at its start, and its crossings: when, and whether below from then on."""
    observer = Observer(latitude, longitude)
    lo = day * DAY
    first = was = _below(observer, degrees, lo)
    found = []
    while lo < (day + 1) * DAY:
        hi = lo + _STEP
        now = _below(observer, degrees, hi)
        if now != was:
            found.append((_bisect(observer, degrees, lo, hi), now))
        lo, was = hi, now
    return first, tuple(found)


def _below(observer: Observer, degrees: float, at: Instant) -> bool:
    """Whether the sun's centre is geometrically (without refraction) below `degrees`."""
    return float(elevation(observer, moment(at, UTC), with_refraction=False)) < degrees


def _bisect(observer: Observer, degrees: float, lo: Instant, hi: Instant) -> Instant:
    """The first whole second in (lo, hi] on the other side than `lo`."""
    was = _below(observer, degrees, lo)
    while hi - lo > SECOND:
        middle = (lo + hi) // 2 // SECOND * SECOND
        if _below(observer, degrees, middle) == was:
            lo = middle
        else:
            hi = middle
    return hi
