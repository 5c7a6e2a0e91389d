"""What the API takes and shows of duty checks and scores besides the things themselves."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from gateway.scores.document import Deduction


class ExtraBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which check is made now, and where: the checker stands at the post or is on his way."""

    check: str
    post: str


class FindingBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was found. `code`: of the table or the site's own; `person`: whom it concerns; `photo`: the id that its upload gave."""

    code: str
    person: str | None = None
    words: Annotated[str, msgspec.Meta(max_length=500)] = ""
    photo: str | None = None


class WithdrawBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which finding no longer counts, and why."""

    number: int
    why: str


class MarkBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points taken by an inspection, with words. `at`: when it was seen, if that was earlier."""

    item: str
    points: float
    words: str
    part: Literal["daily", "year_end"] = "daily"
    at: str | None = None
    person: str | None = None
    place: str | None = None


class AppealBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Against which deduction of which period, and why."""

    key: str
    period: str
    why: str


class WhyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reason; it stands in the history."""

    why: str = ""


class DecisionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an appeal is decided, and why."""

    decision: Literal["accept", "reject", "retract"]
    why: str


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One publication of a period, and what changed since the one before."""

    period: str
    revision: int
    at: str
    by: str
    score: float | None
    digest: str
    withdrawn: list[Deduction]
    added: list[Deduction]
