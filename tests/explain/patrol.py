"""A patrol night told to the whole judge in the clock times of `tests.rules.walk`, and what it gives as reasons."""

from __future__ import annotations

from typing import Any

from device_drivers.observations import Observation
from gateway.explain.explanation import Explanation
from gateway.explain.rounds import explain_gap, explain_round
from gateway.instants import Instant
from gateway.judgement import Judgement
from gateway.site.model import Site
from tests.rules.walk import Walk, clock

ROUND = "night@2026-11-22T22:00+08:00"


class Patrol(Walk):
    """The judge with rules and alerts."""

    def __init__(self, site: Site | None = None, started: str = "21:00", **said: Any) -> None:
        super().__init__(site, started, **said)
        self.judge = Judgement(self.site, self.started)
        self.rules = self.judge.engine.rounds

    def feed(self, observation: Observation, at: Instant, received: Instant) -> None:
        self.judge.apply(observation, received, at)

    def advance(self, now: str | Instant) -> None:
        self.judge.advance(clock(now) if isinstance(now, str) else now)

    def until(self, now: str) -> None:
        self.advance(now)
        self.judge.conclude()

    def down(self, since: str, until: str) -> None:
        self.advance(since)
        self.judge.restarted(clock(since), clock(until))

    def why(self, now: str | None = None, *, named: bool = True, round_id: str = ROUND) -> Explanation:
        """The explanation of the round, at `now`."""
        if now is not None:
            self.until(now)
        found = explain_round(self.judge, round_id, self.judge.now, named=named)
        assert found is not None
        return found

    def because(self, now: str | None = None, position: int = 1) -> Explanation:
        """That of one of its visits."""
        return self.why(now).parts[position - 1]

    def why_gap(self, gap_id: str) -> Explanation:
        found = explain_gap(self.judge, gap_id, self.judge.now)
        assert found is not None
        return found
