"""How long to wait before trying again: exponential, with jitter, so that a hundred gateways do not return at one beat."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_S = 0.5
"""Upper bound of the first wait."""

LONGEST_S = 30.0
"""Upper bound of every later wait: half the time a fixed reader may be silent (site.md, `expect_every` 60 s)."""


class Backoff:
    """Waits that double up to a limit, each drawn from the upper half of its range.

    Args:
        first_s: upper bound of the first wait.
        longest_s: upper bound of all waits.
        chance: gives a number in [0, 1); a test passes its own.
    """

    def __init__(
        self,
        *,
        first_s: float = FIRST_S,
        longest_s: float = LONGEST_S,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._chance = chance
        self._bound_s = first_s

    def next_s(self) -> float:
        """The next wait in seconds: between half the bound and the bound."""
        wait_s = self._bound_s * (0.5 + 0.5 * self._chance())
        self._bound_s = min(self._bound_s * 2, self._longest_s)
        return wait_s

    def reset(self) -> None:
        """It worked: begin anew with the first wait."""
        self._bound_s = self._first_s
