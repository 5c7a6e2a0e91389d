"""Rounds: taps, completeness, verdicts, gaps (spec: rounds.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from device_drivers import observations as seen
from device_drivers.observations import Observation
from gateway.instants import Instant
from gateway.rules.findings import Conflict, Found, Gap, Round, Unmatched
from gateway.site.model import Site


class Rounds:
    """Rounds: taps, completeness, verdicts, gaps (spec: rounds.md)."""

    KINDS: ClassVar[frozenset[type]] = frozenset({})

    def __init__(self, site: Site, found: Found, started: Instant) -> None:
        self.site = site
        self.found = found

    def apply(self, observation: Observation, at: Instant, received: Instant) -> None:
        """Take one observation; `at` is its device time."""

    def advance(self, now: Instant) -> None:
        """Fire own deadlines up to and including `now`."""

    def deadline(self) -> Instant | None:
        """The next own deadline."""
        return None

    def restarted(self, down_from: Instant, now: Instant) -> None:
        """The gateway was down from `down_from` until `now`."""

    def devices_changed(self, devices: frozenset[str], now: Instant) -> None:
        """The named devices (or parents) went down or came back."""

    def rounds(self, since: Instant | None = None, until: Instant | None = None) -> list[Round]:
        """Rounds in memory that have opened by now or are planned next (24 h ahead), by start; optionally with start in [since, until)."""
        return []

    def round(self, round_id: str) -> Round | None:
        """One round as judged now."""
        return None

    def gaps(self) -> list[Gap]:
        """Every `max_gap` window in memory that has opened, by checkpoint and start."""
        return []

    def unmatched(self) -> list[Unmatched]:
        """Taps that served nothing, by time."""
        return []

    def conflicts(self) -> list[Conflict]:
        """Keys with more than one content, by time."""
        return []

    def snapshot(self) -> Any:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a snapshot."""
