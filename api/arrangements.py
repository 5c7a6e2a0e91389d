"""What people say to arrange things, and what the API shows of it: silences, planned work, who is on duty."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any

import msgspec

from gateway.alerts.reach import Target
from gateway.alerts.silences import LONGEST, Kind, Scope, Silence
from gateway.instants import SECOND

Seconds = Annotated[int, msgspec.Meta(ge=1, le=LONGEST // SECOND)]


class SilenceWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """A silence (from now on) or planned work (`maintenance`; `from` may lie ahead).

    It ends at `until`, lasts `lasts_s`, or, with `tonight`, until the running shift ends (none runs: until the next 08:00).

    `on` says what kind of thing `subject` is; a place means all that is in it, planned work also all that is fed from the thing.
    `rule`: only alerts of this rule; needed with `on: site`.
    """

    kind: Kind = "silence"
    on: Target
    subject: str
    rule: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    lasts_s: Seconds | None = None
    tonight: bool = False
    why: str


class AlertSilence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A silence of an alert and what is like it: this rule at its subject, everything about its subject, or in its place.

    Its end is said as in `SilenceWish`.
    """

    scope: Scope = "rule"
    until: datetime | None = None
    lasts_s: Seconds | None = None
    tonight: bool = False
    why: str


class SilenceEnd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a silence or a window is ended, or called off before it began."""

    why: str


class SilenceHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A silence or window, and what was done about it, in order."""

    item: Silence
    history: list[dict[str, Any]]


class OnDuty(msgspec.Struct, frozen=True, kw_only=True):
    """A person on a shift. `name` is null for roles that need no names; `captain`: leads the shift."""

    id: str
    name: str | None
    captain: bool
    contact: bool
    """Whether escalation can tell him."""


class ShiftShape(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from", "until": "to"}):
    """One dated shift with the people who are on it, swaps included."""

    shift: str
    date: date
    since: datetime
    until: datetime
    people: Sequence[OnDuty]


class DutyShape(msgspec.Struct, frozen=True, kw_only=True):
    """Who is on duty at an instant. No shifts: the calendar has none then."""

    at: datetime
    shifts: Sequence[ShiftShape]


class SwapAction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody stands in: `instead` for `away` on the shift that begins on `date`. One of both may be null."""

    shift: str
    date: date
    away: str | None = None
    instead: str | None = None
    why: str = ""


class SwapEnd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why nobody stands in after all."""

    why: str = ""
