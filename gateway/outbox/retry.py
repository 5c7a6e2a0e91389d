"""How long to wait after a failed delivery: doubling, with jitter, and never shorter than the receiver asked for."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from gateway.instants import SECOND, Instant, instant

LONGEST_ASKED_S = 3600.0
"""A receiver that asks for more is tried again after this: a typing error must not stop a night's notices."""


_SECONDS = re.compile(r"[0-9]{1,12}")


class Retry:
    """Waits of `first_s`, twice that, and so on up to `longest_s`, each drawn from its upper half.

    Args:
        first_s: upper bound of the wait after the first failure.
        longest_s: upper bound of all waits but those asked for.
        chance: gives a number in [0, 1).
    """

    def __init__(
        self, first_s: float = 1.0, longest_s: float = 60.0, chance: Callable[[], float] = random.random
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._chance = chance

    def wait_s(self, failures: int, asked_s: float | None = None) -> float:
        """The wait after `failures` earlier failures; `asked_s`: what the receiver asked for (Retry-After)."""
        bound: float = min(self._longest_s, self._first_s * 2.0 ** min(failures, 30))
        wait = bound * (0.5 + 0.5 * self._chance())
        return wait if asked_s is None else max(wait, min(asked_s, LONGEST_ASKED_S))


def asked_s(retry_after: str | None, now: Instant) -> float | None:
    """The wait of a Retry-After header, given in seconds or as a date (RFC 9110 §10.2.3); None: none, or unreadable."""
    text = (retry_after or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (instant(when if when.tzinfo else when.replace(tzinfo=UTC)) - now) / SECOND)
