"""The shape of an explanation: one for every verdict and fault, as JSON and as a sentence.

Times are aware datetimes in the site's zone, as in `gateway.rules.findings`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec


class Sentence(msgspec.Struct, frozen=True, kw_only=True):
    """One statement for people, in both languages."""

    zh: str
    en: str


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One observation, and whether the verdict rests on it.

    Args:
        device: who said it.
        kind: what it is (evidence.md).
        at: when, by the device's own clock.
        judged_at: when, as judged; absent: the same.
        received: when the gateway had it, where that is still known.
        key: the key of repetition (`device/boot/seq` or `device/kind/at`).
        used: the verdict rests on it.
        why: why it counts, or why not: a code of the spec page (`no_round`, `already_served`, `edge`, `stale` …).
        value: what it said (`tag`, `lux`, `on` …).
    """

    device: str
    kind: str
    at: datetime
    judged_at: datetime | None = None
    received: datetime | None = None
    key: str | None = None
    used: bool
    why: str = ""
    value: dict[str, Any] = {}


class Piece(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"since": "from", "until": "to"}):
    """A stretch of time; `why` says what is the matter with it (empty: it is complete), `numbers` which records are missing."""

    since: datetime
    until: datetime
    why: str = ""
    numbers: str = ""


class Clock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a device's clock was judged at a time.

    Args:
        offset_s: seconds added to the device's time; 0: none.
        measures: the measures it rests on, as offsets in seconds with their times.
        mark: `clock_corrected`, `clock_uncertain`, `clock_ahead` or nothing.
    """

    device: str
    offset_s: float = 0
    measures: tuple[dict[str, Any], ...] = ()
    mark: str = ""


class Witness(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One device whose silence proves something, or would.

    Args:
        complete, missing: the stretches of the asked time in which its record is complete, and is not, with the reason.
        last_heard: its newest sign of life.
        assumed: completeness is an assumption (a reader that only transmits).
    """

    device: str
    complete: tuple[Piece, ...] = ()
    missing: tuple[Piece, ...] = ()
    last_heard: datetime | None = None
    assumed: bool = False


class Corroboration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What else was seen at a tap's place within ±60 s. It never changes a verdict."""

    result: Literal["supported", "silent", "no sensor"]
    by: tuple[Item, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why one thing is judged as it is.

    Args:
        kind, id: what is explained; a visit is `round`, id `round#position`.
        result: the verdict or state.
        cause: the code beside it.
        known_at: what was known then is told.
        rule: the sentence of the spec that decided: page, section and number (`rounds.md, Verdicts of a visit, 3`).
        sentence: all of it for people.
        expected: what was expected (plan, limits, thresholds), with units in the names.
        evidence: observations used and not used, by time.
        witnesses: whose silence counts, and whether it does.
        clocks: how clocks were judged.
        marks: what does not change the verdict.
        corroboration: of a served visit.
        parts: of a round its visits, of a circuit its lamps.
        revisions: earlier verdicts, oldest first.
    """

    kind: Literal["round", "visit", "gap", "lamp", "circuit", "camera", "zone"]
    id: str
    result: str
    cause: str | None = None
    known_at: datetime
    rule: str
    sentence: Sentence
    expected: dict[str, Any] = {}
    evidence: tuple[Item, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    clocks: tuple[Clock, ...] = ()
    marks: tuple[str, ...] = ()
    corroboration: Corroboration | None = None
    parts: tuple[Explanation, ...] = ()
    revisions: tuple[dict[str, Any], ...] = ()
