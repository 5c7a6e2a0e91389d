"""The gateway's own starts, and whether it keeps restarting (spec: cameras.md, `gateway_restarting`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.instants import HOUR, Instant

MANY = 3
"""So many starts within `WITHIN` are a restarting gateway; `WITHIN` without one ends it."""
WITHIN = HOUR


class Starts:
    """Starts of the last hour.

    Attributes:
        last: the latest start.
        since: the first of the starts that made it a restarting gateway; None: it is not.
    """

    def __init__(self, started: Instant) -> None:
        self.last = started
        self.since: Instant | None = None
        self._recent = [started]

    @property
    def count(self) -> int:
        """Starts within the hour before the last one, itself included."""
        return len(self._recent)

    def start(self, now: Instant) -> None:
        """The gateway started once more."""
        self.last = now
        self._recent = [each for each in self._recent if each >= now - WITHIN]
        self._recent.append(now)
        if self.since is None and len(self._recent) >= MANY:
            self.since = self._recent[0]

    @property
    def proves_nothing(self) -> bool:
        """Whether absence proves nothing."""
        return self.since is not None

    def deadline(self) -> Instant | None:
        """When it has been quiet for long enough, while absence proves nothing."""
        return self.last + WITHIN if self.proves_nothing else None

    def advance(self, now: Instant) -> bool:
        """Let time pass; True if absence proves something again."""
        due = self.deadline()
        if due is None or now < due:
            return False
        self.since = None
        self._recent = [self.last]
        return True

    def snapshot(self) -> dict[str, Any]:
        return {"last": self.last, "since": self.since, "recent": self._recent}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.last, self.since, self._recent = state["last"], state["since"], list(state["recent"])
