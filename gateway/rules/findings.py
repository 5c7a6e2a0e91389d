"""What the rules find, in the shape in which the API shows it, and the signals they give to the alerts room.

Times here are aware datetimes in the site's zone; the rules compute with instants and convert once, when they report.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

from gateway.instants import Instant
from gateway.site.model import Severity

Verdict = Literal["pending", "on_time", "early", "late", "missed", "skipped", "unverifiable"]
RoundVerdict = Literal["scheduled", "in_progress", "completed", "missed", "incomplete", "unverifiable"]


class Corroboration(msgspec.Struct, frozen=True, kw_only=True):
    """What else was noticed at the place of a tap, within 60 s: `by` which devices, or (`silent`) which noticed nothing.

    It changes no verdict.
    """

    result: Literal["supported", "silent", "no sensor"]
    by: tuple[str, ...] = ()


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One expected visit as judged now. `position` 1…n; `due` None without `after`."""

    checkpoint: str
    position: int
    due: datetime | None
    opens: datetime
    closes: datetime
    verdict: Verdict
    revision: int
    at: datetime | None = None
    device_at: datetime | None = None
    person: str | None = None
    deviation_s: float | None = None
    marks: tuple[str, ...] = ()
    cause: str | None = None
    watermark: datetime | None = None
    corroboration: Corroboration | None = None


class Round(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    route: str
    date: date
    start: datetime
    end: datetime
    verdict: RoundVerdict
    revision: int
    marks: tuple[str, ...] = ()
    visits: tuple[Visit, ...] = ()


class VisitRevision(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a visit's verdict: appended to the journal, never changed.

    `at` is when the verdict changed (now), `reason` a code, `evidence` the keys of the observations it rests on
    (`device/boot/seq` or `device/kind/at`).
    """

    round: str
    position: int
    checkpoint: str
    revision: int
    at: datetime
    before: Verdict
    verdict: Verdict
    reason: str
    evidence: tuple[str, ...] = ()
    visit: Visit


class Exceedance(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from", "until": "to"}):
    since: datetime
    until: datetime
    length_s: float
    open: bool


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """One window of a checkpoint. `window_end` None: a compensating patrol that goes on until a repair is proved."""

    checkpoint: str
    window_start: datetime
    window_end: datetime | None
    largest_s: float
    exceeded: bool
    exceedances: tuple[Exceedance, ...] = ()
    id: str = ""
    """`checkpoint@window_start`: by it its explanation is asked for."""


class Lamp(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    state: Literal["ok", "off_duty", "faulty", "unknown", "disabled"]
    fault: str | None = None
    faults: tuple[str, ...] = ()
    unverified: bool = False
    cause: str | None = None
    since: datetime | None = None
    expected_on: bool | None = None
    lit: bool | None = None


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    state: Literal["ok", "faulty", "unknown"]
    fault: str | None = None
    since: datetime | None = None


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    state: Literal["ok", "impaired", "offline", "unknown", "disabled"]
    impairments: tuple[str, ...] = ()
    cause: str | None = None
    since: datetime | None = None
    flapping: bool = False


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    state: Literal["covered", "degraded", "blind", "unknown"]
    since: datetime | None = None
    ok: int
    need: int


class DeviceState(msgspec.Struct, frozen=True, kw_only=True):
    """Any device's liveness."""

    id: str
    state: Literal["ok", "offline", "unknown", "disabled"]
    cause: str | None = None
    since: datetime | None = None
    last_heard: datetime | None = None


class Unmatched(msgspec.Struct, frozen=True, kw_only=True):
    """A tap that served nothing, and the first reason that fits."""

    device: str
    tag: str
    at: datetime
    person: str | None
    reason: str


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Two contents under one key: which `received` was kept and which was not."""

    device: str
    boot: str
    seq: int
    kept: datetime
    other: datetime


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule tells the alerts room about one condition. (rule, subject) names it.

    Args:
        action: `raise` the condition holds (repeat: update); `update` its details changed; `resolve` it ended;
            `merge` it ended because `caused_by` now tells of it; `retract` evidence shows that it never was.
        at: when this was found.
        raised: when the condition began by the evidence (for `raise`); of `retract`: of which of its alerts, if not of the last.
        why: short reason, a code or a name (`cleared`, `timeout`, `merged`, `rejudged` …).
        details: what the message needs: names, numbers, lists.
        severity: overrides the catalogue's (for example the highest of what hangs below).
        caused_by: `rule:subject` of the alert that is the cause.
    """

    rule: str
    subject: str
    action: Literal["raise", "update", "resolve", "merge", "retract"]
    at: Instant
    raised: Instant | None = None
    why: str = ""
    details: dict[str, str | int | float | list[str]] = {}
    severity: Severity | None = None
    caused_by: str | None = None
    place: str | None = None


Finding = Round | Gap | Lamp | Circuit | Camera | Zone | DeviceState


class Found(msgspec.Struct, kw_only=True):
    """What changed since it was last asked: rows to be written and told.

    `touched` names (kind, id) of findings whose view changed: kinds `round`, `gap`, `lamp`, `circuit`, `camera`,
    `zone`, `device`.
    """

    signals: list[Signal] = msgspec.field(default_factory=list)
    revisions: list[VisitRevision] = msgspec.field(default_factory=list)
    touched: dict[tuple[str, str], None] = msgspec.field(default_factory=dict)
