"""Guessing passwords is slowed down, without letting anyone lock somebody else out for long."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

from gateway.instants import HOUR, SECOND, Duration, Instant


class Limit(NamedTuple):
    """`free` failures cost nothing; each further one doubles the wait, up to `longest`."""

    free: int
    longest: Duration


LIMITS: dict[str, Limit] = {
    "account from address": Limit(free=5, longest=60 * SECOND),
    "address": Limit(free=20, longest=60 * SECOND),
    "account": Limit(free=30, longest=10 * SECOND),  # from anywhere: short, since anybody can cause it
}
FORGOTTEN_AFTER = HOUR
_MOST_KEYS = 10_000


class Throttle:
    """Failures of late, by account and address. Bounded: the longest unused are forgotten first.

    Args:
        limits: by what is counted, as in `LIMITS`.
    """

    def __init__(self, limits: Mapping[str, Limit] = LIMITS) -> None:
        self._limits = limits
        self._failures: OrderedDict[tuple[str, str], tuple[int, Instant]] = OrderedDict()

    def wait(self, account: str, address: str, now: Instant) -> Duration:
        """How long until the next attempt is looked at; 0: now."""
        return max(self._wait(key, now) for key in _keys(account, address))

    def failed(self, account: str, address: str, now: Instant) -> None:
        """An attempt was wrong."""
        for key in _keys(account, address):
            count, last = self._failures.pop(key, (0, now))
            self._failures[key] = (1 if now - last > FORGOTTEN_AFTER else count + 1, now)
        while len(self._failures) > _MOST_KEYS:
            self._failures.popitem(last=False)

    def passed(self, account: str, address: str) -> None:
        """An attempt was right: this account from this address starts anew."""
        self._failures.pop(("account from address", f"{account}\n{address}"), None)

    def _wait(self, key: tuple[str, str], now: Instant) -> Duration:
        count, last = self._failures.get(key, (0, now))
        limit = self._limits[key[0]]
        if count < limit.free or now - last > FORGOTTEN_AFTER:
            return 0
        pause = min(SECOND << min(count - limit.free, 16), limit.longest)
        return max(0, last + pause - now)


def _keys(account: str, address: str) -> tuple[tuple[str, str], ...]:
    return (
        ("account from address", f"{account}\n{address}"),
        ("address", address),
        ("account", account),
    )
