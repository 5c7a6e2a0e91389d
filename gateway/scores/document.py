"""A score as it is shown, exported and ranked: every deduction with the evidence that it rests on. Assessment facts only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

FORMAT = 1

EvidenceKind = Literal["visit", "duty_check", "lamp", "camera", "work_order", "inspection"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a deduction rests on.

    Attributes:
        id: of the round, check, lamp, camera, order or inspection.
        revision: of the visit or check as it was used; null: it has none.
        at: when it was due or happened.
        stretches: of lamps and cameras: the faulty stretches that count, each [from, to).
        facts: what else says it: verdict, position, watermark, punctuality, shares.
    """

    kind: EvidenceKind
    id: str
    revision: int | None = None
    at: datetime | None = None
    stretches: tuple[tuple[datetime, datetime], ...] = ()
    facts: Mapping[str, Any] = {}


class Deduction(msgspec.Struct, frozen=True, kw_only=True):
    """One deduction. `key` is the same as long as it rests on the same thing; an appeal names it.

    Attributes:
        persons: whom it concerns, by id.
        words: what a person wrote who took the points.
        state: `counted`; `cancelled` by an accepted appeal, and then worth nothing.
        appeal: id of the appeal that is open or was decided last.
    """

    key: str
    kind: str
    points: float
    evidence: Evidence
    persons: tuple[str, ...] = ()
    words: str = ""
    by: str | None = None
    state: Literal["counted", "cancelled"] = "counted"
    appeal: str | None = None


class ItemScore(msgspec.Struct, frozen=True, kw_only=True):
    """One item of the table. `lost` is at most its weight, however many deductions it has."""

    id: str
    name: str
    weight: float
    lost: float
    score: float
    deductions: tuple[Deduction, ...] = ()


class RestsOn(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, and how much of it could not be judged (and costs nothing)."""

    known_from: datetime | None
    rounds: int = 0
    visits: int = 0
    visits_unverifiable: int = 0
    duty_checks: int = 0
    duty_checks_unverifiable: int = 0
    lamp_hours: float = 0.0
    lamp_hours_unknown: float = 0.0
    camera_hours: float = 0.0
    camera_hours_unknown: float = 0.0
    work_orders: int = 0
    inspections: int = 0
    unavailable: tuple[str, ...] = ()
    """Sources that could not be read: nothing is deducted for them."""


class Quarter(msgspec.Struct, frozen=True, kw_only=True):
    """A quarter in a year's document."""

    period: str
    score: float
    digest: str


class ScoreDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The score of a property in a period: 100 points less the deductions.

    Attributes:
        judged_to: what happened up to then is in it.
        settled: evidence that might change it may no longer come.
        score: of a month or quarter the daily inspections; of a year what `daily` and `year_end` make by their shares; null: nothing is
            known of it, or the year-end assessment is not closed.
        daily: of a year the mean of its quarters.
        revision: how often it was published; 0: not yet, it may change with every tap.
        digest: SHA-256 of the document as JSON with `digest` empty.
    """

    format: int = FORMAT
    site: str
    name: str
    period: str
    since: datetime
    until: datetime
    judged_to: datetime
    settled: bool
    score: float | None
    pass_mark: int
    items: tuple[ItemScore, ...]
    rests_on: RestsOn
    daily: float | None = None
    year_end: float | None = None
    quarters: tuple[Quarter, ...] = ()
    revision: int = 0
    digest: str = ""


def sealed(document: ScoreDocument) -> ScoreDocument:
    """With its digest."""
    return replace(document, digest=digest_of(document))


def digest_of(document: ScoreDocument) -> str:
    """What its `digest` should be; the same however a program between here and there writes a whole number of points."""
    read = msgspec.json.decode(msgspec.json.encode(replace(document, digest="")), type=ScoreDocument)
    return sha256(msgspec.json.encode(read, order="sorted")).hexdigest()
