"""How much of the API one account or key may ask for: a bucket of tokens each, in memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from gateway.instants import SECOND, Duration, Instant

PER_SECOND = 50
BURST = 500
"""A wall of ten screens that all fetch what changed takes a tenth of it; a program in a loop that never waits is slowed down."""
_MOST_BUCKETS = 4096


class _Bucket(NamedTuple):
    tokens: float
    at: Instant


class Rates:
    """Bounded: the longest unused buckets are forgotten first, and are full when they come back.

    Args:
        per_second: tokens that come back in a second.
        burst: tokens of a full bucket.
    """

    def __init__(self, per_second: float = PER_SECOND, burst: float = BURST) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, who: str, now: Instant) -> Duration:
        """Take one token; 0, or how long until there is one (then none was taken)."""
        found = self._buckets.pop(who, None) or _Bucket(self._burst, now)
        came = max(0, now - found.at) * self._per_second / SECOND
        tokens = min(self._burst, found.tokens + came)
        wait = 0 if tokens >= 1 else round((1 - tokens) * SECOND / self._per_second) + 1
        self._buckets[who] = _Bucket(tokens if wait else tokens - 1, now)
        while len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return wait
