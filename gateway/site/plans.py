"""From schedules to dated plans: pure functions of the site and a span of time (spec: rounds.md, The plan)."""

from __future__ import annotations

from gateway.instants import Instant
from gateway.site.model import DatedRound, DatedWindow, Site


def plan_rounds(site: Site, since: Instant, until: Instant) -> list[DatedRound]:
    """Every dated round whose start is in [since, until), sorted by start, then id; no id twice."""
    raise NotImplementedError


def plan_windows(site: Site, since: Instant, until: Instant) -> list[DatedWindow]:
    """Every dated `max_gap` window whose start is in [since, until), sorted by start, then checkpoint."""
    raise NotImplementedError
