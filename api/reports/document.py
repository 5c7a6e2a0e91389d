"""What a report says, without words of any language: its JSON form, from which print and Excel are made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from api.reports.periods import Kind
from gateway.figures.coverage import CameraRate, ZoneMinutes
from gateway.figures.lamps import LampRate

VERDICTS = ("on_time", "early", "late", "missed", "unverifiable", "skipped", "pending")


class Counts(msgspec.Struct, kw_only=True):
    """Expected visits by verdict."""

    on_time: int = 0
    early: int = 0
    late: int = 0
    missed: int = 0
    unverifiable: int = 0
    skipped: int = 0
    pending: int = 0

    def add(self, verdict: str) -> None:
        """One more visit."""
        setattr(self, verdict, getattr(self, verdict) + 1)

    @property
    def judged(self) -> int:
        """Visits of which it is known whether somebody came."""
        return self.on_time + self.early + self.late + self.missed

    @property
    def missed_rate(self) -> float | None:
        """漏检率: missed ÷ judged, 0 to 1; None: nothing is known. What could not be verified counts on neither side."""
        return self.missed / self.judged if self.judged else None


class RoundLine(msgspec.Struct, frozen=True, kw_only=True):
    """One round."""

    id: str
    route: str
    start: datetime
    end: datetime
    verdict: str
    visits: Counts
    people: tuple[str, ...]
    marks: tuple[str, ...]


class VisitLine(msgspec.Struct, frozen=True, kw_only=True):
    """One visit that was not on time, with why."""

    round: str
    checkpoint: str
    position: int
    due: datetime | None
    opens: datetime
    closes: datetime
    verdict: str
    revision: int
    at: datetime | None
    deviation_s: float | None
    person: str | None
    cause: str | None
    marks: tuple[str, ...]


class GapLine(msgspec.Struct, frozen=True, kw_only=True):
    """One window of a checkpoint: the largest time between two taps."""

    checkpoint: str
    window_start: datetime
    window_end: datetime | None
    largest_s: float
    exceeded: bool


class AlertLine(msgspec.Struct, frozen=True, kw_only=True):
    """One alert, and how it was handled. `answered_s`: from its opening to the first person's action."""

    id: str
    rule: str
    subject: str
    place: str | None
    severity: str
    state: str
    raised: datetime
    answered: datetime | None
    answered_by: str | None
    answered_s: float | None
    ended: datetime | None
    suppressed: str | None
    exhausted: bool
    message: str
    details: dict[str, Any] = {}
    """What the message was made of, to say it in another language; a report of an earlier version has none."""


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """The journal's digest when the report was made: `note` is a signed checkpoint that `lamplighter verify` checks."""

    size: int
    root: str
    at: datetime
    note: str | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report over [`since`, `until`), as things were known at `made`. Lists are in order of time.

    Attributes:
        id, kind: the period.
        judged: up to when everything has been judged; before `until` the report is not final.
        late_until: evidence that comes until then may still change verdicts.
        exceptions: visits that were not on time.
        known_from: since when there is a history of lamps, cameras and zones; null: there is none.
        standing: alerts that are open, acknowledged or worked on when the report is made, whenever they began.
        repairs, checks: work orders and duty checks of the period and those still open, as the API shows them.
    """

    id: str
    kind: Kind
    site: str
    since: datetime
    until: datetime
    made: datetime
    judged: datetime
    late_until: datetime
    final: bool
    visits: Counts
    rounds: tuple[RoundLine, ...]
    exceptions: tuple[VisitLine, ...]
    gaps: tuple[GapLine, ...]
    known_from: datetime | None
    lamps: tuple[LampRate, ...]
    cameras: tuple[CameraRate, ...]
    zones: tuple[ZoneMinutes, ...]
    alerts: tuple[AlertLine, ...]
    standing: tuple[AlertLine, ...]
    repairs: tuple[Mapping[str, Any], ...]
    checks: tuple[Mapping[str, Any], ...]
    digest: Digest | None = None


Part = Literal["rounds", "exceptions", "gaps", "lamps", "cameras", "zones", "alerts", "standing", "repairs", "checks"]
